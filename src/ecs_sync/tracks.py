"""Which track a link is on, and what becomes of its bases where the link was edited.

A base row is carried over where its key still belongs to the same item under the same mapping; only
the rest is first contact. So an edited place, mapping or selection never looks like a mass deletion.
Nothing is carried over to another connection: the same item there is another one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ecs_sync.adapter import ItemId
from ecs_sync.looking import Side
from ecs_sync.observe import Observation
from ecs_sync.remote import Remote
from ecs_sync.spool import Spool
from ecs_sync.store import Base, OwnWrite, Store, Track, new_id
from ecs_sync.task import Running

_CHUNK = 1000


def identity_of(place: str, mapping: str, selection: str, mode: str) -> str:
    """The text that a track is bound to. An audit keeps a base of its own.

    ``place`` is the connection's name, a space, and the place there.
    """
    looks = "audit" if mode == "audit" else "sync"
    return json.dumps(
        {"looks": looks, "mapping": mapping, "place": place, "select": selection}, sort_keys=True
    )


def found_sides(job: str, remotes: Sequence[Remote], store: Store) -> list[Side]:
    """The sides of a job as they are, for a plan: nothing is written."""
    return [_side(remote, _current(job, remote, store), store) for remote in remotes]


def opened_sides(running: Running, remotes: Sequence[Remote]) -> list[Side]:
    """The sides of a job for a run: a link that was edited gets its new track, with what still holds."""
    sides = []
    for remote in remotes:
        track = _current(running.job, remote, running.store)
        left: tuple[ItemId, ...] = ()
        if track is None or track.identity != remote.identity:
            before = _side(remote, track, running.store)
            left = before.left_behind
            track = _open(running, remote, before)
        side = _side(remote, track, running.store)
        side.left_behind = left
        sides.append(side)
    return sides


def _current(job: str, remote: Remote, store: Store) -> Track | None:
    return next((track for track in store.tracks(job) if track.link == remote.link), None)


def _side(remote: Remote, track: Track | None, store: Store) -> Side:
    blank = Observation(remote.link, Spool())
    if track is None or track.identity != remote.identity:
        carried = track if track is not None and _same_items(track.identity, remote) else None
        left = _left_behind(remote, track, store) if track is not None else ()
        return Side(remote, None, carried, blank, left_behind=left)
    own: dict[ItemId, list[OwnWrite]] = {}
    for write in store.own_writes(track.id):
        own.setdefault(write.item, []).append(write)
    seen = {row.key: row for row in store.seen(track.id)}
    side = Side(remote, track, None, blank, own, seen, base_keys=store.base_count(track.id))
    # What was seen out of step was seen at a later revision than the one that is looked for here.
    strays = {row.item for row in seen.values()}
    held = store.known(track.id, [item for item in own if item not in strays])
    side.held = {item: known.revision for item, known in held.items()}
    return side


def _same_items(identity: str, remote: Remote) -> bool:
    """Would a key at the same item as before have the same value there?"""
    before, now = json.loads(identity), json.loads(remote.identity)
    kept = before["mapping"] == now["mapping"] and before["looks"] == now["looks"]
    return bool(kept and _connection(identity) == _connection(remote.identity))


def _connection(identity: str) -> str:
    name, space, _ = str(json.loads(identity)["place"]).partition(" ")
    return name if space else ""


def _left_behind(remote: Remote, track: Track, store: Store) -> tuple[ItemId, ...]:
    """Items of the former track that the link does not look at any more."""
    moved = _connection(track.identity) != _connection(remote.identity)
    items = {base.item for base in store.bases(track.id)}
    return tuple(sorted(item for item in items if moved or not item.startswith(remote.place.root)))


def _open(running: Running, remote: Remote, before: Side) -> Track:
    with running.store.transaction(running.lease) as transaction:
        track = transaction.open_track(running.job, remote.link, remote.identity)
        for rows in _chunks(before.bases(running.store)):
            transaction.put_bases(track.id, rows)
        if before.carried is not None:
            # What may still land at the place is ours on the new track too.
            owned = running.store.own_writes(before.carried.id)
            within = [own for own in owned if own.item.startswith(remote.place.root)]
            transaction.keep_own_writes([replace(own, id=new_id(), track=track.id) for own in within])
        transaction.audit(
            running.who,
            "track",
            {"job": running.job, "link": remote.link, "left_behind": len(before.left_behind)},
        )
    return track


def _chunks(bases: Iterator[Base]) -> Iterator[list[Base]]:
    rows: list[Base] = []
    for base in bases:
        rows.append(base)
        if len(rows) >= _CHUNK:
            yield rows
            rows = []
    if rows:
        yield rows
