"""Many writers at once lose nothing, and a killed one loses nothing that was acknowledged."""

from __future__ import annotations

import contextlib
import itertools
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ecs_sync.errors import StalePlan
from ecs_sync.model import Key
from ecs_sync.store import Store
from ecs_sync_sandbox.postgresql import PostgresqlServer

from .making import KEY, SCOPE, change, commit

PROCESSES, THREADS, ROUNDS = 4, 2, 100

COUNT_UP = """
import sys
from concurrent.futures import ThreadPoolExecutor
from ecs_sync.store import Store
from store.making import KEY, SCOPE, change

store = Store.open(sys.argv[1], fingerprint_key=KEY, patience=60)

def once(_):
    with store.transaction() as transaction:
        number = int(transaction.stored(SCOPE, ["counter"])["counter"].entry.value.text) + 1
        transaction.commit(SCOPE, [change("counter", str(number))], origin="hand", reason="", who="tester")
        transaction.audit("tester", "counted", {"to": number})

with ThreadPoolExecutor(int(sys.argv[2])) as pool:
    list(pool.map(once, range(int(sys.argv[3]))))
store.close()
"""

COMMIT_FOR_EVER = """
import itertools, sys
from store.making import KEY, SCOPE, change
from ecs_sync.store import Store

store = Store.open(sys.argv[1], fingerprint_key=KEY, patience=60)
for number in itertools.count():
    with store.transaction() as transaction:
        changes = [change(f"key{i}", str(number)) for i in range(20)]
        version = transaction.commit(SCOPE, changes, origin="hand", reason="", who="tester")
        transaction.audit("tester", "committed", {"version": version})
        transaction.checkpoint()
    print(version, flush=True)
"""


def started(program: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent.parent,
    )


def test_800_concurrent_read_modify_writes_lose_nothing(url: str, store: Store) -> None:
    commit(store, change("counter", "0"))
    each = str(THREADS * ROUNDS)
    processes = [started(COUNT_UP, url, str(THREADS), each) for _ in range(PROCESSES)]
    for process in processes:
        process.communicate()
    assert [process.returncode for process in processes] == [0] * PROCESSES

    total = PROCESSES * THREADS * ROUNDS
    entry = store.stored(SCOPE, ["counter"])["counter"].entry
    assert entry is not None
    assert entry.value.text == str(total)
    assert [version.number for version in store.versions(limit=total + 1)] == list(range(total + 1, 0, -1))
    report = store.verify_audit()
    assert (report.ok, report.records) == (True, total + 1)


def test_optimistic_writers_are_told_when_they_are_late(store: Store) -> None:
    commit(store, change("counter", "0"))

    def once(_: int) -> int:
        for late in itertools.count():
            now = store.stored(SCOPE, ["counter"])["counter"]
            assert now.entry is not None
            counted = [change("counter", str(int(now.entry.value.text) + 1))]
            expect = {"counter": now.version}
            with contextlib.suppress(StalePlan), store.transaction() as transaction:
                transaction.commit(SCOPE, counted, origin="hand", reason="", who="tester", expect=expect)
                return late
        raise AssertionError

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(once, range(40)))
    entry = store.stored(SCOPE, ["counter"])["counter"].entry
    assert entry is not None
    assert entry.value.text == "40"


def test_threads_of_one_store_take_turns(store: Store) -> None:
    def add(number: int) -> int:
        return commit(store, change(f"key{number}", "x"))

    with ThreadPoolExecutor(8) as pool:
        numbers = sorted(pool.map(add, range(100)))
    assert numbers == list(range(1, 101))


@pytest.mark.parametrize("acknowledged", [1, 7, 40])
def test_a_killed_process_loses_no_acknowledged_commit_and_leaves_no_half_one(
    url: str, store: Store, acknowledged: int
) -> None:
    process = started(COMMIT_FOR_EVER, url)
    assert process.stdout is not None
    for _ in range(acknowledged):
        last = int(process.stdout.readline())
    process.kill()
    rest = process.stdout.read().split("\n")[:-1]
    process.wait()
    last = int(rest[-1]) if rest else last

    head = store.head()
    assert head in (last, last + 1)
    rows = store.at(SCOPE, head)
    assert {row.version for row in rows.values()} == {head}
    assert len(rows) == 20
    assert store.verify_audit().ok
    assert commit(store, change("key0", "on")) == head + 1
    assert len(store.history(SCOPE, Key("key0"))) == min(50, head + 1)


def test_a_store_outlives_a_restart_of_its_server(postgresql: PostgresqlServer) -> None:
    url = postgresql.create_database("restarted")
    with Store.create(url, fingerprint_key=KEY) as store:
        commit(store, change("a", "1"))
        postgresql.restart()
        assert store.head() == 1
        assert commit(store, change("a", "2")) == 2
