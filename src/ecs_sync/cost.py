"""What a run would ask of each provider: calls, foreseen from a plan, and the time they take at its rates.

Exact where nothing goes wrong, nobody else writes, and what moved fits into the room that a look keeps
(`ecs_sync.observe`): the look that made the plan was counted, a run makes it again, and the rest follows
from the batches that the run would make and the prices that the adapter declares. What a run in the same
process knows already is asked for again by one in another, and counted.

Authentication does not count: log-ins, the renewal and lookup of tokens, whatever is asked of who gives them
out, and requests without a credential that are sent only to be told how to authenticate.
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
    links, opened = list[LinkCost](), set[str]()
    for side in sides:
        remote = side.remote
        opening = 0
        if plan.pushes(remote.link) and remote.connection not in opened:
            opening = remote.features.prices.opening
            opened.add(remote.connection)
        links.append(_cost(plan, side, opening))
    return Cost(tuple(links), secrets)


def _cost(plan: Plan, side: Side, opening: int) -> LinkCost:
    features = side.remote.features
    looks = side.observation.calls + side.remote.meter.calls
    reads, writes = 0, opening
    items = iter(by_item(plan.pushes(side.remote.link)).items())
    while group := list(islice(items, group_size(features))):
        planned = list(_writes(side, group))
        reads += _point_reads(features, len(_to_read_again(side, group)))
        deletes = sum(isinstance(write, Delete) for write in planned)
        reads += _point_reads(features, deletes)
        reads += _point_reads(features, len(planned) - deletes, deletes)  # the proof
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


def _point_reads(features: Features, there: int, gone: int = 0) -> int:
    """Reads of items that are there and of items that are gone, as many at once as the adapter takes."""
    price = features.prices.get
    requests = -(-(there + gone) // max(1, features.reads))
    return requests * price.of(0) + price.of(there, gone) - price.of(0)


def _seconds(features: Features, reads: int, writes: int) -> float | None:
    """Writes count against the rate of writes and, like all calls, against that of all."""
    times = []
    if features.rate:
        times.append((reads + writes) / features.rate)
    if features.write_rate:
        times.append(writes / features.write_rate)
    return max(times, default=None)
