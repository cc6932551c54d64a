"""Adapters that look, pin, address or refer wrongly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ecs_sync.abilities import Pointer
from ecs_sync.adapter import Item, Listing, Page, Proof
from tests.testing.bugs import Right, bug


@bug("peek", "a_peek_tells_what_a_point_read_tells_but_the_value")
def reads_the_value_where_it_should_peek(self: Right, ids: Sequence[str]) -> Listing:
    return self.right.get(ids)


@bug("peek", "a_peek_shows_that_a_value_moved")
def peeks_at_what_it_remembers(self: Right, ids: Sequence[str]) -> Listing:
    pages = list(self.right.peek(ids).pages)
    items = [replace(item, revision="1", changed=None) for page in pages for item in page.items]
    return Listing([Page(tuple(items), tuple(id for page in pages for id in page.absent), Proof())])


@bug("version", "a_version_that_there_never_was_is_not_another_one", history=True)
def takes_the_newest_for_any_version(self: Right, id: str, version: str) -> Item | None:
    return self.store.get(id)


@bug("addressed", "an_address_leads_back_to_its_item")
def takes_every_address_for_its_own(self: Right, address: str) -> tuple[str, str | None]:
    return address.rpartition("/")[2], None


@bug("pointer", "what_points_nowhere_is_no_reference", refers=True)
def points_at_anything(self: Right, address: str) -> Pointer:
    return Pointer(address.encode())


@bug("pointed", "what_points_nowhere_is_no_reference", refers=True)
def sees_a_reference_everywhere(self: Right, item: Item) -> str:
    return (item.value or b"").decode()
