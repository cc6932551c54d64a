"""Sealing every secret anew with another key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, Table, bindparam, select, update

from ecs_sync.errors import StoreError
from ecs_sync.store import rows, schema
from ecs_sync.store.crypto import Cipher, Seal, sealed_by
from ecs_sync.store.engine import Database
from ecs_sync.store.opening import lock_identity, note_sealing_key
from ecs_sync.store.schema import archive, entry, scope

_BATCH = 500


def rotate(database: Database, seal: Seal, new: Cipher) -> int:
    """See `Store.rotate`."""
    old = Seal(seal.identity, seal.cipher)
    with database.writing() as connection:
        lock_identity(connection)
        note_sealing_key(connection, new.current)
    count = _entries(database, old, new) + _archive(database, old, new)
    with database.writing() as connection:
        lock_identity(connection)
        left = _others(connection, new.current)
        if left:
            raise StoreError(
                "secrets were sealed with the key before while it was being changed: "
                "stop what still uses that key, and rotate again"
            )
        connection.execute(update(schema.identity).values(sealed_with=new.current))
    return count


def _others(connection: Connection, current: str) -> bool:
    for table in (entry, archive):
        statement = select(table.c.sealed).where(table.c.sealed.is_not(None))
        result = connection.execute(statement.execution_options(yield_per=1000))
        if any(sealed_by(sealed) != current for (sealed,) in result):
            return True
    return False


def _again(sealed: bytes, context: bytes, old: Seal, new: Cipher) -> bytes | None:
    """The text sealed with the new key; None where it is already."""
    name = sealed_by(sealed)
    if name == new.current:
        return None
    opener = old.cipher if old.cipher is not None and name in old.cipher.ids else new
    return new.seal(opener.open(sealed, context), context)


def _entries(database: Database, old: Seal, new: Cipher) -> int:
    columns = (entry.c.scope, entry.c.key, entry.c.version, scope.c.text, entry.c.sealed)
    place = (entry.c.scope, entry.c.key, entry.c.version)
    statement = (
        select(*columns).join(scope, scope.c.id == entry.c.scope).where(entry.c.sealed.is_not(None))
    ).order_by(*place)

    def after(row: Any) -> Any:
        number, key, version = (-1, "", 0) if row is None else row[:3]
        same = (entry.c.scope == number) & (entry.c.key == key) & (entry.c.version > version)
        return (entry.c.scope > number) | (entry.c.scope == number) & (entry.c.key > key) | same

    def context(row: Any) -> bytes:
        return rows.entry_context(old, row.text, row.key, row.version)

    return _batches(database, entry, place, statement, after, context, old, new)


def _archive(database: Database, old: Seal, new: Cipher) -> int:
    columns = (archive.c.id, archive.c.scope, archive.c.key, archive.c.side, archive.c.fingerprint)
    place = (archive.c.id,)
    statement = select(*columns, archive.c.sealed).where(archive.c.sealed.is_not(None)).order_by(archive.c.id)

    def context(row: Any) -> bytes:
        return rows.archive_context(old, row.scope, row.key, row.side, row.fingerprint)

    def after(row: Any) -> Any:
        return archive.c.id > (0 if row is None else row.id)

    return _batches(database, archive, place, statement, after, context, old, new)


def _batches(
    database: Database,
    table: Table,
    place: tuple[Any, ...],
    statement: Any,
    after: Callable[[Any], Any],
    context: Callable[[Any], bytes],
    old: Seal,
    new: Cipher,
) -> int:
    """Seals in short transactions, each of which leaves a store that opens with both keys."""
    changed = update(table).values(sealed=bindparam("anew"))
    for column in place:
        changed = changed.where(column == bindparam(f"at_{column.name}"))
    last, count = None, 0
    while True:
        with database.writing() as connection:
            lock_identity(connection)
            found = connection.execute(statement.where(after(last)).limit(_BATCH)).all()
            fresh = []
            for row in found:
                anew = _again(row.sealed, context(row), old, new)
                if anew is not None:
                    at = {f"at_{column.name}": getattr(row, column.name) for column in place}
                    fresh.append(at | {"anew": anew})
            if fresh:
                connection.execute(changed, fresh)
        count += len(fresh)
        if len(found) < _BATCH:
            return count
        last = found[-1]
