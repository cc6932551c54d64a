"""A job over one provider, from a configuration file, each of its runs as if in a process of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.providers import Backend, Served
from ecs_sync import sync
from ecs_sync.config import load
from ecs_sync.cost import Cost
from ecs_sync.registry import Registry
from ecs_sync.report import Report
from ecs_sync.store import FileKeys, Store
from ecs_sync.sync import Order
from ecs_sync.workbench import Workbench, fingerprint_key_of

_UNPACED = {"pace": {"rate": 100_000, "write_rate": 100_000}}


@dataclass
class Trial:
    """The job ``job`` has the texts of a file and a link to one provider, whose connection is ``target``."""

    folder: Path
    backend: Backend
    served: Served
    registry: Registry

    def hold(self, texts: Mapping[str, str], job: str = "job") -> None:
        """What the file of a job shall say from now on."""
        told: Mapping[str, Any] = texts
        if job == "job":
            told = {name: self.backend.told(text) for name, text in texts.items()}
        (self.folder / f"{job}.json").write_text(json.dumps(told), encoding="utf-8")
        self.served.wait()

    def foretold(self, job: str = "job") -> Cost:
        """What a plan says that the next run will ask."""
        with self.bench() as bench:
            return sync.priced(bench.job(job), bench.store)[1]

    def run(self, job: str = "job") -> tuple[int, Report]:
        """One run, and what it asked of the provider."""
        before = self.served.calls()
        with self.bench() as bench:
            report = sync.run(bench.job(job), bench.store, Order("cost"))
        return self.served.calls() - before, report

    @contextmanager
    def bench(self) -> Iterator[Workbench]:
        """A process's own."""
        self.served.renew()
        path = self.folder / "ecs-sync.yaml"
        config = load(path, environ=self.served.environment, registry=self.registry)
        with Workbench.open(config, self.registry) as bench:
            yield bench


def mirrored(backend: Backend) -> Mapping[str, Any]:
    """The link that makes the provider like the store."""
    copies = {"secrets": "copy"} if backend.secret else {}
    return {"connection": "target", "mode": "mirror", "hard_deletes": True, **copies, **backend.link}


def imported(backend: Backend) -> Mapping[str, Any]:
    """The link that makes the store like the provider."""
    return {"connection": "target", "mode": "import", "priority": 50, **backend.link}


def trial_of(folder: Path, backend: Backend, served: Served, link: Mapping[str, Any], **more: Any) -> Trial:
    """A trial of one link to the provider, in an empty folder. ``more`` are further jobs."""
    job = job_of("job", link, **({"secret": ["*", "*/*"]} if backend.secret else {}))
    configuration = {
        "store": {"url": f"sqlite:///{folder}/store.db", "key": f"file:{folder}/secrets.key"},
        "connections": {
            "source": {"adapter": "files", "root": str(folder)},
            "copies": {"adapter": "files", "root": str(folder), "secrets": True},
            "target": {**served.connection, **_UNPACED},
        },
        "jobs": {"job": job, **more},
    }
    path = folder / "ecs-sync.yaml"
    path.write_text(json.dumps(configuration), encoding="utf-8")
    registry = Registry.from_entry_points()
    config = load(path, environ=served.environment, registry=registry)
    FileKeys(folder / "secrets.key").create()
    Store.create(config.store.address(), fingerprint_key=fingerprint_key_of(config).create()).close()
    return Trial(folder, backend, served, registry)


def job_of(name: str, target: Mapping[str, Any], **more: Any) -> Mapping[str, Any]:
    """A job that imports the file of its name, and has one link more."""
    source = {"connection": "source", "place": f"{name}.json", "mapping": "document", "mode": "import"}
    return {
        "scope": {"application": name},
        "limits": {"changes": "100%", "deletes": "100%"},
        "links": [{**source, "priority": 10}, target],
        **more,
    }
