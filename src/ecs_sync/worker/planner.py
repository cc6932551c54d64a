"""The tick: turns due jobs into runs that wait in the store, and hands those that wait to the carrier."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo

from ecs_sync.config import JobConfig
from ecs_sync.store import Turn
from ecs_sync.worker.desk import VERB, Desk
from ecs_sync.worker.logs import reason_of
from ecs_sync.worker.timetable import (
    Every,
    Move,
    Nothing,
    Rhythm,
    Run,
    decide,
    offset_of,
    rhythm_of,
    stale_from,
)

_READ_AGAIN = timedelta(seconds=10)
"""How old what is known of the ends of runs may be; before a job is called stale it is read anew."""


@dataclass
class Planner:
    """One worker's look at all jobs. Several workers may plan on one store at once."""

    desk: Desk
    submit: Callable[[str], None]
    rhythms: Mapping[str, Rhythm]
    _settled: dict[str, datetime | None] = field(default_factory=dict)
    """The stored times that were found to be right."""
    _trouble: str = ""
    _read: datetime = field(default=datetime.min.replace(tzinfo=UTC))

    @classmethod
    def of(cls, desk: Desk, submit: Callable[[str], None], zone: tzinfo) -> Planner:
        found = {job.name: rhythm_of(job, zone) for job in served(desk).values()}
        return cls(desk, submit, {job: rhythm for job, rhythm in found.items() if rhythm is not None})

    def tick(self) -> None:
        """Plans, sends and watches. Raises nothing: trouble is logged once, and the next tick tries again."""
        self.guarded(self._all)

    def guarded(self, act: Callable[[], object]) -> None:
        try:
            act()
        except Exception as error:  # noqa: BLE001 - the timer goes on whatever happens
            trouble = reason_of(error)
            if trouble != self._trouble:
                self.desk.log.error("tick_failed", reason=trouble)
            self._trouble = trouble
        else:
            if self._trouble:
                self.desk.log.info("tick_recovered")
            self._trouble = ""
            self.desk.vitals.ticked()

    def _all(self) -> None:
        now = datetime.now(UTC)
        self.slots(now)
        self.send()
        self.watch(now)

    def slots(self, now: datetime) -> None:
        """For every slot that has come a run waits in the store, and the next slot is set."""
        dues, turns = self.desk.schedule.dues(), []
        for job, rhythm in self.rhythms.items():
            due = dues.get(job)
            if due is not None and due > now and self._settled.get(job) == due:
                continue
            match decide(rhythm, due, now, offset_of(job, due, self._spread(rhythm))):
                case Nothing():
                    self._settled[job] = due
                case Move(to):
                    turns.append(Turn(job, due, to))
                case Run(slot, then):
                    turns.append(Turn(job, due, then, f"due {slot.isoformat(timespec='seconds')}"))
        self.desk.schedule.turn(turns, VERB, self.desk.who)

    def _spread(self, rhythm: Rhythm) -> timedelta:
        jitter = timedelta(seconds=self.desk.bench.config.worker.jitter)
        return min(jitter, rhythm.interval) if isinstance(rhythm, Every) else jitter

    def waiting(self) -> list[str]:
        """The runs that wait for a worker; for those that were lost, others wait from now on."""
        desk, jobs = self.desk, served(self.desk)
        for lost in desk.schedule.replace_lost(self.rhythms.keys(), VERB, desk.who):
            desk.log.warning("run_lost", job=lost.job, run=lost.id)
        return [run.id for run in desk.schedule.waiting() if run.verb == VERB and run.job in jobs]

    def send(self) -> None:
        """Hands every waiting run to the carrier."""
        desk = self.desk
        waiting = self.waiting()
        desk.hands.forget(waiting)
        for id in waiting:
            if not desk.stopping.is_set() and desk.hands.take(id):
                self.submit(id)

    def watch(self, now: datetime) -> None:
        """Tells of jobs that have not come to an end for too long."""
        vitals = self.desk.vitals
        if self._stale(now) - vitals.stale or abs(now - self._read) > _READ_AGAIN:
            vitals.last, self._read = self.desk.schedule.last(), now
        stale = self._stale(now)
        for job in sorted(stale - vitals.stale):
            last = vitals.finished(job)
            finished = None if last is None else last.isoformat(timespec="seconds")
            self.desk.log.warning("job_stale", job=job, finished=finished)
        vitals.stale = stale

    def _stale(self, now: datetime) -> frozenset[str]:
        return frozenset(job for job, rhythm in self.rhythms.items() if self._is_stale(job, rhythm, now))

    def _is_stale(self, job: str, rhythm: Rhythm, now: datetime) -> bool:
        vitals = self.desk.vitals
        # What was missed while no worker ran is being made up for.
        since = max(vitals.finished(job) or vitals.began, vitals.began)
        late = stale_from(rhythm, since)
        return late is not None and late <= now


def served(desk: Desk) -> Mapping[str, JobConfig]:
    """The jobs that the worker takes care of."""
    return {name: job for name, job in desk.bench.config.jobs.items() if not job.paused}
