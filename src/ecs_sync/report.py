"""What a run did: each change with its outcome, the proof, and the exit code that says it shortest."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from ecs_sync.exits import Exit, first
from ecs_sync.model import Key
from ecs_sync.plan import Change, Plan, Stop
from ecs_sync.policy import STORE, Mode, Why
from ecs_sync.protocol import Result


@dataclass(frozen=True, slots=True)
class Carried:
    """One change and what became of it."""

    change: Change
    result: Result
    reason: str = ""

    @classmethod
    def of_adoption(cls, change: Change, missed: Collection[Key]) -> Carried:
        if change.key in missed:
            return cls(change, Result.OVERTAKEN, "the store moved since the plan")
        return cls(change, Result.APPLIED)


@dataclass(frozen=True, slots=True)
class Recovered:
    """An intent that an earlier run left open, and how it ended."""

    link: str
    item: str
    result: Result


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of a run."""

    run: str
    plan: Plan
    stops: tuple[Stop, ...] = ()
    carried: tuple[Carried, ...] = ()
    proved: tuple[Key, ...] = ()
    unproved: tuple[Key, ...] = ()
    recovered: tuple[Recovered, ...] = ()
    stale: tuple[Key, ...] = ()
    settling: tuple[tuple[str, str, str], ...] = ()
    """Link, item, and how far it is: written, and not in force everywhere yet."""
    unannounced: tuple[tuple[str, str], ...] = ()
    """Links whose readers could not be told, and why: the next run tells them."""

    @property
    def applied(self) -> tuple[Carried, ...]:
        return tuple(each for each in self.carried if each.result is Result.APPLIED)

    @property
    def written(self) -> set[str]:
        """The links that something was written to, by this run or by one that it finished."""
        carried = {each.change.side for each in self.applied} - {STORE}
        return carried | {each.link for each in self.recovered if each.result is Result.APPLIED}

    @property
    def left(self) -> tuple[Carried, ...]:
        """Changes that were not applied."""
        return tuple(each for each in self.carried if each.result is not Result.APPLIED)

    @property
    def not_in_force(self) -> frozenset[tuple[str, str]]:
        """Link and item of what is written and not in force, by this run or still by an earlier one."""
        written = {(each.change.side, each.change.item) for each in self.applied}
        seen = {
            (look.link, item)
            for look in self.plan.links
            if look.mode not in (Mode.IMPORT, Mode.AUDIT)
            for item, _ in look.settling
        }
        return frozenset((seen - written) | {(link, item) for link, item, _ in self.settling})

    @property
    def exit_code(self) -> Exit:
        codes = set()
        results = [each.result for each in self.carried] + [each.result for each in self.recovered]
        unknown = Result.UNKNOWN in results
        if self.plan.unseen or self.unproved or unknown:
            codes.add(Exit.ERROR)
        if self.stops:
            codes.add(Exit.STOPPED)
        if self.left or self.stale or self.plan.refusals or self.not_in_force or self.unannounced:
            codes.add(Exit.PARTLY)
        if self.plan.conflicts:
            codes.add(Exit.CONFLICTS)
        return first(codes)

    @property
    def counts(self) -> dict[str, object]:
        """Numbers for the record of the run; no keys, no values."""
        kinds = Counter(f"{each.change.kind}" for each in self.applied)
        return {
            "plan": self.plan.id,
            "changes": len(self.plan.changes),
            "applied": dict(kinds),
            "left": len(self.left),
            "held": len(self.plan.holds),
            "conflicts": len(self.plan.conflicts),
            "unseen": len(self.plan.unread),
            "recovered": len(self.recovered),
            "stale": len(self.stale),
            "stopped": len(self.stops),
            "proved": len(self.proved),
            "unproved": len(self.unproved),
            "settling": len(self.not_in_force),
            "unannounced": [link for link, _ in self.unannounced],
        }

    @property
    def receipt(self) -> dict[str, object] | None:
        """The proof that what was written is there, for the audit trail; None where nothing was written."""
        if not self.proved and not self.unproved:
            return None
        digest = hashlib.blake2b(digest_size=16)
        for each in self.applied:
            digest.update(f"{each.change.side}\0{each.change.key}\0{each.change.item}\0".encode())
            digest.update(each.change.target or b"-")
        return {
            "run": self.run,
            "converged": not (self.unproved or self.left or self.settling),
            "proved": len(self.proved),
            "unproved": sorted(key.text for key in self.unproved),
            "digest": digest.hexdigest(),
        }


def of_plan(plan: Plan, stops: Collection[Stop]) -> Exit:
    """What a plan that is only shown says to the caller. What a mode holds by design is no difference."""
    codes = set()
    if plan.unseen:
        codes.add(Exit.ERROR)
    if stops:
        codes.add(Exit.STOPPED)
    if plan.conflicts:
        codes.add(Exit.CONFLICTS)
    differs = any(hold.why in (Why.UNSAYABLE, Why.DELETES_OFF, Why.NEXT_RUN) for hold in plan.holds)
    if plan.changes or differs:
        codes.add(Exit.DIFFERENCES)
    return first(codes)
