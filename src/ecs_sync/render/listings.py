"""More documents: entries, versions, records, providers. See `ecs_sync.render.documents`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ecs_sync.render.documents import CandidateShown, NotSeen
from ecs_sync.render.shown import Shown


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
    """A run. ``counts`` are numbers of what it did, or the ``error`` that ended it."""

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
