"""How an adapter looks without reading, and how its items are named by other providers."""

from __future__ import annotations

import pytest

from ecs_sync.abilities import Addresses, Peeks, Pins, Refers
from ecs_sync.adapter import Item
from ecs_sync.errors import AdapterError
from ecs_sync.testing.behaviour import always, where
from ecs_sync.testing.subject import Subject, complete, create, found, look


@where(lambda features: features.peeks, "peeks")
def a_peek_tells_what_a_point_read_tells_but_the_value(subject: Subject) -> None:
    assert isinstance(subject.adapter, Peeks)
    id, _ = create(subject, "a", b"not to be read")
    absent = subject.id("never")
    pages = list(subject.adapter.peek([id, absent]).pages)
    (item,) = [item for page in pages for item in page.items if item.id == id]
    read = found(subject, id)
    assert item.value is None and item.unreadable is None
    assert (item.revision, item.changed) == (read.revision, read.changed)
    assert absent in [name for page in pages for name in page.absent]
    assert complete(subject.adapter.peek([id]))


@where(lambda features: features.peeks, "peeks")
def a_peek_shows_that_a_value_moved(subject: Subject) -> None:
    assert isinstance(subject.adapter, Peeks)
    id, _ = create(subject, "a", b"one")
    (before,) = complete(subject.adapter.peek([id]))
    subject.outside.set(id, b"two")
    (after,) = complete(subject.adapter.peek([id]))
    assert (before.revision, before.changed) != (after.revision, after.changed)


@where(lambda features: features.pins, "pins")
def a_version_that_there_never_was_is_not_another_one(subject: Subject) -> None:
    assert isinstance(subject.adapter, Pins)
    id, _ = create(subject, "a", b"the newest")
    try:
        item = subject.adapter.version(id, "0123456789abcdef0123456789abcdef")
    except AdapterError:
        return
    assert item is None or item.unreadable is not None


@always
def an_address_leads_back_to_its_item(subject: Subject) -> None:
    if not isinstance(subject.adapter, Addresses):
        pytest.skip("its items have no addresses")
    id, _ = create(subject, "a")
    address = subject.adapter.address(id, None)
    if address is not None:
        assert subject.adapter.addressed(address) == (id, None)
    assert subject.adapter.addressed("https://somewhere.else.invalid/secrets/a") is None


@where(lambda features: features.refers, "refers")
def what_points_nowhere_is_no_reference(subject: Subject) -> None:
    assert isinstance(subject.adapter, Refers)
    id, _ = create(subject, "a", b"plain")
    item = look(subject, id)
    assert isinstance(item, Item)
    assert subject.adapter.pointed(item) is None
    assert subject.adapter.pointer("neither an URI nor an ARN") is None
