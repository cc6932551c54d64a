"""JSON, with the comments and trailing commas that .NET's ``appsettings.json`` may hold.

Numbers keep their digits. A name that stands twice in one object is refused, as are ``NaN``,
``Infinity`` and nesting over 100 levels.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from ecs_sync.model import Type, Value

from . import tree
from .leaves import (
    MAX_DEPTH,
    Edits,
    Leaf,
    LineIndex,
    Lists,
    Splice,
    Unparsable,
    View,
    indent_before,
    line_start,
    newline_of,
    next_line,
    splice,
)
from .tree import Kind, Member, Node, Trie

EMPTY = "{}\n"

_TRIVIA = re.compile(r"(?:[ \t\r\n]+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"')
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?(?![0-9A-Za-z_.+-])")
_WORD = re.compile(r"(true|false|null)(?![0-9A-Za-z_])")
_SAME_LINE = re.compile(r"[ \t]*(?://[^\r\n]*|/\*[^\r\n]*?\*/[ \t]*)?(?=\r?\n)")


class _Scanner:
    """Reads one text, left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.lines = LineIndex(text)

    def document(self) -> Node:
        start = self._skip(0)
        if start == len(self.text):
            raise Unparsable("the document is empty; an empty one is written {}", start)
        node = self._value(start, 0)
        end = self._skip(node.end)
        if end != len(self.text):
            raise Unparsable("something stands after the end of the document", end)
        return node

    def _skip(self, at: int) -> int:
        found = _TRIVIA.match(self.text, at)
        return found.end() if found else at

    def _value(self, at: int, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise Unparsable(f"nested deeper than {MAX_DEPTH} levels", at)
        match self.text[at : at + 1]:
            case "{":
                return self._collection(at, depth, Kind.MAP, "}")
            case "[":
                return self._collection(at, depth, Kind.LIST, "]")
            case '"':
                end, text = self._string(at)
                return self._scalar(at, end, Type.STRING, text)
        if found := _NUMBER.match(self.text, at):
            kind = Type.FLOAT if found[1] or found[2] else Type.INTEGER
            return self._scalar(at, found.end(), kind, found[0])
        if found := _WORD.match(self.text, at):
            kind = Type.NULL if found[0] == "null" else Type.BOOLEAN
            return self._scalar(at, found.end(), kind, "" if kind is Type.NULL else found[0])
        raise Unparsable("expected a JSON value", at)

    def _scalar(self, start: int, end: int, kind: Type, text: str) -> Node:
        node = Node(Kind.SCALAR, start, end, self.lines.of(start))
        try:
            node.value = Value.parse(kind, text)
        except ValueError as error:
            node.refusal = str(error)
        return node

    def _string(self, at: int) -> tuple[int, str]:
        found = _STRING.match(self.text, at)
        if not found:
            raise Unparsable("a string does not end, or holds a control character or a wrong escape", at)
        return found.end(), str(json.loads(found[0]))

    def _collection(self, start: int, depth: int, kind: Kind, close: str) -> Node:
        node = Node(kind, start, start, self.lines.of(start))
        at = self._skip(start + 1)
        while self.text[at : at + 1] != close:
            if at == len(self.text):
                raise Unparsable(f"expected {close!r} before the end of the document", at)
            if node.members and node.members[-1].comma is None:
                raise Unparsable(f"expected ',' or {close!r}", at)
            member = self._member(at, depth, kind, str(len(node.members)))
            at = self._skip(member.node.end)
            if self.text[at : at + 1] == ",":
                member.comma = at + 1
                at = self._skip(at + 1)
            node.members.append(member)
        node.end = at + 1
        return node

    def _member(self, at: int, depth: int, kind: Kind, index: str) -> Member:
        line = self.lines.of(at)
        if kind is Kind.LIST:
            return Member(index, at, at, self._value(at, depth + 1), line)
        if self.text[at : at + 1] != '"':
            raise Unparsable("expected a name in double quotes", at)
        end, name = self._string(at)
        colon = self._skip(end)
        if self.text[colon : colon + 1] != ":":
            raise Unparsable("expected ':' after a name", colon)
        value = self._value(self._skip(colon + 1), depth + 1)
        return Member(name, at, colon + 1, value, line)


@dataclass(frozen=True, slots=True, repr=False)
class JsonDocument:
    """A JSON text and the spans of its values."""

    text: str
    root: Node
    lists: Lists
    leaves: tuple[Leaf, ...]

    def edit(self, edits: Edits) -> str:
        splices = [Splice(n.start, n.end, literal(value)) for n, value in self._replaced(edits)]
        for node, indices in tree.removals(self.root, edits.remove):
            splices += remove_flow(self.text, node, indices)
        text = splice(self.text, splices)
        if not edits.add:
            return text
        after = self if text == self.text else parse(text, View(self.lists))
        added = tree.additions(after.root, edits.add, self.lists)
        return splice(text, [one for node, trie in added for one in after.insert(node, trie)])

    def _replaced(self, edits: Edits) -> list[tuple[Node, Value]]:
        return [(tree.find(self.root, path).node, value) for path, value in edits.replace.items()]

    def insert(self, node: Node, trie: Trie) -> list[Splice]:
        """Splices that put new members into an object or a list."""
        newline = newline_of(self.text)
        unit = self._unit()
        if node.members and indent_before(self.text, node.members[-1].start) is None:
            body = ", ".join(_members(trie, node.kind, self.lists, None))
            return _after(self.text, node, f" {body}")
        if node.members:
            indent = indent_before(self.text, node.members[-1].start) or ""
            body = f",{newline}{indent}".join(_members(trie, node.kind, self.lists, (newline, indent, unit)))
            return _after(self.text, node, f"{newline}{indent}{body}")
        outer = _indent_of_line(self.text, node.start)
        indent = outer + unit
        body = f",{newline}{indent}".join(_members(trie, node.kind, self.lists, (newline, indent, unit)))
        inner = self.text[node.start + 1 : node.end - 1].rstrip()
        return [Splice(node.start + 1 + len(inner), node.end - 1, f"{newline}{indent}{body}{newline}{outer}")]

    def _unit(self) -> str:
        for member in self.root.members:
            indent = indent_before(self.text, member.start)
            if indent:
                return indent
        return "  "


def _indent_of_line(text: str, at: int) -> str:
    head = text[line_start(text, at) : at]
    return head[: len(head) - len(head.lstrip(" \t"))]


def _after(text: str, node: Node, body: str) -> list[Splice]:
    """Splices that put ``body`` after the last member, and a comma between."""
    last = node.members[-1]
    end = last.comma or last.node.end
    comma = [] if last.comma else [Splice(end, end, ",")]
    found = _SAME_LINE.match(text, end)
    if found and body[0] != " ":
        end = found.end()
    return [*comma, Splice(end, end, body)]


def remove_flow(text: str, node: Node, indices: list[int]) -> list[Splice]:
    """Splices that take members out of a collection between brackets, with their lines and commas."""
    splices = []
    for first, last in tree.runs(indices):
        start = node.members[first].start
        stop = node.members[last].comma or node.members[last].end or node.members[last].node.end
        indent = indent_before(text, start)
        whole = _SAME_LINE.match(text, stop)
        final = last == len(node.members) - 1 and node.members[last].comma is None and first > 0
        comma = node.members[first - 1].comma if final else None
        if comma and not text[comma:start].strip() and indent is None:
            splices.append(Splice(comma - 1, stop))
            continue
        if comma:
            splices.append(Splice(comma - 1, comma))
        if indent is not None and whole:
            splices.append(Splice(start - len(indent), next_line(text, whole.end())))
        else:
            spaces = re.compile(r"[ \t]*").match(text, stop)
            splices.append(Splice(start, spaces.end() if spaces else stop))
    return splices


Layout = tuple[str, str, str]
"""Newline, indentation of these members, and by how much one more level is indented."""


def _members(trie: Trie, kind: Kind, lists: Lists, layout: Layout | None) -> list[str]:
    inner: Layout | None = None
    if layout:
        inner = (layout[0], layout[1] + layout[2], layout[2])
    texts = []
    for name in sorted(trie, key=int) if kind is Kind.LIST else trie:
        child = trie[name]
        text = _collection(child, lists, inner) if isinstance(child, dict) else literal(child)
        texts.append(text if kind is Kind.LIST else f"{quoted(name)}: {text}")
    return texts


def _collection(trie: Trie, lists: Lists, layout: Layout | None) -> str:
    kind = Kind.LIST if tree.is_list(trie, lists) else Kind.MAP
    opening, closing = ("[", "]") if kind is Kind.LIST else ("{", "}")
    members = _members(trie, kind, lists, layout)
    if layout is None:
        return f"{opening}{', '.join(members)}{closing}"
    newline, indent, unit = layout
    body = f",{newline}{indent}".join(members)
    return f"{opening}{newline}{indent}{body}{newline}{indent[: len(indent) - len(unit)]}{closing}"


def quoted(text: str) -> str:
    """A JSON string of printable characters as they are."""
    body = json.dumps(text, ensure_ascii=False)
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in body)


def literal(value: Value) -> str:
    """The JSON text of a value that `image` accepts."""
    match value.type:
        case Type.STRING | Type.REFERENCE:
            return quoted(value.text)
        case _:
            return tree.scalar_json(value)


def parse(text: str, view: View) -> JsonDocument:
    """Raises `Unparsable`."""
    root = _Scanner(text).document()
    return JsonDocument(text, root, view.lists, tuple(leaf for leaf, _ in tree.leaves(root, view.lists)))


def image(value: Value, view: View) -> Value:
    """The value as it reads back. Raises ValueError where JSON cannot say it."""
    tree.typed(value, "JSON", view.lists)
    if value.type is Type.BYTES:
        raise ValueError("JSON cannot say bytes; keep them as a base64 string")
    return value
