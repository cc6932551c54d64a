"""``sandbox``: stand-ins for providers on this machine, to try everything without an account."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue

import click

from ecs_sync.cli.calling import Call, say, verb, warn
from ecs_sync.errors import ConfigError
from ecs_sync.exits import Exit
from ecs_sync_sandbox.printed import assignments, configuration, exports, notes
from ecs_sync_sandbox.running import Missing, Running, running
from ecs_sync_sandbox.stand_ins import ROWS

_NAMES = [row.name for row in ROWS]
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_NAP = 0.5


@click.group(epilog="Example: ecs-sync sandbox up > ecs-sync.yaml")
def sandbox() -> None:
    """Serve stand-ins for providers on this machine."""


def _ports(context: click.Context, option: click.Parameter, given: tuple[str, ...]) -> dict[str, int]:
    """The ports by the names of stand-ins. Raises BadParameter."""
    ports = {}
    for word in given:
        name, _, number = word.partition("=")
        if name not in _NAMES or not number.isdecimal() or not 0 <= int(number) < 2**16:
            known = ", ".join(_NAMES)
            raise click.BadParameter(f"{word!r} is not NAME=PORT, such as consul=8500; the names are {known}")
        ports[name] = int(number)
    return ports


@sandbox.command("up", epilog="Example: ecs-sync sandbox up --port consul=8500 > ecs-sync.yaml")
@click.option(
    "--only",
    multiple=True,
    type=click.Choice(_NAMES),
    help="Serve this one; may be given again. By default all whose packages are installed.",
)
@click.option(
    "--port",
    "ports",
    multiple=True,
    metavar="NAME=PORT",
    callback=_ports,
    help="Serve this one there, such as consul=8500; the others take free ports. May be given again.",
)
@click.option(
    "--env-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the environment variables to this file, for its owner only, instead of saying them.",
)
@verb
def up(call: Call, only: tuple[str, ...], ports: dict[str, int], env_file: Path | None) -> int:
    """Serve stand-ins of providers on this machine, and print a configuration that reaches them all.

    The configuration goes to standard output. To standard error go the environment variables that it
    needs, in lines that a shell reads. The stand-ins hold what is written until Ctrl-C ends them, and
    listen on the loopback address only.
    """
    rows = [row for row in ROWS if row.name in (only or _NAMES)]
    with ending() as wait_for_end, running(rows, ports, call.registry().adapter) as every:
        served = [one for one in every if isinstance(one, Running)]
        missing = [one for one in every if isinstance(one, Missing)]
        if missing and (only or not served):
            raise ConfigError("; ".join(f"the stand-in {one.row.name!r}: {one.reason}" for one in missing))
        variables = assignments(exports(served, call.environ))
        if env_file is not None:
            _write(env_file, variables)
            variables = f"# . {env_file.absolute()}\n"
        say(configuration(served))
        warn(notes(served, missing, variables).rstrip("\n"))
        wait_for_end()
    return Exit.DONE


def _write(path: Path, text: str) -> None:
    """Makes the file anew, or leaves the one that was; only its owner can read it at any time."""
    number, draft = tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(number, "w", encoding="utf-8") as file:
            file.write(text)
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink()
        raise


@contextmanager
def ending() -> Iterator[Callable[[], object]]:
    """Waits until Ctrl-C, SIGTERM or the end of the terminal asks for the end; they do nothing else here."""
    # A handler runs in the middle of whatever the thread does. An Event's lock could be held there, by the
    # very wait that the handler would end; the ``put`` of this queue may be called even then.
    asked: SimpleQueue[int] = SimpleQueue()
    before = {number: signal.signal(number, lambda came, _: asked.put(came)) for number in _ENDING}
    try:
        yield lambda: _awaited(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _awaited(asked: SimpleQueue[int]) -> None:
    # A signal that comes in the instant before the thread falls asleep wakes nobody: its handler runs once
    # the thread wakes by itself.
    while True:
        with suppress(Empty):
            asked.get(timeout=_NAP)
            return
