"""The drift report: which side moved, since when, by whom, and would it be safe to repair."""

from __future__ import annotations

from typing import Any

from .world import MIRROR, World


def rows(world: World, *words: str) -> dict[tuple[str, str], dict[str, Any]]:
    answer = world("drift", *words, "-o", "json")
    return {(row["key"], row["link"]): row for row in answer.json["jobs"][0]["rows"]}


def start(world: World, *keys: str) -> None:
    for key in keys:
        world("set", "payments", key, "1")
    assert world("sync").code == 0


def test_who_moved_is_told_for_every_side(world: World) -> None:
    start(world, "store", "place", "both", "same", "still")
    world("set", "payments", "store", "2", "--who", "ada")
    world.put("acme/place", "2")
    world("set", "payments", "both", "2")
    world.put("acme/both", "3")
    world("set", "payments", "same", "2")
    world.put("acme/same", "2")
    found = rows(world)
    assert {key: row["moved"] for (key, _), row in found.items()} == {
        "store": "store",
        "place": "place",
        "both": "both",
        "same": "same",
    }
    assert found["store", "consul"]["by"] == "ada"
    assert found["store", "consul"]["store_since"] is not None
    assert found["place", "consul"]["by"] is None
    assert found["store", "consul"]["age_seconds"] >= 0


def test_what_a_run_would_do_is_what_it_does(world: World) -> None:
    start(world, "store", "place")
    world("set", "payments", "store", "2")
    world.put("acme/place", "2")
    found = rows(world)
    assert {key: row["repair"] for (key, _), row in found.items()} == {"store": "push", "place": "adopt"}
    assert all(row["safe"] for row in found.values())
    assert world("sync").code == 0
    assert world.at_consul("acme/store") == "2"
    assert world("get", "payments", "place").out == "2\n"
    assert rows(world) == {}


def test_drift_that_a_mode_leaves_by_design_is_told_and_is_no_failure(world: World) -> None:
    world.configure(MIRROR.replace("mode: mirror", "mode: export"))
    start(world, "a")
    world.put("acme/a", "theirs")
    world.put("acme/foreign", "theirs")
    assert world("drift").code == 0
    found = rows(world)
    assert all(row["by_design"] and row["repair"] == "hold" for row in found.values())
    assert set(found) == {("a", "consul"), ("foreign", "consul")}
    assert world("drift", "--all").code == 2


def test_the_age_of_a_drift_that_is_held_is_counted_from_when_it_was_first_seen(world: World) -> None:
    world.configure(MIRROR.replace("mode: mirror", "mode: export"))
    start(world, "a")
    world.put("acme/a", "theirs")
    assert rows(world)["a", "consul"]["since"] is None
    world("sync")
    first = rows(world)["a", "consul"]
    assert first["since_is"] == "first seen"
    world("sync")
    assert rows(world)["a", "consul"]["since"] == first["since"]


def test_a_change_time_that_the_provider_tells_is_used(world: World) -> None:
    world.configure(
        """\
  payments:
    scope: {tenant: acme}
    links:
      - {connection: files, place: a.yaml, mapping: document, mode: import, priority: 10}
"""
    )
    world.write("a.yaml", "a: 1\n")
    world("sync")
    world.write("a.yaml", "a: 22\n")
    row = rows(world)["a", "files"]
    assert (row["moved"], row["since_is"]) == ("place", None)


def test_a_repair_that_a_limit_would_stop_is_not_called_safe(world: World) -> None:
    world.configure(
        MIRROR.replace("    links:", "    limits: {changes: 1%, deletes: 1%, floor: 0}\n    links:")
    )
    start(world, "a", "b")
    world.put("acme/a", "theirs")
    row = rows(world)["a", "consul"]
    assert (row["repair"], row["safe"]) == ("push", False)
    assert "limit" in row["why"]
    assert "a run would be stopped" in world("drift").out


def test_what_could_not_be_seen_is_no_drift_and_exits_with_1(world: World) -> None:
    start(world, "a")
    world.consul.fail_next(500, body="no leader", times=20)
    drifted = world("drift", "-o", "json")
    assert drifted.code == 1
    assert drifted.json["jobs"][0]["rows"] == []
    assert drifted.json["jobs"][0]["links"][0]["complete"] is False


def test_the_text_says_it_in_one_line_each(world: World) -> None:
    start(world, "a")
    world("set", "payments", "a", "2", "--who", "ada")
    out = world("drift").out
    assert '"2" → "1"' in out
    assert "store by ada" in out
    assert "ecs-sync sync payments" in out
    assert "1 not in step (moved: 1 store)" in out
    world("sync")
    assert "no drift" in world("drift").out
