"""What ``-o json`` prints is what its schema says, and the pages made from code are current."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from ecs_sync.cli.reference import reference
from ecs_sync.render.schema import schema

from .world import World

DOCS = Path(__file__).parents[2] / "docs"

VERBS = [
    ["validate"],
    ["plan"],
    ["drift"],
    ["sync"],
    ["plan"],
    ["conflicts", "--all"],
    ["get", "payments", "--all"],
    ["set", "payments", "new", "1"],
    ["unset", "payments", "new"],
    ["apply", "payments"],
    ["history", "payments", "new"],
    ["rollback", "payments", "1"],
    ["runs"],
    ["runs", "payments"],
    ["audit"],
    ["audit", "verify"],
    ["store", "info"],
    ["store", "archive", "payments"],
    ["diff", "payments@1", "payments:consul"],
    ["providers"],
    ["providers", "consul"],
]


def test_every_verb_prints_what_the_schema_says(world: World) -> None:
    validator = jsonschema.Draft202012Validator(schema())
    world("set", "payments", "a", "mine")
    world.put("acme/a", "theirs")
    world.put("acme/b", "theirs")
    world("set", "payments", "password", "--secret", given="x" * 20)
    kinds = set()
    for words in VERBS:
        answer = world(*words, "-o", "json")
        validator.validate(answer.json)
        kinds.add(answer.json["kind"])
        if "exit" in answer.json:
            assert answer.json["exit"] == answer.code, words
    run = world("runs", "-o", "json").json["runs"][0]["run"]
    validator.validate(world("runs", "show", run, "-o", "json").json)
    assert len(kinds) >= 12


def test_the_schema_refuses_what_is_no_document(world: World) -> None:
    validator = jsonschema.Draft202012Validator(schema())
    plan = world("plan", "-o", "json").json
    for spoiled in ({}, {**plan, "more": 1}, {**plan, "kind": "other"}, {**plan, "plans": [{}]}):
        with pytest.raises(jsonschema.ValidationError):
            validator.validate(spoiled)


def test_the_reference_of_the_verbs_is_current() -> None:
    written = (DOCS / "cli.md").read_text(encoding="utf-8")
    assert written == reference(), "run: python -m ecs_sync.cli.reference > docs/cli.md"


def test_the_schema_in_the_documentation_is_current() -> None:
    written = json.loads((DOCS / "schemas" / "output.json").read_text(encoding="utf-8"))
    assert written == schema(), "run: python -m ecs_sync.render.schema > docs/schemas/output.json"


def test_every_verb_shows_an_example_in_its_help_and_in_the_reference(world: World) -> None:
    from ecs_sync.cli.app import VERBS as NAMES

    page = reference()
    for name in NAMES:
        helped = world(name, "--help")
        assert helped.code == 0
        assert "Example: ecs-sync" in helped.out, name
        assert f"`ecs-sync {name}" in page


def test_two_plans_of_the_same_world_are_the_same_byte_for_byte(world: World) -> None:
    for n in range(20):
        world.put(f"acme/k{n}", str(n))
    world("set", "payments", "k3", "mine")
    for format in ("text", "json", "markdown"):
        assert world("plan", "-o", format).out == world("plan", "-o", format).out


def test_a_saved_plan_is_applied_as_it_was_shown(world: World) -> None:
    world("set", "payments", "a", "1")
    planned = world("plan", "payments", "--out", "p.plan", "-o", "json")
    shown = planned.json["plans"][0]
    applied = world("apply", "p.plan", "-o", "json")
    assert applied.code == 0
    report = applied.json["reports"][0]
    assert report["plan"]["plan"] == shown["plan"]
    assert report["converged"] is True
    assert report["proved"] == 1
    assert world("apply", "p.plan").code in (0, 4)
    (world.folder / "p.plan").write_text("{}")
    assert world("apply", "p.plan").code == 78
