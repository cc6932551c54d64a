"""``worker``: the daemon that runs jobs when they are due."""

from __future__ import annotations

import click

from ecs_sync.cli.calling import Call, verb


@click.command(epilog="Example: ecs-sync worker; from a timer of your own: ecs-sync worker --once")
@click.option("--once", is_flag=True, help="Run what is due, wait for it, and exit with its code.")
@click.option("--now", "everything", is_flag=True, help="With --once: run every job that is not paused.")
@click.option(
    "--grace",
    type=click.FloatRange(min=0),
    default=25.0,
    show_default=True,
    metavar="SECONDS",
    help="How long runs may take to end once a stop was asked for.",
)
@verb
def worker(call: Call, once: bool, everything: bool, grace: float) -> int:
    """Run each job when it is due, as its 'every' or 'cron' says, until stopped.

    Any number of workers may share one store: no slot is run twice. SIGTERM and SIGINT let the runs
    under way finish their group of writes and exit with 0; a second one ends at once. Events go to
    standard error, one JSON object a line.
    """
    if everything and not once:
        raise click.UsageError("--now goes with --once")
    from ecs_sync.worker import Shift, open_log, work

    with call.workbench() as bench:
        return work(bench, call.who, open_log(), Shift(once, everything, grace))
