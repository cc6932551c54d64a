"""Adapters that write wrongly, or tell wrongly what they wrote."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ecs_sync.adapter import (
    Delete,
    Item,
    Outcome,
    Put,
    Verdict,
    Write,
)
from ecs_sync.errors import Unacknowledged
from tests.testing.bugs import Right, bug, now


@bug("write", "a_creation_only_creates", "an_update_of_what_moved_is_raced_and_changes_nothing")
def overwrites_whatever_is_there(self: Right, writes: Sequence[Write]) -> Any:
    return self.right.write([now(self, write) for write in writes])


@bug("write", "a_delete_of_what_moved_is_raced_and_deletes_nothing")
def compares_updates_but_not_deletes(self: Right, writes: Sequence[Write]) -> Any:
    return self.right.write([now(self, w) if isinstance(w, Delete) else w for w in writes])


@bug("write", "a_creation_only_creates", "of_many_who_create_at_once_exactly_one_wins")
def creates_over_what_exists(self: Right, writes: Sequence[Write]) -> Any:
    return self.right.write([now(self, w) if w.expected is None else w for w in writes])


@bug("write", "an_update_of_what_is_gone_does_not_bring_it_back")
def brings_back_what_is_gone(self: Right, writes: Sequence[Write]) -> Any:
    gone = [w.id for w in writes if self.store.get(w.id) is None]
    return self.right.write(
        [replace(w, expected=None) if isinstance(w, Put) and w.id in gone else w for w in writes]
    )


@bug("write", "the_revision_a_write_returns_is_the_one_that_is_read_and_listed")
def returns_a_revision_that_is_never_read(self: Right, writes: Sequence[Write]) -> Any:
    return [replace(o, revision=o.revision and o.revision + "0") for o in self.right.write(writes)]


@bug("write", "a_write_that_nobody_disturbed_replaced_what_it_expected")
def tells_nothing_of_what_it_replaced(self: Right, writes: Sequence[Write]) -> Any:
    return [replace(outcome, replaced=None) for outcome in self.right.write(writes)]


@bug("write", "an_unguarded_update_tells_what_it_really_replaced", guard="C")
def claims_to_have_replaced_what_it_expected(self: Right, writes: Sequence[Write]) -> Any:
    pairs = zip(writes, self.right.write(writes), strict=True)
    return [replace(o, replaced=w.expected if o.verdict is Verdict.APPLIED else None) for w, o in pairs]


@bug("write", "a_listing_carries_the_values", "text_comes_back_to_the_byte", "text_is_listed_to_the_byte")
def trims_the_newline_at_the_end(self: Right, writes: Sequence[Write]) -> Any:
    return self.right.write(
        [replace(w, value=w.value.rstrip(b"\n")) if isinstance(w, Put) else w for w in writes]
    )


@bug("write", "text_comes_back_to_the_byte", "text_is_listed_to_the_byte")
def normalises_line_ends(self: Right, writes: Sequence[Write]) -> Any:
    return self.right.write(
        [replace(w, value=w.value.replace(b"\r\n", b"\n")) if isinstance(w, Put) else w for w in writes]
    )


@bug("write", "the_largest_value_is_taken_and_one_byte_more_is_refused", max_value_bytes=4096)
def cuts_values_at_the_limit(self: Right, writes: Sequence[Write]) -> Any:
    return self.right.write([replace(w, value=w.value[:4096]) if isinstance(w, Put) else w for w in writes])


@bug("write", "values_that_are_no_text_are_refused_and_change_nothing", text_values=True)
def raises_for_what_is_no_text(self: Right, writes: Sequence[Write]) -> Any:
    for write in writes:
        if isinstance(write, Put):
            write.value.decode()
    return self.right.write(writes)


@bug("write", "every_write_has_one_outcome_in_the_order_of_the_writes", batch=5)
def answers_in_another_order(self: Right, writes: Sequence[Write]) -> Any:
    return sorted(self.right.write(writes), key=lambda outcome: outcome.id)


@bug(
    "write",
    "every_write_has_one_outcome_in_the_order_of_the_writes",
    "a_raced_write_does_not_make_liars_of_its_neighbours",
    batch=5,
)
def forgets_an_outcome(self: Right, writes: Sequence[Write]) -> Any:
    return self.right.write(writes)[:4]


@bug("write", "a_raced_write_does_not_make_liars_of_its_neighbours", batch=5)
def calls_a_spoiled_batch_untried_that_was_carried_out(self: Right, writes: Sequence[Write]) -> Any:
    outcomes = self.right.write(writes)
    if all(outcome.verdict is Verdict.APPLIED for outcome in outcomes):
        return outcomes
    applied = Verdict.APPLIED
    return [replace(o, verdict=Verdict.UNTRIED) if o.verdict is applied else o for o in outcomes]


@bug("write", "what_was_written_as_a_secret_is_read_as_a_secret", holds_secrets=True)
def forgets_what_is_secret(self: Right, writes: Sequence[Write]) -> Any:
    return self.right.write([replace(w, secret=False) if isinstance(w, Put) else w for w in writes])


@bug(
    "write", "a_write_leaves_the_attributes_that_are_not_managed", "what_is_read_can_be_written_back_as_it_is"
)
def wipes_attributes_it_does_not_manage(self: Right, writes: Sequence[Write]) -> Any:
    outcomes = self.right.write(writes)
    for write, outcome in zip(writes, outcomes, strict=True):
        if outcome.verdict is Verdict.APPLIED and isinstance(write, Put):
            self.store.set(write.id, write.value)
    return [replace(o, revision=(self.store.get(o.id) or Item("", b"")).revision) for o in outcomes]


@bug("write", "no_value_is_ever_shown_in_a_repr_or_a_reason")
def quotes_the_value_in_its_reason(self: Right, writes: Sequence[Write]) -> Any:
    pairs = zip(writes, self.right.write(writes), strict=True)
    return [replace(o, reason=str(w.value)) if isinstance(w, Put) else o for w, o in pairs]


@bug(
    "write",
    "a_delete_of_what_is_gone_is_no_error_and_touches_no_other",
    "no_value_is_ever_shown_in_a_repr_or_a_reason",
)
def takes_every_race_for_a_lost_answer(self: Right, writes: Sequence[Write]) -> Any:
    outcomes = self.right.write(writes)
    if any(outcome.verdict is Verdict.RACED for outcome in outcomes):
        raise Unacknowledged("whatever")
    return outcomes


@bug("write", "a_creation_only_creates", "an_update_of_what_moved_is_raced_and_changes_nothing")
def writes_again_after_a_race(self: Right, writes: Sequence[Write]) -> Any:
    outcomes = self.right.write(writes)
    if any(outcome.verdict is Verdict.RACED for outcome in outcomes):
        return self.right.write([now(self, write) for write in writes])
    return outcomes


@bug("write", "of_many_who_create_at_once_exactly_one_wins", "of_many_who_update_at_once_exactly_one_wins")
def compares_in_one_step_and_writes_in_another(self: Right, writes: Sequence[Write]) -> Any:
    (write,) = writes
    there = self.store.get(write.id)
    if write.expected == (there and there.revision):
        with contextlib.suppress(threading.BrokenBarrierError):
            self.meeting.wait(0.02)
        if self.meeting.broken:
            self.meeting.reset()
        return self.right.write([now(self, write)])
    return self.right.write(writes)


@bug(
    "write",
    "a_point_read_names_each_id_once_as_found_or_absent",
    "more_ids_than_one_call_takes_are_all_read",
    "a_point_read_shows_what_was_just_written",
    "an_adapter_without_change_times_makes_none_up",
    "revisions_are_numbers_that_rise_with_each_write",
    "a_creation_creates",
    "what_was_deleted_can_be_created_again",
    "an_update_at_the_expected_revision_is_applied",
    "a_delete_at_the_expected_revision_deletes",
    "a_delete_of_what_is_gone_is_no_error_and_touches_no_other",
    "a_delete_leaves_what_lies_below_and_beside_its_name",
    "every_change_of_a_value_moves_the_revision",
    "every_write_has_one_outcome_in_the_order_of_the_writes",
    "an_empty_value_is_kept_or_refused_as_the_limits_say",
)
def acknowledges_and_does_nothing(self: Right, writes: Sequence[Write]) -> Any:
    del self
    return [Outcome(write.id, Verdict.APPLIED, replaced=write.expected) for write in writes]


@bug(
    "write",
    "a_point_read_shows_what_was_just_written",
    "revisions_are_numbers_that_rise_with_each_write",
    "what_was_deleted_can_be_created_again",
    "an_update_at_the_expected_revision_is_applied",
    "a_delete_at_the_expected_revision_deletes",
    "every_change_of_a_value_moves_the_revision",
    "what_is_read_can_be_written_back_as_it_is",
)
def never_updates(self: Right, writes: Sequence[Write]) -> Any:
    return self.right.write([replace(w, expected="0") if w.expected else w for w in writes])


@bug("write", "what_was_deleted_can_be_created_again")
def cannot_create_what_it_deleted(self: Right, writes: Sequence[Write]) -> Any:
    if any(self.store.versions(w.id) and not self.store.get(w.id) for w in writes):
        return [Outcome(write.id, Verdict.RACED) for write in writes]
    return self.right.write(writes)


@bug(
    "write",
    "a_delete_of_what_moved_is_raced_and_deletes_nothing",
    "a_delete_of_what_is_gone_is_no_error_and_touches_no_other",
    "a_delete_leaves_what_lies_below_and_beside_its_name",
)
def deletes_all_that_begins_alike(self: Right, writes: Sequence[Write]) -> Any:
    outcomes = self.right.write(writes)
    for write in writes:
        for id in [id for id in self.store.items() if isinstance(write, Delete) and id.startswith(write.id)]:
            self.store.delete(id)
    return outcomes


@bug("write", "a_delete_of_what_is_gone_is_no_error_and_touches_no_other")
def raises_for_a_delete_of_what_is_gone(self: Right, writes: Sequence[Write]) -> Any:
    if any(isinstance(write, Delete) and self.store.get(write.id) is None for write in writes):
        raise Unacknowledged("whatever")
    return self.right.write(writes)


@bug(
    "write",
    "every_write_has_one_outcome_in_the_order_of_the_writes",
    "a_batch_of_every_kind_tells_each_its_own",
    "a_raced_write_does_not_make_liars_of_its_neighbours",
    batch=5,
)
def carries_out_the_first_of_a_batch_only(self: Right, writes: Sequence[Write]) -> Any:
    self.right.write(writes[:1])
    return [Outcome(write.id, Verdict.APPLIED, replaced=write.expected) for write in writes]


@bug("write", "a_refused_write_does_not_make_liars_of_its_neighbours", batch=5, max_value_bytes=4096)
def calls_what_stands_beside_a_refusal_refused(self: Right, writes: Sequence[Write]) -> Any:
    outcomes = self.right.write(writes)
    if all(outcome.verdict is not Verdict.REFUSED for outcome in outcomes):
        return outcomes
    return [replace(outcome, verdict=Verdict.REFUSED) for outcome in outcomes]
