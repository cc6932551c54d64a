"""``runs``: what was carried out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ecs_sync.cli.calling import Call, chosen_job, verb
from ecs_sync.cli.defaulting import Defaulting
from ecs_sync.errors import EcsSyncError
from ecs_sync.report import Exit

if TYPE_CHECKING:
    from ecs_sync.store import Run
    from ecs_sync.workbench import Workbench


@click.group(cls=Defaulting, default="list", epilog="Example: ecs-sync runs show 01J9ZQ")
def runs() -> None:
    """List the runs of a job or of all, newest first; 'runs show RUN' tells what one of them did."""


@runs.command("list", hidden=True)
@click.argument("job", required=False)
@click.option("--limit", default=20, show_default=True, metavar="N", help="At most so many.")
@verb
def list_runs(call: Call, job: str | None, limit: int) -> int:
    """List the runs of JOB or of all jobs, newest first."""
    from ecs_sync.render.documents import Runs
    from ecs_sync.render.listed import run_shown, runs_page

    with call.workbench() as bench:
        if job is not None:
            chosen_job(bench.config, job)
        document = Runs("runs", [run_shown(run) for run in bench.store.runs(job, limit)])
        call.answer(document, runs_page(document))
        return Exit.DONE


@runs.command("show")
@click.argument("run")
@verb
def show_run(call: Call, run: str) -> int:
    """Show one RUN, named by its id or the beginning of it: who, why, and each key that it changed."""
    from ecs_sync.render.documents import RunDetails
    from ecs_sync.render.listed import done_shown, run_page, run_shown

    with call.workbench() as bench:
        found = found_run(bench, run)
        done = [done_shown(each) for each in bench.store.done(found.id)]
        document = RunDetails("run-details", run_shown(found), done)
        call.answer(document, run_page(document))
        return Exit.DONE


def found_run(bench: Workbench, id: str) -> Run:
    """The run of this id, or of the only one that begins so among the newest thousand."""
    exact = bench.store.run(id)
    if exact is not None:
        return exact
    fitting = [run for run in bench.store.runs(limit=1000) if id and run.id.startswith(id)]
    match fitting:
        case [only]:
            return only
        case []:
            raise EcsSyncError(f"there is no run {id!r}: 'ecs-sync runs' lists them")
        case _:
            raise EcsSyncError(f"{len(fitting)} runs begin with {id!r}: give more of it")
