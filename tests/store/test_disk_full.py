"""A full disk stops a commit with a sentence, and harms nothing that was there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ecs_sync.store import Store

from .making import KEY, SCOPE, change, commit

FILL = """
import resource, sys
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
