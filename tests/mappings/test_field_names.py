"""Where in a JSON item a key's value is, as a reference to it says: what the resolver finds there."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from ecs_sync.adapter import Item
from ecs_sync.model import Entry, Key, Scope
from ecs_sync.reference import Reference
from ecs_sync.resolve import plaintext
from ecs_sync_mappings.document import DocumentMapping, DocumentOptions
from ecs_sync_mappings.fields import FieldsMapping, FieldsOptions

TEXT = b'{"db": {"user": "app", "a/b": 5432}, "flat": true}'


@dataclass(frozen=True)
class One:
    root: str

    @property
    def single_item(self) -> str:
        return self.root


@dataclass(frozen=True)
class Glob:
    root: str
    single_item: None = None


@pytest.mark.parametrize(
    "mapping",
    [
        FieldsMapping(FieldsOptions(), One("app.json"), Scope()),
        DocumentMapping(DocumentOptions(), One("app.json"), Scope()),
        DocumentMapping(DocumentOptions(format="json"), One("app"), Scope()),
        DocumentMapping(DocumentOptions(root="db"), One("app.json"), Scope()),
    ],
    ids=["fields", "document", "named json", "below a root"],
)
def test_a_field_leads_to_the_value_of_its_key(mapping: FieldsMapping | DocumentMapping) -> None:
    item = Item("app.json", TEXT)
    entries = [entry for entry in mapping.read(item) if isinstance(entry, Entry)]
    assert entries
    for entry in entries:
        reference = Reference("kv", "app.json", field=mapping.field(entry.key))
        assert plaintext(item, Reference.parse(reference.text)) == entry.value


@pytest.mark.parametrize(
    "mapping",
    [
        DocumentMapping(DocumentOptions(), One("app.yaml"), Scope()),
        DocumentMapping(DocumentOptions(format="yaml"), One("app.json"), Scope()),
        DocumentMapping(DocumentOptions(lists="indexed"), One("app.json"), Scope()),
        DocumentMapping(DocumentOptions(), Glob("config/"), Scope()),
    ],
    ids=["yaml", "yaml by its option", "indexed lists", "many files"],
)
def test_where_no_reference_can_lead_none_is_named(mapping: DocumentMapping) -> None:
    assert mapping.field(Key("db/user")) is None
