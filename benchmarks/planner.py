"""The planner on rows of keys and fingerprints, against a bare three-way merge of dicts.

Both get the same keys, 1 % of them changed, and must find the same ones. Interleaved in one process,
minima of several rounds; peak memory by tracemalloc, beyond what the rows themselves take.
"""

from __future__ import annotations

import gc
import hashlib
import time
import tracemalloc
from collections.abc import Callable, Iterator

from ecs_sync.decide import decide
from ecs_sync.diff import State
from ecs_sync.merge import Stream, moved
from ecs_sync.model import Fingerprint
from ecs_sync.policy import WORDS, JobPolicy, LinkPolicy, Mode, Standing, View
from ecs_sync.remote import Row
from ecs_sync.store import Base, Desired

SIZES = (10_000, 100_000, 1_000_000)
POLICY = LinkPolicy("place", Mode.MIRROR, WORDS[Mode.MIRROR])


def _key(i: int) -> str:
    return f"application/section-{i // 100:06d}/setting-{i:08d}"


def _fingerprint(i: int, version: int) -> Fingerprint:
    return Fingerprint(hashlib.blake2b(f"{i} {version}".encode(), digest_size=32).digest())


class Rows:
    """The three sides of ``size`` keys; every hundredth was changed in the store."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.prints = [_fingerprint(i, 1) for i in range(size)]
        self.keys = [_key(i) for i in range(size)]

    def version(self, i: int) -> int:
        return 2 if i % 100 == 0 else 1

    def desired(self) -> Iterator[Desired]:
        return (Desired(key, self.version(i), True, False) for i, key in enumerate(self.keys))

    def bases(self) -> Iterator[Base]:
        return (Base(key, print_, 1, key) for key, print_ in zip(self.keys, self.prints, strict=True))

    def observed(self) -> Iterator[Row]:
        return (Row(key, print_, key, "1", None) for key, print_ in zip(self.keys, self.prints, strict=True))


def plan(rows: Rows) -> int:
    """Streams, and decides each key that moved."""
    pushed = 0
    job = JobPolicy()
    for each in moved(rows.desired(), [Stream(rows.bases(), rows.observed(), lambda _: True)]):
        (met,) = each.links
        assert met.base is not None and met.row is not None and each.desired is not None
        want = _fingerprint(0, 2)
        view = View(POLICY, met.base.fingerprint, met.base.version, met.row.fingerprint)
        settled = decide(job, Standing(each.desired.version, want), [view], lambda _, value: value)
        pushed += settled.decisions[0].state is State.PENDING
    return pushed


def merge_dicts(rows: Rows) -> int:
    """What a script would do: three dicts, and a loop."""
    desired = {key: rows.version(i) for i, key in enumerate(rows.keys)}
    base = dict(zip(rows.keys, rows.prints, strict=True))
    observed = dict(zip(rows.keys, rows.prints, strict=True))
    return sum(
        1 for key in desired.keys() | observed.keys() if desired[key] != 1 or base[key] != observed[key]
    )


def _timed(work: Callable[[Rows], int], rows: Rows) -> tuple[float, int]:
    gc.collect()
    begun = time.perf_counter()
    found = work(rows)
    return time.perf_counter() - begun, found


def _peak(work: Callable[[Rows], int], rows: Rows) -> float:
    gc.collect()
    tracemalloc.start()
    work(rows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


def measure() -> None:
    print(f"{'keys':>9}  {'planner':>10}  {'dicts':>10}  {'ratio':>6}  {'peak':>9}  {'dicts':>9}")
    for size in SIZES:
        rows = Rows(size)
        ours, theirs = [], []
        for _ in range(7 if size < 1_000_000 else 3):
            ours.append(_timed(plan, rows))
            theirs.append(_timed(merge_dicts, rows))
        assert {found for _, found in ours} == {found for _, found in theirs} == {size // 100}
        a, b = min(ours)[0], min(theirs)[0]
        peaks = _peak(plan, rows), _peak(merge_dicts, rows)
        print(
            f"{size:>9}  {size / a:>7,.0f}/s  {size / b:>7,.0f}/s  {a / b:>6.2f}  "
            f"{peaks[0]:>6.1f} MB  {peaks[1]:>6.1f} MB"
        )
