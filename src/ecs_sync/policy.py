"""Whose word counts: the modes, what a link says, and the values that a decision is made of. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ecs_sync.diff import ImageOf, Observed, Sides, State, Unseen
from ecs_sync.model import Fingerprint, Rank


class Mode(StrEnum):
    """What a link is for."""

    MIRROR = "mirror"
    """The place shall equal the store."""
    EXPORT = "export"
    """Push our changes, respect theirs."""
    IMPORT = "import"
    """The store follows the place; the place is never written."""
    TWO_WAY = "two-way"
    AUDIT = "audit"
    """Look only: no entry and no place is written."""


class Word(StrEnum):
    """What a mode says of a state."""

    PUSH = "push"
    ADOPT = "adopt"
    HOLD = "hold"
    RULE = "rule"
    """The job's conflict rule decides."""


class Rule(StrEnum):
    """How a job resolves conflicts."""

    PRIORITY = "priority"
    HOLD = "hold"


class First(StrEnum):
    """What a link says of values that differ at first contact."""

    HOLD = "hold"
    STORE = "store"
    PLACE = "place"
    PRIORITY = "priority"


class Secrets(StrEnum):
    """What a link does with secrets."""

    REFERENCE = "reference"
    """They stay where they are kept; the place is told where that is."""
    COPY = "copy"
    """They are written to the place, which must be made for secrets."""
    REFUSE = "refuse"
    """They are left out, and that is said."""


@dataclass(frozen=True, slots=True)
class Words:
    """A mode, spelled out: what it says of each state that wants a decision."""

    pending: Word
    drifted: Word
    conflict: Word
    foreign: Word


WORDS: dict[Mode, Words] = {
    Mode.MIRROR: Words(Word.PUSH, Word.PUSH, Word.PUSH, Word.HOLD),
    Mode.EXPORT: Words(Word.PUSH, Word.HOLD, Word.HOLD, Word.HOLD),
    Mode.IMPORT: Words(Word.HOLD, Word.ADOPT, Word.RULE, Word.ADOPT),
    Mode.TWO_WAY: Words(Word.PUSH, Word.ADOPT, Word.RULE, Word.ADOPT),
    Mode.AUDIT: Words(Word.HOLD, Word.HOLD, Word.HOLD, Word.HOLD),
}


@dataclass(frozen=True, slots=True)
class LinkPolicy:
    """One link's say. ``words`` are its mode's unless the configuration sets single ones."""

    link: str
    mode: Mode
    words: Words
    priority: int = 0
    first: First = First.HOLD
    deletes: bool = True
    """Deletes in the store are pushed."""
    prune: bool = False
    """Foreign items are deleted, by name and under the limits."""

    @property
    def rank(self) -> Rank:
        return Rank(self.priority, self.link)

    @property
    def prunes(self) -> bool:
        """Are foreign items deleted? Never where they are adopted, nor at a place that is not written."""
        return self.prune and self.words.foreign is Word.HOLD and self.words.pending is Word.PUSH

    @property
    def adopts(self) -> bool:
        """Can a value of this link's place reach the store?"""
        said = (self.words.drifted, self.words.conflict, self.words.foreign)
        return Word.ADOPT in said or Word.RULE in said


@dataclass(frozen=True, slots=True)
class JobPolicy:
    conflicts: Rule = Rule.PRIORITY
    delete_wins: bool = False


@dataclass(frozen=True, slots=True, order=True)
class Strength:
    """What a value competes by. By default a value beats a delete, whatever the ranks."""

    present: bool
    rank: Rank


@dataclass(frozen=True, slots=True)
class Standing:
    """The store's side of a key: its newest version (0: never seen) and canonical value (None: absent)."""

    version: int
    value: Fingerprint | None


@dataclass(frozen=True, slots=True)
class View:
    """One link's view of a key.

    ``base`` and ``observed`` are in the image of the link's mapping. ``adopted`` is the canonical
    value that adopting would commit (None: a delete). ``later`` are the strengths of all the store's
    versions of the key after the base's, or after it was last unset where there is no base. ``first``
    says that the link still meets this key: its track has had no complete run yet, or has held the key
    as `Why.FIRST_CONTACT`, `UNHEARD` or `BURIED` ever since. ``lost`` says that this very value lost against
    the store's present version before, ``pinned`` that an undo put it here and nobody touched it since.
    """

    policy: LinkPolicy
    base: Fingerprint | None
    base_version: int
    observed: Observed
    adopted: Fingerprint | None = None
    later: tuple[Strength, ...] = ()
    first: bool = False
    lost: bool = False
    pinned: bool = False

    @property
    def link(self) -> str:
        return self.policy.link

    @property
    def meets(self) -> bool:
        """Is this first contact with the key? It is not where a base with a value was carried over."""
        return self.first and self.base is None

    @property
    def moved(self) -> bool:
        return not isinstance(self.observed, Unseen) and self.observed != self.base

    @property
    def choice(self) -> First:
        """What the link says of a key that it meets. An audit chooses nothing: it writes neither side."""
        return First.HOLD if self.policy.mode is Mode.AUDIT else self.policy.first

    def against(self, standing: Standing, image: ImageOf) -> Sides:
        """The three sides of this view where the store stands so."""
        unmoved = standing.version == self.base_version
        desired = self.base if unmoved else image(self.link, standing.value)
        return Sides(self.base, self.base_version, desired, standing.version, self.observed)


class Action(StrEnum):
    """What shall be done about a key on a link."""

    NOTHING = "nothing"
    PUSH = "push"
    ADOPT = "adopt"
    REBASE = "rebase"
    """Only the base moves: both sides hold the same already."""
    HOLD = "hold"


class Why(StrEnum):
    """Why a key is left as it is."""

    MODE = "held by mode"
    CONFLICT = "conflict held"
    FIRST_CONTACT = "first contact: the sides differ"
    UNHEARD = "first contact: another side cannot be seen"
    BURIED = "first contact: unset in the store"
    FOREIGN = "foreign"
    DELETES_OFF = "deletes are off"
    LOST = "lost the conflict at a place that is not written"
    UNDONE = "undone at this place"
    NEXT_RUN = "another link's base moves first: the next run decides"
    UNSAYABLE = "refused"
    UNSEEN = "unseen"


@dataclass(frozen=True, slots=True)
class Decision:
    """One key on one link: its state as found, what shall be done, and why where it is held."""

    link: str
    state: State
    action: Action
    why: Why | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Contest:
    """A conflict between sides that moved differently. ``winner`` is ``store``, a link, or None: held.

    ``candidates`` are (side, canonical value, rank) in a fixed order; some may have the same value.
    """

    candidates: tuple[tuple[str, Fingerprint | None, Rank], ...]
    winner: str | None


@dataclass(frozen=True, slots=True)
class Settlement:
    """One key on all links. ``adopt`` names the link whose value the store takes, if any.

    ``raised`` says that the store's value stays and only its rank rises: a stronger link moved to
    the same value, and later candidates must compete against that.
    """

    decisions: tuple[Decision, ...]
    adopt: str | None = None
    raised: str | None = None
    contest: Contest | None = None


STORE = "store"
