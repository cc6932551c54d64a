"""The local AWS refuses what AWS refuses, and goes wrong on demand: else tests against it prove little."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    HTTPClientError,
    ReadTimeoutError,
)

from ecs_sync_sandbox.aws import AwsServer, client_of
from ecs_sync_sandbox.real_server import NotReady, RealServer

ARN_PREFIX = len("arn:aws:ssm:eu-west-1:123456789012:parameter")


@pytest.fixture
def aws() -> Iterator[AwsServer]:
    with AwsServer() as server:
        yield server


@pytest.fixture
def ssm(aws: AwsServer) -> Any:
    return aws.client()


def put(ssm: Any, name: str = "/acme/mode", value: str = "on", **more: Any) -> Any:
    return ssm.put_parameter(**{"Name": name, "Value": value, "Type": "String", **more})


def update(ssm: Any, value: str, **more: Any) -> Any:
    return ssm.put_parameter(**{"Name": "/acme/mode", "Value": value, "Overwrite": True, **more})


def refused(code: str) -> Any:
    return pytest.raises(ClientError, match=rf"\({code}\)")


def names(answer: Any) -> list[str]:
    return [parameter["Name"] for parameter in answer["Parameters"]]


@pytest.mark.parametrize(
    ("value", "tier"),
    [
        ("x" * 4097, "Standard"),
        ("é" * 2049, "Standard"),
        ("x" * 8193, "Advanced"),
        ("x" * 8193, "Intelligent-Tiering"),
    ],
)
def test_a_value_over_the_limit_of_its_tier_is_refused(ssm: Any, value: str, tier: str) -> None:
    with refused("ValidationException"):
        put(ssm, value=value, Tier=tier)


@pytest.mark.parametrize(("size", "tier"), [(4096, "Standard"), (8192, "Advanced")])
def test_a_value_of_just_the_limit_is_taken(ssm: Any, size: int, tier: str) -> None:
    assert put(ssm, value="x" * size, Tier=tier)["Tier"] == tier


def test_intelligent_tiering_upgrades_only_where_the_value_needs_it(ssm: Any) -> None:
    assert put(ssm, "/acme/small", Tier="Intelligent-Tiering")["Tier"] == "Standard"
    assert put(ssm, "/acme/large", "x" * 4097, Tier="Intelligent-Tiering")["Tier"] == "Advanced"


def test_an_advanced_parameter_does_not_become_a_standard_one(ssm: Any) -> None:
    put(ssm, Tier="Advanced")
    with refused("ValidationException"):
        update(ssm, "off", Tier="Standard")


@pytest.mark.parametrize("value", ["", "{{ssm:other}}", "a {{ b }} c", "{{"])
def test_an_empty_value_and_double_brackets_are_refused(ssm: Any, value: str) -> None:
    with refused("ValidationException"):
        put(ssm, value=value)


@pytest.mark.parametrize(
    "name",
    [
        "/aws/x",
        "/AwsThing/x",
        "/ssm/x",
        "SSM-x",
        "/acme/a b",
        "/acme/a:1",
        "/acme/é",
        "/acme//x",
        "/acme/x/",
        "acme/x",
        "/" + "x" * (1011 - ARN_PREFIX),
    ],
)
def test_a_name_against_the_rules_is_refused_and_leaves_listings_working(ssm: Any, name: str) -> None:
    with refused("ValidationException"):
        put(ssm, name)
    assert names(ssm.describe_parameters()) == []


@pytest.mark.parametrize("name", ["/acme/A-b_c.d", "plain", "/" + "x" * (1010 - ARN_PREFIX), "/a" * 15])
def test_a_name_by_the_rules_is_taken(ssm: Any, name: str) -> None:
    put(ssm, name)
    assert names(ssm.get_parameters(Names=[name])) == [name]


def test_sixteen_levels_are_refused(ssm: Any) -> None:
    with refused("HierarchyLevelLimitExceededException"):
        put(ssm, "/a" * 16)


@pytest.mark.parametrize(("before", "after"), [("String", "SecureString"), ("SecureString", "StringList")])
def test_a_type_never_changes(ssm: Any, before: str, after: str) -> None:
    put(ssm, Type=before)
    with refused("HierarchyTypeMismatchException"):
        update(ssm, "off", Type=after)
    assert update(ssm, "off")["Version"] == 2


def test_an_update_without_a_type_does_not_create(ssm: Any) -> None:
    with refused("ValidationException"):
        update(ssm, "on")
    put(ssm)
    ssm.delete_parameter(Name="/acme/mode")
    with refused("ValidationException"):
        update(ssm, "on")


def test_a_creation_does_not_overwrite(ssm: Any) -> None:
    put(ssm)
    with refused("ParameterAlreadyExists"):
        put(ssm, value="off")


def test_tags_come_at_creation_only(ssm: Any) -> None:
    tags = [{"Key": "team", "Value": "pay"}]
    put(ssm, Tags=tags)
    with refused("ValidationException"):
        update(ssm, "off", Tags=tags)


@pytest.mark.parametrize("key", ["aws:team", "AWS:team"])
def test_tags_that_are_aws_own_are_refused(aws: AwsServer, ssm: Any, key: str) -> None:
    tags = [{"Key": "team", "Value": "pay"}, {"Key": key, "Value": "pay"}]
    with refused("ValidationException"):
        put(ssm, Tags=tags)
    assert aws.names() == []
    secrets = aws.client("secretsmanager")
    with refused("InvalidParameterException"):
        secrets.create_secret(Name="acme/db", SecretString="on", Tags=tags)
    secrets.create_secret(Name="acme/db", SecretString="on", Tags=tags[:1])
    with refused("InvalidParameterException"):
        secrets.tag_resource(SecretId="acme/db", Tags=tags)


def test_the_allowed_pattern_holds_at_creation_and_after(ssm: Any) -> None:
    with refused("ParameterPatternMismatchException"):
        put(ssm, "/acme/port", "http", AllowedPattern="^[0-9]+$")
    put(ssm, value="80", AllowedPattern="^[0-9]+$")
    with refused("ParameterPatternMismatchException"):
        update(ssm, "http")


@pytest.mark.parametrize("operation", ["get_parameters", "delete_parameters"])
def test_more_than_ten_names_a_call_are_refused(ssm: Any, operation: str) -> None:
    getattr(ssm, operation)(Names=[f"/acme/{n}" for n in range(10)])
    with refused("ValidationException"):
        getattr(ssm, operation)(Names=[f"/acme/{n}" for n in range(11)])


@pytest.mark.parametrize(
    ("operation", "request_", "most"),
    [
        ("describe_parameters", {}, 50),
        ("get_parameter_history", {"Name": "/acme/0"}, 50),
        ("get_parameters_by_path", {"Path": "/acme", "Recursive": True}, 10),
    ],
)
def test_a_page_has_its_limit(ssm: Any, operation: str, request_: dict[str, Any], most: int) -> None:
    for n in range(most):
        put(ssm, f"/acme/{n}")
    answer = getattr(ssm, operation)(**request_, MaxResults=most)
    assert "NextToken" not in answer
    with refused("ValidationException"):
        getattr(ssm, operation)(**request_, MaxResults=most + 1)


def test_a_label_for_a_missing_parameter_leaves_listings_working(ssm: Any) -> None:
    with refused("ParameterNotFound"):
        ssm.label_parameter_version(Name="/acme/none", ParameterVersion=1, Labels=["x"])
    assert names(ssm.describe_parameters()) == []


def test_short_and_empty_pages_lose_nothing(aws: AwsServer, ssm: Any) -> None:
    for n in range(7):
        put(ssm, f"/acme/{n}")
    aws.short_pages_next("DescribeParameters", [0, 2, 0, 0, 3])
    pages = list(ssm.get_paginator("describe_parameters").paginate())
    assert [len(page["Parameters"]) for page in pages] == [0, 2, 0, 0, 3, 2]
    assert sorted(name for page in pages for name in names(page)) == [f"/acme/{n}" for n in range(7)]


def test_a_listing_can_be_made_to_turn_in_circles(aws: AwsServer, ssm: Any) -> None:
    put(ssm)
    aws.same_token_next("DescribeParameters", times=2)
    token = ssm.describe_parameters()["NextToken"]
    assert ssm.describe_parameters(NextToken=token)["NextToken"] == token


def test_an_error_on_demand_is_answered_and_nothing_is_carried_out(aws: AwsServer, ssm: Any) -> None:
    aws.fail_next("PutParameter", "InternalServerError", 500)
    with refused("InternalServerError"):
        put(ssm)
    assert names(ssm.describe_parameters()) == []
    assert [request.status for request in aws.requests] == [500, 200]


def test_a_lost_acknowledgement_is_carried_out_all_the_same(aws: AwsServer, ssm: Any) -> None:
    aws.lose_ack_next("PutParameter")
    with pytest.raises((ConnectionClosedError, HTTPClientError)):
        put(ssm)
    assert names(ssm.describe_parameters()) == ["/acme/mode"]


def test_a_held_request_lands_late_when_it_is_released(aws: AwsServer) -> None:
    hold = aws.hold_next("PutParameter")
    with pytest.raises(ReadTimeoutError):
        put(aws.client(read_timeout=0.2))
    assert hold.arrived.is_set() and names(aws.client().describe_parameters()) == []
    hold.released.set()
    assert hold.done.wait(10)
    assert names(aws.client().describe_parameters()) == ["/acme/mode"]


def test_somebody_else_can_come_in_between(aws: AwsServer, ssm: Any) -> None:
    put(ssm)
    aws.before_next("PutParameter", lambda: update(aws.client(), "theirs"))
    assert update(ssm, "ours")["Version"] == 3


def test_a_rate_is_enforced_after_its_burst(aws: AwsServer, ssm: Any) -> None:
    aws.limit("PutParameter", rate=0.0001, burst=2)
    put(ssm, "/acme/1")
    put(ssm, "/acme/2")
    with refused("ThrottlingException"):
        put(ssm, "/acme/3")
    assert len(names(ssm.describe_parameters())) == 2


def test_a_denied_name_denies_the_whole_call(aws: AwsServer, ssm: Any) -> None:
    put(ssm, "/acme/1")
    put(ssm, "/acme/2")
    aws.deny("GetParameters", "/acme/2")
    with refused("AccessDeniedException"):
        ssm.get_parameters(Names=["/acme/1", "/acme/2"])
    assert names(ssm.get_parameters(Names=["/acme/1"])) == ["/acme/1"]


def test_servers_do_not_see_each_other(ssm: Any) -> None:
    put(ssm)
    with AwsServer() as other:
        assert names(other.client().describe_parameters()) == []


def test_the_request_log_holds_no_values(aws: AwsServer, ssm: Any) -> None:
    put(ssm, value="canary-c81f", Type="SecureString")
    assert "canary-c81f" not in repr(aws.requests)


def test_concurrent_writers_of_one_parameter_get_versions_of_their_own(aws: AwsServer, ssm: Any) -> None:
    put(ssm)
    with ThreadPoolExecutor(8) as pool:
        versions = list(pool.map(lambda n: update(ssm, str(n))["Version"], range(40)))
    assert sorted(versions) == list(range(2, 42))


def test_it_runs_as_a_process_of_its_own() -> None:
    def command(port: int) -> list[str]:
        words = ["sandbox", "up", "--only", "aws", "--port", f"aws={port}"]
        return [sys.executable, "-m", "ecs_sync", *words]

    def ready(url: str) -> bool:
        try:
            client_of(url).describe_parameters()
        except EndpointConnectionError:
            return False
        return True

    with RealServer(command, ready) as server:
        pid = server.pid
        put(client_of(server.url))
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_process_that_ends_at_once_is_reported_with_what_it_said() -> None:
    said = "import sys; sys.exit('no such port')"
    with (
        pytest.raises(NotReady, match="no such port"),
        RealServer(lambda port: [sys.executable, "-c", said], lambda url: False),
    ):
        pass


def test_what_stands_still_is_listed_while_others_come_and_go(ssm: Any) -> None:
    standing = [f"/acme/standing/{n}" for n in range(6)]
    for n, name in enumerate(standing):
        put(ssm, f"/acme/guest/{n}")
        put(ssm, name)
    path = [{"Key": "Path", "Option": "Recursive", "Values": ["/acme"]}]
    shown: list[str] = []
    token: dict[str, str] = {}
    for n in range(20):
        answer = ssm.describe_parameters(ParameterFilters=path, MaxResults=1, **token)
        shown += names(answer)
        if "NextToken" not in answer:
            break
        token = {"NextToken": answer["NextToken"]}
        ssm.delete_parameters(Names=[f"/acme/guest/{n % 6}"])
        put(ssm, f"/acme/guest/new{n % 3}", Overwrite=True)
    assert sorted(name for name in shown if name in standing) == standing


def test_the_pages_that_go_by_name_choose_as_moto_does(ssm: Any) -> None:
    for name in ("/acme/a", "/acme/a/b", "/acmeish/c", "/Acme/d", "plain"):
        put(ssm, name)
    for root in ("/acme", "/acme/a", "/"):
        path = {"Key": "Path", "Option": "Recursive", "Values": [root]}
        kind = {"Key": "Type", "Option": "Equals", "Values": ["String"]}
        ours = ssm.describe_parameters(ParameterFilters=[path])
        theirs = ssm.describe_parameters(ParameterFilters=[path, kind])
        assert sorted(names(ours)) == sorted(names(theirs))


def test_what_lies_in_one_region_is_not_in_another(aws: AwsServer, ssm: Any) -> None:
    west = client_of(aws.url, "us-west-1")
    put(ssm, "/acme/here")
    put(west, "/acme/there")
    listed = [client.describe_parameters()["Parameters"] for client in (ssm, west)]
    assert [[each["Name"] for each in page] for page in listed] == [["/acme/here"], ["/acme/there"]]
    west.delete_parameter(Name="/acme/there")
    assert west.describe_parameters()["Parameters"] == []
    assert [each["Name"] for each in ssm.describe_parameters()["Parameters"]] == ["/acme/here"]
