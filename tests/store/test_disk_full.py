"""A full disk stops a commit with a sentence, and harms nothing that was there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ecs_sync.errors import StoreError
from ecs_sync.store import Store

from .making import KEY, SCOPE, change, commit

FILL = """
import resource, sys
from ecs_sync.errors import StoreError
import pytest

from ecs_sync.errors import StoreError
from ecs_sync.store import Store
from store.making import KEY, change, commit

store = Store.open(sys.argv[1], fingerprint_key=KEY)
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
try:
    while True:
        commit(store, *(change(f"key{i}", "x" * 10_000) for i in range(20)))
except StoreError as error:
    print(store.head(), error)
"""


def test_a_full_disk_is_named_and_the_store_stays_whole(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    with Store.create(url, fingerprint_key=KEY) as store:
        commit(store, change("a", "1"))
        program = [sys.executable, "-c", FILL, url]
        done = subprocess.run(
            program, check=True, capture_output=True, text=True, cwd=Path(__file__).parent.parent
        )
        head, _, sentence = done.stdout.partition(" ")
        assert "is full" in sentence
        assert "x" * 10 not in sentence

        assert store.head() == int(head) > 1
        assert len(store.at(SCOPE, store.head())) == 21
        assert store.verify_audit().ok
        commit(store, change("a", "2"))
    with Store.open(url, fingerprint_key=KEY) as reopened:
        assert reopened.head() == int(head) + 1


MAKE = """
import resource, sys
from pathlib import Path
from ecs_sync.errors import StoreError
from ecs_sync.store import FileKeys, Store
from store.making import KEY

room = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
for make in (
    lambda: Store.create(f"sqlite:///{sys.argv[1]}/store.db", fingerprint_key=KEY),
    FileKeys(Path(sys.argv[1], "store.key")).create,
):
    try:
        make()
    except StoreError as error:
        print(error)
"""


@pytest.mark.parametrize("room", [0, 4096, 120_000, 190_000, 260_000])
def test_what_cannot_be_made_whole_is_not_there(tmp_path: Path, room: int) -> None:
    program = [sys.executable, "-c", MAKE, str(tmp_path), str(room)]
    done = subprocess.run(
        program, check=True, capture_output=True, text=True, cwd=Path(__file__).parent.parent
    )
    names = {path.name for path in tmp_path.iterdir()}
    assert ("store.db" in names) == ("store.db" not in done.stdout)
    assert ("store.key" in names) == ("store.key" not in done.stdout) == (room > 0)
    if room == 260_000:
        assert names == {"store.db", "store.key"}


def test_a_store_whose_first_record_cannot_be_written_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        Store.create(
            f"sqlite:///{tmp_path}/store.db", fingerprint_key=KEY, anchor=tmp_path / "nowhere" / "anchor"
        )
    assert not list(tmp_path.iterdir())
