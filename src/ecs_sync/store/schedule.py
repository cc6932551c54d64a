"""When jobs are due next, and runs that wait to be carried out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, select, update

from ecs_sync.store import engine, leases, recording, schema
from ecs_sync.store.ids import new_id
from ecs_sync.store.opening import lock_identity
from ecs_sync.store.records import Run, RunState
from ecs_sync.store.rows import microseconds, moment_or_none, now
from ecs_sync.store.store import Store

_AT_ONCE = 100
"""Due times that one transaction moves: others want to write too."""


class Turn(NamedTuple):
    """A job's due time as it was found, and what it becomes. ``slot`` is why a run is to wait, or None."""

    job: str
    found: datetime | None
    to: datetime | None
    slot: str | None = None


@dataclass(frozen=True, slots=True)
class Schedule:
    """The schedule that a store keeps. Many workers may use it at once."""

    store: Store

    def due(self, job: str) -> datetime | None:
        """When the job is due next; None where that was never set."""
        statement = select(schema.schedule.c.due).where(schema.schedule.c.job == job)
        with self.store.database.reading() as connection:
            return moment_or_none(connection.execute(statement).scalar_one_or_none())

    def set_due(self, job: str, when: datetime | None) -> None:
        with self.store.database.writing() as connection:
            due = None if when is None else microseconds(when)
            added = engine.insert(connection.dialect, schema.schedule).values(job=job, due=due)
            connection.execute(
                added.on_conflict_do_update(index_elements=["job"], set_={"due": added.excluded.due})
            )

    def dues(self) -> dict[str, datetime | None]:
        """When each job that was ever scheduled is due next."""
        with self.store.database.reading() as connection:
            rows = connection.execute(select(schema.schedule.c.job, schema.schedule.c.due))
            return {job: moment_or_none(due) for job, due in rows}

    def turn(self, turns: Sequence[Turn], verb: str, who: str) -> list[str]:
        """Moves due times that are still as found, each with the waiting run of the slot that ended.

        The jobs whose time was moved here; others were moved by somebody else, and nothing is done.
        """
        moved: list[str] = []
        for some in engine.batches(turns, _AT_ONCE):
            with self.store.database.writing() as connection:
                lock_identity(connection)
                for turn in some:
                    if _move(connection, turn):
                        moved.append(turn.job)
                        if turn.slot is not None:
                            _enqueue(connection, turn.job, verb, who, turn.slot)
        return moved

    def enqueue(self, job: str, verb: str, who: str, reason: str) -> str:
        """The id of a waiting run of the job: a new one, unless one waits already."""
        with self.store.database.writing() as connection:
            lock_identity(connection)
            return _enqueue(connection, job, verb, who, reason)

    def waiting(self) -> list[Run]:
        """The runs that wait, oldest first."""
        with self.store.database.reading() as connection:
            return recording.runs_in(connection, RunState.WAITING)

    def running(self) -> list[Run]:
        """The runs that somebody began and did not finish, oldest first."""
        with self.store.database.reading() as connection:
            return recording.runs_in(connection, RunState.RUNNING)

    def claim(self, id: str, epoch: int) -> bool:
        """Turns a waiting run into a running one; False where somebody else did, or it is done."""
        with self.store.database.writing() as connection:
            return recording.claim_run(connection, id, epoch)

    def lost(self) -> list[Run]:
        """The running runs that nobody carries out any more, oldest first.

        Their job's lease is free, or its holder ended or was not seen to renew it for its whole time.
        """
        with self.store.database.reading() as connection:
            return self._lost(connection)

    def replace_lost(self, jobs: Collection[str], verb: str, who: str) -> list[Run]:
        """The lost runs of these jobs; for each a run waits now, which recovers what it left open."""
        if not any(run.job in jobs for run in self.lost()):
            return []
        with self.store.database.writing() as connection:
            lock_identity(connection)
            lost = [run for run in self._lost(connection) if run.job in jobs]
            for run in lost:
                _enqueue(connection, run.job, verb, who, f"finishes the lost run {run.id}")
            return lost

    def _lost(self, connection: Connection) -> list[Run]:
        running = recording.runs_in(connection, RunState.RUNNING)
        jobs, left = {run.job for run in running}, set()
        for row in connection.execute(select(schema.lease)).all() if running else ():
            if row.job in jobs:
                unmoved = self.store.watch.unmoved(row.job, row.epoch, row.renewals)
                if row.holder is None or leases.is_gone(row.holder) or unmoved > row.ttl / 1000:
                    left.add(row.job)
        return [run for run in running if run.job in left]

    def close(self, id: str, exit_code: int, summary: str) -> bool:
        """Ends a run that failed, waiting or running; ``summary`` is JSON without values.

        False where it has ended, or where somebody carries it out: whose lease has the run's epoch.
        """
        live = select(schema.lease.c.job).where(
            schema.lease.c.job == schema.run.c.job,
            schema.lease.c.holder.is_not(None),
            schema.lease.c.epoch == schema.run.c.epoch,
        )
        statement = (
            update(schema.run)
            .where(
                schema.run.c.id == id,
                schema.run.c.state.in_((RunState.WAITING.value, RunState.RUNNING.value)),
                ~live.exists(),
            )
            .values(state=RunState.DONE.value, finished=now(), exit_code=exit_code, summary=summary)
        )
        with self.store.database.writing() as connection:
            return connection.execute(statement).rowcount == 1

    def last(self) -> dict[str, Run]:
        """The last run of each scheduled job that came to its end."""
        newest = (
            select(schema.run.c.id)
            .where(schema.run.c.job == schema.schedule.c.job, schema.run.c.state == RunState.DONE.value)
            .order_by(schema.run.c.id.desc())
            .limit(1)
            .scalar_subquery()
        )
        with self.store.database.reading() as connection:
            ids = connection.execute(select(newest).select_from(schema.schedule)).scalars()
            found = [recording.run_of(connection, id) for id in ids if id is not None]
        return {run.job: run for run in found if run is not None}


def _move(connection: Connection, turn: Turn) -> bool:
    job, found = turn.job, turn.found
    due = None if turn.to is None else microseconds(turn.to)
    as_found: ColumnElement[bool] = schema.schedule.c.due == (None if found is None else microseconds(found))
    if found is None:
        added = engine.insert(connection.dialect, schema.schedule).values(job=job, due=due)
        added = added.on_conflict_do_nothing(index_elements=["job"]).returning(schema.schedule.c.job)
        if connection.execute(added).one_or_none() is not None:
            return True
    moved = update(schema.schedule).where(schema.schedule.c.job == job, as_found).values(due=due)
    return connection.execute(moved).rowcount == 1


def _enqueue(connection: Connection, job: str, verb: str, who: str, reason: str) -> str:
    waiting = select(schema.run.c.id).where(
        schema.run.c.job == job, schema.run.c.state == RunState.WAITING.value, schema.run.c.verb == verb
    )
    found: str | None = connection.execute(waiting.limit(1)).scalar_one_or_none()
    if found is not None:
        return found
    id = new_id()
    recording.add_run(connection, id, job, verb, who, reason, RunState.WAITING)
    return id
