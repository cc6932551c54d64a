"""The adapter of a connection, replaced while others use it, where its credential was rotated.

Nothing is asked as long as the credential does what it should: a denial is what makes it look.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from ecs_sync.adapter import Adapter
from ecs_sync.errors import Denied, EcsSyncError

_Result = TypeVar("_Result")

_FIRST_PAUSE = 10.0
_LONGEST_PAUSE = 600.0
"""Seconds between two reads of a secret that is the same as before; they double."""


@dataclass(eq=False, slots=True)
class Lent:
    """An adapter that somebody uses, and how many do."""

    adapter: Adapter
    users: int = 0
    former: bool = False
    closed: bool = False

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self.adapter.close()


class Renewable:
    """One adapter in force at a time. A former one is closed when its last user gives it back.

    ``another`` gives an adapter with another credential, or None where there is none. It is asked by one
    thread at a time, and raises nothing. ``renewed`` is told of each denial that another credential mends.
    """

    def __init__(
        self, adapter: Adapter, another: Callable[[], Adapter | None], renewed: Callable[[], object]
    ) -> None:
        self._another, self._told = another, renewed
        self._current = Lent(adapter)
        self._out: list[Lent] = []
        """Former adapters that are still used."""
        self._closed = False
        self._gate, self._renewing = threading.Lock(), threading.Lock()

    @property
    def adapter(self) -> Adapter:
        return self._current.adapter

    @contextmanager
    def lent(self, again: Lent | None = None) -> Iterator[Lent]:
        """The adapter in force; with ``again``, one that is lent already, for longer."""
        with self._gate:
            lent = again or self._current
            lent.users += 1
        try:
            yield lent
        finally:
            self._take_back(lent)

    def _take_back(self, lent: Lent) -> None:
        with self._gate:
            lent.users -= 1
            done = lent.former and not lent.users
            if done:
                self._out.remove(lent)
        if done:
            _let_go(lent)

    def asked(self, send: Callable[[Lent], _Result], doubted: Callable[[_Result], bool]) -> _Result:
        """What ``send`` gives; and where that was denied and another adapter is in force, what it gives then.

        ``doubted`` says of an answer that something in it may be denied.
        """
        with self.lent() as lent:
            try:
                result = send(lent)
                if not doubted(result) or not self.renewed(lent):
                    return result
            except Denied:
                if not self.renewed(lent):
                    raise
        with self.lent() as lent:
            return send(lent)

    def renewed(self, denied: Lent) -> bool:
        """Is another adapter in force than the one that was lent, and denied?"""
        with self._renewing:
            if self._current is denied and not self._replaced(denied):
                return False
        self._told()
        return True

    def _replaced(self, former: Lent) -> bool:
        another = self._another()
        if another is None:
            return False
        with self._gate:
            former.former = True
            self._out.append(former)
            self._current, closed = Lent(another), self._closed
        if closed:
            _let_go(self._current)
        return True

    def close(self) -> None:
        """Closes every adapter, whoever uses it."""
        with self._gate:
            self._closed = True
            former = list(self._out)
        for lent in former:
            _let_go(lent)
        self._current.close()


def _let_go(lent: Lent) -> None:
    # Who left last has nothing to do with what its end may run into.
    with contextlib.suppress(Exception):
        lent.close()


class Rereading:
    """Builds the adapter of a connection anew, where its options are other ones by now.

    ``read`` gives the options with their secrets and may raise EcsSyncError; ``build`` likewise. What is
    read at a provider costs a call and an entry in its audit log: it is not read again at once.
    """

    def __init__(
        self,
        options: Any,
        read: Callable[[], Any],
        build: Callable[[Any], Adapter],
        *,
        costs: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._options, self._read, self._build, self._clock = options, read, build, clock
        self._first = _FIRST_PAUSE if costs else 0.0
        self._pause = self._first
        self._next = clock() + self._pause

    def __call__(self) -> Adapter | None:
        if self._clock() < self._next:
            return None
        try:
            options = self._read()
            other = self._build(options) if options != self._options else None
        except EcsSyncError:
            other = None
        if other is None:
            self._pause = min(self._pause * 2, _LONGEST_PAUSE)
        else:
            self._options, self._pause = options, self._first
        self._next = self._clock() + self._pause
        return other
