"""Names and values of strangers cannot paint a terminal, forge a line, or break a table."""

from __future__ import annotations

import json
import unicodedata

import pytest

from .world import World

HOSTILE = {
    "esc": "\x1b[2J\x1b]0;owned\x07",
    "line": "one\n  + forged  key  applied",
    "rtl": "abc\u202egnp.exe",
    "c1": "\x9b31m",
    "table": "a|b`c`<img src=x onerror=alert(1)>@everyone **bold** [x](http://evil)",
    "pipe": "a\\|b",
    "null": "\x00",
    "zero": "a\u200bb\ufeff",
}

VERBS = [
    ["plan"],
    ["drift", "--all"],
    ["sync"],
    ["get", "payments", "--all"],
    ["history", "payments", "line"],
    ["store", "archive", "payments"],
    ["diff", "payments", "payments:consul"],
]


@pytest.fixture
def hostile(world: World) -> World:
    for name, value in HOSTILE.items():
        world.put(f"acme/{name}", value)
    return world


def controls(text: str) -> set[str]:
    return {c for c in text if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")}


@pytest.mark.parametrize("format", ["text", "json", "markdown"])
def test_nothing_that_is_printed_holds_a_control_character(hostile: World, format: str) -> None:
    for words in VERBS:
        answer = hostile(*words, "-o", format)
        assert controls(answer.out + answer.err) == set(), words


def test_a_value_with_line_ends_cannot_forge_a_line(hostile: World) -> None:
    assert not any(line.strip().startswith("+ forged") for line in hostile("plan").out.splitlines())


def test_json_gives_the_values_back_exactly(hostile: World) -> None:
    hostile("sync")
    entries = hostile("get", "payments", "--all", "-o", "json").json["entries"]
    assert {each["key"]: each["value"]["text"] for each in entries} == {**HOSTILE, "null": "AA=="}


def test_a_value_in_a_script_is_the_value(hostile: World) -> None:
    hostile("sync")
    assert hostile("get", "payments", "table").out == HOSTILE["table"] + "\n"


def test_markdown_keeps_every_row_in_its_columns_and_holds_no_markup_of_strangers(hostile: World) -> None:
    out = hostile("plan", "-o", "markdown").out
    tables = [line for line in out.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in tables} <= {5, 6}
    for forbidden in ("<img", "@everyone", "**bold", "](http", "`"):
        assert forbidden not in out


def test_a_hostile_refusal_and_a_hostile_argument_are_shown_harmlessly(world: World) -> None:
    for words in (["plan", "no\x1b[31mjob"], ["get", "payments", "a\x1bb"], ["runs", "show", "\x1b]0;x\x07"]):
        answer = world(*words)
        assert answer.code != 0
        assert controls(answer.err + answer.out) == set(), words


def test_very_long_values_are_cut_where_they_begin_to_differ(world: World) -> None:
    world("set", "payments", "long", "x" * 5000 + "1")
    world("sync")
    world("set", "payments", "long", "x" * 5000 + "2")
    out = world("plan").out
    assert max(map(len, out.splitlines())) < 250
    line = next(line for line in out.splitlines() if "long" in line)
    assert 'x1"' in line
    assert 'x2"' in line


def test_a_thousand_keys_left_by_design_do_not_bury_the_one_that_matters(world: World) -> None:
    path = world.folder / "ecs-sync.yaml"
    path.write_text(path.read_text().replace("mode: two-way, priority: 50", "mode: mirror"))
    for n in range(100):
        world.put(f"acme/theirs{n}", "1")
    world("set", "payments", "mine", "1")
    out = world("plan").out
    assert len(out.splitlines()) < 30
    assert "and 90 more" in out
    assert len(world("plan", "-v").out.splitlines()) > 100
    assert len(world("plan", "-o", "json").json["plans"][0]["held"]) == 100


def test_every_document_is_one_json_value(world: World) -> None:
    for words in VERBS[:4]:
        json.loads(world(*words, "-o", "json").out)
