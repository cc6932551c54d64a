"""The local AppConfig refuses what AppConfig refuses, and forgets nothing that AppConfig remembers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from ecs_sync_sandbox.aws_appconfig import AppConfigServer, on
from ecs_sync_sandbox.aws_appconfig_rules import asked, page_of, stamped, validator_fault
from tests.adapters.aws_appconfig_sandbox import Hand

ID = "acme/prod/settings"


@pytest.fixture
def server() -> Iterator[AppConfigServer]:
    with AppConfigServer(max_bytes=1000, page=2) as running:
        yield running


@pytest.fixture
def hand(server: AppConfigServer) -> Hand:
    return Hand(server.client())


def refused(status: int, code: str, call: Any, **request: Any) -> dict[str, Any]:
    """The answer of a call that is refused so."""
    with pytest.raises(ClientError) as caught:
        call(**request)
    answer: dict[str, Any] = dict(caught.value.response)
    assert (answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]) == (status, code)
    return answer


def test_a_version_that_names_another_latest_one_is_refused(hand: Hand) -> None:
    create = hand.client.create_hosted_configuration_version
    request = {**hand.profile("acme", "settings"), "Content": b"{}", "ContentType": "application/json"}
    assert create(**request)["VersionNumber"] == 1
    for wrong in (0, 2, 99):
        refused(409, "ConflictException", create, LatestVersionNumber=wrong, **request)
    assert create(LatestVersionNumber=1, **request)["VersionNumber"] == 2
    assert create(**request)["VersionNumber"] == 3


def test_a_deployment_that_names_another_latest_one_or_meets_one_under_way_is_refused(hand: Hand) -> None:
    hand.strategy("slow")
    hand.set(ID, b"{}")
    start = hand.client.start_deployment
    strategy = next(
        each["Id"]
        for page in hand.client.get_paginator("list_deployment_strategies").paginate()
        for each in page["Items"]
        if each["Name"] == "slow"
    )
    there = hand.environment("acme", "prod") | hand.profile("acme", "settings")
    request = {**there, "ConfigurationVersion": "1", "DeploymentStrategyId": strategy}
    refused(409, "ConflictException", start, LatestDeploymentNumber=0, **request)
    assert start(LatestDeploymentNumber=1, **request)["DeploymentNumber"] == 2
    refused(409, "ConflictException", start, LatestDeploymentNumber=2, **request)
    refused(404, "ResourceNotFoundException", start, **{**request, "ConfigurationVersion": "7"})


def test_time_passes_when_it_is_told_to_and_for_one_server_only(server: AppConfigServer, hand: Hand) -> None:
    hand.strategy("slow")
    with AppConfigServer() as other:
        slower = Hand(other.client())
        slower.strategy("slow")
        for each in (hand, slower):
            each.deploy(ID, each.version(ID, b"{}"), "slow")
        server.advance(5)

        def state(each: Hand) -> tuple[str, float]:
            [told] = each.client.list_deployments(**each.environment("acme", "prod"))["Items"]
            return told["State"], told["PercentageComplete"]

        assert state(hand) == ("DEPLOYING", 40.0)
        assert state(slower) == ("DEPLOYING", 0.0)
        server.advance(6)
        assert state(hand) == ("COMPLETE", 100.0)


def test_deployments_are_listed_newest_first_with_the_ids_of_their_profiles(hand: Hand) -> None:
    for number in range(3):
        hand.set(ID, b"%d" % number)
    there = hand.environment("acme", "prod")
    pages = list(hand.client.get_paginator("list_deployments").paginate(**there))
    assert [[each["DeploymentNumber"] for each in page["Items"]] for page in pages] == [[3, 2], [1]]
    profile = hand.profile("acme", "settings")["ConfigurationProfileId"]
    assert {each["ConfigurationProfileId"] for page in pages for each in page["Items"]} == {profile}


def test_every_listing_goes_in_pages(hand: Hand) -> None:
    for number in range(5):
        hand.profile("acme", f"profile{number}")
    paginator = hand.client.get_paginator("list_configuration_profiles")
    sizes = [len(page["Items"]) for page in paginator.paginate(ApplicationId=hand.application("acme"))]
    assert sizes == [2, 2, 1]
    assert page_of([1, 2, 3], {"next_token": "2"}, 2) == {"Items": [3]}


def test_what_is_too_large_or_empty_is_refused_with_its_size(hand: Hand) -> None:
    create = hand.client.create_hosted_configuration_version
    request = {**hand.profile("acme", "settings"), "ContentType": "text/plain"}
    answer = refused(413, "PayloadTooLargeException", create, Content=b"x" * 1001, **request)
    assert answer["Measure"] == "KILOBYTES" and answer["Size"] > answer["Limit"]
    refused(400, "BadRequestException", create, Content=b"", **request)
    assert create(Content=b"x" * 1000, **request)["VersionNumber"] == 1


def test_a_broken_schema_is_refused_with_details_that_quote_the_document(hand: Hand) -> None:
    schema = {"required": ["port"], "properties": {"port": {"maximum": 9, "type": "integer"}}}
    profile = hand.profile(
        "acme", "settings", Validators=[{"Type": "JSON_SCHEMA", "Content": json.dumps(schema)}]
    )
    create = hand.client.create_hosted_configuration_version
    answer = refused(
        400, "BadRequestException", create, Content=b'{"port": 77}', ContentType="application/json", **profile
    )
    [detail] = answer["Details"]["InvalidConfiguration"]
    assert (detail["Constraint"], detail["Location"]) == ("maximum", "$.port")
    assert "77" in detail["Reason"] and detail["Value"] == "77"


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"type": "object"}, "{}", "[]"),
        ({"required": ["a"]}, '{"a": null}', "{}"),
        ({"minimum": 3}, "3", "2"),
        ({"maximum": 3}, "3", "3.5"),
        ({"maxLength": 2}, '"ab"', '"abc"'),
        ({"enum": ["a", 1]}, "1", "2"),
        ({"type": "integer"}, "1", "true"),
        (
            {"properties": {"a": {"properties": {"b": {"type": "string"}}}}},
            '{"a": {"b": ""}}',
            '{"a": {"b": 0}}',
        ),
        ({}, "null", "no json"),
    ],
)
def test_the_validator_knows_good_from_bad(schema: dict[str, Any], good: str, bad: str) -> None:
    validators = [
        {"Type": "JSON_SCHEMA", "Content": json.dumps(schema)},
        {"Type": "LAMBDA", "Content": "arn"},
    ]
    assert validator_fault(good.encode(), validators) is None
    fault = validator_fault(bad.encode(), validators)
    assert fault is not None and fault.status == 400


def test_flags_get_their_times_and_keep_when_they_were_made() -> None:
    document = b'{"version": "1", "flags": {"a": {"name": "A"}}, "values": {"a": {"enabled": true}}}'
    first = stamped(document, "monday") or b""
    second = json.loads(stamped(first, "tuesday") or b"")
    assert second["flags"]["a"] == {"name": "A", "_createdAt": "monday", "_updatedAt": "tuesday"}
    for other in (b"{}", b"[]", b"x", b'{"version": "2", "flags": {}, "values": {}}', b'{"flags": [1]}'):
        assert stamped(other, "monday") is None


def test_descriptions_of_versions_are_kept(hand: Hand) -> None:
    hand.version(ID, b"{}", Description="by hand")
    profile = hand.profile("acme", "settings")
    assert (
        hand.client.get_hosted_configuration_version(**profile, VersionNumber=1)["Description"] == "by hand"
    )
    [told] = hand.client.list_hosted_configuration_versions(**profile)["Items"]
    assert told["Description"] == "by hand"


def test_requests_are_known_by_their_operations_and_faults_meet_only_theirs(
    server: AppConfigServer, hand: Hand
) -> None:
    server.http.fail_next(
        429, {"x-amzn-ErrorType": "ThrottlingException"}, b"{}", when=on("ListEnvironments")
    )
    application = hand.application("acme")
    refused(429, "ThrottlingException", hand.client.list_environments, ApplicationId=application)
    server.http.drop_next(when=on("CreateConfigurationProfile"))
    with pytest.raises(ConnectionClosedError):
        hand.client.create_configuration_profile(ApplicationId=application, Name="x", LocationUri="hosted")
    assert len(hand.client.list_configuration_profiles(ApplicationId=application)["Items"]) == 1
    hand.set(ID, b"{}")
    hand.undo(ID, 1)
    assert server.operations() == [
        "ListApplications",
        "ListEnvironments",
        "CreateConfigurationProfile",
        "ListConfigurationProfiles",
        *["ListApplications", "ListConfigurationProfiles", "CreateConfigurationProfile"],
        "CreateHostedConfigurationVersion",
        *["ListDeploymentStrategies", "ListApplications", "ListEnvironments"],
        *["ListApplications", "ListConfigurationProfiles", "StartDeployment"],
        *["ListApplications", "ListEnvironments", "StopDeployment"],
    ]


@pytest.mark.parametrize(
    ("method", "path", "operation"),
    [
        ("GET", "/applications", "ListApplications"),
        ("POST", "/applications", "CreateApplication"),
        ("DELETE", "/applications/a/environments/e", "DeleteEnvironment"),
        ("POST", "/deploymentstrategies", "CreateDeploymentStrategy"),
        (
            "GET",
            "/applications/a/configurationprofiles/p/hostedconfigurationversions/3",
            "GetHostedConfigurationVersion",
        ),
        ("GET", "/applications/a/environments/e/deployments/7", "GetDeployment"),
        ("PUT", "/applications", ""),
        ("GET", "/elsewhere", ""),
    ],
)
def test_an_operation_is_told_by_method_and_path(method: str, path: str, operation: str) -> None:
    assert asked(method, path).operation == operation


def test_servers_do_not_see_each_other(hand: Hand) -> None:
    hand.set(ID, b"{}")
    with AppConfigServer() as other:
        assert Hand(other.client()).get(ID) is None
