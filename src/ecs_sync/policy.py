"""Whose word counts: modes, first contact, and the resolution of conflicts by rank. Pure.

One key is decided at a time, on all links of a job together, so that the outcome is a function of
the set of sides and never of their order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import combinations

from ecs_sync.diff import Image, ImageOf, Observed, Sides, State, Unsayable, Unseen, compare
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
    as `Why.FIRST_CONTACT` or `Why.BURIED` ever since. ``lost`` says that this very value lost against
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

_NEXT_VERSION = -1
"""Stands for the version that an adoption will make: different from every version there is."""


@dataclass(frozen=True, slots=True)
class _Found:
    """A view, with its state as found."""

    view: View
    state: State


def decide(job: JobPolicy, standing: Standing, views: Sequence[View], image: ImageOf) -> Settlement:
    """Decides one key on all links of a job together. Does not depend on the order of ``views``."""
    found = [_Found(view, compare(view.against(standing, image))) for view in views]
    waiting = {f.view.link: why for f in found if (why := _waits(f, standing, views, image))}
    contenders = [f for f in found if f.view.link not in waiting and _contends(job, f, standing)]
    winner = _winner(job, contenders)
    contest = _contest(job, standing, contenders, winner, image)
    if contest and contest.winner is None:
        decisions = (_follow(f, standing, waiting, image) for f in found)
        return Settlement(tuple(_frozen(decision, contest) for decision in decisions), contest=contest)
    if winner is None:
        return Settlement(tuple(_follow(f, standing, waiting, image) for f in found), contest=contest)
    raises = winner.state is State.CONVERGED
    won = Decision(winner.view.link, winner.state, Action.REBASE if raises else Action.ADOPT)
    after = Standing(_NEXT_VERSION, standing.value if raises else winner.view.adopted)
    settled = [won if f is winner else _follow(_in_step(f, standing), after, waiting, image) for f in found]
    if any(d.state is State.CONVERGED and d.action is Action.HOLD for d in settled):
        return Settlement(tuple(_bases_first(f) for f in found))
    adopt, raised = (None, won.link) if raises else (won.link, None)
    return Settlement(tuple(settled), adopt, raised, contest)


def _waits(found: _Found, standing: Standing, views: Sequence[View], image: ImageOf) -> Why | None:
    """Why a key at first contact is not adopted yet: the store has unset it, the links differ on it, or
    one that meets it too cannot be seen."""
    view = found.view
    if not view.meets or found.state is not State.FOREIGN:
        return None
    if standing.version > 0:
        return None if view.choice is First.PLACE else Why.BURIED
    if view.choice in (First.PLACE, First.PRIORITY):
        return None
    others = [other for other in views if other is not view and other.policy.adopts]
    if any(other.first and isinstance(other.observed, Unseen) for other in others):
        return Why.FIRST_CONTACT
    moved = (other for other in others if other.moved)
    return Why.FIRST_CONTACT if any(_differ(view, other, image) for other in moved) else None


def _differ(view: View, other: View, image: ImageOf) -> bool:
    same = view.adopted == other.adopted or image(view.link, other.adopted) == view.observed
    return not (same or image(other.link, view.adopted) == other.observed)


def _contends(job: JobPolicy, found: _Found, standing: Standing) -> bool:
    """Could what this link's place holds be the store's next value?"""
    view, words = found.view, found.view.policy.words
    if view.lost or view.pinned or (view.first and view.adopted is None):
        return False
    match found.state:
        case State.DRIFTED:
            return words.drifted is Word.ADOPT
        case State.FOREIGN:
            return words.foreign is Word.ADOPT
        case State.CONFLICT:
            return _decisive(found) or (words.conflict is Word.RULE and not view.meets)
        case State.CONVERGED:
            # It moved to where the store went: what is weaker must lose against it, as if it had come first.
            ranked = standing.value is not None or job.delete_wins
            moved = view.moved and not view.meets
            return moved and ranked and words.conflict in (Word.ADOPT, Word.RULE) and _stronger(job, found)
        case State.IN_SYNC | State.PENDING | State.UNSEEN:  # pragma: no branch (all named)
            return False


def _decisive(found: _Found) -> bool:
    """Does the link itself say how a difference is resolved, whatever the job's rule?"""
    if found.view.meets:
        return found.view.choice in (First.PLACE, First.PRIORITY)
    return found.state is State.CONFLICT and found.view.policy.words.conflict is Word.ADOPT


def _preferred(found: _Found) -> bool:
    """Does the link say that its place wins, whatever the ranks?"""
    return _decisive(found) and not (found.view.meets and found.view.choice is First.PRIORITY)


def _strength(job: JobPolicy, view: View) -> Strength:
    return Strength(job.delete_wins or view.adopted is not None, view.policy.rank)


def _stronger(job: JobPolicy, found: _Found) -> bool:
    """Is this view stronger than every version the store made since the view's base?"""
    view = found.view
    against = (replace(later, present=True) if job.delete_wins else later for later in view.later)
    return _preferred(found) or all(_strength(job, view) > other for other in against)


def _winner(job: JobPolicy, contenders: Sequence[_Found]) -> _Found | None:
    """The strongest of those that are stronger than the store since their bases, or preferred to it.

    This coalesces equal values: the strongest speaks for them. A link that is weaker than the store
    lends its rank to no other, because it would not have been adopted had it been looked at alone.
    """
    able = (contender for contender in contenders if _stronger(job, contender))
    return max(able, key=lambda each: (_preferred(each), _strength(job, each.view)), default=None)


def _contest(
    job: JobPolicy, standing: Standing, contenders: Sequence[_Found], winner: _Found | None, image: ImageOf
) -> Contest | None:
    views = [contender.view for contender in contenders]
    with_store = any(contender.state is State.CONFLICT for contender in contenders)
    if not (with_store or any(_differ(one, other, image) for one, other in combinations(views, 2))):
        return None
    candidates = [(view.link, view.adopted, view.policy.rank) for view in views]
    if later := [strength.rank for view in views for strength in view.later]:
        candidates.append((STORE, standing.value, max(later)))
    candidates.sort(key=lambda candidate: candidate[0])
    if job.conflicts is Rule.HOLD and not all(map(_decisive, contenders)):
        return Contest(tuple(candidates), None)
    if winner is None or winner.state is State.CONVERGED:
        return Contest(tuple(candidates), STORE)
    return Contest(tuple(candidates), winner.view.link)


def _frozen(decision: Decision, contest: Contest) -> Decision:
    """A held conflict freezes its key on every link; who holds it for another reason goes on saying so."""
    contends = any(side == decision.link for side, _, _ in contest.candidates)
    if contends or decision.action in (Action.PUSH, Action.REBASE):
        return Decision(decision.link, decision.state, Action.HOLD, Why.CONFLICT)
    return decision


def _in_step(found: _Found, standing: Standing) -> _Found:
    """Who held what the store held follows it from there, as if its base had moved in a run before."""
    observed = found.view.observed
    if found.state is not State.CONVERGED or isinstance(observed, Unseen):
        return found
    return _Found(replace(found.view, base=observed, base_version=standing.version), found.state)


def _bases_first(found: _Found) -> Decision:
    """Where a link holds what the store holds, and may not follow it, its base moves before the store does.

    A base left behind would take that value for a move of the place, and bring back what others took away.
    """
    match found.state:
        case State.CONVERGED:
            return Decision(found.view.link, found.state, Action.REBASE)
        case State.IN_SYNC | State.UNSEEN:
            why = Why.UNSEEN if found.state is State.UNSEEN else None
            return Decision(found.view.link, found.state, Action.NOTHING, why)
        case State.PENDING | State.DRIFTED | State.CONFLICT | State.FOREIGN:  # pragma: no branch (all named)
            return Decision(found.view.link, found.state, Action.HOLD, Why.NEXT_RUN)


def _follow(found: _Found, after: Standing, waiting: dict[str, Why], image: ImageOf) -> Decision:
    """What is done about a link whose value does not win, once the store stands like ``after``."""
    view = found.view
    sides = view.against(after, image)
    state = compare(sides)
    match state:
        case State.IN_SYNC:
            return Decision(view.link, found.state, Action.NOTHING)
        case State.UNSEEN:
            return Decision(view.link, found.state, Action.NOTHING, Why.UNSEEN)
        case State.CONVERGED:
            return Decision(view.link, found.state, Action.REBASE)
        case State.FOREIGN if view.policy.prunes and not view.first:
            return Decision(view.link, found.state, Action.PUSH)
        case State.FOREIGN:
            return Decision(view.link, found.state, Action.HOLD, waiting.get(view.link, Why.FOREIGN))
        case State.PENDING | State.CONFLICT if view.pinned:
            return Decision(view.link, found.state, Action.HOLD, Why.UNDONE)
        case State.PENDING | State.DRIFTED | State.CONFLICT:  # pragma: no branch (all named)
            why = _why_not_pushed(found, state, sides.desired, waiting)
            reason = sides.desired.reason if isinstance(sides.desired, Unsayable) else ""
            action = Action.HOLD if why else Action.PUSH
            return Decision(view.link, found.state, action, why, reason if why is Why.UNSAYABLE else "")


def _why_not_pushed(found: _Found, state: State, desired: Image, waiting: dict[str, Why]) -> Why | None:
    view, words = found.view, found.view.policy.words
    if state is State.CONFLICT and view.meets:
        # Who had no say in what the others brought is not overwritten by it, unless that is its choice.
        unheard = found.state is State.FOREIGN and (view.link in waiting or words.foreign is not Word.ADOPT)
        if view.choice is First.HOLD or (unheard and view.choice is not First.STORE):
            return Why.FIRST_CONTACT
        word, otherwise = words.pending, Why.LOST
    elif state is State.CONFLICT and words.conflict in (Word.ADOPT, Word.RULE):
        word, otherwise = words.pending, Why.LOST
    elif state is State.CONFLICT:
        word, otherwise = words.conflict, Why.MODE
    elif state is State.DRIFTED:
        # What could have been adopted and was not is the delete of a track that is not established.
        word, otherwise = words.drifted, Why.DELETES_OFF if words.drifted is Word.ADOPT else Why.MODE
    else:
        word, otherwise = words.pending, Why.MODE
    if word is not Word.PUSH:
        return otherwise
    if isinstance(desired, Unsayable):
        return Why.UNSAYABLE
    return Why.DELETES_OFF if desired is None and (view.first or not view.policy.deletes) else None
