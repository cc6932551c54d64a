"""A TCP proxy that plays what networks do: delay, silence, refusal, resets, answers cut short.

Put it between an adapter and a server, and change its fault while connections are open::

    with FaultProxy("127.0.0.1", port) as proxy:
        adapter = build(url=f"http://127.0.0.1:{proxy.port}")
        proxy.cut_down_after(0)      # the next write lands, and its acknowledgement does not
        ...
        proxy.heal()

It looks at no byte it carries, so TLS and any protocol pass through. Each connection is one thread with
one select loop: two threads that pump one direction each cannot reset a connection that the other is
blocked on.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

_CHUNK = 65536
_RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Clear:
    """Everything passes."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Every piece that goes down to the client waits so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Blackhole:
    """Bytes of both directions vanish; connections stay open."""

    swallowed: threading.Event


@dataclass(frozen=True, slots=True, eq=False)
class CutDown:
    """The server gets all, the client so many bytes more on each connection, and then a reset."""

    after: int
    sent: dict[_Pair, int] = field(default_factory=dict)


Fault = Clear | Latency | Blackhole | CutDown


class FaultProxy:
    """Carries connections from ``port`` of 127.0.0.1 to a server, for a ``with`` block."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._fault: Fault = Clear()
        self._lock = threading.Lock()
        self._pairs: set[_Pair] = set()
        self._ended = threading.Event()
        self._listener: socket.socket | None = None
        self.port = 0

    def __enter__(self) -> Self:
        self._listen()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._stop_listening()
        self.reset_all()

    def heal(self) -> None:
        """No fault from now on; a proxy that refused listens again, on the same port."""
        self._fault = Clear()
        if self._listener is None:
            self._listen()

    def latency(self, seconds: float) -> None:
        """Every piece for the client waits so long."""
        self._fault = Latency(seconds)

    def blackhole(self) -> threading.Event:
        """Nothing gets through, and nothing ends: only a timeout helps the client.

        The event is set once something vanished.
        """
        swallowed = threading.Event()
        self._fault = Blackhole(swallowed)
        return swallowed

    def cut_down_after(self, count: int) -> None:
        """The server gets whole requests; each connection carries ``count`` bytes down, then resets."""
        self._fault = CutDown(count)

    def refuse(self) -> None:
        """New connections are refused, open ones reset."""
        self._stop_listening()
        self.reset_all()

    def reset_all(self) -> None:
        """Every open connection is reset, on both sides."""
        with self._lock:
            pairs = list(self._pairs)
        for pair in pairs:
            pair.doom()
        for pair in pairs:
            pair.ended.wait(10)

    def _listen(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _stop_listening(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
            listener.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            try:
                pair = _Pair(client, socket.create_connection(self._target, timeout=10))
            except OSError:
                _reset(client)
                continue
            with self._lock:
                self._pairs.add(pair)
            threading.Thread(target=self._carry, args=(pair,), daemon=True).start()

    def _carry(self, pair: _Pair) -> None:
        try:
            while self._step(pair):
                pass
        except OSError:
            pair.doomed = True
        finally:
            pair.close()
            with self._lock:
                self._pairs.discard(pair)

    def _step(self, pair: _Pair) -> bool:
        """Carries what has come; False when the connection is over."""
        ready, _, _ = select.select([*pair.reading, pair.woken], [], [])
        if pair.doomed:
            return False
        for source in [side for side in pair.reading if side in ready]:
            piece = source.recv(_CHUNK)
            if not piece:
                pair.reading.remove(source)
                pair.other(source).shutdown(socket.SHUT_WR)
            elif not self._pass(pair, source, piece):
                pair.doomed = True
                return False
        return bool(pair.reading)

    def _pass(self, pair: _Pair, source: socket.socket, piece: bytes) -> bool:
        """One piece, as the fault of the moment has it; False resets the connection."""
        fault, down = self._fault, source is pair.server
        match fault:
            case Blackhole(swallowed):
                swallowed.set()
                return True
            case Latency(seconds) if down:
                self._ended.wait(seconds)
            case CutDown(after, sent) if down:
                left = after - sent.get(pair, 0)
                sent[pair] = sent.get(pair, 0) + len(piece)
                pair.client.sendall(piece[:left])
                return len(piece) < left
            case Clear() | Latency() | CutDown():
                pass
        pair.other(source).sendall(piece)
        return True


class _Pair:
    """The two ends of one connection, and a socket that wakes its thread."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client, self.server = client, server
        server.settimeout(None)
        for side in (client, server):
            side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reading = [client, server]
        self.woken, self._waker = socket.socketpair()
        self.doomed = False
        self.ended = threading.Event()

    def other(self, side: socket.socket) -> socket.socket:
        return self.server if side is self.client else self.client

    def doom(self) -> None:
        self.doomed = True
        with contextlib.suppress(OSError):
            self._waker.send(b"!")

    def close(self) -> None:
        for side in (self.client, self.server):
            if self.doomed:
                _reset(side)
            side.close()
        self.woken.close()
        self._waker.close()
        self.ended.set()


def _reset(side: socket.socket) -> None:
    with contextlib.suppress(OSError):
        side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    side.close()
