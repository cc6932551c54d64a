"""Key Vault as its users know it: versions, certificates, case, soft delete, and clocks of whole seconds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_sync.adapter import Delete, Item, Outcome, Put, Verdict
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
    meanwhile,
    one,
    outside,
    values,
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


def write(adapter: KeyVaultAdapter, write: Put | Delete) -> Outcome:
    [outcome] = adapter.write([write])
    return outcome


def update(adapter: KeyVaultAdapter, id: str, value: bytes) -> Outcome:
    return write(adapter, Put(id, value, one(adapter, id).revision, secret=True))


# -- what a new version takes over


def test_a_new_value_keeps_tags_type_and_expiry_of_the_one_before(
    server: KeyVaultServer, adapter: KeyVaultAdapter, clock: Clock
) -> None:
    attributes = {"enabled": True, "nbf": 1_600_000_000, "exp": 2_000_000_000}
    outside(server, "acme-db", tags={"team": "x", "Env": ""}, contentType="text/plain", attributes=attributes)
    before = one(adapter, "acme-db")
    assert dict(before.attributes) == {
        "content-type": "text/plain",
        "enabled": "true",
        "expires": "2033-05-18T03:33:20Z",
        "not-before": "2020-09-13T12:26:40Z",
        "tag:Env": "",
        "tag:team": "x",
    }
    clock.now += 1
    assert update(adapter, "acme-db", b"new").verdict is APPLIED
    after = one(adapter, "acme-db")
    assert (after.value, after.attributes) == (b"new", before.attributes)


def test_what_somebody_tagged_after_we_looked_is_kept(
    server: KeyVaultServer, adapter: KeyVaultAdapter, clock: Clock
) -> None:
    outside(server, "acme-db", tags={"team": "x"})
    seen = one(adapter, "acme-db")
    clock.now += 1
    server.vault.patch("acme-db", "", {"tags": {"team": "y"}})
    outcome = write(adapter, Put("acme-db", b"new", seen.revision, attributes=seen.attributes))
    assert (outcome.verdict, outcome.replaced) == (APPLIED, seen.revision)
    assert dict(one(adapter, "acme-db").attributes)["tag:team"] == "y"


def test_a_creation_has_the_attributes_it_is_given(adapter: KeyVaultAdapter) -> None:
    attributes = (
        ("content-type", "text/plain"),
        ("expires", "2033-05-18T05:33:20+02:00"),
        ("not-before", "2020-09-13T12:26:40"),
        ("tag:team", "x"),
    )
    assert write(adapter, Put("acme-db", b"on", None, attributes=attributes)).verdict is APPLIED
    assert dict(one(adapter, "acme-db").attributes) == {
        **dict(attributes),
        "enabled": "true",
        "expires": "2033-05-18T03:33:20Z",
        "not-before": "2020-09-13T12:26:40Z",
    }


# -- what cannot be read is never absent


def test_a_disabled_secret_is_unreadable_and_says_so(
    server: KeyVaultServer, adapter: KeyVaultAdapter
) -> None:
    outside(server, "acme-db", attributes={"enabled": False})
    for item in (listed(adapter)["acme-db"], one(adapter, "acme-db"), *items(adapter.peek(["acme-db"]))):
        assert item.value is None and "disabled" in (item.unreadable or "")
    outcome = write(adapter, Put("acme-db", b"new", "1.1.00000000"))
    assert outcome.verdict is REFUSED and "disabled" in outcome.reason
    assert write(adapter, Put("acme-db", b"new", None)).verdict is RACED
    assert values(server, "acme-db") == ["theirs"]


def test_a_secret_that_is_denied_by_itself_hides_no_other(
    server: KeyVaultServer, adapter: KeyVaultAdapter
) -> None:
    outside(server, "acme-a")
    outside(server, "acme-b")
    one(adapter, "acme-b")
    server.fail_next(403, "ForbiddenByRbac")
    a, b = items(adapter.get(["acme-a", "acme-b"]))
    assert a.value is None and "may not" in (a.unreadable or "")
    assert b.value == b"theirs"


def test_a_certificate_s_secret_is_not_ours(server: KeyVaultServer, adapter: KeyVaultAdapter) -> None:
    server.vault.certificate("acme-web")
    assert listed(adapter) == {}
    for item in (one(adapter, "acme-web"), *items(adapter.peek(["acme-web"]))):
        assert item.value is None and "certificate" in (item.unreadable or "")
    revision = one(adapter, "acme-web").revision
    for expected in (None, revision):
        outcome = write(adapter, Put("acme-web", b"new", expected))
        assert outcome.verdict is REFUSED and "certificate" in outcome.reason
    assert values(server, "acme-web") == ["a private key"]


# -- names without case


def test_a_place_holds_what_begins_alike_in_any_case(
    server: KeyVaultServer, adapter: KeyVaultAdapter
) -> None:
    for name in ("ACME-Db", "acme-x", "acme2-y", "acm", "other"):
        outside(server, name)
    assert sorted(listed(adapter)) == ["acme-Db", "acme-x"]
    assert one(adapter, "acme-Db").value == b"theirs"
    assert len(items(adapter.list(KeyVaultPlace.parse("*"), None))) == 5


def test_two_keys_that_differ_by_case_are_never_one_secret(
    server: KeyVaultServer, adapter: KeyVaultAdapter
) -> None:
    assert write(adapter, Put("acme-db", b"one", None)).verdict is APPLIED
    outcome = write(adapter, Put("acme-DB", b"two", None))
    assert outcome.verdict is REFUSED
    assert "'acme-db'" in outcome.reason and "case" in outcome.reason
    assert values(server, "acme-db") == ["one"]


def test_places_of_other_case_overlap() -> None:
    assert KeyVaultPlace("acme-").overlaps(KeyVaultPlace("ACME-prod-"))
    assert KeyVaultPlace("").overlaps(KeyVaultPlace("acme-"))
    assert not KeyVaultPlace("acme-").overlaps(KeyVaultPlace("acme2-"))


@pytest.mark.parametrize("text", ["acme", "", "acme_", "acme/", "a.b-", "x" * 126 + "-"])
def test_a_place_that_would_hold_its_neighbours_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"dash at the end|no beginning"):
        KeyVaultPlace.parse(text)


def test_the_whole_vault_is_written_with_a_star() -> None:
    assert str(KeyVaultPlace.parse("*")) == "*" and KeyVaultPlace.parse("*").root == ""
    assert str(KeyVaultPlace.parse("acme-")) == "acme-"


# -- times of whole seconds


def test_a_second_version_of_the_same_second_is_noticed(server: KeyVaultServer, clock: Clock) -> None:
    clock.now = time.time()
    adapter = adapter_of(server)
    outside(server, "acme-db", "one")
    before = listed(adapter)["acme-db"]
    outside(server, "acme-db", "two")
    after = listed(adapter)["acme-db"]
    assert before.changed == after.changed
    assert before.revision != after.revision == one(adapter, "acme-db").revision


def test_a_version_of_a_second_that_is_over_has_one_revision_for_ever(
    server: KeyVaultServer, adapter: KeyVaultAdapter, clock: Clock
) -> None:
    outside(server, "acme-db", "one")
    outside(server, "acme-db", "two")
    before = listed(adapter)["acme-db"].revision
    assert before is not None and "~" not in before
    assert before == one(adapter, "acme-db").revision
    clock.now += 1
    outside(server, "acme-db", "three")
    assert listed(adapter)["acme-db"].revision != before


def test_what_was_seen_in_its_own_second_can_be_updated_later(server: KeyVaultServer, clock: Clock) -> None:
    adapter = adapter_of(server)
    outside(server, "acme-db", "one")
    now = one(adapter, "acme-db")
    version = server.vault.get("acme-db")[1].id
    early = replace(now, revision=f"{now.revision}~{version}")
    clock.now += 60
    outcome = write(adapter, Put("acme-db", b"two", early.revision))
    assert (outcome.verdict, outcome.replaced) == (APPLIED, early.revision)
    assert [item.value for item in items(adapter.history("acme-db", early.revision))] == [b"two"]


def test_an_update_that_another_of_the_same_second_came_before_is_raced(
    server: KeyVaultServer, clock: Clock
) -> None:
    clock.now = time.time()
    adapter = adapter_of(server)
    outside(server, "acme-db", "one")
    seen = one(adapter, "acme-db")
    outside(server, "acme-db", "two")
    assert write(adapter, Put("acme-db", b"ours", seen.revision)).verdict is RACED
    assert values(server, "acme-db") == ["one", "two"]


# -- nothing is lost unseen


def test_a_version_that_came_between_look_and_write_is_told_and_in_the_history(
    server: KeyVaultServer, adapter: KeyVaultAdapter, clock: Clock
) -> None:
    outside(server, "acme-db", "one")
    seen = one(adapter, "acme-db")
    clock.now += 10

    def somebody() -> None:
        outside(server, "acme-db", "theirs")
        clock.now += 1

    meanwhile(server, "PUT", somebody)
    outcome = write(adapter, Put("acme-db", b"ours", seen.revision))
    assert outcome.verdict is APPLIED and outcome.replaced not in (None, seen.revision)
    between, ours = items(adapter.history("acme-db", seen.revision))
    assert (between.value, ours.value) == (b"theirs", b"ours")
    assert (between.revision, ours.revision) == (outcome.replaced, outcome.revision)


def test_a_version_that_came_between_in_the_very_same_second_is_told_too(
    server: KeyVaultServer, clock: Clock
) -> None:
    clock.now = time.time()
    adapter = adapter_of(server)
    outside(server, "acme-db", "one")
    seen = one(adapter, "acme-db")
    meanwhile(server, "PUT", lambda: outside(server, "acme-db", "theirs"))
    outcome = write(adapter, Put("acme-db", b"ours", seen.revision))
    assert outcome.verdict is APPLIED and outcome.replaced != seen.revision
    shown = {item.value for item in items(adapter.history("acme-db", seen.revision))}
    assert shown == {b"theirs", b"ours"}


def test_a_creation_that_somebody_else_made_meanwhile_is_told(
    server: KeyVaultServer, adapter: KeyVaultAdapter
) -> None:
    meanwhile(server, "PUT", lambda: outside(server, "acme-db", "theirs"))
    outcome = write(adapter, Put("acme-db", b"ours", None))
    assert outcome.verdict is APPLIED and outcome.replaced is not None
    assert {item.value for item in items(adapter.history("acme-db", None))} == {b"theirs", b"ours"}


def test_a_delete_tells_what_it_really_deleted(
    server: KeyVaultServer, adapter: KeyVaultAdapter, clock: Clock
) -> None:
    outside(server, "acme-db", "one")
    seen = one(adapter, "acme-db")
    assert seen.revision is not None
    clock.now += 10
    outside(server, "acme-db", "two")
    moved = one(adapter, "acme-db")
    outcome = write(adapter, Delete("acme-db", seen.revision))
    assert (outcome.verdict, outcome.replaced) == (APPLIED, moved.revision)


def test_an_update_of_what_is_gone_brings_nothing_back(
    server: KeyVaultServer, adapter: KeyVaultAdapter
) -> None:
    outside(server, "acme-db")
    seen = one(adapter, "acme-db")
    server.vault.delete("acme-db")
    assert write(adapter, Put("acme-db", b"new", seen.revision)).verdict is RACED
    outside(server, "acme-x")
    seen = one(adapter, "acme-x")
    meanwhile(server, "PUT", lambda: server.vault.delete("acme-x"))
    outcome = write(adapter, Put("acme-x", b"new", seen.revision))
    assert outcome.verdict is RACED and "deleted meanwhile" in outcome.reason
    assert listed(adapter) == {}


def test_history_without_the_revision_it_begins_at_has_no_proof(
    server: KeyVaultServer, adapter: KeyVaultAdapter, clock: Clock
) -> None:
    outside(server, "acme-db", "old")
    seen = one(adapter, "acme-db")
    server.vault.delete("acme-db")
    server.vault.purge("acme-db")
    clock.now += 10
    outside(server, "acme-db", "new")
    for after in (seen.revision, f"{seen.revision}~{'0' * 32}", "7", "1.1.00000000"):
        *_, last = adapter.history("acme-db", after).pages
        assert last.proof is None, after
    *_, last = adapter.history("acme-none", "1.1.00000000").pages
    assert last.proof is None and last.absent == ("acme-none",)


def test_of_a_deleted_secret_it_is_known_whether_something_came_after(
    server: KeyVaultServer, adapter: KeyVaultAdapter, clock: Clock
) -> None:
    outside(server, "acme-db", "one")
    seen = one(adapter, "acme-db")
    server.vault.delete("acme-db")
    assert items(adapter.history("acme-db", seen.revision)) == []
    server.vault.recover("acme-db")
    clock.now += 10
    outside(server, "acme-db", "two")
    server.vault.delete("acme-db")
    *_, last = adapter.history("acme-db", seen.revision).pages
    assert last.proof is None


def test_a_disabled_version_of_the_history_is_unreadable_and_not_left_out(
    server: KeyVaultServer, adapter: KeyVaultAdapter, clock: Clock
) -> None:
    first = outside(server, "acme-db", "one")
    clock.now += 1
    outside(server, "acme-db", "two")
    server.vault.patch("acme-db", first, {"attributes": {"enabled": False}})
    old, new = items(adapter.history("acme-db", None))
    assert old.unreadable and old.value is None
    assert new.value == b"two"


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
