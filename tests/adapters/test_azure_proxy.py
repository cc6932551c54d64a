"""Azure behind a proxy: everything goes through the one that is configured, and nothing past it."""

from __future__ import annotations

import base64
import contextlib
import json
import logging
import socket
import ssl
import time
import traceback
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trustme
import urllib3.util.connection

from ecs_sync.adapter import Put, Verdict
from ecs_sync.errors import AdapterError, Denied, Throttled, Unacknowledged, Unavailable
from ecs_sync_adapters.azure_appconfig import AppConfigAdapter, AppConfigOptions
from ecs_sync_adapters.azure_identity import Credential, Identity, TokenFailure, Trouble
from ecs_sync_adapters.azure_keyvault import KeyVaultAdapter
from ecs_sync_adapters.azure_route import Proxy, Route
from ecs_sync_sandbox.azure_appconfig import AzureAppConfigServer, Store
from ecs_sync_sandbox.azure_keyvault import KeyVaultServer, told
from ecs_sync_sandbox.http_server import HttpServer, Reply, Request
from ecs_sync_sandbox.real_server import free_port
from tests.adapters.appconfig_sandbox import adapter_of as store_adapter
from tests.adapters.connect_proxy import ConnectProxy
from tests.adapters.keyvault_sandbox import adapter_of, listed, one, values

PASSWORD = "canary-51c7:pass/word@%"
LOGIN = f"acme\\robot:{PASSWORD}"
SHOWN_LOGIN = base64.b64encode(LOGIN.encode()).decode()
CREATION = Put("acme-new", b"ours", None)


@pytest.fixture
def proxy() -> Iterator[ConnectProxy]:
    with ConnectProxy(LOGIN) as proxy:
        yield proxy


@pytest.fixture
def vault() -> Iterator[KeyVaultServer]:
    with KeyVaultServer() as server:
        yield server


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """The addresses that clients connect to."""
    seen: list[tuple[str, int]] = []
    connect = urllib3.util.connection.create_connection

    def watched(address: tuple[str, int], *given: Any, **told: Any) -> socket.socket:
        seen.append(address)
        return connect(address, *given, **told)

    monkeypatch.setattr(urllib3.util.connection, "create_connection", watched)
    return seen


def behind(proxy: ConnectProxy, login: str | None = LOGIN) -> dict[str, Any]:
    return {"proxy": proxy.url, "proxy_login": login}


@contextlib.contextmanager
def store_over_tls() -> Iterator[tuple[AzureAppConfigServer, str, Path]]:
    """A store, its https address and who vouches for it."""
    ca = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(tls)
    with (
        AzureAppConfigServer() as server,
        HttpServer(Store(server.settings).respond, tls=tls) as secure,
        ca.cert_pem.tempfile() as ca_file,
    ):
        yield server, secure.url, Path(ca_file)


# -- everything goes through it


def test_a_vault_and_its_tokens_are_reached_through_the_proxy_only(
    vault: KeyVaultServer, proxy: ConnectProxy, connected: list[tuple[str, int]]
) -> None:
    adapter = adapter_of(vault, **behind(proxy))
    assert adapter.write([CREATION])[0].verdict is Verdict.APPLIED
    assert one(adapter, "acme-new").value == b"ours"
    adapter.close()
    assert set(connected) == {("127.0.0.1", proxy.port)}
    assert proxy.targets == {vault.url.removeprefix("https://")}
    assert len(proxy.asked) >= 2, "one tunnel for tokens, one for secrets"


def test_keys_are_wrapped_through_the_proxy_only(
    vault: KeyVaultServer, proxy: ConnectProxy, connected: list[tuple[str, int]]
) -> None:
    vault.keys.create("wrapping")
    adapter = adapter_of(vault, **behind(proxy))
    assert adapter.unwrap("wrapping", adapter.wrap("wrapping", b"k" * 32)) == b"k" * 32
    assert set(connected) == {("127.0.0.1", proxy.port)}


def test_a_store_is_reached_through_the_proxy_only(
    proxy: ConnectProxy, connected: list[tuple[str, int]]
) -> None:
    with store_over_tls() as (server, url, ca_file):
        adapter = store_adapter(server, url, ca_file=ca_file, **behind(proxy))
        assert adapter.write([Put("|app/a", b"1", None)])[0].verdict is Verdict.APPLIED
        adapter.close()
        assert proxy.targets == {url.removeprefix("https://")}
    assert set(connected) == {("127.0.0.1", proxy.port)}


def test_a_proxy_may_be_spoken_to_over_tls(vault: KeyVaultServer, tmp_path: Path) -> None:
    ca = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(tls)
    bundle = tmp_path / "both.pem"
    vouching = Path(vault.connection()["ca_file"])
    bundle.write_bytes(ca.cert_pem.bytes() + vouching.read_bytes())
    with ConnectProxy(LOGIN, tls) as proxy:
        adapter = adapter_of(vault, ca_file=bundle, **behind(proxy))
        assert adapter.write([CREATION])[0].verdict is Verdict.APPLIED
        adapter.close()
        assert proxy.asked
        stranger = adapter_of(vault, ca_file=vouching, **behind(proxy))
        with pytest.raises(Unavailable, match=f"through the proxy {proxy.url} is not trusted"):
            stranger.write([CREATION])


def test_no_exception_of_the_environment_leads_past_the_proxy(
    vault: KeyVaultServer,
    proxy: ConnectProxy,
    connected: list[tuple[str, int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "*")
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    assert adapter_of(vault, **behind(proxy)).write([CREATION])[0].verdict is Verdict.APPLIED
    assert set(connected) == {("127.0.0.1", proxy.port)}


def test_a_proxy_without_a_login_is_given_none(vault: KeyVaultServer) -> None:
    with ConnectProxy() as proxy:
        adapter = adapter_of(vault, **behind(proxy, None))
        assert adapter.write([CREATION])[0].verdict is Verdict.APPLIED
        adapter.close()


@pytest.mark.parametrize("name", ["client-secret", "workload-identity", "default"])
def test_every_token_of_entra_is_asked_for_through_the_proxy_only(
    name: Any,
    proxy: ConnectProxy,
    connected: list[tuple[str, int]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path / "token"
    file.write_text("assertion", encoding="utf-8")
    body = b'{"token_type": "Bearer", "expires_in": 3600, "access_token": "t"}'
    asked = Identity(name, "acme", "app", str(file) if name == "workload-identity" else None)
    if name == "client-secret":
        asked = replace(asked, client_secret="secret")
    if name == "default":
        asked = Identity(name)
        for variable in ("TENANT_ID", "CLIENT_ID", "CLIENT_SECRET"):
            monkeypatch.setenv(f"AZURE_{variable}", "acme")
    ca = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(tls)

    def entra(request: Request) -> Reply:
        told = {f"{each}_endpoint": f"{http.url}/acme/{each}" for each in ("token", "authorization")}
        is_token = request.method == "POST"
        content = body if is_token else json.dumps({**told, "issuer": f"{http.url}/acme/v2.0"}).encode()
        return Reply(200, content, (("Content-Type", "application/json"),))

    with HttpServer(entra, tls=tls) as http, ca.cert_pem.tempfile() as ca_file:
        route = Route(2.0, 2.0, ca_file=ca_file, proxy=Proxy(proxy.url, LOGIN))
        credential = Credential(replace(asked, authority=http.url), route)
        assert credential.get_token("https://vault.azure.net/.default").token == "t"
        credential.close()
        assert [request.method for request in http.requests].count("POST") == 1
    assert set(connected) == {("127.0.0.1", proxy.port)}


@pytest.mark.parametrize("name", ["managed-identity", "default"])
def test_the_identity_of_the_machine_is_asked_of_the_machine_and_never_of_the_proxy(
    name: Any, proxy: ConnectProxy, connected: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"):
        monkeypatch.delenv(variable, raising=False)
    expires = int(time.time()) + 3600
    body = f'{{"access_token": "t", "expires_on": "{expires}", "resource": "r", "token_type": "Bearer"}}'
    kind = (("Content-Type", "application/json"),)
    with HttpServer(lambda _: Reply(200, body.encode(), kind)) as machine:
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{machine.url}/msi/token")
        monkeypatch.setenv("IDENTITY_HEADER", "header")
        route = Route(2.0, 2.0, proxy=Proxy(proxy.url, LOGIN))
        credential = Credential(Identity(name), route)
        assert credential.get_token("https://vault.azure.net/.default").token == "t"
        credential.close()
        assert set(connected) == {("127.0.0.1", int(machine.url.rpartition(":")[2]))}
    assert proxy.asked == []


# -- what is wrong with it


def unsent(
    adapter: AppConfigAdapter | KeyVaultAdapter, put: Put, kind: type[AdapterError] = Unavailable
) -> str:
    """What a write says that never left; its login is nowhere in the error."""
    with pytest.raises(kind) as caught:
        adapter.write([put])
    assert not isinstance(caught.value, Throttled)
    told = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert not [text for text in (PASSWORD, SHOWN_LOGIN, "canary-51c7") if text in "".join(told.format())]
    return str(caught.value)


def test_a_proxy_that_is_not_there_is_named_and_nothing_was_sent(vault: KeyVaultServer) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    adapter = adapter_of(vault, proxy=url, proxy_login=LOGIN)
    assert f"the proxy {url} cannot be reached" in unsent(adapter, CREATION)
    assert vault.requests == []
    with store_over_tls() as (server, address, ca_file):
        store = store_adapter(server, address, ca_file=ca_file, proxy=url, proxy_login=LOGIN)
        assert f"the proxy {url} cannot be reached" in unsent(store, Put("|app/a", b"1", None))


@pytest.mark.parametrize(
    ("status", "said", "kind"),
    [
        (407, "set proxy_login", Denied),
        (403, "status 403", Unavailable),
        (502, "status 502", Unavailable),
    ],
)
def test_a_proxy_that_does_not_let_it_through_is_named_and_nothing_was_sent(
    vault: KeyVaultServer, proxy: ConnectProxy, status: int, said: str, kind: type[AdapterError]
) -> None:
    proxy.refusal = status
    assert f"the proxy {proxy.url}" in (said_ := unsent(adapter_of(vault, **behind(proxy)), CREATION, kind))
    assert said in said_ and vault.requests == []
    with store_over_tls() as (server, address, ca_file):
        said_ = unsent(
            store_adapter(server, address, ca_file=ca_file, **behind(proxy)), Put("|app/a", b"1", None), kind
        )
        assert f"the proxy {proxy.url}" in said_ and said in said_


def test_a_proxy_that_is_not_there_is_named_by_the_default_chain_too(
    vault: KeyVaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("TENANT_ID", "CLIENT_ID", "CLIENT_SECRET"):
        monkeypatch.setenv(f"AZURE_{variable}", "acme")
    url = f"http://127.0.0.1:{free_port()}"
    identity = Identity("default", authority=vault.url)
    with pytest.raises(TokenFailure, match=f"the proxy {url} cannot be reached") as caught:
        Credential(identity, Route(2.0, 2.0, proxy=Proxy(url, LOGIN))).get_token("x/.default")
    assert caught.value.trouble is Trouble.UNREACHABLE


def test_a_wrong_login_is_told_as_that(vault: KeyVaultServer, proxy: ConnectProxy) -> None:
    adapter = adapter_of(vault, **behind(proxy, f"acme\\other:{PASSWORD}"))
    before = len(proxy.asked)
    assert "wants another login" in unsent(adapter, CREATION, Denied)
    assert len(proxy.asked) == before + 1, "a wrong password that is said again and again locks an account"


def test_a_proxy_that_is_silent_is_waited_for_as_long_as_configured(
    vault: KeyVaultServer, proxy: ConnectProxy
) -> None:
    proxy.silent = True
    adapter = adapter_of(vault, connect_timeout=0.3, read_timeout=0.3, **behind(proxy))
    assert f"the proxy {proxy.url} does not answer" in unsent(adapter, CREATION)
    with store_over_tls() as (server, address, ca_file):
        store = store_adapter(server, address, ca_file=ca_file, connect_timeout=0.3, **behind(proxy))
        assert "does not answer" in unsent(store, Put("|app/a", b"1", None))


def test_a_vault_that_hangs_behind_a_proxy_may_have_taken_it(
    vault: KeyVaultServer, proxy: ConnectProxy
) -> None:
    adapter = adapter_of(vault, read_timeout=0.3, **behind(proxy))
    listed(adapter)
    vault.faults.hang_next(when=lambda request: request.method == "PUT")
    with pytest.raises(Unacknowledged):
        adapter.write([CREATION])


@pytest.mark.parametrize("fault", ["drop", "cut"])
def test_a_write_whose_answer_is_lost_behind_a_proxy_is_sent_once_and_not_told_as_undone(
    vault: KeyVaultServer, proxy: ConnectProxy, fault: str
) -> None:
    """urllib3 blames the proxy for it, as if nothing had been sent."""
    adapter = adapter_of(vault, **behind(proxy))
    listed(adapter)
    if fault == "drop":
        vault.faults.drop_next(when=told("PUT"))
    else:
        vault.faults.cut_next(0, when=told("PUT"))
    with pytest.raises(Unacknowledged):
        adapter.write([CREATION])
    assert values(vault, "acme-new") == ["ours"]


def test_an_authority_that_nobody_vouches_for_gets_no_secret_through_a_proxy_either(
    vault: KeyVaultServer, proxy: ConnectProxy
) -> None:
    with trustme.CA().cert_pem.tempfile() as other:
        identity = Identity("client-secret", "acme", "app", None, vault.url, "secret")
        credential = Credential(identity, Route(2.0, 2.0, ca_file=other, proxy=Proxy(proxy.url, LOGIN)))
        with pytest.raises(TokenFailure) as caught:
            credential.get_token("https://vault.azure.net/.default")
    assert caught.value.trouble is Trouble.UNREACHABLE
    assert vault.requests == []


# -- what is shown


def test_the_login_is_in_no_log_and_no_repr_at_any_level(
    vault: KeyVaultServer, proxy: ConnectProxy, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("", "azure", "azure.core", "azure.identity", "msal", "urllib3", "requests"):
        caplog.set_level(logging.DEBUG, logger=name)
    adapter = adapter_of(vault, **behind(proxy))
    adapter.write([CREATION])
    adapter.close()
    proxy.refusal = 407
    unsent(adapter_of(vault, **behind(proxy)), CREATION, Denied)
    options = AppConfigOptions("https://acme.azconfig.io", credential="cli", **behind(proxy))
    records = "\n".join(str(vars(record)) for record in caplog.records)
    assert records
    everything = "\n".join([records, repr(options), repr(Proxy(proxy.url, LOGIN)), repr(adapter)])
    assert not [text for text in (PASSWORD, SHOWN_LOGIN, "canary-51c7", "acme\\robot") if text in everything]
