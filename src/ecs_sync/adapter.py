"""The port to a provider: what an adapter is, and the frozen values that cross the line.

An adapter speaks to one kind of provider. It knows items, never keys, plans or other providers; it
never retries, sleeps, logs, caches or compares. It is synchronous and thread-safe. There is no base
class: whatever has these methods is an adapter, found through the entry points ``ecs_sync.adapters``.

A provider's errors become the classes of `ecs_sync.errors` in one table. From `Adapter.write`,
`Unavailable` and `Throttled` mean that nothing was applied; whatever else goes wrong after sending is
`Unacknowledged`. A write that the provider answered is never an exception but an `Outcome`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Protocol, Self, TypeVar

from ecs_sync.errors import Unavailable

T = TypeVar("T")

ItemId = str
"""The absolute name of an item at its connection. Order is that of its UTF-8 bytes."""

Revision = str
"""The provider's opaque version of one item."""

Token = str
"""The provider's opaque mark of a listing, given back as ``since``."""

Attributes = tuple[tuple[str, str], ...]
"""An item's provider-side attributes (label, type, tags, content type), sorted by name."""


def attributes(pairs: Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> Attributes:
    """The canonical form of some attributes."""
    return tuple(sorted(dict(pairs).items()))


@dataclass(frozen=True, slots=True)
class Item:
    """One record in the provider's own terms.

    ``value`` is None where the listing gives no values (then `Adapter.get` does) and where the item
    could not be read, in which case ``unreadable`` says why. ``revision`` equals what the write that
    made it returned, or is None where the provider cannot promise that. ``changed`` is the
    provider's own change time, never ours. ``settling`` is set where the provider has taken the value
    and does not serve it everywhere yet (a deployment under way), and says how far it is.
    """

    id: ItemId
    value: bytes | None
    secret: bool = False
    attributes: Attributes = ()
    revision: Revision | None = None
    changed: datetime | None = None
    unreadable: str | None = None
    settling: str | None = None

    def __repr__(self) -> str:
        size = "no value" if self.value is None else f"{len(self.value)} bytes"
        return f"<item {self.id!r}, {size}, revision {self.revision}>"


@dataclass(frozen=True, slots=True)
class Put:
    """Write ``value`` where the item is at revision ``expected``; None creates, and only creates."""

    id: ItemId
    value: bytes
    expected: Revision | None
    secret: bool = False
    attributes: Attributes = ()

    def __repr__(self) -> str:
        return f"<put {self.id!r}, {len(self.value)} bytes, expecting {self.expected or 'absence'}>"


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete the item that is at revision ``expected``."""

    id: ItemId
    expected: Revision


Write = Put | Delete


class Verdict(StrEnum):
    """What became of a write."""

    APPLIED = "applied"
    REFUSED = "refused"
    """The provider will not take it; the reason says why. Nothing was applied."""
    RACED = "raced"
    """The item was not at the expected revision. Nothing was applied."""
    UNKNOWN = "unknown"
    """Sent, and not acknowledged. It may have landed, may still land, or never."""
    UNTRIED = "untried"
    """Certainly not applied, through no fault of its own: a neighbour spoiled the batch."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one write.

    Of an applied one, ``revision`` is the new revision (None after a delete, or where the provider
    cannot promise one) and ``replaced`` the revision that it really replaced as far as the adapter
    can tell: equal to the write's ``expected`` where nothing came between.
    """

    id: ItemId
    verdict: Verdict
    revision: Revision | None = None
    replaced: Revision | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Proof:
    """Nothing was left out. ``token`` lets the next listing answer "unchanged since"."""

    token: Token | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Some items. ``absent`` names ids that a point read found to be absent.

    ``proof`` stands on the last page and only there; a listing whose pages end without it, or that
    raises on the way, is incomplete, and says nothing of what it did not show. ``calls`` counts the
    calls to the provider that the page took. A page that ``failed`` shows nothing: it could not be had
    yet, and asking for the next page asks for it again.
    """

    items: tuple[Item, ...] = ()
    absent: tuple[ItemId, ...] = ()
    proof: Proof | None = None
    calls: int = 1
    failed: Unavailable | None = None


def patiently(ask: Callable[[], T]) -> Generator[Page, None, T]:
    """What ``ask`` gives, to be had with ``yield from``; before it a failed page for each time it could not.

    So whoever reads a listing of many calls can wait, and go on where it stood; or give up.
    """
    while True:
        try:
            return ask()
        except Unavailable as error:
            failed = error
        yield Page(failed=failed)


def counted(ask: Callable[[], T], made: Callable[[], int]) -> Generator[Page, None, tuple[T, int]]:
    """As `patiently`, and the calls of the time that worked, where ``made`` tells all calls so far."""

    def asked() -> tuple[T, int]:
        before = made()
        return ask(), made() - before

    return (yield from patiently(asked))


@dataclass(frozen=True, slots=True)
class Listing:
    """Pages, to be read once; or ``unchanged`` since the token that was given, and no pages.

    ``calls`` counts the calls to the provider that were made before the first page.
    """

    pages: Iterable[Page] = ()
    unchanged: bool = False
    calls: int = 0


class Guard(StrEnum):
    """How a provider protects a write against what came between: the class the protocol follows."""

    A = "A"
    """Compare-and-swap on create, update and delete."""
    B = "B"
    """Compare-and-swap on create and update; deletes are unguarded."""
    C = "C"
    """No compare-and-swap, but every write returns its version and old versions are kept."""
    D = "D"
    """Nothing: read, compare, write, with a window in between."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern that must not be found, and the sentence that says why."""

    forbidden: str
    reason: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What a text may be: length in UTF-8 bytes, a pattern all of it must match, what it must not hold."""

    min_bytes: int = 0
    max_bytes: int | None = None
    pattern: str | None = None
    pattern_reason: str = ""
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class Price:
    """Calls to the provider that one request of the port makes, and those that each of its items adds."""

    request: int = 1
    item: int = 0
    absent: int | None = None
    """What an item of a point read adds that is not there; as ``item`` where None."""

    def of(self, items: int, absent: int = 0) -> int:
        """The calls of one request of this many items that are there, and so many that are not."""
        for_absent = self.item if self.absent is None else self.absent
        return self.request + self.item * items + for_absent * absent


@dataclass(frozen=True, slots=True)
class Prices:
    """What requests cost where nothing goes wrong; from these a plan says its calls in advance.

    A request is one `Adapter.get` of at most ``reads`` ids, or one `Adapter.write` of at most
    ``batch`` writes. What a listing costs, its pages say.
    """

    get: Price = Price()
    peek: Price = Price()
    create: Price = Price()
    update: Price = Price()
    delete: Price = Price()
    finish: Price = Price(0)
    opening: int = 0
    """Calls that come before the first write of a connection, once for all of them."""


@dataclass(frozen=True, slots=True)
class Features:
    """What an adapter declares, as data, that its provider can do; the engine reads nothing else.

    The contract suite of `ecs_sync.testing` holds every field against the adapter's behaviour.
    """

    guard: Guard
    ids: Limits = Limits()
    values: Limits = Limits()
    folds_case: bool = False
    """Names that differ only by case are one item."""
    text_values: bool = False
    """Values are text: bytes that are not UTF-8 are refused."""
    holds_secrets: bool = False
    """The place is made for secrets."""
    keeps_overwritten: bool = False
    """What is overwritten can be had back from the provider."""
    keeps_deleted: bool = False
    """What is deleted can be had back from the provider."""
    batch: int = 1
    """The most writes that one `Adapter.write` takes."""
    delete_batch: int | None = None
    """The most deletes that it takes when it is given nothing else, where that is more than ``batch``."""
    batch_bytes: int | None = None
    """The most bytes, all ids and values together, that one `Adapter.write` takes."""
    atomic_batch: bool = False
    """A batch is applied whole or not at all."""
    reads: int = 1
    """The most ids that one `Adapter.get` takes in one call to the provider."""
    ordered_listing: bool = False
    """Listings come in the byte order of ids."""
    values_in_listing: bool = True
    """Listings carry values; otherwise only what moved is read by `Adapter.get`."""
    current_listing: bool = True
    """A listing shows every write that was acknowledged before it began."""
    current_reads: bool = True
    """A point read shows every write that was acknowledged before it began."""
    ordered_revisions: bool = False
    """Revisions are decimal numbers that rise with each write of an item."""
    change_times: bool = False
    """Items carry the provider's change time."""
    unchanged: bool = False
    """``list(place, since)`` can answer "unchanged since"."""
    watch: bool = False
    history: bool = False
    pins: bool = False
    """A single past version of an item can be read."""
    peeks: bool = False
    """Point reads can leave the values where they are."""
    finishes: bool = False
    """Its readers are told once, after all that a run wrote."""
    refers: bool = False
    """The provider has references of its own to other secret stores."""
    prices: Prices = Prices()
    managed_attributes: frozenset[str] = frozenset()
    """Attributes that a write sets; all others survive it."""
    concurrency: int = 8
    """Calls in flight at once per connection, unless the configuration says otherwise."""
    rate: float | None = None
    """Calls in a second per connection, unless the configuration says otherwise."""
    write_rate: float | None = None
    """Writing calls in a second per connection, where the provider counts them by themselves."""


class Place(Protocol):
    """Where at a connection. A frozen dataclass: its fields are what the configuration may say."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """The place that the short spelling in a configuration means. Raises ValueError."""
        ...

    @property
    def root(self) -> str:
        """The text that the ids of all items of this place begin with, or the id of its one item."""
        ...

    def overlaps(self, other: Self) -> bool:
        """Could an item lie in both?"""
        ...

    def __str__(self) -> str:
        """Canonical text: equal places, and only they, have equal texts."""
        ...


class Adapter(Protocol):
    """One provider. Built as ``SomeAdapter(options)`` with an instance of its ``Options``."""

    Options: ClassVar[type]
    Place: ClassVar[type]

    @property
    def features(self) -> Features: ...

    def list(self, place: Any, since: Token | None) -> Listing:
        """All items of ``place``, in pages. The pages raise `AdapterError` where they cannot go on."""
        ...

    def get(self, ids: Sequence[ItemId]) -> Listing:
        """Point reads: each id is found, absent, or found unreadable. Attributes come along."""
        ...

    def write(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        """Carries out at most ``features.batch`` writes; one outcome for each, in their order.

        Raises `Unavailable` or `Throttled` where nothing was applied, `Unacknowledged` where that is
        not known of any of them, `Denied` where the credential may not.
        """
        ...

    def close(self) -> None: ...


UNREAD = "unread:unread"
"""What a secret option holds while a configuration is validated where its secret cannot be read.

It is spelled to pass for a token and for a login. Only ``Options`` that declare
``takes_unread: ClassVar[bool] = True`` are made with it: they check which options are given.
"""


def option(
    help: str,
    *,
    default: Any = dataclasses.MISSING,
    secret: bool = False,
    where: bool = False,
    only_reads: bool = False,
) -> Any:
    """A field of an adapter's or mapping's ``Options`` or ``Place``, with what its users read of it.

    A secret option takes only ``env:NAME``, ``file:PATH`` or a reference to a secret in a configuration,
    and is never shown: declare it last and it is left out of the dataclass's repr.

    ``where`` marks the ``Options`` that say which provider a connection leads to, such as an address
    or a region: two connections that agree in them lead to the same places, whoever asks and however.
    Where none is marked, all texts and paths that are not secret count.

    ``only_reads`` marks one with which nothing is written at the connection: a configuration in which a
    link would write there is refused.
    """
    described: Mapping[str, Any] = {"help": help, "secret": secret, "where": where, "only_reads": only_reads}
    if default is dataclasses.MISSING:
        return dataclasses.field(metadata=described, repr=not secret)
    return dataclasses.field(default=default, metadata=described, repr=not secret)
