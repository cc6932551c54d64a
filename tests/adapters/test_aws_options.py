"""What is wrong with a connection to AWS is said before anything is sent, by the option's name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ecs_sync_adapters.aws_appconfig import AppConfigAdapter, AppConfigOptions
from ecs_sync_adapters.aws_secrets import SecretsAdapter
from ecs_sync_adapters.aws_secrets_options import SecretsOptions
from ecs_sync_adapters.aws_ssm import SsmAdapter, SsmOptions

ROLE = "arn:aws:iam::123456789012:role/ops/ecs-sync"
CANARY = "canary-61f0b8d3"
Making = Callable[..., object]


def _ssm(**given: Any) -> SsmAdapter:
    return SsmAdapter(SsmOptions(**{"region": "eu-west-1", **given}))


def _secrets(**given: Any) -> SecretsAdapter:
    return SecretsAdapter(SecretsOptions(**{"region": "eu-west-1", **given}))


def _appconfig(**given: Any) -> AppConfigAdapter:
    return AppConfigAdapter(AppConfigOptions(**{"region": "eu-west-1", **given}))


@pytest.fixture(params=[_ssm, _secrets, _appconfig])
def made(request: pytest.FixtureRequest) -> Making:
    making: Making = request.param
    return making


@pytest.mark.parametrize("option", ["endpoint", "sts_endpoint"])
@pytest.mark.parametrize(
    "url",
    [
        "ssm.eu-west-1.amazonaws.com",
        "https://",
        "https://?x",
        "https://a_b/",
        "https://-acme.example/",
        "https://acme..example/",
        "https://acme.example:99999/",
        "https://acme.example:port/",
        "https://[::1/",
        "https://keys:word@acme.example/",
        f"https://{'a' * 300}.example/",
    ],
)
def test_an_address_that_is_none_is_told_by_its_option(made: Making, option: str, url: str) -> None:
    with pytest.raises(ValueError, match=rf"(^|; ){option} is not a URL"):
        made(**{option: url})


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:4566", "http://[::1]:4566", "https://vpce-1.ssm.eu-west-1.vpce.amazonaws.com/"]
)
def test_an_address_that_is_one_is_taken(made: Making, url: str) -> None:
    assert made(endpoint=url)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("role_arn", "ecs-sync"),
        ("role_arn", "arn:aws:iam::123456789012:user/ecs-sync"),
        ("role_arn", "arn:aws:iam::1234:role/ecs-sync"),
        ("session_name", "e"),
        ("session_name", "ecs sync"),
        ("session_name", "é" * 8),
        ("session_name", "e" * 65),
        ("external_id", "x"),
        ("external_id", "two words"),
    ],
)
def test_a_role_that_nobody_could_assume_is_told_by_its_option(made: Making, option: str, value: str) -> None:
    with pytest.raises(ValueError, match=rf"(^|; ){option} "):
        made(**{"credential": "assume-role", "role_arn": ROLE, option: value})


def test_a_role_that_can_be_assumed_is_taken(made: Making) -> None:
    for role in (ROLE, "arn:aws-cn:iam::123456789012:role/x", "arn:aws-us-gov:iam::123456789012:role/a+b=c"):
        assert made(credential="assume-role", role_arn=role, external_id="acme:1/2", session_name="ab")


@pytest.mark.parametrize("option", ["access_key_id", "secret_access_key", "session_token"])
@pytest.mark.parametrize("spoilt", ["{}\n", " {}", "{}\r\nHost: elsewhere", "{}é"])
def test_keys_that_no_header_can_carry_are_told_by_their_option_and_never_shown(
    made: Making, option: str, spoilt: str
) -> None:
    keys = {"access_key_id": "AKID", "secret_access_key": "word", option: spoilt.format(CANARY)}
    with pytest.raises(ValueError, match=rf"(^|; ){option} ") as caught:
        made(credential="explicit", **keys)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("option", ["connect_timeout", "read_timeout"])
@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf"), 1e300])
def test_a_patience_without_an_end_is_told_by_its_option(made: Making, option: str, seconds: float) -> None:
    with pytest.raises(ValueError, match=f"{option} must be more than 0"):
        made(**{option: seconds})
