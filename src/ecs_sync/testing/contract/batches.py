"""Many writes in one call: an outcome for each, and each outcome is the truth."""

from __future__ import annotations

from collections.abc import Sequence

from ecs_sync.adapter import Delete, Outcome, Put, Verdict, Write
from ecs_sync.testing.behaviour import always, where
from ecs_sync.testing.subject import Subject, create, revision


def _names(subject: Subject) -> list[str]:
    return [f"item{number:02}" for number in range(min(subject.features.batch, 10))]


def _is_true(subject: Subject, put: Write, outcome: Outcome, before: bytes | None) -> bool:
    """What the outcome says is what an outsider sees."""
    value = put.value if isinstance(put, Put) else None
    expected = value if outcome.verdict is Verdict.APPLIED else before
    return subject.outside.get(put.id) == expected


@always
def every_write_has_one_outcome_in_the_order_of_the_writes(subject: Subject) -> None:
    writes = [Put(subject.id(name), name.encode(), None) for name in reversed(_names(subject))]
    outcomes = subject.adapter.write(writes)
    assert [outcome.id for outcome in outcomes] == [write.id for write in writes]
    assert {outcome.verdict for outcome in outcomes} == {Verdict.APPLIED}
    assert [subject.outside.get(write.id) for write in writes] == [write.value for write in writes]


@where(lambda features: features.batch > 1, "a batch is one write")
def a_batch_of_every_kind_tells_each_its_own(subject: Subject) -> None:
    gone, _ = create(subject, "gone", b"x")
    moved, _ = create(subject, "moved", b"x")
    writes: list[Write] = [Delete(gone, revision(subject, gone)), Put(moved, b"y", revision(subject, moved))]
    writes.append(Put(subject.id("new"), b"z", None))
    outcomes: list[Outcome] = []
    for batch in _batches(subject, writes):
        outcomes.extend(subject.adapter.write(batch))
    assert [outcome.verdict for outcome in outcomes] == [Verdict.APPLIED] * 3
    assert [outcome.replaced for outcome in outcomes] == [write.expected for write in writes]
    assert [subject.outside.get(write.id) for write in writes] == [None, b"y", b"z"]
    assert outcomes[1].revision in (None, revision(subject, moved))


def _batches(subject: Subject, writes: Sequence[Write]) -> list[Sequence[Write]]:
    size = subject.features.batch
    return [writes[start : start + size] for start in range(0, len(writes), size)]


@where(lambda features: features.batch > 1, "a batch is one write")
def a_raced_write_does_not_make_liars_of_its_neighbours(subject: Subject) -> None:
    names = _names(subject)
    taken = subject.id(names[1])
    subject.outside.set(taken, b"theirs")
    writes = [Put(subject.id(name), b"ours", None) for name in names]
    outcomes = subject.adapter.write(writes)
    assert outcomes[1].verdict is Verdict.RACED
    for write, outcome in zip(writes, outcomes, strict=True):
        assert outcome.id == write.id
        assert _is_true(subject, write, outcome, b"theirs" if write.id == taken else None)
        assert outcome.id == taken or outcome.verdict in (Verdict.APPLIED, Verdict.UNTRIED)


@where(lambda features: features.delete_batch is not None, "delete_batch")
def as_many_deletes_as_declared_go_in_one_call(subject: Subject) -> None:
    ids = [create(subject, f"item{number:03}")[0] for number in range(min(_deletes(subject), 100))]
    outcomes = subject.adapter.write([Delete(id, revision(subject, id)) for id in ids])
    assert [outcome.id for outcome in outcomes] == ids
    assert {outcome.verdict for outcome in outcomes} == {Verdict.APPLIED}
    assert [subject.outside.get(id) for id in ids] == [None] * len(ids)


def _deletes(subject: Subject) -> int:
    return subject.features.delete_batch or 1


@where(lambda features: features.batch_bytes is not None, "batch_bytes")
def a_batch_of_as_many_bytes_as_declared_is_taken(subject: Subject) -> None:
    features = subject.features
    ids = [subject.id(name) for name in _names(subject)]
    room = (features.batch_bytes or 0) // len(ids)
    largest = features.values.max_bytes
    puts = [
        Put(id, b"x" * min(room - len(id.encode()), room if largest is None else largest), None) for id in ids
    ]
    outcomes = subject.adapter.write(puts)
    assert {outcome.verdict for outcome in outcomes} == {Verdict.APPLIED}
    assert [subject.outside.get(put.id) for put in puts] == [put.value for put in puts]


@where(lambda features: features.atomic_batch and features.batch > 1, "atomic_batch")
def a_spoiled_atomic_batch_leaves_its_neighbours_untried_and_untouched(subject: Subject) -> None:
    names = _names(subject)
    subject.outside.set(subject.id(names[-1]), b"theirs")
    writes = [Put(subject.id(name), b"ours", None) for name in names]
    verdicts = [outcome.verdict for outcome in subject.adapter.write(writes)]
    assert verdicts == [Verdict.UNTRIED] * (len(names) - 1) + [Verdict.RACED]
    assert [subject.outside.get(write.id) for write in writes[:-1]] == [None] * (len(names) - 1)


@where(
    lambda features: features.batch > 1 and features.values.max_bytes is not None,
    "a batch is one write, or values have no limit",
)
def a_refused_write_does_not_make_liars_of_its_neighbours(subject: Subject) -> None:
    most = subject.features.values.max_bytes or 0
    names = _names(subject)[:3]
    writes = [Put(subject.id(name), b"ours", None) for name in names]
    writes[0] = Put(writes[0].id, b"x" * (most + 1), None)
    outcomes = subject.adapter.write(writes)
    assert outcomes[0].verdict is Verdict.REFUSED
    assert all(_is_true(subject, *pair, None) for pair in zip(writes, outcomes, strict=True))
