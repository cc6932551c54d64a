"""A plan foretells the calls of its run to the last one: for every provider, against its request log."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cost.backends import BACKENDS, Backend
from tests.cost.trial import Trial, job_of, trial_of

MANY, SOME, FEW = 31, 7, 11


@pytest.fixture(params=BACKENDS.values(), ids=BACKENDS.keys())
def trial(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Trial]:
    backend: Backend = request.param
    with backend.serve() as served:
        yield trial_of(tmp_path, backend, served)


def test_a_plan_foretells_every_call_of_its_run(trial: Trial) -> None:
    texts = {f"setting-{number:03}": f"value {number}" for number in range(MANY)}
    made = trial.check(texts)
    assert made.calls > 1
    trial.check(texts)
    idle = trial.check(texts)
    assert sum(link.writes for link in idle.links) == 0 < idle.calls
    for name in list(texts)[:SOME]:
        texts[name] += "!"
    trial.check(texts)
    for name in list(texts)[-FEW:]:
        del texts[name]
    trial.check(texts)
    # All kinds at once.
    first, *_ = texts
    texts = {**texts, first: "again", "setting-new": "new"}
    del texts[list(texts)[3]]
    trial.check(texts)


KEEPERS = {name: backend for name, backend in BACKENDS.items() if backend.secret}


@pytest.fixture(params=KEEPERS.values(), ids=KEEPERS.keys())
def keeper(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Trial]:
    """A second job copies secrets of the provider, by references to them, into a file."""
    backend: Backend = request.param
    (tmp_path / "copies.json").write_text("{}", encoding="utf-8")
    link = {"connection": "copies", "place": "copies.json", "mapping": "document"}
    copies = {**link, "mode": "mirror", "secrets": "copy", "hard_deletes": True}
    with backend.serve() as served:
        yield trial_of(tmp_path, backend, served, copying=job_of("copying", copies, references=["target/**"]))


def test_a_plan_foretells_what_following_secrets_costs(keeper: Trial) -> None:
    texts = {f"secret-{number:03}": f"value {number}" for number in range(FEW)}
    keeper.check(texts)
    field = "#password" if keeper.backend.told("") != "" else ""
    with keeper.bench() as bench:
        (_, link) = bench.config.jobs["job"].links
        pages = bench.adapter("target").list(link.place, None).pages
        ids = sorted(item.id for page in pages for item in page.items)
    references = {f"copy-{number:03}": f"@secret:target/{id}{field}" for number, id in enumerate(ids)}
    first = keeper.check(references, "copying")
    assert first.secrets["target"] > 0
    keeper.check(references, "copying")
    # One is rotated, and its copy follows.
    texts["secret-003"] += "!"
    keeper.check(texts)
    rotated = keeper.check(references, "copying")
    idle = keeper.check(references, "copying")
    assert rotated.secrets["target"] >= idle.secrets["target"] > 0
