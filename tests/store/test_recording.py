"""The archive, conflicts, runs and the schedule."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ecs_sync.errors import StoreError
from ecs_sync.model import Entry, Fingerprint, Key, Rank, Value, metadata
from ecs_sync.store import Candidate, Conflict, Done, RunState, Schedule, Store, new_id

from .making import KEY, SCOPE

MARK = Fingerprint(b"m" * 32)
OTHER = Fingerprint(b"o" * 32)


def keep(store: Store, entry: Entry | None, *, secret: bool = False, key: str = "a") -> int:
    with store.transaction() as transaction:
        return transaction.archive(
            SCOPE,
            Key(key),
            "consul",
            entry,
            MARK,
            secret=secret,
            item="acme/a",
            revision="7",
            reason="overwritten",
            run="run-1",
        )


def test_an_archived_value_comes_back_whole(store: Store) -> None:
    entry = Entry(Key("a"), Value.json('{"b": 1.50}'), metadata=metadata({"description": "Größe \0"}))
    found = store.archived(keep(store, entry))
    assert found is not None
    assert (found.entry, found.item, found.revision, found.side) == (entry, "acme/a", "7", "consul")
    assert (found.reason, found.run, found.scope) == ("overwritten", "run-1", SCOPE.text)
    assert store.archived(10**6) is None


def test_the_archive_is_listed_by_scope_and_by_key_newest_first(store: Store) -> None:
    first = keep(store, Entry(Key("a"), Value.string("1")))
    second = keep(store, Entry(Key("b"), Value.string("2")), key="b")
    assert [found.id for found in store.archive(SCOPE)] == [second, first]
    assert [found.id for found in store.archive(SCOPE, Key("a"))] == [first]


def test_an_archived_secret_comes_back_as_a_secret(store: Store) -> None:
    found = store.archived(keep(store, Entry(Key("a"), Value.string("canary")), secret=True))
    assert found is not None
    assert found.entry == Entry(Key("a"), Value.string("canary"), secret=True)


def test_without_a_cipher_a_secret_is_archived_without_its_value(url: str, store: Store) -> None:
    with Store.open(url, fingerprint_key=KEY) as without:
        found = without.archived(keep(without, Entry(Key("a"), Value.string("canary"), secret=True)))
    assert found is not None
    assert (found.entry, found.secret, found.revision) == (None, True, "7")


def record(store: Store, winner: str | None, *marks: Fingerprint | None) -> Conflict:
    candidates = [Candidate(f"side{i}", mark, Rank(i, f"side{i}")) for i, mark in enumerate(marks)]
    with store.transaction() as transaction:
        id = transaction.record_conflict(SCOPE, Key("a"), "job", candidates, winner, "priority", "run-1")
    found = store.conflict(id)
    assert found is not None
    return found


def test_the_same_conflict_is_recorded_once_and_another_one_anew(store: Store) -> None:
    held = record(store, None, MARK, OTHER)
    assert store.conflicts("job") == [held]
    decided = record(store, "side1", MARK, OTHER)
    assert (decided.id, decided.winner, decided.resolved) == (held.id, "side1", True)
    assert store.conflicts() == []
    deleted = record(store, None, MARK, None)
    assert deleted.id != held.id
    assert store.all_conflicts("job") == [decided, deleted]
    assert store.all_conflicts("another job") == []


def test_resolving_by_hand_closes_a_conflict(store: Store) -> None:
    held = record(store, None, MARK, OTHER)
    with store.transaction() as transaction:
        transaction.resolve_conflict(held.id)
    assert store.conflicts() == []
    with pytest.raises(StoreError, match="no conflict 999"), store.transaction() as transaction:
        transaction.resolve_conflict(999)


def test_a_run_is_followed_from_start_to_end_with_what_it_did(store: Store) -> None:
    id = new_id()
    done = [
        Done(id, "consul", Key("a"), "acme/a", 3, MARK, "8", None, "applied"),
        Done(id, "store", Key("b"), None, None, None, None, 2, "applied"),
    ]
    with store.transaction() as transaction:
        transaction.start_run(id, "job", "apply", "tester", "a ticket", 4)
    running = store.run(id)
    assert running is not None
    assert (running.state, running.epoch, running.finished) == (RunState.RUNNING, 4, None)
    with store.transaction() as transaction:
        transaction.record_done(done)
        transaction.finish_run(id, 4, '{"applied": 2}')
        transaction.mark_lost(id)
    (finished,) = store.runs("job")
    assert (finished.state, finished.exit_code, finished.summary) == (RunState.DONE, 4, '{"applied": 2}')
    assert store.done(id) == done
    assert store.runs("another job") == []


def test_a_lost_run_can_be_run_again(store: Store) -> None:
    id = new_id()
    for epoch in (1, 2):
        with store.transaction() as transaction:
            transaction.start_run(id, "job", "sync", "worker", "every 5m", epoch)
        with store.transaction() as transaction:
            transaction.mark_lost(id)
    found = store.run(id)
    assert found is not None
    assert (found.state, found.epoch) == (RunState.LOST, 2)


def test_a_due_job_becomes_one_waiting_run_that_one_worker_claims(store: Store) -> None:
    schedule = Schedule(store)
    when = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert schedule.due("job") is None
    schedule.set_due("job", when)
    assert schedule.due("job") == when
    schedule.set_due("job", None)
    assert schedule.due("job") is None

    id = schedule.enqueue("job", "sync", "worker", "every 5m")
    assert schedule.enqueue("job", "sync", "worker", "every 5m") == id
    assert [run.id for run in schedule.waiting()] == [id]
    assert schedule.claim(id, epoch=3)
    assert not schedule.claim(id, epoch=4)
    assert [(run.id, run.epoch) for run in schedule.running()] == [(id, 3)]
    assert schedule.enqueue("job", "sync", "worker", "every 5m") != id


def test_ids_sort_in_the_order_in_which_they_were_made() -> None:
    ids = [new_id() for _ in range(20_000)]
    assert ids == sorted(set(ids))
    assert {id[14] for id in ids} == {"7"}
