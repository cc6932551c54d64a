"""What a write does, whom it protects, and what it tells."""

from __future__ import annotations

from ecs_sync.adapter import Delete, Guard, Put, Verdict
from ecs_sync.testing.behaviour import always, where
from ecs_sync.testing.subject import (
    Subject,
    compares_deletes,
    compares_updates,
    create,
    eventually,
    found,
    listed,
    look,
    revision,
    write,
)


@always
def a_creation_creates(subject: Subject) -> None:
    id, outcome = create(subject, "a", b"one")
    assert subject.outside.get(id) == b"one"
    assert outcome.replaced is None


@always
def a_creation_only_creates(subject: Subject) -> None:
    id = subject.id("a")
    subject.outside.set(id, b"theirs")
    outcome = write(subject, Put(id, b"ours", None))
    assert outcome.verdict is Verdict.RACED
    assert subject.outside.get(id) == b"theirs"


@always
def what_was_deleted_can_be_created_again(subject: Subject) -> None:
    id, _ = create(subject, "a", b"one")
    write(subject, Delete(id, revision(subject, id)))
    create(subject, "a", b"again")
    assert subject.outside.get(id) == b"again"


@always
def an_update_at_the_expected_revision_is_applied(subject: Subject) -> None:
    id = subject.id("a")
    subject.outside.set(id, b"one")
    outcome = write(subject, Put(id, b"two", revision(subject, id)))
    assert outcome.verdict is Verdict.APPLIED
    assert subject.outside.get(id) == b"two"


@where(compares_updates, "guard C compares nothing")
def an_update_of_what_moved_is_raced_and_changes_nothing(subject: Subject) -> None:
    id, _ = create(subject, "a", b"one")
    before = revision(subject, id)
    subject.outside.set(id, b"theirs")
    outcome = write(subject, Put(id, b"ours", before))
    assert outcome.verdict is Verdict.RACED
    assert subject.outside.get(id) == b"theirs"


@where(lambda features: features.guard is Guard.C, "guard is not C")
def an_unguarded_update_tells_what_it_really_replaced(subject: Subject) -> None:
    id, _ = create(subject, "a", b"one")
    before = revision(subject, id)
    subject.outside.set(id, b"theirs")
    between = revision(subject, id)
    outcome = write(subject, Put(id, b"ours", before))
    if outcome.verdict is Verdict.RACED:
        assert subject.outside.get(id) == b"theirs"
    else:
        assert (outcome.verdict, outcome.replaced) == (Verdict.APPLIED, between)
        assert subject.outside.get(id) == b"ours"


@where(compares_updates, "guard C compares nothing")
def an_update_of_what_is_gone_does_not_bring_it_back(subject: Subject) -> None:
    id, _ = create(subject, "a", b"one")
    before = revision(subject, id)
    subject.outside.delete(id)
    outcome = write(subject, Put(id, b"ours", before))
    assert outcome.verdict is Verdict.RACED
    assert subject.outside.get(id) is None


@always
def a_delete_at_the_expected_revision_deletes(subject: Subject) -> None:
    id, _ = create(subject, "a", b"one")
    outcome = write(subject, Delete(id, revision(subject, id)))
    assert outcome.verdict is Verdict.APPLIED
    assert outcome.revision is None
    assert subject.outside.get(id) is None
    assert eventually(subject, lambda: look(subject, id) is None)


@where(compares_deletes, "guards B and C do not compare deletes")
def a_delete_of_what_moved_is_raced_and_deletes_nothing(subject: Subject) -> None:
    id, _ = create(subject, "a", b"one")
    before = revision(subject, id)
    subject.outside.set(id, b"theirs")
    outcome = write(subject, Delete(id, before))
    assert outcome.verdict is Verdict.RACED
    assert subject.outside.get(id) == b"theirs"


@always
def a_delete_of_what_is_gone_is_no_error_and_touches_no_other(subject: Subject) -> None:
    id, _ = create(subject, "a", b"one")
    other, _ = create(subject, "a1", b"other")
    before = revision(subject, id)
    subject.outside.delete(id)
    assert write(subject, Delete(id, before)).verdict in (Verdict.RACED, Verdict.APPLIED)
    assert subject.outside.get(other) == b"other"


@always
def a_delete_leaves_what_lies_below_and_beside_its_name(subject: Subject) -> None:
    id, _ = create(subject, "a", b"one")
    neighbours = [create(subject, name, name.encode())[0] for name in ("aa", "a1", "b")]
    write(subject, Delete(id, revision(subject, id)))
    assert [subject.outside.get(neighbour) for neighbour in neighbours] == [b"aa", b"a1", b"b"]


@always
def the_revision_a_write_returns_is_the_one_that_is_read_and_listed(subject: Subject) -> None:
    id, outcome = create(subject, "a", b"one")
    if outcome.revision is not None:
        assert outcome.revision == revision(subject, id)
    outcome = write(subject, Put(id, b"two", revision(subject, id)))
    if outcome.revision is not None:
        assert outcome.revision == revision(subject, id)
        assert eventually(subject, lambda: [item.revision for item in listed(subject)] == [outcome.revision])


@always
def a_write_that_nobody_disturbed_replaced_what_it_expected(subject: Subject) -> None:
    id, _ = create(subject, "a", b"one")
    before = revision(subject, id)
    assert write(subject, Put(id, b"two", before)).replaced == before
    before = revision(subject, id)
    assert write(subject, Delete(id, before)).replaced == before


@always
def every_change_of_a_value_moves_the_revision(subject: Subject) -> None:
    id, _ = create(subject, "a", b"one")
    seen = [revision(subject, id)]
    for value in (b"two", b"three", b"four"):
        subject.outside.set(id, value)
        seen.append(revision(subject, id))
    write(subject, Put(id, b"five", seen[-1]))
    seen.append(revision(subject, id))
    assert len(set(seen)) == len(seen)


@where(lambda features: features.guard is Guard.C, "guard is not C")
def what_an_unguarded_update_replaced_unseen_is_in_the_history(subject: Subject) -> None:
    adapter = subject.adapter
    id, _ = create(subject, "a", b"one")
    before = revision(subject, id)
    subject.outside.set(id, b"theirs")
    if write(subject, Put(id, b"ours", before)).verdict is Verdict.APPLIED:
        pages = adapter.history(id, before).pages  # type: ignore[attr-defined]
        assert [item.value for page in pages for item in page.items] == [b"theirs", b"ours"]


@always
def a_write_leaves_the_attributes_that_are_not_managed(subject: Subject) -> None:
    id = subject.id("a")
    subject.outside.set(id, b"one", subject.foreign)
    before = found(subject, id)
    assert set(subject.foreign) <= set(before.attributes)
    assert not subject.features.managed_attributes & {name for name, _ in subject.foreign}
    for attributes in (before.attributes, ()):
        outcome = write(subject, Put(id, b"two", revision(subject, id), attributes=attributes))
        assert outcome.verdict is Verdict.APPLIED
        assert set(subject.foreign) <= set(found(subject, id).attributes)


@always
def what_is_read_can_be_written_back_as_it_is(subject: Subject) -> None:
    id = subject.id("a")
    subject.outside.set(id, b"one", subject.foreign)
    item = found(subject, id)
    assert item.value is not None
    assert item.revision is not None
    put = Put(id, item.value, item.revision, secret=item.secret, attributes=item.attributes)
    assert write(subject, put).verdict is Verdict.APPLIED
    after = found(subject, id)
    assert (after.value, after.secret, after.attributes) == (item.value, item.secret, item.attributes)
