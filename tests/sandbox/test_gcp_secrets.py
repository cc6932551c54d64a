"""The stand-in for Secret Manager keeps the rules of its list, with Google's own client as the witness."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import google_crc32c
import grpc
import pytest
from google.api_core import exceptions as sdk
from google.cloud import secretmanager_v1 as sm
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import (
    SecretManagerServiceGrpcTransport,
)
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask

from ecs_sync_sandbox.gcp_secrets import NUMBER, GcpSecretsServer

PROJECT = "projects/sandbox-1"
SECRET = f"{PROJECT}/secrets/mode"
REGION = f"{PROJECT}/locations/europe-west3"
AUTOMATIC = {"replication": {"automatic": {}}}


@pytest.fixture
def server() -> Iterator[GcpSecretsServer]:
    with GcpSecretsServer() as server:
        yield server


@pytest.fixture
def client(server: GcpSecretsServer) -> Iterator[Client]:
    with grpc.insecure_channel(server.address) as channel:
        transport = SecretManagerServiceGrpcTransport(channel=channel)
        yield Client(sm.SecretManagerServiceClient(transport=transport))


class Client:
    """Google's client, with its retries off."""

    def __init__(self, client: sm.SecretManagerServiceClient) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client, name)
        return lambda **request: method(request=request, retry=None, timeout=10)


def create(client: Client, id: str = "mode", parent: str = PROJECT, **more: Any) -> Any:
    secret = more or AUTOMATIC
    return client.create_secret(parent=parent, secret_id=id, secret=secret)


def add(client: Client, value: bytes, secret: str = SECRET, **more: Any) -> Any:
    return client.add_secret_version(parent=secret, payload={"data": value, **more})


def access(client: Client, version: str = "latest", secret: str = SECRET) -> Any:
    return client.access_secret_version(name=f"{secret}/versions/{version}").payload


def update(client: Client, field: str, etag: str = "", **more: Any) -> Any:
    return client.update_secret(
        secret={"name": SECRET, "etag": etag, **more}, update_mask=FieldMask(paths=[field])
    )


@pytest.mark.parametrize("id", ["", "a/b", "a.b", "ä", "a b", "x" * 256])
def test_g1_an_id_of_other_letters_is_invalid(client: Client, id: str) -> None:
    with pytest.raises(sdk.InvalidArgument):
        create(client, id)


def test_g2_creating_what_is_there_says_so(client: Client) -> None:
    create(client)
    with pytest.raises(sdk.AlreadyExists):
        create(client)


def test_g3_a_global_secret_names_its_replication_and_a_regional_one_must_not(client: Client) -> None:
    with pytest.raises(sdk.InvalidArgument):
        create(client, labels={"a": "b"})
    with pytest.raises(sdk.InvalidArgument):
        create(client, parent=REGION)
    assert create(client, parent=REGION, labels={"a": "b"}).labels == {"a": "b"}


def test_g4_names_in_answers_hold_the_projects_number(client: Client) -> None:
    assert create(client).name == f"projects/{NUMBER}/secrets/mode"
    assert add(client, b"1").name == f"projects/{NUMBER}/secrets/mode/versions/1"
    assert access(client, secret=f"projects/{NUMBER}/secrets/mode").data == b"1"


def test_g5_versions_count_from_one_and_again_where_a_secret_is_made_anew(client: Client) -> None:
    create(client)
    assert [add(client, b"x").name[-1] for _ in range(3)] == ["1", "2", "3"]
    client.delete_secret(name=SECRET)
    create(client)
    assert add(client, b"x").name[-1] == "1"


def test_g6_adding_a_version_moves_nothing_of_the_secret(client: Client) -> None:
    create(client)
    before = client.get_secret(name=SECRET)
    add(client, b"1")
    add(client, b"1")
    assert client.get_secret(name=SECRET) == before


def test_g7_a_payload_has_its_size(client: Client) -> None:
    create(client)
    for value in (b"", b"x" * 65_537):
        with pytest.raises(sdk.InvalidArgument):
            add(client, value)
    add(client, b"x" * 65_536)


def test_g8_checksums_are_verified_made_and_given(client: Client) -> None:
    create(client)
    crc = google_crc32c.value(b"1")
    with pytest.raises(sdk.InvalidArgument):
        add(client, b"1", data_crc32c=crc + 1)
    add(client, b"1", data_crc32c=crc)
    add(client, b"1")
    assert [access(client, version).data_crc32c for version in ("1", "2")] == [crc, crc]


def test_g9_latest_is_the_version_created_last_whatever_its_state(client: Client) -> None:
    create(client)
    with pytest.raises(sdk.NotFound):
        client.get_secret_version(name=f"{SECRET}/versions/latest")
    add(client, b"1")
    add(client, b"2")
    client.disable_secret_version(name=f"{SECRET}/versions/2")
    latest = client.get_secret_version(name=f"{SECRET}/versions/latest")
    assert latest.name.endswith("/2") and latest.state == sm.SecretVersion.State.DISABLED


def test_g10_a_version_that_is_not_enabled_is_not_given_out(client: Client) -> None:
    create(client)
    add(client, b"1")
    client.disable_secret_version(name=f"{SECRET}/versions/1")
    with pytest.raises(sdk.FailedPrecondition):
        access(client)
    client.enable_secret_version(name=f"{SECRET}/versions/1")
    assert access(client).data == b"1"
    client.destroy_secret_version(name=f"{SECRET}/versions/1")
    with pytest.raises(sdk.FailedPrecondition):
        access(client)
    with pytest.raises(sdk.FailedPrecondition):
        client.enable_secret_version(name=f"{SECRET}/versions/1")


def test_g11_an_etag_that_is_not_current_stops_and_none_is_not_checked(client: Client) -> None:
    create(client)
    version = add(client, b"1")
    for name in ("disable_secret_version", "enable_secret_version", "destroy_secret_version"):
        with pytest.raises(sdk.FailedPrecondition):
            getattr(client, name)(name=version.name, etag='"other"')
    with pytest.raises(sdk.FailedPrecondition):
        client.delete_secret(name=SECRET, etag='"other"')
    with pytest.raises(sdk.FailedPrecondition):
        update(client, "labels", etag='"other"', labels={"a": "b"})
    client.disable_secret_version(name=version.name, etag=version.etag)
    with pytest.raises(sdk.FailedPrecondition):
        client.enable_secret_version(name=version.name, etag=version.etag)
    client.delete_secret(name=SECRET, etag=client.get_secret(name=SECRET).etag)


def test_g12_an_update_sets_its_mask_and_moves_the_etag_always(client: Client) -> None:
    create(client, **AUTOMATIC, labels={"a": "b"})
    before = client.get_secret(name=SECRET)
    after = update(client, "annotations", annotations={"c": "d"}, labels={"e": "f"})
    assert (dict(after.labels), dict(after.annotations)) == ({"a": "b"}, {"c": "d"})
    again = update(client, "annotations", annotations={"c": "d"})
    assert len({before.etag, after.etag, again.etag}) == 3
    with pytest.raises(sdk.InvalidArgument):
        update(client, "replication", replication={"automatic": {}})


def test_g13_a_delete_takes_all_versions_along(client: Client) -> None:
    create(client)
    add(client, b"1")
    client.delete_secret(name=SECRET)
    for ask in (client.get_secret, client.delete_secret):
        with pytest.raises(sdk.NotFound):
            ask(name=SECRET)
    with pytest.raises(sdk.NotFound):
        add(client, b"2")


def test_g14_secrets_are_listed_newest_first_in_pages(server: GcpSecretsServer, client: Client) -> None:
    names = [f"s{number}" for number in range(7)]
    for name in names:
        create(client, name)
    assert [
        each.name.rpartition("/")[2] for each in client.list_secrets(parent=PROJECT, page_size=3)
    ] == names[::-1]
    assert server.count("ListSecrets") == 3
    server.most_a_page = 2
    assert len(list(client.list_secrets(parent=PROJECT, page_size=3))) == 7
    assert server.count("ListSecrets") == 7
    with pytest.raises(sdk.InvalidArgument):
        client.list_secrets(parent=PROJECT, page_token="x")


def test_g15_versions_are_listed_newest_first_destroyed_ones_too(client: Client) -> None:
    create(client)
    for _ in range(5):
        add(client, b"x")
    client.destroy_secret_version(name=f"{SECRET}/versions/2")
    listed = list(client.list_secret_versions(parent=SECRET, page_size=2))
    assert [each.name[-1] for each in listed] == ["5", "4", "3", "2", "1"]


def test_g16_an_alias_means_its_version(client: Client) -> None:
    create(client)
    add(client, b"1")
    add(client, b"2")
    update(client, "version_aliases", version_aliases={"current": 1})
    assert access(client, "current").data == b"1"
    assert client.get_secret_version(name=f"{SECRET}/versions/current").name.endswith("/1")
    with pytest.raises(sdk.NotFound):
        access(client, "other")


def test_g17_destroying_takes_the_value_at_once_or_when_its_time_has_come(client: Client) -> None:
    create(client)
    add(client, b"1")
    add(client, b"2")
    assert (
        client.destroy_secret_version(name=f"{SECRET}/versions/1").state == sm.SecretVersion.State.DESTROYED
    )
    update(client, "version_destroy_ttl", version_destroy_ttl=Duration(seconds=86400))
    waiting = client.destroy_secret_version(name=f"{SECRET}/versions/2")
    assert waiting.state == sm.SecretVersion.State.DISABLED and waiting.scheduled_destroy_time
    client.enable_secret_version(name=f"{SECRET}/versions/2")
    assert access(client).data == b"2"


def test_g18_a_name_can_be_global_and_regional(client: Client) -> None:
    create(client)
    create(client, parent=REGION, labels={"a": "b"})
    add(client, b"global")
    add(client, b"regional", secret=f"{REGION}/secrets/mode")
    assert access(client).data == b"global"
    assert access(client, secret=f"{REGION}/secrets/mode").data == b"regional"
    assert len(list(client.list_secrets(parent=REGION))) == 1


def test_g19_who_is_not_known_or_may_not_is_told_apart(client: Client, server: GcpSecretsServer) -> None:
    create(client)
    server.deny("AddSecretVersion", "mode")
    with pytest.raises(sdk.PermissionDenied, match="secretmanager\\.versions\\.add"):
        add(client, b"1")
    with pytest.raises(sdk.PermissionDenied, match="may not exist"):
        create(client, parent="projects/elsewhere")
    server.tokens = {"good"}
    with pytest.raises(sdk.Unauthenticated):
        client.get_secret(name=SECRET)


@pytest.mark.parametrize(
    "more",
    [
        {"labels": {"Team": "a"}},
        {"labels": {"1a": "a"}},
        {"labels": {"a": "A"}},
        {"labels": {"a": "x" * 64}},
        {"labels": {f"l{number}": "" for number in range(65)}},
        {"annotations": {"a": "x" * 16 * 1024}},
    ],
)
def test_g20_labels_and_annotations_have_their_limits(client: Client, more: dict[str, Any]) -> None:
    with pytest.raises(sdk.InvalidArgument):
        create(client, **AUTOMATIC, **more)


@pytest.mark.parametrize("seconds", [None, 2.5])
def test_g21_over_quota_may_say_how_long_to_wait(
    client: Client, server: GcpSecretsServer, seconds: float | None
) -> None:
    server.throttle_next("CreateSecret", seconds)
    with pytest.raises(sdk.ResourceExhausted) as caught:
        create(client)
    delays = [detail.retry_delay for detail in caught.value.details]
    assert [delay.seconds + delay.nanos / 1e9 for delay in delays] == ([] if seconds is None else [seconds])
    assert server.secrets.names() == []


def test_g22_latest_may_lag_and_a_number_does_not(client: Client, server: GcpSecretsServer) -> None:
    create(client)
    add(client, b"1")
    server.secrets.lag("mode", 1)
    with pytest.raises(sdk.NotFound):
        access(client)
    add(client, b"2")
    assert (access(client).data, access(client, "2").data) == (b"1", b"2")


# -- faults


def test_a_lost_acknowledgement_has_its_effect(client: Client, server: GcpSecretsServer) -> None:
    create(client)
    server.lose_ack_next("AddSecretVersion")
    with pytest.raises(sdk.ServiceUnavailable):
        add(client, b"1")
    assert access(client).data == b"1"


def test_a_call_that_is_held_has_its_effect_when_it_is_released(
    client: Client, server: GcpSecretsServer
) -> None:
    create(client)
    hold = server.hold_next("AddSecretVersion")
    late = threading.Thread(target=add, args=(client, b"1"))
    late.start()
    assert server.secrets.get("mode") is None
    hold.released.set()
    late.join(10)
    assert hold.done.is_set() and server.secrets.get("mode") == b"1"


def test_a_damaged_value_does_not_match_its_checksum(client: Client, server: GcpSecretsServer) -> None:
    create(client)
    add(client, b"value")
    server.damage_value_next()
    payload = access(client)
    assert google_crc32c.value(payload.data) != payload.data_crc32c
    assert access(client).data == b"value"


def test_faults_come_in_the_order_they_were_planned_and_to_their_method_only(
    client: Client, server: GcpSecretsServer
) -> None:
    server.pass_next("CreateSecret")
    server.fail_next("CreateSecret", grpc.StatusCode.INTERNAL)
    create(client, "a")
    with pytest.raises(sdk.InternalServerError):
        create(client, "b")
    create(client, "b")
    assert server.secrets.names() == ["a", "b"]
    with pytest.raises(ValueError, match="no method"):
        server.fail_next("CreateSecrets", grpc.StatusCode.INTERNAL)


def test_the_log_names_what_was_asked_and_shows_no_value(client: Client, server: GcpSecretsServer) -> None:
    create(client)
    add(client, b"canary-value")
    assert [(each.method, each.name) for each in server.requests] == [
        ("CreateSecret", SECRET),
        ("AddSecretVersion", SECRET),
    ]
    assert "canary" not in repr(server.requests)


@pytest.mark.parametrize("name", ["x", "projects/sandbox-1/secrets/a/b", "projects/sandbox-1/secrets/"])
def test_a_name_that_is_none_is_an_error_and_no_crash(client: Client, name: str) -> None:
    with pytest.raises((sdk.InvalidArgument, sdk.PermissionDenied)):
        client.get_secret(name=name)
    with pytest.raises((sdk.InvalidArgument, sdk.PermissionDenied)):
        client.get_secret_version(name=name)


def test_it_tells_the_connection_that_reaches_it(server: GcpSecretsServer) -> None:
    told = server.connection()
    assert told == {
        "adapter": "gcp-secrets",
        "project": "sandbox-1",
        "endpoint": server.address,
        "plaintext": True,
    }
