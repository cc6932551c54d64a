"""How far one run may go before somebody must look. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """A run stops where it deletes or overwrites more than ``max(floor, percent of the keys in the base)``.

    ``deletes`` and ``changes`` are percentages from 0 to 100, ``floor`` is a number of keys.
    """

    deletes: float = 30.0
    changes: float = 50.0
    floor: int = 10
