"""What a run records in the store itself: adoptions with their bases, and the conflicts they settle.

All of it is one transaction, so that the base moves with its cause.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ecs_sync.adapter import ItemId
from ecs_sync.carry import archive_between
from ecs_sync.looking import Side
from ecs_sync.model import Fingerprint, Key
from ecs_sync.owned import Explained, impossible, told_apart
from ecs_sync.plan import Change, KeyContest, Plan, Rebase
from ecs_sync.policy import STORE
from ecs_sync.protocol import Absorbed, Dug
from ecs_sync.store import Base, Candidate, Done, EntryChange, Held, Transaction
from ecs_sync.task import Running


def adopt(
    running: Running, plan: Plan, sides: Sequence[Side], rule: str
) -> tuple[dict[str, int], list[Change]]:
    """Commits what the plan adopts. The new version of each key, and the changes that were overtaken.

    A key that somebody changed in the store since the plan is left, and so is an item of which an intent
    is still open; the rest goes on. What the look said of own writes is recorded first.
    """
    wanted = [*plan.adoptions, *plan.raises]
    noted = any(side.explained or side.vacated for side in sides)
    on_record = _on_record(running) if plan.contests else set()
    contests = [each for each in plan.contests if _named(each) not in on_record]
    if not (wanted or plan.rebases or contests or noted):
        return {}, []
    with running.store.transaction(running.lease) as transaction:
        for side in sides:
            _absorb(transaction, running, side)
            _vacate(transaction, side)
        expected = {change.key.text: change.version for change in wanted}
        expected |= {r.key.text: r.version for r in plan.rebases if r.version and r.key.text not in expected}
        moved = set(transaction.expect(running.scope, expected))
        opened = _opened(running, sides)
        moved |= {change.key.text for change in wanted if (change.source, change.item) in opened}
        standing = [change for change in wanted if change.key.text not in moved]
        versions = _commit(transaction, running, standing)
        rebases = [r for r in plan.rebases if r.key.text not in moved and (r.link, r.item) not in opened]
        for side in sides:
            _move_bases(transaction, side, plan, standing, rebases, versions)
        for contest in contests:
            if contest.key.text not in moved:
                _record(transaction, running, sides, contest, rule)
        _tell(transaction, running, standing, versions)
    return versions, [change for change in wanted if change.key.text in moved]


_Named = tuple[Key, frozenset[Fingerprint | None], Fingerprint | str | None]
"""What makes two conflicts one: the key, the values, and which of them won, or that it is held."""
_HELD = "held"


def _on_record(running: Running) -> set[_Named]:
    """The conflicts that need no second record: held still, or settled and not yet carried everywhere."""
    found: set[_Named] = set()
    for conflict in running.store.all_conflicts(running.job):
        values = frozenset(candidate.fingerprint for candidate in conflict.candidates)
        if conflict.winner is None and not conflict.resolved:
            found.add((conflict.key, values, _HELD))
        for candidate in conflict.candidates:
            if candidate.side == conflict.winner:
                found.add((conflict.key, values, candidate.fingerprint))
    return found


def _named(each: KeyContest) -> _Named:
    candidates, winner = each.contest.candidates, each.contest.winner
    won = next((fingerprint for side, fingerprint, _ in candidates if side == winner), None)
    values = frozenset(fingerprint for _, fingerprint, _ in candidates)
    return each.key, values, _HELD if winner is None else won


def _opened(running: Running, sides: Sequence[Side]) -> set[tuple[str, ItemId | None]]:
    """The items of which an intent is open still: what they show may be our own, and be replaced yet."""
    return {
        (side.remote.link, intent.item)
        for side in sides
        if side.track is not None
        for intent in running.store.intents(side.track.id)
    }


def _absorb(transaction: Transaction, running: Running, side: Side) -> None:
    """Records what is known now of own writes; a late landing is settled as one seen at once is.

    Where history could not be read, what it would show is not archived, so the own write is asked again.
    """
    assert side.track is not None
    known = [e for e in side.explained if e.digging.dug is not Dug.UNREADABLE]
    spent = {each.own.id for each in known if each.verdict is not Absorbed.STALE}
    for each in known:
        spent.update(_archive_new(transaction, running, side, each))
    landed = [each for each in known if each.verdict is Absorbed.LANDED]
    for each in landed:
        target = each.target
        if target.fingerprint is None:
            transaction.drop_bases(side.track.id, [target.key])
        else:
            base = Base(target.key, target.fingerprint, target.version, each.own.item)
            transaction.put_bases(side.track.id, [base])
    transaction.drop_held(side.track.id, [each.own.item for each in landed])
    for each in landed:
        owned = side.own_writes[each.own.item]
        spent.update(own.id for own in impossible(owned, side.remote.features.guard, each.digging.revision))
    transaction.drop_own_writes(spent)


def _vacate(transaction: Transaction, side: Side) -> None:
    """What is on record of an item that a key has left is not all that it would hold if it came back."""
    if side.track is not None and side.vacated:
        transaction.drop_held(side.track.id, side.vacated)


def _archive_new(transaction: Transaction, running: Running, side: Side, each: Explained) -> set[str]:
    """What history shows before an own write is archived, once; the ids of own writes that it shows too."""
    remote, key = side.remote, Key(each.target.key)
    kept = {archived.fingerprint for archived in running.store.archive(running.scope, key)}
    assert side.track is not None
    # What both sides held is in the store's history: it is our own, replaced by the late landing.
    kept.update(base.fingerprint for base in running.store.bases_of(side.track.id, [key.text]).values())
    owned = [own for own in side.own_writes[each.own.item] if own.id != each.own.id]
    others, late = told_apart(remote, each.digging.between, owned)
    between = [
        item
        for item in others
        if (entry := remote.read(item).entries.get(key.text)) and remote.fingerprints.of(entry) not in kept
    ]
    archive_between(transaction, running, remote, [each.target], between)
    return {own.id for own in late}


def _commit(transaction: Transaction, running: Running, changes: Sequence[Change]) -> dict[str, int]:
    if not changes:
        return {}
    links = sorted({change.source for change in changes})
    number = transaction.commit(
        running.scope,
        [EntryChange(change.key, change.after, change.rank) for change in changes],
        origin="link " + ", ".join(links),
        reason=running.reason,
        who=running.who,
        run=running.run,
    )
    return {change.key.text: number for change in changes}


def _move_bases(
    transaction: Transaction,
    side: Side,
    plan: Plan,
    adopted: Sequence[Change],
    rebases: Iterable[Rebase],
    versions: dict[str, int],
) -> None:
    link = side.remote.link
    assert side.track is not None
    track = side.track.id
    put: list[Base] = []
    dropped: list[str] = []
    held: dict[str, Held] = {}
    rebases = [r for r in rebases if r.link == link]
    unsettled = _unsettled(plan, link, adopted, rebases)
    moves = [
        (c.key.text, c.observed, versions[c.key.text], c.item, c.revision, c.changed)
        for c in adopted
        if c.source == link
    ]
    moves += [
        (r.key.text, r.fingerprint, r.version or versions[r.key.text], r.item, r.revision, r.changed)
        for r in rebases
        if r.version or r.key.text in versions
    ]
    for key, fingerprint, version, item, revision, changed in moves:
        if fingerprint is None or item is None:
            dropped.append(key)
            continue
        put.append(Base(key, fingerprint, version, item))
        if revision is not None and item not in unsettled:
            held[item] = Held(item, revision, changed)
    side.moving -= {key for key, *_ in moves}
    if not (put or dropped):
        return
    transaction.put_bases(track, put)
    transaction.drop_bases(track, dropped)
    transaction.put_held(track, list(held.values()))
    transaction.drop_seen(track, [key for key, *_ in moves])
    # A revision that is not known may still be the one that an own write waits for; absence is known.
    at = {item: at for _, shown, _, item, at, _ in moves if item is not None and (at or shown is None)}
    transaction.drop_own_writes(
        own.id
        for item in at.keys() & side.own_writes.keys()
        for own in impossible(side.own_writes[item], side.remote.features.guard, at[item])
    )


def _unsettled(plan: Plan, link: str, adopted: Sequence[Change], rebases: Sequence[Rebase]) -> set[str]:
    """Items of a link that hold a key which is not in step after this run, or which will be written."""
    held = {hold.item for hold in plan.holds if hold.link == link}
    unread = {unread.item for unread in plan.unread if unread.link == link}
    pushed = {change.item for change in plan.changes if change.side == link}
    taken = {change.key for change in adopted} | {rebase.key for rebase in rebases}
    moving = [(c.key, c.item) for c in (*plan.adoptions, *plan.raises) if c.source == link]
    moving += [(r.key, r.item) for r in plan.rebases if r.link == link]
    overtaken = {item for key, item in moving if key not in taken}
    return {item for item in held | unread | pushed | overtaken if item is not None}


def _record(
    transaction: Transaction, running: Running, sides: Sequence[Side], each: KeyContest, rule: str
) -> None:
    entries = dict(each.entries)
    candidates = []
    items = {side.remote.link: side for side in sides}
    for side, fingerprint, rank in each.contest.candidates:
        entry = entries.get(side)
        archived = None
        if fingerprint is not None and side != STORE and side != each.contest.winner:
            where = items[side].remote.mapping.locate(each.key)
            archived = transaction.archive(
                running.scope,
                each.key,
                side,
                entry,
                fingerprint,
                secret=entry is not None and entry.secret,
                item=where if isinstance(where, str) else None,
                revision=None,
                reason="lost a conflict" if each.contest.winner else "side of a held conflict",
                run=running.run,
            )
        candidates.append(Candidate(side, fingerprint, rank, archived))
    transaction.record_conflict(
        running.scope, each.key, running.job, candidates, each.contest.winner, rule, running.run
    )


def _tell(
    transaction: Transaction, running: Running, changes: Sequence[Change], versions: dict[str, int]
) -> None:
    if not changes:
        return
    transaction.record_done(
        [
            Done(
                running.run,
                STORE,
                change.key,
                change.item,
                None,
                change.target,
                change.revision,
                versions[change.key.text],
                "adopted",
            )
            for change in changes
        ]
    )
    transaction.audit(
        running.who,
        "adopt",
        {
            "run": running.run,
            "job": running.job,
            "version": max(versions.values()),
            "keys": sorted(change.key.text for change in changes),
        },
    )
