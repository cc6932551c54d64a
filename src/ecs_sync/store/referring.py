"""References in the store, and what was last seen of the secrets that they name."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, delete, select

from ecs_sync.model import Fingerprint, Scope
from ecs_sync.store import engine
from ecs_sync.store.crypto import Seal
from ecs_sync.store.reading import newest, scope_number
from ecs_sync.store.records import Referred, Stored
from ecs_sync.store.rows import octets, words
from ecs_sync.store.schema import entry, referred


def references(connection: Connection, of: Scope, at: int, seal: Seal) -> list[Stored]:
    """See `Store.references`."""
    number = scope_number(connection, of)
    if number is None:
        return []
    ever = select(entry.c.key).where(entry.c.scope == number, entry.c.type == "reference").distinct()
    keys = list(connection.execute(ever).scalars())
    found = newest(connection, of, keys, at, seal)
    return [found[key] for key in sorted(found) if _refers(found[key])]


def _refers(stored: Stored) -> bool:
    return stored.entry is not None and stored.entry.secret and not stored.entry.holds_plaintext


def known(connection: Connection, of: Scope) -> dict[str, Referred]:
    """See `Store.referred`."""
    rows = connection.execute(select(referred).where(referred.c.scope == of.text))
    return {
        row.key: Referred(
            row.key,
            row.reference.decode("utf-8"),
            words(row.revision),
            row.changed,
            Fingerprint(bytes(row.fingerprint)),
        )
        for row in rows
    }


def put(connection: Connection, of: Scope, rows: Iterable[Referred]) -> None:
    """See `Transaction.put_referred`."""
    fresh = list(rows)
    drop = delete(referred).where(referred.c.scope == of.text)
    for chunk in engine.batches([row.key for row in fresh], engine.CHUNK):
        connection.execute(drop.where(referred.c.key.in_(chunk)))
    if fresh:
        connection.execute(
            referred.insert(),
            [
                {
                    "scope": of.text,
                    "key": row.key,
                    "reference": octets(row.reference),
                    "revision": octets(row.revision),
                    "changed": row.changed,
                    "fingerprint": row.fingerprint,
                }
                for row in fresh
            ],
        )
