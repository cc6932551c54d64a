"""Tokens and values of Consul stay where they belong, and the packages that speak to it do too."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ecs_sync.adapter import Put, Verdict
from ecs_sync.errors import AdapterError, ConfigError, Denied, Rejected
from ecs_sync_adapters.consul import ConsulAdapter
from ecs_sync_adapters.consul_http import installed
from ecs_sync_adapters.consul_options import VALUE_LIMIT, ConsulOptions
from ecs_sync_sandbox.consul import ConsulServer
from tests.adapters.consul_sandbox import ACL, CANARY, PLACE, create, one, read, token_of, verdicts


@pytest.fixture
def server() -> Iterator[ConsulServer]:
    with ConsulServer() as running:
        yield running


def test_the_token_is_a_header_of_every_request_and_never_in_an_address(server: ConsulServer) -> None:
    adapter = one(server, token=CANARY)
    token = token_of(adapter)
    adapter.list(PLACE, token)
    adapter.watch(PLACE, token, 0.01)
    create(adapter, a=b"1")
    adapter.write([Put("acme/prod/large", b"x" * VALUE_LIMIT, None)])
    read(adapter.get(["acme/prod/a"]))
    assert len(server.requests) == 6
    for request in server.requests:
        assert request.headers["x-consul-token"] == CANARY
        assert CANARY not in request.target


def test_a_redirect_is_not_followed_with_the_token(server: ConsulServer) -> None:
    with ConsulServer() as stranger:
        server.fail_next(307, {"Location": f"{stranger.url}/v1/kv/acme/prod/?recurse"})
        with pytest.raises(Rejected, match="redirect"):
            read(one(server, token=CANARY).list(PLACE, None))
        assert stranger.requests == []


def test_the_environment_is_not_read(server: ConsulServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONSUL_HTTP_TOKEN", "CONSUL_HTTP_ADDR", "CONSUL_HTTP_SSL", "CONSUL_HTTP_SSL_VERIFY"):
        monkeypatch.setenv(name, "nonsense://from::the environment")
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "REQUESTS_CA_BUNDLE"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/nowhere")
    adapter = one(server, token=CANARY)
    create(adapter, a=b"1")
    assert [item.id for item in read(adapter.list(PLACE, None))[0]] == ["acme/prod/a"]
    assert {request.headers["x-consul-token"] for request in server.requests} == {CANARY}


def test_keys_that_a_token_may_not_read_make_a_listing_incomplete() -> None:
    with ConsulServer(acl=ACL) as server:
        adapter = one(server, token=CANARY)
        create(adapter, a=b"1")
        assert len(read(adapter.list(PLACE, None))[0]) == 1
        server.kv.put("acme/prod/hidden/x", b"1")
        with pytest.raises(Denied, match="may not read some of the keys"):
            read(adapter.list(PLACE, None))
        items, absent, _ = read(adapter.get(["acme/prod/hidden/x", "acme/prod/a", "acme/prod/none"]))
        assert {item.id: item.unreadable is not None for item in items} == {
            "acme/prod/hidden/x": True,
            "acme/prod/a": False,
        }
        assert absent == ["acme/prod/none"]


def test_without_a_token_a_policy_of_denial_never_passes_for_an_empty_place() -> None:
    with ConsulServer(acl=ACL) as server:
        server.kv.put("acme/prod/a", b"1")
        with pytest.raises(Denied, match="set the option 'token'"):
            read(one(server).list(PLACE, None))


def test_what_the_token_may_not_write_is_denied_or_refused_by_name() -> None:
    with ConsulServer(acl=ACL) as server:
        reader = one(server, token="reader")
        with pytest.raises(Denied):
            reader.write([Put("acme/prod/a", b"1", None)])
        with pytest.raises(Denied):
            reader.write([Put("acme/prod/a", b"x" * VALUE_LIMIT, None)])
        with pytest.raises(Denied):
            read(one(server, token="nobody").list(PLACE, None))
        outcomes = one(server, token=CANARY).write(
            [Put("acme/prod/a", b"1", None), Put("acme/prod/hidden/x", b"1", None)]
        )
        assert verdicts(outcomes) == [Verdict.UNTRIED, Verdict.REFUSED]
        assert server.kv.keys() == []


def test_neither_token_nor_value_is_in_any_error_or_log(
    server: ConsulServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    value = b"canary-value-51c2"
    adapter = one(server, token=CANARY, timeout=0.2)
    said: list[str] = []
    echo = f"{CANARY} {value.decode()}"
    for status in (200, 302, 400, 401, 403, 404, 409, 413, 418, 429, 500, 503):
        server.fail_next(status, {"X-Consul-Index": "1", "Retry-After": CANARY}, echo, times=6)
        for attempt in (
            lambda: adapter.write([Put("acme/prod/a", value, None)]),
            lambda: read(adapter.list(PLACE, None)),
            lambda: read(adapter.get(["acme/prod/a"])),
            lambda: list(adapter.list(PLACE, "1-x").pages),
            lambda: adapter.watch(PLACE, "1-x", 0.1),
            lambda: adapter.write([Put("acme/prod/a", value * 60_000, None)]),
        ):
            said.append(spoken(attempt))
    for plan in (server.faults.drop_next, server.faults.hang_next):
        plan()
        said.append(spoken(lambda: adapter.write([Put("acme/prod/a", value, None)])))
    assert any("acme/prod" in text for text in said)
    assert any(record.name.startswith("urllib3") for record in caplog.records)
    for text in (*said, caplog.text):
        assert CANARY not in text
        assert value.decode() not in text


def spoken(attempt: Any) -> str:
    """All that an attempt says, with its traceback, and with no exception behind it that holds a request."""
    try:
        return repr(attempt())
    except AdapterError as error:
        assert error.__context__ is None
        return "".join(traceback.format_exception(error))


def test_both_consul_packages_in_one_environment_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (other,) = {"py-consul", "python-consul"} - set(installed())
    record = tmp_path / f"{other.replace('-', '_')}-9.dist-info"
    record.mkdir()
    (record / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {other}\nVersion: 9\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match="uninstall both"):
        ConsulAdapter(ConsulOptions())


def test_exactly_one_of_the_two_consul_packages_is_installed() -> None:
    assert len(installed()) == 1


def test_the_example_in_the_documentation_prints_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    text = (Path(__file__).parents[2] / "docs/providers/consul.md").read_text(encoding="utf-8")
    code = text.partition("```python\n")[2].partition("```")[0]
    exec(code, {})
    assert code.rstrip().rpartition("# ")[2] == capsys.readouterr().out.strip()
