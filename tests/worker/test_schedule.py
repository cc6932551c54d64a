"""What many workers agree on in one store, on each database."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from ecs_sync.store import RunState, Schedule, Store, Turn
from ecs_sync.store.leases import Watch
from tests.store.conftest import postgresql, reopen, store, url

__all__ = ["postgresql", "reopen", "store", "url"]

NOON = datetime(2026, 11, 18, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_a_slot_is_taken_once_however_many_see_it(store: Store, reopen: Callable[[], Store]) -> None:
    schedules = [Schedule(store), *(Schedule(reopen()) for _ in range(3))]
    for found, to in [(None, NOON), (NOON, NOON + HOUR), (NOON + HOUR, None), (None, NOON)]:
        turns = [Turn("job", found, to, "due"), Turn("moved", found, to)]
        with ThreadPoolExecutor(4) as pool:
            tries = [pool.submit(one.turn, turns, "sync", "who") for one in schedules]
        moved = [job for one in tries for job in one.result()]
        assert sorted(moved) == ["job", "moved"]
        assert schedules[0].dues() == {"job": to, "moved": to}
    assert [run.job for run in schedules[0].waiting()] == ["job"]


def test_a_run_is_lost_only_when_nobody_holds_or_renews_its_lease(store: Store) -> None:
    clock = [0.0]
    store.watch = Watch(lambda: clock[0])
    schedule = Schedule(store)
    lease = store.acquire("job", "elsewhere:boot.1:1:1", ttl=30, wait=0)
    id = schedule.enqueue("job", "sync", "who", "due")
    with store.transaction(lease) as transaction:
        assert transaction.claim_run(id, lease.epoch)
        assert not transaction.claim_run(id, lease.epoch)
    for _ in range(5):
        assert schedule.replace_lost({"job"}, "sync", "who") == []
        clock[0] += 29
        store.renew(lease)
    assert schedule.lost() == []
    clock[0] += 31
    assert [run.id for run in schedule.lost()] == [id]
    assert schedule.replace_lost({"another job"}, "sync", "who") == []
    assert schedule.waiting() == []
    for _ in range(2):
        assert [run.id for run in schedule.replace_lost({"job"}, "sync", "who")] == [id]
    (waiting,) = schedule.waiting()
    assert waiting.id != id and id in waiting.reason


def test_a_failed_run_is_closed_unless_somebody_carries_it_out(store: Store) -> None:
    schedule = Schedule(store)
    id = schedule.enqueue("job", "sync", "who", "due")
    lease = store.acquire("job", "elsewhere:boot.1:1:1", ttl=30, wait=0)
    assert schedule.claim(id, lease.epoch)
    assert not schedule.close(id, 1, "{}")
    store.release(lease)
    assert schedule.close(id, 1, '{"error": "why"}')
    assert not schedule.close(id, 0, "{}")
    run = store.run(id)
    assert run is not None
    assert (run.state, run.exit_code, run.summary) == (RunState.DONE, 1, '{"error": "why"}')
    assert schedule.last() == {}
    schedule.set_due("job", NOON)
    assert schedule.last() == {"job": run}
