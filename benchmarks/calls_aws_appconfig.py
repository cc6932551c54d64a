"""How often AppConfig is asked, through the engine, next to the least that its API allows.

Where ours are more, the row says why. Calls are those of the stand-in's log, all point reads included.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ecs_sync.config import load
from ecs_sync.registry import Registry
from ecs_sync.store import Store
from ecs_sync.sync import Order, run
from ecs_sync.workbench import Workbench, fingerprint_key_of
from ecs_sync_sandbox.aws_appconfig import AppConfigServer

_CONFIG = """\
store: {{url: "sqlite:///{folder}/store.db"}}
connections:
  source: {{adapter: files, root: "{folder}"}}
  appconfig: {appconfig}
jobs:
  job:
    scope: {{application: benchmark}}
    limits: {{changes: 100%, deletes: 100%}}
    links:
      - {{connection: source, place: source.json, mapping: document, mode: import, priority: 10}}
      - connection: appconfig
        place: acme/prod/settings
        mapping: {{name: document, format: json}}
        mode: mirror
"""
_LOOK_UP = ("ListApplications", "ListEnvironments")
_LOOK = ("ListConfigurationProfiles", "ListDeployments")
_READ = ("GetHostedConfigurationVersion",)


@dataclass(frozen=True, slots=True)
class Count:
    """What one run asked of AppConfig: names looked up, looks, documents read, writes; and the least."""

    what: str
    look_ups: int
    looks: int
    reads: int
    writes: int
    least: int
    why: str = ""

    @property
    def calls(self) -> int:
        return self.look_ups + self.looks + self.reads + self.writes


@contextmanager
def _ground(server: AppConfigServer, folder: Path) -> Iterator[Workbench]:
    path = folder / "ecs-sync.yaml"
    credential = {"credential": "explicit", "access_key_id": "env:ID", "secret_access_key": "env:KEY"}
    pace = {"pace": {"rate": 100_000, "write_rate": 100_000}}
    connection = json.dumps({**server.connection(), **credential, **pace})
    path.write_text(_CONFIG.format(folder=folder, appconfig=connection), encoding="utf-8")
    registry = Registry.from_entry_points()
    config = load(path, environ={"ID": "sandbox", "KEY": "sandbox"}, registry=registry)
    key = fingerprint_key_of(config)
    url = config.store.address()
    if not Path(folder, "store.db").exists():
        Store.create(url, fingerprint_key=key.create()).close()
    with Workbench.open(config, registry) as bench:
        yield bench


def counts(keys: int, written: int, deleted: int) -> list[Count]:
    """The calls of runs over one document: create, nothing to do, update and delete so many keys."""
    found: list[Count] = []
    with tempfile.TemporaryDirectory(prefix="ecs-sync-benchmark-") as place, AppConfigServer() as server:
        folder = Path(place)
        held = {f"setting-{number:05}": f"value {number}" for number in range(keys)}

        def measured(bench: Workbench, what: str, least: int, why: str = "") -> None:
            (folder / "source.json").write_text(json.dumps(held), encoding="utf-8")
            server.http.requests.clear()
            report = run(bench.job("job"), bench.store, Order("benchmark"))
            assert report.exit_code == 0, report
            asked = Counter(server.operations())
            names, looks, reads = (sum(asked[name] for name in kind) for kind in (_LOOK_UP, _LOOK, _READ))
            writes = asked.total() - names - looks - reads
            found.append(Count(what, names, looks, reads, writes, least, why))

        with _ground(server, folder) as bench:
            measured(bench, f"create {keys}", 3, _CREATED)
            measured(bench, "look again", 1, _READ_AGAIN)
            measured(bench, "nothing changed", 1, _PROBE)
            for name in list(held)[:written]:
                held[name] += "!"
            measured(bench, f"update {written}", 3, _WRITTEN)
            measured(bench, "look again", 1, _READ_AGAIN)
            for name in list(held)[-deleted:]:
                del held[name]
            measured(bench, f"delete {deleted}", 3, _WRITTEN)
            measured(bench, "look again", 1, _READ_AGAIN)
        with _ground(server, folder) as bench:
            measured(bench, "a new process", 1, _LOOKED_UP)
    return found


_PROBE = "one call more shows that the profile still exists, of which deployments keep no trace"
_LOOKED_UP = "names may have been given to others meanwhile, so they are looked up; and as above"
_READ_AGAIN = "the document that the run before wrote is read once more, and the profiles are listed"
_WRITTEN = (
    "the look before the version keeps a busy or moved environment from getting one; what is replaced is "
    "read before, what was written after"
)
_CREATED = "names are looked up, the profile is made, and as below"


def measure() -> None:
    """Prints the counts."""
    titles = f"{'names':>5}  {'looks':>5}  {'reads':>5}  {'writes':>6}  {'calls':>5}  {'least':>5}"
    print(f"{'appconfig':<16}  {titles}")
    for each in counts(250, 40, 20):
        cells = f"{each.look_ups:>5}  {each.looks:>5}  {each.reads:>5}  {each.writes:>6}"
        told = f"{cells}  {each.calls:>5}  {each.least:>5}"
        print(f"{each.what:<16}  {told}" + (f"  {each.why}" if each.calls > each.least else ""))


if __name__ == "__main__":
    measure()
