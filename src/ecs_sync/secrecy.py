"""What becomes of secrets on their way to a place and back, as the link says: reference, copy or refuse.

A place shows text. Where the text spells a reference, or the provider has a reference of its own there,
the entry is that reference; and where a link refers to the secrets that lie at its own place, what it
shows of them are references to them, so that the store never holds the secrets themselves.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ecs_sync.abilities import Refers
from ecs_sync.adapter import Adapter, Item, ItemId, attributes
from ecs_sync.diff import Unsayable
from ecs_sync.mapping import Refusal
from ecs_sync.model import Entry, Type
from ecs_sync.policy import Secrets
from ecs_sync.reference import Reference, reads_as_reference
from ecs_sync.resolve import Resolver, Unresolved


@dataclass(frozen=True, slots=True)
class Secrecy:
    """One link's way with secrets. Without a ``resolver`` no reference can be opened."""

    says: Secrets
    adapter: Adapter
    connection: str = ""
    resolver: Resolver | None = None

    # From the place

    def heard(self, entry: Entry) -> Entry:
        """The entry that a place's text means: a reference where it spells one."""
        if entry.value.type is not Type.STRING:
            return entry
        reference = self._spelled(entry.value.text)
        return entry if reference is None else replace(entry, value=reference.value, secret=True)

    def _spelled(self, text: str) -> Reference | None:
        found = reads_as_reference(text)
        if found is None or text.startswith("@"):
            return found
        # Without the mark it may be any text: it is ours only where the connection is.
        known = self.resolver is not None and found.connection in self.resolver.names
        return found if known else None

    def pointed(self, item: Item) -> Item | Refusal:
        """The item with its provider's own reference spelled as ours; a refusal where we cannot name it."""
        if not (self.adapter.features.refers and isinstance(self.adapter, Refers)):
            return item
        address = self.adapter.pointed(item)
        if address is None:
            return item
        reference = self.resolver.at_address(address) if self.resolver is not None else None
        if reference is None:
            return Refusal(
                f"it points at {address}, which no connection of the configuration has: "
                "add one, or leave the key out",
                item=item.id,
            )
        pointer = self.adapter.pointer(address)
        marks = dict(pointer.attributes if pointer is not None else ())
        kept = [pair for pair in item.attributes if pair[0] not in marks]
        return replace(item, value=reference.text.encode(), secret=False, attributes=attributes(kept))

    def claimed(self, entry: Entry, id: ItemId, field: str | None) -> Entry:
        """A secret that lies at a place which the link refers to, as the reference to it."""
        if self.says is not Secrets.REFERENCE or not self.adapter.features.holds_secrets:
            return entry
        if not entry.holds_plaintext:
            return entry
        return replace(entry, value=Reference(self.connection, id, field=field).value)

    # To the place

    def spoken(self, entry: Entry, id: ItemId, field: str | None) -> Entry | Unsayable:
        """What is written for an entry: itself, the plaintext behind it, or the text of the reference."""
        if not entry.secret:
            return entry
        match self.says:
            case Secrets.REFUSE:
                return Unsayable("it is a secret, and the link says 'secrets: refuse'")
            case Secrets.COPY if not self.adapter.features.holds_secrets:
                return Unsayable("it is a secret, and this place is not made for secrets")
            case Secrets.COPY:
                return entry if entry.holds_plaintext else self._opened(entry)
            case Secrets.REFERENCE if entry.holds_plaintext:
                return Unsayable(
                    "it is a secret that no reference stands for, and the link says 'secrets: reference'"
                )
            case Secrets.REFERENCE if entry.value == Reference(self.connection, id, field=field).value:
                return self._opened(entry)
            case Secrets.REFERENCE:
                return replace(entry, secret=False)

    def _opened(self, entry: Entry) -> Entry | Unsayable:
        if self.resolver is None:
            return Unsayable("there is nobody to open its reference")
        value = self.resolver.open(Reference.parse(entry.value.text))
        if isinstance(value, Unresolved):
            return Unsayable(value.reason)
        return replace(entry, value=value)

    def pointing(self, item: Item, entry: Entry) -> Item:
        """The item of an entry that was spoken; a reference as its provider writes it, where it can."""
        if entry.value.type is not Type.REFERENCE or self.resolver is None:
            return item
        if not (self.adapter.features.refers and isinstance(self.adapter, Refers)):
            return item
        address = self.resolver.address(Reference.parse(entry.value.text))
        pointer = self.adapter.pointer(address) if address is not None else None
        if pointer is None:
            return item
        marked = attributes({**dict(item.attributes), **dict(pointer.attributes)})
        return replace(item, value=pointer.value, attributes=marked)
