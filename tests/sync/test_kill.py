"""Real processes, killed: a second one finishes what the first began, as if nothing had happened."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from ecs_sync import sync
from ecs_sync.config import load
from ecs_sync.faults import Point, attach, detach
from ecs_sync.model import Scope
from ecs_sync.registry import Registry
from ecs_sync.store import FileKeys, RunState, Store
from ecs_sync.workbench import Workbench
from ecs_sync_sandbox.consul import ConsulServer

ROOT = Path(__file__).parents[2]
SCOPE = Scope(application="app")


class Site:
    """A file and a folder of Consul with one store between them, all of it in a folder and a server."""

    def __init__(self, folder: Path, consul: ConsulServer) -> None:
        self.folder, self.consul = folder, consul

    def configure(self) -> None:
        file = {"connection": "files", "place": "app.json", "mapping": "document", "mode": "two-way"}
        tree = {"connection": "consul", "place": "app/", "mapping": "path", "mode": "mirror"}
        config = {
            "store": {"url": "sqlite:///store.db"},
            "connections": {
                "files": {"adapter": "files", "root": "."},
                "consul": {"adapter": "consul", "url": self.consul.url},
            },
            "jobs": {
                "job": {
                    "scope": {"application": "app"},
                    "limits": {"floor": 100},
                    "links": [{**file, "priority": 10}, tree],
                }
            },
        }
        (self.folder / "ecs-sync.yaml").write_text(json.dumps(config))
        key = FileKeys.beside(self.folder / "store.db").create()
        Store.create(f"sqlite:///{self.folder / 'store.db'}", fingerprint_key=key).close()

    def write(self, values: dict[str, str]) -> None:
        (self.folder / "app.json").write_text(json.dumps(values))

    @contextmanager
    def bench(self) -> Iterator[Workbench]:
        registry = Registry.from_entry_points()
        with Workbench.open(
            load(self.folder / "ecs-sync.yaml", environ={}, registry=registry), registry
        ) as bench:
            yield bench

    def finish(self) -> list[Point]:
        """Runs the job in this process; the points that it reached."""
        reached: list[Point] = []
        attach(reached.append)
        try:
            with self.bench() as bench:
                sync.run(bench.job("job"), bench.store, sync.Order("tester"))
        finally:
            detach(reached.append)
        return reached

    def start(self, point: str, reach: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.sync.dying", point, str(reach)]
        command += ["-c", str(self.folder / "ecs-sync.yaml"), "sync", "job"]
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def killed(self, point: str, reach: int) -> None:
        assert self.start(point, reach).wait(60) == -9

    def end(self) -> dict[str, Any]:
        with self.bench() as bench:
            store = bench.store
            tracks = store.tracks("job")
            stored = store.at(SCOPE, store.head())
            assert store.verify_audit().ok
            assert not [run for run in store.runs("job") if run.state is RunState.RUNNING]
            return {
                "file": json.loads((self.folder / "app.json").read_text()),
                "litter": sorted(p.name for p in self.folder.iterdir() if not p.name.startswith("store.db")),
                "consul": {key: pair.value for key, pair in self.consul.kv.snapshot().items()},
                "entries": {key: row.entry.value.text for key, row in stored.items() if row.entry},
                "bases": [[(b.key, b.fingerprint, b.version) for b in store.bases(t.id)] for t in tracks],
                "intents": [intent for track in tracks for intent in store.intents(track.id)],
                "conflicts": store.all_conflicts(),
            }


@pytest.fixture(scope="module")
def consul() -> Iterator[ConsulServer]:
    with ConsulServer() as server:
        yield server


@pytest.fixture(scope="module")
def edited(tmp_path_factory: pytest.TempPathFactory, consul: ConsulServer) -> tuple[Site, Any]:
    """A site in step, then edited in the file; Consul so far is empty of what it shall hold."""
    site = Site(tmp_path_factory.mktemp("kill") / "site", consul)
    site.folder.mkdir()
    site.configure()
    site.write({"kept": "1", "moved": "1", "gone": "1"})
    site.finish()
    site.finish()
    site.write({"kept": "1", "moved": "2", "new": "3"})
    return site, consul.kv.snapshot()


@pytest.fixture
def site(edited: tuple[Site, Any], tmp_path: Path) -> Site:
    """A copy of the edited site."""
    made, there = edited
    made.consul.kv.restore(there)
    shutil.copytree(made.folder, tmp_path / "copy")
    return Site(tmp_path / "copy", made.consul)


@pytest.fixture(scope="module")
def undisturbed(
    edited: tuple[Site, Any], tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], list[Point]]:
    made, there = edited
    made.consul.kv.restore(there)
    folder = tmp_path_factory.mktemp("whole") / "copy"
    shutil.copytree(made.folder, folder)
    whole = Site(folder, made.consul)
    reached = whole.finish()
    return whole.end(), reached


def test_the_run_that_is_killed_below_passes_every_point_but_recovery(
    undisturbed: tuple[dict[str, Any], list[Point]],
) -> None:
    assert set(undisturbed[1]) == set(Point) - {Point.RECOVERING}
    values = {"kept": "1", "moved": "2", "new": "3"}
    assert undisturbed[0]["entries"] == values == undisturbed[0]["file"]
    assert undisturbed[0]["consul"] == {f"app/{key}": text.encode() for key, text in values.items()}


@pytest.mark.parametrize("point", [point for point in Point if point is not Point.RECOVERING])
def test_a_process_killed_at_a_point_is_finished_by_another(
    site: Site, undisturbed: tuple[dict[str, Any], list[Point]], point: Point
) -> None:
    site.killed(point, 1)
    site.finish()
    assert site.end() == undisturbed[0]
    assert Point.RECORDED not in site.finish()


def test_a_process_killed_while_it_recovers_is_finished_by_another(
    site: Site, undisturbed: tuple[dict[str, Any], list[Point]]
) -> None:
    site.killed(Point.SENT, 1)
    site.killed(Point.RECOVERING, 1)
    assert Point.RECOVERING in site.finish()
    assert site.end() == undisturbed[0]


@pytest.mark.parametrize("seed", range(4))
def test_processes_killed_at_any_time_are_finished_by_another(
    site: Site, undisturbed: tuple[dict[str, Any], list[Point]], seed: int
) -> None:
    chance = random.Random(seed)
    process = site.start("any", 0)
    with suppress(subprocess.TimeoutExpired):
        process.wait(chance.uniform(0.3, 1.5))
    process.kill()
    process.wait(60)
    site.finish()
    assert site.end() == undisturbed[0]
