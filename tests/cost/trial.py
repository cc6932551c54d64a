"""A job over one provider, from a configuration file, run as if each run were a process of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecs_sync import sync
from ecs_sync.config import load
from ecs_sync.cost import Cost
from ecs_sync.registry import Registry
from ecs_sync.store import FileKeys, Store
from ecs_sync.sync import Order
from ecs_sync.workbench import Workbench, fingerprint_key_of
from tests.cost.backends import Backend, Served

UNPACED = {"pace": {"rate": 100_000, "write_rate": 100_000}}


@dataclass
class Trial:
    """The job ``job`` mirrors the texts of a file to one provider."""

    folder: Path
    backend: Backend
    served: Served
    registry: Registry

    def check(self, texts: Mapping[str, str], job: str = "job") -> Cost:
        """What the plan foretells of a run that makes these hold; and the provider's log says the same."""
        told: Mapping[str, Any] = texts
        if job == "job":
            told = {name: self.backend.told(text) for name, text in texts.items()}
        (self.folder / f"{job}.json").write_text(json.dumps(told), encoding="utf-8")
        self.served.wait()
        with self.bench() as bench:
            foretold = sync.priced(bench.job(job), bench.store)[1]
        before = self.served.calls()
        with self.bench() as bench:
            report = sync.run(bench.job(job), bench.store, Order("cost"))
        assert report.exit_code == 0, report
        links = {link.link: link for link in foretold.links}
        assert links["source"].calls == 0
        own = links["target"].calls if "target" in links else 0
        assert self.served.calls() - before == own + foretold.secrets.get("target", 0), foretold
        return foretold

    @contextmanager
    def bench(self) -> Iterator[Workbench]:
        """A process's own."""
        self.served.renew()
        path = self.folder / "ecs-sync.yaml"
        config = load(path, environ=self.served.environment, registry=self.registry)
        with Workbench.open(config, self.registry) as bench:
            yield bench


def trial_of(folder: Path, backend: Backend, served: Served, **more: Any) -> Trial:
    """A trial in an empty folder. ``more`` are further jobs."""
    copies = {"secrets": "copy"} if backend.secret else {}
    target = {"connection": "target", "mode": "mirror", "hard_deletes": True, **copies, **backend.link}
    job = job_of("job", target, **({"secret": ["*", "*/*"]} if backend.secret else {}))
    configuration = {
        "store": {"url": f"sqlite:///{folder}/store.db", "key": f"file:{folder}/secrets.key"},
        "connections": {
            "source": {"adapter": "files", "root": str(folder)},
            "copies": {"adapter": "files", "root": str(folder), "secrets": True},
            "target": {**served.connection, **UNPACED},
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
