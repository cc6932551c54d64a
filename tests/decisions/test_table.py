"""The decision table: what the engine does in every situation of one key on one link.

The sentences below are read off the design, and every cell is held against those that speak of it. So a
cell that is wrong does not become right by generating the golden file again.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

import pytest

from ecs_sync.policy import WORDS, Word

from . import generate
from .table import CONTACTS, FILE, KINDS, RULES, Row, cell, golden, rows, settle, unfolded, written

GOLDEN = golden()


class Case(NamedTuple):
    """One cell, unfolded."""

    base: str
    store: str
    place: str
    contact: str
    rule: str
    state: str
    kind: str
    done: str

    @property
    def first(self) -> bool:
        return self.contact != "established"

    @property
    def meets(self) -> bool:
        return self.first and self.base != "b"

    @property
    def in_store(self) -> bool:
        return self.store in ("b", "x", "b again", "refused")

    @property
    def at_place(self) -> bool:
        return self.place in ("b", "x", "y")

    @property
    def differs(self) -> bool:
        return self.in_store and self.at_place and self.place != self.store.removesuffix(" again")


def cases() -> Iterator[Case]:
    for row in GOLDEN:
        for contact, rule in product(unfolded(row.contact, CONTACTS), unfolded(row.rule, RULES)):
            for kind, done in zip(KINDS, row.cells, strict=True):
                yield Case(*row[:3], contact, rule, row.state, kind, done)


CASES = list(cases())


def of(*kinds: str) -> list[Case]:
    return [case for case in CASES if case.kind in kinds]


@pytest.mark.parametrize("row", GOLDEN, ids=lambda row: "-".join(row[:5]).replace(" ", "_"))
def test_the_engine_does_what_the_table_says(row: Row) -> None:
    for contact, rule in product(unfolded(row.contact, CONTACTS), unfolded(row.rule, RULES)):
        situation = (row.base, row.store, row.place, contact, rule)
        assert settle(*situation, "audit")[0] == row.state
        assert tuple(cell(*situation, kind) for kind in KINDS) == row.cells, situation


def test_the_table_has_every_situation_once() -> None:
    assert len(CASES) == len({(*case[:5], case.kind) for case in CASES}) == 47 * 5 * 5 * 7
    assert FILE.read_text(encoding="utf-8") == written(list(rows())), "run python -m tests.decisions.generate"


def test_the_page_shows_the_table() -> None:
    shown = generate.PAGE.read_text(encoding="utf-8")
    assert shown == generate.page(GOLDEN), "run python -m tests.decisions.generate"


# What the design says, sentence by sentence.


def test_nothing_is_done_about_what_was_not_seen() -> None:
    assert {case.done for case in CASES if case.place == "unseen"} == {"nothing: unseen"}


def test_nothing_is_done_where_all_agree() -> None:
    assert {case.done for case in CASES if case.state == "in sync"} == {"nothing"}


def test_where_both_sides_hold_the_same_only_the_base_moves() -> None:
    done = {case.done for case in CASES if case.state == "converged"}
    assert done == {"rebase", "rebase, raise"}
    raising = [case for case in CASES if case.done == "rebase, raise"]
    assert {case.kind for case in raising} == {"import", "two-way"}
    assert not any("weaker" in case.rule or case.meets for case in raising)


def test_an_audit_changes_no_entry_and_no_place() -> None:
    assert {case.done.split(":")[0] for case in of("audit")} == {"nothing", "rebase", "hold"}


def test_an_import_never_writes_its_place() -> None:
    assert not any(case.done.startswith("push") for case in of("import"))


def test_a_mirror_or_an_export_reaches_the_store_only_where_first_contact_says_so() -> None:
    adopting = [
        case for case in of("mirror", "mirror, prune", "export", "export, deletes") if "adopt" in case.done
    ]
    assert {case.contact for case in adopting} == {"first: place", "first: priority"}
    assert all(case.meets and case.differs for case in adopting)


def test_what_is_foreign_is_held_or_adopted_and_deleted_only_by_prune_once_established() -> None:
    foreign = [case for case in CASES if case.state == "foreign"]
    deleting = {(case.kind, case.contact) for case in foreign if case.done.startswith("push")}
    assert deleting == {("mirror, prune", "established")}
    assert {case.done for case in foreign if case.kind in ("mirror", "export", "export, deletes")} == {
        "hold: foreign",
        "hold: first contact: unset in the store",
    }
    adopted = {case.done for case in foreign if case.kind == "two-way" and case.store in ("never", "unset")}
    assert adopted == {"adopt", "hold: first contact: unset in the store"}


def test_a_key_that_somebody_made_again_after_our_delete_is_foreign() -> None:
    again = [case for case in CASES if case.base == "deleted" and case.at_place and not case.in_store]
    assert {case.state for case in again} == {"foreign"}


def test_no_value_is_deleted_at_a_place_that_was_not_once_ours() -> None:
    deleting = [case for case in CASES if case.done == "push the delete" and case.kind != "mirror, prune"]
    assert deleting
    assert {case.base for case in deleting} == {"b"}


def test_a_track_that_is_not_established_deletes_in_neither_direction() -> None:
    assert not any("delete" in case.done.split(":")[0] for case in CASES if case.first)


def test_an_export_deletes_only_where_deletes_are_on() -> None:
    assert not any("delete" in case.done.split(":")[0] for case in of("export"))
    assert any(case.done == "push the delete" for case in of("export, deletes"))


def test_what_is_on_one_side_only_goes_the_links_way_at_first_contact() -> None:
    pushed = {
        case.kind: case.done for case in CASES if case.meets and case.store == "x" and case.place == "absent"
    }
    assert {kind for kind, done in pushed.items() if done == "push"} == set(KINDS) - {"import", "audit"}
    adopted = {
        case.kind: case.done for case in CASES if case.meets and case.store == "never" and case.at_place
    }
    assert {kind for kind, done in adopted.items() if done == "adopt"} == {"import", "two-way"}


def test_equal_values_are_accepted_without_a_write_at_first_contact() -> None:
    equal = {case.done for case in CASES if case.meets and case.in_store and case.place == case.store}
    assert equal == {"rebase"}


def test_different_values_are_held_at_first_contact_whatever_mode_and_rule() -> None:
    held = {case.done for case in CASES if case.meets and case.differs and case.contact == "first: hold"}
    assert held == {"hold: first contact: the sides differ"}


@pytest.mark.parametrize(("contact", "never"), [("first: store", "adopt"), ("first: place", "push")])
def test_what_the_link_says_of_first_contact_holds_whatever_mode_and_rule(contact: str, never: str) -> None:
    said = [c for c in CASES if c.meets and c.differs and c.contact == contact and c.kind != "audit"]
    assert not any(case.done.startswith(never) for case in said)
    assert all(len({c.done for c in said if c[:4] == case[:4] and c.kind == case.kind}) == 1 for case in said)
    wanted = {"first: store": "push", "first: place": "adopt"}[contact]
    obeying = {case.kind for case in said if case.store == "x" and case.done == wanted}
    assert obeying == set(KINDS) - {"audit"} - ({"import"} if contact == "first: store" else set())


def test_a_key_that_the_store_unset_does_not_come_back_at_first_contact_unless_the_place_is_preferred() -> (
    None
):
    buried = [case for case in CASES if case.meets and case.store.startswith("unset") and case.at_place]
    back = {(case.contact, case.kind) for case in buried if not case.done.startswith("hold")}
    assert back == {("first: place", "import"), ("first: place", "two-way")}


def test_what_cannot_be_said_at_a_place_is_never_pushed_and_says_so() -> None:
    refused = [case for case in CASES if case.store == "refused"]
    assert not any(case.done.startswith("push") for case in refused)
    pending = {
        case.done for case in refused if case.state == "pending" and case.kind not in ("import", "audit")
    }
    assert pending == {"hold: refused"}
    _, settlement = settle("b", "refused", "b", "established", "stronger", "mirror")
    assert settlement.decisions[0].reason == "the place cannot say this"


def test_a_lost_import_is_held_as_lost() -> None:
    lost = [
        case for case in of("import") if case.state == "conflict" and "weaker" in case.rule and not case.first
    ]
    values = [case for case in lost if case.at_place and case.in_store]
    assert {case.done for case in values} == {"hold: lost the conflict at a place that is not written"}


def test_a_value_loses_to_a_delete_only_where_the_job_says_so() -> None:
    ruled = [
        case
        for case in of("import", "two-way")
        if case.state == "conflict" and "delete wins" not in case.rule
    ]
    assert not any("delete" in case.done.split(":")[0] for case in ruled)
    assert "adopt the delete" in {case.done for case in CASES if case.rule == "delete wins, stronger"}


def test_a_held_conflict_moves_nothing() -> None:
    held = {
        case.done
        for case in of("import", "two-way")
        if case.state == "conflict" and case.rule == "hold" and not case.first
    }
    assert held == {"hold: conflict held"}


def test_each_mode_does_what_its_words_say() -> None:
    """On an established track, of what can be said, with deletes on."""
    for case in of("mirror", "export, deletes", "import", "two-way", "audit"):
        if case.first or case.store == "refused" or case.state not in ("pending", "drifted", "conflict"):
            continue
        words = WORDS[next(mode for mode in WORDS if mode == case.kind.split(",")[0])]
        match {"pending": words.pending, "drifted": words.drifted, "conflict": words.conflict}[case.state]:
            case Word.PUSH:
                assert case.done.startswith("push"), case
            case Word.ADOPT:
                assert case.done.startswith("adopt"), case
            case Word.HOLD:
                assert case.done == "hold: held by mode", case
            case Word.RULE:
                assert case.done.split(":")[0].split()[0] in ("push", "adopt", "hold"), case
                assert ("conflict held" in case.done) == (case.rule == "hold"), case
