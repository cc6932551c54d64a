"""Stores to test with: every test that asks for one runs on SQLite and on PostgreSQL."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from ecs_sync.store import Cipher, Store
from ecs_sync_sandbox.postgresql import PostgresqlServer, programs

from . import making


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlServer]:
    missing = programs() is None or find_spec("psycopg") is None
    if missing and os.environ.get("ECS_SYNC_REQUIRE_BACKENDS") != "all":
        pytest.skip("PostgreSQL or its driver is absent (apt-get install postgresql, ecs-sync[postgresql])")
    with PostgresqlServer() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where a store can be made."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/store.db"
        return
    server: PostgresqlServer = request.getfixturevalue("postgresql")
    import psycopg

    # A schema of its own is made and gone much faster than a database.
    schema = f"t{uuid.uuid4().hex}"
    with psycopg.connect(server.url("postgres").replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
        yield server.url("postgres") + f"?options=-csearch_path%3D{schema}"
        connection.execute(f"DROP SCHEMA {schema} CASCADE")


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
