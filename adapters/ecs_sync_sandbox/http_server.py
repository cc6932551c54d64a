"""A threaded HTTP server for stand-ins that speak a provider's protocol, with faults on demand.

A stand-in gives `HttpServer` one function from `Request` to `Reply`; everything that goes wrong between
a client and a server is played here, once for all of them: an error answer, an effect whose
acknowledgement is lost, an answer that never comes, an answer that stops half-way.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, unquote

_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER on, zero seconds: closing the socket sends RST."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came. Header names are in lower case; ``target`` is the raw path and query."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes = field(repr=False, default=b"")

    @property
    def path(self) -> str:
        """The path, percent-decoded once."""
        return unquote(self.target.partition("?")[0])

    @property
    def query(self) -> dict[str, str]:
        """The query, the last of each name; a name without a value has the empty text."""
        return dict(parse_qsl(self.target.partition("?")[2], keep_blank_values=True))


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. A body of several pieces is sent in chunks as they come."""

    status: int = 200
    body: bytes | Iterable[bytes] = b""
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Fail:
    """Answer this, without an effect."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class Drop:
    """Have the effect, then reset the connection without a word."""


@dataclass(frozen=True, slots=True)
class Hang:
    """Keep the client waiting until released, then reset the connection. There is no effect."""

    released: threading.Event


@dataclass(frozen=True, slots=True)
class Cut:
    """Have the effect, send this many bytes of the answer's body, then reset the connection."""

    after: int


Fault = Fail | Drop | Hang | Cut
When = Callable[[Request], bool]


def _always(_: Request) -> bool:
    return True


class HttpServer:
    """Serves ``respond`` on a port of 127.0.0.1 while its ``with`` block runs.

    ``requests`` is the log of all requests, in order. The ``..._next`` methods plan a fault for the next
    requests that meet ``when``; several are used in the order they were planned.
    """

    def __init__(
        self,
        respond: Callable[[Request], Reply],
        *,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.requests: list[Request] = []
        self._faults: list[tuple[When, Fault]] = []
        self._hanging: list[threading.Event] = []
        self._lock = threading.Lock()
        self._arrived = threading.Condition()
        self._listener = _Listener(port, respond, self._note, self._fault)
        if tls is not None:
            self._listener.socket = tls.wrap_socket(self._listener.socket, server_side=True)
        scheme = "http" if tls is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self._listener.server_address[1]}"
        self._thread = threading.Thread(target=self._listener.serve_forever, args=(0.05,), daemon=True)

    def fail_next(
        self,
        status: int,
        headers: dict[str, str] | None = None,
        body: bytes | str = b"",
        times: int = 1,
        when: When = _always,
    ) -> None:
        """The next requests are answered with an error and have no effect."""
        text = body.encode() if isinstance(body, str) else body
        self._plan(Fail(Reply(status, text, tuple((headers or {}).items()))), times, when)

    def drop_next(self, times: int = 1, when: When = _always) -> None:
        """The next requests have their effect, and the acknowledgement is lost."""
        self._plan(Drop(), times, when)

    def hang_next(self, times: int = 1, when: When = _always) -> threading.Event:
        """The next requests wait for the returned event, or for the end of the server."""
        released = threading.Event()
        self._hanging.append(released)
        self._plan(Hang(released), times, when)
        return released

    def cut_next(self, after: int, times: int = 1, when: When = _always) -> None:
        """The next answers stop after so many bytes of their body."""
        self._plan(Cut(after), times, when)

    def await_requests(self, count: int, seconds: float = 30.0) -> None:
        """Until ``requests`` holds so many. Raises TimeoutError."""
        with self._arrived:
            if not self._arrived.wait_for(lambda: len(self.requests) >= count, seconds):
                raise TimeoutError(f"{len(self.requests)} requests came, and not {count}")

    def _plan(self, fault: Fault, times: int, when: When) -> None:
        with self._lock:
            self._faults += [(when, fault)] * times

    def _note(self, request: Request) -> None:
        with self._arrived:
            self.requests.append(request)
            self._arrived.notify_all()

    def _fault(self, request: Request) -> Fault | None:
        with self._lock:
            for index, (when, fault) in enumerate(self._faults):
                if when(request):
                    del self._faults[index]
                    return fault
        return None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the server and every connection to it; hanging requests are released."""
        for released in self._hanging:
            released.set()
        if self._thread.is_alive():
            self._listener.shutdown()
            self._thread.join()
        self._listener.server_close()
        self._listener.end_connections()


class _Listener(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True
    block_on_close = False

    def __init__(
        self,
        port: int,
        respond: Callable[[Request], Reply],
        note: Callable[[Request], None],
        fault: Callable[[Request], Fault | None],
    ) -> None:
        super().__init__(("127.0.0.1", port), _Exchange)
        self.respond, self.note, self.fault = respond, note, fault
        self._open: set[Any] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        with contextlib.suppress(OSError):
            if request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, len(_RESET)) == _RESET:
                request.close()  # an orderly shutdown first would turn the reset into an end of stream
                return
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is its own affair; anything else is a fault of the stand-in."""
        import sys

        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def end_connections(self) -> None:
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Exchange(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Without these two each response waits 40 ms for the client's delayed acknowledgement.
    disable_nagle_algorithm = True
    wbufsize = 65536
    server: _Listener

    def do_GET(self) -> None:
        request = self._read()
        self.server.note(request)
        match self.server.fault(request):
            case None:
                self._answer(self.server.respond(request))
            case Fail(reply):
                self._answer(reply)
            case Drop():
                self.server.respond(request)
                self._reset()
            case Hang(released):
                released.wait()
                self._reset()
            case Cut(after):
                self.close_connection = True
                self._answer(self.server.respond(request), after)
                self.wfile.flush()
                self._reset()

    do_PUT = do_POST = do_DELETE = do_PATCH = do_HEAD = do_LIST = do_OPTIONS = do_GET  # noqa: N815

    def _read(self) -> Request:
        length = int(self.headers.get("Content-Length") or 0)
        headers = {name.lower(): value for name, value in self.headers.items()}
        return Request(self.command, self.path, headers, self.rfile.read(length))

    def _answer(self, reply: Reply, cut: int | None = None) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers:
            self.send_header(name, value)
        match reply.body:
            case bytes() as body:
                if reply.status not in (204, 304):
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body[:cut])
            case pieces:
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for piece in pieces if cut is None else _first(cut, pieces):
                    if piece:
                        self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                if cut is None:
                    self.wfile.write(b"0\r\n\r\n")

    def _reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)

    def log_message(self, format: str, *args: object) -> None:
        """The request log is `HttpServer.requests`; nothing is printed."""


def _first(count: int, pieces: Iterable[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        yield piece[:count]
        count -= len(piece)
        if count <= 0:
            return
