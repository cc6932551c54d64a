"""Several links and one key: first contact, held conflicts, and words that are set by themselves."""

from __future__ import annotations

from dataclasses import replace

from ecs_sync.decide import decide
from ecs_sync.diff import UNSEEN
from ecs_sync.model import Rank
from ecs_sync.policy import (
    STORE,
    Action,
    First,
    JobPolicy,
    Mode,
    Rule,
    Settlement,
    Standing,
    Strength,
    View,
    Why,
    Word,
)

from .world import Value, link, same_image, value

X, Y, Z = value("x"), value("y"), value("z")
NOWHERE = Standing(0, None)
HAND = Strength(True, Rank(1000, ""))


def new(
    name: str, observed: Value, first: First = First.HOLD, mode: Mode = Mode.TWO_WAY, rank: int = 10
) -> View:
    """A link whose track has not had a complete run."""
    return View(replace(link(name, mode, rank), first=first), None, 0, observed, observed, first=True)


def established(name: str, base: Value, version: int, observed: Value, *later: Strength) -> View:
    return View(link(name, Mode.TWO_WAY, 10), base, version, observed, observed, later)


def settle(standing: Standing, *views: View, job: JobPolicy | None = None) -> Settlement:
    return decide(job or JobPolicy(), standing, views, same_image)


def done(settlement: Settlement) -> dict[str, tuple[Action, Why | None]]:
    return {decision.link: (decision.action, decision.why) for decision in settlement.decisions}


HELD = (Action.HOLD, Why.FIRST_CONTACT)


def test_new_links_with_different_values_are_both_held() -> None:
    settlement = settle(NOWHERE, new("one", X), new("two", Y))
    assert done(settlement) == {"one": HELD, "two": HELD}
    assert settlement.contest is None


def test_new_links_with_equal_values_bring_it_into_the_store_without_a_write() -> None:
    settlement = settle(NOWHERE, new("one", X), new("two", X, rank=20))
    assert done(settlement) == {"one": (Action.REBASE, None), "two": (Action.ADOPT, None)}


def test_a_new_link_that_says_place_is_adopted_and_the_other_new_one_still_held() -> None:
    settlement = settle(NOWHERE, new("one", X, First.PLACE), new("two", Y))
    assert done(settlement) == {"one": (Action.ADOPT, None), "two": HELD}


def test_a_new_link_that_says_store_takes_what_another_new_link_brings() -> None:
    settlement = settle(NOWHERE, new("one", X, First.PLACE), new("two", Y, First.STORE))
    assert done(settlement) == {"one": (Action.ADOPT, None), "two": (Action.PUSH, None)}


def test_new_links_that_both_say_store_wait_for_the_store_to_have_something() -> None:
    settlement = settle(NOWHERE, new("one", X, First.STORE), new("two", Y, First.STORE))
    assert done(settlement) == {"one": HELD, "two": HELD}


def test_new_links_that_say_priority_are_ranked_even_where_the_job_holds_conflicts() -> None:
    one, two = new("one", X, First.PRIORITY), new("two", Y, First.PRIORITY, rank=20)
    settlement = settle(NOWHERE, one, two, job=JobPolicy(conflicts=Rule.HOLD))
    assert done(settlement) == {"one": (Action.PUSH, None), "two": (Action.ADOPT, None)}
    assert settlement.contest is not None
    assert settlement.contest.winner == "two"


def test_a_new_link_does_not_hold_up_what_established_links_do() -> None:
    settlement = settle(Standing(1, X), new("fresh", Y), established("old", X, 1, Z))
    assert done(settlement) == {"fresh": HELD, "old": (Action.ADOPT, None)}


def test_a_new_mirror_is_not_overwritten_by_what_a_new_import_brings() -> None:
    settlement = settle(NOWHERE, new("legacy", X, mode=Mode.IMPORT), new("ssm", Y, mode=Mode.MIRROR))
    assert done(settlement) == {"legacy": (Action.ADOPT, None), "ssm": HELD}


def test_an_established_link_that_moves_to_a_new_links_value_ends_the_holding() -> None:
    settlement = settle(Standing(1, X), new("fresh", Y), established("old", X, 1, Y))
    assert done(settlement) == {"fresh": (Action.REBASE, None), "old": (Action.ADOPT, None)}


def test_a_key_that_was_unset_waits_even_where_another_link_makes_it_again() -> None:
    unset = Standing(2, None)
    fresh = replace(new("fresh", Y), policy=replace(link("fresh", Mode.TWO_WAY, 99), first=First.PRIORITY))
    settlement = settle(unset, fresh, established("old", None, 2, Z))
    assert done(settlement) == {"fresh": HELD, "old": (Action.ADOPT, None)}


def test_a_new_mirror_that_says_place_is_not_overwritten_before_it_has_had_its_say() -> None:
    mirror = new("ssm", Y, First.PLACE, Mode.MIRROR)
    assert done(settle(NOWHERE, mirror, new("legacy", X))) == {"legacy": (Action.ADOPT, None), "ssm": HELD}
    assert done(settle(Standing(1, X), replace(mirror, later=(HAND,)))) == {"ssm": (Action.ADOPT, None)}


def test_a_new_link_that_holds_the_stores_value_follows_the_store_from_there() -> None:
    settlement = settle(Standing(1, X), new("fresh", X), established("old", X, 1, Z))
    assert done(settlement) == {"fresh": (Action.PUSH, None), "old": (Action.ADOPT, None)}


def test_what_others_take_away_does_not_come_back_from_an_import_that_had_just_made_it_too() -> None:
    legacy = View(link("legacy", Mode.IMPORT, 5), None, 0, X, X, (HAND,))
    taken = established("consul", X, 1, None)
    audit = View(link("audit", Mode.AUDIT, 0), X, 1, X, X)
    unseen = View(link("ssm", Mode.MIRROR, 0), X, 1, UNSEEN)
    assert done(settle(Standing(1, X), legacy, taken, audit, unseen)) == {
        "legacy": (Action.REBASE, None),
        "consul": (Action.HOLD, Why.NEXT_RUN),
        "audit": (Action.NOTHING, None),
        "ssm": (Action.NOTHING, Why.UNSEEN),
    }
    known = replace(legacy, base=X, base_version=1, later=())
    assert done(settle(Standing(1, X), known, taken)) == {
        "legacy": (Action.HOLD, Why.MODE),
        "consul": (Action.ADOPT, None),
    }


def test_a_new_link_waits_for_another_new_link_that_cannot_be_seen() -> None:
    unseen = replace(new("two", None), observed=UNSEEN)
    settlement = settle(NOWHERE, new("one", X), unseen)
    assert done(settlement) == {"one": (Action.HOLD, Why.UNHEARD), "two": (Action.NOTHING, Why.UNSEEN)}
    known = replace(unseen, first=False)
    assert done(settle(NOWHERE, new("one", X), known))["one"] == (Action.ADOPT, None)


def test_a_new_link_that_says_place_wins_over_a_stronger_established_one() -> None:
    settlement = settle(NOWHERE, new("new", X, First.PLACE, rank=1), established("old", None, 0, Y))
    assert done(settlement) == {"new": (Action.ADOPT, None), "old": (Action.PUSH, None)}


def test_connecting_a_stronger_link_with_equal_values_writes_nothing_to_the_store() -> None:
    settlement = settle(Standing(1, X), replace(new("fresh", X, rank=5000), later=(HAND,)))
    assert done(settlement) == {"fresh": (Action.REBASE, None)}
    assert settlement.raised is None


def test_a_held_conflict_freezes_its_key_on_every_link_that_would_write() -> None:
    after_hand = (HAND,)
    settlement = settle(
        Standing(2, Y),
        established("moved", X, 1, Z, *after_hand),
        established("behind", X, 1, X, *after_hand),
        replace(established("lagging", X, 1, None), observed=UNSEEN, adopted=None),
        View(link("looking", Mode.AUDIT, 0), X, 1, X, X, after_hand),
        job=JobPolicy(conflicts=Rule.HOLD),
    )
    assert done(settlement) == {
        "moved": (Action.HOLD, Why.CONFLICT),
        "behind": (Action.HOLD, Why.CONFLICT),
        "lagging": (Action.NOTHING, Why.UNSEEN),
        "looking": (Action.HOLD, Why.MODE),
    }
    assert settlement.contest is not None
    assert settlement.contest.candidates == ((("moved"), Z, Rank(10, "moved")), (STORE, Y, HAND.rank))


def test_a_link_that_adopts_on_conflict_needs_no_rank_and_no_rule() -> None:
    words = replace(link("x", Mode.TWO_WAY, 0).words, conflict=Word.ADOPT)
    view = established("keen", X, 1, Z, HAND)
    keen = replace(view, policy=replace(view.policy, words=words))
    for rule in Rule:
        assert settle(Standing(2, Y), keen, job=JobPolicy(conflicts=rule)).adopt == "keen"


def test_what_lost_against_the_store_is_not_a_conflict_again_until_a_side_moves() -> None:
    view = View(link("legacy", Mode.IMPORT, 10), X, 1, Z, Z, (HAND,))
    first, again = settle(Standing(2, Y), view), settle(Standing(2, Y), replace(view, lost=True))
    assert done(first) == done(again) == {"legacy": (Action.HOLD, Why.LOST)}
    assert first.contest is not None
    assert first.contest.winner == STORE
    assert again.contest is None


def test_what_an_undo_took_away_is_not_pushed_again() -> None:
    view = View(link("ssm", Mode.MIRROR, 0), None, 0, None, None, (HAND,))
    assert done(settle(Standing(1, X), view)) == {"ssm": (Action.PUSH, None)}
    undone = replace(view, pinned=True)
    assert done(settle(Standing(1, X), undone)) == {"ssm": (Action.HOLD, Why.UNDONE)}


def test_prune_deletes_nothing_where_the_place_is_not_written_or_the_value_is_adopted() -> None:
    for mode, wanted in [(Mode.MIRROR, Action.PUSH), (Mode.IMPORT, Action.ADOPT), (Mode.AUDIT, Action.HOLD)]:
        view = View(replace(link("place", mode, 0), prune=True), None, 0, X, X)
        assert done(settle(NOWHERE, view))["place"][0] is wanted


def test_what_was_not_seen_has_no_value_to_show() -> None:
    assert repr(UNSEEN) == "UNSEEN"
