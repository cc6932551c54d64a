"""``runs`` and ``audit``: what was carried out, and the trail that proves it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ecs_sync.cli.calling import Call, chosen_job, verb
from ecs_sync.cli.defaulting import Defaulting
from ecs_sync.errors import EcsSyncError
from ecs_sync.exits import Exit

if TYPE_CHECKING:
    from ecs_sync.store import Run
    from ecs_sync.workbench import Workbench


@click.group(cls=Defaulting, default="list", epilog="Example: ecs-sync runs show 01J9ZQ")
def runs() -> None:
    """List runs, newest first, or show one."""


@runs.command("list", hidden=True)
@click.argument("job", required=False)
@click.option("--limit", default=20, show_default=True, metavar="N", help="At most so many.")
@verb
def list_runs(call: Call, job: str | None, limit: int) -> int:
    """List the runs of JOB or of all jobs, newest first."""
    from ecs_sync.render.listed import run_shown, runs_page
    from ecs_sync.render.listings import Runs

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
    from ecs_sync.render.listed import done_shown, run_page, run_shown
    from ecs_sync.render.listings import RunDetails

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


@click.group(cls=Defaulting, default="show", epilog="Example: ecs-sync audit verify")
def audit() -> None:
    """Show the audit trail, or verify it."""


@audit.command("show")
@click.option("--after", default=0, metavar="N", help="Only records behind this number.")
@click.option("--limit", default=50, show_default=True, metavar="N", help="At most so many, the newest.")
@verb
def show_audit(call: Call, after: int, limit: int) -> int:
    """Show the newest records of the audit trail, oldest first."""
    from collections import deque

    from ecs_sync.render.listings import AuditTrail
    from ecs_sync.render.recorded import audit_page, audit_shown

    with call.workbench() as bench:
        records = deque(bench.store.audit_trail(after), maxlen=max(1, limit))
        document = AuditTrail("audit", [audit_shown(record) for record in records])
        call.answer(document, audit_page(document))
        return Exit.DONE


@audit.command("verify")
@verb
def verify_audit(call: Call) -> int:
    """Check every record, the signed head, the checkpoints and the anchor file.

    Exits with 1 where one of them is wrong.
    """
    from ecs_sync.render.listings import AuditVerdict
    from ecs_sync.render.recorded import verdict_page

    with call.workbench() as bench:
        report = bench.store.verify_audit()
        code = Exit.DONE if report.ok else Exit.ERROR
        document = AuditVerdict(
            "audit-verdict", code, report.ok, report.records, report.checkpoints, report.broken, report.why
        )
        call.answer(document, verdict_page(document))
        return code
