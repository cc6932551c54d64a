"""The promises of a run, for any three links and any edits on every side."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

from hypothesis import event, given
from hypothesis import strategies as st

from ecs_sync.amend import resolve
from ecs_sync.errors import Unavailable
from ecs_sync.model import Key
from ecs_sync.policy import STORE, WORDS, First, JobPolicy, Mode, Rule, Word
from ecs_sync.selection import Selection
from ecs_sync.sync import Order
from tests.sync.effects import Effects, watched
from tests.sync.examples import some
from tests.sync.house import HAND, SCOPE, House, LinkSpec, quick_house

KEYS = ("x", "y", "z")
NAMES = ("a", "b", "c")
ADOPTS = {mode: mode in (Mode.IMPORT, Mode.TWO_WAY) for mode in Mode}
Edit = tuple[str, str, bool]
"""Where (``store`` or a link), which key, and whether a value is set; else it is deleted."""
Rounds = list[list[Edit]]


@dataclass(frozen=True)
class Setting:
    """The links of one example, and the job's rules."""

    links: tuple[LinkSpec, ...]
    policy: JobPolicy


@st.composite
def settings_of_jobs(draw: st.DrawFn, modes: Iterable[Mode] = tuple(Mode)) -> Setting:
    priorities = draw(st.permutations([10, 20, 30]))
    links = tuple(
        LinkSpec(
            name,
            (mode := draw(st.sampled_from(list(modes)))),
            priority,
            # A link that adopts nothing has no value to choose before another one brings the key.
            draw(st.sampled_from(list(First) if ADOPTS[mode] else [First.HOLD, First.STORE])),
            options={
                "guard": draw(st.sampled_from("ABCD")),
                "values_in_listing": draw(st.booleans()),
                "tokens": draw(st.booleans()),
            },
            document=draw(st.integers(0, 4)) == 0,
        )
        for name, priority in zip(NAMES, priorities, strict=True)
    )
    policy = JobPolicy(draw(st.sampled_from(list(Rule))), draw(st.booleans()))
    return Setting(links, policy)


edits = st.tuples(st.sampled_from((STORE, *NAMES)), st.sampled_from(KEYS), st.integers(0, 3).map(bool))
rounds = st.lists(st.lists(edits, max_size=4), min_size=1, max_size=3)


class Outsiders:
    """Edits every side, each time with a value that never was before, and remembers them."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.values: set[tuple[str, str]] = set()
        self._numbers = itertools.count(1)

    def edit(self, round: Iterable[Edit]) -> None:
        for where, key, sets in round:
            value = f"{key}-{next(self._numbers)}-{where}" if sets else None
            if value is not None:
                self.values.add((key, value))
            if where == STORE:
                self.house.set(**{key: value})
            elif value is not None or key in self.house.at(where):
                self.house.put(where, **{key: value})


def known(house: House) -> set[tuple[str, str]]:
    """Every value that can be had: from the history, the archive, or a place."""
    found = {(key, value) for spec in house.links for key, value in house.at(spec.name).items()}
    for key in KEYS:
        history = house.store.history(SCOPE, Key(key))
        found |= {(key, stored.entry.value.text) for _, stored in history if stored.entry}
    archive = house.store.archive(SCOPE, limit=10_000)
    return found | {(each.key.text, each.entry.value.text) for each in archive if each.entry}


def places(house: House) -> dict[str, dict[str, str]]:
    return {spec.name: house.at(spec.name) for spec in house.links}


def writes(house: House) -> int:
    return sum(house.place(spec.name).calls["write"] for spec in house.links)


def records(house: House) -> object:
    """All that a base is made of."""
    tracks = house.store.tracks("job")
    return [
        (list(house.store.bases(track.id)), house.store.intents(track.id), house.store.own_writes(track.id))
        for track in tracks
    ]


def pushes(spec: LinkSpec) -> bool:
    return WORDS[spec.mode].pending is Word.PUSH


@given(settings_of_jobs(), rounds)
@some
def test_a_second_run_plans_nothing_and_writes_nothing(setting: Setting, rounds: Rounds) -> None:
    with quick_house(*setting.links, policy=setting.policy) as house:
        outsiders = Outsiders(house)
        for round in rounds:
            outsiders.edit(round)
            house.sync()
            before = (writes(house), records(house), places(house), house.store.head())
            second = house.run()
            assert second.plan.changes == () and second.plan.rebases == () and second.plan.raises == ()
            assert before == (writes(house), records(house), places(house), house.store.head())
            assert second.left == ()
            with watched(house, effects := Effects()):
                house.run()
            assert effects.calls["commit"] == 2, "a run is begun and finished, and nothing else is recorded"


@given(settings_of_jobs(), rounds)
@some
def test_a_plan_writes_nothing_and_is_what_the_run_does(setting: Setting, rounds: Rounds) -> None:
    with quick_house(*setting.links, policy=setting.policy) as house:
        outsiders = Outsiders(house)
        for round in rounds:
            outsiders.edit(round)
            with watched(house, effects := Effects()):
                plan = house.plan()
                assert house.plan() == plan
            assert effects.calls["commit"] == 0 == effects.calls["write"]
            done = house.sync().plan
            assert (done.id, done.changes, done.rebases, done.holds) == (
                plan.id,
                plan.changes,
                plan.rebases,
                plan.holds,
            )


@given(settings_of_jobs(), rounds)
@some
def test_no_value_of_an_outsider_is_lost(setting: Setting, rounds: Rounds) -> None:
    with quick_house(*setting.links, policy=setting.policy) as house:
        outsiders = Outsiders(house)
        for round in rounds:
            outsiders.edit(round)
            expected = outsiders.values & known(house)
            house.sync()
            assert expected <= known(house)


@given(settings_of_jobs(), rounds)
@some
def test_links_that_push_end_like_the_store_but_for_what_is_held(setting: Setting, rounds: Rounds) -> None:
    with quick_house(*setting.links, policy=setting.policy) as house:
        outsiders = Outsiders(house)
        for round in rounds:
            outsiders.edit(round)
            report = house.sync()
            entries = house.entries
            for spec in house.links:
                held = {hold.key.text for hold in report.plan.holds if hold.link == spec.name}
                for key in set(KEYS) - held if pushes(spec) else ():
                    assert house.at(spec.name).get(key) == entries.get(key), (spec.name, key)
            event(f"holds: {bool(report.plan.holds)}")


@given(settings_of_jobs(), rounds)
@some
def test_a_delete_needs_a_delete_and_stays_one(setting: Setting, rounds: Rounds) -> None:
    """A key goes from the store or a place only where somebody deleted it elsewhere, and does not return."""
    with quick_house(*setting.links, policy=setting.policy) as house:
        outsiders = Outsiders(house)
        for round in rounds:
            deletable = {key for _, key, sets in round if not sets}
            outsiders.edit(round)
            entries, before = house.entries, places(house)
            pending = {key for key in KEYS if key not in entries and house.store.history(SCOPE, Key(key))}
            house.sync()
            gone = entries.keys() - house.entries.keys()
            assert gone <= {key for spec in house.links for key in KEYS if key not in before[spec.name]}
            assert gone <= deletable | pending | {key for key in KEYS if _was_deleted(rounds, key)}
            for name, held in places(house).items():
                assert before[name].keys() - held.keys() <= pending | gone


def _was_deleted(rounds: Rounds, key: str) -> bool:
    return any(edited == key and not sets for round in rounds for _, edited, sets in round)


@given(settings_of_jobs(), rounds, st.permutations(range(3)))
@some
def test_the_order_of_links_decides_nothing(setting: Setting, rounds: Rounds, order: list[int]) -> None:
    ends = []
    for links in (setting.links, tuple(setting.links[i] for i in order)):
        with quick_house(*links, policy=setting.policy) as house:
            outsiders = Outsiders(house)
            reports = []
            for round in rounds:
                outsiders.edit(round)
                report = house.sync()
                reports.append(
                    (
                        sorted((h.key.text, h.link, str(h.why)) for h in report.plan.holds),
                        sorted((c.key.text, c.side, str(c.kind)) for c in report.plan.changes),
                        [(each.key.text, each.contest) for each in report.plan.contests],
                        report.exit_code,
                    )
                )
            ends.append((house.entries, places(house), reports))
    assert ends[0] == ends[1]


@given(settings_of_jobs(), rounds, st.sampled_from(NAMES), st.integers(0, 3), st.booleans())
@some
def test_a_listing_that_breaks_off_deletes_nothing(
    setting: Setting, rounds: Rounds, broken: str, after: int, raises: bool
) -> None:
    """Wherever it breaks off, with an error or without: what it did not show is not gone."""
    with quick_house(*setting.links, policy=setting.policy) as house:
        outsiders = Outsiders(house)
        for round in rounds:
            outsiders.edit((where, key, True) for where, key, _ in round)
            house.run()
        outsiders.edit([(broken, "x", True)])
        entries, before = house.entries, places(house)
        house.place(broken).fail_next_listing(after, Unavailable("down") if raises else None)
        report = house.run()
        assert report.exit_code == 1 or house.links[NAMES.index(broken)].options["tokens"]
        assert entries.keys() <= house.entries.keys()
        for name, held in places(house).items():
            assert before[name].keys() <= held.keys()


@given(settings_of_jobs(), rounds, st.sampled_from(NAMES), st.sampled_from(["prefix", "select", "types"]))
@some
def test_an_edited_link_never_deletes(setting: Setting, rounds: Rounds, link: str, what: str) -> None:
    with quick_house(*setting.links, policy=setting.policy) as house:
        outsiders = Outsiders(house)
        for round in rounds:
            outsiders.edit(round)
            house.run()
        house.run()
        entries, before = house.entries, {spec.name: house.place(spec.name).items() for spec in house.links}
        match what:
            case "prefix":
                house.edit(link, prefix="elsewhere/")
            case "select":
                house.edit(link, select=Selection((), ("y",)))
            case _:
                house.edit(link, document=False, types="json")
        for _ in range(2):
            house.run()
            assert entries.keys() <= house.entries.keys()
            for name, items in before.items():
                assert items.keys() <= house.place(name).items().keys()


@given(settings_of_jobs(modes=[Mode.TWO_WAY]), st.sampled_from(KEYS))
@some
def test_the_loser_of_a_conflict_can_be_taken_back(setting: Setting, key: str) -> None:
    with quick_house(*setting.links) as house:
        house.set(**{key: "0"})
        house.run()
        for spec in house.links:
            house.put(spec.name, **{key: f"from {spec.name}"})
        winner = house.run().plan.contests[0].contest.winner
        assert house.entries[key] == f"from {winner}"
        for loser in sorted(set(NAMES) - {winner}):
            resolve(house.job, house.store, Order("tester"), HAND, Key(key), loser)
            house.run()
            assert {held[key] for held in places(house).values()} == {f"from {loser}"}


def test_a_house_of_one_example_knows_nothing_of_another() -> None:
    with quick_house(LinkSpec("a")) as house:
        house.set(x="1")
    with quick_house(LinkSpec("a")) as house:
        assert house.entries == {} and house.at("a") == {}
