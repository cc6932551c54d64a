"""The contract notices an adapter that is wrong: each of these is wrong in one way."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

import tests.testing.bugs_elsewhere
import tests.testing.bugs_in_features
import tests.testing.bugs_in_reads
import tests.testing.bugs_in_writes  # noqa: F401
from ecs_sync.testing.adapter_contract import BEHAVIOURS, Behaviour, Subject
from ecs_sync_adapters.memory import MemoryPlace
from ecs_sync_adapters.memory_store import forget, memory
from tests.testing.bugs import BUGS, Bug, Hand, Right, Wrong

_stores = itertools.count()


def _fails(behaviour: Behaviour, options: dict[str, Any], wrong: dict[str, Wrong]) -> bool:
    """Whether such an adapter fails a behaviour; it must not be skipped."""
    store = memory(f"contract-{next(_stores)}")
    kind: Any = Right
    if "options" in wrong:
        kind = type("Undocumented", (Right,), {"Options": wrong["options"]})
    adapter = kind(store, options, dict(wrong))
    place = wrong.get("place", MemoryPlace)("app/")
    foreign = (("owner", "a"),)
    subject = Subject(adapter, place, Hand(store), lambda name: f"app/{name}", "app2/x", foreign)
    try:
        behaviour(subject)
    except pytest.skip.Exception:
        pytest.fail(f"{behaviour.name} was skipped")
    except Exception:  # noqa: BLE001 - an adapter that raises anything is noticed as well
        return True
    finally:
        forget(store.name)
    return False


NAMED = {behaviour.name: behaviour for behaviour in BEHAVIOURS}
NOTICED = [(bug, name) for bug in BUGS for name in bug.noticed]


@pytest.mark.parametrize(("bug", "name"), NOTICED, ids=[f"{bug.name}-{name}" for bug, name in NOTICED])
def test_an_adapter_that_is_wrong_is_noticed(bug: Bug, name: str) -> None:
    assert _fails(NAMED[name], bug.options, bug.wrong)


def test_every_behaviour_is_known_to_notice_something() -> None:
    assert NAMED.keys() - {name for _, name in NOTICED} == set()


@pytest.mark.parametrize("guard", ["A", "B", "C", "D"])
def test_an_adapter_that_is_right_is_let_pass(guard: str) -> None:
    store = memory(f"contract-{next(_stores)}")
    features = Right(store, {"guard": guard}, {}).features
    applying = [behaviour for behaviour in BEHAVIOURS if behaviour.promised(features)]
    assert [one.name for one in applying if _fails(one, {"guard": guard}, {})] == []
