"""What a run did can be taken back, and that again; what somebody changed since is left and named."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ecs_sync.amend import Amended, undo
from ecs_sync.policy import STORE, Mode
from ecs_sync.report import Report
from ecs_sync.sync import Order
from tests.sync.examples import some
from tests.sync.house import HAND, House, LinkSpec, quick_house
from tests.sync.test_promises import Outsiders, edits, places

NAMES = ("a", "b", "c")


def links(mode: Mode, document: bool) -> tuple[LinkSpec, ...]:
    return (
        LinkSpec("a", priority=30),
        LinkSpec("b", mode, priority=20, document=document),
        LinkSpec("c", Mode.MIRROR, options={"guard": "C"}),
    )


def take_back(house: House, run: str) -> Amended:
    return undo(house.job, house.store, Order("tester", verb="undo"), HAND, run)


def named(amended: Amended) -> set[str]:
    return {key.text for key, _ in amended.left}


def pushed(report: Report) -> set[tuple[str, str]]:
    return {(e.change.side, e.change.key.text) for e in report.applied if e.change.side != STORE}


@given(
    st.sampled_from([Mode.TWO_WAY, Mode.MIRROR]),
    st.booleans(),
    st.lists(edits, min_size=1, max_size=4),
    st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from("xyz")), max_size=2),
)
@some
def test_after_an_undo_everything_is_as_before_the_run_but_for_later_edits(
    mode: Mode, document: bool, round: list[tuple[str, str, bool]], later: list[tuple[str, str]]
) -> None:
    with quick_house(*links(mode, document)) as house:
        outsiders = Outsiders(house)
        house.set(x="0", y="0")
        house.run()
        house.run()
        outsiders.edit(round)
        entries, before = house.entries, places(house)
        report = house.sync()
        if not report.applied:
            return
        outsiders.edit([(where, key, True) for where, key in later])
        edited = {(where, key): house.at(where)[key] for where, key in later}
        done = take_back(house, report.run)
        for (where, key), value in edited.items():
            assert house.at(where)[key] == value
            if (where, key) in pushed(report):
                assert key in named(done)
        if edited:
            return
        assert done.left == []
        house.sync()
        for key in (each.change.key.text for each in report.applied if each.change.side == STORE):
            assert house.entries.get(key) == entries.get(key)
        for link, key in pushed(report):
            assert house.at(link).get(key) == before[link].get(key), (link, key)


@given(st.sampled_from([Mode.TWO_WAY, Mode.MIRROR]), st.booleans(), st.lists(edits, min_size=1, max_size=4))
@some
def test_undoing_an_undo_is_doing_it_again(
    mode: Mode, document: bool, round: list[tuple[str, str, bool]]
) -> None:
    with quick_house(*links(mode, document)) as house:
        outsiders = Outsiders(house)
        house.set(x="0", y="0")
        house.run()
        outsiders.edit(round)
        report = house.sync()
        after, held = house.entries, places(house)
        if not report.applied:
            return
        done = take_back(house, report.run)
        if not (done.committed or done.written):
            return
        again = take_back(house, done.run)
        assert again.left == []
        house.sync()
        for key in (each.change.key.text for each in report.applied if each.change.side == STORE):
            assert house.entries.get(key) == after.get(key)
        for link, key in pushed(report):
            assert house.at(link).get(key) == held[link].get(key), (link, key)


def test_what_an_undo_wrote_back_can_be_had_again() -> None:
    """The value that the store never held is put back, and taking that back does not delete the key."""
    with quick_house(LinkSpec("a", Mode.MIRROR)) as house:
        house.set(x="1")
        house.run()
        house.put("a", x="drifted")
        run = house.run().run
        done = take_back(house, run)
        assert house.at("a") == {"x": "drifted"} and [link for link, _ in done.written] == ["a"]
        again = take_back(house, done.run)
        assert again.left == [] and house.at("a") == {"x": "1"}
        assert house.entries == {"x": "1"}


def test_an_undo_of_an_adoption_gives_the_loser_at_another_place_its_value_back() -> None:
    with quick_house(LinkSpec("a", priority=50), LinkSpec("b", priority=20)) as house:
        house.set(x="0")
        house.run()
        house.put("a", x="from a")
        house.put("b", x="from b")
        run = house.run().run
        assert house.at("b") == {"x": "from a"}
        take_back(house, run)
        house.run()
        assert house.entries == {"x": "0"} and house.at("b") == {"x": "from b"}
