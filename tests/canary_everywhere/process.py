"""The watched process: ``python -m tests.canary_everywhere.process KEPT TOLD SAFE``.

Takes lines of JSON on standard input, and answers each with one on standard output. Nothing is taken away
from what the program does; all that could give something away is turned on and written down. What lies
below SAFE are places that are made for secrets: they are not looked at.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import itertools
import json
import logging
import os
import socket
import subprocess
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

LOGGERS = (
    "asyncio",
    "azure",
    "azure.core",
    "azure.identity",
    "boto3",
    "botocore",
    "consul",
    "google",
    "google.auth",
    "grpc",
    "hvac",
    "msal",
    "psycopg",
    "requests",
    "sqlalchemy",
    "sqlalchemy.engine",
    "sqlalchemy.pool",
    "structlog",
    "urllib3",
    "urllib3.connectionpool",
)
"""Whose levels are set beside that of the root: some libraries set their own."""


_USUAL = frozenset(vars(logging.makeLogRecord({})))


class Everything(logging.Handler):
    """Writes down all of a record, and not only what a format would show of it."""

    def __init__(self, path: Path) -> None:
        super().__init__(0)
        self._file = path.open("a", encoding="utf-8", errors="backslashreplace")

    def emit(self, record: logging.LogRecord) -> None:
        more = {name: told for name, told in vars(record).items() if name not in _USUAL}
        self._file.write(f"{record.name} {record.msg!r} {record.args!r} {more!r}\n")
        if record.exc_info and record.exc_info[1] is not None:
            self._file.write("".join(traceback.format_exception(record.exc_info[1])))
        self._file.flush()


class Children:
    """Writes down the arguments and the environment of every process that is started."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8", errors="backslashreplace")

    def heard(self, event: str, words: tuple[Any, ...]) -> None:
        given: tuple[Any, ...]
        match event:
            case "subprocess.Popen":
                given = (words[0], words[1], words[3])
            case "os.exec" | "os.posix_spawn":
                given = words[:3]
            case "os.system" | "os.putenv" | "os.spawn" | "os.popen":
                given = words
            case _:
                return
        # An environment of None is this one's.
        self._file.write(f"{event} {given!r} {dict(os.environ)!r}\n")
        self._file.flush()


class Keeper:
    """Keeps a second name of every file that loses its own: what is written to it later is kept as well."""

    def __init__(self, folder: Path, safe: Path) -> None:
        self._folder, self._safe, self._numbers = folder, str(safe), itertools.count()

    def heard(self, event: str, words: tuple[Any, ...]) -> None:
        match event:
            case "os.remove":
                self._keep(words[0], words[1])
            case "os.rename":
                self._keep(words[0], words[2])
                self._keep(words[1], words[3])
            case "os.truncate":
                self._copy(words[0])
            case "open":
                if isinstance(words[2], int) and words[2] & os.O_TRUNC:
                    self._copy(words[0])

    def _keep(self, path: Any, folder: int) -> None:
        with contextlib.suppress(OSError, ValueError, TypeError):
            if str(Path(os.fsdecode(path)).absolute()).startswith(self._safe):
                return
            kept = self._folder / f"{next(self._numbers)}-{Path(os.fsdecode(path)).name}"
            os.link(path, kept, src_dir_fd=None if folder < 0 else folder, follow_symlinks=False)

    def _copy(self, path: Any) -> None:
        """What is cut off is gone from every name of the file, so that it is kept as it was."""
        with contextlib.suppress(OSError, ValueError, TypeError):
            found = Path(os.fsdecode(path))
            if str(found.absolute()).startswith(self._safe):
                return
            if found.is_file() and found.stat().st_size and not found.is_relative_to("/dev"):
                kept = self._folder / f"{next(self._numbers)}-{found.name}"
                descriptor = os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
                with os.fdopen(descriptor, "wb") as file:
                    file.write(found.read_bytes())


def watch(kept: Path, told: Path, safe: Path) -> None:
    """From now on all is written down."""
    keeper, children = Keeper(kept, safe), Children(told / "children")
    # A file that never has a name cannot be kept: without this it has one for a moment.
    tempfile._O_TMPFILE_WORKS = False  # type: ignore[attr-defined]
    sys.addaudithook(keeper.heard)
    sys.addaudithook(children.heard)
    handler = Everything(told / "log")
    for name in ("", *LOGGERS):
        logger = logging.getLogger(name)
        logger.setLevel(1)
        logger.addHandler(handler)
    logging.captureWarnings(True)
    warnings.simplefilter("always")
    wire = (told / "wire").open("a", encoding="utf-8", errors="backslashreplace")

    def printed(*words: object) -> None:
        print(*words, file=wire, flush=True)

    http.client.HTTPConnection.debuglevel = 1
    http.client.print = printed  # type: ignore[attr-defined]


def call(words: list[str], given: str) -> dict[str, Any]:
    """One call of the command. The worker takes the logging of its process: it gets it back afterwards."""
    from ecs_sync.cli.app import run

    out, err = io.StringIO(), io.StringIO()
    root = logging.getLogger()
    handlers, level, before = root.handlers, root.level, sys.stdin
    sys.stdin = io.TextIOWrapper(io.BytesIO(given.encode()))
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run(words)
    finally:
        sys.stdin = before
        root.handlers = handlers
        root.setLevel(level)
    return {"code": code, "out": out.getvalue(), "err": err.getvalue()}


def _wire(secret: str) -> None:
    connection = http.client.HTTPConnection("nowhere")
    ours, theirs = socket.socketpair()
    connection.sock = ours
    connection.request("PUT", "/", secret.encode())
    ours.close()
    theirs.close()


def _removed(secret: str) -> None:
    path = Path(tempfile.mkdtemp()) / "there-for-a-moment"
    path.write_text(secret)
    path.unlink()


def _overwritten(secret: str) -> None:
    path = Path("overwritten")
    path.write_text(secret)
    path.write_text("nothing")


def _replaced(secret: str) -> None:
    Path("replaced").write_text(secret)
    Path("new").write_text("nothing")
    Path("new").replace("replaced")


def _nameless(secret: str) -> None:
    with tempfile.TemporaryFile("w") as file:
        file.write(secret)


_open: list[int] = []


def _held(secret: str) -> None:
    """Without a name and by no door of Python's: as a library in C would."""
    descriptor = os.open(tempfile.gettempdir(), os.O_TMPFILE | os.O_RDWR)
    os.write(descriptor, secret.encode())
    _open.append(descriptor)


def _started(secret: str) -> None:
    subprocess.run(["true"], env={"PASSWORD": secret}, check=True)


def _logged(secret: str) -> None:
    try:
        raise ValueError(secret)
    except ValueError:
        logging.getLogger("some.sdk").debug("no value here", exc_info=True)


WAYS: Mapping[str, Callable[[str], object]] = {
    "log": lambda secret: logging.getLogger("botocore.endpoint").debug("sent %s", {"Value": secret}),
    "exception in a log": _logged,
    "extra of a log": lambda secret: logging.getLogger("azure.core").debug("x", extra={"body": secret}),
    "warning": lambda secret: warnings.warn(secret, stacklevel=1),
    "wire": _wire,
    "environment of a child": _started,
    "argument of a child": lambda secret: subprocess.run(["true", secret], check=True),
    "own environment": lambda secret: os.environ.update(PASSWORD=secret),
    "removed file": _removed,
    "overwritten file": _overwritten,
    "replaced file": _replaced,
    "file without a name": _nameless,
    "file that nobody sees": _held,
    "file": lambda secret: Path("left").write_text(secret),
    "name of a file": lambda secret: Path(secret.replace("/", "_")).touch(),
    "stderr of the process": lambda secret: os.write(2, secret.encode()),
}
"""Ways to give a secret away, each for one thing that is watched."""


def main() -> None:
    answers = sys.stdout
    watch(*map(Path, sys.argv[1:4]))
    for line in sys.stdin:
        asked = json.loads(line)
        if "leak" in asked:
            WAYS[asked["leak"]](asked["secret"])
            answer: dict[str, Any] = {}
        else:
            answer = call(asked["words"], asked["given"])
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
