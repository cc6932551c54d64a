"""Rows in the order of their keys, without holding them all in memory.

What a place shows arrives in the place's own order. Rows are gathered in sorted chunks; all but the
last go to an anonymous temporary file. They carry fingerprints and names, never a value.
"""

from __future__ import annotations

import heapq
import marshal
import tempfile
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from ecs_sync.model import Fingerprint
from ecs_sync.remote import Row

_CHUNK = 100_000


class Spool:
    """Takes rows in any order, and gives them back once, by key.

    A key that two items show is given back once, as unseen: which of the two counts is not known.
    """

    def __init__(self, chunk: int = _CHUNK) -> None:
        self._chunk = chunk
        self._rows: list[Row] = []
        self._files: list[BinaryIO] = []
        self.count = 0

    def add(self, rows: Iterable[Row]) -> None:
        for row in rows:
            self._rows.append(row)
            self.count += 1
            if len(self._rows) >= self._chunk:
                self._spill()

    def _spill(self) -> None:
        self._rows.sort(key=_key)
        file = tempfile.TemporaryFile("w+b")  # noqa: SIM115 - read back by drain, closed by close
        for row in self._rows:
            marshal.dump(tuple(row), file)
        file.seek(0)
        self._files.append(file)
        self._rows = []

    def drain(self) -> Iterator[Row]:
        """All rows, by key."""
        self._rows.sort(key=_key)
        sources: list[Iterable[Row]] = [_read(file) for file in self._files]
        rows = heapq.merge(*sources, self._rows, key=_key) if sources else iter(self._rows)
        return _fold(rows)

    def close(self) -> None:
        for file in self._files:
            file.close()


def _key(row: Row) -> str:
    return row.key


def _read(file: BinaryIO) -> Iterator[Row]:
    while True:
        try:
            key, fingerprint, item, revision, changed, unseen = marshal.load(file)  # noqa: S302 - our own file
        except EOFError:
            return
        yield Row(
            key, None if fingerprint is None else Fingerprint(fingerprint), item, revision, changed, unseen
        )


def _fold(rows: Iterable[Row]) -> Iterator[Row]:
    last: Row | None = None
    for row in rows:
        if last is not None and last.key == row.key:
            both = " and ".join(sorted({repr(last.item), repr(row.item)}))
            last = last._replace(fingerprint=None, unseen=f"the key stands twice, in {both}")
            continue
        if last is not None:
            yield last
        last = row
    if last is not None:
        yield last
