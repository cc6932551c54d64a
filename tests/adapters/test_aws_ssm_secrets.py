"""Secrets stay out of logs and errors, and credentials come from where the configuration says."""

from __future__ import annotations

import json
import logging
import threading
import traceback
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ecs_sync.adapter import Put
from ecs_sync.errors import AdapterError, Denied, Unavailable
from ecs_sync_adapters.aws_session import Credential, CredentialName, Endpoint, build_client
from ecs_sync_adapters.aws_ssm import SsmAdapter, SsmOptions
from ecs_sync_sandbox.aws import AwsServer
from tests.adapters.ssm_sandbox import ROOT, adapter_of, items, outside

CANARY = "canary-5d1e0b7a94"
ROLE = "arn:aws:iam::123456789012:role/ecs-sync"


@pytest.fixture
def aws() -> Iterator[AwsServer]:
    with AwsServer() as server:
        yield server


@pytest.fixture
def poisoned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment in which everything points elsewhere."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("[default]\naws_access_key_id = FILEKEY\naws_secret_access_key = word\n")
    poison = {
        "AWS_ACCESS_KEY_ID": "POISONEDKEY",
        "AWS_SECRET_ACCESS_KEY": "word",
        "AWS_SESSION_TOKEN": "word",
        "AWS_CONFIG_FILE": str(elsewhere),
        "AWS_SHARED_CREDENTIALS_FILE": str(elsewhere),
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ENDPOINT_URL_SSM": "http://127.0.0.1:9",
        "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:9",
        "AWS_DEFAULT_REGION": "xx-nowhere-1",
        "AWS_MAX_ATTEMPTS": "9",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    for name, value in poison.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.fixture
def container() -> Iterator[str]:
    """Where a container would get its credential, and does."""

    class Gives(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            keys = {"AccessKeyId": "CONTAINERKEY", "SecretAccessKey": "word", "Token": "word"}
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({**keys, "Expiration": "2999-01-01T00:00:00Z"}).encode())

    with ThreadingHTTPServer(("127.0.0.1", 0), Gives) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


def signers(aws: AwsServer, ssm: SsmAdapter) -> set[str]:
    """The access keys with which a listing is asked for."""
    before = len(aws.requests)
    items(ssm.list(ROOT, None))
    asked = [request for request in aws.requests[before:] if request.operation == "DescribeParameters"]
    return {request.access_key_id for request in asked}


# -- logs and errors


def everything_that_carries_a_value(aws: AwsServer, ssm: SsmAdapter) -> list[BaseException]:
    """Every call with the canary in its request or answer; the errors that came of it."""
    value, name = CANARY.encode(), "/acme/prod/key"
    errors: list[BaseException] = []

    def attempt(write: Put) -> None:
        try:
            reasons = [outcome.reason for outcome in ssm.write([write])]
            assert CANARY not in repr(reasons)
        except AdapterError as error:
            errors.append(error)

    attempt(Put(name, value, None, secret=True))
    attempt(Put(name, value, None, secret=True))
    attempt(Put(name, value + b"2", "1", secret=True))
    attempt(Put(name, value + b"{{", "2", secret=True))
    attempt(Put("/acme/prod/wide", value * 400, None, secret=True))
    attempt(Put("/acme/prod/raw", value + b"\xff", None, secret=True))
    for fault in ("InternalServerError", "ThrottlingException", "AccessDeniedException", "Odd"):
        aws.fail_next("PutParameter", fault, 500 if fault.startswith("Int") else 400, message=CANARY[:5])
        attempt(Put("/acme/prod/other", value, None, secret=True))
    aws.lose_ack_next("PutParameter")
    attempt(Put("/acme/prod/lost", value, None, secret=True))
    outside(aws, "/acme/prod/ours", "harmless", AllowedPattern="^[a-z]+$")
    attempt(Put("/acme/prod/ours", value, "1"))
    assert items(ssm.get([name]))[0].value == value + b"2"
    assert len(items(ssm.history(name, None))) == 2
    items(ssm.list(ROOT, None))
    return errors


def test_no_secret_is_in_any_log_or_error_even_at_debug(
    aws: AwsServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("botocore", "boto3", "urllib3"):
        caplog.set_level(logging.DEBUG, logger=name)
    ssm = adapter_of(aws, secret_access_key=f"{CANARY}-word", session_token=f"{CANARY}-token")
    outside(aws, "/acme/prod/warm")
    caplog.clear()
    errors = everything_that_carries_a_value(aws, ssm)
    assert CANARY not in "\n".join(str(vars(record)) for record in caplog.records)
    assert len(errors) == 3
    for error in errors:
        whole = traceback.TracebackException.from_exception(error, capture_locals=True)
        assert CANARY not in "".join(whole.format())
        assert error.__context__ is None and error.__cause__ is None


def test_the_sdk_does_log_values_where_nothing_keeps_it_from_it(
    aws: AwsServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    outside(aws, "/acme/prod/key", CANARY)
    assert CANARY in caplog.text


def test_options_show_no_key(aws: AwsServer) -> None:
    keys: dict[str, Any] = {"access_key_id": CANARY, "secret_access_key": CANARY, "session_token": CANARY}
    assert CANARY not in repr(SsmOptions("eu-west-1", credential="explicit", **keys))
    with pytest.raises(ValueError, match="does not use session_token") as caught:
        SsmOptions("eu-west-1", **keys)
    assert CANARY not in str(caught.value)


# -- credentials


def test_explicit_keys_are_used_whatever_the_environment_says(
    aws: AwsServer, poisoned: pytest.MonkeyPatch
) -> None:
    poisoned.setenv("AWS_PROFILE", "nobody")
    assert signers(aws, adapter_of(aws)) == {"AKIDSANDBOX"}


def test_a_profile_is_used_whatever_the_environment_says(
    aws: AwsServer, poisoned: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    config.write_text("[profile acme]\naws_access_key_id = PROFILEKEY\naws_secret_access_key = word\n")
    poisoned.setenv("AWS_CONFIG_FILE", str(config))
    ssm = adapter_of(aws, **by("profile", profile="acme"))
    assert signers(aws, ssm) == {"PROFILEKEY"}


@pytest.mark.parametrize("text", ["[profile acme]\nregion = eu-west-1\n", "[profile other]\n"])
def test_a_profile_without_a_credential_falls_back_to_nothing(
    aws: AwsServer, poisoned: pytest.MonkeyPatch, tmp_path: Path, container: str, text: str
) -> None:
    config = tmp_path / "config"
    config.write_text(text)
    poisoned.setenv("AWS_CONFIG_FILE", str(config))
    poisoned.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", container)
    ssm = adapter_of(aws, **by("profile", profile="acme"))
    with pytest.raises(Denied, match="no usable credential"):
        items(ssm.list(ROOT, None))
    with pytest.raises(Denied, match="no usable credential"):
        ssm.write([Put("/acme/prod/mode", b"on", None)])
    assert aws.requests == []


@pytest.mark.parametrize("name", ["default", "profile", "explicit"])
def test_an_endpoint_of_the_environment_never_gets_the_secrets(
    poisoned: pytest.MonkeyPatch, tmp_path: Path, name: CredentialName
) -> None:
    config = tmp_path / "config"
    keys = "aws_access_key_id = K\naws_secret_access_key = word\n"
    config.write_text(f"[profile acme]\nendpoint_url = http://127.0.0.1:9\n{keys}")
    poisoned.setenv("AWS_CONFIG_FILE", str(config))
    credential = Credential(name, profile="acme", access_key_id="K", secret_access_key="word")
    client = build_client("ssm", credential, Endpoint("eu-west-1")).sdk
    assert client.meta.endpoint_url == "https://ssm.eu-west-1.amazonaws.com"


def test_the_default_chain_is_aws_s_own(aws: AwsServer, poisoned: pytest.MonkeyPatch) -> None:
    assert signers(aws, adapter_of(aws, **by("default"))) == {"POISONEDKEY"}


def test_the_default_chain_ends_where_the_container_gives_a_credential(
    aws: AwsServer, poisoned: pytest.MonkeyPatch, container: str
) -> None:
    poisoned.delenv("AWS_ACCESS_KEY_ID")
    poisoned.setenv("AWS_CONFIG_FILE", "/dev/null")
    poisoned.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    poisoned.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", container)
    assert signers(aws, adapter_of(aws, **by("default"))) == {"CONTAINERKEY"}


def test_a_role_is_assumed_with_the_keys_given_and_nothing_of_it_is_logged(
    aws: AwsServer, poisoned: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    keys = {"access_key_id": "SOURCEKEY", "secret_access_key": "word"}
    ssm = adapter_of(aws, **by("assume-role", role_arn=ROLE, external_id="x1", sts_endpoint=aws.url, **keys))
    [signer] = signers(aws, ssm)
    assert signer.startswith("ASIA")
    asked = [request for request in aws.requests if request.operation == "AssumeRole"]
    assert [request.access_key_id for request in asked] == ["SOURCEKEY"]
    assert "SecretAccessKey" not in caplog.text and "<SessionToken>" not in caplog.text
    signers(aws, ssm)
    assert aws.count("AssumeRole") == 1


def test_a_role_that_may_not_be_assumed_is_denied_and_nothing_is_sent(aws: AwsServer) -> None:
    keys = {"access_key_id": "SOURCEKEY", "secret_access_key": "word"}
    ssm = adapter_of(aws, **by("assume-role", role_arn=ROLE, sts_endpoint=aws.url, **keys))
    aws.fail_next("AssumeRole", "AccessDenied", 403)
    with pytest.raises(Denied):
        ssm.write([Put("/acme/prod/mode", b"on", None)])
    assert aws.count("PutParameter") == 0


def test_a_write_for_which_sts_fails_was_not_sent_and_may_be_tried_again(aws: AwsServer) -> None:
    keys = {"access_key_id": "SOURCEKEY", "secret_access_key": "word"}
    ssm = adapter_of(aws, **by("assume-role", role_arn=ROLE, sts_endpoint=aws.url, read_timeout=0.3, **keys))
    hold = aws.hold_next("AssumeRole")
    faults = [
        lambda: None,
        lambda: aws.lose_ack_next("AssumeRole"),
        lambda: aws.fail_next("AssumeRole", "InternalFailure", 500),
        lambda: aws.fail_next("AssumeRole", "Throttling"),
    ]
    for fault in faults:
        fault()
        with pytest.raises(Unavailable):
            ssm.write([Put("/acme/prod/mode", b"on", None)])
        hold.released.set()
    assert aws.count("PutParameter") == 0
    [outcome] = ssm.write([Put("/acme/prod/mode", b"on", None)])
    assert outcome.revision == "1"


@pytest.mark.parametrize("told_by", ["options", "environment"])
def test_a_web_identity_is_taken_from_its_token_file(
    aws: AwsServer, poisoned: pytest.MonkeyPatch, tmp_path: Path, told_by: str
) -> None:
    token = tmp_path / "token"
    token.write_text("header.payload.signature")
    given: dict[str, Any] = {"role_arn": ROLE, "token_file": str(token)}
    if told_by == "environment":
        poisoned.setenv("AWS_ROLE_ARN", ROLE)
        poisoned.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))
        given = {}
    [signer] = signers(aws, adapter_of(aws, **by("web-identity", sts_endpoint=aws.url, **given)))
    assert signer.startswith("ASIA")
    [asked] = [request for request in aws.requests if request.operation == "AssumeRoleWithWebIdentity"]
    assert asked.access_key_id == ""


@pytest.mark.parametrize("missing", ["token file", "role"])
def test_a_web_identity_that_is_not_there_is_no_reason_to_use_another(
    aws: AwsServer, poisoned: pytest.MonkeyPatch, tmp_path: Path, missing: str
) -> None:
    token = tmp_path / "token"
    given = {"token_file": str(token), "role_arn": ROLE}
    if missing == "role":
        token.write_text("header.payload.signature")
        del given["role_arn"]
    ssm = adapter_of(aws, **by("web-identity", sts_endpoint=aws.url, **given))
    with pytest.raises(Denied, match="no usable credential"):
        items(ssm.list(ROOT, None))
    assert aws.count("DescribeParameters") == 0


def by(credential: str, **given: Any) -> dict[str, Any]:
    nothing = {"access_key_id": None, "secret_access_key": None}
    return {**nothing, "credential": credential, **given}


def test_all_that_is_wrong_with_a_connection_is_said_at_once() -> None:
    with pytest.raises(ValueError) as caught:
        SsmOptions(
            region="Ireland",
            credential="profile",
            role_arn=ROLE,
            endpoint="vpce-1",
            read_timeout=0,
            access_key_id="only half",
        )
    for told in (
        "'Ireland'",
        "needs profile",
        "does not use role_arn",
        "does not use access_key_id",
        "endpoint is not a URL",
        "read_timeout",
    ):
        assert told in str(caught.value)
