"""A file and a provider that a job holds in step, run by run, each in a process of its own as it were."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ecs_sync import sync
from ecs_sync.adapter import Adapter
from ecs_sync.config import Config, load
from ecs_sync.connections import Connections
from ecs_sync.registry import Registry
from ecs_sync.report import Report
from ecs_sync.store import FileKeys, Store
from ecs_sync.sync import Order
from ecs_sync.workbench import Workbench, fingerprint_key_of
from tests.faults.doors import Door
from tests.faults.rows import Open, Row, Timeouts

ATTEMPTS = 2
"""How often a call is tried before a run gives it up."""
FIRST = {"one": "1", "two": "2"}


@dataclass
class Trial:
    folder: Path
    row: Row
    opened: Open
    registry: Registry
    texts: dict[str, str] = field(default_factory=dict)
    names: int = 0
    config: Config = field(init=False)

    @property
    def door(self) -> Door:
        return self.opened.door

    @contextmanager
    def impatient(self) -> Iterator[None]:
        """Meanwhile the connection waits 0.3 s for an answer, else longer than a busy machine takes."""
        self.configure(self.row.timeouts)
        yield
        self.configure({})

    def configure(self, timeouts: Timeouts) -> None:
        """From the next run on these are the connection's timeouts."""
        document = json.dumps(_configuration(self.folder, self.row, self.opened, timeouts))
        path = self.folder / "ecs-sync.yaml"
        path.write_text(document, encoding="utf-8")
        config = load(path, environ=self.opened.environment, registry=self.registry)
        # Waits are capped below the second that a configuration can say.
        target = config.connections["target"]
        hasty = replace(target, pace=replace(target.pace, timeout=0.1))
        self.config = replace(config, connections={**config.connections, "target": hasty})

    def want(self, **texts: str | None) -> None:
        """What the file shall hold more, or else, or where None no longer."""
        merged = {**self.texts, **texts}
        self.texts = {name: text for name, text in merged.items() if text is not None}
        told = {name: self.row.text(text) for name, text in self.texts.items()}
        (self.folder / "source.json").write_text(json.dumps(told), encoding="utf-8")

    def run(self) -> Report:
        """One run. A conflict or a stop is none of a fault's business."""
        with self._bench() as bench:
            report = sync.run(bench.job("job"), bench.store, Order("tester"))
        assert not report.plan.conflicts, report.plan.conflicts
        assert not report.stops, report.stops
        return report

    def ends_in_step(self) -> None:
        """One more run makes good what is left; a new look finds nothing to do after it."""
        with self._bench() as bench:
            job = bench.job("job")
            report = sync.run(job, bench.store, Order("tester"))
            assert report.exit_code == 0, report
            plan = sync.plan(job, bench.store)
        assert not (plan.changes or plan.conflicts or plan.unseen), plan

    def fresh(self) -> str:
        """A name that is not used yet."""
        self.names += 1
        return f"new{self.names}"

    @contextmanager
    def adapter(self) -> Iterator[tuple[Adapter, Any]]:
        """The provider's adapter, which nobody paces, and the job's place there."""
        self.opened.wait()
        with Connections(self.config, self.registry) as connections:
            target = self.config.connections["target"]
            kind = self.registry.adapter(target.adapter)
            with closing(kind(target.options(connections.secret))) as adapter:
                yield adapter, kind.Place.parse(self.row.link["place"])

    @contextmanager
    def _bench(self) -> Iterator[Workbench]:
        self.opened.wait()
        with Workbench.open(self.config, self.registry) as bench:
            yield bench


@contextmanager
def trial_of(row: Row, folder: Path) -> Iterator[Trial]:
    """A job whose first run made the place hold `FIRST`."""
    with row.open() as opened:
        registry = Registry.from_entry_points()
        trial = Trial(folder, row, opened, registry)
        trial.configure({})
        config = trial.config
        FileKeys(folder / "secrets.key").create()
        Store.create(config.store.address(), fingerprint_key=fingerprint_key_of(config).create()).close()
        trial.want(**FIRST)
        report = trial.run()
        assert report.exit_code == 0, report
        yield trial


def _configuration(folder: Path, row: Row, opened: Open, timeouts: Timeouts) -> Mapping[str, object]:
    """Both sides may write, so that an effect which is not known as the run's own would be a conflict."""
    copies = {"secrets": "copy"} if row.secret else {}
    source = {"connection": "source", "place": "source.json", "mapping": "document", "mode": "two-way"}
    target = {"connection": "target", "mode": "two-way", "hard_deletes": True, **copies, **row.link}
    job = {
        "scope": {"application": "faults"},
        "limits": {"changes": "100%", "deletes": "100%"},
        "links": [{**source, "priority": 10, **copies}, {**target, "priority": 10}],
        **({"secret": ["*", "*/*"]} if row.secret else {}),
    }
    pace = {"rate": 100_000, "write_rate": 100_000, "retries": ATTEMPTS - 1}
    return {
        "store": {"url": f"sqlite:///{folder}/store.db", "key": f"file:{folder}/secrets.key"},
        "connections": {
            "source": {"adapter": "files", "root": str(folder), **({"secrets": True} if row.secret else {})},
            "target": {**opened.connection, **timeouts, "pace": pace},
        },
        "jobs": {"job": job},
    }
