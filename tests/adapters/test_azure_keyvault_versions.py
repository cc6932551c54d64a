"""What a vault keeps and how it is named: soft delete, past versions, addresses; and what options may say."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_sync.adapter import Delete, Item, Put, Verdict
from ecs_sync.errors import Rejected, Unavailable
from ecs_sync_adapters.azure_keyvault import KeyVaultAdapter, KeyVaultOptions, KeyVaultPlace
from ecs_sync_sandbox.azure_keyvault import KeyVaultServer
from tests.adapters.keyvault_sandbox import (
    PLACE,
    Clock,
    adapter_of,
    asked,
    items,
    listed,
    one,
    outside,
    values,
    write,
)

APPLIED, REFUSED, RACED = Verdict.APPLIED, Verdict.REFUSED, Verdict.RACED


@pytest.fixture
def clock() -> Clock:
    """An hour ago: what is written then is surely over now, by the vault's own Date."""
    return Clock(int(time.time()) - 3600)


@pytest.fixture
def server(clock: Clock) -> Iterator[KeyVaultServer]:
    with KeyVaultServer(clock=clock) as server:
        yield server


@pytest.fixture
def adapter(server: KeyVaultServer) -> Iterator[KeyVaultAdapter]:
    adapter = adapter_of(server)
    yield adapter
    adapter.close()


# -- soft delete


def test_a_delete_is_soft_and_nothing_is_ever_purged(
    server: KeyVaultServer, adapter: KeyVaultAdapter
) -> None:
    outside(server, "acme-db")
    revision = one(adapter, "acme-db").revision
    assert revision is not None
    assert write(adapter, Delete("acme-db", revision)).verdict is APPLIED
    assert server.vault.deleted("acme-db")[0].latest.value == "theirs"
    assert write(adapter, Delete("acme-db", revision)).verdict is RACED
    assert write(adapter, Delete("no/name", revision)).verdict is RACED
    assert not [line for line in asked(server) if line.startswith("DELETE /deletedsecrets")]


def test_a_deleted_name_is_refused_with_what_to_do(server: KeyVaultServer, adapter: KeyVaultAdapter) -> None:
    outside(server, "acme-db")
    server.vault.delete("acme-db")
    outcome = write(adapter, Put("acme-db", b"new", None))
    assert outcome.verdict is REFUSED
    assert "recover or purge" in outcome.reason and "soft_deleted" in outcome.reason
    assert "acme-db" in [secret.name for secret, _ in server.vault.deleted_secrets()]


@pytest.mark.parametrize("lag", [0, 3])
def test_a_deleted_name_is_recovered_and_set_where_the_connection_says_so(lag: int) -> None:
    with KeyVaultServer(lag=lag) as server:
        adapter = adapter_of(server, soft_deleted="recover")
        outside(server, "acme-db", "old")
        server.vault.delete("acme-db")
        server.vault.lag, server.vault._passing = lag, {}
        outcome = write(adapter, Put("acme-db", b"new", None))
        assert (outcome.verdict, outcome.replaced) == (APPLIED, None)
        assert values(server, "acme-db") == ["old", "new"]
        assert one(adapter, "acme-db").value == b"new"


def test_a_recovery_that_never_ends_is_given_up() -> None:
    with KeyVaultServer() as server:
        adapter = adapter_of(server, soft_deleted="recover", read_timeout=0.3)
        outside(server, "acme-db", "old")
        server.vault.delete("acme-db")
        server.vault.lag = 10_000
        with pytest.raises(Unavailable, match="run again later"):
            write(adapter, Put("acme-db", b"new", None))


def test_a_name_that_is_just_being_deleted_can_be_tried_again() -> None:
    with KeyVaultServer(lag=2) as server:
        adapter = adapter_of(server, soft_deleted="recover")
        outside(server, "acme-db", "old")
        server.vault.delete("acme-db")
        with pytest.raises(Unavailable, match="still deleting"):
            write(adapter, Put("acme-db", b"new", None))


# -- versions by name


def test_a_version_can_be_pinned_by_its_id_and_by_its_revision(
    server: KeyVaultServer, adapter: KeyVaultAdapter, clock: Clock
) -> None:
    first = outside(server, "acme-db", "one")
    seen = one(adapter, "acme-db")
    clock.now += 10
    outside(server, "acme-db", "two")
    for version in (first, first.upper(), seen.revision or "", f"{seen.revision}~{first}"):
        item = adapter.version("acme-db", version)
        assert isinstance(item, Item) and item.value == b"one" and item.secret
    for version in ("0" * 32, "latest", "", "1.1.00000000"):
        assert adapter.version("acme-db", version) is None
    assert adapter.version("no/name", first) is None


def test_of_two_versions_of_one_second_a_revision_pins_neither(
    server: KeyVaultServer, adapter: KeyVaultAdapter
) -> None:
    outside(server, "acme-db", "one")
    outside(server, "acme-db", "two")
    assert adapter.version("acme-db", one(adapter, "acme-db").revision or "") is None


def test_a_peek_sees_what_a_read_sees_and_reads_no_secret(
    server: KeyVaultServer, adapter: KeyVaultAdapter, clock: Clock
) -> None:
    for value in ("one", "two"):
        outside(server, "acme-db", value, tags={"team": value})
        clock.now += 1
    before = len(server.requests)
    [peeked] = items(adapter.peek(["acme-db", "acme-none", "no/name"]))
    assert not [line for line in asked(server, before) if line == "GET /secrets/acme-db"]
    assert peeked == replace(one(adapter, "acme-db"), value=None)


def test_a_peek_reads_where_only_a_read_can_tell(server: KeyVaultServer, adapter: KeyVaultAdapter) -> None:
    outside(server, "acme-db", "one", tags={"a": "b"})
    outside(server, "acme-db", "two")
    [peeked] = items(adapter.peek(["acme-db"]))
    assert peeked == replace(one(adapter, "acme-db"), value=None)


# -- addresses


def test_an_address_leads_back_to_the_secret(adapter: KeyVaultAdapter, server: KeyVaultServer) -> None:
    version = "0123456789abcdef0123456789abcdef"
    assert adapter.address("acme-db", None) == f"{server.url}/secrets/acme-db"
    for pinned in (None, version):
        assert adapter.addressed(adapter.address("acme-db", pinned)) == ("acme-db", pinned)


def test_an_address_is_known_in_every_spelling_and_of_this_vault_only() -> None:
    adapter = KeyVaultAdapter(KeyVaultOptions("https://Acme.vault.azure.net:443/"))
    assert adapter.address("Db", None) == "https://acme.vault.azure.net/secrets/Db"
    for spelling in (
        "https://acme.vault.azure.net/secrets/Db/",
        "HTTPS://ACME.vault.azure.net:443/secrets/Db",
    ):
        assert adapter.addressed(spelling) == ("Db", None)
    for other in (
        "https://acme2.vault.azure.net/secrets/Db",
        "https://acme.vault.azure.net/keys/Db",
        "https://acme.vault.azure.net/secrets/Db/latest",
        "https://acme.vault.azure.net/secrets/D_b",
        "https://acme.vault.azure.net/secrets/Db?x=1",
        "https://acme.vault.azure.net.evil.example/secrets/Db",
        "http://acme.vault.azure.net/secrets/Db",
        "arn:aws:secretsmanager:eu-west-1:1:secret:Db",
    ):
        assert adapter.addressed(other) is None, other


names = st.from_regex(r"[0-9A-Za-z-]{1,127}", fullmatch=True)
pins = st.none() | st.from_regex(r"[0-9a-f]{32}", fullmatch=True)


@given(names, pins)
def test_every_name_and_version_comes_back_from_its_address(name: str, version: str | None) -> None:
    adapter = KeyVaultAdapter(KeyVaultOptions("https://acme.vault.azure.net"))
    assert adapter.addressed(adapter.address(name, version)) == (name, version)


@given(st.from_regex(r"([0-9A-Za-z-]{0,20}-)?", fullmatch=True), names)
def test_every_place_reads_back_and_overlaps_whatever_could_hold_a_name_of_it(prefix: str, name: str) -> None:
    place = KeyVaultPlace(prefix)
    assert KeyVaultPlace.parse(str(place)) == place
    other = KeyVaultPlace(f"{prefix.swapcase()}{name}"[:100] + "-")
    assert place.overlaps(other) and other.overlaps(place)


# -- options and limits


def test_every_problem_of_the_options_is_told_at_once() -> None:
    given: dict[str, Any] = {"vault": "http://acme.vault.azure.net", "credential": "client-secret"}
    with pytest.raises(ValueError, match="vault") as caught:
        KeyVaultOptions(**given, read_timeout=0, concurrency=0)
    for problem in ("vault", "read_timeout", "concurrency", "tenant_id", "client_id", "client_secret"):
        assert problem in str(caught.value)


def test_more_than_one_write_at_a_time_is_rejected(adapter: KeyVaultAdapter) -> None:
    with pytest.raises(Rejected, match="one write"):
        adapter.write([Put("acme-a", b"1", None), Put("acme-b", b"1", None)])
    assert adapter.write([]) == []


def test_what_the_vault_refuses_is_refused(server: KeyVaultServer, adapter: KeyVaultAdapter) -> None:
    tags = tuple((f"tag:{number:02}", "x") for number in range(16))
    outcome = write(adapter, Put("acme-db", b"on", None, attributes=tags))
    assert outcome.verdict is REFUSED and "tags" in outcome.reason
    assert listed(adapter) == {}


def test_a_closed_adapter_connects_again(server: KeyVaultServer, adapter: KeyVaultAdapter) -> None:
    outside(server, "acme-db")
    assert len(items(adapter.list(PLACE, None))) == 1
    adapter.close()
    assert one(adapter, "acme-db").value == b"theirs"


def test_the_example_in_the_documentation_prints_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    text = (Path(__file__).parents[2] / "docs/providers/azure-keyvault.md").read_text(encoding="utf-8")
    code = text.partition("```python\n")[2].partition("```")[0]
    exec(code, {})
    assert code.rstrip().rpartition("# ")[2] == capsys.readouterr().out.strip()
