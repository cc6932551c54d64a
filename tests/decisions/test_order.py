"""The outcome does not depend on what is looked at when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from ecs_sync.model import Rank
from ecs_sync.policy import Mode

from .histories import Ends, engines_of, interleaved, lagging, starts_of
from .world import Engine, World, Wrong

ADOPTING = (Mode.TWO_WAY, Mode.IMPORT)


def counted(engines: list[Engine], tell: Callable[[Engine, World], Ends]) -> Counter[str]:
    """How many sets of moves there are, and how many of them come to rest in more than one end."""
    count: Counter[str] = Counter()
    for engine in engines:
        for start in starts_of(engine):
            ends = tell(engine, start)
            count["situations"] += len(ends)
            count["dependent"] += sum(len(each) > 1 for each in ends.values())
    return count


def test_two_links_that_move_at_any_moment_end_the_same_in_every_order_of_runs() -> None:
    assert counted(list(engines_of(2, ADOPTING)), interleaved) == {"situations": 6441, "dependent": 0}


def test_three_links_that_lag_end_the_same_in_every_grouping_into_runs() -> None:
    pushing = list(engines_of(3, [Mode.TWO_WAY]))
    importing = [e for e in engines_of(3, ADOPTING) if e.hand == Rank(15, "") and not e.job.delete_wins]
    engines = pushing + [e for e in importing if any(policy.mode is Mode.IMPORT for policy in e.links)]
    assert counted(engines, lagging) == {"situations": 2759, "dependent": 0}


def test_three_links_that_move_at_any_moment_end_the_same_in_every_order_of_runs() -> None:
    engines = [replace(engine, hand=None) for engine in engines_of(3, ADOPTING) if engine.hand == Rank(5, "")]
    assert counted(engines, interleaved) == {"situations": 3502, "dependent": 0}


@pytest.mark.parametrize(
    "wrong", [wrong for wrong in Wrong if wrong is not Wrong.NOTHING], ids=lambda w: w.name
)
def test_the_enumeration_notices_an_engine_in_which(wrong: Wrong) -> None:
    assert counted(list(engines_of(2, [Mode.TWO_WAY], wrong)), interleaved)["dependent"] > 0
