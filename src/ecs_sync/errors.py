"""Everything that can go wrong, by what the caller should do about it.

Conflicts, drift and failed writes are results, not exceptions. No message ever quotes a value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class EcsSyncError(Exception):
    """The root. Its text says what happened, where, and what to do next."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One reason why a configuration cannot be used, with its place. Lines and columns count from 1."""

    file: str
    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}"
        return f"{where}: {self.path}: {self.message}" if self.path else f"{where}: {self.message}"


class ConfigError(EcsSyncError):
    """Edit the configuration. Carries every problem at once where they have a place in a file."""

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


class StoreError(EcsSyncError):
    """The canonical store cannot be used: absent, written by a newer version, full, locked or damaged."""


class WrongKey(StoreError):
    """The key that is configured is not the one that the store's secrets are sealed with."""


class Fenced(StoreError):
    """The lease was lost: another worker holds it now. Stop; nothing more may be written or recorded."""


class LeaseHeld(StoreError):
    """Somebody else runs this job. Carries the holder's name."""

    def __init__(self, message: str, holder: str) -> None:
        super().__init__(message)
        self.holder = holder


class RunTaken(StoreError):
    """This waiting run is being carried out by somebody else, or was. There is nothing left to do."""


class MappingError(EcsSyncError):
    """Cannot be said in the other side's terms. Change the value, the key or the mapping."""


class UnsafePlan(EcsSyncError):
    """A limit stopped the plan. Look at it, then allow it by its id."""


class StalePlan(EcsSyncError):
    """What the plan was made against has moved. Plan again."""


class AdapterError(EcsSyncError):
    """A provider did not do what was asked."""


class Unavailable(AdapterError):
    """Not reachable or not ready; from a write it means that nothing was applied. May be tried again."""


class Throttled(Unavailable):
    """Asked to slow down; nothing was applied. ``retry_after`` is in seconds where the provider says."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unacknowledged(AdapterError):
    """Sent, and the answer never came: whether it was applied is not known. Never tried again blindly."""


class Denied(AdapterError):
    """The credential may not do this. Change the credential or its policy."""


class Rejected(AdapterError):
    """This provider will not take this request. Change the value, the id or the place."""


class RevisionMismatch(AdapterError):
    """The item is not at the expected revision. Plan again."""
