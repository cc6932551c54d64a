"""Java properties, by the rules of ``java.util.Properties.load``.

A name is divided into segments by ``separator``, a dot unless told otherwise. Text is read as UTF-8,
with ``\\uXXXX``; what is not ASCII is written as ``\\uXXXX``, which every Java reads alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ecs_sync.model import Value

from . import flat
from .flat import Record
from .leaves import Edits, Leaf, LineIndex, Unparsable, View

EMPTY = ""

_NATURAL = re.compile(r"([^\r\n]*)(\r\n|\n|\r|$)")
_SPACES = " \t\f"
_LETTERS = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
_ESCAPES = {"\t": "\\t", "\n": "\\n", "\r": "\\r", "\f": "\\f", "\\": "\\\\"}


@dataclass(frozen=True, slots=True, repr=False)
class PropertiesDocument:
    """A text and its records."""

    text: str
    separator: str
    records: list[Record]
    leaves: list[Leaf]

    def edit(self, edits: Edits) -> str:
        text = flat.edited(self.text, self.records, edits, self._literal)
        glue = self._glue()
        lines = []
        for path, value in edits.add.items():
            name = flat.joined(path, self.separator, "a properties file")
            lines.append(f"{_name(name)}{glue}{_value(value.text)}")
        return flat.appended(text, lines) if lines else text

    def _literal(self, value: Value, record: Record) -> str:
        bare = record.start == record.end and self.text[record.start - 1 : record.start] not in (
            "=",
            ":",
            " ",
        )
        return ("=" if bare else "") + _value(value.text)

    def _glue(self) -> str:
        """What stands between names and values in this file."""
        for record in reversed(self.records):
            head = self.text[record.whole_start : record.start]
            found = re.search(r"(?<!\\)[ \t]*[=:][ \t]*$", head)
            if found:
                return found[0]
        return "="


def _name(text: str) -> str:
    return "".join(f"\\{c}" if c in " =:#!" else _escaped(c) for c in text)


def _value(text: str) -> str:
    body = "".join(_escaped(c) for c in text)
    if body.startswith(" "):
        body = "\\" + body
    if body.endswith(" ") and not body.endswith("\\ "):
        body = body[:-1] + "\\u0020"
    return body


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if " " <= character <= "~":
        return character
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))


Marked = list[tuple[str, int]]
"""The characters of a logical line and their offsets."""


def _logical_lines(text: str) -> Iterator[tuple[int, int, Marked]]:
    """Start, end, and characters of each line that is no comment and not blank, continuations joined."""
    at = 0
    while at < len(text):
        start, more = at, True
        marked: Marked = []
        while more and at < len(text):
            found = _NATURAL.match(text, at)
            assert found is not None
            line, offset = found[1], at + len(found[1]) - len(found[1].lstrip(_SPACES))
            at = found.end()
            body = line.lstrip(_SPACES)
            if not marked and start == found.start() and (not body or body[0] in "#!"):
                break
            slashes = len(body) - len(body.rstrip("\\"))
            more = slashes % 2 == 1
            marked += [(c, offset + n) for n, c in enumerate(body[:-1] if more else body)]
        else:
            yield start, at, marked


def _read(characters: Marked, origin: int) -> str:
    """The text of escaped characters. Raises `Unparsable`, and ValueError for a lone surrogate."""
    parts: list[str] = []
    n = 0
    while n < len(characters):
        c = characters[n][0]
        n += 1
        if c != "\\" or n == len(characters):
            parts.append(c if c != "\\" else "")
            continue
        c = characters[n][0]
        n += 1
        if c == "u":
            digits = "".join(one for one, _ in characters[n : n + 4])
            if not re.fullmatch(r"[0-9a-fA-F]{4}", digits):
                raise Unparsable("\\u is not followed by four hexadecimal digits", origin)
            parts.append(chr(int(digits, 16)))
            n += 4
        else:
            parts.append(_LETTERS.get(c, c))
    try:
        return "".join(parts).encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise ValueError("holds a lone surrogate, which is not text") from None


def _split(marked: Marked) -> tuple[Marked, Marked]:
    """Name and value of a logical line."""
    n = 0
    while n < len(marked) and marked[n][0] not in "=:" + _SPACES:
        n += 2 if marked[n][0] == "\\" else 1
    name = marked[:n]
    rest = n
    while rest < len(marked) and marked[rest][0] in _SPACES:
        rest += 1
    if rest < len(marked) and marked[rest][0] in "=:":
        rest += 1
        while rest < len(marked) and marked[rest][0] in _SPACES:
            rest += 1
    return name, marked[rest:]


def parse(text: str, view: View) -> PropertiesDocument:
    """Raises `Unparsable`."""
    separator = view.separator or "."
    lines = LineIndex(text)
    records = []
    for start, end, marked in _logical_lines(text):
        name, value = _split(marked)
        body_end = marked[-1][1] + 1 if marked else start
        value_start = value[0][1] if value else body_end
        value_end = value[-1][1] + 1 if value else body_end
        line = lines.of(start)
        try:
            path = flat.divided(_read(name, start), separator)
        except ValueError as error:
            raise Unparsable(f"a name {error}", start) from None
        try:
            read, problem = Value.string(_read(value, start)), ""
        except ValueError as error:
            read, problem = None, str(error)
        records.append(Record(path, line, value_start, value_end, start, end, read, problem))
    return PropertiesDocument(text, separator, records, flat.leaves(records))


def image(value: Value, view: View) -> Value:
    """Every value is text. Raises ValueError where it has none."""
    del view
    return flat.text_image(value, "a properties file")
