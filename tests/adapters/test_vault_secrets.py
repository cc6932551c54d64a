"""Secrets stay out of logs and errors, and nothing is taken from the environment unasked."""

from __future__ import annotations

import itertools
import logging
import ssl
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from ecs_sync.adapter import Delete, Put, Verdict
from ecs_sync.errors import AdapterError, ConfigError, Unavailable
from ecs_sync_adapters.vault_kv1 import VaultKv1Adapter
from ecs_sync_adapters.vault_kv2 import VaultKv2Adapter
from ecs_sync_adapters.vault_options import VaultOptions, VaultPlace
from ecs_sync_sandbox.http_server import HttpServer, Reply
from ecs_sync_sandbox.openbao import ROOT_TOKEN, OpenBaoServer, front
from tests.adapters.vault_sandbox import items, options_of, server, value

CANARY = "canary-77c0ffee"
ALL = VaultPlace("/")
Adapter = VaultKv1Adapter | VaultKv2Adapter

_turn = itertools.count()


@pytest.fixture(scope="module")
def bao() -> Iterator[OpenBaoServer]:
    with server() as running:
        yield running


@pytest.fixture(params=[1, 2], ids=["kv1", "kv2"])
def kind(request: pytest.FixtureRequest) -> type[Adapter]:
    return VaultKv2Adapter if request.param == 2 else VaultKv1Adapter


@pytest.fixture
def mount(bao: OpenBaoServer, kind: type[Adapter]) -> str:
    name = f"quiet{next(_turn)}"
    bao.mount(name, version=2 if kind is VaultKv2Adapter else 1)
    return name


def everything_that_carries_a_value(
    door: HttpServer, vault: Adapter
) -> tuple[list[BaseException], list[str]]:
    """Every call with the canary in its request or answer; the errors and texts that came of it."""
    errors: list[BaseException] = []
    shown: list[str] = []
    secret = value(password=CANARY)

    def attempt(write: Put | Delete) -> None:
        try:
            shown.extend(repr(outcome) for outcome in vault.write([write]))
        except AdapterError as error:
            errors.append(error)

    def is_write(request: Any) -> bool:
        return request.method in ("POST", "PUT") and "/auth/" not in request.target

    attempt(Put("db", secret, None, secret=True))
    attempt(Put("db", secret, None, secret=True))
    attempt(Put("db", value(password=CANARY + "2"), "91700000000000000", secret=True))
    attempt(Put("db", CANARY.encode(), None))
    attempt(Put("db", b'{"n":' + secret, None))
    attempt(Put("db", value(n=[{CANARY: 2**60 + 1}]), None))
    for status in (400, 403, 413, 429, 500, 503, 307, 200):
        body = f'{{"errors":["{CANARY}"],"data":{{"keys":"{CANARY}"}}}}'
        door.fail_next(status, {"Location": f"http://{CANARY}@elsewhere/"}, body, when=is_write)
        attempt(Put("other", secret, None, secret=True))
    door.drop_next(when=is_write)
    attempt(Put("lost", secret, None, secret=True))
    for listing in (vault.list(ALL, None), vault.get(["db", "lost"])):
        shown.append(repr(items(listing)))
    door.fail_next(500, body=CANARY, when=lambda request: request.method == "GET")
    try:
        items(vault.get(["db"]))
    except AdapterError as error:
        errors.append(error)
    return errors, shown


def test_no_secret_is_in_any_log_or_error_even_at_debug(
    bao: OpenBaoServer, kind: type[Adapter], mount: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("hvac", "requests", "urllib3"):
        caplog.set_level(logging.DEBUG, logger=name)
    with front(bao.url) as door:
        vault = kind(options_of(door.url, mount=mount))
        errors, shown = everything_that_carries_a_value(door, vault)
    logged = "\n".join(str(vars(record)) for record in caplog.records)
    assert len(errors) >= 5
    assert "/v1/" in logged, "the transport logs at DEBUG, and so this test sees what it would say"
    for text in (logged, *shown, repr(vault), repr(vars(vault))):
        assert CANARY not in text and ROOT_TOKEN not in text
    for error in errors:
        whole = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
        ours = whole[whole.index("ecs_sync_adapters") :]
        assert CANARY not in ours and ROOT_TOKEN not in ours
        assert error.__context__ is None and error.__cause__ is None


def test_options_show_neither_token_nor_secret_id() -> None:
    url = "http://127.0.0.1:1"
    assert CANARY not in repr(VaultOptions(url, token=CANARY))
    assert CANARY not in repr(VaultOptions(url, auth="approle", role_id="ecs-sync", secret_id=CANARY))
    with pytest.raises(ValueError, match=r"^url is not") as caught:
        VaultOptions("nowhere", auth="approle", token=f"{CANARY} x", role_id=f"{CANARY} y")
    assert CANARY not in str(caught.value)


# -- the environment


@pytest.fixture
def poisoned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HttpServer]:
    """An environment in which everything points elsewhere, where somebody listens."""
    with HttpServer(lambda _: Reply(200, b'{"data":{"keys":[]}}')) as elsewhere:
        (tmp_path / ".vault-token").write_text("s.of-the-home")
        host = elsewhere.url.removeprefix("http://").partition(":")[0]
        (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password word\n")
        poison = {
            "HOME": str(tmp_path),
            "NETRC": str(tmp_path / ".netrc"),
            "VAULT_ADDR": elsewhere.url,
            "VAULT_TOKEN": "s.of-the-environment",
            "VAULT_NAMESPACE": "elsewhere",
            "VAULT_CACERT": str(tmp_path / "no-such.pem"),
            "VAULT_CLIENT_CERT": str(tmp_path / "no-such.pem"),
            "VAULT_SKIP_VERIFY": "true",
            "REQUESTS_CA_BUNDLE": str(tmp_path / "no-such.pem"),
            "CURL_CA_BUNDLE": str(tmp_path / "no-such.pem"),
            **dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"), elsewhere.url),
            "NO_PROXY": "",
            "no_proxy": "",
        }
        assert host == "127.0.0.1"
        for name, text in poison.items():
            monkeypatch.setenv(name, text)
        yield elsewhere


def test_nothing_of_the_environment_or_the_home_directory_is_used(
    bao: OpenBaoServer, kind: type[Adapter], mount: str, poisoned: HttpServer
) -> None:
    with front(bao.url) as door:
        vault = kind(options_of(door.url, mount=mount))
        [outcome] = vault.write([Put("db", value(n=1), None)])
        assert outcome.verdict is Verdict.APPLIED, outcome.reason
        assert len(items(vault.list(ALL, None))) == 1
        for request in door.requests:
            assert request.headers["x-vault-token"] == ROOT_TOKEN
            assert not {"x-vault-namespace", "authorization"} & request.headers.keys()
    assert poisoned.requests == []


def test_a_connection_without_a_token_is_refused_and_takes_none_from_elsewhere(poisoned: HttpServer) -> None:
    with pytest.raises(ValueError, match="'token' needs token"):
        VaultOptions(poisoned.url)
    assert poisoned.requests == []


# -- TLS


def test_a_server_is_believed_only_by_its_own_authority(tmp_path: Path) -> None:
    with server(tls=True) as bao:
        vault = VaultKv2Adapter(options_of(bao.url, ca_file=bao.ca_file))
        [outcome] = vault.write([Put("db", value(n=1), None)])
        assert outcome.verdict is Verdict.APPLIED
        stranger = tmp_path / "stranger.pem"
        trustme.CA().cert_pem.write_to_path(str(stranger))
        for ca_file in (None, stranger):
            other = VaultKv2Adapter(options_of(bao.url, ca_file=ca_file))
            with pytest.raises(Unavailable, match="certificate is not trusted"):
                other.write([Put("db", value(n=2), None)])
            with pytest.raises(Unavailable, match="certificate is not trusted"):
                items(other.list(ALL, None))
        assert items(vault.get(["db"]))[0].value == value(n=1)


def test_a_certificate_for_another_name_is_not_believed(tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("vault.example").configure_cert(context)
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    with HttpServer(lambda _: Reply(200, b'{"data":{}}'), tls=context) as other:
        vault = VaultKv2Adapter(options_of(other.url, ca_file=path))
        with pytest.raises(Unavailable, match="certificate is not trusted"):
            items(vault.list(ALL, None))
        assert other.requests == []


def test_an_authority_that_cannot_be_read_is_a_mistake_of_the_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="ca_file"):
        VaultKv2Adapter(options_of("https://127.0.0.1:1", ca_file=tmp_path / "missing.pem"))
    (tmp_path / "empty.pem").write_text("nothing")
    with pytest.raises(ConfigError, match="ca_file"):
        VaultKv2Adapter(options_of("https://127.0.0.1:1", ca_file=tmp_path / "empty.pem"))
