"""The store's rows, the bases and the observed rows of every link, merged by key. Pure.

All streams come in the order of key texts. What is in step passes by; only keys on which something
moved, or that are not in step, come out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from ecs_sync.remote import Row
from ecs_sync.store.records import Base, Desired


class Met(NamedTuple):
    """One key on one link: its base and its row, where there are any."""

    base: Base | None
    row: Row | None


class Moved(NamedTuple):
    """A key that is not in step on every link."""

    key: str
    desired: Desired | None
    links: tuple[Met, ...]


class Stream(NamedTuple):
    """What one link brings along: its bases, what was observed, and which keys it selects at all."""

    bases: Iterable[Base]
    rows: Iterable[Row]
    covers: Callable[[str], bool]


def moved(desired: Iterable[Desired], links: Sequence[Stream]) -> Iterator[Moved]:
    """The keys that are not in step, in order. Memory is that of one key."""
    return _moved_on_one(desired, links[0]) if len(links) == 1 else _moved_on_many(desired, links)


def _in_step(want: Desired | None, base: Base | None, row: Row | None) -> bool:
    if base is None:
        return row is None and (want is None or not want.present)
    return (
        row is not None
        and row.fingerprint == base.fingerprint
        and row.item == base.item
        and row.unseen is None
        and want is not None
        and want.version == base.version
    )


def _moved_on_one(desired: Iterable[Desired], link: Stream) -> Iterator[Moved]:
    wants, base_stream, row_stream = iter(desired), iter(link.bases), iter(link.rows)
    want, base, row = next(wants, None), next(base_stream, None), next(row_stream, None)
    while want is not None or base is not None or row is not None:
        key = min(head[0] for head in (want, base, row) if head is not None)
        here = want if want is not None and want[0] == key else None
        met = base if base is not None and base[0] == key else None
        shown = row if row is not None and row[0] == key else None
        if not _in_step(here, met, shown) and link.covers(key):
            yield Moved(key, here, (Met(met, shown),))
        if here is not None:
            want = next(wants, None)
        if met is not None:
            base = next(base_stream, None)
        if shown is not None:
            row = next(row_stream, None)


def _moved_on_many(desired: Iterable[Desired], links: Sequence[Stream]) -> Iterator[Moved]:
    wants = iter(desired)
    base_streams = [iter(link.bases) for link in links]
    row_streams = [iter(link.rows) for link in links]
    want = next(wants, None)
    base_heads = [next(stream, None) for stream in base_streams]
    row_heads = [next(stream, None) for stream in row_streams]
    while True:
        heads = [head[0] for head in (want, *base_heads, *row_heads) if head is not None]
        if not heads:
            return
        key = min(heads)
        here = want if want is not None and want[0] == key else None
        met = []
        for i in range(len(links)):
            base, row = base_heads[i], row_heads[i]
            if base is not None and base[0] == key:
                base_heads[i] = next(base_streams[i], None)
            else:
                base = None
            if row is not None and row[0] == key:
                row_heads[i] = next(row_streams[i], None)
            else:
                row = None
            met.append(Met(base, row))
        if here is not None:
            want = next(wants, None)
        if not all(
            _in_step(here, base, row) or not link.covers(key)
            for link, (base, row) in zip(links, met, strict=True)
        ):
            yield Moved(key, here, tuple(met))
