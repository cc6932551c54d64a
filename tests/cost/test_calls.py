"""A plan foretells the calls of its run to the last one: for every provider, against its request log."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from ecs_sync import sync
from ecs_sync.config import load
from ecs_sync.cost import Cost
from ecs_sync.registry import Registry
from ecs_sync.store import FileKeys, Store
from ecs_sync.sync import Order
from ecs_sync.workbench import Workbench, fingerprint_key_of
from tests.cost.backends import BACKENDS, Backend, Served

MANY, SOME, FEW = 31, 7, 11


@dataclass
class Trial:
    """A file that a job mirrors to one provider, run by run, each in a process of its own as it were."""

    folder: Path
    backend: Backend
    served: Served
    registry: Registry

    def check(self, texts: Mapping[str, str]) -> Cost:
        """What the plan foretells for a run that makes the provider hold these; and it is so."""
        told = {name: self.backend.told(text) for name, text in texts.items()}
        (self.folder / "source.json").write_text(json.dumps(told), encoding="utf-8")
        self.served.wait()
        with self.bench() as bench:
            foretold = sync.priced(bench.job("job"), bench.store)[1]
        before = self.served.calls()
        with self.bench() as bench:
            report = sync.run(bench.job("job"), bench.store, Order("cost"))
        assert report.exit_code == 0, report
        links = {link.link: link for link in foretold.links}
        assert links["source"].calls == 0
        assert self.served.calls() - before == foretold.calls == links["target"].calls, links["target"]
        return foretold

    @contextmanager
    def bench(self) -> Iterator[Workbench]:
        self.served.renew()
        path = self.folder / "ecs-sync.yaml"
        config = load(path, environ=self.served.environment, registry=self.registry)
        with Workbench.open(config, self.registry) as bench:
            yield bench


@pytest.fixture(params=BACKENDS.values(), ids=BACKENDS.keys())
def trial(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Trial]:
    backend: Backend = request.param
    with backend.serve() as served:
        registry = Registry.from_entry_points()
        path = tmp_path / "ecs-sync.yaml"
        path.write_text(json.dumps(configuration(tmp_path, backend, served)), encoding="utf-8")
        config = load(path, environ=served.environment, registry=registry)
        FileKeys(tmp_path / "secrets.key").create()
        Store.create(config.store.address(), fingerprint_key=fingerprint_key_of(config).create()).close()
        yield Trial(tmp_path, backend, served, registry)


def configuration(folder: Path, backend: Backend, served: Served) -> Mapping[str, object]:
    copies = {"secrets": "copy"} if backend.secret else {}
    source = {"connection": "source", "place": "source.json", "mapping": "document", "mode": "import"}
    target = {"connection": "target", "mode": "mirror", "hard_deletes": True, **copies, **backend.link}
    job = {
        "scope": {"application": "cost"},
        "limits": {"changes": "100%", "deletes": "100%"},
        "links": [{**source, "priority": 10}, target],
        **({"secret": ["*", "*/*"]} if backend.secret else {}),
    }
    return {
        "store": {"url": f"sqlite:///{folder}/store.db", "key": f"file:{folder}/secrets.key"},
        "connections": {
            "source": {"adapter": "files", "root": str(folder)},
            "target": {**served.connection, "pace": {"rate": 100_000, "write_rate": 100_000}},
        },
        "jobs": {"job": job},
    }


def test_a_plan_foretells_every_call_of_its_run(trial: Trial) -> None:
    texts = {f"setting-{number:03}": f"value {number}" for number in range(MANY)}
    made = trial.check(texts)
    assert made.calls > 1
    trial.check(texts)
    idle = trial.check(texts)
    assert sum(link.writes for link in idle.links) == 0 < idle.calls
    for name in list(texts)[:SOME]:
        texts[name] += "!"
    trial.check(texts)
    for name in list(texts)[-FEW:]:
        del texts[name]
    trial.check(texts)
    # All kinds at once.
    first, *_ = texts
    texts = {**texts, first: "again", "setting-new": "new"}
    del texts[list(texts)[3]]
    trial.check(texts)
