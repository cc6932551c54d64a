"""AWS through the proxy that is configured and none else, and what it means where that lets nobody pass."""

from __future__ import annotations

import logging
import ssl
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from ecs_sync.adapter import Put, Verdict
from ecs_sync.errors import AdapterError, ConfigError, Denied, Unacknowledged, Unavailable
from ecs_sync_adapters.aws_ssm import SsmAdapter, SsmOptions
from ecs_sync_sandbox.aws import AwsServer
from ecs_sync_sandbox.http_server import HttpServer, Reply, Request
from tests.adapters import secrets_sandbox, ssm_sandbox
from tests.adapters.connect_proxy import ConnectProxy
from tests.adapters.forward_proxy import ForwardProxy

LOGIN = "me:canary@/:%word"
MODE = "/acme/prod/mode"
PUT = Put(MODE, b"on", None)
PROXIES = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY")
ROLE = '{{"Code": "Success", "AccessKeyId": "{}", "SecretAccessKey": "w", "Token": "t", "Expiration": "{}"}}'


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[ForwardProxy]:
    """The proxy of the environment, to which nothing shall ever be sent."""
    with ForwardProxy() as trap:
        for name in PROXIES:
            monkeypatch.setenv(name, trap.url)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.setenv(name, "")
        yield trap
        assert trap.log == []


@pytest.fixture
def aws() -> Iterator[AwsServer]:
    with AwsServer() as server:
        yield server


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[tuple[HttpServer, Path]]:
    """What stands for SSM over TLS and takes every write, and who vouches for it."""

    def respond(request: Request) -> Reply:
        kind = (("Content-Type", "application/x-amz-json-1.1"),)
        lists = {"Parameters": [], "TagList": [], "Version": 1}
        del request
        return Reply(200, str(lists).replace("'", '"').encode(), kind)

    ca = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(tls)
    file = tmp_path / "ca.pem"
    file.write_bytes(ca.cert_pem.bytes())
    with HttpServer(respond, tls=tls) as server:
        yield server, file


def through(secure: tuple[HttpServer, Path], proxy: str, **more: Any) -> SsmAdapter:
    given: Any = secure[0]
    return ssm_sandbox.adapter_of(given, **{"ca_file": secure[1], "proxy": proxy, **more})


def writing(ssm: SsmAdapter, kind: type[AdapterError]) -> str:
    """What a write says that fails; the proxy's password is nowhere in it."""
    with pytest.raises(kind) as caught:
        ssm.write([PUT])
    assert type(caught.value) is kind
    told = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert "canary" not in "".join(line for line in told.format() if "/tests/" not in line)
    return str(caught.value)


# -- which proxy


def test_no_proxy_of_the_environment_is_taken(aws: AwsServer) -> None:
    assert ssm_sandbox.adapter_of(aws).write([PUT])[0].verdict is Verdict.APPLIED
    assert secrets_sandbox.items(secrets_sandbox.adapter_of(aws).list(secrets_sandbox.PLACE, None)) == []


@pytest.mark.parametrize("chain", ["default", "profile", "assume-role", "web-identity"])
def test_no_chain_of_credentials_takes_a_proxy_of_the_environment(
    aws: AwsServer, chain: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config"
    config.write_text(
        "[profile keys]\naws_access_key_id = KEY\naws_secret_access_key = w\n"
        "[profile acme]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = keys\n"
    )
    token = tmp_path / "token"
    token.write_text("word")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    role = {"role_arn": "arn:aws:iam::123456789012:role/r"}
    given: dict[str, dict[str, Any]] = {
        "default": {},
        "profile": {"profile": "acme"},
        "assume-role": {**role, "profile": "keys"},
        "web-identity": {**role, "token_file": token},
    }
    nothing = {"access_key_id": None, "secret_access_key": None}

    def machine(request: Request) -> Reply:
        if request.path.endswith("/token"):
            return Reply(200, b"t")
        named = ROLE.format("MACHINE", "2099-01-01T00:00:00Z")
        return Reply(200, (named if request.path.endswith("/acme") else "acme").encode())

    with HttpServer(machine) as instance, ConnectProxy() as proxy:
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", instance.url)
        proxy.refusal = 503
        more = {} if chain == "default" else {"proxy": proxy.url}
        ssm = ssm_sandbox.adapter_of(aws, **nothing, credential=chain, **given[chain], **more)
        if chain == "default":
            assert ssm.write([PUT])[0].verdict is Verdict.APPLIED
            assert {request.access_key_id for request in aws.requests} == {"MACHINE"}
        else:
            assert "not reachable" in writing(ssm, Unavailable)
            assert proxy.targets == {"sts.eu-west-1.amazonaws.com:443"} and aws.requests == []


def test_every_call_goes_through_the_proxy_that_is_configured(aws: AwsServer) -> None:
    with ForwardProxy() as proxy:
        proxy.login = LOGIN
        given = {"proxy": proxy.url, "proxy_login": LOGIN}
        assert ssm_sandbox.adapter_of(aws, **given).write([PUT])[0].verdict is Verdict.APPLIED
        secrets = secrets_sandbox.adapter_of(aws, **given)
        assert secrets_sandbox.items(secrets.list(secrets_sandbox.PLACE, None)) == []
        assert len(proxy.log) == len(aws.requests) and proxy.log[0].startswith(f"POST {aws.url}")


@pytest.mark.parametrize("over_tls", [False, True])
def test_aws_is_reached_through_a_tunnel_with_a_login(
    secure: tuple[HttpServer, Path], over_tls: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    ca = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if over_tls else None
    if tls is not None:
        ca.issue_cert("127.0.0.1").configure_cert(tls)
        both = secure[1].with_name("both.pem")
        both.write_bytes(ca.cert_pem.bytes() + secure[1].read_bytes())
    with ConnectProxy(LOGIN, tls) as proxy:
        vouching = secure[1] if tls is None else both
        ssm = through(secure, proxy.url, proxy_login=LOGIN, ca_file=vouching)
        assert ssm.write([PUT])[0].verdict is Verdict.APPLIED
        ssm.close()
        assert proxy.targets == {secure[0].url.removeprefix("https://")}
        if tls is not None:
            asked = len(proxy.asked)
            writing(through(secure, proxy.url, proxy_login=LOGIN), Unavailable)
            assert len(proxy.asked) == asked, "who is not known is given no login"
    assert "canary" not in caplog.text
    assert "canary" not in repr(SsmOptions("eu-west-1", proxy="http://p", proxy_login=LOGIN))


# -- what is wrong with it


def test_a_proxy_that_lets_nobody_pass_means_that_nothing_was_sent(
    secure: tuple[HttpServer, Path],
) -> None:
    with ConnectProxy(LOGIN) as proxy:
        for status in (403, 502):
            proxy.refusal = status
            assert "check endpoint, region, proxy" in writing(
                through(secure, proxy.url, proxy_login=LOGIN), Unavailable
            )
        proxy.refusal = 0
        assert "check proxy_login" in writing(through(secure, proxy.url, proxy_login="me:canary-2"), Denied)
        proxy.silent = True
        times = {"connect_timeout": 0.3, "read_timeout": 0.3}
        writing(through(secure, proxy.url, proxy_login=LOGIN, **times), Unavailable)
    writing(through(secure, "http://127.0.0.1:1"), Unavailable)
    assert secure[0].requests == []


def test_a_proxy_without_a_tunnel_asks_for_its_login_too(aws: AwsServer) -> None:
    with ForwardProxy() as proxy:
        proxy.login = LOGIN
        assert "check proxy_login" in writing(ssm_sandbox.adapter_of(aws, proxy=proxy.url), Denied)
    assert aws.requests == []


def is_put(request: Request) -> bool:
    return request.headers.get("x-amz-target", "").endswith("PutParameter")


@pytest.mark.parametrize(
    "fault",
    [
        lambda server: server.drop_next(when=is_put),
        lambda server: server.cut_next(0, when=is_put),
        lambda server: server.hang_next(when=is_put),
    ],
    ids=["drop", "cut", "hang"],
)
def test_an_answer_that_is_lost_behind_a_proxy_is_lost_and_not_unsent(
    secure: tuple[HttpServer, Path], fault: Callable[[HttpServer], None]
) -> None:
    with ConnectProxy() as proxy:
        ssm = through(secure, proxy.url, read_timeout=0.5)
        fault(secure[0])
        writing(ssm, Unacknowledged)
    assert any(is_put(request) for request in secure[0].requests)


@pytest.mark.parametrize(
    "given",
    [
        {"proxy": "proxy:3128"},
        {"proxy": "http://me:canary@proxy:3128"},
        {"proxy_login": "me:canary"},
        {"proxy": "http://proxy:1", "proxy_login": "canary"},
        {"proxy": "https://proxy:1", "endpoint": "http://127.0.0.1:1"},
    ],
)
def test_a_proxy_that_cannot_be_used_is_refused_without_its_text(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"^proxy") as caught:
        SsmOptions("eu-west-1", **given)
    assert "canary" not in str(caught.value)


def test_a_ca_file_without_a_certificate_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    options = SsmOptions("eu-west-1", ca_file=tmp_path / "none.pem")
    with pytest.raises(ConfigError, match=r"ca_file .*none.pem holds no certificate"):
        SsmAdapter(options)


def test_a_ca_file_that_went_means_that_nothing_was_sent(secure: tuple[HttpServer, Path]) -> None:
    given: Any = secure[0]
    ssm = ssm_sandbox.adapter_of(given, ca_file=secure[1])
    secure[1].unlink()
    assert "ca_file" in writing(ssm, Unavailable)
    assert secure[0].requests == []
