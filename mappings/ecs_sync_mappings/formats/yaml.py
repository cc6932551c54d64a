"""YAML 1.2: one value, one member, one document is edited in the text; all else stays.

A multi-document file is looked at through ``profile``: the document whose
``spring.config.activate.on-profile`` (or older ``spring.profiles``) names it, else the first that
names none. That name selects, and is no entry.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ecs_sync.model import Type, Value

from . import tree
from .json import remove_flow
from .leaves import (
    Edits,
    Leaf,
    Lists,
    Path,
    Splice,
    Unparsable,
    View,
    indent_before,
    newline_of,
    next_line,
    splice,
)
from .tree import Kind, Node, Trie
from .yaml_nodes import Part, last_offset, parts, resolve

EMPTY = ""

_FLOW = frozenset(",[]{}")
"""What divides values in flow; in block it may stand inside of a value without quotes."""
_SELECTORS = ("spring.config.activate.on-profile", "spring.profiles")
_PLAIN = re.compile(r"[A-Za-z_/$(.\u00c0-\u02af][^\x00-\x1f]*")
_OTHER_TYPES = re.compile(
    r"(?i:y|yes|n|no|on|off|true|false|null|~|\.inf|\.nan)"
    r"|[-+]?[0-9.][0-9_.:,eExXoOa-fA-F+-]*|[0-9][-0-9:TtZz. +]*"
)


@dataclass(frozen=True, slots=True, repr=False)
class YamlDocument:
    """A YAML text, the part of it that is looked at, and the spans of its values."""

    text: str
    view: View
    parts: list[Part]
    part: Part | None
    leaves: tuple[Leaf, ...]

    def edit(self, edits: Edits) -> str:
        text = self.text
        if self.part and self.part.root and (edits.replace or edits.remove):
            root = self.part.root
            splices = [self._replace(tree.find(root, path), value) for path, value in edits.replace.items()]
            for node, indices in tree.removals(root, edits.remove):
                splices += self._remove(node, indices)
            text = splice(text, splices)
        if not edits.add:
            return text
        return (self if text == self.text else parse(text, self.view))._add(edits)

    def _replace(self, found: tree.Found, value: Value) -> Splice:
        node, newline = found.node, newline_of(self.text)
        if node.kind is Kind.LIST and node.members and not node.flow:
            return self._replace_block(found, value)
        raw = self.text[node.start : node.end]
        if node.style in ("|", ">"):
            indent = _content_indent(raw) or " " * (_column(self.text, found.member.start) + 2)
            block = _block(value, indent, newline)
            if block:
                return Splice(node.start, node.end, block)
            tail = raw[len(raw.rstrip("\r\n")) :]
            return Splice(node.start, node.end, literal(value) + tail)
        text = _styled(value, node.style, raw)
        if node.start == node.end:
            text = f" {text}"
        return Splice(node.start, node.end, text)

    def _replace_block(self, found: tree.Found, value: Value) -> Splice:
        """A list of lines becomes another list of lines, or one value behind its name."""
        node = found.node
        if value.type is Type.JSON and value.text not in ("[]", "{}"):
            dash = " " * _column(self.text, node.start)
            items = [f"- {_flow(item)}" for item in _loads(value.text)]
            body = f"{newline_of(self.text)}{dash}".join(items)
            return Splice(node.start, node.end, body + _final_newline(self.text, node.end))
        end = _final_newline(self.text, node.end)
        return Splice(found.member.colon, node.end, f" {literal(value)}{end}")

    def _remove(self, node: Node, indices: list[int]) -> list[Splice]:
        if node.flow:
            return remove_flow(self.text, node, indices)
        splices = []
        for first, last in tree.runs(indices):
            start = node.members[first].start
            if node.kind is Kind.LIST:
                start = self.text.rindex("-", 0, start)
            stop = self._line_after(last_offset(node.members[last]))
            indent = indent_before(self.text, start)
            if indent is None and last + 1 < len(node.members):
                splices.append(Splice(start, node.members[last + 1].start))
            else:
                splices.append(Splice(start - len(indent or ""), stop))
        return splices

    def _line_after(self, offset: int) -> int:
        """The start of the line after the one in which something ends."""
        if offset and self.text[offset - 1] == "\n":
            return offset
        return next_line(self.text, offset)

    def _add(self, edits: Edits) -> str:
        if self.part is None:
            return self._add_part(edits)
        if self.part.root is None or self.part.root.kind is Kind.SCALAR:
            return self._add_first(self.part, edits)
        added = tree.additions(self.part.root, edits.add, self.view.lists)
        return splice(self.text, [self._insert(node, trie) for node, trie in added])

    def _insert(self, node: Node, trie: Trie) -> Splice:
        if node.flow:
            pairs = _flow_members(trie, node.kind, self.view.lists)
            if not node.members:
                return Splice(node.end - 1, node.end - 1, pairs)
            last = node.members[-1]
            end = last.comma or last_offset(last)
            return Splice(end, end, f" {pairs}" if last.comma else f", {pairs}")
        column = _column(self.text, node.members[0].start)
        if node.kind is Kind.LIST:
            column = _column(self.text, self.text.rindex("-", 0, node.members[0].start))
        return self._lines_at(node.end, self._lines(trie, node.kind, " " * column))

    def _lines_at(self, end: int, lines: list[str]) -> Splice:
        newline = newline_of(self.text)
        at = self._line_after(end)
        body = newline.join(lines) + newline
        if at == len(self.text) and self.text and not self.text.endswith("\n"):
            body = newline + body
        return Splice(at, at, body)

    def _lines(self, trie: Trie, kind: Kind, indent: str) -> list[str]:
        unit = self._unit()
        return list(_block_lines(trie, kind, self.view.lists, (newline_of(self.text), indent, unit)))

    def _unit(self) -> str:
        root = self.part.root if self.part else None
        for member in root.members if root else ():
            if member.node.kind is Kind.MAP and member.node.members and not member.node.flow:
                inner = _column(self.text, member.node.members[0].start)
                return " " * max(inner - _column(self.text, member.start), 1)
        return "  "

    def _add_first(self, part: Part, edits: Edits) -> str:
        """Members for a document that holds nothing yet."""
        trie = tree.additions(Node(Kind.MAP, 0, 0, 1), edits.add, self.view.lists)[0][1]
        lines = self._lines(trie, Kind.MAP, "")
        text = self.text
        if part.root is not None and part.root.start < part.root.end:
            text = splice(text, [Splice(part.root.start, part.root.end)])
        at = part.start if text[part.start - 1 : part.start] == "\n" else next_line(text, part.start)
        newline = newline_of(text)
        before = newline if text[:at] and not text[:at].endswith("\n") else ""
        return text[:at] + before + newline.join(lines) + newline + text[at:]

    def _add_part(self, edits: Edits) -> str:
        profile = self.view.profile
        selector = {} if profile is None else {tuple(_SELECTORS[0].split(".")): Value.string(profile)}
        trie = tree.additions(Node(Kind.MAP, 0, 0, 1), {**selector, **edits.add}, self.view.lists)[0][1]
        newline = newline_of(self.text)
        lines = self._lines(trie, Kind.MAP, "")
        if profile is None and self.parts:
            return newline.join([*lines, *_divider(self.text[: self.parts[0].start]), self.text])
        text = self.text
        if text and not text.endswith("\n"):
            text += newline
        if self.parts or (profile is not None and text):
            lines = ["---", *lines]
        return text + newline.join(lines) + newline


def _divider(head: str) -> list[str]:
    """What stands between a new document and one that begins with this."""
    if re.search("^%", head, re.MULTILINE):
        return ["..."]  # Else its directives would be taken for a part of what comes before.
    return [] if head.endswith("---") else ["---"]


def _column(text: str, at: int) -> int:
    return at - (text.rfind("\n", 0, at) + 1)


def _final_newline(text: str, end: int) -> str:
    return "\n" if text[end - 1] == "\n" else ""


def _content_indent(raw: str) -> str:
    """The indentation of a block scalar's lines."""
    for line in raw.splitlines()[1:]:
        if line.strip():
            return line[: len(line) - len(line.lstrip(" "))]
    return ""


def _block_lines(trie: Trie, kind: Kind, lists: Lists, layout: tuple[str, str, str]) -> Iterator[str]:
    newline, indent, unit = layout
    if kind is Kind.LIST:
        for name in sorted(trie, key=int):
            yield f"{indent}- {_flow_child(trie[name], lists)}"
        return
    for name, child in trie.items():
        if not isinstance(child, dict):
            block = _block(child, indent + unit, newline)
            yield f"{indent}{_name(name)}: {block.removesuffix(newline) if block else literal(child)}"
            continue
        yield f"{indent}{_name(name)}:"
        inner = Kind.LIST if tree.is_list(child, lists) else Kind.MAP
        yield from _block_lines(child, inner, lists, (newline, indent + unit, unit))


def _flow_child(child: Trie | Value, lists: Lists) -> str:
    if not isinstance(child, dict):
        return literal(child)
    kind = Kind.LIST if tree.is_list(child, lists) else Kind.MAP
    body = _flow_members(child, kind, lists)
    return f"[{body}]" if kind is Kind.LIST else f"{{{body}}}"


def _flow_members(trie: Trie, kind: Kind, lists: Lists) -> str:
    if kind is Kind.LIST:
        return ", ".join(_flow_child(trie[name], lists) for name in sorted(trie, key=int))
    return ", ".join(f"{_name(name)}: {_flow_child(child, lists)}" for name, child in trie.items())


def _name(name: str) -> str:
    if len(name) > 500:
        raise ValueError("a name of more than 500 characters; shorten it")
    return name if _plain(name) else double_quoted(name)


def _plain(text: str, barred: frozenset[str] = _FLOW) -> bool:
    """Can it stand without quotes, here and for readers of YAML 1.1?"""
    return (
        _PLAIN.fullmatch(text) is not None
        and text.isprintable()
        and not set(text) & (barred | set("#\"'`\ufeff"))
        and ": " not in text
        and text[-1] not in ": "
        and not _OTHER_TYPES.fullmatch(text)
        and resolve(text, None, None).type is Type.STRING
    )


_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def double_quoted(text: str) -> str:
    """A double-quoted scalar on one line."""
    return '"' + "".join(_ESCAPES.get(c) or (c if c.isprintable() else _escape(c)) for c in text) + '"'


def _escape(character: str) -> str:
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def literal(value: Value) -> str:
    """The text of a value on one line, which stands in block and in flow."""
    match value.type:
        case Type.STRING | Type.REFERENCE:
            return value.text if _plain(value.text) else double_quoted(value.text)
        case Type.BYTES:
            return f'!!binary "{value.text}"'
        case Type.JSON:
            return _flow(_loads(value.text))
        case _:
            return tree.scalar_json(value)


def _styled(value: Value, style: str | None, raw: str) -> str:
    """A value in the quotes of the one that it replaces, where they can hold it."""
    if value.type not in (Type.STRING, Type.REFERENCE):
        return literal(value)
    if style == "'" and value.text.isprintable() and "\ufeff" not in value.text:
        return "'" + value.text.replace("'", "''") + "'"
    if style == '"':
        return double_quoted(value.text)
    if style is None and set(raw) & _FLOW and _plain(raw, frozenset()) and _plain(value.text, frozenset()):
        # The one before holds what divides values in flow: so this is block, where `${a}` needs no quotes.
        return value.text
    return literal(value)


def _block(value: Value, indent: str, newline: str) -> str:
    """A literal block scalar, newline at its end; empty where the value cannot be one."""
    text = value.text
    if value.type not in (Type.STRING, Type.REFERENCE) or "\n" not in text.rstrip("\n"):
        return ""
    lines = text.removesuffix("\n").split("\n")
    if not lines[-1] or not all(line.isprintable() and line == line.rstrip() for line in lines):
        return ""
    if not lines[0] or lines[0][0] == " ":
        return ""
    header = "|" if text.endswith("\n") else "|-"
    return newline.join([header, *(f"{indent}{line}" if line else "" for line in lines), ""])


class _Digits(str):
    """A JSON number as it was written."""


def _loads(text: str) -> Any:
    return json.loads(text, parse_int=_Digits, parse_float=_Digits)


def _flow(node: Any) -> str:
    match node:
        case _Digits():
            return str(node)
        case str():
            return node if _plain(node) else double_quoted(node)
        case dict():
            pairs = (f"{_name(name)}: {_flow(child)}" for name, child in node.items())
            return "{" + ", ".join(pairs) + "}"
        case list():
            return "[" + ", ".join(_flow(child) for child in node) + "]"
        case _:
            return json.dumps(node)


def _selects(root: Node | None) -> tuple[Path, list[str]] | None:
    """The path of a document's profile selector and the profiles that it names."""
    for path, node in _scalars(root, ()) if root else ():
        if ".".join(path) in _SELECTORS:
            nodes = [member.node for member in node.members] or [node]
            texts = [one.value.text for one in nodes if one.value is not None]
            return path, [name.strip() for text in texts for name in text.split(",")]
    return None


def _scalars(node: Node, path: Path) -> Iterator[tuple[Path, Node]]:
    """The scalars and lists on the way of a selector."""
    for member in node.members:
        here = (*path, member.name)
        if not any(f"{name}.".startswith(".".join(here) + ".") for name in _SELECTORS):
            continue
        if member.node.kind is Kind.MAP:
            yield from _scalars(member.node, here)
        else:
            yield here, member.node


def parse(text: str, view: View) -> YamlDocument:
    """Raises `Unparsable`."""
    found = parts(text)
    selected = [(part, _selects(part.root)) for part in found]
    if view.profile is None:
        fitting = [part for part, names in selected if names is None][:1]
    else:
        fitting = [part for part, names in selected if names and view.profile in names[1]]
        if len(fitting) > 1:
            raise Unparsable("two documents of this file are for the same profile", fitting[1].start)
    part = fitting[0] if fitting else None
    leaves: tuple[Leaf, ...] = ()
    if part and part.root:
        names = _selects(part.root)
        every = (leaf for leaf, _ in tree.leaves(part.root, view.lists))
        leaves = tuple(leaf for leaf in every if not names or leaf.path[: len(names[0])] != names[0])
    return YamlDocument(text, view, found, part, leaves)


def image(value: Value, view: View) -> Value:
    """The value as it reads back. Raises ValueError where YAML cannot say it."""
    tree.typed(value, "YAML", view.lists)
    return value
