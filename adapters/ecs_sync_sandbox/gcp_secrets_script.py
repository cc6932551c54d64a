"""What goes wrong between a client and the stand-in for Secret Manager, as a test plans it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status


@dataclass(frozen=True, slots=True)
class Fail:
    """Answer this status, without an effect. ``details`` go where google.rpc.Status belongs."""

    code: grpc.StatusCode
    text: str
    details: bytes | None = None


@dataclass(frozen=True, slots=True)
class LoseAck:
    """Have the effect, and answer as gRPC does for a connection that broke."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Wait until released, then have the effect: the caller may be gone by then."""

    released: threading.Event = field(default_factory=threading.Event)
    done: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class Damage:
    """Change the answer before it is sent."""

    change: Callable[[Any], None]


Fault = Fail | LoseAck | Hold | Damage


class Script:
    """Faults for the next calls of each method, in the order they were planned. Safe among threads."""

    def __init__(self, methods: frozenset[str]) -> None:
        self.denied: set[tuple[str, str]] = set()
        self._methods = methods
        self._faults: list[tuple[str, Fault | None]] = []
        self._before: list[tuple[str, Callable[[], object]]] = []
        self._holds: list[Hold] = []
        self._lock = threading.Lock()

    def fail_next(
        self,
        method: str,
        code: grpc.StatusCode,
        text: str = "scripted",
        times: int = 1,
        details: bytes | None = None,
    ) -> None:
        """The next calls have no effect and end with this status."""
        self._plan(method, Fail(code, text, details), times)

    def throttle_next(self, method: str, retry_after: float | None = None, times: int = 1) -> None:
        """The next calls are over quota, and say how many seconds to wait where that is given."""
        details = None
        if retry_after is not None:
            status = Status(code=8, message="Quota exceeded")
            wait = Duration(seconds=int(retry_after), nanos=round(retry_after % 1 * 1e9))
            status.details.add().Pack(RetryInfo(retry_delay=wait))
            details = status.SerializeToString()
        self.fail_next(method, grpc.StatusCode.RESOURCE_EXHAUSTED, "Quota exceeded", times, details)

    def lose_ack_next(self, method: str, times: int = 1) -> None:
        """The next calls have their effect, and the answer is lost."""
        self._plan(method, LoseAck(), times)

    def hold_next(self, method: str) -> Hold:
        """The next call waits to be released, or for the end of the server, and then has its effect."""
        hold = Hold()
        self._holds.append(hold)
        self._plan(method, hold, 1)
        return hold

    def damage_next(self, method: str, change: Callable[[Any], None]) -> None:
        """The next answer is changed before it is sent."""
        self._plan(method, Damage(change), 1)

    def damage_value_next(self) -> None:
        """The next value is damaged on its way, and does not match its checksum."""

        def change(answer: Any) -> None:
            answer.payload.data = b"\x00" + answer.payload.data[1:]

        self.damage_next("AccessSecretVersion", change)

    def pass_next(self, method: str, times: int = 1) -> None:
        """The next calls go as they should, before the faults that are planned after them."""
        self._plan(method, None, times)

    def before_next(self, method: str, act: Callable[[], object]) -> None:
        """Does something when the next call has come, before it has its effect or meets its fault."""
        self._known(method)
        with self._lock:
            self._before.append((method, act))

    def deny(self, method: str, name: str) -> None:
        """The method is not allowed for this secret any more."""
        self.denied.add((method, name))

    def release(self) -> None:
        """Nobody waits any more."""
        for hold in self._holds:
            hold.released.set()

    def fault(self, method: str) -> Fault | None:
        """What the call that has just come meets."""
        with self._lock:
            act: Callable[[], object] | None = _taken(self._before, method)
            fault: Fault | None = _taken(self._faults, method)
        if act is not None:
            act()
        return fault

    def _plan(self, method: str, fault: Fault | None, times: int) -> None:
        self._known(method)
        with self._lock:
            self._faults += [(method, fault)] * times

    def _known(self, method: str) -> None:
        if method not in self._methods:
            raise ValueError(f"{method} is no method of Secret Manager")


def _taken(planned: list[tuple[str, Any]], method: str) -> Any:
    """The first that is planned for the method, which it is no longer."""
    for at, (name, what) in enumerate(planned):
        if name == method:
            del planned[at]
            return what
    return None
