"""One entry an item: the key is in the item's name, the value is the item's value.

The id is the root of the place and then the segments of the key, joined by the separator. Inside a
segment ``~`` is written ``~0`` and the separator ``~1``, so that every key has one id and every id at
most one key; with ``/`` the id is the root and the key's own text. An id that does not lead back to
itself (a folder marker ``a/``, a bare ``~``) is refused with its name, never guessed at.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from ecs_sync.adapter import Item, ItemId, option
from ecs_sync.errors import ConfigError, MappingError
from ecs_sync.mapping import Refusal
from ecs_sync.model import Entry, Key, Scope, Type, Value, canonical_json


@dataclass(frozen=True, slots=True)
class PathOptions:
    """How keys become names, and values bytes."""

    separator: str = option("What divides the segments of a key in the name of an item.", default="/")
    types: Literal["text", "json"] = option(
        "text: a value is its plain text, and reads as a string. json: a value is a JSON literal"
        ' (5, "x", true, null, {"a": 1}), so its type survives.',
        default="text",
    )


class PathMapping:
    """Between one item and its one entry.

    With ``types: text`` every value that is UTF-8 without NUL reads as a string, and anything else as
    bytes; a number, a flag or bytes that happen to be text come back as a string, which is the image
    that both sides are compared in. Null cannot be said. With ``types: json`` bytes cannot be said, and
    references and flags come back as a string and as JSON. Metadata has no place and is not written.
    """

    Options: ClassVar[type] = PathOptions

    def __init__(self, options: PathOptions, place: Any, scope: Scope) -> None:
        """Raises `ConfigError` where the separator could not be told from a key's own text."""
        del scope
        if not options.separator or re.search(r"[\w~]", options.separator.replace("_", "")):
            raise ConfigError(
                f"option separator of mapping path: {options.separator!r} cannot be told from a key's own"
                " text; use punctuation other than '~', such as '/', '.', ':', '--' or '__'"
            )
        self._separator = options.separator
        self._types = options.types
        self._root = str(place.root)

    @property
    def single(self) -> bool:
        return True

    @property
    def ordered(self) -> bool:
        """With ``/`` an id is the root and the key's text; any other separator sorts elsewhere."""
        return self._separator == "/"

    def locate(self, key: Key) -> ItemId | Refusal:
        """The id of this key; a refusal where the id could be read as another key."""
        id = self._root + self._tail(key)
        if not self.ordered and self._key_of(id) != key:
            reason = f"its segments, joined by {self._separator!r}, could not be told apart again"
            return Refusal(reason, key)
        return id

    def read(self, item: Item) -> Sequence[Entry | Refusal]:
        """The one entry of an item, or the one reason why it has none."""
        key = self._key_of(item.id)
        if isinstance(key, Refusal):
            return [key]
        if item.value is None:
            return [Refusal(item.unreadable or "it came without its value", key, item.id)]
        try:
            value = _from_text(item.value) if self._types == "text" else _from_json(item.value)
        except ValueError as error:
            return [Refusal(str(error), key, item.id)]
        return [Entry(key, value, secret=item.secret)]

    def write(self, id: ItemId, entries: Sequence[Entry], existing: Item | None) -> Item | None:
        """The item of the one entry, with all attributes it had; None where there is no entry.

        Raises `MappingError` for an entry of another item, and for a value that has no such text.
        """
        if not entries:
            return None
        if len(entries) > 1 or self.locate(entries[0].key) != id:
            names = ", ".join(repr(entry.key.text) for entry in entries)
            raise MappingError(
                f"{id}: mapping path keeps one key in one item, and this is not that of {names}"
            )
        (entry,) = entries
        if existing is None:
            return Item(id, self._bytes(id, entry.value), secret=entry.secret)
        if existing.value is not None and self.read(existing) == [_plain(entry)]:
            value = existing.value
        else:
            value = self._bytes(id, entry.value)
        return Item(id, value, secret=entry.secret, attributes=existing.attributes)

    def _tail(self, key: Key) -> str:
        if self.ordered:
            return key.text
        return self._separator.join(
            segment.replace("~", "~0").replace(self._separator, "~1") for segment in key.segments
        )

    def _key(self, tail: str) -> Key:
        if self.ordered:
            return Key.parse(tail)
        segments = (s.replace("~1", self._separator).replace("~0", "~") for s in tail.split(self._separator))
        return Key.of(*segments)

    def _key_of(self, id: ItemId) -> Key | Refusal:
        if not id.startswith(self._root):
            return Refusal(f"its name does not begin with {self._root!r}", item=id)
        tail = id[len(self._root) :]
        try:
            key = self._key(tail)
        except ValueError as error:
            return Refusal(f"its name is no key: {error}", item=id)
        if self._tail(key) != tail:
            written = self._root + self._tail(key)
            return Refusal(f"its name is no key: the key it seems to mean is written {written!r}", item=id)
        return key

    def _bytes(self, id: ItemId, value: Value) -> bytes:
        try:
            return _to_text(value) if self._types == "text" else _to_json(value)
        except ValueError as error:
            raise MappingError(f"{id}: {error}") from None


def _plain(entry: Entry) -> Entry:
    """The entry without the metadata, which an item has no place for."""
    return Entry(entry.key, entry.value, secret=entry.secret)


def _from_text(raw: bytes) -> Value:
    if b"\0" in raw:
        return Value.bytes(raw)
    try:
        return Value.string(raw.decode("utf-8"))
    except UnicodeDecodeError:
        return Value.bytes(raw)


def _to_text(value: Value) -> bytes:
    match value.type:
        case Type.NULL:
            raise ValueError("null cannot be said as plain text; unset the key, or use types: json")
        case Type.BYTES:
            return base64.b64decode(value.text)
        case Type.STRING | Type.INTEGER | Type.FLOAT | Type.BOOLEAN | Type.JSON | Type.REFERENCE | Type.FLAG:
            return value.text.encode("utf-8")


def _from_json(raw: bytes) -> Value:
    try:
        text = canonical_json(raw.decode("utf-8"))
    except UnicodeDecodeError:
        raise ValueError("its value is not UTF-8, which JSON is; use types: text") from None
    except ValueError as error:
        raise ValueError(f"its value is no JSON literal ({error}); correct it, or use types: text") from None
    match text[0]:
        case "{" | "[":
            return Value.json(text)
        case '"':
            return Value.string(json.loads(text))
        case "t" | "f":
            return Value.parse(Type.BOOLEAN, text)
        case "n":
            return Value.null()
    if re.fullmatch(r"-?[0-9]+", text):
        return Value.parse(Type.INTEGER, text)
    return Value.float(text)


def _to_json(value: Value) -> bytes:
    match value.type:
        case Type.NULL:
            return b"null"
        case Type.STRING | Type.REFERENCE:
            return json.dumps(value.text, ensure_ascii=False).encode("utf-8")
        case Type.INTEGER | Type.FLOAT | Type.BOOLEAN | Type.JSON | Type.FLAG:
            return value.text.encode("utf-8")
        case Type.BYTES:
            raise ValueError("bytes cannot be said as a JSON literal; use types: text")
