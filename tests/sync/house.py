"""A job on stores in memory, with a hand at every side: what the tests of the engine stand on."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ecs_sync import sync
from ecs_sync.amend import change
from ecs_sync.limits import Limits
from ecs_sync.model import HAND_PRIORITY, Entry, Key, Rank, Scope, Value
from ecs_sync.pace import Pace, Paced
from ecs_sync.plan import Plan
from ecs_sync.policy import WORDS, First, JobPolicy, LinkPolicy, Mode
from ecs_sync.remote import Remote
from ecs_sync.report import Report
from ecs_sync.selection import Selection
from ecs_sync.sensitivity import Sensitivity
from ecs_sync.store import Cipher, Store
from ecs_sync.tracks import identity_of
from ecs_sync_adapters.memory import MemoryAdapter, MemoryOptions, MemoryPlace
from ecs_sync_adapters.memory_store import Memory, memory
from ecs_sync_mappings.path import PathMapping, PathOptions

SCOPE = Scope(tenant="acme", environment="test")
HAND = Rank(HAND_PRIORITY, "hand")
KEY = bytes(range(32))
NO_LIMITS = Limits(deletes=100, changes=100, floor=1_000_000)

_names = itertools.count()


@dataclass(frozen=True)
class LinkSpec:
    """One link of a test job. ``options`` are those of the adapter in memory."""

    name: str
    mode: Mode = Mode.TWO_WAY
    priority: int = 50
    first: First = First.HOLD
    prefix: str = "app/"
    options: Mapping[str, Any] = field(default_factory=dict)
    policy: Mapping[str, Any] = field(default_factory=dict)
    select: Selection = Selection()
    types: str = "text"
    hard_deletes: bool = True


class House:
    """A store on disk and a place in memory for every link; open it with `open_house`."""

    def __init__(self, store: Store, links: Iterable[LinkSpec], policy: JobPolicy, limits: Limits) -> None:
        self.store, self.policy, self.limits = store, policy, limits
        self.protected: tuple[Selection, ...] = ()
        self.secret: tuple[str, ...] = ()
        self._stores: dict[str, str] = {}
        self.links = tuple(links)

    def place(self, link: str) -> Memory:
        """What is at a link, behind its adapter's back."""
        return memory(self._store_of(link))

    def _store_of(self, link: str) -> str:
        return self._stores.setdefault(link, f"house-{next(_names)}-{link}")

    def edit(self, link: str, **changes: Any) -> None:
        """Edits a link in the configuration."""
        self.links = tuple(replace(spec, **changes) if spec.name == link else spec for spec in self.links)

    @property
    def job(self) -> sync.Job:
        remotes = tuple(self._remote(spec) for spec in self.links)
        return sync.Job("job", SCOPE, self.policy, self.limits, self.protected, remotes)

    def _remote(self, spec: LinkSpec) -> Remote:
        place = MemoryPlace(spec.prefix)
        adapter = MemoryAdapter(MemoryOptions(name=self._store_of(spec.name), **spec.options))
        policy = LinkPolicy(spec.name, spec.mode, WORDS[spec.mode], spec.priority, spec.first, **spec.policy)
        return Remote(
            spec.name,
            policy,
            Paced(adapter, Pace(attempts=1)),
            place,
            PathMapping(PathOptions(types=spec.types), place, SCOPE),
            identity_of(str(place), f"path {spec.types}", spec.select.text, str(spec.mode)),
            self.store.fingerprinter,
            spec.select,
            Sensitivity(self.secret),
            hard_deletes=spec.hard_deletes,
        )

    def plan(self) -> Plan:
        return sync.plan(self.job, self.store)

    def run(self, **order: Any) -> Report:
        return sync.run(self.job, self.store, sync.Order("tester", **order))

    def set(self, **values: str | int | None) -> None:
        """Edits entries in the store by hand; None unsets. ``__`` in a name stands for ``/``."""
        entries = {}
        for name, given in values.items():
            key = Key.parse(name.replace("__", "/"))
            value = Value.integer(given) if isinstance(given, int) else Value.string(given or "")
            entries[key] = None if given is None else Entry(key, value)
        change(self.job, self.store, sync.Order("tester"), HAND, entries)

    def at(self, link: str, prefix: str = "app/") -> dict[str, str]:
        """What is at a link's place: names without their prefix, and values."""
        items = self.place(link).items()
        return {
            id.removeprefix(prefix): value.decode() for id, value in items.items() if id.startswith(prefix)
        }

    def put(self, link: str, **values: str | None) -> None:
        """Edits a place from outside; None deletes."""
        for name, value in values.items():
            id = "app/" + name.replace("__", "/")
            if value is None:
                self.place(link).delete(id)
            else:
                self.place(link).set(id, value.encode())

    @property
    def entries(self) -> dict[str, str]:
        """What the store holds now."""
        found = self.store.at(SCOPE, self.store.head())
        return {key: stored.entry.value.text for key, stored in found.items() if stored.entry is not None}


def open_house(
    folder: Path,
    *links: LinkSpec,
    policy: JobPolicy = JobPolicy(),
    limits: Limits = NO_LIMITS,
    cipher: Cipher | None = None,
) -> House:
    """A house with a new store in ``folder``."""
    store = Store.create(f"sqlite:///{folder / 'store.db'}", cipher=cipher, fingerprint_key=KEY)
    return House(store, links, policy, limits)
