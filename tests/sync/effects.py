"""Every effect of a run, counted: each commit of the store and each call of an adapter.

A run can be made to die before or after any of them, as a process does: from then on nothing of it has
an effect any more. Or something else can happen at that moment.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from typing import Any, cast

from ecs_sync.adapter import Adapter, ItemId, Listing, Outcome, Revision, Token, Write
from ecs_sync.store import Lease, Store, Transaction
from tests.sync.house import House, reopened


class Killed(BaseException):
    """The process died."""


class Effects:
    """Counts effects, and lets ``act`` happen before the effect of number ``at``, from 0.

    An effect in which nothing happened yet still counts, so ``before`` the one behind the last never comes.
    """

    def __init__(self, at: int | None = None, act: Callable[[], None] = lambda: None) -> None:
        self.count = 0
        self.dead = False
        self.calls: Counter[str] = Counter()
        self._at, self._act = at, act
        self._lock = threading.Lock()

    def die(self) -> None:
        self.dead = True
        raise Killed

    @contextmanager
    def around(self, what: str) -> Iterator[None]:
        with self._lock:
            if self.dead:
                raise Killed
            number, self.count = self.count, self.count + 1
            self.calls[what] += 1
            if number == self._at:
                self._act()
        yield
        if self.dead:
            raise Killed


class KillBefore(Effects):
    def __init__(self, at: int) -> None:
        super().__init__(at, self.die)


class KillAfter(Effects):
    """The effect itself happens; its answer never comes."""

    def __init__(self, at: int) -> None:
        def die_later() -> None:
            self.dead = True

        super().__init__(at, die_later)


class WatchedStore:
    """A store whose commits are counted. Giving back the lease is what the system does for the dead."""

    def __init__(self, store: Store, effects: Effects) -> None:
        self._store, self._effects = store, effects

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @contextmanager
    def transaction(self, lease: Lease | None = None) -> Iterator[Transaction]:
        with self._effects.around("commit"), self._store.transaction(lease) as transaction:
            yield transaction


class WatchedAdapter:
    """An adapter whose calls are counted."""

    def __init__(self, adapter: Any, effects: Effects) -> None:
        self._adapter, self._effects = adapter, effects
        self.features = adapter.features

    def list(self, place: Any, since: Token | None) -> Listing:
        with self._effects.around("list"):
            return cast("Listing", self._adapter.list(place, since))

    def get(self, ids: Sequence[ItemId]) -> Listing:
        with self._effects.around("get"):
            return cast("Listing", self._adapter.get(ids))

    def history(self, id: ItemId, after: Revision | None) -> Listing:
        with self._effects.around("history"):
            return cast("Listing", self._adapter.history(id, after))

    def write(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        with self._effects.around("write"):
            return cast("Sequence[Outcome]", self._adapter.write(writes))

    def close(self) -> None:
        self._adapter.close()


@contextmanager
def watched(house: House, effects: Effects) -> Iterator[None]:
    """Inside, every effect of the house's runs is counted."""
    store, around = house.store, house.around
    house.store = cast("Store", WatchedStore(store, effects))
    house.around = lambda link, adapter: cast("Adapter", WatchedAdapter(adapter, effects))
    try:
        yield
    finally:
        house.store, house.around = store, around


_STATE = ("_items", "_versions", "_moved", "_clock", "counting")


class Photograph:
    """A house as it was: its store's bytes, and what is at its places."""

    def __init__(self, house: House) -> None:
        house.store.close()
        self._store = Path(house.store.database.where.removeprefix("sqlite:///")).read_bytes()
        self._links, self._policy, self._limits = house.links, house.policy, house.limits
        self._places = {spec.name: _state(house.place(spec.name)) for spec in house.links}

    @contextmanager
    def developed(self) -> Iterator[House]:
        """A house like it."""
        with reopened(self._store) as store:
            house = House(store, self._links, self._policy, self._limits)
            for link, state in self._places.items():
                house.place(link).__dict__.update(_copied(state))
            try:
                yield house
            finally:
                house.forget()


def _state(memory: object) -> dict[str, Any]:
    return _copied({name: vars(memory)[name] for name in _STATE})


def _copied(state: dict[str, Any]) -> dict[str, Any]:
    copied = {name: copy(value) for name, value in state.items()}
    copied["_versions"] = {id: list(versions) for id, versions in state["_versions"].items()}
    return copied
