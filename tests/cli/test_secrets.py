"""No secret in anything that the command prints or leaves in files, in any format."""

from __future__ import annotations

import base64
import json
import urllib.parse
from pathlib import Path

import pytest

from .world import CANARY, World

JOBS = """\
  payments:
    scope: {tenant: acme}
    secret: ["*password*"]
    links:
      - {connection: consul, place: acme/, mapping: path, mode: two-way, priority: 50, first: store}
      - {connection: files, place: a.yaml, mapping: document, mode: import, priority: 10}
      - {connection: safe, place: s.yaml, mapping: document, mode: mirror, secrets: copy}
"""


def leaks(text: str | bytes) -> list[str]:
    """The spellings of the canary, or of any six of its characters, that stand in a text."""
    raw = text.encode() if isinstance(text, str) else text
    pieces = [CANARY[i : i + 6] for i in range(len(CANARY) - 5)]
    spelled = [
        *pieces,
        base64.b64encode(CANARY.encode()).decode().rstrip("="),
        CANARY.encode().hex(),
        urllib.parse.quote(CANARY),
        json.dumps(CANARY)[1:-1],
    ]
    return [each for each in spelled if each.encode() in raw]


@pytest.fixture
def secretive(world: World) -> World:
    world.configure(JOBS)
    (world.folder / "safe/s.yaml").write_text("{}\n")
    world.write("a.yaml", f"db:\n  password: {CANARY}\n  url: plain\n")
    return world


VERBS = [
    ["plan"],
    ["drift", "--all"],
    ["sync"],
    ["get", "payments", "--all"],
    ["get", "payments", "db/password"],
    ["history", "payments", "db/password"],
    ["conflicts", "--all"],
    ["runs"],
    ["audit"],
    ["store", "info"],
    ["store", "archive", "payments"],
    ["diff", "payments", "payments:safe"],
    ["diff", "payments:files", "payments:consul"],
    ["validate"],
]


@pytest.mark.parametrize("format", ["text", "json", "markdown"])
def test_no_verb_prints_a_secret_in_any_format(secretive: World, format: str) -> None:
    def ask_all() -> None:
        for words in VERBS:
            answer = secretive(*words, "-o", format, "-v")
            assert leaks(answer.out + answer.err) == [], words

    ask_all()
    secretive.put("acme/db/password", CANARY + "2")
    secretive.write("a.yaml", f"db:\n  password: {CANARY}3\n  url: plain\n")
    (secretive.folder / "safe/s.yaml").write_text(f"db: {{password: {CANARY}4, url: other}}\n")
    ask_all()
    (secretive.folder / "safe/s.yaml").write_text(f"db: {CANARY}\n  broken: [\n")
    ask_all()


def test_a_secret_is_shown_as_its_length_and_fingerprint_and_equal_ones_are_alike(secretive: World) -> None:
    planned = secretive("plan").out
    assert f"secret, {len(CANARY)} characters, fingerprint " in planned
    changes = secretive("plan", "-o", "json").json["plans"][0]["changes"]
    shown = [change["after"] for change in changes if change["key"] == "db/password"]
    assert len(shown) == 2
    assert shown[0]["text"] is None
    assert shown[0]["fingerprint"] == shown[1]["fingerprint"]


def test_a_secret_of_one_place_is_hidden_where_it_stands_in_the_open_elsewhere(world: World) -> None:
    """The other place does not know that it is a secret; the plan does."""
    assert world("set", "payments", "pin", "--secret", given=CANARY).code == 0
    world.put("acme/pin", CANARY)
    world.put("acme/other", "shown")
    for words in (
        ["plan"],
        ["drift", "--all"],
        ["sync"],
        ["conflicts", "--all"],
        ["diff", "payments", "payments:consul"],
    ):
        answer = world(*words, "-o", "json")
        assert leaks(answer.out + answer.err) == [], words
    assert "shown" in world("get", "payments", "other").out


def test_secrets_are_copied_to_a_place_made_for_them_and_no_file_of_ours_holds_one(secretive: World) -> None:
    secretive("plan", "payments", "--out", "saved.plan")
    secretive("sync")
    assert CANARY in (secretive.folder / "safe/s.yaml").read_text()
    ours = [path for path in secretive.folder.iterdir() if path.is_file()]
    assert {path.name for path in ours} >= {"ecs-sync.db", "saved.plan", "ecs-sync.yaml"}
    assert [path.name for path in ours if leaks(path.read_bytes())] == []


@pytest.mark.parametrize("words", [["pin", CANARY, "--secret"], ["db/password", CANARY]])
def test_a_secret_on_the_command_line_is_refused_and_not_repeated(world: World, words: list[str]) -> None:
    refused = world("set", "payments", *words)
    assert refused.code == 64
    assert "never" in refused.err
    assert leaks(refused.err + refused.out) == []
    assert world("store", "info", "-o", "json").json["version"] == 0


def test_a_secret_comes_from_standard_input_or_a_file(world: World, tmp_path: Path) -> None:
    assert world("set", "payments", "one", "--secret", given=CANARY + "\n").code == 0
    (tmp_path / "two").write_text(CANARY + "\n")
    assert world("set", "payments", "two", "--secret", "--from", str(tmp_path / "two")).code == 0
    entries = world("get", "payments", "--all", "-o", "json").json["entries"]
    assert [each["value"]["characters"] for each in entries] == [len(CANARY)] * 2


def test_what_once_was_a_secret_stays_one_when_it_is_set_again(world: World) -> None:
    world("set", "payments", "pin", "--secret", given="first")
    assert world("set", "payments", "pin", CANARY).code == 64
    world("set", "payments", "pin", given=CANARY)
    answer = world("history", "payments", "pin", "-o", "json")
    assert leaks(answer.out) == []
    assert [each["value"]["secret"] for each in answer.json["versions"]] == [True, True]


def test_without_a_key_a_secret_is_refused_with_the_next_step(world: World) -> None:
    (world.folder / "ecs-sync.db").unlink()
    (world.folder / "ecs-sync.db.key").unlink()
    world.configure(JOBS, key=False)
    world("init")
    refused = world("set", "payments", "pin", "--secret", given=CANARY)
    assert refused.code == 1
    assert "store.key" in refused.err
    assert leaks(refused.err) == []


def test_the_key_of_secrets_rotates_and_they_open_with_the_new_one(world: World) -> None:
    world("set", "payments", "pin", "--secret", given=CANARY)
    world("store", "new-key", "next.key")
    assert "1 secret is sealed" in world("store", "rotate-key", "--to", "next.key").out
    assert world("get", "payments", "--all").code == 78
    path = world.folder / "ecs-sync.yaml"
    path.write_text(path.read_text().replace("secrets.key", "next.key"))
    assert f"{len(CANARY)} characters" in world("get", "payments", "pin").out
    assert world("audit", "verify").code == 0


def test_a_crash_prints_no_value(secretive: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worst case: an error whose own text is the secret."""

    def burst(*words: object, **options: object) -> None:
        raise RuntimeError(CANARY) from ValueError(CANARY)

    monkeypatch.setattr("ecs_sync.sync.plan", burst)
    for words in (["plan"], ["plan", "-v"]):
        failed = secretive(*words)
        assert failed.code == 1
        assert "RuntimeError" in failed.err
        assert leaks(failed.err + failed.out) == []
    assert "planning.py" in secretive("plan", "-v").err
