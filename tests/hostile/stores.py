"""A store, a key or a saved plan that is not what it should be."""

from __future__ import annotations

import json
import os
import sqlite3

from .cases import Arrangement, Case
from .ground import CANARY, Ground

DATABASE, KEY, PLAN = "ecs-sync.db", "ecs-sync.db.key", "saved.plan"


def _schema(version: str) -> Arrangement:
    return lambda ground: ground.database(f"UPDATE ecs_sync_schema SET version_num = '{version}'")


def _absent(name: str) -> Arrangement:
    return lambda ground: (ground.folder / name).unlink()


def _other(name: str, raw: bytes) -> Arrangement:
    return lambda ground: (ground.folder / name).write_bytes(raw)


def _torn(ground: Ground) -> None:
    path = ground.folder / DATABASE
    ground.database("PRAGMA wal_checkpoint(TRUNCATE)")
    raw = bytearray(path.read_bytes())
    raw[4096:] = b"\x00" * (len(raw) - 4096)
    path.write_bytes(raw)


def _locked(ground: Ground) -> None:
    database = sqlite3.connect(ground.folder / DATABASE)
    database.execute("BEGIN IMMEDIATE")
    ground.afterwards.callback(database.close)


def _saved(ground: Ground) -> None:
    ground.ok("set", "payments", "new", "1")
    assert ground("plan", "payments", "--out", PLAN).code in (2, 4)


def _tampered(ground: Ground) -> None:
    _saved(ground)
    path = ground.folder / PLAN
    path.write_text(path.read_text().replace("new", "old"))


def _of_another_store(ground: Ground) -> None:
    _saved(ground)
    for path in ground.folder.glob(f"{DATABASE}*"):
        path.unlink()
    ground.ok("init")


def _of_another_configuration(ground: Ground) -> None:
    _saved(ground)
    ground.edit("place: acme/", "place: acme/prod/")


def _large(ground: Ground) -> None:
    (ground.folder / PLAN).touch()
    os.truncate(ground.folder / PLAN, 300 * 2**20)


CASES = [
    Case("a newer store", _schema("9999"), "plan", 1, ("newer version", "upgrade ecs-sync")),
    Case("a store that is gone", _absent(DATABASE), "plan", 1, ("does not exist", "ecs-sync init")),
    Case(
        "a store that is no database", _other(DATABASE, CANARY.encode() * 999), "plan", 1, ("not a database",)
    ),
    Case("a store that is damaged", _torn, "plan", 1, ("ecs-sync.db", "damaged")),
    Case(
        "a store of another program",
        lambda g: g.database("DROP TABLE ecs_sync_schema"),
        "plan",
        1,
        ("holds no store",),
    ),
    Case("a store that is locked", _locked, "set payments a 1", 1, ("locked",)),
    Case(
        "a key of fingerprints of another store",
        _other(KEY, b"x" * 32),
        "plan",
        1,
        ("fingerprint key is not the one",),
    ),
    Case("a key of fingerprints that is none", _other(KEY, CANARY.encode()), "plan", 1, (KEY, "32 bytes")),
    Case("a key of fingerprints that is gone", _absent(KEY), "plan", 1, (KEY, "restore it from a backup")),
    Case("a second init", _other("notes", b""), "init", 1, ("exists already",)),
    Case(
        "a plan that was tampered with", _tampered, f"apply {PLAN}", 78, (PLAN, "was changed", "plan again")
    ),
    Case(
        "a plan of another store",
        _of_another_store,
        f"apply {PLAN}",
        78,
        (PLAN, "another store", "plan again"),
    ),
    Case("a plan of another configuration", _of_another_configuration, f"apply {PLAN}", 1, ("plan again",)),
    Case(
        "a plan that is none",
        _other(PLAN, json.dumps({"plan": CANARY}).encode()),
        f"apply {PLAN}",
        78,
        (PLAN, "not a saved plan"),
    ),
    Case(
        "a plan of a hundred thousand levels",
        _other(PLAN, b"[" * 100_000),
        f"apply {PLAN}",
        78,
        (PLAN, "not a saved plan"),
    ),
    Case("a plan of 300 MB", _large, f"apply {PLAN}", 78, (PLAN, "too large")),
    Case("a plan that is a folder", lambda g: (g.folder / PLAN).mkdir(), f"apply {PLAN}", 78, (PLAN,)),
    Case("a plan that is not there", lambda g: None, "apply ./no.plan", 64, ("no.plan",)),
]
