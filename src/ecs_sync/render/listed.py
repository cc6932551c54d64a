"""The small documents: entries, versions, amendments, runs, problems."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from ecs_sync.exits import Exit
from ecs_sync.render.drifted import iso
from ecs_sync.render.listings import (
    Amendment,
    DoneShown,
    Entries,
    EntryShown,
    History,
    RunDetails,
    Runs,
    RunShown,
    VersionShown,
)
from ecs_sync.render.page import Code, Command, Part, Row, Say, Table, Title, Tone
from ecs_sync.render.planned import Showing
from ecs_sync.render.shown import Shown, display, unopened
from ecs_sync.store import Done, Run, Stored, Version


def stored_value(stored: Stored, showing: Showing) -> Shown | None:
    """The value of a version; of a secret that cannot be opened here, its fingerprint."""
    if stored.sealed and stored.fingerprint is not None:
        return unopened(stored.fingerprint)
    return showing.value(stored.entry)


def entries_shown(stored: Iterable[Stored], showing: Showing) -> list[EntryShown]:
    return [EntryShown(each.key.text, each.version, stored_value(each, showing)) for each in stored]


def entries_page(entries: Entries) -> Iterator[Part]:
    yield Title(f"{entries.job}  ({entries.scope}), version {entries.at}")
    rows = (
        Row(
            (
                Code(each.key),
                Code(display(each.value)),
                each.value.type if each.value else "",
                str(each.version),
            )
        )
        for each in entries.entries
    )
    yield Table(("key", "value", "type", "since version"), tuple(rows))
    if not entries.entries:
        yield Say("  no keys", Tone.QUIET)


def version_shown(version: Version, stored: Stored, showing: Showing) -> VersionShown:
    return VersionShown(
        version.number,
        iso(version.time) or "",
        version.who,
        version.origin,
        version.reason,
        version.run,
        stored_value(stored, showing),
    )


def history_page(history: History) -> Iterator[Part]:
    yield Title(f"{history.job}: {history.key}")
    rows = (
        Row(
            (
                str(each.version),
                each.time,
                Code("(unset)" if each.value is None else display(each.value)),
                each.who,
                each.origin,
                each.reason,
            ),
            Tone.BAD if each.value is None else Tone.PLAIN,
        )
        for each in history.versions
    )
    yield Table(("version", "time", "value", "who", "from", "why"), tuple(rows))


# By hand


def amendment_page(amendment: Amendment, showing: Showing) -> Iterator[Part]:
    if amendment.committed:
        keys = sorted(set(amendment.committed))
        few = ", ".join(keys[:5]) + (f" and {len(keys) - 5} more" if len(keys) > 5 else "")
        yield Say(f"version {amendment.version} of the store: {amendment.verb} {few}", Tone.GOOD)
    if amendment.written:
        yield Title("written back at its place only, and held there until it is resolved", 2)
        rows = tuple(Row((Code(key), link)) for link, key in amendment.written)
        yield Table(("key", "link"), rows, header=False)
    if amendment.left:
        yield Title(f"left as it is: {len(amendment.left)}", 2)
        rows = tuple(Row(("!", Code(key), why), Tone.BAD) for key, why in amendment.left)
        yield Table(("", "key", "why"), rows, header=False)
    if not (amendment.committed or amendment.written or amendment.left):
        yield Say("nothing to change")
    if amendment.committed:
        yield Command("to carry it to the places", showing.command("sync", amendment.job))


# Runs


def run_shown(run: Run) -> RunShown:
    counts = json.loads(run.summary) if run.summary else {}
    return RunShown(
        run.id,
        run.job,
        str(run.state),
        run.verb,
        run.who,
        run.reason,
        iso(run.started or run.created),
        iso(run.finished),
        run.exit_code,
        counts,
    )


def _said(counts: dict[str, object]) -> str:
    """The counts that are not nothing, in words, or why there are none; a run that died has neither."""
    if "error" in counts:
        return str(counts["error"])
    applied = counts.get("applied")
    parts = [f"{count} {kind}d" for kind, count in applied.items()] if isinstance(applied, dict) else []
    parts += [
        f"{counts[name]} {name}"
        for name in ("left", "held", "conflicts", "unseen", "recovered", "stale", "unproved")
        if counts.get(name)
    ]
    if counts.get("stopped"):
        parts.append("stopped by a limit")
    return ", ".join(parts) or ("nothing to do" if counts else "not known")


def runs_page(runs: Runs) -> Iterator[Part]:
    rows = (
        Row(
            (
                Code(run.run),
                run.job,
                run.verb,
                run.started or "",
                run.state if run.exit is None else f"{run.state}, exit {run.exit}",
                run.who,
                _said(run.counts),
            ),
            Tone.PLAIN if run.exit == Exit.DONE else Tone.CHANGED,
        )
        for run in runs.runs
    )
    yield Table(("run", "job", "verb", "started", "state", "who", "what"), tuple(rows))
    if not runs.runs:
        yield Say("no runs yet", Tone.QUIET)


def done_shown(done: Done) -> DoneShown:
    return DoneShown(done.key.text, done.side, done.item, str(done.outcome), done.version, done.before)


def run_page(details: RunDetails) -> Iterator[Part]:
    run = details.run
    yield Title(f"{run.run}  {run.job}, {run.verb} by {run.who}")
    state = run.state if run.exit is None else f"{run.state}, exit {run.exit}"
    times = f"{run.started} to {run.finished or 'now'}"
    yield Say(f"  {state}; {times}; {_said(run.counts)}")
    if run.reason:
        yield Say(f"  why: {run.reason}")
    rows = (
        Row(
            (
                Code(done.key),
                done.side,
                done.outcome,
                "" if done.archived is None else f"archived as {done.archived}",
            )
        )
        for done in details.done
    )
    yield Table(("key", "side", "outcome", "value before"), tuple(rows))
