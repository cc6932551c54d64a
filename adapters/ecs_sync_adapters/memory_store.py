"""What the adapter ``memory`` speaks to: named stores in this process, and the hand behind their back.

`memory` gives the store of a name. Besides what a provider offers, a store can be changed from outside,
told to fail, to deny, to answer from the past and to let an outsider in between, and counts its calls.
For trials and tests: nothing survives the process.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from ecs_sync.adapter import Attributes, Item, ItemId, Revision, Verdict
from ecs_sync.errors import AdapterError

Counting = Literal["rising", "restarting"]
"""``rising``: one counter for the whole store, so no revision ever comes twice. ``restarting``: each item
counts from 1, and again from 1 after it was deleted."""

Landing = Literal["never", "now", "late"]
"""Whether a write that was answered with a fault is applied: not at all, already, or when `Memory.land`
is called."""

Visible = Literal["shown", "hidden"]

_BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class WriteFault:
    """What the next write that names ``id`` (or any) is answered with, and whether it lands."""

    answer: Verdict | AdapterError
    landing: Landing
    id: ItemId | None


@dataclass(frozen=True, slots=True)
class ListingFault:
    """After ``after`` items the next listing raises ``error``, or ends without proof."""

    after: int
    error: AdapterError | None


class Memory:
    """One store. Thread-safe; `lock` is held while something is looked at and changed in one step."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lock = threading.RLock()
        self.calls: Counter[str] = Counter()
        """How often each of list, page, get, write, history and watch was called."""
        self.counting: Counting = "rising"
        self._moved_condition = threading.Condition(self.lock)
        self._items: dict[ItemId, Item] = {}
        self._versions: dict[ItemId, list[Item]] = {}
        self._moved: dict[ItemId, int] = {}
        self._clock = 0
        self._denied: set[ItemId] = set()
        self.settling: dict[ItemId, str] = {}
        """What is taken and not in force yet, and how far it is."""
        self.finished: list[str] = []
        """The marks of runs that said they are through."""
        self._frozen: Mapping[ItemId, Item] | None = None
        self._write_faults: deque[WriteFault] = deque()
        self._listing_faults: deque[ListingFault] = deque()
        self._read_faults: deque[AdapterError] = deque()
        self._between: deque[Callable[[], object]] = deque()
        self._late: deque[Callable[[], object]] = deque()

    def __repr__(self) -> str:
        return f"<Memory {self.name!r}, {len(self._items)} items>"

    # What an outsider does.

    def set(self, id: ItemId, value: bytes, *, secret: bool = False, attributes: Attributes = ()) -> Revision:
        """Writes unconditionally; returns the new revision."""
        with self.lock:
            self._clock += 1
            before = self._items.get(id)
            match self.counting:
                case "rising":
                    revision = self._clock
                case "restarting":
                    revision = 1 if before is None else int(before.revision or 0) + 1
            changed = _BEGINNING + timedelta(seconds=self._clock)
            item = Item(id, value, secret, attributes, str(revision), changed)
            self._items[id] = item
            self._versions.setdefault(id, []).append(item)
            self._note(id)
            return str(revision)

    def delete(self, id: ItemId) -> None:
        """Deletes unconditionally. Versions go with an item whose revisions restart, and stay else."""
        with self.lock:
            if self._items.pop(id, None) is None:
                return
            self._clock += 1
            if self.counting == "restarting":
                self._versions.pop(id, None)
            self._note(id)

    def get(self, id: ItemId) -> Item | None:
        """What is really there, whatever is denied or shown of the past."""
        with self.lock:
            return self._items.get(id)

    def items(self) -> dict[ItemId, bytes]:
        """All that is really there."""
        with self.lock:
            return {id: item.value or b"" for id, item in self._items.items()}

    def versions(self, id: ItemId) -> tuple[Item, ...]:
        """All kept versions of an item, oldest first."""
        with self.lock:
            return tuple(self._versions.get(id, ()))

    # What goes wrong.

    def fail_next_write(
        self,
        answer: Verdict | AdapterError,
        landing: Landing = "never",
        *,
        id: ItemId | None = None,
    ) -> None:
        """The next call that writes ``id`` (or anything) is answered with ``answer``.

        A verdict is the outcome of that one write; an error is raised for the whole call.
        """
        with self.lock:
            self._write_faults.append(WriteFault(answer, landing, id))

    def fail_next_listing(self, after: int, error: AdapterError | None = None) -> None:
        """The next listing breaks off after ``after`` items: with ``error``, else without its proof."""
        with self.lock:
            self._listing_faults.append(ListingFault(after, error))

    def fail_next_get(self, error: AdapterError) -> None:
        """The next point reads raise ``error``."""
        with self.lock:
            self._read_faults.append(error)

    def deny(self, *ids: ItemId) -> None:
        """From now on these items can be neither read nor written with the adapter's credential."""
        with self.lock:
            self._denied.update(ids)
            self._touch(ids)

    def allow(self, *ids: ItemId) -> None:
        """Takes `deny` back."""
        with self.lock:
            self._denied.difference_update(ids)
            self._touch(ids)

    @contextmanager
    def stale(self) -> Iterator[None]:
        """Inside, listings and point reads show what was there at the beginning."""
        with self.lock:
            self._frozen = dict(self._items)
        try:
            yield
        finally:
            with self.lock:
                self._frozen = None

    def before_next_write(self, action: Callable[[], object]) -> None:
        """``action`` happens in the middle of the next write: on class D after it compared, else before."""
        with self.lock:
            self._between.append(action)

    def land(self) -> None:
        """Now the writes arrive that were sent to land late."""
        with self.lock:
            while self._late:
                self._late.popleft()()

    # What the adapter asks.

    def count(self, call: str) -> None:
        with self.lock:
            self.calls[call] += 1

    def denied(self, id: ItemId) -> bool:
        return id in self._denied

    def shown(self) -> Mapping[ItemId, Item]:
        """What a reader sees. Call it with the lock held."""
        return self._items if self._frozen is None else self._frozen

    def index(self, root: str) -> int:
        """When something last moved below ``root``."""
        with self.lock:
            return max((at for id, at in self._moved.items() if id.startswith(root)), default=0)

    def wait(self, root: str, index: int, timeout: float) -> bool:
        """Waits until something below ``root`` moved after ``index``; False after ``timeout`` seconds."""
        with self._moved_condition:
            return self._moved_condition.wait_for(lambda: self.index(root) > index, timeout)

    def write_fault(self, ids: Iterable[ItemId]) -> WriteFault | None:
        """The fault that a call which writes ``ids`` meets; each is met once."""
        named = set(ids)
        with self.lock:
            for fault in self._write_faults:
                if fault.id is None or fault.id in named:
                    self._write_faults.remove(fault)
                    return fault
        return None

    def listing_fault(self) -> ListingFault | None:
        with self.lock:
            return self._listing_faults.popleft() if self._listing_faults else None

    def read_fault(self) -> AdapterError | None:
        with self.lock:
            return self._read_faults.popleft() if self._read_faults else None

    def let_in(self) -> None:
        """Lets the outsider of `before_next_write` in."""
        with self.lock:
            action = self._between.popleft() if self._between else None
        if action is not None:
            action()

    def arrives_late(self, write: Callable[[], object]) -> None:
        with self.lock:
            self._late.append(write)

    def _touch(self, ids: Iterable[ItemId]) -> None:
        self._clock += 1
        for id in ids:
            self._note(id)

    def _note(self, id: ItemId) -> None:
        self._moved[id] = self._clock
        self._moved_condition.notify_all()


def stripped(item: Item, *, values: Visible, times: Visible) -> Item:
    """The item as a provider without values in listings, or without change times, would show it."""
    return replace(
        item,
        value=item.value if values == "shown" else None,
        changed=item.changed if times == "shown" else None,
    )


_stores: dict[str, Memory] = {}
_stores_lock = threading.Lock()


def memory(name: str) -> Memory:
    """The store of this name in this process; made on first use."""
    with _stores_lock:
        return _stores.setdefault(name, Memory(name))


def forget(name: str) -> None:
    """The next `memory` of this name is a new and empty store."""
    with _stores_lock:
        _stores.pop(name, None)
