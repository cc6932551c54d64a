"""What a point read finds, and what else an item tells of itself."""

from __future__ import annotations

from ecs_sync.abilities import KeepsHistory
from ecs_sync.adapter import ItemId, Put, Verdict
from ecs_sync.testing.behaviour import always, where
from ecs_sync.testing.subject import Subject, complete, create, found, look, revision, write


@always
def a_point_read_names_each_id_once_as_found_or_absent(subject: Subject) -> None:
    there, _ = create(subject, "there", b"value")
    other, _ = create(subject, "other", b"more")
    missing = subject.id("missing")
    pages = list(subject.adapter.get([there, missing, other]).pages)
    assert pages[-1].proof is not None
    assert sorted(item.id for page in pages for item in page.items) == sorted([there, other])
    assert [id for page in pages for id in page.absent] == [missing]


@always
def a_point_read_at_an_empty_place_finds_absence_and_no_error(subject: Subject) -> None:
    assert look(subject, subject.id("missing")) is None


@always
def more_ids_than_one_call_takes_are_all_read(subject: Subject) -> None:
    ids = [create(subject, f"item{number:02}")[0] for number in range(subject.many)]
    wanted = min(2 * subject.features.reads + 1, 150)
    missing = [subject.id(f"missing{number}") for number in range(wanted)]
    pages = list(subject.adapter.get([*ids, *missing]).pages)
    assert sorted(item.id for page in pages for item in page.items) == sorted(ids)
    assert sorted(id for page in pages for id in page.absent) == sorted(missing)


@always
def reading_no_ids_finds_nothing_and_is_complete(subject: Subject) -> None:
    assert complete(subject.adapter.get([])) == []


@always
def a_point_read_shows_what_was_just_written(subject: Subject) -> None:
    id, _ = create(subject, "a", b"one")
    if not subject.features.current_reads:
        return
    for value in (b"two", b"three", b"four"):
        outcome = write(subject, Put(id, value, revision(subject, id)))
        assert outcome.verdict is Verdict.APPLIED
        assert found(subject, id).value == value


@where(lambda features: features.change_times, "change_times")
def items_carry_a_change_time_that_knows_its_zone_and_does_not_go_back(subject: Subject) -> None:
    id, _ = create(subject, "a", b"one")
    before = found(subject, id).changed
    subject.outside.set(id, b"two")
    after = found(subject, id).changed
    assert before is not None
    assert after is not None
    assert before.tzinfo is not None
    assert before <= after


@where(lambda features: not features.change_times, "change times are carried")
def an_adapter_without_change_times_makes_none_up(subject: Subject) -> None:
    id, _ = create(subject, "a", b"one")
    assert found(subject, id).changed is None


@where(lambda features: features.ordered_revisions, "ordered_revisions")
def revisions_are_numbers_that_rise_with_each_write(subject: Subject) -> None:
    id, _ = create(subject, "a", b"one")
    numbers = [int(revision(subject, id))]
    for value in (b"two", b"three"):
        subject.outside.set(id, value)
        numbers.append(int(revision(subject, id)))
        write(subject, Put(id, value + b"!", revision(subject, id)))
        numbers.append(int(revision(subject, id)))
    assert numbers == sorted(set(numbers))


@where(lambda features: features.history, "history")
def history_is_oldest_first_with_values_and_begins_after_the_revision(subject: Subject) -> None:
    id, _ = create(subject, "a", b"one")
    first = revision(subject, id)
    subject.outside.set(id, b"two")
    second = revision(subject, id)
    subject.outside.set(id, b"three")
    third = revision(subject, id)
    assert _history(subject, id, first) == [(second, b"two"), (third, b"three")]
    assert _history(subject, id, second) == [(third, b"three")]
    assert _history(subject, id, third) == []
    assert _history(subject, id, None) == [(first, b"one"), (second, b"two"), (third, b"three")]


def _history(subject: Subject, id: ItemId, after: str | None) -> list[tuple[str | None, bytes | None]]:
    assert isinstance(subject.adapter, KeepsHistory)
    items = complete(subject.adapter.history(id, after))
    assert {item.id for item in items} <= {id}
    return [(item.revision, item.value) for item in items]


@where(lambda features: features.holds_secrets, "holds_secrets")
def what_was_written_as_a_secret_is_read_as_a_secret(subject: Subject) -> None:
    id = subject.id("hidden")
    assert write(subject, Put(id, b"one", None, secret=True)).verdict is Verdict.APPLIED
    assert found(subject, id).secret
    outcome = write(
        subject, Put(id, b"two", revision(subject, id), secret=True, attributes=found(subject, id).attributes)
    )
    assert outcome.verdict is Verdict.APPLIED
    assert found(subject, id).secret
    assert found(subject, id).value == b"two"
