"""What only a process of its own can meet: a full disk, a reader that goes, a hand that stops it."""

from __future__ import annotations

import os
import resource
import signal
import socket
from collections.abc import Callable

import pytest

from .cases import document
from .ground import CANARY, Ground


def room(size: int) -> Callable[[], None]:
    """From here on no file grows beyond so many bytes, as on a disk that is full."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


def test_a_full_disk_under_the_store_is_named_and_no_entry_is_half_written(ground: Ground) -> None:
    (ground.folder / "large").write_text(CANARY * 20_000)
    before = ground.state()
    process = ground.process("set", "payments", "large", "--from", "large", limit=room(1 << 16))
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert b"ecs-sync.db" in err
    assert b"full" in err
    assert b"Traceback" not in err
    assert CANARY.encode() not in out + err
    assert ground.state() == before
    assert b"whole" in ground.process("audit", "verify").communicate(timeout=60)[0]
    ground.ok("set", "payments", "large", "--from", "large")


def test_a_full_disk_under_a_file_leaves_the_file_and_no_other_behind(ground: Ground) -> None:
    text = "a=1\n" + f"# {'x' * 998}\n" * 1500
    document("s.properties", text, text.encode())(ground)
    ground.ok("set", "documents", "a", "2")
    before = ground.state()
    process = ground.process("sync", "documents", limit=room(1 << 20))
    out, err = process.communicate(timeout=60)
    assert process.returncode in (1, 4)
    assert b"s.properties" in out
    assert b"full" in out
    assert b"Traceback" not in out + err
    assert ground.state() == before
    ground.ok("sync", "documents")
    assert ground.file("s.properties").read_text() == text.replace("a=1", "a=2")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read_is_not_seen_and_named(ground: Ground) -> None:
    document("s.yaml", "a: 1\n", b"a: 2\n")(ground)
    ground.file("s.yaml").chmod(0)
    answer = ground("sync", "documents")
    assert answer.code == 1
    assert "s.yaml: Permission denied" in answer.said


def test_keys_that_a_container_mounts_for_everybody_open_the_store(ground: Ground) -> None:
    for name in ("secrets.key", "ecs-sync.db.key"):
        (ground.folder / name).chmod(0o444)
    ground.ok("get", "payments", "db/password")
    assert (ground.folder / "secrets.key").stat().st_mode & 0o777 == 0o444


def test_a_reader_that_goes_away_is_no_error(ground: Ground) -> None:
    for n in range(200):
        ground.consul.kv.put(f"acme/{'k' * 200}{n}", b"v" * 2000)
    process = ground.process("plan", "payments", "-o", "json")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(1)
    process.stdout.close()
    assert process.wait(timeout=60) in (0, 2)
    assert process.stderr.read() == b""


def test_ctrl_c_while_a_server_says_nothing_is_130_and_loses_nothing(ground: Ground) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        ground.edit(ground.consul.url, f"http://127.0.0.1:{silent.getsockname()[1]}")
        before = ground.state()
        process = ground.process("sync", "payments")
        connection, _ = silent.accept()
        with connection:
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"the next run of the job finishes what was under way" in err
    assert b"Traceback" not in err
    assert ground.state() == before


def test_a_formula_goes_into_a_table_with_an_apostrophe_and_comes_back_without(ground: Ground) -> None:
    document("s.csv", "key,value\na,1\n", b"key,value\na,1\n")(ground)
    ground.ok("set", "documents", "a", "--type", "string", given='=HYPERLINK("http://x","y")')
    ground.ok("sync", "documents")
    assert ground.file("s.csv").read_text().splitlines()[1].startswith("a,\"'=")
    assert ground("plan", "documents").code == 0
    assert ground("get", "documents", "a").said == '=HYPERLINK("http://x","y")\n'
