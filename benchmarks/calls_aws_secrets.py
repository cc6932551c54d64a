"""How often Secrets Manager is asked, through the engine, next to the least that its API allows.

A full read lists first, so that what did not move is never read again. An update is a look, a version stored
beside the one in force, and the move of the label: an unguarded one would be one call. A delete looks once
more, because AWS compares nothing there, and is preceded by the engine's own point read. Updates and deletes
read the values that the archive keeps, and every write is proved by a read; reads take twenty at once.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ecs_sync.config import load
from ecs_sync.registry import Registry
from ecs_sync.store import FileKeys, Store
from ecs_sync.sync import Order, priced, run
from ecs_sync.workbench import Workbench, fingerprint_key_of
from ecs_sync_adapters.aws_secrets import SecretsAdapter
from ecs_sync_adapters.aws_secrets_options import SecretsOptions, SecretsPlace
from ecs_sync_sandbox.aws import AwsServer

_CONFIG = """\
store: {{url: "sqlite:///{folder}/store.db", key: "file:{folder}/secrets.key"}}
connections:
  source: {{adapter: files, root: "{folder}"}}
  secrets:
    adapter: aws-secrets
    region: {region}
    endpoint: "{url}"
    credential: explicit
    access_key_id: env:BENCH_ID
    secret_access_key: env:BENCH_KEY
    pace: {{rate: 100000, write_rate: 100000}}
jobs:
  job:
    scope: {{application: benchmark}}
    limits: {{changes: 100%, deletes: 100%}}
    secret: ["*"]
    links:
      - {{connection: source, place: source.json, mapping: document, mode: import, priority: 10}}
      - {{connection: secrets, place: acme/, mapping: path, mode: mirror, secrets: copy}}
"""


@dataclass(frozen=True, slots=True)
class Count:
    """What one run asked of Secrets Manager, by operation; what the API asks for at least, and what the plan
    had foreseen, where there was one.
    """

    what: str
    calls: Counter[str]
    least: int
    foreseen: int | None = None


@dataclass
class Trial:
    """A file of secrets, mirrored into Secrets Manager run by run."""

    aws: AwsServer
    bench: Workbench
    source: Path
    held: dict[str, str]

    def measured(self, what: str, least: int) -> Count:
        """What the next run asks."""
        self.source.write_text(json.dumps(self.held), encoding="utf-8")
        _, cost = priced(self.bench.job("job"), self.bench.store)
        (foreseen,) = (link.calls for link in cost.links if link.link == "secrets")
        before = len(self.aws.requests)
        report = run(self.bench.job("job"), self.bench.store, Order("benchmark"))
        assert report.exit_code == 0, report
        calls = Counter(each.operation for each in self.aws.requests[before:])
        return Count(what, calls, least, foreseen)


@contextmanager
def trial(secrets: int) -> Iterator[Trial]:
    """So many secrets, in the file and not yet in Secrets Manager."""
    with tempfile.TemporaryDirectory(prefix="ecs-sync-benchmark-") as folder, AwsServer() as aws:
        path = Path(folder, "ecs-sync.yaml")
        path.write_text(_CONFIG.format(folder=folder, region=aws.region, url=aws.url), encoding="utf-8")
        FileKeys(Path(folder, "secrets.key")).create()
        registry = Registry.from_entry_points()
        environment = {**os.environ, "BENCH_ID": "sandbox", "BENCH_KEY": "sandbox"}
        config = load(path, environ=environment, registry=registry)
        Store.create(config.store.address(), fingerprint_key=fingerprint_key_of(config).create()).close()
        with Workbench.open(config, registry) as bench:
            held = {f"setting-{number:04}": f"secret {number}" for number in range(secrets)}
            yield Trial(aws, bench, Path(folder, "source.json"), held)


def counts(secrets: int, written: int, deleted: int) -> list[Count]:
    """The calls of runs that create, find nothing to do, update and delete so many; the full read apart."""
    with trial(secrets) as one:
        found = [one.measured(f"create {secrets}", secrets)]
        found.append(one.measured("nothing changed", _pages(secrets, 100)))
        for name in list(one.held)[:written]:
            one.held[name] += "!"
        found.append(one.measured(f"update {written}", written))
        for name in list(one.held)[-deleted:]:
            del one.held[name]
        found.append(one.measured(f"delete {deleted}", deleted))
        return found


def full_read(secrets: int) -> Count:
    """A listing and the reading of all that it shows."""
    with trial(secrets) as one:
        one.measured("", 0)
        options = SecretsOptions(
            one.aws.region,
            endpoint=one.aws.url,
            credential="explicit",
            access_key_id="sandbox",
            secret_access_key="sandbox",
        )
        adapter = SecretsAdapter(options)
        before = len(one.aws.requests)
        listing = adapter.list(SecretsPlace("acme/"), None)
        ids = [item.id for page in listing.pages for item in page.items]
        assert sum(len(page.items) for page in adapter.get(ids).pages) == secrets
        adapter.close()
        calls = Counter(each.operation for each in one.aws.requests[before:])
        return Count(f"read {secrets} in full", calls, _pages(secrets, 20))


def _pages(secrets: int, size: int) -> int:
    return max(1, -(-secrets // size))


def measure() -> None:
    """Prints the counts."""
    print(f"{'secrets manager':<24}  {'calls':>6}  {'least':>6}")
    for count in [full_read(100), *counts(100, 40, 20)]:
        told = ", ".join(f"{number} {name}" for name, number in sorted(count.calls.items()))
        print(f"{count.what:<24}  {count.calls.total():>6}  {count.least:>6}  {told}")


if __name__ == "__main__":
    measure()
