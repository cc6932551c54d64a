"""``worker --once``, by a timer that is somebody else's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ecs_sync.cli.app import run
from tests.worker.house import CANARY, House


def test_once_runs_what_is_due_and_nothing_twice(house: House) -> None:
    house.configure(
        {"due": {"every": "1h"}, "later": {"cron": "0 0 1 1 *"}, "hand": {}, "off": {"paused": True}}
    )
    for name in ("due", "later", "hand", "off"):
        house.write(name, 2)
    assert house.once() == 0
    assert [house.copied(name) for name in ("due", "later", "hand", "off")] == [2, 0, 0, 0]
    assert house.once() == 0
    with house.bench() as bench:
        assert len(bench.store.runs()) == 1
    assert house.once("--now") == 0
    assert [house.copied(name) for name in ("due", "later", "hand", "off")] == [2, 2, 2, 0]


def test_once_exits_with_the_code_of_what_ran(house: House) -> None:
    limits = {"changes": "10%", "deletes": "10%", "floor": 1}
    house.configure({"stopped": {"limits": limits}, "fine": {}})
    house.write("stopped", 20)
    house.write("fine", 2)
    house.once("--now")
    house.write("stopped", 20, f"moved {CANARY}")
    assert house.once("--now") == 3
    assert house.heard("run_finished", job="stopped", exit=3)
    assert house.heard("run_finished", job="fine", exit=0)


def test_a_connection_that_lacks_its_secret_fails_its_own_job_only(house: House) -> None:
    house.configure({"locked": {"links": House.links("locked", "locked")}, "fine": {}})
    house.write("locked", 1)
    house.write("fine", 1)
    assert house.once("--now") == 78
    assert "ECS_SYNC_TEST_ABSENT" in house.heard("run_failed", job="locked")[0]["reason"]
    assert house.heard("run_finished", job="fine", exit=0)
    with house.bench() as bench:
        assert [run.exit_code for run in bench.store.runs("locked")] == [78]
        assert "ECS_SYNC_TEST_ABSENT" in bench.store.runs("locked")[0].summary


def test_what_is_wrong_in_the_file_or_on_the_line_is_said_before_anything_runs(house: House) -> None:
    house.configure({"job": {}})
    assert run(["-c", str(house.folder / "ecs-sync.yaml"), "worker", "--now"]) == 64
    house.configure({"job": {"cron": "61 * * * *"}})
    assert house.once() == 78
    assert "jobs.job.cron" in house.said


def test_an_unknown_time_zone_is_refused(house: House, monkeypatch: Any) -> None:
    house.configure({"job": {"cron": "0 2 * * *"}})
    monkeypatch.setenv("TZ", "Europe/Nowhere")
    assert house.once() == 78


def test_nothing_is_left_behind_beside_the_configuration(house: House) -> None:
    house.configure({"job": {"every": "1h"}})
    house.write("job", 1)
    assert house.once() == 0
    assert {path.name for path in Path(house.folder).iterdir()} <= {
        "ecs-sync.yaml",
        "places",
        "store.db",
        "store.db.key",
        "store.db-wal",
        "store.db-shm",
    }
