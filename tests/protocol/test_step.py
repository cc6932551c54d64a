"""Where each event leads: the whole table of the protocol, and the events that a phase has not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ecs_sync.adapter import Guard, Verdict
from ecs_sync.protocol import (
    Absorbed,
    Answered,
    Dug,
    Event,
    Guarded,
    Machine,
    Noted,
    Phase,
    Result,
    Sight,
    absorb,
    begin,
    recover,
    step,
)

ANSWERS = [Answered(verdict) for verdict in Verdict]
EVENTS: list[Event] = [*Sight, *Guarded, *ANSWERS, *Dug, Noted]
FITS: dict[Phase, list[Event]] = {
    Phase.CONFIRM: [*Sight],
    Phase.RECORD: [*Guarded],
    Phase.SEND: [*ANSWERS],
    Phase.LOOK: [*Sight],
    Phase.DIG: [*Dug],
    Phase.SETTLE: [Noted],
    Phase.CLOSE: [Noted],
    Phase.DONE: [],
}


def machine(phase: Phase, guard: Guard = Guard.A, *, does: str = "change", history: bool = False) -> Machine:
    return Machine(phase, does == "create", does == "delete", guard, history)


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("event", EVENTS, ids=repr)
def test_a_phase_takes_its_own_events_and_no_others(phase: Phase, event: Event) -> None:
    if any(event is fit for fit in FITS[phase]):
        assert step(machine(phase), event) != machine(phase)
    else:
        with pytest.raises(ValueError, match=f"no event of phase {phase}"):
            step(machine(phase), event)


@pytest.mark.parametrize(("does", "phase"), [("change", Phase.RECORD), ("delete", Phase.CONFIRM)])
def test_only_a_delete_begins_with_a_point_read(does: str, phase: Phase) -> None:
    assert begin(creates=False, deletes=does == "delete", guard=Guard.A, history=False).phase is phase


def test_recovery_begins_by_looking() -> None:
    found = recover(creates=False, deletes=True, guard=Guard.B, history=False)
    assert (found.phase, found.recovering, found.attempts) == (Phase.LOOK, True, 1)


@pytest.mark.parametrize(
    ("phase", "event", "after", "result"),
    [
        (Phase.CONFIRM, Sight.EXPECTED, Phase.RECORD, None),
        (Phase.CONFIRM, Sight.TARGET, Phase.DONE, Result.RACED),
        (Phase.CONFIRM, Sight.OTHER, Phase.DONE, Result.RACED),
        (Phase.CONFIRM, Sight.UNREADABLE, Phase.DONE, Result.UNREADABLE),
        (Phase.RECORD, Guarded.RECORDED, Phase.SEND, None),
        (Phase.RECORD, Guarded.OVERTAKEN, Phase.DONE, Result.OVERTAKEN),
        (Phase.SEND, Answered(Verdict.APPLIED), Phase.SETTLE, None),
        (Phase.SEND, Answered(Verdict.REFUSED), Phase.CLOSE, Result.REFUSED),
        (Phase.SEND, Answered(Verdict.RACED), Phase.CLOSE, Result.RACED),
        (Phase.SEND, Answered(Verdict.UNKNOWN), Phase.LOOK, None),
        (Phase.SEND, Answered(Verdict.UNTRIED), Phase.SEND, None),
        (Phase.LOOK, Sight.TARGET, Phase.SETTLE, None),
        (Phase.LOOK, Sight.EXPECTED, Phase.CLOSE, Result.LATE),
        (Phase.LOOK, Sight.OTHER, Phase.CLOSE, Result.UNDECIDED),
        (Phase.LOOK, Sight.UNREADABLE, Phase.DONE, Result.UNKNOWN),
        (Phase.DIG, Dug.LANDED, Phase.SETTLE, None),
        (Phase.DIG, Dug.GAP, Phase.CLOSE, Result.UNDECIDED),
        (Phase.DIG, Dug.NOTHING, Phase.CLOSE, Result.UNDECIDED),
        (Phase.DIG, Dug.UNREADABLE, Phase.DONE, Result.UNKNOWN),
        (Phase.SETTLE, Noted, Phase.DONE, Result.APPLIED),
        (Phase.CLOSE, Noted, Phase.DONE, None),
    ],
)
def test_each_event_leads_where_the_table_says(
    phase: Phase, event: Event, after: Phase, result: Result | None
) -> None:
    moved = step(machine(phase), event)
    assert (moved.phase, moved.result) == (after, result)


def test_what_the_provider_tells_travels_along() -> None:
    told = step(machine(Phase.SEND), Answered(Verdict.REFUSED, revision="7", reason="too long"))
    assert (told.revision, told.reason, told.attempts) == ("7", "too long", 1)


def test_a_write_that_a_neighbour_spoils_again_and_again_is_refused_at_last() -> None:
    at = machine(Phase.SEND)
    while at.phase is Phase.SEND:
        at = step(at, Answered(Verdict.UNTRIED))
    assert (at.phase, at.result, at.keep) == (Phase.CLOSE, Result.REFUSED, False)
    assert at.attempts > 1


def test_a_result_stays_when_the_intent_is_closed() -> None:
    closing = replace(machine(Phase.CLOSE), result=Result.LATE)
    assert step(closing, Noted).result is Result.LATE


@pytest.mark.parametrize(("history", "after"), [(True, Phase.DIG), (False, Phase.SETTLE)])
def test_what_an_unguarded_write_replaced_unseen_is_dug_out_where_history_is_kept(
    history: bool, after: Phase
) -> None:
    at = machine(Phase.SEND, Guard.C, history=history)
    moved = step(at, Answered(Verdict.APPLIED, gap=True))
    assert (moved.phase, moved.landed, moved.gap) == (after, True, True)


@pytest.mark.parametrize(
    ("guard", "does", "history", "after"),
    [
        (Guard.A, "change", True, Phase.SETTLE),
        (Guard.A, "create", True, Phase.SETTLE),
        (Guard.A, "delete", True, Phase.SETTLE),
        (Guard.B, "change", True, Phase.SETTLE),
        (Guard.B, "delete", True, Phase.DIG),
        (Guard.C, "change", True, Phase.DIG),
        (Guard.C, "change", False, Phase.SETTLE),
        (Guard.D, "change", False, Phase.SETTLE),
    ],
)
def test_a_write_that_is_found_landed_is_dug_for_what_it_replaced(
    guard: Guard, does: str, history: bool, after: Phase
) -> None:
    moved = step(machine(Phase.LOOK, guard, does=does, history=history), Sight.TARGET)
    assert (moved.phase, moved.landed, moved.current) == (after, True, True)


def test_history_decides_what_a_look_cannot() -> None:
    assert step(machine(Phase.LOOK, history=True), Sight.OTHER).phase is Phase.DIG


def test_a_write_that_history_shows_replaced_moves_the_base_but_is_not_current() -> None:
    moved = step(machine(Phase.DIG, Guard.C, history=True), Dug.LANDED)
    assert (moved.phase, moved.landed, moved.current, moved.gap) == (Phase.SETTLE, True, False, True)


@pytest.mark.parametrize(("dug", "gap"), [(Dug.GAP, True), (Dug.NOTHING, False)])
def test_a_write_that_landed_settles_with_what_came_between(dug: Dug, gap: bool) -> None:
    landed = replace(machine(Phase.DIG, Guard.C, history=True), landed=True)
    moved = step(landed, dug)
    assert (moved.phase, moved.gap, moved.current) == (Phase.SETTLE, gap, True)


def test_an_intent_stays_open_while_what_it_replaced_cannot_be_read() -> None:
    landed = replace(machine(Phase.DIG, Guard.C, history=True), landed=True, gap=True)
    moved = step(landed, Dug.UNREADABLE)
    assert (moved.phase, moved.result) == (Phase.DONE, Result.UNKNOWN)


LATE = [
    (Guard.A, "change", False),
    (Guard.A, "delete", False),
    (Guard.A, "create", True),
    (Guard.B, "change", False),
    (Guard.B, "delete", True),
    (Guard.B, "create", True),
    (Guard.C, "change", True),
    (Guard.C, "delete", True),
    (Guard.D, "create", True),
]


@pytest.mark.parametrize(("guard", "does", "late"), LATE)
@pytest.mark.parametrize("phase", [Phase.LOOK, Phase.DIG])
def test_a_write_that_may_land_late_is_kept(guard: Guard, does: str, late: bool, phase: Phase) -> None:
    event = Sight.OTHER if phase is Phase.LOOK else Dug.NOTHING
    moved = step(machine(phase, guard, does=does), event)
    assert (moved.phase, moved.result, moved.keep) == (Phase.CLOSE, Result.UNDECIDED, late)


def test_a_write_whose_expected_revision_still_stands_is_kept() -> None:
    assert step(machine(Phase.LOOK), Sight.EXPECTED).keep


def said(guard: Guard, does: str, sight: Sight, dug: Dug | None, version: int, base_version: int) -> Absorbed:
    return absorb(
        creates=does == "create",
        deletes=does == "delete",
        guard=guard,
        sight=sight,
        dug=dug,
        version=version,
        base_version=base_version,
    )


@pytest.mark.parametrize(
    ("sight", "dug", "version", "base_version", "absorbed"),
    [
        (Sight.TARGET, None, 2, 1, Absorbed.LANDED),
        (Sight.TARGET, None, 2, 2, Absorbed.LANDED),
        (Sight.TARGET, Dug.GAP, 1, 2, Absorbed.STALE),
        (Sight.OTHER, Dug.LANDED, 2, 1, Absorbed.LANDED),
        (Sight.OTHER, Dug.LANDED, 1, 2, Absorbed.GONE),
        (Sight.OTHER, Dug.NOTHING, 2, 1, Absorbed.GONE),
        (Sight.OTHER, Dug.UNREADABLE, 2, 1, Absorbed.OPEN),
        (Sight.EXPECTED, None, 2, 1, Absorbed.OPEN),
        (Sight.UNREADABLE, None, 2, 1, Absorbed.OPEN),
    ],
)
def test_an_observation_says_what_became_of_an_own_write(
    sight: Sight, dug: Dug | None, version: int, base_version: int, absorbed: Absorbed
) -> None:
    assert said(Guard.A, "change", sight, dug, version, base_version) is absorbed


@pytest.mark.parametrize(("guard", "does", "late"), LATE)
def test_an_own_write_is_given_up_only_where_it_can_never_land(guard: Guard, does: str, late: bool) -> None:
    absorbed = said(guard, does, Sight.OTHER, None, 2, 1)
    assert absorbed is (Absorbed.OPEN if late else Absorbed.GONE)
