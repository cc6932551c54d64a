"""A configuration with a store, places in files and in a Consul stand-in, and workers as processes."""

from __future__ import annotations

import contextlib
import io
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ecs_sync.cli.app import run
from ecs_sync.config import load
from ecs_sync.registry import Registry
from ecs_sync.store import FileKeys, Intent, Store
from ecs_sync.workbench import Workbench
from ecs_sync_sandbox.consul import ConsulServer

CANARY = "canary-7c1f-value"
"""Every value in every place holds this; nothing that a worker says may."""
PATIENCE = 40.0
"""Seconds after which a condition is not waited for any more."""

Event = dict[str, Any]


def until(condition: Callable[[], Any], what: str) -> Any:
    """What the condition gives once that is true. Fails where it does not become so."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError(f"never came: {what}")


def matching(lines: Sequence[str], event: str, keys: Mapping[str, Any]) -> list[Event]:
    wanted = {"event": event, **keys}
    events = [json.loads(line) for line in list(lines)]
    return [said for said in events if all(said.get(key) == value for key, value in wanted.items())]


@dataclass
class Worker:
    """A worker's process and what it says."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)

    def heard(self, event: str, **keys: Any) -> list[Event]:
        """The events of this name with these keys."""
        return matching(self.lines, event, keys)

    def say(self, event: str, **keys: Any) -> Event:
        """Waits until the worker says this."""
        found = until(lambda: self.heard(event, **keys) or self.process.poll() is not None, f"{event} {keys}")
        assert found is not True, f"ended with {self.process.returncode} without {event}:\n{self.text}"
        return found[0]  # type: ignore[no-any-return]

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def ended(self) -> int:
        """The exit code, once there is one."""
        code = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return code

    def stop(self) -> int:
        self.signal(signal.SIGTERM)
        return self.ended()

    @property
    def text(self) -> str:
        return "".join(self.lines)


class House:
    """One store and its configuration in a folder. ``jobs`` are the words of each job; see `link`."""

    def __init__(self, folder: Path, consul: ConsulServer) -> None:
        self.folder, self.consul = folder, consul
        self.started: list[Worker] = []
        self.mark = folder / "mark"
        self.said = ""
        (folder / "places").mkdir()
        key = FileKeys.beside(folder / "store.db").create()
        Store.create(f"sqlite:///{folder / 'store.db'}", fingerprint_key=key).close()

    def configure(self, jobs: dict[str, Any], **worker: Any) -> None:
        """Each job copies the file of its name to the folder of its name in Consul, unless it has links."""
        whole = {
            name: {"scope": {"application": name}, "links": self.links(name), **words}
            for name, words in jobs.items()
        }
        config = {
            "store": {"url": "sqlite:///store.db"},
            "connections": {
                "files": {"adapter": "files", "root": "places"},
                "consul": {"adapter": "consul", "url": self.consul.url},
                "locked": {"adapter": "consul", "url": self.consul.url, "token": "env:ECS_SYNC_TEST_ABSENT"},
            },
            "jobs": whole,
            "worker": {"lease": "10s", **worker},
        }
        (self.folder / "ecs-sync.yaml").write_text(json.dumps(config))

    @staticmethod
    def links(name: str, connection: str = "consul") -> list[dict[str, Any]]:
        source = {"connection": "files", "place": f"{name}.json", "mapping": "document"}
        target = {"connection": connection, "place": f"{name}/", "mapping": "path"}
        return [{**source, "mode": "import", "priority": 10}, {**target, "mode": "mirror"}]

    def write(self, name: str, keys: int, text: str = CANARY) -> None:
        """Puts so many values into the file of a job."""
        values = {f"key-{number:03}": f"{text}-{number}" for number in range(keys)}
        (self.folder / "places" / f"{name}.json").write_text(json.dumps(values))

    def copied(self, name: str) -> int:
        """How many items of a job are at Consul."""
        return len(self.consul.kv.keys(f"{name}/"))

    @property
    def writes(self) -> int:
        """How many writing requests Consul was sent."""
        return sum(request.method != "GET" for request in self.consul.requests)

    def worker(self, *words: str, stop: tuple[str, str] | None = None) -> Worker:
        """Starts a worker; ``stop`` is a point and an action of `tests.worker.driver`."""
        begin = ["ecs_sync"] if stop is None else ["tests.worker.driver", *stop, str(self.mark)]
        command = [sys.executable, "-m", *begin, "-c", str(self.folder / "ecs-sync.yaml"), "worker", *words]
        process = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        self.started.append(Worker(process))
        return self.started[-1]

    def once(self, *words: str) -> int:
        """The exit code of a worker that works once, in this process; `said` is what it says."""
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            code = run(["-c", str(self.folder / "ecs-sync.yaml"), "worker", "--once", *words])
        assert CANARY not in said.getvalue()
        self.said = said.getvalue()
        return code

    def heard(self, event: str, **keys: Any) -> list[Event]:
        """As `Worker.heard`, of the last `once`."""
        return matching(self.said.splitlines(), event, keys)

    def held(self) -> None:
        """Waits until the driver's process stands at its point."""
        until(self.mark.exists, "the point of the run")

    def bench(self) -> Workbench:
        path = self.folder / "ecs-sync.yaml"
        registry = Registry.from_entry_points()
        return Workbench.open(load(path, environ={}, registry=registry), registry)

    def open_intents(self, job: str) -> list[Intent]:
        with self.bench() as bench:
            tracks = [*bench.store.tracks(job), *bench.store.retired(job)]
            return [intent for track in tracks for intent in bench.store.intents(track.id)]

    def close(self) -> None:
        for worker in self.started:
            if worker.process.poll() is None:
                worker.process.kill()
                worker.ended()
        for worker in self.started:
            assert CANARY not in worker.text
