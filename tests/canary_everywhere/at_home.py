"""The tour at home: every verb in every format, on files; those made for secrets, and one that is not."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ecs_sync_sandbox.real_server import free_port
from tests.canary_everywhere.tour import FORMATS, JOB, KEY, Tour, until
from tests.canary_everywhere.watched import Watched


def jobs() -> dict[str, Any]:
    two = {"mapping": "document", "mode": "two-way", "secrets": "copy", "first": "store"}
    other = {"connection": "safe", "place": "other.yaml", "name": "other"}
    plain = {"connection": "plain", "place": "plain.yaml", "mapping": "document", "mode": "mirror"}
    return {
        JOB: {
            "scope": {"application": "app"},
            "secret": ["*password*"],
            "conflicts": "hold",
            "limits": {"changes": "100%", "deletes": "100%"},
            "links": [
                {"connection": "safe", "place": "safe.yaml", **two, "priority": 50},
                {**other, **two, "priority": 40},
                {**plain, "secrets": "copy"},
            ],
        },
        "served": {
            "scope": {"application": "served"},
            "secret": ["*password*"],
            "every": "1s",
            "links": [
                {"connection": "safe", "place": "served.yaml", "name": "source", **two, "priority": 50},
                {"connection": "safe", "place": "carried.yaml", "name": "target", **two, "priority": 40},
            ],
        },
        "referring": {
            "scope": {"application": "referring"},
            "references": ["safe/*"],
            "links": [
                {"connection": "safe", "place": "copies.yaml", "mapping": "document", "mode": "mirror"}
                | {"secrets": "copy"},
                {**plain, "place": "notes.yaml", "secrets": "reference"},
            ],
        },
    }


@contextmanager
def begun(folder: Path, url: str = "sqlite:///ecs-sync.db") -> Iterator[Tour]:
    """An installation with a store, and nothing in it."""
    with Watched(folder) as watched:
        (watched.home / "plain").mkdir()
        connections = {
            "safe": {"adapter": "files", "root": str(watched.safe), "secrets": True},
            "plain": {"adapter": "files", "root": "plain"},
        }
        tour = Tour(watched, connections, jobs(), url=url)
        for name in ("safe.yaml", "other.yaml", "copies.yaml", "served.yaml", "carried.yaml"):
            (watched.safe / name).write_text("{}\n")
        for name in ("plain.yaml", "notes.yaml"):
            (watched.home / "plain" / name).write_text("{}\n")
        tour.configure()
        tour.good("store", "new-key", "secrets.key")
        tour.good("init")
        if url.startswith("sqlite"):
            tour.hold_log()
        try:
            yield tour
        finally:
            if tour.reader is not None:
                tour.reader.close()


def everything(tour: Tour) -> None:
    settle(tour)
    quarrel(tour)
    look(tour)
    take_back(tour)
    misuse(tour)
    seal_anew(tour)
    serve(tour)


def settle(tour: Tour) -> None:
    """Secrets from a hand, a file and a place; carried to the places by plan and by run."""
    tour.good("set", JOB, "db/url", "shown")
    tour.good("set", JOB, KEY, "--secret", given=tour.canary())
    given = tour.watched.safe / "given"
    given.write_text(tour.canary() + "\n")
    tour.good("set", JOB, "db/token", "--secret", "--from", str(given))
    tour("plan", JOB, "--out", "first.plan")
    tour("apply", "first.plan", "-v")
    kept = json.dumps({"password": tour.canary(), "port": 5432})
    (tour.watched.safe / "db.json").write_text(kept)
    tour.good("set", "referring", KEY, "@secret:safe/db.json#password")
    for format in FORMATS:
        tour("sync", "-v", "-o", format)
    (tour.watched.safe / "db.json").write_text(json.dumps({"password": tour.canary(), "port": 5432}))
    tour("sync")
    assert '"rotation"' in tour("history", "referring", KEY, "-o", "json").out


def quarrel(tour: Tour) -> None:
    """Both sides move, and nothing is decided yet; a plan is kept that will be out of date."""
    tour("set", JOB, KEY, given=tour.canary())
    tour.write_safe({"db": {"password": tour.canary(), "token": tour.canary(), "url": "shown"}})
    tour.write_safe({"db": {"password": tour.canary(), "token": tour.canary()}}, "other.yaml")
    tour("plan", JOB, "--out", "second.plan")
    tour("sync")


def look(tour: Tour) -> None:
    """All that only shows."""
    assert tour("conflicts").code == 5
    shown: list[tuple[str, ...]] = [
        ("plan",),
        ("plan", "--cost"),
        ("drift", "--all"),
        ("get", JOB, "--all"),
        ("get", JOB, KEY),
        ("get", "referring", KEY),
        ("history", JOB, KEY),
        ("history", "referring", KEY),
        ("conflicts", "--all"),
        ("runs", "list"),
        ("runs", "show", tour.last_run()),
        ("audit", "show"),
        ("audit", "verify"),
        ("store", "info"),
        ("store", "archive", JOB),
        ("store", "archive", JOB, KEY),
        ("diff", JOB, f"{JOB}:safe"),
        ("diff", f"{JOB}@1", f"{JOB}:plain"),
        ("diff", f"{JOB}:safe", f"{JOB}:other"),
        ("validate",),
        ("validate", "--references"),
        ("validate", "--schema"),
        ("providers",),
        ("providers", "safe"),
    ]
    for words in shown:
        for format in FORMATS:
            tour(*words, "-v", "-o", format)
        tour(*words)


def take_back(tour: Tour) -> None:
    """Decisions by hand: what each side held is archived, put back, deleted and archived again."""
    tour.good("resolve", JOB, KEY, "--take", "other", "-o", "json")
    tour("sync", "-v")
    version = tour("store", "info", "-o", "json").json["version"]
    tour("set", JOB, KEY, given=tour.canary())
    tour("sync", JOB)
    for format in FORMATS:
        tour("undo", tour.last_run(), "-v", "-o", format)
        tour("rollback", JOB, str(version), "-v", "-o", format)
    tour("sync", JOB)
    tour("unset", JOB, "db/token")
    tour("sync", JOB, "--reason", "not needed any more")
    tour("apply", "second.plan", "-v")


def misuse(tour: Tour) -> None:
    """What is refused is not repeated."""
    # A secret on the line is in the list of processes already: it is not spread further.
    assert tour("set", JOB, KEY, tour.canary()).code == 64
    assert tour("set", JOB, "pin", tour.canary(), "--secret").code == 64
    assert tour("set", JOB, KEY, "--type", "integer", given=tour.canary()).code == 64
    before = (tour.watched.safe / "safe.yaml").read_text()
    for broken in (
        f"db: {{password: {tour.canary()}\n  broken: [\n",
        f"db: &{tour.canary()[10:]}\n\t- x: *y\n",
    ):
        tour.write_safe(broken)
        for format in FORMATS:
            tour("sync", JOB, "-v", "-o", format)
            tour("diff", JOB, f"{JOB}:safe", "-v", "-o", format)
    tour.write_safe(before)
    (tour.watched.safe / "db.json").write_text(f'{{"password": "{tour.canary()[10:]}", ]')
    for format in FORMATS:
        tour("validate", "--references", "-v", "-o", format)
        tour("sync", "referring", "-v", "-o", format)


def seal_anew(tour: Tour) -> None:
    """Another key: each row that held a secret is written over, and its page given back."""
    tour.keep_log()
    tour.good("store", "upgrade")
    tour.good("store", "new-key", "next.key")
    tour.good("store", "rotate-key", "--to", "next.key")
    tour.key = "file:next.key"
    tour.configure()
    tour.good("get", JOB, "--all")
    tour.good("audit", "verify")


def serve(tour: Tour) -> None:
    """The worker, once and as a daemon that finds a moved secret; and the sandbox."""
    tour("worker", "--once", "--now")
    with tour.working():
        moved = tour.canary()
        tour.write_safe({"db": {"password": moved, "url": "shown"}}, "served.yaml")
        until(lambda: moved[10:] in (tour.watched.safe / "carried.yaml").read_text(), "the copy")
    port = free_port()
    with tour.watched.calling("sandbox", "up", "--only", "consul", "--port", f"consul={port}"):
        until(lambda: _listens(port), "the sandbox")
        tour.stop()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
