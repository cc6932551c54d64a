"""How often Key Vault is asked, through the engine, next to the least that its API allows.

The first question to a vault asks for its challenge. A set is one call of four: a look before it, so that
nothing newer is overwritten and its attributes are kept; a look at the versions after it, so that nothing is
lost unseen; and the read that proves it. An update and a delete also read the value that the archive keeps,
and a delete is preceded by one more point read. What changed less than five seconds ago costs a read at each
look, because the second of its change time could still get another version.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ecs_sync.config import load
from ecs_sync.registry import Registry
from ecs_sync.store import FileKeys, Store
from ecs_sync.sync import Order, run
from ecs_sync.workbench import Workbench, fingerprint_key_of
from ecs_sync_sandbox.azure_keyvault import KeyVaultServer

_CONFIG = """\
store: {{url: "sqlite:///{folder}/store.db", key: "file:{folder}/secrets.key"}}
connections:
  source: {{adapter: files, root: "{folder}"}}
  vault: {vault}
jobs:
  job:
    scope: {{application: benchmark}}
    limits: {{changes: 100%, deletes: 100%}}
    secret: ["*"]
    links:
      - {{connection: source, place: source.json, mapping: document, mode: import, priority: 10}}
      - connection: vault
        place: acme-
        mapping: {{name: path, separator: "--"}}
        mode: mirror
        secrets: copy
        hard_deletes: true
"""


@dataclass(frozen=True, slots=True)
class Count:
    """What one run asked of the vault, and what the API asks for at least."""

    what: str
    calls: int
    least: int


@dataclass
class Clock:
    """The vault's clock, which stands still until the benchmark moves it; its answers have the real time."""

    now: float

    def __call__(self) -> float:
        return self.now


@contextmanager
def _ground(server: KeyVaultServer, folder: Path) -> Iterator[Workbench]:
    path = folder / "ecs-sync.yaml"
    connection = {**server.connection(), "pace": {"rate": 100_000, "write_rate": 100_000}}
    path.write_text(_CONFIG.format(folder=folder, vault=json.dumps(connection)), encoding="utf-8")
    FileKeys(folder / "secrets.key").create()
    registry = Registry.from_entry_points()
    config = load(path, environ={**os.environ, **server.environment}, registry=registry)
    Store.create(config.store.address(), fingerprint_key=fingerprint_key_of(config).create()).close()
    with Workbench.open(config, registry) as bench:
        yield bench


@dataclass
class Trial:
    """A folder of secrets, mirrored into a vault run by run."""

    server: KeyVaultServer
    clock: Clock
    bench: Workbench
    source: Path
    held: dict[str, str]

    def measured(self, what: str, least: int) -> Count:
        """What the next run asks of the vault."""
        self.source.write_text(json.dumps(self.held), encoding="utf-8")
        before = len(self.server.requests)
        report = run(self.bench.job("job"), self.bench.store, Order("benchmark"))
        assert report.exit_code == 0, report
        return Count(what, len(self.server.requests) - before, least)


@contextmanager
def trial(secrets: int, clock: Clock) -> Iterator[Trial]:
    """So many secrets, in the folder and not yet in the vault."""
    with (
        tempfile.TemporaryDirectory(prefix="ecs-sync-benchmark-") as folder,
        KeyVaultServer(clock=clock) as server,
        _ground(server, Path(folder)) as bench,
    ):
        held = {f"setting-{number:04}": f"secret {number}" for number in range(secrets)}
        yield Trial(server, clock, bench, Path(folder, "source.json"), held)


def counts(secrets: int, written: int, deleted: int) -> list[Count]:
    """The calls of a run that creates, of ones that find nothing to do, and of ones that update and delete
    so many.
    """
    pages = _pages(secrets)
    with trial(secrets, Clock(time.time() + 3600)) as fresh:
        fresh.measured("", 0)
        just_now = fresh.measured(f"nothing changed for less than 5 s, {secrets} just before", pages)
    clock = Clock(time.time() - 3600)
    with trial(secrets, clock) as settled:
        found = [settled.measured(f"create {secrets}", 1 + secrets), just_now]
        found.append(settled.measured("nothing changed for longer", pages))
        clock.now += 60
        for name in list(settled.held)[:written]:
            settled.held[name] += "!"
        found.append(settled.measured(f"update {written}", pages + written))
        for name in list(settled.held)[-deleted:]:
            del settled.held[name]
        found.append(settled.measured(f"delete {deleted}", pages + deleted))
    return found


def _pages(secrets: int) -> int:
    return max(1, -(-secrets // 25))


def measure() -> None:
    """Prints the counts."""
    print(f"{'key vault':<50}  {'calls':>6}  {'least':>6}")
    for count in counts(100, 40, 20):
        print(f"{count.what:<50}  {count.calls:>6}  {count.least:>6}")


if __name__ == "__main__":
    measure()
