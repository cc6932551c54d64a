"""The doors of stand-ins, where faults are ordered: the same orders for every kind of stand-in.

A call is named by what it is for: ``list``, ``middle`` (a call of a listing behind its first), ``create``,
``update``, ``delete``. What that is at the provider, its row says.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import grpc

from ecs_sync_sandbox.aws import AwsServer
from ecs_sync_sandbox.gcp_secrets import GcpSecretsServer
from ecs_sync_sandbox.http_server import HttpServer, Reply, When


class Door(Protocol):
    """Orders are carried out by the next calls of the name, each once unless ``times`` says otherwise."""

    def lose(self, call: str) -> None:
        """It has its effect, and the answer is lost."""

    def throttle(self, call: str, wait: int | None) -> None:
        """Too many requests: come back in so many seconds, where that is said."""

    def fail(self, call: str, times: int) -> None:
        """The provider fails by itself, without an effect."""

    def refuse(self, call: str) -> None:
        """The token is no good any more."""

    def forget(self) -> None:
        """The token of a listing's next page is not taken any more."""

    def hang(self, call: str, times: int) -> None:
        """No answer, until it is released."""

    def release(self) -> None:
        """Whoever hangs may go."""

    def count(self, call: str) -> int:
        """How many of these calls came in so far, those that met a fault included."""
        ...

    def asked(self) -> int:
        """How many calls of any name came in so far."""
        ...


def _nothing() -> None:
    """No preparation."""


@dataclass
class HttpDoor:
    """A stand-in whose faults are those of `HttpServer`."""

    server: HttpServer
    calls: Mapping[str, When]
    throttled: Reply
    expired: Reply
    split: Callable[[], None] = _nothing
    """Has the next listing come in more than one page."""
    _hanging: list[threading.Event] = field(default_factory=list)

    def lose(self, call: str) -> None:
        self.server.drop_next(when=self.calls[call])

    def throttle(self, call: str, wait: int | None) -> None:
        told = {} if wait is None else {"Retry-After": str(wait)}
        self._answer(call, self.throttled, told)

    def fail(self, call: str, times: int) -> None:
        self._prepare(call)
        self.server.fail_next(500, times=times, when=self.calls[call])

    def refuse(self, call: str) -> None:
        self._answer(call, self.expired, {})

    def forget(self) -> None:
        self._answer("middle", Reply(400, b"{}", (("Content-Type", "application/json"),)), {})

    def hang(self, call: str, times: int) -> None:
        self._hanging += [self.server.hang_next(when=self.calls[call]) for _ in range(times)]

    def release(self) -> None:
        for event in self._hanging:
            event.set()

    def count(self, call: str) -> int:
        return sum(self.calls[call](request) for request in self.server.requests)

    def asked(self) -> int:
        return len(self.server.requests)

    def _prepare(self, call: str) -> None:
        if call == "middle":
            self.split()

    def _answer(self, call: str, reply: Reply, more: Mapping[str, str]) -> None:
        assert isinstance(reply.body, bytes)
        headers = {**dict(reply.headers), **more}
        self._prepare(call)
        self.server.fail_next(reply.status, headers, reply.body, when=self.calls[call])


@dataclass
class AwsDoor:
    """The stand-in of Parameter Store and Secrets Manager, whose calls are operations."""

    server: AwsServer
    calls: Mapping[str, str]
    stale: str
    """The error for a page token that is not taken any more."""
    _hanging: list[threading.Event] = field(default_factory=list)

    def lose(self, call: str) -> None:
        self.server.lose_ack_next(self.calls[call])

    def throttle(self, call: str, wait: int | None) -> None:
        told = {} if wait is None else {"Retry-After": str(wait)}
        self._prepare(call)
        self.server.fail_next(self.calls[call], "ThrottlingException", headers=told)

    def fail(self, call: str, times: int) -> None:
        self._prepare(call)
        self.server.fail_next(self.calls[call], "InternalServerError", 500, times)

    def refuse(self, call: str) -> None:
        self.server.fail_next(self.calls[call], "ExpiredTokenException")

    def forget(self) -> None:
        self._prepare("middle")
        self.server.fail_next(self.calls["middle"], self.stale)

    def hang(self, call: str, times: int) -> None:
        self._hanging += [self.server.hold_next(self.calls[call]).released for _ in range(times)]

    def release(self) -> None:
        for event in self._hanging:
            event.set()

    def count(self, call: str) -> int:
        return self.server.count(self.calls[call])

    def asked(self) -> int:
        return len(self.server.requests)

    def _prepare(self, call: str) -> None:
        if call == "middle":
            self.server.short_pages_next(self.calls[call], [1])


@dataclass
class GcpDoor:
    """The stand-in of Secret Manager, whose calls are methods."""

    server: GcpSecretsServer
    calls: Mapping[str, str]
    """Here ``middle`` is whatever a listing calls behind its first page of names."""

    def lose(self, call: str) -> None:
        self.server.script.lose_ack_next(self.calls[call])

    def throttle(self, call: str, wait: int | None) -> None:
        self._prepare(call)
        self.server.script.throttle_next(self.calls[call], wait)

    def fail(self, call: str, times: int) -> None:
        self._prepare(call)
        self.server.script.fail_next(self.calls[call], grpc.StatusCode.INTERNAL, times=times)

    def refuse(self, call: str) -> None:
        self.server.script.fail_next(self.calls[call], grpc.StatusCode.UNAUTHENTICATED)

    def forget(self) -> None:
        self._prepare("middle")
        self.server.script.fail_next(self.calls["middle"], grpc.StatusCode.INVALID_ARGUMENT)

    def hang(self, call: str, times: int) -> None:
        for _ in range(times):
            self.server.script.hold_next(self.calls[call])

    def release(self) -> None:
        self.server.script.release()

    def count(self, call: str) -> int:
        return self.server.count(self.calls[call])

    def asked(self) -> int:
        return self.server.count()

    def _prepare(self, call: str) -> None:
        if call == "middle":
            self.server.script.pass_next(self.calls[call])
