"""Secrets stay out of logs and errors, limits are the server's, credentials come from where it was said."""

from __future__ import annotations

import base64
import logging
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ecs_sync.adapter import Delete, Put
from ecs_sync.errors import AdapterError, Denied, Unavailable
from ecs_sync.testing.subject import broken
from ecs_sync_adapters.aws_secrets import SecretsAdapter
from ecs_sync_adapters.aws_secrets_options import SecretsOptions
from ecs_sync_adapters.aws_session import Credential, Endpoint, build_client
from ecs_sync_sandbox.aws import AwsServer
from ecs_sync_sandbox.aws_secrets_rules import refusal
from tests.adapters.secrets_sandbox import PLACE, adapter_of, items, one, outside, revision

CANARY = "canary-7a02c4e9d1"
ROLE = "arn:aws:iam::123456789012:role/ecs-sync"
DB = "acme/prod/db"


@pytest.fixture
def aws() -> Iterator[AwsServer]:
    with AwsServer() as server:
        yield server


@pytest.fixture
def poisoned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment in which everything points elsewhere."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("[default]\naws_access_key_id = FILEKEY\naws_secret_access_key = word\n")
    for name, value in {
        "AWS_ACCESS_KEY_ID": "POISONEDKEY",
        "AWS_SECRET_ACCESS_KEY": "word",
        "AWS_CONFIG_FILE": str(elsewhere),
        "AWS_SHARED_CREDENTIALS_FILE": str(elsewhere),
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ENDPOINT_URL_SECRETS_MANAGER": "http://127.0.0.1:9",
        "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:9",
        "AWS_DEFAULT_REGION": "xx-nowhere-1",
        "AWS_MAX_ATTEMPTS": "9",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


# -- logs and errors


def reads_that_fail(aws: AwsServer, secrets: SecretsAdapter) -> list[BaseException]:
    """The errors of reads, some of whose answers hold values."""
    errors = list[BaseException]()
    both = [DB, "acme/prod/other", "acme/prod/none"]

    def attempt() -> None:
        try:
            items(secrets.get(both))
        except AdapterError as error:
            errors.append(error)

    aws.secrets.fail_entry_next(DB, "ThrottlingException")
    attempt()
    aws.fail_next("BatchGetSecretValue", "InternalServiceError", 500)
    attempt()
    aws.fail_next("BatchGetSecretValue", "AccessDeniedException")
    aws.pass_next("GetSecretValue")
    aws.fail_next("GetSecretValue", "ThrottlingException")
    attempt()
    return errors


def everything_that_carries_a_value(aws: AwsServer, secrets: SecretsAdapter) -> list[BaseException]:
    """Every call with the canary in its request or answer; the errors that came of it."""
    value, errors = CANARY.encode(), list[BaseException]()

    def attempt(write: Put | Delete) -> None:
        try:
            reasons = [outcome.reason for outcome in secrets.write([write])]
            assert CANARY not in repr(reasons) + repr(write)
        except AdapterError as error:
            errors.append(error)

    attempt(Put(DB, value, None, secret=True))
    attempt(Put(DB, value, None, secret=True))
    attempt(Put(DB, value + b"2", revision(secrets, DB)))
    attempt(Put(DB, value + b"\xff", revision(secrets, DB)))
    attempt(Put(DB, value, "0" * 32))
    attempt(Put("acme/prod/wide", value * 5000, None))
    for operation in ("CreateSecret", "PutSecretValue", "UpdateSecretVersionStage"):
        for code in ("InternalServiceError", "ThrottlingException", "InvalidParameterException", "Odd"):
            status = 500 if code.startswith("Internal") else 400
            aws.fail_next(operation, code, status, message=CANARY)
            expected = None if operation == "CreateSecret" else revision(secrets, DB)
            attempt(Put(DB if expected else "acme/prod/new", value, expected))
    aws.lose_ack_next("UpdateSecretVersionStage")
    attempt(Put(DB, value + b"3", revision(secrets, DB)))
    assert one(secrets, DB).value == value + b"3"
    assert len(items(secrets.get([DB, "acme/prod/none"]))) == 1
    assert len(items(secrets.history(DB, None))) >= 4
    assert secrets.version(DB, revision(secrets, DB)) is not None
    attempt(Put("acme/prod/other", value, None))
    errors += reads_that_fail(aws, secrets)
    assert CANARY not in repr(items(secrets.list(PLACE, None))) + repr(one(secrets, DB)) + repr(secrets)
    return errors


def test_no_secret_is_in_any_log_or_error_even_at_debug(
    aws: AwsServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("botocore", "boto3", "urllib3"):
        caplog.set_level(logging.DEBUG, logger=name)
    secrets = adapter_of(aws, secret_access_key=f"{CANARY}-word", session_token=f"{CANARY}-token")
    outside(aws, "acme/prod/warm")
    caplog.clear()
    errors = everything_that_carries_a_value(aws, secrets)
    assert CANARY not in "\n".join(str(vars(record)) for record in caplog.records)
    assert len(errors) == 10
    for error in errors:
        whole = traceback.TracebackException.from_exception(error, capture_locals=True)
        assert CANARY not in "".join(whole.format())
        assert error.__context__ is None and error.__cause__ is None


def test_the_server_s_own_log_of_requests_holds_no_value(aws: AwsServer) -> None:
    secrets = adapter_of(aws)
    everything_that_carries_a_value(aws, secrets)
    secrets.write([Put("acme/prod/raw", CANARY.encode() + b"\xff", None)])
    assert CANARY not in repr(aws.requests)


def test_options_show_no_key() -> None:
    keys: dict[str, Any] = {"access_key_id": CANARY, "secret_access_key": CANARY, "session_token": CANARY}
    assert CANARY not in repr(SecretsOptions("eu-west-1", credential="explicit", **keys))
    with pytest.raises(ValueError, match="does not use session_token") as caught:
        SecretsOptions("eu-west-1", **keys)
    assert CANARY not in str(caught.value)


# -- limits

FEATURES = SecretsAdapter(SecretsOptions("eu-west-1")).features
names = st.text(st.sampled_from("aZ0/_+=.@-! é:\n"), max_size=6) | st.sampled_from(["x" * 256, "x" * 257])
values = st.binary(max_size=6) | st.sampled_from([b"x" * 65_536, b"x" * 65_537, "é".encode() * 32_768])


def is_taken(**request: Any) -> bool:
    return refusal("CreateSecret", {"Name": "acme/x", "SecretString": "on", **request}, None) is None


@given(names)
@example("")
@example("acme/x\n")
def test_a_name_within_the_limits_is_taken(name: str) -> None:
    within = broken(FEATURES.ids, name.encode()) == ""
    assert within == (is_taken(Name=name) and len(name) <= 256)


@given(values)
@example(b"")
@example("é".encode() * 32_769)
def test_a_value_within_the_limits_is_taken_and_no_other(value: bytes) -> None:
    within = broken(FEATURES.values, value) == ""
    sent = {"SecretString": None, "SecretBinary": base64.b64encode(value).decode()}
    assert within == is_taken(**sent)


# -- credentials


def by(credential: str, **given: Any) -> dict[str, Any]:
    nothing = {"access_key_id": None, "secret_access_key": None}
    return {**nothing, "credential": credential, **given}


def signers(aws: AwsServer, secrets: SecretsAdapter) -> set[str]:
    """The access keys with which a listing is asked for."""
    before = len(aws.requests)
    items(secrets.list(PLACE, None))
    asked = [request for request in aws.requests[before:] if request.operation == "ListSecrets"]
    return {request.access_key_id for request in asked}


def test_each_credential_is_used_whatever_the_environment_says(
    aws: AwsServer, poisoned: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert signers(aws, adapter_of(aws)) == {"AKIDSANDBOX"}
    assert signers(aws, adapter_of(aws, **by("default"))) == {"POISONEDKEY"}
    config = tmp_path / "config"
    config.write_text("[profile acme]\naws_access_key_id = PROFILEKEY\naws_secret_access_key = word\n")
    poisoned.setenv("AWS_CONFIG_FILE", str(config))
    assert signers(aws, adapter_of(aws, **by("profile", profile="acme"))) == {"PROFILEKEY"}
    with pytest.raises(Denied, match="no usable credential"):
        signers(aws, adapter_of(aws, **by("profile", profile="nobody")))


def test_a_role_is_assumed_and_renewed_by_sts_alone(aws: AwsServer, poisoned: pytest.MonkeyPatch) -> None:
    keys = {"access_key_id": "SOURCEKEY", "secret_access_key": "word"}
    secrets = adapter_of(aws, **by("assume-role", role_arn=ROLE, sts_endpoint=aws.url, **keys))
    [signer] = signers(aws, secrets)
    assert signer.startswith("ASIA")
    [asked] = [request for request in aws.requests if request.operation == "AssumeRole"]
    assert asked.access_key_id == "SOURCEKEY"


def test_a_web_identity_is_taken_from_its_token_file(
    aws: AwsServer, poisoned: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("header.payload.signature")
    given = {"role_arn": ROLE, "token_file": token, "sts_endpoint": aws.url}
    [signer] = signers(aws, adapter_of(aws, **by("web-identity", **given)))
    assert signer.startswith("ASIA") and aws.count("AssumeRoleWithWebIdentity") == 1


def test_a_write_for_which_sts_fails_was_not_sent_and_may_be_tried_again(aws: AwsServer) -> None:
    keys = {"access_key_id": "SOURCEKEY", "secret_access_key": "word"}
    secrets = adapter_of(aws, **by("assume-role", role_arn=ROLE, sts_endpoint=aws.url, **keys))
    faults: list[Callable[[], None]] = [
        lambda: aws.lose_ack_next("AssumeRole"),
        lambda: aws.fail_next("AssumeRole", "InternalFailure", 500),
        lambda: aws.fail_next("AssumeRole", "Throttling"),
    ]
    for fault in faults:
        fault()
        with pytest.raises(Unavailable):
            secrets.write([Put(DB, b"on", None)])
    assert aws.count("CreateSecret") == 0


def test_an_endpoint_of_the_environment_never_gets_the_secrets(poisoned: pytest.MonkeyPatch) -> None:
    credential = Credential("explicit", access_key_id="K", secret_access_key="word")
    client = build_client("secretsmanager", credential, Endpoint("eu-west-1")).sdk
    assert client.meta.endpoint_url == "https://secretsmanager.eu-west-1.amazonaws.com"


def test_all_that_is_wrong_with_a_connection_is_said_at_once() -> None:
    with pytest.raises(ValueError) as caught:
        SecretsOptions(
            region="Ireland",
            credential="profile",
            role_arn=ROLE,
            endpoint="vpce-1",
            account="1234",
            recovery_window_days=3,
            read_timeout=0,
            access_key_id="only half",
        )
    for told in (
        "'Ireland'",
        "needs profile",
        "does not use role_arn",
        "does not use access_key_id",
        "endpoint is not a URL",
        "account '1234'",
        "recovery_window_days must be 7 to 30",
        "read_timeout",
    ):
        assert told in str(caught.value)


def test_a_closed_adapter_connects_again(aws: AwsServer) -> None:
    secrets = adapter_of(aws)
    outside(aws, DB)
    assert one(secrets, DB).value == b"on"
    secrets.close()
    assert one(secrets, DB).value == b"on"
