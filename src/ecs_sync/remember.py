"""What a run leaves on record of what it saw, so that the next look costs less and drift has an age.

Never evidence for a base or a delete. Nothing is written where nothing moved.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from ecs_sync.adapter import Revision
from ecs_sync.looking import Side
from ecs_sync.plan import Hold
from ecs_sync.policy import Why
from ecs_sync.reads import Reads
from ecs_sync.report import Report
from ecs_sync.store import UNDONE, Seen, Store
from ecs_sync.task import Running

_TOLD_AT_ONCE = 1000


def remember(running: Running, sides: Sequence[Side], report: Report) -> None:
    """Records what is not in step at each link, with the listing's token; establishes complete tracks."""
    for side in sides:
        if side.track is None or not side.observation.complete:
            continue
        holds = [hold for hold in report.plan.holds if _is_of(hold, side)]
        lost = [hold.key.text for hold in holds if hold.why is Why.LOST]
        now = {key: stored.version for key, stored in running.store.stored(running.scope, lost).items()}
        written = {each.change.item for each in report.carried if each.change.side == side.remote.link}
        rows = {
            hold.key.text: _seen(side, hold, None if hold.item in written else hold.revision, now)
            for hold in holds
        }
        # A place is known by its token only where all that it showed is on record, as a base or as seen.
        clean = not side.moving and not report.stops and not _unread(side, report)
        token = side.observation.token if clean else None
        same_rows = {key: row._replace(since=row.since) for key, row in side.seen.items()}
        establish = not side.track.established and not report.stops and not _left_out(side, report)
        if rows == same_rows and token == side.track.token and not establish:
            continue
        with running.store.transaction(running.lease) as transaction:
            if rows != same_rows:
                transaction.replace_seen(side.track.id, rows.values())
            transaction.set_token(side.track.id, token)
            if establish:
                transaction.establish(side.track.id)


def tell_reads(store: Store, who: str, reads: Reads) -> None:
    """Appends to the audit trail which secrets were read, and which connections took up a new credential."""
    for connection, items in reads.drain().items():
        for start in range(0, len(items), _TOLD_AT_ONCE):
            told = {"connection": connection, "items": items[start : start + _TOLD_AT_ONCE]}
            with store.transaction() as transaction:
                transaction.audit(who, "secrets read", told)
    for connection in reads.drain_renewed():
        with store.transaction() as transaction:
            transaction.audit(who, "credential renewed", {"connection": connection})


def _left_out(side: Side, report: Report) -> bool:
    """Was something not even tried, because the plan that is carried out does not show it?"""
    return bool(side.moving - {each.change.key.text for each in report.carried})


def _is_of(hold: Hold, side: Side) -> bool:
    return hold.link == side.remote.link and hold.item is not None


def _unread(side: Side, report: Report) -> bool:
    return any(unread.link == side.remote.link for unread in report.plan.unread)


def _seen(side: Side, hold: Hold, revision: Revision | None, now: dict[str, int]) -> Seen:
    """``revision`` None where this run wrote the item: at the one that was seen, its other keys were else."""
    before = side.seen.get(hold.key.text)
    same = before is not None and before.fingerprint == hold.observed
    lost_to = UNDONE if hold.why is Why.UNDONE else now.get(hold.key.text)
    met = hold.why in (Why.FIRST_CONTACT, Why.UNHEARD, Why.BURIED, Why.UNDONE)
    assert hold.item is not None
    return Seen(
        hold.key.text,
        hold.item,
        revision,
        hold.changed,
        hold.observed,
        None,
        before.since if before is not None and same else datetime.now(UTC),
        lost_to,
        met,
    )
