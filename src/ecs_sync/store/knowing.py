"""What is recorded of an item as a whole: its revision and the fingerprints of our keys in it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import Connection, select

from ecs_sync.adapter import ItemId
from ecs_sync.model import Fingerprint
from ecs_sync.store.engine import CHUNK, batches, rows_of
from ecs_sync.store.records import Known
from ecs_sync.store.schema import base, held, seen

_Keys = dict[str, Fingerprint]


def based(connection: Connection, id: int, items: Sequence[ItemId]) -> dict[ItemId, _Keys]:
    """See `Store.based`."""
    found: dict[ItemId, _Keys] = {}
    for chunk in batches(sorted({item.encode("utf-8") for item in items}), CHUNK):
        found.update({item.decode("utf-8"): keys for item, keys in _based(connection, id, chunk).items()})
    return found


def known(connection: Connection, id: int, items: Sequence[ItemId]) -> dict[ItemId, Known]:
    """See `Store.known`."""
    found: dict[ItemId, Known] = {}
    for chunk in batches(sorted({item.encode("utf-8") for item in items}), CHUNK):
        based = _based(connection, id, chunk)
        found.update(_from_held(connection, id, chunk, based))
        rest = [item for item in chunk if item.decode("utf-8") not in found]
        if rest:
            found.update(_from_seen(connection, id, rest, based))
    return found


def _based(connection: Connection, id: int, items: Sequence[bytes]) -> dict[bytes, _Keys]:
    statement = select(base.c.item, base.c.key, base.c.fingerprint).where(
        base.c.track == id, base.c.item.in_(items)
    )
    based: dict[bytes, _Keys] = defaultdict(dict)
    for item, key, fingerprint in rows_of(connection, statement):
        based[item][key] = Fingerprint(fingerprint)
    return based


def _known(item: bytes, revision: bytes, changed: str | None, keys: _Keys) -> Known:
    return Known(item.decode("utf-8"), revision.decode("utf-8"), changed, tuple(sorted(keys.items())))


def _from_held(
    connection: Connection, id: int, items: Sequence[bytes], based: dict[bytes, _Keys]
) -> dict[ItemId, Known]:
    statement = select(held.c.item, held.c.revision, held.c.changed).where(
        held.c.track == id, held.c.item.in_(items)
    )
    rows = rows_of(connection, statement)
    return {
        item.decode("utf-8"): _known(item, revision, changed, based.get(item, {}))
        for item, revision, changed in rows
    }


def _from_seen(
    connection: Connection, id: int, items: Sequence[bytes], based: dict[bytes, _Keys]
) -> dict[ItemId, Known]:
    """Of items whose seen rows agree on one revision, and of which all could be read."""
    columns = (seen.c.item, seen.c.key, seen.c.revision, seen.c.changed, seen.c.fingerprint, seen.c.unseen)
    statement = select(*columns).where(seen.c.track == id, seen.c.item.in_(items))
    revisions: dict[bytes, set[tuple[bytes | None, str | None]]] = defaultdict(set)
    shown: dict[bytes, dict[str, Fingerprint | None]] = defaultdict(dict)
    unreadable: set[bytes] = set()
    for item, key, revision, changed, fingerprint, unseen in connection.execute(statement):
        revisions[item].add((revision, changed))
        shown[item][key] = None if fingerprint is None else Fingerprint(fingerprint)
        if unseen is not None:
            unreadable.add(item)
    found: dict[ItemId, Known] = {}
    for item, marks in revisions.items():
        revision, changed = next(iter(marks))
        if len(marks) > 1 or revision is None or item in unreadable:
            continue
        merged = based.get(item, {}) | shown[item]
        keys = {key: fingerprint for key, fingerprint in merged.items() if fingerprint is not None}
        found[item.decode("utf-8")] = _known(item, revision, changed, keys)
    return found
