"""``sandbox up``: what it prints works as it stands, and nothing of it is left when it ends."""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import socket
import stat
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.request import Request, urlopen

import pytest
from ruamel.yaml import YAML

from ecs_sync_sandbox.openbao import ROOT_TOKEN
from ecs_sync_sandbox.serving import ending
from ecs_sync_sandbox.stand_ins import ROWS, SECRETS, WRAPPING

PATIENCE = 60.0
ONE_SANDBOX = pytest.mark.xdist_group("sandbox-up")
ROTATED = "another-password"
COPIES = {"ssm", "aws-secrets", "keyvault", "gcp-secrets", "vault-kv1"}


@dataclass
class Up:
    """A running ``sandbox up``, and the folder that its configuration is used in."""

    process: subprocess.Popen[bytes]
    folder: Path
    environ: dict[str, str]

    @property
    def config(self) -> str:
        return (self.folder / "ecs-sync.yaml").read_text()

    @property
    def notes(self) -> str:
        return (self.folder / "notes").read_text()

    def shell(self, line: str) -> subprocess.CompletedProcess[str]:
        """Runs a line in a shell that has read the notes."""
        command = ["sh", "-c", f". ./notes && {line}"]
        return subprocess.run(
            command, cwd=self.folder, env=self.environ, capture_output=True, text=True, check=False
        )


def environment(**more: str) -> dict[str, str]:
    """That of a stranger who has nothing but the command."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {"PATH": path, "HOME": "/nonexistent", **more}


def started(folder: Path, *words: str, **environ: str) -> Up:
    """The process, which may not be ready yet."""
    command = [sys.executable, "-m", "ecs_sync", "sandbox", "up", *words]
    given = environment(**environ)
    with (folder / "ecs-sync.yaml").open("wb") as out, (folder / "notes").open("wb") as err:
        process = subprocess.Popen(command, cwd=folder, env=given, stdout=out, stderr=err)
    return Up(process, folder, given)


@contextmanager
def serving(folder: Path, *words: str, **environ: str) -> Iterator[Up]:
    up = started(folder, *words, **environ)
    try:
        end = time.monotonic() + PATIENCE
        while "Ctrl-C" not in up.notes:
            assert up.process.poll() is None, up.notes
            assert time.monotonic() < end, up.notes
            time.sleep(0.02)
        yield up
    finally:
        up.process.send_signal(signal.SIGTERM)
        assert up.process.wait(PATIENCE) == 0


def children(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(words[1]) == pid:
            found.append(int(entry.parent.name))
    return found


def listening(pids: list[int]) -> set[str]:
    """The local addresses, in the kernel's spelling, on which these processes listen."""
    inodes = set()
    for pid in pids:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            try:
                inodes.add(str(link.readlink()))
            except OSError:
                continue
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == "0A" and f"socket:[{words[9]}]" in inodes:
                found.add(words[1].partition(":")[0])
    return found


def whole(up: Up) -> Up:
    """Visibly skipped where a stand-in's package is not installed, unless all must be there."""
    missing = [line for line in up.notes.splitlines() if line.startswith("# without")]
    if missing and os.environ.get("ECS_SYNC_REQUIRE_BACKENDS") == "all":
        pytest.fail("\n".join(missing))
    if missing:
        pytest.skip("\n".join(missing))
    return up


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """All stand-ins, with a store and one run behind them."""
    with serving(tmp_path_factory.mktemp("sandbox")) as started:
        whole(started)
        made = started.shell("ecs-sync init && ecs-sync sync")
        assert made.returncode == 0, made.stdout + made.stderr
        yield started


def at_vault(up: Up, path: str, body: dict[str, object] | None = None) -> object:
    """What lies there; with ``body``, after that was written."""
    url = YAML(typ="safe").load(up.config)["connections"]["vault"]["url"]
    sent = None if body is None else json.dumps(body).encode()
    with urlopen(Request(f"{url}/v1/{path}", sent, {"X-Vault-Token": ROOT_TOKEN}), timeout=10) as answer:
        return json.load(answer)["data"]


@ONE_SANDBOX
def test_everything_printed_is_reached_and_a_second_run_has_nothing_to_do(up: Up) -> None:
    seats = {seat.connection for row in ROWS for seat in row.seats}
    assert set(YAML(typ="safe").load(up.config)["connections"]) == seats
    assert up.shell("ecs-sync validate --references").returncode == 0
    planned = up.shell("ecs-sync plan -o json")
    assert planned.returncode == 0, planned.stdout
    [plan] = json.loads(planned.stdout)["plans"]
    assert {looked["link"] for looked in plan["links"]} == seats
    drifted = up.shell("ecs-sync drift --all")
    assert drifted.returncode == 0, drifted.stdout


@ONE_SANDBOX
def test_the_store_has_references_and_the_places_made_for_secrets_have_copies(up: Up) -> None:
    shown = up.shell("ecs-sync get demo db/password")
    assert shown.stdout == "@secret:vault/demo/db#password\n"
    there = at_vault(up, "secret/data/demo/db")
    assert isinstance(there, dict)
    assert at_vault(up, "kv1/demo/db") == there["data"]


@ONE_SANDBOX
@pytest.mark.parametrize(
    ("by", "key"),
    [
        ("vault", WRAPPING),
        ("vault-kv1", WRAPPING),
        ("ssm", f"alias/{WRAPPING}"),
        ("aws-secrets", f"alias/{WRAPPING}"),
        ("keyvault", WRAPPING),
    ],
)
def test_the_key_of_the_store_can_be_wrapped_by_whoever_wraps_keys(up: Up, by: str, key: str) -> None:
    made = up.shell(f"ecs-sync store new-key {by}.wrapped --by {by} --with {key}")
    assert made.returncode == 0, made.stderr


@ONE_SANDBOX
def test_a_secret_rotated_in_vault_reaches_every_copy_by_the_next_run(up: Up) -> None:
    at_vault(up, "secret/data/demo/db", {"data": {**SECRETS, "password": ROTATED}})
    ran = up.shell("ecs-sync sync -o json")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ROTATED not in ran.stdout + ran.stderr
    done = json.loads(up.shell("ecs-sync audit show -o json").stdout)["records"]
    [rotated] = [record["number"] for record in done if record["action"] == "SecretRotated"]
    after = [record for record in done if record["number"] > rotated and record["action"] == "write"]
    assert {record["details"]["link"] for record in after} == COPIES
    assert at_vault(up, "kv1/demo/db") == {**SECRETS, "password": ROTATED}
    assert up.shell("ecs-sync plan").returncode == 0


def knock(port: int, line: str) -> None:
    """Somebody who asks for what there is not, and somebody who leaves in the middle of a request."""
    for end in ("\r\n", "Content-Length: 99\r\n\r\nno more"):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
            client.sendall(f"{line} HTTP/1.1\r\nHost: sandbox\r\n{end}".encode())
            client.settimeout(0.2)
            with suppress(OSError):
                client.recv(100)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@ONE_SANDBOX
def test_the_notes_are_a_script_and_hold_no_more_than_exports(up: Up) -> None:
    for port in {int(found) for found in re.findall(r"127\.0\.0\.1:(\d+)", up.config)}:
        for line in ("GET /no/such", "POST /", "BREW /"):
            knock(port, line)
    lines = [line for line in up.notes.splitlines() if not line.startswith("#")]
    assert lines
    assert all(line.startswith("export ") and "SANDBOX" in line for line in lines)
    names = [line.removeprefix("export ").partition("=")[0] for line in lines]
    assert len(names) == len(set(names))
    assert all(f"env:{name}" in up.config for name in names)


@ONE_SANDBOX
@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="looks at Linux's table of sockets")
def test_nobody_else_can_reach_a_stand_in(up: Up) -> None:
    pids = [up.process.pid, *children(up.process.pid)]
    assert listening(pids) <= {"0100007F", "0000000000000000FFFF00000100007F"}
    assert listening(pids)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_nothing_is_left_when_it_is_asked_to_end(tmp_path: Path, number: signal.Signals) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with serving(tmp_path, TMPDIR=str(temporary)) as up:
        whole(up)
        inside = children(up.process.pid)
        assert inside
        assert list(temporary.iterdir())
        up.process.send_signal(number)
        assert up.process.wait(PATIENCE) == 0
    assert not [pid for pid in inside if Path(f"/proc/{pid}").exists()]
    assert list(temporary.iterdir()) == []


@pytest.mark.timeout(20)
def test_a_second_signal_ends_it_too_wherever_it_is_met() -> None:
    """Handlers run between any two lines: one that needs a lock would wait for the line it interrupts."""
    passed, met = 1, 0
    while met < passed:
        with ending() as wait_for_end:
            signal.raise_signal(signal.SIGTERM)
            passed = signalled(wait_for_end, met)
        met += 1


SIGNALLER = """
import os, random, signal, sys, time
while os.read(0, 1):
    end = time.perf_counter() + random.random() * 4e-4
    while time.perf_counter() < end:
        pass
    os.kill(int(sys.argv[1]), signal.SIGTERM)
"""
"""Sends a signal right after each byte that it reads."""


def test_a_signal_is_heard_that_comes_as_the_waiting_begins() -> None:
    """Of these, some come in the instant before the thread falls asleep, where they wake nobody."""
    command = [sys.executable, "-c", SIGNALLER, str(os.getpid())]
    with contended(), subprocess.Popen(command, stdin=subprocess.PIPE, bufsize=0) as signaller:
        assert signaller.stdin is not None
        for _ in range(400):
            with ending() as wait_for_end:
                signaller.stdin.write(b".")
                wait_for_end()


@contextmanager
def contended() -> Iterator[None]:
    """Other threads want the interpreter as well, again and again, so that any instant lasts longer."""
    over = threading.Event()

    def come_and_go() -> None:
        while not over.wait(0.0001):
            sum(range(2000))

    others = [threading.Thread(target=come_and_go) for _ in range(3)]
    for other in others:
        other.start()
    try:
        yield
    finally:
        over.set()
        for other in others:
            other.join()


def signalled(wait: Callable[[], object], met: int) -> int:
    """Waits, with a signal at the line of that number. The lines that the wait took."""
    lines = itertools.count()

    def step(frame: FrameType, event: str, _: object) -> Any:
        if event == "line" and next(lines) == met:
            signal.raise_signal(signal.SIGTERM)
        return step

    before = sys.gettrace()
    sys.settrace(step)
    try:
        wait()
    finally:
        sys.settrace(before)
    return next(lines)


def test_only_what_was_asked_for_is_served_and_its_configuration_works(tmp_path: Path) -> None:
    with serving(tmp_path, "--only", "azure-appconfig", "--only", "consul") as up:
        assert list(YAML(typ="safe").load(up.config)["connections"]) == ["consul", "azure-appconfig"]
        ran = up.shell("ecs-sync init && ecs-sync set demo greeting hello && ecs-sync sync")
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert "converged" in ran.stdout


@pytest.mark.parametrize("name", ["aws", "aws-appconfig", "azure-keyvault", "gcp-secrets"])
def test_a_stand_in_that_is_alone_is_filled_as_its_notes_say(tmp_path: Path, name: str) -> None:
    with serving(tmp_path, "--only", name) as up:
        [line] = [line for line in up.notes.splitlines() if line.startswith("# put something there: ")]
        ran = up.shell(f"ecs-sync init && {line.partition(': ')[2]}")
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert "converged" in ran.stdout
        assert "1234" not in ran.stdout + ran.stderr + up.config


def test_a_stand_in_whose_package_is_missing_is_named_and_the_others_are_served(tmp_path: Path) -> None:
    without = hidden(tmp_path, "trustme")
    with serving(tmp_path, PYTHONPATH=without) as up:
        assert "pip install 'ecs-sync[sandbox]'" in up.notes
        assert "# without azure-keyvault: needs trustme" in up.notes
        assert "keyvault" not in YAML(typ="safe").load(up.config)["connections"]


def test_a_stand_in_that_no_adapter_can_reach_is_not_served(tmp_path: Path) -> None:
    up = started(tmp_path, "--only", "vault", PYTHONPATH=hidden(tmp_path, "hvac"))
    assert up.process.wait(PATIENCE) == 78
    assert "hvac" in up.notes
    assert "pip install 'ecs-sync[vault]'" in up.notes
    assert up.config == ""


def test_a_stand_in_that_was_asked_for_and_is_missing_stops_it(tmp_path: Path) -> None:
    without = hidden(tmp_path, "trustme")
    up = started(tmp_path, "--only", "azure-keyvault", "--only", "consul", PYTHONPATH=without)
    assert up.process.wait(PATIENCE) == 78
    assert "'azure-keyvault': needs trustme" in up.notes
    assert up.config == ""


def hidden(folder: Path, package: str) -> str:
    """A folder for PYTHONPATH in which a package cannot be imported."""
    path = folder / "hidden"
    path.mkdir()
    (path / f"{package}.py").write_text(f"raise ModuleNotFoundError('hidden', name={package!r})\n")
    return str(path)


def test_every_port_that_is_taken_is_named_and_nothing_stays_up(tmp_path: Path) -> None:
    with socket.socket() as one, socket.socket() as two:
        for taken in (one, two):
            taken.bind(("127.0.0.1", 0))
            taken.listen()
        ports = [taken.getsockname()[1] for taken in (one, two)]
        up = started(tmp_path, "--port", f"consul={ports[0]}", "--port", f"vault={ports[1]}")
        assert up.process.wait(PATIENCE) == 1
    whole(up)
    assert f"'consul' cannot be served on port {ports[0]}" in up.notes
    assert f"'vault' cannot be served on port {ports[1]}" in up.notes
    assert up.config == ""


def test_a_stand_in_is_served_where_it_was_asked_to_be(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with serving(tmp_path, "--only", "consul", "--port", f"consul={port}") as up:
        assert f'url: "http://127.0.0.1:{port}"' in up.config


@pytest.mark.parametrize("word", ["consul", "consul=", "consul=-1", "consul=65536", "nobody=80", "=80"])
def test_a_port_that_says_nothing_is_refused_with_the_names_there_are(tmp_path: Path, word: str) -> None:
    up = started(tmp_path, "--port", word)
    assert up.process.wait(PATIENCE) == 64
    assert "NAME=PORT" in up.notes
    assert "gcp-secrets" in up.notes


def test_the_environment_goes_to_a_file_that_only_its_owner_reads(tmp_path: Path) -> None:
    file = tmp_path / "sandbox.env"
    file.write_text("old")
    file.chmod(0o644)
    with serving(tmp_path, "--only", "aws", "--env-file", "sandbox.env") as up:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert "export ECS_SYNC_SANDBOX_AWS_KEY=" in file.read_text()
        assert "export" not in up.notes
        assert f". {file}" in up.notes
        (tmp_path / "notes").write_text(file.read_text())
        ran = up.shell("ecs-sync init && ecs-sync plan")
        assert ran.returncode == 0, ran.stdout + ran.stderr
    assert not list(tmp_path.glob(".sandbox.env*"))


def test_a_store_of_yesterday_is_gone_on_with_where_its_key_is_in_the_environment(tmp_path: Path) -> None:
    with serving(tmp_path, "--only", "consul") as up:
        assert up.shell("ecs-sync init && ecs-sync sync").returncode == 0
        key = up.notes.partition("STORE_KEY=")[2].splitlines()[0]
    kept = key.strip("'")
    with serving(tmp_path, "--only", "consul", ECS_SYNC_SANDBOX_STORE_KEY=kept) as up:
        assert up.shell("ecs-sync sync").returncode == 0
