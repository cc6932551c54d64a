"""What every file format is to the document mapping: leaves in, edited text out.

A format never writes a document anew: it replaces the characters of one value, takes a member out or
puts one in, and leaves every other character as it found it. No message quotes a value.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from ecs_sync.model import Value

Path = tuple[str, ...]
"""The names that lead from the top of a document to one value."""

MAX_DEPTH = 100
"""How deep a document may nest."""


class Lists(StrEnum):
    """What a list is: one JSON value, or children named by their index."""

    JSON = "json"
    INDEXED = "indexed"


@dataclass(frozen=True, slots=True)
class View:
    """How a document is looked at. ``profile`` and ``separator`` speak to the formats that have them."""

    lists: Lists = Lists.JSON
    profile: str | None = None
    separator: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Leaf:
    """One value of a document, or the sentence why it cannot be read. Lines count from 1."""

    path: Path
    line: int
    value: Value | None = None
    refusal: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Edits:
    """What shall differ in a document. The three sets of paths are disjoint."""

    replace: Mapping[Path, Value] = field(default_factory=dict)
    remove: frozenset[Path] = frozenset()
    add: Mapping[Path, Value] = field(default_factory=dict)


class Document(Protocol):
    """A parsed text."""

    @property
    def leaves(self) -> Sequence[Leaf]:
        """Every value, in the order of the document. A refused path may stand more than once."""
        ...

    def edit(self, edits: Edits) -> str:
        """The text with these edits. Raises ValueError, with a sentence, where one cannot be made."""
        ...


class Format(Protocol):
    """One file format; a module of this package is one."""

    EMPTY: str
    """The text of a new document without any value."""

    def parse(self, text: str, view: View) -> Document:
        """Raises `Unparsable`."""
        ...

    def image(self, value: Value, view: View) -> Value:
        """The value as it reads back. Raises ValueError, with a sentence, where it cannot be said."""
        ...


class Unparsable(Exception):
    """A text is not of its format. ``offset`` is a character; the sentence quotes nothing of it."""

    def __init__(self, reason: str, offset: int = 0, where: tuple[int, int] | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.offset = offset
        self.where = where

    def position(self, text: str) -> tuple[int, int]:
        """Line and column, from 1."""
        if self.where:
            return self.where
        before = text[: self.offset]
        return before.count("\n") + 1, self.offset - (before.rfind("\n") + 1) + 1


@dataclass(frozen=True, slots=True, repr=False)
class Splice:
    """Put ``text`` where ``start`` to ``end`` stands."""

    start: int
    end: int
    text: str = ""


def splice(text: str, splices: Iterable[Splice]) -> str:
    """``text`` after all splices. Raises ValueError where two overlap."""
    parts: list[str] = []
    done = 0
    for one in sorted(splices, key=lambda s: (s.start, s.end)):
        if one.start < done:
            raise ValueError("two edits meet at one place in the document; make one of them by hand")
        parts += text[done : one.start], one.text
        done = one.end
    return "".join(parts) + text[done:]


class LineIndex:
    """Line numbers, from 1, of offsets in a text."""

    __slots__ = ("_starts",)

    def __init__(self, text: str) -> None:
        self._starts = [0, *(found.end() for found in re.finditer("\n", text))]

    def of(self, offset: int) -> int:
        return bisect.bisect_right(self._starts, offset)


def newline_of(text: str) -> str:
    """The newline that the text uses."""
    return "\r\n" if "\r\n" in text else "\n"


def indent_before(text: str, offset: int) -> str | None:
    """The white space between the start of the line and ``offset``; None where there is more than that."""
    head = text[text.rfind("\n", 0, offset) + 1 : offset]
    return head if not head.strip(" \t") else None


def line_start(text: str, offset: int) -> int:
    return text.rfind("\n", 0, offset) + 1


def line_end(text: str, offset: int) -> int:
    """The offset of the newline (of its ``\\r`` too) that ends the line, or the end of the text."""
    end = text.find("\n", offset)
    if end == -1:
        return len(text)
    return end - 1 if end > offset and text[end - 1] == "\r" else end


def next_line(text: str, offset: int) -> int:
    """The offset after the newline that ends the line."""
    end = text.find("\n", offset)
    return len(text) if end == -1 else end + 1
