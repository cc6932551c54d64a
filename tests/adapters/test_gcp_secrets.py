"""What is particular to Secret Manager: versions and their states, deletes, checksums."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from google.cloud.secretmanager_v1 import types

from ecs_sync.abilities import KeepsHistory, Peeks, Pins
from ecs_sync.adapter import Delete, Put
from ecs_sync.errors import Unavailable
from ecs_sync_adapters.gcp_secrets import GcpSecretsAdapter
from ecs_sync_sandbox.gcp_secrets import GcpSecretsServer
from tests.adapters.gcp_sandbox import (
    APPLIED,
    MODE,
    PLACE,
    RACED,
    absent,
    adapter_of,
    at,
    items,
    one,
    write,
)


@pytest.fixture
def server() -> Iterator[GcpSecretsServer]:
    with GcpSecretsServer() as server:
        yield server


@pytest.fixture
def gcp(server: GcpSecretsServer) -> Iterator[GcpSecretsAdapter]:
    adapter = adapter_of(server)
    yield adapter
    adapter.close()


# -- versions and revisions


def test_a_secret_made_anew_never_has_the_revision_of_the_one_before(
    server: GcpSecretsServer, gcp: GcpSecretsAdapter
) -> None:
    server.secrets.set(MODE, b"one")
    before = one(gcp)
    server.secrets.remove(MODE)
    server.secrets.set(MODE, b"other")
    after = one(gcp)
    assert before.revision is not None and after.revision is not None
    assert before.revision.startswith("1") and after.revision.startswith("1")
    assert before.revision != after.revision
    assert before.changed is not None and after.changed is not None and before.changed < after.changed


def test_the_change_time_is_that_of_the_version_and_not_of_the_secret(
    server: GcpSecretsServer, gcp: GcpSecretsAdapter
) -> None:
    server.secrets.set(MODE, b"one")
    made = server.secrets.read(MODE).create_time
    between = datetime.now(UTC)
    server.secrets.set(MODE, b"two")
    changed = one(gcp).changed
    assert changed is not None and made < between <= changed


def test_labels_that_change_do_not_move_the_value(server: GcpSecretsServer, gcp: GcpSecretsAdapter) -> None:
    server.secrets.set(MODE, b"one")
    before = one(gcp)
    asked = types.Secret(name=f"{server.secrets.parent}/secrets/{MODE}", labels={"team": "b"})
    server.secrets.update(asked, ["labels"])
    assert one(gcp) == before


def test_the_number_of_a_version_tells_what_an_update_replaced_unseen(
    server: GcpSecretsServer, gcp: GcpSecretsAdapter
) -> None:
    server.secrets.set(MODE, b"one")
    before = at(gcp)
    server.secrets.set(MODE, b"theirs")
    between = at(gcp)
    outcome = write(gcp, Put(MODE, b"ours", before))
    assert (outcome.verdict, outcome.replaced) == (APPLIED, between)
    assert isinstance(gcp, KeepsHistory)
    assert [item.value for item in items(gcp.history(MODE, before))] == [b"theirs", b"ours"]


def test_an_update_of_a_secret_made_anew_does_not_claim_to_have_replaced_the_old_one(
    server: GcpSecretsServer, gcp: GcpSecretsAdapter
) -> None:
    for value in (b"1", b"2", b"3"):
        server.secrets.set(MODE, value)
    before = at(gcp)
    server.secrets.remove(MODE)
    server.secrets.set(MODE, b"other")
    between = at(gcp)
    assert write(gcp, Put(MODE, b"ours", before)).replaced == between


def test_an_update_of_an_emptied_secret_replaced_nothing(
    server: GcpSecretsServer, gcp: GcpSecretsAdapter
) -> None:
    server.secrets.set(MODE, b"one")
    before = at(gcp)
    server.secrets.remove(MODE)
    server.secrets.create(MODE, types.Secret(replication={"automatic": {}}))
    outcome = write(gcp, Put(MODE, b"ours", before))
    assert (outcome.verdict, outcome.replaced) == (APPLIED, None)


def test_an_update_of_what_is_gone_is_raced_and_makes_nothing(
    server: GcpSecretsServer, gcp: GcpSecretsAdapter
) -> None:
    server.secrets.set(MODE, b"one")
    before = at(gcp)
    server.secrets.remove(MODE)
    assert write(gcp, Put(MODE, b"two", before)).verdict is RACED
    assert server.secrets.names() == []


def test_a_history_after_a_version_of_a_deleted_secret_proves_nothing(
    server: GcpSecretsServer, gcp: GcpSecretsAdapter
) -> None:
    server.secrets.set(MODE, b"one")
    before = at(gcp)
    server.secrets.remove(MODE)
    server.secrets.set(MODE, b"other")
    pages = list(gcp.history(MODE, before).pages)
    assert [item for page in pages for item in page.items] == []
    assert all(page.proof is None for page in pages)


def test_a_history_tells_of_versions_that_are_disabled_or_destroyed(
    server: GcpSecretsServer, gcp: GcpSecretsAdapter
) -> None:
    for value in (b"1", b"2", b"3", b"4"):
        server.secrets.set(MODE, value)
    server.secrets.become(MODE, "2", "DISABLED")
    server.secrets.become(MODE, "3", "DESTROYED")
    seen = items(gcp.history(MODE, None))
    assert [item.value for item in seen] == [b"1", None, None, b"4"]
    assert "version 2 is disabled" in (seen[1].unreadable or "")
    assert "version 3 is destroyed" in (seen[2].unreadable or "")


def test_a_history_is_not_behind_where_latest_is(server: GcpSecretsServer, gcp: GcpSecretsAdapter) -> None:
    server.secrets.set(MODE, b"1")
    first = at(gcp)
    for value in (b"2", b"3"):
        server.secrets.set(MODE, value)
    server.secrets.lag(MODE, 2)
    assert at(gcp) == first
    assert [item.value for item in items(gcp.history(MODE, first))] == [b"2", b"3"]


def test_no_version_is_ever_disabled_or_destroyed(server: GcpSecretsServer, gcp: GcpSecretsAdapter) -> None:
    write(gcp, Put(MODE, b"0", None))
    for value in (b"1", b"2", b"3"):
        write(gcp, Put(MODE, value, at(gcp)))
    assert [item.value for item in items(gcp.history(MODE, None))] == [b"0", b"1", b"2", b"3"]


def test_one_version_is_read_by_its_number_its_alias_or_its_revision(
    server: GcpSecretsServer, gcp: GcpSecretsAdapter
) -> None:
    server.secrets.set(MODE, b"1")
    first = at(gcp)
    server.secrets.set(MODE, b"2")
    named = types.Secret(name=f"{server.secrets.parent}/secrets/{MODE}", version_aliases={"current": 1})
    server.secrets.update(named, ["version_aliases"])
    assert isinstance(gcp, Pins)
    for word, value in (("1", b"1"), ("2", b"2"), ("current", b"1"), ("latest", b"2"), (first, b"1")):
        found = gcp.version(MODE, word)
        assert found is not None and found.value == value and found.secret
    for word in ("3", "0", "other", "", "1/../2", "-1", "9" * 30):
        assert gcp.version(MODE, word) is None
    assert gcp.version("a/b", "1") is None
    server.secrets.remove(MODE)
    server.secrets.set(MODE, b"other")
    assert gcp.version(MODE, first) is None


# -- states


@pytest.mark.parametrize(("state", "word"), [("DISABLED", "is disabled"), ("DESTROYED", "is destroyed")])
def test_a_latest_version_that_is_not_enabled_is_unreadable_and_never_absent(
    server: GcpSecretsServer, gcp: GcpSecretsAdapter, state: str, word: str
) -> None:
    server.secrets.set(MODE, b"1")
    server.secrets.set(MODE, b"2")
    server.secrets.become(MODE, "2", state)
    [listed] = items(gcp.list(PLACE, None))
    for item in (listed, one(gcp)):
        assert item.value is None and f"version 2 {word}" in (item.unreadable or "")
    assert absent(gcp.get([MODE])) == []


def test_a_version_that_waits_for_its_destruction_says_so(
    server: GcpSecretsServer, gcp: GcpSecretsAdapter
) -> None:
    server.secrets.set(MODE, b"1")
    waits = types.Secret(
        name=f"{server.secrets.parent}/secrets/{MODE}", version_destroy_ttl={"seconds": 86400}
    )
    server.secrets.update(waits, ["version_destroy_ttl"])
    server.secrets.become(MODE, "1", "DESTROYED")
    assert "will be destroyed" in (one(gcp).unreadable or "")


def test_a_version_disabled_between_two_calls_of_a_read_is_unreadable(
    server: GcpSecretsServer, gcp: GcpSecretsAdapter
) -> None:
    server.secrets.set(MODE, b"1")
    server.damage_next("GetSecretVersion", lambda _: server.secrets.become(MODE, "1", "DISABLED"))
    assert "KMS key is not usable" in (one(gcp).unreadable or "")


def test_a_secret_that_goes_between_two_calls_of_a_read_is_absent(
    server: GcpSecretsServer, gcp: GcpSecretsAdapter
) -> None:
    server.secrets.set(MODE, b"1")
    server.damage_next("GetSecretVersion", lambda _: server.secrets.remove(MODE))
    assert absent(gcp.get([MODE])) == [MODE]


def test_a_secret_without_a_version_holds_nothing_and_is_filled(
    server: GcpSecretsServer, gcp: GcpSecretsAdapter
) -> None:
    prepared = types.Secret(replication={"automatic": {}}, labels={"made": "by-terraform"})
    server.secrets.create(MODE, prepared)
    assert items(gcp.list(PLACE, None)) == []
    assert absent(gcp.get([MODE])) == [MODE]
    outcome = write(gcp, Put(MODE, b"on", None))
    assert (outcome.verdict, outcome.replaced) == (APPLIED, None)
    assert server.secrets.get(MODE) == b"on"
    assert dict(server.secrets.read(MODE).labels) == {"made": "by-terraform"}


def test_a_version_somebody_added_while_we_created_is_told_as_replaced(
    server: GcpSecretsServer, gcp: GcpSecretsAdapter
) -> None:
    server.damage_next("CreateSecret", lambda _: server.secrets.set(MODE, b"theirs"))
    outcome = write(gcp, Put(MODE, b"ours", None))
    [theirs, ours] = items(gcp.history(MODE, None))
    assert (theirs.value, ours.value) == (b"theirs", b"ours")
    assert (outcome.verdict, outcome.replaced, outcome.revision) == (APPLIED, theirs.revision, ours.revision)


def test_a_peek_tells_what_moved_and_reads_no_secret(
    server: GcpSecretsServer, gcp: GcpSecretsAdapter
) -> None:
    assert isinstance(gcp, Peeks)
    server.secrets.set(MODE, b"1")
    server.secrets.set("acme-prod-off", b"1")
    server.secrets.become("acme-prod-off", "1", "DISABLED")
    found = one(gcp)
    seen = {item.id: item for item in items(gcp.peek([MODE, "acme-prod-off"]))}
    assert (seen[MODE].revision, seen[MODE].changed, seen[MODE].value) == (
        found.revision,
        found.changed,
        None,
    )
    assert seen["acme-prod-off"].unreadable
    server.secrets.set(MODE, b"2")
    assert items(gcp.peek([MODE]))[0].revision != found.revision
    assert server.count("AccessSecretVersion") == 1
    assert absent(gcp.peek(["acme-prod-none", "a/b"])) == ["acme-prod-none", "a/b"]


def test_a_secret_whose_first_version_is_not_its_latest_yet_is_unseen_and_never_absent(
    server: GcpSecretsServer, gcp: GcpSecretsAdapter
) -> None:
    server.secrets.set(MODE, b"1")
    server.secrets.lag(MODE, 1)
    assert items(gcp.list(PLACE, None)) == []
    for read in (gcp.get, gcp.peek):
        [item] = items(read([MODE]))
        assert item.value is None and "does not show as its latest yet" in (item.unreadable or "")
    assert write(gcp, Put(MODE, b"2", None)).verdict is RACED
    server.secrets.become(MODE, "1", "DISABLED")
    assert write(gcp, Put(MODE, b"2", None)).verdict is RACED
    assert items(gcp.get([MODE]))[0].unreadable


# -- deletes


def test_a_delete_takes_a_secret_with_all_its_versions(
    server: GcpSecretsServer, gcp: GcpSecretsAdapter
) -> None:
    server.secrets.set(MODE, b"1")
    server.secrets.set(MODE, b"2")
    outcome = write(gcp, Delete(MODE, at(gcp)))
    assert outcome.verdict is APPLIED and server.secrets.names() == []


def test_a_delete_of_what_got_a_version_is_raced_also_where_latest_lags(
    server: GcpSecretsServer, gcp: GcpSecretsAdapter
) -> None:
    server.secrets.set(MODE, b"1")
    before = at(gcp)
    server.secrets.set(MODE, b"2")
    server.secrets.lag(MODE, 1)
    assert at(gcp) == before
    assert write(gcp, Delete(MODE, before)).verdict is RACED
    assert server.secrets.get(MODE) == b"2"


def test_a_delete_of_a_secret_made_anew_is_raced(server: GcpSecretsServer, gcp: GcpSecretsAdapter) -> None:
    server.secrets.set(MODE, b"1")
    before = at(gcp)
    server.secrets.remove(MODE)
    server.secrets.set(MODE, b"1")
    assert write(gcp, Delete(MODE, before)).verdict is RACED
    assert server.secrets.get(MODE) == b"1"


def test_a_delete_holds_to_the_etag_of_the_secret_it_looked_at(
    server: GcpSecretsServer, gcp: GcpSecretsAdapter
) -> None:
    server.secrets.set(MODE, b"1")
    before = at(gcp)

    def made_anew(_: object) -> None:
        server.secrets.remove(MODE)
        server.secrets.set(MODE, b"other")

    server.damage_next("GetSecret", made_anew)
    assert write(gcp, Delete(MODE, before)).verdict is RACED
    assert server.secrets.get(MODE) == b"other"


def test_a_secret_that_is_shown_without_its_etag_is_not_deleted(
    server: GcpSecretsServer, gcp: GcpSecretsAdapter
) -> None:
    server.secrets.set(MODE, b"1")
    before = at(gcp)

    def bare(answer: Any) -> None:
        answer.etag = ""

    server.damage_next("GetSecret", bare)
    with pytest.raises(Unavailable, match="etag"):
        write(gcp, Delete(MODE, before))
    assert server.count("DeleteSecret") == 0
    assert server.secrets.get(MODE) == b"1"


def test_a_delete_of_what_is_gone_is_raced(server: GcpSecretsServer, gcp: GcpSecretsAdapter) -> None:
    server.secrets.set(MODE, b"1")
    before = at(gcp)
    server.secrets.remove(MODE)
    assert write(gcp, Delete(MODE, before)).verdict is RACED


@pytest.mark.parametrize("revision", ["7", "latest", "x", "1" * 40])
def test_what_is_no_revision_of_ours_is_raced_without_a_call(
    server: GcpSecretsServer, gcp: GcpSecretsAdapter, revision: str
) -> None:
    server.secrets.set(MODE, b"1")
    assert write(gcp, Delete(MODE, revision)).verdict is RACED
    assert write(gcp, Put(MODE, b"2", revision)).verdict is RACED
    assert list(gcp.history(MODE, revision).pages)[-1].proof is None
    assert server.count() == 0


# -- checksums


def test_a_value_is_sent_with_its_checksum(server: GcpSecretsServer, gcp: GcpSecretsAdapter) -> None:
    write(gcp, Put(MODE, b"on", None))
    [sent] = [each.request.payload for each in server.requests if each.method == "AddSecretVersion"]
    assert types.SecretPayload.pb(sent).HasField("data_crc32c")


def test_a_value_that_was_damaged_on_the_way_is_unreadable(
    server: GcpSecretsServer, gcp: GcpSecretsAdapter
) -> None:
    server.secrets.set(MODE, b"value")
    server.damage_value_next()
    item = one(gcp)
    assert item.value is None and "CRC32C" in (item.unreadable or "")
    assert one(gcp).value == b"value"
    server.damage_value_next()
    pinned = gcp.version(MODE, "1")
    assert pinned is not None and pinned.value is None and pinned.unreadable
    server.damage_value_next()
    assert items(gcp.history(MODE, None))[0].value is None


def test_a_checksum_of_zero_is_verified_too(server: GcpSecretsServer, gcp: GcpSecretsAdapter) -> None:
    server.secrets.set(MODE, b"value")

    def zero(answer: Any) -> None:
        answer.payload.data_crc32c = 0

    server.damage_next("AccessSecretVersion", zero)
    assert "CRC32C" in (one(gcp).unreadable or "")
