"""What the parts of one worker share: the store, the log, and what is known of runs and jobs."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ecs_sync.store import Run, Schedule
from ecs_sync.workbench import Workbench
from ecs_sync.worker.logs import Log

VERB = "sync"
"""The verb of the runs that a worker makes and carries out."""


@dataclass(slots=True)
class Hands:
    """The runs that this process has in hand, and those it leaves alone for a while."""

    _taken: set[str] = field(default_factory=set)
    _later: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, run: str) -> bool:
        """False where the run is in hand already, or its time has not come."""
        with self._lock:
            if run in self._taken or self._later.get(run, 0.0) > time.monotonic():
                return False
            self._taken.add(run)
            return True

    def drop(self, run: str) -> None:
        with self._lock:
            self._taken.discard(run)

    def put_off(self, run: str, seconds: float) -> bool:
        """Leaves the run alone for so long. Was this the first time?"""
        with self._lock:
            first = run not in self._later
            self._later[run] = time.monotonic() + seconds
            return first

    def forget(self, but: Collection[str]) -> None:
        """Nothing is remembered of runs that do not wait any more."""
        with self._lock:
            self._later = {run: until for run, until in self._later.items() if run in but}


@dataclass(slots=True)
class Vitals:
    """When this process last gave a sign, on the monotonic clock, and what became of each job."""

    period: float
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    beat: float = field(default_factory=time.monotonic)
    tick: float = field(default_factory=time.monotonic)
    last: dict[str, Run] = field(default_factory=dict)
    stale: frozenset[str] = frozenset()

    def beaten(self) -> None:
        self.beat = time.monotonic()

    def ticked(self) -> None:
        self.tick = time.monotonic()

    def finished(self, job: str) -> datetime | None:
        """When the job's last run came to its end, as far as is known."""
        return self.last[job].finished if job in self.last else None


@dataclass(frozen=True, slots=True)
class Desk:
    """One worker. ``stopping`` is set once no new run may begin."""

    bench: Workbench
    schedule: Schedule
    who: str
    log: Log
    vitals: Vitals
    stopping: threading.Event = field(default_factory=threading.Event)
    hands: Hands = field(default_factory=Hands)

    @classmethod
    def of(cls, bench: Workbench, who: str, log: Log, period: float) -> Desk:
        return cls(bench, Schedule(bench.store), who, log, Vitals(period))
