"""YAML text to nodes with spans, by the core schema of YAML 1.2.

``no`` is a string, ``010`` is ten, a date is a string. Aliases and merge keys are resolved; what comes
through them, and what they share, cannot be edited.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from ruamel.yaml.docinfo import DocInfo
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
)
from ruamel.yaml.loader import SafeLoader
from ruamel.yaml.reader import ReaderError

from ecs_sync.model import Value

from .leaves import MAX_DEPTH, LineIndex, Unparsable
from .tree import MAX_REPEATED, Kind, Member, Node

_CORE = "tag:yaml.org,2002:"
_NULL = re.compile(r"null|Null|NULL|~|")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_TOO_LONG = 10**4000
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NO_NUMBER = re.compile(r"[-+]?(\.inf|\.Inf|\.INF)|\.nan|\.NaN|\.NAN")
_COLON = re.compile(r"[ \t\r\n]*:")
_COMMA = re.compile(r"(?:[ \t\r\n]|(?<=[ \t\r\n])#[^\n]*)*,")
_SHARED = "it is shared by an alias, so that an edit would change two places; edit it by hand"


@dataclass(slots=True, repr=False)
class Part:
    """One document of a YAML stream. ``start`` is after its marker, ``end`` where the next thing begins."""

    root: Node | None
    start: int
    end: int


def parts(text: str) -> list[Part]:
    """The documents of a text. Raises `Unparsable`."""
    if not text:
        return []
    try:
        return list(_Composer(text).documents())
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        problem = re.sub(r"'[^']*'", "something else", error.problem or "")
        raise Unparsable(f"not YAML: {problem}", where=where) from None
    except ReaderError as error:
        raise Unparsable("not YAML: a control character stands here", error.position) from None


def _events(text: str) -> Iterator[Any]:
    loader: Any = SafeLoader(text)
    # Where the scanner notes directives, such as %YAML: the loader by itself has no such place.
    loader.doc_infos = [DocInfo()]
    while loader.check_event():
        yield loader.get_event()


class _Composer:
    def __init__(self, text: str) -> None:
        self.text = text
        self.lines = LineIndex(text)
        self.events = _events(text)
        self.anchors: dict[str, Node | None] = {}
        self.merged = 0

    def documents(self) -> Iterator[Part]:
        for event in self.events:
            if isinstance(event, DocumentStartEvent):
                self.anchors = {}
                start = event.end_mark.index
                root = self._node(next(self.events), 0)[0]
                end = next(e for e in self.events if isinstance(e, DocumentEndEvent))
                yield Part(root, start, end.start_mark.index)

    def _node(self, event: Any, depth: int) -> tuple[Node, bool]:
        """The node of an event, and whether it came through an alias."""
        start, end = event.start_mark.index, event.end_mark.index
        if isinstance(event, AliasEvent):
            return self._alias(event, start), True
        if depth > MAX_DEPTH:
            raise Unparsable(f"nested deeper than {MAX_DEPTH} levels", start)
        if isinstance(event, ScalarEvent):
            node = self._scalar(event, start, end)
        else:
            kind = Kind.MAP if isinstance(event, MappingStartEvent) else Kind.LIST
            node = Node(kind, start, end, self.lines.of(start), flow=bool(event.flow_style))
            if event.tag not in (None, "!", f"{_CORE}map", f"{_CORE}seq"):
                node.refusal = "it carries a YAML tag that has no meaning here; remove the tag"
            if event.anchor:
                self.anchors[event.anchor] = None
            self._fill(node, depth)
        if event.anchor:
            self.anchors[event.anchor] = node
        return node, False

    def _alias(self, event: Any, start: int) -> Node:
        if event.anchor not in self.anchors:
            raise Unparsable("an alias has no anchor before it", start)
        node = self.anchors[event.anchor]
        if node is None:
            raise Unparsable("an alias stands inside the value that it means", start)
        _fix(node)
        return node

    def _fill(self, node: Node, depth: int) -> None:
        merges: list[tuple[Node, Member]] = []
        while not isinstance(event := next(self.events), (MappingEndEvent, SequenceEndEvent)):
            member = self._member(event, node, depth)
            if node.flow:
                comma = _COMMA.match(self.text, last_offset(member))
                member.comma = comma.end() if comma else None
            node.members.append(member)
            if member.merge:
                merges.append((member.node, member))
        last = node.members[-1] if node.members else None
        node.end = event.end_mark.index if node.flow or last is None else last_offset(last)
        for source, member in merges:
            self._merge(node, source, member)

    def _member(self, event: Any, node: Node, depth: int) -> Member:
        start = event.start_mark.index
        line = self.lines.of(start)
        if node.kind is Kind.LIST:
            child, alias = self._node(event, depth + 1)
            if child.start == child.end and not node.flow:
                start = child.start = child.end = self.text.rindex("-", 0, child.start) + 1
            end = event.end_mark.index if alias else child.end
            return Member(str(len(node.members)), start, start, child, line, repeated=alias, end=end)
        if not isinstance(event, ScalarEvent):
            raise Unparsable("a name is a list, a map or an alias; only plain names can be keys", start)
        if event.anchor or event.tag:
            raise Unparsable("a name has an anchor or a tag; only plain names can be keys", start)
        value = next(self.events)
        child, alias = self._node(value, depth + 1)
        found = _COLON.match(self.text, event.end_mark.index)
        colon = found.end() if found else event.end_mark.index
        if child.start == child.end:
            child.start = child.end = colon
        end = value.end_mark.index if alias else child.end
        merge = event.value == "<<" and event.style is None
        return Member(
            event.value, start, colon, child, line, repeated=alias and not merge, merge=merge, end=end
        )

    def _merge(self, node: Node, source: Node, member: Member) -> None:
        match source.kind:
            case Kind.MAP:
                names = {one.name for one in node.all()}
                for one in source.all():
                    if one.name not in names:
                        self.merged += 1
                        node.merged.append(replace(one, repeated=True, line=member.line))
                if self.merged > MAX_REPEATED:
                    raise Unparsable(f"its aliases stand for more than {MAX_REPEATED} values", member.start)
            case Kind.LIST:
                for one in source.members:
                    if one.node.kind is not Kind.MAP:
                        raise Unparsable("a merge key takes maps only", member.start)
                    self._merge(node, one.node, member)
            case Kind.SCALAR:
                raise Unparsable("a merge key takes maps only", member.start)

    def _scalar(self, event: Any, start: int, end: int) -> Node:
        line = self.lines.of(start)
        if event.anchor and (found := re.compile(r"&\S+[ \t]+").match(self.text, start)):
            start = found.end()
        if event.style in ("|", ">"):
            end = self._block_end(start, end)
        node = Node(Kind.SCALAR, start, end, line, style=event.style)
        try:
            node.value = resolve(event.value, event.style, event.tag)
        except ValueError as error:
            node.refusal = str(error)
        return node

    def _block_end(self, start: int, end: int) -> int:
        """The end of a block scalar without the blank lines after it, where they are not part of it."""
        raw = self.text[start:end]
        if "+" in raw.splitlines()[0]:
            return end
        content = raw.rstrip(" \t\r\n")
        newline = re.compile(r"[ \t]*\r?\n").match(raw, len(content))
        return start + (newline.end() if newline else len(content))


def last_offset(member: Member) -> int:
    """Where a member ends."""
    return member.end if member.end is not None else member.node.end


def _fix(node: Node) -> None:
    if not node.fixed:
        node.fixed = _SHARED
        for member in node.members:
            _fix(member.node)


def resolve(text: str, style: str | None, tag: str | None) -> Value:
    """The value of a scalar. Raises ValueError, with a sentence, for what has none here."""
    if tag in (None, "!"):
        return _plain(text) if style is None and tag is None else Value.string(text)
    match str(tag).removeprefix(_CORE):
        case "str":
            return Value.string(text)
        case "binary":
            try:
                return Value.bytes(base64.b64decode("".join(text.split()), validate=True))
            except (binascii.Error, ValueError):
                raise ValueError("its tag says binary, and it is not base64") from None
        case "int" | "float" | "bool" | "null" as name:
            value = _plain(text)
            if value.type.value not in {"bool": ("boolean",), "int": ("integer",)}.get(name, (name,)):
                raise ValueError(f"its tag says {name}, and it is not")
            return value
        case _:
            raise ValueError("it carries a YAML tag that has no meaning here; remove the tag")


def _plain(text: str) -> Value:
    if _NULL.fullmatch(text):
        return Value.null()
    if _BOOL.fullmatch(text):
        return Value.boolean(text.lower() == "true")
    if _INT.fullmatch(text):
        return Value.integer(_number(text, 10))
    if _OCTAL.fullmatch(text):
        return Value.integer(_number(text[2:], 8))
    if _HEX.fullmatch(text):
        return Value.integer(_number(text[2:], 16))
    if found := _FLOAT.fullmatch(text):
        return Value.float(_decimal(text, found[3] or ""))
    if _NO_NUMBER.fullmatch(text):
        raise ValueError("infinity and not-a-number have no form in other places; write a number or a string")
    return Value.string(text)


def _number(digits: str, base: int) -> int:
    """Raises ValueError where the digits, as they stand or in decimal, are more than 4,000."""
    if len(digits) > 4000 or abs(number := int(digits, base)) >= _TOO_LONG:
        raise ValueError("an integer of more than 4,000 digits; write it as a string")
    return number


def _decimal(text: str, exponent: str) -> str:
    """A YAML float in JSON's spelling: ``.5`` is ``0.5``, ``1.`` is ``1.0``, ``+`` goes."""
    sign = "-" if text[0] == "-" else ""
    body = text.lstrip("+-").removesuffix(exponent)
    whole, dot, fraction = body.partition(".")
    whole = whole.lstrip("0") or "0"
    return f"{sign}{whole}{dot}{(fraction or '0') if dot else ''}{exponent}"
