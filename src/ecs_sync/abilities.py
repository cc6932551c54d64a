"""What an adapter may do besides listing, reading and writing: each ability is a protocol of its own.

An adapter has one where it has the methods. Where a feature goes with it, `ecs_sync.adapter.Features`
says so, and the contract suite of `ecs_sync.testing` holds both together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from ecs_sync.adapter import Attributes, Item, ItemId, Listing, Revision, Token


@runtime_checkable
class KeepsHistory(Protocol):
    """The optional ability ``features.history``, which class C must have."""

    def history(self, id: ItemId, after: Revision | None) -> Listing:
        """The versions of one item that came after a revision, oldest first, with values."""
        ...


@runtime_checkable
class Watches(Protocol):
    """The optional ability ``features.watch``."""

    def watch(self, place: Any, since: Token | None, timeout: float) -> bool:
        """Waits at most ``timeout`` seconds; True when something at the place may have moved."""
        ...


@runtime_checkable
class Finishes(Protocol):
    """The optional ability ``features.finishes``."""

    def finished(self, place: Any, mark: str) -> None:
        """Tells the readers of ``place`` that a run is through with it. ``mark`` differs from run to run."""
        ...


@runtime_checkable
class Peeks(Protocol):
    """The optional ability ``features.peeks`` of a secret store: to look without reading a secret."""

    def peek(self, ids: Sequence[ItemId]) -> Listing:
        """As `Adapter.get`, with revisions and change times and without values."""
        ...


@runtime_checkable
class Pins(Protocol):
    """The optional ability ``features.pins``: references may name one version of a secret."""

    def version(self, id: ItemId, version: str) -> Item | None:
        """The item as its version ``version`` (the provider's own word) holds it, or None."""
        ...


@runtime_checkable
class Addresses(Protocol):
    """The optional ability of a secret store whose secrets other providers can point at."""

    def address(self, id: ItemId, version: str | None) -> str | None:
        """The name of a secret that holds outside of this connection: an URI, an ARN. None: it has none."""
        ...

    def addressed(self, address: str) -> tuple[ItemId, str | None] | None:
        """The secret, and its version where one is pinned, of an address of this connection's."""
        ...


@dataclass(frozen=True, slots=True)
class Pointer:
    """How a provider writes down natively that a value is kept elsewhere."""

    value: bytes
    attributes: Attributes = ()


@runtime_checkable
class Refers(Protocol):
    """The optional ability ``features.refers``."""

    def pointer(self, address: str) -> Pointer | None:
        """The native reference to an address, or None where this provider cannot point there."""
        ...

    def pointed(self, item: Item) -> str | None:
        """The address that an item points at, or None where it is no native reference."""
        ...


@runtime_checkable
class Wraps(Protocol):
    """The optional ability to wrap a short key under one that never leaves the provider.

    ``key`` is the wrapping key's name in the provider's own words. What is wrapped is 32 bytes. The wrapped
    form is one line of printable ASCII: the name of its scheme, a colon, and what the provider gave, with
    all that the same connection needs to unwrap it after the wrapping key was rotated. Both change nothing
    and may be tried again; neither makes a wrapping key.

    Raises `Rejected` where the wrapping key is unknown, disabled or of another kind, and where ``wrapped`` is
    of another scheme, damaged, or made with another key; `Denied` where the credential may not; `Unavailable`
    or `Throttled` where the provider does not answer. No message holds the plain bytes.
    """

    def wrap(self, key: str, plain: bytes) -> bytes:
        """The wrapped form of ``plain``."""
        ...

    def unwrap(self, key: str, wrapped: bytes) -> bytes:
        """What was wrapped."""
        ...
