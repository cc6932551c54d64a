"""How a process ends. Stands alone, because asking for help or the version ends with a code as well."""

from __future__ import annotations

from collections.abc import Collection
from enum import IntEnum


class Exit(IntEnum):
    """What a process says to its caller. When several apply, the first in the order 78, 1, 3, 4, 5, 2."""

    DONE = 0
    ERROR = 1
    DIFFERENCES = 2
    STOPPED = 3
    PARTLY = 4
    CONFLICTS = 5
    USAGE = 64
    CONFIGURATION = 78
    INTERRUPTED = 130


_ORDER = (
    Exit.CONFIGURATION,
    Exit.ERROR,
    Exit.STOPPED,
    Exit.PARTLY,
    Exit.CONFLICTS,
    Exit.DIFFERENCES,
)


def first(codes: Collection[Exit]) -> Exit:
    """The exit code that counts among several."""
    return next((code for code in _ORDER if code in codes), Exit.DONE)
