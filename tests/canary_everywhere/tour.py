"""A tour of the command with secrets in all that it touches, and what it left when it is over."""

from __future__ import annotations

import json
import signal
import sqlite3
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ecs_sync_sandbox.real_server import free_port
from tests.canary import new_canary, spellings
from tests.canary_everywhere.watched import Answer, Traces, Watched

FORMATS = ("text", "json", "markdown")
JOB = "everywhere"
KEY = "db/password"
PATIENCE = 30.0
COMMAND = "ecs-sync"


@dataclass
class Tour:
    """One installation. ``canaries`` are the secrets that went in, ``health`` what its endpoint said.

    ``connections`` and ``jobs`` are those of the configuration, ``key`` is what it says of ``store.key``.
    """

    watched: Watched
    connections: Mapping[str, Any]
    jobs: Mapping[str, Any]
    key: Any = "file:secrets.key"
    url: str = "sqlite:///ecs-sync.db"
    port: int = field(default_factory=free_port)
    canaries: list[str] = field(default_factory=list)
    health: list[tuple[str, bytes]] = field(default_factory=list)
    reader: sqlite3.Connection | None = None

    @property
    def home(self) -> Path:
        return self.watched.home

    def canary(self) -> str:
        """Another secret. All have both halves in common, so that one search finds any of them."""
        first = self.canaries[0] if self.canaries else new_canary()
        self.canaries.append(f"{first[:26]}{len(self.canaries):03}{first[-16:]}")
        return self.canaries[-1]

    def where(self, *more: tuple[str, bytes]) -> list[str]:
        """Where any of the secrets stands, in any spelling; ``more`` is what others saw of it all."""
        return self.traces(*more).where(spellings(self.canaries[0]))

    def traces(self, *more: tuple[str, bytes]) -> Traces:
        return Traces.of(self.watched, *self.health, *more)

    def __call__(self, *words: str, given: str = "") -> Answer:
        return self.watched(*words, given=given)

    def good(self, *words: str, given: str = "") -> Answer:
        """A call that must go well, or the tour leads nowhere."""
        answer = self(*words, given=given)
        assert answer.code == 0, (words, answer)
        return answer

    def hold_log(self) -> None:
        """From now on the store's write-ahead log stays and grows, for somebody else reads the store."""
        self.reader = sqlite3.connect(self.home / "ecs-sync.db")
        self.reader.execute("BEGIN")
        self.reader.execute("SELECT count(*) FROM sqlite_master").fetchone()

    def keep_log(self) -> None:
        """A copy of the log as it grew; from now on it stays, and begins anew."""
        if self.reader is not None:
            log = self.home / "ecs-sync.db-wal"
            (self.watched.kept / "grown-wal").write_bytes(log.read_bytes())
            self.reader.rollback()

    def last_run(self) -> str:
        run: str = self("runs", "-o", "json").json["runs"][0]["run"]
        return run

    def configure(self) -> None:
        store: dict[str, Any] = {"url": self.url, "key": self.key}
        if not self.url.startswith("sqlite"):
            store["fingerprint_key"] = "fingerprint.key"
        config = {
            "store": store,
            "connections": self.connections,
            "jobs": self.jobs,
            "worker": {"health": f"127.0.0.1:{self.port}"},
        }
        (self.home / "ecs-sync.yaml").write_text(json.dumps(config))

    def write_safe(self, content: Any, name: str = "safe.yaml") -> None:
        """Somebody edits a file that is made for secrets."""
        text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
        (self.watched.safe / name).write_text(text)

    def stop(self) -> None:
        self.watched.process.send_signal(signal.SIGTERM)

    def asked(self, path: str) -> bytes | None:
        """What the worker's endpoint answers; None where nobody listens."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health/{path}", timeout=2) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            return error.read()
        except OSError:
            return None

    @contextmanager
    def working(self) -> Iterator[None]:
        """A worker works while the block runs, and its endpoint is asked."""
        with self.watched.calling("-v", "worker", "--grace", "5"):
            until(lambda: self.asked("live") is not None, "the worker's endpoint")
            yield
            for path in ("live", "ready", "nothing"):
                self.health.append((f"health/{path}", self.asked(path) or b""))
            self.stop()


def until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"never came: {what}"
        time.sleep(0.02)
