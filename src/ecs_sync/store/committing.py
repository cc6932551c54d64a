"""Committing entries as a new version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from sqlalchemy import Connection, insert

from ecs_sync.errors import StalePlan, StoreError
from ecs_sync.model import Fingerprinter, Scope
from ecs_sync.store import engine, schema
from ecs_sync.store.crypto import Seal
from ecs_sync.store.reading import head, newest_numbers, scope_number
from ecs_sync.store.records import EntryChange, Version
from ecs_sync.store.rows import entry_context, microseconds, pack

_SHOWN = 5


def moved(connection: Connection, of: Scope, versions: Mapping[str, int]) -> list[str]:
    """The keys whose newest version is not the given one (0: never existed), sorted."""
    number = scope_number(connection, of)
    newest = {} if number is None else newest_numbers(connection, number, versions)
    return sorted(key for key, expected in versions.items() if newest.get(key, 0) != expected)


def must_hold(connection: Connection, of: Scope, versions: Mapping[str, int]) -> None:
    """Raises StalePlan naming the first keys that moved."""
    keys = moved(connection, of, versions)
    if keys:
        shown = ", ".join(keys[:_SHOWN]) + (f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else "")
        raise StalePlan(f"{of.text}: {shown} moved in the store since the plan was made. Plan again")


def commit(
    connection: Connection,
    seal: Seal,
    fingerprinter: Fingerprinter,
    of: Scope,
    changes: Sequence[EntryChange],
    described: Version,
) -> None:
    """Writes the version and its entries. Raises StoreError for a secret that cannot be sealed."""
    ordered = sorted(changes, key=lambda change: change.key.text)
    for one, next_ in pairwise(ordered):
        if one.key == next_.key:
            raise StoreError(f"internal error: one commit sets {one.key.text} twice")
    number = scope_number(connection, of)
    if number is None:
        added = insert(schema.scope).values(text=of.text).returning(schema.scope.c.id)
        number = connection.execute(added).scalar_one()
    connection.execute(
        insert(schema.version).values(
            number=described.number,
            scope=described.scope,
            time=microseconds(described.time),
            who=described.who,
            origin=described.origin,
            reason=described.reason,
            run=described.run,
        )
    )
    name = of.text
    rows = (_row(number, name, change, described.number, seal, fingerprinter) for change in ordered)
    for batch in engine.batches(rows, engine.PAGE):
        engine.many(connection, _INSERT, batch)


def next_number(connection: Connection) -> int:
    """The number of the next version. The caller holds the lock under which it stays the next."""
    return head(connection) + 1


_INSERT = insert(schema.entry)


def _row(
    number: int, of: str, change: EntryChange, at: int, seal: Seal, fingerprinter: Fingerprinter
) -> tuple[Any, ...]:
    key, entry, rank = change.key.text, change.entry, change.rank
    if entry is None:
        return (number, key, at, None, False, None, rank.priority, rank.link, None, None, None)
    if entry.key != change.key:
        raise StoreError(f"internal error: the entry of {entry.key.text} was given as {key}")
    context = entry_context(seal, of, key, at) if entry.secret else b""
    type_, metadata, plain, sealed = pack(entry, seal, context)
    fingerprint = fingerprinter.of(entry)
    return (
        number,
        key,
        at,
        type_,
        entry.secret,
        fingerprint,
        rank.priority,
        rank.link,
        metadata,
        plain,
        sealed,
    )
