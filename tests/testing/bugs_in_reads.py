"""Adapters that list, read, remember, watch or close wrongly."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from ecs_sync.adapter import (
    Item,
    Listing,
    Page,
    Proof,
    Token,
)
from ecs_sync_adapters.memory import MemoryPlace
from tests.testing.bugs import Right, bug


@bug("get", "binary_values_come_back_to_the_byte")
def decodes_and_replaces_what_is_no_text(self: Right, ids: Sequence[str]) -> Any:
    def shown(item: Item) -> Item:
        return replace(item, value=(item.value or b"").decode("utf-8", "replace").encode())

    (page,) = self.right.get(ids).pages
    return Listing([replace(page, items=tuple(map(shown, page.items)))])


@bug("list", "a_listing_shows_what_somebody_else_made")
def drops_the_last_page_but_claims_proof(self: Right, place: MemoryPlace, since: Token | None) -> Any:
    listing = self.right.list(place, since)
    *pages, last = listing.pages or [Page()]
    return replace(listing, pages=[] if listing.unchanged else [*pages[:-1], last])


@bug(
    "list",
    "an_empty_place_has_a_complete_and_empty_listing",
    "the_proof_stands_on_the_last_page_and_only_there",
    "a_listing_shows_what_somebody_else_made",
    "two_listings_read_at_once_do_not_disturb_each_other",
    "a_place_where_nothing_moved_is_unchanged_since",
    "no_value_is_ever_shown_in_a_repr_or_a_reason",
    "a_watch_wakes_when_something_moves",
    "a_watch_ends_when_its_time_is_over",
)
def never_proves_that_it_is_complete(self: Right, place: MemoryPlace, since: Token | None) -> Any:
    listing = self.right.list(place, since)
    return replace(listing, pages=[replace(page, proof=None) for page in listing.pages])


@bug("list", "the_proof_stands_on_the_last_page_and_only_there")
def proves_every_page(self: Right, place: MemoryPlace, since: Token | None) -> Any:
    listing = self.right.list(place, since)
    return replace(listing, pages=[replace(page, proof=Proof("1")) for page in listing.pages])


@bug(
    "list",
    "a_listing_shows_every_item_once",
    "a_listing_comes_in_the_byte_order_of_ids",
    "what_stands_still_is_listed_once_while_others_come_and_go",
)
def repeats_an_item_on_the_next_page(self: Right, place: MemoryPlace, since: Token | None) -> Any:
    def pages() -> Iterator[Page]:
        last: tuple[Item, ...] = ()
        for page in listing.pages:
            yield replace(page, items=last + page.items) if page.items else page
            last = page.items[-1:]

    listing = self.right.list(place, since)
    return replace(listing, pages=pages())


@bug(
    "list",
    "a_neighbour_whose_name_begins_alike_is_not_listed",
    "a_place_where_nothing_moved_is_unchanged_since",
)
def lists_neighbours_that_begin_alike(self: Right, place: MemoryPlace, since: Token | None) -> Any:
    del place, since
    items = [item for id in self.store.items() if (item := self.store.get(id)) is not None]
    return Listing(
        [Page(tuple(sorted(items, key=lambda i: i.id)), proof=Proof(str(self.store.index("app"))))]
    )


@bug("list", "a_listing_comes_in_the_byte_order_of_ids")
def claims_an_order_that_it_does_not_keep(self: Right, place: MemoryPlace, since: Token | None) -> Any:
    listing = self.right.list(place, since)
    *pages, last = list(listing.pages) or [Page()]
    return replace(listing, pages=[] if listing.unchanged else [*reversed(pages), last])


@bug("list", "every_kind_of_move_ends_being_unchanged")
def is_unchanged_for_ever(self: Right, place: MemoryPlace, since: Token | None) -> Any:
    return self.right.list(place, None) if since is None else Listing(unchanged=True)


@bug("list", "every_kind_of_move_ends_being_unchanged")
def misses_deletes_when_asked_what_is_unchanged(self: Right, place: MemoryPlace, since: Token | None) -> Any:
    ids = [id for id in self.store.items() if id.startswith(place.root)]
    newest = max((int((self.store.get(id) or Item("", b"")).revision or 0) for id in ids), default=0)
    if since is not None and newest <= int(since):
        return Listing(unchanged=True)
    pages = list(self.right.list(place, None).pages)
    return Listing([*pages[:-1], Page(proof=Proof(str(newest)))])


@bug("get", "a_point_read_names_each_id_once_as_found_or_absent", "more_ids_than_one_call_takes_are_all_read")
def is_silent_about_what_is_absent(self: Right, ids: Sequence[str]) -> Any:
    return Listing([replace(page, absent=()) for page in self.right.get(ids).pages])


@bug(
    "get",
    "a_point_read_names_each_id_once_as_found_or_absent",
    "a_point_read_at_an_empty_place_finds_absence_and_no_error",
    "more_ids_than_one_call_takes_are_all_read",
    "a_delete_at_the_expected_revision_deletes",
)
def takes_what_it_cannot_find_for_empty(self: Right, ids: Sequence[str]) -> Any:
    (page,) = self.right.get(ids).pages
    return Listing([Page((*page.items, *(Item(id, b"") for id in page.absent)), proof=Proof())])


@bug("get", "more_ids_than_one_call_takes_are_all_read")
def reads_only_as_many_as_one_call_takes(self: Right, ids: Sequence[str]) -> Any:
    return self.right.get(ids[:10])


@bug(
    "history",
    "history_is_oldest_first_with_values_and_begins_after_the_revision",
    "what_an_unguarded_update_replaced_unseen_is_in_the_history",
    guard="C",
)
def tells_history_backwards(self: Right, id: str, after: str | None) -> Any:
    (page,) = self.right.history(id, after).pages
    return Listing([replace(page, items=page.items[::-1])])


@bug(
    "history",
    "history_is_oldest_first_with_values_and_begins_after_the_revision",
    "what_an_unguarded_update_replaced_unseen_is_in_the_history",
    guard="C",
)
def tells_all_history_whatever_was_asked(self: Right, id: str, after: str | None) -> Any:
    del after
    return self.right.history(id, None)


@bug("watch", "a_watch_wakes_when_something_moves")
def sleeps_through_what_moved_before_it_watched(
    self: Right, place: MemoryPlace, since: Token | None, timeout: float
) -> Any:
    del since
    return self.right.watch(place, None, min(timeout, 1.0))


@bug("close", "an_adapter_can_be_closed_twice")
def cannot_be_closed_twice(self: Right) -> None:
    self.closed += 1
    if self.closed > 1:
        raise ValueError("closed already")


@bug(
    "get",
    "a_point_read_shows_what_was_just_written",
    "revisions_are_numbers_that_rise_with_each_write",
    "every_change_of_a_value_moves_the_revision",
)
def remembers_what_it_once_read(self: Right, ids: Sequence[str]) -> Any:
    (page,) = self.right.get(ids).pages
    for item in page.items:
        self.memory.setdefault(item.id, item)
    return Listing([replace(page, items=tuple(self.memory[item.id] for item in page.items))])


@bug(
    "get",
    "a_point_read_shows_what_was_just_written",
    "revisions_are_numbers_that_rise_with_each_write",
    "what_was_deleted_can_be_created_again",
    "an_update_at_the_expected_revision_is_applied",
    "a_delete_at_the_expected_revision_deletes",
    "every_change_of_a_value_moves_the_revision",
    "what_is_read_can_be_written_back_as_it_is",
)
def takes_the_length_for_a_revision(self: Right, ids: Sequence[str]) -> Any:
    (page,) = self.right.get(ids).pages
    items = tuple(replace(item, revision=str(len(item.value or b""))) for item in page.items)
    return Listing([replace(page, items=items)])


@bug("get", "reading_no_ids_finds_nothing_and_is_complete")
def reads_everything_when_asked_for_nothing(self: Right, ids: Sequence[str]) -> Any:
    return self.right.get(ids) if ids else Listing([Page()])


@bug(
    "list",
    "a_listing_shows_the_revision_that_a_point_read_shows",
    "the_revision_a_write_returns_is_the_one_that_is_read_and_listed",
)
def lists_with_another_revision_than_it_reads(self: Right, place: MemoryPlace, since: Token | None) -> Any:
    listing = self.right.list(place, since)
    pages = [
        replace(page, items=tuple(replace(item, revision=f"v{item.revision}") for item in page.items))
        for page in listing.pages
    ]
    return replace(listing, pages=pages)


@bug("list", "every_listed_id_begins_with_the_root_of_the_place", "a_listing_shows_what_somebody_else_made")
def lists_ids_without_their_root(self: Right, place: MemoryPlace, since: Token | None) -> Any:
    listing = self.right.list(place, since)
    pages = [
        replace(page, items=tuple(replace(item, id=item.id.removeprefix("app/")) for item in page.items))
        for page in listing.pages
    ]
    return replace(listing, pages=pages)


@bug("list", "two_listings_read_at_once_do_not_disturb_each_other")
def keeps_one_cursor_for_all_listings(self: Right, place: MemoryPlace, since: Token | None) -> Any:
    def pages() -> Iterator[Page]:
        self.cursor = 0
        while self.cursor < len(all_pages):
            self.cursor += 1
            yield all_pages[self.cursor - 1]

    listing = self.right.list(place, since)
    all_pages = list(listing.pages)
    return replace(listing, pages=pages())


@bug(
    "list",
    "two_listings_read_at_once_do_not_disturb_each_other",
    "a_listing_that_is_given_up_half_way_harms_nothing",
)
def goes_on_where_a_listing_was_given_up(self: Right, place: MemoryPlace, since: Token | None) -> Any:
    def pages() -> Iterator[Page]:
        while self.cursor < len(all_pages):
            self.cursor += 1
            yield all_pages[self.cursor - 1]
        self.cursor = 0

    listing = self.right.list(place, since)
    all_pages = list(listing.pages)
    return replace(listing, pages=pages())


@bug("list", "what_stands_still_is_listed_once_while_others_come_and_go")
def skips_by_position_while_items_come_and_go(self: Right, place: MemoryPlace, since: Token | None) -> Any:
    def pages() -> Iterator[Page]:
        start = 0
        while ids := sorted(id for id in self.store.items() if id.startswith("app/"))[start : start + 2]:
            start += 2
            yield Page(tuple(item for id in ids if (item := self.store.get(id))))
        yield Page(proof=Proof(token))

    listing = self.right.list(place, since)
    token = str(self.store.index("app/"))
    return listing if listing.unchanged else Listing(pages())


@bug("list", "what_was_deleted_is_no_longer_listed")
def lists_what_is_deleted(self: Right, place: MemoryPlace, since: Token | None) -> Any:
    listing = self.right.list(place, since)
    gone = [id for id in self.seen if self.store.get(id) is None]
    self.seen |= self.store.items().keys()
    ghosts = Page(tuple(Item(id, b"", revision="1") for id in gone))
    return listing if listing.unchanged else replace(listing, pages=[ghosts, *listing.pages])


@bug("list", "a_listing_shows_what_somebody_else_made")
def sees_its_own_writes_only(self: Right, place: MemoryPlace, since: Token | None) -> Any:
    listing = self.right.list(place, since)
    pages = [
        replace(page, items=tuple(item for item in page.items if item.id in self.seen))
        for page in listing.pages
    ]
    return replace(listing, pages=pages)


@bug("watch", "a_watch_wakes_when_something_moves", "a_watch_ends_when_its_time_is_over")
def does_not_know_how_to_watch(self: Right, place: MemoryPlace, since: Token | None, timeout: float) -> Any:
    raise NotImplementedError


@bug("get", "many_threads_can_use_one_adapter")
def answers_one_thread_with_what_another_asked(self: Right, ids: Sequence[str]) -> Any:
    self.asked = ids
    with contextlib.suppress(threading.BrokenBarrierError):
        self.meeting.wait(0.02)
    if self.meeting.broken:
        self.meeting.reset()
    return self.right.get(self.asked)


@bug("get", "items_carry_a_change_time_that_knows_its_zone_and_does_not_go_back", change_times=True)
def tells_times_without_their_zone(self: Right, ids: Sequence[str]) -> Any:
    (page,) = self.right.get(ids).pages
    items = tuple(replace(i, changed=i.changed and i.changed.replace(tzinfo=None)) for i in page.items)
    return Listing([replace(page, items=items)])
