"""The local Secrets Manager refuses what AWS refuses, forgets what AWS forgets, and goes wrong on demand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, HTTPClientError

from ecs_sync_sandbox.aws import AwsServer

DB = "acme/db"


@pytest.fixture
def aws() -> Iterator[AwsServer]:
    with AwsServer() as server:
        yield server


@pytest.fixture
def hand(aws: AwsServer) -> Any:
    return aws.client("secretsmanager", parameter_validation=False)


def refused(code: str) -> Any:
    return pytest.raises(ClientError, match=rf"\({code}\)")


def create(hand: Any, name: str = DB, value: str = "one") -> str:
    version: str = hand.create_secret(Name=name, SecretString=value)["VersionId"]
    return version


def put(hand: Any, value: str, **more: Any) -> str:
    version: str = hand.put_secret_value(SecretId=DB, SecretString=value, **more)["VersionId"]
    return version


def move(hand: Any, stage: str = "AWSCURRENT", **more: Any) -> None:
    hand.update_secret_version_stage(SecretId=DB, VersionStage=stage, **more)


def stages(hand: Any) -> dict[str, list[str]]:
    versions = hand.list_secret_version_ids(SecretId=DB, IncludeDeprecated=True)["Versions"]
    return {each["VersionId"]: sorted(each["VersionStages"]) for each in versions}


# -- values and names


@pytest.mark.parametrize(
    "value",
    [
        {"SecretString": "x" * 65_537},
        {"SecretString": "é" * 32_769},
        {"SecretBinary": b"x" * 65_537},
        {"SecretString": ""},
        {"SecretBinary": b""},
    ],
)
def test_a_value_that_is_empty_or_over_64_kib_is_refused(hand: Any, value: dict[str, Any]) -> None:
    create(hand)
    with refused("ValidationException"):
        hand.create_secret(Name="acme/x", **value)
    with refused("ValidationException"):
        hand.put_secret_value(SecretId=DB, **value)
    hand.create_secret(Name="acme/y", SecretString="x" * 65_536)
    hand.create_secret(Name="acme/z", SecretBinary=b"\xff" * 65_536)


def test_a_value_is_a_string_or_bytes_and_a_put_needs_one(hand: Any) -> None:
    with refused("InvalidParameterException"):
        hand.create_secret(Name=DB, SecretString="a", SecretBinary=b"a")
    hand.create_secret(Name=DB)
    with refused("InvalidParameterException"):
        hand.put_secret_value(SecretId=DB)


@pytest.mark.parametrize("name", ["a b", "a!", "a*", "é", "a:b", "x" * 513])
def test_a_name_of_other_letters_is_refused(hand: Any, name: str) -> None:
    with refused("ValidationException"):
        create(hand, name)


def test_the_same_token_with_the_same_value_is_no_second_version(hand: Any) -> None:
    create(hand)
    token = "t" * 32
    put(hand, "two", ClientRequestToken=token)
    put(hand, "two", ClientRequestToken=token)
    assert len(stages(hand)) == 2
    with refused("ResourceExistsException"):
        put(hand, "three", ClientRequestToken=token)


# -- labels


def test_the_label_leaves_only_the_version_that_is_named(hand: Any) -> None:
    first, second = create(hand), put(hand, "two")
    third = put(hand, "three", VersionStages=["mine"])
    assert hand.get_secret_value(SecretId=DB)["VersionId"] == second
    for wrong in ({}, {"RemoveFromVersionId": first}, {"RemoveFromVersionId": "0" * 32}):
        with refused("InvalidParameterException"):
            move(hand, MoveToVersionId=third, **wrong)
    with refused("InvalidParameterException"):
        move(hand, MoveToVersionId="0" * 32, RemoveFromVersionId=second)
    with refused("InvalidParameterException"):
        move(hand, RemoveFromVersionId=second)
    assert stages(hand) == {first: ["AWSPREVIOUS"], second: ["AWSCURRENT"], third: ["mine"]}


def test_a_read_without_a_stage_is_of_the_version_in_force_also_after_the_label_moved(hand: Any) -> None:
    first = create(hand)
    second = put(hand, "two", VersionStages=["mine"])
    move(hand, MoveToVersionId=second, RemoveFromVersionId=first)
    assert hand.get_secret_value(SecretId=DB)["SecretString"] == "two"
    [read] = hand.batch_get_secret_value(SecretIdList=[DB])["SecretValues"]
    assert read["VersionId"] == second
    third = put(hand, "three")
    assert stages(hand) == {first: [], second: ["AWSPREVIOUS", "mine"], third: ["AWSCURRENT"]}


def test_a_label_that_is_put_elsewhere_leaves_the_version_that_had_it(hand: Any) -> None:
    create(hand)
    second = put(hand, "two", VersionStages=["mine"])
    third = put(hand, "three", VersionStages=["mine"])
    assert (stages(hand)[second], stages(hand)[third]) == ([], ["mine"])
    move(hand, "mine", RemoveFromVersionId=third)
    move(hand, "mine", MoveToVersionId=second)
    assert (stages(hand)[second], stages(hand)[third]) == (["mine"], [])


def test_versions_without_a_label_are_told_only_where_they_are_asked_for(hand: Any) -> None:
    first = create(hand)
    later = [put(hand, str(number)) for number in range(3)]
    told = hand.list_secret_version_ids(SecretId=DB)["Versions"]
    assert [each["VersionId"] for each in told] == later[1:]
    assert first not in hand.describe_secret(SecretId=DB)["VersionIdsToStages"]
    page = hand.list_secret_version_ids(SecretId=DB, IncludeDeprecated=True, MaxResults=3)
    rest = hand.list_secret_version_ids(SecretId=DB, IncludeDeprecated=True, NextToken=page["NextToken"])
    whole = [*page["Versions"], *rest["Versions"]]
    assert [each["VersionId"] for each in whole] == [first, *later]
    made = [each["CreatedDate"] for each in whole]
    assert made == sorted(made)


# -- deletion


def test_what_is_scheduled_for_deletion_can_be_described_and_restored_and_nothing_else(hand: Any) -> None:
    first = create(hand)
    hand.delete_secret(SecretId=DB, RecoveryWindowInDays=7)
    for call in (
        lambda: create(hand),
        lambda: put(hand, "two"),
        lambda: hand.get_secret_value(SecretId=DB),
        lambda: hand.tag_resource(SecretId=DB, Tags=[{"Key": "a", "Value": "b"}]),
        lambda: hand.update_secret(SecretId=DB, Description="x"),
        lambda: move(hand, MoveToVersionId=first, RemoveFromVersionId=first),
        lambda: hand.delete_secret(SecretId=DB, RecoveryWindowInDays=7),
    ):
        with refused("InvalidRequestException"):
            call()
    assert hand.describe_secret(SecretId=DB)["DeletedDate"]
    assert hand.list_secrets()["SecretList"] == []
    assert len(hand.list_secrets(IncludePlannedDeletion=True)["SecretList"]) == 1
    hand.restore_secret(SecretId=DB)
    assert hand.get_secret_value(SecretId=DB)["VersionId"] == first


def test_a_secret_is_gone_when_its_window_is_over(aws: AwsServer, hand: Any) -> None:
    create(hand)
    hand.delete_secret(SecretId=DB, RecoveryWindowInDays=7)
    aws.secrets.advance(7 * 86_400 - 60)
    assert aws.secrets.names() == [DB]
    aws.secrets.advance(61)
    with refused("ResourceNotFoundException"):
        hand.describe_secret(SecretId=DB)
    create(hand)


def test_what_a_service_owns_nobody_else_changes(aws: AwsServer, hand: Any) -> None:
    create(hand)
    aws.secrets.own(DB, "rds.amazonaws.com")
    assert hand.describe_secret(SecretId=DB)["OwningService"] == "rds.amazonaws.com"
    for call in (lambda: put(hand, "two"), lambda: hand.delete_secret(SecretId=DB)):
        with refused("InvalidRequestException"):
            call()


# -- lists and batches


def test_a_list_is_as_old_as_its_lag_and_a_description_is_not(aws: AwsServer, hand: Any) -> None:
    aws.secrets.lag = 300
    first = create(hand)
    assert hand.list_secrets()["SecretList"] == []
    aws.secrets.advance(301)
    second = put(hand, "two")
    [shown] = hand.list_secrets()["SecretList"]
    assert shown["SecretVersionsToStages"] == {first: ["AWSCURRENT"]}
    assert hand.describe_secret(SecretId=DB)["VersionIdsToStages"][second] == ["AWSCURRENT"]
    hand.delete_secret(SecretId=DB, RecoveryWindowInDays=7)
    assert len(hand.list_secrets()["SecretList"]) == 1
    aws.secrets.advance(301)
    assert hand.list_secrets()["SecretList"] == []


def test_pages_go_on_where_they_ended_though_others_come_and_go(hand: Any) -> None:
    for number in range(9):
        create(hand, f"acme/{number}")
    page = hand.list_secrets(MaxResults=4)
    hand.delete_secret(SecretId=page["SecretList"][0]["Name"], RecoveryWindowInDays=7)
    rest = hand.list_secrets(MaxResults=50, NextToken=page["NextToken"])
    assert len({each["Name"] for each in [*page["SecretList"], *rest["SecretList"]]}) == 9
    chosen = hand.list_secrets(Filters=[{"Key": "name", "Values": ["acme/8"]}])["SecretList"]
    assert [each["Name"] for each in chosen] == ["acme/8"]


def test_a_batch_tells_the_errors_of_each_secret_beside_the_values_of_the_others(
    aws: AwsServer, hand: Any
) -> None:
    for name in ("acme/a", "acme/b", "acme/deleted"):
        create(hand, name)
    hand.create_secret(Name="acme/empty")
    hand.delete_secret(SecretId="acme/deleted", RecoveryWindowInDays=7)
    aws.deny("GetSecretValue", "acme/b")
    names = ["acme/a", "acme/b", "acme/deleted", "acme/empty", "acme/none"]
    told = hand.batch_get_secret_value(SecretIdList=names)
    assert [each["Name"] for each in told["SecretValues"]] == ["acme/a"]
    errors = {each["SecretId"]: (each["ErrorCode"], each["Message"]) for each in told["Errors"]}
    assert {name: code for name, (code, _) in errors.items()} == {
        "acme/b": "AccessDeniedException",
        "acme/deleted": "InvalidRequestException",
        "acme/empty": "ResourceNotFoundException",
        "acme/none": "ResourceNotFoundException",
    }
    assert "value for staging label" in errors["acme/empty"][1]
    assert errors["acme/none"][1].endswith("the specified secret.")


def test_a_batch_by_filter_pages_by_twenty(hand: Any) -> None:
    for number in range(25):
        create(hand, f"acme/{number:02}")
    chosen = {"Filters": [{"Key": "name", "Values": ["acme/"]}]}
    page = hand.batch_get_secret_value(**chosen)
    rest = hand.batch_get_secret_value(**chosen, NextToken=page["NextToken"])
    assert (len(page["SecretValues"]), len(rest["SecretValues"])) == (20, 5)


@pytest.mark.parametrize(
    ("operation", "request_", "code"),
    [
        ("batch_get_secret_value", {"SecretIdList": ["x"] * 21}, "ValidationException"),
        ("batch_get_secret_value", {}, "InvalidParameterException"),
        (
            "batch_get_secret_value",
            {"SecretIdList": ["x"], "Filters": [{"Key": "name", "Values": ["x"]}]},
            "InvalidParameterException",
        ),
        ("batch_get_secret_value", {"SecretIdList": ["x"], "MaxResults": 5}, "InvalidParameterException"),
        ("list_secrets", {"MaxResults": 101}, "ValidationException"),
        ("list_secrets", {"Filters": [{"Key": "name", "Values": ["*"]}]}, "ValidationException"),
        ("put_secret_value", {"SecretId": DB, "VersionStages": ["s"] * 21}, "ValidationException"),
    ],
)
def test_what_a_request_may_ask_for_is_limited(
    hand: Any, operation: str, request_: dict[str, Any], code: str
) -> None:
    with refused(code):
        getattr(hand, operation)(**request_)


# -- one AWS, and what goes wrong in it


def test_one_server_is_ssm_and_secrets_manager(aws: AwsServer, hand: Any) -> None:
    create(hand)
    aws.client().put_parameter(Name="/acme/x", Value="1", Type="String")
    assert (aws.names(), aws.secrets.names()) == (["/acme/x"], [DB])


def test_servers_do_not_see_each_other(hand: Any) -> None:
    create(hand)
    with AwsServer() as other:
        assert other.client("secretsmanager").list_secrets()["SecretList"] == []


def test_what_is_ordered_happens_once_and_no_value_is_in_the_log(aws: AwsServer, hand: Any) -> None:
    aws.lose_ack_next("CreateSecret")
    with pytest.raises((ConnectionClosedError, HTTPClientError)):
        create(hand, value="canary")
    assert hand.get_secret_value(SecretId=DB)["SecretString"] == "canary"
    aws.fail_next("ListSecrets", "InternalServiceError", 500)
    with refused("InternalServiceError"):
        hand.list_secrets()
    aws.limit("GetSecretValue", rate=0.0001, burst=1)
    hand.get_secret_value(SecretId=DB)
    with refused("ThrottlingException"):
        hand.get_secret_value(SecretId=DB)
    assert "canary" not in repr(aws.requests)
    assert [request.status for request in aws.requests] == [200, 200, 500, 200, 400]
