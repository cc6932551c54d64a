"""Tokens of Microsoft Entra come from where the configuration says, and nothing of them is shown."""

from __future__ import annotations

import json
import logging
import ssl
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import parse_qs

import pytest
import requests
import trustme
import urllib3
from azure.core.exceptions import ServiceRequestError, ServiceRequestTimeoutError
from urllib3 import HTTPSConnectionPool
from urllib3.exceptions import MaxRetryError

from ecs_sync.errors import Denied, Throttled, Unacknowledged, Unavailable
from ecs_sync_adapters.azure_errors import Failure, failed
from ecs_sync_adapters.azure_identity import Credential, Identity, TokenFailure, Trouble
from ecs_sync_adapters.azure_route import Route
from ecs_sync_adapters.failure_kind import Kind, reading_error, writing_error
from ecs_sync_sandbox.http_server import HttpServer, Reply, Request
from ecs_sync_sandbox.real_server import free_port

SCOPE = "https://acme.azconfig.io/.default"
TENANT, CLIENT = "11111111-2222-3333-4444-555555555555", "app-id"
SECRET, TOKEN, ASSERTION = "canary-9a4f-secret", "canary-9a4f-token", "canary-9a4f-assertion"
SOON = Route(connect=2.0, read=2.0)

_ENVIRONMENT = (
    *("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_FEDERATED_TOKEN_FILE"),
    *("AZURE_AUTHORITY_HOST", "IDENTITY_ENDPOINT", "IDENTITY_HEADER", "MSI_ENDPOINT", "AZURE_USERNAME"),
    "AZURE_POD_IDENTITY_AUTHORITY_HOST",
)


@pytest.fixture(autouse=True)
def _nothing_of_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in _ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


@dataclass
class Authority:
    """What Entra answers of one tenant. Its token requests are in ``asked``."""

    url: str = ""
    asked: list[dict[str, str]] = field(default_factory=list)
    refusal: tuple[int, object] | None = None

    def respond(self, request: Request) -> Reply:
        if request.path.endswith("/.well-known/openid-configuration"):
            base = f"{self.url}/{TENANT}/oauth2/v2.0"
            told = {
                "authorization_endpoint": f"{base}/authorize",
                "token_endpoint": f"{base}/token",
                "issuer": f"{self.url}/{TENANT}/v2.0",
            }
            return _json(200, told)
        if request.path == f"/{TENANT}/oauth2/v2.0/token":
            form = parse_qs(request.body.decode())
            self.asked.append({name: values[-1] for name, values in form.items()})
            if self.refusal is not None:
                return _json(*self.refusal)
            return _json(200, {"token_type": "Bearer", "expires_in": 3600, "access_token": TOKEN})
        return Reply(404)


def _json(status: int, body: object) -> Reply:
    return Reply(status, json.dumps(body).encode(), (("Content-Type", "application/json"),))


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_file(ca: trustme.CA) -> Iterator[str]:
    with ca.cert_pem.tempfile() as path:
        yield path


@pytest.fixture
def server(ca: trustme.CA) -> Iterator[tuple[HttpServer, Authority]]:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(tls)
    authority = Authority()
    with HttpServer(authority.respond, tls=tls) as server:
        authority.url = server.url
        yield server, authority


@pytest.fixture
def authority(server: tuple[HttpServer, Authority]) -> Authority:
    return server[1]


def application(authority: Authority, ca_file: str) -> Credential:
    identity = Identity(
        "client-secret",
        tenant_id=TENANT,
        client_id=CLIENT,
        client_secret=SECRET,
        authority=authority.url,
    )
    return Credential(identity, replace(SOON, ca_file=ca_file))


def failure_of(credential: Credential) -> TokenFailure:
    with pytest.raises(TokenFailure) as raised:
        credential.get_token(SCOPE)
    shown = "".join(traceback.format_exception(raised.value))
    assert not [secret for secret in (SECRET, TOKEN, ASSERTION) if secret in shown]
    return raised.value


# -- what is asked of whom


def test_a_client_secret_is_exchanged_at_the_authority_that_is_configured(
    authority: Authority, ca_file: str
) -> None:
    credential = application(authority, ca_file)
    assert credential.get_token(SCOPE).token == TOKEN
    (asked,) = authority.asked
    assert asked["grant_type"] == "client_credentials"
    assert (asked["client_id"], asked["client_secret"], asked["scope"]) == (CLIENT, SECRET, SCOPE)
    credential.get_token(SCOPE)
    assert len(authority.asked) == 1, "a token is kept while it lasts"
    credential.close()


@pytest.mark.parametrize("way", ["options", "environment"])
def test_a_workload_exchanges_the_token_in_its_file(
    authority: Authority, ca_file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    file = tmp_path / "token"
    file.write_text(ASSERTION, encoding="utf-8")
    given = {"tenant_id": TENANT, "client_id": CLIENT, "token_file": str(file)}
    if way == "environment":
        names = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_FEDERATED_TOKEN_FILE")
        for name, text in zip(names, given.values(), strict=True):
            monkeypatch.setenv(name, text)
        given = {}
    identity = Identity("workload-identity", authority=authority.url, **given)
    assert Credential(identity, replace(SOON, ca_file=ca_file)).get_token(SCOPE).token == TOKEN
    (asked,) = authority.asked
    assert (asked["client_assertion"], asked["client_id"], asked["scope"]) == (ASSERTION, CLIENT, SCOPE)


def test_a_managed_identity_is_asked_of_the_endpoint_that_the_machine_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer = {"access_token": TOKEN, "expires_on": str(int(time.time()) + 3600), "token_type": "Bearer"}
    with HttpServer(lambda _: _json(200, {**answer, "resource": "https://acme.azconfig.io"})) as machine:
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{machine.url}/msi/token")
        monkeypatch.setenv("IDENTITY_HEADER", "header")
        credential = Credential(Identity("managed-identity", client_id=CLIENT), SOON)
        assert credential.get_token(SCOPE).token == TOKEN
        (asked,) = machine.requests
        assert asked.headers["x-identity-header"] == "header"
        assert (asked.query["resource"], asked.query["client_id"]) == ("https://acme.azconfig.io", CLIENT)


def test_the_default_chain_takes_an_application_of_the_environment(
    authority: Authority, ca_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_TENANT_ID", TENANT)
    monkeypatch.setenv("AZURE_CLIENT_ID", CLIENT)
    monkeypatch.setenv("AZURE_CLIENT_SECRET", SECRET)
    identity = Identity("default", authority=authority.url)
    assert Credential(identity, replace(SOON, ca_file=ca_file)).get_token(SCOPE).token == TOKEN
    assert authority.asked[0]["client_secret"] == SECRET


def test_a_named_credential_takes_nothing_else_from_the_environment(
    authority: Authority, ca_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_TENANT_ID", "other")
    monkeypatch.setenv("AZURE_CLIENT_ID", "other")
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "other")
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", "https://127.0.0.1:1")
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    assert application(authority, ca_file).get_token(SCOPE).token == TOKEN
    assert authority.asked[0]["client_id"] == CLIENT


# -- what goes wrong


def test_a_secret_that_is_not_accepted_is_refused_with_entras_code_and_no_more(
    authority: Authority, ca_file: str
) -> None:
    text = f"AADSTS7000215: Invalid client secret provided: {SECRET}. Trace ID: x"
    authority.refusal = (401, {"error": "invalid_client", "error_description": text})
    failure = failure_of(application(authority, ca_file))
    assert failure.trouble is Trouble.REFUSED
    assert "AADSTS7000215" in str(failure) and "renew the secret" in str(failure)


@pytest.mark.parametrize(
    ("status", "trouble"), [(429, Trouble.THROTTLED), (500, Trouble.UNREACHABLE), (503, Trouble.UNREACHABLE)]
)
def test_an_authority_that_fails_or_throttles_is_asked_once(
    server: tuple[HttpServer, Authority], ca_file: str, status: int, trouble: Trouble
) -> None:
    http, authority = server
    credential = application(authority, ca_file)
    http.fail_next(status, {"Retry-After": "1"}, when=lambda request: request.method == "POST", times=5)
    assert failure_of(credential).trouble is trouble
    assert sum(request.method == "POST" for request in http.requests) == 1


def test_an_authority_that_is_not_there_hangs_or_resets_is_unreachable(
    server: tuple[HttpServer, Authority], ca_file: str
) -> None:
    http, authority = server
    nobody = Authority(url=f"https://127.0.0.1:{free_port()}")
    assert failure_of(application(nobody, ca_file)).trouble is Trouble.UNREACHABLE
    http.drop_next()
    assert failure_of(application(authority, ca_file)).trouble is Trouble.UNREACHABLE
    http.hang_next()
    identity = Identity("client-secret", TENANT, CLIENT, None, authority.url, SECRET)
    assert failure_of(Credential(identity, Route(0.3, 0.3, ca_file=ca_file))).trouble is Trouble.UNREACHABLE


@pytest.mark.parametrize("fault", ["nobody", "drop", "hang"])
def test_the_default_chain_tells_an_authority_that_is_away_from_an_identity_that_is_not_there(
    server: tuple[HttpServer, Authority], ca_file: str, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    http, authority = server
    monkeypatch.setenv("AZURE_TENANT_ID", TENANT)
    monkeypatch.setenv("AZURE_CLIENT_ID", CLIENT)
    monkeypatch.setenv("AZURE_CLIENT_SECRET", SECRET)
    url = authority.url if fault != "nobody" else f"https://127.0.0.1:{free_port()}"
    if fault == "drop":
        http.drop_next(when=lambda request: request.method == "POST")
    if fault == "hang":
        http.hang_next(when=lambda request: request.method == "POST")
    route = Route(2.0, 0.5, ca_file=ca_file)
    failure = failure_of(Credential(Identity("default", authority=url), route))
    assert failure.trouble is Trouble.UNREACHABLE and "cannot be reached" in str(failure)


def test_the_default_chain_without_any_identity_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "dev")  # asks no metadata service
    failure = failure_of(Credential(Identity("default"), Route(0.3, 0.3)))
    assert failure.trouble is Trouble.REFUSED and "name the one that is meant" in str(failure)


def test_an_authority_that_is_not_trusted_gets_no_secret(authority: Authority) -> None:
    with trustme.CA().cert_pem.tempfile() as other:
        assert failure_of(application(authority, other)).trouble is Trouble.UNREACHABLE
    assert authority.asked == []


@pytest.mark.parametrize(
    ("identity", "said"),
    [
        (Identity("workload-identity", TENANT, CLIENT, "/nowhere/token"), "token file"),
        (Identity("cli"), "az login"),
    ],
)
def test_a_credential_that_is_not_there_says_what_to_do(
    identity: Identity, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    failure = failure_of(Credential(identity, SOON))
    assert failure.trouble is Trouble.REFUSED and said in str(failure)


def test_a_workload_without_anything_is_refused_when_it_is_built() -> None:
    with pytest.raises(TokenFailure, match="token file is missing"):
        Credential(Identity("workload-identity"), SOON)


@pytest.mark.parametrize(
    ("trouble", "kind", "reading", "writing"),
    [
        (Trouble.REFUSED, Kind.DENIED, Denied, Denied),
        (Trouble.UNREACHABLE, Kind.UNSENT, Unavailable, Unavailable),
        (Trouble.THROTTLED, Kind.THROTTLED, Throttled, Throttled),
    ],
)
def test_a_missing_token_never_looks_like_a_write_that_may_have_landed(
    trouble: Trouble, kind: Kind, reading: type, writing: type
) -> None:
    failure = failed(TokenFailure(trouble, "no token", {"retry-after": "3"}), SOON)
    assert failure.kind is kind
    assert type(reading_error(failure, "reading")) is reading
    error = writing_error(failure, "writing")
    assert type(error) is writing
    assert not isinstance(error, Throttled) or error.retry_after == 3.0


def test_what_was_not_answered_is_unknown_of_a_write_only() -> None:
    failure = Failure(Kind.UNANSWERED, "the answer did not come")
    assert isinstance(writing_error(failure, "writing a"), Unacknowledged)
    assert isinstance(reading_error(failure, "reading a"), Unavailable)


def _as_the_sdk_wraps(cause: Exception) -> ServiceRequestError:
    wrapped = requests.exceptions.SSLError(MaxRetryError(HTTPSConnectionPool("127.0.0.1"), "/", cause))
    return ServiceRequestError("it failed", error=wrapped)


def test_what_the_sdk_calls_a_failure_to_send_may_have_been_sent() -> None:
    """A TLS stream that breaks is one to it, before the request as after."""
    broken = _as_the_sdk_wraps(urllib3.exceptions.SSLError(ssl.SSLEOFError("EOF in violation of protocol")))
    assert failed(broken, SOON).kind is Kind.UNANSWERED
    untrusted = _as_the_sdk_wraps(urllib3.exceptions.SSLError(ssl.SSLCertVerificationError("unknown")))
    assert failed(untrusted, SOON).kind is Kind.UNSENT
    assert failed(ServiceRequestTimeoutError("no connection in time"), SOON).kind is Kind.UNSENT


# -- what is shown


def test_neither_secret_nor_token_nor_assertion_is_logged_at_any_level(
    authority: Authority, ca_file: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("", "azure", "azure.identity", "azure.core", "msal", "urllib3"):
        caplog.set_level(logging.DEBUG, logger=name)
    file = tmp_path / "token"
    file.write_text(ASSERTION, encoding="utf-8")
    workload = Identity("workload-identity", TENANT, CLIENT, str(file), authority.url)
    for credential in (application(authority, ca_file), Credential(workload, replace(SOON, ca_file=ca_file))):
        credential.get_token(SCOPE)
        assert SECRET not in repr(credential)
    echo = f"AADSTS7000215: {SECRET} {ASSERTION}"
    for refusal in ({"error": "invalid_client", "error_description": echo}, {"x": TOKEN}, [TOKEN], TOKEN):
        authority.refusal = (400, refusal)
        failure_of(application(authority, ca_file))
    assert caplog.records
    assert not [secret for secret in (SECRET, TOKEN, ASSERTION) if secret in caplog.text]
    assert SECRET not in repr(Identity("client-secret", TENANT, CLIENT, client_secret=SECRET))


@pytest.mark.parametrize(
    ("identity", "said"),
    [
        (Identity("client-secret", client_id=CLIENT), ["needs client_secret", "needs tenant_id"]),
        (Identity("cli", client_secret=SECRET, token_file="f"), ["does not use client_secret", "token_file"]),
        (Identity("default", authority="http://login"), ["authority is not an https address"]),
        (Identity("cli", tenant_id="a/b"), ["tenant_id is not"]),
        (Identity("managed-identity", client_id=CLIENT), []),
        (Identity("workload-identity"), []),
    ],
)
def test_every_problem_of_an_identity_is_named_at_once(identity: Identity, said: list[str]) -> None:
    text = "; ".join(identity.problems())
    assert [part for part in said if part not in text] == []
    assert bool(text) == bool(said)
    assert SECRET not in text
