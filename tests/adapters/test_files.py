"""The files adapter against a real folder."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ecs_sync.adapter import Delete, Item, Outcome, Page, Put, Verdict
from ecs_sync.errors import Denied, Unavailable
from ecs_sync_adapters.files import FilesAdapter, FilesOptions
from ecs_sync_adapters.files_place import FilesPlace

CANARY = b"canary-9f3b1c"


def adapter_at(root: Path, *, secrets: bool = False) -> FilesAdapter:
    return FilesAdapter(FilesOptions(root=str(root), secrets=secrets))


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
    assert pages[-1] == Page(absent=("app.yml",), proof=pages[-1].proof, calls=0)
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


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: path.symlink_to("/etc/hostname"), "leads out of the root folder"),
        (lambda path: path.symlink_to("nowhere"), "link to nothing"),
        (lambda path: path.symlink_to("app.yml"), "link"),
        (lambda path: os.mkfifo(path), "not a regular file"),
        (lambda path: path.write_bytes(CANARY * 100), "larger than max_bytes"),
    ],
    ids=["link out", "dangling link", "circle", "pipe", "too large"],
)
def test_what_cannot_be_read_is_listed_as_unreadable_and_never_as_absent(
    tmp_path: Path, make: Callable[[Path], None], reason: str
) -> None:
    make(tmp_path / "app.yml")
    adapter = FilesAdapter(FilesOptions(root=str(tmp_path), max_bytes=100))
    for item in (listed(adapter, "*.yml")[0], listed(adapter, "app.yml")[0], got(adapter, "app.yml")):
        assert item.value is None
        assert item.unreadable is not None
        assert reason in item.unreadable
        assert CANARY.decode() not in item.unreadable


@pytest.mark.parametrize("id", ["../escape", "/etc/escape", "out/escape", "a/../../x", "out.yml", "a\nb"])
def test_no_write_leaves_the_root(tmp_path: Path, id: str) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (outside / "file").write_bytes(b"theirs")
    (root / "out").symlink_to(outside)
    (root / "out.yml").symlink_to(outside / "file")
    adapter = adapter_at(root)
    assert put(adapter, id, b"ours").verdict is Verdict.REFUSED
    assert put(adapter, id, b"ours", "0" * 64).verdict is Verdict.REFUSED
    [outcome] = adapter.write([Delete(id, "0" * 64)])
    assert outcome.verdict is Verdict.REFUSED
    assert entries_of(outside) == {"file"}
    assert (outside / "file").read_bytes() == b"theirs"
    assert entries_of(tmp_path) == {"root", "outside"}


def test_a_link_inside_of_the_root_stays_a_link_when_its_file_is_written(tmp_path: Path) -> None:
    (tmp_path / "real.yml").write_bytes(b"one")
    (tmp_path / "link.yml").symlink_to("real.yml")
    adapter = adapter_at(tmp_path)
    assert put(adapter, "link.yml", b"two", got(adapter, "link.yml").revision).verdict is Verdict.APPLIED
    assert (tmp_path / "link.yml").is_symlink()
    assert (tmp_path / "real.yml").read_bytes() == b"two"


def test_the_mode_of_a_file_survives_and_new_secrets_are_private(tmp_path: Path) -> None:
    path = tmp_path / "app.sh"
    path.write_bytes(b"one")
    path.chmod(0o751)
    adapter = adapter_at(tmp_path)
    put(adapter, "app.sh", b"two", got(adapter, "app.sh").revision)
    assert stat.S_IMODE(path.stat().st_mode) == 0o751
    vault = adapter_at(tmp_path, secrets=True)
    put(vault, "secret.yml", CANARY)
    assert stat.S_IMODE((tmp_path / "secret.yml").stat().st_mode) == 0o600
    assert vault.features.holds_secrets
    assert all(item.secret for item in listed(vault, "*"))
    assert entries_of(tmp_path) == {"app.sh", "secret.yml"}


LIMITED = """
import resource, sys
from ecs_sync.adapter import Put
from ecs_sync.errors import Unavailable
from ecs_sync_adapters.files import FilesAdapter, FilesOptions

adapter = FilesAdapter(FilesOptions(root=sys.argv[1]))
[page] = adapter.get(["app.yml"]).pages
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
for write in (Put("app.yml", b"x" * 5000, page.items[0].revision), Put("new.yml", b"x" * 5000, None)):
    try:
        adapter.write([write])
    except Unavailable as error:
        print("unavailable", error)
"""


def test_a_write_that_runs_out_of_room_leaves_the_original_and_no_temporary_file(tmp_path: Path) -> None:
    (tmp_path / "app.yml").write_bytes(b"original")
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.count("unavailable") == 2
    assert (tmp_path / "app.yml").read_bytes() == b"original"
    assert entries_of(tmp_path) == {"app.yml"}


@pytest.fixture
def as_a_stranger() -> Iterator[Path]:
    """A folder whose files another user owns, and a process that may not read what is closed to it."""
    folder = Path(tempfile.mkdtemp(prefix="files-"))
    folder.chmod(0o755)
    if os.geteuid() != 0:
        yield folder
    else:
        os.chown(folder, 65534, 65534)
        os.seteuid(65534)
        try:
            yield folder
        finally:
            os.seteuid(0)
    shutil.rmtree(folder)


def test_a_closed_file_is_unreadable_and_a_closed_folder_makes_the_listing_incomplete(
    as_a_stranger: Path,
) -> None:
    root, adapter = as_a_stranger, adapter_at(as_a_stranger)
    for id in ("a.yml", "b.yml", "sub/c.yml"):
        put(adapter, id, CANARY)
    (root / "a.yml").chmod(0)
    closed, read = listed(adapter, "*.yml")
    assert "permission denied" in (closed.unreadable or "")
    assert read.value == CANARY
    (root / "sub").chmod(0)
    shown: list[Item] = []
    with pytest.raises(Denied, match="1 folders or names"):
        for page in adapter.list(FilesPlace.parse("**/*.yml"), None).pages:
            assert page.proof is None
            shown += page.items
    assert [item.id for item in shown] == ["a.yml", "b.yml"]
    [page] = adapter.get(["sub/c.yml"]).pages
    assert page.absent == ()
    assert "permission denied" in (page.items[0].unreadable or "")
    (root / "sub").chmod(0o755)


def test_a_folder_that_may_not_be_written_is_denied_with_nothing_changed(as_a_stranger: Path) -> None:
    adapter = adapter_at(as_a_stranger)
    revision = put(adapter, "app.yml", b"one").revision
    as_a_stranger.chmod(0o555)
    assert revision
    for write in (Put("app.yml", b"two", revision), Put("new.yml", b"x", None), Delete("app.yml", revision)):
        with pytest.raises(Denied, match="permission denied"):
            adapter.write([write])
    as_a_stranger.chmod(0o755)
    assert entries_of(as_a_stranger) == {"app.yml"}
    assert (as_a_stranger / "app.yml").read_bytes() == b"one"


def test_of_many_writers_at_one_file_each_either_wins_or_is_told(tmp_path: Path) -> None:
    adapter = adapter_at(tmp_path)
    put(adapter, "n", b"0")

    def count_up(_: int) -> int:
        won = 0
        for _ in range(20):
            item = got(adapter_at(tmp_path), "n")
            assert item.value is not None
            outcome = put(adapter_at(tmp_path), "n", str(int(item.value) + 1).encode(), item.revision)
            won += outcome.verdict is Verdict.APPLIED
        return won

    with ThreadPoolExecutor(4) as pool:
        won = sum(pool.map(count_up, range(4)))
    assert got(adapter, "n").value == str(won).encode()
    assert entries_of(tmp_path) == {"n"}


def test_a_large_folder_arrives_in_pages_and_only_the_last_one_is_the_proof(tmp_path: Path) -> None:
    adapter = adapter_at(tmp_path)
    for number in range(5):
        put(adapter, f"{number}.bin", b"x" * 700_000)
    pages = list(adapter.list(FilesPlace.parse("*.bin"), None).pages)
    assert [len(page.items) for page in pages] == [2, 2, 1]
    assert [page.proof is not None for page in pages] == [False, False, True]


def test_no_representation_of_an_item_or_a_write_shows_its_value(tmp_path: Path) -> None:
    adapter = adapter_at(tmp_path)
    put(adapter, "app.yml", CANARY)
    shown = repr(listed(adapter, "*")) + repr(Put("a", CANARY, None)) + repr(adapter)
    assert CANARY.decode() not in shown
