"""What a worker decides on what the store says, and what it tells of itself."""

from __future__ import annotations

import io
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ecs_sync import sync
from ecs_sync.errors import RunTaken
from ecs_sync.store import RunState
from ecs_sync.worker.carrier import LocalCarrier
from ecs_sync.worker.daemon import PERIOD
from ecs_sync.worker.desk import Desk
from ecs_sync.worker.execute import execute
from ecs_sync.worker.health import answering
from ecs_sync.worker.logs import open_log
from ecs_sync.worker.planner import Planner
from tests.worker.house import CANARY, House, until

NOON = datetime(2026, 11, 18, 12, tzinfo=UTC)


class Office:
    """A worker whose clock the test turns. ``said`` is its log."""

    def __init__(self, house: House, stack: ExitStack) -> None:
        self._said = io.StringIO()
        bench = stack.enter_context(house.bench())
        self.desk = Desk.of(bench, "tester", open_log(self._said), PERIOD)
        self.sent: list[str] = []
        self.planner = Planner.of(self.desk, self.sent.append, UTC)

    @property
    def said(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._said.getvalue().splitlines()]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def test_a_restart_neither_loses_nor_doubles_a_slot(house: House, stack: ExitStack) -> None:
    house.configure({"job": {"cron": "*/5 * * * *"}})
    for minutes, expected in [(1, 0), (4, 0), (5, 1), (5, 1), (6, 1)]:
        office = Office(house, stack)
        office.planner.slots(NOON + timedelta(minutes=minutes))
        assert len(office.desk.schedule.waiting()) == expected
    assert office.desk.schedule.due("job") == NOON + timedelta(minutes=10)


def test_slots_that_passed_while_no_worker_ran_become_one_run(house: House, stack: ExitStack) -> None:
    house.configure({"job": {"every": "5m"}})
    office = Office(house, stack)
    office.planner.slots(NOON)
    office.planner.slots(NOON + timedelta(hours=7, minutes=2))
    assert [run.job for run in office.desk.schedule.waiting()] == ["job"]
    assert office.desk.schedule.due("job") == NOON + timedelta(hours=7, minutes=5)


def test_of_workers_that_see_one_slot_one_gets_it(house: House, stack: ExitStack) -> None:
    house.configure({"job": {"every": "5m"}})
    offices = [Office(house, stack) for _ in range(4)]
    for at in (NOON, NOON + timedelta(minutes=5)):
        threads = [threading.Thread(target=office.planner.slots, args=(at,)) for office in offices]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        schedule = offices[0].desk.schedule
        (run,) = schedule.waiting()
        assert schedule.due("job") == at + timedelta(minutes=5)
        assert schedule.close(run.id, 0, "{}")


def test_a_waiting_run_is_sent_once_and_paused_or_unknown_jobs_stay(house: House, stack: ExitStack) -> None:
    house.configure({"job": {"every": "5m"}, "off": {"every": "5m", "paused": True}})
    office = Office(house, stack)
    for job in ("off", "unknown"):
        office.desk.schedule.enqueue(job, "sync", "tester", "")
    office.planner.slots(NOON)
    office.planner.send()
    office.planner.send()
    assert len(office.sent) == 1
    execute(office.desk, office.sent[0])
    assert [run.job for run in office.desk.schedule.waiting()] == ["off", "unknown"]


def test_a_run_that_is_done_is_never_run_again(house: House, stack: ExitStack) -> None:
    house.configure({"job": {"every": "5m"}})
    house.write("job", 2)
    office = Office(house, stack)
    id = office.desk.schedule.enqueue("job", "sync", "tester", "")
    execute(office.desk, id)
    written = house.writes
    done = office.desk.bench.store.run(id)
    assert written and done is not None and done.state is RunState.DONE
    execute(office.desk, id)
    with pytest.raises(RunTaken):
        sync.run(office.desk.bench.job("job"), office.desk.bench.store, sync.Order("tester", run=id))
    assert office.desk.bench.store.run(id) == done and house.writes == written


def test_a_person_who_runs_the_job_is_waited_for(house: House, stack: ExitStack) -> None:
    house.configure({"job": {"every": "5m"}}, lease="1s")
    house.write("job", 2)
    office = Office(house, stack)
    store = office.desk.bench.store
    id = office.desk.schedule.enqueue("job", "sync", "tester", "")
    lease = store.acquire("job", store.this_process(), ttl=60, wait=0)
    for _ in range(2):
        execute(office.desk, id)
    assert [said["event"] for said in office.said] == ["run_waits"]
    assert office.said[0]["holder"] == store.this_process()
    store.release(lease)

    def sent() -> list[str]:
        office.planner.send()
        return office.sent

    until(sent, "the run being sent again")
    execute(office.desk, id)
    assert house.copied("job") == 2


def test_a_document_that_cannot_be_read_is_an_exit_code_and_its_text_stays_unsaid(
    house: House, stack: ExitStack
) -> None:
    house.configure({"job": {"every": "5m"}})
    house.write("job", 2)
    (house.folder / "places" / "job.json").write_text(f'{{"broken": "{CANARY}"')
    office = Office(house, stack)
    execute(office.desk, office.desk.schedule.enqueue("job", "sync", "tester", ""))
    assert office.said[-1]["event"] == "run_finished" and office.said[-1]["exit"] == 1
    assert CANARY not in json.dumps(office.said)


def test_a_job_that_does_not_come_to_an_end_is_said_to_be_stale_once(house: House, stack: ExitStack) -> None:
    house.configure({"slow": {"every": "5m"}, "fine": {"every": "5m"}})
    office = Office(house, stack)
    began = office.desk.vitals.began
    office.planner.slots(began)
    execute(office.desk, next(run.id for run in office.desk.schedule.waiting() if run.job == "fine"))
    for minutes in (14, 15, 15):
        office.planner.watch(began + timedelta(minutes=minutes))
    stale = [said for said in office.said if said["event"] == "job_stale"]
    assert [(said["job"], said["finished"]) for said in stale] == [("slow", None)]


def asked(port: int, path: str) -> tuple[int, dict[str, Any]]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_health_tells_whether_due_jobs_become_runs_and_how_old_each_is(
    house: House, stack: ExitStack
) -> None:
    house.configure({"job": {"every": "1h"}, "off": {"paused": True}}, health="127.0.0.1:0")
    house.write("job", 2)
    office = Office(house, stack)
    desk = office.desk
    carrier = LocalCarrier(lambda run: execute(desk, run), 2)
    office.planner.submit = carrier.submit
    with answering(desk.bench.config.worker.health, desk, carrier):
        port = office.said[0]["port"]
        assert asked(port, "/health/ready")[0] == 503
        carrier.start(office.planner.tick, PERIOD)
        until(lambda: asked(port, "/health/ready")[1]["jobs"]["job"]["finished"], "the end of a run")
        code, ready = asked(port, "/health/ready")
        assert code == 200 and ready["reasons"] == []
        assert ready["jobs"]["job"]["exit"] == 0 and ready["jobs"]["job"]["age"] >= 0
        assert ready["jobs"]["job"]["due"] and not ready["jobs"]["job"]["stale"]
        assert ready["jobs"]["off"] == {
            "finished": None,
            "age": None,
            "exit": None,
            "due": None,
            "stale": False,
            "paused": True,
        }
        assert asked(port, "/health/else")[0] == 404
        desk.vitals.beaten()
        assert asked(port, "/health/live")[0] == 200
        desk.vitals.beat -= 3 * PERIOD
        assert asked(port, "/health/live")[0] == 503

        desk.bench.store.close()
        (house.folder / "store.db").rename(house.folder / "away.db")
        reasons = until(lambda: asked(port, "/health/ready")[1]["reasons"], "the store's absence")
        assert "cannot be opened" in " ".join(reasons)
        until(
            lambda: any("too long ago" in text for text in asked(port, "/health/ready")[1]["reasons"]),
            "no tick",
        )
        (house.folder / "away.db").rename(house.folder / "store.db")
        until(lambda: asked(port, "/health/ready")[0] == 200, "the store's return")
        assert [said["event"] for said in office.said if "tick" in said["event"]] == [
            "tick_failed",
            "tick_recovered",
        ]

        desk.stopping.set()
        assert asked(port, "/health/ready")[1]["reasons"] == ["the worker is stopping"]
        assert carrier.stop(10)
    assert CANARY not in json.dumps(office.said)
