"""A secret of named fields: the item's value is one JSON object, and each of its fields is one entry.

At a folder the key ``a/b/field`` is the field ``field`` of the item ``<root>a/b``; at a place that is one
item, the key ``field`` is its field. A field keeps its type; an object or a list in it is one JSON value.
The object is edited at the spans of its fields, so what nobody changed stays byte for byte. This is for
secret stores: the fields of a Vault secret, JSON secrets of AWS and GCP. The mapping ``document`` reads
the same text as a tree, whose inner objects are keys of their own.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ecs_sync.adapter import Item, ItemId
from ecs_sync.errors import MappingError
from ecs_sync.mapping import Refusal
from ecs_sync.model import Entry, Key, Scope, Type, Value

from .formats import json
from .formats.leaves import Edits, Path, Unparsable, View
from .formats.tree import Kind, leaf_value, scalar_json


@dataclass(frozen=True, slots=True)
class FieldsOptions:
    """A JSON object whose fields are keys: there is nothing to choose."""


@dataclass(frozen=True, slots=True, repr=False)
class _Field:
    """One field as it stands. ``key`` and ``value`` are None where ``refusal`` says why."""

    name: str
    key: Key | None
    value: Value | None
    refusal: str = ""


class FieldsMapping:
    """Between one JSON object and its entries.

    A place is one item where it offers ``single_item`` and that is not None; else its items are those
    whose ids begin with ``root``. References and flags come back as a string and as JSON: the image of
    the mapping. Bytes cannot be said. Metadata has no place in a field and is not written.
    """

    Options: ClassVar[type] = FieldsOptions

    def __init__(self, options: FieldsOptions, place: Any, scope: Scope) -> None:
        del options, scope
        self._root = str(place.root)
        self._single: ItemId | None = getattr(place, "single_item", None)

    @property
    def single(self) -> bool:
        return False

    @property
    def ordered(self) -> bool:
        return False

    def locate(self, key: Key) -> ItemId | Refusal:
        """The item of this key; the last segment is the field, those before it the item's name."""
        folder, _, _ = key.text.rpartition("/")
        if self._single is not None:
            if folder:
                reason = "its place is one item, whose fields are keys of one segment; take a folder"
                return Refusal(reason, key, self._single)
            return self._single
        if not folder:
            return Refusal("it names a field and no item: write it like item/field", key)
        return self._root + folder

    def field(self, key: Key) -> str:
        """The field of this key, for a reference to it."""
        return key.text.rpartition("/")[2]

    def read(self, item: Item) -> Sequence[Entry | Refusal]:
        """The fields as entries. What is no object, and what is no key, is refused and never guessed at."""
        if item.value is None:
            return [Refusal(item.unreadable or "it came without its value", item=item.id)]
        try:
            _, fields = self._parsed(item.id, item.value)
        except MappingError as error:
            return [Refusal(str(error), item=item.id)]
        return list(_told(item, fields))

    def write(self, id: ItemId, entries: Sequence[Entry], existing: Item | None) -> Item | None:
        """The edited item; None where no field remains. Raises `MappingError` with every reason."""
        wanted = self._wanted(id, entries)
        secret = any(entry.secret for entry in entries)
        if existing is None or existing.value is None:
            return Item(id, _object(wanted), secret=secret) if wanted else None
        document, fields = self._parsed(id, existing.value)
        edits = _edits(id, fields, wanted)
        if not (edits.replace or edits.remove or edits.add):
            return existing
        if len(edits.remove) == len(fields) and not edits.add:
            return None
        value = document.edit(edits).encode("utf-8")
        return dataclasses.replace(
            existing, value=value, secret=existing.secret or secret, revision=None, changed=None
        )

    def _parsed(self, id: ItemId, raw: bytes) -> tuple[json.JsonDocument, list[_Field]]:
        """Raises `MappingError`, naming line and column, where the value is no JSON object."""
        folder = self._folder(id)
        try:
            text = raw.decode("utf-8")
            document = json.parse(text, View())
        except UnicodeDecodeError:
            raise MappingError(f"{id}: its value is not UTF-8, and so no JSON object of fields") from None
        except Unparsable as error:
            line, column = error.position(text)
            raise MappingError(f"{id}:{line}:{column}: no JSON object of fields: {error.reason}") from None
        if document.root.kind is not Kind.MAP:
            raise MappingError(f"{id}: its value is null, and no JSON object of fields")
        return document, list(_fields(folder, document))

    def _folder(self, id: ItemId) -> tuple[str, ...]:
        """The segments before a field. Raises `MappingError` where the item's name leads to no key."""
        if self._single is not None:
            return ()
        tail = id.removeprefix(self._root)
        try:
            folder = Key.parse(tail)
        except ValueError as error:
            raise MappingError(f"{id}: its name is no key: {error}") from None
        if self._root + folder.text != id:
            raise MappingError(f"{id}: its name does not begin with {self._root!r}")
        return folder.segments

    def _wanted(self, id: ItemId, entries: Sequence[Entry]) -> dict[str, Value]:
        """The fields that shall be, as they will read back. Raises `MappingError` with all reasons."""
        problems: list[str] = []
        wanted: dict[str, Value] = {}
        for entry in entries:
            if self.locate(entry.key) != id:
                problems.append(f"{entry.key}: it is no field of this item")
                continue
            try:
                wanted[entry.key.segments[-1]] = _image(entry.value)
            except ValueError as error:
                problems.append(f"{entry.key}: {error}")
        if problems:
            raise MappingError(f"{id}: " + "; ".join(problems))
        return wanted


def _fields(folder: tuple[str, ...], document: json.JsonDocument) -> Iterator[_Field]:
    members = document.root.members
    counts = Counter(member.name for member in members)
    for member in members:
        try:
            key = Key.of(*folder, member.name)
        except ValueError as error:
            yield _Field(member.name, None, None, f"a field of it is no key: {error}")
            continue
        if counts[member.name] > 1:
            yield _Field(member.name, key, None, "its name stands twice in the object; keep one of them")
            continue
        value, refusal = leaf_value(member.node, [0])
        yield _Field(member.name, key, value, refusal)


def _told(item: Item, fields: Sequence[_Field]) -> Iterator[Entry | Refusal]:
    """What the fields say; a name that stands twice is refused once."""
    told: set[Key] = set()
    for field in fields:
        if field.key is not None and field.value is not None:
            yield Entry(field.key, field.value, secret=item.secret)
        elif field.key is None or field.key not in told:
            told |= set() if field.key is None else {field.key}
            yield Refusal(f"{item.id}: {field.refusal}", field.key, item.id)


def _edits(id: ItemId, fields: Sequence[_Field], wanted: dict[str, Value]) -> Edits:
    """What differs between the fields and those that shall be. What has no key or no value stays."""
    there = {field.name: field for field in fields}
    refused = [name for name in wanted if name in there and there[name].value is None]
    if refused:
        raise MappingError(f"{id}: " + "; ".join(f"{name!r}: {there[name].refusal}" for name in refused))
    gone = {field.name for field in fields if field.value is not None and field.name not in wanted}
    replace: dict[Path, Value] = {}
    add: dict[Path, Value] = {}
    for name, value in wanted.items():
        if name not in there:
            add[(name,)] = value
        elif there[name].value != value:
            replace[(name,)] = value
    return Edits(replace, frozenset((name,) for name in gone), add)


def _image(value: Value) -> Value:
    """The value as it will read back. Raises ValueError where a JSON field cannot say it."""
    match value.type:
        case Type.REFERENCE:
            return Value(Type.STRING, value.text)
        case Type.FLAG | Type.JSON if value.text[0] in "[{":
            return Value(Type.JSON, value.text)
        case Type.FLAG | Type.JSON:
            raise ValueError("a JSON value that is no object and no list reads back as the plain value")
        case Type.FLOAT if not any(mark in value.text for mark in ".eE"):
            raise ValueError("a float without '.' or exponent reads back as an integer")
        case Type.BYTES:
            raise ValueError("a field of a JSON object cannot say bytes; keep them as a base64 string")
        case Type.STRING | Type.INTEGER | Type.FLOAT | Type.BOOLEAN | Type.NULL:
            return value


def _object(wanted: dict[str, Value]) -> bytes:
    """A new object: sorted names, no white space."""
    pairs = (f"{json.quoted(name)}:{_literal(wanted[name])}" for name in sorted(wanted))
    return ("{" + ",".join(pairs) + "}").encode("utf-8")


def _literal(value: Value) -> str:
    return json.quoted(value.text) if value.type is Type.STRING else scalar_json(value)
