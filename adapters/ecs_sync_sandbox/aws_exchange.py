"""How a local AWS is spoken to: POST requests over HTTP/1.1, answered by one function of the server."""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


Answering = Callable[[str, bytes, Mapping[str, str]], Reply | None]
"""From an operation, its body and the headers, their names in lower case; None loses the acknowledgement."""


class _Listening(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is its own affair; anything else is a fault of the stand-in."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


def listen(answer: Answering, port: int) -> ThreadingHTTPServer:
    """A server that listens on the loopback address and is not served yet; port 0 takes a free one."""

    class Exchange(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = 65536

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            operation = headers.get("x-amz-target", "").rpartition(".")[2]
            if not operation:
                operation = parse_qs(body.decode("utf-8", "replace")).get("Action", [""])[0]
            reply = answer(operation, body, headers)
            if reply is None:
                _reset(self.connection)
                self.close_connection = True
                return
            with contextlib.suppress(ConnectionError):
                self.send_response_only(reply.status)
                for name, value in reply.headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)
                self.wfile.flush()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is printed: what the sandbox says is a script."""

    server = _Listening(("127.0.0.1", port), Exchange, bind_and_activate=False)
    server.daemon_threads = True
    server.request_queue_size = 128
    server.server_bind()
    server.server_activate()
    return server


def _reset(connection: socket.socket) -> None:
    """Closes with RST, so that the client sees the loss at once and not as an orderly end."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
