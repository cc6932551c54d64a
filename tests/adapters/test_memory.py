"""Stores of this process behave as the class of provider that they are told to be."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from ecs_sync.adapter import Attributes, Delete, Item, Listing, Put, Verdict
from ecs_sync.errors import AdapterError, Rejected, Unacknowledged, Unavailable
from ecs_sync.testing import adapter_contract
from ecs_sync.testing.adapter_contract import Behaviour, Subject
from ecs_sync_adapters.memory import MemoryAdapter, MemoryOptions, MemoryPlace
from ecs_sync_adapters.memory_store import Memory, forget, memory

APP = MemoryPlace("app/")

KINDS: dict[str, dict[str, Any]] = {
    "class-a": {},
    "class-a-with-everything": {
        "batch": 5,
        "atomic_batch": True,
        "page": 3,
        "holds_secrets": True,
        "history": True,
        "change_times": True,
        "max_value_bytes": 4096,
        "max_id_bytes": 200,
        "forbidden": r"//|[\x00-\x1f]|\s$",
    },
    "class-b": {"guard": "B", "batch": 4, "page": 5, "ordered": False, "max_value_bytes": 4096},
    "class-c": {"guard": "C", "values_in_listing": False, "text_values": True, "min_value_bytes": 1},
    "class-c-restarting": {
        "guard": "C",
        "revisions": "restarting",
        "change_times": True,
        "batch": 10,
        "delete_batch": 20,
        "batch_bytes": 50_000,
    },
    "class-d": {"guard": "D", "tokens": False, "current": False},
}


@dataclass(frozen=True)
class Hand:
    """Somebody else at a store."""

    store: Memory

    def set(self, id: str, value: bytes, attributes: Attributes = ()) -> None:
        self.store.set(id, value, attributes=attributes)

    def delete(self, id: str) -> None:
        self.store.delete(id)

    def get(self, id: str) -> bytes | None:
        item = self.store.get(id)
        return None if item is None else item.value


@pytest.fixture(params=KINDS)
def subject(request: pytest.FixtureRequest, store: Memory) -> Subject:
    return Subject(
        adapter(**KINDS[request.param]),
        APP,
        Hand(store),
        id=lambda name: f"app/{name}",
        beside="app2/x",
        foreign=(("owner", "team-a"),),
    )


@adapter_contract.behaviours
def test_every_class_keeps_the_contract(behaviour: Behaviour, subject: Subject) -> None:
    behaviour(subject)


@pytest.fixture
def store() -> Iterator[Memory]:
    yield memory("test")
    forget("test")


def adapter(**options: Any) -> MemoryAdapter:
    return MemoryAdapter(MemoryOptions(name="test", **options))


def items(listing: Listing) -> list[Item]:
    return [item for page in listing.pages for item in page.items]


def proven(listing: Listing) -> bool:
    return [page.proof is not None for page in listing.pages][-1:] == [True]


def test_two_connections_of_one_name_see_one_store(store: Memory) -> None:
    adapter().write([Put("app/a", b"1", None)])
    assert [item.value for item in items(adapter().list(APP, None))] == [b"1"]
    assert store.items() == {"app/a": b"1"}


@pytest.mark.parametrize("guard", ["A", "B"])
def test_an_outsider_in_between_makes_a_guarded_update_race(store: Memory, guard: str) -> None:
    revision = store.set("app/a", b"1")
    store.before_next_write(lambda: store.set("app/a", b"theirs"))
    (outcome,) = adapter(guard=guard).write([Put("app/a", b"ours", revision)])
    assert outcome.verdict is Verdict.RACED
    assert store.items() == {"app/a": b"theirs"}


def test_class_b_deletes_what_it_did_not_expect(store: Memory) -> None:
    revision = store.set("app/a", b"1")
    store.before_next_write(lambda: store.set("app/a", b"theirs"))
    (outcome,) = adapter(guard="B").write([Delete("app/a", revision)])
    assert (outcome.verdict, store.items()) == (Verdict.APPLIED, {})


def test_class_c_tells_what_it_overwrote_and_history_still_has_it(store: Memory) -> None:
    expected = store.set("app/a", b"1")
    store.before_next_write(lambda: store.set("app/a", b"theirs"))
    subject = adapter(guard="C")
    (outcome,) = subject.write([Put("app/a", b"ours", expected)])
    theirs, ours = items(subject.history("app/a", expected))
    assert (outcome.verdict, outcome.replaced, outcome.revision) == (
        Verdict.APPLIED,
        theirs.revision,
        ours.revision,
    )
    assert (theirs.value, ours.value) == (b"theirs", b"ours")


def test_class_d_loses_what_comes_in_its_window_and_nothing_tells(store: Memory) -> None:
    expected = store.set("app/a", b"1")
    store.before_next_write(lambda: store.set("app/a", b"theirs"))
    (outcome,) = adapter(guard="D").write([Put("app/a", b"ours", expected)])
    assert (outcome.verdict, outcome.replaced) == (Verdict.APPLIED, expected)
    assert store.items() == {"app/a": b"ours"}


def test_restarting_revisions_tell_a_new_item_from_the_old_by_its_time_only(store: Memory) -> None:
    subject = adapter(revisions="restarting", change_times=True)
    store.set("app/a", b"1")
    (before,) = items(subject.get(["app/a"]))
    store.delete("app/a")
    store.set("app/a", b"2")
    (after,) = items(subject.get(["app/a"]))
    assert before.revision == after.revision == "1"
    assert before.changed is not None
    assert after.changed is not None
    assert before.changed < after.changed


@pytest.mark.parametrize(("landing", "value"), [("never", b"1"), ("now", b"2"), ("late", b"1")])
def test_an_unacknowledged_write_lands_as_the_test_says(store: Memory, landing: Any, value: bytes) -> None:
    revision = store.set("app/a", b"1")
    store.fail_next_write(Unacknowledged("the answer was lost"), landing)
    subject = adapter()
    with pytest.raises(Unacknowledged):
        subject.write([Put("app/a", b"2", revision)])
    assert store.items() == {"app/a": value}
    store.land()
    assert store.items() == {"app/a": b"1" if landing == "never" else b"2"}


def test_a_late_write_still_respects_its_guard(store: Memory) -> None:
    revision = store.set("app/a", b"1")
    store.fail_next_write(Unacknowledged("the answer was lost"), "late")
    with pytest.raises(Unacknowledged):
        adapter().write([Put("app/a", b"2", revision)])
    store.set("app/a", b"theirs")
    store.land()
    assert store.items() == {"app/a": b"theirs"}


def test_a_fault_for_one_id_waits_for_that_id(store: Memory) -> None:
    store.fail_next_write(Verdict.REFUSED, id="app/b")
    subject = adapter(batch=3)
    outcomes = subject.write([Put(f"app/{name}", b"1", None) for name in "abc"])
    assert [outcome.verdict for outcome in outcomes] == [Verdict.APPLIED, Verdict.REFUSED, Verdict.APPLIED]
    assert store.items().keys() == {"app/a", "app/c"}


def test_a_spoiled_atomic_batch_leaves_its_neighbours_untried(store: Memory) -> None:
    store.set("app/b", b"there")
    outcomes = adapter(batch=3, atomic_batch=True).write([Put(f"app/{name}", b"1", None) for name in "abc"])
    assert [outcome.verdict for outcome in outcomes] == [Verdict.UNTRIED, Verdict.RACED, Verdict.UNTRIED]
    assert store.items() == {"app/b": b"there"}


def test_a_listing_can_break_off_with_an_error_or_without_a_word(store: Memory) -> None:
    for number in range(5):
        store.set(f"app/{number}", b"x")
    subject = adapter(page=2)
    store.fail_next_listing(3, Unavailable("gone away"))
    with pytest.raises(AdapterError):
        items(subject.list(APP, None))
    store.fail_next_listing(3)
    assert not proven(subject.list(APP, None))
    assert proven(subject.list(APP, None))


def test_a_stale_store_shows_the_past_and_is_current_again_afterwards(store: Memory) -> None:
    store.set("app/a", b"1")
    subject = adapter()
    with store.stale():
        store.set("app/a", b"2")
        assert [item.value for item in items(subject.list(APP, None))] == [b"1"]
        assert [item.value for item in items(subject.get(["app/a"]))] == [b"1"]
    assert [item.value for item in items(subject.get(["app/a"]))] == [b"2"]


def test_a_denied_item_is_shown_unreadable_and_takes_no_write(store: Memory) -> None:
    revision = store.set("app/a", b"1")
    store.deny("app/a")
    subject = adapter()
    (listed,) = items(subject.list(APP, None))
    (read,) = items(subject.get(["app/a"]))
    assert listed.unreadable
    assert read.unreadable
    assert (listed.value, read.value) == (None, None)
    (outcome,) = subject.write([Put("app/a", b"2", revision)])
    assert outcome.verdict is Verdict.REFUSED
    store.allow("app/a")
    assert items(subject.get(["app/a"]))[0].value == b"1"


def test_calls_are_counted_by_kind(store: Memory) -> None:
    subject = adapter(page=2)
    for number in range(5):
        subject.write([Put(f"app/{number}", b"x", None)])
    items(subject.list(APP, None))
    items(subject.get(["app/1", "app/2"]))
    assert store.calls == {"write": 5, "list": 1, "page": 3, "get": 1}


def test_an_unordered_listing_is_really_out_of_order(store: Memory) -> None:
    for name in ("az", "by", "cx"):
        store.set(f"app/{name}", b"")
    listed = [item.id for item in items(adapter(ordered=False).list(APP, None))]
    assert listed == ["app/cx", "app/by", "app/az"]


def test_a_watch_sleeps_through_what_moves_elsewhere(store: Memory) -> None:
    subject = adapter()
    (*_, last) = subject.list(APP, None).pages
    assert last.proof is not None
    store.set("app2/a", b"1")
    assert not subject.watch(APP, last.proof.token, 0.0)
    threading.Timer(0.01, store.set, ("app/a", b"1")).start()
    assert subject.watch(APP, last.proof.token, 30.0)


def test_too_many_writes_in_one_call_are_rejected_and_nothing_is_written(store: Memory) -> None:
    with pytest.raises(Rejected):
        adapter().write([Put("app/a", b"1", None), Put("app/b", b"1", None)])
    assert store.items() == {}


def test_a_prefix_that_would_mean_its_neighbours_is_no_place() -> None:
    with pytest.raises(ValueError, match="write 'app/'"):
        MemoryPlace.parse("app")
