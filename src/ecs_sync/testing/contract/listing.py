"""What a listing shows, proves and costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from ecs_sync.adapter import Delete, Put
from ecs_sync.errors import AdapterError
from ecs_sync.testing.behaviour import always, where
from ecs_sync.testing.subject import (
    Subject,
    complete,
    create,
    eventually,
    found,
    listed,
    pages_of,
    revision,
    token,
    write,
)


def _ids(subject: Subject) -> list[str]:
    return [item.id for item in listed(subject)]


@always
def an_empty_place_has_a_complete_and_empty_listing(subject: Subject) -> None:
    assert listed(subject) == []


@always
def a_listing_shows_every_item_once(subject: Subject) -> None:
    ids = {create(subject, f"item{number:02}")[0] for number in range(subject.many)}
    assert eventually(subject, lambda: len(_ids(subject)) >= len(ids))
    shown = _ids(subject)
    assert sorted(shown) == sorted(ids)


@always
def the_proof_stands_on_the_last_page_and_only_there(subject: Subject) -> None:
    for number in range(subject.many):
        create(subject, f"item{number:02}")
    pages = list(pages_of(subject.adapter.list(subject.place, None)))
    assert [page.proof is not None for page in pages] == [False] * (len(pages) - 1) + [True]


@always
def a_listing_shows_what_somebody_else_made(subject: Subject) -> None:
    subject.outside.set(subject.id("theirs"), b"by hand")
    assert eventually(subject, lambda: _ids(subject) == [subject.id("theirs")])
    assert found(subject, subject.id("theirs")).value == b"by hand"


@always
def what_was_deleted_is_no_longer_listed(subject: Subject) -> None:
    kept, _ = create(subject, "kept")
    gone, _ = create(subject, "gone")
    assert eventually(subject, lambda: set(_ids(subject)) == {kept, gone})
    write(subject, Delete(gone, revision(subject, gone)))
    assert eventually(subject, lambda: _ids(subject) == [kept])


@where(lambda features: features.values_in_listing, "values_in_listing")
def a_listing_carries_the_values(subject: Subject) -> None:
    values = {create(subject, name, value)[0]: value for name, value in [("a", b"one"), ("b", b"two\n")]}
    assert eventually(subject, lambda: {item.id: item.value for item in listed(subject)} == values)


@where(lambda features: not features.values_in_listing, "values are in the listing")
def a_listing_without_values_gives_none_and_a_point_read_gives_it(subject: Subject) -> None:
    id, _ = create(subject, "a", b"one")
    assert eventually(subject, lambda: _ids(subject) == [id])
    assert [item.value for item in listed(subject)] == [None]
    assert found(subject, id).value == b"one"


@where(lambda features: features.ordered_listing, "ordered_listing")
def a_listing_comes_in_the_byte_order_of_ids(subject: Subject) -> None:
    names = ["b", "a1", "a", "ab", "z", "a0", "m", "b2", "9", "b1"]
    for name in names:
        create(subject, name)
    shown = [id.encode() for id in _ids(subject)]
    assert len(shown) == len(names)
    assert shown == sorted(shown)


@always
def a_listing_shows_the_revision_that_a_point_read_shows(subject: Subject) -> None:
    id, _ = create(subject, "a")
    subject.outside.set(id, b"second")
    expected = revision(subject, id)
    assert eventually(subject, lambda: [item.revision for item in listed(subject)] == [expected])


@always
def a_neighbour_whose_name_begins_alike_is_not_listed(subject: Subject) -> None:
    id, _ = create(subject, "a")
    if subject.beside is not None:
        subject.outside.set(subject.beside, b"not ours")
    try:
        assert eventually(subject, lambda: id in _ids(subject))
        assert _ids(subject) == [id]
    finally:
        if subject.beside is not None:
            subject.outside.delete(subject.beside)


@always
def every_listed_id_begins_with_the_root_of_the_place(subject: Subject) -> None:
    create(subject, "a")
    assert eventually(subject, lambda: bool(_ids(subject)))
    assert all(id.startswith(subject.place.root) for id in _ids(subject))


@always
def two_listings_read_at_once_do_not_disturb_each_other(subject: Subject) -> None:
    for number in range(subject.many):
        create(subject, f"item{number:02}")
    one = subject.adapter.list(subject.place, None)
    other = subject.adapter.list(subject.place, None)
    first = pages_of(one)
    shown = [item.id for item in next(first).items]
    between = sorted(item.id for item in complete(other))
    shown += [item.id for page in first for item in page.items]
    assert sorted(shown) == between


@always
def a_listing_that_is_given_up_half_way_harms_nothing(subject: Subject) -> None:
    ids = {create(subject, f"item{number:02}")[0] for number in range(subject.many)}
    for _ in range(3):
        next(pages_of(subject.adapter.list(subject.place, None)))
    assert eventually(subject, lambda: set(_ids(subject)) == ids)


@always
def what_stands_still_is_listed_once_while_others_come_and_go(subject: Subject) -> None:
    standing = sorted(create(subject, f"item{number:02}")[0] for number in range(subject.many))
    guests = [subject.id(f"guest{number}") for number in range(4)]
    for guest in guests[:2]:
        subject.outside.set(guest, b"early")
    assert eventually(subject, lambda: len(_ids(subject)) == len(standing) + 2)
    moves: list[Callable[[], object]] = [
        *(partial(subject.outside.delete, guest) for guest in guests[:2]),
        *(partial(subject.outside.set, guest, b"late") for guest in guests[2:]),
    ]
    for first in (moves[:2], moves[2:], moves[:2]):
        shown, proven = _listed_among(subject, first)
        # A listing that others disturb may be incomplete, and then says so. What it proves must be true.
        assert not proven or sorted(id for id in shown if id in standing) == standing


def _listed_among(subject: Subject, moves: Sequence[Callable[[], object]]) -> tuple[list[str], bool]:
    """The ids of a listing during which others move, and whether it claims to be complete."""
    shown: list[str] = []
    left, proven = list(moves), False
    try:
        for page in pages_of(subject.adapter.list(subject.place, None)):
            shown += [item.id for item in page.items]
            proven = page.proof is not None
            if left:
                left.pop(0)()
    except AdapterError:
        proven = False
    for move in left:
        move()
    return shown, proven


@where(lambda features: features.unchanged, "unchanged")
def a_place_where_nothing_moved_is_unchanged_since(subject: Subject) -> None:
    create(subject, "a")
    listing = subject.adapter.list(subject.place, token(subject))
    assert listing.unchanged
    assert list(listing.pages) == []


@where(lambda features: features.unchanged, "unchanged")
def every_kind_of_move_ends_being_unchanged(subject: Subject) -> None:
    id, _ = create(subject, "a", b"one")
    moves: list[Callable[[], object]] = [
        lambda: subject.outside.set(id, b"two"),
        lambda: write(subject, Put(id, b"three", revision(subject, id))),
        lambda: subject.outside.set(subject.id("b"), b"new"),
        lambda: subject.outside.delete(id),
        lambda: write(subject, Delete(subject.id("b"), revision(subject, subject.id("b")))),
    ]
    for number, move in enumerate(moves):
        before = token(subject)
        move()
        listing = subject.adapter.list(subject.place, before)
        assert not listing.unchanged, f"move {number} was not seen"
        complete(listing)
