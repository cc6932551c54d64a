"""The apply and recovery protocol of one item, as a pure step machine.

A machine stands in a phase; its phase says what must be done next, and what came of that is the event
which moves it on. Whoever interprets it does the work, many machines at a time: the engine with a
store and an adapter, the explorer in the tests with dicts. Between any two steps the process may die:
what was recorded last then decides where `recover` begins.

The rules, and why they are safe, are reasoned out per step:

* An intent is recorded before anything is sent, so that a write whose fate is unknown is never
  forgotten.
* A write that was answered settles or closes its intent. One that was not is decided by looking: the
  target is there, or the expected revision still stands, or history tells; else nobody knows, and the
  item is judged against the old base, at worst as a conflict.
* A write that was not seen to land is kept as an own write: it may land late, and is then nobody's
  edit.
* What an unguarded write replaced unseen is dug out of the history before the intent goes.
* Every delete is preceded by a point read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from ecs_sync.adapter import Guard, Revision, Verdict


class Phase(StrEnum):
    """Where a machine stands: what must be done next."""

    CONFIRM = "confirm"
    """Read the item: a delete goes on only where the expected revision stands. Event: a Sight."""
    RECORD = "record"
    """Record the intent, under the guards of the store. Event: a Guarded."""
    SEND = "send"
    """Send the write. Event: Answered."""
    LOOK = "look"
    """Read the item to learn the fate of an unanswered write. Event: a Sight."""
    DIG = "dig"
    """Read the item's history after the expected revision. Event: Dug."""
    SETTLE = "settle"
    """Record that the write landed: the base moves, what it replaced unseen is archived, the intent goes."""
    CLOSE = "close"
    """Record that the write did not land, or may land late; the intent goes."""
    DONE = "done"


class Sight(StrEnum):
    """What a point read shows, against an intent."""

    TARGET = "target"
    """The item holds what the write makes of it."""
    EXPECTED = "expected"
    """The item is still as it was expected."""
    OTHER = "other"
    UNREADABLE = "unreadable"


class Guarded(StrEnum):
    RECORDED = "recorded"
    OVERTAKEN = "overtaken"
    """The store moved since the plan, or another intent is open: nothing was recorded."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The provider's answer. ``gap``: it replaced a revision other than the expected one."""

    verdict: Verdict
    gap: bool = False
    revision: Revision | None = None
    reason: str = ""


class Dug(StrEnum):
    """What the history after the expected revision shows."""

    LANDED = "landed"
    """The write is in it, and was replaced since."""
    GAP = "gap"
    """What came between, before our own write, which is the newest."""
    NOTHING = "nothing"
    UNREADABLE = "unreadable"


Noted = None
"""The event of SETTLE and CLOSE: the transaction is committed."""

Event = Sight | Guarded | Answered | Dug | None


class Result(StrEnum):
    """What became of an item in a run."""

    APPLIED = "applied"
    REFUSED = "refused"
    RACED = "raced"
    """It moved since it was observed; the next run sees."""
    OVERTAKEN = "overtaken"
    """The store moved since the plan; the next run sees."""
    LATE = "late"
    """Not landed when looked at; it may land late, and is known as ours then."""
    UNDECIDED = "undecided"
    """Something else is there, and whether ours came before it cannot be known."""
    UNKNOWN = "unknown"
    """Could not be looked at: the intent stays open, and the next run begins with it."""
    UNREADABLE = "unreadable"
    """A delete could not be confirmed, so nothing was sent."""
    UNTRIED = "untried"
    """The process was asked to stop before the item's turn came; the next run does it."""


@dataclass(frozen=True, slots=True)
class Machine:
    """One item's way through a write. ``attempts`` counts the times that it was sent.

    ``landed`` is True where the write is known to have landed; ``current`` False where it was
    replaced since. ``keep`` says that a write not seen to land is kept as an own write.
    """

    phase: Phase
    creates: bool
    deletes: bool
    guard: Guard
    history: bool
    recovering: bool = False
    attempts: int = 0
    landed: bool = False
    current: bool = True
    gap: bool = False
    keep: bool = False
    revision: Revision | None = None
    result: Result | None = None
    reason: str = ""


_MOST_ATTEMPTS = 5


def begin(*, creates: bool, deletes: bool, guard: Guard, history: bool) -> Machine:
    """A machine for a write that was planned. ``creates`` says that it expects absence."""
    return Machine(Phase.CONFIRM if deletes else Phase.RECORD, creates, deletes, guard, history)


def recover(*, creates: bool, deletes: bool, guard: Guard, history: bool) -> Machine:
    """A machine for an intent that was found open."""
    return Machine(Phase.LOOK, creates, deletes, guard, history, recovering=True, attempts=1)


def step(machine: Machine, event: Event) -> Machine:
    """Where the machine stands after ``event``. Raises ValueError for an event that its phase has not."""
    match machine.phase, event:
        case Phase.CONFIRM, Sight():
            return _confirmed(machine, event)
        case Phase.RECORD, Guarded.RECORDED:
            return replace(machine, phase=Phase.SEND)
        case Phase.RECORD, Guarded.OVERTAKEN:
            return _done(machine, Result.OVERTAKEN)
        case Phase.SEND, Answered():
            return _answered(replace(machine, attempts=machine.attempts + 1), event)
        case Phase.LOOK, Sight():
            return _looked(machine, event)
        case Phase.DIG, Dug():
            return _dug(machine, event)
        case Phase.SETTLE, None:
            return _done(machine, Result.APPLIED)
        case Phase.CLOSE, None:
            return replace(machine, phase=Phase.DONE)
        case _:
            raise ValueError(f"{event!r} is no event of phase {machine.phase}")


def _done(machine: Machine, result: Result) -> Machine:
    return replace(machine, phase=Phase.DONE, result=result)


def _close(machine: Machine, result: Result, *, keep: bool) -> Machine:
    return replace(machine, phase=Phase.CLOSE, result=result, keep=keep)


def _confirmed(machine: Machine, sight: Sight) -> Machine:
    match sight:
        case Sight.EXPECTED:
            return replace(machine, phase=Phase.RECORD)
        case Sight.TARGET | Sight.OTHER:
            return _done(machine, Result.RACED)
        case Sight.UNREADABLE:
            return _done(machine, Result.UNREADABLE)


def _answered(machine: Machine, answer: Answered) -> Machine:
    told = replace(machine, reason=answer.reason, revision=answer.revision)
    match answer.verdict:
        case Verdict.APPLIED if answer.gap and machine.history:
            return replace(told, phase=Phase.DIG, landed=True, gap=True)
        case Verdict.APPLIED:
            return replace(told, phase=Phase.SETTLE, landed=True, gap=answer.gap)
        case Verdict.REFUSED:
            return _close(told, Result.REFUSED, keep=False)
        case Verdict.RACED:
            return _close(told, Result.RACED, keep=False)
        case Verdict.UNKNOWN:
            return replace(told, phase=Phase.LOOK)
        case Verdict.UNTRIED:
            if machine.attempts < _MOST_ATTEMPTS:
                return replace(told, phase=Phase.SEND)
            return _close(told, Result.REFUSED, keep=False)


def _looked(machine: Machine, sight: Sight) -> Machine:
    match sight:
        case Sight.TARGET if machine.history and not _guarded(machine):
            return replace(machine, phase=Phase.DIG, landed=True)
        case Sight.TARGET:
            return replace(machine, phase=Phase.SETTLE, landed=True)
        case Sight.EXPECTED:
            return _close(machine, Result.LATE, keep=True)
        case Sight.OTHER if machine.history:
            return replace(machine, phase=Phase.DIG)
        case Sight.OTHER:
            return _close(machine, Result.UNDECIDED, keep=_may_land_late(machine))
        case Sight.UNREADABLE:
            return _done(machine, Result.UNKNOWN)


def _dug(machine: Machine, dug: Dug) -> Machine:
    match dug:
        case Dug.LANDED:
            return replace(machine, phase=Phase.SETTLE, landed=True, current=False, gap=True)
        case Dug.GAP | Dug.NOTHING if machine.landed:
            return replace(machine, phase=Phase.SETTLE, gap=dug is Dug.GAP)
        case Dug.GAP | Dug.NOTHING:
            return _close(machine, Result.UNDECIDED, keep=_may_land_late(machine))
        case Dug.UNREADABLE:
            return _done(machine, Result.UNKNOWN)


def _may_land_late(machine: Machine) -> bool:
    """Can a write that was not seen to land do so when the item has moved on?

    A revision that has gone does not come again, but absence does: even a guarded create can land late.
    """
    return machine.creates or not _guarded(machine)


def _guarded(machine: Machine) -> bool:
    """Does the provider refuse the write where the item is not as expected?"""
    match machine.guard:
        case Guard.A:
            return True
        case Guard.B:
            return not machine.deletes
        case Guard.C | Guard.D:
            return False


class Absorbed(StrEnum):
    """What an observation says of an own write."""

    OPEN = "open"
    """It may still land."""
    LANDED = "landed"
    """It landed, and is the base now."""
    STALE = "stale"
    """It is there, and older than the base: nobody edited the place, and a push repairs it."""
    GONE = "gone"
    """It can never land any more."""


def absorb(
    *,
    creates: bool,
    deletes: bool,
    guard: Guard,
    sight: Sight,
    dug: Dug | None,
    version: int,
    base_version: int,
) -> Absorbed:
    """What an observation that moved since the base says of an own write of store version ``version``.

    ``sight`` is the observation against the own write; ``dug`` what the history after the held (else the
    expected) revision shows, None where there is none. ``base_version`` is the base's, or without a base
    the version at which the key was last unset.
    """
    match sight:
        case Sight.TARGET:
            return Absorbed.LANDED if version >= base_version else Absorbed.STALE
        case Sight.OTHER if dug is Dug.LANDED:
            return Absorbed.LANDED if version >= base_version else Absorbed.GONE
        case Sight.EXPECTED | Sight.UNREADABLE:
            return Absorbed.OPEN
        case Sight.OTHER if dug is Dug.UNREADABLE:
            return Absorbed.OPEN
        case Sight.OTHER:
            late = _may_land_late(Machine(Phase.DONE, creates, deletes, guard, history=False))
            return Absorbed.OPEN if late else Absorbed.GONE
