"""The way to Vault: client certificates, a proxy, and what it means where either does not let one pass."""

from __future__ import annotations

import dataclasses
import itertools
import logging
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from ecs_sync.adapter import Put, Verdict
from ecs_sync.errors import AdapterError, ConfigError, Denied, Unacknowledged, Unavailable
from ecs_sync.testing.faultproxy import FaultProxy
from ecs_sync_adapters.vault_kv2 import VaultKv2Adapter
from ecs_sync_adapters.vault_options import VaultOptions, VaultPlace
from ecs_sync_sandbox.http_server import HttpServer, Reply
from ecs_sync_sandbox.openbao import ROOT_TOKEN, OpenBaoServer
from tests.adapters.connect_proxy import ConnectProxy
from tests.adapters.forward_proxy import ForwardProxy
from tests.adapters.papers import Papers, papers
from tests.adapters.vault_sandbox import items, options_of, server, value

ALL = VaultPlace("/")

_turn = itertools.count()


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return papers(tmp_path_factory.mktemp("ours"), "ours")


@pytest.fixture(scope="module")
def bao(ours: Papers) -> Iterator[OpenBaoServer]:
    with server(tls=True, client_ca=ours.authority) as running:
        yield running


@pytest.fixture
def proxy() -> Iterator[ForwardProxy]:
    with ForwardProxy() as running:
        yield running


def mutual(bao: OpenBaoServer, **more: Any) -> VaultKv2Adapter:
    return VaultKv2Adapter(options_of(bao.mutual_url, ca_file=bao.ca_file, **more))


def writes(vault: VaultKv2Adapter) -> None:
    [outcome] = vault.write([Put(f"db{next(_turn)}", value(n=1), None)])
    assert outcome.verdict is Verdict.APPLIED, outcome.reason


# -- client certificates


def test_a_server_that_asks_for_a_certificate_is_shown_it(bao: OpenBaoServer, ours: Papers) -> None:
    writes(mutual(bao, client_cert=ours.cert, client_key=ours.key))
    writes(mutual(bao, client_cert=ours.both))


def test_without_a_certificate_or_with_that_of_a_stranger_the_server_is_closed(
    bao: OpenBaoServer, ours: Papers, tmp_path: Path
) -> None:
    stranger = papers(tmp_path, "stranger")
    for shown in ({}, {"client_cert": stranger.both}):
        vault = mutual(bao, **shown)
        with pytest.raises(AdapterError):
            items(vault.list(ALL, None))
        with pytest.raises(AdapterError):
            vault.write([Put("never", value(n=1), None)])
    assert items(mutual(bao, client_cert=ours.both).get(["never"])) == []


def test_a_certificate_that_is_renewed_in_its_file_is_taken_at_the_next_connection(
    bao: OpenBaoServer, ours: Papers, tmp_path: Path
) -> None:
    cert = tmp_path / "cert.pem"
    papers(tmp_path, "old").both.rename(cert)
    vault = mutual(bao, client_cert=cert)
    with pytest.raises(AdapterError):
        items(vault.list(ALL, None))
    cert.write_bytes(ours.both.read_bytes())
    writes(vault)


def test_files_that_go_while_the_connection_is_used_mean_that_nothing_was_sent(
    bao: OpenBaoServer, ours: Papers, tmp_path: Path
) -> None:
    files = {name: tmp_path / f"{name}.pem" for name in ("ca_file", "client_cert", "client_key")}
    contents = {"ca_file": bao.ca_file, "client_cert": ours.cert, "client_key": ours.key}
    for name, file in files.items():
        for spoiled in (None, b"nothing"):
            for each in files:
                files[each].write_bytes(contents[each].read_bytes())
            vault = VaultKv2Adapter(options_of(bao.mutual_url, **files))
            file.unlink() if spoiled is None else file.write_bytes(spoiled)
            with pytest.raises(Unavailable, match="cannot be read any more"):
                vault.write([Put("never", value(n=1), None)])
            assert name in files


def test_the_certificate_logs_in_by_itself(bao: OpenBaoServer, ours: Papers) -> None:
    bao.policy("by-certificate", {"secret/*": ["create", "read", "update", "list"]})
    bao.certificate("robot", ours.authority, "by-certificate")
    for more in ({}, {"role": "robot"}, {"auth_mount": "cert"}):
        writes(mutual(bao, auth="cert", token=None, client_cert=ours.both, **more))
    with pytest.raises(Denied, match="the login at auth/cert is refused"):
        writes(mutual(bao, auth="cert", token=None, client_cert=ours.both, role="another"))


def test_what_cannot_be_a_certificate_is_a_mistake_of_the_configuration_and_no_question(
    ours: Papers, tmp_path: Path
) -> None:
    key = load_pem_private_key(ours.key.read_bytes(), None)
    locked = tmp_path / "locked.pem"
    secret = BestAvailableEncryption(b"canary-passphrase")
    locked.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, secret))
    missing = tmp_path / "missing.pem"
    stranger = papers(tmp_path, "stranger")
    url = "https://127.0.0.1:1"
    wrong: list[dict[str, Path]] = [
        {"client_cert": ours.cert},
        {"client_cert": missing},
        {"client_cert": ours.cert, "client_key": locked},
        {"client_cert": ours.cert, "client_key": missing},
        {"client_cert": ours.cert, "client_key": stranger.key},
    ]
    for options in wrong:
        with pytest.raises(ConfigError, match="vault-kv2: client_"):
            VaultKv2Adapter(options_of(url, **options))
    with pytest.raises(ValueError, match=r"^client_key goes with client_cert$"):
        options_of(url, client_key=ours.key)
    with pytest.raises(ValueError, match="shown to an https server only"):
        options_of("http://127.0.0.1:1", client_cert=ours.both)
    with pytest.raises(ValueError, match="auth 'cert' needs client_cert"):
        VaultOptions(url, auth="cert")
    with pytest.raises(ValueError, match="auth 'cert' does not use token"):
        options_of(url, auth="cert", client_cert=ours.both)


# -- a proxy


def test_all_calls_go_through_the_proxy_which_sees_no_token_of_https(
    bao: OpenBaoServer, proxy: ForwardProxy, ours: Papers
) -> None:
    writes(mutual(bao, client_cert=ours.both, proxy=proxy.url))
    assert set(proxy.log) == {f"CONNECT {bao.mutual_url.removeprefix('https://')}"}
    assert ROOT_TOKEN not in str(proxy.headers)


def test_a_server_without_tls_is_reached_through_the_proxy_too(proxy: ForwardProxy) -> None:
    with server() as plain:
        proxy.login = "me:canary@/:%word"
        vault = VaultKv2Adapter(options_of(plain.url, proxy=proxy.url, proxy_login=proxy.login))
        writes(vault)
        assert len(items(vault.list(ALL, None))) == 1
        verbs = [line.partition(" ")[0] for line in proxy.log]
        assert verbs[0] == "GET" and {"LIST", "POST"} < set(verbs)
        assert all(line.partition(" ")[2].startswith(f"{plain.url}/v1/") for line in proxy.log)


def test_a_proxy_may_be_spoken_to_over_tls(bao: OpenBaoServer, ours: Papers, tmp_path: Path) -> None:
    ca = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(tls)
    both = tmp_path / "both.pem"
    both.write_bytes(ca.cert_pem.bytes() + Path(bao.ca_file).read_bytes())
    with ConnectProxy("me:canary", tls) as proxy:
        given = {"client_cert": ours.both, "proxy": proxy.url, "proxy_login": "me:canary"}
        writes(VaultKv2Adapter(options_of(bao.mutual_url, ca_file=both, **given)))
        assert proxy.targets == {bao.mutual_url.removeprefix("https://")}
        asked = len(proxy.asked)
        with pytest.raises(Unavailable, match="certificate is not trusted"):
            mutual(bao, **given).write([Put("never", value(n=1), None)])
        assert len(proxy.asked) == asked, "who is not known is given no login"


def test_a_proxy_that_lets_nobody_pass_means_that_nothing_was_sent(
    bao: OpenBaoServer, proxy: ForwardProxy, ours: Papers
) -> None:
    vault = mutual(bao, client_cert=ours.both, proxy=proxy.url)
    for status in (403, 502):
        proxy.refuses = status
        with pytest.raises(Unavailable, match="check proxy and url"):
            vault.write([Put("never", value(n=1), None)])
    gone = mutual(bao, client_cert=ours.both, proxy="http://127.0.0.1:1")
    with pytest.raises(Unavailable, match="check url and proxy"):
        gone.write([Put("never", value(n=1), None)])


def test_a_proxy_that_makes_no_way_in_time_means_that_nothing_was_sent(
    bao: OpenBaoServer, proxy: ForwardProxy, ours: Papers
) -> None:
    proxy.hangs = True
    vault = mutual(bao, client_cert=ours.both, proxy=proxy.url, connect_timeout=0.3, read_timeout=0.3)
    with pytest.raises(Unavailable, match="check proxy and url"):
        vault.write([Put("never", value(n=1), None)])


def test_an_answer_that_is_lost_behind_a_proxy_is_lost_and_not_unsent(
    bao: OpenBaoServer, proxy: ForwardProxy, ours: Papers
) -> None:
    with FaultProxy("127.0.0.1", int(bao.mutual_url.rpartition(":")[2])) as far:
        url = f"https://127.0.0.1:{far.port}"
        more = {"ca_file": bao.ca_file, "client_cert": ours.both, "proxy": proxy.url}
        vault = VaultKv2Adapter(options_of(url, **more))
        writes(vault)
        far.cut_down_after(0)
        with pytest.raises(Unacknowledged):
            vault.write([Put("landed", value(n=1), None)])
    assert len(items(mutual(bao, client_cert=ours.both).get(["landed"]))) == 1


def test_an_answer_that_never_comes_through_a_proxy_without_tls_is_lost_and_not_unsent(
    proxy: ForwardProxy,
) -> None:
    with HttpServer(lambda _: Reply(200, b'{"data":{"ttl":0}}')) as slow:
        slow.hang_next(when=lambda request: request.method in ("POST", "PUT"))
        vault = VaultKv2Adapter(options_of(slow.url, proxy=proxy.url, read_timeout=0.3))
        with pytest.raises(Unacknowledged):
            vault.write([Put("db", value(n=1), None)])


def test_a_proxy_is_logged_in_to_and_its_password_is_nowhere_to_be_read(
    bao: OpenBaoServer, proxy: ForwardProxy, ours: Papers, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="urllib3")
    proxy.login = "me:canary@/:%word"
    given = {"client_cert": ours.both, "proxy": proxy.url}
    writes(mutual(bao, **given, proxy_login=proxy.login))
    strangers = [mutual(bao, **given), mutual(bao, **given, proxy_login="me:canary-other")]
    strangers += [
        VaultKv2Adapter(options_of("http://127.0.0.1:1", proxy=proxy.url, proxy_login="me:canary-2"))
    ]
    for vault in strangers:
        with pytest.raises(Denied, match="check proxy_login") as caught:
            vault.write([Put("never", value(n=1), None)])
        assert "canary" not in str(caught.value)
        assert caught.value.__context__ is None
    assert "canary" not in repr(options_of(bao.mutual_url, **given, proxy_login="me:canary"))
    assert "canary" not in "".join(str(vars(record)) for record in caplog.records)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"proxy_login": "me:canary"}, "goes with proxy"),
        ({"proxy": "http://proxy:1", "proxy_login": "canary"}, "not user:password"),
        ({"proxy": "http://proxy:1", "proxy_login": "me:canary\r\nX: y"}, "not user:password"),
        ({"proxy": "http://proxy:1", "proxy_login": ":canary"}, "not user:password"),
    ],
)
def test_a_login_that_cannot_be_is_refused_without_its_text(options: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=f"^proxy_login {said}|is {said}") as caught:
        options_of("https://127.0.0.1:1", **options)
    assert "canary" not in str(caught.value)


def test_a_certificate_that_is_not_trusted_is_told_through_a_proxy_too(
    bao: OpenBaoServer, proxy: ForwardProxy, ours: Papers
) -> None:
    vault = VaultKv2Adapter(options_of(bao.mutual_url, ca_file=ours.authority, proxy=proxy.url))
    with pytest.raises(Unavailable, match="certificate is not trusted"):
        items(vault.list(ALL, None))


@pytest.mark.parametrize(
    "proxy",
    [
        "proxy:3128",
        "socks5://proxy:1080",
        "http://",
        "http://proxy:port",
        "http://proxy:0",
        "http://me:canary-word@proxy:3128",
        "http://proxy:3128/?canary-word",
        "",
    ],
)
def test_a_proxy_that_cannot_be_used_is_refused_without_its_text(proxy: str) -> None:
    with pytest.raises(ValueError, match=r"^proxy ") as caught:
        options_of("https://127.0.0.1:1", proxy=proxy)
    assert "canary" not in str(caught.value)


def test_a_proxy_with_a_certificate_is_not_for_a_server_without_one() -> None:
    with pytest.raises(ValueError, match=r"^proxy begins with https, which is for a url that does too"):
        options_of("http://127.0.0.1:1", proxy="https://proxy:3128")


@pytest.mark.parametrize(
    "url",
    [
        "https://vault:99999",
        "https://vault:port",
        "https://vault:0",
        "https://vault example",
        "https://vau\nlt.example",
        "https://vault.example ",
        "https://vau%6ct.example",
        "https://vault,other",
        "https://[::1",
        "https://[vault]",
        "https://",
    ],
)
def test_an_address_that_cannot_be_is_refused_by_the_option(url: str) -> None:
    with pytest.raises(ValueError, match=r"^url is not written like"):
        options_of(url)


@pytest.mark.parametrize("url", ["https://[::1]:8200", "http://10.0.0.1/vault/", "https://vault_1.example."])
def test_an_address_that_can_be_is_taken(url: str) -> None:
    VaultKv2Adapter(options_of(url)).close()


def test_the_way_is_no_part_of_where_a_connection_leads() -> None:
    marked = {field.name for field in dataclasses.fields(VaultOptions) if field.metadata["where"]}
    assert marked == {"url", "mount", "namespace"}
