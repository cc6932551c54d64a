"""The documents: what ``-o json`` prints, and what texts and Markdown are laid out from.

Names are stable: fields are added, never renamed. ``docs/schemas/output.json`` is made from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ecs_sync.render.shown import Shown


@dataclass(frozen=True, slots=True)
class LinkLooked:
    """One link as the run saw it. ``complete`` false: something was not seen, and ``reason`` says why."""

    link: str
    mode: str
    place: str
    items: int
    base_keys: int
    established: bool
    unchanged: bool
    complete: bool
    reason: str
    window: str
    left_behind: list[str]


@dataclass(frozen=True, slots=True)
class ChangePlanned:
    """One entry on one side (``store`` or a link) before and after, and where the new value comes from."""

    key: str
    side: str
    source: str
    kind: str
    state: str
    why: str
    item: str | None
    before: Shown | None
    after: Shown | None


@dataclass(frozen=True, slots=True)
class KeyHeld:
    """One key that is left as it is on a link, and why."""

    key: str
    link: str
    state: str
    why: str
    reason: str
    item: str | None
    store: Shown | None
    place: Shown | None


@dataclass(frozen=True, slots=True)
class CandidateShown:
    """One side of a conflict. A larger priority is stronger."""

    side: str
    priority: int | None
    value: Shown | None


@dataclass(frozen=True, slots=True)
class ConflictShown:
    """A key that a person must decide (``winner`` null), or that a rule decided."""

    key: str
    why: str
    candidates: list[CandidateShown]
    winner: str | None
    resolve: list[str]
    """The commands that decide it, one for each side."""


@dataclass(frozen=True, slots=True)
class NotSeen:
    """Something at a place that could not be read, so that nothing happens to it."""

    link: str
    item: str | None
    key: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit that the plan exceeds."""

    side: str
    reason: str


@dataclass(frozen=True, slots=True)
class PlanShown:
    """All that one run of a job would do. ``at`` is the store's version that it was made against."""

    job: str
    scope: str
    plan: str
    at: int
    links: list[LinkLooked]
    changes: list[ChangePlanned]
    held: list[KeyHeld]
    conflicts: list[ConflictShown]
    unseen: list[NotSeen]
    limits: list[Limit]
    allow: str | None
    """The command that lifts the limits for this plan; null where none is exceeded."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A job that could not be looked at or carried out."""

    job: str
    error: str


@dataclass(frozen=True, slots=True)
class Plans:
    """What ``plan`` prints."""

    kind: Literal["plan"]
    exit: int
    plans: list[PlanShown]
    failures: list[Failure]


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
class ReportShown:
    """What a run did. ``proved`` keys were read back and are as planned."""

    job: str
    run: str
    plan: PlanShown
    outcomes: list[OutcomeShown]
    converged: bool
    proved: int
    unproved: list[str]
    recovered: list[RecoveredShown]
    stale: list[str]


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


@dataclass(frozen=True, slots=True)
class EntryShown:
    """One key of the store with its value. ``version`` is the commit that made it so."""

    key: str
    version: int
    value: Shown | None


@dataclass(frozen=True, slots=True)
class Entries:
    """What ``get`` prints."""

    kind: Literal["entries"]
    job: str
    scope: str
    at: int
    entries: list[EntryShown]


@dataclass(frozen=True, slots=True)
class Amendment:
    """What ``set``, ``unset``, ``rollback``, ``resolve`` and ``undo`` print.

    ``version`` is the store's new version, null where nothing was committed.
    """

    kind: Literal["amendment"]
    exit: int
    job: str
    verb: str
    version: int | None
    committed: list[str]
    written: list[tuple[str, str]]
    """(link, key) of what was written back at a place only, and is held there until it is resolved."""
    left: list[tuple[str, str]]
    """(key, why) of what could not be done."""


@dataclass(frozen=True, slots=True)
class VersionShown:
    """One version of a key. ``value`` null: this version unset it."""

    version: int
    time: str
    who: str
    origin: str
    reason: str
    run: str | None
    value: Shown | None


@dataclass(frozen=True, slots=True)
class History:
    """What ``history`` prints, newest first."""

    kind: Literal["history"]
    job: str
    key: str
    versions: list[VersionShown]


@dataclass(frozen=True, slots=True)
class Difference:
    """One key that two sides hold differently."""

    key: str
    kind: str
    left: Shown | None
    right: Shown | None


@dataclass(frozen=True, slots=True)
class Differences:
    """What ``diff`` prints."""

    kind: Literal["diff"]
    exit: int
    left: str
    right: str
    differences: list[Difference]
    unseen: list[NotSeen]


@dataclass(frozen=True, slots=True)
class ConflictRecorded:
    """A conflict on record."""

    id: int
    job: str
    scope: str
    key: str
    time: str
    rule: str
    winner: str | None
    resolved: bool
    run: str | None
    candidates: list[CandidateShown]
    resolve: list[str]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A key that the last run held since its link's first contact with it."""

    job: str
    key: str
    links: list[str]
    since: str
    resolve: list[str]


@dataclass(frozen=True, slots=True)
class Conflicts:
    """What ``conflicts`` prints, oldest first."""

    kind: Literal["conflicts"]
    exit: int
    conflicts: list[ConflictRecorded]
    first_contact: list[Waiting]


@dataclass(frozen=True, slots=True)
class RunShown:
    """A run. ``counts`` are numbers of what it did."""

    run: str
    job: str
    state: str
    verb: str
    who: str
    reason: str
    started: str | None
    finished: str | None
    exit: int | None
    counts: dict[str, object]


@dataclass(frozen=True, slots=True)
class Runs:
    """What ``runs`` prints, newest first."""

    kind: Literal["runs"]
    runs: list[RunShown]


@dataclass(frozen=True, slots=True)
class DoneShown:
    """One change that a run carried out. ``archived``: the value before is in the archive by this number."""

    key: str
    side: str
    item: str | None
    outcome: str
    version: int | None
    archived: int | None


@dataclass(frozen=True, slots=True)
class RunDetails:
    """What ``runs show`` prints."""

    kind: Literal["run-details"]
    run: RunShown
    done: list[DoneShown]


@dataclass(frozen=True, slots=True)
class AuditShown:
    """One record of the audit trail."""

    number: int
    time: str
    who: str
    action: str
    details: dict[str, object]
    hash: str


@dataclass(frozen=True, slots=True)
class AuditTrail:
    """What ``audit show`` prints, oldest first."""

    kind: Literal["audit"]
    records: list[AuditShown]


@dataclass(frozen=True, slots=True)
class AuditVerdict:
    """What ``audit verify`` prints."""

    kind: Literal["audit-verdict"]
    exit: int
    ok: bool
    records: int
    checkpoints: int
    broken: int | None
    why: str


@dataclass(frozen=True, slots=True)
class ArchivedShown:
    """A value that was overwritten, deleted or lost a conflict. ``kept`` false: only its place has it."""

    id: int
    key: str
    side: str
    item: str | None
    revision: str | None
    time: str
    reason: str
    run: str | None
    kept: bool
    value: Shown | None


@dataclass(frozen=True, slots=True)
class Archive:
    """What ``store archive`` prints, newest first."""

    kind: Literal["archive"]
    job: str
    archived: list[ArchivedShown]


@dataclass(frozen=True, slots=True)
class StoreShown:
    """What ``store info`` prints."""

    kind: Literal["store"]
    where: str
    identity: str
    version: int
    scopes: list[str]
    keeps_secrets: bool
    open_conflicts: int
    jobs: dict[str, str | None]
    """Each configured job with who holds it now; null where nobody does."""


@dataclass(frozen=True, slots=True)
class OptionShown:
    """One option of an adapter or mapping."""

    name: str
    type: str
    required: bool
    secret: bool
    default: object
    help: str


@dataclass(frozen=True, slots=True)
class PieceShown:
    """An adapter or mapping. ``problem`` says why it cannot be loaded, where it cannot."""

    name: str
    what: str
    origin: str
    summary: str
    problem: str
    features: dict[str, object]
    options: list[OptionShown]
    place: list[OptionShown]


@dataclass(frozen=True, slots=True)
class Providers:
    """What ``providers`` prints."""

    kind: Literal["providers"]
    adapters: list[PieceShown]
    mappings: list[PieceShown]


@dataclass(frozen=True, slots=True)
class ProblemShown:
    """One reason why the configuration cannot be used."""

    file: str
    line: int
    column: int
    path: str
    message: str


@dataclass(frozen=True, slots=True)
class Validation:
    """What ``validate`` prints."""

    kind: Literal["validation"]
    exit: int
    file: str
    jobs: list[str]
    connections: list[str]
    problems: list[ProblemShown]


Document = (
    Plans
    | Reports
    | Drifts
    | Entries
    | Amendment
    | History
    | Differences
    | Conflicts
    | Runs
    | RunDetails
    | AuditTrail
    | AuditVerdict
    | Archive
    | StoreShown
    | Providers
    | Validation
)
