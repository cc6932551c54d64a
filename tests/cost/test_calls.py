"""A plan foretells the calls of its run to the last one: for every provider, against its request log."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from benchmarks.providers import BACKENDS, Backend
from benchmarks.trial import Trial, job_of, mirrored, trial_of

from ecs_sync.cost import Cost
from ecs_sync_sandbox.real_server import NotReady

MANY, SOME, FEW = 31, 7, 11
KEEPERS = {name: backend for name, backend in BACKENDS.items() if backend.secret}


@contextmanager
def tried(folder: Path, backend: Backend, **more: Any) -> Iterator[Trial]:
    """Visibly skipped where a server is not installed, unless every server must be there."""
    server = backend.serve()
    try:
        served = server.__enter__()
    except NotReady as missing:
        if os.environ.get("ECS_SYNC_REQUIRE_BACKENDS") == "all":
            raise
        pytest.skip(str(missing))
    try:
        yield trial_of(folder, backend, served, mirrored(backend), **more)
    finally:
        server.__exit__(None, None, None)


@pytest.fixture(params=BACKENDS.values(), ids=BACKENDS.keys())
def trial(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Trial]:
    with tried(tmp_path, request.param) as trial:
        yield trial


@pytest.fixture(params=KEEPERS.values(), ids=KEEPERS.keys())
def keeper(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Trial]:
    """A second job copies secrets of the provider, by references to them, into a file."""
    (tmp_path / "copies.json").write_text("{}", encoding="utf-8")
    link = {"connection": "copies", "place": "copies.json", "mapping": "document"}
    copies = {**link, "mode": "mirror", "secrets": "copy", "hard_deletes": True}
    with tried(tmp_path, request.param, copying=job_of("copying", copies, references=["target/**"])) as trial:
        yield trial


def check(trial: Trial, texts: Mapping[str, str], job: str = "job") -> Cost:
    """The plan of a run that makes these hold, whose every call the provider's log has."""
    trial.hold(texts, job)
    foretold = trial.foretold(job)
    calls, report = trial.run(job)
    assert report.exit_code == 0, report
    links = {link.link: link.calls for link in foretold.links}
    assert links["source"] == 0
    assert calls == links.get("target", 0) + foretold.secrets.get("target", 0), foretold
    return foretold


def test_a_plan_foretells_every_call_of_its_run(trial: Trial) -> None:
    texts = {f"setting-{number:03}": f"value {number}" for number in range(MANY)}
    made = check(trial, texts)
    assert made.calls > 1
    check(trial, texts)
    idle = check(trial, texts)
    assert sum(link.writes for link in idle.links) == 0 < idle.calls
    for name in list(texts)[:SOME]:
        texts[name] += "!"
    check(trial, texts)
    for name in list(texts)[-FEW:]:
        del texts[name]
    check(trial, texts)
    # All kinds at once.
    first, *_ = texts
    texts = {**texts, first: "again", "setting-new": "new"}
    del texts[list(texts)[3]]
    check(trial, texts)


def test_a_plan_foretells_what_following_secrets_costs(keeper: Trial) -> None:
    texts = {f"secret-{number:03}": f"value {number}" for number in range(FEW)}
    check(keeper, texts)
    field = "#password" if keeper.backend.told("") != "" else ""
    with keeper.bench() as bench:
        (_, link) = bench.config.jobs["job"].links
        pages = bench.adapter("target").list(link.place, None).pages
        ids = sorted(item.id for page in pages for item in page.items)
    references = {f"copy-{number:03}": f"@secret:target/{id}{field}" for number, id in enumerate(ids)}
    first = check(keeper, references, "copying")
    assert first.secrets["target"] > 0
    check(keeper, references, "copying")
    # One is rotated, and its copy follows.
    texts["secret-003"] += "!"
    check(keeper, texts)
    rotated = check(keeper, references, "copying")
    idle = check(keeper, references, "copying")
    assert rotated.secrets["target"] >= idle.secrets["target"] > 0
