"""References at the command line: set, shown, and tried before anything is copied."""

from __future__ import annotations

import json

import pytest

from tests.canary import found_in
from tests.cli.conftest import World

CONFIG = """\
store: {url: "sqlite:///ecs-sync.db"}
connections:
  kv: {adapter: files, root: ./vault, secrets: true}
  app: {adapter: files, root: ./app, secrets: true}
jobs:
  payments:
    scope: {application: payments}
    references: ["kv/db.json"]
    links:
      - {connection: app, place: app.yaml, mapping: document, mode: mirror, secrets: copy}
"""


@pytest.fixture
def home(bare: World, canary: str) -> World:
    (bare.folder / "vault").mkdir()
    (bare.folder / "vault" / "db.json").write_text(json.dumps({"password": canary, "port": 5432}))
    (bare.folder / "app").mkdir()
    (bare.folder / "ecs-sync.yaml").write_text(CONFIG)
    assert bare("init").code == 0
    return bare


def refer(home: World) -> None:
    assert home("set", "payments", "db/password", "@secret:kv/db.json#password").code == 0


def test_a_reference_is_set_on_the_line_and_shown_as_it_is(home: World) -> None:
    refer(home)
    assert home("get", "payments", "db/password").out == "@secret:kv/db.json#password\n"
    shown = home("get", "payments", "--all", "-o", "json").json["entries"][0]["value"]
    assert (shown["type"], shown["secret"], shown["text"]) == (
        "reference",
        True,
        "@secret:kv/db.json#password",
    )


def test_its_copy_is_written_and_the_secret_shown_nowhere(home: World, canary: str) -> None:
    refer(home)
    outputs = [
        home(*words, *form)
        for words in (("plan",), ("sync",), ("plan",), ("drift",), ("history", "payments", "db/password"))
        for form in ((), ("-o", "json"), ("-o", "markdown"), ("-v",))
    ]
    assert found_in(canary, (home.folder / "app" / "app.yaml").read_text())
    assert not found_in(canary, *(text for each in outputs for text in (each.out, each.err)))
    assert not found_in(canary, *(path.read_bytes() for path in home.folder.glob("ecs-sync*")))


def test_a_secret_after_a_reference_is_a_secret_still(home: World) -> None:
    refer(home)
    refused = home("set", "payments", "db/password", "in the clear")
    assert refused.code == 64 and "is a secret" in refused.err


@pytest.mark.parametrize("text", ["@secret:kv", "@secret:", "plain"])
def test_what_is_no_reference_is_not_set_as_one(home: World, text: str) -> None:
    refused = home("set", "payments", "db/password", text, "--type", "reference")
    assert refused.code == 64 and "@secret:CONNECTION/NAME" in refused.err


def test_validate_tries_every_reference_and_shows_none(home: World, canary: str) -> None:
    refer(home)
    assert home("set", "payments", "db/user", "@secret:kv/db.json#user").code == 0
    assert home("set", "payments", "other", "@secret:kv/other").code == 0
    tried = home("validate", "--references", "-o", "json")
    problems = {each["used_by"]: each["problem"] for each in tried.json["references"]}
    assert tried.code == 1
    assert problems["payments: db/password"] is None
    assert "no field 'user'" in problems["payments: db/user"]
    assert "'references'" in problems["payments: other"]
    text = home("validate", "--references").out
    assert "resolves" in text and not found_in(canary, tried.out, text)
    assert '"db.json"' in home("audit", "-o", "json").out.replace("\\", "")


def test_a_connection_can_have_its_secret_from_another_one(home: World, canary: str) -> None:
    path = home.folder / "ecs-sync.yaml"
    consul = 'consul: {adapter: consul, url: "http://127.0.0.1:9", token: "@secret:kv/db.json#password"}'
    path.write_text(path.read_text().replace("connections:", f"connections:\n  {consul}"))
    tried = home("validate", "--references", "-o", "json")
    assert [each["used_by"] for each in tried.json["references"]] == ["connections.consul.token"]
    assert tried.code == 0 and not found_in(canary, tried.out, tried.err)
    path.write_text(path.read_text().replace("@secret:kv/db.json#password", "@secret:consul/x"))
    circle = home("validate", "--references")
    assert circle.code == 1 and "need each other" in circle.out


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("@secret:", "write @secret:CONNECTION/NAME"),
        ("@secret:kv", "write @secret:CONNECTION/NAME"),
        ("@secret:kvv/db.json#password", "there is none; did you mean 'kv'?"),
    ],
)
def test_half_a_reference_is_not_set_as_a_text(home: World, text: str, says: str) -> None:
    refused = home("set", "payments", "db/password", text)
    assert refused.code == 64
    assert says in refused.err
    assert home("set", "payments", "a", "@secret:", "--type", "string").code == 0
