"""From nothing to a proved sync, as a person types it."""

from __future__ import annotations

import re
import stat

import pytest

from .world import MIRROR, World


def test_init_writes_a_configuration_that_validates_with_its_store_and_key(bare: World) -> None:
    made = bare("init")
    assert made.code == 0, made.err
    assert (bare.folder / "ecs-sync.db").exists()
    assert stat.S_IMODE((bare.folder / "ecs-sync.db.key").stat().st_mode) == 0o600
    assert bare("validate").code == 0
    assert "not kept" in bare("store", "info").out


def test_what_init_has_commented_out_validates_once_it_is_uncommented(bare: World) -> None:
    bare("init")
    path = bare.folder / "ecs-sync.yaml"
    text = path.read_text().replace("connections: {}", "connections:").replace("jobs: {}", "jobs:")
    path.write_text(re.sub(r"(?m)^#(?=   )", "", text))
    validated = bare("validate", "--without-secrets")
    assert (validated.code, validated.err) == (0, "")
    assert "2 connections, 1 job" in validated.out


def test_a_configuration_without_jobs_is_not_passed_over_in_silence(bare: World) -> None:
    bare("init")
    for verb in ("plan", "sync", "drift"):
        said = bare(verb)
        assert (said.code, said.out) == (0, "")
        assert "ecs-sync.yaml has no jobs" in said.err


def test_init_again_keeps_everything(bare: World) -> None:
    bare("init")
    before = {path.name: path.read_bytes() for path in bare.folder.iterdir() if path.is_file()}
    assert bare("init").code == 1
    assert {path.name: path.read_bytes() for path in bare.folder.iterdir() if path.is_file()} == before


def test_init_that_cannot_make_the_store_leaves_nothing_behind(bare: World) -> None:
    refused = bare("init", "--store", "sqlite:///no/such/folder/x.db")
    assert refused.code == 1
    assert [path.name for path in bare.folder.iterdir() if path.is_file()] == []


@pytest.mark.parametrize("url", ["mysql://x/y", "postgresql+psycopg://me:hunter2@db/x", "sqlite://"])
def test_init_refuses_a_store_that_it_cannot_use_and_shows_no_password(bare: World, url: str) -> None:
    refused = bare("init", "--store", url)
    assert refused.code == 78
    assert "hunter2" not in refused.err + refused.out
    assert not (bare.folder / "ecs-sync.yaml").exists()


def test_a_first_sync_adopts_what_is_there_and_a_second_plan_is_empty(world: World) -> None:
    world.put("acme/retry/max", "5")
    planned = world("plan")
    assert planned.code == 2
    assert "new at consul" in planned.out
    assert re.search(r"plan [0-9a-f]{12}: 1 to change, 0 held, 0 conflicts", planned.out)
    assert world("sync").code == 0
    again = world("plan")
    assert again.code == 0
    assert "in sync, nothing to change" in again.out
    assert world("get", "payments", "retry/max").out == "5\n"


def test_a_value_set_by_hand_reaches_the_place_and_is_proved(world: World) -> None:
    world("sync")
    assert world("set", "payments", "db/url", "x").code == 0
    synced = world("sync", "--reason", "first value", "--who", "ada@example")
    assert synced.code == 0
    assert "converged: 1 key read back" in synced.out
    assert world.at_consul("acme/db/url") == "x"
    ran = world("runs", "payments", "-o", "json").json["runs"]
    assert (ran[0]["who"], ran[0]["reason"], ran[0]["exit"]) == ("ada@example", "first value", 0)
    done = world("runs", "show", ran[0]["run"], "-o", "json").json["done"]
    assert [(each["key"], each["side"], each["outcome"]) for each in done] == [
        ("db/url", "consul", "applied")
    ]


def test_history_tells_when_who_from_where_and_why(world: World) -> None:
    world.put("acme/a", "1")
    world("sync", "--who", "bob")
    world("set", "payments", "a", "2", "--reason", "too small", "--who", "ada")
    world("unset", "payments", "a")
    versions = world("history", "payments", "a", "-o", "json").json["versions"]
    assert [(each["origin"], each["reason"]) for each in versions][1:] == [
        ("hand", "too small"),
        ("link consul", ""),
    ]
    assert [each["who"] for each in versions][1:] == ["ada", "bob"]
    assert versions[0]["value"] is None
    assert "(unset)" in world("history", "payments", "a").out


def test_setting_what_is_set_already_makes_no_version(world: World) -> None:
    world("set", "payments", "a", "1", "--type", "integer")
    again = world("set", "payments", "a", "1")
    assert again.code == 0
    assert "nothing to change" in again.out
    assert world("get", "payments", "--all", "-o", "json").json["at"] == 1


def test_a_key_keeps_its_type_and_a_value_that_does_not_fit_is_refused_unquoted(world: World) -> None:
    world("set", "payments", "n", "1", "--type", "integer")
    refused = world("set", "payments", "n", "n0tanumber")
    assert refused.code == 64
    assert "not an integer" in refused.err
    assert "n0tanumber" not in refused.err


def test_a_rollback_and_an_undo_bring_back_what_was(world: World) -> None:
    world.configure(MIRROR)
    world("set", "payments", "a", "1")
    world("sync")
    world("set", "payments", "a", "2")
    world("sync")
    assert world("rollback", "payments", "1").code == 0
    world("sync")
    assert world.at_consul("acme/a") == "1"
    run = world("runs", "-o", "json").json["runs"][0]["run"]
    undone = world("undo", run)
    assert undone.code == 0, undone.out + undone.err
    world("sync")
    assert world.at_consul("acme/a") == "2"


def test_diff_shows_versions_places_and_the_store_side_by_side(world: World) -> None:
    world("set", "payments", "a", "1", "--type", "integer")
    world("set", "payments", "b", "1")
    world("sync")
    assert world("diff", "payments", "payments:consul").code == 0
    world.put("acme/a", "7")
    differing = world("diff", "payments", "payments:consul", "-o", "json")
    assert differing.code == 2
    assert [(each["key"], each["kind"]) for each in differing.json["differences"]] == [("a", "update")]
    versions = world("diff", "payments@1", "payments", "-o", "json").json["differences"]
    later = [world("diff", "payments@99", "payments"), world("get", "payments", "a", "--at", "99")]
    assert [(each.code, "there is no version 99 yet" in each.err) for each in later] == [(1, True)] * 2
    assert [(each["key"], each["kind"]) for each in versions] == [("b", "create")]
    world.consul.fail_next(500, body="no leader")
    assert world("diff", "payments", "payments:consul").code == 1


def test_providers_lists_what_there_is_and_tells_the_options_of_one(world: World) -> None:
    listed = world("providers").out
    assert "consul" in listed
    assert "document" in listed
    one = world("providers", "consul").out
    assert "datacenter" in one
    assert "env:NAME, file:PATH or @secret:" in one
    assert world("providers", "files", "-o", "json").json["adapters"][0]["features"] == {}
    features = world("providers", "safe", "-o", "json").json["adapters"][0]["features"]
    assert features["holds_secrets"] is True
    near = world("providers", "consull")
    assert near.code == 64
    assert "did you mean 'consul'" in near.err


def test_the_audit_trail_is_shown_and_verified(world: World) -> None:
    world("set", "payments", "a", "1", "--who", "ada")
    assert "ada" in world("audit").out
    assert world("audit", "show", "--limit", "1", "-o", "json").json["records"][0]["who"] == "ada"
    verified = world("audit", "verify")
    assert verified.code == 0
    assert "whole" in verified.out
