"""A secret is nowhere in what the store leaves on the disk, in no spelling, not even in freed pages."""

from __future__ import annotations

import base64
import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from ecs_sync.errors import StoreError
from ecs_sync.model import Entry, Key, Type, Value
from ecs_sync.store import Candidate, Cipher, EntryChange, Store
from ecs_sync_sandbox.postgresql import PostgresqlServer

from .making import HAND, KEY, SCOPE, SEALING_KEY, change, commit, secret


def spellings(canary: str) -> Iterator[bytes]:
    raw = canary.encode()
    yield from (raw, raw[::-1], raw[: len(raw) // 2], raw[len(raw) // 2 :])
    yield from (raw.hex().encode(), raw.hex().upper().encode(), canary.encode("utf-16-le"))
    for shift in range(3):
        # The middle of the base64 text is the same wherever the secret stands in what was encoded.
        yield base64.b64encode(b"\0" * shift + raw)[4:-4]


def files(url: str, store: Store, request: pytest.FixtureRequest, tmp_path: Path) -> list[Path]:
    """Everything on the disk that the database consists of, written out."""
    if url.startswith("sqlite"):
        return [path for path in tmp_path.rglob("*") if path.is_file()]
    server: PostgresqlServer = request.getfixturevalue("postgresql")
    with store.database.writing() as connection:
        connection.execute(text("CHECKPOINT"))
    return [path for path in server.data.rglob("*") if path.is_file()]


def assert_nowhere(canary: str, paths: list[Path]) -> None:
    assert paths
    for path in paths:
        # A server removes files of its own while it is looked at.
        with contextlib.suppress(FileNotFoundError):
            content = path.read_bytes()
            assert not [one for one in spellings(canary) if one in content], path.name


@pytest.fixture
def canary() -> str:
    return "canary-" + secrets.token_hex(24)


def test_a_secret_is_nowhere_on_the_disk_whatever_became_of_it(
    url: str, store: Store, canary: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    entry = secret("password", canary).entry
    assert entry is not None
    fingerprint = store.fingerprinter.of(entry)
    commit(store, secret("password", canary), change("beside", "plain"))
    commit(store, secret("password", canary + "!"))
    commit(store, change("password", None))
    with store.transaction() as transaction:
        archived = transaction.archive(
            SCOPE,
            Key("password"),
            "store",
            entry,
            fingerprint,
            secret=True,
            item=None,
            revision=None,
            reason="overwritten",
            run=None,
        )
        candidates = [Candidate("store", fingerprint, HAND, archived), Candidate("a", None, HAND)]
        transaction.record_conflict(SCOPE, Key("password"), "job", candidates, None, "hold", None)
        transaction.audit("tester", "changed", {"key": "password"})
    with pytest.raises(ZeroDivisionError), store.transaction() as transaction:
        transaction.commit(SCOPE, [secret("undone", canary)], origin="hand", reason="", who="tester")
        raise ZeroDivisionError
    with Store.open(url, fingerprint_key=KEY) as without:
        with pytest.raises(StoreError) as refusal:
            commit(without, secret("refused", canary))
        assert canary not in str(refusal.value)
        assert without.stored(SCOPE, ["password"], 1)["password"].sealed

    assert_nowhere(canary, files(url, store, request, tmp_path))
    rotated = Cipher(b"another sealing key, 32 bytes..!")
    assert store.rotate(rotated) == 3
    assert_nowhere(canary, files(url, store, request, tmp_path))
    kept = store.archived(archived)
    assert kept is not None
    assert kept.entry == entry


def test_the_scan_finds_what_is_there(
    url: str, store: Store, canary: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    commit(store, change("plain", canary))
    with pytest.raises(AssertionError):
        assert_nowhere(canary, files(url, store, request, tmp_path))


def test_a_reference_to_a_secret_needs_no_cipher(url: str, store: Store) -> None:
    reference = Entry(Key("password"), Value(Type.REFERENCE, "@secret:vault/acme#password"), secret=True)
    with Store.open(url, fingerprint_key=KEY) as without:
        commit(without, EntryChange(Key("password"), reference, HAND))
        assert without.stored(SCOPE, ["password"])["password"].entry == reference


def test_rotating_changes_every_secret_and_its_key_and_nothing_else(url: str, store: Store) -> None:
    for number in range(700):
        commit(store, secret(f"key{number % 7}", f"canary-{number}"), change("plain", str(number)))
    before = [store.at(SCOPE, at) for at in (1, 350, 700)]
    other = b"another sealing key, 32 bytes..!"
    assert store.rotate(Cipher(other)) == 700
    assert [store.at(SCOPE, at) for at in (1, 350, 700)] == before
    assert store.rotate(Cipher(other)) == 0
    with Store.open(url, fingerprint_key=KEY, cipher=Cipher(other)) as reopened:
        assert reopened.at(SCOPE, 700) == before[2]
    with pytest.raises(StoreError, match=r"store\.key is not the one"):
        Store.open(url, fingerprint_key=KEY, cipher=Cipher(SEALING_KEY))


def test_a_rotation_that_stopped_half_way_loses_no_secret_and_can_go_on(url: str, store: Store) -> None:
    names = [f"key{number:04d}" for number in range(600)]
    commit(store, *(secret(name, f"canary-{name}") for name in names))
    whole = store.at(SCOPE, 1)
    select = text("SELECT sealed FROM entry WHERE key = 'key0599'")
    update = text("UPDATE entry SET sealed = :sealed WHERE key = 'key0599'")
    with store.database.writing() as connection:
        sealed = connection.execute(select).scalar_one()
        connection.execute(update, {"sealed": sealed[:-1] + bytes([sealed[-1] ^ 1])})
    new = b"another sealing key, 32 bytes..!"
    with pytest.raises(StoreError, match="does not open"):
        store.rotate(Cipher(new))
    with pytest.raises(StoreError, match=r"store\.key is not the one"):
        Store.open(url, fingerprint_key=KEY, cipher=Cipher(SEALING_KEY))
    with Store.open(url, fingerprint_key=KEY, cipher=Cipher(new, [SEALING_KEY])) as between:
        assert between.stored(SCOPE, names[:-1]) == {name: whole[name] for name in names[:-1]}
        with between.database.writing() as connection:
            connection.execute(update, {"sealed": sealed})
        assert between.rotate(Cipher(new, [SEALING_KEY])) == 100
    with Store.open(url, fingerprint_key=KEY, cipher=Cipher(new)) as after:
        assert after.at(SCOPE, 1) == whole


def test_a_sealed_secret_that_was_moved_or_altered_does_not_open(store: Store) -> None:
    commit(store, secret("a", "canary-1"), secret("b", "canary-2"))
    with store.database.writing() as connection:
        sealed = connection.execute(text("SELECT sealed FROM entry WHERE key = 'a'")).scalar_one()
        connection.execute(text("UPDATE entry SET sealed = :s WHERE key = 'b'"), {"s": sealed})
    with pytest.raises(StoreError, match="altered or moved") as refusal:
        store.stored(SCOPE, ["b"])
    assert "canary" not in str(refusal.value)
    assert store.stored(SCOPE, ["a"])["a"].entry == secret("a", "canary-1").entry


def test_the_same_secret_is_sealed_differently_each_time(store: Store) -> None:
    commit(store, secret("a", "canary"), secret("b", "canary"))
    with store.database.reading() as connection:
        sealed = connection.execute(text("SELECT sealed FROM entry")).scalars().all()
    assert len(set(sealed)) == 2


def test_keys_do_not_show_in_what_is_printed(store: Store) -> None:
    shown = repr((store, store.fingerprinter, Cipher(SEALING_KEY), store.chain))
    for key in (KEY, SEALING_KEY):
        assert key.decode() not in shown
        assert key.hex() not in shown


def test_a_transaction_that_fails_in_the_database_quotes_no_value(store: Store) -> None:
    canary = "canary-" + os.urandom(8).hex()
    with pytest.raises(StoreError) as refusal, store.database.writing() as connection:
        connection.execute(text("INSERT INTO lease (job, epoch) VALUES (:job, NULL)"), {"job": canary})
    assert canary not in str(refusal.value)
    assert refusal.value.__suppress_context__
