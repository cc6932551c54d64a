"""How an adapter carries itself: among threads, with secrets, when it is closed, in what it declares."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from ecs_sync.abilities import Finishes, KeepsHistory, Peeks, Pins, Refers, Watches
from ecs_sync.adapter import Delete, Guard, Outcome, Put, Verdict
from ecs_sync.testing.behaviour import always, where
from ecs_sync.testing.subject import Subject, create, eventually, found, listed, revision, token, write

_CANARY = b"canary-9c41e7-value"


def _at_once(works: list[Callable[[], Outcome]]) -> list[Outcome]:
    """All works, begun at the same moment."""
    barrier = threading.Barrier(len(works))

    def begin(work: Callable[[], Outcome]) -> Outcome:
        barrier.wait()
        return work()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(begin, works))


def _one_wins(subject: Subject, puts: list[Put]) -> None:
    outcomes = _at_once([partial(write, subject, put) for put in puts])
    won = [put for put, outcome in zip(puts, outcomes, strict=True) if outcome.verdict is Verdict.APPLIED]
    assert len(won) == 1
    assert {outcome.verdict for outcome in outcomes} == {Verdict.APPLIED, Verdict.RACED}
    assert subject.outside.get(won[0].id) == won[0].value


@where(lambda features: features.guard in (Guard.A, Guard.B), "guards C and D have a window")
def of_many_who_create_at_once_exactly_one_wins(subject: Subject) -> None:
    for turn in range(3):
        id = subject.id(f"turn{turn}")
        _one_wins(subject, [Put(id, b"writer %d" % number, None) for number in range(6)])


@where(lambda features: features.guard in (Guard.A, Guard.B), "guards C and D have a window")
def of_many_who_update_at_once_exactly_one_wins(subject: Subject) -> None:
    id, _ = create(subject, "a")
    for _ in range(3):
        expected = revision(subject, id)
        _one_wins(subject, [Put(id, b"writer %d of %s" % (n, expected.encode()), expected) for n in range(6)])


@always
def many_threads_can_use_one_adapter(subject: Subject) -> None:
    def live(number: int) -> Outcome:
        id, _ = create(subject, f"thread{number}", b"one")
        write(subject, Put(id, b"thread %d" % number, revision(subject, id)))
        assert found(subject, id).value == b"thread %d" % number
        listed(subject)
        return Outcome(id, Verdict.APPLIED)

    outcomes = _at_once([partial(live, number) for number in range(6)])
    assert [subject.outside.get(o.id) for o in outcomes] == [b"thread %d" % n for n in range(6)]


@always
def no_value_is_ever_shown_in_a_repr_or_a_reason(subject: Subject) -> None:
    id = subject.id("a")
    canary = _CANARY.decode()
    put = Put(id, _CANARY, None)
    texts = [repr(put), repr(write(subject, put)), repr(write(subject, put)), repr(found(subject, id))]
    texts += [repr(listed(subject)), repr(subject.adapter), repr(subject.place)]
    stale = Put(id, _CANARY, "0" if revision(subject, id) != "0" else "1")
    texts.append(repr(write(subject, stale)))
    most = subject.features.values.max_bytes
    if most is not None and most < 2**20:
        texts.append(repr(write(subject, Put(subject.id("b"), _CANARY * (most // 10), None))))
    assert [text for text in texts if canary in text] == []


@always
def a_place_overlaps_itself_and_overlapping_is_mutual(subject: Subject) -> None:
    place = subject.place
    assert place.overlaps(place)
    assert place == dataclasses.replace(place)
    assert hash(place) == hash(dataclasses.replace(place))
    assert str(place)
    for other in _other_places(subject):
        assert place.overlaps(other) == other.overlaps(place)
        assert (str(place) == str(other)) == (place == other)


def _other_places(subject: Subject) -> list[Any]:
    """Places near by, as far as their short spelling goes."""
    text, places = str(subject.place), list[Any]()
    for near in (text, text + "x/", text.rstrip("/") + "2/", text[:1], "/", "other/"):
        try:
            places.append(type(subject.place).parse(near))
        except ValueError:
            continue
    return places


@where(lambda features: features.watch, "watch")
def a_watch_wakes_when_something_moves(subject: Subject) -> None:
    adapter = subject.adapter
    assert isinstance(adapter, Watches)
    id, _ = create(subject, "a")
    before = token(subject)
    subject.outside.set(id, b"moved before")
    assert adapter.watch(subject.place, before, 30.0)
    before = token(subject)
    mover = threading.Timer(0.2, subject.outside.set, (id, b"moved meanwhile"))
    mover.start()
    try:
        assert adapter.watch(subject.place, before, 30.0)
    finally:
        mover.join()


@where(lambda features: features.watch, "watch")
def a_watch_ends_when_its_time_is_over(subject: Subject) -> None:
    assert isinstance(subject.adapter, Watches)
    assert subject.adapter.watch(subject.place, token(subject), 0.1) in (True, False)


@always
def the_features_do_not_contradict_each_other(subject: Subject) -> None:
    features = subject.features
    assert features == subject.adapter.features, "features do not change"
    assert min(features.batch, features.reads, features.concurrency) >= 1
    assert not features.atomic_batch or features.batch > 1
    assert features.history or features.guard is not Guard.C, "class C must keep history"
    for declared, ability in (
        (features.history, KeepsHistory),
        (features.watch, Watches),
        (features.peeks, Peeks),
        (features.pins, Pins),
        (features.refers, Refers),
        (features.finishes, Finishes),
    ):
        assert not declared or isinstance(subject.adapter, ability), ability.__name__


@always
def every_option_says_what_it_is_and_secret_ones_stay_out_of_the_repr(subject: Subject) -> None:
    adapter = type(subject.adapter)
    for declared in (adapter.Options, adapter.Place):
        assert dataclasses.is_dataclass(declared)
        for field in dataclasses.fields(declared):
            assert field.metadata.get("help"), f"{declared.__name__}.{field.name} has no help"
            assert not (field.metadata.get("secret") and field.repr), f"{field.name} would be shown"
    assert isinstance(subject.place, adapter.Place)


@always
def an_adapter_can_be_closed_twice(subject: Subject) -> None:
    id, _ = create(subject, "a")
    assert eventually(subject, lambda: [item.id for item in listed(subject)] == [id])
    write(subject, Delete(id, revision(subject, id)))
    subject.adapter.close()
    subject.adapter.close()
