"""Where secrets are kept and what they are named: creation, places, addresses, options, prices of calls."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from google.cloud.secretmanager_v1 import types
from hypothesis import given
from hypothesis import strategies as st

from ecs_sync.abilities import Addresses
from ecs_sync.adapter import Delete, Put
from ecs_sync.errors import Rejected, Unavailable
from ecs_sync.mapping import Refusal
from ecs_sync.model import Entry, Key, Scope, Value
from ecs_sync_adapters.gcp_secrets import GcpSecretsAdapter, GcpSecretsOptions, GcpSecretsPlace
from ecs_sync_mappings.path import PathMapping, PathOptions
from ecs_sync_sandbox.gcp_secrets import PERMISSIONS, GcpSecretsServer
from tests.adapters.gcp_sandbox import APPLIED, MODE, PLACE, REFUSED, adapter_of, at, items, one, write

DOCUMENTATION = Path(__file__).parents[2] / "docs/providers/gcp-secrets.md"


@pytest.fixture
def server() -> Iterator[GcpSecretsServer]:
    with GcpSecretsServer() as server:
        yield server


@pytest.fixture
def gcp(server: GcpSecretsServer) -> Iterator[GcpSecretsAdapter]:
    adapter = adapter_of(server)
    yield adapter
    adapter.close()


# -- creating


def test_a_new_secret_is_replicated_as_the_connection_says(server: GcpSecretsServer) -> None:
    key = "projects/k/locations/{location}/keyRings/r/cryptoKeys/c"
    places = ("europe-west1", "europe-west4")
    more = {"replication": "user-managed", "replica_locations": places, "kms_key": key}
    write(adapter_of(server, **more), Put("a", b"1", None))
    replicas = server.secrets.read("a").replication.user_managed.replicas
    assert [(each.location, each.customer_managed_encryption.kms_key_name) for each in replicas] == [
        (place, key.format(location=place)) for place in places
    ]
    key = key.format(location="global")
    write(adapter_of(server, kms_key=key), Put("b", b"1", None))
    automatic = server.secrets.read("b").replication.automatic
    assert automatic.customer_managed_encryption.kms_key_name == key
    key = key.replace("global", "europe-west3")
    write(adapter_of(server, location="europe-west3", kms_key=key), Put("c", b"1", None))
    regional = server.regional("europe-west3").read("c")
    assert regional.customer_managed_encryption.kms_key_name == key


def test_a_new_secret_gets_the_labels_and_annotations_it_comes_with(server: GcpSecretsServer) -> None:
    gcp = adapter_of(server, labels=True)
    told = (("annotation:owner", "Team A"), ("label:team", "a"), ("tier", "other provider's"))
    write(gcp, Put(MODE, b"1", None, attributes=told))
    assert one(gcp).attributes == told[:2]
    assert items(gcp.list(PLACE, None))[0].attributes == told[:2]


def test_a_secret_that_google_will_delete_by_itself_says_when(server: GcpSecretsServer) -> None:
    until = datetime(2999, 1, 1, tzinfo=UTC)
    server.secrets.create(MODE, types.Secret(replication={"automatic": {}}, expire_time=until))
    server.secrets.set(MODE, b"1")
    gcp = adapter_of(server, labels=True)
    assert one(gcp).attributes == (("expires", "2999-01-01T00:00:00Z"),)
    write(gcp, Put(MODE, b"2", at(gcp), attributes=one(gcp).attributes))
    assert one(gcp).attributes == (("expires", "2999-01-01T00:00:00Z"),)


@pytest.mark.parametrize("value", [b"", b"x" * 65_537])
def test_a_value_that_does_not_fit_is_refused_before_a_secret_is_made_for_it(
    server: GcpSecretsServer, gcp: GcpSecretsAdapter, value: bytes
) -> None:
    assert write(gcp, Put(MODE, value, None)).verdict is REFUSED
    assert server.count() == 0


def test_labels_that_secret_manager_does_not_take_refuse_the_creation(
    server: GcpSecretsServer, gcp: GcpSecretsAdapter
) -> None:
    outcome = write(gcp, Put(MODE, b"1", None, attributes=(("label:Team", "A"),)))
    assert outcome.verdict is REFUSED and "labels" in outcome.reason
    assert server.secrets.names() == []


# -- places, names and mappings


def test_names_come_back_with_the_projects_number_and_are_found_by_their_end(
    server: GcpSecretsServer, gcp: GcpSecretsAdapter
) -> None:
    server.secrets.set(MODE, b"1")
    assert "projects/424242424242/" in server.secrets.read(MODE).name
    assert [item.id for item in items(gcp.list(PLACE, None))] == [MODE]


def test_a_listing_takes_every_page_whatever_its_size(server: GcpSecretsServer) -> None:
    for number in range(23):
        server.secrets.set(f"acme-prod-{number:02}", b"1")
        server.secrets.set(f"other-{number:02}", b"1")
    gcp = adapter_of(server, page_size=10)
    assert len(items(gcp.list(PLACE, None))) == 23
    assert server.count("ListSecrets") == 5
    server.most_a_page = 3
    assert len(items(gcp.list(PLACE, None))) == 23
    assert len(items(gcp.list(GcpSecretsPlace("*"), None))) == 46


def test_secrets_beside_the_place_cost_no_call(server: GcpSecretsServer, gcp: GcpSecretsAdapter) -> None:
    for number in range(5):
        server.secrets.set(f"acme-production{number}", b"1")
    assert items(gcp.list(PLACE, None)) == []
    assert server.count() == 1


def test_global_and_regional_secrets_are_apart(server: GcpSecretsServer, gcp: GcpSecretsAdapter) -> None:
    regional = adapter_of(server, location="europe-west3")
    write(regional, Put(MODE, b"regional", None))
    assert items(gcp.list(PLACE, None)) == []
    write(gcp, Put(MODE, b"global", None))
    assert (one(gcp).value, one(regional).value) == (b"global", b"regional")


def test_regional_secrets_are_asked_for_at_their_locations_endpoint() -> None:
    assert GcpSecretsOptions("p").address == "secretmanager.googleapis.com"
    regional = GcpSecretsOptions("p", location="europe-west3")
    assert regional.address == "secretmanager.europe-west3.rep.googleapis.com"


@pytest.mark.parametrize("text", ["", "acme/prod/", "acme", "a.b-", "x" * 254 + "-", "*-", "ä-"])
def test_a_place_that_cannot_be_or_would_mean_more_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        GcpSecretsPlace.parse(text)


def test_a_place_without_an_end_is_told_what_was_probably_meant() -> None:
    with pytest.raises(ValueError, match="write 'acme-prod-'"):
        GcpSecretsPlace.parse("acme-prod")


def test_the_whole_project_overlaps_every_place() -> None:
    whole = GcpSecretsPlace.parse("*")
    assert whole.root == "" and str(whole) == "*"
    assert whole.overlaps(PLACE) and PLACE.overlaps(whole)
    assert not PLACE.overlaps(GcpSecretsPlace("acme-test-"))


def test_keys_of_many_segments_become_names_with_a_separator(
    server: GcpSecretsServer, gcp: GcpSecretsAdapter
) -> None:
    mapping = PathMapping(PathOptions(separator="__"), PLACE, Scope())
    key = Key.of("db", "max-connections")
    id = mapping.locate(key)
    assert id == "acme-prod-db__max-connections"
    written = mapping.write(id, [Entry(key, Value.string("5"), secret=True)], None)
    assert written is not None and written.value is not None
    assert write(gcp, Put(id, written.value, None, secret=True)).verdict is APPLIED
    assert mapping.read(one(gcp, id)) == [Entry(key, Value.string("5"), secret=True)]
    assert isinstance(mapping.locate(Key.of("db_", "x")), Refusal)


# -- addresses


def test_an_address_leads_back_to_its_secret(server: GcpSecretsServer, gcp: GcpSecretsAdapter) -> None:
    start = f"//secretmanager.googleapis.com/projects/{server.project}"
    assert isinstance(gcp, Addresses)
    assert gcp.address(MODE, None) == f"{start}/secrets/{MODE}/versions/latest"
    assert gcp.address(MODE, "3") == f"{start}/secrets/{MODE}/versions/3"
    server.secrets.set(MODE, b"1")
    assert gcp.address(MODE, at(gcp)) == f"{start}/secrets/{MODE}/versions/1"
    for version in (None, "3", "current"):
        assert gcp.addressed(gcp.address(MODE, version)) == (MODE, version)
    assert gcp.addressed(f"projects/{server.project}/secrets/{MODE}") == (MODE, None)
    regional = adapter_of(server, location="europe-west3")
    assert regional.addressed(regional.address(MODE, "2")) == (MODE, "2")
    assert regional.addressed(gcp.address(MODE, "2")) is None
    assert gcp.addressed(regional.address(MODE, "2")) is None


@pytest.mark.parametrize(
    "address",
    [
        "",
        "https://acme.vault.azure.net/secrets/x",
        "//secretmanager.googleapis.com/projects/other/secrets/x/versions/1",
        "//secretmanager.googleapis.com/projects/sandbox-1/secrets/a/b",
        "//secretmanager.googleapis.com/projects/sandbox-1/secrets/a/versions/",
    ],
)
def test_an_address_of_somewhere_else_is_none_of_ours(gcp: GcpSecretsAdapter, address: str) -> None:
    assert gcp.addressed(address) is None


@given(st.from_regex("[A-Za-z0-9_-]{1,255}", fullmatch=True), st.none() | st.integers(1, 10**8).map(str))
def test_every_address_leads_back(id: str, version: str | None) -> None:
    for location in (None, "europe-west3"):
        gcp = GcpSecretsAdapter(GcpSecretsOptions("acme-1", location=location))
        assert gcp.addressed(gcp.address(id, version)) == (id, version)


# -- calls


def test_every_page_tells_how_many_calls_it_took(server: GcpSecretsServer) -> None:
    gcp = adapter_of(server, page_size=4)
    tagged = adapter_of(server, labels=True)
    for number in range(7):
        server.secrets.set(f"acme-prod-{number}", b"1")
    server.secrets.set("acme-prod-0", b"2")
    server.secrets.become("acme-prod-1", "1", "DISABLED")
    server.secrets.create("acme-prod-empty", types.Secret(replication={"automatic": {}}))
    ids = [f"acme-prod-{number}" for number in range(3)] + ["acme-prod-empty", "acme-prod-none", "a/b"]
    first = at(gcp, "acme-prod-0")
    listings = [
        lambda: gcp.list(PLACE, None),
        lambda: tagged.list(PLACE, None),
        lambda: gcp.get(ids),
        lambda: tagged.get(ids),
        lambda: tagged.peek(ids),
        lambda: gcp.history("acme-prod-0", None),
        lambda: gcp.history("acme-prod-0", first),
        lambda: gcp.history("acme-prod-0", "no revision"),
        lambda: gcp.history("acme-prod-none", None),
    ]
    for ask in listings:
        before = server.count()
        listing = ask()
        told = listing.calls + sum(page.calls for page in listing.pages)
        assert told == server.count() - before


@pytest.mark.parametrize("labels", [False, True])
def test_requests_cost_what_the_prices_say(server: GcpSecretsServer, labels: bool) -> None:
    gcp = adapter_of(server, labels=labels)
    prices = gcp.features.prices

    def cost(do: Any) -> int:
        before = server.count()
        do()
        return server.count() - before

    assert cost(lambda: write(gcp, Put(MODE, b"1", None))) == prices.create.of(1)
    revision = at(gcp)
    assert cost(lambda: write(gcp, Put(MODE, b"2", revision))) == prices.update.of(1)
    assert cost(lambda: items(gcp.get([MODE]))) == prices.get.of(1)
    revision = at(gcp)
    assert cost(lambda: write(gcp, Delete(MODE, revision))) == prices.delete.of(1)


# -- options


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"project": "Acme Prod"}, "project"),
        ({"location": "Europe"}, "location"),
        ({"endpoint": "https://x"}, "endpoint"),
        ({"plaintext": True}, "needs endpoint"),
        ({"plaintext": True, "endpoint": "x:1", "impersonate": "a@b"}, "sends no impersonate"),
        ({"credential": "service-account"}, "needs credential_file"),
        ({"credential_file": "key.json"}, "does not use credential_file"),
        ({"iam_endpoint": "https://iam.example"}, "with impersonate"),
        ({"impersonate": "nobody"}, "impersonate"),
        ({"replication": "user-managed"}, "replica_locations"),
        ({"replica_locations": ("europe-west1",)}, "go together"),
        ({"location": "eu-x1", "replication": "user-managed", "replica_locations": ("a",)}, "regional"),
        ({"kms_key": "mine"}, "kms_key"),
        ({"kms_key": "projects/p/locations/{location}/keyRings/r/cryptoKeys/k"}, "user-managed"),
        ({"page_size": 25_001}, "page_size"),
        ({"read_timeout": 0.0}, "read_timeout"),
        ({"concurrency": 0}, "concurrency"),
    ],
)
def test_options_that_cannot_work_are_refused_by_their_name(given: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        GcpSecretsOptions(**{"project": "acme-1", **given})


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(ValueError) as caught:
        GcpSecretsOptions("A B", page_size=0, read_timeout=-1.0, kms_key="x")
    for name in ("project", "page_size", "read_timeout", "kms_key"):
        assert name in str(caught.value)


def test_more_than_one_write_at_once_is_an_error_of_the_caller(gcp: GcpSecretsAdapter) -> None:
    assert list(gcp.write([])) == []
    with pytest.raises(Rejected):
        gcp.write([Put("a", b"1", None), Put("b", b"1", None)])


def test_a_project_that_does_not_exist_is_no_empty_place(server: GcpSecretsServer) -> None:
    gcp = adapter_of(server, project="elsewhere")
    with pytest.raises(Exception, match="permission denied, projects/elsewhere"):
        items(gcp.list(PLACE, None))


def test_an_answer_that_names_no_version_is_not_taken(
    server: GcpSecretsServer, gcp: GcpSecretsAdapter
) -> None:
    server.secrets.set(MODE, b"1")

    def emptied(answer: Any) -> None:
        answer.name = ""

    server.damage_next("GetSecretVersion", emptied)
    with pytest.raises(Unavailable, match="names no version"):
        items(gcp.get([MODE]))


# -- documentation


def test_the_example_in_the_documentation_prints_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    text = DOCUMENTATION.read_text(encoding="utf-8")
    code = text.partition("```python\n")[2].partition("```")[0]
    exec(code, {})
    assert code.rstrip().rpartition("# ")[2] == capsys.readouterr().out.strip()


def test_the_documentation_names_every_option_and_grants_what_is_called(server: GcpSecretsServer) -> None:
    text = DOCUMENTATION.read_text(encoding="utf-8")
    assert [f.name for f in fields(GcpSecretsOptions) if f"`{f.name}`" not in text] == []
    roles = [json.loads(part.partition("```")[0]) for part in text.split("```json\n")[1:]]
    granted = {permission for role in roles for permission in role["includedPermissions"]}
    gcp = adapter_of(server, labels=True)
    write(gcp, Put(MODE, b"1", None))
    write(gcp, Put(MODE, b"2", at(gcp)))
    for listing in (gcp.list(PLACE, None), gcp.get([MODE]), gcp.history(MODE, None)):
        assert items(listing)
    write(gcp, Delete(MODE, at(gcp)))
    assert {f"secretmanager.{PERMISSIONS[each.method]}" for each in server.requests} == granted
