"""A job on stores in memory, with a hand at every side: what the tests of the engine stand on."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from ecs_sync import sync
from ecs_sync.adapter import Adapter
from ecs_sync.amend import change
from ecs_sync.limits import Limits
from ecs_sync.model import HAND_PRIORITY, Entry, Key, Rank, Scope, Value
from ecs_sync.pace import Pace, Paced
from ecs_sync.plan import Plan
from ecs_sync.policy import WORDS, First, JobPolicy, LinkPolicy, Mode, Secrets
from ecs_sync.reads import Reads
from ecs_sync.reference import Reference
from ecs_sync.remote import Remote
from ecs_sync.report import Report
from ecs_sync.resolve import Resolver
from ecs_sync.selection import Selection
from ecs_sync.sensitivity import Sensitivity
from ecs_sync.store import Cipher, Store
from ecs_sync.tracks import identity_of
from ecs_sync_adapters.memory import MemoryAdapter, MemoryOptions, MemoryPlace
from ecs_sync_adapters.memory_store import Memory, forget, memory
from ecs_sync_mappings.document import DocumentMapping, DocumentOptions
from ecs_sync_mappings.path import PathMapping, PathOptions

SCOPE = Scope(tenant="acme", environment="test")
HAND = Rank(HAND_PRIORITY, "hand")
KEY = bytes(range(32))
CIPHER_KEY = bytes(range(32, 64))
QUICK = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Where many stores are made and thrown away: in memory where the system offers that."""
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
    types: Literal["text", "json"] = "text"
    hard_deletes: bool = True
    document: bool = False
    """All keys in one JSON document, instead of an item for each."""
    secrets: Secrets = Secrets.COPY


class House:
    """A store on disk and a place in memory for every link; open it with `open_house`."""

    def __init__(self, store: Store, links: Iterable[LinkSpec], policy: JobPolicy, limits: Limits) -> None:
        self.store, self.policy, self.limits = store, policy, limits
        self.protected: tuple[Selection, ...] = ()
        self.secret: tuple[str, ...] = ()
        self.settle = 0.0
        """Seconds that every link waits for what it wrote to be in force."""
        self.around: Callable[[str, Adapter], Adapter] = lambda link, adapter: adapter
        """Puts something around the adapter of each link, to watch its calls."""
        self.vaults: tuple[str, ...] = ()
        """Connections of secrets beside those of the links; like these, named."""
        self.may_open: Callable[[Reference], bool] = lambda _: True
        self.reads = Reads()
        self._stores: dict[str, str] = {}
        self.links = tuple(links)

    def place(self, link: str) -> Memory:
        """What is at a link, behind its adapter's back."""
        return memory(self._store_of(link))

    def _store_of(self, link: str) -> str:
        return self._stores.setdefault(link, f"house-{next(_names)}-{link}")

    def _spec(self, link: str) -> LinkSpec:
        return next(spec for spec in self.links if spec.name == link)

    def forget(self) -> None:
        """Lets go of what is at the places."""
        for name in self._stores.values():
            forget(name)

    def edit(self, link: str, **changes: Any) -> None:
        """Edits a link in the configuration."""
        self.links = tuple(replace(spec, **changes) if spec.name == link else spec for spec in self.links)

    @property
    def job(self) -> sync.Job:
        resolver = Resolver(
            frozenset([*self.vaults, *(spec.name for spec in self.links)]), self._connected, self.may_open
        )
        remotes = tuple(self._remote(spec, resolver) for spec in self.links)
        return sync.Job("job", SCOPE, self.policy, self.limits, self.protected, remotes, resolver, self.reads)

    def _connected(self, name: str) -> Paced:
        vault = LinkSpec(name, options={"holds_secrets": True, "history": True})
        spec = next((spec for spec in self.links if spec.name == name), vault)
        adapter = MemoryAdapter(MemoryOptions(name=self._store_of(name), **spec.options))
        return Paced(self.around(name, adapter), Pace(attempts=1), reads=self.reads.of(name))

    def _remote(self, spec: LinkSpec, resolver: Resolver) -> Remote:
        place = MemoryPlace(spec.prefix)
        mapping = (
            DocumentMapping(DocumentOptions(format="json"), place, SCOPE)
            if spec.document
            else PathMapping(PathOptions(types=spec.types), place, SCOPE)
        )
        spelled = "document" if spec.document else f"path {spec.types}"
        policy = LinkPolicy(spec.name, spec.mode, WORDS[spec.mode], spec.priority, spec.first, **spec.policy)
        return Remote(
            spec.name,
            policy,
            self._connected(spec.name),
            place,
            mapping,
            identity_of(str(place), spelled, spec.select.text, str(spec.mode)),
            self.store.fingerprinter,
            spec.select,
            Sensitivity(self.secret),
            hard_deletes=spec.hard_deletes,
            secrets=spec.secrets,
            settle=self.settle,
            connection=spec.name,
            resolver=resolver,
        )

    def plan(self) -> Plan:
        return sync.plan(self.job, self.store)

    def run(self, **order: Any) -> Report:
        return sync.run(self.job, self.store, sync.Order("tester", **order))

    def sync(self) -> Report:
        """A run; and where a limit stops it, the same by permission."""
        report = self.run()
        return self.run(allow=report.plan.id) if report.stops else report

    def set(self, **values: str | int | None) -> None:
        """Edits entries in the store by hand; None unsets. ``__`` in a name stands for ``/``."""
        entries = {}
        for name, given in values.items():
            key = Key.parse(name.replace("__", "/"))
            value = Value.integer(given) if isinstance(given, int) else Value.string(given or "")
            entries[key] = None if given is None else Entry(key, value)
        change(self.job, self.store, sync.Order("tester"), HAND, entries)

    def set_secret(self, **values: str) -> None:
        """Edits secrets in the store by hand."""
        entries = {Key(name): Entry(Key(name), Value.string(text), True) for name, text in values.items()}
        change(self.job, self.store, sync.Order("tester"), HAND, entries)

    def at(self, link: str, prefix: str = "app/") -> dict[str, str]:
        """What is at a link's place: names without their prefix, and values."""
        items = self.place(link).items()
        if self._spec(link).document:
            return dict(json.loads(items.get("app/", b"{}")))
        return {
            id.removeprefix(prefix): value.decode() for id, value in items.items() if id.startswith(prefix)
        }

    def put(self, link: str, **values: str | None) -> None:
        """Edits a place from outside; None deletes."""
        if self._spec(link).document:
            edited = {name: value for name, value in {**self.at(link), **values}.items() if value is not None}
            self.place(link).set("app/", json.dumps(edited).encode())
            return
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


@cache
def _template(cipher: Cipher | None) -> bytes:
    """A store that was just made: making one takes much longer than copying it."""
    with TemporaryDirectory(dir=QUICK) as folder:
        path = Path(folder) / "store.db"
        Store.create(f"sqlite:///{path}", cipher=cipher, fingerprint_key=KEY).close()
        return path.read_bytes()


@contextmanager
def reopened(made: bytes, cipher: Cipher | None = None) -> Iterator[Store]:
    """A store from the bytes of one, in a folder of its own."""
    with TemporaryDirectory(dir=QUICK) as folder:
        path = Path(folder) / "store.db"
        path.write_bytes(made)
        with Store.open(f"sqlite:///{path}", cipher=cipher, fingerprint_key=KEY) as store:
            yield store


@contextmanager
def quick_house(
    *links: LinkSpec,
    policy: JobPolicy = JobPolicy(),
    limits: Limits = NO_LIMITS,
    cipher: Cipher | None = None,
) -> Iterator[House]:
    """A house with a new store, for one example among many."""
    with reopened(_template(cipher), cipher) as store:
        house = House(store, links, policy, limits)
        try:
            yield house
        finally:
            house.forget()
