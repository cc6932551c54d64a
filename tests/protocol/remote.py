"""The remote of the explored world: how writes land, what reads show, what history is kept."""

from __future__ import annotations

from typing import NamedTuple

from ecs_sync.adapter import Guard
from ecs_sync.policy import Mode
from ecs_sync.protocol import Dug, Sight

from .world import HAND, OURS, OUTSIDER, Base, Flight, Saw, Setting, Value, Violation, World, Write, safe


class Landing(NamedTuple):
    """What became of a request at the remote: the world after it, and what an answer would tell."""

    world: World
    applied: bool
    gap: bool = False


def land(setting: Setting, world: World, flight: Flight) -> Landing:
    """The request reaches the remote. Raises Violation where our hand does there what it must not."""
    write = flight.write
    checked = setting.conditional(write) and "no_cas" not in setting.wrong
    if checked and world.revision != write.expected:
        return Landing(world, applied=False)
    if write.deletes and world.held is None:
        return Landing(world, applied=setting.guard is Guard.B)
    world = _replaced(setting, world, flight)
    after = world._replace(revs=(*world.revs, (write.target, OURS)))
    if write.version >= world.common[0]:
        after = after._replace(common=(write.version, len(after.revs)))
    echoed = setting.guard is Guard.C and not write.deletes and len(world.revs) != write.expected
    return Landing(after, applied=True, gap=echoed and not write.creates)


def _replaced(setting: Setting, world: World, flight: Flight) -> World:
    """Holds what a write replaces against the promises; the world with what is excused.

    A delete may beat an edit only where the store held a value since the base: that value was the stronger.
    """
    write, current = flight.write, len(world.revs)
    if world.held is None:
        return world
    value, author = world.revs[-1]
    seen = world.revision == write.expected
    if setting.conditional(write) and not seen:
        raise Violation("a value was overwritten that the plan had not seen")
    if author != OUTSIDER:
        return world
    since = world.base.version if world.base else 0
    set_by_hand = any(v is not None and by == HAND for v, by in world.canon[since:])
    edited = current > world.common[1] and not set_by_hand
    if write.deletes and seen and edited and setting.mode is Mode.TWO_WAY:
        raise Violation("a delete beat an edit")
    if safe(world, value) or (setting.guard is Guard.C and not write.deletes):
        return world
    if seen or current <= flight.known:
        raise Violation(f"{value!r} of an outsider is lost: it stood there when we read, and is not archived")
    return world._replace(excused=world.excused | {current})


def nothing_lost(setting: Setting, world: World) -> None:
    """At the end: whatever of an outsider's our hand replaced can be had back, or was excused.

    Where an outsider may repeat a value, his can be taken for our late write, whose own gap is not dug then.
    """
    if setting.echoes:
        return
    for number, (value, author) in enumerate(world.revs[:-1], start=1):
        ours = world.revs[number][1] == OURS
        if author == OUTSIDER and ours and number not in world.excused and not safe(world, value):
            if number < _oldest_kept(world):
                continue
            raise Violation(f"{value!r} of an outsider is lost")


def _oldest_kept(world: World) -> int:
    """Deletes take the history along: the first revision that is still kept."""
    gone = [n for n, (value, _) in enumerate(world.revs, start=1) if value is None]
    return max(gone, default=0) + 1


def now(world: World) -> Saw:
    """What a point read shows."""
    return Saw(world.revision, world.held, len(world.revs))


def listings(setting: Setting, world: World) -> list[tuple[str, Saw]]:
    """What a listing may show besides the present: nothing, or where it is not current, the past."""
    if setting.current:
        return []
    lies = [
        (
            f"sees the past, revision {n}",
            Saw(n if world.revs[n - 1][0] is not None else 0, world.revs[n - 1][0], n),
        )
        for n in range(max(1, len(world.revs) - 2), len(world.revs))
    ]
    if world.held is not None:
        lies.append(("does not see the item", Saw(0, None, -1)))
    return lies


def sight(write: Write, saw: Saw) -> Sight:
    """What ``saw`` is against a write."""
    if saw.value == write.target:
        return Sight.TARGET
    return Sight.EXPECTED if saw.revision == write.expected else Sight.OTHER


class Digging(NamedTuple):
    """What history shows after the expected revision: values unseen, and where ours is (0: nowhere)."""

    dug: Dug
    unseen: tuple[Value, ...]
    ours: int


def dig(world: World, write: Write, base: Base | None, ours: int) -> Digging:
    """Reads the history after the expected revision, and after the held one if ``base`` is given.

    ``ours`` is the revision that is known to be our write's, or 0.
    """
    after = base.revision if base and base.revision else write.expected
    first = max(after + 1, _oldest_kept(world))
    kept = list(enumerate(world.revs, start=1))[first - 1 :]
    found = ours or max((n for n, (value, _) in kept if value == write.target), default=0)
    if not found or write.deletes:
        return Digging(Dug.NOTHING, (), ours)
    unseen = tuple(value for n, (value, _) in kept if n < found)
    if found < len(world.revs) and not ours:
        return Digging(Dug.LANDED, unseen, found)
    return Digging(Dug.GAP if unseen else Dug.NOTHING, unseen, found)
