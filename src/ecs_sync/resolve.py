"""Opens references: reads a secret where it is kept, once a run, for a job that may.

What is read stays in memory until the run ends. Nothing here writes, logs or shows a value.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ecs_sync.abilities import Addresses, Peeks, Pins
from ecs_sync.adapter import Adapter, Item, ItemId, Price
from ecs_sync.errors import AdapterError, EcsSyncError
from ecs_sync.meter import Meter
from ecs_sync.model import Type, Value
from ecs_sync.nearest import nearest
from ecs_sync.pointwise import Ask, read_each
from ecs_sync.reference import Reference


@dataclass(frozen=True, slots=True)
class Unresolved:
    """Why a reference cannot be opened now."""

    reason: str


@dataclass(frozen=True, slots=True)
class Sight:
    """The state of a secret without its value: a moved revision wants a closer look."""

    revision: str | None
    changed: str | None


@dataclass(frozen=True, slots=True)
class Resolver:
    """Opens references for one job.

    ``connections`` builds the adapter of a connection when it is first needed and raises EcsSyncError;
    ``may`` says whether the job may open a reference: whoever can write a place that the job reads could
    else have any secret of the installation copied.
    """

    names: frozenset[str]
    connections: Callable[[str], Adapter]
    may: Callable[[Reference], bool]
    meters: dict[str, Meter] = field(default_factory=dict)
    """The calls that were made, by connection."""
    _items: dict[Reference, Item | Unresolved] = field(default_factory=dict)
    _gate: threading.Lock = field(default_factory=threading.Lock)

    def open(self, reference: Reference) -> Value | Unresolved:
        """The plaintext of a reference."""
        self.read([reference])
        item = self._items[reference.whole]
        return item if isinstance(item, Unresolved) else plaintext(item, reference)

    def read(self, references: Iterable[Reference]) -> None:
        """Reads the secrets of these references that were not read yet, in as few calls as it takes."""
        with self._gate:
            wanted = _sorted({each.whole for each in references} - self._items.keys())
            for connection, group in _by_connection(wanted).items():
                refused = {each: reason for each in group if (reason := self._barred(each)) is not None}
                self._items.update(refused)
                self._items.update(self._fetch(connection, [each for each in group if each not in refused]))

    def look(self, references: Iterable[Reference]) -> dict[Reference, Sight | Unresolved]:
        """The state of the secret behind each reference, without reading it where the provider can do so.

        A pinned version never moves, and is not looked at.
        """
        seen: dict[Reference, Sight | Unresolved] = {}
        wholes = _sorted({each.whole for each in references})
        pinned = {each for each in wholes if each.version is not None}
        seen.update((each, Sight(each.version, None)) for each in pinned)
        for connection, group in _by_connection(each for each in wholes if each not in pinned).items():
            refused = {each: reason for each in group if (reason := self._barred(each)) is not None}
            seen.update(refused)
            allowed = [each for each in group if each not in refused]
            adapter = self._adapter(connection)
            if isinstance(adapter, Unresolved):
                seen.update((each, adapter) for each in allowed)
            elif isinstance(adapter, Peeks) and adapter.features.peeks:
                found = self._asked(connection, adapter.peek, adapter.features.prices.peek, allowed)
                seen.update((each, _seen(_item(each, found))) for each in allowed)
            else:
                self.read(allowed)
                seen.update((each, _seen(self._items[each])) for each in allowed)
        return {each: seen[each.whole] for each in references}

    # Names that hold elsewhere

    def address(self, reference: Reference) -> str | None:
        """The name of a secret that other providers know it by, where it has one."""
        adapter = self._adapter(reference.connection)
        if reference.field is not None or not isinstance(adapter, Addresses):
            return None
        return adapter.address(reference.name, reference.version)

    def at_address(self, address: str) -> Reference | None:
        """The reference to a secret that another provider names, where one of our connections has it."""
        for name in sorted(self.names):
            adapter = self._adapter(name)
            found = adapter.addressed(address) if isinstance(adapter, Addresses) else None
            if found is not None:
                return Reference(name, *found)
        return None

    # Asking providers

    def _barred(self, reference: Reference) -> Unresolved | None:
        """Why the job may not open a reference. One that leads nowhere is not a matter of permission."""
        if reference.connection not in self.names:
            return self._nowhere(reference.connection)
        return None if self.may(reference) else Unresolved(_not_allowed(reference))

    def _nowhere(self, connection: str) -> Unresolved:
        near = nearest(connection, sorted(self.names)) or ": add it, or correct the reference"
        return Unresolved(f"there is no connection {connection!r} in the configuration{near}")

    def _adapter(self, connection: str) -> Adapter | Unresolved:
        if connection not in self.names:
            return self._nowhere(connection)
        try:
            return self.connections(connection)
        except EcsSyncError as error:
            return Unresolved(f"connection {connection!r} cannot be used: {error}")

    def _fetch(
        self, connection: str, references: Sequence[Reference]
    ) -> Mapping[Reference, Item | Unresolved]:
        adapter = self._adapter(connection)
        if isinstance(adapter, Unresolved):
            return dict.fromkeys(references, adapter)
        newest = [each for each in references if each.version is None]
        found = self._asked(connection, adapter.get, adapter.features.prices.get, newest)
        self.meters[connection].add(len(references) - len(newest))
        return {
            each: _item(each, found) if each.version is None else _pinned(adapter, each)
            for each in references
        }

    def _asked(self, connection: str, ask: Ask, price: Price, references: Sequence[Reference]) -> Answers:
        meter = self.meters.setdefault(connection, Meter())
        features = self.connections(connection).features
        return read_each(ask, features, [each.name for each in references], price, meter)


def plaintext(item: Item, reference: Reference) -> Value | Unresolved:
    """The part of a secret that a reference means; of a field, with its type in the JSON."""
    if item.value is None:
        return Unresolved(f"{reference.whole} has no value that can be read")
    try:
        whole = Value.string(item.value.decode("utf-8"))
    except UnicodeDecodeError:
        whole = Value.bytes(item.value)
    if reference.field is None:
        return whole
    found = whole.within(reference.steps)
    if found is None:
        return Unresolved(_no_field(whole, reference))
    # A null stands for a secret that is not there: as a copy it would blank the place.
    if found.type is Type.NULL:
        return Unresolved(
            f"the field {reference.field!r} of {reference.whole} is null: give it a value, or name another"
        )
    return found


def _no_field(whole: Value, reference: Reference) -> str:
    found = whole.within(())
    if found is not None and found.type is Type.JSON and found.text.startswith("{"):
        return f"{reference.whole} has no field {reference.field!r}: add it there, or name another"
    return (
        f"{reference.whole} has no fields, because it is no JSON object: write {reference.whole.text!r} "
        f"without '#{reference.field}' for all of it"
    )


Answers = Mapping[ItemId, Item | None]


def _item(reference: Reference, found: Answers) -> Item | Unresolved:
    if reference.name not in found:
        return Unresolved(f"the read of {reference.whole} was not answered: try again")
    item = found[reference.name]
    if item is None:
        return Unresolved(f"{reference.whole} is not there: create it, or correct the reference")
    return item if item.unreadable is None else Unresolved(item.unreadable)


def _seen(item: Item | Unresolved) -> Sight | Unresolved:
    if isinstance(item, Unresolved):
        return item
    return Sight(item.revision, item.changed.isoformat() if item.changed else None)


def fetched(adapter: Adapter, reference: Reference) -> Item | Unresolved:
    """The secret of a reference, asked for now, by itself. Raises AdapterError where it is not answered."""
    name, version = reference.name, reference.version
    found: dict[ItemId, Item | None] = {}
    if version is None:
        for page in adapter.get([name]).pages:
            found.update({item.id: item for item in page.items})
            found.update(dict.fromkeys(page.absent))
    elif isinstance(adapter, Pins) and adapter.features.pins:
        found[name] = adapter.version(name, version)
    else:
        return Unresolved(f"{reference.connection!r} cannot read one version of a secret: leave it out")
    return _item(reference, found)


def _pinned(adapter: Adapter, reference: Reference) -> Item | Unresolved:
    try:
        return fetched(adapter, reference)
    except AdapterError as error:
        return Unresolved(str(error))


def _sorted(references: Iterable[Reference]) -> list[Reference]:
    return sorted(references, key=lambda each: each.text)


def _by_connection(references: Iterable[Reference]) -> dict[str, list[Reference]]:
    groups: dict[str, list[Reference]] = {}
    for each in references:
        groups.setdefault(each.connection, []).append(each)
    return groups


def _not_allowed(reference: Reference) -> str:
    return (
        f"the job may not open {reference.whole}: list it in the job's 'references', "
        f'such as references: ["{reference.connection}/{reference.name}"]'
    )
