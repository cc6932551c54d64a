"""Point reads of many items, in parallel within the provider's limits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from ecs_sync.adapter import Features, Item, ItemId, Listing, Page, Price
from ecs_sync.errors import AdapterError
from ecs_sync.meter import Meter

Ask = Callable[[Sequence[ItemId]], Listing]


def read_each(
    ask: Ask, features: Features, ids: Iterable[ItemId], price: Price, meter: Meter
) -> dict[ItemId, Item | None]:
    """Each item that was answered; None where it is absent. What failed is an item that is unreadable."""
    chunks = list(_chunks(ids, max(1, features.reads)))
    if not chunks:
        return {}
    seen: dict[ItemId, Item | None] = {}
    with ThreadPoolExecutor(max_workers=min(len(chunks), features.concurrency)) as pool:
        for pages in pool.map(lambda chunk: _answered(ask, chunk, price), chunks):
            meter.add(sum(page.calls for page in pages))
            for page in pages:
                seen.update({item.id: item for item in page.items})
                seen.update(dict.fromkeys(page.absent))
    return seen


def _answered(ask: Ask, ids: Sequence[ItemId], price: Price) -> list[Page]:
    try:
        return list(ask(ids).pages)
    except AdapterError as error:
        unread = tuple(Item(id, None, unreadable=str(error)) for id in ids)
        return [Page(unread, calls=price.of(len(ids)))]


def _chunks(ids: Iterable[ItemId], size: int) -> Iterator[list[ItemId]]:
    stream = iter(ids)
    while chunk := list(islice(stream, size)):
        yield chunk
