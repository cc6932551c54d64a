"""The decision table of one key on one link, worked out by the engine's own rooms.

A row is a situation; its cells are what each kind of link does in it. Situations in which all cells
agree are written as one row, so the table stays complete and short: ``*`` stands for every contact
or every rule.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from typing import NamedTuple, TypeVar

from ecs_sync.decide import decide
from ecs_sync.diff import UNSEEN, Image, Observed, Unsayable, compare
from ecs_sync.model import Rank
from ecs_sync.policy import (
    Action,
    First,
    JobPolicy,
    LinkPolicy,
    Mode,
    Rule,
    Settlement,
    Standing,
    Strength,
    View,
)

from .world import Value, link, value

FILE = Path(__file__).with_name("decision_table.csv")
REASON = "the place cannot say this"
B, X, Y = value("b"), value("x"), value("y")
STORE_RANK = Rank(50, "")

Cells = TypeVar("Cells")

ALL = "*"
COLUMNS = ("base", "store", "place", "contact", "rule", "state")


@dataclass(frozen=True, slots=True)
class Base:
    value: Value
    version: int


BASES = {"never": Base(None, 0), "b": Base(B, 1), "deleted": Base(None, 1)}


@dataclass(frozen=True, slots=True)
class Store:
    """What the store holds, and the strengths of its versions since the base (or since the last unset)."""

    standing: Standing
    later: tuple[Strength, ...] = ()
    refused: bool = False


def _moved(version: int, *values: Value, refused: bool = False) -> Store:
    later = tuple(Strength(each is not None, STORE_RANK) for each in values)
    return Store(Standing(version, values[-1]), later, refused)


STORES = {
    "never": {
        "never": Store(Standing(0, None)),
        "x": _moved(1, X),
        "refused": _moved(1, X, refused=True),
        "unset": Store(Standing(2, None)),
    },
    "b": {
        "b": Store(Standing(1, B)),
        "x": _moved(2, X),
        "b again": _moved(3, X, B),
        "refused": _moved(2, X, refused=True),
        "unset": _moved(2, None),
    },
    "deleted": {
        "unset": Store(Standing(1, None)),
        "x": _moved(2, X),
        "refused": _moved(2, X, refused=True),
        "unset again": _moved(3, X, None),
    },
}

CONTACTS: dict[str, First | None] = {"established": None} | {f"first: {first}": first for first in First}

RULES = {
    "stronger": (JobPolicy(), 90),
    "weaker": (JobPolicy(), 10),
    "hold": (JobPolicy(conflicts=Rule.HOLD), 90),
    "delete wins, stronger": (JobPolicy(delete_wins=True), 90),
    "delete wins, weaker": (JobPolicy(delete_wins=True), 10),
}
"""The job's conflict rule, and how the link's rank compares with the store's versions since the base."""

KINDS: dict[str, LinkPolicy] = {
    "mirror": link("place", Mode.MIRROR, 0),
    "mirror, prune": replace(link("place", Mode.MIRROR, 0), prune=True),
    "export": replace(link("place", Mode.EXPORT, 0), deletes=False),
    "export, deletes": link("place", Mode.EXPORT, 0),
    "import": link("place", Mode.IMPORT, 0),
    "two-way": link("place", Mode.TWO_WAY, 0),
    "audit": link("place", Mode.AUDIT, 0),
}


class Row(NamedTuple):
    base: str
    store: str
    place: str
    contact: str
    rule: str
    state: str
    cells: tuple[str, ...]


def situations() -> Iterator[tuple[str, str, str]]:
    """Every base, store and place that can be told apart."""
    for base, stores in STORES.items():
        for store in stores:
            as_base = ["b"] if base == "b" else []
            as_store = ["x"] if store == "x" else []
            yield from ((base, store, place) for place in ("absent", *as_base, *as_store, "y", "unseen"))


def settle(base: str, store: str, place: str, contact: str, rule: str, kind: str) -> tuple[str, Settlement]:
    """The state of one situation, and what is decided in it."""
    job, priority = RULES[rule]
    first = CONTACTS[contact]
    policy = replace(KINDS[kind], priority=priority, first=first or First.HOLD)
    stands = STORES[base][store]
    observed: Observed = {"absent": None, "unseen": UNSEEN}.get(place, value(place))
    adopted = None if place in ("absent", "unseen") else value(place)
    known = BASES[base]
    view = View(policy, known.value, known.version, observed, adopted, stands.later, first is not None)

    def image(_: str, value: Value) -> Image:
        return Unsayable(REASON) if stands.refused else value

    state = compare(view.against(stands.standing, image))
    return state, decide(job, stands.standing, [view], image)


def cell(base: str, store: str, place: str, contact: str, rule: str, kind: str) -> str:
    """What is done, and why where nothing is, as the table writes it."""
    _, settlement = settle(base, store, place, contact, rule, kind)
    (decision,) = settlement.decisions
    done = str(decision.action)
    match decision.action:
        case Action.PUSH if store in ("never", "unset", "unset again"):
            done = "push the delete"
        case Action.ADOPT if place == "absent":
            done = "adopt the delete"
        case Action.REBASE if settlement.raised:
            done = "rebase, raise"
        case Action.PUSH | Action.ADOPT | Action.REBASE | Action.NOTHING | Action.HOLD:
            pass
    why = f": {decision.why}" if decision.why else ""
    return done + why


def rows() -> Iterator[Row]:
    """The whole table, equal rows folded."""
    for situation in situations():
        whole = {
            contact: {rule: tuple(cell(*situation, contact, rule, kind) for kind in KINDS) for rule in RULES}
            for contact in CONTACTS
        }
        state, _ = settle(*situation, "established", "hold", "audit")
        for contacts, by_rule in _folded(whole):
            for rules, cells in _folded(by_rule):
                yield Row(*situation, _label(contacts, CONTACTS), _label(rules, RULES), state, cells)


def _folded(cells: Mapping[str, Cells]) -> list[tuple[list[str], Cells]]:
    folded: list[tuple[list[str], Cells]] = []
    for name, each in cells.items():
        same = next((names for names, known in folded if known == each), None)
        if same is None:
            folded.append(([name], each))
        else:
            same.append(name)
    return folded


def _label(names: Sequence[str], everything: Collection[str]) -> str:
    return ALL if len(names) == len(everything) else " | ".join(names)


def unfolded(label: str, everything: Collection[str]) -> list[str]:
    """The contacts or rules that a label of the table stands for."""
    return list(everything) if label == ALL else label.split(" | ")


def written(table: Sequence[Row]) -> str:
    """The golden file's text."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow((*COLUMNS, *KINDS))
    writer.writerows((*row[:-1], *row.cells) for row in table)
    return text.getvalue()


def golden() -> list[Row]:
    """The golden file's rows."""
    with FILE.open(newline="") as file:
        _, *lines = csv.reader(file)
    return [
        Row(b, s, p, contact, rule, state, tuple(cells)) for b, s, p, contact, rule, state, *cells in lines
    ]
