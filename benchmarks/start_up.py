"""What a person waits for: ``--help``, ``--version``, and a plan over files in a new process."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_ROUNDS = 9
_CONFIG = """\
store: {url: "sqlite:///ecs-sync.db"}
connections:
  old: {adapter: files, root: .}
jobs:
  job:
    links:
      - {connection: old, place: old.yaml, mapping: document, mode: import, priority: 10}
"""


def measure() -> None:
    with tempfile.TemporaryDirectory(prefix="ecs-sync-benchmark-") as folder:
        Path(folder, "ecs-sync.yaml").write_text(_CONFIG, encoding="utf-8")
        Path(folder, "old.yaml").write_text("a: 1\nb: {c: two}\n", encoding="utf-8")
        subprocess.run(
            [sys.executable, "-m", "ecs_sync", "init"], cwd=folder, check=True, capture_output=True
        )
        print(f"{'command':<22}  {'median':>8}  {'least':>8}   (a bare interpreter is the floor)")
        _row("python -c pass", [sys.executable, "-c", "pass"], folder)
        for words in (["--version"], ["--help"], ["validate"], ["plan"]):
            _row(f"ecs-sync {' '.join(words)}", [sys.executable, "-m", "ecs_sync", *words], folder)


def _row(name: str, command: list[str], folder: str) -> None:
    times = []
    for _ in range(_ROUNDS):
        begun = time.perf_counter()
        subprocess.run(command, cwd=folder, capture_output=True, check=False)
        times.append(time.perf_counter() - begun)
    print(f"{name:<22}  {statistics.median(times) * 1000:>5.0f} ms  {min(times) * 1000:>5.0f} ms")
