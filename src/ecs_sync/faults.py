"""Named points between the steps of a run, at which tests stop the process.

In production nothing is attached, and reaching a point does nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum


class Point(StrEnum):
    """Where a run can die. Each must leave a state that the next run finishes."""

    STARTED = "started"
    OBSERVED = "observed"
    PLANNED = "planned"
    ADOPTED = "adopted"
    RECORDED = "recorded"
    """The intents are recorded, nothing is sent."""
    SENT = "sent"
    """A write is answered, and nothing of it recorded."""
    SETTLED = "settled"
    """The outcomes are recorded, the rest of the link is not begun."""
    PROVED = "proved"
    RECOVERING = "recovering"
    """An open intent was looked at, and not yet closed."""


_attached: list[Callable[[Point], None]] = []


def attach(hook: Callable[[Point], None]) -> None:
    """Calls ``hook`` at every point from now on, in this process."""
    _attached.append(hook)


def detach(hook: Callable[[Point], None]) -> None:
    _attached.remove(hook)


def reached(point: Point) -> None:
    for hook in _attached:
        hook(point)
