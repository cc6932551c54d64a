"""The documents: what ``-o json`` prints, and what texts and Markdown are laid out from. Here are plans.

Names are stable: fields are added, never renamed. ``docs/schemas/output.json`` is made from here, and from
`ecs_sync.render.outcomes`, `ecs_sync.render.listings` and `ecs_sync.render.validated`; they are apart because
each declaration takes its time to import, and no verb prints them all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ecs_sync.render.shown import Shown


@dataclass(frozen=True, slots=True)
class Settling:
    """An item that its provider has taken and does not serve everywhere yet, and how far it is."""

    item: str
    says: str


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
    settling: list[Settling]
    copies: list[str]


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
class LinkCalls:
    """Calls to one link's provider: to look, to read again, to write. ``seconds`` is the shortest time
    that they take at the provider's documented rates; null where none are known.
    """

    link: str
    looks: int
    reads: int
    writes: int
    seconds: float | None


@dataclass(frozen=True, slots=True)
class CostShown:
    """The calls that the run would make where nothing goes wrong; ``secrets`` by connection."""

    calls: int
    links: list[LinkCalls]
    secrets: dict[str, int]


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
    rotated: list[str]
    """Keys whose secret was rotated where it is kept, since the last run."""
    allow: str | None
    """The command that lifts the limits for this plan; null where none is exceeded."""
    cost: CostShown | None
    """Only where it was asked for."""


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
