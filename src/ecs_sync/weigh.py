"""From what was observed to a plan: looks closer at every key that moved, and decides it.

Values are read for such keys only. What a place shows is lifted to canonical terms, what the store
holds is put into each link's terms, so that sides are compared as each place can show them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice

from ecs_sync.adapter import ItemId
from ecs_sync.admission import keeps_back, kept_out, one_name
from ecs_sync.decide import decide
from ecs_sync.diff import UNSEEN, State, Unsayable
from ecs_sync.looking import Looking, Side, look
from ecs_sync.merge import Moved, Stream, moved
from ecs_sync.model import Entry, Fingerprint, Fingerprinter, Key, Scope
from ecs_sync.parts import Images, Parts, held_back
from ecs_sync.plan import Change, Hold, KeyContest, Looked, Plan, Rebase, Unread
from ecs_sync.policy import (
    STORE,
    Action,
    Decision,
    JobPolicy,
    Secrets,
    Standing,
    Strength,
    View,
    Why,
    Word,
)
from ecs_sync.rotation import Followed
from ecs_sync.store import UNDONE, Desired, Store, Stored

_BATCH = 500


def weigh(
    job: str,
    scope: Scope,
    policy: JobPolicy,
    store: Store,
    at: int,
    sides: Sequence[Side],
    followed: Followed,
) -> Plan:
    """The plan of a job, from its store as of version ``at`` and one look at each of its places.

    Rotations of ``followed`` that are not committed yet are planned with as if they were.
    """
    weighing = _Weighing(scope, policy, store, at, sides, followed)
    streams = [
        Stream(side.bases(store), side.observation.spool.drain(), side.remote.selection.covers)
        for side in sides
    ]
    desired = followed.ahead(store.desired(scope, at), at)
    refusing = [side for side in sides if _refuses(side)]
    secrets: dict[str, int] = {}
    stream = moved(_noting(secrets, desired) if refusing else desired, streams)
    while batch := list(islice(stream, _BATCH)):
        weighing.batch(batch)
    weighing.rehearse()
    weighing.note_moving()
    for side in refusing:
        side.copies = _copies(side, secrets, weighing.holds, store, scope)
    return Plan(
        job,
        scope,
        store.identity,
        at,
        _rules(policy, sides),
        tuple(_looked(side) for side in sides),
        tuple(weighing.changes),
        tuple(weighing.rebases),
        tuple(weighing.raises),
        tuple(sorted(weighing.holds, key=lambda hold: (hold.key, hold.link))),
        tuple(weighing.contests),
        (*(unread for side in sides for unread in side.observation.unread), *followed.unread),
        tuple(map(Key, sorted(followed.rotated))),
    )


def _rules(policy: JobPolicy, sides: Sequence[Side]) -> str:
    said = repr((policy, [side.remote.policy for side in sides]))
    return hashlib.blake2b(said.encode(), digest_size=8).hexdigest()


def _looked(side: Side) -> Looked:
    remote, observation = side.remote, side.observation
    return Looked(
        remote.link,
        remote.policy.mode,
        str(remote.place),
        remote.identity,
        not side.first,
        side.base_keys,
        observation.items,
        observation.unchanged,
        observation.complete,
        observation.reason,
        remote.windows,
        side.left_behind,
        tuple(sorted(observation.settling.items())),
        side.copies,
    )


def _refuses(side: Side) -> bool:
    remote = side.remote
    return remote.secrets is Secrets.REFUSE and remote.policy.words.pending is Word.PUSH


def _noting(secrets: dict[str, int], desired: Iterable[Desired]) -> Iterator[Desired]:
    """The same rows; ``secrets`` gets the keys of secrets with their versions, as they go by."""
    for row in desired:
        if row.secret and row.present:
            secrets[row.key] = row.version
        yield row


def _copies(
    side: Side, secrets: Mapping[str, int], holds: Iterable[Hold], store: Store, scope: Scope
) -> tuple[str, ...]:
    """The keys that are in step as copies of secrets, and come from elsewhere than this very place."""
    if side.track is None or not secrets:
        return ()
    link = side.remote.link
    told = {hold.key.text for hold in holds if hold.link == link}
    bases = store.bases_of(side.track.id, secrets.keys() - told)
    kept = [key for key, base in bases.items() if base.version == secrets[key]]
    stored = store.stored(scope, kept)
    return tuple(key for key in sorted(kept) if stored[key].rank.link != link)


class _Weighing:
    """Gathers the parts of a plan, batch by batch."""

    def __init__(
        self,
        scope: Scope,
        policy: JobPolicy,
        store: Store,
        at: int,
        sides: Sequence[Side],
        followed: Followed,
    ) -> None:
        self.scope, self.policy, self.store, self.at, self.sides = scope, policy, store, at, sides
        self.followed = followed
        self.fingerprints: Fingerprinter = store.fingerprinter
        self.changes: list[Change] = []
        self.rebases: list[Rebase] = []
        self.raises: list[Change] = []
        self.holds: list[Hold] = []
        self.contests: list[KeyContest] = []

    def batch(self, batch: Sequence[Moved]) -> None:
        keys = [each.key for each in batch]
        ahead = self.followed.stored(keys, self.at)
        stored = {**self.store.stored(self.scope, keys, self.at), **ahead}
        after = {each.key: _oldest(each) for each in batch if each.key in stored}
        later = self.store.later(self.scope, after, self.at)
        later.update((key, (*later.get(key, ()), each)) for key, each in ahead.items())
        lookings = look(self.sides, batch, {key: _last_unset(versions) for key, versions in later.items()})
        decided = len(self.changes)
        for each in batch:
            mine = stored.get(each.key)
            found = [kept_out(x, mine, self.store) for x in _lift(lookings[each.key], mine)]
            self._decide(each.key, mine, later.get(each.key, ()), found)
        self.changes[decided:] = self._with_before(self.changes[decided:])

    def _with_before(self, changes: Sequence[Change]) -> list[Change]:
        """Reads what is replaced where only the decision showed that something is."""
        links = {side.remote.link: side for side in self.sides}
        bare: dict[str, set[ItemId]] = {}
        for change in changes:
            if change.before is None and change.expected is not None and change.item and change.side in links:
                bare.setdefault(change.side, set()).add(change.item)
        entries: dict[tuple[str, ItemId], Mapping[str, Entry]] = {}
        for link, ids in bare.items():
            side = links[link]
            missing = sorted(ids - side.observation.kept.keys())
            for item in side.remote.look(missing).values():
                if item is not None:
                    side.observation.keep(item)
            for id in ids & side.observation.kept.keys():
                entries[link, id] = side.reading(side.observation.kept[id]).entries
        return [
            replace(change, before=entries.get((change.side, change.item or ""), {}).get(change.key.text))
            if change.before is None and change.side in bare
            else change
            for change in changes
        ]

    # Deciding

    def _decide(
        self, key: str, stored: Stored | None, later: Sequence[Stored], lookings: Sequence[Looking]
    ) -> None:
        standing = Standing(stored.version, stored.fingerprint) if stored else Standing(0, None)
        known: dict[Fingerprint, Entry | Unsayable] = {}
        if stored is not None and stored.fingerprint is not None:
            known[stored.fingerprint] = stored.entry or Unsayable("its value is sealed: store.key is needed")
        for looking in lookings:
            if looking.lifted is not None:
                known.setdefault(self.fingerprints.of(looking.lifted), looking.lifted)
        images = Images(self.fingerprints, known, lookings)
        views = [self._view(key, looking, standing, later) for looking in lookings]
        settlement = decide(self.policy, standing, views, images)
        entries = {looking.side.remote.link: looking.lifted for looking in lookings}
        entries[STORE] = stored.entry if stored else None
        if settlement.contest is not None:
            sides = (side for side, _, _ in settlement.contest.candidates)
            self.contests.append(
                KeyContest(Key(key), settlement.contest, tuple((side, entries[side]) for side in sides))
            )
        winner = next((x for x in lookings if x.side.remote.link == settlement.adopt), None)
        parts = Parts(Key(key), stored, winner, images, self.fingerprints)
        for decision, looking in zip(settlement.decisions, lookings, strict=True):
            self._take(parts, decision, looking)
        if settlement.raised is not None and stored is not None:
            raiser = next(x for x in lookings if x.side.remote.link == settlement.raised)
            self.raises.append(parts.raising(raiser))

    def _view(self, key: str, looking: Looking, standing: Standing, later: Sequence[Stored]) -> View:
        base, own, remote = looking.base, looking.own, looking.side.remote
        fingerprint = base.fingerprint if base else None
        version = base.version if base else 0
        if own is not None:
            fingerprint, version = own.fingerprint, own.version
        seen = looking.side.seen.get(key)
        lost = (
            seen is not None
            and seen.lost_to == standing.version
            and seen.fingerprint == looking.observed
            and standing.version > 0
        )
        met = seen is not None and seen.met
        pinned = seen is not None and seen.lost_to == UNDONE and seen.fingerprint == looking.observed
        return View(
            remote.policy,
            fingerprint,
            version,
            UNSEEN if looking.kept_out else looking.observed,
            self.fingerprints.of(looking.lifted) if looking.lifted else None,
            _strengths(later, version),
            looking.side.first or met,
            lost,
            pinned,
        )

    def _take(self, parts: Parts, decision: Decision, looking: Looking) -> None:
        base, row = looking.base, looking.row
        went = base is not None and row is not None and row.item != base.item
        if base is not None and went:
            looking.side.vacated.add(base.item)
        match decision.action:
            case Action.NOTHING:
                if looking.kept_out:
                    state = State.DRIFTED if looking.base else State.FOREIGN
                    found = replace(decision, state=state)
                    self.holds.append(parts.hold(found, looking, Why.UNSAYABLE, looking.kept_out))
                elif decision.why is Why.UNSEEN:
                    self._unseen(parts.key, looking)
                elif went:
                    self.rebases.append(parts.rebase(looking))
            case Action.REBASE:
                self.rebases.append(parts.rebase(looking))
            case Action.ADOPT:
                self.changes.append(parts.adoption(decision.state, looking))
            case Action.PUSH:
                change = parts.push(decision.state, looking)
                kept_back = keeps_back(change, parts.image(looking), looking, self.store)
                if kept_back is None:
                    self.changes.append(change)
                else:
                    self.holds.append(parts.hold(decision, looking, *kept_back))
            case Action.HOLD:
                why = decision.why or Why.MODE
                self.holds.append(parts.hold(decision, looking, why, decision.reason))

    def _unseen(self, key: Key, looking: Looking) -> None:
        link, item = looking.side.remote.link, looking.row.item if looking.row else None
        named = any(unread.key == key for unread in looking.side.observation.unread)
        covered = looking.base is not None and looking.base.item in looking.side.observation.unreadable
        if looking.reason and not named and not covered and looking.side.observation.complete:
            looking.side.observation.unread.append(Unread(link, item, key, looking.reason))

    def rehearse(self) -> None:
        """Tries every push into an item of many entries on paper; what spoils it is held, by name."""
        for side in self.sides:
            if side.remote.features.folds_case:
                self._hold_doubles(side)
            if side.remote.mapping.single:
                continue
            by_item: dict[ItemId, list[Change]] = {}
            for change in self.changes:
                if change.side == side.remote.link and change.item is not None:
                    by_item.setdefault(change.item, []).append(change)
            for id, changes in by_item.items():
                existing = side.item(id) if side.may_hold(id) else None
                pushes = [(change.key, change.after) for change in changes]
                refused = dict(side.remote.rehearse(id, pushes, existing).refused)
                self._hold_back(changes, refused)

    def _hold_doubles(self, side: Side) -> None:
        mine = [c for c in self.changes if c.side == side.remote.link and c.expected is None]
        taken = (base.item for base in side.bases(self.store)) if mine else ()
        self._hold_back(mine, one_name(mine, taken))

    def _hold_back(self, changes: Sequence[Change], refused: Mapping[Key, str]) -> None:
        for change in changes:
            if change.key in refused:
                self.changes.remove(change)
                self.holds.append(held_back(change, refused[change.key]))

    def note_moving(self) -> None:
        """Notes at each side which keys' bases this plan would move."""
        for side in self.sides:
            link = side.remote.link
            changes = (c for c in (*self.changes, *self.raises) if link in (c.side, c.source))
            side.moving = {change.key.text for change in changes}
            side.moving.update(rebase.key.text for rebase in self.rebases if rebase.link == link)


def _oldest(each: Moved) -> int:
    return min((met.base.version if met.base else 0) for met in each.links)


def _last_unset(later: Sequence[Stored]) -> int:
    """The store's version that last unset a key; 0 where none did."""
    return max((stored.version for stored in later if not stored.present), default=0)


def _strengths(later: Sequence[Stored], version: int) -> tuple[Strength, ...]:
    """The strengths after a base's version; without a base, after the key was last unset."""
    newer = [stored for stored in later if stored.version > version]
    if version == 0:
        unset = [i for i, stored in enumerate(newer) if not stored.present]
        newer = newer[unset[-1] + 1 :] if unset else newer
    return tuple(Strength(stored.present, stored.rank) for stored in newer)


def _lift(lookings: Iterable[Looking], stored: Stored | None) -> list[Looking]:
    """Each looking with the canonical entry that it stands for, read with the types that others know."""
    found = list(lookings)
    hints = [stored.entry] if stored and stored.entry else []
    hints += [x.entry for x in found if x.entry is not None]
    return [
        replace(x, lifted=x.side.remote.lift(x.entry, hints)) if x.entry is not None else x for x in found
    ]
