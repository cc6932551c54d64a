"""An answer that is none of AWS's is no news of an item, and no error carries what an answer held."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ecs_sync.adapter import Delete, Listing, Put, Verdict
from ecs_sync.errors import AdapterError, Unacknowledged, Unavailable
from ecs_sync.testing.subject import pages_of
from ecs_sync_sandbox.aws import AwsServer
from ecs_sync_sandbox.aws_appconfig import AppConfigServer, on
from ecs_sync_sandbox.http_server import HttpServer, Reply, Request
from tests.adapters import aws_appconfig_sandbox, secrets_sandbox, ssm_sandbox

CANARY = "canary-3e9b07c5a1"
MODE, DB = "/acme/prod/mode", "acme/prod/db"
ID, MAKE = aws_appconfig_sandbox.ID, "CreateHostedConfigurationVersion"
JSON = (("Content-Type", "application/x-amz-json-1.1"),)


@pytest.fixture
def aws() -> Iterator[AwsServer]:
    with AwsServer() as server:
        yield server


def failure_of(act: Callable[[], object]) -> AdapterError:
    """The error, with all that a logger could show of it free of the canary."""
    with pytest.raises(AdapterError) as caught:
        act()
    whole = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    shown = [line for line in whole.format() if "/tests/" not in line.partition("\n")[0]]
    assert CANARY not in "".join(shown)
    return caught.value


def read(listing: Callable[[], Listing]) -> Callable[[], object]:
    return lambda: list(pages_of(listing()))


# -- what an error carries


def test_tags_that_cannot_be_read_take_no_value_into_the_error(aws: AwsServer) -> None:
    ssm = ssm_sandbox.adapter_of(aws, tags=True)
    ssm_sandbox.outside(aws, MODE, CANARY, Type="SecureString")
    for code in ("ThrottlingException", "AccessDeniedException"):
        aws.fail_next("ListTagsForResource", code)
        failure_of(read(lambda: ssm.get([MODE])))


def test_a_history_that_breaks_off_takes_no_value_into_the_error(aws: AwsServer) -> None:
    ssm = ssm_sandbox.adapter_of(aws)
    ssm_sandbox.outside(aws, MODE, CANARY)
    ssm_sandbox.outside(aws, MODE, f"{CANARY}-2", Overwrite=True)
    faults: list[Callable[[], None]] = [
        lambda: aws.fail_next("GetParameterHistory", "InternalServerError", 500),
        lambda: aws.same_token_next("GetParameterHistory", 2),
    ]
    for fault in faults:
        aws.short_pages_next("GetParameterHistory", [1])
        fault()
        assert type(failure_of(read(lambda: ssm.history(MODE, None)))) is Unavailable


def test_no_document_is_in_an_error_of_a_write() -> None:
    with AppConfigServer() as server:
        hand = aws_appconfig_sandbox.Hand(server.client())
        hand.set(ID, CANARY.encode())
        adapter = aws_appconfig_sandbox.adapter_of(server)
        for operation in ("GetHostedConfigurationVersion", MAKE, MAKE, "StartDeployment"):
            item = aws_appconfig_sandbox.one(adapter)
            server.http.drop_next(when=on(operation))
            put = Put(item.id, f"{CANARY}-2".encode(), item.revision)
            failure_of(lambda put=put: adapter.write([put]))  # type: ignore[misc]
        gone = Delete(ID, aws_appconfig_sandbox.one(adapter).revision or "")
        server.http.drop_next(when=on("StartDeployment"))
        failure_of(lambda: adapter.write([gone]))
        adapter.close()


# -- answers that are none


def nonsense(body: str) -> HttpServer:
    def respond(_: Request) -> Reply:
        return Reply(200, body.encode(), JSON)

    return HttpServer(respond)


BODIES = [
    "[]",
    '"text"',
    "null",
    json.dumps({"Parameters": [{"Value": CANARY}], "SecretList": [{"x": CANARY}], "Versions": [{}]}),
    json.dumps({"Parameters": [CANARY], "SecretList": [CANARY], "Versions": [CANARY]}),
    json.dumps({"Parameters": CANARY, "SecretList": CANARY, "Versions": CANARY, "SecretString": CANARY}),
    json.dumps({"Parameters": [{"Name": MODE, "Value": CANARY, "Version": 1, "LastModifiedDate": "soon"}]}),
    json.dumps({"VersionId": "x" * 36, "SecretString": CANARY, "Version": 1}),
    json.dumps({"SecretValues": [{"Name": DB, "SecretString": CANARY}], "Name": DB}),
]


@pytest.mark.parametrize("body", BODIES)
def test_an_answer_of_another_shape_is_no_answer(body: str) -> None:
    with nonsense(body) as server:
        given: Any = server
        ssm, secrets = ssm_sandbox.adapter_of(given), secrets_sandbox.adapter_of(given)
        looks: list[Callable[[], Listing]] = [
            lambda: ssm.list(ssm_sandbox.ROOT, None),
            lambda: ssm.get([MODE]),
            lambda: ssm.peek([MODE]),
            lambda: ssm.history(MODE, None),
            lambda: secrets.list(secrets_sandbox.PLACE, None),
            lambda: secrets.get([DB]),
            lambda: secrets.get([DB, "acme/prod/other"]),
            lambda: secrets.peek([DB]),
            lambda: secrets.history(DB, None),
        ]
        for look in looks:
            assert type(failure_of(read(look))) is Unavailable
        put = Put(DB, CANARY.encode(), None)
        if '"VersionId"' not in body:
            assert type(failure_of(lambda: secrets.write([put]))) is Unacknowledged
        if '"Version"' not in body:
            assert type(failure_of(lambda: ssm.write([Put(MODE, b"on", None)]))) is Unacknowledged


def test_a_secret_whose_arn_is_none_is_neither_read_nor_changed() -> None:
    version = {"VersionId": "x" * 36, "VersionIdsToStages": {"x" * 36: ["AWSCURRENT"]}}
    told = {"ARN": "none", "Name": DB, "SecretString": CANARY, "PrimaryRegion": "eu-west-1", **version}
    with nonsense(json.dumps(told)) as server:
        given: Any = server
        secrets = secrets_sandbox.adapter_of(given, account="123456789012")
        assert "names no account" in (secrets_sandbox.one(secrets, DB).unreadable or "")
        failure_of(lambda: secrets.write([Put(DB, b"on", "x" * 36)]))
        [outcome] = secrets_sandbox.adapter_of(given).write([Put(DB, b"on", "x" * 36)])
        assert outcome.verdict is Verdict.REFUSED


@pytest.mark.parametrize("body", ["[]", "null", '{"Items": [{}]}', '{"Items": ["x"]}', '{"Items": "x"}'])
def test_an_answer_of_another_shape_is_no_environment(body: str) -> None:
    with nonsense(body) as server:
        given: Any = server
        adapter = aws_appconfig_sandbox.adapter_of(given)
        place = aws_appconfig_sandbox.PLACE
        assert type(failure_of(read(lambda: adapter.list(place, None)))) is Unavailable
        assert type(failure_of(lambda: adapter.write([Put(ID, b"1", None)]))) is (Unavailable)


# -- what a status means


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("InternalServerError", 400),
        ("InternalFailure", 400),
        ("InternalServiceError", 400),
        ("RequestTimeout", 400),
        ("Odd", 408),
        ("Odd", 302),
        ("Odd", 307),
    ],
)
def test_what_says_nothing_of_a_write_is_no_refusal_of_it(aws: AwsServer, code: str, status: int) -> None:
    ssm, secrets = ssm_sandbox.adapter_of(aws), secrets_sandbox.adapter_of(aws)
    aws.fail_next("PutParameter", code, status)
    with pytest.raises(Unacknowledged):
        ssm.write([Put(MODE, b"on", None)])
    aws.fail_next("CreateSecret", code, status)
    with pytest.raises(Unacknowledged):
        secrets.write([Put(DB, b"on", None)])
    aws.fail_next("GetParameters", code, status)
    assert type(failure_of(read(lambda: ssm.get([MODE])))) is Unavailable


def test_a_denial_that_repeats_the_request_shows_nothing_of_it(
    aws: AwsServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    value = f"arn:aws:s3:::{CANARY}"
    aws.fail_next("PutParameter", "Forbidden", 403, message=f"your request with {value} was blocked")
    [outcome] = ssm_sandbox.adapter_of(aws).write([Put(MODE, value.encode(), None)])
    assert outcome.verdict is Verdict.REFUSED and CANARY not in outcome.reason
    assert CANARY not in caplog.text
