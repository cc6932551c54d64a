"""How writes go together: into groups of the protocol, and into the batches that a provider takes. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from ecs_sync.adapter import Delete, Features, Price, Put, Write

T = TypeVar("T")

_MOST = 1024
_SECONDS = 20.0


def group_size(features: Features) -> int:
    """How many items go through the protocol together.

    Many share one transaction; but what a slow provider takes in twenty seconds is enough, so that a
    process that is asked to stop, or killed, leaves little behind.
    """
    if features.write_rate is None:
        return _MOST
    return max(1, min(_MOST, int(features.write_rate * _SECONDS)))


def price_of(features: Features, batch: Iterable[Write]) -> int:
    """The calls that a batch takes: one request, of the dearest kind in it, and what each write adds."""
    prices = [_price_of(features, write) for write in batch]
    return max((price.request for price in prices), default=0) + sum(price.item for price in prices)


def _price_of(features: Features, write: Write) -> Price:
    if isinstance(write, Delete):
        return features.prices.delete
    return features.prices.create if write.expected is None else features.prices.update


def batches(
    features: Features, elements: Iterable[T], write_of: Callable[[T], Write | None]
) -> Iterator[list[T]]:
    """What the provider takes at once. Deletes go by themselves where it takes more of them so."""
    sorts_out = features.delete_batch is not None and features.delete_batch > features.batch
    batch: list[T] = []
    size, before = 0, False
    for element in elements:
        write = write_of(element)
        deletes = isinstance(write, Delete)
        weight = len(write.id.encode()) if write is not None else 0
        weight += len(write.value) if isinstance(write, Put) else 0
        most = features.delete_batch or 0 if sorts_out and deletes else features.batch
        apart = sorts_out and deletes != before
        heavy = features.batch_bytes is not None and size + weight > features.batch_bytes
        if batch and (len(batch) >= most or heavy or apart):
            yield batch
            batch, size = [], 0
        batch.append(element)
        size, before = size + weight, deletes
    if batch:
        yield batch
