"""Consul's key-value state as its servers keep it: indexes, tombstones, compare-and-swap, transactions.

The rules and their sources stand in `ecs_sync_sandbox.consul`.
"""

from __future__ import annotations

import base64
import threading
from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Pair:
    """One key. An empty value is null, as Consul stores it."""

    key: str
    value: bytes | None
    flags: int
    create_index: int
    modify_index: int

    def json(self, value: bytes | None) -> dict[str, Any]:
        """The pair in the words of the API, with ``value`` in place of its own."""
        return {
            "LockIndex": 0,
            "Key": self.key,
            "Flags": self.flags,
            "Value": None if value is None else base64.b64encode(value).decode("ascii"),
            "CreateIndex": self.create_index,
            "ModifyIndex": self.modify_index,
        }


@dataclass(frozen=True, slots=True)
class Op:
    """One operation of a transaction."""

    verb: str
    key: str
    value: bytes | None = field(default=None, repr=False)
    flags: int = 0
    index: int = 0
    namespace: str = ""
    partition: str = ""


class Refused(Exception):
    """An operation of a transaction failed; the text is the ``What`` of its error."""


@dataclass(slots=True)
class KeyValues:
    """The whole store. Every method is atomic; tests edit it from outside through the same methods."""

    _pairs: dict[str, Pair] = field(default_factory=dict)
    _keys: list[str] = field(default_factory=list)
    _tombstones: dict[str, int] = field(default_factory=dict)
    _index: int = 10
    _table: int = 0
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _undo: list[tuple[str, Pair | None, int | None]] | None = None
    closed: bool = False

    def __repr__(self) -> str:
        return f"<{len(self._keys)} keys at index {self._index}>"

    def get(self, key: str) -> Pair | None:
        with self._changed:
            return self._pairs.get(key)

    def keys(self, prefix: str = "") -> list[str]:
        """The keys with this prefix in the byte order of their UTF-8, which is that of code points."""
        with self._changed:
            return self._under(prefix)

    def read(self, key: str) -> tuple[int, list[Pair]]:
        """What a read of one key shows, with its index."""
        with self._changed:
            pair = self._pairs.get(key)
            return (max(self._table, 1), []) if pair is None else (pair.modify_index, [pair])

    def tree(self, prefix: str) -> tuple[int, list[Pair]]:
        """What a recursive read shows, with the index of the prefix: its youngest pair or tombstone."""
        with self._changed:
            pairs = [self._pairs[key] for key in self._under(prefix)]
            index = self._table
            if prefix:
                buried = [at for key, at in self._tombstones.items() if key.startswith(prefix)]
                index = max([pair.modify_index for pair in pairs] + buried, default=0) or self._table
            return max(index, 1), pairs

    def wait(
        self, show: Callable[[], tuple[int, list[Pair]]], beyond: int, seconds: float
    ) -> tuple[int, list[Pair]]:
        """What ``show`` shows once its index is beyond the given one, or when the time is over."""
        with self._changed:
            self._changed.wait_for(lambda: self.closed or show()[0] > beyond, seconds)
            return show()

    def close(self) -> None:
        with self._changed:
            self.closed = True
            self._changed.notify_all()

    def put(self, key: str, value: bytes | None, flags: int = 0) -> Pair:
        with self._log():
            return self._set(key, value, flags)

    def cas(self, key: str, value: bytes | None, flags: int, index: int) -> bool:
        with self._log():
            if not self._may_set(key, index):
                return False
            self._set(key, value, flags)
            return True

    def delete(self, key: str) -> None:
        with self._log():
            self._drop(key)

    def delete_cas(self, key: str, index: int) -> bool:
        with self._log():
            if not self._may_drop(key, index):
                return False
            self._drop(key)
            return True

    def delete_tree(self, prefix: str) -> None:
        with self._log():
            for key in self._under(prefix):
                self._drop(key)

    def reap_tombstones(self) -> None:
        """What a server does about 15 minutes after a delete: the index of a prefix can go down."""
        with self._changed:
            self._tombstones.clear()

    def snapshot(self) -> Mapping[str, Pair]:
        with self._changed:
            return dict(self._pairs)

    def restore(self, snapshot: Mapping[str, Pair]) -> None:
        """Back to a snapshot: the indexes go backwards with it."""
        with self._changed:
            self._pairs, self._keys = dict(snapshot), sorted(snapshot)
            self._tombstones.clear()
            self._table = max((pair.modify_index for pair in snapshot.values()), default=0)
            self._index = max(self._table, 10)
            self._changed.notify_all()

    def transact(self, ops: list[Op]) -> tuple[list[dict[str, Any]], list[tuple[int, str]]]:
        """All operations, or none: their results in order, or all errors with the index of each."""
        with self._log():
            self._undo, table = [], self._table
            results: list[dict[str, Any]] = []
            errors: list[tuple[int, str]] = []
            for number, op in enumerate(ops):
                try:
                    results += self._operate(op)
                except Refused as refused:
                    errors.append((number, str(refused)))
            undo, self._undo = self._undo, None
            if errors:
                for key, pair, tombstone in reversed(undo):
                    self._restore_one(key, pair, tombstone)
                self._table = table
                return [], errors
            return results, []

    def _operate(self, op: Op) -> list[dict[str, Any]]:
        match op.verb:
            case "set":
                return [self._set(op.key, op.value, op.flags).json(None)]
            case "cas":
                if not self._may_set(op.key, op.index):
                    raise Refused(f'failed to set key "{op.key}", index is stale')
                return [self._set(op.key, op.value, op.flags).json(None)]
            case "delete":
                self._drop(op.key)
            case "delete-cas":
                if not self._may_drop(op.key, op.index):
                    raise Refused(f'failed to delete key "{op.key}", index is stale')
                self._drop(op.key)
            case "delete-tree":
                for key in self._under(op.key):
                    self._drop(key)
            case _:
                return self._look(op)
        return []

    def _look(self, op: Op) -> list[dict[str, Any]]:
        pair = self._pairs.get(op.key)
        match op.verb:
            case "get":
                if pair is None:
                    raise Refused(f'key "{op.key}" doesn\'t exist')
                return [pair.json(pair.value)]
            case "get-or-empty":
                empty = Pair(op.key, None, op.flags, 0, op.index)
                return [empty.json(None) if pair is None else pair.json(pair.value)]
            case "get-tree":
                return [self._pairs[key].json(self._pairs[key].value) for key in self._under(op.key)]
            case "check-index":
                if pair is None:
                    raise Refused(f'failed to check index, key "{op.key}" doesn\'t exist')
                if pair.modify_index != op.index:
                    now = f"current modify index {pair.modify_index} != {op.index}"
                    raise Refused(f'failed index check for key "{op.key}", {now}')
                return [pair.json(None)]
            case "check-not-exists":
                if pair is not None:
                    raise Refused(f'key "{op.key}" exists')
                return []
            case verb:
                raise Refused(f'unknown KV verb "{verb}"')

    @contextmanager
    def _log(self) -> Iterator[None]:
        """Every writing command is one entry of the log and has one index, applied or not."""
        with self._changed:
            self._index += 1
            yield
            self._changed.notify_all()

    def _may_set(self, key: str, index: int) -> bool:
        pair = self._pairs.get(key)
        return pair is None if index == 0 else pair is not None and pair.modify_index == index

    def _may_drop(self, key: str, index: int) -> bool:
        pair = self._pairs.get(key)
        return pair is None or pair.modify_index == index

    def _set(self, key: str, value: bytes | None, flags: int) -> Pair:
        old = self._pairs.get(key)
        value = value or None
        if old is not None and (old.value, old.flags) == (value, flags):
            return old
        pair = Pair(key, value, flags, old.create_index if old else self._index, self._index)
        self._remember(key)
        if old is None:
            insort(self._keys, key)
        self._pairs[key] = pair
        self._table = self._index
        return pair

    def _drop(self, key: str) -> None:
        if key in self._pairs:
            self._remember(key)
            del self._pairs[key]
            del self._keys[bisect_left(self._keys, key)]
            self._tombstones[key] = self._table = self._index

    def _remember(self, key: str) -> None:
        if self._undo is not None:
            self._undo.append((key, self._pairs.get(key), self._tombstones.get(key)))

    def _restore_one(self, key: str, pair: Pair | None, tombstone: int | None) -> None:
        at = bisect_left(self._keys, key)
        present = at < len(self._keys) and self._keys[at] == key
        if pair is None:
            self._pairs.pop(key, None)
            if present:
                del self._keys[at]
        else:
            self._pairs[key] = pair
            if not present:
                self._keys.insert(at, key)
        if tombstone is None:
            self._tombstones.pop(key, None)
        else:
            self._tombstones[key] = tombstone

    def _under(self, prefix: str) -> list[str]:
        found = []
        for at in range(bisect_left(self._keys, prefix), len(self._keys)):
            if not self._keys[at].startswith(prefix):
                break
            found.append(self._keys[at])
        return found
