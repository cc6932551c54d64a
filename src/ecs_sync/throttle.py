"""When a connection may send: turns at a rate, and a circuit that opens where nothing comes of it.

Both are plain state without a lock or a clock of their own: `ecs_sync.pace` holds its gate around every
use, and says what time it is.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from ecs_sync.errors import AdapterError, Denied, Throttled, Unacknowledged, Unavailable

PLACE = "list "
"""What the subject of a call to a whole place begins with."""

_LOWER = 0.5
_RAISE = 0.05
_SLOWEST = 0.1


@dataclass(frozen=True, slots=True)
class Circuit:
    """After ``failures`` unanswered calls in a row, nothing is sent for ``pause`` seconds; after
    ``denials`` in a row for one folder, nothing of that kind to that folder.
    """

    failures: int = 5
    pause: float = 30.0
    denials: int = 3


class Unsent(Unavailable):
    """Not sent at all, because the circuit is open."""


@dataclass(slots=True)
class Bucket:
    """Turns at a rate, one request after the other without bursts. Used with the gate held."""

    ceiling: float | None
    rate: float | None = field(init=False)
    next: float = float("-inf")
    lowered: float = float("-inf")
    step: float = 0.0
    recovered: float = 0.0
    taken: deque[float] = field(default_factory=lambda: deque(maxlen=1000))

    def __post_init__(self) -> None:
        self.rate = self.ceiling

    def take(self, now: float, calls: int = 1) -> None:
        """Takes the turns of so many calls at once; the next one waits for all of them."""
        self.taken.extend([now] * calls)
        if self.rate is not None:
            self.next = max(self.next, now) + calls / self.rate

    def lower(self, sent: float, now: float, hold: float) -> None:
        """Throttled: halves the rate, unless it was lowered since the call was sent."""
        self.next = max(self.next, now + hold)
        if sent < self.lowered:
            return
        before = (
            self.rate if self.rate is not None else max(1.0, float(sum(at > now - 1 for at in self.taken)))
        )
        self.step = _RAISE * (self.ceiling or before)
        self.rate = max(before * _LOWER, min(_SLOWEST, before))
        self.next = max(self.next, now + 1 / self.rate)
        self.lowered = self.recovered = now

    def recover(self, now: float) -> None:
        """Answered: raises the rate in proportion to the time since the last answer."""
        if self.rate is None or self.rate == self.ceiling:
            return
        self.rate += self.step * min(1.0, now - self.recovered)
        self.recovered = now
        if self.ceiling is not None:
            self.rate = min(self.rate, self.ceiling)


@dataclass(frozen=True, slots=True)
class _Denial:
    times: int
    at: float
    text: str


@dataclass(slots=True)
class Breaker:
    """Whether calls are sent at all. Used with the gate held."""

    circuit: Circuit
    failures: int = 0
    last: str = ""
    opened: float = 0.0
    probing: bool = False
    denied: dict[frozenset[str], _Denial] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        return self.failures >= self.circuit.failures

    def check(self, subjects: frozenset[str], now: float) -> None:
        """Raises where a call would not be sent."""
        for denied, denial in self.denied.items():
            # Who may not do a part may not do the whole.
            stands = denial.times >= self.circuit.denials and now < denial.at + self.circuit.pause
            if stands and denied <= subjects:
                raise Denied(denial.text)
        if self.is_open and (self.probing or now < self.opened + self.circuit.pause):
            pause = self.circuit.pause
            raise Unsent(f"not sent: {self.failures} calls in a row failed; waits {pause:g} s: {self.last}")

    def begin(self) -> None:
        self.probing = self.is_open

    def end(self, subjects: frozenset[str], now: float, error: BaseException | None) -> None:
        """What came of a call: by its class, the circuit opens, closes or stays."""
        self.probing = False
        match error:
            case Throttled():
                pass
            case Unavailable() | Unacknowledged():
                self.failures, self.last, self.opened = self.failures + 1, str(error), now
            case Denied():
                self.failures = 0
                self._deny(subjects, now, str(error))
            case None:
                self.failures = 0
                self.denied = {denied: d for denied, d in self.denied.items() if not denied <= subjects}
            case AdapterError():
                self.failures = 0
            case _:
                pass

    def _deny(self, subjects: frozenset[str], now: float, text: str) -> None:
        if not subjects:
            return
        before = self.denied.get(subjects)
        # A place is denied as a whole; of items, some may be denied and their neighbours not.
        is_place = any(subject.startswith(PLACE) for subject in subjects)
        times = self.circuit.denials if is_place else 1 + (before.times if before else 0)
        self.denied[subjects] = _Denial(times, now, text)
