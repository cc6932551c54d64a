"""A server process of our own: started on a free port, awaited by asking it, stopped by its own handle.

with RealServer(lambda port: ["consul", "agent", "-dev", f"-http-port={port}"], answers("/v1/status/leader")):
    ...
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from typing import Self

_ATTEMPT_SECONDS = 0.05
_STOP_SECONDS = 10.0
_SHOWN = 2000


class NotReady(Exception):
    """The server ended, or did not answer in time. The text has the end of what it wrote."""


class RealServer:
    """A context manager around one process in a session of its own. Ends no process but the one it started.

    ``command`` gives the arguments for a port, ``ready`` says whether the server at a URL such as
    ``http://127.0.0.1:4566`` answers as it should; it is asked again until ``timeout`` seconds are over.
    ``port`` 0 takes a free one.
    What the server writes goes to a file that is gone with it.
    """

    def __init__(
        self,
        command: Callable[[int], Sequence[str]],
        ready: Callable[[str], bool],
        environment: Mapping[str, str] | None = None,
        timeout: float = 30.0,
        port: int = 0,
    ) -> None:
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._command = command
        self._ready = ready
        self._environment = {**os.environ, **(environment or {})}
        self._timeout = timeout
        self._process: subprocess.Popen[bytes] | None = None
        self._output = tempfile.TemporaryFile()  # noqa: SIM115

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._output.close()

    @property
    def pid(self) -> int:
        """The process id. Raises NotReady where nothing runs."""
        if self._process is None:
            raise NotReady("the server is not running")
        return self._process.pid

    def start(self) -> None:
        """Starts the process, again after a stop, on the same port. Raises NotReady."""
        arguments = list(self._command(self.port))
        self._process = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            env=self._environment,
            start_new_session=True,
        )
        deadline = time.monotonic() + self._timeout
        while not self._ready(self.url):
            if self._process.poll() is not None:
                raise NotReady(f"{arguments[0]} ended with {self._process.returncode}: {self._tail()}")
            if time.monotonic() > deadline:
                raise NotReady(f"{arguments[0]} did not answer in {self._timeout:g} s: {self._tail()}")
            time.sleep(_ATTEMPT_SECONDS)

    def stop(self) -> None:
        """Asks the process to end, and ends it where it does not within ten seconds."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Ends the process as a power cut would."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(number)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _tail(self) -> str:
        size = self._output.seek(0, os.SEEK_END)
        self._output.seek(max(0, size - _SHOWN))
        return self._output.read().decode("utf-8", "replace").strip()


def free_port() -> int:
    """A port of the loopback address that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def answers(path: str) -> Callable[[str], bool]:
    """Ready when a GET of this path is answered with 200."""

    def ready(url: str) -> bool:
        try:
            with urllib.request.urlopen(url + path, timeout=1.0) as response:  # noqa: S310
                return bool(response.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    return ready
