"""A forward proxy on the loopback address: tunnels, hands on, refuses on demand, and keeps a log."""

from __future__ import annotations

import base64
import contextlib
import http.client
import select
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import urlsplit

_HOP_BY_HOP = frozenset(
    {"connection", "content-length", "keep-alive", "proxy-connection", "transfer-encoding"}
)


class ForwardProxy:
    """Runs while its ``with`` block does. ``log`` has a line such as ``CONNECT 127.0.0.1:8200`` a request.

    ``refuses`` is a status to answer everything with; 0 lets everything pass. ``login`` is the
    ``user:password`` that it asks for, and ``hangs`` keeps everybody waiting.
    """

    def __init__(self) -> None:
        self.log: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.refuses = 0
        self.login = ""
        self.hangs = False
        self.ended = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Exchange)
        self._server.proxy = self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    proxy: ForwardProxy

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A side that went away is its own affair."""


class _Exchange(BaseHTTPRequestHandler):
    server: _Server

    def do_CONNECT(self) -> None:
        if self._refused():
            return
        host, _, port = self.path.partition(":")
        try:
            far = socket.create_connection((host, int(port)), timeout=10)
        except OSError:
            self.send_error(502)
            return
        with far:
            self.send_response(200)
            self.end_headers()
            self.wfile.flush()
            _joined(self.connection, far)
        self.close_connection = True

    def do_GET(self) -> None:
        if self._refused():
            return
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name: text for name, text in self.headers.items() if name.lower() not in _HOP_BY_HOP}
        far = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
        try:
            far.request(self.command, parts._replace(scheme="", netloc="").geturl(), body or None, headers)
            answer = far.getresponse()
            text = answer.read()
        finally:
            far.close()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_PUT = do_POST = do_DELETE = do_LIST = do_GET  # noqa: N815

    def _refused(self) -> bool:
        proxy = self.server.proxy
        proxy.log.append(f"{self.command} {self.path}")
        proxy.headers.append({name.lower(): text for name, text in self.headers.items()})
        if proxy.hangs:
            proxy.ended.wait()
        basic = "Basic " + base64.b64encode(proxy.login.encode()).decode()
        unknown = proxy.login and self.headers.get("Proxy-Authorization") != basic
        status = proxy.refuses or (407 if unknown else 0)
        if status:
            self.send_error(status)
        return bool(status)

    def log_message(self, format: str, *args: object) -> None:
        """The log is `ForwardProxy.log`."""


def _joined(near: socket.socket, far: socket.socket) -> None:
    """Hands on what either side says, until one of them ends."""
    other = {near: far, far: near}
    with contextlib.suppress(OSError):
        while True:
            ready, _, _ = select.select([near, far], [], [], 10)
            for side in ready:
                if not (piece := side.recv(65536)):
                    return
                other[side].sendall(piece)
            if not ready:
                return
