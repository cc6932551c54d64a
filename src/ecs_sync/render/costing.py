"""What a run would ask of providers, for a person and as data."""

from __future__ import annotations

from collections.abc import Iterator

from ecs_sync.cost import Cost
from ecs_sync.render.documents import CostShown, LinkCalls
from ecs_sync.render.page import Part, Row, Table, Title


def cost_shown(cost: Cost) -> CostShown:
    links = [
        LinkCalls(link.link, link.looks, link.reads, link.writes, _rounded(link.seconds))
        for link in cost.links
    ]
    return CostShown(cost.calls, links, dict(cost.secrets))


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


def cost_part(cost: CostShown) -> Iterator[Part]:
    """A table of calls, with the shortest time at each provider's rates."""
    yield Title(f"the run would make {_calls(cost.calls)}", 2)
    rows = [
        Row((link.link, str(link.looks), str(link.reads), str(link.writes), _time(link.seconds)))
        for link in cost.links
    ]
    rows += [Row((f"secrets at {name}", "", str(calls), "", "")) for name, calls in cost.secrets.items()]
    yield Table(("link", "looks", "reads", "writes", "no faster than"), tuple(rows))


def _calls(count: int) -> str:
    return "1 call" if count == 1 else f"{count} calls"


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "no documented rate"
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.1f} min"
