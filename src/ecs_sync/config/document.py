"""A YAML file as a tree that knows where each part of it stands. Reads YAML 1.2: ``no`` is a text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import accumulate
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from ecs_sync.config.secret import Where
from ecs_sync.errors import ConfigError, Problem

_MOST_BYTES = 1 << 20
_MOST_NODES = 300_000
_MOST_BRACKETS = 500
_CORE = "tag:yaml.org,2002:"

Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Node:
    """A part of the file. ``at`` is where it stands, ``key_at`` where the key in front of it does.

    ``content`` is a scalar, a tuple of nodes, or nodes by key. It may hold a secret that stands in
    the wrong place, so that it is never shown.
    """

    content: Scalar | tuple[Node, ...] | Mapping[str, Node] = field(repr=False)
    at: Where
    key_at: Where
    lead: int | None = None
    """How far behind ``at`` a text begins that stands in the file as it is, on one line; else None."""

    @property
    def map(self) -> Mapping[str, Node]:
        """The nodes by key; empty where this is no map."""
        return self.content if isinstance(self.content, Mapping) else {}

    @property
    def items(self) -> tuple[Node, ...]:
        """The nodes of a list; empty where this is none."""
        return self.content if isinstance(self.content, tuple) else ()

    @property
    def text(self) -> str | None:
        return self.content if isinstance(self.content, str) else None

    @property
    def kind(self) -> str:
        """What stands here, in words."""
        match self.content:
            case None:
                return "nothing"
            case bool():
                return "true or false"
            case int():
                return "a whole number"
            case float():
                return "a number"
            case str():
                return "text"
            case tuple():
                return "a list"
            case _:
                return "a map"

    def within(self, offset: int) -> Where:
        """Where this character of the text stands, from 0; where the text begins, if that is not known."""
        return self.at if self.lead is None else replace(self.at, column=self.at.column + self.lead + offset)

    def plain(self) -> Any:
        """The content without positions."""
        if isinstance(self.content, Mapping):
            return {key: node.plain() for key, node in self.content.items()}
        if isinstance(self.content, tuple):
            return [node.plain() for node in self.content]
        return self.content

    def texts(self) -> Iterable[Node]:
        """All texts in and below this node."""
        if isinstance(self.content, str):
            yield self
        for node in (*self.map.values(), *self.items):
            yield from node.texts()

    def only(self, names: Iterable[str]) -> Node:
        """This map with nothing but these keys."""
        kept = set(names)
        return replace(self, content={key: node for key, node in self.map.items() if key in kept})

    def without(self, names: Iterable[str]) -> Node:
        """This map without these keys."""
        return self.only(self.map.keys() - set(names))

    def rewritten(self, change: Callable[[str, Where], str]) -> Node:
        """This node with every text in it changed."""
        if isinstance(self.content, str):
            changed = change(self.content, self.at)
            return replace(self, content=changed, lead=self.lead if changed == self.content else None)
        if isinstance(self.content, Mapping):
            return replace(self, content={k: node.rewritten(change) for k, node in self.content.items()})
        if isinstance(self.content, tuple):
            return replace(self, content=tuple(node.rewritten(change) for node in self.content))
        return self


class Findings:
    """Everything found wrong so far, each once."""

    __slots__ = ("_problems", "_spoiled")

    def __init__(self) -> None:
        self._problems: dict[Problem, None] = {}
        self._spoiled: set[tuple[int, int]] = set()

    def add(self, where: Where, message: str) -> None:
        if (where.line, where.column) not in self._spoiled:
            self._problems[Problem(where.file, where.line, where.column, where.path, message)] = None

    def spoil(self, where: Where, message: str) -> None:
        """As `add`, for what cannot be read at all: whatever else is found there follows from it."""
        self.add(where, message)
        self._spoiled.add((where.line, where.column))

    def __bool__(self) -> bool:
        return bool(self._problems)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """In the order of the file."""
        return tuple(sorted(self._problems))

    def error(self, file: str) -> ConfigError:
        """All of it as one error, in the order of the file."""
        problems = self.problems
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        lines = "".join(f"\n  {problem}" for problem in problems)
        return ConfigError(f"{file} cannot be used: {count}{lines}", problems)


def read_document(path: Path, found: Findings) -> Node | None:
    """The tree of a file; None where there is none to go on with. Says why in ``found``."""
    start = Where(str(path), 1, 1, "")
    try:
        with path.open("rb") as stream:
            raw = stream.read(_MOST_BYTES + 1)
    except OSError as error:
        found.add(
            start, f"{error.strerror or 'cannot be read'}: name another file, or start with 'ecs-sync init'"
        )
        return None
    if len(raw) > _MOST_BYTES:
        found.add(start, "is larger than 1 MiB: split the jobs over several files")
        return None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        found.add(replace(start, line=line), "is not UTF-8 text: save it as UTF-8")
        return None
    return _parsed(text, start, found)


def _parsed(text: str, start: Where, found: Findings) -> Node | None:
    if max(accumulate((c in "[{") - (c in "]}") for c in text), default=0) > _MOST_BRACKETS:
        found.add(start, "is nested too deeply")  # the parser would take hours to say so
        return None
    try:
        root = YAML(typ="rt", pure=True).compose(text)
        if root is None:
            found.add(start, "is empty: remove it, and 'ecs-sync init' makes one to begin with")
            return None
        return _Walk(start.file, found).node(root, "", None, frozenset())
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = start if mark is None else Where(start.file, mark.line + 1, mark.column + 1, "")
        found.add(at, _sentence(error))
    except ReaderError as error:
        at = replace(start, line=text.count("\n", 0, error.position) + 1)
        found.add(at, "holds a character that YAML does not allow")
    except (RecursionError, YAMLError):
        found.add(start, "is nested too deeply")
    except _TooMuch:
        found.add(start, f"has more than {_MOST_NODES} parts, aliases counted where they are used")
    return None


def _sentence(error: MarkedYAMLError) -> str:
    problem = str(error.problem or "")
    if r"'\t'" in problem:
        return "a tab: YAML is indented with spaces only"
    if "single document" in str(error.context):
        return "a second document begins here: a configuration is one document"
    context = f" {error.context}" if error.context else ""
    return f"not YAML: {problem}{context}"


class _TooMuch(Exception):
    pass


class _Walk:
    """Turns composed nodes into ours. An alias is walked again at each use, up to a limit."""

    __slots__ = ("_file", "_found", "_left")

    def __init__(self, file: str, found: Findings) -> None:
        self._file = file
        self._found = found
        self._left = _MOST_NODES

    def node(self, node: Any, path: str, key_at: Where | None, above: frozenset[int]) -> Node:
        self._left -= 1
        if self._left < 0:
            raise _TooMuch
        at = self._where(node, path)
        if id(node) in above:
            self._found.spoil(at, "an alias that contains itself")
            return Node(None, at, key_at or at)
        inside = above | {id(node)}
        content: Scalar | tuple[Node, ...] | Mapping[str, Node]
        match node:
            case MappingNode():
                content = self._map(node, path, inside)
            case SequenceNode():
                content = tuple(
                    self.node(child, f"{path}[{index}]", None, inside)
                    for index, child in enumerate(node.value)
                )
            case _:
                content = self._scalar(node, at)
        if str(node.tag).removeprefix(_CORE) not in _TAGS:
            self._found.spoil(at, "tags such as '!this' have no meaning here")
        return Node(content, at, key_at or at, _lead(node) if isinstance(content, str) else None)

    def _map(self, node: MappingNode, path: str, above: frozenset[int]) -> dict[str, Node]:
        own: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        for key, value in node.value:
            at = self._where(key, path)
            if not isinstance(key, ScalarNode):
                self._found.add(at, "a key must be text, not a list or a map")
                continue
            if str(key.tag) == _CORE + "merge":
                for name, part in self._merge(value, path, above).items():
                    merged.setdefault(name, part)
                continue
            name = str(key.value)
            inner = f"{path}.{name}" if path else name
            if name in own:
                self._found.add(replace(at, path=inner), f"the key {name!r} stands twice in one map")
            own[name] = self.node(value, inner, replace(at, path=inner), above)
        return merged | own

    def _merge(self, value: Any, path: str, above: frozenset[int]) -> Mapping[str, Node]:
        """``<<: *one`` or ``<<: [*first, *second]``: the first that has a key gives it."""
        sources = value.value if isinstance(value, SequenceNode) else [value]
        merged: dict[str, Node] = {}
        for part in sources:
            if not isinstance(part, MappingNode):
                self._found.add(self._where(part, path), "'<<' merges maps only")
                continue
            for name, node in self.node(part, path, None, above).map.items():
                merged.setdefault(name, node)
        return merged

    def _scalar(self, node: ScalarNode, at: Where) -> Scalar:
        text = str(node.value)
        match str(node.tag).removeprefix(_CORE):
            case "null":
                return None
            case "bool":
                return text.lower() == "true"
            case "int":
                return self._number(text, at)
            case "float":
                return self._fraction(text, at)
            case _:
                return text

    def _number(self, text: str, at: Where) -> int | None:
        digits = text.replace("_", "").lower()
        base = {"0x": 16, "0o": 8, "0b": 2}.get(re.sub(r"^[+-]", "", digits)[:2], 10)
        try:
            return int(digits, base)
        except ValueError:
            self._found.spoil(at, "not a whole number that can be used")
            return None

    def _fraction(self, text: str, at: Where) -> float | None:
        if re.fullmatch(r"[+-]?\.(inf|nan)", text.lower()):
            self._found.spoil(at, "infinity and NaN are of no use here")
            return None
        return float(text.replace("_", ""))

    def _where(self, node: Any, path: str) -> Where:
        return Where(self._file, node.start_mark.line + 1, node.start_mark.column + 1, path)


def _lead(node: ScalarNode) -> int | None:
    """The opening quote of a text that has no escape and no line end in it; None where it has."""
    text, mark = str(node.value), node.start_mark
    lead = 1 if node.style else 0
    written = mark.buffer[mark.pointer + lead : mark.pointer + lead + len(text)]
    return lead if written == text and node.style not in ("|", ">") else None


_TAGS = frozenset({"str", "int", "float", "bool", "null", "timestamp", "map", "seq", "merge"})
