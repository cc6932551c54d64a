"""How often each provider is asked by whole runs, next to the least that its API allows: one table.

Counted are the requests in the log of each stand-in, without those that only authenticate. The least of a
run that writes is a look and the writes. ``python -m benchmarks calls-NAME`` shows one provider closely.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.providers import BACKENDS, Backend, Least
from benchmarks.trial import Trial, imported, mirrored, trial_of

READ, CREATE, LOOK, UPDATE, DELETE = "read N", "create N", "nothing changed", "update M", "delete D"
KINDS = (CREATE, READ, LOOK, UPDATE, DELETE)


@dataclass(frozen=True, slots=True)
class Count:
    """What one run asked, what its plan foretold, and the least there could be."""

    kind: str
    calls: int
    foretold: int
    least: int


def counts(backend: Backend, least: Least, items: int, updated: int, deleted: int) -> Iterator[Count]:
    """The calls of runs over so many items."""
    with backend.serve() as served, tempfile.TemporaryDirectory(prefix="ecs-sync-benchmark-") as place:
        folder = Path(place)
        (folder / "mirror").mkdir()
        (folder / "import").mkdir()
        trial = trial_of(folder / "mirror", backend, served, mirrored(backend))
        texts = {f"setting-{number:04}": f"value {number}" for number in range(items)}
        yield _count(trial, texts, CREATE, least.look(0) + least.create(items))
        _count(trial, texts, LOOK, 0)
        yield _count(trial, texts, LOOK, least.look(items))
        yield _read(folder / "import", trial, least.read(items))
        for name in list(texts)[:updated]:
            texts[name] += "!"
        yield _count(trial, texts, UPDATE, least.look(items) + least.update(updated))
        _count(trial, texts, LOOK, 0)
        for name in list(texts)[-deleted:]:
            del texts[name]
        yield _count(trial, texts, DELETE, least.look(items) + least.delete(deleted))


def _count(trial: Trial, texts: dict[str, str], kind: str, least: int) -> Count:
    trial.hold(texts)
    foretold = trial.foretold().calls
    calls, report = trial.run()
    assert report.exit_code == 0, report
    return Count(kind, calls, foretold, least)


def _read(folder: Path, other: Trial, least: int) -> Count:
    """What an empty store asks to have all of it."""
    trial = trial_of(folder, other.backend, other.served, imported(other.backend))
    trial.hold({})
    foretold = trial.foretold().calls
    calls, report = trial.run()
    assert report.exit_code == 0, report
    return Count(READ, calls, foretold, least)


def table(items: int, updated: int, deleted: int) -> Iterator[tuple[str, Backend, dict[str, Count]]]:
    """A row for each adapter."""
    for name, backend in BACKENDS.items():
        if backend.least is not None:
            found = counts(backend, backend.least, items, updated, deleted)
            yield name, backend, {count.kind: count for count in found}


def measure(items: int = 100, updated: int = 40, deleted: int = 20) -> None:
    print(f"N = {items}, M = {updated}, D = {deleted}: calls (the least that the API allows)")
    print(f"{'':<16}" + "".join(f"{kind:>17}" for kind in KINDS))
    missed = 0
    for name, backend, row in table(items, updated, deleted):
        cells = "".join(f"{f'{row[kind].calls} ({row[kind].least})':>17}" for kind in KINDS)
        print(f"{name:<16}{cells}", flush=True)
        missed += sum(count.calls != count.foretold for count in row.values())
        if backend.least is not None:
            print(f"    {backend.least.why}")
    print(f"runs whose calls the plan had not foretold exactly: {missed}")


if __name__ == "__main__":
    measure()
