"""A secret that the configuration names cannot be had: 1 where that may pass, 78 where somebody must act."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

import pytest

from ecs_sync_sandbox.consul import ConsulServer
from tests.cli.world import World

KEY = base64.b64encode(b"k" * 32).decode()


@pytest.fixture
def keeper() -> Iterator[ConsulServer]:
    """Where the secrets of the configuration lie."""
    with ConsulServer() as server:
        server.kv.put("store", json.dumps({"key": KEY}).encode(), 0)
        server.kv.put("consul", json.dumps({"token": "word"}).encode(), 0)
        yield server


def configure(
    home: World, keeper: ConsulServer, store: str = "store#key", token: str = "consul#token"
) -> None:
    """Both the key of the store and the token of the job's connection lie at ``keeper``."""
    quick = {"timeout": 2, "pace": {"retries": 0}}
    link = {"connection": "consul", "place": "acme/", "mapping": "path", "mode": "mirror"}
    config = {
        "store": {"url": "sqlite:///ecs-sync.db", "key": f"@secret:keeper/{store}"},
        "connections": {
            "keeper": {"adapter": "consul", "url": keeper.url, **quick},
            "consul": {"adapter": "consul", "url": home.consul.url, "token": f"@secret:keeper/{token}"},
        },
        "jobs": {"payments": {"scope": {"application": "payments"}, "links": [link]}},
    }
    (home.folder / "ecs-sync.yaml").write_text(json.dumps(config))


@pytest.fixture
def home(bare: World, keeper: ConsulServer) -> World:
    configure(bare, keeper)
    assert bare("init").code == 0
    return bare


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_provider_of_the_stores_key_that_is_down_is_1(
    home: World, keeper: ConsulServer, status: int
) -> None:
    for words in (
        ["plan"],
        ["sync"],
        ["store", "info"],
        ["worker", "--once", "--now"],
        ["set", "payments", "a", "1"],
    ):
        keeper.fail_next(status, body="down", times=1)
        answer = home(*words)
        assert answer.code == 1, words
        assert "ecs-sync.yaml:1:" in answer.err and "store.key" in answer.err
        assert KEY not in answer.err
    assert home("plan").code == 0


def test_a_provider_of_a_connections_token_that_is_down_is_1(home: World, keeper: ConsulServer) -> None:
    configured = (home.folder / "ecs-sync.yaml").read_text()
    (home.folder / "ecs-sync.yaml").write_text(configured.replace(', "key": "@secret:keeper/store#key"', ""))
    for verb in ("plan", "sync", "drift"):
        keeper.fail_next(503, body="down", times=1)
        answer = home(verb)
        assert answer.code == 1 and "connections.consul.token" in answer.err
    keeper.fail_next(503, body="down", times=1)
    worked = home("worker", "--once", "--now")
    assert worked.code == 1
    failed = [json.loads(line) for line in worked.err.splitlines() if "run_failed" in line]
    assert [event["exit"] for event in failed] == [1]
    assert home("worker", "--once", "--now").code == 0


def test_a_provider_that_nobody_reaches_is_1(home: World, keeper: ConsulServer) -> None:
    text = (home.folder / "ecs-sync.yaml").read_text()
    (home.folder / "ecs-sync.yaml").write_text(text.replace(keeper.url, "http://127.0.0.1:9"))
    assert home("plan").code == 1


@pytest.mark.parametrize(
    ("store", "token", "where"),
    [
        ("absent#key", "consul#token", "store.key"),
        ("store#other", "consul#token", "store.key"),
        ("store", "consul#token", "store.key"),
        ("store#key", "absent#token", "connections.consul.token"),
        ("store#key", "consul#other", "connections.consul.token"),
        ("store?version=9#key", "consul#token", "store.key"),
    ],
)
def test_a_secret_that_is_not_there_is_78_at_its_line(
    home: World, keeper: ConsulServer, store: str, token: str, where: str
) -> None:
    configure(home, keeper, store, token)
    answer = home("plan")
    assert answer.code == 78 and where in answer.err + answer.out
    assert "word" not in answer.err and KEY not in answer.err


def test_a_secret_that_the_credential_may_not_read_is_78(
    bare: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ConsulServer(acl={"": (("", "deny"),)}) as locked:
        configure(bare, locked)
        assert bare("init").code == 78
