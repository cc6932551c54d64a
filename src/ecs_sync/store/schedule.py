"""When jobs are due next, and runs that wait to be carried out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update

from ecs_sync.store import engine, recording, schema
from ecs_sync.store.ids import new_id
from ecs_sync.store.opening import lock_identity
from ecs_sync.store.records import Run, RunState
from ecs_sync.store.rows import microseconds, moment_or_none, now
from ecs_sync.store.store import Store


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

    def enqueue(self, job: str, verb: str, who: str, reason: str) -> str:
        """The id of a waiting run of the job: a new one, unless one waits already."""
        waiting = select(schema.run.c.id).where(
            schema.run.c.job == job, schema.run.c.state == RunState.WAITING.value, schema.run.c.verb == verb
        )
        with self.store.database.writing() as connection:
            lock_identity(connection)
            found: str | None = connection.execute(waiting.limit(1)).scalar_one_or_none()
            if found is not None:
                return found
            id = new_id()
            recording.add_run(connection, id, job, verb, who, reason, RunState.WAITING)
            return id

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
        statement = (
            update(schema.run)
            .where(schema.run.c.id == id, schema.run.c.state == RunState.WAITING.value)
            .values(state=RunState.RUNNING.value, epoch=epoch, started=now())
        )
        with self.store.database.writing() as connection:
            return connection.execute(statement).rowcount == 1
