"""The limits that the adapter declares are those of the server: nothing is promised that fails later."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ecs_sync.adapter import Put, Verdict
from ecs_sync.testing.subject import broken
from ecs_sync_adapters.aws_ssm import SsmAdapter, SsmOptions
from ecs_sync_sandbox.aws import AwsServer
from ecs_sync_sandbox.aws_guard import refusal
from tests.adapters.ssm_sandbox import adapter_of, listed, outside

REGION = "eu-west-1"
STANDARD, ADVANCED = (SsmAdapter(SsmOptions(REGION, tier=tier)).features for tier in ("Standard", "Advanced"))

segments = st.text(st.sampled_from("aA0_.- é:{"), max_size=4) | st.sampled_from(["aws", "SSM", "x" * 400])
names = st.lists(segments, min_size=1, max_size=17).map(lambda parts: "/" + "/".join(parts))
LONG = ["x" * 4096, "x" * 4097, "é" * 4096]
values = st.text(st.sampled_from("{} \nax,é\0"), max_size=8) | st.sampled_from(LONG)


@pytest.fixture
def aws() -> Iterator[AwsServer]:
    with AwsServer() as server:
        yield server


def is_taken(**request: Any) -> bool:
    whole = {"Name": "/acme/x", "Value": "on", "Type": "String", "Overwrite": False, **request}
    return refusal("PutParameter", whole, {}, REGION) is None


@given(names)
@example("/awesome")
@example("/acme/aws")
@example("/a" * 15)
@example("/a" * 16)
@example("/acme/x\n")
def test_a_name_within_the_limits_is_taken_and_no_other(name: str) -> None:
    assert (broken(STANDARD.ids, name.encode()) == "") == is_taken(Name=name)


@given(values)
@example("")
@example("a{{b")
@example("é" * 2048)
@example("é" * 2049)
def test_a_value_within_the_limits_is_taken_and_no_other(value: str) -> None:
    for features, tier in ((STANDARD, "Standard"), (ADVANCED, "Advanced")):
        assert (broken(features.values, value.encode()) == "") == is_taken(Value=value, Tier=tier)


@pytest.mark.parametrize(
    ("region", "partition"),
    [
        ("eu-west-1", "aws"),
        ("cn-north-1", "aws-cn"),
        ("us-gov-west-1", "aws-us-gov"),
        ("us-isob-east-1", "aws-iso-b"),
        ("eusc-de-east-1", "aws-eusc"),
    ],
)
def test_the_longest_name_leaves_room_for_the_arn_of_its_region(region: str, partition: str) -> None:
    arn = f"arn:{partition}:ssm:{region}:123456789012:parameter"
    assert SsmAdapter(SsmOptions(region)).features.ids.max_bytes == 1011 - len(arn)


def test_a_label_on_the_oldest_version_is_said_to_be_in_the_way(aws: AwsServer) -> None:
    ssm = adapter_of(aws)
    outside(aws, "/acme/prod/mode")
    for n in range(2, 101):
        outside(aws, "/acme/prod/mode", str(n), Overwrite=True)
    aws.client().label_parameter_version(Name="/acme/prod/mode", ParameterVersion=1, Labels=["live"])
    [outcome] = ssm.write([Put("/acme/prod/mode", b"101", "100")])
    assert outcome.verdict is Verdict.REFUSED and "label" in outcome.reason
    assert listed(ssm)["/acme/prod/mode"].revision == "100"
