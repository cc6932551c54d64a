"""Stores to test with: every test that asks for one runs on SQLite and on PostgreSQL."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ecs_sync.store import Cipher, Store
from ecs_sync_sandbox.postgresql import PostgresqlServer, programs

from . import making


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlServer]:
    if programs() is None and os.environ.get("ECS_SYNC_REQUIRE_BACKENDS") != "all":
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    with PostgresqlServer() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a store can be made."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/store.db"
    server: PostgresqlServer = request.getfixturevalue("postgresql")
    return server.create_database(f"t{uuid.uuid4().hex}")


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with Store.create(url, fingerprint_key=making.KEY, cipher=Cipher(making.SEALING_KEY)) as made:
        yield made


@pytest.fixture
def reopen(url: str, store: Store) -> Iterator[Callable[[], Store]]:
    """Opens the same store once more."""
    opened = []

    def again() -> Store:
        opened.append(Store.open(url, fingerprint_key=making.KEY, cipher=Cipher(making.SEALING_KEY)))
        return opened[-1]

    yield again
    for one in opened:
        one.close()
