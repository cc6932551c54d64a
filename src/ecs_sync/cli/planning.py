"""``plan``: what a run would do, and why. Writes nothing but the file it is told to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ecs_sync.cli.calling import Call, chosen_jobs, each, verb
from ecs_sync.cli.failures import exit_of
from ecs_sync.exits import Exit, first

if TYPE_CHECKING:
    from ecs_sync.cost import Cost
    from ecs_sync.errors import EcsSyncError
    from ecs_sync.plan import Plan, Stop
    from ecs_sync.render.documents import Failure
    from ecs_sync.render.page import Part
    from ecs_sync.workbench import Workbench


@click.command(epilog="Example: ecs-sync plan payments --out payments.plan && ecs-sync apply payments.plan")
@click.argument("jobs", metavar="[JOB]...", nargs=-1)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Keep the plan of one job in a file for a later 'apply': then just that is done, or less.",
)
@click.option("--cost", is_flag=True, help="Also count the calls to each provider that the run would make.")
@verb
def plan(call: Call, jobs: tuple[str, ...], out: Path | None, cost: bool) -> int:
    """Show what a run would do, and why; write nothing.

    Of each JOB; by default of every job of the configuration. Only that secrets were read for it is put on
    record, in the audit trail.

    Exits with 2 where something would be changed, 3 where a limit would stop it, 5 where a conflict
    waits for a decision, 0 where all is in sync.
    """
    from ecs_sync.render.documents import Plans
    from ecs_sync.render.planned import plan_page, plan_shown
    from ecs_sync.report import of_plan

    with call.workbench() as bench:
        names = chosen_jobs(bench, jobs)
        if out is not None and len(names) != 1:
            raise click.UsageError("--out keeps the plan of one job: name it")
        showing = call.showing(bench)
        look = _priced if cost else _unpriced
        made, failed = each(names, lambda name: look(call, bench, name))
        if out is not None:
            _keep(made[0][0], out, bench)
        codes = [of_plan(found, stops) for found, stops, _ in made] + codes_of(failed)
        shown = [plan_shown(found, stops, showing, calls) for found, stops, calls in made]
        document = Plans("plan", first(codes), shown, failures_shown(failed))
        parts: Iterator[Part] = (part for shown in document.plans for part in plan_page(shown, showing))
        call.answer(document, [*parts, *failures_part(document.failures)])
        return document.exit


def planned(call: Call, bench: Workbench, name: str) -> tuple[Plan, list[Stop]]:
    """The plan of a job, and the limits that it exceeds."""
    from ecs_sync import sync
    from ecs_sync.plan import check

    job = bench.job(name)
    with call.progress(f"{name}: looking at its places"):
        found = sync.plan(job, bench.store)
    return found, check(found, job.limits, job.protected)


def _unpriced(call: Call, bench: Workbench, name: str) -> tuple[Plan, list[Stop], Cost | None]:
    return *planned(call, bench, name), None


def _priced(call: Call, bench: Workbench, name: str) -> tuple[Plan, list[Stop], Cost | None]:
    from ecs_sync import sync
    from ecs_sync.plan import check

    job = bench.job(name)
    with call.progress(f"{name}: looking at its places"):
        found, cost = sync.priced(job, bench.store)
    return found, check(found, job.limits, job.protected), cost


def _keep(found: Plan, out: Path, bench: Workbench) -> None:
    from ecs_sync.saved import save

    save(found, out, bench.store.fingerprinter)


def codes_of(failed: list[tuple[str, EcsSyncError]]) -> list[Exit]:
    """The exit code of each job that failed: the one that it alone would have ended with."""
    return [exit_of(error) for _, error in failed]


def failures_shown(failed: list[tuple[str, EcsSyncError]]) -> list[Failure]:
    from ecs_sync.render.documents import Failure

    return [Failure(job, str(error)) for job, error in failed]


def failures_part(failures: list[Failure]) -> Iterator[Part]:
    from ecs_sync.render.page import Say, Title, Tone

    for failure in failures:
        yield Title(failure.job)
        yield Say(f"  failed: {failure.error}", Tone.BAD)
