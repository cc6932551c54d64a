"""Parameters at a label, at one version, looked at without reading, and paths to Secrets Manager."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ecs_sync.abilities import Peeks, Pins, Refers
from ecs_sync.adapter import Delete, Item, Listing, Put, Verdict
from ecs_sync_adapters.aws_secrets import SecretsAdapter
from ecs_sync_adapters.aws_secrets_options import SecretsOptions
from ecs_sync_adapters.aws_ssm import SsmAdapter
from ecs_sync_sandbox.aws import AwsServer
from tests.adapters.ssm_sandbox import ROOT, absent, adapter_of, items, listed, one, outside

NAME = "/acme/prod/mode"
ACCOUNT = "111122223333"
ARN = f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:"


@pytest.fixture
def aws() -> Iterator[AwsServer]:
    with AwsServer() as server:
        yield server


@pytest.fixture
def released(aws: AwsServer) -> SsmAdapter:
    return adapter_of(aws, label="prod")


def label(aws: AwsServer, version: int, name: str = NAME, text: str = "prod") -> None:
    aws.client().label_parameter_version(Name=name, ParameterVersion=version, Labels=[text])


def versions(aws: AwsServer, *values: str, name: str = NAME, **more: Any) -> None:
    outside(aws, name, values[0], **more)
    for value in values[1:]:
        outside(aws, name, value, Overwrite=True)


def calls(listing: Listing) -> int:
    return listing.calls + sum(page.calls for page in listing.pages)


def test_at_a_label_the_version_that_carries_it_is_read(aws: AwsServer, released: SsmAdapter) -> None:
    versions(aws, "v1", "v2", "v3")
    label(aws, 2)
    for item in (listed(released)[NAME], one(released, NAME)):
        assert (item.value, item.revision) == (b"v2", "2")


def test_a_parameter_without_the_label_is_not_there(aws: AwsServer, released: SsmAdapter) -> None:
    versions(aws, "v1")
    label(aws, 1, text="staging")
    assert listed(released) == {} and absent(released.get([NAME])) == [NAME]


def test_a_label_that_moves_is_seen_forward_and_back(aws: AwsServer, released: SsmAdapter) -> None:
    versions(aws, "v1", "v2")
    seen = []
    for version in (1, 2, 1):
        label(aws, version)
        seen.append(listed(released)[NAME].value)
    assert seen == [b"v1", b"v2", b"v1"]
    assert not released.features.ordered_revisions and not released.features.history


def test_secrets_at_a_label_are_decrypted_and_what_is_denied_is_unreadable(
    aws: AwsServer, released: SsmAdapter
) -> None:
    for name in ("/acme/prod/a", "/acme/prod/b"):
        versions(aws, "v1", "v2", name=name, Type="SecureString")
        label(aws, 1, name)
    aws.deny("GetParameters", "/acme/prod/b:prod")
    found = listed(released)
    assert (found["/acme/prod/a"].value, found["/acme/prod/a"].secret) == (b"v1", True)
    assert found["/acme/prod/b"].unreadable and found["/acme/prod/b"].value is None


def test_the_calls_of_a_listing_at_a_label_are_told(aws: AwsServer, released: SsmAdapter) -> None:
    for number in range(55):
        outside(aws, f"/acme/prod/{number:02}")
    before = len(aws.requests)
    told = calls(released.list(ROOT, None))
    assert told == len(aws.requests) - before == 2 + 5 + 1


def test_nothing_is_written_through_a_label_and_the_reason_is_told(
    aws: AwsServer, released: SsmAdapter
) -> None:
    versions(aws, "v1")
    label(aws, 1)
    before = len(aws.requests)
    writes = [Put(NAME, b"v2", "1"), Put("/acme/prod/new", b"1", None), Delete(NAME, "1")]
    outcomes = released.write(writes)
    assert [outcome.verdict for outcome in outcomes] == [Verdict.REFUSED] * 3
    assert all("only reads" in outcome.reason for outcome in outcomes)
    assert len(aws.requests) == before


def test_labels_stay_with_their_version_when_a_new_one_is_written(aws: AwsServer) -> None:
    versions(aws, "v1")
    label(aws, 1)
    label(aws, 1, text="audited")
    ssm = adapter_of(aws)
    ssm.write([Put(NAME, b"v2", "1")])
    history = {item.revision: dict(item.attributes).get("labels") for item in items(ssm.history(NAME, None))}
    assert history == {"1": "audited,prod", "2": None}


@pytest.mark.parametrize("text", ["", "1st", "awsome", "SSM", "a b", "a:b", "x" * 101])
def test_a_label_that_ssm_does_not_know_is_refused_by_name(aws: AwsServer, text: str) -> None:
    with pytest.raises(ValueError, match="label"):
        adapter_of(aws, label=text)


# One version


def test_a_pinned_version_is_read_by_its_number(aws: AwsServer) -> None:
    ssm = adapter_of(aws)
    assert isinstance(ssm, Pins) and ssm.features.pins
    versions(aws, "v1", "v2", "v3", Type="SecureString")
    found = ssm.version(NAME, "2")
    assert found is not None
    assert (found.id, found.value, found.revision, found.secret) == (NAME, b"v2", "2", True)


@pytest.mark.parametrize("version", ["9", "0", "02", "prod", "", "1:2", "latest"])
def test_a_version_that_is_none_is_not_there(aws: AwsServer, version: str) -> None:
    versions(aws, "v1")
    label(aws, 1)
    ssm = adapter_of(aws)
    assert ssm.version(NAME, version) is None
    assert ssm.version("/acme/prod/none", "1") is None


# Looking without reading


def test_a_look_tells_what_moved_and_reads_no_secret(aws: AwsServer) -> None:
    ssm = adapter_of(aws)
    assert isinstance(ssm, Peeks) and ssm.features.peeks
    versions(aws, "v1", "v2", Type="SecureString")
    read = one(ssm, NAME)
    before = len(aws.requests)
    [item] = items(ssm.peek([NAME]))
    assert (item.value, item.revision, item.changed) == (None, read.revision, read.changed)
    assert [request.operation for request in aws.requests[before:]] == ["DescribeParameters"]
    assert absent(ssm.peek([NAME, "/acme/prod/none", "no name"])) == ["/acme/prod/none", "no name"]


@pytest.mark.parametrize("count", [1, 10, 11])
def test_a_look_costs_one_call_for_ten(aws: AwsServer, count: int) -> None:
    ssm = adapter_of(aws)
    before = len(aws.requests)
    told = calls(ssm.peek([f"/acme/prod/{number}" for number in range(count)]))
    assert told == len(aws.requests) - before == -(-count // 10)


# Paths to Secrets Manager


def secrets_of(aws: AwsServer, **more: Any) -> SecretsAdapter:
    keys = {"credential": "explicit", "access_key_id": "sandbox", "secret_access_key": "sandbox"}
    given: dict[str, Any] = {**keys, "region": "eu-west-1", "endpoint": aws.url, "account": ACCOUNT, **more}
    return SecretsAdapter(SecretsOptions(**given))


@pytest.mark.parametrize("name", ["db", "acme/prod/db_password", "a+b=c@d.e"])
def test_a_reference_to_secrets_manager_is_written_as_ssms_path_and_read_back(
    aws: AwsServer, name: str
) -> None:
    ssm, store = adapter_of(aws, account=ACCOUNT), secrets_of(aws)
    assert isinstance(ssm, Refers) and ssm.features.refers
    address = store.address(name, None)
    assert address is not None
    pointer = ssm.pointer(address)
    assert pointer is not None and pointer.value == f"/aws/reference/secretsmanager/{name}".encode()
    assert ssm.pointed(Item(NAME, pointer.value)) == address
    assert store.addressed(address) == (name, None)


def test_the_path_that_is_written_leads_ssm_to_the_secret(aws: AwsServer) -> None:
    aws.client("secretsmanager").create_secret(Name="acme/db", SecretString="behind the path")
    pointer = adapter_of(aws, account=ACCOUNT).pointer(f"{ARN}acme/db")
    assert pointer is not None
    found = aws.client().get_parameters(Names=[pointer.value.decode()], WithDecryption=True)["Parameters"]
    assert [parameter["Value"] for parameter in found] == ["behind the path"]


@pytest.mark.parametrize(
    "address",
    [
        f"{ARN}db-AbCdEf",
        ARN,
        ARN.replace("eu-west-1", "us-east-1") + "db",
        ARN.replace(ACCOUNT, "999999999999") + "db",
        "https://acme.vault.azure.net/secrets/db",
    ],
)
def test_what_ssm_cannot_point_at_stays_a_plain_reference(aws: AwsServer, address: str) -> None:
    assert adapter_of(aws, account=ACCOUNT).pointer(address) is None


@pytest.mark.parametrize(
    "text",
    [
        "db",
        "/aws/x/db",
        "/aws/reference/secretsmanager/",
        "/aws/reference/secretsmanager/db:AWSPREVIOUS",
        "/aws/reference/secretsmanager/db-AbCdEf",
        "/aws/reference/secretsmanager/\ud83d",
    ],
)
def test_other_texts_are_no_references(aws: AwsServer, text: str) -> None:
    ssm = adapter_of(aws, account=ACCOUNT)
    assert ssm.pointed(Item(NAME, text.encode("utf-8", "surrogatepass"))) is None
    assert ssm.pointed(Item(NAME, None)) is None


def test_without_an_account_nothing_is_pointed_at(aws: AwsServer) -> None:
    ssm = adapter_of(aws)
    assert not ssm.features.refers and ssm.pointer(f"{ARN}db") is None
    with pytest.raises(ValueError, match="12 digits"):
        adapter_of(aws, account="acme")
