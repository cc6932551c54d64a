"""Whole runs against Vault: fields of secrets are keys, and what goes wrong is made good by the next run."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ecs_sync.amend import change
from ecs_sync.config import load
from ecs_sync.model import HAND_PRIORITY, Entry, Key, Rank
from ecs_sync.reference import Reference
from ecs_sync.registry import Registry
from ecs_sync.report import Report
from ecs_sync.store import Store
from ecs_sync.sync import Order, run
from ecs_sync.workbench import Workbench, fingerprint_key_of
from ecs_sync_sandbox.http_server import HttpServer, Request
from ecs_sync_sandbox.openbao import ROOT_TOKEN, OpenBaoServer, Refused, front
from tests.adapters.vault_sandbox import server

DONE, CONFLICTS = 0, 5

_turn = itertools.count()


@pytest.fixture(scope="module")
def bao() -> Iterator[OpenBaoServer]:
    with server() as running:
        yield running


@dataclass
class Job:
    """A file that is imported, and mirrored to a folder of Vault by its fields."""

    file: Path
    bench: Workbench
    bao: OpenBaoServer
    door: HttpServer
    mount: str
    version: int

    def want(self, **secrets: Any) -> None:
        self.file.write_text(json.dumps(secrets), encoding="utf-8")

    def run(self) -> Report:
        return run(self.bench.job("job"), self.bench.store, Order("tester"))

    def path(self, name: str) -> str:
        return f"{self.mount}/data/app/{name}" if self.version == 2 else f"{self.mount}/app/{name}"

    def fields(self, name: str) -> dict[str, Any] | None:
        try:
            data: dict[str, Any] = self.bao.call("GET", self.path(name))["data"]
        except Refused:
            return None
        return data["data"] if self.version == 2 else data

    def put(self, name: str, **fields: Any) -> None:
        """Somebody else writes."""
        self.bao.call("POST", self.path(name), {"data": fields} if self.version == 2 else fields)

    def is_write(self, request: Request) -> bool:
        return request.method in ("POST", "PUT", "DELETE") and f"/{self.mount}/" in request.target


@contextmanager
def job_at(folder: Path, bao: OpenBaoServer, version: int, **more: Any) -> Iterator[Job]:
    mount = f"run{next(_turn)}"
    bao.mount(mount, version=version)
    with front(bao.url) as door:
        bao.mount(f"{mount}-origin")
        origin = {**bao.connection(f"{mount}-origin"), "url": door.url}
        pace = {"pace": {"rate": 100_000, "write_rate": 100_000, "retries": 1}}
        vault = {**bao.connection(mount, version), "url": door.url, **pace}
        source = {"connection": "source", "place": "source.json", "mapping": "document", "mode": "import"}
        target = {"connection": "vault", "place": "app/", "mapping": "fields", "mode": "mirror", **more}
        config = {
            "store": {"url": f"sqlite:///{folder}/store.db", "key": "env:STORE_KEY"},
            "connections": {
                "source": {"adapter": "files", "root": str(folder)},
                "vault": vault,
                "origin": origin,
            },
            "jobs": {
                "job": {
                    "scope": {"application": "app"},
                    "limits": {"changes": "100%", "deletes": "100%"},
                    "references": ["origin/acme/*"],
                    "links": [{**source, "priority": 10}, target],
                }
            },
        }
        path = folder / "ecs-sync.yaml"
        path.write_text(json.dumps(config), encoding="utf-8")
        registry = Registry.from_entry_points()
        store_key = base64.b64encode(bytes(32)).decode()
        environ = {"STORE_KEY": store_key, "SANDBOX_VAULT_TOKEN": ROOT_TOKEN}
        loaded = load(path, environ=environ, registry=registry)
        key = fingerprint_key_of(loaded).create()
        Store.create(loaded.store.address(), fingerprint_key=key).close()
        with Workbench.open(loaded, registry) as bench:
            yield Job(folder / "source.json", bench, bao, door, mount, version)


@pytest.fixture(params=[1, 2], ids=["kv1", "kv2"])
def job(bao: OpenBaoServer, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Job]:
    more = {"hard_deletes": True} if request.param == 1 else {}
    with job_at(tmp_path, bao, request.param, **more) as job:
        yield job


def test_fields_come_and_go_with_their_types_and_a_second_run_has_nothing_to_do(job: Job) -> None:
    job.want(db={"user": "app", "port": 5432, "tls": True, "note": None}, api={"key": "k"})
    assert job.run().exit_code == DONE
    assert job.fields("db") == {"user": "app", "port": 5432, "tls": True, "note": None}
    assert job.fields("api") == {"key": "k"}
    before = len(job.door.requests)
    report = job.run()
    assert (report.exit_code, len(report.carried)) == (DONE, 0)
    assert not any(job.is_write(request) for request in job.door.requests[before:])
    job.want(db={"user": "other", "port": 5432})
    assert job.run().exit_code == DONE
    assert job.fields("db") == {"user": "other", "port": 5432}
    assert job.fields("api") is None
    job.want(db={"user": "other"}, api={"key": "again"})
    assert job.run().exit_code == DONE
    assert job.fields("api") == {"key": "again"}


def test_fields_of_others_in_one_secret_survive(job: Job) -> None:
    job.put("db", theirs="stays", tags=["a", {"b": 1}])
    job.want(db={"user": "app"})
    assert job.run().exit_code == DONE
    assert job.fields("db") == {"theirs": "stays", "tags": ["a", {"b": 1}], "user": "app"}
    job.want(db={})
    job.run()
    assert job.fields("db") == {"theirs": "stays", "tags": ["a", {"b": 1}]}


def test_what_somebody_else_changed_is_mirrored_back(job: Job) -> None:
    job.want(db={"user": "app", "port": 1})
    job.run()
    job.put("db", user="theirs", port=1)
    assert job.run().exit_code == DONE
    assert job.fields("db") == {"user": "app", "port": 1}


def test_a_secret_that_was_deleted_by_hand_is_made_again(job: Job) -> None:
    job.want(db={"user": "app"}, api={"key": "k"})
    job.run()
    job.bao.call("DELETE", job.path("db"))
    assert job.run().exit_code == DONE
    assert job.fields("db") == {"user": "app"}


def test_a_number_that_kv2_would_bend_is_refused_in_the_plan_and_the_rest_goes_on(
    bao: OpenBaoServer, tmp_path: Path
) -> None:
    with job_at(tmp_path, bao, 2) as job:
        job.want(ids={"id": 2**60 + 1}, db={"user": "app"})
        job.run()
        assert job.fields("ids") is None
        assert job.fields("db") == {"user": "app"}
        assert not any(
            request.path.endswith("/ids") for request in job.door.requests if job.is_write(request)
        )


def test_a_secret_made_anew_at_the_same_version_is_not_taken_for_the_old_one(
    bao: OpenBaoServer, tmp_path: Path
) -> None:
    with job_at(tmp_path, bao, 2) as job:
        job.want(db={"user": "app"})
        job.run()
        bao.call("DELETE", f"{job.mount}/metadata/app/db")
        job.put("db", user="impostor")
        assert job.run().exit_code == DONE
        assert job.fields("db") == {"user": "app"}


def test_custom_metadata_survives_a_run(bao: OpenBaoServer, tmp_path: Path) -> None:
    with job_at(tmp_path, bao, 2) as job:
        job.want(db={"user": "app"})
        job.run()
        about = f"{job.mount}/metadata/app/db"
        bao.call("POST", about, {"custom_metadata": {"owner": "blue"}})
        job.want(db={"user": "other"})
        job.run()
        told = bao.call("GET", about)["data"]
        assert (told["custom_metadata"], told["current_version"]) == ({"owner": "blue"}, 2)


def test_a_rotated_secret_reaches_its_copy_and_one_that_stands_still_is_not_read(
    bao: OpenBaoServer, tmp_path: Path
) -> None:
    with job_at(tmp_path, bao, 2, secrets="copy") as job:
        job.want()
        for name in ("db", "old"):
            origin = f"{job.mount}-origin/data/acme/{name}"
            bao.call("POST", origin, {"data": {"password": "first", "user": "app"}})
        for key, name in {"newest": "db", "pinned": "old?version=1"}.items():
            text = f"@secret:origin/acme/{name}#password"
            entry = Entry(Key.of("copy", key), Reference.parse(text).value, secret=True)
            change(
                job.bench.job("job"),
                job.bench.store,
                Order("tester"),
                Rank(HAND_PRIORITY, "hand"),
                {entry.key: entry},
            )
        assert job.run().exit_code == DONE
        assert job.fields("copy") == {"newest": "first", "pinned": "first"}
        before = len(job.door.requests)
        assert job.run().exit_code == DONE
        asked = [request.path for request in job.door.requests[before:] if "-origin" in request.path]
        assert asked == [f"/v1/{job.mount}-origin/metadata/acme/db"]
        for name in ("db", "old"):
            origin = f"{job.mount}-origin/data/acme/{name}"
            bao.call("POST", origin, {"data": {"password": "second", "user": "app"}})
        assert job.run().exit_code == DONE
        assert job.fields("copy") == {"newest": "second", "pinned": "first"}


FAULTS: dict[str, Callable[[Job], object]] = {
    "a lost answer": lambda job: job.door.drop_next(when=job.is_write),
    "a 500": lambda job: job.door.fail_next(500, when=job.is_write),
    "a rate limit": lambda job: job.door.fail_next(429, when=job.is_write),
    "a 412 of a standby": lambda job: job.door.fail_next(412, body='{"errors":["x"]}', when=job.is_write),
    "a cut answer": lambda job: job.door.cut_next(0, when=job.is_write),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_goes_wrong_is_made_good_without_a_conflict_and_without_a_second_effect(
    job: Job, fault: str
) -> None:
    turns: list[dict[str, Any]] = [{"db": {"n": 1}}, {"db": {"n": 2}}, {"other": {"n": 1}}]
    for turn in turns:
        job.want(**turn)
        FAULTS[fault](job)
        first = job.run()
        assert first.exit_code != CONFLICTS
        assert job.run().exit_code == DONE
        for name in ("db", "other"):
            assert job.fields(name) == turn.get(name)
    if job.version == 2:
        told = job.bao.call("GET", f"{job.mount}/metadata/app/db")["data"]
        assert told["current_version"] == 2, "each effect happened once"


def test_a_listing_that_fails_deletes_nothing(job: Job) -> None:
    job.want(db={"user": "app"}, api={"key": "k"})
    job.run()
    for status, body in ((500, ""), (404, "<html>"), (403, '{"errors":["permission denied"]}')):
        is_list = lambda request: request.method == "LIST"  # noqa: E731
        job.door.fail_next(status, body=body, times=3, when=is_list)
        job.run()
        job.run()
        assert (job.fields("db"), job.fields("api")) == ({"user": "app"}, {"key": "k"})
