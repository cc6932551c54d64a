"""Laws that hold for any links, any modes and any sides."""

from __future__ import annotations

from dataclasses import replace
from itertools import compress
from random import Random

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ecs_sync.decide import decide
from ecs_sync.diff import UNSEEN, Unsayable
from ecs_sync.policy import (
    STORE,
    Action,
    Decision,
    First,
    JobPolicy,
    Mode,
    Settlement,
    Strength,
    View,
    Why,
    Word,
)

from .scenes import ANY_WORDS, COHERENT_WORDS, Scene, scenes

LAW = settings(max_examples=200, deadline=None)

any_scene = st.one_of(scenes(), scenes(spoken=ANY_WORDS))


def pairs(scene: Scene, settlement: Settlement) -> list[tuple[View, Decision]]:
    assert [view.link for view in scene.views] == [decision.link for decision in settlement.decisions]
    return list(zip(scene.views, settlement.decisions, strict=True))


def with_bases_first(scene: Scene) -> Scene:
    """The scene in which something is decided: a run that only moves a base comes before it."""
    settlement = scene.settlement()
    postponed = any(decision.why is Why.NEXT_RUN for decision in settlement.decisions)
    return scene.settled(settlement) if postponed else scene


def strength(job: JobPolicy, view: View) -> Strength:
    return Strength(job.delete_wins or view.adopted is not None, view.policy.rank)


def stronger(job: JobPolicy, view: View) -> bool:
    later = (Strength(job.delete_wins or each.present, each.rank) for each in view.later)
    return all(strength(job, view) > each for each in later)


@LAW
@given(any_scene, st.randoms(use_true_random=False))
def test_the_order_of_links_decides_nothing(scene: Scene, random: Random) -> None:
    shuffled = list(scene.views)
    random.shuffle(shuffled)
    one, other = scene.settlement(), decide(scene.job, scene.standing, shuffled, scene.image)
    by_link = {decision.link: decision for decision in other.decisions}
    assert one == replace(other, decisions=tuple(by_link[view.link] for view in scene.views))


@LAW
@given(any_scene)
def test_what_was_not_seen_is_left_alone_and_has_no_say(scene: Scene) -> None:
    """Except that new links wait for one another at first contact, which another test says."""
    settlement = scene.settlement()
    for view, decision in pairs(scene, settlement):
        if view.observed is UNSEEN:
            assert (decision.action, decision.why) == (Action.NOTHING, Why.UNSEEN)
    heard = [view.observed is not UNSEEN or view.first for view in scene.views]
    without = replace(scene, views=tuple(compress(scene.views, heard)))
    assert without.settlement() == replace(settlement, decisions=tuple(compress(settlement.decisions, heard)))


@LAW
@given(scenes())
def test_only_links_that_adopt_reach_the_store_and_only_links_that_push_are_written(scene: Scene) -> None:
    for view, decision in pairs(scene, scene.settlement()):
        met = view.meets and view.policy.first in (First.PLACE, First.PRIORITY)
        match view.policy.mode:
            case Mode.AUDIT:
                assert decision.action not in (Action.PUSH, Action.ADOPT)
            case Mode.MIRROR | Mode.EXPORT:
                assert decision.action is not Action.ADOPT or met
            case Mode.IMPORT:
                assert decision.action is not Action.PUSH
            case Mode.TWO_WAY:
                pass


@LAW
@given(any_scene)
def test_the_store_takes_one_value_at_most(scene: Scene) -> None:
    settlement = scene.settlement()
    adopting = [decision.link for decision in settlement.decisions if decision.action is Action.ADOPT]
    assert adopting == ([settlement.adopt] if settlement.adopt else [])
    if settlement.raised:
        assert settlement.adopt is None
        raising = next(view for view in scene.views if view.link == settlement.raised)
        assert raising.observed == scene.image(raising.link, scene.standing.value)
        assert stronger(scene.job, raising)


def _leaves_some_for_the_next_run(scene: Scene, settlement: Settlement) -> bool:
    """Who was not heard at first contact has its say once the others have had theirs; a base moves before
    the store does; and once a key is deleted, a place that has it and no base has made it anew."""
    reasons = (Why.BURIED, Why.FIRST_CONTACT, Why.UNHEARD)
    waited = {decision.link for decision in settlement.decisions if decision.why in reasons}
    unheard = any(v.link in waited and v.choice in (First.PLACE, First.PRIORITY) for v in scene.views)
    postponed = any(decision.why is Why.NEXT_RUN for decision in settlement.decisions)
    deleted = scene.settled(settlement).standing.value is None and settlement.adopt is not None
    return unheard or postponed or (deleted and any(v.base is None and v.moved for v in scene.views))


@LAW
@given(st.one_of(scenes(), scenes(spoken=COHERENT_WORDS)))
def test_a_second_run_plans_nothing(scene: Scene) -> None:
    settlement = scene.settlement()
    after = scene.settled(settlement)
    if _leaves_some_for_the_next_run(scene, settlement):
        after = after.settled(after.settlement())
    again = after.settlement()
    assert {decision.action for decision in again.decisions} <= {Action.NOTHING, Action.HOLD}
    assert (again.adopt, again.raised) == (None, None)


@LAW
@given(scenes())
def test_without_a_conflict_every_place_that_is_pushed_to_ends_like_the_store(scene: Scene) -> None:
    scene = with_bases_first(scene)
    settlement = scene.settlement()
    assume(settlement.contest is None)
    after = scene.settled(settlement)
    allowed = {
        Why.FOREIGN,
        Why.FIRST_CONTACT,
        Why.UNHEARD,
        Why.BURIED,
        Why.DELETES_OFF,
        Why.UNSAYABLE,
    }
    for view, decision in pairs(after, settlement):
        if view.policy.mode in (Mode.MIRROR, Mode.EXPORT, Mode.TWO_WAY) and view.observed is not UNSEEN:
            like_the_store = view.observed == after.image(view.link, after.standing.value)
            excused = allowed | ({Why.MODE} if view.policy.mode is Mode.EXPORT else set())
            assert like_the_store if decision.action is not Action.HOLD else decision.why in excused


@LAW
@given(any_scene)
def test_nothing_is_deleted_at_a_place_that_was_not_ours_unless_pruned(scene: Scene) -> None:
    settlement = scene.settlement()
    after = scene.settled(settlement)
    for view, decision in pairs(scene, settlement):
        if decision.action is Action.PUSH and after.standing.value is None:
            assert not view.first
            assert view.base is not None or view.policy.prune
            assert view.policy.deletes or view.base is None


@LAW
@given(any_scene)
def test_what_cannot_be_said_is_not_pushed(scene: Scene) -> None:
    settlement = scene.settlement()
    after = scene.settled(settlement)
    for view, decision in pairs(scene, settlement):
        if decision.action is Action.PUSH:
            assert not isinstance(after.image(view.link, after.standing.value), Unsayable)
        assert (decision.why is Why.UNSAYABLE) == bool(decision.reason)


@LAW
@given(scenes(first=st.just(False)))
def test_a_value_loses_to_a_delete_only_where_the_job_says_so(scene: Scene) -> None:
    assume(not scene.job.delete_wins)
    scene = with_bases_first(scene)
    settlement = scene.settlement()
    after = scene.settled(settlement)
    if after.standing.value is not None:
        return
    for view, decision in pairs(scene, settlement):
        adopts = view.policy.mode in (Mode.TWO_WAY, Mode.IMPORT)
        if adopts and view.moved and view.adopted is not None and decision.why is not Why.CONFLICT:
            assert any(later.present and later.rank >= view.policy.rank for later in view.later)


@LAW
@given(scenes(first=st.just(False)))
def test_the_winner_is_the_strongest_of_all_that_moved(scene: Scene) -> None:
    scene = with_bases_first(scene)
    settlement = scene.settlement()
    winner = next((v for v in scene.views if v.link in (settlement.adopt, settlement.raised)), None)
    if settlement.contest and settlement.contest.winner is None:
        assert winner is None
        return
    could = [
        view
        for view in scene.views
        if view.policy.mode in (Mode.TWO_WAY, Mode.IMPORT)
        and view.moved
        and view.observed != scene.image(view.link, scene.standing.value)
        and stronger(scene.job, view)
    ]
    if winner is None:
        assert not could
    else:
        assert all(strength(scene.job, winner) >= strength(scene.job, view) for view in could)
        assert stronger(scene.job, winner)


@LAW
@given(any_scene)
def test_a_conflict_names_every_side_and_its_winner(scene: Scene) -> None:
    settlement = scene.settlement()
    contest = settlement.contest
    if contest is None:
        return
    sides = [side for side, _, _ in contest.candidates]
    assert sides == sorted(set(sides))
    assert len(contest.candidates) > 1
    assert contest.winner is None or contest.winner in sides
    assert settlement.adopt == (None if contest.winner in (None, STORE) else contest.winner)
    if contest.winner is None:
        assert {d.action for d in settlement.decisions} <= {Action.HOLD, Action.NOTHING}
        assert all(d.why is Why.CONFLICT for d in settlement.decisions if d.link in sides)


@LAW
@given(scenes())
def test_to_remember_who_lost_changes_no_side(scene: Scene) -> None:
    """It only keeps the same conflict from being found again at a place that is not written.

    But where a link's word wins over rank, as ``first: place`` does once, only the memory of who lost
    keeps a stronger rank from winning later after all.
    """
    assume(not any(view.policy.first is First.PLACE for view in scene.views))
    assume(not any(view.policy.words.conflict is Word.ADOPT for view in scene.views))
    after = scene.settled(scene.settlement())
    forgetful = replace(after, views=tuple(replace(view, lost=False) for view in after.views))
    once, twice = after.settlement(), forgetful.settlement()
    assert after.settled(once).history == forgetful.settled(twice).history
    assert [d.action for d in once.decisions] == [d.action for d in twice.decisions]
