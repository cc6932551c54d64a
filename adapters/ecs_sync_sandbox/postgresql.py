"""A PostgreSQL server of one's own: fresh, empty, on a free port, gone with its folder afterwards.

It is fast and forgets: nothing is synced to the disk, and everybody on this machine may log in as
``ecs``. The programs are those of a PostgreSQL on the PATH, or of Debian's packages.

with PostgresqlServer() as server:
    url = server.create_database("store")
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Self

from ecs_sync_sandbox.real_server import NotReady, RealServer

USER = "ecs"
_DEBIAN = Path("/usr/lib/postgresql")
_UNPRIVILEGED = ("postgres", "nobody")
_FORGETFUL = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


def programs() -> Path | None:
    """The folder of ``initdb`` and ``postgres``, the newest there is; None where there is none."""
    found = shutil.which("postgres")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(_DEBIAN.glob("*/bin"), key=lambda folder: int(folder.parent.name), reverse=True)
    return next((folder for folder in folders if (folder / "initdb").exists()), None)


class PostgresqlServer:
    """A context manager around one server. Raises NotReady where it is not installed or does not start."""

    def __init__(self) -> None:
        folder = programs()
        if folder is None:
            raise NotReady("PostgreSQL is not installed: install it (Debian: apt-get install postgresql)")
        self._programs = folder
        self._folder = Path(tempfile.mkdtemp(prefix="ecs-sync-postgresql-"))
        self._server = RealServer(self._command, self._ready)

    def __enter__(self) -> Self:
        try:
            self._initialise()
            self._server.__enter__()
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        self._server.__exit__()
        shutil.rmtree(self._folder, ignore_errors=True)

    def url(self, database: str) -> str:
        """The URL of a database for ``store.url``."""
        return f"postgresql+psycopg://{USER}@127.0.0.1:{self._server.port}/{database}"

    def create_database(self, name: str) -> str:
        """Makes an empty database and returns its URL. Raises NotReady."""
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self._server.port), "-U", USER, name)
        return self.url(name)

    def restart(self) -> None:
        """Stops the server, which drops its clients, and starts it again on the same port and data."""
        self._stop()
        self._server.start()

    def _stop(self) -> None:
        # Asked politely the server would wait for its clients; an interrupt sends them away.
        with contextlib.suppress(NotReady, ProcessLookupError):
            os.kill(self._server.pid, signal.SIGINT)
        self._server.stop()

    @property
    def data(self) -> Path:
        """The folder of the server's files."""
        return self._folder / "data"

    def _initialise(self) -> None:
        user = _unprivileged()
        if user is not None:
            shutil.chown(self._folder, user)
        options = ("-U", USER, "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
        self._run("initdb", "-D", str(self.data), *options, user=user)

    def _run(self, program: str, *arguments: str, user: str | None = None) -> None:
        done = subprocess.run(
            [str(self._programs / program), *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=self._folder,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
            user=user,
        )
        if done.returncode:
            raise NotReady(f"{program} ended with {done.returncode}: {done.stderr.strip()[-500:]}")

    def _command(self, port: int) -> list[str]:
        settings = [part for setting in _FORGETFUL for part in ("-c", setting)]
        user = _unprivileged()
        # The server refuses to run as root; setpriv becomes it, so the process is the server itself.
        become = [] if user is None else ["setpriv", f"--reuid={user}", "--clear-groups", "--"]
        where = ["-D", str(self.data), "-h", "127.0.0.1", "-p", str(port), "-k", str(self._folder)]
        return [*become, str(self._programs / "postgres"), *where, *settings]

    def _ready(self, url: str) -> bool:
        address, _, port = url.removeprefix("http://").partition(":")
        asked = [str(self._programs / "pg_isready"), "-q", "-h", address, "-p", port, "-U", USER]
        return subprocess.run(asked, check=False).returncode == 0


def _unprivileged() -> str | None:
    """Whom to be where we are root; None where we are not."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    found = next((name for name in _UNPRIVILEGED if name in known), None)
    if found is None:
        raise NotReady("PostgreSQL does not run as root, and there is no user 'postgres' or 'nobody'")
    return found
