"""What a failed call to a provider means, whoever the provider is, and what it becomes for the engine.

Each adapter has a table of its own, from what the provider or its SDK says to these kinds.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from ecs_sync.errors import AdapterError, Denied, Rejected, Throttled, Unacknowledged, Unavailable


class Kind(StrEnum):
    """What a failure means for what was asked. Only with the last may anything have been applied."""

    MISSING = "missing"
    """Answered: it is not there."""
    EXISTS = "exists"
    """Answered: it is there already."""
    MOVED = "moved"
    """Answered: a condition of the request did not hold."""
    STATE = "state"
    """Answered: its state forbids it, such as locked, disabled, or deleted and recoverable."""
    REFUSED = "refused"
    """Answered: this request will not be taken as it is."""
    DENIED = "denied"
    """Answered: this principal may not do this here. With another name it may be allowed to."""
    IDENTITY = "identity"
    """There is no usable credential. Nothing else will be applied either."""
    THROTTLED = "throttled"
    """Answered: slow down."""
    UNSENT = "unsent"
    """It never left, or came to where nothing can be done now."""
    UNANSWERED = "unanswered"
    """Sent, and no answer that tells what became of it."""


class Failed(Protocol):
    """A failed call. ``reason`` is a sentence that holds no value, ``retry_after`` is in seconds."""

    @property
    def kind(self) -> Kind: ...
    @property
    def reason(self) -> str: ...
    @property
    def retry_after(self) -> float | None: ...


def reading_error(failure: Failed, doing: str) -> AdapterError:
    """The exception for a failed call that changes nothing."""
    text = f"{doing}: {failure.reason}"
    match failure.kind:
        case Kind.MISSING | Kind.EXISTS | Kind.MOVED | Kind.STATE | Kind.REFUSED:
            return Rejected(text)
        case Kind.DENIED | Kind.IDENTITY:
            return Denied(text)
        case Kind.THROTTLED:
            return Throttled(text, failure.retry_after)
        case Kind.UNSENT | Kind.UNANSWERED:
            return Unavailable(text)


def writing_error(failure: Failed, doing: str) -> AdapterError:
    """The exception for a failed call that may have changed something."""
    if failure.kind is Kind.UNANSWERED:
        return Unacknowledged(f"{doing}: {failure.reason}; was it applied?")
    return reading_error(failure, doing)
