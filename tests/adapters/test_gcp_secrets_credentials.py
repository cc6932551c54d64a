"""Secrets stay out of logs and errors, and credentials come from where the configuration says."""

from __future__ import annotations

import json
import logging
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import grpc
import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import jwt

from ecs_sync.adapter import Put
from ecs_sync.errors import AdapterError, Denied, Unavailable
from ecs_sync_adapters.gcp_secrets import GcpSecretsAdapter, GcpSecretsOptions
from ecs_sync_adapters.gcp_secrets_session import Credential
from ecs_sync_sandbox.gcp_secrets import GcpSecretsServer
from ecs_sync_sandbox.http_server import HttpServer, Reply
from ecs_sync_sandbox.real_server import free_port
from tests.adapters.forward_proxy import ForwardProxy
from tests.adapters.gcp_sandbox import MODE, PLACE, adapter_of, at, items, one

CANARY = "canary-7f40c2d9e1"
TOKEN = "token-51b8aa03c6"
ROBOT = "robot@acme-1.iam.gserviceaccount.com"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def server(authority: trustme.CA) -> Iterator[GcpSecretsServer]:
    cert = authority.issue_cert("127.0.0.1")
    chain = b"".join(pem.bytes() for pem in cert.cert_chain_pems)
    with GcpSecretsServer(tls=(cert.private_key_pem.bytes(), chain)) as server:
        yield server


@dataclass
class Issuer:
    """Where tokens are asked for."""

    url: str
    asked: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    status: int = 200
    tokens: list[str] = field(default_factory=lambda: [TOKEN])


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    """Gives tokens as the OAuth endpoint, the STS, the IAM Credentials API and the metadata server do."""
    told = Issuer("")

    class Gives(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.do_POST()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            told.asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            token = told.tokens.pop(0) if len(told.tokens) > 1 else told.tokens[0]
            answer: dict[str, Any] = {"access_token": token, "expires_in": 3600, "token_type": "Bearer"}
            if "generateAccessToken" in self.path:
                answer = {"accessToken": token, "expireTime": "2999-01-01T00:00:00Z"}
            elif self.path.endswith("/token") and "metadata" not in self.path:
                answer["issued_token_type"] = "urn:ietf:params:oauth:token-type:access_token"
            elif "recursive=true" in self.path:
                answer = {"email": ROBOT, "scopes": [], "aliases": ["default"]}
            elif self.path.endswith("universe-domain"):
                answer = {}
            payload = json.dumps(answer).encode() if answer else b"googleapis.com"
            self.send_response(told.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Metadata-Flavor", "Google")
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, format: str, *args: Any) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Gives) as http:
        told.url = f"http://127.0.0.1:{http.server_address[1]}"
        thread = threading.Thread(target=http.serve_forever, args=(0.05,))
        thread.start()
        yield told
        http.shutdown()
        thread.join()


def key_file(folder: Path, key: rsa.RSAPrivateKey, token_uri: str = "https://127.0.0.1:9/token") -> Path:
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "key.json"
    told = {"type": "service_account", "project_id": "other", "private_key_id": "k1", "client_id": "1"}
    more = {"private_key": pem.decode(), "client_email": ROBOT, "token_uri": token_uri}
    path.write_text(json.dumps({**told, **more}), encoding="utf-8")
    return path


@pytest.fixture
def chain(key: rsa.RSAPrivateKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Has the default chain find a key whose tokens are given at an address."""

    def lead(issuer: str) -> None:
        path = key_file(tmp_path, key, f"{issuer}/token")
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))

    return lead


@pytest.fixture
def secure(server: GcpSecretsServer, authority: trustme.CA, tmp_path: Path) -> Any:
    """Builds adapters that speak TLS."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))

    def build(**more: Any) -> GcpSecretsAdapter:
        given = {"plaintext": False, "ca_file": tmp_path / "ca.pem", **more}
        return adapter_of(server, **given)

    return build


@pytest.fixture
def poisoned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment in which everything points elsewhere."""
    elsewhere = tmp_path / "elsewhere.json"
    elsewhere.write_text("{}", encoding="utf-8")
    for name, value in {
        "GOOGLE_APPLICATION_CREDENTIALS": str(elsewhere),
        "GOOGLE_CLOUD_PROJECT": "elsewhere",
        "GOOGLE_CLOUD_QUOTA_PROJECT": "elsewhere",
        "GOOGLE_CLOUD_UNIVERSE_DOMAIN": "elsewhere.example",
        "GOOGLE_API_USE_MTLS_ENDPOINT": "always",
        "GOOGLE_API_USE_CLIENT_CERTIFICATE": "true",
        "CLOUDSDK_CONFIG": str(tmp_path),
        "GCE_METADATA_HOST": "127.0.0.1:9",
        "HOME": str(tmp_path),
    }.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def bearers(server: GcpSecretsServer) -> set[str]:
    return {each.metadata.get("authorization", "") for each in server.requests}


# -- where the credential comes from


def test_a_key_file_signs_for_itself_and_the_environment_is_not_heard(
    server: GcpSecretsServer, secure: Any, key: rsa.RSAPrivateKey, tmp_path: Path, poisoned: object
) -> None:
    gcp = secure(credential="service-account", credential_file=key_file(tmp_path, key))
    assert items(gcp.list(PLACE, None)) == []
    [bearer] = bearers(server)
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    told = jwt.decode(bearer.removeprefix("Bearer "), certs=public)  # type: ignore[no-untyped-call]
    assert told["iss"] == ROBOT and told["scope"] == "https://www.googleapis.com/auth/cloud-platform"
    assert "x-goog-user-project" not in server.requests[0].metadata
    assert server.requests[0].name == f"projects/{server.project}"


def test_the_default_chain_reads_the_file_that_the_environment_names(
    server: GcpSecretsServer, secure: Any, issuer: Issuer, chain: Callable[[str], None]
) -> None:
    chain(issuer.url)
    gcp = secure()
    assert items(gcp.list(PLACE, None)) == [] and items(gcp.list(PLACE, None)) == []
    assert bearers(server) == {f"Bearer {TOKEN}"}
    [(_, _, body)] = issuer.asked
    assert parse_qs(body.decode())["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]


def test_the_default_chain_asks_the_metadata_server(
    server: GcpSecretsServer,
    secure: Any,
    issuer: Issuer,
    poisoned: pytest.MonkeyPatch,
) -> None:
    poisoned.delenv("GOOGLE_APPLICATION_CREDENTIALS")
    poisoned.delenv("GOOGLE_CLOUD_QUOTA_PROJECT")
    poisoned.delenv("GOOGLE_CLOUD_UNIVERSE_DOMAIN")
    host = issuer.url.removeprefix("http://")
    poisoned.setenv("GCE_METADATA_IP", host)
    # Read once, when Google's module was imported.
    poisoned.setattr("google.auth.compute_engine._metadata._GCE_METADATA_HOST", host)
    gcp = secure()
    assert items(gcp.list(PLACE, None)) == []
    assert bearers(server) == {f"Bearer {TOKEN}"}
    assert all(headers["metadata-flavor"] == "Google" for _, headers, _ in issuer.asked)
    assert any(
        path.startswith("/computeMetadata/v1/instance/service-accounts") for path, _, _ in issuer.asked
    )


def test_the_default_chain_trades_a_workloads_token(
    server: GcpSecretsServer, secure: Any, issuer: Issuer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "subject").write_text("the-workloads-own", encoding="utf-8")
    pool = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q"
    told = {
        "type": "external_account",
        "audience": pool,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"{issuer.url}/v1/token",
        "credential_source": {"file": str(tmp_path / "subject")},
    }
    path = tmp_path / "adc.json"
    path.write_text(json.dumps(told), encoding="utf-8")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    assert items(secure().list(PLACE, None)) == []
    assert bearers(server) == {f"Bearer {TOKEN}"}
    [(asked, _, body)] = issuer.asked
    assert asked == "/v1/token" and parse_qs(body.decode())["subject_token"] == ["the-workloads-own"]


def test_another_service_account_is_acted_as(
    server: GcpSecretsServer, secure: Any, key: rsa.RSAPrivateKey, issuer: Issuer, tmp_path: Path
) -> None:
    source = key_file(tmp_path, key, f"{issuer.url}/token")
    gcp = secure(
        credential="service-account", credential_file=source, impersonate=ROBOT, iam_endpoint=issuer.url
    )
    assert items(gcp.list(PLACE, None)) == []
    assert bearers(server) == {f"Bearer {TOKEN}"}
    asked = [path for path, _, _ in issuer.asked]
    assert asked[-1] == f"/v1/projects/-/serviceAccounts/{ROBOT}:generateAccessToken"


def test_a_token_that_is_no_longer_taken_is_fetched_anew_at_the_next_call(
    server: GcpSecretsServer, secure: Any, issuer: Issuer, chain: Callable[[str], None]
) -> None:
    issuer.tokens = ["old", "new"]
    chain(issuer.url)
    gcp = secure()
    items(gcp.list(PLACE, None))
    server.tokens = {"new"}
    with pytest.raises(Denied, match="log in again"):
        items(gcp.list(PLACE, None))
    assert len(issuer.asked) == 1
    assert items(gcp.list(PLACE, None)) == []
    assert len(issuer.asked) == 2


def test_local_servers_get_no_credential_and_none_is_looked_for(poisoned: object) -> None:
    with GcpSecretsServer() as server:
        assert items(adapter_of(server).list(PLACE, None)) == []
        assert bearers(server) == {""}


# -- where there is none


@pytest.mark.parametrize(
    "text", ["", "{}", "no json", '{"type": "service_account", "private_key": "x"}', None]
)
def test_a_key_file_that_is_none_was_sent_nothing_and_is_not_quoted(
    server: GcpSecretsServer, secure: Any, tmp_path: Path, text: str | None
) -> None:
    path = tmp_path / "key.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    gcp = secure(credential="service-account", credential_file=path)
    for attempt in (lambda: items(gcp.list(PLACE, None)), lambda: gcp.write([Put(MODE, b"1", None)])):
        with pytest.raises(Denied, match="no usable credential"):
            attempt()
    assert server.count() == 0


def test_an_empty_chain_is_denied_and_was_sent_nothing(
    server: GcpSecretsServer, secure: Any, poisoned: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Denied, match="no usable credential"):
        secure().write([Put(MODE, b"1", None)])
    assert server.count() == 0


def test_an_issuer_that_refuses_is_a_denial_and_nothing_was_sent(
    server: GcpSecretsServer, secure: Any, issuer: Issuer, chain: Callable[[str], None]
) -> None:
    issuer.status = 400
    chain(issuer.url)
    with pytest.raises(Denied):
        secure().write([Put(MODE, b"1", None)])
    assert server.count() == 0


def test_an_issuer_that_is_away_was_sent_nothing_and_may_be_tried_again(
    server: GcpSecretsServer, secure: Any, chain: Callable[[str], None]
) -> None:
    chain(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(Unavailable, match="no token could be fetched"):
        secure().write([Put(MODE, b"1", None)])
    assert server.count() == 0


def test_an_issuer_that_hangs_is_given_up_in_time_and_nothing_was_sent(
    server: GcpSecretsServer, secure: Any, chain: Callable[[str], None]
) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        chain(f"http://127.0.0.1:{listener.getsockname()[1]}")
        with pytest.raises(Unavailable, match="no token could be fetched"):
            secure(read_timeout=0.3).write([Put(MODE, b"1", None)])
    assert server.count() == 0


def test_threads_that_waited_for_an_issuer_that_hangs_do_not_each_wait_for_their_own(
    server: GcpSecretsServer, secure: Any, chain: Callable[[str], None]
) -> None:
    with HttpServer(lambda _: Reply(500)) as slow:
        slow.hang_next(times=99)
        chain(slow.url)
        gcp = secure(read_timeout=0.5)
        start = threading.Barrier(6)
        failed: list[Unavailable] = []

        def work() -> None:
            start.wait()
            with pytest.raises(Unavailable) as caught:
                gcp.write([Put(MODE, b"1", None)])
            failed.append(caught.value)

        threads = [threading.Thread(target=work) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(failed), server.count()) == (6, 0)
        together = len(slow.requests)
        with pytest.raises(Unavailable):
            gcp.write([Put(MODE, b"1", None)])
        assert len(slow.requests) == 2 * together


def test_passwords_of_the_home_directory_are_not_sent_to_who_issues_tokens(
    secure: Any, issuer: Issuer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chain: Callable[[str], None]
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password word\n", encoding="utf-8")
    chain(issuer.url)
    monkeypatch.setenv("HOME", str(tmp_path))
    items(secure().list(PLACE, None))
    assert ["authorization" in headers for _, headers, _ in issuer.asked] == [False]


# -- TLS


def test_a_server_that_the_authorities_do_not_know_is_not_spoken_to(
    server: GcpSecretsServer, key: rsa.RSAPrivateKey, tmp_path: Path
) -> None:
    source = key_file(tmp_path, key)
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
    for ca_file in (None, tmp_path / "other.pem"):
        given = {"plaintext": False, "credential": "service-account", "credential_file": source}
        gcp = adapter_of(server, ca_file=ca_file, connect_timeout=1.0, read_timeout=2.0, **given)
        with pytest.raises(Unavailable):
            gcp.write([Put("acme-prod-new", b"1", None)])
        gcp.close()
    assert server.count() == 0


def test_a_file_of_authorities_that_is_not_there_is_named(server: GcpSecretsServer, tmp_path: Path) -> None:
    gcp = adapter_of(server, plaintext=False, ca_file=tmp_path / "none.pem")
    with pytest.raises(Denied, match=r"ca_file .*none\.pem holds no certificate"):
        gcp.list(PLACE, None)


# -- logs and errors


def everything_that_carries_a_value(server: GcpSecretsServer, gcp: GcpSecretsAdapter) -> list[BaseException]:
    """Every call with the canary in its request or answer; the errors that came of it."""
    value = CANARY.encode()
    errors: list[BaseException] = []

    def attempt(put: Put) -> None:
        try:
            assert CANARY not in repr([outcome.reason for outcome in gcp.write([put])])
        except AdapterError as error:
            errors.append(error)

    attempt(Put(MODE, value, None, secret=True))
    attempt(Put(MODE, value, None, secret=True))
    attempt(Put(MODE, value + b"2", at(gcp), secret=True))
    attempt(Put("acme-prod-wide", value * 5000, None, secret=True))
    for code in grpc.StatusCode:
        if code is not grpc.StatusCode.OK:
            text = "denied" if code is grpc.StatusCode.PERMISSION_DENIED else f"refused: {CANARY}"
            server.fail_next("AddSecretVersion", code, text)
            attempt(Put(MODE, value, at(gcp), secret=True))
    server.lose_ack_next("AddSecretVersion")
    attempt(Put(MODE, value, at(gcp), secret=True))
    assert value in (one(gcp).value or b"")
    assert len(items(gcp.history(MODE, None))) == 3
    server.damage_value_next()
    assert CANARY not in repr(one(gcp))
    items(gcp.list(PLACE, None))
    return errors


def test_no_secret_and_no_token_is_in_any_log_or_error_even_at_debug(
    server: GcpSecretsServer,
    secure: Any,
    issuer: Issuer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    chain: Callable[[str], None],
) -> None:
    chain(issuer.url)
    monkeypatch.setenv("GOOGLE_SDK_PYTHON_LOGGING_SCOPE", "google")
    caplog.set_level(logging.DEBUG)
    for name in ("google", "google.auth", "google.cloud.secretmanager_v1", "grpc", "urllib3", "requests"):
        caplog.set_level(logging.DEBUG, logger=name)
    with secure_logging():
        errors = everything_that_carries_a_value(server, secure())
    assert len(errors) > 5
    shown = [record.getMessage() + repr(vars(record)) for record in caplog.records]
    shown += ["".join(traceback.format_exception(error)) for error in errors]
    assert bearers(server) == {f"Bearer {TOKEN}"}
    for hidden in (CANARY, TOKEN, "BEGIN PRIVATE KEY", "assertion"):
        assert [text for text in shown if hidden in text] == []


def secure_logging() -> Any:
    """Sends the records of loggers that do not propagate to the root as well."""
    return _Propagating()


class _Propagating:
    def __enter__(self) -> None:
        self._were = {name: logging.getLogger(name).propagate for name in ("google", "google.auth")}
        for name in self._were:
            logging.getLogger(name).propagate = True

    def __exit__(self, *_: object) -> None:
        for name, was in self._were.items():
            logging.getLogger(name).propagate = was


def test_no_repr_shows_a_credential(tmp_path: Path) -> None:
    options = GcpSecretsOptions("acme-1", credential="service-account", credential_file=tmp_path / "k")
    assert CANARY not in repr(options) + repr(GcpSecretsAdapter(options)) + repr(Credential())


def test_nobody_is_warned_of_anything_when_the_adapter_is_imported() -> None:
    told = subprocess.run(
        [sys.executable, "-W", "always", "-c", "import ecs_sync_adapters.gcp_secrets"],
        capture_output=True,
        check=True,
    )
    assert told.stderr == b""


# -- proxies


@pytest.fixture
def proxy() -> Iterator[ForwardProxy]:
    with ForwardProxy() as running:
        yield running


def test_a_proxy_is_used_where_the_connection_names_one(
    server: GcpSecretsServer,
    secure: Any,
    key: rsa.RSAPrivateKey,
    tmp_path: Path,
    proxy: ForwardProxy,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("no_proxy", "no_grpc_proxy"):
        monkeypatch.setenv(name, "")
    proxy.login = "me:canary@/:%word"
    given = {"credential": "service-account", "credential_file": key_file(tmp_path, key), "proxy": proxy.url}
    assert items(secure(**given, proxy_login=proxy.login).list(PLACE, None)) == []
    assert proxy.log == [f"CONNECT {server.address}"]
    stranger = secure(**given, read_timeout=2.0)
    with pytest.raises(Unavailable, match="proxy"):
        stranger.write([Put(MODE, b"1", None)])
    assert server.count() == server.count("ListSecrets") == 1
    assert "canary" not in repr(GcpSecretsOptions("acme-1", proxy=proxy.url, proxy_login=proxy.login))


def test_no_proxy_of_the_environment_is_used(
    server: GcpSecretsServer,
    secure: Any,
    issuer: Issuer,
    chain: Callable[[str], None],
    proxy: ForwardProxy,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("grpc_proxy", "https_proxy", "http_proxy", "HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.url)
    for name in ("no_proxy", "NO_PROXY", "no_grpc_proxy"):
        monkeypatch.setenv(name, "")
    chain(issuer.url)
    assert items(secure().list(PLACE, None)) == []
    assert len(issuer.asked) == 1 and bearers(server) == {f"Bearer {TOKEN}"}
    assert proxy.log == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"proxy": "proxy:3128"}, "proxy is not written like"),
        ({"proxy": "http://me:canary@proxy:3128"}, "proxy holds a user name"),
        ({"proxy_login": "me:canary"}, "proxy_login goes with proxy"),
        ({"proxy": "http://proxy:1", "proxy_login": "canary"}, "proxy_login is not user:password"),
        ({"proxy": "http://proxy:1", "plaintext": True, "endpoint": "x:1"}, "plaintext sends no proxy"),
        ({"read_timeout": 1e300}, "read_timeout must be"),
        ({"connect_timeout": 0}, "connect_timeout must be"),
        ({"concurrency": 10**9}, "concurrency must be"),
    ],
)
def test_a_way_that_cannot_be_is_refused_by_name(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        GcpSecretsOptions("acme-1", **given)
    assert "canary" not in str(caught.value)


def test_a_file_without_authorities_is_named_and_not_waited_for(
    server: GcpSecretsServer, tmp_path: Path
) -> None:
    (tmp_path / "empty.pem").write_text("nothing")
    gcp = adapter_of(server, plaintext=False, ca_file=tmp_path / "empty.pem")
    with pytest.raises(Denied, match=r"ca_file .*empty\.pem holds no certificate"):
        gcp.list(PLACE, None)
