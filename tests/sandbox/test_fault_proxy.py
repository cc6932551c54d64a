"""The fault proxy, in front of a server that answers every line with its echo."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Iterator

import pytest

from ecs_sync.testing.faultproxy import FaultProxy


class Echo(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Lines)
        self.heard: list[bytes] = []
        self.came = threading.Condition()


class _Lines(socketserver.StreamRequestHandler):
    server: Echo

    def handle(self) -> None:
        try:
            for line in self.rfile:
                with self.server.came:
                    self.server.heard.append(line)
                    self.server.came.notify_all()
                self.wfile.write(line)
        except OSError:
            return


@pytest.fixture
def echo() -> Iterator[Echo]:
    with Echo() as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[FaultProxy]:
    with FaultProxy("127.0.0.1", echo.server_address[1]) as running:
        yield running


def connect(proxy: FaultProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=20)


def say(connection: socket.socket, line: bytes) -> bytes:
    connection.sendall(line)
    return connection.makefile("rb").readline()


def test_without_a_fault_bytes_pass_both_ways(proxy: FaultProxy) -> None:
    with connect(proxy) as connection:
        assert say(connection, b"hello\n") == b"hello\n"
        assert say(connection, b"x" * 300_000 + b"\n") == b"x" * 300_000 + b"\n"


def test_an_orderly_end_passes_as_one(proxy: FaultProxy) -> None:
    with connect(proxy) as connection:
        connection.sendall(b"last\n")
        connection.shutdown(socket.SHUT_WR)
        assert connection.makefile("rb").read() == b"last\n"


@pytest.mark.parametrize("count", [0, 3])
def test_a_cut_connection_carries_the_request_up_and_so_many_bytes_down(
    proxy: FaultProxy, echo: Echo, count: int
) -> None:
    with connect(proxy) as connection:
        assert say(connection, b"before\n") == b"before\n"
        proxy.cut_down_after(count)
        connection.sendall(b"landed\n")
        assert connection.recv(count, socket.MSG_WAITALL) == b"landed\n"[:count]
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
    assert echo.heard == [b"before\n", b"landed\n"]
    proxy.heal()
    with connect(proxy) as connection:
        assert say(connection, b"after\n") == b"after\n"


def test_reset_all_ends_connections_that_wait(proxy: FaultProxy) -> None:
    with connect(proxy) as connection:
        assert say(connection, b"hello\n") == b"hello\n"
        proxy.reset_all()
        with pytest.raises(ConnectionResetError):
            connection.recv(1)


def test_a_refusing_proxy_listens_again_once_healed(proxy: FaultProxy) -> None:
    proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        connect(proxy)
    proxy.heal()
    with connect(proxy) as connection:
        assert say(connection, b"hello\n") == b"hello\n"


def test_a_blackhole_keeps_the_connection_and_loses_the_bytes(proxy: FaultProxy, echo: Echo) -> None:
    with connect(proxy) as connection:
        swallowed = proxy.blackhole()
        connection.settimeout(0.1)
        connection.sendall(b"lost\n")
        assert swallowed.wait(20)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        assert echo.heard == []
        proxy.heal()
        connection.settimeout(20)
        assert say(connection, b"hello\n") == b"hello\n"


def test_latency_delays_the_answer_and_not_the_request(proxy: FaultProxy, echo: Echo) -> None:
    with connect(proxy) as connection:
        proxy.latency(0.3)
        connection.settimeout(0.05)
        connection.sendall(b"slow\n")
        with echo.came:
            assert echo.came.wait_for(lambda: echo.heard == [b"slow\n"], 20)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.settimeout(20)
        assert connection.recv(5, socket.MSG_WAITALL) == b"slow\n"
