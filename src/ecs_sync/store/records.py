"""The rows of the store as frozen values: what the engine reads and records.

Key texts, not `Key` objects, stand in what is streamed: a run compares a million of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from ecs_sync.adapter import ItemId, Revision, Token
from ecs_sync.model import Entry, Fingerprint, Key, Rank


class Desired(NamedTuple):
    """One key of a scope as of a version, without its value. ``present`` is False for an unset key."""

    key: str
    version: int
    present: bool
    secret: bool


@dataclass(frozen=True, slots=True)
class Stored:
    """One version of one key. ``entry`` is None where that version unset it.

    ``fingerprint`` is of the canonical entry. ``sealed`` says that the value is a secret that cannot
    be opened because the store's key is not at hand; ``entry`` then is None as well.
    """

    key: Key
    version: int
    entry: Entry | None
    fingerprint: Fingerprint | None
    rank: Rank
    sealed: bool = False

    @property
    def present(self) -> bool:
        return self.fingerprint is not None


@dataclass(frozen=True, slots=True)
class EntryChange:
    """A key's next version: its entry, or None to unset it, with the rank of the author."""

    key: Key
    entry: Entry | None
    rank: Rank


@dataclass(frozen=True, slots=True)
class Version:
    """One immutable commit."""

    number: int
    scope: str
    time: datetime
    who: str
    origin: str
    """Where it came from: ``hand``, ``link NAME``, ``rollback``, ``undo``, ``resolve``."""
    reason: str
    run: str | None


@dataclass(frozen=True, slots=True)
class Track:
    """What a base is bound to. ``established`` after its first complete run."""

    id: int
    job: str
    link: str
    identity: str
    established: bool
    token: Token | None


class Base(NamedTuple):
    """The store held ``fingerprint`` at ``version`` and the place held it then, in ``item``."""

    key: str
    fingerprint: Fingerprint
    version: int
    item: ItemId


class Referred(NamedTuple):
    """What was last seen of the secret that a key refers to; the fingerprint is of its plaintext."""

    key: str
    reference: str
    revision: Revision | None
    changed: str | None
    fingerprint: Fingerprint


class Held(NamedTuple):
    """Every key of ``item`` was in step at this revision and change time (ISO 8601 text, or None)."""

    item: ItemId
    revision: Revision
    changed: str | None


UNDONE = 0
"""In place of a version that a value lost against: an undo put it there, and it is held until resolved."""


class Seen(NamedTuple):
    """The last complete observation of a key that is not in step.

    ``fingerprint`` is None where the key was absent at the place, or could not be read; then
    ``unseen`` says why. ``lost_to`` is the store's version that this value lost a conflict against, at a
    place that is not written. ``met`` says that the key is held since the link's first contact with it.
    """

    key: str
    item: ItemId
    revision: Revision | None
    changed: str | None
    fingerprint: Fingerprint | None
    unseen: str | None
    since: datetime
    lost_to: int | None = None
    met: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """What is recorded of one item: its revision, and each of our keys in it with its fingerprint."""

    item: ItemId
    revision: Revision
    changed: str | None
    keys: tuple[tuple[str, Fingerprint], ...]


class Target(NamedTuple):
    """What a write shall make of one key: its image's fingerprint (None: absent) at a store version."""

    key: str
    fingerprint: Fingerprint | None
    version: int


class Operation(StrEnum):
    PUT = "put"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Intent:
    """What is about to be written to an item, recorded before it is sent."""

    id: str
    track: int
    run: str
    item: ItemId
    operation: Operation
    expected: Revision | None
    expected_changed: str | None
    targets: tuple[Target, ...]


@dataclass(frozen=True, slots=True)
class OwnWrite:
    """A write of ours that was not seen to land and may still do so."""

    id: str
    track: int
    item: ItemId
    operation: Operation
    expected: Revision | None
    targets: tuple[Target, ...]


@dataclass(frozen=True, slots=True)
class Archived:
    """A value that was overwritten, deleted or lost a conflict, kept to be taken back.

    ``entry`` is None where it is a secret that the store may not hold; ``item`` and ``revision``
    then say which version at the provider still has it.
    """

    id: int
    scope: str
    key: Key
    side: str
    """``store`` or the name of a link."""
    item: ItemId | None
    revision: Revision | None
    entry: Entry | None
    fingerprint: Fingerprint
    secret: bool
    reason: str
    run: str | None
    time: datetime


@dataclass(frozen=True, slots=True)
class Candidate:
    """One side of a conflict. ``side`` is ``store`` or a link's name; absent has no fingerprint."""

    side: str
    fingerprint: Fingerprint | None
    rank: Rank
    archived: int | None = None


@dataclass(frozen=True, slots=True)
class Conflict:
    """A key on which sides moved differently, recorded once per set of candidates.

    ``winner`` is the winning side, or None while the conflict is held.
    """

    id: int
    scope: str
    key: Key
    job: str
    candidates: tuple[Candidate, ...]
    winner: str | None
    rule: str
    run: str | None
    time: datetime
    resolved: bool


class RunState(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    LOST = "lost"
    """Its process vanished; a later run recovered what it left open."""


@dataclass(frozen=True, slots=True)
class Run:
    """The carrying out of a plan. ``summary`` is JSON of counts, never of values."""

    id: str
    job: str
    state: RunState
    verb: str
    who: str
    reason: str
    epoch: int
    created: datetime
    started: datetime | None
    finished: datetime | None
    exit_code: int | None
    summary: str


@dataclass(frozen=True, slots=True)
class Done:
    """One change that a run carried out, for undo and for ``runs``.

    ``side`` is ``store`` or a link's name. ``before`` is the id of the archived value, None where the
    key was absent. ``revision`` is what the run left at the place; ``version`` what it left in the store.
    """

    run: str
    side: str
    key: Key
    item: ItemId | None
    before: int | None
    fingerprint: Fingerprint | None
    revision: Revision | None
    version: int | None
    outcome: str


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to run a job. ``epoch`` rises with every change of hands and fences the one before."""

    job: str
    holder: str
    epoch: int


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One link of the hash chain. ``details`` is canonical JSON without values."""

    number: int
    time: datetime
    who: str
    action: str
    details: str
    previous: bytes
    hash: bytes


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What `Store.verify_audit` found. ``broken`` is the number of the first record that is wrong.

    ``records`` and ``checkpoints`` count what was checked before that.
    """

    ok: bool
    records: int
    checkpoints: int
    broken: int | None = None
    why: str = ""
