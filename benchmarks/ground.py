"""What the benchmarks of whole runs stand on: a temporary folder with a store, and a job."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ecs_sync.config import load
from ecs_sync.registry import Registry
from ecs_sync.store import Store
from ecs_sync.workbench import Workbench, fingerprint_key_of

_CONFIG = """\
store: {{url: "sqlite:///{folder}/store.db"}}
connections:
  source: {{adapter: files, root: "{folder}"}}
  target: {{{target}}}
jobs:
  job:
    scope: {{application: benchmark}}
    limits: {{changes: 100%, deletes: 100%}}
    links:
      - {{connection: source, place: source.json, mapping: document, mode: import, priority: 10}}
      - {{connection: target, place: {place}, mapping: path, mode: mirror}}
"""


def entries(count: int) -> dict[str, str]:
    return {f"setting-{i:06d}": f"the value of setting number {i}" for i in range(count)}


@contextmanager
def ground(count: int, target: str, place: str) -> Iterator[Workbench]:
    """A job that imports ``count`` keys from a file and mirrors them to ``target``."""
    with tempfile.TemporaryDirectory(prefix="ecs-sync-benchmark-") as folder:
        Path(folder, "source.json").write_text(json.dumps(entries(count)), encoding="utf-8")
        path = Path(folder, "ecs-sync.yaml")
        path.write_text(_CONFIG.format(folder=folder, target=target, place=place), encoding="utf-8")
        registry = Registry.from_entry_points()
        config = load(path, environ=os.environ, registry=registry)
        key = fingerprint_key_of(config).create()
        Store.create(config.store.address(), fingerprint_key=key).close()
        with Workbench.open(config, registry) as bench:
            yield bench
