"""More documents: what runs did, and drift. See `ecs_sync.render.documents`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ecs_sync.render.documents import Failure, Limit, LinkLooked, NotSeen, PlanShown, Settling
from ecs_sync.render.shown import Shown


@dataclass(frozen=True, slots=True)
class OutcomeShown:
    """What became of one change. ``result`` is ``applied``, or says why it was left."""

    key: str
    side: str
    kind: str
    result: str
    reason: str


@dataclass(frozen=True, slots=True)
class RecoveredShown:
    """A write that an earlier run left open, and how it ended."""

    link: str
    item: str
    result: str


@dataclass(frozen=True, slots=True)
class Unannounced:
    """A link whose readers could not be told that the run is through; the next run tells them."""

    link: str
    reason: str


@dataclass(frozen=True, slots=True)
class ReportShown:
    """What a run did. ``proved`` keys were read back and are as planned. ``settling`` was written, and is
    not in force everywhere yet.
    """

    job: str
    run: str
    plan: PlanShown
    outcomes: list[OutcomeShown]
    converged: bool
    proved: int
    unproved: list[str]
    recovered: list[RecoveredShown]
    stale: list[str]
    settling: list[Settling]
    unannounced: list[Unannounced]


@dataclass(frozen=True, slots=True)
class Reports:
    """What ``apply`` and ``sync`` print."""

    kind: Literal["run"]
    exit: int
    reports: list[ReportShown]
    failures: list[Failure]


@dataclass(frozen=True, slots=True)
class DriftRow:
    """One key that is not in step on one link.

    ``moved`` is ``store``, ``place``, ``both`` or ``same`` (both, to the same value). ``since`` is when the
    place was changed, where its provider says; else when it was first seen so. ``store_since`` and ``by``
    are of the store's version. ``repair``: a run would ``push``, ``adopt``, ``settle`` or ``hold``.
    """

    key: str
    link: str
    state: str
    moved: str
    since: str | None
    since_is: str | None
    store_since: str | None
    by: str | None
    age_seconds: int | None
    repair: str
    safe: bool
    why: str
    by_design: bool
    store: Shown | None
    place: Shown | None


@dataclass(frozen=True, slots=True)
class DriftShown:
    """The drift of one job."""

    job: str
    scope: str
    at: int
    links: list[LinkLooked]
    rows: list[DriftRow]
    unseen: list[NotSeen]
    limits: list[Limit]


@dataclass(frozen=True, slots=True)
class Drifts:
    """What ``drift`` prints."""

    kind: Literal["drift"]
    exit: int
    jobs: list[DriftShown]
    failures: list[Failure]
