"""What a link's place holds now, as rows by key, with the proof that nothing was left out.

Only what moved is read: an item at the revision that is on record is known already.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ecs_sync.adapter import Item, ItemId, Token
from ecs_sync.errors import AdapterError
from ecs_sync.plan import Unread
from ecs_sync.remote import Remote, Row
from ecs_sync.spool import Spool
from ecs_sync.store import Known, Seen, Store, Track

_KEPT_BYTES = 64 * 2**20
"""How much of the items that moved is kept; beyond that they are read again when they are needed."""


@dataclass
class Observation:
    """One look at one place. Rows are drained once; items that moved are kept while there is room."""

    link: str
    spool: Spool
    items: int = 0
    calls: int = 0
    """Calls to the provider that the listing took, without the point reads after it."""
    unchanged: bool = False
    complete: bool = False
    reason: str = ""
    token: Token | None = None
    settling: dict[ItemId, str] = field(default_factory=dict)
    """Items that the provider has taken and does not serve everywhere yet, and how far they are."""
    unread: list[Unread] = field(default_factory=list)
    unreadable: dict[ItemId, str] = field(default_factory=dict)
    listed: set[ItemId] = field(default_factory=set)
    kept: dict[ItemId, Item] = field(default_factory=dict)
    _room: int = _KEPT_BYTES

    def keep(self, item: Item) -> None:
        size = len(item.value or b"")
        if size <= self._room:
            self._room -= size
            self.kept[item.id] = item


def observe(remote: Remote, store: Store, track: Track | None) -> Observation:
    """Lists the place of a link. Never raises `AdapterError`: what went wrong makes it incomplete."""
    observation = Observation(remote.link, Spool())
    token = track.token if track and remote.features.unchanged else None
    try:
        listing = remote.adapter.list(remote.place, token)
        observation.calls += listing.calls
        if listing.unchanged and track:
            _recall(observation, store, track)
            observation.token = token
            observation.complete = observation.unchanged = True
            return observation
        for page in listing.pages:
            if page.failed is not None:
                raise page.failed
            observation.calls += page.calls
            _take(observation, remote, store, track, page.items)
            if page.proof is not None:
                observation.complete = True
                observation.token = page.proof.token
    except AdapterError as error:
        observation.complete = False
        observation.reason = str(error)
    if not observation.complete and not observation.reason:
        observation.reason = "the listing ended without its proof of completeness"
    return observation


def _recall(observation: Observation, store: Store, track: Track) -> None:
    """What was seen last, where it was not in step; else what both sides held."""
    seen = iter(store.seen(track.id))
    ahead = next(seen, None)
    rows: list[Row] = []
    for base in store.bases(track.id):
        while ahead is not None and ahead.key < base.key:
            rows.extend(_seen_row(ahead))
            ahead = next(seen, None)
        if ahead is not None and ahead.key == base.key:
            rows.extend(_seen_row(ahead))
            ahead = next(seen, None)
        else:
            rows.append(Row(base.key, base.fingerprint, base.item, None, None))
        if len(rows) >= 1000:
            observation.spool.add(rows)
            rows = []
    while ahead is not None:
        rows.extend(_seen_row(ahead))
        ahead = next(seen, None)
    observation.spool.add(rows)


def _seen_row(seen: Seen) -> Iterator[Row]:
    if seen.fingerprint is not None or seen.unseen is not None:
        yield Row(seen.key, seen.fingerprint, seen.item, seen.revision, seen.changed, seen.unseen)


def _take(
    observation: Observation, remote: Remote, store: Store, track: Track | None, items: Iterable[Item]
) -> None:
    items = list(items)
    observation.items += len(items)
    observation.settling.update({item.id: item.settling for item in items if item.settling})
    observation.listed.update(item.id for item in items if not remote.mapping.single)
    known = store.known(track.id, [item.id for item in items]) if track else {}
    moved: list[Item] = []
    for item in items:
        record = known.get(item.id)
        if record is not None and _is_past(remote, item, record):
            item = _read_again(remote, item, record)
            reason = item.unreadable or ""
            observation.spool.add(
                Row(key, None, item.id, item.revision, None, reason) for key, _ in record.keys if reason
            )
        if record is not None and _unmoved(item, record):
            observation.spool.add(
                Row(key, fingerprint, item.id, item.revision, record.changed)
                for key, fingerprint in record.keys
            )
        else:
            moved.append(item)
    for item in _with_values(remote, moved):
        take(observation, remote, item)


def _unmoved(item: Item, record: Known) -> bool:
    changed = item.changed.isoformat() if item.changed else None
    return item.unreadable is None and record.revision == item.revision and record.changed == changed


def _is_past(remote: Remote, item: Item, record: Known) -> bool:
    """Does the place show an item as it was before it was last in step? What lags may show that."""
    features = remote.features
    if (features.current_listing and features.current_reads) or not features.ordered_revisions:
        return False
    changed = item.changed.isoformat() if item.changed else None
    later = changed is not None and record.changed is not None and changed > record.changed
    # Of an item that was deleted and made again, revisions may begin anew; its change time tells.
    return item.revision is not None and int(item.revision) < int(record.revision) and not later


def _read_again(remote: Remote, item: Item, record: Known) -> Item:
    found = remote.look([item.id]).get(item.id)
    if found is not None and not _is_past(remote, found, record):
        return found
    return Item(item.id, None, revision=item.revision, unreadable="the place still shows it as it was before")


def _with_values(remote: Remote, items: list[Item]) -> Iterator[Item]:
    bare = [item.id for item in items if item.value is None and item.unreadable is None]
    read = remote.look(bare)
    for item in items:
        if item.value is not None or item.unreadable is not None:
            yield item
        elif item.id not in read:
            yield Item(item.id, None, unreadable="its point read was not answered")
        elif (found := read[item.id]) is not None:
            yield found


def take(observation: Observation, remote: Remote, item: Item) -> None:
    """Adds one item, with its value, to what was observed."""
    reading = remote.read(item)
    for refusal in reading.refusals:
        observation.unread.append(Unread(remote.link, item.id, refusal.key, refusal.reason))
        if refusal.key is None:
            observation.unreadable[item.id] = refusal.reason
    observation.spool.add(remote.rows(item, reading))
    observation.keep(item)
