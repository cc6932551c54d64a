"""What a person reads of a plan and of a run before trusting it."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

from .world import MIRROR, World

FILES = """\
  payments:
    scope: {tenant: acme}
    links:
      - {connection: files, place: PLACE, mapping: document, mode: mirror}
"""


def test_a_write_without_a_guard_is_announced_with_its_window(world: World) -> None:
    world.configure(FILES.replace("PLACE", "a.yaml"))
    world.write("a.yaml", "{}\n")
    world("set", "payments", "a", "1")
    assert "note: files: a write is not conditional" in world("plan").out
    world.configure(MIRROR)
    assert "not conditional" not in world("plan").out


@pytest.mark.parametrize(
    ("guard", "said"),
    [
        ("A", (False, False, False)),
        ("B", (False, False, True)),
        ("C", (False, True, True)),
        ("D", (True, True, True)),
    ],
)
def test_what_is_unguarded_is_announced_with_the_writes_that_it_is_true_of(
    bare: World, guard: str, said: tuple[bool, ...]
) -> None:
    (bare.folder / "ecs-sync.yaml").write_text(
        f"""\
store: {{url: "sqlite:///ecs-sync.db"}}
connections:
  here: {{adapter: memory, name: "{bare.folder}", guard: {guard}}}
jobs:
  payments:
    links:
      - {{connection: here, place: a/, mapping: path, mode: mirror, hard_deletes: true}}
"""
    )
    bare("init")
    bare("set", "payments", "x", "1")
    bare("set", "payments", "y", "1")
    found = []
    for words in ((), ("set", "payments", "x", "2"), ("unset", "payments", "y")):
        if words:
            bare(*words)
        found.append({"not conditional" in bare(verb).out for verb in ("plan", "drift")})
        bare("sync")
    assert found == [{each} for each in said]


def test_items_left_behind_by_an_edited_place_are_listed(world: World) -> None:
    world("set", "payments", "a", "1")
    world("sync")
    world.configure(MIRROR.replace("place: acme/", "place: globex/"))
    planned = world("plan", "-o", "json").json["plans"][0]
    assert planned["links"][0]["left_behind"] == ["acme/a"]
    assert "left behind at the former place of consul: 1" in world("plan").out


def test_every_kind_of_change_has_its_sign_its_values_and_who_moved(world: World) -> None:
    for key in ("gone", "moved", "theirs"):
        world("set", "payments", key, "1")
    world("sync")
    world("unset", "payments", "gone")
    world("set", "payments", "moved", "2")
    world("set", "payments", "new", "3")
    world.put("acme/theirs", "4")
    lines = [" ".join(line.split()) for line in world("plan").out.splitlines()]
    assert '- gone "1" gone from the store' in lines
    assert '~ moved "1" → "2" the store moved' in lines
    assert '+ new "3" new in the store' in lines
    assert '~ theirs "1" → "4" consul moved' in lines
    assert "store: 1 to update" in lines
    assert "consul: 1 to create, 1 to update, 1 to delete" in lines


def test_a_refusal_names_the_key_the_link_and_the_reason(world: World) -> None:
    world("set", "payments", "a b", "1")
    line = next(line for line in world("plan").out.splitlines() if "a b" in line)
    assert "consul" in line
    assert "refused: " in line


def test_a_conflict_shows_every_candidate_with_its_priority(world: World) -> None:
    path = world.folder / "ecs-sync.yaml"
    path.write_text(path.read_text().replace('secret: ["*password*"]', "conflicts: hold"))
    world("set", "payments", "a", "1")
    world("sync")
    world("set", "payments", "a", "mine")
    world.put("acme/a", "theirs")
    planned = world("plan", "-o", "json")
    assert planned.code == 5
    conflict = planned.json["plans"][0]["conflicts"][0]
    sides = {each["side"]: (each["priority"], each["value"]["text"]) for each in conflict["candidates"]}
    assert sides == {"store": (2**31 - 1, "mine"), "consul": (50, "theirs")}
    assert conflict["winner"] is None
    world("sync")
    recorded = world("conflicts", "-o", "json").json["conflicts"][0]
    assert {each["side"]: each["value"]["text"] for each in recorded["candidates"]} == {
        "store": "mine",
        "consul": "theirs",
    }
    assert world(*recorded["resolve"][0].split()[1:]).code == 0
    assert world("sync").code == 0


def test_the_command_that_lifts_a_limit_of_a_saved_plan_names_its_file(world: World) -> None:
    world.configure(MIRROR.replace("    links:", "    limits: {changes: 1%, floor: 0}\n    links:"))
    for value in ("1", "2"):
        for key in ("a", "b"):
            world("set", "payments", key, value)
        if value == "1":
            assert world("sync").code == 0
    world("plan", "payments", "--out", "p.plan")
    stopped = world("apply", "p.plan", "-o", "json")
    assert stopped.code == 3
    allow = stopped.json["reports"][0]["plan"]["allow"]
    assert "p.plan" in allow
    assert world(*allow.split()[1:]).code == 0
    assert world.at_consul("acme/a") == "2"


def test_commands_to_copy_name_the_configuration_that_was_used(world: World) -> None:
    (world.folder / "ecs-sync.yaml").rename(world.folder / "other file.yaml")
    world.put("acme/a", "1")
    world("set", "payments", "a", "2", "-c", "other file.yaml")
    out = world("plan", "-c", "other file.yaml").out
    assert "ecs-sync -c 'other file.yaml' resolve" in out


@pytest.mark.parametrize(
    ("words", "coloured"), [([], True), (["--no-color"], False), (["-o", "json"], False)]
)
def test_a_terminal_gets_colours_unless_it_declines_them(
    world: World, words: list[str], coloured: bool
) -> None:
    world.put("acme/a", "1")
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "ecs_sync", "plan", *words]
    environ = {**os.environ, "TERM": "xterm"}
    done = subprocess.run(
        command, cwd=world.folder, stdout=follower, stderr=subprocess.DEVNULL, env=environ, check=False
    )
    os.close(follower)
    shown = b""
    with open(leader, "rb", buffering=0) as terminal:  # noqa: PTH123 - a descriptor, not a path
        while chunk := _read(terminal.fileno()):
            shown += chunk
    assert done.returncode == 2
    assert (b"\x1b[" in shown) is coloured
    assert b"acme/" in shown


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # the other end of a terminal that was closed
        return b""


def test_progress_goes_to_the_terminal_and_results_to_the_output(world: World) -> None:
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "ecs_sync", "sync", "-o", "json"]
    environ = {**os.environ, "TERM": "xterm"}
    done = subprocess.run(
        command, cwd=world.folder, stdout=subprocess.PIPE, stderr=follower, env=environ, check=False
    )
    os.close(follower)
    shown = _read(leader)
    os.close(leader)
    assert done.returncode == 0
    assert done.stdout.startswith(b"{")
    assert b"bringing its places into step" in shown
