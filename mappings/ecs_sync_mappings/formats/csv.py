"""CSV with the columns ``key,value`` or ``key,value,type``, named in the first line; more may follow.

A key is written as everywhere (``retry/max``). Without a ``type`` column all values are text. A cell
that a spreadsheet would take for a formula is written with an apostrophe before it, and read without.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ecs_sync.model import Type, Value

from . import flat
from .flat import Record
from .leaves import Edits, Leaf, LineIndex, Path, Unparsable, View

EMPTY = "key,value,type\n"

_CELL = re.compile(r'"((?:[^"]|"")*)"|([^",\r\n]*)')
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_GUARDED = re.compile(r"'+[=+\-@\t\r]")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")


@dataclass(frozen=True, slots=True, repr=False)
class Cell:
    """One cell and where it stands, quotes included."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, repr=False)
class CsvDocument:
    """A text, whether its values have types, and its records."""

    text: str
    typed: bool
    columns: int
    records: list[Record]
    leaves: list[Leaf]

    def edit(self, edits: Edits) -> str:
        text = flat.edited(self.text, self.records, edits, lambda value, _: self._cells(value))
        rest = "," * (self.columns - (3 if self.typed else 2))
        lines = [f"{_cell(_key(path))},{self._cells(value)}{rest}" for path, value in edits.add.items()]
        return flat.appended(text, lines) if lines else text

    def _cells(self, value: Value) -> str:
        """The cells of a value, and of its type where there is such a column."""
        if self.typed:
            return f"{_cell(value.text)},{value.type.value}"
        if value.type is not Type.STRING:
            raise ValueError(f"CSV without a type column cannot say {value.type.value}; add the column")
        return _cell(value.text)


def _key(path: Path) -> str:
    return "/".join(segment.replace("~", "~0").replace("/", "~1") for segment in path)


def _cell(text: str) -> str:
    if _FORMULA.match(text) and not _NUMBER.fullmatch(text):
        text = f"'{text}"
    if re.search(r'[",\r\n]', text) or text != text.strip():
        return '"' + text.replace('"', '""') + '"'
    return text


def _unguarded(text: str) -> str:
    return text[1:] if _GUARDED.match(text) else text


def _row(text: str, at: int) -> tuple[list[Cell], int]:
    """The cells of a row and the offset of the next. Raises `Unparsable`."""
    cells = []
    while True:
        found = _CELL.match(text, at)
        assert found is not None
        body = found[2] if found[1] is None else found[1].replace('""', '"')
        cells.append(Cell(body, at, found.end()))
        at = found.end()
        if text.startswith(",", at):
            at += 1
            continue
        if at < len(text) and text[at] not in "\r\n":
            raise Unparsable("a quote that does not end, or something after its end", at)
        return cells, at + (2 if text.startswith("\r\n", at) else 1)


def _value(cells: list[Cell], typed: bool) -> Value:
    text = _unguarded(cells[1].text)
    if not typed:
        return Value.string(text)
    try:
        kind = Type(cells[2].text)
    except ValueError:
        raise ValueError("its type is none of " + ", ".join(Type)) from None
    value = Value.parse(kind, text)
    if value.text != text:
        raise ValueError(f"its {kind.value} is not in canonical form")
    return value


def parse(text: str, view: View) -> CsvDocument:
    """Raises `Unparsable`."""
    del view
    header, at = _row(text, 0)
    names = [cell.text.strip().lower() for cell in header]
    if names[:2] != ["key", "value"]:
        raise Unparsable("the first line names the columns, key,value or key,value,type")
    typed = names[2:3] == ["type"]
    lines = LineIndex(text)
    records = []
    while at < len(text):
        start = at
        cells, at = _row(text, at)
        if len(cells) == 1 and not cells[0].text:
            continue
        if len(cells) != len(names):
            raise Unparsable(f"{len(cells)} cells where the first line names {len(names)}", start)
        key = _unguarded(cells[0].text)
        path = tuple(part.replace("~1", "/").replace("~0", "~") for part in key.split("/"))
        span = cells[1].start, cells[2 if typed else 1].end
        try:
            value, problem = _value(cells, typed), ""
        except ValueError as error:
            value, problem = None, str(error)
        records.append(Record(path, lines.of(start), *span, start, min(at, len(text)), value, problem))
    return CsvDocument(text, typed, len(names), records, flat.leaves(records))


def image(value: Value, view: View) -> Value:
    """Every value, where there is a type column."""
    del view
    return value
