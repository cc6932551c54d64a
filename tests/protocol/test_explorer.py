"""Nothing is lost, invented or forgotten in any order in which things can happen to one item."""

from __future__ import annotations

import pytest

from ecs_sync.adapter import Guard
from ecs_sync.protocol import Dug, Phase, Result

from .explorer import ends, explore, finish, moves, wander
from .run import seen_results, seen_steps
from .settings import SETTINGS, at_random
from .world import Budget, Setting, World, start

AT_LEAST = {
    "in step": 490_000,
    "both empty": 260_000,
    "both empty, 3 runs": 1_800_000,
    "in step, 2 faults, 3 runs": 84_000,
    "only in the store": 190_000,
    "only at the place": 30_000,
    "different": 290_000,
    "the link is stronger": 34_000,
    "repeated values": 810_000,
    "old listings": 34_000,
    "old listings, ordered": 34_000,
    "2 workers": 32_000_000,
    "2 workers, both empty": 8_000_000,
    "mirror": 100_000,
    "export": 24_000,
    "import": 3_800,
}
"""The schedules of each setting at the least: fewer would mean that something cannot happen any more."""


@pytest.mark.parametrize("name", SETTINGS)
def test_no_schedule_breaks_a_promise(name: str) -> None:
    explored = explore(SETTINGS[name])
    print(f"{explored.schedules:,} schedules through {explored.worlds:,} worlds")
    assert explored.schedules >= AT_LEAST[name.split(", ", 1)[1]]


@pytest.mark.parametrize("seed", range(0, 2_000, 100))
def test_long_random_schedules_with_three_workers_break_no_promise(seed: int) -> None:
    assert all(wander(at_random(n), n) for n in range(seed, seed + 100))


@pytest.mark.parametrize("guard", Guard)
def test_sharing_the_future_of_equal_worlds_leaves_no_schedule_out(guard: Guard) -> None:
    setting = Setting(guard, Budget(1, 0, 0, 1, 0, 2), history=guard is Guard.C, start="store")
    assert explore(setting).schedules == _one_by_one(setting, start(setting))


def _one_by_one(setting: Setting, world: World) -> int:
    """The number of schedules, each walked on its own."""
    if ends(world):
        finish(setting, world)
    return ends(world) + sum(_one_by_one(setting, after) for _, after in moves(setting, world))


def test_the_explorer_gets_everywhere() -> None:
    """Every phase meets every event that the interpreters can bring it, and every result is reached."""
    explore(SETTINGS["C, in step"])
    explore(Setting(Guard.B, Budget(1, 2, 0, 1, 0, 2)))
    seen = seen_steps()
    assert {phase for phase, _ in seen} == set(Phase) - {Phase.DONE}
    assert {dug for phase, dug in seen if phase is Phase.DIG} == set(Dug)
    assert seen_results() == set(Result) - {Result.UNTRIED}, "the engine says that of what it never began"
