"""A store and its places as plain tuples, and runs over them: all that decisions need of an engine.

Images are the values themselves. Worlds are cheap to hash, so that a search can tell which it has seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from ecs_sync.decide import decide
from ecs_sync.diff import Image, State
from ecs_sync.model import Fingerprint, Rank
from ecs_sync.policy import (
    WORDS,
    Action,
    Decision,
    JobPolicy,
    LinkPolicy,
    Mode,
    Settlement,
    Standing,
    Strength,
    View,
    Why,
)

Value = Fingerprint | None


def value(name: str) -> Fingerprint:
    """The fingerprint that stands for a value in these tests."""
    return Fingerprint(name.encode())


def link(name: str, mode: Mode, priority: int) -> LinkPolicy:
    """A link whose words are those of its mode."""
    return LinkPolicy(name, mode, WORDS[mode], priority)


def same_image(_: str, value: Value) -> Image:
    return value


class Wrong(Enum):
    """Ways to get it wrong that the enumeration must notice. ``NOTHING`` is the engine as designed."""

    NOTHING = "as designed"
    STORE_PRIORITY = "a moved value competes with the store's priority only"
    LAST_VERSION = "succeeded versions are dropped: a moved value competes with the newest only"
    UNCOALESCED = "equal values do not coalesce: the store takes the rank of the weakest that moved to it"
    UNRAISED = "a stronger link that moved to the store's value does not raise its rank"


class Version(NamedTuple):
    """One commit of the key. Its number is its place in the world's history, from 1."""

    value: Value
    rank: Rank


class Side(NamedTuple):
    """One link's place, its base, and the version that the place's value lost against (0: none)."""

    base: Value
    base_version: int
    place: Value
    lost_to: int = 0


Sides = tuple[Side, ...]
History = tuple[Version, ...]


class World(NamedTuple):
    history: History
    sides: Sides

    @property
    def value(self) -> Value:
        return self.history[-1].value if self.history else None

    def committed(self, version: Version) -> World:
        return World((*self.history, version), self.sides)

    def moved(self, index: int, value: Value) -> World:
        """Somebody changes the place of one link."""
        changed = self.sides[index]._replace(place=value)
        return World(self.history, (*self.sides[:index], changed, *self.sides[index + 1 :]))

    @property
    def end(self) -> tuple[Value, ...]:
        """What the store and the places hold, except what is foreign.

        A key that a place makes again after its delete is not ours: where the store does not have it
        either, it stays, and elsewhere it would have been deleted as part of what was ours.
        """
        foreign = (side.base is None and self.value is None for side in self.sides)
        return (self.value, *(None if f else s.place for f, s in zip(foreign, self.sides, strict=True)))


@dataclass(frozen=True, slots=True)
class Engine:
    """Runs over a world. ``hand`` is the rank of edits in the store itself; None: nobody edits there."""

    links: tuple[LinkPolicy, ...]
    job: JobPolicy
    hand: Rank | None
    wrong: Wrong = Wrong.NOTHING
    _known: dict[tuple[History, tuple[int, ...], Sides], tuple[History, Sides]] = field(default_factory=dict)

    def look(self, world: World, seen: tuple[int, ...]) -> World:
        """One run that sees the places of these links only. The others lag.

        A link that is not seen has no part in a decision, which another test shows of `decide`; so what
        a run does is a function of the sides it sees, and is looked up where it has been asked before.
        """
        asked = (world.history, seen, tuple(world.sides[index] for index in seen))
        if asked not in self._known:
            self._known[asked] = self._run(*asked)
        history, met = self._known[asked]
        sides = list(world.sides)
        for index, side in zip(seen, met, strict=True):
            sides[index] = side
        return World(history, tuple(sides))

    def rest(self, world: World) -> World:
        """Runs that see everything, until nothing changes any more."""
        for _ in range(4):
            before, world = world, self.look(world, tuple(range(len(self.links))))
            if before == world:
                return world
        raise AssertionError("runs that see everything do not come to rest")

    def view(self, index: int, side: Side, history: History) -> View:
        return View(
            policy=self.links[index],
            base=side.base,
            base_version=side.base_version,
            observed=side.place,
            adopted=side.place,
            later=self._later(history, side.base_version),
            lost=side.lost_to == len(history) > 0,
        )

    def _later(self, history: History, since: int) -> tuple[Strength, ...]:
        """As `View` documents: all versions after the base's, or after the key was last unset."""
        if since == 0:
            since = max((n for n, version in enumerate(history, 1) if version.value is None), default=0)
        versions = history[since:]
        match self.wrong:
            case Wrong.LAST_VERSION:
                versions = versions[-1:]
            case Wrong.STORE_PRIORITY:
                versions = tuple(v._replace(rank=self.hand or v.rank) for v in versions[-1:])
            case Wrong.NOTHING | Wrong.UNCOALESCED | Wrong.UNRAISED:
                pass
        return tuple(Strength(version.value is not None, version.rank) for version in versions)

    def _run(self, history: History, seen: tuple[int, ...], sides: Sides) -> tuple[History, Sides]:
        views = [self.view(index, side, history) for index, side in zip(seen, sides, strict=True)]
        standing = Standing(len(history), history[-1].value if history else None)
        settlement = decide(self.job, standing, views, same_image)
        history = self._committed(history, views, settlement)
        decided = zip(settlement.decisions, sides, strict=True)
        return history, tuple(settled(history, decision, side) for decision, side in decided)

    def _committed(self, history: History, views: Sequence[View], settlement: Settlement) -> History:
        by_name = {view.link: view for view in views}
        if settlement.adopt:
            adopted = by_name[settlement.adopt]
            rank = self._coalesced(adopted, views, settlement)
            return (*history, Version(adopted.adopted, rank))
        if settlement.raised and self.wrong is not Wrong.UNRAISED:
            return (*history, Version(history[-1].value, by_name[settlement.raised].policy.rank))
        return history

    def _coalesced(self, adopted: View, views: Iterable[View], settlement: Settlement) -> Rank:
        if self.wrong is not Wrong.UNCOALESCED:
            return adopted.policy.rank
        moved = {
            d.link for d in settlement.decisions if d.state in (State.DRIFTED, State.CONFLICT, State.FOREIGN)
        }
        return min(v.policy.rank for v in views if v.link in moved and v.adopted == adopted.adopted)


def settled(history: History, decision: Decision, side: Side) -> Side:
    """One link's side after its decision has been carried out."""
    version, now = len(history), history[-1].value if history else None
    match decision.action:
        case Action.PUSH:
            return Side(now, version, now)
        case Action.ADOPT | Action.REBASE:
            return Side(side.place, version, side.place)
        case Action.HOLD if decision.why is Why.LOST:
            return side._replace(lost_to=version)
        case Action.HOLD | Action.NOTHING:
            return side
