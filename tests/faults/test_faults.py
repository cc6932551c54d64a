"""Whole runs while something goes wrong: nothing is lost, nothing happens twice, and the end is in step.

A row's tests share its stand-in and its job, which each of them leaves in step.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ecs_sync.errors import Throttled
from tests.faults.rows import ROWS, Row
from tests.faults.trial import ATTEMPTS, Trial, trial_of

# What is bounded ends far sooner: this is for what is not.
pytestmark = pytest.mark.timeout(120)

ERROR = 1
HOUR = 3600
WAITS = pytest.mark.parametrize("wait", [1, None, HOUR], ids=["a second", "as it likes", "an hour"])
WRITES = pytest.mark.parametrize("call", ["create", "update", "delete"])


@pytest.fixture(scope="module", params=list(ROWS.values()), ids=list(ROWS))
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    row: Row = request.param
    with trial_of(row, tmp_path_factory.mktemp("faults")) as trial:
        yield trial


@pytest.fixture
def trial(shared: Trial, request: pytest.FixtureRequest) -> Trial:
    call = request.node.callspec.params.get("call", "")
    if reason := shared.row.never.get(call):
        pytest.skip(reason)
    return shared


def wanted(trial: Trial, call: str) -> None:
    """The file asks for something that takes this call."""
    match call:
        case "update":
            trial.want(two=trial.fresh())
        case "delete":
            name = trial.fresh()
            trial.want(**{name: "short-lived"})
            trial.ends_in_step()
            trial.want(**{name: None})
        case _:
            trial.want(**{trial.fresh(): "made"})


# -- writes


@WRITES
def test_a_write_whose_answer_is_lost_happens_once_and_is_no_conflict(trial: Trial, call: str) -> None:
    wanted(trial, call)
    before = trial.door.count(call)
    trial.door.lose(call)
    trial.run()
    trial.ends_in_step()
    assert trial.door.count(call) == before + 1


@WAITS
def test_a_throttled_write_is_sent_again_in_bounded_time(trial: Trial, wait: int | None) -> None:
    wanted(trial, "update")
    before = trial.door.count("update")
    trial.door.throttle("update", wait)
    assert trial.run().exit_code == 0
    trial.ends_in_step()
    assert trial.door.count("update") == before + 2


@pytest.mark.parametrize("call", ["create", "delete"])
def test_what_is_made_or_deleted_too_fast_is_sent_again(trial: Trial, call: str) -> None:
    wanted(trial, call)
    before = trial.door.count(call)
    trial.door.throttle(call, HOUR)
    assert trial.run().exit_code == 0
    trial.ends_in_step()
    assert trial.door.count(call) == before + 2


def test_a_write_with_an_expired_token_is_left_to_the_next_run(trial: Trial) -> None:
    wanted(trial, "update")
    before = trial.door.count("update")
    trial.door.refuse("update")
    assert trial.run().exit_code != 0
    trial.ends_in_step()
    assert trial.door.count("update") == before + 2


def test_a_write_that_is_not_answered_ends_in_bounded_time(trial: Trial) -> None:
    wanted(trial, "update")
    trial.door.hang("update", times=1)
    with trial.impatient():
        trial.run()
    trial.door.release()
    trial.run()
    trial.ends_in_step()


# -- listings


def test_a_throttled_listing_is_asked_again_in_bounded_time(trial: Trial) -> None:
    wanted(trial, "create")
    trial.door.throttle("list", HOUR)
    report = trial.run()
    assert (report.exit_code, len(report.applied)) == (0, 2)
    trial.ends_in_step()


@pytest.mark.parametrize("call", ["middle"])
def test_a_listing_that_is_throttled_on_its_way_goes_on(trial: Trial, call: str) -> None:
    wanted(trial, "create")
    trial.door.throttle(call, HOUR)
    report = trial.run()
    assert (report.exit_code, len(report.applied)) == (0, 2)
    trial.ends_in_step()


@pytest.mark.parametrize("call", ["middle"])
def test_a_listing_that_went_on_shows_every_item_once_and_counts_every_call(trial: Trial, call: str) -> None:
    with trial.adapter() as (adapter, place):
        whole = [item.id for page in adapter.list(place, None).pages for item in page.items]
        trial.door.throttle(call, None)
        before = trial.door.asked()
        listing = adapter.list(place, None)
        pages = list(listing.pages)
    assert [type(page.failed) for page in pages if page.failed is not None] == [Throttled]
    assert sorted(item.id for page in pages for item in page.items) == sorted(whole)
    assert pages[-1].proof is not None
    assert listing.calls + sum(page.calls for page in pages) == trial.door.asked() - before


@pytest.mark.parametrize("call", ["middle"])
def test_a_listing_that_fails_on_its_way_goes_on_and_shows_every_item_once(trial: Trial, call: str) -> None:
    wanted(trial, "create")
    trial.door.fail(call, times=1)
    report = trial.run()
    assert (report.exit_code, len(report.applied)) == (0, 2)
    trial.ends_in_step()


@pytest.mark.parametrize("call", ["list", "middle"])
def test_where_a_listing_cannot_be_had_nothing_is_taken_for_deleted(trial: Trial, call: str) -> None:
    trial.door.fail(call, times=ATTEMPTS)
    report = trial.run()
    assert (report.exit_code, report.applied) == (ERROR, ())
    trial.ends_in_step()


def test_where_a_listing_is_denied_for_an_expired_token_nothing_is_lost(trial: Trial) -> None:
    trial.door.refuse("list")
    report = trial.run()
    assert (report.exit_code, report.applied) == (ERROR, ())
    trial.ends_in_step()


@pytest.mark.parametrize("call", ["next page"])
def test_a_listing_whose_next_page_is_forgotten_proves_nothing(trial: Trial, call: str) -> None:
    trial.door.forget()
    report = trial.run()
    assert (report.exit_code, report.applied) == (ERROR, ())
    trial.ends_in_step()


def test_a_listing_that_is_not_answered_ends_in_bounded_time(trial: Trial) -> None:
    trial.door.hang("list", times=ATTEMPTS)
    with trial.impatient():
        report = trial.run()
    trial.door.release()
    assert (report.exit_code, report.applied) == (ERROR, ())
    trial.ends_in_step()
