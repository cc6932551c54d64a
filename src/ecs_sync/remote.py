"""A link brought to life: an adapter, a place and a mapping that speak of entries together.

Everything a mapping or a place cannot carry is found out here, before the first write, by making the
trip: an entry is written into an item, the item held against the limits, and read back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from ecs_sync import mapping as port
from ecs_sync.abilities import KeepsHistory
from ecs_sync.adapter import (
    Adapter,
    Delete,
    Features,
    Guard,
    Item,
    ItemId,
    Limits,
    Place,
    Put,
    Revision,
    Write,
)
from ecs_sync.diff import Unsayable
from ecs_sync.errors import MappingError, Unavailable
from ecs_sync.mapping import Refusal
from ecs_sync.meter import Meter
from ecs_sync.model import Entry, Fingerprint, Fingerprinter, Key, Type, Value
from ecs_sync.plan import Kind
from ecs_sync.pointwise import read_each
from ecs_sync.policy import LinkPolicy, Secrets
from ecs_sync.resolve import Resolver
from ecs_sync.secrecy import Secrecy
from ecs_sync.selection import Selection
from ecs_sync.sensitivity import Sensitivity


class Row(NamedTuple):
    """One key as a place shows it, without its value. ``unseen`` says why it could not be read."""

    key: str
    fingerprint: Fingerprint | None
    item: ItemId
    revision: Revision | None
    changed: str | None
    unseen: str | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What one item holds for us: its entries by key text, and what in it could not be read."""

    entries: Mapping[str, Entry]
    refusals: tuple[Refusal, ...] = ()


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """An item's write, tried on paper; or the keys that it cannot carry, with reasons."""

    write: Write | None
    refused: tuple[tuple[Key, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Remote:
    """One link of a job, alive."""

    link: str
    policy: LinkPolicy
    adapter: Adapter
    place: Place
    mapping: port.Mapping
    identity: str
    """Names place, mapping and selection: what a track is bound to."""
    fingerprints: Fingerprinter
    selection: Selection
    sensitivity: Sensitivity
    secrets: Secrets = Secrets.COPY
    hard_deletes: bool = False
    settle: float = 0.0
    """Seconds to wait for what was written to be in force."""
    connection: str = ""
    resolver: Resolver | None = None
    meter: Meter = field(default_factory=Meter, compare=False, repr=False)
    """The calls of the point reads that were made."""

    @property
    def features(self) -> Features:
        return self.adapter.features

    @property
    def secrecy(self) -> Secrecy:
        return Secrecy(self.secrets, self.adapter, self.connection, self.resolver)

    @property
    def deletes_held(self) -> bool:
        """Hard deletes without compare-and-swap are off unless the link asks for them."""
        return self.features.guard in (Guard.C, Guard.D) and not self.hard_deletes

    @property
    def windows(self) -> tuple[tuple[Kind, str], ...]:
        """What remains unguarded at this place, in a sentence for each kind of write that it is true of."""
        match self.features.guard:
            case Guard.A:
                return ()
            case Guard.B:
                said = "a delete is preceded by a point read, and not conditional on it"
                return ((Kind.DELETE, said),)
            case Guard.C:
                said = "a write is not conditional: what it replaces unseen is found afterwards and archived"
                return ((Kind.UPDATE, said), (Kind.DELETE, said))
            case Guard.D:
                said = "a write is not conditional: an edit between the last read and the write would be lost"
                return tuple((kind, said) for kind in Kind)

    # Reading

    def read(self, item: Item) -> Reading:
        """The entries of a readable item. What the link does not select is not there."""
        if item.unreadable is not None:
            return Reading({}, (Refusal(item.unreadable, item=item.id),))
        try:
            found = self._entries(item)
        except MappingError as error:
            return Reading({}, (Refusal(str(error), item=item.id),))
        entries = {
            entry.key.text: self.sensitivity.mark(entry)
            for entry in found
            if isinstance(entry, Entry) and self.selection.covers(entry.key.text)
        }
        refusals = [
            replace(r, item=item.id)
            for r in found
            if isinstance(r, Refusal) and (r.key is None or self.selection.covers(r.key.text))
        ]
        return Reading(entries, tuple(refusals))

    def _entries(self, item: Item) -> Sequence[Entry | Refusal]:
        """All that an item holds, with references where its texts spell them."""
        shown = self._shown(item)
        if isinstance(shown, Refusal):
            where = [found.key for found in self.mapping.read(item) if isinstance(found, Entry)]
            return [replace(shown, key=where[0] if where else None)]
        read, secrecy = self.mapping.read(shown), self.secrecy
        return [secrecy.heard(each) if isinstance(each, Entry) else each for each in read]

    def _shown(self, item: Item) -> Item | Refusal:
        return self.secrecy.pointed(item) if self.mapping.single and self.features.refers else item

    def rows(self, item: Item, reading: Reading) -> Iterator[Row]:
        """The rows of an item's entries and of the fields that could not be read."""
        changed = item.changed.isoformat() if item.changed else None
        for entry in reading.entries.values():
            yield Row(entry.key.text, self.fingerprints.of(entry), item.id, item.revision, changed)
        for refusal in reading.refusals:
            if refusal.key is not None:
                yield Row(refusal.key.text, None, item.id, item.revision, changed, refusal.reason)

    def look(self, ids: Iterable[ItemId]) -> dict[ItemId, Item | None]:
        """Point reads, in parallel within the provider's limits. An id that is missing was not answered."""
        features = self.features
        return read_each(self.adapter.get, features, ids, features.prices.get, self.meter)

    def dig(self, id: ItemId, after: Revision | None) -> list[Item]:
        """The versions of an item after a revision, oldest first. Raises AdapterError, also where the
        history ends without its proof: what it does not show may be what came between."""
        if not isinstance(self.adapter, KeepsHistory):
            raise Unavailable(f"{id} keeps no history")
        pages = list(self.adapter.history(id, after).pages)
        if not pages or pages[-1].proof is None:
            raise Unavailable(f"the history of {id} ended without its proof of completeness")
        return [item for page in pages for item in page.items]

    # Translating

    def image(self, entry: Entry) -> Entry | Unsayable:
        """What this link would show of an entry after one trip; or why it cannot be carried."""
        if not self.selection.covers(entry.key.text):
            return Unsayable("the link does not select this key")
        id = self.mapping.locate(entry.key)
        if isinstance(id, Refusal):
            return Unsayable(id.reason)
        if not id.startswith(self.place.root):
            return Unsayable(f"{id!r} lies outside {self.place}")
        spoken = self.secrecy.spoken(entry, id, self._field(entry.key))
        if isinstance(spoken, Unsayable):
            return spoken
        try:
            item = self.mapping.write(id, [spoken], None)
        except MappingError as error:
            return Unsayable(str(error))
        if item is None:
            return Unsayable("the mapping writes nothing for it")
        if self.mapping.single:
            item = self.secrecy.pointing(item, spoken)
            if reason := self._exceeds(item):
                return Unsayable(reason)
        for back in self._entries(item):
            if isinstance(back, Entry) and back.key == entry.key:
                return self.sensitivity.mark(back)
        return Unsayable(f"does not survive the trip to {self.link}: it does not read back under its key")

    def _field(self, key: Key) -> str | None:
        return self.mapping.field(key) if isinstance(self.mapping, port.NamesFields) else None

    def _claimed(self, observed: Entry) -> Entry:
        id = self.mapping.locate(observed.key)
        field = self._field(observed.key)
        if isinstance(id, Refusal) or (field is None and not self.mapping.single):
            return observed
        return self.secrecy.claimed(observed, id, field)

    def lift(self, observed: Entry, known: Iterable[Entry]) -> Entry:
        """The canonical entry that an observed one stands for.

        A place without types shows ``"5"`` for the integer 5. Where the store, or another link, knows
        the key with a type that this link shows as text, the text is read as that type again. A secret
        that is a copy of what a reference names stands for the reference.
        """
        observed = self._claimed(observed)
        for hint in known:
            if hint.value.type is Type.REFERENCE:
                shown = self.image(hint) if observed.holds_plaintext else None
                if isinstance(shown, Entry) and shown.value == observed.value:
                    return replace(observed, value=hint.value)
                continue
            if observed.value.type is not Type.STRING or hint.value.type is Type.STRING:
                continue
            try:
                value = Value.parse(hint.value.type, observed.value.text)
            except ValueError:
                continue
            lifted = replace(observed, value=value, secret=observed.secret or hint.secret)
            shown = self.image(lifted)
            if isinstance(shown, Entry) and shown.value.type is Type.STRING:
                return lifted
        sticky = observed.secret or any(hint.secret for hint in known)
        return replace(observed, secret=sticky)

    def _exceeds(self, item: Item) -> str:
        value = item.value or b""
        if self.features.text_values:
            try:
                value.decode("utf-8")
            except UnicodeDecodeError:
                return "the place holds text only, and this is not UTF-8"
        return exceeds(self.features.ids, item.id, "name") or exceeds(
            self.features.values, value.decode("utf-8", "surrogateescape"), "value"
        )

    # Writing

    def rehearse(
        self, id: ItemId, pushes: Sequence[tuple[Key, Entry | None]], existing: Item | None
    ) -> Rehearsed:
        """The write that overlays what ``existing`` holds with ``pushes``; or the keys that spoil it."""
        try:
            return Rehearsed(self._overlay(id, pushes, existing))
        except MappingError as error:
            if len(pushes) == 1:
                return Rehearsed(None, ((pushes[0][0], str(error)),))
        refused = []
        for push in pushes:
            try:
                self._overlay(id, [push], existing)
            except MappingError as error:
                refused.append((push[0], str(error)))
        if refused:
            return Rehearsed(None, tuple(refused))
        reason = "together these changes do not fit into the item"
        return Rehearsed(None, tuple((key, reason) for key, _ in pushes))

    def _overlay(
        self, id: ItemId, pushes: Sequence[tuple[Key, Entry | None]], existing: Item | None
    ) -> Write:
        reading = self.read(existing) if existing else Reading({})
        if any(refusal.key is None for refusal in reading.refusals):
            raise MappingError(reading.refusals[0].reason)
        entries = {entry.key: entry for entry in self._all_entries(existing)}
        for key, entry in pushes:
            entries.pop(key, None)
            if entry is not None:
                entries[key] = self._spoken(id, entry)
        shown = self._shown(existing) if existing is not None else None
        item = self.mapping.write(
            id, list(entries.values()), existing if isinstance(shown, Refusal) else shown
        )
        if item is not None and self.mapping.single:
            item = self.secrecy.pointing(item, *entries.values())
        if item is None:
            if existing is None or existing.revision is None:
                raise MappingError(f"{id} is not there to be deleted")
            return Delete(id, existing.revision)
        if reason := self._exceeds(item):
            raise MappingError(reason)
        self._reads_back(item, pushes)
        return Put(
            id,
            item.value or b"",
            existing.revision if existing else None,
            item.secret,
            item.attributes,
        )

    def _spoken(self, id: ItemId, entry: Entry) -> Entry:
        spoken = self.secrecy.spoken(entry, id, self._field(entry.key))
        if isinstance(spoken, Unsayable):
            raise MappingError(spoken.reason)
        return spoken

    def _all_entries(self, existing: Item | None) -> list[Entry]:
        """Every entry of an item, those included that the link does not select: they survive."""
        if existing is None:
            return []
        return [entry for entry in self.mapping.read(existing) if isinstance(entry, Entry)]

    def _reads_back(self, item: Item, pushes: Sequence[tuple[Key, Entry | None]]) -> None:
        back = {e.key: self.sensitivity.mark(e) for e in self._entries(item) if isinstance(e, Entry)}
        for key, entry in pushes:
            image = self.image(entry) if entry else None
            if isinstance(image, Unsayable):
                raise MappingError(image.reason)
            shown = back.get(key)
            same = shown.value == image.value if shown and image else shown is image
            if not same:
                raise MappingError(f"{key} does not survive the trip to {self.link}")


def exceeds(limits: Limits, text: str, what: str) -> str:
    """Why a name or value cannot be held, or nothing. Never quotes the text."""
    size = len(text.encode("utf-8", "surrogateescape"))
    if size < limits.min_bytes:
        return (
            f"the {what} has {size} bytes, under the place's {limits.min_bytes}"
            if size
            else f"the {what} is empty"
        )
    if limits.max_bytes is not None and size > limits.max_bytes:
        return f"the {what} has {size} bytes, over the place's {limits.max_bytes}"
    if limits.pattern is not None and not re.fullmatch(limits.pattern, text, re.DOTALL):
        return f"the {what} is not one that the place takes: {limits.pattern_reason or limits.pattern}"
    for rule in limits.rules:
        if re.search(rule.forbidden, text):
            return rule.reason
    return ""
