"""The archive, conflicts, runs and what they did."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, insert, select, update

from ecs_sync.adapter import ItemId, Revision
from ecs_sync.errors import StoreError
from ecs_sync.model import Entry, Fingerprint, Key, Scope
from ecs_sync.store import engine, rows
from ecs_sync.store.crypto import Seal
from ecs_sync.store.records import Archived, Candidate, Conflict, Done, Run, RunState
from ecs_sync.store.rows import moment, moment_or_none, now, octets, words
from ecs_sync.store.schema import archive, conflict, done, run


def keep(
    connection: Connection,
    seal: Seal,
    of: Scope,
    key: Key,
    side: str,
    entry: Entry | None,
    fingerprint: Fingerprint,
    *,
    secret: bool,
    item: ItemId | None,
    revision: Revision | None,
    reason: str,
    run: str | None,
) -> int:
    """See `Transaction.archive`."""
    secret = secret or (entry is not None and entry.secret)
    if entry is not None and secret and not entry.secret:
        entry = replace(entry, secret=True)
    if entry is not None and entry.holds_plaintext and seal.cipher is None:
        entry = None
    context = rows.archive_context(seal, of.text, key.text, side, fingerprint)
    packed = (None, None, None, None) if entry is None else rows.pack(entry, seal, context)
    added = insert(archive).values(
        scope=of.text,
        key=key.text,
        side=side,
        item=octets(item),
        revision=octets(revision),
        type=packed[0],
        secret=secret,
        fingerprint=fingerprint,
        metadata=packed[1],
        text=packed[2],
        sealed=packed[3],
        reason=reason,
        run=run,
        time=now(),
    )
    number: int = connection.execute(added.returning(archive.c.id)).scalar_one()
    return number


def _archived(row: Any, seal: Seal) -> Archived:
    entry = None
    if row.type is not None:
        context = rows.archive_context(seal, row.scope, row.key, row.side, row.fingerprint)
        packed = (row.type, row.metadata, row.text, row.sealed)
        entry = rows.unpack(row.key, row.secret, packed, seal, context)
    return Archived(
        id=row.id,
        scope=row.scope,
        key=Key(row.key),
        side=row.side,
        item=words(row.item),
        revision=words(row.revision),
        entry=entry,
        fingerprint=Fingerprint(row.fingerprint),
        secret=row.secret,
        reason=row.reason,
        run=row.run,
        time=moment(row.time),
    )


def archive_of(connection: Connection, seal: Seal, of: Scope, key: Key | None, limit: int) -> list[Archived]:
    statement = select(archive).where(archive.c.scope == of.text).order_by(archive.c.id.desc()).limit(limit)
    if key is not None:
        statement = statement.where(archive.c.key == key.text)
    return [_archived(row, seal) for row in connection.execute(statement)]


def archived(connection: Connection, seal: Seal, id: int) -> Archived | None:
    row = connection.execute(select(archive).where(archive.c.id == id)).one_or_none()
    return None if row is None else _archived(row, seal)


def record_conflict(
    connection: Connection,
    of: Scope,
    key: Key,
    job: str,
    candidates: Sequence[Candidate],
    winner: str | None,
    rule: str,
    run: str | None,
) -> int:
    """See `Transaction.record_conflict`."""
    digest = _digest(candidates)
    same = (
        conflict.c.job == job,
        conflict.c.scope == of.text,
        conflict.c.key == key.text,
        conflict.c.digest == digest,
    )
    found = connection.execute(select(conflict).where(*same)).one_or_none()
    if found is None:
        added = insert(conflict).values(
            scope=of.text,
            key=key.text,
            job=job,
            digest=digest,
            candidates=rows.candidates_text(candidates),
            winner=winner,
            rule=rule,
            run=run,
            time=now(),
            resolved=winner is not None,
        )
        number: int = connection.execute(added.returning(conflict.c.id)).scalar_one()
        return number
    before = {candidate.side: candidate for candidate in rows.candidates(found.candidates)}
    merged = [
        candidate if candidate.archived is not None else before.get(candidate.side, candidate)
        for candidate in candidates
    ]
    connection.execute(
        update(conflict)
        .where(conflict.c.id == found.id)
        .values(
            winner=winner,
            rule=rule,
            resolved=winner is not None,
            candidates=rows.candidates_text(merged),
        )
    )
    known: int = found.id
    return known


def _digest(candidates: Sequence[Candidate]) -> bytes:
    """Names a set of sides with what each of them says."""
    said = sorted((c.side, "" if c.fingerprint is None else c.fingerprint.hex()) for c in candidates)
    return hashlib.blake2b(repr(said).encode("utf-8"), digest_size=16).digest()


def resolve_conflict(connection: Connection, id: int) -> None:
    changed = connection.execute(update(conflict).where(conflict.c.id == id).values(resolved=True))
    if not changed.rowcount:
        raise StoreError(f"there is no conflict {id}: 'ecs-sync conflicts' lists them")


def _conflict(row: Any) -> Conflict:
    return Conflict(
        id=row.id,
        scope=row.scope,
        key=Key(row.key),
        job=row.job,
        candidates=rows.candidates(row.candidates),
        winner=row.winner,
        rule=row.rule,
        run=row.run,
        time=moment(row.time),
        resolved=row.resolved,
    )


def all_conflicts(connection: Connection, job: str | None) -> list[Conflict]:
    statement = select(conflict).order_by(conflict.c.id)
    if job is not None:
        statement = statement.where(conflict.c.job == job)
    return [_conflict(row) for row in connection.execute(statement)]


def open_conflicts(connection: Connection, job: str | None) -> list[Conflict]:
    statement = select(conflict).where(~conflict.c.resolved).order_by(conflict.c.id)
    if job is not None:
        statement = statement.where(conflict.c.job == job)
    return [_conflict(row) for row in connection.execute(statement)]


def conflict_of(connection: Connection, id: int) -> Conflict | None:
    row = connection.execute(select(conflict).where(conflict.c.id == id)).one_or_none()
    return None if row is None else _conflict(row)


def add_run(
    connection: Connection, id: str, job: str, verb: str, who: str, reason: str, state: RunState
) -> None:
    connection.execute(
        insert(run).values(
            id=id,
            job=job,
            state=state.value,
            verb=verb,
            who=who,
            reason=reason,
            epoch=0,
            created=now(),
            summary="{}",
        )
    )


def start_run(
    connection: Connection, id: str, job: str, verb: str, who: str, reason: str, epoch: int
) -> None:
    """See `Transaction.start_run`."""
    if connection.execute(select(run.c.id).where(run.c.id == id)).one_or_none() is None:
        add_run(connection, id, job, verb, who, reason, RunState.WAITING)
    connection.execute(
        update(run)
        .where(run.c.id == id)
        .values(state=RunState.RUNNING.value, epoch=epoch, started=now(), finished=None, exit_code=None)
    )


def claim_run(connection: Connection, id: str, epoch: int) -> bool:
    """See `Transaction.claim_run`."""
    claimed = connection.execute(
        update(run)
        .where(run.c.id == id, run.c.state == RunState.WAITING.value)
        .values(state=RunState.RUNNING.value, epoch=epoch, started=now())
    )
    return claimed.rowcount == 1


def finish_run(connection: Connection, id: str, exit_code: int, summary: str) -> None:
    connection.execute(
        update(run)
        .where(run.c.id == id)
        .values(state=RunState.DONE.value, finished=now(), exit_code=exit_code, summary=summary)
    )


def mark_lost(connection: Connection, id: str) -> None:
    connection.execute(
        update(run)
        .where(run.c.id == id, run.c.state == RunState.RUNNING.value)
        .values(state=RunState.LOST.value, finished=now())
    )


def _run(row: Any) -> Run:
    return Run(
        id=row.id,
        job=row.job,
        state=RunState(row.state),
        verb=row.verb,
        who=row.who,
        reason=row.reason,
        epoch=row.epoch,
        created=moment(row.created),
        started=moment_or_none(row.started),
        finished=moment_or_none(row.finished),
        exit_code=row.exit_code,
        summary=row.summary,
    )


def runs(connection: Connection, job: str | None, limit: int) -> list[Run]:
    statement = select(run).order_by(run.c.id.desc()).limit(limit)
    if job is not None:
        statement = statement.where(run.c.job == job)
    return [_run(row) for row in connection.execute(statement)]


def runs_in(connection: Connection, state: RunState) -> list[Run]:
    statement = select(run).where(run.c.state == state.value).order_by(run.c.id)
    return [_run(row) for row in connection.execute(statement)]


def run_of(connection: Connection, id: str) -> Run | None:
    row = connection.execute(select(run).where(run.c.id == id)).one_or_none()
    return None if row is None else _run(row)


def record_done(connection: Connection, records: Sequence[Done]) -> None:
    added = insert(done)
    for batch in engine.batches(records, engine.PAGE):
        connection.execute(
            added,
            [
                {
                    "run": one.run,
                    "side": one.side,
                    "key": one.key.text,
                    "item": octets(one.item),
                    "before": one.before,
                    "fingerprint": one.fingerprint,
                    "revision": octets(one.revision),
                    "version": one.version,
                    "outcome": one.outcome,
                }
                for one in batch
            ],
        )


def done_of(connection: Connection, id: str) -> list[Done]:
    statement = select(done).where(done.c.run == id).order_by(done.c.id)
    return [
        Done(
            run=row.run,
            side=row.side,
            key=Key(row.key),
            item=words(row.item),
            before=row.before,
            fingerprint=None if row.fingerprint is None else Fingerprint(row.fingerprint),
            revision=words(row.revision),
            version=row.version,
            outcome=row.outcome,
        )
        for row in connection.execute(statement)
    ]
