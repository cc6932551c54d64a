"""Writes the golden decision table and the page that shows it: ``python -m tests.decisions.generate``.

Read every changed cell of the difference against the page's own words before you commit it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from ecs_sync.policy import WORDS, Mode, Word

from .table import COLUMNS, FILE, KINDS, Row, rows, written

PAGE = Path(__file__).parents[2] / "docs" / "decision-table.md"

_OPENING = """\
# The decision table

What ecs-sync does about one key on one link, in every situation there is. The tests hold the engine to
this table cell by cell. This page is generated: change `src/ecs_sync/diff.py`, `policy.py` or `decide.py`,
run `python -m tests.decisions.generate`, and read every cell that changed.

## The state of a key

Three things are compared, in the image of the link's mapping: the **base** (what store and place both
held when they were last in step), what the **store** says now, and what the **place** holds now. The
store has moved when its version of the key is not the base's, even if the value came back.

| state | what was found |
|---|---|
| in sync | store, place and base agree, or none has the key |
| converged | store and place agree, and the base is behind. Only the base moves: this heals a crash |
| pending | the store moved, the place did not |
| drifted | the place moved, the store did not |
| conflict | both moved, differently. Two creations of one key are a conflict too |
| foreign | at the place, and in neither base nor store: never ours, or made again after we deleted it |
| unseen | not known: a listing was incomplete, a read denied. Nothing is done, and it is said |

## What the modes say

| mode | pending | drifted | conflict | foreign |
|---|---|---|---|---|
"""

_RULES = """
*push* makes the place like the store, *adopt* makes the store like the place, *hold* leaves the key and
reports it, *rule* leaves it to the job's conflict rule. Each word can be set by itself on a link.

- **Deletes.** `export` pushes deletes only with `deletes: on`. What is foreign is deleted only by
  `prune: foreign`, and never where it would be adopted or where the place is not written.
- **Rank.** With `conflicts: priority`, a value that moved must be stronger than every version the store
  made since the link's base, and than what other links moved to; the strongest wins, and a value beats a
  delete whatever their ranks unless the job says `delete_wins: true`. A stronger link that moved to the
  value the store holds already only raises that value's rank. With `conflicts: hold`, the key is left
  alone on every link until somebody resolves it.
- **Bases first.** Where one link holds what the store holds but may not follow it, its base moves in this
  run and what other links moved to is decided in the next.
- **A value that cannot be said** at a place is refused with the reason, and never bent.

## First contact

A link meets a key until its track has had one complete run, and after that as long as the key is held
for one of the two reasons below. No delete goes either way on such a track.

- What only one side has goes the way the mode says. Equal values are accepted without a write.
- Different values are held, whatever mode and rule, until the link says `first: store`, `first: place`
  or `first: priority`. Different values at two places that the store does not have yet are held as well,
  and so is a new value while the place of another new link cannot be seen.
- A key that the store has unset stays held, unless the link says `first: place` and its mode adopts.
- An audit chooses nothing, whatever `first` says.

## Every situation

*contact*: `established`, or what the link says of first contact; for a key whose base was carried over to
a changed track, `first: ...` means that the track has not had its first complete run. *rule*: how the
link's rank compares with the store's versions since the base (`stronger`, `weaker`) under
`conflicts: priority`, the same with `delete_wins: true`, or `conflicts: hold`. `*` is every one of them.

Values are `b` (the base's), `x` and `y`. `never`: the key never was. `unset`: the store had it and unset
it. `deleted`: the base records that both sides were last in step on its absence. `b again`: the store
moved away and back. `refused`: the store holds a value that the place cannot say.

"""


def page(table: Sequence[Row]) -> str:
    """The page's text."""
    modes = [_line([f"`{mode}`", *_words(mode)]) for mode in Mode]
    head = [_line([*COLUMNS, *KINDS]), _line(["---"] * (len(COLUMNS) + len(KINDS)))]
    body = [_line([*(_escaped(text) for text in row[:-1]), *row.cells]) for row in table]
    return _OPENING + "".join(modes) + _RULES + "".join(head + body)


def _words(mode: Mode) -> tuple[Word, ...]:
    words = WORDS[mode]
    return words.pending, words.drifted, words.conflict, words.foreign


def _escaped(text: str) -> str:
    """A bar would end the cell, and a star by itself is markup."""
    return text.replace(" | ", ", or ").replace("*", "\\*")


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


if __name__ == "__main__":
    table = list(rows())
    FILE.write_text(written(table), encoding="utf-8")
    PAGE.write_text(page(table), encoding="utf-8")
