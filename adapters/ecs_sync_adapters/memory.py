"""Stores that live in this process, for trials and tests: the adapter ``memory``.

A real adapter over a `ecs_sync_adapters.memory_store.Memory`, with every class of guard and every
feature to choose from, so that whoever writes an engine, a mapping or a test can have each of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, Self

from ecs_sync.abilities import Pointer
from ecs_sync.adapter import (
    Attributes,
    Delete,
    Features,
    Guard,
    Item,
    ItemId,
    Limits,
    Listing,
    Outcome,
    Page,
    Price,
    Prices,
    Proof,
    Put,
    Revision,
    Rule,
    Token,
    Verdict,
    Write,
    attributes,
    option,
)
from ecs_sync.errors import AdapterError, Rejected

from .memory_limits import problem_of
from .memory_store import Counting, Visible, WriteFault, memory, stripped

_Class = Literal["A", "B", "C", "D"]
_POINTS = "application/x-reference"


@dataclass(frozen=True, slots=True)
class MemoryOptions:
    """Which store, and what kind of provider it shall be."""

    name: str = option(
        "The store's name; connections of one name share one store", default="default", where=True
    )
    guard: _Class = option("The class of protection", default="A")
    batch: int = option("Writes that one call takes", default=1)
    delete_batch: int | None = option("Deletes that one call takes, where more than batch", default=None)
    batch_bytes: int | None = option("Bytes of ids and values that one call takes", default=None)
    atomic_batch: bool = option("A batch is applied whole or not at all", default=False)
    page: int = option("Items in one page of a listing", default=100)
    ordered: bool = option("Listings come in the byte order of ids", default=True)
    values_in_listing: bool = option("Listings carry values", default=True)
    folds_case: bool = option("Declares that case does not count in names", default=False)
    text_values: bool = option("Values that are not UTF-8 are refused", default=False)
    holds_secrets: bool = option("Made for secrets; else it forgets what is one", default=False)
    history: bool = option("Old versions are kept; class C always keeps them", default=False)
    revisions: Counting = option(
        "rising: no revision comes twice; restarting: items count from 1, again after a delete",
        default="rising",
    )
    change_times: bool = option("Items carry a change time, from the store's own clock", default=False)
    tokens: bool = option("Listings can answer 'unchanged since', and places can be watched", default=True)
    current: bool = option("Reads show all that was acknowledged; else they are not trusted to", default=True)
    finishes: bool = option("Its readers are told after a run", default=False)
    refers: bool = option("Has references of its own to the secrets of other stores", default=False)
    managed_attributes: tuple[str, ...] = option("Attributes that a write sets", default=("content-type",))
    min_value_bytes: int = option("The shortest value", default=0)
    max_value_bytes: int | None = option("The longest value", default=None)
    max_id_bytes: int | None = option("The longest id", default=None)
    forbidden: str | None = option("A pattern that must not be found in an id", default=None)


@dataclass(frozen=True, slots=True)
class MemoryPlace:
    """All items whose ids begin with a prefix. ``/`` alone is the whole store."""

    prefix: str = option("Ends in '/', such as app/")

    def __post_init__(self) -> None:
        if not self.prefix.endswith("/"):
            raise ValueError(f"{self.prefix!r} would also mean its neighbours; write {self.prefix + '/'!r}")

    @classmethod
    def parse(cls, text: str) -> Self:
        return cls(text)

    @property
    def root(self) -> str:
        return "" if self.prefix == "/" else self.prefix

    def overlaps(self, other: Self) -> bool:
        return self.root.startswith(other.root) or other.root.startswith(self.root)

    def __str__(self) -> str:
        return self.prefix


class MemoryAdapter:
    """One store of this process. An update of class C tells by ``replaced`` what it overwrote.

    On class D a write compares and then, with a window in between, writes; on class B a delete does
    not compare. A write of what is gone is raced on every class.
    """

    Options: ClassVar[type] = MemoryOptions
    Place: ClassVar[type] = MemoryPlace

    def __init__(self, options: MemoryOptions) -> None:
        self.features = _features(options)
        self._options = options
        self._memory = memory(options.name)
        self._memory.counting = options.revisions

    def list(self, place: MemoryPlace, since: Token | None) -> Listing:
        """A snapshot of the moment of this call, in pages."""
        store = self._memory
        with store.lock:
            store.count("list")
            token = str(store.index(place.root)) if self._options.tokens else None
            if since is not None and since == token:
                return Listing(unchanged=True)
            items = [item for id, item in store.shown().items() if id.startswith(place.root)]
        items.sort(key=lambda item: item.id.encode()[:: 1 if self._options.ordered else -1])
        values: Visible = "shown" if self._options.values_in_listing else "hidden"
        return Listing(self._pages([self._as_shown(item, values) for item in items], token))

    def _pages(self, items: Sequence[Item], token: Token | None) -> Iterator[Page]:
        fault, size = self._memory.listing_fault(), self._options.page
        shown = items if fault is None else items[: fault.after]
        for start in range(0, len(shown), size):
            self._memory.count("page")
            yield Page(tuple(shown[start : start + size]))
        if fault is None:
            yield Page(proof=Proof(token), calls=0)
        elif fault.error is not None:
            raise fault.error

    def get(self, ids: Sequence[ItemId]) -> Listing:
        """All ids in one page."""
        store = self._memory
        with store.lock:
            store.count("get")
            found = [item for id in ids if (item := store.shown().get(id)) is not None]
            absent = tuple(id for id in ids if id not in store.shown())
        if (error := store.read_fault()) is not None:
            raise error
        items = tuple(self._as_shown(item, "shown") for item in found)
        return Listing([Page(items, absent, Proof())])

    def history(self, id: ItemId, after: Revision | None) -> Listing:
        """The versions after ``after``, oldest first. Raises `Rejected` where none are kept."""
        if not self.features.history:
            raise Rejected(f"memory {self._memory.name}: keeps no versions; set the option history")
        self._memory.count("history")
        items = [
            self._as_shown(item, "shown")
            for item in self._memory.versions(id)
            if after is None or int(item.revision or 0) > int(after)
        ]
        return Listing([Page(tuple(items), proof=Proof())])

    def peek(self, ids: Sequence[ItemId]) -> Listing:
        """All ids in one page, without values."""
        store = self._memory
        with store.lock:
            store.count("peek")
            found = [item for id in ids if (item := store.shown().get(id)) is not None]
            absent = tuple(id for id in ids if id not in store.shown())
        return Listing([Page(tuple(self._as_shown(item, "hidden") for item in found), absent, Proof())])

    def version(self, id: ItemId, version: str) -> Item | None:
        """A version that is kept. Raises `Rejected` where none are."""
        pages = self.history(id, None).pages
        return next((item for page in pages for item in page.items if item.revision == version), None)

    def address(self, id: ItemId, version: str | None) -> str:
        return f"memory://{self._memory.name}/{id}" + (f"@{version}" if version is not None else "")

    def addressed(self, address: str) -> tuple[ItemId, str | None] | None:
        start = f"memory://{self._memory.name}/"
        if not address.startswith(start):
            return None
        id, _, version = address.removeprefix(start).partition("@")
        return id, version or None

    def pointer(self, address: str) -> Pointer | None:
        """Any address of a store in memory."""
        known = self._options.refers and address.startswith("memory://")
        return Pointer(address.encode(), attributes({"content-type": _POINTS})) if known else None

    def pointed(self, item: Item) -> str | None:
        points = self._options.refers and dict(item.attributes).get("content-type") == _POINTS
        return (item.value or b"").decode() if points else None

    def watch(self, place: MemoryPlace, since: Token | None, timeout: float) -> bool:
        """Wakes on the first move below the place after ``since``, or after now."""
        self._memory.count("watch")
        index = self._memory.index(place.root) if since is None else int(since)
        return self._memory.wait(place.root, index, timeout)

    def write(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        """One outcome for each write. Raises `Rejected` for more writes than a batch takes."""
        store = self._memory
        store.count("write")
        self._check_size(writes)
        fault = store.write_fault(write.id for write in writes)
        if fault is None:
            return self._carry_out(writes)
        return self._answer(writes, fault)

    def _check_size(self, writes: Sequence[Write]) -> None:
        most, heaviest = self._options.batch, self._options.batch_bytes
        if all(isinstance(write, Delete) for write in writes):
            most = max(most, self._options.delete_batch or 0)
        if len(writes) > most:
            raise Rejected(f"memory {self._memory.name}: {len(writes)} writes, and a batch takes {most}")
        size = sum(len(w.id.encode()) + (len(w.value) if isinstance(w, Put) else 0) for w in writes)
        if heaviest is not None and size > heaviest:
            raise Rejected(f"memory {self._memory.name}: {size} bytes, and a batch takes {heaviest}")

    def finished(self, place: MemoryPlace, mark: str) -> None:
        """Notes the mark, or fails as the next write was told to."""
        self._memory.count("write")
        fault = self._memory.write_fault([place.root])
        if fault is not None and isinstance(fault.answer, AdapterError):
            raise fault.answer
        self._memory.finished.append(mark)

    def close(self) -> None:
        """Nothing is held open; the store stays."""

    def _as_shown(self, item: Item, values: Visible) -> Item:
        if self._memory.denied(item.id):
            return Item(item.id, None, unreadable="the credential may not read it; give it the permission")
        item = replace(item, settling=self._memory.settling.get(item.id))
        return stripped(item, values=values, times="shown" if self._options.change_times else "hidden")

    def _answer(self, writes: Sequence[Write], fault: WriteFault) -> Sequence[Outcome]:
        """What a call is answered that meets a fault; a verdict is for one write, an error for all."""
        if isinstance(fault.answer, AdapterError):
            self._land(writes, fault)
            raise fault.answer
        hit = next(write for write in writes if fault.id in (None, write.id))
        self._land([hit], fault)
        others = [write for write in writes if write is not hit]
        outcomes = _untried(others) if self._options.atomic_batch else self._carry_out(others)
        answered = iter(outcomes)
        failed = Outcome(hit.id, fault.answer, reason="as the test has it")
        return [failed if write is hit else next(answered) for write in writes]

    def _land(self, writes: Sequence[Write], fault: WriteFault) -> None:
        match fault.landing:
            case "never":
                return
            case "now":
                self._carry_out(writes)
            case "late":
                self._memory.arrives_late(lambda: self._carry_out(writes))

    def _carry_out(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        store = self._memory
        if self.features.guard is Guard.D:
            failures = self._failures(writes)
            store.let_in()
            with store.lock:
                return self._apply_all(writes, failures)
        store.let_in()
        with store.lock:
            return self._apply_all(writes, self._failures(writes))

    def _failures(self, writes: Sequence[Write]) -> dict[int, Outcome]:
        found = ((at, self._refused(write) or self._raced(write)) for at, write in enumerate(writes))
        return {at: outcome for at, outcome in found if outcome is not None}

    def _refused(self, write: Write) -> Outcome | None:
        reason = ""
        if self._memory.denied(write.id):
            reason = "the credential may not write it; give it the permission"
        elif isinstance(write, Put):
            reason = problem_of(self.features, write)
        return Outcome(write.id, Verdict.REFUSED, reason=reason) if reason else None

    def _raced(self, write: Write) -> Outcome | None:
        there = self._memory.get(write.id)
        if write.expected is None:
            reason = "it exists already" if there is not None else ""
        elif there is None:
            reason = f"it is gone, not at revision {write.expected}"
        elif self._compares(write) and there.revision != write.expected:
            reason = f"it is at revision {there.revision}, not at {write.expected}"
        else:
            reason = ""
        return Outcome(write.id, Verdict.RACED, reason=reason) if reason else None

    def _compares(self, write: Write) -> bool:
        match self.features.guard:
            case Guard.A | Guard.D:
                return True
            case Guard.B:
                return isinstance(write, Put)
            case Guard.C:
                return False

    def _apply_all(self, writes: Sequence[Write], failures: Mapping[int, Outcome]) -> Sequence[Outcome]:
        if failures and self._options.atomic_batch:
            return [failures.get(at) or untried for at, untried in enumerate(_untried(writes))]
        return [failures.get(at) or self._apply(write) for at, write in enumerate(writes)]

    def _apply(self, write: Write) -> Outcome:
        store, there = self._memory, self._memory.get(write.id)
        # Class D knows only what it compared, not what it really replaced.
        replaced = write.expected
        if there is not None and self.features.guard is not Guard.D:
            replaced = there.revision
        match write:
            case Put():
                revision = store.set(
                    write.id,
                    write.value,
                    secret=write.secret and self._options.holds_secrets,
                    attributes=self._attributes(write, there),
                )
                return Outcome(write.id, Verdict.APPLIED, revision, replaced)
            case Delete():
                store.delete(write.id)
                return Outcome(write.id, Verdict.APPLIED, replaced=replaced)

    def _attributes(self, put: Put, there: Item | None) -> Attributes:
        managed = self.features.managed_attributes
        kept = [] if there is None else [pair for pair in there.attributes if pair[0] not in managed]
        return attributes([*kept, *(pair for pair in put.attributes if pair[0] in managed)])


def _untried(writes: Sequence[Write]) -> list[Outcome]:
    return [Outcome(write.id, Verdict.UNTRIED, reason="another write spoiled its batch") for write in writes]


def _features(options: MemoryOptions) -> Features:
    history = options.history or options.guard == "C"
    forbidden = options.forbidden
    return Features(
        guard=Guard(options.guard),
        ids=Limits(
            max_bytes=options.max_id_bytes,
            rules=() if forbidden is None else (Rule(forbidden, "its name holds what this store forbids"),),
        ),
        values=Limits(options.min_value_bytes, options.max_value_bytes),
        folds_case=options.folds_case,
        text_values=options.text_values,
        holds_secrets=options.holds_secrets,
        keeps_overwritten=history,
        keeps_deleted=history and options.revisions == "rising",
        batch=options.batch,
        delete_batch=options.delete_batch,
        batch_bytes=options.batch_bytes,
        atomic_batch=options.atomic_batch,
        reads=1000,
        ordered_listing=options.ordered,
        values_in_listing=options.values_in_listing,
        current_listing=options.current,
        current_reads=options.current,
        ordered_revisions=True,
        change_times=options.change_times,
        unchanged=options.tokens,
        watch=options.tokens,
        history=history,
        pins=history,
        peeks=True,
        refers=options.refers,
        finishes=options.finishes,
        prices=Prices(finish=Price(1)),
        managed_attributes=frozenset(options.managed_attributes),
    )
