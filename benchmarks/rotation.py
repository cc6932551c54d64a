"""How long from a rotation in a real Vault to the last of its copies, at an interval of 30 seconds.

A worker is a process of its own. The secret is rotated at moments spread over the interval; three folders
made for secrets have the copies. What counts is the time until all three hold the new value.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ecs_sync_sandbox.openbao import ROOT_TOKEN, OpenBaoServer

INTERVAL = 30
ROTATIONS = 5
COPIES = ("one", "two", "three")
MOST = 60.0
"""Seconds: the goal, and when waiting ends."""


def measure() -> None:
    with OpenBaoServer() as vault, tempfile.TemporaryDirectory(prefix="ecs-sync-rotation-") as name:
        folder = Path(name)
        _configure(folder, vault)
        _rotate(vault, "value 0")
        command = [sys.executable, "-m", "ecs_sync", "-c", str(folder / "ecs-sync.yaml")]
        subprocess.run([*command, "init"], check=True, capture_output=True)
        worker = subprocess.Popen([*command, "worker"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            _until(folder, "value 0")
            taken = [_rotated(folder, vault, number) for number in range(1, ROTATIONS + 1)]
        finally:
            worker.send_signal(signal.SIGTERM)
            worker.wait()
    shown = ", ".join(f"{seconds:.1f}" for seconds in taken)
    print(f"from a rotation to the last of {len(COPIES)} copies, every {INTERVAL} s: {shown} s")


def _rotated(folder: Path, vault: OpenBaoServer, number: int) -> float:
    # Each rotation falls on another moment of the interval.
    time.sleep(INTERVAL * number / (ROTATIONS + 1) % INTERVAL)
    _rotate(vault, f"value {number}")
    began = time.monotonic()
    _until(folder, f"value {number}")
    return time.monotonic() - began


def _rotate(vault: OpenBaoServer, value: str) -> None:
    vault.call("POST", "secret/data/payments/db", {"data": {"password": value}})


def _until(folder: Path, value: str) -> None:
    end = time.monotonic() + MOST
    files = [folder / name / "app.json" for name in COPIES]
    while time.monotonic() < end:
        if all(file.exists() and json.loads(file.read_text())["db"]["password"] == value for file in files):
            return
        time.sleep(0.05)
    raise SystemExit(f"a rotation had not reached all copies after {MOST:g} s")


def _configure(folder: Path, vault: OpenBaoServer) -> None:
    (folder / "token").write_text(ROOT_TOKEN)
    for name in COPIES:
        (folder / name).mkdir()
    source = {
        "connection": "vault",
        "place": "payments/",
        "mapping": "fields",
        "mode": "import",
        "priority": 90,
    }
    copy = {"place": "app.json", "mapping": "document", "mode": "mirror", "secrets": "copy"}
    config = {
        "store": {"url": "sqlite:///store.db"},
        "connections": {
            "vault": {**vault.connection(), "token": f"file:{folder / 'token'}"},
            **{name: {"adapter": "files", "root": name, "secrets": True} for name in COPIES},
        },
        "jobs": {
            "payments": {
                "every": f"{INTERVAL}s",
                "links": [{**source, "secrets": "reference"}, *({"connection": n, **copy} for n in COPIES)],
            }
        },
    }
    (folder / "ecs-sync.yaml").write_text(json.dumps(config))
