"""``rollback``, ``conflicts``, ``resolve``, ``undo``: decisions by hand."""

from __future__ import annotations

from typing import Any

import click

from ecs_sync.cli.amended import answered
from ecs_sync.cli.calling import Call, chosen_job, hand, verb
from ecs_sync.cli.editing import key_of
from ecs_sync.cli.past import found_run
from ecs_sync.exits import Exit


def _reason(function: Any) -> Any:
    return click.option("--reason", default="", metavar="TEXT", help="Why, for the record.")(function)


def _wait(function: Any) -> Any:
    return click.option(
        "--wait", default=0.0, metavar="SECONDS", help="How long to wait for somebody who runs the job now."
    )(function)


@click.command(epilog="Example: ecs-sync rollback payments 41 --reason 'the new pool size is too small'")
@click.argument("job")
@click.argument("version", type=int)
@_reason
@verb
def rollback(call: Call, job: str, version: int, reason: str) -> int:
    """Make the store what it was at a version.

    For the keys of JOB, and as one new version. The next run carries it to the places. 'ecs-sync history
    JOB KEY' shows the versions.
    """
    from ecs_sync import amend

    with call.workbench() as bench:
        chosen_job(bench.config, job)
        order = call.order("rollback", reason=reason)
        amended = amend.rollback(bench.job(job), bench.store, order, hand(bench), version)
        return answered(call, bench, amended, job, "rollback")


@click.command(epilog="Example: ecs-sync resolve --take consul payments db/pool/size")
@click.argument("job")
@click.argument("key")
@click.option("--take", required=True, metavar="SIDE", help="'store', or the link whose value shall count.")
@_reason
@_wait
@verb
def resolve(call: Call, job: str, key: str, take: str, reason: str, wait: float) -> int:
    """Decide a conflict by the value of one side.

    The values of the others are kept in the history. The next run carries it to the places.
    """
    from ecs_sync import amend

    with call.workbench() as bench:
        chosen_job(bench.config, job)
        order = call.order("resolve", reason=reason, wait=wait)
        with call.progress(f"{job}: looking at both sides"):
            amended = amend.resolve(bench.job(job), bench.store, order, hand(bench), key_of(key), take)
        return answered(call, bench, amended, job, "resolve")


@click.command(epilog="Example: ecs-sync undo 01a1f901 --reason 'wrong environment'")
@click.argument("run")
@_reason
@_wait
@verb
def undo(call: Call, run: str, reason: str, wait: float) -> int:
    """Take back what a run changed.

    Key by key: what somebody changed since is left, and named. RUN is the run's id or the beginning of
    it. Exits with 4 where something could not be taken back.
    """
    from ecs_sync import amend

    with call.workbench() as bench:
        found = found_run(bench, run)
        chosen_job(bench.config, found.job)
        order = call.order("undo", reason=reason or f"undo of {found.id}", wait=wait)
        with call.progress(f"{found.job}: taking back"):
            amended = amend.undo(bench.job(found.job), bench.store, order, hand(bench), found.id)
        return answered(call, bench, amended, found.job, "undo")


@click.command(epilog="Example: ecs-sync conflicts payments --all")
@click.argument("job", required=False)
@click.option("--all", "every", is_flag=True, help="Those that were decided too.")
@verb
def conflicts(call: Call, job: str | None, every: bool) -> int:
    """List the conflicts that wait for a decision.

    With the command that decides each, as of the last run. Exits with 5 where there are any. What has
    come up since the last run is shown by 'plan'.
    """
    from ecs_sync.render.listings import Conflicts
    from ecs_sync.render.recorded import conflict_recorded, conflicts_page, first_contacts

    with call.workbench() as bench:
        if job is not None:
            chosen_job(bench.config, job)
        showing = call.showing(bench)
        found = bench.store.all_conflicts(job) if every else bench.store.conflicts(job)
        recorded = [conflict_recorded(conflict, bench.store, showing) for conflict in found]
        jobs = [job] if job is not None else sorted(bench.config.jobs)
        waiting = [each for name in jobs for each in first_contacts(name, bench.store, showing)]
        undecided = waiting or any(not conflict.resolved for conflict in recorded)
        code = Exit.CONFLICTS if undecided else Exit.DONE
        document = Conflicts("conflicts", code, recorded, waiting)
        call.answer(document, conflicts_page(document))
        return code
