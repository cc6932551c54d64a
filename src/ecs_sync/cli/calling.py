"""One call of the command: what was asked for on its line, and how it answers."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ecs_sync.errors import EcsSyncError
from ecs_sync.render.format import Format

if TYPE_CHECKING:
    from ecs_sync.config import Config, JobConfig
    from ecs_sync.model import Rank
    from ecs_sync.registry import Registry
    from ecs_sync.render.page import Paint, Part, Tone
    from ecs_sync.render.planned import Showing
    from ecs_sync.sync import Order
    from ecs_sync.workbench import Workbench

DEFAULT_CONFIG = "ecs-sync.yaml"
_META = "ecs_sync."

F = TypeVar("F", bound=Callable[..., Any])
Made = TypeVar("Made")


def _note(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    """Notes what stands on the line itself, so that an option counts before the verb and behind it."""
    source = context.get_parameter_source(parameter.name or "")
    if source is click.core.ParameterSource.COMMANDLINE:
        context.meta[_META + (parameter.name or "")] = value


def leading_options(function: F) -> F:
    """The options in front of the verb."""
    return _options(function, hidden=False)


def verb(function: Callable[..., Any]) -> Callable[..., Any]:
    """Makes the function of a verb take its `Call` first, and the options in front of the verb too."""

    @click.pass_context
    @wraps(function)
    def called(context: click.Context, *words: Any, **options: Any) -> Any:
        return function(Call.of(context), *words, **options)

    return _options(called, hidden=True)


def _options(function: F, *, hidden: bool) -> F:
    noted: dict[str, Any] = {"callback": _note, "expose_value": False, "hidden": hidden}
    for option in (
        click.option("-v", "--verbose", is_flag=True, help="Show all; trace unexpected errors.", **noted),
        click.option(
            "--who", metavar="NAME", help="Who does this, for the record; by default user@host.", **noted
        ),
        click.option("--no-color", is_flag=True, help="No colours (so does the variable NO_COLOR).", **noted),
        click.option(
            "-o",
            "--output",
            type=click.Choice([format.value for format in Format]),
            help="By default text.",
            **noted,
        ),
        click.option(
            "-c",
            "--config",
            metavar="FILE",
            help=f"The configuration; by default ECS_SYNC_CONFIG, or {DEFAULT_CONFIG} here.",
            **noted,
        ),
    ):
        function = option(function)
    return function


@dataclass(frozen=True, slots=True)
class Call:
    """What stands on the line for every verb."""

    config_path: Path
    format: Format
    verbose: bool
    paint: Paint
    who: str
    environ: Mapping[str, str]

    @classmethod
    def of(cls, context: click.Context) -> Call:
        from ecs_sync.render.page import plain

        given = {name.removeprefix(_META): value for name, value in context.meta.items()}
        environ = os.environ
        path = given.get("config") or environ.get("ECS_SYNC_CONFIG") or DEFAULT_CONFIG
        format = Format(given.get("output") or Format.TEXT)
        colours = not (given.get("no_color") or environ.get("NO_COLOR") or environ.get("TERM") == "dumb")
        painted = colours and format is Format.TEXT and sys.stdout.isatty()
        who = given.get("who") or environ.get("ECS_SYNC_WHO") or _somebody()
        verbose = bool(given.get("verbose"))
        return cls(Path(path), format, verbose, _paint if painted else plain, who, environ)

    @property
    def program(self) -> str:
        """The words that begin a command which reads the same configuration."""
        default = self.environ.get("ECS_SYNC_CONFIG") or DEFAULT_CONFIG
        given = str(self.config_path)
        return "ecs-sync" if given == default else f"ecs-sync -c {shlex.quote(given)}"

    def registry(self) -> Registry:
        """The adapters and mappings that are installed."""
        return _installed()

    def config(self) -> Config:
        """The configuration. Raises ConfigError."""
        from ecs_sync.config import load

        return load(self.config_path, environ=self.environ, registry=self.registry())

    @contextmanager
    def workbench(self) -> Iterator[Workbench]:
        """The configuration with its store open. Raises ConfigError and StoreError."""
        from ecs_sync.workbench import Workbench

        with Workbench.open(self.config(), self.registry(), self.who) as bench:
            yield bench

    def showing(self, bench: Workbench) -> Showing:
        from ecs_sync.render.planned import Showing

        shown = Showing(self.program, bench.store.fingerprinter.of)
        return Showing(self.program, shown.fingerprint_of, None) if self.verbose else shown

    def order(self, verb: str, **words: Any) -> Order:
        from ecs_sync.sync import Order

        return Order(self.who, verb=verb, **words)

    def answer(self, document: Any, page: Iterable[Part]) -> None:
        """Prints a document."""
        from ecs_sync.render.output import write

        say(write(document, page, self.format, self.paint))

    @contextmanager
    def progress(self, text: str) -> Iterator[None]:
        """Shows on a terminal what takes its time."""
        if not sys.stderr.isatty() or self.environ.get("TERM") == "dumb":
            yield
            return
        from rich.console import Console
        from rich.text import Text

        with Console(stderr=True).status(Text(text)):
            yield


@cache
def _installed() -> Registry:
    """Looked for once: it means to open a file of every installed distribution."""
    from ecs_sync.registry import Registry

    return Registry.from_entry_points()


def hand(bench: Workbench) -> Rank:
    """The rank of edits by hand."""
    from ecs_sync.model import Rank
    from ecs_sync.policy import STORE

    return Rank(bench.config.store.priority, STORE)


def say(text: str) -> None:
    """Writes to standard output. Nobody reading it any more is no error."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        # The interpreter flushes once more at its end, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say_value(text: str) -> None:
    """Writes one value: as it is for a script, with its control characters spelled on a terminal."""
    from ecs_sync.render.escape import printable

    say((printable(text) if sys.stdout.isatty() else text) + "\n")


def warn(text: str) -> None:
    """Writes one line to standard error, with every control character spelled."""
    from ecs_sync.render.escape import printable

    sys.stderr.write("".join(printable(line) + "\n" for line in text.split("\n")))


def chosen_jobs(bench: Workbench, names: Sequence[str]) -> list[str]:
    """The named jobs, or all; says where there are none. Raises UsageError, naming the jobs there are."""
    for name in names:
        chosen_job(bench.config, name)
    if not bench.config.jobs:
        warn(f"{bench.config.path} has no jobs: nothing is kept in step yet")
    return list(dict.fromkeys(names)) or sorted(bench.config.jobs)


def version_of(bench: Workbench, asked: int | None) -> int:
    """A version of the store; by default its newest. One that is still to come is no version."""
    head = bench.store.head()
    if asked is not None and asked > head:
        raise EcsSyncError(f"there is no version {asked} yet: the store is at {head}")
    return head if asked is None else asked


def chosen_job(config: Config, name: str) -> JobConfig:
    """The job of this name. Raises UsageError, naming the jobs there are."""
    from ecs_sync.nearest import nearest

    if name not in config.jobs:
        known = ", ".join(sorted(config.jobs)) or "none"
        raise click.UsageError(f"there is no job {name!r}{nearest(name, config.jobs)} (there are: {known})")
    return config.jobs[name]


def each(
    names: Sequence[str], act: Callable[[str], Made]
) -> tuple[list[Made], list[tuple[str, EcsSyncError]]]:
    """Acts on every job; one that fails does not keep the others. A job that is alone raises."""
    made: list[Made] = []
    failed: list[tuple[str, EcsSyncError]] = []
    for name in names:
        try:
            made.append(act(name))
        except EcsSyncError as error:
            if len(names) == 1:
                raise
            failed.append((name, error))
    return made, failed


def _paint(text: str, tone: Tone) -> str:
    from ecs_sync.render.page import Tone

    match tone:
        case Tone.PLAIN:
            return text
        case Tone.LOUD:
            return click.style(text, bold=True)
        case Tone.GOOD | Tone.CHANGED | Tone.BAD | Tone.QUIET:
            return click.style(text, fg=tone.value)


def _somebody() -> str:
    import getpass
    import socket

    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = f"uid-{os.getuid()}"
    return f"{user}@{socket.gethostname()}"
