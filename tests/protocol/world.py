"""The world of one item that holds one key: two sides, what the store records, and what only God knows.

Everything is an immutable tuple, so that a world is its own memo key. Versions of the store and
revisions of the remote count from 1; revision 0 is absence. Every value that is written by somebody is
unlike every other, unless a setting lets outsiders repeat one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from ecs_sync.adapter import Guard
from ecs_sync.policy import Mode
from ecs_sync.protocol import Absorbed

Value = bytes | None
"""A value is its own fingerprint; None is absence."""

HAND, LINK = "hand", "link"
"""Authors of the store's versions."""

OURS, OUTSIDER = "ours", "outsider"
"""Authors of the remote's revisions. What both sides began with counts as ours: it is known."""


class Violation(AssertionError):
    """A property does not hold. ``trace`` is the schedule that shows it, after ``schedules`` others."""

    trace: tuple[str, ...] = ()
    schedules: int = 0

    def __str__(self) -> str:
        return "\n  ".join([self.args[0], *self.trace])


class Budget(NamedTuple):
    """How much of everything a schedule may hold."""

    outside: int = 1
    hand: int = 1
    crashes: int = 1
    faults: int = 1
    takeovers: int = 0
    runs: int = 2


@dataclass(frozen=True)
class Setting:
    """What is explored: the provider's class, the link's mode, the start, and how much may happen.

    ``current`` says that listings are; ``ordered`` that revisions are; ``strong`` that the link outranks
    the hand; ``echoes`` that an outsider may write what the store holds, and the hand what the place holds.
    ``wrong`` names the mistakes built in.
    """

    guard: Guard
    budget: Budget
    history: bool = False
    mode: Mode = Mode.TWO_WAY
    start: str = "synced"
    current: bool = True
    ordered: bool = False
    strong: bool = False
    echoes: bool = False
    workers: int = 1
    wrong: frozenset[str] = frozenset()

    def conditional(self, write: Write) -> bool:
        """Does the remote refuse ``write`` where the item is not at the expected revision?"""
        match self.guard:
            case Guard.A:
                return True
            case Guard.B:
                return not write.deletes
            case Guard.C:
                return write.creates
            case Guard.D:
                return False


class Write(NamedTuple):
    """An intent, an own write or a request on its way: the same facts."""

    expected: int
    target: Value
    version: int

    @property
    def deletes(self) -> bool:
        return self.target is None

    @property
    def creates(self) -> bool:
        return self.expected == 0


class Flight(NamedTuple):
    """A request on its way. ``known`` is how far the remote was read before it was sent."""

    write: Write
    known: int


class Base(NamedTuple):
    """The store held ``value`` at ``version`` and the place held it then; ``revision`` is the held one."""

    value: bytes
    version: int
    revision: int


class Saw(NamedTuple):
    """An observation. ``truth`` is the ghost of it: the revision that it shows, -1 where it lies."""

    revision: int
    value: Value
    truth: int


class Snapshot(NamedTuple):
    """What a worker read from the store before it looked at the remote.

    ``settled`` is the base's version, or without a base the version at which the key was last unset;
    ``common`` the ghost of agreement by then.
    """

    canon: tuple[tuple[Value, str], ...]
    base: Base | None
    owns: tuple[Write, ...]
    settled: int
    lost: tuple[Value, int] | None
    common: tuple[int, int]

    @property
    def version(self) -> int:
        return len(self.canon)


class Worker(NamedTuple):
    """Where a process stands. ``machine`` is the number of a machine of the protocol."""

    stage: str = "idle"
    epoch: int = 0
    snapshot: Snapshot | None = None
    saw: Saw | None = None
    machine: int = -1
    write: Write | None = None
    known: int = 0
    dug: tuple[Value, ...] = ()
    landed: int = 0
    said: Absorbed | None = None
    recovering: bool = False
    compared: bool = False
    early: Saw | None = None


IDLE = Worker()


class World(NamedTuple):
    """All there is. From ``common`` on it is ghost: no worker can see it.

    ``canon`` are the store's versions (value, author), ``revs`` the remote's revisions (value, author).
    ``common`` is the newest (version, revision) at which both sides agreed, ``excused`` the revisions lost
    in a window that the class declares, ``floor`` the highest version that a base ever had.
    """

    canon: tuple[tuple[Value, str], ...]
    revs: tuple[tuple[Value, str], ...]
    left: Budget
    workers: tuple[Worker, ...] = (IDLE,)
    base: Base | None = None
    intent: Write | None = None
    owns: tuple[Write, ...] = ()
    archive: frozenset[bytes] = frozenset()
    lost: tuple[Value, int] | None = None
    epoch: int = 0
    flights: tuple[Flight, ...] = ()
    common: tuple[int, int] = (0, 0)
    excused: frozenset[int] = frozenset()
    floor: int = 0

    @property
    def held(self) -> Value:
        """What the remote holds now."""
        return self.revs[-1][0] if self.revs else None

    @property
    def revision(self) -> int:
        return len(self.revs) if self.held is not None else 0

    @property
    def desired(self) -> Value:
        """What the store holds now."""
        return self.canon[-1][0] if self.canon else None


def start(setting: Setting) -> World:
    """Where schedules begin."""
    both, ours, theirs = (b"v0", HAND), (b"h9", HAND), (b"x9", OUTSIDER)
    workers = (IDLE,) * setting.workers
    match setting.start:
        case "synced":
            return World(
                (both,),
                ((b"v0", OURS),),
                setting.budget,
                workers,
                base=Base(b"v0", 1, 1),
                common=(1, 1),
                floor=1,
            )
        case "empty":
            return World((), (), setting.budget, workers)
        case "store":
            return World((ours,), (), setting.budget, workers)
        case "place":
            return World((), (theirs,), setting.budget, workers)
        case "differ":
            return World((ours,), (theirs,), setting.budget, workers)
        case _:
            raise ValueError(setting.start)


def agreed(world: World) -> World:
    """``world``, with the ghost of agreement moved where both sides hold the same now."""
    if world.desired == world.held:
        return world._replace(common=(len(world.canon), len(world.revs)))
    return world


def outsider_writes(setting: Setting, world: World) -> list[tuple[str, World]]:
    """What an outsider may do at the remote now."""
    if not world.left.outside:
        return []
    left = world.left._replace(outside=world.left.outside - 1)
    values: list[Value] = [b"x%d" % left.outside]
    if world.held is not None:
        values.append(None)
    if setting.echoes and world.desired is not None and world.desired != world.held:
        values.append(world.desired)
    return [
        (
            f"outsider {'writes ' + v.decode() if v is not None else 'deletes'}",
            agreed(world._replace(left=left, revs=(*world.revs, (v, OUTSIDER)))),
        )
        for v in values
    ]


def hand_edits(setting: Setting, world: World) -> list[tuple[str, World]]:
    """What somebody may do by hand in the store now."""
    if not world.left.hand:
        return []
    left = world.left._replace(hand=world.left.hand - 1)
    values: list[Value] = [b"h%d" % left.hand]
    if world.desired is not None:
        values.append(None)
    if setting.echoes and world.held is not None:
        values.append(world.held)
    return [
        (
            f"hand {'sets ' + v.decode() if v is not None else 'unsets'}",
            agreed(world._replace(left=left, canon=(*world.canon, (v, HAND)))),
        )
        for v in values
    ]


def safe(world: World, value: Value) -> bool:
    """Can ``value`` be had back?"""
    return value is None or value in world.archive or any(value == v for v, _ in world.canon)
