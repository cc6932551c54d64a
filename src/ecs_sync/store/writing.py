"""Intents and own writes: what is about to be written to items, and what may still land."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Dialect, Insert, delete, select

from ecs_sync.adapter import ItemId
from ecs_sync.store import engine
from ecs_sync.store.engine import CHUNK, PAGE, batches
from ecs_sync.store.records import Intent, Operation, OwnWrite
from ecs_sync.store.rows import octets, targets, targets_text, words
from ecs_sync.store.schema import intent, own_write


def intents(connection: Connection, id: int) -> list[Intent]:
    statement = select(intent).where(intent.c.track == id).order_by(intent.c.id)
    return [
        Intent(
            row.id,
            row.track,
            row.run,
            row.item.decode("utf-8"),
            Operation(row.operation),
            words(row.expected),
            row.expected_changed,
            targets(row.targets),
        )
        for row in connection.execute(statement)
    ]


@cache
def _open(dialect: Dialect) -> Insert:
    opened: Insert = engine.insert(dialect, intent).on_conflict_do_nothing(
        index_elements=[intent.c.track, intent.c.item]
    )
    return opened


def open_intents(connection: Connection, rows: Sequence[Intent]) -> set[ItemId]:
    """See `Transaction.open_intents`."""
    for batch in batches(rows, PAGE):
        opened = [
            (
                row.id,
                row.track,
                row.run,
                octets(row.item),
                row.operation.value,
                octets(row.expected),
                row.expected_changed,
                targets_text(row.targets),
            )
            for row in batch
        ]
        engine.many(connection, _open(connection.dialect), opened)
    there: set[str] = set()
    for chunk in batches((row.id for row in rows), CHUNK):
        there.update(connection.execute(select(intent.c.id).where(intent.c.id.in_(chunk))).scalars())
    return {row.item for row in rows if row.id not in there}


def close_intents(connection: Connection, ids: Iterable[str]) -> None:
    for chunk in batches(ids, CHUNK):
        connection.execute(delete(intent).where(intent.c.id.in_(chunk)))


def own_writes(connection: Connection, id: int) -> list[OwnWrite]:
    statement = select(own_write).where(own_write.c.track == id).order_by(own_write.c.id)
    return [
        OwnWrite(
            row.id,
            row.track,
            row.item.decode("utf-8"),
            Operation(row.operation),
            words(row.expected),
            targets(row.targets),
        )
        for row in connection.execute(statement)
    ]


@cache
def _keep(dialect: Dialect) -> Insert:
    kept: Insert = engine.insert(dialect, own_write).on_conflict_do_nothing(index_elements=[own_write.c.id])
    return kept


def keep_own_writes(connection: Connection, rows: Iterable[OwnWrite]) -> None:
    for batch in batches(rows, PAGE):
        kept: list[tuple[Any, ...]] = [
            (
                row.id,
                row.track,
                octets(row.item),
                row.operation.value,
                octets(row.expected),
                targets_text(row.targets),
            )
            for row in batch
        ]
        engine.many(connection, _keep(connection.dialect), kept)


def drop_own_writes(connection: Connection, ids: Iterable[str]) -> None:
    for chunk in batches(ids, CHUNK):
        connection.execute(delete(own_write).where(own_write.c.id.in_(chunk)))
