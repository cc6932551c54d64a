"""The three-way comparison of one key on one link. Pure.

What is compared are fingerprints *in the image of the link's mapping*; None means absent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ecs_sync.model import Fingerprint


class State(StrEnum):
    """One key on one link."""

    IN_SYNC = "in sync"
    CONVERGED = "converged"
    """Both sides hold the same, and the base is behind: only the base moves. This heals a crash."""
    PENDING = "pending"
    """The store moved."""
    DRIFTED = "drifted"
    """The place moved."""
    CONFLICT = "conflict"
    """Both moved, differently."""
    FOREIGN = "foreign"
    """At the place, and not ours: never in the store, or once deleted by us and made again."""
    UNSEEN = "unseen"
    """Not known: nothing happens, and it is said."""


class Unseen:
    """The observation of a key that could not be observed."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "UNSEEN"


UNSEEN: Final = Unseen()


@dataclass(frozen=True, slots=True)
class Unsayable:
    """The image of an entry that a mapping cannot carry, with the sentence that says why."""

    reason: str


Image = Fingerprint | None | Unsayable
"""What a link would hold: a fingerprint, nothing, or something that cannot be said there."""

Observed = Fingerprint | None | Unseen

ImageOf = Callable[[str, Fingerprint | None], Image]
"""From a link's name and the fingerprint of a canonical entry to its image on that link."""


@dataclass(frozen=True, slots=True)
class Sides:
    """The three sides of one key on one link.

    ``desired`` counts as moved when the store's version of the key is not the base's, even if the
    value came back. A key without a base has version 0 and an absent base.
    """

    base: Fingerprint | None
    base_version: int
    desired: Image
    desired_version: int
    observed: Observed

    @property
    def desired_moved(self) -> bool:
        return self.desired_version != self.base_version

    @property
    def observed_moved(self) -> bool:
        return not isinstance(self.observed, Unseen) and self.observed != self.base


def compare(sides: Sides) -> State:
    """The state of a key. Total: every combination of sides has exactly one state."""
    if isinstance(sides.observed, Unseen):
        return State.UNSEEN
    if not (sides.desired_moved or sides.observed_moved):
        return State.IN_SYNC
    if sides.desired == sides.observed:
        never_met = sides.observed is None and sides.base_version == 0
        return State.IN_SYNC if never_met else State.CONVERGED
    if sides.base is None and sides.desired is None:
        return State.FOREIGN
    match sides.desired_moved, sides.observed_moved:
        case True, True:
            return State.CONFLICT
        case True, False:
            return State.PENDING
        case _:
            return State.DRIFTED
