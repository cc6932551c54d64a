"""When jobs are due: no slot is lost, doubled, or ever in the past."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_sync.errors import ConfigError
from ecs_sync.worker.timetable import (
    Cron,
    Every,
    Move,
    Nothing,
    Rhythm,
    Run,
    decide,
    local_zone,
    offset_of,
    stale_from,
)

BERLIN = ZoneInfo("Europe/Berlin")
SPRING = datetime(2026, 3, 28, 20, tzinfo=UTC)
AUTUMN = datetime(2026, 10, 24, 20, tzinfo=UTC)

LINES = [
    "* * * * *",
    "*/7 * * * *",
    "30 2 * * *",
    "*/20 2 * * *",
    "0 3 * * *",
    "15,45 1-3 * * *",
    "0 0 * * 0",
    "5 */2 * * *",
]
crons = st.builds(Cron, st.sampled_from(LINES), st.sampled_from([UTC, BERLIN, ZoneInfo("America/St_Johns")]))
everies = st.builds(Every, st.timedeltas(timedelta(seconds=1), timedelta(days=2)))
rhythms = st.one_of(crons, everies)
steps = st.lists(st.timedeltas(timedelta(milliseconds=1), timedelta(hours=3)), min_size=1, max_size=40)
moments = st.one_of(
    st.builds(
        lambda night, later: night + later,
        st.sampled_from([SPRING, AUTUMN]),
        st.timedeltas(timedelta(0), timedelta(hours=10)),
    ),
    st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),
)


@given(rhythms, moments)
def test_the_next_slot_is_always_later(rhythm: Rhythm, now: datetime) -> None:
    slot = rhythm.after(now)
    assert slot is not None and slot > now


@given(rhythms, moments, steps)
def test_each_slot_is_run_once_and_slots_only_rise(
    rhythm: Rhythm, now: datetime, later: list[timedelta]
) -> None:
    due: datetime | None = None
    taken: list[datetime] = []
    for step in later:
        now += step
        match decide(rhythm, due, now):
            case Nothing():
                assert due is not None and due > now
            case Move(to):
                assert to is not None and to > now
                due = to
            case Run(slot, then):
                assert slot <= now and then is not None and then > now
                taken.append(slot)
                due = then
        assert isinstance(decide(rhythm, due, now), Nothing)
    assert taken == sorted(set(taken))
    if isinstance(rhythm, Every):
        assert all((slot - taken[0]) % rhythm.interval == timedelta(0) for slot in taken)


@given(crons, moments, st.timedeltas(timedelta(seconds=1), timedelta(days=3)))
def test_of_all_slots_that_were_missed_one_is_made_up_for(
    cron: Cron, began: datetime, down: timedelta
) -> None:
    due = cron.after(began)
    assert due is not None
    now = due + down
    decided = decide(cron, due, now)
    assert decided == Run(due, cron.after(now))


@given(moments)
def test_every_quarter_of_an_hour_goes_by_real_time_through_any_night(now: datetime) -> None:
    cron, seen = Cron("*/15 * * * *", BERLIN), []
    for _ in range(20):
        now = cron.after(now)  # type: ignore[assignment]
        seen.append(now)
    gaps = {after - before for before, after in pairwise(seen)}
    assert gaps == {timedelta(minutes=15)}


@pytest.mark.parametrize(
    ("night", "slots"),
    [(SPRING, ["2026-03-29T01:00", "2026-03-30T00:30"]), (AUTUMN, ["2026-10-25T00:30", "2026-10-26T01:30"])],
)
def test_half_past_two_comes_once_in_a_night_of_daylight_saving(night: datetime, slots: list[str]) -> None:
    cron, at, found = Cron("30 2 * * *", BERLIN), night, []
    for _ in slots:
        at = cron.after(at)  # type: ignore[assignment]
        found.append(at.isoformat(timespec="minutes").removesuffix("+00:00"))
    assert found == slots


def test_sunday_is_sunday() -> None:
    for line in ("0 0 * * 0", "0 0 * * 7", "0 0 * * sun"):
        slot = Cron(line, UTC).after(datetime(2026, 11, 18, tzinfo=UTC))
        assert slot == datetime(2026, 11, 22, tzinfo=UTC)


def test_a_stored_time_of_another_schedule_is_not_kept() -> None:
    now = datetime(2026, 11, 18, 12, 0, 30, tzinfo=UTC)
    nightly, hourly = Cron("0 3 * * *", UTC), Cron("0 * * * *", UTC)
    tonight = datetime(2026, 11, 19, 3, tzinfo=UTC)
    noon, one = datetime(2026, 11, 18, 12, tzinfo=UTC), datetime(2026, 11, 18, 13, tzinfo=UTC)
    assert decide(nightly, one, now) == Move(tonight)
    assert decide(nightly, noon, now) == Move(tonight)
    assert decide(hourly, tonight, now) == Move(one)
    assert decide(Every(timedelta(minutes=5)), tonight, now) == Move(now + timedelta(minutes=5))


def test_a_slot_may_be_years_away() -> None:
    leap = Cron("0 0 29 2 *", UTC)
    assert leap.after(datetime(2026, 1, 1, tzinfo=UTC)) == datetime(2028, 2, 29, tzinfo=UTC)


@given(moments, st.timedeltas(timedelta(0), timedelta(hours=1)))
def test_jitter_stays_in_its_bounds_and_is_the_same_in_every_worker(
    slot: datetime, spread: timedelta
) -> None:
    offsets = [offset_of(f"job-{number}", slot, spread) for number in range(20)]
    assert offsets == [offset_of(f"job-{number}", slot, spread) for number in range(20)]
    assert all(timedelta(0) <= offset <= spread for offset in offsets)
    if spread > timedelta(minutes=1):
        assert len(set(offsets)) > 10


def test_a_slot_waits_for_its_jitter_and_keeps_its_rhythm() -> None:
    due, every = datetime(2026, 11, 18, 12, tzinfo=UTC), Every(timedelta(minutes=5))
    late = timedelta(seconds=20)
    assert decide(every, due, due + timedelta(seconds=19), late) == Nothing()
    assert decide(every, due, due + late, late) == Run(due, due + every.interval)


def test_a_job_is_stale_at_its_third_slot() -> None:
    friday = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
    assert stale_from(Cron("0 9 * * 1-5", UTC), friday) == datetime(2026, 11, 25, 9, tzinfo=UTC)
    assert stale_from(Every(timedelta(minutes=5)), friday) == friday + timedelta(minutes=15)


def test_the_zone_is_that_of_the_environment_then_of_the_machine_then_utc(tmp_path: Path) -> None:
    assert local_zone({"TZ": "Europe/Berlin"}) == BERLIN
    assert local_zone({"TZ": ":Europe/Berlin"}) == BERLIN
    for wrong in ("Europe/Nowhere", "../../etc/passwd", "/etc/localtime"):
        with pytest.raises(ConfigError, match="TZ names no time zone"):
            local_zone({"TZ": wrong})
    assert local_zone({}, tmp_path / "absent") == UTC
    clock = tmp_path / "zoneinfo" / "Europe" / "Berlin"
    zone: tzinfo = local_zone({}, _berlin(clock))
    assert str(zone) == "Europe/Berlin"
    assert datetime(2026, 7, 1, tzinfo=zone).utcoffset() == timedelta(hours=2)


def _berlin(file: Path) -> Path:
    from importlib.resources import files
    from zoneinfo import TZPATH

    file.parent.mkdir(parents=True)
    for folder in map(Path, TZPATH):
        if (folder / "Europe" / "Berlin").exists():
            file.write_bytes((folder / "Europe" / "Berlin").read_bytes())
            return file
    file.write_bytes(files("tzdata.zoneinfo.Europe").joinpath("Berlin").read_bytes())
    return file
