"""The files adapter against a real folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecs_sync.adapter import Delete, Item, Outcome, Page, Put, Verdict
from ecs_sync.errors import Unavailable
from ecs_sync_adapters.files import FilesAdapter, FilesOptions
from ecs_sync_adapters.files_place import FilesPlace

CANARY = b"canary-9f3b1c"


def adapter_at(root: Path, **options: int) -> FilesAdapter:
    return FilesAdapter(FilesOptions(root=str(root), **options))


def listed(adapter: FilesAdapter, place: str) -> list[Item]:
    return [item for page in adapter.list(FilesPlace.parse(place), None).pages for item in page.items]


def got(adapter: FilesAdapter, id: str) -> Item:
    [page] = adapter.get([id]).pages
    return page.items[0]


def put(adapter: FilesAdapter, id: str, value: bytes, expected: str | None = None) -> Outcome:
    [outcome] = adapter.write([Put(id, value, expected)])
    return outcome


def entries_of(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_what_a_write_returns_is_the_revision_that_the_next_listing_shows(tmp_path: Path) -> None:
    adapter = adapter_at(tmp_path)
    created = put(adapter, "conf/app.yml", b"a: 1\n")
    assert created.verdict is Verdict.APPLIED
    assert got(adapter, "conf/app.yml").revision == created.revision
    changed = put(adapter, "conf/app.yml", b"a: 2\n", created.revision)
    assert (changed.verdict, changed.replaced) == (Verdict.APPLIED, created.revision)
    [item] = listed(adapter, "conf/*.yml")
    assert (item.value, item.revision) == (b"a: 2\n", changed.revision)


def test_creating_never_overwrites_a_file(tmp_path: Path) -> None:
    (tmp_path / "app.yml").write_bytes(b"theirs")
    assert put(adapter_at(tmp_path), "app.yml", b"ours").verdict is Verdict.RACED
    assert (tmp_path / "app.yml").read_bytes() == b"theirs"
    assert entries_of(tmp_path) == {"app.yml"}


def test_a_file_that_moved_is_neither_written_nor_deleted(tmp_path: Path) -> None:
    adapter = adapter_at(tmp_path)
    revision = put(adapter, "app.yml", b"one").revision
    assert revision
    (tmp_path / "app.yml").write_bytes(b"two")
    assert put(adapter, "app.yml", b"three", revision).verdict is Verdict.RACED
    [outcome] = adapter.write([Delete("app.yml", revision)])
    assert outcome.verdict is Verdict.RACED
    assert (tmp_path / "app.yml").read_bytes() == b"two"


def test_a_deleted_file_is_gone_and_deleting_it_again_is_a_race(tmp_path: Path) -> None:
    adapter = adapter_at(tmp_path)
    revision = put(adapter, "app.yml", b"one").revision
    assert revision
    assert [o.verdict for o in adapter.write([Delete("app.yml", revision)])] == [Verdict.APPLIED]
    assert [o.verdict for o in adapter.write([Delete("app.yml", revision)])] == [Verdict.RACED]
    [page] = adapter.get(["app.yml"]).pages
    assert page.absent == ("app.yml",)


def test_a_missing_root_is_an_error_and_never_an_empty_listing(tmp_path: Path) -> None:
    adapter = adapter_at(tmp_path / "unmounted")
    for place in ("*.yml", "app.yml"):
        with pytest.raises(Unavailable, match="mount it or correct option root"):
            listed(adapter, place)
    with pytest.raises(Unavailable):
        list(adapter.get(["app.yml"]).pages)


def test_a_missing_single_file_is_absent_and_the_listing_complete(tmp_path: Path) -> None:
    pages = list(adapter_at(tmp_path).list(FilesPlace.parse("app.yml"), None).pages)
    assert pages[-1] == Page(absent=("app.yml",), proof=pages[-1].proof)
    assert pages[-1].proof is not None


@pytest.mark.parametrize(
    ("place", "ids"),
    [
        ("*.yml", ["a-b.yml", "z.yml"]),
        ("**/*.yml", ["a-b.yml", "a/b.yml", "a/c/d.yml", "z.yml"]),
        ("a/*.yml", ["a/b.yml"]),
        ("a/**", ["a/b.yml", "a/c/d.yml", "a/x.json"]),
        ("**/c/*.yml", ["a/c/d.yml"]),
        (".*.yml", [".h.yml"]),
        ("[az].yml", ["z.yml"]),
        ("*/*", ["a/b.yml", "a/x.json"]),
        ("a/x.json", ["a/x.json"]),
    ],
)
def test_a_glob_lists_its_files_in_byte_order_and_no_other(
    tmp_path: Path, place: str, ids: list[str]
) -> None:
    adapter = adapter_at(tmp_path)
    every = ["a-b.yml", "a/b.yml", "a/c/d.yml", "a/x.json", "z.yml", ".h.yml", ".g/x.yml"]
    for id in every:
        assert put(adapter, id, b"").verdict is Verdict.APPLIED
    assert [item.id for item in listed(adapter, place)] == ids
    assert [id for id in sorted(every) if FilesPlace.parse(place).holds(id)] == ids


@pytest.mark.parametrize("place", ["", "/etc/passwd", "../x", "a/../b", "a//b", "a/", "a\nb", "a/./b"])
def test_a_place_outside_the_root_is_refused(place: str) -> None:
    with pytest.raises(ValueError, match="place"):
        FilesPlace.parse(place)


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        ("a.yml", "a.yml", True),
        ("a.yml", "b.yml", False),
        ("*.yml", "a.yml", True),
        ("*.yml", "a/b.yml", False),
        ("**/*.yml", "a/*.json", False),
        ("a/*.yml", "b/*.yml", False),
        ("**/*.yml", "a/*.yml", True),
    ],
)
def test_places_know_whether_they_overlap(one: str, other: str, overlap: bool) -> None:
    assert FilesPlace(one).overlaps(FilesPlace(other)) is overlap
    assert FilesPlace(other).overlaps(FilesPlace(one)) is overlap
