"""INI, as ``configparser`` reads it with interpolation off: ``%(x)s`` stays text, ``;key`` is a comment.

A key is the section and the name. Names keep their case; two that differ in case only are refused,
because most readers take them for one. A name before the first section stands by itself. What follows
`` ;`` on a line belongs to the value.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ecs_sync.model import Value

from . import flat
from .flat import Record
from .leaves import Edits, Leaf, Path, Splice, Unparsable, View, newline_of, splice

EMPTY = ""

_LINE = re.compile(r"[^\n]*(?:\n|$)")
_SECTION = re.compile(r"\[(.+)\]")
_OPTION = re.compile(r"(.*?)\s*[=:]\s*")


@dataclass(slots=True, repr=False)
class IniDocument:
    """A text, its records and sections."""

    text: str
    separator: str | None
    records: list[Record] = field(default_factory=list)
    sections: dict[Path, int] = field(default_factory=lambda: {(): 0})
    """Where a new line of each section goes."""

    @property
    def leaves(self) -> list[Leaf]:
        return flat.leaves(self.records, lambda path: (*path[:-1], path[-1].lower()))

    def edit(self, edits: Edits) -> str:
        text = flat.edited(self.text, self.records, edits, _literal)
        if not edits.add:
            return text
        after = self if text == self.text else parse(text, View(separator=self.separator))
        return after._add(edits)

    def _add(self, edits: Edits) -> str:
        newline, glue = newline_of(self.text), self._glue()
        lines: dict[Path, list[str]] = {}
        for path, value in edits.add.items():
            lines.setdefault(path[:-1], []).append(f"{_name(path)}{glue}{value.text}".rstrip(" "))
        splices: list[Splice] = []
        new: list[str] = []
        for section, body in lines.items():
            if section in self.sections:
                at = self.sections[section]
                before = newline if at and self.text[at - 1] != "\n" else ""
                splices.append(Splice(at, at, before + "".join(line + newline for line in body)))
            else:
                new += [*([""] if self.text or new else []), self._header(section), *body]
        text = splice(self.text, splices)
        return flat.appended(text, new) if new else text

    def _header(self, section: Path) -> str:
        name = flat.joined(section, self.separator, "an ini section")
        if "]" in name or name != name.strip():
            raise ValueError(f"{name}: a section name has no ']' and no space around it")
        return f"[{name}]"

    def _glue(self) -> str:
        for record in reversed(self.records):
            found = re.search(r"[ \t]*[=:][ \t]*$", self.text[record.whole_start : record.start])
            if found:
                return found[0]
        return " = "


def _name(path: Path) -> str:
    name = path[-1]
    if re.search(r"[=:]", name) or name != name.strip() or name[0] in "#;[":
        raise ValueError(f"{'/'.join(path)}: a name has no '=' or ':' and begins with none of '#', ';', '['")
    return name


def _literal(value: Value, record: Record) -> str:
    return (" " if record.start == record.end else "") + value.text


class _Scanner:
    def __init__(self, text: str, separator: str | None) -> None:
        self.text = text
        self.document = IniDocument(text, separator)
        self.section: Path = ()
        self.indent = 0
        self.open: list[str] | None = None
        """The lines of the value that a deeper line continues; None where none can."""
        self.spans: list[tuple[int, int]] = []

    def scan(self) -> IniDocument:
        at, number = 0, 0
        while at < len(self.text):
            found = _LINE.match(self.text, at)
            assert found is not None
            number += 1
            self._line(found[0], at, number)
            at = found.end()
        return self.document

    def _line(self, line: str, at: int, number: int) -> None:
        body = line.strip()
        if not body or body[0] in "#;":
            if not body and self.open is not None:
                self.open.append("")
            return
        indent = len(line) - len(line.lstrip())
        start = at + indent
        if self.open is not None and indent > self.indent:
            self._continue(body, start, at + len(line))
            return
        self.indent = indent
        if header := _SECTION.match(body):
            self.open = None
            self.section = flat.divided(header[1], self.document.separator)
            self.document.sections[self.section] = at + len(line)
            return
        option = _OPTION.match(body)
        if not option or not option[1]:
            raise Unparsable("expected [section] or name = value", start)
        self._option(option[1], body[option.end() :], (start + option.end(), at, at + len(line)), number)

    def _option(self, name: str, value: str, where: tuple[int, int, int], number: int) -> None:
        start, whole_start, whole_end = where
        path = (*self.section, name)
        self.open = [value]
        text = Value.string(value)
        end = start + len(value)
        self.document.records.append(Record(path, number, start, end, whole_start, whole_end, text))
        self.document.sections[self.section] = whole_end

    def _continue(self, body: str, start: int, whole_end: int) -> None:
        assert self.open is not None
        self.open.append(body)
        last = self.document.records[-1]
        text = Value.string("\n".join(self.open))
        self.document.records[-1] = Record(
            last.path, last.line, last.start, start + len(body), last.whole_start, whole_end, text
        )
        self.document.sections[self.section] = whole_end


def parse(text: str, view: View) -> IniDocument:
    """Raises `Unparsable`."""
    return _Scanner(text, view.separator).scan()


def image(value: Value, view: View) -> Value:
    """Every value is text of one line. Raises ValueError where it has none."""
    del view
    text = flat.text_image(value, "an ini file")
    if re.search(r"[\n\r\0]", text.text):
        raise ValueError("an ini file cannot say a value of several lines")
    if text.text != text.text.strip():
        raise ValueError("an ini file cannot say a value with white space at its start or end")
    return text
