"""What the local AWS can be ordered to do with the next request of an operation."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ecs_sync_sandbox.aws_guard import Fault


@dataclass(frozen=True, slots=True)
class Hold:
    """A request that is held back. It is carried out, late, once ``released`` is set."""

    arrived: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)
    done: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class LoseAck:
    """Carry the request out, then reset the connection."""


@dataclass(frozen=True, slots=True)
class Before:
    """Do something just before the request is carried out."""

    action: Callable[[], object]


@dataclass(frozen=True, slots=True)
class ShortPage:
    """Answer a page of this many items at most, though there are more."""

    size: int


@dataclass(frozen=True, slots=True)
class SameToken:
    """Answer a page whose NextToken is the one that was given."""


Step = Fault | LoseAck | Hold | Before | ShortPage | SameToken


@dataclass(slots=True)
class Bucket:
    """Tokens that come back at ``rate`` a second."""

    rate: float
    tokens: float
    at: float

    def take(self, burst: float) -> bool:
        """Takes one where there is one; there are never more than ``burst``."""
        now = time.monotonic()
        self.tokens = min(burst, self.tokens + (now - self.at) * self.rate)
        self.at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True
