"""Reading entries and versions, as of a version."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, Select, func, select, text
from sqlalchemy.sql.elements import ColumnElement

from ecs_sync.model import Key, Scope
from ecs_sync.store.crypto import Seal
from ecs_sync.store.engine import CHUNK, PAGE, Database, batches, paged, rows_of
from ecs_sync.store.records import Desired, Stored, Version
from ecs_sync.store.rows import moment, stored
from ecs_sync.store.schema import entry, scope, version

_REST = (
    entry.c.type,
    entry.c.secret,
    entry.c.fingerprint,
    entry.c.priority,
    entry.c.link,
    entry.c.metadata,
    entry.c.text,
    entry.c.sealed,
)


def head(connection: Connection) -> int:
    newest: int | None = connection.execute(select(func.max(version.c.number))).scalar_one()
    return newest or 0


def scope_number(connection: Connection, of: Scope) -> int | None:
    return connection.execute(select(scope.c.id).where(scope.c.text == of.text)).scalar_one_or_none()


def scopes(connection: Connection) -> list[Scope]:
    return sorted(
        (Scope.parse(text) for text in connection.execute(select(scope.c.text)).scalars()),
        key=lambda found: found.text,
    )


def _newest(connection: Connection, number: int, at: int | None, *columns: ColumnElement[Any]) -> Select[Any]:
    """Key, version and ``columns`` of each key's newest version up to ``at``, in key order."""
    bounds = [entry.c.scope == number]
    if at is not None:
        bounds.append(entry.c.version <= at)
    if connection.dialect.name == "sqlite":
        # SQLite takes the other columns from the row that holds the maximum.
        newest = func.max(entry.c.version)
        return (
            select(entry.c.key, newest, *columns).where(*bounds).group_by(entry.c.key).order_by(entry.c.key)
        )
    return (
        select(entry.c.key, entry.c.version, *columns)
        .where(*bounds)
        .prefix_with(text("DISTINCT ON (entry.key)"))
        .order_by(entry.c.key, entry.c.version.desc())
    )


def desired(database: Database, of: Scope, at: int) -> Iterator[Desired]:
    """See `Store.desired`."""

    def page(connection: Connection, after: str) -> list[Desired]:
        number = scope_number(connection, of)
        if number is None:
            return []
        flags = ((entry.c.fingerprint.is_not(None)).label("present"), entry.c.secret)
        statement = _newest(connection, number, at, *flags).where(entry.c.key > after).limit(PAGE)
        return [
            Desired(key, newest, present == 1, secret == 1)
            for key, newest, present, secret in rows_of(connection, statement)
        ]

    return paged(database, page, lambda row: row.key)


def entries(database: Database, of: Scope, at: int, seal: Seal) -> Iterator[Stored]:
    """See `Store.entries`."""

    def page(connection: Connection, after: str) -> list[Stored]:
        number = scope_number(connection, of)
        if number is None:
            return []
        statement = _newest(connection, number, at, *_REST).where(entry.c.key > after).limit(PAGE)
        name = of.text
        return [stored(name, row, seal) for row in rows_of(connection, statement)]

    return paged(database, page, lambda row: row.key.text)


def newest(
    connection: Connection, of: Scope, keys: Iterable[str], at: int | None, seal: Seal
) -> dict[str, Stored]:
    """See `Store.stored`."""
    number = scope_number(connection, of)
    if number is None:
        return {}
    found: dict[str, Stored] = {}
    name = of.text
    for chunk in batches(sorted(set(keys)), CHUNK):
        statement = _newest(connection, number, at, *_REST).where(entry.c.key.in_(chunk))
        found.update((row[0], stored(name, row, seal)) for row in rows_of(connection, statement))
    return found


def newest_numbers(connection: Connection, number: int, keys: Iterable[str]) -> dict[str, int]:
    """The newest version of each key of a scope; keys that never were are missing."""
    found: dict[str, int] = {}
    for chunk in batches(sorted(keys), CHUNK):
        statement = (
            select(entry.c.key, func.max(entry.c.version))
            .where(entry.c.scope == number, entry.c.key.in_(chunk))
            .group_by(entry.c.key)
        )
        found.update((key, latest) for key, latest in connection.execute(statement))
    return found


def later(
    connection: Connection, of: Scope, after: Mapping[str, int], at: int, seal: Seal
) -> dict[str, tuple[Stored, ...]]:
    """See `Store.later`."""
    found: dict[str, list[Stored]] = {key: [] for key in after}
    number = scope_number(connection, of)
    if number is not None:
        for chunk in batches(sorted(after), CHUNK):
            statement = (
                select(entry.c.key, entry.c.version, *_REST)
                .where(entry.c.scope == number, entry.c.key.in_(chunk))
                .where(entry.c.version > min(after[key] for key in chunk), entry.c.version <= at)
                .order_by(entry.c.key, entry.c.version)
            )
            for row in connection.execute(statement):
                if row[1] > after[row[0]]:
                    found[row[0]].append(stored(of.text, row, seal))
    return {key: tuple(versions) for key, versions in found.items()}


_VERSION = (
    version.c.number,
    version.c.scope,
    version.c.time,
    version.c.who,
    version.c.origin,
    version.c.reason,
    version.c.run,
)


def _version(row: Any) -> Version:
    number, of, time, who, origin, reason, run = row
    return Version(number, of, moment(time), who, origin, reason, run)


def versions(connection: Connection, of: Scope | None, limit: int) -> list[Version]:
    statement = select(*_VERSION).order_by(version.c.number.desc()).limit(limit)
    if of is not None:
        statement = statement.where(version.c.scope == of.text)
    return [_version(row) for row in connection.execute(statement)]


def history(
    connection: Connection, of: Scope, key: Key, limit: int, seal: Seal
) -> list[tuple[Version, Stored]]:
    number = scope_number(connection, of)
    if number is None:
        return []
    statement = (
        select(*_VERSION, entry.c.key, entry.c.version, *_REST)
        .join(version, version.c.number == entry.c.version)
        .where(entry.c.scope == number, entry.c.key == key.text)
        .order_by(entry.c.version.desc())
        .limit(limit)
    )
    split = len(_VERSION)
    return [
        (_version(row[:split]), stored(of.text, row[split:], seal)) for row in connection.execute(statement)
    ]
