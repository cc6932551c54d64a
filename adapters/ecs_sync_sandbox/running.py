"""Starts stand-ins side by side, and ends all that were started where one of them cannot be."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from ecs_sync.errors import ConfigError, EcsSyncError
from ecs_sync_sandbox.real_server import NotReady
from ecs_sync_sandbox.stand_ins import Row, StandIn

_IMPORTING = threading.Lock()
"""Held while packages are imported: two threads in the circles of one package find it half made."""


@dataclass(frozen=True, slots=True)
class Running:
    """A stand-in that serves until its stack is closed."""

    row: Row
    server: StandIn
    stack: ExitStack


@dataclass(frozen=True, slots=True)
class Missing:
    """A stand-in for which a package is not installed; the reason names the line that installs it."""

    row: Row
    reason: str


@dataclass(frozen=True, slots=True)
class Failed:
    """A stand-in that is installed and does not start."""

    row: Row
    reason: str


class NotServed(EcsSyncError):
    """Stand-ins did not start. The text says which, and why, a line each."""


@contextmanager
def running(
    rows: Sequence[Row], ports: Mapping[str, int], adapter: Callable[[str], object]
) -> Iterator[list[Running | Missing]]:
    """Serves the stand-ins of these rows while its block runs.

    ``ports`` are by name; the others take free ones. ``adapter`` gives an adapter's class by its name, and
    raises ConfigError where that cannot be imported: nobody could reach such a stand-in. Packages that warn
    of others while they are imported are not heard. Raises NotServed.
    """
    with warnings.catch_warnings(), ExitStack() as ending:
        warnings.simplefilter("ignore")
        with ThreadPoolExecutor(len(rows)) as threads:
            every = list(threads.map(lambda row: _started(row, ports.get(row.name, 0), adapter), rows))
        for one in every:
            if isinstance(one, Running):
                ending.enter_context(one.stack)
        failed = [f"the stand-in {one.row.name!r} {one.reason}" for one in every if isinstance(one, Failed)]
        if failed:
            raise NotServed("\n".join(failed))
        yield [one for one in every if not isinstance(one, Failed)]


def _started(row: Row, port: int, adapter: Callable[[str], object]) -> Running | Missing | Failed:
    with ExitStack() as stack:
        try:
            with _IMPORTING:
                server = row.make(port)
        except ImportError as error:
            needed = f"needs {error.name}, which is not installed"
            return Missing(row, f"{needed}: pip install 'ecs-sync[sandbox]'")
        except NotReady as error:
            return Missing(row, str(error))
        except (OSError, RuntimeError) as error:
            return Failed(row, _reason(port, error))
        try:
            stack.enter_context(server)
            with _IMPORTING:
                for seat in row.seats:
                    adapter(server.connection(**seat.words)["adapter"])
            row.filled(server)
        except ConfigError as error:
            return Missing(row, str(error))
        except (OSError, NotReady) as error:
            return Failed(row, _reason(port, error))
        return Running(row, server, stack.pop_all())


def _reason(port: int, error: Exception) -> str:
    where = f" on port {port}" if port else ""
    what = (isinstance(error, OSError) and error.strerror) or str(error)
    return f"cannot be served{where}: {what}"
