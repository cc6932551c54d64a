"""All that one run would do, as values. Pure: made from what was observed, checked against limits.

A plan holds entries in memory, secrets among them, and shows none: what leaves the process goes
through `ecs_sync.render` or the saved form, which hold fingerprints of secrets and never their text.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ecs_sync.adapter import ItemId, Revision
from ecs_sync.diff import State
from ecs_sync.limits import Limits
from ecs_sync.model import Entry, Fingerprint, Key, Rank, Scope
from ecs_sync.policy import STORE, Contest, Mode, Why
from ecs_sync.selection import Selection


class Kind(StrEnum):
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Change:
    """One entry on one side, before and after.

    ``side`` is what is written: ``store`` or a link's name; ``source`` is whose value it is. Entries
    written to a link are canonical; what the link showed before is in the image of its mapping.
    ``version`` is the store's version of the key that this was planned against, and ``expected`` and
    ``target`` the fingerprints at the side before and after, in its own image.
    """

    key: Key
    side: str
    source: str
    state: State
    before: Entry | None
    after: Entry | None
    expected: Fingerprint | None
    target: Fingerprint | None
    version: int
    rank: Rank
    item: ItemId | None = None
    revision: Revision | None = None
    observed: Fingerprint | None = None
    """Of an adoption: what the place shows, in the link's image; the base that goes with it."""
    changed: str | None = None
    """The item's change time as observed, where the provider gives one."""

    @property
    def kind(self) -> Kind:
        if self.expected is None:
            return Kind.CREATE
        return Kind.DELETE if self.target is None else Kind.UPDATE

    @property
    def secret(self) -> bool:
        return any(entry.secret for entry in (self.before, self.after) if entry)


@dataclass(frozen=True, slots=True)
class Rebase:
    """Both sides hold the same: only the base moves. ``fingerprint`` None drops it.

    ``version`` None stands for the version that this run's adoption of the key makes.
    """

    key: Key
    link: str
    fingerprint: Fingerprint | None
    version: int | None
    item: ItemId | None
    revision: Revision | None = None
    changed: str | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """One key that is left as it is on a link, and why."""

    key: Key
    link: str
    state: State
    why: Why
    reason: str
    store: Entry | None
    place: Entry | None
    item: ItemId | None = None
    observed: Fingerprint | None = None
    revision: Revision | None = None
    changed: str | None = None
    version: int = 0


@dataclass(frozen=True, slots=True)
class KeyContest:
    """A conflict of one key, with the entry of each candidate for the archive."""

    key: Key
    contest: Contest
    entries: tuple[tuple[str, Entry | None], ...]


@dataclass(frozen=True, slots=True)
class Unread:
    """Something at a place, or a secret at a connection, that could not be read, and why."""

    link: str
    """The link; of a secret that a key refers to, the connection."""
    item: ItemId | None
    key: Key | None
    reason: str


@dataclass(frozen=True, slots=True)
class Looked:
    """What was looked at on one link: enough to judge limits and to recognise the ground again."""

    link: str
    mode: Mode
    place: str
    identity: str
    established: bool
    base_keys: int
    items: int
    unchanged: bool
    complete: bool
    reason: str = ""
    windows: tuple[tuple[Kind, str], ...] = ()
    """What remains unguarded at this place, in a sentence for each kind of write that it is true of."""
    left_behind: tuple[ItemId, ...] = ()
    """Items of a former track of this link, which is not looked at any more."""
    settling: tuple[tuple[ItemId, str], ...] = ()
    """Items that are taken and not in force everywhere yet, and how far they are."""
    copies: tuple[str, ...] = ()
    """Keys whose secrets lie there from when the link still took secrets."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What one run of a job would do. Equal observations make equal plans, byte for byte."""

    job: str
    scope: Scope
    store: str
    at: int
    rules: str
    """Names the policy that decided: the job's, and each link's."""
    links: tuple[Looked, ...]
    changes: tuple[Change, ...] = ()
    rebases: tuple[Rebase, ...] = ()
    raises: tuple[Change, ...] = ()
    """The store's value stays, and its rank rises: a stronger link moved to the same value."""
    holds: tuple[Hold, ...] = ()
    contests: tuple[KeyContest, ...] = ()
    unread: tuple[Unread, ...] = ()
    rotated: tuple[Key, ...] = ()
    """Keys whose secret is another one since the last run; each becomes a version first."""

    @property
    def id(self) -> str:
        """Twelve hexadecimal digits that name what the plan would do, and against what."""
        digest = hashlib.blake2b(digest_size=6)
        for part in (self.job, self.scope.text, self.store, *(look.identity for look in self.links)):
            digest.update(part.encode() + b"\0")
        for change in self.changes:
            digest.update(f"{change.key}\0{change.side}\0{change.source}\0{change.version}\0".encode())
            digest.update((change.expected or b"-") + (change.target or b"-"))
        return digest.hexdigest()

    @property
    def empty(self) -> bool:
        return not self.changes

    @property
    def conflicts(self) -> tuple[Hold, ...]:
        """What a person must decide."""
        return tuple(
            h for h in self.holds if h.why in (Why.CONFLICT, Why.FIRST_CONTACT, Why.BURIED, Why.UNDONE)
        )

    @property
    def refusals(self) -> tuple[Hold, ...]:
        """What a mapping or a place cannot carry."""
        return tuple(h for h in self.holds if h.why is Why.UNSAYABLE)

    @property
    def unseen(self) -> bool:
        return bool(self.unread) or not all(look.complete for look in self.links)

    def pushes(self, link: str) -> tuple[Change, ...]:
        return tuple(change for change in self.changes if change.side == link)

    @property
    def adoptions(self) -> tuple[Change, ...]:
        return tuple(change for change in self.changes if change.side == STORE)


@dataclass(frozen=True, slots=True)
class Stop:
    """One limit that a plan exceeds."""

    side: str
    reason: str


def check(plan: Plan, limits: Limits, protected: Sequence[Selection]) -> list[Stop]:
    """The limits that the plan exceeds; it may be carried out where there are none, or by permission.

    Changes are overwrites, not creations. The percentages are of the keys in the base of the link
    that is written, or that is adopted from.
    """
    stops: list[Stop] = []
    for look in plan.links:
        pushed = plan.pushes(look.link)
        adopted = [c for c in plan.adoptions if c.source == look.link]
        stops += _too_much(look.link, f"at {look.link}", pushed, look.base_keys, limits)
        stops += _too_much(STORE, f"in the store, adopted from {look.link}", adopted, look.base_keys, limits)
        if look.items == 0 and not look.unchanged and any(c.kind is Kind.DELETE for c in adopted):
            stops.append(Stop(STORE, f"{look.link} is empty: an empty place never empties the store"))
    touched = sorted({c.key.text for c in plan.changes if _is_protected(c, protected)})
    if touched:
        stops.append(Stop(STORE, f"protected: {_named(touched)}"))
    return stops


def _is_protected(change: Change, protected: Sequence[Selection]) -> bool:
    return change.kind is not Kind.CREATE and any(each.covers(change.key.text) for each in protected)


def _too_much(
    side: str, where: str, changes: Iterable[Change], base_keys: int, limits: Limits
) -> Iterable[Stop]:
    kinds = [change.kind for change in changes]
    deletes, updates = kinds.count(Kind.DELETE), kinds.count(Kind.UPDATE)
    for what, count, percent in (
        ("deletes", deletes, limits.deletes),
        ("changes", deletes + updates, limits.changes),
    ):
        allowed = max(limits.floor, int(base_keys * percent / 100))
        if count > allowed:
            yield Stop(side, f"{count} {what} {where}, of {base_keys} keys; the limit is {allowed}")
    if deletes > 1 and deletes >= base_keys:
        yield Stop(side, f"all {deletes} keys {where} would be deleted")


def _named(keys: Sequence[str]) -> str:
    shown = ", ".join(keys[:5])
    return shown if len(keys) <= 5 else f"{shown} and {len(keys) - 5} more"
