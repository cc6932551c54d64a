"""``.env`` files, as python-dotenv reads them without interpolation: ``${A}`` stays text.

Names have one level unless ``separator`` (``__`` for .NET) divides them.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

from ecs_sync.model import Value

from . import flat
from .flat import Record
from .leaves import Edits, Leaf, LineIndex, Unparsable, View, line_end, line_start

EMPTY = ""

_BLANK = re.compile(r"\s*")
_COMMENT = re.compile(r"[^\S\r\n]*(?:#[^\r\n]*)?(?:\r\n|\n|\r|$)")
_NAME = re.compile(r"(?:export[^\S\r\n]+)?(?:'([^']+)'|([^=\#\s]+))[^\S\r\n]*")
_EQUALS = re.compile(r"=[^\S\r\n]*")
_SINGLE = re.compile(r"'((?:\\'|[^'])*)'")
_DOUBLE = re.compile(r'"((?:\\"|[^"])*)"')
_BARE = re.compile(r"[^\r\n]*")
_SINGLE_ESCAPES = re.compile(r"\\[\\']")
_DOUBLE_ESCAPES = re.compile(r"\\[\\'\"abfnrtv]")
_SAFE = re.compile(r"[A-Za-z0-9_./:@%+,=~^-]*")
_SAFE_BARE = re.compile(r"[A-Za-z0-9_./:@%+,=~^${}-]*")
_GOOD_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_WRITTEN = {
    "\\": "\\\\",
    '"': '\\"',
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\v": "\\v",
}


@dataclass(frozen=True, slots=True, repr=False)
class EnvDocument:
    """A text and its records."""

    text: str
    separator: str | None
    records: list[Record]
    leaves: list[Leaf]

    def edit(self, edits: Edits) -> str:
        text = flat.edited(self.text, self.records, edits, self._literal)
        lines = []
        for path, value in edits.add.items():
            name = flat.joined(path, self.separator, "an env file")
            if not _GOOD_NAME.fullmatch(name):
                raise ValueError(f"{name}: a name in an env file has letters, digits, '_', '.' and '-' only")
            lines.append(f"{name}={_value(value.text, '')}")
        return flat.appended(text, lines) if lines else text

    def _literal(self, value: Value, record: Record) -> str:
        old = self.text[record.start : record.end]
        rest = self.text[record.end : line_end(self.text, record.end)]
        if not value.text and rest.strip():
            return "''"
        return _value(value.text, old)


def _value(text: str, old: str) -> str:
    """A value in the quotes of the one that it replaces, where they can hold it."""
    old_quote = old[:1] if old[:1] in ("'", '"') else ""
    if not old_quote and (_SAFE_BARE if old else _SAFE).fullmatch(text):
        return text
    if text.endswith("\\"):
        if old_quote or text != text.strip() or re.search(r"[\r\n]|\s#", text) or text[0] in "'\"#":
            raise ValueError("a value that needs quotes cannot end with '\\' in an env file")
        return text
    special = any(not c.isprintable() for c in text)
    if old_quote != '"' and not special and not (set(text) & set("'$")):
        return "'" + text.replace("\\", "\\\\") + "'"
    if old_quote == "'" and not special:
        return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return '"' + "".join(_WRITTEN.get(c, c) for c in text) + '"'


def _decoded(pattern: re.Pattern[str], text: str) -> str:
    return pattern.sub(lambda found: codecs.decode(found[0], "unicode-escape"), text)


def _binding(text: str, at: int) -> tuple[str, int, int, str | None, int]:
    """Name, span and text of the value, and the end of one binding. Raises `Unparsable`."""
    named = _NAME.match(text, at)
    if not named:
        raise Unparsable("expected NAME=value", at)
    name = named[1] or named[2]
    equals = _EQUALS.match(text, named.end())
    start = equals.end() if equals else named.end()
    if equals is None:
        value, end = None, start
    elif found := _SINGLE.match(text, start):
        value, end = _decoded(_SINGLE_ESCAPES, found[1]), found.end()
    elif found := _DOUBLE.match(text, start):
        value, end = _decoded(_DOUBLE_ESCAPES, found[1]), found.end()
    elif text.startswith(("'", '"'), start):
        raise Unparsable("a quoted value does not end", start)
    else:
        bare = _BARE.match(text, start)
        value = re.sub(r"\s+#.*", "", bare[0] if bare else "").rstrip()
        end = start + len(value)
    rest = _COMMENT.match(text, end)
    if not rest:
        raise Unparsable("something stands after the end of a value", end)
    return name, start, end, value, rest.end()


def _past(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at


def parse(text: str, view: View) -> EnvDocument:
    """Raises `Unparsable`, also for a line that dotenv would skip with a warning."""
    lines = LineIndex(text)
    records = []
    at = _past(_BLANK, text, 0)
    while at < len(text):
        if text[at] == "#":
            at = _past(_COMMENT, text, at)
        else:
            name, start, end, value, after = _binding(text, at)
            path = flat.divided(name, view.separator)
            refusal = "" if value is not None else "it has no '='; write NAME= for an empty value"
            read = None if value is None else Value.string(value)
            line = lines.of(at)
            records.append(Record(path, line, start, end, line_start(text, at), after, read, refusal))
            at = after
        at = _past(_BLANK, text, at)
    return EnvDocument(text, view.separator, records, flat.leaves(records))


def image(value: Value, view: View) -> Value:
    """Every value is text. Raises ValueError where it has none."""
    del view
    return flat.text_image(value, "an env file")
