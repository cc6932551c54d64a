"""The laws that every mapping keeps, as Hypothesis properties.

To hold a mapping to them, say what items may lie at its place and what entries one item may hold::

    from ecs_sync.testing import mapping_contract
    from ecs_sync.testing.mapping_contract import Law, Lens

    @mapping_contract.laws
    def test_my_mapping(law: Law) -> None:
        law(Lens(mapping, items=..., entries=...))

A law that does not apply to a mapping, such as that of the order, is skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ecs_sync.adapter import Item, ItemId
from ecs_sync.errors import MappingError
from ecs_sync.mapping import Mapping, Refusal
from ecs_sync.model import Entry, Key, Value

_Property = TypeVar("_Property", bound=Callable[..., None])

_CANARY = "canary-51d2e8-value"


@dataclass(frozen=True)
class Lens:
    """A mapping under test.

    ``items`` are items that may lie at the place, well-formed or not; ``entries`` are entries that one
    item may be asked to hold: at most one where the mapping is ``single``, each of another key.
    """

    mapping: Mapping
    items: st.SearchStrategy[Item]
    entries: st.SearchStrategy[Sequence[Entry]]


@dataclass(frozen=True, slots=True)
class Law:
    """A property whose name is a sentence. Called with a `Lens`, it raises AssertionError or passes."""

    check: Callable[[Lens], None]

    @property
    def name(self) -> str:
        return self.check.__name__

    def __call__(self, lens: Lens) -> None:
        self.check(lens)


def _quick(law: _Property) -> _Property:
    """Under the tester's own profile, whatever else the machine does."""
    return settings(deadline=None, suppress_health_check=list(HealthCheck))(law)


def _read(mapping: Mapping, item: Item) -> tuple[list[Entry], list[Refusal]]:
    """What an item holds; nothing is asked of an item that the mapping cannot read at all."""
    try:
        both = mapping.read(item)
    except MappingError:
        assume(False)
    entries = [found for found in both if isinstance(found, Entry)]
    return entries, [found for found in both if isinstance(found, Refusal)]


def _item_of(mapping: Mapping, entries: Sequence[Entry]) -> ItemId:
    """The one item that all these entries lie in."""
    ids = {mapping.locate(entry.key) for entry in entries}
    assume(len(ids) == 1)
    (id,) = ids
    assume(isinstance(id, str))
    return str(id)


def _written(mapping: Mapping, id: ItemId, entries: Sequence[Entry], existing: Item | None) -> Item:
    try:
        item = mapping.write(id, entries, existing)
    except MappingError:
        assume(False)
    assert item is not None, "None deletes the item, and there were entries"
    assert item.id == id
    return item


def writing_back_what_was_read_changes_no_byte(lens: Lens) -> None:
    """GetPut."""

    @_quick
    @given(lens.items)
    def law(item: Item) -> None:
        entries, _ = _read(lens.mapping, item)
        assume(entries)
        assert item.value is not None
        after = _written(lens.mapping, item.id, entries, item)
        assert (after.value, after.attributes) == (item.value, item.attributes)

    law()


def what_was_written_is_read_back_in_the_image(lens: Lens) -> None:
    """PutGet, after one trip: the first may lose a type, the second nothing."""

    @_quick
    @given(lens.entries, st.none() | lens.items)
    def law(entries: Sequence[Entry], other: Item | None) -> None:
        assume(entries)
        id = _item_of(lens.mapping, entries)
        existing = None if other is None else replace(other, id=id)
        item = _written(lens.mapping, id, entries, existing)
        image, _ = _read(lens.mapping, item)
        assert sorted(entry.key for entry in image) == sorted(entry.key for entry in entries)
        again = _written(lens.mapping, id, image, item)
        assert again.value == item.value
        assert _read(lens.mapping, again)[0] == image

    law()


def attributes_survive_a_write(lens: Lens) -> None:
    @_quick
    @given(lens.entries, lens.items)
    def law(entries: Sequence[Entry], existing: Item) -> None:
        assume(entries)
        id = _item_of(lens.mapping, entries)
        item = _written(lens.mapping, id, entries, replace(existing, id=id))
        assert set(existing.attributes) <= set(item.attributes)

    law()


def a_secret_entry_makes_a_secret_item(lens: Lens) -> None:
    @_quick
    @given(lens.entries, st.none() | lens.items)
    def law(entries: Sequence[Entry], other: Item | None) -> None:
        assume(any(entry.secret for entry in entries))
        id = _item_of(lens.mapping, entries)
        item = _written(lens.mapping, id, entries, None if other is None else replace(other, id=id))
        assert item.secret
        assert all(entry.secret for entry in _read(lens.mapping, item)[0])

    law()


def an_entry_is_read_from_the_item_that_it_would_be_written_to(lens: Lens) -> None:
    @_quick
    @given(lens.items)
    def law(item: Item) -> None:
        entries, _ = _read(lens.mapping, item)
        for entry in entries:
            located = lens.mapping.locate(entry.key)
            assert isinstance(located, Refusal) or located == item.id

    law()


def no_key_is_read_twice_from_one_item(lens: Lens) -> None:
    @_quick
    @given(lens.items)
    def law(item: Item) -> None:
        entries, refusals = _read(lens.mapping, item)
        keys = [entry.key for entry in entries]
        assert len(set(keys)) == len(keys)
        assert not set(keys) & {refusal.key for refusal in refusals}
        assert len(entries) < 2 or not lens.mapping.single

    law()


def two_keys_share_an_item_only_where_an_item_may_hold_many(lens: Lens) -> None:
    @_quick
    @given(lens.entries)
    def law(entries: Sequence[Entry]) -> None:
        keys = {twin for entry in entries for twin in _twins(entry.key)}
        ids = [id for id in map(lens.mapping.locate, keys) if isinstance(id, str)]
        assert not lens.mapping.single or len(set(ids)) == len(ids)

    law()


def _twins(key: Key) -> set[Key]:
    """A key, and those that a careless encoding takes for the same."""
    text, twins = key.text, {key}
    likely = {text.swapcase(), text.lower(), text + "_", text.replace("~1", "/"), f"{text}/x", f"{text}-x"}
    likely |= {text.replace("/", mark) for mark in (".", "-", "_", ":", "--", "__", "~1", "%2F")}
    likely |= {text.replace(mark, "/") for mark in (".", "-", "_", ":", " ")}
    for one in likely:
        try:
            twins.add(Key.parse(one))
        except ValueError:
            continue
    return twins


def items_in_order_yield_keys_in_order(lens: Lens) -> None:
    if not lens.mapping.ordered:
        pytest.skip("the mapping does not claim an order")

    @_quick
    @given(st.lists(lens.entries, min_size=2))
    def law(many: list[Sequence[Entry]]) -> None:
        located = {entry.key: lens.mapping.locate(entry.key) for entries in many for entry in entries}
        ids = [(id.encode(), key) for key, id in located.items() if isinstance(id, str)]
        assert all(one < other for (_, one), (_, other) in pairwise(sorted(ids)))

    law()


def an_item_that_shall_hold_nothing_is_deleted_or_holds_nothing_of_ours(lens: Lens) -> None:
    @_quick
    @given(lens.items)
    def law(item: Item) -> None:
        entries, _ = _read(lens.mapping, item)
        assume(entries)
        try:
            after = lens.mapping.write(item.id, [], item)
        except MappingError:
            return
        assert after is None or _read(lens.mapping, after)[0] == []

    law()


def an_unreadable_item_yields_no_entry(lens: Lens) -> None:
    @_quick
    @given(lens.items)
    def law(item: Item) -> None:
        try:
            found = lens.mapping.read(replace(item, value=None, unreadable="the credential may not"))
        except MappingError:
            return
        assert not [one for one in found if isinstance(one, Entry)]

    law()


def reading_twice_reads_the_same(lens: Lens) -> None:
    @_quick
    @given(lens.items)
    def law(item: Item) -> None:
        assert _read(lens.mapping, item) == _read(lens.mapping, item)

    law()


def nothing_but_a_mapping_error_is_raised_whatever_the_bytes(lens: Lens) -> None:
    @_quick
    @given(lens.items, st.binary(max_size=40), lens.entries)
    def law(item: Item, raw: bytes, entries: Sequence[Entry]) -> None:
        strange = replace(item, value=raw)
        for attempt in (lambda: lens.mapping.read(strange), lambda: _try(lens.mapping, entries, strange)):
            try:
                attempt()
            except MappingError:
                continue

    law()


def _try(mapping: Mapping, entries: Sequence[Entry], existing: Item) -> Any:
    for entry in entries:
        located = mapping.locate(entry.key)
        if isinstance(located, str):
            mapping.write(located, [entry], replace(existing, id=located))


def no_refusal_and_no_error_quotes_a_value(lens: Lens) -> None:
    @_quick
    @given(lens.items, lens.entries)
    def law(item: Item, entries: Sequence[Entry]) -> None:
        shown: list[str] = []
        for value in (f'{{"a": {_CANARY}', f"{_CANARY}: [", f"\0{_CANARY}\udcff"):
            bad = replace(item, value=value.encode("utf-8", "surrogateescape"))
            try:
                found = lens.mapping.read(bad)
                shown += [repr(one) for one in found]
            except MappingError as error:
                shown.append(str(error))
        for entry in entries:
            for spoken in (Value.bytes(_CANARY.encode() + b"\xff\0"), Value.string(f"\0{_CANARY}\x1b")):
                shown += _complaint(lens.mapping, replace(entry, value=spoken))
        assert [text for text in shown if _CANARY in text] == []

    law()


def _complaint(mapping: Mapping, entry: Entry) -> list[str]:
    located = mapping.locate(entry.key)
    if isinstance(located, Refusal):
        return [repr(located)]
    try:
        mapping.write(located, [entry], None)
    except MappingError as error:
        return [str(error)]
    return []


def a_key_that_cannot_be_placed_is_refused_with_its_name(lens: Lens) -> None:
    @_quick
    @given(lens.entries)
    def law(entries: Sequence[Entry]) -> None:
        for entry in entries:
            located = lens.mapping.locate(entry.key)
            if isinstance(located, Refusal):
                assert located.key == entry.key
                assert located.reason

    law()


LAWS: tuple[Law, ...] = tuple(
    map(
        Law,
        (
            writing_back_what_was_read_changes_no_byte,
            what_was_written_is_read_back_in_the_image,
            attributes_survive_a_write,
            a_secret_entry_makes_a_secret_item,
            an_entry_is_read_from_the_item_that_it_would_be_written_to,
            no_key_is_read_twice_from_one_item,
            two_keys_share_an_item_only_where_an_item_may_hold_many,
            items_in_order_yield_keys_in_order,
            an_item_that_shall_hold_nothing_is_deleted_or_holds_nothing_of_ours,
            an_unreadable_item_yields_no_entry,
            reading_twice_reads_the_same,
            nothing_but_a_mapping_error_is_raised_whatever_the_bytes,
            no_refusal_and_no_error_quotes_a_value,
            a_key_that_cannot_be_placed_is_refused_with_its_name,
        ),
    )
)
"""All laws."""

laws = pytest.mark.parametrize("law", LAWS, ids=[law.name for law in LAWS])
"""Decorates a test function that takes ``law``, once for each of them."""
