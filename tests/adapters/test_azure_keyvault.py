"""Key Vault as its users know it: values, certificates, case, and clocks of whole seconds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from ecs_sync.adapter import Delete, Outcome, Put, Verdict
from ecs_sync_adapters.azure_keyvault import KeyVaultAdapter, KeyVaultPlace
from ecs_sync_sandbox.azure_keyvault import KeyVaultServer
from tests.adapters.keyvault_sandbox import (
    Clock,
    adapter_of,
    items,
    listed,
    meanwhile,
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
