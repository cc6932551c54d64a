"""The command and its verbs, each imported when it is called."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from ecs_sync import __version__
from ecs_sync.cli.calling import leading_options
from ecs_sync.cli.failures import code_of
from ecs_sync.errors import ConfigError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

VERBS = {
    "init": "ecs_sync.cli.starting:init",
    "validate": "ecs_sync.cli.starting:validate",
    "plan": "ecs_sync.cli.planning:plan",
    "apply": "ecs_sync.cli.running:apply",
    "sync": "ecs_sync.cli.running:sync",
    "drift": "ecs_sync.cli.drifting:drift",
    "diff": "ecs_sync.cli.comparing:diff",
    "get": "ecs_sync.cli.editing:get",
    "set": "ecs_sync.cli.editing:set_",
    "unset": "ecs_sync.cli.editing:unset",
    "history": "ecs_sync.cli.editing:history",
    "rollback": "ecs_sync.cli.amending:rollback",
    "conflicts": "ecs_sync.cli.amending:conflicts",
    "resolve": "ecs_sync.cli.amending:resolve",
    "runs": "ecs_sync.cli.past:runs",
    "undo": "ecs_sync.cli.amending:undo",
    "audit": "ecs_sync.cli.past:audit",
    "store": "ecs_sync.cli.storing:store",
    "providers": "ecs_sync.cli.providing:providers",
    "sandbox": "ecs_sync_sandbox.serving:sandbox",
    "worker": "ecs_sync.cli.worker:worker",
}
"""Where each verb is, in the order of a first day."""

COMMANDS = "ecs_sync.commands"
"""The entry points of verbs that other packages bring."""


class Verbs(click.Group):
    """Imports the module of a verb when the verb is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*VERBS, *sorted(_brought().keys() - VERBS.keys())]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in VERBS:
            module, _, name = VERBS[cmd_name].partition(":")
            return _checked(getattr(import_module(module), name))
        point = _brought().get(cmd_name)
        return _loaded(point) if point is not None else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Help loads no code of other packages: their verbs are named with where they come from."""
        with formatter.section("Commands"):
            room = formatter.width - 6 - max(map(len, self.list_commands(ctx)))
            rows = []
            for name in self.list_commands(ctx):
                command = self.get_command(ctx, name) if name in VERBS else None
                about = command.get_short_help_str(room) if command else _origin(_brought()[name])
                rows.append((name, about))
            formatter.write_dl(rows)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            from ecs_sync.nearest import nearest

            raise click.UsageError(
                f"there is no verb {args[0]!r}{nearest(args[0], self.list_commands(ctx))}", ctx
            )
        return super().resolve_command(ctx, args)


def _checked(command: Any) -> click.Command:
    if not isinstance(command, click.Command):
        raise TypeError("a verb is a click command")
    return command


def _loaded(point: EntryPoint) -> click.Command:
    """The verb of another package; where it cannot be loaded, one that says why when it is called."""
    try:
        return _checked(point.load())
    except ImportError as error:
        extra = f": pip install 'ecs-sync[{point.extras[0]}]'" if point.extras else ""
        reason = f"the verb {point.name!r} needs {error.name}, which is not installed{extra}"

    def refuse() -> None:
        raise ConfigError(reason)

    return click.Command(point.name, callback=refuse, help=f"Not available: {reason}.")


def _origin(point: EntryPoint) -> str:
    if point.name == "demo" and point.dist is not None and point.dist.name == "ecs-sync":
        return "See it work, on this machine, with local servers."
    package = f"{point.dist.name} {point.dist.version}" if point.dist else point.module
    return f"(of {package}; see 'ecs-sync {point.name} --help')"


@cache
def _brought() -> dict[str, EntryPoint]:
    """Looked for once, and not before they are asked for: it means to open a file of every distribution."""
    from importlib.metadata import entry_points

    return {point.name: point for point in entry_points(group=COMMANDS)}


@click.group(
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 in sync or done, 1 error or something unseen, 2 differences, 3 stopped by a limit, "
    "4 partly applied, 5 conflicts held, 64 usage, 78 configuration, 130 interrupted.",
)
@click.version_option(__version__, prog_name="ecs-sync", message="%(prog)s %(version)s")
@leading_options
def cli() -> None:
    """Keeps configuration in step between one canonical versioned store and the places it lives in.

    \b
    A first day:
      ecs-sync demo              see it work, on this machine
      ecs-sync init              a configuration, a store and its key
      ecs-sync validate          every problem of the configuration at once
      ecs-sync plan              what would be done, and why
      ecs-sync sync              do it, and prove it by reading back
    """


def run(arguments: Sequence[str]) -> int:
    """Carries out one line; the exit code."""

    def act() -> int:
        code = cli.main(args=list(arguments), prog_name="ecs-sync", standalone_mode=False)
        return int(code or 0)

    return code_of(act, lambda: any(word in ("-v", "--verbose") for word in arguments))
