"""What a run promises, one situation at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ecs_sync.amend import resolve, rollback, undo
from ecs_sync.errors import ConfigError, Fenced, StoreError, Unacknowledged, Unavailable
from ecs_sync.faults import Point, attach, detach
from ecs_sync.limits import Limits
from ecs_sync.model import Key
from ecs_sync.policy import First, JobPolicy, Mode, Rule, Why
from ecs_sync.report import Exit
from ecs_sync.selection import Selection
from ecs_sync.store import RunState
from ecs_sync.sync import Order
from ecs_sync_adapters.memory_store import Landing
from tests.sync.house import HAND, House, LinkSpec, open_house

Build = Callable[..., House]


@pytest.fixture
def build(tmp_path: Path) -> Build:
    def make(*links: LinkSpec, **settings: object) -> House:
        return open_house(tmp_path, *links, **settings)  # type: ignore[arg-type]

    return make


def test_a_second_run_plans_nothing_and_asks_the_place_once(build: Build) -> None:
    house = build(LinkSpec("a", Mode.MIRROR))
    house.set(timeout=30, retry__max="5")
    first = house.run()
    assert first.exit_code is Exit.DONE
    assert house.at("a") == {"timeout": "30", "retry/max": "5"}
    assert len(first.proved) == 2
    house.run()
    calls = house.place("a").calls.copy()
    second = house.run()
    assert second.plan.empty and second.plan.rebases == ()
    spent = house.place("a").calls - calls
    assert sum(spent.values()) == 1


def test_an_edit_at_a_two_way_place_is_adopted_with_its_type(build: Build) -> None:
    house = build(LinkSpec("a"))
    house.set(timeout=30)
    house.run()
    house.put("a", timeout="45")
    report = house.run()
    assert [str(each.change.key) for each in report.applied] == ["timeout"]
    stored = house.store.stored(house.job.scope, ["timeout"])["timeout"]
    assert stored.entry is not None and stored.entry.value.type == "integer"
    assert house.entries == {"timeout": "45"}


def test_a_mirror_corrects_drift_and_keeps_what_it_replaced(build: Build) -> None:
    house = build(LinkSpec("a", Mode.MIRROR))
    house.set(timeout=30)
    house.run()
    house.put("a", timeout="99")
    house.run()
    assert house.at("a") == {"timeout": "30"}
    kept = [each.entry.value.text for each in house.store.archive(house.job.scope) if each.entry]
    assert "99" in kept


def test_a_delete_travels_and_does_not_come_back(build: Build) -> None:
    house = build(LinkSpec("a"), LinkSpec("b", priority=20))
    house.set(x="1", y="2")
    house.run()
    house.put("a", x=None)
    house.run()
    assert house.entries == {"y": "2"} and house.at("b") == {"y": "2"}
    assert house.run().plan.empty


def test_foreign_items_at_a_mirror_stay_and_are_said(build: Build) -> None:
    house = build(LinkSpec("a", Mode.MIRROR))
    house.set(x="1")
    house.put("a", theirs="2")
    report = house.run()
    assert house.at("a") == {"x": "1", "theirs": "2"}
    assert [(str(hold.key), hold.why) for hold in report.plan.holds] == [("theirs", Why.FOREIGN)]
    assert report.exit_code is Exit.DONE


def test_different_values_at_first_contact_are_held_until_somebody_says(build: Build) -> None:
    house = build(LinkSpec("a", Mode.MIRROR))
    house.set(x="ours")
    house.put("a", x="theirs")
    for _ in range(3):
        assert house.run().exit_code is Exit.CONFLICTS
    assert house.at("a") == {"x": "theirs"} and house.entries == {"x": "ours"}
    house.edit("a", first=First.STORE)
    assert house.run().exit_code is Exit.DONE
    assert house.at("a") == {"x": "ours"}


def test_the_higher_priority_wins_and_the_loser_is_in_the_archive(build: Build) -> None:
    house = build(LinkSpec("a", priority=50), LinkSpec("b", priority=20))
    house.set(x="0")
    house.run()
    house.put("a", x="from a")
    house.put("b", x="from b")
    report = house.run()
    assert house.entries == {"x": "from a"} and house.at("b") == {"x": "from a"}
    assert report.exit_code is Exit.DONE
    kept = [each.entry.value.text for each in house.store.archive(house.job.scope) if each.entry]
    assert "from b" in kept
    assert house.run().plan.empty


def test_a_held_conflict_freezes_only_its_key(build: Build) -> None:
    house = build(LinkSpec("a"), policy=JobPolicy(conflicts=Rule.HOLD))
    house.set(x="0", y="0")
    house.run()
    house.set(x="ours")
    house.put("a", x="theirs", y="1")
    assert house.run().exit_code is Exit.CONFLICTS
    assert house.entries == {"x": "ours", "y": "1"} and house.at("a")["x"] == "theirs"


def test_a_failed_listing_never_deletes(build: Build) -> None:
    house = build(LinkSpec("a"))
    house.set(x="1", y="2", z="3")
    house.run()
    house.place("a").set("app/x", b"moved")
    house.place("a").fail_next_listing(after=0, error=Unavailable("down"))
    report = house.run()
    assert report.exit_code is Exit.ERROR
    assert house.entries == {"x": "1", "y": "2", "z": "3"}


def test_an_emptied_place_never_empties_the_store(build: Build) -> None:
    house = build(LinkSpec("a"), limits=Limits(floor=10))
    house.set(**{f"k{i}": "v" for i in range(5)})
    house.run()
    for i in range(5):
        house.put("a", **{f"k{i}": None})
    report = house.run()
    assert report.exit_code is Exit.STOPPED
    assert len(house.entries) == 5
    assert house.run(allow=report.plan.id).exit_code is Exit.DONE
    assert house.entries == {}


def test_limits_stop_a_run_at_one_too_many(build: Build) -> None:
    house = build(LinkSpec("a", Mode.MIRROR), limits=Limits(deletes=30, changes=50, floor=2))
    house.set(**{f"k{i}": "v" for i in range(10)})
    house.run()
    house.set(**{f"k{i}": None for i in range(3)})
    assert house.run().exit_code is Exit.DONE
    house.set(**{f"k{i}": None for i in range(3, 6)})
    assert house.run().exit_code is Exit.STOPPED
    assert len(house.at("a")) == 7


def test_protected_keys_are_not_overwritten_without_permission(build: Build) -> None:
    house = build(LinkSpec("a", Mode.MIRROR))
    house.protected = (Selection(("db/*",)),)
    house.set(db__url="1", x="1")
    house.run()
    house.set(db__url="2", x="2")
    report = house.run()
    assert report.exit_code is Exit.STOPPED and house.at("a")["x"] == "1"
    house.run(allow=report.plan.id)
    assert house.at("a") == {"db/url": "2", "x": "2"}


@pytest.mark.parametrize("guard", ["A", "B", "C", "D"])
@pytest.mark.parametrize("landing", ["now", "never"])
def test_a_lost_acknowledgement_is_neither_a_conflict_nor_a_second_write(
    build: Build, guard: str, landing: Landing
) -> None:
    house = build(LinkSpec("a", options={"guard": guard}))
    house.set(x="1")
    house.run()
    house.set(x="2")
    house.place("a").fail_next_write(Unacknowledged("reset"), landing)
    house.run()
    report = house.run()
    assert report.exit_code is Exit.DONE and not report.plan.contests
    assert house.at("a") == {"x": "2"} and house.entries == {"x": "2"}
    assert house.run().plan.empty


def test_an_edit_between_look_and_write_is_not_overwritten(build: Build) -> None:
    house = build(LinkSpec("a", Mode.MIRROR))
    house.set(x="1")
    house.run()
    house.set(x="2")
    house.place("a").before_next_write(lambda: house.put("a", x="outside"))
    assert house.run().exit_code is Exit.PARTLY
    assert house.at("a") == {"x": "outside"}


def test_on_class_c_a_value_replaced_unseen_is_in_the_archive(build: Build) -> None:
    house = build(LinkSpec("a", Mode.MIRROR, options={"guard": "C"}))
    house.set(x="1")
    house.run()
    house.set(x="2")
    house.place("a").before_next_write(lambda: house.put("a", x="outside"))
    house.run()
    kept = [each.entry.value.text for each in house.store.archive(house.job.scope) if each.entry]
    assert "outside" in kept and house.at("a") == {"x": "2"}


def test_an_edited_place_never_looks_like_a_mass_deletion(build: Build) -> None:
    house = build(LinkSpec("a"))
    house.set(x="1", y="2")
    house.run()
    house.edit("a", prefix="elsewhere/")
    report = house.run()
    assert house.entries == {"x": "1", "y": "2"}
    assert house.at("a") == {"x": "1", "y": "2"} and house.at("a", "elsewhere/") == {"x": "1", "y": "2"}
    assert report.plan.links[0].left_behind == ("app/x", "app/y")


def test_an_edited_selection_never_deletes(build: Build) -> None:
    house = build(LinkSpec("a"))
    house.set(x="1", y="2")
    house.run()
    house.edit("a", select=Selection((), ("y",)))
    assert house.run().exit_code is Exit.DONE
    assert house.entries == {"x": "1", "y": "2"} and house.at("a") == {"x": "1", "y": "2"}


def test_undo_takes_back_an_adoption_and_the_places_follow(build: Build) -> None:

    house = build(LinkSpec("a"), LinkSpec("b", Mode.MIRROR))
    house.set(x="1")
    house.run()
    house.put("a", x="2")
    run = house.run().run
    assert house.at("b") == {"x": "2"}
    undo(house.job, house.store, Order("tester"), HAND, run)
    house.run()
    assert house.entries == {"x": "1"} and house.at("a") == {"x": "1"} and house.at("b") == {"x": "1"}


def test_resolve_settles_a_held_conflict_for_either_side(build: Build) -> None:

    house = build(LinkSpec("a"), policy=JobPolicy(conflicts=Rule.HOLD))
    house.set(x="0", y="0")
    house.run()
    house.set(x="ours", y="ours")
    house.put("a", x="theirs", y="theirs")
    house.run()
    resolve(house.job, house.store, Order("tester"), HAND, Key("x"), "store")
    resolve(house.job, house.store, Order("tester"), HAND, Key("y"), "a")
    assert house.run().exit_code is Exit.DONE
    assert house.entries == {"x": "ours", "y": "theirs"} == house.at("a")


def test_undo_of_a_first_export_empties_the_place_and_keeps_the_store(build: Build) -> None:
    house = build(LinkSpec("a", Mode.MIRROR))
    house.set(x="1", y="2")
    run = house.run().run
    done = undo(house.job, house.store, Order("tester"), HAND, run)
    assert sorted(str(key) for _, key in done.written) == ["x", "y"]
    assert house.at("a") == {} and house.entries == {"x": "1", "y": "2"}
    for _ in range(2):
        report = house.run()
        assert {hold.why for hold in report.plan.holds} == {Why.UNDONE}
        assert house.at("a") == {} and report.exit_code is Exit.CONFLICTS
    resolve(house.job, house.store, Order("tester"), HAND, Key("x"), "store")
    house.run()
    assert house.at("a") == {"x": "1"}


def test_undo_of_a_pushed_edit_restores_what_the_store_held_before(build: Build) -> None:
    house = build(LinkSpec("a", Mode.MIRROR), LinkSpec("b", Mode.MIRROR))
    house.set(x="1")
    house.run()
    house.set(x="2")
    run = house.run().run
    undo(house.job, house.store, Order("tester"), HAND, run)
    house.run()
    assert house.entries == {"x": "1"} == house.at("a") == house.at("b")


def test_undo_leaves_what_somebody_changed_since(build: Build) -> None:
    house = build(LinkSpec("a"))
    house.set(x="1")
    house.run()
    house.put("a", x="2")
    run = house.run().run
    house.set(x="3")
    done = undo(house.job, house.store, Order("tester"), HAND, run)
    assert [(str(key), why) for key, why in done.left] == [("x", "the store has a newer version")]
    assert house.entries == {"x": "3"}


def test_a_conflict_s_loser_can_be_taken_back(build: Build) -> None:
    house = build(LinkSpec("a", priority=50), LinkSpec("b", priority=20))
    house.set(x="0")
    house.run()
    house.put("a", x="from a")
    house.put("b", x="from b")
    house.run()
    resolve(house.job, house.store, Order("tester"), HAND, Key("x"), "b")
    house.run()
    assert house.entries == {"x": "from b"} == house.at("a") == house.at("b")


def test_rollback_makes_the_scope_what_it_was(build: Build) -> None:
    house = build(LinkSpec("a", Mode.MIRROR))
    house.set(x="1", y="1")
    version = house.store.head()
    house.run()
    house.set(x="2", y=None, z="1")
    house.run()
    rollback(house.job, house.store, Order("tester"), HAND, version)
    house.run()
    assert house.entries == {"x": "1", "y": "1"} == house.at("a")


def test_a_key_held_at_first_contact_stays_so_while_the_other_side_cannot_be_seen(build: Build) -> None:
    house = build(LinkSpec("a"), LinkSpec("b", Mode.IMPORT, priority=10))
    house.put("a", x="from a")
    house.put("b", x="from b")
    assert house.run().exit_code is Exit.CONFLICTS
    house.place("a").set("app/y", b"1")
    house.place("a").fail_next_listing(after=0, error=Unavailable("down"))
    house.run()
    assert house.entries == {}


def test_what_a_mirror_replaces_after_an_adoption_is_shown_and_kept(build: Build) -> None:
    house = build(LinkSpec("a"), LinkSpec("b", Mode.MIRROR, options={"values_in_listing": False}))
    house.set(x="1")
    house.run()
    house.put("a", x="2")
    change = house.plan().pushes("b")[0]
    assert change.before is not None and change.before.value.text == "1"
    report = house.run()
    done = [each for each in house.store.done(report.run) if each.side == "b"]
    kept = house.store.archived(done[0].before or 0)
    assert kept is not None and kept.entry is not None and kept.entry.value.text == "1"


def test_a_loser_at_a_place_that_is_not_written_is_a_conflict_once(build: Build) -> None:
    house = build(LinkSpec("a", priority=50), LinkSpec("b", Mode.IMPORT, priority=10))
    house.put("b", x="0")
    house.run()
    house.put("a", x="from a")
    house.put("b", x="from b")
    assert len(house.run().plan.contests) == 1
    again = house.run()
    assert again.plan.contests == () and again.exit_code is Exit.DONE
    assert [(hold.link, hold.why) for hold in again.plan.holds] == [("b", Why.LOST)]


def test_a_secret_that_the_store_may_not_keep_reaches_no_other_place_either(build: Build) -> None:
    vault = {"holds_secrets": True}
    house = build(LinkSpec("a", options=vault), LinkSpec("b", Mode.MIRROR, options=vault))
    house.put("a", plain="1")
    house.place("a").set("app/password", b"canary-7d1f", secret=True)
    report = house.run()
    assert [(hold.link, hold.why) for hold in report.plan.holds] == [("a", Why.UNSAYABLE)]
    assert house.at("b") == {"plain": "1"} and house.entries == {"plain": "1"}


def test_a_conflict_that_is_held_is_recorded_once_however_often_it_is_met(build: Build) -> None:
    house = build(LinkSpec("a"), policy=JobPolicy(conflicts=Rule.HOLD))
    house.set(x="0")
    house.run()
    for value in ("theirs", "later"):
        house.set(x=f"not {value}")
        house.put("a", x=value)
        house.run()
        recorded = (house.store.all_conflicts(), house.store.archive(house.job.scope))
        for _ in range(2):
            assert house.run().exit_code is Exit.CONFLICTS
        assert recorded == (house.store.all_conflicts(), house.store.archive(house.job.scope))


@pytest.mark.parametrize("first", [First.HOLD, First.STORE, First.PLACE])
def test_what_an_undo_put_back_is_held_whatever_first_contact_says(build: Build, first: First) -> None:
    house = build(LinkSpec("a", Mode.MIRROR, first=First.STORE))
    house.put("a", x="old")
    house.set(x="new")
    run = house.run().run
    assert house.at("a") == {"x": "new"}
    undo(house.job, house.store, Order("tester"), HAND, run)
    house.edit("a", first=first)
    for _ in range(2):
        assert {hold.why for hold in house.run().plan.holds} == {Why.UNDONE}
        assert house.at("a") == {"x": "old"} and house.entries == {"x": "new"}
    resolve(house.job, house.store, Order("tester"), HAND, Key("x"), "store")
    house.run()
    assert house.at("a") == {"x": "new"}


def test_a_first_contact_that_waits_for_a_side_that_cannot_be_seen_is_no_conflict(tmp_path: Path) -> None:
    house = open_house(tmp_path, LinkSpec("a"), LinkSpec("b", priority=20))
    house.put("a", x="1")
    house.place("b").fail_next_listing(0, Unavailable("down"))
    report = house.run()
    (hold,) = report.plan.holds
    assert hold.why is Why.UNHEARD and report.plan.conflicts == ()
    assert report.exit_code is Exit.ERROR and house.entries == {}
    assert house.run().exit_code is Exit.DONE and house.at("b") == {"x": "1"}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyboardInterrupt(), Exit.INTERRUPTED),
        (StoreError("the disk is full"), Exit.ERROR),
        (ConfigError("no such key"), Exit.CONFIGURATION),
        (RuntimeError("canary-of-a-value"), Exit.ERROR),
    ],
)
def test_a_run_that_is_cut_short_is_on_record_as_ended_at_once(
    build: Build, error: BaseException, code: Exit
) -> None:
    house = build(LinkSpec("a", Mode.MIRROR))
    house.set(x="1")
    with pytest.raises(type(error)) as raised, reaching(Point.SENT, error):
        house.run()
    assert raised.value is error
    run = house.store.runs("job")[0]
    assert (run.state, run.exit_code) == (RunState.DONE, code)
    assert "error" in run.summary and "canary" not in run.summary
    assert house.run().exit_code is Exit.DONE and house.at("a") == {"x": "1"}


def test_a_run_that_lost_its_lease_writes_nothing_more_on_record(build: Build) -> None:
    house = build(LinkSpec("a", Mode.MIRROR))
    house.set(x="1")
    with pytest.raises(Fenced), reaching(Point.SENT, Fenced("lost")):
        house.run()
    assert house.store.runs("job")[0].state is RunState.RUNNING


@contextmanager
def reaching(point: Point, error: BaseException) -> Iterator[None]:
    """Raises this at the point."""

    def hook(reached: Point) -> None:
        if reached is point:
            raise error

    attach(hook)
    try:
        yield
    finally:
        detach(hook)
