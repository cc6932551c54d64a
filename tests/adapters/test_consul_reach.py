"""The way to Consul: client certificates, a proxy, and what it means where either does not let one pass."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from ecs_sync.adapter import Put, Verdict
from ecs_sync.errors import ConfigError, Denied, Unacknowledged, Unavailable
from ecs_sync_adapters.consul import ConsulAdapter
from ecs_sync_adapters.consul_options import ConsulOptions, ConsulPlace
from ecs_sync_sandbox.consul import ConsulServer
from tests.adapters.forward_proxy import ForwardProxy
from tests.adapters.papers import Papers, papers

PLACE = ConsulPlace.parse("acme/")
CREATION = [Put("acme/timeout", b"30s", None)]


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return papers(tmp_path_factory.mktemp("ours"), "ours")


@pytest.fixture
def ca_file(tmp_path: Path) -> Path:
    return tmp_path / "agent-ca.pem"


@pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["tls1.2", "tls1.3"])
def version(request: pytest.FixtureRequest) -> ssl.TLSVersion:
    chosen: ssl.TLSVersion = request.param
    return chosen


@pytest.fixture
def agent(ours: Papers, ca_file: Path, version: ssl.TLSVersion) -> Iterator[ConsulServer]:
    """An agent with ``verify_incoming_https``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority = trustme.CA()
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(ca_file))
    context.load_verify_locations(cafile=ours.authority)
    context.minimum_version = context.maximum_version = version
    context.verify_mode = ssl.CERT_REQUIRED
    with ConsulServer(tls=context) as running:
        yield running


@pytest.fixture
def proxy() -> Iterator[ForwardProxy]:
    with ForwardProxy() as running:
        yield running


def adapter(agent: ConsulServer, **more: Any) -> ConsulAdapter:
    return ConsulAdapter(ConsulOptions(agent.url, **more))


def test_an_agent_that_asks_for_a_certificate_is_shown_it(
    agent: ConsulServer, ca_file: Path, ours: Papers
) -> None:
    consul = adapter(agent, ca_file=ca_file, client_cert=ours.cert, client_key=ours.key)
    [outcome] = consul.write(CREATION)
    assert outcome.verdict is Verdict.APPLIED
    assert [item.value for page in consul.list(PLACE, None).pages for item in page.items] == [b"30s"]


def test_without_a_certificate_that_it_accepts_the_agent_is_closed_and_knows_nothing(
    agent: ConsulServer, ca_file: Path, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    # In TLS 1.3 the connection may break before the agent's word is read: then nobody can tell.
    known = (Denied,) if version is ssl.TLSVersion.TLSv1_2 else (Denied, Unavailable, Unacknowledged)
    for shown in ({}, {"client_cert": papers(tmp_path, "stranger").both}):
        consul = adapter(agent, ca_file=ca_file, **shown)
        with pytest.raises(known, match="check client_cert"):
            list(consul.list(PLACE, None).pages)
        with pytest.raises(known, match="check client_cert"):
            consul.write(CREATION)
    assert agent.requests == []


def test_an_agent_that_is_not_trusted_is_sent_nothing(agent: ConsulServer, ours: Papers) -> None:
    for ca_file in (None, ours.authority):
        consul = adapter(agent, ca_file=ca_file, client_cert=ours.both, token="canary-token")
        with pytest.raises(Unavailable, match="certificate is not trusted: check ca_file"):
            consul.write(CREATION)
    assert agent.requests == []


def test_files_that_cannot_be_used_are_a_mistake_of_the_configuration(ours: Papers, tmp_path: Path) -> None:
    missing = tmp_path / "missing.pem"
    options = ConsulOptions("https://127.0.0.1:1", ca_file=missing, client_cert=missing, client_key=missing)
    with pytest.raises(ConfigError) as caught:
        ConsulAdapter(options)
    told = str(caught.value)
    assert all(name in told for name in ("ca_file", "client_cert", "client_key"))


def test_an_authority_that_goes_while_the_connection_is_used_means_that_nothing_was_sent(
    agent: ConsulServer, ca_file: Path, ours: Papers
) -> None:
    consul = adapter(agent, ca_file=ca_file, client_cert=ours.both)
    ca_file.unlink()
    with pytest.raises(Unavailable, match="cannot be read any more"):
        list(consul.list(PLACE, None).pages)
    with pytest.raises(Unavailable, match="cannot be read any more"):
        consul.write(CREATION)


def test_all_calls_go_through_the_proxy_which_sees_no_token_of_https(
    agent: ConsulServer, ca_file: Path, ours: Papers, proxy: ForwardProxy
) -> None:
    more = {"ca_file": ca_file, "client_cert": ours.both, "proxy": proxy.url, "token": "canary-token"}
    [outcome] = adapter(agent, **more).write(CREATION)
    assert outcome.verdict is Verdict.APPLIED
    assert set(proxy.log) == {f"CONNECT {agent.url.removeprefix('https://')}"}
    assert "canary" not in str(proxy.headers)


def test_a_proxy_that_lets_nobody_pass_means_that_nothing_was_sent(
    agent: ConsulServer, ca_file: Path, ours: Papers, proxy: ForwardProxy
) -> None:
    consul = adapter(agent, ca_file=ca_file, client_cert=ours.both, proxy=proxy.url)
    for status in (403, 502):
        proxy.refuses = status
        with pytest.raises(Unavailable, match="check proxy and url"):
            consul.write(CREATION)
    proxy.refuses = 407
    for each in (consul, ConsulAdapter(ConsulOptions("http://127.0.0.1:1", proxy=proxy.url))):
        with pytest.raises(Denied, match="check proxy_login"):
            each.write(CREATION)
    assert agent.requests == []


def test_a_proxy_is_logged_in_to(
    agent: ConsulServer, ca_file: Path, ours: Papers, proxy: ForwardProxy
) -> None:
    proxy.login = "me:canary"
    more = {"ca_file": ca_file, "client_cert": ours.both, "proxy": proxy.url}
    [outcome] = adapter(agent, **more, proxy_login="me:canary").write(CREATION)
    assert outcome.verdict is Verdict.APPLIED
    assert "canary" not in repr(ConsulOptions(proxy=proxy.url, proxy_login="me:canary"))


def test_an_agent_without_tls_that_is_taken_for_one_with_it_is_sent_nothing() -> None:
    with ConsulServer() as plain:
        consul = ConsulAdapter(ConsulOptions(plain.url.replace("http:", "https:"), token="canary-token"))
        # Not every OpenSSL tells what it was that answered.
        with pytest.raises((Unavailable, Unacknowledged), match=r"TLS there|SSLError"):
            consul.write(CREATION)
    assert "canary" not in str(plain.requests) and plain.kv.keys() == []
