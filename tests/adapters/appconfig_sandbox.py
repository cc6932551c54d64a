"""What the tests of App Configuration share: an adapter at a stand-in, and short ways to ask it."""

from __future__ import annotations

from ecs_sync.adapter import Delete, Item, Listing, Outcome, Put
from ecs_sync.testing.subject import pages_of
from ecs_sync_adapters.azure_appconfig import AppConfigAdapter, AppConfigOptions, AppConfigPlace
from ecs_sync_sandbox.azure_appconfig import AzureAppConfigServer
from ecs_sync_sandbox.http_server import Request


def adapter_of(server: AzureAppConfigServer, url: str | None = None, **options: object) -> AppConfigAdapter:
    """One that reaches the stand-in, perhaps by another address."""
    key = server.connection_string.replace(server.url, url or server.url)
    return AppConfigAdapter(AppConfigOptions(url or server.url, connection_string=key, **options))  # type: ignore[arg-type]


def place(text: str) -> AppConfigPlace:
    return AppConfigPlace.parse(text)


def read(listing: Listing) -> tuple[dict[str, Item], str | None, int]:
    """Items by id, the token, and the calls of a listing that must be complete."""
    pages = list(pages_of(listing))
    assert pages and pages[-1].proof is not None
    calls = listing.calls + sum(page.calls for page in pages)
    return {item.id: item for page in pages for item in page.items}, pages[-1].proof.token, calls


def ids(adapter: AppConfigAdapter, text: str) -> list[str]:
    return sorted(read(adapter.list(place(text), None))[0])


def one(adapter: AppConfigAdapter, id: str) -> Item:
    (item,) = read(adapter.get([id]))[0].values()
    return item


def look(adapter: AppConfigAdapter, id: str) -> Item | None:
    """A setting, where it is there."""
    return read(adapter.get([id]))[0].get(id)


def is_write(request: Request) -> bool:
    return request.method in ("PUT", "DELETE")


def writes_sent(server: AzureAppConfigServer) -> int:
    return sum(is_write(request) for request in server.requests)


def write(adapter: AppConfigAdapter, write: Put | Delete) -> Outcome:
    (outcome,) = adapter.write([write])
    return outcome


def update(adapter: AppConfigAdapter, id: str, value: bytes) -> Outcome:
    """As the engine updates: with the attributes that were read."""
    item = one(adapter, id)
    return write(adapter, Put(id, value, item.revision, attributes=item.attributes))
