"""What a person waits for: ``--help``, ``--version``, a validation and a plan over files in a new process."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

_ROUNDS = 15
_CONFIG = """\
store: {url: "sqlite:///ecs-sync.db"}
connections:
  old: {adapter: files, root: .}
jobs:
  job:
    links:
      - {connection: old, place: old.yaml, mapping: document, mode: import, priority: 10}
"""
_COMMAND = [sys.executable, "-m", "ecs_sync"]
_ROWS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "python -c 'import sqlalchemy'": [sys.executable, "-c", "import sqlalchemy"],
    **{f"ecs-sync {word}": [*_COMMAND, word] for word in ("--version", "--help", "validate", "plan")},
}


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds of one process: by the clock, and of the processor."""

    clock: float
    processor: float


def measure() -> None:
    with tempfile.TemporaryDirectory(prefix="ecs-sync-benchmark-") as folder:
        Path(folder, "ecs-sync.yaml").write_text(_CONFIG, encoding="utf-8")
        Path(folder, "old.yaml").write_text("a: 1\nb: {c: two}\n", encoding="utf-8")
        subprocess.run([*_COMMAND, "init"], cwd=folder, check=True, capture_output=True)
        rows = _rows(folder)
    print(f"{'ms of':<30}  {'clock':>6}  {'least':>6}  {'processor':>9}  {'least':>6}")
    for name, each in rows.items():
        clock, processor = [took.clock for took in each], [took.processor for took in each]
        numbers = (statistics.median(clock), min(clock), statistics.median(processor), min(processor))
        print("{:<30}  {:>6.0f}  {:>6.0f}  {:>9.0f}  {:>6.0f}".format(name, *(1000 * n for n in numbers)))


def _rows(folder: str) -> dict[str, list[Took]]:
    """What each row took. They take turns, so that other work on the machine meets all of them."""
    rows: dict[str, list[Took]] = {name: [] for name in _ROWS}
    for turn in range(_ROUNDS + 1):
        for name, command in _ROWS.items():
            took = _took(command, folder)
            if turn:  # the first compiles what is not compiled yet
                rows[name].append(took)
    return rows


def _took(command: list[str], folder: str) -> Took:
    used, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, cwd=folder, env=_compiled(), capture_output=True, check=False)
    clock, now = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Took(clock, now.ru_utime - used.ru_utime + now.ru_stime - used.ru_stime)


def _compiled() -> dict[str, str]:
    """An environment in which modules are compiled once, as they are where the package is installed."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
