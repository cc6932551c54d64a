"""A run that dies at any instant, or never hears what became of a write, is finished by the next one."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_sync.errors import Unacknowledged
from ecs_sync.policy import First
from ecs_sync_adapters.memory_store import Landing
from tests.sync.effects import Effects, KillAfter, KillBefore, Killed, Photograph, watched
from tests.sync.examples import some
from tests.sync.house import House, LinkSpec, quick_house

Prepare = Callable[[House], None]
DEEP = "ECS_SYNC_DEEP" in os.environ


def _synced(then: Prepare, **values: str) -> Prepare:
    def prepare(house: House) -> None:
        house.set(**values)
        house.run()
        house.run()
        then(house)

    return prepare


def _both_places(house: House) -> None:
    house.put("a", x="a")
    house.put("b", x="b")


def _store_and_place(house: House) -> None:
    house.set(x="s")
    house.put("a", x="a")


def _first_contact(house: House) -> None:
    house.set(x="same", y="ours")
    house.put("a", x="same", z="theirs")
    house.put("b", y="ours")


SCENARIOS: dict[str, Prepare] = {
    "create": _synced(lambda house: house.set(y="2"), x="1"),
    "update": _synced(lambda house: house.set(x="2"), x="1", y="1"),
    "delete": _synced(lambda house: house.set(x=None), x="1", y="1"),
    "adopt": _synced(lambda house: house.put("a", x="2"), x="1", y="1"),
    "adopt a delete": _synced(lambda house: house.put("a", x=None), x="1", y="1"),
    "conflict": _synced(_both_places, x="1", y="1"),
    "conflict with the store": _synced(_store_and_place, x="1"),
    "first contact": _first_contact,
    "document": _synced(lambda house: house.set(x="2", y=None, z="3"), x="1", y="1", w="1"),
}


@cache
def photograph(scenario: str, guard: str) -> Photograph:
    options = {"guard": guard, "tokens": scenario != "adopt"}
    document = scenario == "document"
    links = (
        LinkSpec("a", priority=20, options=options, document=document),
        LinkSpec("b", priority=10, options=options, first=First.HOLD),
    )
    with quick_house(*links) as house:
        SCENARIOS[scenario](house)
        return Photograph(house)


def end(house: House) -> dict[str, Any]:
    """What must be equal however a run was disturbed."""
    tracks = house.store.tracks("job")
    return {
        "entries": house.entries,
        "versions": [version.origin for version in house.store.versions()],
        "places": {spec.name: house.at(spec.name) for spec in house.links},
        "bases": {track.link: list(house.store.bases(track.id)) for track in tracks},
        "intents": [intent for track in tracks for intent in house.store.intents(track.id)],
        "conflicts": [(c.key, c.candidates, c.winner) for c in house.store.all_conflicts()],
    }


@cache
def undisturbed(scenario: str, guard: str) -> tuple[dict[str, Any], int]:
    """How the scenario ends, and how many effects its run has."""
    with photograph(scenario, guard).developed() as house:
        effects = Effects()
        with watched(house, effects):
            house.run()
        return without_archive_numbers(end(house)), effects.count


def without_archive_numbers(state: dict[str, Any]) -> dict[str, Any]:
    conflicts = [
        (key, [(c.side, c.fingerprint, c.rank) for c in candidates], winner)
        for key, candidates, winner in state["conflicts"]
    ]
    return {**state, "conflicts": conflicts}


def ends_well(house: House, scenario: str, guard: str) -> None:
    house.run()
    assert without_archive_numbers(end(house)) == undisturbed(scenario, guard)[0]


def rests(house: House) -> None:
    effects = Effects()
    with watched(house, effects):
        report = house.run()
    assert report.plan.changes == () and report.plan.rebases == () and effects.calls["write"] == 0


def dies(house: House, effects: Effects) -> bool:
    with watched(house, effects):
        try:
            house.run()
        except Killed:
            return True
    return effects.dead


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_run_that_died_anywhere_is_finished_by_the_next(scenario: str) -> None:
    """Before and after every effect; the classes take turns, unless the environment asks for all of them."""
    for turn, guard in enumerate("ABCD"):
        _, count = undisturbed(scenario, guard)
        instants = [(at, kill) for at in range(count) for kill in (KillBefore, KillAfter)]
        # Dying behind an effect is dying before the next one, but for what threads do at the same time.
        for at, kill in instants if DEEP else (instants[::2] + instants[-1:])[turn::4]:
            with photograph(scenario, guard).developed() as house:
                assert dies(house, kill(at))
                ends_well(house, scenario, guard)


@given(
    st.sampled_from(sorted(SCENARIOS)),
    st.sampled_from("ABCD"),
    st.lists(st.tuples(st.sampled_from([KillBefore, KillAfter]), st.integers(0, 20)), min_size=2, max_size=4),
)
@some
def test_runs_that_die_one_after_the_other_are_finished_by_the_last(
    scenario: str, guard: str, deaths: list[tuple[Callable[[int], Effects], int]]
) -> None:
    with photograph(scenario, guard).developed() as house:
        for kill, at in deaths:
            dies(house, kill(at))
        ends_well(house, scenario, guard)
        rests(house)


PUSHING = ["create", "update", "delete", "conflict", "adopt", "document"]


@pytest.mark.parametrize("guard", "ABCD")
@pytest.mark.parametrize("landing", ["now", "never"])
@pytest.mark.parametrize("scenario", PUSHING)
def test_a_write_without_an_answer_is_no_conflict_and_not_made_twice(
    scenario: str, landing: Landing, guard: str
) -> None:
    with photograph(scenario, guard).developed() as house:
        for spec in house.links:
            house.place(spec.name).fail_next_write(Unacknowledged("reset"), landing)
        house.run()
        ends_well(house, scenario, guard)
        rests(house)


@pytest.mark.parametrize("guard", "ABCD")
@pytest.mark.parametrize("scenario", PUSHING)
def test_a_write_that_lands_late_at_any_moment_of_the_next_run_changes_nothing(
    scenario: str, guard: str
) -> None:
    at, step = (0, 1) if DEEP else ("ABCD".index(guard), 4)
    while True:
        with photograph(scenario, guard).developed() as house:
            for spec in house.links:
                house.place(spec.name).fail_next_write(Unacknowledged("reset"), "late")
            house.run()
            effects = Effects(at, lambda house=house: land(house))  # type: ignore[misc]
            with watched(house, effects):
                house.run()
            if effects.count <= at:
                return
            ends_well(house, scenario, guard)
        at += step


def land(house: House) -> None:
    for spec in house.links:
        house.place(spec.name).land()


@pytest.mark.parametrize("guard", "ABCD")
def test_a_write_that_lands_when_the_store_has_moved_on_is_repaired_and_nobody_s_edit(guard: str) -> None:
    at = 0
    while True:
        with photograph("update", guard).developed() as house:
            house.place("a").fail_next_write(Unacknowledged("reset"), "late")
            house.run()
            house.set(x="3")
            effects = Effects(at, lambda house=house: land(house))  # type: ignore[misc]
            with watched(house, effects):
                house.run()
            if effects.count <= at:
                return
            house.run()
            assert house.entries == {"x": "3", "y": "1"} == house.at("a") == house.at("b")
            assert house.store.all_conflicts() == []
            rests(house)
        at += 1
