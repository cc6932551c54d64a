"""Our mappings keep the laws, and every law notices a mapping that is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st

from ecs_sync.adapter import Item, ItemId
from ecs_sync.errors import MappingError
from ecs_sync.mapping import Mapping, Refusal
from ecs_sync.model import Entry, Key, Scope, Type, Value
from ecs_sync.testing import mapping_contract, strategies
from ecs_sync.testing.mapping_contract import LAWS, Law, Lens
from ecs_sync_mappings.document import DocumentMapping, DocumentOptions
from ecs_sync_mappings.path import PathMapping, PathOptions


@dataclass(frozen=True)
class Root:
    root: str


def path(**options: Any) -> PathMapping:
    return PathMapping(PathOptions(**options), Root("app/"), Scope())


def path_items(mapping: PathMapping) -> st.SearchStrategy[Item]:
    """Items as the mapping would name them, and others."""
    names = strategies.keys().map(mapping.locate).filter(lambda id: isinstance(id, str)).map(str)
    wild = st.text("ab/.~0_-:", max_size=8).map(lambda tail: f"app/{tail}")
    values = strategies.raws() | strategies.json_texts().map(str.encode)
    return st.builds(
        Item,
        names | names | names | wild,
        values,
        st.booleans(),
        strategies.attribute_sets(),
        st.just("7"),
    )


def path_lens(**options: Any) -> Lens:
    mapping = path(**options)
    entry = strategies.entries(strategies.keys())
    return Lens(mapping, path_items(mapping), st.lists(entry, max_size=1))


KEYS = [Key.parse(text) for text in ("a", "b", "retry/max", "retry/wait", "x/y/z", "name with space")]
YAML = ("a: 1 # one\n", "retry:\n  max: 3\n  wait: '5s'\n", "b: [1, 2]\na: ~\n", "# nothing\n")
JSON = ('{"a": 1, "b": [1.50]}', '{\n  "retry": {"max": 3, "wait": "5s"}\n}\n', '{"x": {"y": {"z": null}}}')


def document_lens(id: ItemId, texts: Sequence[str]) -> Lens:
    mapping = DocumentMapping(DocumentOptions(), Root(id), Scope())
    raws = st.sampled_from(texts).map(str.encode)
    items = st.builds(Item, st.just(id), raws, st.just(False), strategies.attribute_sets())
    types = (Type.STRING, Type.INTEGER, Type.BOOLEAN, Type.FLOAT)
    entry = strategies.entries(st.sampled_from(KEYS), types)
    return Lens(mapping, items, st.lists(entry, max_size=4, unique_by=lambda entry: entry.key))


@mapping_contract.laws
@pytest.mark.parametrize("separator", ["/", "--"])
@pytest.mark.parametrize("types", ["text", "json"])
def test_the_path_mapping_keeps_the_laws(law: Law, separator: str, types: str) -> None:
    law(path_lens(separator=separator, types=types))


@mapping_contract.laws
@pytest.mark.parametrize(("id", "texts"), [("app.yaml", YAML), ("app.json", JSON)], ids=["yaml", "json"])
def test_the_document_mapping_keeps_the_laws(law: Law, id: str, texts: Sequence[str]) -> None:
    # What a document holds is as secret as its item, and the items of this lens are plain.
    if law.name != "a_secret_entry_makes_a_secret_item":
        law(document_lens(id, texts))


class Right:
    """The mapping that the wrong ones are made of."""

    Options: ClassVar[type] = PathOptions
    single = True
    ordered = True

    def __init__(self) -> None:
        self.right = path()

    def locate(self, key: Key) -> ItemId | Refusal:
        return self.right.locate(key)

    def read(self, item: Item) -> Sequence[Entry | Refusal]:
        return self.right.read(item)

    def write(self, id: ItemId, entries: Sequence[Entry], existing: Item | None) -> Item | None:
        return self.right.write(id, entries, existing)


def entries_of(found: Sequence[Entry | Refusal]) -> list[Entry]:
    return [one for one in found if isinstance(one, Entry)]


class Trims(Right):
    def write(self, id: ItemId, entries: Sequence[Entry], existing: Item | None) -> Item | None:
        item = self.right.write(id, entries, existing)
        return item and replace(item, value=(item.value or b"").strip())


class GrowsWithEachTrip(Right):
    def read(self, item: Item) -> Sequence[Entry | Refusal]:
        return [replace(e, value=Value.string(e.value.text + " ")) for e in entries_of(self.right.read(item))]


class DropsAttributes(Right):
    def write(self, id: ItemId, entries: Sequence[Entry], existing: Item | None) -> Item | None:
        return self.right.write(id, entries, None)


class ForgetsSecrets(Right):
    def write(self, id: ItemId, entries: Sequence[Entry], existing: Item | None) -> Item | None:
        item = self.right.write(id, entries, existing)
        return item and replace(item, secret=False)


class ReadsWhatItWouldWriteElsewhere(Right):
    def read(self, item: Item) -> Sequence[Entry | Refusal]:
        found = entries_of(self.right.read(item))
        return [replace(entry, key=Key.of("all", *entry.key.segments)) for entry in found]


class ReadsTwice(Right):
    def read(self, item: Item) -> Sequence[Entry | Refusal]:
        return [*self.right.read(item)] * 2


class FoldsCase(Right):
    def locate(self, key: Key) -> ItemId | Refusal:
        return str(self.right.locate(key)).lower()


class ClaimsAnOrder(Right):
    def __init__(self) -> None:
        self.right = path(separator=".")


class KeepsWhatShallGo(Right):
    def write(self, id: ItemId, entries: Sequence[Entry], existing: Item | None) -> Item | None:
        return self.right.write(id, entries, existing) if entries else existing


class TakesUnreadableForEmpty(Right):
    def read(self, item: Item) -> Sequence[Entry | Refusal]:
        return self.right.read(item if item.value is not None else replace(item, value=b""))


class CountsItsReads(Right):
    reads = 0

    def read(self, item: Item) -> Sequence[Entry | Refusal]:
        self.reads += 1
        found = entries_of(self.right.read(item))
        return [replace(entry, value=Value.integer(self.reads)) for entry in found]


class DecodesAnything(Right):
    def read(self, item: Item) -> Sequence[Entry | Refusal]:
        (item.value or b"").decode("utf-8")
        return self.right.read(item)


class QuotesTheValue(Right):
    def write(self, id: ItemId, entries: Sequence[Entry], existing: Item | None) -> Item | None:
        if any("\0" in entry.value.text for entry in entries):
            raise MappingError(f"cannot say {entries[0].value.text}")
        return self.right.write(id, entries, existing)


class RefusesWithoutAWord(Right):
    def locate(self, key: Key) -> ItemId | Refusal:
        return self.right.locate(key) if len(key.segments) > 1 else Refusal("")


WRONG: dict[str, type[Right]] = {
    "writing_back_what_was_read_changes_no_byte": Trims,
    "what_was_written_is_read_back_in_the_image": GrowsWithEachTrip,
    "attributes_survive_a_write": DropsAttributes,
    "a_secret_entry_makes_a_secret_item": ForgetsSecrets,
    "an_entry_is_read_from_the_item_that_it_would_be_written_to": ReadsWhatItWouldWriteElsewhere,
    "no_key_is_read_twice_from_one_item": ReadsTwice,
    "two_keys_share_an_item_only_where_an_item_may_hold_many": FoldsCase,
    "items_in_order_yield_keys_in_order": ClaimsAnOrder,
    "an_item_that_shall_hold_nothing_is_deleted_or_holds_nothing_of_ours": KeepsWhatShallGo,
    "an_unreadable_item_yields_no_entry": TakesUnreadableForEmpty,
    "reading_twice_reads_the_same": CountsItsReads,
    "nothing_but_a_mapping_error_is_raised_whatever_the_bytes": DecodesAnything,
    "no_refusal_and_no_error_quotes_a_value": QuotesTheValue,
    "a_key_that_cannot_be_placed_is_refused_with_its_name": RefusesWithoutAWord,
}


@pytest.fixture
def _first_sight() -> Iterator[None]:
    """A broken law is enough: how it breaks in the smallest way is of no interest here."""
    before = settings()
    settings.register_profile("first-sight", phases=[Phase.generate], max_examples=500, database=None)
    settings.load_profile("first-sight")
    yield
    settings.register_profile("before", before)
    settings.load_profile("before")


@mapping_contract.laws
@pytest.mark.usefixtures("_first_sight")
def test_every_law_notices_a_mapping_that_breaks_it(law: Law) -> None:
    wrong = WRONG[law.name]()
    mapping: Mapping = wrong
    entry = strategies.entries(strategies.keys())
    lens = Lens(mapping, path_items(wrong.right), st.lists(entry, max_size=1))
    with pytest.raises((AssertionError, UnicodeDecodeError)):
        law(lens)


def test_no_law_is_without_a_mapping_that_breaks_it() -> None:
    assert WRONG.keys() == {law.name for law in LAWS}
