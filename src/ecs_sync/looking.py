"""One look at a key: what every link shows of it, confirmed where a listing alone proves nothing.

Values are read only for keys that moved.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ecs_sync.adapter import Item, ItemId, Revision
from ecs_sync.diff import UNSEEN, Observed, Unseen
from ecs_sync.mapping import Refusal
from ecs_sync.merge import Met, Moved
from ecs_sync.model import Entry, Key
from ecs_sync.observe import Observation
from ecs_sync.owned import Explained, explain
from ecs_sync.protocol import Absorbed
from ecs_sync.remote import Reading, Remote, Row
from ecs_sync.store import Base, OwnWrite, Seen, Store, Target, Track


@dataclass
class Side:
    """One link as a run finds it: its remote, its track and bases, and what was observed.

    ``carried`` is the former track whose bases still hold where the link's place or selection was
    edited. ``held`` has the revisions at which the items of ``own_writes`` were last in step;
    ``explained`` gathers what the look says of own writes, to be recorded with what the plan adopts.
    ``moving`` has the keys of which a base shall move, until it did, and ``vacated`` the items that a key
    has left for another one. ``respelled`` has the keys that stood in step as copies of secrets, at a link
    that refers to them now, and ``copies`` those that do still, at a link that takes no secrets any more.
    """

    remote: Remote
    track: Track | None
    carried: Track | None
    observation: Observation
    own_writes: dict[ItemId, list[OwnWrite]] = field(default_factory=dict)
    seen: dict[str, Seen] = field(default_factory=dict)
    left_behind: tuple[ItemId, ...] = ()
    base_keys: int = 0
    held: Mapping[ItemId, Revision] = field(default_factory=dict)
    explained: list[Explained] = field(default_factory=list)
    moving: set[str] = field(default_factory=set)
    vacated: set[ItemId] = field(default_factory=set)
    respelled: frozenset[str] = frozenset()
    copies: tuple[str, ...] = ()
    _readings: dict[ItemId, Reading] = field(default_factory=dict)

    def bases(self, store: Store) -> Iterator[Base]:
        if self.track is not None:
            bases = store.bases(self.track.id)
            if not self.respelled:
                return bases
            # As if the store had moved since: what the link shows of the key is something else by now.
            return (base._replace(version=0) if base.key in self.respelled else base for base in bases)
        if self.carried is not None:
            return (base for base in store.bases(self.carried.id) if still_maps(self.remote, base))
        return iter(())

    @property
    def first(self) -> bool:
        return self.track is None or not self.track.established

    def reading(self, item: Item) -> Reading:
        if item.id not in self._readings:
            if len(self._readings) > 64:
                self._readings.clear()
            self._readings[item.id] = self.remote.read(item)
        return self._readings[item.id]

    def may_hold(self, id: ItemId) -> bool:
        """May an item of many entries be there, though none of ours that is looked for is in it?"""
        unlisted = self.observation.unchanged and not self.remote.mapping.single
        return unlisted or id in self.observation.listed

    def item(self, id: ItemId) -> Item | None:
        """The item as observed, or read again where it was not kept."""
        kept = self.observation.kept.get(id)
        return kept if kept is not None else self.remote.look([id]).get(id)


def still_maps(remote: Remote, base: Base) -> bool:
    """Does a key of a former track still belong to the same item of this link?"""
    if not remote.selection.covers(base.key) or not base.item.startswith(remote.place.root):
        return False
    where = remote.mapping.locate(Key(base.key))
    return where == base.item


@dataclass(frozen=True, slots=True)
class Looking:
    """One key on one link, looked at closely. ``entry`` is in the link's image, ``lifted`` canonical.

    ``kept_out`` says why the store may not take what the place shows; it then has no say.
    """

    side: Side
    base: Base | None
    row: Row | None
    observed: Observed
    entry: Entry | None = None
    lifted: Entry | None = None
    reason: str = ""
    own: Target | None = None
    kept_out: str = ""


def look(sides: Sequence[Side], batch: Sequence[Moved], unset: Mapping[str, int]) -> dict[str, list[Looking]]:
    """Looks closely at a batch of keys on every link.

    ``unset`` has the store's version that last unset each key, where one did.
    """
    lookings: dict[str, list[Looking]] = {each.key: [] for each in batch}
    for i, side in enumerate(sides):
        mine = [each for each in batch if side.remote.selection.covers(each.key)]
        confirmed = _confirmed(side, [(each.key, each.links[i]) for each in mine])
        wanted = {
            row.item
            for each in mine
            if (row := confirmed.get(each.key, each.links[i].row)) is not None
            and _wants_value(side, each, each.links[i].base, row)
            and row.item not in side.observation.kept
        }
        fetched = {id: item for id, item in side.remote.look(sorted(wanted)).items() if item is not None}
        for each in mine:
            met = each.links[i]
            row = confirmed.get(each.key, met.row)
            if row is not None and _wants_value(side, each, met.base, row):
                looking = _look_closely(side, each.key, met.base, row, fetched)
            else:
                looking = _glance(side, each.key, met.base, row, each.key in confirmed)
            own = _own(looking, each.key, unset.get(each.key, 0))
            lookings[each.key].append(replace(looking, own=own))
    return lookings


def _confirmed(side: Side, met: Sequence[tuple[str, Met]]) -> dict[str, Row | None]:
    """Point reads of what a listing alone does not prove: absences, and news where listings lag."""
    lags = not side.remote.features.current_listing
    doubtful: dict[str, ItemId] = {}
    listed = {key: row.revision for key, (_, row) in met if row is not None}
    for key, (base, row) in met:
        if side.observation.unchanged:
            continue
        if row is None and base is not None and _absence_wants_proof(side, base):
            doubtful[key] = base.item
        elif row is not None and lags and row.unseen is None and _is_listed_news(side, base, row):
            doubtful[key] = row.item
    seen = side.remote.look(sorted(set(doubtful.values())))
    confirmed: dict[str, Row | None] = {}
    for key, id in doubtful.items():
        if id not in seen:
            confirmed[key] = Row(key, None, id, None, None, "its point read was not answered")
            continue
        item = seen[id]
        confirmed[key] = None
        if item is not None:
            side.observation.keep(item)
            reading = side.reading(item)
            rows = {row.key: row for row in side.remote.rows(item, reading)}
            broken = next((r.reason for r in reading.refusals if r.key is None), None)
            unread = Row(key, None, id, None, None, broken) if broken else None
            confirmed[key] = _apart(side, rows.get(key, unread), listed.get(key))
    return confirmed


def _apart(side: Side, row: Row | None, listed: Revision | None) -> Row | None:
    """The row of a key that was read again; of its item's other keys the listing may have shown older ones,
    so that nothing is known of the item as a whole at the revision of now."""
    if row is None or side.remote.mapping.single or row.revision == listed:
        return row
    return row._replace(revision=None)


def _is_listed_news(side: Side, base: Base | None, row: Row) -> bool:
    """News of a listing; where that gives no values, what is kept was told by a point read already."""
    was_read = not side.remote.features.values_in_listing and row.item in side.observation.kept
    return not was_read and _shows_news(base, row)


def _shows_news(base: Base | None, row: Row) -> bool:
    return base is None or row.fingerprint != base.fingerprint


def _absence_wants_proof(side: Side, base: Base) -> bool:
    """An entry missing from an item that was read is absent; an item missing from a listing may not be."""
    observation = side.observation
    return (
        observation.complete
        and base.item not in observation.listed
        and base.item not in observation.unreadable
    )


def _wants_value(side: Side, each: Moved, base: Base | None, row: Row) -> bool:
    """Is the value needed? Of what moved on either side, so that what is replaced can be kept and shown.

    What is foreign, was seen before and is left alone anyway, is not read again.
    """
    if row.unseen is not None:
        return False
    if not _shows_news(base, row):
        return base is None or each.desired is None or each.desired.version != base.version
    policy = side.remote.policy
    foreign = base is None and (each.desired is None or not each.desired.present)
    seen = side.seen.get(each.key)
    known = seen is not None and seen.fingerprint == row.fingerprint
    return not (foreign and known and not policy.adopts and not policy.prune)


def _glance(side: Side, key: str, base: Base | None, row: Row | None, confirmed: bool) -> Looking:
    """A key whose value is not needed, or cannot be had."""
    if row is None:
        reason = "" if confirmed else _why_unseen(side, key, base)
        observed: Observed = UNSEEN if reason else None
        return Looking(side, base, None, observed, reason=reason)
    if row.unseen is not None:
        return Looking(side, base, row, UNSEEN, reason=row.unseen)
    return Looking(side, base, row, row.fingerprint)


def _look_closely(side: Side, key: str, base: Base | None, row: Row, fetched: dict[ItemId, Item]) -> Looking:
    item = side.observation.kept.get(row.item) or fetched.get(row.item)
    entry = side.reading(item).entries.get(key) if item is not None else None
    if entry is None or side.remote.fingerprints.of(entry) != row.fingerprint:
        return Looking(side, base, row, UNSEEN, reason="it moved while it was looked at")
    return Looking(side, base, row, row.fingerprint, entry)


def _why_unseen(side: Side, key: str, base: Base | None) -> str:
    observation = side.observation
    where = base.item if base else side.remote.mapping.locate(Key(key))
    if isinstance(where, Refusal):
        return ""
    if where in observation.unreadable:
        return observation.unreadable[where]
    if observation.complete or where in observation.listed:
        return ""
    return observation.reason or "the listing is incomplete"


def _own(looking: Looking, key: str, unset: int) -> Target | None:
    """The own write that explains what is seen: it landed late, and nobody edited the place.

    The newest is asked first, and of equal ones that which replaced something; what one explains is the
    base for the next, so that each landing accounts for one own write.
    """
    side, base, row = looking.side, looking.base, looking.row
    id = row.item if row else base.item if base else _located(side, key)
    if isinstance(looking.observed, Unseen) or id is None:
        return None
    settled, version = (base.fingerprint, base.version) if base else (None, unset)
    explains: Target | None = None
    for own, target in _asked(side.own_writes.get(id, ()), key):
        if looking.observed == settled:
            break
        explained = explain(side.remote, own, target, row, version, side.held.get(id))
        if explained is None:
            continue
        side.explained.append(explained)
        match explained.verdict:
            case Absorbed.LANDED:
                settled, version, explains = target.fingerprint, target.version, target
            case Absorbed.STALE:
                explains = explains or target
            case Absorbed.GONE | Absorbed.OPEN:
                pass
    return explains


def _asked(owned: Iterable[OwnWrite], key: str) -> list[tuple[OwnWrite, Target]]:
    found = [(own, target) for own in owned for target in own.targets if target.key == key]
    return sorted(found, key=lambda pair: (-pair[1].version, pair[0].expected is None))


def _located(side: Side, key: str) -> ItemId | None:
    where = side.remote.mapping.locate(Key(key))
    return None if isinstance(where, Refusal) else where
