"""Configuration of real projects: read, given back byte for byte, and every single value edited."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from ecs_sync.adapter import Item
from ecs_sync.mapping import Refusal
from ecs_sync.model import Entry, Scope, Type, Value
from ecs_sync_mappings.document import DocumentMapping, DocumentOptions

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
SUFFIXES = {".yml", ".json", ".env", ".ini", ".xml", ".properties"}
FILES = sorted(path for path in DATA.rglob("*") if path.suffix in SUFFIXES)
PROFILES = [None, "docker", "mysql", "chaos-monkey"]

pytestmark = pytest.mark.skipif(not FILES, reason="the configuration of real projects is not here")


@dataclass(frozen=True)
class File:
    root: str


def cases() -> list[tuple[Path, str | None]]:
    return [
        (path, profile) for path in FILES for profile in (PROFILES if path.suffix == ".yml" else PROFILES[:1])
    ]


def opened(path: Path, profile: str | None) -> tuple[DocumentMapping, Item, list[Entry]]:
    mapping = DocumentMapping(DocumentOptions(profile=profile), File(path.name), Scope())
    item = Item(path.name, path.read_bytes(), revision="r1")
    found = mapping.read(item)
    assert not [one.reason for one in found if isinstance(one, Refusal)]
    return mapping, item, [one for one in found if isinstance(one, Entry)]


def changed_lines(before: bytes, after: bytes) -> int:
    """How many lines differ; -1 where the number of lines does."""
    old, new = before.split(b"\n"), after.split(b"\n")
    return sum(a != b for a, b in zip(old, new, strict=True)) if len(old) == len(new) else -1


@pytest.mark.parametrize(("path", "profile"), cases(), ids=lambda value: getattr(value, "name", value))
def test_a_real_file_survives_and_every_value_of_it_is_edited_alone(path: Path, profile: str | None) -> None:
    mapping, item, entries = opened(path, profile)
    assert mapping.write(item.id, entries, item) is item
    assert item.value is not None
    for index, entry in enumerate(entries):
        for text in ("edited", "it's # 'odd': \"x\" \\ é"):
            wanted = [*entries]
            wanted[index] = replace(entry, value=Value.string(text))
            changed = mapping.write(item.id, wanted, item)
            assert changed is not None
            assert changed.value is not None
            assert mapping.read(changed) == wanted
            assert entry.value.type is Type.JSON or changed_lines(item.value, changed.value) == 1
            assert mapping.write(item.id, entries, changed) is not None


@pytest.mark.parametrize(("path", "profile"), cases(), ids=lambda value: getattr(value, "name", value))
def test_every_value_of_a_real_file_can_go_and_come_back(path: Path, profile: str | None) -> None:
    mapping, item, entries = opened(path, profile)
    for index in range(len(entries)):
        kept = entries[:index] + entries[index + 1 :]
        less = mapping.write(item.id, kept, item)
        assert (list(mapping.read(less)) if less else []) == kept
        full = mapping.write(item.id, entries, less)
        assert full is not None
        again = {one.key: one for one in mapping.read(full) if isinstance(one, Entry)}
        assert again == {entry.key: entry for entry in entries}


def test_the_real_files_hold_several_hundred_values() -> None:
    assert sum(len(opened(path, profile)[2]) for path, profile in cases()) > 300
