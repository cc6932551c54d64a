"""Reports: what a run did, what it left and why, and the receipt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ecs_sync.plan import Kind
from ecs_sync.protocol import Result
from ecs_sync.render.documents import ChangePlanned, Settling
from ecs_sync.render.outcomes import OutcomeShown, RecoveredShown, ReportShown, Unannounced
from ecs_sync.render.page import Code, Part, Row, Say, Table, Title, Tone
from ecs_sync.render.planned import (
    Showing,
    changes_part,
    conflicts_part,
    held_part,
    limits_part,
    links_part,
    notes_part,
    plan_shown,
    unseen_part,
    value_cell,
    written_sides,
)
from ecs_sync.report import Report


def report_shown(report: Report, showing: Showing) -> ReportShown:
    outcomes = [
        OutcomeShown(
            each.change.key.text, each.change.side, str(each.change.kind), str(each.result), each.reason
        )
        for each in report.carried
    ]
    return ReportShown(
        report.plan.job,
        report.run,
        plan_shown(report.plan, report.stops, showing),
        outcomes,
        not (
            report.unproved
            or report.left
            or report.stops
            or report.stale
            or report.not_in_force
            or report.plan.unseen
        ),
        len(report.proved),
        sorted(key.text for key in report.unproved),
        [RecoveredShown(each.link, each.item, str(each.result)) for each in report.recovered],
        [key.text for key in report.stale],
        [Settling(f"{link}: {item}", says) for link, item, says in report.settling],
        [Unannounced(link, reason) for link, reason in report.unannounced],
    )


def report_page(report: ReportShown, showing: Showing) -> Iterator[Part]:
    """A run, from what it found to what it proved."""
    plan = report.plan
    yield Title(f"{report.job}  ({plan.scope})")
    yield from links_part(plan.links)
    yield from _recovered(report.recovered)
    if plan.limits:
        yield from changes_part(plan.changes)
    else:
        yield from _outcomes(plan.changes, report.outcomes)
    yield from held_part(plan.held, showing)
    yield from conflicts_part(plan.conflicts)
    yield from unseen_part(plan.unseen, plan.links)
    yield from notes_part(plan, showing)
    yield from _stale(report)
    yield from _not_in_force(report)
    yield Say(_summary(report), Tone.LOUD)
    yield from _receipt(report)
    yield from limits_part(plan)


def _recovered(recovered: Sequence[RecoveredShown]) -> Iterator[Part]:
    if recovered:
        yield Title(f"finished what an earlier run left open: {len(recovered)}", 2)
        rows = tuple(Row(("·", Code(each.item), each.link, each.result)) for each in recovered)
        yield Table(("", "item", "link", "result"), rows, header=False)


_SIGNS = {Kind.CREATE: "+", Kind.UPDATE: "~", Kind.DELETE: "-"}


def _outcomes(changes: Sequence[ChangePlanned], outcomes: Sequence[OutcomeShown]) -> Iterator[Part]:
    """Every change with what became of it, in the order of the plan."""
    became = {(each.side, each.key): each for each in outcomes}
    for side in written_sides(changes):
        rows = [
            _outcome_row(change, became.get((change.side, change.key)))
            for change in changes
            if change.side == side
        ]
        yield Title(side, 2)
        yield Table(("", "key", "value", "result"), tuple(rows), header=False)


def _outcome_row(change: ChangePlanned, outcome: OutcomeShown | None) -> Row:
    kind = Kind(change.kind)
    done = outcome is not None and outcome.result == Result.APPLIED
    result = "not carried out" if outcome is None else outcome.result
    reason = f": {outcome.reason}" if outcome is not None and outcome.reason else ""
    sign = _SIGNS[kind] if done else "!"
    tone = Tone.GOOD if done else Tone.BAD
    return Row((sign, Code(change.key), value_cell(change), result + reason), tone)


def _stale(report: ReportShown) -> Iterator[Part]:
    if report.stale:
        yield Title(f"moved since the plan was saved, and left: {len(report.stale)}", 2)
        yield Table(("", "key"), tuple(Row(("!", Code(key))) for key in report.stale), header=False)


def _not_in_force(report: ReportShown) -> Iterator[Part]:
    for each in report.settling:
        yield Say(f"  written, and not in force yet: {each.item}: {each.says}", Tone.CHANGED)
    for link in report.unannounced:
        yield Say(
            f"  {link.link}: its readers were not told, the next run tells them: {link.reason}", Tone.BAD
        )


def _summary(report: ReportShown) -> str:
    applied = sum(each.result == Result.APPLIED for each in report.outcomes)
    left = len(report.outcomes) - applied + len(report.stale)
    waiting = _waiting(report)
    if report.plan.limits:
        return f"plan {report.plan.plan}: stopped, nothing was changed"
    conflicts = "1 conflict" if waiting == 1 else f"{waiting} conflicts"
    held = len(report.plan.held)
    return f"run {report.run}: {applied} applied, {left} left, {held} held, {conflicts}"


def _waiting(report: ReportShown) -> int:
    """How many conflicts nobody has decided."""
    return sum(conflict.winner is None for conflict in report.plan.conflicts)


def _receipt(report: ReportShown) -> Iterator[Part]:
    if report.unproved:
        few = ", ".join(report.unproved[:5])
        yield Say(f"not proved: {len(report.unproved)} keys read back otherwise: {few}", Tone.BAD)
    elif report.proved:
        keys = "1 key" if report.proved == 1 else f"{report.proved} keys"
        word = "converged" if report.converged else "proved"
        yield Say(f"{word}: {keys} read back", Tone.GOOD)
    elif report.converged and not (report.outcomes or report.plan.held or _waiting(report)):
        yield Say("in sync: nothing to change", Tone.GOOD)
