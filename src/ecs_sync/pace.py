"""The pace of a connection: retry, rate, concurrency and circuit around any adapter, with the same port.

One `Paced` is shared by all workers of a connection, and nothing in it by two connections.

* Tried again is only what certainly did nothing: `Unavailable` and `Throttled`, and of a listing only
  what comes before its first page. `Unacknowledged`, `Denied` and `Rejected` go up at once.
* Waits double with jitter up to ``max_wait``; a provider's own ``retry_after`` is honoured up to there.
  Retries are no more than ``reserve`` and a tenth of all calls.
* A throttled connection halves its rate, once for the calls that were under way together, and climbs
  back by a twentieth a second: additive increase, multiplicative decrease.
* The circuit opens by the class of the error. After ``circuit.failures`` calls in a row without an
  answer nothing is sent for ``circuit.pause`` seconds, and then one call tries for all. A place that may
  not be listed is not listed for as long, and where a folder's items were denied ``circuit.denials``
  times in a row it is left alone; other folders are not, for a policy often knows prefixes.
* Where something is denied, the credential is read again, and where it is another one by now, the call is
  made again with it (`ecs_sync.renewal`).
"""

from __future__ import annotations

import dataclasses
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Literal, TypeVar, cast

from ecs_sync.abilities import Addresses, Finishes, KeepsHistory, Peeks, Pins, Pointer, Refers, Watches, Wraps
from ecs_sync.adapter import (
    Adapter,
    Features,
    Item,
    ItemId,
    Listing,
    Outcome,
    Page,
    Proof,
    Revision,
    Token,
    Write,
)
from ecs_sync.batching import price_of
from ecs_sync.errors import Denied, Throttled, Unavailable
from ecs_sync.pointwise import Ask
from ecs_sync.renewal import Lent, Renewable
from ecs_sync.throttle import PLACE, Breaker, Bucket, Circuit, Unsent

_Result = TypeVar("_Result")
_Call = Literal["list", "page", "get", "peek", "version", "write", "history", "watch", "wrap", "unwrap"]

_FIRST_WAIT = 0.1
_RETRY_SHARE = 0.1
_SOON = 1e-6
"""Seconds that are no wait: below the grain of the clock, a sleep would not bring it forward."""


@dataclass(frozen=True, slots=True)
class Pace:
    """What a connection may ask of its provider. Rates are calls in a second; None is no limit.

    ``attempts`` counts the first one; ``max_wait`` bounds, in seconds, every wait between two of them.
    """

    rate: float | None = None
    write_rate: float | None = None
    concurrency: int = 8
    attempts: int = 5
    max_wait: float = 30.0
    reserve: int = 50
    circuit: Circuit = Circuit()

    def __post_init__(self) -> None:
        """Raises ValueError, naming the field."""
        for name in ("rate", "write_rate", "concurrency", "attempts", "max_wait"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise ValueError(f"{name}: must be a number above 0")

    @classmethod
    def of(cls, features: Features) -> Pace:
        """The pace that an adapter declares."""
        return cls(rate=features.rate, write_rate=features.write_rate, concurrency=features.concurrency)


class Paced:
    """An adapter at a pace. What one request costs in calls, its adapter says: a rate is one of calls.

    ``sleep`` returns True where it was interrupted: then the call is given up.

    ``clock`` is in seconds and only rises; ``sleep`` by default ends when the connection is closed.
    ``calls`` counts what was sent, by the name of the call, and retries among them as ``retry``.
    ``reads`` is told of the items of every page that came; ``another`` is that of `Renewable`.
    """

    # Those of the wrapped adapter are found where it is: in its class.
    Options: ClassVar[type] = object
    Place: ClassVar[type] = object

    def __init__(
        self,
        adapter: Adapter,
        pace: Pace | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], bool | None] | None = None,
        chance: Callable[[], float] = random.random,
        reads: Callable[[Sequence[Item]], None] = lambda _: None,
        another: Callable[[], Adapter | None] = lambda: None,
    ) -> None:
        self._held = Renewable(adapter, another, self.renew)
        self._reads = reads
        self._pace = pace or Pace.of(adapter.features)
        self._closing = threading.Event()
        self._clock, self._chance = clock, chance
        self._sleep = sleep or self._closing.wait
        self._gate = threading.Condition()
        self._flying = 0
        self._credit = float(self._pace.reserve)
        self._breaker = Breaker(self._pace.circuit)
        self._all = Bucket(self._pace.rate)
        self._writing = self._all if self._pace.write_rate is None else Bucket(self._pace.write_rate)
        self.calls: Counter[str] = Counter()

    @property
    def features(self) -> Features:
        return self._adapter.features

    @property
    def _adapter(self) -> Adapter:
        """The one in force, for what it answers without asking anybody."""
        return self._held.adapter

    def list(self, place: Any, since: Token | None) -> Listing:
        """As the adapter's; raises by itself what stands before the first page. Each page is a call."""
        subjects = frozenset({f"{PLACE}{place}"})
        with ExitStack() as kept:

            def send(lent: Lent) -> tuple[Lent, Listing, Iterator[Page], Page | None]:
                opened = _opened(lent.adapter.list(place, since))
                kept.enter_context(self._held.lent(lent))
                return lent, *opened

            lent, listing, pages, first = self._tried("list", subjects, send)
            self._charge(listing.calls + (first.calls if first is not None else 0) - 1)
            if listing.unchanged or first is None:
                return dataclasses.replace(listing, pages=())
            return Listing(self._further(first, pages, lent, kept.pop_all()), calls=listing.calls)

    def _further(self, first: Page, pages: Iterator[Page], lent: Lent, kept: ExitStack) -> Iterator[Page]:
        with kept:
            page: Page | None = first
            while page is not None:
                self._reads(page.items)
                yield page
                if page.proof is not None:
                    return
                page = self._next(pages, lent)
                self._charge(page.calls - 1 if page is not None else 0)

    def _next(self, pages: Iterator[Page], lent: Lent) -> Page | None:
        """The next page; one that failed is asked for again, for what came before it stands."""
        attempt = 1
        while True:
            page: Page | None = None
            try:
                # A listing that ends denied has shown what it may; the next one shall show it too.
                with self._turn("page", frozenset()):
                    page = next(pages, None)
                    if page is not None and page.failed is not None:
                        raise page.failed
                    return page
            except Unavailable as error:
                # A generator that raised by itself is at its end; one that said so goes on.
                if page is None or attempt >= self._pace.attempts or not self._may_retry(error):
                    raise
                wait = self._wait(attempt, error)
            except Denied:
                # What was listed so far was listed with the former one: the next listing has the new one.
                self._held.renewed(lent)
                raise
            self._rest(wait)
            attempt += 1

    def _charge(self, calls: int) -> None:
        """Counts calls that were made beside the one that had its turn."""
        if calls > 0:
            with self._gate:
                self._all.take(self._clock(), calls)

    def get(self, ids: Sequence[ItemId]) -> Listing:
        """As the adapter's, in calls of at most ``features.reads`` ids, each tried again by itself."""
        return Listing(self._read("get", lambda adapter: adapter.get, tuple(ids)))

    def peek(self, ids: Sequence[ItemId]) -> Listing:
        """As `get`, where ``features.peeks``."""
        return Listing(self._read("peek", lambda adapter: cast("Peeks", adapter).peek, tuple(ids)))

    def _read(self, call: _Call, ask: Callable[[Adapter], Ask], ids: Sequence[ItemId]) -> Iterator[Page]:
        size, proven = max(1, self.features.reads), True
        for start in range(0, len(ids), size):
            asked = ids[start : start + size]
            price = self.features.prices.peek if call == "peek" else self.features.prices.get
            send = partial(_at_once, ask, asked)
            pages = self._tried(call, _folders(call, asked), send, price.of(len(asked)), _unread)
            proven = proven and any(page.proof is not None for page in pages)
            for page in pages:
                self._reads(page.items)
                yield dataclasses.replace(page, proof=None)
        if proven:
            yield Page(proof=Proof(), calls=0)

    def version(self, id: ItemId, version: str) -> Item | None:
        """As the adapter's, where ``features.pins``."""
        item = self._tried(
            "version",
            _folders("version", [id]),
            lambda lent: cast("Pins", lent.adapter).version(id, version),
            doubted=lambda item: item is not None and item.unreadable is not None,
        )
        self._reads((item,) if item is not None else ())
        return item

    def address(self, id: ItemId, version: str | None) -> str | None:
        """As the adapter's; None where it has no such ability. Asks nobody, like the three that follow."""
        return self._adapter.address(id, version) if isinstance(self._adapter, Addresses) else None

    def addressed(self, address: str) -> tuple[ItemId, str | None] | None:
        return self._adapter.addressed(address) if isinstance(self._adapter, Addresses) else None

    def pointer(self, address: str) -> Pointer | None:
        return self._adapter.pointer(address) if isinstance(self._adapter, Refers) else None

    def pointed(self, item: Item) -> str | None:
        return self._adapter.pointed(item) if isinstance(self._adapter, Refers) else None

    def write(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        """As the adapter's; sent again only where nothing was applied."""
        folders = _folders("write", [write.id for write in writes])
        calls = price_of(self.features, writes)
        return self._tried("write", folders, lambda lent: lent.adapter.write(writes), calls)

    def history(self, id: ItemId, after: Revision | None) -> Listing:
        """As the adapter's, where ``features.history``."""
        pages = self._tried(
            "history",
            _folders("history", [id]),
            lambda lent: tuple(cast("KeepsHistory", lent.adapter).history(id, after).pages),
        )
        for page in pages:
            self._reads(page.items)
        return Listing(pages)

    def watch(self, place: Any, since: Token | None, timeout: float) -> bool:
        """As the adapter's, where ``features.watch``; never tried again, and no place among the calls
        in flight."""
        with self._held.lent() as lent, self._turn("watch", frozenset({f"{PLACE}{place}"})):
            return cast("Watches", lent.adapter).watch(place, since, timeout)

    def wrap(self, key: str, plain: bytes) -> bytes:
        """As the adapter's, where it has the ability; tried again like a read, for it changes nothing."""
        subjects = frozenset({f"wrap {key}"})
        return self._tried("wrap", subjects, lambda lent: cast("Wraps", lent.adapter).wrap(key, plain))

    def unwrap(self, key: str, wrapped: bytes) -> bytes:
        """As `wrap`."""
        subjects = frozenset({f"unwrap {key}"})
        return self._tried("unwrap", subjects, lambda lent: cast("Wraps", lent.adapter).unwrap(key, wrapped))

    def finished(self, place: Any, mark: str) -> None:
        """As the adapter's, where ``features.finishes``: saying it twice is saying it once."""
        subjects = frozenset({f"{PLACE}{place}"})
        calls = self.features.prices.finish.request
        self._tried(
            "write", subjects, lambda lent: cast("Finishes", lent.adapter).finished(place, mark), calls
        )

    def renew(self) -> None:
        """What was denied may be asked again at once, as after a change of the credential's policy."""
        with self._gate:
            self._breaker.denied.clear()

    def close(self) -> None:
        """Gives up whoever waits, and closes the adapter."""
        self._closing.set()
        with self._gate:
            self._gate.notify_all()
        self._held.close()

    def _tried(
        self,
        call: _Call,
        subjects: frozenset[str],
        send: Callable[[Lent], _Result],
        calls: int = 1,
        doubted: Callable[[_Result], bool] = lambda _: False,
    ) -> _Result:
        """Sends until it is answered. ``doubted`` says of an answer that something in it may be denied."""

        def in_turn(lent: Lent) -> _Result:
            with self._turn(call, subjects, calls):
                return send(lent)

        attempt = 1
        while True:
            try:
                return self._held.asked(in_turn, doubted)
            except Unavailable as error:
                if attempt >= self._pace.attempts or not self._may_retry(error):
                    raise
                wait = self._wait(attempt, error)
            self._rest(wait)
            attempt += 1

    def _may_retry(self, error: Unavailable) -> bool:
        with self._gate:
            if isinstance(error, Unsent) or self._breaker.is_open or self._credit < 1:
                return False
            self._credit -= 1
            self.calls["retry"] += 1
            return True

    def _wait(self, attempt: int, error: Unavailable) -> float:
        """Seconds until the next attempt; never shorter than what the provider asks for, up to the cap."""
        if isinstance(error, Throttled) and error.retry_after is not None and error.retry_after > 0:
            return min(self._pace.max_wait, error.retry_after * (1 + self._chance() / 4))
        doubled = _FIRST_WAIT * 2 ** min(attempt - 1, 30)
        return float(min(self._pace.max_wait, doubled) * (1 + self._chance()) / 2)

    def _rest(self, seconds: float) -> None:
        if self._sleep(seconds) or self._closing.is_set():
            raise Unavailable("stopped while it waited for its turn; nothing was sent")

    @contextmanager
    def _turn(self, call: _Call, subjects: frozenset[str], calls: int = 1) -> Iterator[None]:
        """One request, when its turn has come. What comes of it sets the rate and the circuit."""
        sent = self._enter(call, subjects, calls)
        error: BaseException | None = None
        try:
            yield
        except BaseException as raised:
            error = raised
            raise
        finally:
            self._leave(call, subjects, sent, error)

    def _enter(self, call: _Call, subjects: frozenset[str], calls: int) -> float:
        buckets = {
            id(b): b for b in ([self._all, self._writing] if call == "write" else [self._all])
        }.values()
        while True:
            with self._gate:
                if self._closing.is_set():
                    raise Unsent("the connection is closed; nothing was sent")
                now = self._clock()
                self._breaker.check(subjects, now)
                wait = max(bucket.next for bucket in buckets) - now
                if wait <= _SOON and (call == "watch" or self._flying < self._pace.concurrency):
                    for bucket in buckets:
                        bucket.take(now, calls)
                    self._breaker.begin()
                    self._flying += call != "watch"
                    self._credit = min(self._pace.reserve, self._credit + _RETRY_SHARE)
                    self.calls[call] += 1
                    return now
                if wait <= _SOON:
                    self._gate.wait()
                    continue
            self._rest(wait)

    def _leave(self, call: _Call, subjects: frozenset[str], sent: float, error: BaseException | None) -> None:
        bucket = self._writing if call == "write" else self._all
        with self._gate:
            self._flying -= call != "watch"
            now = self._clock()
            if isinstance(error, Throttled):
                hold = self._wait(1, error) if error.retry_after is not None else 0.0
                bucket.lower(sent, now, hold)
            elif error is None:
                bucket.recover(now)
            self._breaker.end(subjects, now, error)
            self._gate.notify_all()


def _at_once(ask: Callable[[Adapter], Ask], ids: Sequence[ItemId], lent: Lent) -> tuple[Page, ...]:
    return tuple(ask(lent.adapter)(ids).pages)


def _unread(pages: Sequence[Page]) -> bool:
    return any(item.unreadable is not None for page in pages for item in page.items)


def _opened(listing: Listing) -> tuple[Listing, Iterator[Page], Page | None]:
    pages = iter(listing.pages)
    first = None if listing.unchanged else next(pages, None)
    if first is not None and first.failed is not None:
        raise first.failed
    return listing, pages, first


def _folders(call: str, ids: Sequence[ItemId]) -> frozenset[str]:
    """What a policy may deny together: one kind of call to one folder."""
    return frozenset(f"{call} {id.rpartition('/')[0]}" for id in ids)
