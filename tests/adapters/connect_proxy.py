"""A proxy for tests, as enterprises have them: it carries TLS to where it is asked to, for those who may."""

from __future__ import annotations

import base64
import contextlib
import select
import socket
import ssl
import threading


class ConnectProxy:
    """Carries ``CONNECT host:port`` to that port of this machine; ``asked`` are the requests' heads.

    It wants ``login`` where one is given. ``refusal`` is what it answers instead of carrying; while
    ``silent`` it answers nothing, until its end.
    """

    def __init__(self, login: str | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.asked: list[str] = []
        self.refusal = 0
        self.silent = False
        self._login = login
        self._tls = tls
        self._ended = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{self.port}"
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self) -> ConnectProxy:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()

    @property
    def targets(self) -> set[str]:
        return {head.split()[1] for head in self.asked}

    def _accept(self) -> None:
        while not self._ended.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._threads.append(threading.Thread(target=self._serve, args=(client,)))
            self._threads[-1].start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), contextlib.ExitStack() as opened:
            opened.callback(client.close)
            if self._tls is not None:
                client = opened.enter_context(self._tls.wrap_socket(client, server_side=True))
            head = client.recv(65536).decode()
            self.asked.append(head)
            status = self.refusal or (200 if self._is_let_in(head) else 407)
            if self.silent:
                self._ended.wait()
                return
            client.sendall(f"HTTP/1.1 {status} So\r\n\r\n".encode())
            if status != 200:
                return
            port = int(head.split()[1].rpartition(":")[2])
            self._carry(client, opened.enter_context(socket.create_connection(("127.0.0.1", port))))

    def _is_let_in(self, head: str) -> bool:
        if self._login is None:
            return "proxy-authorization" not in head.lower()
        wanted = base64.b64encode(self._login.encode()).decode()
        return f"proxy-authorization: basic {wanted}".lower() in head.lower()

    def _carry(self, client: socket.socket, server: socket.socket) -> None:
        other = {client: server, server: client}
        while not self._ended.is_set():
            for ready in select.select(list(other), [], [], 0.05)[0]:
                content = ready.recv(65536)
                while isinstance(ready, ssl.SSLSocket) and ready.pending():
                    content += ready.recv(65536)
                if not content:
                    return
                other[ready].sendall(content)
