"""Documents that nest: maps, lists and scalars with the spans where they stand."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ecs_sync.model import Type, Value

from .leaves import MAX_DEPTH, Leaf, Lists, Path, Unparsable

MAX_REPEATED = 100_000
"""How many nodes may be reached through aliases."""


class Kind(StrEnum):
    MAP = "map"
    LIST = "list"
    SCALAR = "scalar"


@dataclass(slots=True, repr=False)
class Node:
    """A value and where it stands. ``fixed`` says why it cannot be edited in place."""

    kind: Kind
    start: int
    end: int
    line: int
    value: Value | None = None
    refusal: str = ""
    members: list[Member] = field(default_factory=list)
    flow: bool = True
    style: str | None = None
    fixed: str = ""
    merged: list[Member] = field(default_factory=list)
    """What merge keys bring in, in a YAML map."""
    _names: dict[str, list[Member]] = field(default_factory=dict)

    def all(self) -> list[Member]:
        """The members that can be read: those that stand here and those that are merged in."""
        return [member for member in self.members if not member.merge] + self.merged

    def named(self, name: str) -> list[Member]:
        """The members of this name."""
        if not self._names:
            for member in self.all():
                self._names.setdefault(member.name, []).append(member)
        return self._names.get(name, [])


@dataclass(slots=True, repr=False)
class Member:
    """A named child of a map, or a child of a list, which is named by its index.

    ``start`` is where the name begins, ``colon`` the offset after its colon, ``comma`` the offset
    after the comma that follows, if one does.
    """

    name: str
    start: int
    colon: int
    node: Node
    line: int
    comma: int | None = None
    repeated: bool = False
    """Reached through an alias or a merge key."""
    end: int | None = None
    """Where it ends, where that is not the end of its node (an alias)."""
    merge: bool = False
    """A YAML merge key, which is no name."""


Trie = dict[str, "Trie | Value"]
"""New values by name, nested."""


def leaves(root: Node, lists: Lists) -> Iterator[tuple[Leaf, Node]]:
    """Every leaf with its node. Raises `Unparsable` where aliases or nesting go too far."""
    budget = [MAX_REPEATED]
    if root.kind is Kind.SCALAR or root.kind is Kind.LIST:
        if root.value is None or root.value.type is not Type.NULL:
            raise Unparsable("the top of the document is one value or a list, not a map of names", root.start)
        return
    yield from _below(root, (), lists, budget, "")


def _below(
    node: Node, path: Path, lists: Lists, budget: list[int], refusal: str
) -> Iterator[tuple[Leaf, Node]]:
    if len(path) > MAX_DEPTH:
        raise Unparsable(f"nested deeper than {MAX_DEPTH} levels", node.start)
    members = node.all()
    counts = Counter(member.name for member in members)
    for member in members:
        _spend(member, budget)
        here = (*path, member.name)
        child = member.node
        why = refusal or (child.refusal if child.kind is not Kind.SCALAR else "")
        if counts[member.name] > 1:
            why = "its name stands twice in one map; keep one of them"
        if _descends(child, lists):
            yield from _below(child, here, lists, budget, why)
            continue
        value, problem = (None, why) if why else leaf_value(child, budget)
        yield Leaf(here, member.line, value, problem), child


def _descends(node: Node, lists: Lists) -> bool:
    match node.kind:
        case Kind.MAP:
            return bool(node.members or node.merged)
        case Kind.LIST:
            return bool(node.members) and lists is Lists.INDEXED
        case Kind.SCALAR:
            return False


def _spend(member: Member, budget: list[int]) -> None:
    if member.repeated:
        budget[0] -= 1
        if budget[0] < 0:
            raise Unparsable(f"its aliases stand for more than {MAX_REPEATED} values", member.start)


def leaf_value(node: Node, budget: list[int]) -> tuple[Value | None, str]:
    """The value of a leaf, or None and the sentence why not."""
    if node.kind is Kind.SCALAR:
        return node.value, node.refusal
    try:
        return Value.json(_json(node, budget, 0)), ""
    except ValueError as error:
        return None, str(error)


def _json(node: Node, budget: list[int], depth: int) -> str:
    if depth > MAX_DEPTH:
        raise Unparsable(f"nested deeper than {MAX_DEPTH} levels", node.start)
    if node.refusal:
        raise ValueError(node.refusal)
    match node.kind:
        case Kind.SCALAR:
            assert node.value is not None
            return scalar_json(node.value)
        case Kind.LIST:
            for member in node.members:
                _spend(member, budget)
            return "[" + ",".join(_json(m.node, budget, depth + 1) for m in node.members) + "]"
        case Kind.MAP:
            members = node.all()
            for member in members:
                _spend(member, budget)
            pairs = (f"{json.dumps(m.name)}:{_json(m.node, budget, depth + 1)}" for m in members)
            return "{" + ",".join(pairs) + "}"


def scalar_json(value: Value) -> str:
    """The JSON text of a value that JSON knows. Raises ValueError."""
    match value.type:
        case Type.STRING | Type.REFERENCE:
            return json.dumps(value.text)
        case Type.INTEGER | Type.FLOAT | Type.BOOLEAN | Type.JSON:
            return value.text
        case Type.NULL:
            return "null"
        case Type.BYTES:
            raise ValueError("bytes have no form in JSON")
        case Type.FLAG:
            raise ValueError("a feature flag has no form in JSON")


@dataclass(frozen=True, slots=True, repr=False)
class Found:
    """A node at a path and the member that holds it."""

    member: Member
    node: Node


def find(root: Node, path: Path) -> Found:
    """What stands at a path that `leaves` told. Raises ValueError where it cannot be edited."""
    node = root
    member: Member | None = None
    for name in path:
        member = node.named(name)[0]
        if member.repeated or member.node.fixed:
            raise ValueError(member.node.fixed or "it comes through an alias or a merge key; edit it by hand")
        node = member.node
    assert member is not None
    return Found(member, node)


def removals(root: Node, removed: frozenset[Path]) -> list[tuple[Node, list[int]]]:
    """Which members go from which container: the removed leaves and every container they empty."""
    for path in removed:
        find(root, path)
    gone: list[tuple[Node, list[int]]] = []
    branches = frozenset(path[:length] for path in removed for length in range(1, len(path)))
    _prune(root, (), (removed, branches), gone)
    return gone


def _prune(
    node: Node,
    path: Path,
    removed: tuple[frozenset[Path], frozenset[Path]],
    gone: list[tuple[Node, list[int]]],
) -> list[int]:
    indices = []
    for index, member in enumerate(node.members):
        here = (*path, member.name)
        if here in removed[0]:
            indices.append(index)
        elif here in removed[1]:
            mark = len(gone)
            inner = _prune(member.node, here, removed, gone)
            if len(inner) == len(member.node.members):
                del gone[mark:]
                indices.append(index)
    if indices:
        if node.kind is Kind.LIST and indices[0] != len(node.members) - len(indices):
            raise ValueError("a list can only lose its last elements; write the list anew by hand")
        gone.append((node, indices))
    return indices


def runs(indices: list[int]) -> Iterator[tuple[int, int]]:
    """The unbroken runs, as first and last, of rising numbers."""
    start = previous = indices[0]
    for index in indices[1:]:
        if index != previous + 1:
            yield start, previous
            start = index
        previous = index
    yield start, previous


def additions(root: Node, added: Mapping[Path, Value], lists: Lists) -> list[tuple[Node, Trie]]:
    """What is new, by the deepest container that is there already, inner before outer ones.

    Raises ValueError.
    """
    found: dict[int, tuple[Node, Trie]] = {}
    depths: dict[int, int] = {}
    for path, value in added.items():
        node, depth = _deepest(root, path, lists)
        depths[id(node)] = depth
        trie = found.setdefault(id(node), (node, {}))[1]
        for name in path[depth:-1]:
            below = trie.setdefault(name, {})
            if not isinstance(below, dict):
                raise ValueError("one name cannot be both a value and a branch")
            trie = below
        if path[-1] in trie:
            raise ValueError("one name cannot be both a value and a branch")
        trie[path[-1]] = value
    for node, trie in found.values():
        first = len(node.members)
        if node.kind is Kind.LIST and set(trie) != {str(first + n) for n in range(len(trie))}:
            raise ValueError(f"the next element of this list is {first}; a list has no gaps")
    return sorted(found.values(), key=lambda one: -depths[id(one[0])])


def _deepest(root: Node, path: Path, lists: Lists) -> tuple[Node, int]:
    node = root
    for depth, name in enumerate(path):
        matching = node.named(name)
        if not matching:
            return node, depth
        if len(matching) > 1:
            raise ValueError("its name, or one above it, stands twice in one map; keep one of them")
        if matching[0].repeated or matching[0].node.fixed:
            raise ValueError("it would go into a map that is shared by an alias; edit it by hand")
        if not _descends(matching[0].node, lists):
            raise ValueError("a name above it holds a value already; one name cannot be both")
        node = matching[0].node
    raise ValueError("its name is a branch of the document already; one name cannot be both")


def is_list(trie: Trie, lists: Lists) -> bool:
    """Do these new children make a list?"""
    return lists is Lists.INDEXED and set(trie) == {str(n) for n in range(len(trie))}


def typed(value: Value, name: str, lists: Lists) -> None:
    """Raises ValueError where a format of typed values would not read this one back as it is."""
    match value.type:
        case Type.FLOAT if not any(mark in value.text for mark in ".eE"):
            raise ValueError(f"in {name} a float without '.' or exponent reads back as an integer")
        case Type.JSON if value.text[0] not in "[{":
            raise ValueError(f"in {name} a JSON value that is no list reads back as the plain value")
        case Type.JSON if value.text[0] == "{" and value.text != "{}":
            raise ValueError(f"in {name} a JSON object reads back as one key for each of its names")
        case Type.JSON if value.text[0] == "[" and value.text != "[]" and lists is Lists.INDEXED:
            raise ValueError(f"in {name} with lists: indexed a list reads back as one key for each element")
        case Type.FLAG:
            raise ValueError(f"{name} cannot say a feature flag")
        case _:
            return
