"""Revisions of versions that are counted from 1, and from 1 again where an item is deleted and made anew."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from ecs_sync.adapter import Revision

_REVISION = re.compile(r"([1-9][0-9]{0,8})([0-9]{16})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Numbered:
    """A version by its number and by when it was made, in microseconds since 1970."""

    number: int
    micros: int

    @property
    def revision(self) -> Revision:
        """The number and 16 digits of the time: rises with each version, and never comes again."""
        return f"{self.number}{self.micros:016d}"

    @property
    def changed(self) -> datetime:
        return _EPOCH + timedelta(microseconds=self.micros)

    @classmethod
    def made(cls, number: int, changed: datetime) -> Self:
        """The version of this number that was made then."""
        return cls(number, (changed - _EPOCH) // timedelta(microseconds=1))

    @classmethod
    def of(cls, revision: Revision) -> Self | None:
        """The version that a revision of ours means; None for any other text."""
        match = _REVISION.fullmatch(revision)
        return cls(int(match[1]), int(match[2])) if match else None
