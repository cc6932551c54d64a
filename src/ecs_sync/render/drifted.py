"""Drift: what differs, who moved, since when, and would it be safe to repair."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from ecs_sync.drift import Drift, DriftReport, Moved, Repair
from ecs_sync.render.documents import Limit
from ecs_sync.render.outcomes import DriftRow, DriftShown
from ecs_sync.render.page import Became, Code, Command, Part, Row, Say, Table, Title, Tone
from ecs_sync.render.planned import (
    Showing,
    copies_part,
    entries_of,
    links_looked,
    links_part,
    not_seen,
    unseen_part,
)
from ecs_sync.render.shown import displays


def drift_shown(report: DriftReport, showing: Showing, now: datetime) -> DriftShown:
    """``now`` is what ages are counted to."""
    plan = report.plan
    showing = showing.hiding(entries_of(plan))
    return DriftShown(
        plan.job,
        plan.scope.text,
        plan.at,
        links_looked(plan),
        [_row(drift, showing, now) for drift in report.drifts],
        not_seen(plan),
        [Limit(stop.side, stop.reason) for stop in report.stops],
    )


def _row(drift: Drift, showing: Showing, now: datetime) -> DriftRow:
    oldest = drift.oldest
    return DriftRow(
        drift.key.text,
        drift.link,
        str(drift.state),
        str(drift.moved),
        iso(drift.since),
        str(drift.since_is) if drift.since_is else None,
        iso(drift.store_since),
        drift.by,
        max(0, int((now - oldest).total_seconds())) if oldest else None,
        str(drift.repair),
        drift.safe,
        drift.why,
        drift.by_design,
        showing.value(drift.store),
        showing.value(drift.place),
    )


def iso(time: datetime | None) -> str | None:
    """A time in UTC to the second, such as ``2026-11-20T12:03:00Z``."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if time is not None else None


def age(seconds: int) -> str:
    """A time span in its two largest units: ``3 d 4 h``."""
    parts = []
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, length)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"


def drift_page(shown: DriftShown, showing: Showing) -> Iterator[Part]:
    yield Title(f"{shown.job}  ({shown.scope})")
    yield from links_part(shown.links)
    differing = [row for row in shown.rows if not row.by_design and row.moved != Moved.SAME]
    designed = [row for row in shown.rows if row.by_design]
    same = [row for row in shown.rows if row.moved == Moved.SAME]
    yield from _rows("not in step", differing, None)
    yield from _rows("left so by mode", designed, showing.few)
    if same:
        yield Say(f"  {len(same)} keys moved on both sides, to the same value", Tone.QUIET)
    yield from unseen_part(shown.unseen, shown.links)
    for link in shown.links:
        yield from copies_part(link, showing)
    yield Say(_summary(differing, designed, shown), Tone.LOUD)
    for limit in shown.limits:
        yield Say(f"a run would be stopped: {limit.reason}", Tone.BAD)
    if any(row.repair in (Repair.PUSH, Repair.ADOPT) for row in differing):
        yield Command("to repair", showing.command("sync", shown.job))


def _rows(title: str, rows: Sequence[DriftRow], few: int | None) -> Iterator[Part]:
    if not rows:
        return
    yield Title(f"{title}: {len(rows)}", 2)
    tones = {Repair.HOLD: Tone.BAD, Repair.PUSH: Tone.CHANGED, Repair.ADOPT: Tone.CHANGED}
    table = tuple(
        Row(
            (
                _SIGNS[Moved(row.moved)],
                Code(row.key),
                row.link,
                Became(*displays(row.store, row.place)),
                _who(row),
                _repair(row),
            ),
            Tone.QUIET if row.by_design else tones.get(Repair(row.repair), Tone.PLAIN),
        )
        for row in rows[:few]
    )
    yield Table(("", "key", "link", "store → place", "who moved", "a run would"), table)
    if len(table) < len(rows):
        yield Say(f"    and {len(rows) - len(table)} more; -v shows them all", Tone.QUIET)


_SIGNS = {Moved.STORE: ">", Moved.PLACE: "<", Moved.BOTH: "!", Moved.SAME: "="}


def _who(row: DriftRow) -> str:
    by = f" by {row.by}" if row.by else ""
    how_long = f", {age(row.age_seconds)} ago" if row.age_seconds is not None else ""
    if row.since_is is not None and row.moved != Moved.STORE:
        how_long = f", {row.since_is}{how_long.removeprefix(',')}"
    return f"{row.moved}{by}{how_long}"


def _repair(row: DriftRow) -> str:
    if row.repair == Repair.HOLD:
        return f"hold it: {row.why}"
    return row.repair if row.safe else f"{row.repair}, but: {row.why}"


def _summary(differing: Sequence[DriftRow], designed: Sequence[DriftRow], shown: DriftShown) -> str:
    blind = len(shown.unseen) + sum(not link.complete for link in shown.links)
    unseen = f", {blind} not seen" if blind else ""
    if not (differing or designed or blind):
        return "no drift"
    moved = Counter(row.moved for row in differing)
    sides = ", ".join(f"{moved[side]} {side}" for side in Moved if moved[side])
    who = f" (moved: {sides})" if sides else ""
    return f"{len(differing)} not in step{who}, {len(designed)} left so by mode{unseen}"
