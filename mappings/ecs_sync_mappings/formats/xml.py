"""XML: the names of elements are the levels of a key, the root's too; ``@name`` is an attribute.

An element without child elements is one value, its text. Of ``<add key="K" value="V"/>``, as in
``web.config``, the key is ``K`` below the parent's; ``name`` serves as ``key`` does, and other attributes
lie below (``Db/@connectionString``). Siblings of one name are refused. A DTD, and so every entity of a
document's own, is refused, and text between elements is not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from ecs_sync.model import Value

from . import flat, tree
from .flat import Record
from .leaves import (
    MAX_DEPTH,
    Edits,
    Leaf,
    LineIndex,
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
from .tree import Trie

EMPTY = ""

_TAG = re.compile(r"<([^\s/>]+)((?:\s+[^\s=]+\s*=\s*(?:\"[^\"]*\"|'[^']*'))*)\s*(/?)>")
_ATTRIBUTE = re.compile(r"\s+([^\s=]+)\s*=\s*(\"[^\"]*\"|'[^']*')")
_TOKEN = re.compile(r"<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>|</[^>]*>|[^<]+", re.DOTALL)
_ENCODING = re.compile(r"<\?xml[^>]*encoding\s*=\s*[\"']([^\"']+)")
_NAME = re.compile(r"[A-Za-z_][\w.-]*(?::[A-Za-z_][\w.-]*)?", re.ASCII)
_UNSAYABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_LISTS = frozenset({"appSettings", "connectionStrings"})


@dataclass(slots=True, repr=False)
class Attribute:
    """A name and a value; ``start`` is where the space before the name begins."""

    name: str
    text: str
    start: int
    inner: tuple[int, int]


@dataclass(slots=True, repr=False)
class Element:
    """An element and its spans: all of it, and what stands between its tags."""

    tag: str
    attributes: list[Attribute]
    start: int
    opened: int
    closed: int
    end: int = 0
    children: list[Element] = field(default_factory=list)
    text: str = ""
    fixed: str = ""
    empty: bool = False
    own: list[Record] = field(default_factory=list)
    """Its attributes and its text, without what lies in its children."""

    @property
    def identity(self) -> str | None:
        """The attribute that names an ``<add>``."""
        names = [one.name for one in self.attributes if self.tag == "add" and one.name in ("key", "name")]
        return names[0] if names else None

    @property
    def name(self) -> str:
        return next((one.text for one in self.attributes if one.name == self.identity), self.tag)


@dataclass(frozen=True, slots=True, repr=False)
class XmlDocument:
    """A text, its root element and the records of its values."""

    text: str
    root: Element | None
    records: list[Record]
    leaves: list[Leaf]

    def edit(self, edits: Edits) -> str:
        splices = list(self._removed(edits.remove))
        by_path = {record.path: record for record in self.records}
        for path, value in edits.replace.items():
            record = by_path[path]
            if record.fixed:
                raise ValueError(f"{'/'.join(path)}: {record.fixed}")
            splices.append(self._replaced(record, value))
        text = splice(self.text, splices)
        if edits.remove and len(edits.remove) == len(self.records):
            if text.strip() and not re.fullmatch(r"\s*<\?xml[^>]*\?>\s*", text):
                raise ValueError("an XML file needs one value at least beside its comments")
            text = ""
        if not edits.add:
            return text
        return (self if text == self.text else parse(text, View()))._add(edits)

    def _replaced(self, record: Record, value: Value) -> Splice:
        quote = self.text[record.start - 1]
        if self.text[record.whole_start : record.whole_end] != self.text[record.start : record.end]:
            return Splice(record.start, record.end, _escaped(value.text, quote))
        body = _escaped(value.text, "")
        if self.text[record.start - 2 : record.start] == "/>":
            tag = self.text[self.text.rindex("<", 0, record.start) + 1 : record.start].split()[0]
            return Splice(record.start - 2, record.end, f">{body}</{tag.rstrip('/>')}>")
        return Splice(record.start, record.end, body)

    def _removed(self, removed: frozenset[Path]) -> Iterator[Splice]:
        if self.root and removed:
            yield from self._pruned(self.root, removed)

    def _pruned(self, element: Element, removed: frozenset[Path]) -> Iterator[Splice]:
        if all(record.path in removed for record in _records(element)):
            stop = next_line(self.text, element.end)
            indent = indent_before(self.text, element.start)
            if indent is None or self.text[element.end : stop].strip():
                yield Splice(element.start, element.end)
            else:
                yield Splice(element.start - len(indent), stop)
            return
        for child in element.children:
            yield from self._pruned(child, removed)
        for record in element.own:
            if record.path in removed:
                yield Splice(record.whole_start, record.whole_end)

    def _add(self, edits: Edits) -> str:
        newline = newline_of(self.text)
        if self.root is None:
            trie = tree.additions(tree.Node(tree.Kind.MAP, 0, 0, 1), edits.add, Lists.JSON)[0][1]
            if len(trie) > 1:
                raise ValueError("an XML file has one root: all keys begin with the same segment")
            (name, child), *_ = trie.items()
            head = "" if self.text.strip() else f'<?xml version="1.0" encoding="utf-8"?>{newline}'
            return self.text + head + _element(name, child, "", newline, "") + newline
        found: dict[int, tuple[Element, dict[Path, Value]]] = {}
        for path, value in edits.add.items():
            element, depth = self._deepest(path)
            found.setdefault(id(element), (element, {}))[1][path[depth:]] = value
        splices = (one for element, new in found.values() for one in self._insert(element, new))
        return splice(self.text, splices)

    def _deepest(self, path: Path) -> tuple[Element, int]:
        assert self.root is not None
        if path[0] != self.root.name:
            raise ValueError(f"{'/'.join(path)}: the root of this XML file is {self.root.name!r}")
        element, depth = self.root, 1
        while depth < len(path):
            matching = [child for child in element.children if child.name == path[depth]]
            if not matching:
                break
            element, depth = matching[0], depth + 1
        return element, depth

    def _insert(self, element: Element, new: dict[Path, Value]) -> Iterator[Splice]:
        tag_end = element.opened - (2 if element.empty else 1)
        below = {path: value for path, value in new.items() if path and not _is_attribute(path)}
        for path, value in new.items():
            if not path:
                name = "value" if element.identity else ""
                if not name:
                    raise ValueError(f"{element.tag}: an element with attributes or elements gets no text")
                yield Splice(tag_end, tag_end, f' {name}="{_escaped(value.text, chr(34))}"')
            elif _is_attribute(path):
                yield Splice(tag_end, tag_end, f" {_attribute(path[0], value)}")
        if below:
            yield from self._insert_elements(element, below)

    def _insert_elements(self, element: Element, new: dict[Path, Value]) -> Iterator[Splice]:
        newline = newline_of(self.text)
        if not element.children and element.text.strip():
            raise ValueError(f"{element.tag}: an element with text gets no elements below it")
        trie = tree.additions(tree.Node(tree.Kind.MAP, 0, 0, 1), new, Lists.JSON)[0][1]
        outer = indent_before(self.text, element.start) or ""
        inner = f"{outer}  "
        if element.children:
            inner = indent_before(self.text, element.children[-1].start) or inner
        body = "".join(newline + _element(n, child, inner, newline, element.tag) for n, child in trie.items())
        if element.children:
            yield Splice(element.children[-1].end, element.children[-1].end, body)
        elif element.empty:
            yield Splice(element.opened - 2, element.opened, f">{body}{newline}{outer}</{element.tag}>")
        else:
            yield Splice(element.opened, element.closed, f"{body}{newline}{outer}")


def _is_attribute(path: Path) -> bool:
    return len(path) == 1 and path[0].startswith("@")


def _attribute(name: str, value: Value) -> str:
    if not _NAME.fullmatch(name[1:]):
        raise ValueError(f"{name[1:]}: no XML name")
    return f'{name[1:]}="{_escaped(value.text, chr(34))}"'


def _element(name: str, child: Trie | Value, indent: str, newline: str, parent: str) -> str:
    """The text of a new element, without a newline around it."""
    listed = parent in _LISTS
    tag = "add" if listed else name
    if not _NAME.fullmatch(tag):
        raise ValueError(f"{name}: no XML name")
    key = "name" if parent == "connectionStrings" or isinstance(child, dict) else "key"
    head = f'{indent}<{tag} {key}="{_escaped(name, chr(34))}"' if listed else f"{indent}<{tag}"
    if not isinstance(child, dict):
        text = _escaped(child.text, '"' if listed else "")
        return f'{head} value="{text}"/>' if listed else f"{head}>{text}</{tag}>"
    inner = []
    for below, value in child.items():
        if below.startswith("@") and not isinstance(value, dict):
            head += f" {_attribute(below, value)}"
        else:
            inner.append(_element(below, value, f"{indent}  ", newline, tag))
    if not inner:
        return f"{head}/>"
    return f"{head}>{newline}{newline.join(inner)}{newline}{indent}</{tag}>"


def _escaped(text: str, quote: str) -> str:
    body = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")
    if quote:
        body = body.replace("\n", "&#10;").replace("\t", "&#9;")
        body = body.replace(quote, "&quot;" if quote == '"' else "&apos;")
    return body


class _Scanner:
    """Walks a text that expat has accepted."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.open: list[Element] = []
        self.root: Element | None = None

    def scan(self) -> Element:
        at = 0
        while at < len(self.text):
            if found := _TOKEN.match(self.text, at):
                self._token(found[0], at)
            else:
                found = _TAG.match(self.text, at)
                assert found  # expat has accepted the text, so a tag stands here
                self._tag(found)
            at = found.end()
        assert self.root  # expat accepts no text without an element
        return self.root

    def _token(self, token: str, at: int) -> None:
        if token.startswith("</"):
            element = self.open.pop()
            element.closed, element.end = at, at + len(token)
        elif not self.open:
            return
        elif token.startswith("<![CDATA["):
            self.open[-1].text += _lines(token[9:-3])
        elif token.startswith("<"):
            self.open[-1].fixed = "a comment stands inside of its text; edit it by hand"
        else:
            self.open[-1].text += _resolved(_lines(token))

    def _tag(self, found: re.Match[str]) -> None:
        attributes = []
        for one in _ATTRIBUTE.finditer(self.text, found.start(2), found.end(2)):
            text = _resolved(re.sub(r"[\t\n]", " ", _lines(one[2][1:-1])))
            attributes.append(Attribute(one[1], text, one.start(), (one.start(2) + 1, one.end(2) - 1)))
        element = Element(
            found[1], attributes, found.start(), found.end(), found.end(), found.end(), empty=bool(found[3])
        )
        if self.open:
            self.open[-1].children.append(element)
        else:
            self.root = element
        if not element.empty:
            self.open.append(element)
        if len(self.open) > MAX_DEPTH:
            raise Unparsable(f"nested deeper than {MAX_DEPTH} levels", found.start())


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


_REFERENCE = re.compile(r"&(?:#x([0-9a-fA-F]+)|#([0-9]+)|(amp|lt|gt|quot|apos));")


def _resolved(text: str) -> str:
    """The text with the character references that XML itself knows replaced."""
    names = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
    return _REFERENCE.sub(
        lambda found: names[found[3]] if found[3] else chr(int(found[1] or found[2], 16 if found[1] else 10)),
        text,
    )


def _record(element: Element, above: Path, lines: LineIndex) -> None:
    """Fills in the values of an element, its attributes and its text, and of those below."""
    path = (*above, element.name)
    line = lines.of(element.start)
    for one in element.attributes:
        if one.name == element.identity:
            continue
        listed = element.identity is not None and one.name == "value"
        where = path if listed else (*path, f"@{one.name}")
        start, end = one.inner
        element.own.append(Record(where, line, start, end, one.start, end + 1, Value.string(one.text)))
    start, end = element.opened, element.closed
    if element.children and element.text.strip():
        reason = "text stands between its elements; XML is read where elements hold text or elements"
        element.own.append(Record(path, line, start, start, start, start, None, reason))
    elif not element.children and (element.text.strip() or not element.own):
        text = Value.string(element.text)
        element.own.append(Record(path, line, start, end, start, end, text, fixed=element.fixed))
    for child in element.children:
        _record(child, path, lines)


def _records(element: Element) -> Iterator[Record]:
    """The values of an element and of those below."""
    yield from element.own
    for child in element.children:
        yield from _records(child)


def parse(text: str, view: View) -> XmlDocument:
    """Raises `Unparsable`; an empty text is a document without values."""
    del view
    if not text.strip():
        return XmlDocument(text, None, [], [])
    encoding = _ENCODING.match(text)
    if encoding and encoding[1].lower() not in ("utf-8", "utf8", "us-ascii", "ascii"):
        raise Unparsable("it declares another encoding than UTF-8; save it as UTF-8")
    try:
        fromstring(text, forbid_dtd=True)
    except ParseError as error:
        line, column = error.position
        raise Unparsable("not XML: it is not well-formed here", where=(line, column + 1)) from None
    except DefusedXmlException:
        raise Unparsable("a DTD or an entity of its own; take it out") from None
    root = _Scanner(text).scan()
    _record(root, (), LineIndex(text))
    records = list(_records(root))
    return XmlDocument(text, root, records, flat.leaves(records))


def image(value: Value, view: View) -> Value:
    """Every value is text. Raises ValueError where it has none."""
    del view
    text = flat.text_image(value, "XML")
    if _UNSAYABLE.search(text.text):
        raise ValueError("XML cannot say control characters")
    return text
