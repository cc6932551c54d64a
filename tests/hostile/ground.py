"""What bad input is thrown at: a job in step with Consul, one with files, and a secret in the store.

All that could be lost is taken down before a command and compared after it.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ecs_sync.cli.app import run
from ecs_sync_sandbox.aws import AwsServer
from ecs_sync_sandbox.consul import ConsulServer

CANARY = "CANARYw8Rk2Pz6Tn4"
"""A secret, or a text that might be one: it must never be shown."""

CONFIG = """\
store: {{url: "sqlite:///ecs-sync.db", key: "file:secrets.key"}}
connections:
  files: {{adapter: files, root: files}}
  consul: {{adapter: consul, url: "{consul}", timeout: 1, pace: {{retries: 0}}}}
  ssm:
    adapter: aws-ssm
    region: eu-west-1
    endpoint: "{aws}"
    credential: explicit
    access_key_id: "env:HOSTILE_KEY_ID"
    secret_access_key: "env:HOSTILE_KEY"
    pace: {{retries: 0}}
jobs:
  payments:
    scope: {{application: payments}}
    secret: ["*password*"]
    links:
      - {{connection: consul, place: acme/, mapping: path, mode: two-way, priority: 50}}
  documents:
    scope: {{application: documents}}
    links:
      - {{connection: files, place: settings.yaml, mapping: document, mode: two-way, priority: 50}}
  parameters:
    scope: {{application: parameters}}
    links:
      - {{connection: ssm, place: "{path}", mapping: path, mode: mirror}}
"""


@dataclass(frozen=True)
class Answer:
    code: int
    said: str


@dataclass
class Ground:
    folder: Path
    consul: ConsulServer
    aws: AwsServer
    monkeypatch: pytest.MonkeyPatch
    afterwards: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @property
    def path(self) -> str:
        """The place of this ground at Parameter Store."""
        return f"/hostile/{self.folder.name}/"

    @property
    def config(self) -> Path:
        return self.folder / "ecs-sync.yaml"

    def edit(self, before: str, after: str) -> None:
        """Somebody edits the configuration."""
        text = self.config.read_text()
        assert before in text
        self.config.write_text(text.replace(before, after))

    def file(self, name: str) -> Path:
        return self.folder / "files" / name

    def database(self, statement: str) -> None:
        """Somebody edits the store's file with another program."""
        with contextlib.closing(sqlite3.connect(self.folder / "ecs-sync.db")) as database:
            database.execute(statement)
            database.commit()

    def __call__(self, *words: str, given: str = "") -> Answer:
        """Runs the command in this process."""
        out = io.StringIO()
        self.monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given.encode())))
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            code = run(list(words))
        return Answer(code, out.getvalue())

    def ok(self, *words: str, given: str = "") -> None:
        answer = self(*words, given=given)
        assert answer.code == 0, answer.said

    def process(self, *words: str, limit: Callable[[], None] | None = None) -> subprocess.Popen[bytes]:
        """Starts the command as a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "ecs_sync", *words],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=limit,
        )

    def state(self) -> dict[str, Any]:
        """All that could be lost: the store's entries, every file, and what lies at the servers."""
        return {
            "entries": self._entries(),
            "files": {str(path): _content(path) for path in sorted(self.folder.rglob("*"))},
            "consul": dict(self.consul.kv.snapshot()),
            "ssm": [name for name in self.aws.names() if name.startswith(self.path)],
        }

    def _entries(self) -> list[Any] | str:
        uri = f"file:{self.folder / 'ecs-sync.db'}?mode=ro"
        try:
            with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=0)) as database:
                return database.execute("SELECT * FROM entry ORDER BY 1, 2, 3").fetchall()
        except sqlite3.Error as error:
            return str(error)


def _content(path: Path) -> Any:
    if path.is_symlink():
        return str(path.readlink())
    if not path.is_file() or path.name.startswith("ecs-sync.db"):
        return None
    return path.stat().st_size if path.stat().st_size > 1 << 24 else path.read_bytes()


def prepare(folder: Path) -> None:
    """A store with its keys and a secret, to be copied: making one takes longer than most rows do."""
    with pytest.MonkeyPatch.context() as monkeypatch, ConsulServer() as consul, AwsServer() as aws:
        ground = _laid(folder, consul, aws, monkeypatch)
        ground.file("settings.yaml").write_text("kept: here\n")
        ground.ok("store", "new-key", "secrets.key")
        ground.ok("init")
        ground.ok("set", "payments", "db/password", "--secret", given=CANARY)


@contextlib.contextmanager
def opened(prepared: Path, folder: Path, aws: AwsServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    """A ground of its own in a folder, in step with Consul but for the secret."""
    shutil.copytree(prepared, folder, dirs_exist_ok=True)
    with ConsulServer() as consul:
        ground = _laid(folder, consul, aws, monkeypatch)
        with ground.afterwards:
            consul.kv.put("acme/kept", b"here")
            assert ground("sync", "payments").code == 4
            yield ground


def _laid(folder: Path, consul: ConsulServer, aws: AwsServer, monkeypatch: pytest.MonkeyPatch) -> Ground:
    monkeypatch.chdir(folder)
    for name in [name for name in os.environ if name.startswith("ECS_SYNC")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOSTILE_KEY_ID", "sandbox")
    monkeypatch.setenv("HOSTILE_KEY", CANARY)
    (folder / "files").mkdir(exist_ok=True)
    ground = Ground(folder, consul, aws, monkeypatch)
    ground.config.write_text(CONFIG.format(consul=consul.url, aws=aws.url, path=ground.path))
    return ground
