"""What is not in step, which side moved, since when and by whom, and would it be safe to repair.

Made from a plan, which decided every key already, and from what the store remembers. Nothing is
written, and no decision is taken: an age is told by the clocks of others, and only told.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ecs_sync.diff import State
from ecs_sync.exits import Exit, first
from ecs_sync.model import Entry, Fingerprint, Key
from ecs_sync.plan import Change, Hold, Plan, Rebase, Stop
from ecs_sync.policy import STORE, Why
from ecs_sync.store import Seen, Store, Version

_ROTATION = "a rotation where the secret is kept"


class Moved(StrEnum):
    """Which side is not where both were."""

    STORE = "store"
    PLACE = "place"
    BOTH = "both"
    SAME = "same"
    """Both moved, to the same value: only the record of it is behind."""


class Repair(StrEnum):
    """What the next run would do."""

    PUSH = "push"
    ADOPT = "adopt"
    SETTLE = "settle"
    """Nothing but to note that both sides agree."""
    HOLD = "hold"


class Clock(StrEnum):
    """Whose time ``Drift.since`` is."""

    PROVIDER = "changed"
    SEEN = "first seen"
    """A run saw it then; it may be older."""


@dataclass(frozen=True, slots=True)
class Drift:
    """One key that is not in step on one link.

    ``store_since`` and ``by`` are of the store's newest version, where the store moved. ``safe`` says
    that a run would repair it, within the limits, and that nothing unguarded could be lost by it.
    ``by_design`` says that the link's mode leaves it so.
    """

    key: Key
    link: str
    state: State
    moved: Moved
    repair: Repair
    safe: bool
    why: str
    by_design: bool = False
    since: datetime | None = None
    since_is: Clock | None = None
    store_since: datetime | None = None
    by: str | None = None
    store: Entry | None = None
    place: Entry | None = None

    @property
    def oldest(self) -> datetime | None:
        """How long it has been so, at least."""
        return min((time for time in (self.since, self.store_since) if time is not None), default=None)


@dataclass(frozen=True, slots=True)
class DriftReport:
    """The drift of one job, by key and link."""

    plan: Plan
    drifts: tuple[Drift, ...]
    stops: tuple[Stop, ...] = ()

    @property
    def exit_code(self) -> Exit:
        """2 where something differs that no mode leaves so by design; 5 and 1 count before it."""
        codes = set()
        if self.plan.unseen:
            codes.add(Exit.ERROR)
        if self.plan.conflicts:
            codes.add(Exit.CONFLICTS)
        if any(not drift.by_design and drift.moved is not Moved.SAME for drift in self.drifts):
            codes.add(Exit.DIFFERENCES)
        return first(codes)


def drift(plan: Plan, store: Store, stops: Sequence[Stop] = ()) -> DriftReport:
    """The drift that a plan shows. ``stops`` are the limits that carrying it out would exceed."""
    telling = _Telling(plan, store, stops)
    found = [*telling.changes(), *telling.holds(), *telling.rebases()]
    return DriftReport(plan, tuple(sorted(found, key=lambda one: (one.key, one.link))), tuple(stops))


_MOVED = {
    State.PENDING: Moved.STORE,
    State.DRIFTED: Moved.PLACE,
    State.FOREIGN: Moved.PLACE,
    State.CONFLICT: Moved.BOTH,
    State.CONVERGED: Moved.SAME,
}
_BY_DESIGN = (Why.MODE, Why.FOREIGN, Why.LOST)


class _Telling:
    """Gathers what the store remembers of the keys of one plan."""

    def __init__(self, plan: Plan, store: Store, stops: Sequence[Stop]) -> None:
        self.plan, self.store, self.stops = plan, store, stops
        self.windows = {look.link: dict(look.windows) for look in plan.links}
        self.seen: dict[str, dict[str, Seen]] = {}
        for look in plan.links:
            track = store.track(plan.job, look.link, look.identity)
            self.seen[look.link] = {row.key: row for row in store.seen(track.id)} if track else {}
        self.adopted = {change.key: change for change in plan.adoptions}

    def changes(self) -> Iterator[Drift]:
        for change in self.plan.changes:
            adopts = change.side == STORE
            link = change.source if adopts else change.side
            # A link that only follows what another moved to is itself in step.
            if change.state not in _MOVED:
                continue
            store = change.before if adopts else self._standing(change)
            place = change.after if adopts else change.before
            observed = change.observed if adopts else change.expected
            yield self._drift(
                change.key,
                link,
                change.state,
                Repair.ADOPT if adopts else Repair.PUSH,
                self._risk(link, change),
                observed,
                change.changed,
                store,
                place,
            )

    def _standing(self, push: Change) -> Entry | None:
        """What the store holds now of a key that is pushed."""
        adopted = self.adopted.get(push.key)
        return adopted.before if adopted is not None else push.after

    def _risk(self, link: str, change: Change) -> str:
        """What stands against repairing this, in a sentence; empty where nothing does."""
        stop = next((stop for stop in self.stops if stop.side == change.side), None)
        if stop is not None:
            return f"stopped by a limit: {stop.reason}"
        return self.windows[link].get(change.kind, "") if change.side != STORE else ""

    def holds(self) -> Iterator[Drift]:
        for hold in self.plan.holds:
            if hold.state in _MOVED:
                yield self._hold(hold)

    def _hold(self, hold: Hold) -> Drift:
        why = f"{hold.why}: {hold.reason}" if hold.reason else str(hold.why)
        return self._drift(
            hold.key,
            hold.link,
            hold.state,
            Repair.HOLD,
            why,
            hold.observed,
            hold.changed,
            hold.store,
            hold.place,
            by_design=hold.why in _BY_DESIGN,
        )

    def rebases(self) -> Iterator[Drift]:
        for rebase in self.plan.rebases:
            yield self._rebase(rebase)

    def _rebase(self, rebase: Rebase) -> Drift:
        return self._drift(
            rebase.key,
            rebase.link,
            State.CONVERGED,
            Repair.SETTLE,
            "",
            rebase.fingerprint,
            rebase.changed,
            None,
            None,
        )

    def _drift(
        self,
        key: Key,
        link: str,
        state: State,
        repair: Repair,
        against: str,
        observed: Fingerprint | None,
        changed: str | None,
        store: Entry | None,
        place: Entry | None,
        by_design: bool = False,
    ) -> Drift:
        moved = _MOVED[state]
        since, clock = self._since(key, link, observed, changed) if moved is not Moved.STORE else (None, None)
        rotated = key in self.plan.rotated
        version = self._version(key) if moved in (Moved.STORE, Moved.BOTH) and not rotated else None
        return Drift(
            key,
            link,
            state,
            moved,
            repair,
            repair is not Repair.HOLD and not against,
            against,
            by_design,
            since,
            clock,
            version.time if version else None,
            _ROTATION if rotated else _author(version),
            store,
            place,
        )

    def _since(
        self, key: Key, link: str, observed: Fingerprint | None, changed: str | None
    ) -> tuple[datetime | None, Clock | None]:
        if changed is not None:
            return datetime.fromisoformat(changed), Clock.PROVIDER
        seen = self.seen[link].get(key.text)
        if seen is not None and seen.fingerprint == observed:
            return seen.since, Clock.SEEN
        return None, None

    def _version(self, key: Key) -> Version | None:
        newest = self.store.history(self.plan.scope, key, limit=1)
        return newest[0][0] if newest else None


def _author(version: Version | None) -> str | None:
    if version is None:
        return None
    return _ROTATION if version.origin == "rotation" else version.who
