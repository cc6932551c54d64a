"""A folder with a configuration, a store, files and a Consul, and the command that works on them."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ecs_sync.cli.app import run
from ecs_sync_sandbox.consul import ConsulServer

CANARY = "CANARYq7Zx9Lw3VbT5"
"""A secret of which no part stands anywhere else."""


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class World:
    folder: Path
    consul: ConsulServer
    monkeypatch: pytest.MonkeyPatch

    def configure(self, jobs: str, *, key: bool = True) -> None:
        """Writes the configuration; ``jobs`` is the YAML beneath ``jobs``, indented by two."""
        sealing = ', key: "file:secrets.key"' if key else ""
        (self.folder / "ecs-sync.yaml").write_text(
            f"""\
store: {{url: "sqlite:///ecs-sync.db"{sealing}}}
connections:
  files: {{adapter: files, root: "{self.folder}/files"}}
  safe: {{adapter: files, root: "{self.folder}/safe", secrets: true}}
  consul: {{adapter: consul, url: "{self.consul.url}", timeout: 2, pace: {{retries: 0}}}}
jobs:
{jobs}"""
        )

    def put(self, key: str, value: str) -> None:
        """An edit at Consul by somebody else."""
        self.consul.kv.put(key, value.encode(), 0)

    def at_consul(self, key: str) -> str | None:
        pairs = self.consul.kv.read(key)[1]
        return (pairs[0].value or b"").decode() if pairs else None

    def write(self, name: str, text: str) -> None:
        (self.folder / "files" / name).write_text(text)

    def __call__(self, *words: str, given: str = "") -> Answer:
        """Runs the command in this process."""
        out, err = io.StringIO(), io.StringIO()
        self.monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given.encode())))
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run(list(words))
        return Answer(code, out.getvalue(), err.getvalue())

    def process(self, *words: str, **options: Any) -> subprocess.Popen[bytes]:
        """Starts the command as a process of its own."""
        command = [sys.executable, "-m", "ecs_sync", *words]
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(command, cwd=self.folder, **{**pipes, **options})


ONE = """\
  payments:
    scope: {tenant: acme}
    secret: ["*password*"]
    links:
      - {connection: consul, place: acme/, mapping: path, mode: two-way, priority: 50}
"""
"""One job with one link, which pushes and adopts."""

MIRROR = """\
  payments:
    scope: {tenant: acme}
    secret: ["*password*"]
    links:
      - {connection: consul, place: acme/, mapping: path, mode: mirror}
"""


@contextlib.contextmanager
def opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.chdir(folder)
    for name in [name for name in os.environ if name.startswith("ECS_SYNC") or name == "NO_COLOR"]:
        monkeypatch.delenv(name)
    for name in ("files", "safe"):
        (folder / name).mkdir()
    with ConsulServer() as consul:
        world = World(folder, consul, monkeypatch)
        yield world
