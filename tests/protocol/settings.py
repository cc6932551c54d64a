"""What is explored: in every change of the code, in depth by hand, at random, and with mistakes built in."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

from ecs_sync.adapter import Guard
from ecs_sync.policy import Mode

from .world import Budget, Setting

CLASSES: dict[str, dict[str, Any]] = {
    "A": {"guard": Guard.A},
    "A with history": {"guard": Guard.A, "history": True},
    "B": {"guard": Guard.B},
    "B with history": {"guard": Guard.B, "history": True},
    "C": {"guard": Guard.C, "history": True},
    "D": {"guard": Guard.D},
}


def _everywhere(name: str, budget: Budget, **more: Any) -> dict[str, Setting]:
    return {
        f"{known}, {name}": Setting(budget=budget, **features, **more) for known, features in CLASSES.items()
    }


SETTINGS: dict[str, Setting] = {
    **_everywhere("in step", Budget(2, 1, 1, 1, 0, 2)),
    **_everywhere("both empty", Budget(2, 1, 1, 1, 0, 2), start="empty"),
    **_everywhere("both empty, 3 runs", Budget(2, 1, 1, 1, 0, 3), start="empty"),
    **_everywhere("in step, 2 faults, 3 runs", Budget(1, 1, 0, 2, 0, 3)),
    **_everywhere("only in the store", Budget(1, 1, 1, 1, 0, 2), start="store"),
    **_everywhere("only at the place", Budget(1, 1, 1, 1, 0, 2), start="place"),
    **_everywhere("different", Budget(1, 1, 1, 1, 0, 2), start="differ"),
    **_everywhere("the link is stronger", Budget(1, 1, 1, 1, 0, 2), strong=True),
    **_everywhere("repeated values", Budget(2, 1, 1, 1, 0, 2), echoes=True),
    **_everywhere("old listings", Budget(1, 1, 0, 2, 0, 2), current=False),
    **_everywhere("old listings, ordered", Budget(1, 1, 0, 2, 0, 2), current=False, ordered=True),
    **_everywhere("2 workers", Budget(1, 1, 0, 1, 1, 3), workers=2),
    **_everywhere("2 workers, both empty", Budget(1, 1, 0, 1, 1, 3), workers=2, start="empty"),
    **_everywhere("mirror", Budget(1, 1, 1, 1, 0, 2), mode=Mode.MIRROR),
    **_everywhere("export", Budget(1, 1, 1, 1, 0, 2), mode=Mode.EXPORT),
    **_everywhere("import", Budget(1, 1, 1, 1, 0, 2), mode=Mode.IMPORT),
}
"""Explored exhaustively in every run of the tests."""

DEEP: dict[str, Setting] = {
    **_everywhere("in step, 2 edits by hand", Budget(2, 2, 1, 1, 0, 2)),
    **_everywhere("in step, 3 runs", Budget(2, 1, 1, 2, 0, 3)),
    **_everywhere("2 edits by hand, 2 faults, 3 runs", Budget(1, 2, 0, 2, 0, 3)),
    **_everywhere("2 workers, a crash", Budget(2, 1, 1, 1, 1, 3), workers=2),
    **_everywhere("3 workers", Budget(1, 1, 0, 1, 2, 3), workers=3),
}
"""Explored exhaustively by ``python -m protocol deep``."""


def at_random(seed: int) -> Setting:
    """A setting with much in it, to wander through."""
    chance = random.Random(seed)
    features = chance.choice(list(CLASSES.values()))
    return Setting(
        **features,
        budget=Budget(3, 2, 2, 3, chance.choice((0, 1, 2)), 4),
        mode=chance.choice((Mode.TWO_WAY, Mode.TWO_WAY, Mode.MIRROR, Mode.EXPORT, Mode.IMPORT)),
        start=chance.choice(("synced", "empty", "store", "place", "differ")),
        current=chance.random() < 0.7,
        ordered=chance.random() < 0.3,
        strong=chance.random() < 0.3,
        workers=chance.choice((1, 2, 3)),
    )


_A = Setting(Guard.A, Budget(1, 1, 1, 1, 0, 2))
_HISTORY = replace(_A, history=True)
_B = replace(_A, guard=Guard.B)
_C = replace(_HISTORY, guard=Guard.C)
_D = replace(_A, guard=Guard.D)
_OLD = replace(_D, current=False)
_ORDERED = replace(_A, current=False, ordered=True)
_TWO = replace(_A, budget=Budget(1, 1, 0, 0, 1, 2), workers=2)
_TWO_C = replace(_C, budget=Budget(1, 1, 0, 1, 1, 3), workers=2)
_TWO_HANDS = replace(_C, budget=Budget(2, 2, 1, 1, 0, 2))
_EMPTY = replace(_A, budget=Budget(2, 1, 1, 1, 0, 3), start="empty")
_D_HANDS = replace(_D, budget=Budget(1, 2, 0, 1, 0, 2))

MISTAKES: dict[str, Setting] = {
    "no_cas": _A,
    "no_repair": _C,
    "no_journal": _HISTORY,
    "no_own": _HISTORY,
    "no_fence": _TWO,
    "no_confirm": _OLD,
    "no_stale_guard": _ORDERED,
    "remote_first": _A,
    "first_delete": replace(_A, start="store"),
    "del_wins": _A,
    "timeout_is_ok": _A,
    "timeout_is_fail": _HISTORY,
    "timeout_is_resent": _HISTORY,
    "base_early": _A,
    "base_before": _A,
    "base_after": _A,
    "base_always": _A,
    "base_readback": _A,
    "base_newest": _D_HANDS,
    "no_version_guard": _A,
    "no_point_read": _C,
    "no_compare": _D,
    "no_archive": _A,
    "no_dig": _HISTORY,
    "unread_settles": _C,
    "absorb_undug": _C,
    "no_tombstone": replace(_A, budget=Budget(1, 2, 0, 1, 0, 3), start="empty"),
    "no_recovery": _A,
    "late_is_base": _C,
    "stale_dropped": _C,
    "settle_drops_all": _C,
    "create_gone": _EMPTY,
    "oldest_first": _EMPTY,
    "absorb_unmoved": _TWO_C,
    "no_reread": _TWO_C,
}
"""Each mistake, and a setting in which it is caught."""
