"""``drift``: what differs, since when, who moved, and would it be safe to repair."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from ecs_sync.cli.calling import Call, chosen_jobs, each, verb
from ecs_sync.cli.planning import codes_of, failures_part, failures_shown, planned
from ecs_sync.exits import Exit, first

if TYPE_CHECKING:
    from ecs_sync.drift import DriftReport
    from ecs_sync.workbench import Workbench


@click.command(epilog="Example: ecs-sync drift payments -o markdown")
@click.argument("jobs", metavar="[JOB]...", nargs=-1)
@click.option("--all", "every", is_flag=True, help="What a mode leaves so by design counts as drift too.")
@verb
def drift(call: Call, jobs: tuple[str, ...], every: bool) -> int:
    """Show what is not in step, which side moved, and since when.

    And by whom, where that is known, and whether a run would repair it safely. Nothing is written. Exits
    with 2 where there is drift that the link's mode does not leave so by design.
    """
    from ecs_sync.render.drifted import drift_page, drift_shown
    from ecs_sync.render.outcomes import Drifts

    with call.workbench() as bench:
        names = chosen_jobs(bench, jobs)
        showing = call.showing(bench)
        made, failed = each(names, lambda name: _drift(call, bench, name))
        codes = [_code(report, every) for report in made] + codes_of(failed)
        now = datetime.now(UTC)
        shown = [drift_shown(report, showing, now) for report in made]
        document = Drifts("drift", first(codes), shown, failures_shown(failed))
        parts = [part for one in document.jobs for part in drift_page(one, showing)]
        call.answer(document, [*parts, *failures_part(document.failures)])
        return document.exit


def _drift(call: Call, bench: Workbench, name: str) -> DriftReport:
    from ecs_sync.drift import drift as drift_of

    found, stops = planned(call, bench, name)
    return drift_of(found, bench.store, stops)


def _code(report: DriftReport, every: bool) -> Exit:
    designed = every and any(drift.by_design for drift in report.drifts)
    return first([report.exit_code, Exit.DIFFERENCES if designed else Exit.DONE])
