"""What the tests of `azure-keyvault` share: an adapter of the sandbox, and listings read to their proof."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from azure.keyvault.secrets._shared import http_challenge_cache
from benchmarks.calls_azure_keyvault import Clock as Clock

from ecs_sync.adapter import Delete, Item, Listing, Outcome, Put
from ecs_sync.testing.subject import pages_of
from ecs_sync_adapters.azure_keyvault import KeyVaultAdapter, KeyVaultOptions, KeyVaultPlace
from ecs_sync_sandbox.azure_keyvault import CLIENT_SECRET, KeyVaultServer
from ecs_sync_sandbox.http_server import Request

PLACE = KeyVaultPlace("acme-")


def adapter_of(server: KeyVaultServer, **more: Any) -> KeyVaultAdapter:
    """One that asks for the challenge first: the SDK remembers it by port, and ports come back."""
    http_challenge_cache.clear()
    given = {**server.connection(), "client_secret": CLIENT_SECRET, **more}
    given.pop("adapter", None)
    return KeyVaultAdapter(KeyVaultOptions(**given))


def items(listing: Listing) -> list[Item]:
    """All items of a complete listing."""
    pages = list(pages_of(listing))
    assert [page.proof is not None for page in pages] == [False] * (len(pages) - 1) + [True]
    return [item for page in pages for item in page.items]


def one(adapter: KeyVaultAdapter, id: str) -> Item:
    [item] = items(adapter.get([id]))
    return item


def listed(adapter: KeyVaultAdapter) -> dict[str, Item]:
    return {item.id: item for item in items(adapter.list(PLACE, None))}


def outside(server: KeyVaultServer, name: str, value: str = "theirs", **more: Any) -> str:
    """Somebody else sets a secret; the version's id."""
    return server.vault.set(name, {"value": value, **more})[1].id


def write(adapter: KeyVaultAdapter, write: Put | Delete) -> Outcome:
    [outcome] = adapter.write([write])
    return outcome


def values(server: KeyVaultServer, name: str) -> list[str]:
    """The values of all versions, oldest first."""
    return [each.value for each in sorted(server.vault.versions(name).versions, key=lambda each: each.order)]


def meanwhile(server: KeyVaultServer, method: str, act: Callable[[], object], path: str = "") -> None:
    """Lets somebody act just before the vault sees the next request of this kind."""
    left = [act]

    def when(request: Request) -> bool:
        told = "authorization" in request.headers
        if left and told and request.method == method and request.path.endswith(path):
            left.pop()()
        return False

    server.faults.fail_next(500, when=when)


def asked(server: KeyVaultServer, since: int = 0) -> list[str]:
    """Methods and paths of the requests, such as "GET /secrets"; that for the challenge is "?"."""
    return [
        f"{request.method} {request.path.rstrip('/')}" if "authorization" in request.headers else "?"
        for request in server.requests[since:]
    ]
