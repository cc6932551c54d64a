"""What a run would ask of each provider: calls, foreseen from a plan, and the time they take at its rates.

Exact where nothing goes wrong, nobody else writes, and what moved fits into the room that a look keeps
(`ecs_sync.observe`): the look that made the plan was counted, a run makes it again, and the rest follows
from the batches that the run would make and the prices that the adapter declares.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from ecs_sync.adapter import Delete, Features, ItemId, Put, Write
from ecs_sync.batching import batches, group_size, price_of
from ecs_sync.looking import Side
from ecs_sync.plan import Change, Plan
from ecs_sync.push import by_item


@dataclass(frozen=True, slots=True)
class LinkCost:
    """The calls of one link: to look at its place, to read items again, and to write.

    ``seconds`` is the shortest time that all of them take at the rates that the adapter declares; None
    where it declares none.
    """

    link: str
    looks: int
    reads: int
    writes: int
    seconds: float | None

    @property
    def calls(self) -> int:
        return self.looks + self.reads + self.writes


@dataclass(frozen=True, slots=True)
class Cost:
    """The calls of a run, by link, and those that follow secrets, by connection."""

    links: tuple[LinkCost, ...]
    secrets: Mapping[str, int]

    @property
    def calls(self) -> int:
        return sum(link.calls for link in self.links) + sum(self.secrets.values())


def cost_of(plan: Plan, sides: Sequence[Side], secrets: Mapping[str, int]) -> Cost:
    """The cost of carrying out a plan, from the looks that made it."""
    return Cost(tuple(_cost(plan, side) for side in sides), secrets)


def _cost(plan: Plan, side: Side) -> LinkCost:
    features = side.remote.features
    looks = side.observation.calls + side.remote.meter.calls
    reads = writes = 0
    items = iter(by_item(plan.pushes(side.remote.link)).items())
    while group := list(islice(items, group_size(features))):
        planned = list(_writes(side, group))
        reads += _point_reads(features, len(_to_read_again(side, group)))
        reads += _point_reads(features, sum(isinstance(write, Delete) for write in planned))
        reads += _point_reads(features, len(planned))  # the proof
        writes += sum(price_of(features, batch) for batch in batches(features, planned, lambda write: write))
    if features.finishes and plan.pushes(side.remote.link):
        writes += features.prices.finish.request
    return LinkCost(side.remote.link, looks, reads, writes, _seconds(features, looks + reads, writes))


def _to_read_again(side: Side, group: Iterable[tuple[ItemId, list[Change]]]) -> list[ItemId]:
    """What a push reads before it writes, because the look did not keep it."""
    kept = side.observation.kept
    there = (
        id
        for id, changes in group
        if side.may_hold(id) or any(change.expected is not None for change in changes)
    )
    return [id for id in there if id not in kept]


def _writes(side: Side, group: Iterable[tuple[ItemId, list[Change]]]) -> Iterator[Write]:
    for id, changes in group:
        pushes = [(change.key, change.after) for change in changes]
        existing = side.observation.kept.get(id)
        there = next((change.revision or "" for change in changes if change.expected is not None), None)
        if existing is None and there is not None and all(change.target is None for change in changes):
            yield Delete(id, there)
            continue
        write = side.remote.rehearse(id, pushes, existing).write
        if isinstance(write, Put) and existing is None:
            yield replace(write, expected=there)
        elif write is not None:
            yield write


def _point_reads(features: Features, items: int) -> int:
    whole, rest = divmod(items, max(1, features.reads))
    price = features.prices.get
    return whole * price.of(max(1, features.reads)) + (price.of(rest) if rest else 0)


def _seconds(features: Features, reads: int, writes: int) -> float | None:
    """Writes count against the rate of writes and, like all calls, against that of all."""
    times = []
    if features.rate:
        times.append((reads + writes) / features.rate)
    if features.write_rate:
        times.append(writes / features.write_rate)
    return max(times, default=None)
