"""The port of the anti-corruption layer: pure translation between one item and its entries.

A mapping is a lens, and keeps its laws for every item ``I`` and all entries ``E`` that it accepts:

* PutGet: ``read(write(id, E, I)) == E`` in the mapping's image, that is after one trip;
* GetPut: ``write(id, read(I), I)`` has the value and attributes of ``I``, byte for byte.

Built as ``SomeMapping(options, place, scope)``; found through the entry points ``ecs_sync.mappings``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

from ecs_sync.adapter import Item, ItemId
from ecs_sync.model import Entry, Key


@dataclass(frozen=True, slots=True)
class Refusal:
    """Something that a mapping cannot carry, and the sentence that says why without the value.

    ``key`` is None where not even the key can be told; ``item`` names the item where one is meant.
    """

    reason: str
    key: Key | None = None
    item: ItemId | None = None


class Mapping(Protocol):
    """One translation, built per link from its options, place and scope. Does no I/O."""

    Options: ClassVar[type]

    @property
    def single(self) -> bool:
        """Every item holds at most one entry."""
        ...

    @property
    def ordered(self) -> bool:
        """Items in the byte order of their ids yield entries in the order of their keys."""
        ...

    def locate(self, key: Key) -> ItemId | Refusal:
        """The item that holds, or would hold, this key."""
        ...

    def read(self, item: Item) -> Sequence[Entry | Refusal]:
        """What a readable item holds for us. A refused field makes its key unseen, never absent."""
        ...

    def write(self, id: ItemId, entries: Sequence[Entry], existing: Item | None) -> Item | None:
        """The item that shall hold exactly ``entries`` of ours; None deletes it.

        What else ``existing`` holds survives. Raises `MappingError` where the entries cannot be said
        in the item's terms.
        """
        ...


@runtime_checkable
class NamesFields(Protocol):
    """The optional ability of a mapping whose items are JSON: where in its item a key's value is."""

    def field(self, key: Key) -> str | None:
        """The names that lead to the value, as a reference's ``#FIELD`` writes them; None: there are none."""
        ...
