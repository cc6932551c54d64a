"""What is put to the test: an adapter, an empty place, and a hand behind the adapter's back."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from ecs_sync.adapter import (
    Adapter,
    Attributes,
    Features,
    Guard,
    Item,
    ItemId,
    Limits,
    Listing,
    Outcome,
    Page,
    Put,
    Revision,
    Token,
    Verdict,
    Write,
)

_PATIENCE = 30.0
"""Seconds that a provider gets to show what it does not promise to show at once."""


class Outside(Protocol):
    """Somebody else who uses the provider, by other means than the adapter under test."""

    def set(self, id: ItemId, value: bytes, attributes: Attributes = ()) -> None:
        """Creates or overwrites the item, whatever is there."""
        ...

    def delete(self, id: ItemId) -> None:
        """Deletes the item; nothing happens where there is none."""
        ...

    def get(self, id: ItemId) -> bytes | None:
        """The value that is there now; None where there is no item."""
        ...


@dataclass(frozen=True)
class Subject:
    """One adapter under test. Make a new one, with an empty place of its own, for each behaviour.

    ``id`` gives the absolute id that a short name of lower-case letters and digits has at ``place``;
    ``beside`` is an id just outside of it (``app2/x`` where the place is ``app/``), and None where
    there can be none. ``foreign`` are attributes that `Outside.set` can give an item and that the
    adapter shows but does not manage. ``many`` items need more than one page of a listing.
    """

    adapter: Adapter
    place: Any
    outside: Outside
    id: Callable[[str], ItemId]
    beside: ItemId | None = None
    foreign: Attributes = ()
    many: int = 12

    @property
    def features(self) -> Features:
        return self.adapter.features


def pages_of(listing: Listing) -> Iterator[Page]:
    """The pages of a listing, for whoever has no patience: the first that failed raises its error."""
    for page in listing.pages:
        if page.failed is not None:
            raise page.failed
        yield page


def complete(listing: Listing) -> list[Item]:
    """The items of a listing, which must be complete and must not answer "unchanged"."""
    pages = list(pages_of(listing))
    assert not listing.unchanged, "it answered 'unchanged' and was not asked"
    assert pages, "a listing that proves nothing was left out has at least the page with its proof"
    assert pages[-1].proof is not None, "the last page of a complete listing carries the proof"
    return [item for page in pages for item in page.items]


def listed(subject: Subject) -> list[Item]:
    """All items of the place, by one complete listing."""
    return complete(subject.adapter.list(subject.place, None))


def token(subject: Subject) -> Token:
    """The token of a listing made now."""
    (*_, last) = pages_of(subject.adapter.list(subject.place, None))
    assert last.proof is not None
    assert last.proof.token is not None, "features.unchanged needs a token with the proof"
    return last.proof.token


def look(subject: Subject, id: ItemId) -> Item | None:
    """One point read."""
    found = [item for page in pages_of(subject.adapter.get([id])) for item in page.items]
    assert len(found) < 2
    return found[0] if found else None


def found(subject: Subject, id: ItemId) -> Item:
    """One point read of what must be there and readable."""
    item = look(subject, id)
    assert item is not None, f"{id} is there, and the point read did not find it"
    assert item.unreadable is None
    return item


def revision(subject: Subject, id: ItemId) -> Revision:
    """The revision that a point read shows."""
    at = found(subject, id).revision
    assert at is not None, "a point read tells the revision, or no write could expect it"
    return at


def write(subject: Subject, write: Write) -> Outcome:
    """Carries out one write."""
    (outcome,) = subject.adapter.write([write])
    assert outcome.id == write.id
    return outcome


def create(subject: Subject, name: str, value: bytes = b"first") -> tuple[ItemId, Outcome]:
    """Creates an item through the adapter, which must work."""
    id = subject.id(name)
    outcome = write(subject, Put(id, value, None))
    assert outcome.verdict is Verdict.APPLIED, outcome.reason
    return id, outcome


def eventually(subject: Subject, is_true: Callable[[], bool]) -> bool:
    """Whether something is so: at once where reads are current, else within a while."""
    features = subject.features
    if features.current_listing and features.current_reads:
        return is_true()
    end = time.monotonic() + _PATIENCE
    while not is_true():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def broken(limits: Limits, text: bytes) -> str:
    """The limit that a text breaks, in words; the empty text where it breaks none."""
    words = text.decode("utf-8", "surrogateescape")
    if len(text) < limits.min_bytes:
        return f"shorter than {limits.min_bytes} bytes"
    if limits.max_bytes is not None and len(text) > limits.max_bytes:
        return f"longer than {limits.max_bytes} bytes"
    if limits.pattern is not None and not re.fullmatch(limits.pattern, words):
        return limits.pattern_reason or f"is not all of {limits.pattern!r}"
    return next((rule.reason for rule in limits.rules if re.search(rule.forbidden, words)), "")


def compares_updates(features: Features) -> bool:
    """An update of what is not at the expected revision is seen before it is made."""
    return features.guard in (Guard.A, Guard.B, Guard.D)


def compares_deletes(features: Features) -> bool:
    """A delete of what is not at the expected revision is seen before it is made."""
    return features.guard in (Guard.A, Guard.D)
