"""An adapter that is right, and how wrong ones are made of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from ecs_sync.abilities import Pointer
from ecs_sync.adapter import Attributes, Delete, Features, Item, Listing, Outcome, Put, Token, Write
from ecs_sync_adapters.memory import MemoryAdapter, MemoryOptions, MemoryPlace
from ecs_sync_adapters.memory_store import Memory


@dataclass(frozen=True)
class Hand:
    """Somebody else at a store."""

    store: Memory

    def set(self, id: str, value: bytes, attributes: Attributes = ()) -> None:
        self.store.set(id, value, attributes=attributes)

    def delete(self, id: str) -> None:
        self.store.delete(id)

    def get(self, id: str) -> bytes | None:
        item = self.store.get(id)
        return None if item is None else item.value


def _as_it_is(features: Features) -> Features:
    return features


class Right:
    """The adapter that the wrong ones are made of, with one method of each replaced."""

    Options: ClassVar[type] = MemoryOptions
    Place: ClassVar[type] = MemoryPlace

    def __init__(self, store: Memory, options: dict[str, Any], wrong: dict[str, Callable[..., Any]]) -> None:
        self.store = store
        self.right = MemoryAdapter(MemoryOptions(name=store.name, page=5, **options))
        self.features: Features = wrong.pop("features", _as_it_is)(self.right.features)
        self._wrong = wrong
        self.meeting = threading.Barrier(2)
        self.closed = self.cursor = 0
        self.memory: dict[str, Item] = {}
        self.seen: set[str] = set()
        self.asked: Sequence[str] = ()

    def _call(self, method: str, *arguments: Any) -> Any:
        if method in self._wrong:
            return self._wrong[method](self, *arguments)
        return getattr(self.right, method)(*arguments)

    def list(self, place: MemoryPlace, since: Token | None) -> Listing:
        listing: Listing = self._call("list", place, since)
        return listing

    def get(self, ids: Sequence[str]) -> Listing:
        listing: Listing = self._call("get", ids)
        return listing

    def write(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        outcomes: Sequence[Outcome] = self._call("write", writes)
        return outcomes

    def history(self, id: str, after: str | None) -> Listing:
        listing: Listing = self._call("history", id, after)
        return listing

    def watch(self, place: MemoryPlace, since: Token | None, timeout: float) -> bool:
        return bool(self._call("watch", place, since, timeout))

    def peek(self, ids: Sequence[str]) -> Listing:
        listing: Listing = self._call("peek", ids)
        return listing

    def version(self, id: str, version: str) -> Item | None:
        item: Item | None = self._call("version", id, version)
        return item

    def address(self, id: str, version: str | None) -> str | None:
        address: str | None = self._call("address", id, version)
        return address

    def addressed(self, address: str) -> tuple[str, str | None] | None:
        addressed: tuple[str, str | None] | None = self._call("addressed", address)
        return addressed

    def pointer(self, address: str) -> Pointer | None:
        pointer: Pointer | None = self._call("pointer", address)
        return pointer

    def pointed(self, item: Item) -> str | None:
        address: str | None = self._call("pointed", item)
        return address

    def close(self) -> None:
        self._call("close")


Wrong = Callable[..., Any]


@dataclass(frozen=True)
class Bug:
    """One wrong adapter: what is replaced in a right one of these options, and by what it is noticed."""

    name: str
    noticed: tuple[str, ...]
    options: dict[str, Any]
    wrong: dict[str, Wrong]


BUGS: list[Bug] = []


def bug(method: str, *noticed: str, **options: Any) -> Callable[[Wrong], Wrong]:
    """A replacement of one method, in an adapter of these options."""

    def note(wrong: Wrong) -> Wrong:
        BUGS.append(Bug(wrong.__name__, noticed, options, {method: wrong}))
        return wrong

    return note


def declares(name: str, *noticed: str, options: dict[str, Any] | None = None, **changes: Any) -> None:
    """An adapter that does all right, and declares something else."""
    BUGS.append(
        Bug(name, noticed, options or {}, {"features": lambda features: replace(features, **changes)})
    )


def now(self: Right, write: Write) -> Write:
    """The same write, expecting whatever is there."""
    there = self.store.get(write.id)
    revision = None if there is None else there.revision
    match write:
        case Put():
            return replace(write, expected=revision)
        case Delete():
            return replace(write, expected=revision or write.expected)
