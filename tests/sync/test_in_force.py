"""What a provider takes and does not serve yet is said; and readers are told once, when all is written."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from ecs_sync import carry, sync
from ecs_sync.errors import StoreError, Unacknowledged, Unavailable
from ecs_sync.faults import Point, attach, detach
from ecs_sync.policy import Mode
from ecs_sync.render.output import Format, write
from ecs_sync.render.planned import Showing
from ecs_sync.render.ran import report_page, report_shown
from ecs_sync.report import Exit, Report
from tests.sync.house import House, LinkSpec, open_house
from tests.worker.house import PATIENCE, until

SAYS = "deployment 7: 40 %"


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = open_house(tmp_path, LinkSpec("a", Mode.MIRROR, options={"finishes": True}))
    house.set(x="1", y="1")
    return house


def told(house: House, report: Report) -> str:
    showing = Showing("ecs-sync", house.store.fingerprinter.of)
    shown = report_shown(report, showing)
    return write(shown, report_page(shown, showing), Format.TEXT, lambda text, _: text)


def test_what_is_written_and_not_in_force_is_said_and_is_not_done(house: House) -> None:
    house.place("a").settling["app/x"] = SAYS
    report = house.run()
    assert report.exit_code is Exit.PARTLY and report.settling == (("a", "app/x", SAYS),)
    assert SAYS in told(house, report)
    later = house.plan()
    assert later.empty and later.links[0].settling == (("app/x", SAYS),)
    house.place("a").settling.clear()
    assert house.run().exit_code is Exit.DONE


def test_a_link_that_waits_is_done_when_all_is_in_force(house: House) -> None:
    house.place("a").settling["app/x"] = SAYS
    house.settle = 30.0
    looks = iter(range(3))

    def settle(link: str, adapter: object) -> object:
        return _Counting(adapter, lambda: next(looks, None) is None and house.place("a").settling.clear())

    house.around = settle  # type: ignore[assignment]
    report = house.run()
    assert report.exit_code is Exit.DONE and report.settling == ()


class _Counting:
    def __init__(self, adapter: object, asked: object) -> None:
        self._adapter, self._asked = adapter, asked

    def __getattr__(self, name: str) -> object:
        return getattr(self._adapter, name)

    def get(self, ids: object) -> object:
        self._asked()  # type: ignore[operator]
        return self._adapter.get(ids)  # type: ignore[attr-defined]


def test_a_worker_that_is_stopped_waits_no_longer(house: House) -> None:
    house.place("a").settling["app/x"] = SAYS
    house.settle = 3600.0
    stopped = threading.Event()
    at_point = lambda point: stopped.set() if point is Point.SETTLED else None  # noqa: E731
    attach(at_point)
    try:
        report = house.run(stop=stopped)
    finally:
        detach(at_point)
    assert report.settling


def test_a_stop_in_the_middle_of_the_waiting_ends_it_and_the_next_run_proves_the_rest(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.run()
    house.set(x="2")
    house.place("a").settling["app/x"] = SAYS
    house.settle = 7200.0
    monkeypatch.setattr(carry, "_FIRST_PAUSE", 3600.0)
    monkeypatch.setattr(carry, "_LONGEST_PAUSE", 3600.0)
    stop, reports, asked = threading.Event(), [], []
    calls = house.place("a").calls
    at_point = lambda point: asked.append(calls["get"]) if point is Point.SETTLED else None  # noqa: E731
    attach(at_point)
    try:
        run = threading.Thread(target=lambda: reports.append(house.run(stop=stop)), daemon=True)
        run.start()
        until(lambda: asked and calls["get"] > asked[0], "the first look at what settles")
        stop.set()
        run.join(PATIENCE)
    finally:
        detach(at_point)
    assert [report.settling for report in reports] == [(("a", "app/x", SAYS),)]
    house.settle = 0.0
    assert house.run().exit_code is Exit.PARTLY
    house.place("a").settling.clear()
    done = house.run()
    assert done.exit_code is Exit.DONE and done.plan.empty and house.at("a") == {"x": "2", "y": "1"}


def test_what_was_not_in_force_at_a_stop_and_fell_back_is_written_again(house: House) -> None:
    house.run()
    house.set(x="2")
    house.place("a").settling["app/x"] = SAYS
    house.settle = 3600.0
    stopped = threading.Event()
    at_point = lambda point: stopped.set() if point is Point.SETTLED else None  # noqa: E731
    attach(at_point)
    try:
        house.run(stop=stopped)
    finally:
        detach(at_point)
    house.place("a").settling.clear()
    house.put("a", x="1")
    house.settle = 0.0
    assert house.run().exit_code is Exit.DONE
    assert house.at("a") == {"x": "2", "y": "1"} and house.entries["x"] == "2"


def test_readers_are_told_once_and_last_and_only_where_something_was_written(house: House) -> None:
    report = house.run()
    assert house.place("a").finished == [report.run]
    assert house.run().plan.empty and house.place("a").finished == [report.run]


def test_readers_that_could_not_be_told_are_told_by_the_next_run(house: House) -> None:
    house.place("a").fail_next_write(Unavailable("down"), id="app/")
    report = house.run()
    assert report.exit_code is Exit.PARTLY and [link for link, _ in report.unannounced] == ["a"]
    assert "next run tells" in told(house, report)
    again = house.run()
    assert again.exit_code is Exit.DONE and house.place("a").finished == [again.run]
    assert house.run() and house.place("a").finished == [again.run]


class Died(BaseException):
    """The process died."""


@pytest.mark.parametrize("end", [Died, KeyboardInterrupt, StoreError])
@pytest.mark.parametrize("point", [Point.SENT, Point.SETTLED, Point.PROVED])
def test_readers_are_told_though_the_run_that_wrote_was_cut_short(
    house: House, point: Point, end: type[BaseException]
) -> None:
    def cut_short(reached: Point) -> None:
        if reached is point:
            raise end

    attach(cut_short)
    try:
        with pytest.raises(end):
            house.run()
    finally:
        detach(cut_short)
    assert house.place("a").finished == []
    house.set(x="1")
    report = house.run()
    assert house.place("a").finished == [report.run]


def test_the_calls_that_tell_are_foreseen(house: House) -> None:
    _, cost = sync.priced(house.job, house.store)
    before = house.place("a").calls["write"]
    house.run()
    assert house.place("a").calls["write"] - before == cost.links[0].writes


def test_an_unanswered_word_to_readers_is_said_again(house: House) -> None:
    house.place("a").fail_next_write(Unacknowledged("reset"), id="app/")
    assert house.run().unannounced
    assert house.run().exit_code is Exit.DONE
