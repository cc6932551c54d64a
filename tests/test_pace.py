"""A connection keeps its pace, in virtual time: nothing here sleeps, and nothing depends on the machine."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecs_sync.adapter import Features, Guard, Item, Listing, Outcome, Page, Proof, Put, Verdict, patiently
from ecs_sync.errors import (
    AdapterError,
    Denied,
    Rejected,
    RevisionMismatch,
    Throttled,
    Unacknowledged,
    Unavailable,
)
from ecs_sync.pace import Pace, Paced
from ecs_sync.throttle import Circuit
from ecs_sync_adapters.memory import MemoryAdapter, MemoryOptions, MemoryPlace
from ecs_sync_adapters.memory_store import Memory, forget, memory

APP = MemoryPlace("app/")
WIDE = Circuit(failures=10**9)


class Clock:
    """Time that passes only when everybody who takes part sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []
        self._changed = threading.Condition()
        self._awake = 1
        self._wakes: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> bool:
        with self._changed:
            self.slept.append(seconds)
            wake = self.now + max(0.0, seconds)
            self._wakes.append(wake)
            self._awake -= 1
            self._advance()
            while self.now < wake:
                self._changed.wait()
            self._wakes.remove(wake)
            self._awake += 1
        return False

    def run(self, *works: Callable[[], None]) -> None:
        """Runs all works side by side in this time, until each is done."""
        self._awake = len(works)
        threads = [threading.Thread(target=self._take_part, args=(work,)) for work in works]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self._awake = 1

    def _take_part(self, work: Callable[[], None]) -> None:
        try:
            work()
        finally:
            with self._changed:
                self._awake -= 1
                self._advance()

    def _advance(self) -> None:
        pending = [wake for wake in self._wakes if wake > self.now]
        if self._awake == 0 and len(pending) == len(self._wakes) and pending:
            self.now = min(pending)
        self._changed.notify_all()


class Scripted:
    """A provider that answers each call with the next of its answers, and notes when it was asked."""

    Options: ClassVar[type] = object
    Place: ClassVar[type] = MemoryPlace
    features = Features(guard=Guard.A, reads=2)

    def __init__(self, clock: Clock, answers: Iterator[AdapterError | None], takes: float = 0.0) -> None:
        self._clock, self._answers, self._takes = clock, answers, takes
        self.asked: list[float] = []
        self.was_asked = threading.Event()
        self._lock = threading.Lock()

    def _answer(self) -> None:
        with self._lock:
            self.asked.append(self._clock())
            self.was_asked.set()
            error = next(self._answers, None)
        if self._takes:
            self._clock.sleep(self._takes)
        if error is not None:
            raise error

    def list(self, place: Any, since: str | None) -> Listing:
        def pages() -> Iterator[Page]:
            for number in range(3):
                self._answer()
                yield Page((Item(f"app/{number}", b"x"),), proof=Proof() if number == 2 else None)

        return Listing(pages())

    def get(self, ids: Sequence[str]) -> Listing:
        self._answer()
        return Listing([Page(absent=tuple(ids), proof=Proof())])

    def write(self, writes: Sequence[Any]) -> Sequence[Outcome]:
        self._answer()
        return [Outcome(write.id, Verdict.APPLIED) for write in writes]

    def wrap(self, key: str, plain: bytes) -> bytes:
        self._answer()
        return plain[::-1]

    def unwrap(self, key: str, wrapped: bytes) -> bytes:
        self._answer()
        return wrapped[::-1]

    def close(self) -> None: ...


def paced(
    *answers: AdapterError | None, chance: float = 0.5, takes: float = 0.0, **pace: Any
) -> tuple[Paced, Scripted, Clock]:
    clock = Clock()
    provider = Scripted(clock, iter(answers), takes)
    return (
        Paced(provider, Pace(**pace), clock=clock, sleep=clock.sleep, chance=lambda: chance),
        provider,
        clock,
    )


def most_in_a_window(times: Sequence[float], seconds: float) -> int:
    window: deque[float] = deque()
    most = 0
    for time in sorted(times):
        window.append(time)
        while window[0] <= time - seconds + 1e-5:
            window.popleft()
        most = max(most, len(window))
    return most


PUT = [Put("app/a", b"1", None)]
ERRORS = st.sampled_from(
    [None, None, None, Unavailable("down"), Throttled("slow"), Throttled("slow", 3.0), Throttled("slow", 1e9)]
)


@settings(max_examples=60, deadline=None)
@given(st.floats(0.5, 200), st.none() | st.floats(0.5, 50), st.lists(st.booleans(), max_size=60))
def test_no_window_holds_more_calls_than_the_rate_allows(
    rate: float, write_rate: float | None, writes: list[bool]
) -> None:
    subject, provider, _ = paced(rate=rate, write_rate=write_rate)
    written = []
    for writing in writes:
        if writing:
            subject.write(PUT)
            written.append(provider.asked[-1])
        else:
            list(subject.get(["app/a"]).pages)
    for seconds in (0.1, 1.0, 7.0):
        assert most_in_a_window(provider.asked, seconds) <= rate * seconds + 1
        if write_rate is not None:
            assert most_in_a_window(written, seconds) <= write_rate * seconds + 1


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 6), st.floats(1, 50), st.lists(ERRORS, max_size=30))
def test_all_workers_of_a_connection_share_one_rate(
    workers: int, rate: float, answers: list[AdapterError | None]
) -> None:
    subject, provider, clock = paced(*answers, rate=rate, circuit=WIDE, takes=0.05)

    def work() -> None:
        for _ in range(8):
            try:
                subject.write(PUT)
            except Unavailable:
                continue

    clock.run(*[work] * workers)
    assert len(provider.asked) >= workers * 8
    for seconds in (0.1, 1.0, 7.0):
        assert most_in_a_window(provider.asked, seconds) <= rate * seconds + 1


@settings(deadline=None)
@given(st.lists(ERRORS, max_size=400), st.integers(1, 6), st.integers(0, 20), st.floats(0, 0.999))
def test_retries_are_bounded_per_call_and_in_all(
    answers: list[AdapterError | None], attempts: int, reserve: int, chance: float
) -> None:
    subject, provider, clock = paced(
        *answers, attempts=attempts, reserve=reserve, chance=chance, circuit=WIDE, max_wait=10
    )
    while len(provider.asked) < len(answers):
        before = len(provider.asked)
        with contextlib.suppress(Unavailable):
            subject.write(PUT)
        assert len(provider.asked) - before <= attempts
    assert subject.calls["retry"] <= reserve + len(provider.asked) / 10
    assert max(clock.slept, default=0) <= 11


@pytest.mark.parametrize("asked_for", [1e300, float("inf"), 10**9, float("nan"), -5.0, 0.0])
def test_an_absurd_retry_after_is_capped(asked_for: float) -> None:
    subject, provider, clock = paced(Throttled("slow", asked_for), max_wait=20.0)
    subject.write(PUT)
    assert len(provider.asked) == 2
    assert 0 < clock.now <= 20.0


def test_a_sensible_retry_after_is_honoured_and_jittered() -> None:
    ends = set()
    for chance in (0.0, 0.5, 0.9):
        subject, provider, _ = paced(Throttled("slow", 8.0), chance=chance)
        subject.write(PUT)
        ends.add(provider.asked[-1])
    assert min(ends) >= 8.0
    assert max(ends) <= 10.0
    assert len(ends) == 3


def test_a_throttled_connection_lowers_its_rate_once_and_climbs_back() -> None:
    subject, provider, _ = paced(*[Throttled("slow")] * 2, rate=10.0)
    for _ in range(400):
        subject.write(PUT)
    gaps = [after - before for before, after in zip(provider.asked, provider.asked[1:], strict=False)]
    assert max(gaps[:5]) >= 0.2
    assert gaps[-1] == pytest.approx(0.1)


def test_calls_throttled_together_halve_the_rate_once() -> None:
    subject, provider, clock = paced(*[Throttled("slow")] * 4, rate=40.0, concurrency=4, takes=1.0)

    def work() -> None:
        subject.write(PUT)

    clock.run(*[work] * 4)
    retried = provider.asked[4:]
    assert len(retried) == 4
    assert min(b - a for a, b in itertools.pairwise(retried)) == pytest.approx(1 / 20, rel=0.1)


class Limited(Scripted):
    """A provider that takes twenty calls a second and throttles the rest."""

    RATE = 20.0

    def __init__(self, clock: Clock, retry_after: float | None) -> None:
        super().__init__(clock, iter(()))
        self._retry_after, self._tokens, self._filled = retry_after, self.RATE, 0.0
        self.throttled = 0

    def _answer(self) -> None:
        with self._lock:
            now = self._clock()
            self.asked.append(now)
            self._tokens = min(self.RATE, self._tokens + (now - self._filled) * self.RATE)
            self._filled, enough = now, self._tokens >= 1
            self._tokens -= enough
            self.throttled += not enough
        self._clock.sleep(0.05)
        if not enough:
            raise Throttled("slow", self._retry_after)


@pytest.mark.parametrize("retry_after", [None, 1.0])
@pytest.mark.parametrize("rate", [None, 100.0])
def test_a_storm_settles_near_what_the_provider_takes_and_loses_nothing(
    retry_after: float | None, rate: float | None
) -> None:
    clock = Clock()
    provider = Limited(clock, retry_after)
    subject = Paced(provider, Pace(rate=rate, circuit=WIDE), clock=clock, sleep=clock.sleep)
    written: list[Outcome] = []

    def work() -> None:
        for _ in range(100):
            written.extend(subject.write(PUT))

    clock.run(*[work] * 8)
    assert len(written) == 800
    assert provider.throttled / len(provider.asked) <= 0.05
    assert clock.now <= 1.5 * 800 / provider.RATE


def test_one_throttled_connection_starves_nobody() -> None:
    clock = Clock()
    slow = Scripted(clock, iter([Throttled("slow", 30.0)] * 100))
    quick = Scripted(clock, iter(()))
    both = [Paced(provider, clock=clock, sleep=clock.sleep) for provider in (slow, quick)]
    finished: dict[int, float] = {}

    def work(number: int) -> None:
        for _ in range(20):
            try:
                both[number].write(PUT)
            except Throttled:
                continue
        finished[number] = clock()

    clock.run(lambda: work(0), lambda: work(1))
    assert finished[1] == 0.0
    assert finished[0] > 30.0


def test_slow_writes_do_not_hold_up_reads() -> None:
    subject, _, clock = paced(write_rate=0.1, concurrency=1)
    read_at: list[float] = []

    def write() -> None:
        for _ in range(3):
            subject.write(PUT)

    def read() -> None:
        clock.sleep(1.0)
        list(subject.get(["app/a"]).pages)
        read_at.append(clock())

    clock.run(write, read)
    assert read_at == [1.0]


@pytest.mark.parametrize("error", [Unacknowledged("lost"), Rejected("no"), RevisionMismatch("moved")])
def test_what_may_have_happened_or_never_will_is_not_tried_again(error: AdapterError) -> None:
    subject, provider, _ = paced(error)
    with pytest.raises(type(error)):
        subject.write(PUT)
    assert len(provider.asked) == 1


def test_a_listing_is_tried_again_before_its_first_page_only() -> None:
    subject, provider, _ = paced(Unavailable("down"), None, Unavailable("down"))
    listing = subject.list(APP, None)
    pages = []
    with pytest.raises(Unavailable):
        for page in listing.pages:
            pages.append(page)
    assert len(provider.asked) == 3
    assert [page.proof for page in pages] == [None]


def test_point_reads_go_on_where_one_of_their_calls_failed() -> None:
    subject, provider, _ = paced(None, Unavailable("down"))
    pages = list(subject.get([f"app/{number}" for number in range(5)]).pages)
    assert [id for page in pages for id in page.absent] == [f"app/{number}" for number in range(5)]
    assert [page.proof is not None for page in pages] == [False, False, False, True]
    assert len(provider.asked) == 4


def denied_thrice() -> tuple[Paced, Scripted, Clock]:
    subject, provider, clock = paced(*[Denied("no policy allows it")] * 3, circuit=Circuit(pause=60.0))
    for _ in range(5):
        with pytest.raises(Denied, match="no policy"):
            subject.write(PUT)
    assert len(provider.asked) == 3
    return subject, provider, clock


def test_a_folder_that_is_denied_again_and_again_is_left_alone_for_a_while() -> None:
    subject, provider, clock = denied_thrice()
    with pytest.raises(Denied):
        subject.write([*PUT, Put("other/b", b"1", None)])
    clock.sleep(60.0)
    assert subject.write(PUT)
    assert len(provider.asked) == 4


def test_a_denied_folder_closes_neither_other_folders_nor_reading() -> None:
    subject, _, _ = denied_thrice()
    assert subject.write([Put("other/a", b"1", None)])
    assert list(subject.get(["app/a"]).pages)


def test_a_changed_policy_can_be_tried_at_once() -> None:
    subject, _, _ = denied_thrice()
    subject.renew()
    assert subject.write(PUT)


def test_a_denied_item_does_not_close_its_folder() -> None:
    subject, provider, _ = paced(*[Denied("no"), None] * 10)
    for _ in range(10):
        with pytest.raises(Denied):
            subject.write(PUT)
        assert subject.write([Put("app/b", b"1", None)])
    assert len(provider.asked) == 20


def test_a_listing_that_ends_denied_shows_the_next_time_what_it_may() -> None:
    subject, provider, _ = paced(*[None, Denied("some are hidden")] * 5)
    for _ in range(5):
        shown = []
        with pytest.raises(Denied):
            for page in subject.list(APP, None).pages:
                shown.append(page)
        assert len(shown) == 1
    assert len(provider.asked) == 10


def test_a_denied_place_does_not_close_the_others() -> None:
    subject, provider, _ = paced(Denied("no"))
    with pytest.raises(Denied):
        subject.list(APP, None)
    with pytest.raises(Denied):
        subject.list(APP, None)
    assert len(list(subject.list(MemoryPlace("other/"), None).pages)) == 3
    assert len(provider.asked) == 4


def test_the_circuit_opens_waits_tries_once_and_closes() -> None:
    down: list[AdapterError | None] = [Unavailable("down")] * 4
    subject, provider, clock = paced(*down, attempts=1, circuit=Circuit(failures=3, pause=60.0))
    for _ in range(3):
        with pytest.raises(Unavailable):
            subject.write(PUT)
    with pytest.raises(Unavailable, match="3 calls in a row failed"):
        subject.write(PUT)
    assert len(provider.asked) == 3
    clock.sleep(60.0)
    with pytest.raises(Unavailable, match="down"):
        subject.write(PUT)
    with pytest.raises(Unavailable, match="in a row failed"):
        subject.write(PUT)
    assert len(provider.asked) == 4
    clock.sleep(60.0)
    subject.write(PUT)
    subject.write(PUT)
    assert len(provider.asked) == 6


def test_only_one_call_tries_for_all_while_the_circuit_is_half_open() -> None:
    subject, provider, clock = paced(
        *[Unavailable("down")] * 2, attempts=1, takes=5.0, circuit=Circuit(failures=2, pause=10.0)
    )
    for _ in range(2):
        with pytest.raises(Unavailable):
            subject.write(PUT)
    clock.sleep(10.0)
    refused: list[float] = []

    def work() -> None:
        try:
            subject.write(PUT)
        except Unavailable:
            refused.append(clock())

    clock.run(*[work] * 5)
    assert len(provider.asked) == 3
    assert len(refused) == 4


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from([None, Unavailable("a"), Unacknowledged("b"), Rejected("c"), Throttled("d")]),
        max_size=60,
    ),
    st.integers(1, 5),
)
def test_never_more_failures_in_a_row_than_the_circuit_allows(
    answers: list[AdapterError | None], failures: int
) -> None:
    subject, provider, clock = paced(
        *answers, attempts=1, circuit=Circuit(failures=failures, pause=1e6), max_wait=1
    )
    for _ in range(len(answers) + 2):
        try:
            subject.write(PUT)
        except AdapterError:
            continue
    assert clock.now < 1e6, "nobody waits for a circuit"
    row = longest = 0
    for answer in answers[: len(provider.asked)]:
        if isinstance(answer, Throttled):
            continue
        row = row + 1 if isinstance(answer, (Unavailable, Unacknowledged)) else 0
        longest = max(longest, row)
    assert longest <= failures


def test_closing_wakes_whoever_waits() -> None:
    provider = Scripted(Clock(), iter([Throttled("slow", 1000.0)]))
    subject = Paced(provider, Pace(max_wait=10_000))
    ended: list[BaseException] = []

    def work() -> None:
        try:
            subject.write(PUT)
        except Unavailable as error:
            ended.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    assert provider.was_asked.wait(30)
    subject.close()
    thread.join(30)
    assert [type(error) for error in ended] == [Unavailable]


@pytest.fixture
def store() -> Iterator[Memory]:
    yield memory("pace")
    forget("pace")


def test_nothing_of_the_port_is_lost_on_the_way(store: Memory) -> None:
    adapter = MemoryAdapter(MemoryOptions(name="pace", guard="C", batch=2, page=1))
    subject = Paced(adapter)
    assert subject.features is adapter.features
    first, second = subject.write([Put("app/a", b"1", None), Put("app/b", b"2", None)])
    assert [outcome.verdict for outcome in (first, second)] == [Verdict.APPLIED] * 2
    pages = list(subject.list(APP, None).pages)
    assert [item.id for page in pages for item in page.items] == ["app/a", "app/b"]
    assert pages[-1].proof is not None
    assert subject.list(APP, pages[-1].proof.token).unchanged
    (history,) = subject.history("app/a", None).pages
    assert [item.value for item in history.items] == [b"1"]
    assert not subject.watch(APP, pages[-1].proof.token, 0.0)
    assert subject.calls == {"write": 1, "list": 2, "page": 2, "history": 1, "watch": 1}


def test_no_more_calls_are_in_flight_than_allowed() -> None:
    clock = Clock()
    entered, flying, most = threading.Semaphore(0), [0], [0]
    lock, go = threading.Lock(), threading.Event()

    class Slow(Scripted):
        def _answer(self) -> None:
            with lock:
                flying[0] += 1
                most[0] = max(most[0], flying[0])
            entered.release()
            go.wait(30)
            with lock:
                flying[0] -= 1

    subject = Paced(Slow(clock, iter(())), Pace(concurrency=2))
    threads = [threading.Thread(target=subject.write, args=(PUT,)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for _ in range(2):
        assert entered.acquire(timeout=30)
    go.set()
    for thread in threads:
        thread.join(30)
    assert most == [2]


@pytest.mark.parametrize(
    "wrong", [{"rate": 0}, {"concurrency": 0}, {"attempts": 0}, {"max_wait": float("nan")}]
)
def test_a_pace_that_would_stand_still_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Pace(**wrong)


# Requests of many calls, and listings of many requests


class Interrupted:
    """A provider whose second page is throttled twice, and which goes on where it stood."""

    def __init__(self, failures: int, calls: int = 1) -> None:
        self.failures, self.calls = failures, calls
        self.features = Features(Guard.A)
        self.asked = 0

    def list(self, place: object, since: str | None) -> Listing:
        return Listing(self._pages())

    def _pages(self) -> Iterator[Page]:
        yield Page((Item("a", b"1"),), calls=self.calls)
        yield (yield from patiently(self._second))

    def _second(self) -> Page:
        self.asked += 1
        if self.asked <= self.failures:
            raise Throttled("slow down", 2.0)
        return Page((Item("b", b"2"),), proof=Proof())

    def close(self) -> None:
        """Nothing is open."""


def test_a_listing_that_is_throttled_on_its_way_goes_on_where_it_stood() -> None:
    clock = Clock()
    paced = Paced(cast("Any", Interrupted(2)), clock=clock, sleep=clock.sleep, chance=lambda: 0.0)
    pages = list(paced.list(None, None).pages)
    assert [item.id for page in pages for item in page.items] == ["a", "b"]
    assert pages[-1].proof is not None and clock.now >= 4.0


def test_a_listing_that_stays_throttled_ends_incomplete_in_bounded_time() -> None:
    clock = Clock()
    pace = Pace(attempts=3)
    paced = Paced(cast("Any", Interrupted(99)), pace, clock=clock, sleep=clock.sleep, chance=lambda: 0.0)
    with pytest.raises(Throttled):
        list(paced.list(None, None).pages)
    assert clock.now < 60


def test_a_page_of_many_calls_takes_as_many_turns() -> None:
    clock = Clock()
    pace = Pace(rate=10.0)
    paced = Paced(cast("Any", Interrupted(0, calls=51)), pace, clock=clock, sleep=clock.sleep)
    list(paced.list(None, None).pages)
    assert clock.now >= 5.0


def test_wrapping_is_tried_again_like_a_read_and_a_refusal_is_not() -> None:
    subject, provider, _ = paced(Unavailable("down"), None, Throttled("slow", 1.0), None, Rejected("no key"))
    assert subject.wrap("k", b"ab") == b"ba" and subject.unwrap("k", b"ba") == b"ab"
    assert len(provider.asked) == 4
    with pytest.raises(Rejected):
        subject.unwrap("k", b"ba")
    assert len(provider.asked) == 5 and subject.calls["unwrap"] == 3
