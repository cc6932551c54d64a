"""Writes of ours that nobody answered, and what becomes of them: each landing is known as ours, once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from ecs_sync.adapter import Adapter, Delete, ItemId, Listing, Outcome, Page, Revision, Write
from ecs_sync.errors import Unacknowledged, Unavailable
from ecs_sync.faults import Point, attach, detach
from ecs_sync.policy import Mode, Why
from ecs_sync.protocol import Result
from ecs_sync.report import Exit
from ecs_sync.selection import Selection
from ecs_sync.store import Intent, OwnWrite
from tests.sync.house import SCOPE, House, LinkSpec, open_house


def owned(house: House) -> list[OwnWrite]:
    return [own for track in house.store.tracks("job") for own in house.store.own_writes(track.id)]


def intents(house: House) -> list[Intent]:
    return [one for track in house.store.tracks("job") for one in house.store.intents(track.id)]


def kept(house: House) -> set[str]:
    return {each.entry.value.text for each in house.store.archive(SCOPE) if each.entry}


@contextmanager
def at(point: Point, act: Callable[[], None]) -> Iterator[None]:
    """``act`` happens when the run first reaches the point."""
    left = [act]

    def reached(reached: Point) -> None:
        if reached is point and left:
            left.pop()()

    attach(reached)
    try:
        yield
    finally:
        detach(reached)


def with_a_late_write(tmp_path: Path, guard: str, **options: Any) -> House:
    """x is 2 in the store and still 1 at the place, where a write of 2 is on its way."""
    house = open_house(tmp_path, LinkSpec("a", options={"guard": guard, **options}))
    house.set(x="1")
    house.run()
    house.set(x="2")
    house.place("a").fail_next_write(Unacknowledged("reset"), "late")
    house.run()
    assert len(owned(house)) == 1 and house.at("a") == {"x": "1"}
    return house


@pytest.mark.parametrize("guard", "AB")
def test_a_guarded_write_that_can_land_no_more_is_forgotten(tmp_path: Path, guard: str) -> None:
    house = with_a_late_write(tmp_path, guard)
    house.run()
    assert owned(house) == [] and house.at("a") == {"x": "2"}


def test_a_late_write_that_was_repaired_is_not_mistaken_for_a_later_edit(tmp_path: Path) -> None:
    house = with_a_late_write(tmp_path, "C")
    house.set(x="3")
    house.run()
    house.place("a").land()
    assert house.at("a") == {"x": "2"}
    house.run()
    assert house.at("a") == {"x": "3"} and owned(house) == []
    house.put("a", x="2")
    house.run()
    assert house.entries == {"x": "2"} == house.at("a")


def test_a_late_landing_is_recorded_where_its_key_is_held(tmp_path: Path) -> None:
    house = with_a_late_write(tmp_path, "A")
    house.edit("a", mode=Mode.IMPORT)
    house.set(x="3")
    house.place("a").land()
    for _ in range(3):
        report = house.run()
        assert [hold.why for hold in report.plan.holds] == [Why.MODE]
        assert house.entries == {"x": "3"} and owned(house) == [] and not report.plan.contests


def test_an_edit_over_a_late_landing_is_an_edit_and_no_conflict_where_history_tells(tmp_path: Path) -> None:
    house = with_a_late_write(tmp_path, "A", history=True)
    house.place("a").land()
    house.put("a", x="outside")
    report = house.run()
    assert house.entries == {"x": "outside"} and not report.plan.contests and owned(house) == []


def test_a_late_landing_is_known_as_ours_after_the_link_was_edited(tmp_path: Path) -> None:
    house = with_a_late_write(tmp_path, "A")
    house.edit("a", select=Selection((), ("secret/**",)))
    house.set(x="3")
    house.place("a").land()
    assert not house.run().plan.contests and house.store.all_conflicts() == []
    house.run()
    assert house.entries == {"x": "3"} == house.at("a") and owned(house) == []


def test_of_two_equal_writes_the_landing_of_one_leaves_the_other_open(tmp_path: Path) -> None:
    house = with_a_late_write(tmp_path, "C")
    house.place("a").fail_next_write(Unacknowledged("reset"), "late")
    house.run()
    assert len(owned(house)) == 2
    late = house.place("a")._late
    late.popleft()()
    house.run()
    assert len(owned(house)) == 1
    house.set(x="3")
    house.run()
    late.popleft()()
    house.run()
    assert house.entries == {"x": "3"} == house.at("a") and owned(house) == []


def test_an_outsider_s_value_before_a_late_landing_is_kept(tmp_path: Path) -> None:
    house = with_a_late_write(tmp_path, "C")
    house.put("a", x="outside")
    house.place("a").land()
    house.run()
    assert "outside" in kept(house) and house.entries == {"x": "2"} == house.at("a")
    again = house.store.archive(SCOPE)
    house.run()
    assert house.store.archive(SCOPE) == again


def test_a_delete_that_landed_late_is_nobody_s_edit(tmp_path: Path) -> None:
    house = open_house(tmp_path, LinkSpec("a", options={"guard": "B"}))
    house.set(x="1", y="1")
    house.run()
    house.set(x=None)
    house.place("a").fail_next_write(Unacknowledged("reset"), "late")
    house.run()
    house.set(x="3")
    house.run()
    assert house.at("a") == {"x": "3", "y": "1"}
    house.place("a").land()
    assert house.at("a") == {"y": "1"}
    house.run()
    assert house.entries == {"x": "3", "y": "1"} == house.at("a") and owned(house) == []
    house.put("a", x=None)
    house.run()
    assert house.entries == {"y": "1"}


def test_nothing_is_adopted_from_an_item_whose_last_write_is_still_open(tmp_path: Path) -> None:
    house = open_house(tmp_path, LinkSpec("a"))
    house.set(x="1")
    house.run()
    house.set(x="2")
    place = house.place("a")
    place.fail_next_write(Unacknowledged("reset"), "now")
    with at(Point.SENT, lambda: place.fail_next_get(Unavailable("down"))):
        assert house.run().exit_code is Exit.ERROR
    assert len(intents(house)) == 1
    house.put("a", x="outside")
    place.fail_next_get(Unavailable("down"))
    report = house.run()
    assert house.entries == {"x": "2"} and len(intents(house)) == 1
    assert Result.UNKNOWN in [each.result for each in report.recovered]
    house.run()
    house.run()
    assert intents(house) == [] and "outside" in kept(house) | set(house.entries.values())


def test_an_adoption_that_was_overtaken_is_not_forgotten_with_the_listing_s_token(tmp_path: Path) -> None:
    house = open_house(tmp_path, LinkSpec("a", Mode.IMPORT))
    house.put("a", x="1")
    house.run()
    house.put("a", x="outside")
    with at(Point.PLANNED, lambda: house.set(x="by hand")):
        assert house.run().exit_code is Exit.PARTLY
    house.run()
    assert house.entries == {"x": "by hand"} and "outside" in kept(house)


def test_a_new_key_goes_into_a_document_that_did_not_change(tmp_path: Path) -> None:
    house = open_house(tmp_path, LinkSpec("a", Mode.MIRROR, document=True))
    house.set(x="1")
    house.run()
    house.run()
    house.set(y="2")
    assert house.run().exit_code is Exit.DONE
    assert house.at("a") == {"x": "1", "y": "2"}


@pytest.mark.parametrize("values_in_listing", [True, False])
def test_a_place_that_still_shows_the_past_is_not_believed(tmp_path: Path, values_in_listing: bool) -> None:
    options = {"current": False, "values_in_listing": values_in_listing}
    house = open_house(tmp_path, LinkSpec("a", options=options))
    house.set(x="1", y="1")
    house.run()
    house.set(x="2")
    with house.place("a").stale():
        house.run()
        for _ in range(2):
            report = house.run()
            assert report.plan.unseen and report.exit_code is Exit.ERROR
            assert house.entries == {"x": "2", "y": "1"}
    report = house.run()
    assert report.exit_code is Exit.DONE and house.at("a") == {"x": "2", "y": "1"}
    house.put("a", x="3")
    house.run()
    assert house.entries == {"x": "3", "y": "1"}


class Peculiar:
    """An adapter with other features, or with a history that ends too early; it notes its writes."""

    def __init__(self, adapter: Any, **features: Any) -> None:
        self._adapter = adapter
        self.features = replace(adapter.features, **features)
        self.sent: list[tuple[int, int]] = []
        self.proves = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._adapter, name)

    def write(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        self.sent.append((len(writes), sum(isinstance(write, Delete) for write in writes)))
        return cast("Sequence[Outcome]", self._adapter.write(writes))

    def history(self, id: ItemId, after: Revision | None) -> Listing:
        if self.proves:
            return cast("Listing", self._adapter.history(id, after))
        return Listing([Page()])


def test_deletes_go_together_where_the_provider_takes_more_of_them(tmp_path: Path) -> None:
    house = open_house(tmp_path, LinkSpec("a", Mode.MIRROR, options={"batch": 5}))
    house.set(**{f"k{n}": "1" for n in range(7)})
    house.run()
    house.set(**{f"k{n}": None for n in range(6)}, new1="1", new2="1", new3="1")
    made: list[Peculiar] = []

    def around(link: str, adapter: Adapter) -> Adapter:
        made.append(Peculiar(adapter, batch=2, delete_batch=5))
        return cast("Adapter", made[-1])

    house.around = around
    house.run()
    assert sorted(each for one in made for each in one.sent) == [(1, 0), (1, 1), (2, 0), (5, 5)]
    assert set(house.at("a")) == {"k6", "new1", "new2", "new3"}


def test_a_history_without_proof_settles_nothing(tmp_path: Path) -> None:
    house = open_house(tmp_path, LinkSpec("a", options={"guard": "C"}))
    house.set(x="1")
    house.run()
    house.set(x="2")
    proves = False

    def around(link: str, adapter: Adapter) -> Adapter:
        peculiar = Peculiar(adapter)
        peculiar.proves = proves
        return cast("Adapter", peculiar)

    house.around = around
    house.place("a").before_next_write(lambda: house.put("a", x="outside"))
    assert house.run().exit_code is Exit.ERROR
    assert len(intents(house)) == 1 and "outside" not in kept(house)
    proves = True
    house.run()
    assert intents(house) == [] and "outside" in kept(house)


def test_an_unanswered_delete_is_closed_where_the_history_went_with_the_item(tmp_path: Path) -> None:
    house = open_house(tmp_path, LinkSpec("a", Mode.MIRROR, options={"guard": "C"}))
    house.set(x="1", y="1")
    house.run()
    house.set(x=None)
    house.around = lambda link, adapter: cast("Adapter", _Forgetful(adapter))
    house.place("a").fail_next_write(Unacknowledged("reset"), "now")
    report = house.run()
    assert report.exit_code is Exit.DONE and intents(house) == []
    assert house.at("a") == {"y": "1"} and house.run().plan.empty


class _Forgetful:
    """A provider that destroys the history of what is deleted, and says so as an error."""

    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter

    def __getattr__(self, name: str) -> Any:
        return getattr(self._adapter, name)

    def history(self, id: ItemId, after: Revision | None) -> Listing:
        raise Unavailable(f"{id} has no history any more")
