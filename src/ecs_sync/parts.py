"""The parts of a plan that the decisions on one key make, and what each link would show of its values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ecs_sync.adapter import ItemId
from ecs_sync.diff import Image, State, Unsayable
from ecs_sync.looking import Looking
from ecs_sync.mapping import Refusal
from ecs_sync.model import Entry, Fingerprint, Fingerprinter, Key, Type
from ecs_sync.plan import Change, Hold, Rebase
from ecs_sync.policy import STORE, Decision, Secrets, Why
from ecs_sync.store import Stored


class Images:
    """What each link would show of each canonical value of one key."""

    def __init__(
        self,
        fingerprints: Fingerprinter,
        known: dict[Fingerprint, Entry | Unsayable],
        lookings: Sequence[Looking],
    ) -> None:
        self._fingerprints = fingerprints
        self.known = known
        self._remotes = {looking.side.remote.link: looking.side.remote for looking in lookings}
        self._made: dict[tuple[str, Fingerprint], Image] = {}
        for looking in lookings:
            if looking.lifted is None or not isinstance(looking.observed, bytes):
                continue
            if not _is_to_be_opened(looking):
                # What a place shows is an image of what it stands for, even where ours is spelled otherwise.
                value = fingerprints.of(looking.lifted)
                self._made[looking.side.remote.link, value] = Fingerprint(looking.observed)

    def __call__(self, link: str, value: Fingerprint | None) -> Image:
        if value is None:
            return None
        if (link, value) not in self._made:
            self._made[link, value] = self._make(link, self.known[value])
        return self._made[link, value]

    def _make(self, link: str, entry: Entry | Unsayable) -> Image:
        image = entry if isinstance(entry, Unsayable) else self._remotes[link].image(entry)
        return image if isinstance(image, Unsayable) else self._fingerprints.of(image)


def _is_to_be_opened(looking: Looking) -> bool:
    """Does a place show a reference where the link has the plaintext behind it?"""
    entry = looking.entry
    shows_reference = entry is not None and entry.value.type is Type.REFERENCE
    return shows_reference and looking.side.remote.secrets is Secrets.COPY


@dataclass(frozen=True, slots=True)
class Parts:
    """Turns the decisions on one key into parts of a plan."""

    key: Key
    stored: Stored | None
    winner: Looking | None
    images: Images
    fingerprints: Fingerprinter

    @property
    def version(self) -> int:
        return self.stored.version if self.stored else 0

    def _value(self) -> Fingerprint | None:
        if self.winner is not None:
            return self.fingerprints.of(self.winner.lifted) if self.winner.lifted else None
        return self.stored.fingerprint if self.stored else None

    def _entry(self) -> Entry | None:
        if self.winner is not None:
            return self.winner.lifted
        return self.stored.entry if self.stored else None

    def image(self, looking: Looking) -> Image:
        """What the link would show of the value that counts."""
        return self.images(looking.side.remote.link, self._value())

    def push(self, state: State, looking: Looking) -> Change:
        remote, row = looking.side.remote, looking.row
        source = self.winner.side.remote.link if self.winner else STORE
        target = self.image(looking)
        where = row.item if row else self._where(looking)
        return Change(
            self.key,
            remote.link,
            source,
            state,
            looking.lifted,
            self._entry(),
            looking.observed if isinstance(looking.observed, bytes) else None,
            target if isinstance(target, bytes) else None,
            self.version,
            self.stored.rank if self.stored and not self.winner else remote.policy.rank,
            where,
            row.revision if row else None,
            changed=row.changed if row else None,
        )

    def _where(self, looking: Looking) -> ItemId | None:
        if looking.base is not None:
            return looking.base.item
        where = looking.side.remote.mapping.locate(self.key)
        return None if isinstance(where, Refusal) else where

    def adoption(self, state: State, looking: Looking) -> Change:
        before = self.stored.entry if self.stored else None
        return Change(
            self.key,
            STORE,
            looking.side.remote.link,
            state,
            before,
            looking.lifted,
            self.stored.fingerprint if self.stored else None,
            self._value(),
            self.version,
            looking.side.remote.policy.rank,
            looking.row.item if looking.row else self._where(looking),
            looking.row.revision if looking.row else None,
            looking.observed if isinstance(looking.observed, bytes) else None,
            looking.row.changed if looking.row else None,
        )

    def raising(self, looking: Looking) -> Change:
        entry = self.stored.entry if self.stored else None
        return replace(self.adoption(State.CONVERGED, looking), after=entry, target=self._value())

    def rebase(self, looking: Looking) -> Rebase:
        observed = looking.observed if isinstance(looking.observed, bytes) else None
        version = self.version if self.winner is None else None
        row = looking.row
        return Rebase(
            self.key,
            looking.side.remote.link,
            observed,
            version,
            row.item if row else self._where(looking),
            row.revision if row else None,
            row.changed if row else None,
        )

    def hold(self, decision: Decision, looking: Looking, why: Why, reason: str) -> Hold:
        row = looking.row
        return Hold(
            self.key,
            decision.link,
            decision.state,
            why,
            reason,
            self.stored.entry if self.stored else None,
            looking.lifted,
            row.item if row else self._where(looking),
            looking.observed if isinstance(looking.observed, bytes) else None,
            row.revision if row else None,
            row.changed if row else None,
            self.version,
        )


def held_back(change: Change, reason: str) -> Hold:
    return Hold(
        change.key,
        change.side,
        change.state,
        Why.UNSAYABLE,
        reason,
        change.after,
        change.before,
        change.item,
        change.expected,
        change.revision,
        None,
        change.version,
    )
