"""Changing what the store or a run has done, by hand: set, roll back, resolve, undo.

Each commits earlier or other entries with the hand's rank; the next ordinary run carries them to the
places, under the same limits as any other change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ecs_sync.carry import Carrier
from ecs_sync.diff import State
from ecs_sync.errors import EcsSyncError
from ecs_sync.leased import ended, leased
from ecs_sync.model import Entry, Key, Rank
from ecs_sync.plan import Change, Hold
from ecs_sync.policy import STORE
from ecs_sync.protocol import Result
from ecs_sync.recover import recover
from ecs_sync.remote import Remote
from ecs_sync.store import (
    UNDONE,
    Archived,
    Base,
    Done,
    EntryChange,
    Seen,
    Store,
    Stored,
    Target,
    Track,
    Transaction,
    new_id,
)
from ecs_sync.sync import Job, Order, plan
from ecs_sync.task import Running, Task, task_of


@dataclass
class Amended:
    """What was changed: the store's new version (None where nothing was), and each key's fate."""

    run: str
    version: int | None = None
    committed: list[Key] = field(default_factory=list)
    written: list[tuple[str, Key]] = field(default_factory=list)
    """Keys written back at a place only, with the link's name; they are held there until resolved."""
    left: list[tuple[Key, str]] = field(default_factory=list)
    """What could not be done, and why."""


class NothingToResolve(EcsSyncError):
    """The key is not held by a conflict."""


def change(job: Job, store: Store, order: Order, hand: Rank, entries: Mapping[Key, Entry | None]) -> Amended:
    """Sets entries of the job's scope by hand, or unsets them (None). Raises StoreError for a secret
    that the store may not hold."""
    amended = Amended(order.run or new_id())
    with store.transaction() as transaction:
        changes = [EntryChange(key, entry, hand) for key, entry in entries.items()]
        _commit(transaction, job, order, amended, changes, "hand")
    return amended


def rollback(job: Job, store: Store, order: Order, hand: Rank, version: int) -> Amended:
    """Makes the job's scope what it was at ``version``, as one new version. Raises EcsSyncError."""
    head = store.head()
    if not 0 < version < head:
        raise EcsSyncError(f"there is no earlier version {version}: the store is at {head}")
    then = {row.key: row for row in store.desired(job.scope, version)}
    moved = [
        row.key
        for row in store.desired(job.scope, head)
        if row.key not in then or then[row.key].version != row.version
    ]
    now, before = store.stored(job.scope, moved, head), store.stored(job.scope, moved, version)
    amended = Amended(order.run or new_id())
    changes: list[EntryChange] = []
    for key in moved:
        was = before.get(key)
        if was is not None and was.sealed:
            amended.left.append((Key(key), "its value is sealed: store.key is needed"))
        elif (was.fingerprint if was else None) != now[key].fingerprint:
            changes.append(EntryChange(Key(key), was.entry if was else None, hand))
    with store.transaction() as transaction:
        expected = {change.key.text: now[change.key.text].version for change in changes}
        _commit(transaction, job, order, amended, changes, "rollback", expected)
    return amended


def _commit(
    transaction: Transaction,
    job: Job,
    order: Order,
    amended: Amended,
    changes: Sequence[EntryChange],
    origin: str,
    expect: Mapping[str, int] | None = None,
) -> None:
    if not changes:
        return
    amended.version = transaction.commit(
        job.scope, changes, origin=origin, reason=order.reason, who=order.who, run=amended.run, expect=expect
    )
    amended.committed += [change.key for change in changes]
    keys = sorted(change.key.text for change in changes)
    transaction.audit(order.who, origin, {"job": job.name, "version": amended.version, "keys": keys})


# Resolving


def resolve(job: Job, store: Store, order: Order, hand: Rank, key: Key, take: str) -> Amended:
    """Settles a key: ``take`` is ``store`` or the link whose value shall count.

    Of a conflict that is held, every other side's value becomes a version of its own first, so that
    the base of its link can say truly what both held, and nothing is lost. Of one that was resolved,
    the loser's value is taken back from the archive. Raises NothingToResolve, naming what is held.
    """
    with _running(job, store, order) as running:
        found = plan(job, store)
        holds = [hold for hold in found.conflicts if hold.key == key]
        if not holds and take != STORE:
            return _take_back(running, job, order, hand, key, take)
        if not holds:
            held = ", ".join(sorted({hold.key.text for hold in found.conflicts})) or "nothing"
            raise NothingToResolve(f"{key} is not held by a conflict in {job.name}; held: {held}")
        sides = sorted({hold.link for hold in holds})
        if take != STORE and take not in sides:
            raise NothingToResolve(f"{key}: take one of: {STORE}, {', '.join(sides)}")
        amended = Amended(running.run)
        with store.transaction(running.lease) as transaction:
            _settle_holds(transaction, running, job, order, hand, holds, take, amended)
        return amended


def _take_back(running: Running, job: Job, order: Order, hand: Rank, key: Key, take: str) -> Amended:
    """Commits what a link held when it lost its last conflict over a key."""
    store, amended = running.store, Amended(running.run)
    lost = [
        candidate
        for conflict in sorted(store.all_conflicts(job.name), key=lambda conflict: conflict.time)
        if conflict.key == key
        for candidate in conflict.candidates
        if candidate.side == take and candidate.archived is not None
    ]
    archived = store.archived(lost[-1].archived) if lost and lost[-1].archived is not None else None
    if archived is None:
        raise NothingToResolve(f"{key}: {take} has lost no conflict over it in {job.name}")
    if archived.entry is None:
        raise NothingToResolve(f"{key}: it is a secret, and the value that {take} held was not kept")
    with store.transaction(running.lease) as transaction:
        _commit(transaction, job, order, amended, [EntryChange(key, archived.entry, hand)], "resolve")
    return amended


def _settle_holds(
    transaction: Transaction,
    running: Running,
    job: Job,
    order: Order,
    hand: Rank,
    holds: Sequence[Hold],
    take: str,
    amended: Amended,
) -> None:
    store, key = running.store, holds[0].key
    tracks = {track.link: track for track in store.tracks(job.name)}
    ranks = {remote.link: remote.policy.rank for remote in job.remotes}
    current = store.stored(job.scope, [key.text]).get(key.text)
    losers = [hold for hold in holds if hold.link != take]
    for hold in losers:
        _meet(transaction, job, order, amended, tracks[hold.link], hold, ranks[hold.link])
    winner = next((hold for hold in holds if hold.link == take), None)
    if winner is not None:
        _meet(transaction, job, order, amended, tracks[winner.link], winner, hand)
    else:
        entry = current.entry if current else None
        _commit(transaction, job, order, amended, [EntryChange(key, entry, hand)], "resolve")
    for hold in holds:
        transaction.drop_seen(tracks[hold.link].id, [key.text])
    for conflict in store.conflicts(job.name):
        if conflict.key == key:
            transaction.resolve_conflict(conflict.id)


def _meet(
    transaction: Transaction, job: Job, order: Order, amended: Amended, track: Track, hold: Hold, rank: Rank
) -> None:
    """Makes what the place shows a version of the store, and that the base of both."""
    key = hold.key.text
    _commit(transaction, job, order, amended, [EntryChange(hold.key, hold.place, rank)], "resolve")
    if hold.observed is None or hold.item is None or amended.version is None:
        transaction.drop_bases(track.id, [key])
    else:
        transaction.put_bases(track.id, [Base(key, hold.observed, amended.version, hold.item)])


# Undoing


def undo(job: Job, store: Store, order: Order, hand: Rank, run: str) -> Amended:
    """Takes back what a run changed, key by key; what somebody changed since is left and named.

    What the run adopted goes back to what the store held before. A place goes back through the store
    where the store once held that value; else it is written back at that place only, and held there.
    """
    done = [each for each in store.done(run) if each.outcome in (Result.APPLIED, "adopted")]
    if not done:
        raise EcsSyncError(f"run {run} changed nothing that could be undone")
    with _running(job, store, order) as running:
        recover(running, job.remotes)
        amended = Amended(running.run)
        changes = dict(_undone_in_store(job, store, hand, done, amended))
        at_places = [d for d in done if d.side != STORE]
        for remote in job.remotes:
            mine = [each for each in at_places if each.side == remote.link]
            _undo_at(running, job, remote, mine, changes, hand, amended)
        with store.transaction(running.lease) as transaction:
            expected = {key.text: store.stored(job.scope, [key.text])[key.text].version for key in changes}
            _commit(transaction, job, order, amended, list(changes.values()), "undo", expected)
            transaction.record_done(
                [
                    Done(amended.run, STORE, key, None, None, None, None, amended.version, "adopted")
                    for key in changes
                ]
            )
        return amended


def _undone_in_store(
    job: Job, store: Store, hand: Rank, done: Sequence[Done], amended: Amended
) -> Iterator[tuple[Key, EntryChange]]:
    for each in done:
        if each.side != STORE or each.version is None:
            continue
        newest = store.stored(job.scope, [each.key.text]).get(each.key.text)
        if newest is None or newest.version != each.version:
            amended.left.append((each.key, "the store has a newer version"))
            continue
        before = store.stored(job.scope, [each.key.text], each.version - 1).get(each.key.text)
        yield each.key, EntryChange(each.key, before.entry if before else None, hand)


def _undo_at(
    running: Running,
    job: Job,
    remote: Remote,
    done: Sequence[Done],
    changes: dict[Key, EntryChange],
    hand: Rank,
    amended: Amended,
) -> None:
    track = next((t for t in running.store.tracks(job.name) if t.link == remote.link), None)
    seen = remote.look(sorted({each.item for each in done if each.item is not None}))
    pinned = {row.key for row in running.store.seen(track.id) if row.met} if track is not None else set()
    back: list[tuple[Done, Entry | None]] = []
    for each in done:
        item = seen.get(each.item) if each.item is not None else None
        rows = {row.key: row for row in remote.rows(item, remote.read(item))} if item is not None else {}
        shown = rows[each.key.text].fingerprint if each.key.text in rows else None
        archived = running.store.archived(each.before) if each.before is not None else None
        if each.item not in seen or shown != each.fingerprint or track is None:
            amended.left.append((each.key, f"{remote.link} was changed since"))
        elif (
            each.key in changes
            and each.key.text not in pinned
            and _follows(remote, changes[each.key], archived)
        ):
            continue
        elif archived is not None and archived.entry is None:
            amended.left.append((each.key, f"the value that {remote.link} held was not kept"))
        elif archived is not None and (held := _once_held(running.store, job, remote, each, archived.entry)):
            changes[each.key] = EntryChange(each.key, held.entry, hand)
        else:
            back.append((each, archived.entry if archived else None))
    if back and track is not None:
        _write_back(running, remote, track, back, amended)


def _follows(remote: Remote, undone: EntryChange, archived: Archived | None) -> bool:
    """Is what the store goes back to just what the place held before? The next run then carries it there."""
    if undone.entry is None or archived is None:
        return undone.entry is None and archived is None
    image = remote.image(undone.entry)
    return isinstance(image, Entry) and remote.fingerprints.of(image) == archived.fingerprint


def _once_held(store: Store, job: Job, remote: Remote, done: Done, before: Entry | None) -> Stored | None:
    """The store's version just before the one that was pushed, where the place showed just that."""
    if before is None or done.version is None:
        return None
    newest = store.stored(job.scope, [done.key.text]).get(done.key.text)
    stored = store.stored(job.scope, [done.key.text], done.version - 1).get(done.key.text)
    if newest is None or newest.version != done.version or stored is None or stored.entry is None:
        return None
    image = remote.image(stored.entry)
    return stored if isinstance(image, Entry) and image.value == before.value else None


def _write_back(
    running: Running,
    remote: Remote,
    track: Track,
    back: Sequence[tuple[Done, Entry | None]],
    amended: Amended,
) -> None:
    """Writes at one place only. The keys lose their bases first, and are held there from then on."""
    seen = remote.look(sorted({each.item for each, _ in back if each.item is not None}))
    tasks: list[Task] = []
    for each, entry in back:
        assert each.item is not None
        item = seen.get(each.item)
        rehearsed = remote.rehearse(each.item, [(each.key, entry)], item)
        if rehearsed.write is None:
            amended.left.append((each.key, rehearsed.refused[0][1]))
            continue
        fingerprint = remote.fingerprints.of(entry) if entry is not None else None
        target = Target(each.key.text, fingerprint, 0)
        change = Change(
            each.key,
            remote.link,
            STORE,
            State.DRIFTED,
            None,
            entry,
            each.fingerprint,
            fingerprint,
            0,
            remote.policy.rank,
            each.item,
        )
        tasks.append(task_of(new_id(), running.run, remote, rehearsed.write, [change], item, [target]))
    with running.store.transaction(running.lease) as transaction:
        keys = [target.key for task in tasks for target in task.targets]
        transaction.drop_bases(track.id, keys)
        now = datetime.now(UTC)
        pinned = [
            Seen(t.key, task.item, None, None, t.fingerprint, None, now, UNDONE, True)
            for task in tasks
            for t in task.targets
        ]
        transaction.put_seen(track.id, pinned)
        transaction.set_token(track.id, None)
    Carrier(running, remote, track.id).drive(tasks)
    for task in tasks:
        for target in task.targets:
            if task.result is Result.APPLIED:
                amended.written.append((remote.link, Key(target.key)))
            else:
                amended.left.append((Key(target.key), f"{remote.link}: {task.result} {task.machine.reason}"))


@contextmanager
def _running(job: Job, store: Store, order: Order) -> Iterator[Running]:
    with leased(store, job.name, ttl=order.ttl, wait=order.wait) as (lease, fence):
        running = Running(
            store, job.name, job.scope, order.run or new_id(), order.who, order.reason, lease, fence
        )
        with store.transaction(lease) as transaction:
            transaction.start_run(running.run, job.name, order.verb, order.who, order.reason, lease.epoch)
        with ended(running):
            yield running
            with store.transaction(lease) as transaction:
                transaction.finish_run(running.run, 0, "{}")
