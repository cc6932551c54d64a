"""What a plan says that a run would ask of a provider is what the run asks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ecs_sync import sync
from ecs_sync.cost import Cost
from ecs_sync.policy import Mode
from tests.sync.house import House, LinkSpec, open_house, quick_house

KINDS: dict[str, Mapping[str, Any]] = {
    "one call a write": {},
    "batches": {"batch": 4},
    "deletes in larger batches": {"batch": 2, "delete_batch": 5},
    "batches of few bytes": {"batch": 8, "batch_bytes": 400},
    "listings without values": {"values_in_listing": False},
    "class C": {"guard": "C"},
    "a listing that lags": {"current": False},
}


def calls_of(house: House) -> int:
    counted = Counter[str]()
    for spec in house.links:
        counted.update(house.place(spec.name).calls)
    # A page is a call; asking for the listing itself is none here.
    return sum(counted[name] for name in ("page", "get", "write", "history", "peek"))


def foreseen(house: House) -> Cost:
    return sync.priced(house.job, house.store)[1]


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS.keys())
@pytest.mark.parametrize("document", [False, True], ids=["items", "document"])
def test_the_calls_of_a_run_are_foreseen(options: Mapping[str, Any], document: bool) -> None:
    link = LinkSpec("a", Mode.MIRROR, options={**options, "tokens": False}, document=document)
    with quick_house(link) as house:
        for values in ({f"k{i}": f"v{i}" for i in range(23)}, {f"k{i}": "w" for i in range(9)}, {}):
            house.set(**values)
            check(house)
        house.set(**{f"k{i}": None for i in range(7)}, k8="x", new="y")
        check(house)


def check(house: House) -> None:
    expected = foreseen(house)
    before = calls_of(house)
    house.run()
    assert calls_of(house) - before == expected.calls


def test_the_shortest_time_follows_the_slower_of_two_rates(tmp_path: Path) -> None:
    house = open_house(tmp_path, LinkSpec("a", Mode.MIRROR))
    house.set(**{f"k{i}": "v" for i in range(10)})
    (link,) = foreseen(house).links
    assert link.seconds is None and link.writes == 10
