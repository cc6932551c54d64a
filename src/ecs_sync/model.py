"""The values everything else speaks of: scope, key, entry, rank, fingerprint.

All are frozen. Nothing here knows a provider, a store or a file. Texts that may hold a secret never
appear in a ``repr``: a traceback with locals shows types and lengths only.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, NewType

Fingerprint = NewType("Fingerprint", bytes)
"""Keyed BLAKE2b-256 of an entry's canonical form: 32 bytes, comparable within one installation only."""

HAND_PRIORITY = 2**31 - 1
"""The priority of edits made by hand in the store, unless the configuration sets ``store.priority``."""

_MAX_JSON_DEPTH = 100
_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")


@dataclass(frozen=True, slots=True, order=True)
class Scope:
    """The set of keys a job works on. Each part is optional; the empty scope is legal."""

    tenant: str | None = None
    edition: str | None = None
    environment: str | None = None
    application: str | None = None

    def __post_init__(self) -> None:
        for part in fields(self):
            value = getattr(self, part.name)
            if value is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", value):
                raise ValueError(
                    f"{part.name} {value!r} is not a scope name: use letters, digits, '.', '_' and '-'"
                )

    @property
    def text(self) -> str:
        """Canonical text such as ``tenant=acme,environment=prod``; the empty scope is ``*``."""
        parts = [(part.name, getattr(self, part.name)) for part in fields(self)]
        return ",".join(f"{name}={value}" for name, value in parts if value is not None) or "*"

    @classmethod
    def parse(cls, text: str) -> Scope:
        """The scope of its canonical text. Raises ValueError."""
        if text == "*":
            return cls()
        parts = dict(part.partition("=")[::2] for part in text.split(","))
        unknown = parts.keys() - {part.name for part in fields(cls)}
        if unknown:
            raise ValueError(f"{sorted(unknown)[0]!r} is not a part of a scope")
        return cls(**parts)


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """A path of segments inside a scope. Order is that of ``text``, which is also its UTF-8 byte order.

    ``text`` joins the segments with ``/``; inside a segment ``~`` is written ``~0`` and ``/`` is
    written ``~1`` (the escapes of RFC 6901).
    """

    text: str

    @classmethod
    def of(cls, *segments: str) -> Key:
        """The key of these segments. Raises ValueError, naming the segment and what is wrong."""
        if not segments:
            raise ValueError("a key has at least one segment")
        for segment in segments:
            _check_segment(segment)
        text = "/".join(segments)
        if "~" in text or text.count("/") >= len(segments):
            text = "/".join(s.replace("~", "~0").replace("/", "~1") for s in segments)
        return cls(text)

    @classmethod
    def parse(cls, text: str) -> Key:
        """The key of its canonical text. Raises ValueError, naming what is wrong."""
        if "~" not in text:
            for segment in text.split("/"):
                _check_segment(segment)
            return cls(text)
        if re.search(r"~(?![01])", text):
            raise ValueError(f"key {text!r}: '~' is written '~0', and '/' inside a segment '~1'")
        return cls.of(*(s.replace("~1", "/").replace("~0", "~") for s in text.split("/")))

    @property
    def segments(self) -> tuple[str, ...]:
        return tuple(s.replace("~1", "/").replace("~0", "~") for s in self.text.split("/"))

    def __str__(self) -> str:
        return self.text


_PLAIN = re.compile("[ -~]+")
"""Printable ASCII: most segments are, and then nothing else can be wrong with their characters."""


def _check_segment(segment: str) -> None:
    if segment not in (".", "..") and _PLAIN.fullmatch(segment):
        return
    if segment == "":
        raise ValueError("a key has no empty segment (no leading, trailing or double '/')")
    if segment in (".", ".."):
        raise ValueError(f"a key has no {segment!r} segment: clients and servers rewrite such paths")
    if any(unicodedata.category(c) in ("Cc", "Cs") for c in segment):
        raise ValueError(f"key segment {segment!r} holds a control character or a lone surrogate")
    if not unicodedata.is_normalized("NFC", segment):
        raise ValueError(f"key segment {segment!r} is not in Unicode's composed form (NFC)")


class Type(StrEnum):
    """What kind of value an entry holds."""

    STRING = "string"
    INTEGER = "integer"
    FLOAT = "float"
    BOOLEAN = "boolean"
    NULL = "null"
    JSON = "json"
    BYTES = "bytes"
    REFERENCE = "reference"
    FLAG = "flag"


@dataclass(frozen=True, slots=True, repr=False)
class Value:
    """A typed value as ``(type, text)``; two values are equal when both are.

    ``text`` is the one spelling of the value: decimal digits for an integer, the digits as written
    for a float (``3.10`` stays ``3.10``), ``true``/``false``, the empty text for null, canonical
    JSON (sorted keys, no white space, numbers as written) for JSON and flags, base64 for bytes.
    Build one with `parse` or with a constructor below; they raise ValueError for what is no such value.
    """

    type: Type
    text: str

    @classmethod
    def parse(cls, type: Type, text: str) -> Value:
        """A value of ``type`` from any of its spellings. Raises ValueError without quoting the text."""
        match type:
            case Type.STRING | Type.REFERENCE:
                _encodable(text)
                return cls(type, text)
            case Type.INTEGER:
                if not _INTEGER.fullmatch(text):
                    raise ValueError("not an integer")
                return cls(type, "0" if text == "-0" else text)
            case Type.FLOAT:
                if not _FLOAT.fullmatch(text):
                    raise ValueError("not a finite decimal number")
                return cls(type, text)
            case Type.BOOLEAN:
                if text not in ("true", "false"):
                    raise ValueError("not 'true' or 'false'")
                return cls(type, text)
            case Type.NULL:
                if text:
                    raise ValueError("null has no text")
                return cls(type, text)
            case Type.JSON | Type.FLAG:
                return cls(type, canonical_json(text))
            case Type.BYTES:
                try:
                    raw = base64.b64decode(text, validate=True)
                except (binascii.Error, ValueError):
                    raise ValueError("not base64") from None
                return cls.bytes(raw)

    @classmethod
    def string(cls, text: str) -> Value:
        return cls.parse(Type.STRING, text)

    @classmethod
    def integer(cls, number: int) -> Value:
        return cls(Type.INTEGER, str(number))

    @classmethod
    def float(cls, digits: str) -> Value:
        return cls.parse(Type.FLOAT, digits)

    @classmethod
    def boolean(cls, truth: bool) -> Value:
        return cls(Type.BOOLEAN, "true" if truth else "false")

    @classmethod
    def null(cls) -> Value:
        return cls(Type.NULL, "")

    @classmethod
    def json(cls, text: str) -> Value:
        return cls.parse(Type.JSON, text)

    @classmethod
    def bytes(cls, raw: bytes) -> Value:
        return cls(Type.BYTES, base64.b64encode(raw).decode("ascii"))

    def within(self, steps: Sequence[str]) -> Value | None:
        """The typed value at the end of a path of names in JSON text, or None where there is none."""
        try:
            node = _tree(self.text)
            for step in steps:
                if not isinstance(node, dict) or step not in node:
                    return None
                node = node[step]
            return _typed(node)
        except ValueError:
            return None

    def __repr__(self) -> str:
        return f"<{self.type} of {len(self.text)} characters>"


def _encodable(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("holds a lone surrogate, which is not text") from None


class _Digits(str):
    """A JSON number as it was written."""


def canonical_json(text: str) -> str:
    """``text`` with sorted keys, without white space, and every number as it was written.

    Raises ValueError (without quoting the text) for what is not RFC 8259 JSON, for a name that
    stands twice in one object, and for nesting over 100 levels.
    """
    canonical = _dump(_tree(text), 0)
    _encodable(canonical)
    return canonical


def _tree(text: str) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = dict(pairs)
        if len(names) != len(pairs):
            raise ValueError("a name stands twice in one JSON object")
        return names

    def refuse(_: str) -> None:
        raise ValueError("JSON has no NaN or Infinity")

    try:
        return json.loads(
            text, parse_int=_Digits, parse_float=_Digits, parse_constant=refuse, object_pairs_hook=unique
        )
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg} at character {error.pos}") from None
    except RecursionError:
        raise ValueError(f"JSON nested deeper than {_MAX_JSON_DEPTH} levels") from None


def _typed(node: Any) -> Value:
    if isinstance(node, _Digits):
        return Value.parse(Type.INTEGER if _INTEGER.fullmatch(node) else Type.FLOAT, str(node))
    if isinstance(node, bool):
        return Value.boolean(node)
    if isinstance(node, str):
        return Value.string(node)
    return Value.null() if node is None else Value(Type.JSON, _dump(node, 0))


def _dump(node: Any, depth: int) -> str:
    if depth > _MAX_JSON_DEPTH:
        raise ValueError(f"JSON nested deeper than {_MAX_JSON_DEPTH} levels")
    if isinstance(node, _Digits):
        return str(node)
    if isinstance(node, dict):
        pairs = (f"{json.dumps(k, ensure_ascii=False)}:{_dump(node[k], depth + 1)}" for k in sorted(node))
        return "{" + ",".join(pairs) + "}"
    if isinstance(node, list):
        return "[" + ",".join(_dump(element, depth + 1) for element in node) + "]"
    return json.dumps(node, ensure_ascii=False)


Metadata = tuple[tuple[str, str], ...]
"""Names and texts that travel with an entry (description, content type), sorted by name."""


def metadata(pairs: Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> Metadata:
    """The canonical form of some metadata."""
    return tuple(sorted(dict(pairs).items()))


@dataclass(frozen=True, slots=True)
class Entry:
    """One key with its typed value, its sensitivity and what else is known of it."""

    key: Key
    value: Value
    secret: bool = False
    metadata: Metadata = ()

    @property
    def holds_plaintext(self) -> bool:
        """Is the text itself a secret? A reference to one is not."""
        return self.secret and self.value.type is not Type.REFERENCE


@dataclass(frozen=True, slots=True, order=True)
class Rank:
    """The standing of an entry's author. A larger priority wins; the name makes ties impossible."""

    priority: int
    link: str


class Fingerprinter:
    """Turns entries into fingerprints with an installation's key (at least 16 bytes)."""

    __slots__ = ("_keyed",)

    def __init__(self, key: bytes) -> None:
        if not 16 <= len(key) <= 64:
            raise ValueError("a fingerprint key has 16 to 64 bytes")
        self._keyed = hashlib.blake2b(b"ecs-sync entry 1\0", key=key, digest_size=32)

    def of(self, entry: Entry) -> Fingerprint:
        """The fingerprint of an entry's type, text and metadata; sensitivity is not part of it."""
        text = entry.value.text.encode("utf-8")
        state = self._keyed.copy()
        state.update(b"%s %d " % (entry.value.type.encode(), len(text)))
        state.update(text)
        for name, value in entry.metadata:
            for part in (name.encode("utf-8"), value.encode("utf-8")):
                state.update(b" %d " % len(part))
                state.update(part)
        return Fingerprint(state.digest())

    def sign(self, document: bytes) -> bytes:
        """A message authentication code of a document, by the same key and apart from all fingerprints."""
        state = self._keyed.copy()
        state.update(b"\0document\0")
        state.update(document)
        return state.digest()

    def __repr__(self) -> str:
        return "<Fingerprinter>"
