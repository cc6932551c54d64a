"""The same secrets in a store at PostgreSQL: nowhere in what the server writes to its disk."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from ecs_sync_sandbox.postgresql import PostgresqlServer, programs
from tests.canary_everywhere import at_home
from tests.canary_everywhere.tour import JOB


@pytest.fixture
def server() -> Iterator[PostgresqlServer]:
    missing = programs() is None or find_spec("psycopg") is None
    if missing and os.environ.get("ECS_SYNC_REQUIRE_BACKENDS") != "all":
        pytest.skip("PostgreSQL or its driver is absent (apt-get install postgresql, ecs-sync[postgresql])")
    with PostgresqlServer() as server:
        yield server


def disk(server: PostgresqlServer) -> Iterator[tuple[str, bytes]]:
    """All files of the server, its log of writes included."""
    import psycopg

    with psycopg.connect(server.url("postgres").replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("CHECKPOINT")
    for path in server.data.rglob("*"):
        # A server removes files of its own while it is looked at.
        with contextlib.suppress(FileNotFoundError):
            if path.is_file():
                yield f"server/{path.relative_to(server.data)}", path.read_bytes()


def test_no_secret_is_found_on_the_server_or_here(server: PostgresqlServer, tmp_path: Path) -> None:
    with at_home.begun(tmp_path, server.create_database("store")) as tour:
        at_home.settle(tour)
        at_home.quarrel(tour)
        for format in ("text", "json"):
            tour("get", JOB, "--all", "-v", "-o", format)
        at_home.seal_anew(tour)
        assert tour.where(*disk(server)) == []
        # What is no secret is found there: the search looks at the files that hold the store.
        assert tour.traces(*disk(server)).within("server/").where([b"db/password"])
