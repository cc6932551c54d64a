"""Rows of any number, merged by key without holding them all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from hypothesis import given, settings
from hypothesis import strategies as st

from ecs_sync.merge import Met, Moved, Stream, moved
from ecs_sync.model import Fingerprint
from ecs_sync.remote import Row
from ecs_sync.spool import Spool
from ecs_sync.store import Base
from ecs_sync.store.records import Desired

T = TypeVar("T")
keys = st.sampled_from(["a", "a-b", "a/b", "a0", "b", "é", "\U0001f600", "\uffee", "z"])
prints = st.sampled_from([Fingerprint(bytes([n]) * 32) for n in range(3)])
rows = st.builds(
    Row, keys, st.none() | prints, st.sampled_from(["i", "j"]), st.none() | st.just("1"), st.none(),
    st.none() | st.just("denied"),
)  # fmt: skip
some = settings(deadline=None, max_examples=200)


@given(st.lists(rows, max_size=20), st.integers(1, 7))
@some
def test_a_spool_gives_back_what_it_took_by_key_however_small_its_chunks(
    given_rows: list[Row], chunk: int
) -> None:
    spool = Spool(chunk)
    spool.add(given_rows)
    assert spool.count == len(given_rows)
    drained = list(spool.drain())
    spool.close()
    assert [row.key for row in drained] == sorted({row.key for row in given_rows}, key=str.encode)
    for row in drained:
        same = [each for each in given_rows if each.key == row.key]
        if len(same) == 1:
            assert row == same[0]
        else:
            assert row.fingerprint is None and row.unseen is not None and "twice" in row.unseen


@st.composite
def streams(draw: st.DrawFn) -> tuple[dict[str, Desired], list[tuple[dict[str, Base], dict[str, Row], str]]]:
    want = {
        key: Desired(key, draw(st.integers(1, 3)), draw(st.booleans()), secret=False)
        for key in draw(st.sets(keys))
    }
    links = []
    for _ in range(draw(st.integers(1, 4))):
        bases = {
            key: Base(key, draw(prints), draw(st.integers(1, 3)), "i")
            for key in draw(st.sets(keys))
        }  # fmt: skip
        shown = {row.key: row for row in draw(st.lists(rows, max_size=8))}
        links.append((bases, shown, draw(st.sampled_from(["", "a", "nothing"]))))
    return want, links


@given(streams(), st.integers(1, 4))
@some
def test_the_merge_finds_just_what_dictionaries_find(
    made: tuple[dict[str, Desired], list[tuple[dict[str, Base], dict[str, Row], str]]], chunk: int
) -> None:
    want, links = made
    spools = [Spool(chunk) for _ in links]
    for spool, (_, shown, _) in zip(spools, links, strict=True):
        spool.add(reversed(shown.values()))
    given_streams = [
        Stream(ordered(bases), spool.drain(), lambda key, skipped=skipped: covers(key, skipped))  # type: ignore[misc]
        for spool, (bases, _, skipped) in zip(spools, links, strict=True)
    ]
    found = list(moved(ordered(want), given_streams))
    assert [each.key for each in found] == [key for key in every(want, links) if is_moved(key, want, links)]
    for each in found:
        assert each == Moved(
            each.key,
            want.get(each.key),
            tuple(Met(bases.get(each.key), shown.get(each.key)) for bases, shown, _ in links),
        )


def covers(key: str, skipped: str) -> bool:
    return not skipped or not key.startswith(skipped)


def ordered(found: dict[str, T]) -> Iterator[T]:
    return (found[key] for key in sorted(found, key=str.encode))


def every(want: dict[str, Desired], links: list[tuple[dict[str, Base], dict[str, Row], str]]) -> list[str]:
    names = set(want).union(*(set(bases) | set(shown) for bases, shown, _ in links))
    return sorted(names, key=str.encode)


def is_moved(
    key: str, want: dict[str, Desired], links: list[tuple[dict[str, Base], dict[str, Row], str]]
) -> bool:
    for bases, shown, skipped in links:
        here, base, row = want.get(key), bases.get(key), shown.get(key)
        nowhere = base is None and row is None and (here is None or not here.present)
        same = (
            here is not None
            and base is not None
            and row is not None
            and (here.version, base.fingerprint, base.item) == (base.version, row.fingerprint, row.item)
            and row.unseen is None
        )
        if covers(key, skipped) and not (nowhere or same):
            return True
    return False
