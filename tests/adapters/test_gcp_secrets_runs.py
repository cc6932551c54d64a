"""Whole runs against Secret Manager: what goes wrong in one is made good by the next, and nothing twice."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.cloud.secretmanager_v1 import types

from ecs_sync.config import load
from ecs_sync.registry import Registry
from ecs_sync.report import Report
from ecs_sync.store import Store
from ecs_sync.sync import Order, priced, run
from ecs_sync.workbench import Workbench, fingerprint_key_of
from ecs_sync_sandbox.gcp_secrets import GcpSecretsServer

Code = grpc.StatusCode
DONE = 0


class Job:
    """A file that is imported, and mirrored to Secret Manager."""

    def __init__(self, folder: Path, bench: Workbench, server: GcpSecretsServer) -> None:
        self._file, self._bench, self.server = folder / "source.json", bench, server

    @property
    def store(self) -> Store:
        return self._bench.store

    def want(self, **keys: str) -> None:
        self._file.write_text(json.dumps(keys), encoding="utf-8")

    def run(self) -> Report:
        job = self._bench.job("job")
        return run(job, self._bench.store, Order("tester"))

    def runs(self) -> Report:
        """Once for the import, once for the mirror: the second run has all there is to do behind it."""
        self.run()
        return self.run()

    def foreseen(self) -> int:
        """The calls that a run would make of Secret Manager."""
        _, cost = priced(self._bench.job("job"), self._bench.store)
        return sum(link.calls for link in cost.links if link.link == "gcp")

    def values(self, name: str) -> list[bytes | None]:
        """All values that the secret ever had."""
        count = len(self.server.secrets.versions(f"app-{name}", 100, "")[0])
        access = self.server.secrets.access
        return [access(f"app-{name}", str(number)).payload.data for number in range(1, count + 1)]


@contextmanager
def job_at(folder: Path, server: GcpSecretsServer, **more: object) -> Iterator[Job]:
    """The job; ``more`` is said of its link to Secret Manager."""
    link = {"connection": "gcp", "place": "app-", "mapping": "path", "mode": "mirror", **more}
    with opened(folder, server, {"links": [link]}) as bench:
        yield Job(folder, bench, server)


@contextmanager
def opened(folder: Path, server: GcpSecretsServer, more: dict[str, Any]) -> Iterator[Workbench]:
    """A job that imports a file, and has more links than that one."""
    connection = {**server.connection(), "pace": {"rate": 100_000, "write_rate": 100_000, "retries": 1}}
    files = {"adapter": "files", "root": str(folder)}
    source = {"connection": "source", "place": "source.json", "mapping": "document", "mode": "import"}
    job = {
        "scope": {"application": "app"},
        "limits": {"changes": "100%", "deletes": "100%"},
        **more,
        "links": [{**source, "priority": 10}, *more["links"]],
    }
    config = {
        "store": {"url": f"sqlite:///{folder}/store.db", "key": "env:STORE_KEY"},
        "connections": {"source": files, "safe": {**files, "secrets": True}, "gcp": connection},
        "jobs": {"job": job},
    }
    path = folder / "ecs-sync.yaml"
    path.write_text(json.dumps(config), encoding="utf-8")
    registry = Registry.from_entry_points()
    loaded = load(path, environ={"STORE_KEY": base64.b64encode(bytes(32)).decode()}, registry=registry)
    key = fingerprint_key_of(loaded).create()
    Store.create(loaded.store.address(), fingerprint_key=key).close()
    with Workbench.open(loaded, registry) as bench:
        yield bench


@pytest.fixture
def job(tmp_path: Path) -> Iterator[Job]:
    with GcpSecretsServer() as server, job_at(tmp_path, server) as job:
        yield job


FAULTS: dict[str, Callable[[GcpSecretsServer], None]] = {
    "a lost answer to a version": lambda server: server.lose_ack_next("AddSecretVersion"),
    "a lost answer to a secret": lambda server: server.lose_ack_next("CreateSecret"),
    "an error before a version": lambda server: server.fail_next("AddSecretVersion", Code.INTERNAL),
    "a version given up": lambda server: server.fail_next("AddSecretVersion", Code.ABORTED),
    "a quota": lambda server: server.throttle_next("AddSecretVersion", 0.1),
    "a lost answer and a blind look": lambda server: blind(server),
}


def blind(server: GcpSecretsServer) -> None:
    """An answer is lost, and at the next look nobody can see what became of the version."""
    server.lose_ack_next("AddSecretVersion")
    server.before_next(
        "AddSecretVersion", lambda: server.fail_next("GetSecretVersion", Code.UNAVAILABLE, times=3)
    )


@pytest.mark.parametrize("fault", FAULTS)
def test_a_creation_that_goes_wrong_is_made_good_and_has_one_version(job: Job, fault: str) -> None:
    job.want(mode="on", level="5")
    FAULTS[fault](job.server)
    for _ in range(3):
        report = job.runs()
    assert report.exit_code == DONE and not report.plan.changes
    assert (job.values("mode"), job.values("level")) == ([b"on"], [b"5"])


@pytest.mark.parametrize("fault", sorted(FAULTS.keys() - {"a lost answer to a secret"}))
def test_an_update_that_goes_wrong_is_made_good_and_adds_one_version(job: Job, fault: str) -> None:
    job.want(mode="on", level="5")
    job.runs()
    job.want(mode="off", level="5")
    FAULTS[fault](job.server)
    for _ in range(3):
        report = job.runs()
    assert report.exit_code == DONE and not report.plan.changes
    assert (job.values("mode"), job.values("level")) == ([b"on", b"off"], [b"5"])


def test_a_run_that_has_nothing_to_do_reads_no_secret_and_writes_none(job: Job) -> None:
    job.want(**{f"key{number}": "1" for number in range(20)})
    job.runs()
    before = len(job.server.requests)
    assert not job.run().plan.changes
    asked = [each.method for each in job.server.requests[before:]]
    assert sorted(asked) == ["GetSecretVersion"] * 20 + ["ListSecrets"]


def test_a_listing_that_breaks_off_deletes_nothing(job: Job) -> None:
    job.want(mode="on", level="5")
    job.runs()
    job.server.pass_next("GetSecretVersion")
    job.server.fail_next("GetSecretVersion", Code.INTERNAL)
    job.run()
    assert job.server.secrets.names() == ["app-level", "app-mode"]
    report = job.run()
    assert report.exit_code == DONE and not report.plan.changes


def test_a_place_that_lags_is_not_taken_for_an_edit(job: Job) -> None:
    job.want(mode="on")
    job.runs()
    job.want(mode="off")
    job.runs()
    job.server.secrets.lag("app-mode", 1)
    report = job.runs()
    assert not report.plan.changes and job.values("mode") == [b"on", b"off"]
    job.server.secrets.lag("app-mode", 0)
    report = job.run()
    assert report.exit_code == DONE and job.values("mode") == [b"on", b"off"]


def test_a_secret_that_terraform_made_without_a_value_gets_one(job: Job) -> None:
    job.server.secrets.create("app-mode", types.Secret(replication={"automatic": {}}, labels={"by": "tf"}))
    job.want(mode="on")
    assert job.runs().exit_code == DONE
    assert job.values("mode") == [b"on"]
    assert dict(job.server.secrets.read("app-mode").labels) == {"by": "tf"}


def test_an_edit_that_came_between_look_and_write_is_kept_and_reported(job: Job) -> None:
    job.want(mode="on")
    job.runs()
    job.want(mode="off")
    job.server.before_next("AddSecretVersion", lambda: job.server.secrets.set("app-mode", b"theirs"))
    job.run()
    assert job.values("mode") == [b"on", b"theirs", b"off"]
    [conflict] = job.store.all_conflicts()
    assert conflict.key.text == "mode"
    assert job.run().exit_code == DONE


def test_a_secret_that_was_deleted_and_made_again_is_seen_as_edited(job: Job) -> None:
    job.want(mode="on")
    job.runs()
    job.server.secrets.remove("app-mode")
    job.server.secrets.set("app-mode", b"theirs")
    report = job.runs()
    assert report.exit_code == DONE and job.values("mode") == [b"theirs", b"on"]


def test_deletes_are_held_until_a_link_asks_for_them(tmp_path: Path) -> None:
    with GcpSecretsServer() as server, job_at(tmp_path, server) as job:
        job.want(mode="on", level="5")
        job.runs()
        job.want(level="5")
        job.runs()
        assert server.secrets.names() == ["app-level", "app-mode"]


def test_a_run_makes_the_calls_that_its_plan_foresees(tmp_path: Path) -> None:
    wanted: list[dict[str, str]] = [
        {f"key{number}": "1" for number in range(6)},
        {f"key{number}": "1" for number in range(6)},
        {f"key{number}": "2" if number < 3 else "1" for number in range(6)},
        {f"key{number}": "1" for number in range(3, 6)},
    ]
    with GcpSecretsServer() as server, job_at(tmp_path, server, hard_deletes=True) as job:
        for keys in wanted:
            job.want(**keys)
            foreseen = job.foreseen()
            before = server.count()
            job.run()
            assert server.count() - before == foreseen
        assert server.secrets.names() == ["app-key3", "app-key4", "app-key5"]


def test_a_rotated_secret_reaches_its_copy_in_the_same_run_and_is_read_only_then(tmp_path: Path) -> None:
    copy = {"name": "copy", "connection": "safe", "place": "copy.json", "mapping": "document"}
    link = {**copy, "mode": "mirror", "secrets": "copy"}
    (tmp_path / "copy.json").write_text("{}", encoding="utf-8")
    with GcpSecretsServer() as server:
        server.secrets.set("db-password", b"one")
        with opened(tmp_path, server, {"links": [link], "references": ["gcp/*"]}) as bench:
            job = Job(tmp_path, bench, server)
            job.want(password="@secret:gcp/db-password")

            def copied() -> object:
                return json.loads((tmp_path / "copy.json").read_text(encoding="utf-8"))

            job.runs()
            assert copied() == {"password": "one"}
            reads = server.count("AccessSecretVersion")
            job.run()
            assert server.count("AccessSecretVersion") == reads
            server.secrets.set("db-password", b"two")
            job.run()
            assert copied() == {"password": "two"}
