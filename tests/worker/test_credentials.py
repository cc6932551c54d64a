"""The credential of a connection is rotated, and the old one revoked, while a worker runs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ecs_sync_sandbox.consul import ConsulServer
from ecs_sync_sandbox.openbao import ROOT_TOKEN, OpenBaoServer, Refused, program
from tests.canary import found_in
from tests.worker.house import CANARY, House, Worker, until

BEFORE_A_SECRET_IS_READ_AGAIN = 12
"""Runs of a job that is due every second."""


@pytest.fixture(scope="module")
def vault() -> Iterator[OpenBaoServer]:
    if program() is None and os.environ.get("ECS_SYNC_REQUIRE_BACKENDS") != "all":
        pytest.skip("OpenBao is not installed: pip install 'ecs-sync[sandbox]'")
    with OpenBaoServer(mounts={"app": 2}) as server:
        server.policy("app", {"app/*": ["create", "read", "update", "delete", "list"]})
        yield server


def configure(house: House, vault: OpenBaoServer, token: str) -> None:
    """A file is copied to the mount ``app``; the token for that comes from elsewhere."""
    (house.folder / "root").write_text(ROOT_TOKEN)
    source: dict[str, object] = {"connection": "files", "place": "app.json", "mapping": "document"}
    source |= {"mode": "import", "priority": 9}
    target: dict[str, object] = {"connection": "app", "place": f"{house.folder.name}/", "mapping": "fields"}
    target |= {"mode": "mirror", "secrets": "copy"}
    config = {
        "store": {"url": "sqlite:///store.db"},
        "connections": {
            "keeper": {**vault.connection(), "token": f"file:{house.folder / 'root'}"},
            "app": {**vault.connection("app"), "token": token},
            "files": {"adapter": "files", "root": "places"},
        },
        "jobs": {"app": {"every": "1s", "links": [source, target]}},
        "worker": {"lease": "10s"},
    }
    (house.folder / "ecs-sync.yaml").write_text(json.dumps(config))


def put(house: House, text: str) -> None:
    (house.folder / "places" / "app.json").write_text(json.dumps({"one": {"key": f"{CANARY}-{text}"}}))


def copied(house: House, vault: OpenBaoServer, text: str) -> bool:
    try:
        found = vault.call("GET", f"app/data/{house.folder.name}/one")["data"]["data"]
    except Refused:
        return False
    return bool(found == {"key": f"{CANARY}-{text}"})


def left(house: House, worker: Worker) -> list[str | bytes]:
    return [worker.text, *(path.read_bytes() for path in house.folder.glob("store.db*"))]


def reads(house: House) -> list[str]:
    """The audit entries of secrets that were read for the connection itself."""
    with house.bench() as bench:
        told = [r.details for r in bench.store.audit_trail() if r.action == "secrets read"]
    return [details for details in told if "tokens/app" in details]


def renewals(house: House) -> list[str]:
    with house.bench() as bench:
        return [r.details for r in bench.store.audit_trail() if r.action == "credential renewed"]


def test_a_token_at_another_connection_is_rotated_and_no_run_fails(
    house: House, vault: OpenBaoServer
) -> None:
    old, new = (vault.token("app") for _ in range(2))
    vault.call("POST", "secret/data/tokens/app", {"data": {"token": old}})
    configure(house, vault, "@secret:keeper/tokens/app#token")
    put(house, "first")
    worker = house.worker()
    until(lambda: len(worker.heard("run_finished")) > BEFORE_A_SECRET_IS_READ_AGAIN, "runs")
    assert copied(house, vault, "first")
    vault.call("POST", "secret/data/tokens/app", {"data": {"token": new}})
    vault.revoke(old)
    put(house, "second")
    until(lambda: copied(house, vault, "second"), "a write with the new token")
    assert worker.stop() == 0
    assert not worker.heard("run_failed")
    assert {run["exit"] for run in worker.heard("run_finished")} == {0}
    assert not found_in(old, *left(house, worker)) and not found_in(new, *left(house, worker))
    assert len(reads(house)) == 2
    assert [json.loads(details) for details in renewals(house)] == [{"connection": "app"}]


def test_a_mounted_file_with_a_token_is_rewritten_and_no_run_fails(
    house: House, vault: OpenBaoServer
) -> None:
    """As Kubernetes does it: the mounted name is a link, and the link is moved."""
    old, new = (vault.token("app") for _ in range(2))
    for name, token in (("before", old), ("after", new)):
        (house.folder / name).mkdir()
        (house.folder / name / "token").write_text(f"{token}\n")
    (house.folder / "mounted").symlink_to("before")
    configure(house, vault, f"file:{Path('mounted', 'token')}")
    put(house, "third")
    worker = house.worker()
    until(lambda: copied(house, vault, "third"), "the first copy")
    (house.folder / "next").symlink_to("after")
    (house.folder / "next").rename(house.folder / "mounted")
    vault.revoke(old)
    put(house, "fourth")
    until(lambda: copied(house, vault, "fourth"), "a write with the new token")
    assert worker.stop() == 0
    assert {run["exit"] for run in worker.heard("run_finished")} == {0}
    assert not found_in(old, *left(house, worker)) and not found_in(new, *left(house, worker))


def test_a_token_that_is_revoked_before_there_is_a_new_one_is_waited_for(
    house: House, vault: OpenBaoServer
) -> None:
    old, new = (vault.token("app") for _ in range(2))
    (house.folder / "token").write_text(old)
    configure(house, vault, "file:token")
    put(house, "fifth")
    worker = house.worker()
    until(lambda: copied(house, vault, "fifth"), "the first copy")
    vault.revoke(old)
    put(house, "sixth")
    worker.say("run_finished", exit=1)
    (house.folder / "token").write_text(new)
    until(lambda: copied(house, vault, "sixth"), "a write with the new token")
    assert worker.stop() == 0


def test_a_secret_that_hangs_keeps_no_other_job_waiting(house: House) -> None:
    with ConsulServer() as keeper:
        keeper.kv.put("token", b"word", 0)
        house.configure({name: {"every": "1s"} for name in ("fine", "stuck")})
        path = house.folder / "ecs-sync.yaml"
        config = json.loads(path.read_text())
        config["connections"]["keeper"] = {"adapter": "consul", "url": keeper.url}
        config["connections"]["locked"]["token"] = "@secret:keeper/token"
        config["jobs"]["stuck"]["links"] = House.links("stuck", "locked")
        path.write_text(json.dumps(config))
        for name in ("fine", "stuck"):
            house.write(name, 1)
        released = keeper.faults.hang_next()
        worker = house.worker()
        keeper.faults.await_requests(1)
        until(lambda: len(worker.heard("run_finished", job="fine")) > 1, "runs of the other job")
        assert not worker.heard("run_started", job="stuck")
        released.set()
        worker.say("run_finished", job="stuck", exit=0)
        assert worker.stop() == 0
