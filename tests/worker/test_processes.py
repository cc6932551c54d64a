"""Workers as processes: shared, killed, frozen, stopped."""

from __future__ import annotations

import signal

from ecs_sync.store import Run, RunState
from tests.worker.house import CANARY, House, until


def runs(house: House, job: str) -> list[Run]:
    """The runs of a job, oldest first."""
    with house.bench() as bench:
        return bench.store.runs(job, 1000)[::-1]


def test_two_workers_on_one_store_run_no_slot_twice(house: House) -> None:
    house.configure({name: {"every": "1s"} for name in ("a", "b")})
    for name in ("a", "b"):
        house.write(name, 3)
    workers = [house.worker(), house.worker()]
    until(lambda: all(len(runs(house, name)) >= 4 for name in ("a", "b")), "four runs of each job")
    assert [worker.stop() for worker in workers] == [0, 0]
    started = [said["run"] for worker in workers for said in worker.heard("run_started")]
    assert len(started) == len(set(started))
    for name in ("a", "b"):
        slots = [run.reason for run in runs(house, name)]
        assert len(slots) == len(set(slots)) and all(slot.startswith("due ") for slot in slots)
        assert {run.state for run in runs(house, name)} <= {RunState.DONE, RunState.WAITING}
        assert house.copied(name) == 3


def test_what_a_killed_worker_left_open_is_finished_by_the_next_at_once(house: House) -> None:
    house.configure({"job": {"every": "1h"}})
    house.write("job", 5)
    killed = house.worker(stop=("sent", "hold"))
    house.held()
    killed.signal(signal.SIGKILL)
    killed.ended()
    assert house.open_intents("job")
    worker = house.worker()
    worker.say("run_finished", exit=0, recovered=5)
    assert worker.stop() == 0
    assert [run.state for run in runs(house, "job")] == [RunState.LOST, RunState.DONE]
    assert house.open_intents("job") == [] and house.copied("job") == 5


def test_a_worker_that_was_frozen_longer_than_its_lease_writes_nothing_more(house: House) -> None:
    house.configure({"job": {"every": "1h"}}, lease="2s")
    house.write("job", 5)
    frozen = house.worker(stop=("recorded", "freeze"))
    house.held()
    other = house.worker()
    other.say("run_lost")
    other.say("run_finished", exit=0)
    assert house.copied("job") == 5
    written = house.writes
    frozen.signal(signal.SIGCONT)
    frozen.say("run_fenced")
    assert frozen.stop() == 0 and other.stop() == 0
    assert house.writes == written
    assert [run.state for run in runs(house, "job")] == [RunState.LOST, RunState.DONE]


def test_a_stop_lets_the_group_of_writes_end_and_the_next_worker_does_the_rest(house: House) -> None:
    house.configure({"job": {"every": "1h"}})
    house.write("job", 1100)
    worker = house.worker(stop=("sent", "hold"))
    house.held()
    worker.signal(signal.SIGTERM)
    worker.say("worker_stopping")
    house.mark.unlink()
    assert worker.ended() == 0
    assert worker.heard("worker_stopped", clean=True)
    assert 0 < house.copied("job") < 1100
    assert house.open_intents("job") == []
    assert [(run.state, run.exit_code) for run in runs(house, "job")] == [
        (RunState.DONE, 4),
        (RunState.WAITING, None),
    ]
    assert house.once() == 0 and house.copied("job") == 1100


def test_a_second_signal_ends_at_once_and_the_next_worker_recovers(house: House) -> None:
    house.configure({"job": {"every": "1h"}})
    house.write("job", 5)
    worker = house.worker(stop=("sent", "hold"))
    house.held()
    worker.signal(signal.SIGINT)
    worker.say("worker_stopping")
    worker.signal(signal.SIGINT)
    assert worker.ended() == 130
    assert house.once() == 0 and house.open_intents("job") == []


def test_runs_that_do_not_end_in_the_grace_time_are_left_to_the_next_worker(house: House) -> None:
    house.configure({"job": {"every": "1h"}})
    house.write("job", 5)
    worker = house.worker("--grace", "0.1", stop=("observed", "hold"))
    house.held()
    worker.signal(signal.SIGTERM)
    assert worker.ended() == 130
    assert worker.heard("worker_stopped", clean=False)


def test_a_mistake_in_one_job_is_said_without_a_value_and_stops_no_other(house: House) -> None:
    house.configure({"broken": {"every": "1h"}, "fine": {"cron": "* * * * *"}, "hourly": {"every": "1h"}})
    for name in ("broken", "fine", "hourly"):
        house.write(name, 2)
    worker = house.worker("--once", "--now", stop=("observed", "break"))
    assert worker.ended() == 1
    failed = worker.heard("run_failed")
    assert [said["reason"].split(" in ")[0] for said in failed] == ["unexpected RuntimeError"]
    assert len(worker.heard("run_finished", exit=0)) == 2
    assert worker.heard("library_spoke", logger="some.sdk")
    assert CANARY not in worker.text
    assert house.once("--now") == 0 and [house.copied(name) for name in ("broken", "fine", "hourly")] == [
        2,
        2,
        2,
    ]
