"""``apply`` and ``sync``: carry out, and prove."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ecs_sync.cli.calling import Call, chosen_jobs, each, verb
from ecs_sync.cli.planning import codes_of, failures_part, failures_shown
from ecs_sync.exits import first

if TYPE_CHECKING:
    from ecs_sync.render.outcomes import ReportShown
    from ecs_sync.render.planned import Showing
    from ecs_sync.report import Report
    from ecs_sync.saved import SavedPlan
    from ecs_sync.workbench import Workbench


def _run_options(function: Any) -> Any:
    for option in (
        click.option("--reason", default="", metavar="TEXT", help="Why, for the record."),
        click.option(
            "--wait",
            default=0.0,
            metavar="SECONDS",
            help="How long to wait for somebody who runs the job now.",
        ),
        click.option("--allow", metavar="PLAN-ID", help="This plan may exceed the limits of its job."),
    ):
        function = option(function)
    return function


@click.command(epilog="Example: ecs-sync sync payments --reason 'rotate the pool size'")
@click.argument("jobs", metavar="[JOB]...", nargs=-1)
@_run_options
@verb
def sync(call: Call, jobs: tuple[str, ...], allow: str | None, wait: float, reason: str) -> int:
    """Bring every side into step, and prove it by reading back.

    Of each JOB; by default of every job of the configuration. Finishes first what an earlier run left
    open. Exits with 0 where all is in step, 3 where a limit stopped it, 4 where something was left, 5
    where a conflict waits for a decision.
    """
    with call.workbench() as bench:
        names = chosen_jobs(bench, jobs)
        return _carry_out(call, bench, names, "sync", {"allow": allow, "wait": wait, "reason": reason})


@click.command(epilog="Example: ecs-sync apply payments.plan")
@click.argument("what", metavar="JOB|PLANFILE")
@_run_options
@verb
def apply(call: Call, what: str, allow: str | None, wait: float, reason: str) -> int:
    """Carry out one job, or just what a kept plan shows.

    A PLANFILE comes from 'ecs-sync plan JOB --out FILE'. Of it, keys that have moved since are left, and
    said (exit 4).
    """
    words: dict[str, Any] = {"allow": allow, "wait": wait, "reason": reason}
    with call.workbench() as bench:
        if what in bench.config.jobs:
            return _carry_out(call, bench, [what], "apply", words)
        saved = _saved(what, bench)
        allowed = call.showing(bench).command("apply", what, "--allow", saved.id)
        return _carry_out(call, bench, [saved.job], "apply", {**words, "saved": saved}, allowed)


def _saved(what: str, bench: Workbench) -> SavedPlan:
    from ecs_sync.nearest import nearest
    from ecs_sync.saved import load

    path = Path(what)
    if not path.exists():
        jobs = ", ".join(sorted(bench.config.jobs)) or "none"
        near = nearest(what, bench.config.jobs)
        raise click.UsageError(f"{what!r} is neither a job (there are: {jobs}) nor a plan file{near}")
    saved = load(path, bench.store.fingerprinter)
    chosen_jobs(bench, [saved.job])
    return saved


def _carry_out(
    call: Call,
    bench: Workbench,
    names: Sequence[str],
    verb: str,
    words: dict[str, Any],
    allow: str | None = None,
) -> int:
    """Carries the jobs out, and tells. ``allow`` lifts the limits, where it is not the plan's own command."""
    from ecs_sync.render.outcomes import Reports
    from ecs_sync.render.ran import report_page

    showing = call.showing(bench)
    made, failed = each(names, lambda name: _run(call, bench, name, verb, words))
    codes = [report.exit_code for report in made] + codes_of(failed)
    shown = [_shown(report, showing, allow) for report in made]
    document = Reports("run", first(codes), shown, failures_shown(failed))
    parts = [part for report in document.reports for part in report_page(report, showing)]
    call.answer(document, [*parts, *failures_part(document.failures)])
    return document.exit


def _shown(report: Report, showing: Showing, allow: str | None) -> ReportShown:
    from ecs_sync.render.ran import report_shown

    shown = report_shown(report, showing)
    if allow is None or not report.stops:
        return shown
    return replace(shown, plan=replace(shown.plan, allow=allow))


def _run(call: Call, bench: Workbench, name: str, verb: str, words: dict[str, Any]) -> Report:
    from ecs_sync import sync

    job = bench.job(name)
    with call.progress(f"{name}: bringing its places into step"):
        return sync.run(job, bench.store, call.order(verb, **words))
