"""What becomes of calls to App Configuration that go wrong: which may be tried again, and which never."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from ecs_sync.adapter import Delete, Put, Verdict, Write
from ecs_sync.errors import Denied, Rejected, Throttled, Unacknowledged, Unavailable
from ecs_sync.pace import Pace, Paced
from ecs_sync.testing.faultproxy import FaultProxy
from ecs_sync.testing.subject import pages_of
from ecs_sync_adapters.azure_appconfig import AppConfigAdapter, AppConfigOptions, AppConfigPlace
from ecs_sync_sandbox.azure_appconfig import AzureAppConfigServer, Store
from ecs_sync_sandbox.http_server import HttpServer
from ecs_sync_sandbox.real_server import free_port
from tests.adapters.appconfig_sandbox import adapter_of, is_write, look, writes_sent

PLACE = AppConfigPlace("app/")
ID = "|app/a"


@pytest.fixture
def server() -> Iterator[AzureAppConfigServer]:
    with AzureAppConfigServer() as server:
        yield server


@pytest.fixture
def adapter(server: AzureAppConfigServer) -> Iterator[AppConfigAdapter]:
    adapter = adapter_of(server)
    yield adapter
    adapter.close()


def one_of_each(server: AzureAppConfigServer, adapter: AppConfigAdapter, kind: str) -> Write:
    """A creation, an update or a delete that would be applied."""
    if kind == "create":
        return Put(ID, b"new", None)
    server.settings.set("app/a", "old")
    item = look(adapter, ID)
    assert item is not None and item.revision is not None
    if kind == "update":
        return Put(ID, b"new", item.revision, attributes=item.attributes)
    return Delete(ID, item.revision)


KINDS = pytest.mark.parametrize("kind", ["create", "update", "delete"])


# -- lost acknowledgements


@KINDS
def test_a_write_whose_answer_is_lost_is_sent_once_and_is_neither_a_success_nor_a_conflict(
    server: AzureAppConfigServer, adapter: AppConfigAdapter, kind: str
) -> None:
    write = one_of_each(server, adapter, kind)
    server.faults.drop_next(when=is_write)
    with pytest.raises(Unacknowledged):
        adapter.write([write])
    assert writes_sent(server) == 1
    item = look(adapter, ID)
    assert (item and item.value) == (None if kind == "delete" else b"new")


@KINDS
@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
def test_a_server_error_on_a_write_is_never_taken_for_not_applied(
    server: AzureAppConfigServer, adapter: AppConfigAdapter, kind: str, status: int
) -> None:
    write = one_of_each(server, adapter, kind)
    server.faults.fail_next(status, {"retry-after-ms": "10"}, when=is_write)
    with pytest.raises(Unacknowledged):
        adapter.write([write])
    assert writes_sent(server) == 1


@KINDS
def test_an_answer_cut_short_is_not_known_to_be_one(
    server: AzureAppConfigServer, adapter: AppConfigAdapter, kind: str
) -> None:
    write = one_of_each(server, adapter, kind)
    server.faults.cut_next(10, when=is_write)
    with pytest.raises(Unacknowledged):
        adapter.write([write])
    assert writes_sent(server) == 1


@KINDS
@pytest.mark.parametrize("body", ["<html>Log in</html>", "{}", "[]", ""])
def test_a_200_that_is_none_of_the_stores_is_not_known_to_be_one(
    server: AzureAppConfigServer, adapter: AppConfigAdapter, kind: str, body: str
) -> None:
    write = one_of_each(server, adapter, kind)
    server.faults.fail_next(200, body=body, when=is_write)
    with pytest.raises(Unacknowledged):
        adapter.write([write])


@KINDS
def test_a_write_that_times_out_may_still_land(server: AzureAppConfigServer, kind: str) -> None:
    adapter = adapter_of(server, read_timeout=0.3)
    write = one_of_each(server, adapter, kind)
    server.faults.hang_next(when=is_write)
    with pytest.raises(Unacknowledged):
        adapter.write([write])
    adapter.close()


@KINDS
def test_a_write_whose_answer_the_network_loses_has_landed_once(
    server: AzureAppConfigServer, adapter: AppConfigAdapter, kind: str
) -> None:
    write = one_of_each(server, adapter, kind)
    with FaultProxy("127.0.0.1", int(server.url.rpartition(":")[2])) as proxy:
        proxied = adapter_of(server, f"http://127.0.0.1:{proxy.port}")
        proxy.cut_down_after(0)
        with pytest.raises(Unacknowledged):
            proxied.write([write])
        proxied.close()
    assert writes_sent(server) == 1
    assert (look(adapter, ID) is None) == (kind == "delete")


def test_a_tls_stream_that_ends_after_the_request_may_have_brought_it() -> None:
    ca = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(tls)
    got: list[bytes] = []

    def read_and_end(listener: socket.socket) -> None:
        plain, _ = listener.accept()
        stream = tls.wrap_socket(plain, server_side=True)
        while b"}" not in b"".join(got):
            got.append(stream.recv(65536))
        with socket.socket(fileno=stream.detach()) as bare:
            bare.shutdown(socket.SHUT_RDWR)  # without the farewell that TLS asks for

    with socket.create_server(("127.0.0.1", 0)) as listener, ca.cert_pem.tempfile() as ca_file:
        thread = threading.Thread(target=read_and_end, args=(listener,))
        thread.start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        key = f"Endpoint={url};Id=a;Secret=c2VjcmV0"
        adapter = AppConfigAdapter(AppConfigOptions(url, connection_string=key, ca_file=Path(ca_file)))
        with pytest.raises(Unacknowledged):
            adapter.write([Put(ID, b"1", None)])
        thread.join()
        adapter.close()
    assert got


# -- what certainly did nothing


@KINDS
def test_a_write_that_found_no_server_was_not_applied_and_may_be_tried_again(
    server: AzureAppConfigServer, adapter: AppConfigAdapter, kind: str
) -> None:
    write = one_of_each(server, adapter, kind)
    nobody = adapter_of(server, f"http://127.0.0.1:{free_port()}")
    with pytest.raises(Unavailable) as raised:
        nobody.write([write])
    assert not isinstance(raised.value, Throttled)
    nobody.close()


def test_only_a_server_that_the_configuration_trusts_gets_a_request() -> None:
    ours, other = trustme.CA(), trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.issue_cert("127.0.0.1").configure_cert(tls)
    with (
        AzureAppConfigServer() as server,
        HttpServer(Store(server.settings).respond, tls=tls) as secure,
        ours.cert_pem.tempfile() as right,
        other.cert_pem.tempfile() as wrong,
    ):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("REQUESTS_CA_BUNDLE", right)
            patch.setenv("SSL_CERT_FILE", right)
            for options in ({}, {"ca_file": wrong}):
                adapter = adapter_of(server, secure.url, **options)
                with pytest.raises(Unavailable):
                    adapter.write([Put(ID, b"1", None)])
                adapter.close()
            assert secure.requests == []
        adapter = adapter_of(server, secure.url, ca_file=right)
        assert adapter.write([Put(ID, b"1", None)])[0].verdict is Verdict.APPLIED
        adapter.close()


def test_no_proxy_and_no_netrc_of_the_environment_is_used(
    server: AzureAppConfigServer, adapter: AppConfigAdapter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n", encoding="utf-8")
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert adapter.write([Put(ID, b"1", None)])[0].verdict is Verdict.APPLIED


@KINDS
@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"Retry-After": "7"}, 7.0),
        ({"x-ms-retry-after-ms": "20"}, 0.02),
        ({"retry-after-ms": "3540000"}, 3540.0),
        ({"Retry-After": "Fri, 20 Nov 2026 10:00:00 GMT"}, None),
        ({"retry-after-ms": "-1"}, None),
        ({"retry-after-ms": "9" * 40}, None),
    ],
)
def test_a_throttled_write_was_not_applied_and_says_how_long_to_wait(
    server: AzureAppConfigServer,
    adapter: AppConfigAdapter,
    kind: str,
    headers: dict[str, str],
    seconds: float | None,
) -> None:
    write = one_of_each(server, adapter, kind)
    server.throttle(headers=headers)
    with pytest.raises(Throttled) as raised:
        adapter.write([write])
    assert raised.value.retry_after == seconds
    assert writes_sent(server) == 1
    assert adapter.write([write])[0].verdict is Verdict.APPLIED


def test_no_wait_the_store_asks_for_is_longer_than_the_pace_allows(server: AzureAppConfigServer) -> None:
    slept: list[float] = []
    paced = Paced(adapter_of(server), Pace(max_wait=5.0), clock=lambda: sum(slept), sleep=slept.append)
    server.throttle(times=2, headers={"retry-after-ms": "86400000"})
    (outcome,) = paced.write([Put(ID, b"1", None)])
    assert outcome.verdict is Verdict.APPLIED
    assert slept and max(slept) <= 5.0 and sum(slept) < 60
    paced.close()


def test_a_full_store_is_refused_and_not_asked_again(
    server: AzureAppConfigServer, adapter: AppConfigAdapter
) -> None:
    server.throttle(headers={"retry-after-ms": "10"}, policy="Storage")
    (outcome,) = adapter.write([Put(ID, b"1", None)])
    assert outcome.verdict is Verdict.REFUSED and "full" in outcome.reason


def test_a_setting_that_the_store_finds_too_large_is_refused_by_itself(
    server: AzureAppConfigServer, adapter: AppConfigAdapter
) -> None:
    server.faults.fail_next(413)
    (outcome,) = adapter.write([Put(ID, b"1", None)])
    assert outcome.verdict is Verdict.REFUSED and "10240 bytes" in outcome.reason


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed_with_the_credential(
    server: AzureAppConfigServer, adapter: AppConfigAdapter, status: int
) -> None:
    with AzureAppConfigServer() as elsewhere:
        server.faults.fail_next(status, {"Location": f"{elsewhere.url}/kv"}, times=2)
        with pytest.raises(Rejected, match="redirect"):
            list(pages_of(adapter.list(PLACE, None)))
        (outcome,) = adapter.write([Put(ID, b"1", None)])
        assert outcome.verdict is Verdict.REFUSED and "redirect" in outcome.reason
        assert elsewhere.requests == []


@pytest.mark.parametrize("status", [401, 403])
def test_a_credential_that_is_not_accepted_is_denied_in_every_call(
    server: AzureAppConfigServer, adapter: AppConfigAdapter, status: int
) -> None:
    write = one_of_each(server, adapter, "update")
    before = len(server.requests)
    server.faults.fail_next(status, {"WWW-Authenticate": "HMAC-SHA256, Bearer"}, times=5)
    for call in (
        lambda: list(pages_of(adapter.list(PLACE, None))),
        lambda: list(adapter.get([ID]).pages),
        lambda: list(adapter.history(ID, None).pages),
        lambda: adapter.write([write]),
        lambda: adapter.write([Delete(ID, "e")]),
    ):
        with pytest.raises(Denied):
            call()
    assert len(server.requests) - before == 5


def test_a_wrong_access_key_is_denied(server: AzureAppConfigServer) -> None:
    parts = server.connection_string.rpartition("Secret=")
    adapter = AppConfigAdapter(AppConfigOptions(server.url, connection_string=f"{parts[0]}Secret=d3Jvbmc="))
    with pytest.raises(Denied, match="clock"):
        adapter.write([Put(ID, b"1", None)])
    adapter.close()
