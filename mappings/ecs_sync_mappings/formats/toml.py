"""TOML 1.0: ``tomllib`` says what a text means, the scanner here where each value stands.

Tables are levels of a key. An array, an inline table and an array of tables are one JSON value; the
last cannot be edited. A date or time reads as a string of its text, and stays a date where it is
changed to one.
"""

from __future__ import annotations

import datetime
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ecs_sync.model import Type, Value

from . import flat
from .flat import Record
from .leaves import (
    Edits,
    Leaf,
    LineIndex,
    Lists,
    Path,
    Splice,
    Unparsable,
    View,
    line_start,
    newline_of,
    next_line,
    splice,
)

EMPTY = ""

_SPACE = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_BLANK = re.compile(r"[ \t]*")
_PART = re.compile(r'([A-Za-z0-9_-]+)|"((?:[^"\\\n]|\\.)*)"|\'([^\'\n]*)\'')
_STRING = re.compile(r'"""(?:[^\\]|\\.)*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'', re.DOTALL)
_BARE = re.compile(r"[^,\]}#\n\r]*")
_NAME = re.compile(r"[A-Za-z0-9_-]+")
_INTEGERS = range(-(2**63), 2**63)


class _Digits(str):
    """A float as it was written."""


@dataclass(slots=True, repr=False)
class Table:
    """A table header, and the offset where a new line of the table goes."""

    path: Path
    end: int
    array: bool = False


@dataclass(slots=True, repr=False)
class TomlDocument:
    """A text, its records and tables. The first table is the one without a header."""

    text: str
    records: list[Record] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    owners: dict[Path, Table] = field(default_factory=dict)

    @property
    def leaves(self) -> list[Leaf]:
        return flat.leaves(self.records)

    def edit(self, edits: Edits) -> str:
        text = flat.edited(self.text, self.records, edits, self._literal)
        if not edits.add:
            return text
        return (self if text == self.text else parse(text, View()))._add(edits)

    def _literal(self, value: Value, record: Record) -> str:
        old = self.text[record.start : record.end]
        if value.type is Type.STRING:
            if old[0] not in "\"'" and _is_date(value.text):
                return value.text
            if old[0] == "'" and old[:3] != "'''" and value.text.isprintable() and "'" not in value.text:
                return f"'{value.text}'"
        return literal(value)

    def _add(self, edits: Edits) -> str:
        newline = newline_of(self.text)
        lines: dict[int, list[str]] = {}
        new: dict[Path, list[str]] = {}
        headers = {table.path: table for table in self.tables if not table.array}
        dotted = self._dotted()
        taken = {record.path for record in self.records} | edits.add.keys()
        branches = {path[:length] for path in taken for length in range(1, len(path))}
        for path, value in edits.add.items():
            if path in branches or any(path[:length] in taken for length in range(1, len(path))):
                raise ValueError(f"{'/'.join(path)}: one name cannot be both a value and a branch")
            table = _table_for(path, headers, dotted)
            name = ".".join(_name(part) for part in path[len(table.path) :]) if table else _name(path[-1])
            line = f"{name} = {literal(value)}"
            if table:
                lines.setdefault(table.end, []).append(line)
            else:
                new.setdefault(path[:-1], []).append(line)
        splices = []
        for at, body in lines.items():
            before = newline if at and self.text[at - 1] != "\n" else ""
            after = newline if at == 0 and self.text else ""
            splices.append(Splice(at, at, before + "".join(line + newline for line in body) + after))
        tail: list[str] = []
        for section, body in new.items():
            header = f"[{'.'.join(_name(part) for part in section)}]"
            tail += [*([""] if self.text or tail else []), header, *body]
        text = splice(self.text, splices)
        return flat.appended(text, tail) if tail else text

    def _dotted(self) -> dict[Path, Table]:
        """The paths that dotted names open, and the table whose lines do."""
        return {
            known[:length]: table
            for known, table in self.owners.items()
            for length in range(len(table.path) + 1, len(known))
        }


def _table_for(path: Path, headers: Mapping[Path, Table], dotted: Mapping[Path, Table]) -> Table | None:
    """The table whose lines a new key joins; None where it takes a new table."""
    if path[:-1] in headers:
        return headers[path[:-1]]
    opened = (dotted.get(path[:length]) for length in range(len(path) - 1, 0, -1))
    return next((table for table in opened if table is not None), None)


def _is_date(text: str) -> bool:
    if not re.fullmatch(r"[0-9:.TtZz +-]+", text):
        return False
    try:
        return isinstance(
            tomllib.loads(f"x = {text}")["x"], (datetime.datetime, datetime.date, datetime.time)
        )
    except (tomllib.TOMLDecodeError, ValueError):
        return False


def _name(name: str) -> str:
    return name if _NAME.fullmatch(name) else _quoted(name)


_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _quoted(text: str) -> str:
    return '"' + "".join(_ESCAPES.get(c) or (c if c.isprintable() else _escape(c)) for c in text) + '"'


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def literal(value: Value) -> str:
    """The text of a value that `image` accepts."""
    match value.type:
        case Type.STRING | Type.REFERENCE:
            return _quoted(value.text)
        case Type.JSON:
            return _inline(json.loads(value.text, parse_int=_Digits, parse_float=_Digits))
        case _:
            return value.text


def _inline(node: Any) -> str:
    match node:
        case _Digits():
            return str(node)
        case str():
            return _quoted(node)
        case dict():
            return "{" + ", ".join(f"{_name(name)} = {_inline(child)}" for name, child in node.items()) + "}"
        case list():
            return "[" + ", ".join(_inline(child) for child in node) + "]"
        case None:
            raise ValueError("TOML cannot say null, which stands in this list or object")
        case _:
            return json.dumps(node)


def _value(node: Any, raw: str) -> Value:
    """The value of what tomllib read. Raises ValueError."""
    match node:
        case bool():
            return Value.boolean(node)
        case int():
            return Value.integer(node)
        case _Digits():
            return Value.float(_digits(node))
        case str():
            return Value.string(node)
        case dict() | list():
            return Value.json(_json(node))
        case _:
            return Value.string(raw)


def _digits(text: str) -> str:
    if "n" in text:
        raise ValueError("infinity and not-a-number have no form in other places; write a number or a string")
    return text.replace("_", "").removeprefix("+")


def _json(node: Any) -> str:
    match node:
        case _Digits():
            return _digits(node)
        case dict():
            return "{" + ",".join(f"{json.dumps(name)}:{_json(child)}" for name, child in node.items()) + "}"
        case list():
            return "[" + ",".join(_json(child) for child in node) + "]"
        case bool() | int() | str():
            return json.dumps(node)
        case _:
            raise ValueError("a date inside of a list or an inline table; write it as a string")


class _Scanner:
    """Walks a text that tomllib has accepted."""

    def __init__(self, text: str, tree: Mapping[str, Any]) -> None:
        self.text = text
        self.tree = tree
        self.lines = LineIndex(text)
        self.table = Table((), 0)
        self.document = TomlDocument(text, tables=[self.table])
        self.arrays: set[Path] = set()

    def scan(self) -> TomlDocument:
        at = self._skip(0)
        while at < len(self.text):
            at = self._skip(self._header(at) if self.text[at] == "[" else self._pair(at))
        return self.document

    def _skip(self, at: int) -> int:
        found = _SPACE.match(self.text, at)
        return found.end() if found else at

    def _names(self, at: int) -> tuple[Path, int]:
        names: list[str] = []
        while True:
            at = self._blank(at)
            found = _PART.match(self.text, at)
            assert found  # tomllib has accepted the text, so a name stands here
            quoted = tomllib.loads(f"{found[0]} = 0") if found[1] is None else {found[1]: 0}
            names += quoted
            at = self._blank(found.end())
            if self.text[at : at + 1] != ".":
                return tuple(names), at
            at += 1

    def _blank(self, at: int) -> int:
        found = _BLANK.match(self.text, at)
        return found.end() if found else at

    def _header(self, at: int) -> int:
        array = self.text.startswith("[[", at)
        path, _ = self._names(at + (2 if array else 1))
        after = next_line(self.text, at)
        self.table = Table(path, after, array or self._in_array(path))
        self.document.tables.append(self.table)
        if array and not self._in_array(path):
            self.arrays.add(path)
            value, problem = self._read(path, "")
            fixed = "an array of tables is edited by hand"
            line = self.lines.of(at)
            record = Record(path, line, at, after, at, after, value, problem, fixed)
            self.document.records.append(record)
        return after

    def _in_array(self, path: Path) -> bool:
        return any(path[: len(array)] == array for array in self.arrays)

    def _pair(self, at: int) -> int:
        names, equals = self._names(at)
        start = self._blank(equals + 1)
        end = self._end_of_value(start)
        path = (*self.table.path, *names)
        after = next_line(self.text, end)
        self.table.end = after
        if not self._in_array(path):
            raw = self.text[start:end]
            value, problem = self._read(path, raw)
            whole = line_start(self.text, at)
            line = self.lines.of(at)
            self.document.records.append(Record(path, line, start, end, whole, after, value, problem))
            self.document.owners[path] = self.table
        return after

    def _read(self, path: Path, raw: str) -> tuple[Value | None, str]:
        node: Any = self.tree
        for name in path:
            node = node[name]
        try:
            return _value(node, raw), ""
        except ValueError as error:
            return None, str(error)

    def _end_of_value(self, at: int) -> int:
        if found := _STRING.match(self.text, at):
            return found.end()
        if self.text[at] not in "[{":
            bare = _BARE.match(self.text, at)
            return at + len(bare[0].rstrip()) if bare else at
        depth = 0
        while True:
            at = self._skip(at)
            if found := _STRING.match(self.text, at):
                at = found.end()
                continue
            depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(self.text[at], 0)
            at += 1
            if depth == 0:
                return at


def parse(text: str, view: View) -> TomlDocument:
    """Raises `Unparsable`."""
    if view.lists is Lists.INDEXED:
        raise Unparsable("lists: indexed is not for TOML, where a list is one JSON value; take it out")
    try:
        tree = tomllib.loads(text.replace("\r\n", "\n"), parse_float=_Digits)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"\(at line (\d+), column (\d+)\)", str(error))
        where = (int(found[1]), int(found[2])) if found else (text.count("\n") + 1, 1)
        reason = re.sub(r"(['\"]).*\1", "something", str(error).split(" (at ")[0])
        raise Unparsable(f"not TOML: {reason}", where=where) from None
    except RecursionError:
        raise Unparsable("nested too deep") from None
    return _Scanner(text, tree).scan()


def image(value: Value, view: View) -> Value:
    """The value as it reads back. Raises ValueError where TOML cannot say it."""
    del view
    match value.type:
        case Type.NULL | Type.BYTES | Type.FLAG:
            raise ValueError(f"TOML cannot say {value.type.value}")
        case Type.FLOAT if not any(mark in value.text for mark in ".eE"):
            raise ValueError("in TOML a float without '.' or exponent reads back as an integer")
        case Type.INTEGER if len(value.text) > 20 or int(value.text) not in _INTEGERS:
            raise ValueError("an integer of more than 64 bits, which TOML readers refuse")
        case Type.JSON if value.text[0] not in "[{":
            raise ValueError("in TOML a JSON value that is no list or object reads back as the plain value")
        case _:
            return value
