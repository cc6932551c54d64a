"""Tracks and what is bound to them: bases, held items, what was seen, intents, own writes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Dialect, Insert, case, delete, func, insert, select, update

from ecs_sync.adapter import ItemId, Token
from ecs_sync.errors import StoreError
from ecs_sync.model import Fingerprint
from ecs_sync.store import engine
from ecs_sync.store.engine import CHUNK, PAGE, Database, batches, paged, rows_of
from ecs_sync.store.records import Base, Held, Seen, Track
from ecs_sync.store.rows import microseconds, moment, octets, words
from ecs_sync.store.schema import base, held, intent, seen, track

_TRACK = (track.c.id, track.c.job, track.c.link, track.c.identity, track.c.established, track.c.token)


def _track(row: Any) -> Track:
    id, job, link, identity, established, token = row
    return Track(id, job, link, identity, established, words(token))


def current(connection: Connection, job: str, link: str) -> Track | None:
    statement = select(*_TRACK).where(track.c.job == job, track.c.link == link, track.c.current)
    row = connection.execute(statement).one_or_none()
    return None if row is None else _track(row)


def tracks(connection: Connection, job: str) -> list[Track]:
    statement = select(*_TRACK).where(track.c.job == job, track.c.current).order_by(track.c.link)
    return [_track(row) for row in connection.execute(statement)]


def retired(connection: Connection, job: str) -> list[Track]:
    unsettled = select(intent.c.track)
    statement = (
        select(*_TRACK)
        .where(track.c.job == job, ~track.c.current, track.c.id.in_(unsettled))
        .order_by(track.c.id)
    )
    return [_track(row) for row in connection.execute(statement)]


def open_track(connection: Connection, job: str, link: str, identity: str) -> Track:
    """See `Transaction.open_track`."""
    found = current(connection, job, link)
    if found is not None:
        if found.identity == identity:
            return found
        connection.execute(update(track).where(track.c.id == found.id).values(current=False))
    added = insert(track).values(
        job=job, link=link, identity=identity, established=False, current=True, mark=0
    )
    id = connection.execute(added.returning(track.c.id)).scalar_one()
    return Track(id, job, link, identity, established=False, token=None)


def establish(connection: Connection, id: int) -> None:
    connection.execute(update(track).where(track.c.id == id).values(established=True))


def set_token(connection: Connection, id: int, token: Token | None) -> None:
    connection.execute(update(track).where(track.c.id == id).values(token=octets(token)))


_BASE = (base.c.key, base.c.fingerprint, base.c.version, base.c.item)


def _base(row: Any) -> Base:
    key, fingerprint, version, item = row
    return Base(key, Fingerprint(fingerprint), version, item.decode("utf-8"))


def bases(database: Database, id: int) -> Iterator[Base]:
    def page(connection: Connection, after: str) -> list[Base]:
        statement = select(*_BASE).where(base.c.track == id, base.c.key > after)
        return [_base(row) for row in rows_of(connection, statement.order_by(base.c.key).limit(PAGE))]

    return paged(database, page, lambda row: row.key)


def base_count(connection: Connection, id: int) -> int:
    return connection.execute(select(func.count()).select_from(base).where(base.c.track == id)).scalar_one()


def bases_of(connection: Connection, id: int, keys: Iterable[str]) -> dict[str, Base]:
    found: dict[str, Base] = {}
    for chunk in batches(sorted(set(keys)), CHUNK):
        statement = select(*_BASE).where(base.c.track == id, base.c.key.in_(chunk))
        found.update((row[0], _base(row)) for row in connection.execute(statement))
    return found


@cache
def _put_bases(dialect: Dialect) -> Insert:
    added = engine.insert(dialect, base)
    put: Insert = added.on_conflict_do_update(
        index_elements=[base.c.track, base.c.key],
        set_={name: added.excluded[name] for name in ("fingerprint", "version", "item")},
        where=added.excluded.version >= base.c.version,
    )
    return put


def put_bases(connection: Connection, id: int, rows: Iterable[Base]) -> None:
    """See `Transaction.put_bases`."""
    for batch in batches(rows, PAGE):
        drop_held(connection, id, (row.item for row in batch))
        ordered = [
            (id, row.key, row.fingerprint, row.version, row.item.encode("utf-8")) for row in sorted(batch)
        ]
        if engine.many(connection, _put_bases(connection.dialect), ordered) != len(ordered):
            raise StoreError(f"internal error: {_went_back(connection, id, batch)}")


def _went_back(connection: Connection, id: int, rows: Sequence[Base]) -> str:
    kept = bases_of(connection, id, (row.key for row in rows))
    back = [row for row in rows if row.key in kept and kept[row.key].version > row.version]
    named = (
        f"{back[0].key} from version {kept[back[0].key].version} to {back[0].version}" if back else "a key"
    )
    return f"a base never goes back, and one of track {id} was moved: {named}"


def drop_bases(connection: Connection, id: int, keys: Iterable[str]) -> None:
    for chunk in batches(sorted(keys), CHUNK):
        drop_held(connection, id, {row.item for row in bases_of(connection, id, chunk).values()})
        connection.execute(delete(base).where(base.c.track == id, base.c.key.in_(chunk)))


@cache
def _put_held(dialect: Dialect) -> Insert:
    added = engine.insert(dialect, held)
    put: Insert = added.on_conflict_do_update(
        index_elements=[held.c.track, held.c.item],
        set_={"revision": added.excluded.revision, "changed": added.excluded.changed},
    )
    return put


def put_held(connection: Connection, id: int, rows: Iterable[Held]) -> None:
    for batch in batches(rows, PAGE):
        ordered = sorted((id, octets(row.item), octets(row.revision), row.changed) for row in batch)
        engine.many(connection, _put_held(connection.dialect), ordered)


def drop_held(connection: Connection, id: int, items: Iterable[ItemId]) -> None:
    """See `Transaction.drop_held`."""
    for chunk in batches(sorted(octets_of(set(items))), CHUNK):
        connection.execute(delete(held).where(held.c.track == id, held.c.item.in_(chunk)))
        lost = update(seen).where(seen.c.track == id, seen.c.item.in_(chunk), seen.c.revision.is_not(None))
        connection.execute(lost.values(revision=None))


def octets_of(items: Iterable[ItemId]) -> list[bytes]:
    return [item.encode("utf-8") for item in items]


_SEEN = (
    seen.c.key,
    seen.c.item,
    seen.c.revision,
    seen.c.changed,
    seen.c.fingerprint,
    seen.c.unseen,
    seen.c.since,
    seen.c.lost_to,
    seen.c.met,
)


def _seen(row: Any) -> Seen:
    key, item, revision, changed, fingerprint, unseen, since, lost_to, met = row
    return Seen(
        key,
        item.decode("utf-8"),
        words(revision),
        changed,
        None if fingerprint is None else Fingerprint(fingerprint),
        unseen,
        moment(since),
        lost_to,
        bool(met),
    )


def seen_rows(database: Database, id: int) -> Iterator[Seen]:
    def page(connection: Connection, after: str) -> list[Seen]:
        statement = select(*_SEEN).where(seen.c.track == id, seen.c.key > after)
        return [_seen(row) for row in rows_of(connection, statement.order_by(seen.c.key).limit(PAGE))]

    return paged(database, page, lambda row: row.key)


@cache
def _put_seen(dialect: Dialect) -> Insert:
    added = engine.insert(dialect, seen)
    new = added.excluded
    same = new.fingerprint.is_not_distinct_from(seen.c.fingerprint) & new.unseen.is_not_distinct_from(
        seen.c.unseen
    )
    names = ("item", "revision", "changed", "fingerprint", "unseen", "lost_to", "met", "mark")
    put: Insert = added.on_conflict_do_update(
        index_elements=[seen.c.track, seen.c.key],
        set_={name: new[name] for name in names} | {"since": case((same, seen.c.since), else_=new.since)},
    )
    return put


def put_seen(connection: Connection, id: int, rows: Iterable[Seen]) -> None:
    """See `Transaction.put_seen`."""
    mark = connection.execute(select(track.c.mark).where(track.c.id == id)).scalar_one()
    _mark_seen(connection, id, rows, mark)


def replace_seen(connection: Connection, id: int, rows: Iterable[Seen]) -> None:
    """See `Transaction.replace_seen`."""
    statement = update(track).where(track.c.id == id).values(mark=track.c.mark + 1)
    mark = connection.execute(statement.returning(track.c.mark)).scalar_one()
    _mark_seen(connection, id, rows, mark)
    connection.execute(delete(seen).where(seen.c.track == id, seen.c.mark != mark))


def _mark_seen(connection: Connection, id: int, rows: Iterable[Seen], mark: int) -> None:
    for batch in batches(rows, PAGE):
        ordered = [
            (
                id,
                row.key,
                octets(row.item),
                octets(row.revision),
                row.changed,
                row.fingerprint,
                row.unseen,
                microseconds(row.since),
                row.lost_to,
                row.met,
                mark,
            )
            for row in sorted(batch, key=lambda row: row.key)
        ]
        engine.many(connection, _put_seen(connection.dialect), ordered)


def drop_seen(connection: Connection, id: int, keys: Iterable[str]) -> None:
    for chunk in batches(sorted(keys), CHUNK):
        connection.execute(delete(seen).where(seen.c.track == id, seen.c.key.in_(chunk)))
