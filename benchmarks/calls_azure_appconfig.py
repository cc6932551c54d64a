"""How often App Configuration is asked, through the engine, next to the least that its API allows.

Where ours are more, the row says why. Calls are those of the stand-in's log, the point reads that precede
deletes and those that prove what was written included.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ecs_sync.config import load
from ecs_sync.registry import Registry
from ecs_sync.store import Store
from ecs_sync.sync import Order, run
from ecs_sync.workbench import Workbench, fingerprint_key_of
from ecs_sync_sandbox.azure_appconfig import AzureAppConfigServer

_CONFIG = """\
store: {{url: "sqlite:///{folder}/store.db"}}
connections:
  source: {{adapter: files, root: "{folder}"}}
  azure: {azure}
jobs:
  job:
    scope: {{application: benchmark}}
    limits: {{changes: 100%, deletes: 100%}}
    links:
      - {{connection: source, place: source.json, mapping: document, mode: import, priority: 10}}
      - {{connection: azure, place: "prod|app/", mapping: path, mode: mirror}}
"""
_PAGE = 100


@dataclass(frozen=True, slots=True)
class Count:
    """What one run asked of the store: pages, reads by name, writes; and the least there could be."""

    what: str
    pages: int
    reads: int
    writes: int
    least: int
    why: str = ""

    @property
    def calls(self) -> int:
        return self.pages + self.reads + self.writes


@contextmanager
def ground(server: AzureAppConfigServer, folder: Path) -> Iterator[Workbench]:
    """A store with a job that imports ``source.json`` of a folder and mirrors it to the label prod."""
    path = folder / "ecs-sync.yaml"
    connection = {**server.connection(), "pace": {"rate": 100_000, "write_rate": 100_000}}
    path.write_text(_CONFIG.format(folder=folder, azure=json.dumps(connection)), encoding="utf-8")
    registry = Registry.from_entry_points()
    config = load(path, environ={**os.environ, **server.environment}, registry=registry)
    Store.create(config.store.address(), fingerprint_key=fingerprint_key_of(config).create()).close()
    with Workbench.open(config, registry) as bench:
        yield bench


def counts(settings: int, written: int, deleted: int) -> list[Count]:
    """The calls of a run that creates, of one with nothing to do, of runs that update and delete so many."""
    found: list[Count] = []
    with (
        tempfile.TemporaryDirectory(prefix="ecs-sync-benchmark-") as folder,
        AzureAppConfigServer() as server,
        ground(server, Path(folder)) as bench,
    ):
        held = {f"setting-{number:05}": f"value {number}" for number in range(settings)}

        def measured(what: str, least: int, why: str = "") -> None:
            Path(folder, "source.json").write_text(json.dumps(held), encoding="utf-8")
            before = len(server.requests)
            report = run(bench.job("job"), bench.store, Order("benchmark"))
            assert report.exit_code == 0, report
            asked = server.requests[before:]
            writes = sum(request.method in ("PUT", "DELETE") for request in asked)
            # A listing of a place has a prefix filter, the point reads have names.
            pages = sum(request.query.get("key", "").endswith("*") for request in asked)
            found.append(Count(what, pages, len(asked) - writes - pages, writes, least, why))

        measured(f"create {settings}", 1 + settings, _PROOF)
        measured("look again", _pages(settings), _OWN)
        measured("nothing changed", _pages(settings))
        for name in list(held)[:written]:
            held[name] += "!"
        measured(f"update {written}", _pages(settings) + written, _PROOF)
        measured("look again", _pages(settings), _OWN)
        for name in list(held)[-deleted:]:
            del held[name]
        measured(f"delete {deleted}", _pages(settings) + deleted, _POINT)
        measured("look again", _pages(settings - deleted), _OWN)
        measured("nothing changed", _pages(settings - deleted))
    return found


def _pages(settings: int) -> int:
    """A full page always names a next one, be it empty."""
    return settings // _PAGE + 1


_PROOF = "what is overwritten is read before, and what was written after, five a call"
_OWN = (
    "pages that the run before wrote are no longer those it saw; those before the first such are read again"
)
_POINT = "what is deleted is read with its value, once more right before, and its absence after, five a call"


def measure() -> None:
    """Prints the counts."""
    print(f"{'app configuration':<18}  {'pages':>5}  {'reads':>5}  {'writes':>6}  {'calls':>5}  {'least':>5}")
    for each in counts(250, 40, 20):
        cells = f"{each.pages:>5}  {each.reads:>5}  {each.writes:>6}  {each.calls:>5}  {each.least:>5}"
        print(f"{each.what:<18}  {cells}" + (f"  {each.why}" if each.calls > each.least else ""))


if __name__ == "__main__":
    measure()
