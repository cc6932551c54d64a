"""What goes wrong with a credential is never taken for the fate of a request, and it asks nobody else."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
import trustme

from ecs_sync.adapter import Put
from ecs_sync.errors import Denied, Unavailable
from ecs_sync_sandbox.aws import AwsServer
from ecs_sync_sandbox.http_server import HttpServer, Reply, Request
from tests.adapters import secrets_sandbox, ssm_sandbox
from tests.adapters.ssm_sandbox import ROOT, adapter_of, items

CANARY = "canary-94be21f07c"
MODE = "/acme/prod/mode"
NOTHING = {"access_key_id": None, "secret_access_key": None}
ROLE = """
[profile keys]
aws_access_key_id = SOURCEKEY
aws_secret_access_key = word
[profile acme]
role_arn = arn:aws:iam::123456789012:role/ecs-sync
source_profile = keys
"""


@pytest.fixture
def aws() -> Iterator[AwsServer]:
    with AwsServer() as server:
        yield server


@pytest.fixture
def elsewhere() -> Iterator[HttpServer]:
    """Where nothing shall ever be sent."""

    def respond(_: Request) -> Reply:
        return Reply(500)

    with HttpServer(respond) as server:
        yield server


@pytest.fixture
def profiles(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, elsewhere: HttpServer) -> Path:
    """A file of profiles, in an environment in which everything else points elsewhere."""
    config = tmp_path / "config"
    for name, value in {
        "AWS_CONFIG_FILE": str(config),
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_ENDPOINT_URL": elsewhere.url,
        "AWS_ENDPOINT_URL_STS": elsewhere.url,
        "AWS_ENDPOINT_URL_SSM": elsewhere.url,
        "AWS_DEFAULT_REGION": "xx-nowhere-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    return config


@contextmanager
def proxy(answer: bytes | None) -> Iterator[tuple[str, Queue[list[str]]]]:
    """A proxy that answers all alike, or with None never; its address, and what it was asked for."""
    asked: Queue[list[str]] = Queue()
    kept: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                asked.put(connection.recv(65536).decode().split()[:2])
                if answer is None:
                    kept.append(connection)
                else:
                    connection.sendall(answer)
                    connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}", asked
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()
            for each in kept:
                each.close()


@pytest.mark.parametrize("answer", [None, b"", b"HTTP/1.1 503 Later\r\n\r\n"])
@pytest.mark.parametrize("credential", ["profile", "default"])
def test_the_role_of_a_profile_is_assumed_at_aws_itself_in_the_region_given_and_once(
    aws: AwsServer,
    profiles: Path,
    elsewhere: HttpServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    credential: str,
    answer: bytes | None,
) -> None:
    profiles.write_text(ROLE if credential == "profile" else ROLE.replace("profile acme", "default"))
    profile = {"profile": "acme"} if credential == "profile" else {}
    given: dict[str, Any] = {
        "credential": credential,
        **profile,
        "read_timeout": 0.3 if answer is None else 20.0,
    }
    with proxy(answer) as (url, asked):
        monkeypatch.setenv("HTTPS_PROXY", elsewhere.url)
        ssm = adapter_of(aws, **NOTHING, **given, proxy=url)
        with pytest.raises(Unavailable):
            ssm.write([Put(MODE, b"on", None)])
        with pytest.raises(Unavailable):
            items(ssm.list(ROOT, None))
        for _ in range(2):
            assert asked.get(timeout=20) == ["CONNECT", "sts.eu-west-1.amazonaws.com:443"]
        assert asked.empty()
    assert elsewhere.requests == [] and aws.requests == []
    # A traceback shows, with its locals, the keys that sign and the token that is given.
    assert caplog.records and not any(record.exc_info or record.exc_text for record in caplog.records)


def test_nobody_is_asked_for_an_mfa_code(
    aws: AwsServer, profiles: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    profiles.write_text(f"{ROLE}mfa_serial = arn:aws:iam::123456789012:mfa/somebody\n")
    ssm = adapter_of(aws, **NOTHING, credential="profile", profile="acme")
    with pytest.raises(Denied, match="MFA"):
        ssm.write([Put(MODE, b"on", None)])
    shown = capfd.readouterr()
    assert "code" not in shown.out + shown.err and aws.requests == []


def test_a_credential_that_came_late_is_found_without_a_new_start(aws: AwsServer, profiles: Path) -> None:
    profiles.write_text("[profile acme]\nregion = eu-west-1\n")
    ssm = adapter_of(aws, **NOTHING, credential="profile", profile="acme")
    with pytest.raises(Denied, match="no usable credential"):
        items(ssm.list(ROOT, None))
    profiles.write_text(ROLE.partition("[profile acme]")[0].replace("profile keys", "profile acme"))
    assert items(ssm.list(ROOT, None)) == []
    assert {request.access_key_id for request in aws.requests} == {"SOURCEKEY"}


def test_a_server_whose_certificate_is_not_trusted_was_sent_nothing(tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)

    def respond(_: Request) -> Reply:
        return Reply(200, b"{}")

    with HttpServer(respond, tls=context) as server:
        given: Any = server
        for adapter, id in (
            (ssm_sandbox.adapter_of(given), MODE),
            (secrets_sandbox.adapter_of(given), "acme/prod/db"),
        ):
            with pytest.raises(Unavailable, match="certificate"):
                adapter.write([Put(id, b"on", None)])
        assert server.requests == []


def test_what_a_container_gives_is_in_no_log_from_the_first_call_on(
    aws: AwsServer,
    profiles: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in tuple(logging.root.manager.loggerDict):
        monkeypatch.setattr(logging.getLogger(name), "filters", [])

    def respond(_: Request) -> Reply:
        return Reply(200, f'{{"AccessKeyId": "AKID", "SecretAccessKey": "{CANARY}"'.encode())

    with HttpServer(respond) as container:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", container.url)
        ssm = adapter_of(aws, **NOTHING, credential="default")
        with pytest.raises(Denied, match="no usable credential"):
            items(ssm.list(ROOT, None))
        assert container.requests
    assert CANARY not in "\n".join(str(vars(record)) for record in caplog.records)
    assert CANARY not in caplog.text


@pytest.mark.parametrize("code", ["ExpiredTokenException", "UnrecognizedClientException"])
def test_after_a_new_login_the_new_keys_are_used_without_a_new_start(
    aws: AwsServer, profiles: Path, code: str
) -> None:
    keys = ROLE.partition("[profile acme]")[0].replace("profile keys", "profile acme")
    profiles.write_text(keys)
    ssm = adapter_of(aws, **NOTHING, credential="profile", profile="acme")
    assert items(ssm.list(ROOT, None)) == []
    aws.fail_next("DescribeParameters", code, times=2)
    for _ in range(2):
        with pytest.raises(Denied, match="log in again"):
            items(ssm.list(ROOT, None))
        profiles.write_text(keys.replace("SOURCEKEY", "NEWKEY"))
    assert items(ssm.list(ROOT, None)) == []
    assert [request.access_key_id for request in aws.requests] == [
        "SOURCEKEY",
        "SOURCEKEY",
        "NEWKEY",
        "NEWKEY",
    ]
