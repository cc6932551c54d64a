"""What a script that calls the command goes by."""

from __future__ import annotations

import signal
import socket
import sqlite3

import pytest

from ecs_sync.store import Store
from ecs_sync.workbench import fingerprint_key_of

from .world import MIRROR, ONE, World


def test_in_sync_is_0_and_a_difference_2(world: World) -> None:
    world("sync")
    assert world("plan").code == 0
    assert world("drift").code == 0
    world.put("acme/a", "1")
    assert world("plan").code == 2
    assert world("drift").code == 2
    assert world("sync").code == 0


def test_a_place_that_cannot_be_seen_is_1_and_said(world: World) -> None:
    world.consul.fail_next(500, body="No cluster leader", times=20)
    planned = world("plan")
    assert planned.code == 1
    assert "not seen" in planned.out
    assert "leader" in planned.out


def test_a_limit_is_3_and_the_command_that_lifts_it_works(world: World) -> None:
    world.configure(
        MIRROR.replace("    links:", "    limits: {changes: 10%, deletes: 10%, floor: 1}\n    links:")
    )
    for n in range(6):
        world("set", "payments", f"k{n}", "1")
    assert world("sync").code == 0
    for n in range(4):
        world("set", "payments", f"k{n}", "2")
    planned = world("plan")
    assert planned.code == 3
    command = next(line for line in planned.out.splitlines() if "--allow" in line).partition(": ")[2]
    stopped = world("sync")
    assert stopped.code == 3
    assert "nothing was changed" in stopped.out
    assert world.at_consul("acme/k0") == "1"
    words = command.split()
    assert words[0] == "ecs-sync"
    assert world(*words[1:]).code == 0
    assert world.at_consul("acme/k0") == "2"


def test_a_refused_key_is_4_while_the_others_are_carried_out(world: World) -> None:
    world.configure(MIRROR)
    world("set", "payments", "a b", "1")
    world("set", "payments", "ok", "1")
    synced = world("sync")
    assert synced.code == 4
    assert world.at_consul("acme/ok") == "1"
    assert "refused" in synced.out


def test_a_conflict_is_5_and_the_command_that_decides_it_works(world: World) -> None:
    world("set", "payments", "a", "mine")
    world.put("acme/a", "theirs")
    planned = world("plan")
    assert planned.code == 5
    synced = world("sync")
    assert synced.code == 5
    assert "in sync" not in synced.out
    assert world("conflicts").code == 5
    command = next(line for line in planned.out.splitlines() if "resolve" in line).partition(": ")[2]
    assert world(*command.split()[1:]).code == 0
    assert world("sync").code == 0
    assert world.at_consul("acme/a") == "mine"
    assert world("conflicts").code == 0


def test_a_stale_saved_plan_leaves_the_key_that_moved_and_is_4(world: World) -> None:
    world.configure(MIRROR)
    for key in ("a", "b"):
        world("set", "payments", key, "1")
    assert world("plan", "payments", "--out", "p.plan").code == 2
    world("set", "payments", "a", "2")
    applied = world("apply", "p.plan")
    assert applied.code == 4
    assert "moved since the plan was saved" in applied.out
    assert (world.at_consul("acme/a"), world.at_consul("acme/b")) == (None, "1")


@pytest.mark.parametrize(
    "words",
    [
        ["pan"],
        ["plan", "nope"],
        ["plan", "--nope"],
        ["get", "payments"],
        ["apply", "nope"],
        ["set", "payments", "a//b", "1"],
        ["diff", "payments@x", "payments"],
        ["plan", "-o", "xml"],
        [],
    ],
)
def test_a_wrong_line_is_64_and_changes_nothing(world: World, words: list[str]) -> None:
    assert world(*words).code == 64
    assert world("store", "info", "-o", "json").json["version"] == 0


def test_a_mistyped_verb_or_job_names_the_nearest(world: World) -> None:
    assert "did you mean 'plan'" in world("pan").err
    assert "did you mean 'payments'" in world("plan", "payment").err


def test_every_problem_of_the_configuration_is_a_line_with_its_place_and_78(world: World) -> None:
    world.configure(ONE.replace("mode: two-way", "mode: both").replace("mapping: path", "mapping: pth"))
    failed = world("plan")
    assert failed.code == 78
    lines = failed.err.strip().splitlines()
    assert len(lines) == 2
    assert all(line.startswith("ecs-sync.yaml:11:") for line in lines)
    assert world("validate", "-o", "json").json["problems"][0]["line"] == 11
    assert world("validate").code == 78


def test_a_missing_secret_is_a_problem_with_its_place(world: World) -> None:
    text = (world.folder / "ecs-sync.yaml").read_text()
    (world.folder / "ecs-sync.yaml").write_text(text.replace("timeout: 2", "timeout: 2, token: env:NOT_SET"))
    failed = world("validate")
    assert failed.code == 78
    assert "NOT_SET is not set" in failed.err
    assert world("validate", "--without-secrets").code == 0
    assert world("plan").code == 78


def test_a_missing_secret_is_told_with_whatever_else_is_wrong(world: World) -> None:
    text = (world.folder / "ecs-sync.yaml").read_text().replace("mode: two-way", "mode: both")
    (world.folder / "ecs-sync.yaml").write_text(text.replace("timeout: 2", "timeout: 2, token: env:NOT_SET"))
    failed = world("validate")
    assert failed.code == 78
    assert "NOT_SET is not set" in failed.err and "links[0].mode: must be" in failed.err
    assert len(world("validate", "-o", "json").json["problems"]) == len(failed.err.splitlines())
    assert "NOT_SET" not in world("validate", "--without-secrets").err


@pytest.mark.parametrize(
    ("key", "validated", "reason"),
    [("nonsense", 78, "holds no key: 32 bytes"), ("7f" * 32, 0, "sealed with another key")],
)
def test_a_key_that_is_not_the_stores_is_78_at_its_line(
    world: World, monkeypatch: pytest.MonkeyPatch, key: str, validated: int, reason: str
) -> None:
    world("set", "payments", "pin", "--secret", given="1234")
    text = (world.folder / "ecs-sync.yaml").read_text()
    (world.folder / "ecs-sync.yaml").write_text(text.replace("file:secrets.key", "env:JKEY"))
    monkeypatch.setenv("JKEY", key)
    assert world("validate").code == validated
    failed = world("plan")
    assert failed.code == 78
    assert failed.err.startswith("ecs-sync.yaml:1:") and "store.key" in failed.err and reason in failed.err
    assert key not in failed.err


@pytest.mark.parametrize("source", ["env:NOT_SET", "file:not-there"])
def test_a_missing_secret_is_78_of_one_job_and_of_several(world: World, source: str) -> None:
    other = ONE.replace("payments", "locked").replace("acme", "globex").replace("consul,", "vault,")
    world.configure(ONE + other)
    path = world.folder / "ecs-sync.yaml"
    vault = f'  vault: {{adapter: consul, url: "{world.consul.url}", token: "{source}"}}\n'
    path.write_text(path.read_text().replace("connections:\n", f"connections:\n{vault}"))
    world.put("acme/a", "1")
    for verb in ("plan", "drift", "sync"):
        alone, together = world(verb, "locked"), world(verb)
        assert (alone.code, together.code) == (78, 78)
        assert source.partition(":")[2] in alone.err
        assert "ecs-sync.yaml:3:" in together.out
    assert world("sync", "payments").code == 0
    assert world("get", "payments", "a").out == "1\n"
    missing = world("plan", "-o", "json").json
    assert (missing["exit"], [each["job"] for each in missing["failures"]]) == (78, ["locked"])


def test_no_configuration_says_what_to_do(bare: World) -> None:
    failed = bare("plan")
    assert failed.code == 78
    assert "ecs-sync init" in failed.err


def test_a_store_that_is_gone_is_a_sentence_and_1(world: World) -> None:
    (world.folder / "ecs-sync.db").unlink()
    failed = world("plan")
    assert failed.code == 1
    assert "ecs-sync init" in failed.err
    assert "Traceback" not in failed.err


def test_a_job_that_somebody_else_runs_is_1_and_names_the_holder(world: World) -> None:
    from ecs_sync.config import load

    config = load(world.folder / "ecs-sync.yaml", environ={})
    key = fingerprint_key_of(config).load()
    with Store.open(config.store.address(), fingerprint_key=key) as store:
        lease = store.acquire("payments", "somebody else at another host", ttl=60, wait=0)
        failed = world("sync")
        store.release(lease)
    assert failed.code == 1
    assert "somebody else at another host" in failed.err


def test_one_job_that_fails_does_not_keep_the_others(world: World) -> None:
    other = ONE.replace("payments", "broken").replace("acme", "globex").replace("consul,", "files,")
    other = other.replace("place: globex/", "place: x.yaml").replace("mapping: path", "mapping: document")
    world.configure(ONE + other)
    world.put("acme/a", "1")
    synced = world("sync", "-o", "json")
    assert {report["job"] for report in synced.json["reports"]} == {"payments", "broken"}
    assert world("get", "payments", "a").out == "1\n"


def test_an_unexpected_error_tells_where_and_no_more(world: World) -> None:
    database = sqlite3.connect(world.folder / "ecs-sync.db")
    database.execute("DROP TABLE run")
    database.commit()
    database.close()
    failed = world("runs", "-v")
    assert failed.code == 1
    assert "Traceback" not in failed.err
    assert "SELECT" not in failed.err


def test_ctrl_c_is_130_and_the_next_run_goes_on(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        text = (world.folder / "ecs-sync.yaml").read_text()
        deaf = f"http://127.0.0.1:{silent.getsockname()[1]}"
        (world.folder / "deaf.yaml").write_text(text.replace(world.consul.url, deaf))
        process = world.process("-c", "deaf.yaml", "sync")
        silent.settimeout(30)
        connection, _ = silent.accept()
        with connection:
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b"interrupted" in err
    assert b"Traceback" not in err
    (cut,) = world("runs", "-o", "json").json["runs"]
    assert (cut["state"], cut["exit"]) == ("done", 130)
    assert "interrupted" in world("runs").out
    assert world("sync").code == 0
    assert world("runs", "-o", "json").json["runs"][0]["exit"] == 0


def test_a_reader_that_goes_away_is_no_error(world: World) -> None:
    for n in range(50):
        world.put(f"acme/{'k' * 200}{n}", "v" * 2000)
    process = world.process("plan", "-o", "json")
    assert process.stdout is not None
    process.stdout.read(1)
    process.stdout.close()
    assert process.wait(timeout=60) == 2
    assert process.stderr is not None
    assert process.stderr.read() == b""


def test_options_count_in_front_of_the_verb_and_behind_it(world: World) -> None:
    assert world("-o", "json", "plan").json == world("plan", "-o", "json").json
    assert world("-c", "nope.yaml", "plan").code == 78
    assert world("plan", "-c", "nope.yaml").code == 78
