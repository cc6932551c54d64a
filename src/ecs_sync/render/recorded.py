"""What is on record: conflicts, the archive, the audit trail, the store; and differences."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator

from ecs_sync.model import Scope
from ecs_sync.policy import STORE
from ecs_sync.render.documents import CandidateShown
from ecs_sync.render.drifted import iso
from ecs_sync.render.listings import (
    Archive,
    ArchivedShown,
    AuditShown,
    AuditTrail,
    AuditVerdict,
    ConflictRecorded,
    Conflicts,
    Differences,
    StoreShown,
    Waiting,
)
from ecs_sync.render.page import Became, Cell, Code, Part, Row, Say, Table, Title, Tone
from ecs_sync.render.planned import Showing, decide_part, resolve_command, unseen_part
from ecs_sync.render.shown import Shown, display, displays, unopened
from ecs_sync.store import Archived, AuditRecord, Candidate, Conflict, Store

# Conflicts


def conflict_recorded(conflict: Conflict, store: Store, showing: Showing) -> ConflictRecorded:
    """A conflict with the values of its candidates, as far as the store has them."""
    scope = Scope.parse(conflict.scope)
    versions = [stored for _, stored in store.history(scope, conflict.key, limit=200)]
    archived = {c.archived: store.archived(c.archived) for c in conflict.candidates if c.archived is not None}
    kept = [found.entry for found in archived.values() if found is not None]
    showing = showing.hiding([*kept, *(stored.entry for stored in versions)])

    def value(candidate: Candidate) -> Shown | None:
        if candidate.fingerprint is None:
            return None
        found = archived.get(candidate.archived) if candidate.archived is not None else None
        entry = found.entry if found is not None else None
        if entry is None:
            same = (s.entry for s in versions if s.fingerprint == candidate.fingerprint and s.entry)
            entry = next(same, None)
        return showing.value(entry) or unopened(candidate.fingerprint)

    candidates = [CandidateShown(c.side, c.rank.priority, value(c)) for c in conflict.candidates]
    sides = [] if conflict.resolved else sorted({STORE} | {c.side for c in conflict.candidates})
    return ConflictRecorded(
        conflict.id,
        conflict.job,
        conflict.scope,
        conflict.key.text,
        iso(conflict.time) or "",
        conflict.rule,
        conflict.winner,
        conflict.resolved,
        conflict.run,
        candidates,
        [resolve_command(conflict.job, conflict.key.text, side, showing) for side in sides],
    )


def first_contacts(job: str, store: Store, showing: Showing) -> list[Waiting]:
    """The keys that links hold since they first met them, as of the last run."""
    met: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for track in store.tracks(job):
        for seen in store.seen(track.id):
            if seen.met:
                met[seen.key].append((track.link, iso(seen.since) or ""))
    return [
        Waiting(
            job,
            key,
            [link for link, _ in sides],
            min(since for _, since in sides),
            [resolve_command(job, key, side, showing) for side in (STORE, *(link for link, _ in sides))],
        )
        for key, sides in sorted(met.items())
    ]


def conflicts_page(conflicts: Conflicts) -> Iterator[Part]:
    for conflict in conflicts.conflicts:
        state = (
            f"won by {conflict.winner}" if conflict.winner else "decided" if conflict.resolved else "waits"
        )
        yield Title(f"{conflict.key}  ({conflict.job}, conflict {conflict.id}, {conflict.time}: {state})")
        rows = tuple(
            Row((c.side, Code(display(c.value)), f"priority {c.priority}")) for c in conflict.candidates
        )
        yield Table(("side", "value", "priority"), rows, header=False)
        sides = sorted({STORE} | {candidate.side for candidate in conflict.candidates})
        yield from decide_part(sides, conflict.resolve)
    for waiting in conflicts.first_contact:
        links = ", ".join(waiting.links)
        yield Title(f"{waiting.key}  ({waiting.job}, held since first contact with {links}, {waiting.since})")
        yield from decide_part([STORE, *waiting.links], waiting.resolve)
    if not (conflicts.conflicts or conflicts.first_contact):
        yield Say("no conflicts", Tone.GOOD)


# Differences


def differences_page(differences: Differences) -> Iterator[Part]:
    yield Title(f"{differences.left} → {differences.right}")
    signs = {
        "create": ("+", Tone.GOOD),
        "update": ("~", Tone.CHANGED),
        "delete": ("-", Tone.BAD),
    }
    rows = []
    for each in differences.differences:
        sign, tone = signs[each.kind]
        values: Cell = Became(*displays(each.left, each.right))
        if each.left is None or each.right is None:
            values = Code(display(each.left or each.right))
        rows.append(Row((sign, Code(each.key), values), tone))
    yield Table(("", "key", "value"), tuple(rows), header=False)
    yield from unseen_part(differences.unseen, [])
    count = len(differences.differences)
    yield Say(f"{count} keys differ" if count != 1 else "1 key differs", Tone.LOUD)


# The archive, the audit trail, the store


def archived_shown(archived: Archived, showing: Showing) -> ArchivedShown:
    value = showing.value(archived.entry) or unopened(archived.fingerprint)
    return ArchivedShown(
        archived.id,
        archived.key.text,
        archived.side,
        archived.item,
        archived.revision,
        iso(archived.time) or "",
        archived.reason,
        archived.run,
        archived.entry is not None,
        value,
    )


def archive_page(archive: Archive) -> Iterator[Part]:
    rows = (
        Row(
            (
                str(each.id),
                each.time,
                Code(each.key),
                each.side,
                Code(display(each.value)) if each.kept else f"kept at {each.side} as {each.revision}",
                each.reason,
            )
        )
        for each in archive.archived
    )
    yield Table(("id", "time", "key", "side", "value", "why"), tuple(rows))
    if not archive.archived:
        yield Say("nothing is archived", Tone.QUIET)


def audit_shown(record: AuditRecord) -> AuditShown:
    details = json.loads(record.details)
    return AuditShown(
        record.number, iso(record.time) or "", record.who, record.action, details, record.hash.hex()
    )


def audit_page(trail: AuditTrail) -> Iterator[Part]:
    rows = (
        Row((str(each.number), each.time, each.who, each.action, Code(_details(each.details))))
        for each in trail.records
    )
    yield Table(("number", "time", "who", "action", "details"), tuple(rows))


def _details(details: dict[str, object]) -> str:
    text = json.dumps(details, sort_keys=True, ensure_ascii=False)[1:-1]
    return text if len(text) <= 160 else f"{text[:160]}…"


def verdict_page(verdict: AuditVerdict) -> Iterator[Part]:
    if verdict.ok:
        checkpoints = "1 checkpoint" if verdict.checkpoints == 1 else f"{verdict.checkpoints} checkpoints"
        yield Say(f"the trail is whole: {verdict.records} records, {checkpoints}", Tone.GOOD)
        return
    yield Say(f"the trail is broken: {verdict.why}", Tone.BAD)
    yield Say(
        f"{verdict.records} records before that are whole; restore the store from a backup, and ask who"
    )


def store_page(store: StoreShown) -> Iterator[Part]:
    yield Title(store.where)
    secrets = "kept under store.key" if store.keeps_secrets else "not kept: store.key is not set"
    rows = [
        Row(("identity", Code(store.identity))),
        Row(("version", str(store.version))),
        Row(("scopes", ", ".join(store.scopes) or "none yet")),
        Row(("secrets", secrets)),
        Row(("conflicts that wait", str(store.open_conflicts))),
    ]
    rows += [Row((f"job {name}", f"run by {holder}")) for name, holder in store.jobs.items() if holder]
    yield Table(("", ""), tuple(rows), header=False)
