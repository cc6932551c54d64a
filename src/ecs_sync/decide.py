"""The decision on one key, on all links of a job together. Pure.

The outcome is a function of the set of sides and never of their order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from ecs_sync.diff import Image, ImageOf, State, Unsayable, Unseen, compare
from ecs_sync.policy import (
    STORE,
    Action,
    Contest,
    Decision,
    First,
    JobPolicy,
    Rule,
    Settlement,
    Standing,
    Strength,
    View,
    Why,
    Word,
)

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
        return Why.UNHEARD
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
