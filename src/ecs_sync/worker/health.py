"""``/health/live`` and ``/health/ready``, for whoever restarts the worker or watches it. Never a value."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ecs_sync.errors import ConfigError, EcsSyncError
from ecs_sync.worker.carrier import Carrier
from ecs_sync.worker.desk import Desk

MISSED = 3
"""A sign of life is given every period; after so many periods without one something hangs."""

Answer = tuple[bool, dict[str, Any]]


def live(desk: Desk) -> Answer:
    """Does the process loop go round?"""
    age = time.monotonic() - desk.vitals.beat
    alive = age < MISSED * desk.vitals.period
    return alive, {"live": alive, "beat_age": round(age, 3)}


def ready(desk: Desk, carrier: Carrier) -> Answer:
    """Are due jobs being turned into runs? With each job's last end, its age in seconds and its next slot."""
    age = time.monotonic() - desk.vitals.tick
    reasons = []
    if desk.stopping.is_set():
        reasons.append("the worker is stopping")
    elif not carrier.running:
        reasons.append("the scheduler does not run")
    if age >= MISSED * desk.vitals.period:
        reasons.append("the last tick is too long ago")
    jobs: dict[str, Any] = {}
    try:
        jobs = _jobs(desk)
    except EcsSyncError as error:
        reasons.append(str(error))
    answer = {"ready": not reasons, "reasons": reasons, "tick_age": round(age, 3), "jobs": jobs}
    return not reasons, answer


def _jobs(desk: Desk) -> dict[str, Any]:
    now, dues, ends = datetime.now(UTC), desk.schedule.dues(), desk.schedule.last()
    told = {}
    for name, job in sorted(desk.bench.config.jobs.items()):
        last = ends.get(name)
        finished = None if last is None else last.finished
        told[name] = {
            "finished": _iso(finished),
            "age": None if finished is None else round((now - finished).total_seconds(), 3),
            "exit": None if last is None else last.exit_code,
            "due": _iso(dues.get(name)),
            "stale": name in desk.vitals.stale,
            "paused": job.paused,
        }
    return told


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat(timespec="seconds")


@contextmanager
def answering(address: tuple[str, int] | None, desk: Desk, carrier: Carrier) -> Iterator[None]:
    """Answers on ``address`` while the block runs; nowhere where that is None. Raises ConfigError."""
    if address is None:
        yield
        return
    answers = {"/health/live": lambda: live(desk), "/health/ready": lambda: ready(desk, carrier)}
    host, port = address
    try:
        server = _Server(address, _handler(answers))
    except OSError as error:
        raise ConfigError(
            f"{desk.bench.config.path}: worker.health: {host}:{port} cannot be listened on: "
            f"{error.strerror}: name another port, or stop what listens there"
        ) from None
    desk.log.info("health_listens", host=host, port=server.server_address[1])
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        import socket

        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that went away is no event."""


def _handler(answers: Mapping[str, Callable[[], Answer]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 5.0

        def do_GET(self) -> None:
            answer = answers.get(self.path.partition("?")[0])
            if answer is None:
                self._send(404, {"paths": sorted(answers)})
            else:
                good, body = answer()
                self._send(200 if good else 503, body)

        def _send(self, status: int, body: dict[str, Any]) -> None:
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: Any) -> None:
            """Probes are no events."""

    return Handler
