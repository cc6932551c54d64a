"""Adapters that do one thing and declare another."""

from __future__ import annotations

from dataclasses import dataclass

from ecs_sync.adapter import (
    Guard,
    Limits,
    Rule,
)
from ecs_sync_adapters.memory import MemoryPlace
from tests.testing.bugs import BUGS, Bug, declares


@dataclass(frozen=True)
class OneSided(MemoryPlace):
    """A place that overlaps what is below it, and nothing that it is below of."""

    def overlaps(self, other: MemoryPlace) -> bool:
        return other.root.startswith(self.root)


@dataclass(frozen=True)
class Undescribed:
    token: str = ""


BUGS.append(
    Bug(
        "has_places_that_overlap_one_way_only",
        ("a_place_overlaps_itself_and_overlapping_is_mutual",),
        {},
        {"place": OneSided},
    )
)
BUGS.append(
    Bug(
        "says_nothing_of_its_options",
        ("every_option_says_what_it_is_and_secret_ones_stay_out_of_the_repr",),
        {},
        {"options": Undescribed},
    )
)


declares(
    "declares_a_limit_of_values_that_it_does_not_keep",
    "text_comes_back_to_the_byte",
    "binary_values_come_back_to_the_byte",
    "the_largest_value_is_taken_and_one_byte_more_is_refused",
    values=Limits(max_bytes=100),
)
declares(
    "declares_a_limit_of_names_that_it_does_not_keep",
    "a_name_that_is_too_long_is_refused_and_nothing_is_written",
    ids=Limits(max_bytes=100),
)
declares(
    "declares_a_rule_for_names_that_it_does_not_keep",
    "a_name_is_taken_as_it_is_or_refused_as_the_limits_say",
    ids=Limits(rules=(Rule("//", "no"),)),
)
declares(
    "keeps_a_rule_for_names_that_it_does_not_declare",
    "a_name_is_taken_as_it_is_or_refused_as_the_limits_say",
    options={"forbidden": "//"},
    ids=Limits(),
)
declares(
    "keeps_a_limit_of_values_that_it_does_not_declare",
    "text_comes_back_to_the_byte",
    "text_is_listed_to_the_byte",
    "binary_values_come_back_to_the_byte",
    options={"max_value_bytes": 99},
    values=Limits(),
)
declares(
    "refuses_the_empty_value_and_does_not_declare_it",
    "an_empty_value_is_kept_or_refused_as_the_limits_say",
    options={"min_value_bytes": 1},
    values=Limits(),
)
declares(
    "takes_text_only_and_declares_bytes",
    "binary_values_come_back_to_the_byte",
    options={"text_values": True},
    text_values=False,
)
declares(
    "takes_bytes_and_declares_text_only",
    "values_that_are_no_text_are_refused_and_change_nothing",
    text_values=True,
)
declares(
    "declares_compare_and_swap_and_has_none",
    "an_update_of_what_moved_is_raced_and_changes_nothing",
    "a_delete_of_what_moved_is_raced_and_deletes_nothing",
    "of_many_who_update_at_once_exactly_one_wins",
    options={"guard": "C"},
    guard=Guard.A,
)
declares(
    "declares_guarded_deletes_and_has_none",
    "a_delete_of_what_moved_is_raced_and_deletes_nothing",
    options={"guard": "B"},
    guard=Guard.A,
)
declares(
    "declares_class_c_and_keeps_no_history",
    "the_features_do_not_contradict_each_other",
    options={"guard": "C"},
    history=False,
)
declares(
    "declares_history_and_keeps_none",
    "history_is_oldest_first_with_values_and_begins_after_the_revision",
    history=True,
)
declares(
    "declares_values_in_listings_and_gives_none",
    "a_listing_carries_the_values",
    "text_is_listed_to_the_byte",
    options={"values_in_listing": False},
    values_in_listing=True,
)
declares(
    "gives_values_in_listings_and_declares_none",
    "a_listing_without_values_gives_none_and_a_point_read_gives_it",
    values_in_listing=False,
)
declares(
    "declares_an_order_and_keeps_none",
    "a_listing_comes_in_the_byte_order_of_ids",
    options={"ordered": False},
    ordered_listing=True,
)
declares(
    "declares_change_times_and_has_none",
    "items_carry_a_change_time_that_knows_its_zone_and_does_not_go_back",
    change_times=True,
)
declares(
    "has_change_times_and_declares_none",
    "an_adapter_without_change_times_makes_none_up",
    options={"change_times": True},
    change_times=False,
)
declares(
    "declares_to_hold_secrets_and_forgets_them",
    "what_was_written_as_a_secret_is_read_as_a_secret",
    holds_secrets=True,
)
declares(
    "declares_atomic_batches_and_has_none",
    "a_spoiled_atomic_batch_leaves_its_neighbours_untried_and_untouched",
    options={"batch": 5},
    atomic_batch=True,
)
declares(
    "declares_tokens_and_gives_none",
    "a_place_where_nothing_moved_is_unchanged_since",
    "every_kind_of_move_ends_being_unchanged",
    options={"tokens": False},
    unchanged=True,
)
declares(
    "declares_that_it_manages_what_it_does_not",
    "a_write_leaves_the_attributes_that_are_not_managed",
    managed_attributes=frozenset({"owner"}),
)

declares(
    "declares_more_deletes_than_it_takes",
    "as_many_deletes_as_declared_go_in_one_call",
    options={"delete_batch": 5},
    delete_batch=10,
)
declares(
    "declares_more_bytes_than_it_takes",
    "a_batch_of_as_many_bytes_as_declared_is_taken",
    options={"batch_bytes": 1000, "batch": 5},
    batch_bytes=10_000,
)
