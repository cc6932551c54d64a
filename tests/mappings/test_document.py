"""The document mapping: one file, many entries."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from ecs_sync.adapter import Item
from ecs_sync.errors import MappingError
from ecs_sync.mapping import Refusal
from ecs_sync.model import Entry, Key, Scope, Value
from ecs_sync_mappings.document import DocumentMapping, DocumentOptions


@dataclass(frozen=True)
class File:
    root: str


def mapping_of(id: str, **options: object) -> DocumentMapping:
    return DocumentMapping(DocumentOptions(**options), File(id), Scope())  # type: ignore[arg-type]


def read(mapping: DocumentMapping, id: str, text: str) -> dict[str, Value]:
    found = mapping.read(Item(id, text.encode()))
    assert not [one for one in found if isinstance(one, Refusal)]
    return {entry.key.text: entry.value for entry in found if isinstance(entry, Entry)}


def write(mapping: DocumentMapping, id: str, values: dict[str, Value], text: str | None) -> str | None:
    existing = None if text is None else Item(id, text.encode(), revision="r1")
    item = mapping.write(id, [Entry(Key.parse(key), value) for key, value in values.items()], existing)
    return None if item is None or item.value is None else item.value.decode()


YAML = """\
# the shop
server:
  port: 8080   # of the proxy
  hosts: [a, b]

name: 'shop'
"""


def test_an_edit_of_one_value_leaves_every_other_character_alone() -> None:
    mapping = mapping_of("app.yml")
    values = read(mapping, "app.yml", YAML)
    values["server/port"] = Value.integer(9090)
    assert write(mapping, "app.yml", values, YAML) == YAML.replace("8080", "9090")


def test_an_unedited_item_comes_back_as_it_was() -> None:
    mapping = mapping_of("app.yml")
    item = Item("app.yml", YAML.encode(), revision="r1")
    entries = [one for one in mapping.read(item) if isinstance(one, Entry)]
    assert mapping.write("app.yml", entries, item) is item


def test_a_new_key_goes_below_its_parent_and_a_deleted_one_takes_its_line_along() -> None:
    mapping = mapping_of("app.yml")
    values = read(mapping, "app.yml", YAML)
    del values["name"]
    values["server/tls/on"] = Value.boolean(True)
    assert write(mapping, "app.yml", values, YAML) == YAML.replace("name: 'shop'\n", "").replace(
        "[a, b]\n", '[a, b]\n  tls:\n    "on": true\n'
    )


def test_a_document_that_cannot_be_parsed_names_file_line_and_column_and_no_value() -> None:
    with pytest.raises(MappingError) as raised:
        mapping_of("app.json").read(Item("app.json", b'{\n  "a": canary\n}'))
    assert str(raised.value).startswith("app.json:2:8: ")
    assert "canary" not in str(raised.value)
