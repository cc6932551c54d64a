"""How often Key Vault is asked: what pages and prices say is what the vault counts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from azure.keyvault.secrets._shared import http_challenge_cache
from benchmarks.calls_azure_keyvault import counts

from ecs_sync.adapter import Delete, Listing, Put, Verdict
from ecs_sync_adapters.azure_keyvault import KeyVaultAdapter
from ecs_sync_sandbox.azure_keyvault import KeyVaultServer
from tests.adapters.keyvault_sandbox import PLACE, Clock, adapter_of, asked, items, listed, one, outside


@pytest.fixture
def clock() -> Clock:
    return Clock(int(time.time()) - 3600)


@pytest.fixture
def server(clock: Clock) -> Iterator[KeyVaultServer]:
    with KeyVaultServer(clock=clock) as server:
        yield server


@pytest.fixture
def adapter(server: KeyVaultServer) -> KeyVaultAdapter:
    """One that knows the vault's challenge already."""
    adapter = adapter_of(server)
    items(adapter.list(PLACE, None))
    return adapter


def calls(listing: Listing) -> int:
    return listing.calls + sum(page.calls for page in listing.pages)


def test_the_first_question_of_a_client_costs_one_more_and_carries_no_value(server: KeyVaultServer) -> None:
    adapter = adapter_of(server)
    adapter.write([Put("acme-db", b"on", None)])
    assert asked(server)[0] == "?"
    assert server.requests[0].body == b""
    assert calls(adapter.list(PLACE, None)) == 1


def test_pages_do_not_count_the_question_for_the_challenge(server: KeyVaultServer) -> None:
    assert calls(adapter_of(server).list(PLACE, None)) == 1 == len(server.requests) - 1


@pytest.mark.parametrize(("secrets", "least"), [(0, 1), (1, 1), (25, 1), (26, 2), (60, 3)])
def test_an_unchanged_vault_costs_a_call_for_25_secrets(
    server: KeyVaultServer, adapter: KeyVaultAdapter, secrets: int, least: int
) -> None:
    for number in range(secrets):
        outside(server, f"acme-{number:02}")
    before = len(server.requests)
    assert calls(adapter.list(PLACE, None)) == least == len(server.requests) - before


def test_a_secret_that_changed_just_now_costs_one_call_more(
    server: KeyVaultServer, adapter: KeyVaultAdapter, clock: Clock
) -> None:
    outside(server, "acme-old")
    clock.now = time.time()
    outside(server, "acme-new")
    outside(server, "acme-off", attributes={"enabled": False})
    before = len(server.requests)
    assert calls(adapter.list(PLACE, None)) == 2 == len(server.requests) - before


def test_two_listings_read_in_turns_count_their_own_calls(
    server: KeyVaultServer, adapter: KeyVaultAdapter
) -> None:
    for number in range(60):
        outside(server, f"acme-{number:02}")
    one_, other = adapter.list(PLACE, None).pages, adapter.list(PLACE, None).pages
    assert [(a.calls, b.calls) for a, b in zip(one_, other, strict=True)] == [(1, 1)] * 3


def test_reads_cost_what_they_say(server: KeyVaultServer, adapter: KeyVaultAdapter, clock: Clock) -> None:
    for number in range(30):
        outside(server, "acme-db", f"v{number}")
        clock.now += 1
    outside(server, "acme-x")
    looks: list[tuple[Callable[[], Listing], int]] = [
        (lambda: adapter.get(["acme-db", "acme-x", "acme-none", "no/name"]), 3),
        (lambda: adapter.get([]), 0),
        (lambda: adapter.peek(["acme-x", "acme-db"]), 3),
        (lambda: adapter.history("acme-x", None), 2),
        (lambda: adapter.history("acme-db", one(adapter, "acme-db").revision), 2),
    ]
    for look, expected in looks:
        listing = look()
        before = len(server.requests)
        assert calls(listing) == expected == len(server.requests) - before


def test_writes_cost_what_the_features_say(
    server: KeyVaultServer, adapter: KeyVaultAdapter, clock: Clock
) -> None:
    prices = adapter.features.prices

    def cost(write: Put | Delete) -> int:
        before = len(server.requests)
        [outcome] = adapter.write([write])
        assert outcome.verdict is Verdict.APPLIED
        return len(server.requests) - before

    assert cost(Put("acme-db", b"one", None)) == prices.create.of(1) == 3
    clock.now += 1
    revision = listed(adapter)["acme-db"].revision
    assert cost(Put("acme-db", b"two", revision)) == prices.update.of(1) == 3
    clock.now += 1
    assert cost(Delete("acme-db", one(adapter, "acme-db").revision or "")) == prices.delete.of(1) == 1
    for number in range(25):
        outside(server, "acme-x", f"v{number}")
        clock.now += 1
    assert cost(Put("acme-x", b"new", one(adapter, "acme-x").revision)) == 4


def test_whole_runs_cost_what_the_documentation_says() -> None:
    http_challenge_cache.clear()
    assert [(count.calls, count.least) for count in counts(30, 4, 2)] == [
        (2 + 4 * 30, 31),  # the challenge and an empty page; look, set, look and proof of each
        (2 + 30, 2),
        (2, 2),
        (2 + 5 * 4, 6),  # and the value that the archive keeps
        (2 + 4 * 2, 4),  # the value for the archive, a point read, the delete, and the proof
    ]
