"""Validations: what is wrong with a configuration. Stands alone: it tells nothing of plans and stores."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from ecs_sync.errors import Problem
from ecs_sync.render.page import Code, Part, Row, Say, Table, Tone


@dataclass(frozen=True, slots=True)
class ProblemShown:
    """One reason why the configuration cannot be used."""

    file: str
    line: int
    column: int
    path: str
    message: str


@dataclass(frozen=True, slots=True)
class ReferenceShown:
    """A reference to a secret, what it is for, and why it does not resolve (null: it does)."""

    used_by: str
    reference: str
    problem: str | None


@dataclass(frozen=True, slots=True)
class Validation:
    """What ``validate`` prints."""

    kind: Literal["validation"]
    exit: int
    file: str
    jobs: list[str]
    connections: list[str]
    problems: list[ProblemShown]
    references: list[ReferenceShown] | None
    """Only where they were tried."""


def problems_shown(problems: Iterable[Problem]) -> list[ProblemShown]:
    return [ProblemShown(p.file, p.line, p.column, p.path, p.message) for p in problems]


def validation_page(validation: Validation) -> Iterator[Part]:
    if not validation.problems:
        jobs = "1 job" if len(validation.jobs) == 1 else f"{len(validation.jobs)} jobs"
        count = len(validation.connections)
        connections = "1 connection" if count == 1 else f"{count} connections"
        yield Say(f"{validation.file}: {connections}, {jobs}, no problems", Tone.GOOD)
        yield from _references(validation.references)
        return
    yield Say(f"{validation.file}: {len(validation.problems)} problems", Tone.BAD)
    rows = (Row((f"{p.line}:{p.column}", Code(p.path), p.message), Tone.BAD) for p in validation.problems)
    yield Table(("where", "path", "problem"), tuple(rows))


def _references(references: list[ReferenceShown] | None) -> Iterator[Part]:
    if references is None:
        return
    failed = [each for each in references if each.problem is not None]
    count = "1 reference" if len(references) == 1 else f"{len(references)} references"
    yield Say(f"{count}, {len(failed)} of them not to be resolved", Tone.BAD if failed else Tone.GOOD)
    rows = tuple(
        Row(
            (each.used_by, Code(each.reference), each.problem or "resolves"),
            Tone.BAD if each.problem else Tone.GOOD,
        )
        for each in references
    )
    if rows:
        yield Table(("used by", "reference", ""), rows)
