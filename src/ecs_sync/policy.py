"""Whose word counts: modes, first contact, and the resolution of conflicts by rank. Pure.

One key is decided at a time, on all links of a job together, so that the outcome is a function of
the set of sides and never of their order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from ecs_sync.diff import ImageOf, Observed, Sides, State, Unsayable, Unseen, compare
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
    says that the link's track has had no complete run yet. ``lost`` says that this very value lost
    against the store's present version before.
    """

    policy: LinkPolicy
    base: Fingerprint | None
    base_version: int
    observed: Observed
    adopted: Fingerprint | None = None
    later: tuple[Strength, ...] = ()
    first: bool = False
    lost: bool = False

    @property
    def link(self) -> str:
        return self.policy.link

    @property
    def meets(self) -> bool:
        """Is this the link's first contact with the key?"""
        return self.first and self.base_version == 0

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
    BURIED = "first contact: unset in the store"
    FOREIGN = "foreign"
    DELETES_OFF = "deletes are off"
    LOST = "lost the conflict at a place that is not written"
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

    ``candidates`` are (side, canonical value, rank) in a fixed order.
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


def decide(job: JobPolicy, standing: Standing, views: Sequence[View], image: ImageOf) -> Settlement:
    """Decides one key on all links of a job together. Does not depend on the order of ``views``."""
    states = {view.link: compare(view.against(standing, image)) for view in views}
    met = _first_contact(standing, views, states, image)
    contenders = [v for v in views if v.link not in met and _contends(v, states[v.link])]
    contest = _contest(job, standing, contenders, states)
    if contest and contest.winner is None:
        frozen = {side for side, _, _ in contest.candidates}
        decisions = [
            _frozen(view, states[view.link], frozen) or _decide(view, standing, states, met, image, None)
            for view in views
        ]
        return Settlement(tuple(decisions), contest=contest)
    winner = _winner(job, contenders, contest)
    after = _standing_after(standing, winner)
    decisions = [_decide(view, after, states, met, image, winner) for view in views]
    raised = None if winner else _raised(standing, views, states)
    return Settlement(tuple(decisions), winner.link if winner else None, raised, contest)


_NEXT_VERSION = -1
"""Stands for the version that an adoption will make: different from every version there is."""


def _standing_after(standing: Standing, winner: View | None) -> Standing:
    return Standing(_NEXT_VERSION, winner.adopted) if winner else standing


def _contends(view: View, state: State) -> bool:
    words = view.policy.words
    if view.lost or (view.first and view.adopted is None):
        return False
    if view.meets and state is State.CONFLICT and view.policy.first in (First.PLACE, First.PRIORITY):
        return True
    if view.meets and state is State.CONFLICT and view.policy.first is First.STORE:
        return False
    match state:
        case State.DRIFTED:
            return words.drifted is Word.ADOPT
        case State.CONFLICT:
            return words.conflict in (Word.ADOPT, Word.RULE)
        case State.FOREIGN:
            return words.foreign is Word.ADOPT
        case State.IN_SYNC | State.CONVERGED | State.PENDING | State.UNSEEN:
            return False


def _first_contact(
    standing: Standing, views: Sequence[View], states: dict[str, State], image: ImageOf
) -> dict[str, Why]:
    """The links that hold this key because they meet it for the first time, and why."""
    meeting = [v for v in views if v.meets and isinstance(v.observed, bytes)]
    held: dict[str, Why] = {}
    for view in meeting:
        buried = standing.version > 0 and standing.value is None
        if buried and view.policy.first is not First.PLACE:
            held[view.link] = Why.BURIED
        elif states[view.link] is State.CONFLICT and view.policy.first is First.HOLD:
            held[view.link] = Why.FIRST_CONTACT
    undecided = [v for v in meeting if v.link not in held and v.policy.first is First.HOLD]
    for view in undecided:
        others = [v for v in views if v is not view and _moved(v) and v.policy.adopts]
        if states[view.link] is State.FOREIGN and any(_differ(view, other, image) for other in others):
            held[view.link] = Why.FIRST_CONTACT
    return held


def _moved(view: View) -> bool:
    return not isinstance(view.observed, Unseen) and view.observed != view.base


def _differ(view: View, other: View, image: ImageOf) -> bool:
    same = view.adopted == other.adopted or image(view.link, other.adopted) == view.observed
    return not (same or image(other.link, view.adopted) == other.observed)


def _strength(job: JobPolicy, value: Fingerprint | None, rank: Rank) -> Strength:
    return Strength(job.delete_wins or value is not None, rank)


def _rank_of(view: View, contenders: Sequence[View]) -> Rank:
    """Equal values coalesce: each competes with the highest rank among them."""
    return max(c.policy.rank for c in contenders if c.adopted == view.adopted)


def _stronger(job: JobPolicy, view: View, contenders: Sequence[View]) -> bool:
    """Is this view stronger than every version the store made since the view's base?"""
    if view.meets and view.policy.first is First.PLACE:
        return True
    mine = _strength(job, view.adopted, _rank_of(view, contenders))
    against = (replace(s, present=True) if job.delete_wins else s for s in view.later)
    return all(mine > other for other in against)


def _winner(job: JobPolicy, contenders: Sequence[View], contest: Contest | None) -> View | None:
    if contest and contest.winner == STORE:
        return None
    survivors = [c for c in contenders if _stronger(job, c, contenders)]
    return max(
        survivors,
        key=lambda c: (_strength(job, c.adopted, _rank_of(c, contenders)), c.policy.rank),
        default=None,
    )


def _contest(
    job: JobPolicy, standing: Standing, contenders: Sequence[View], states: dict[str, State]
) -> Contest | None:
    against_store = any(c.later and states[c.link] is State.CONFLICT for c in contenders)
    distinct = {c.adopted for c in contenders} | ({standing.value} if against_store else set())
    if len(distinct) < 2:
        return None
    candidates = [(c.link, c.adopted, c.policy.rank) for c in contenders]
    if against_store:
        strongest = max(s.rank for c in contenders for s in c.later)
        candidates.append((STORE, standing.value, strongest))
    candidates.sort(key=lambda candidate: candidate[0])
    if job.conflicts is Rule.HOLD:
        return Contest(tuple(candidates), None)
    winner = _winner(job, contenders, None)
    return Contest(tuple(candidates), winner.link if winner else STORE)


def _frozen(view: View, state: State, candidates: set[str]) -> Decision | None:
    """A held conflict freezes its key on every link, except where nothing is to be done anyway."""
    if state in (State.IN_SYNC, State.UNSEEN):
        return None
    why = Why.CONFLICT if view.link in candidates or state is not State.FOREIGN else Why.FOREIGN
    return Decision(view.link, state, Action.HOLD, why)


def _raised(standing: Standing, views: Sequence[View], states: dict[str, State]) -> str | None:
    """The strongest link that moved to the store's own moved value, if it outranks that value's author."""
    agreeing = [
        v
        for v in views
        if states[v.link] is State.CONVERGED and v.policy.adopts and _moved(v) and v.later and standing.value
    ]
    strongest = max(agreeing, key=lambda v: v.policy.rank, default=None)
    if strongest and all(strongest.policy.rank > s.rank for s in strongest.later):
        return strongest.link
    return None


def _decide(
    view: View,
    after: Standing,
    states: dict[str, State],
    met: dict[str, Why],
    image: ImageOf,
    winner: View | None,
) -> Decision:
    found = states[view.link]
    if view.link in met:
        return Decision(view.link, found, Action.HOLD, met[view.link])
    if view is winner:
        return Decision(view.link, found, Action.ADOPT)
    sides = view.against(after, image)
    state = compare(sides)
    match state:
        case State.IN_SYNC:
            return Decision(view.link, found, Action.NOTHING)
        case State.UNSEEN:
            return Decision(view.link, found, Action.NOTHING, Why.UNSEEN)
        case State.CONVERGED:
            return Decision(view.link, found, Action.REBASE)
        case State.PENDING | State.DRIFTED | State.CONFLICT | State.FOREIGN:
            return _act(view, found, state, sides)


def _act(view: View, found: State, state: State, sides: Sides) -> Decision:
    policy = view.policy
    if state is State.FOREIGN:
        if policy.prune and not view.first:
            return Decision(view.link, found, Action.PUSH)
        return Decision(view.link, found, Action.HOLD, Why.FOREIGN)
    if view.meets and state is State.CONFLICT and policy.first is First.HOLD:
        return Decision(view.link, found, Action.HOLD, Why.FIRST_CONTACT)
    word = _word(view, state)
    if word is not Word.PUSH:
        lost = state is State.CONFLICT and word is policy.words.pending
        return Decision(view.link, found, Action.HOLD, Why.LOST if lost else Why.MODE)
    if isinstance(sides.desired, Unsayable):
        return Decision(view.link, found, Action.HOLD, Why.UNSAYABLE, sides.desired.reason)
    if sides.desired is None and (view.first or not policy.deletes):
        return Decision(view.link, found, Action.HOLD, Why.DELETES_OFF)
    return Decision(view.link, found, Action.PUSH)


def _word(view: View, state: State) -> Word:
    """The mode's word, after the conflict rule has spoken: who lost is told like one who is behind."""
    words = view.policy.words
    if state is State.PENDING:
        return words.pending
    if state is State.DRIFTED:
        return words.drifted
    resolved = words.conflict is Word.RULE or (view.meets and view.policy.first is not First.HOLD)
    return words.pending if resolved else words.conflict
