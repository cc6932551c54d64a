"""One process runs a job at a time; one that lost its lease can record nothing any more."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from ecs_sync.errors import Fenced, LeaseHeld
from ecs_sync.store import Store
from ecs_sync.store.leases import Watch

from .making import KEY, SCOPE, change

ELSEWHERE = "another-host:some-boot.1:4711:99"
TTL = 30.0


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(store: Store) -> Clock:
    """Our own monotonic clock, turned by hand."""
    clock = Clock()
    store.watch = Watch(clock)
    return clock


def take(store: Store, holder: str = ELSEWHERE) -> int:
    return store.acquire("job", holder, ttl=TTL, wait=0).epoch


def test_a_lease_is_held_by_name_until_it_is_released(store: Store) -> None:
    assert store.holder("job") is None
    lease = store.acquire("job", ELSEWHERE, ttl=TTL, wait=0)
    assert store.holder("job") == ELSEWHERE
    with pytest.raises(LeaseHeld, match=ELSEWHERE) as held:
        take(store, "me")
    assert held.value.holder == ELSEWHERE
    assert take_other_job(store) == 1
    store.release(lease)
    assert store.holder("job") is None
    assert take(store, "me") == 2


def take_other_job(store: Store) -> int:
    return store.acquire("another job", "me", ttl=TTL, wait=0).epoch


def test_a_waiter_gets_the_lease_once_it_is_released(store: Store, reopen: Callable[[], Store]) -> None:
    lease = store.acquire("job", ELSEWHERE, ttl=TTL, wait=0)
    other = reopen()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(other.acquire, "job", "me", ttl=TTL, wait=60)
        store.release(lease)
        assert waiting.result().epoch == 2


def test_a_holder_that_does_not_renew_is_taken_over_and_fenced(store: Store, clock: Clock) -> None:
    lease = store.acquire("job", ELSEWHERE, ttl=TTL, wait=0)
    with pytest.raises(LeaseHeld):
        take(store, "me")
    clock.now += TTL - 1
    with pytest.raises(LeaseHeld):
        take(store, "me")
    clock.now += 2
    assert take(store, "me") == 2

    with pytest.raises(Fenced, match="me holds it now"):
        store.renew(lease)
    with pytest.raises(Fenced), store.transaction(lease) as transaction:
        transaction.commit(SCOPE, [change("a", "late")], origin="hand", reason="", who="late")
    store.release(lease)
    assert store.holder("job") == "me"
    assert store.head() == 0


def test_a_holder_that_renews_is_never_taken_over(store: Store, clock: Clock) -> None:
    lease = store.acquire("job", ELSEWHERE, ttl=TTL, wait=0)
    for _ in range(10):
        with pytest.raises(LeaseHeld):
            take(store, "me")
        clock.now += TTL - 1
        store.renew(lease)
    with store.transaction(lease) as transaction:
        transaction.audit("tester", "still here", {})


def test_a_short_patience_does_not_shorten_the_holders_time(store: Store, clock: Clock) -> None:
    store.acquire("job", ELSEWHERE, ttl=TTL, wait=0)
    for _ in range(2):
        with pytest.raises(LeaseHeld):
            store.acquire("job", "me", ttl=1, wait=0)
        clock.now += 2


def test_a_lease_that_was_released_fences_its_holder(store: Store) -> None:
    lease = store.acquire("job", ELSEWHERE, ttl=TTL, wait=0)
    store.release(lease)
    with pytest.raises(Fenced, match="nobody holds it now"), store.transaction(lease):
        pass


def test_a_process_of_this_host_that_ended_is_taken_over_at_once(url: str, store: Store) -> None:
    program = (
        "import os\nfrom ecs_sync.store import Store\n"
        f"store = Store.open({url!r}, fingerprint_key={KEY!r})\n"
        "store.acquire('job', store.this_process(), ttl=3600, wait=0)\n"
        "os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    gone = store.holder("job")
    assert gone is not None
    assert take(store, "me") == 2


def test_a_process_that_lives_is_not_taken_over(store: Store) -> None:
    mine = store.this_process()
    assert f":{os.getpid()}:" in mine
    assert take(store, mine) == 1
    with pytest.raises(LeaseHeld):
        take(store, mine)


def test_a_process_id_that_was_used_again_is_not_taken_for_its_former_owner(store: Store) -> None:
    former = store.this_process().rpartition(":")[0] + ":1"
    assert take(store, former) == 1
    assert take(store, "me") == 2


def test_a_process_of_a_former_boot_or_of_another_container_is_only_judged_by_its_renewals(
    store: Store,
) -> None:
    host, _, pid, _ = store.this_process().rsplit(":", 3)
    take(store, f"{host}:a-former-boot.1:{pid}:1")
    with pytest.raises(LeaseHeld):
        take(store, "me")
