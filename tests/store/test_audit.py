"""Nobody edits, drops, reorders or cuts the audit trail without being noticed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from ecs_sync.errors import StoreError
from ecs_sync.store import AuditReport, Store, audit, schema

from .making import KEY, change, commit

RECORDS = 12
"""Ten of the test's own behind the one of the making, and one more behind the last checkpoint."""


@pytest.fixture
def audited(store: Store) -> Store:
    for number in range(RECORDS - 2):
        with store.transaction() as transaction:
            transaction.audit("tester", "changed", {"key": f"a/{number}", "nested": {"b": [1, None]}})
            if number % 3 == 0:
                transaction.checkpoint()
    with store.transaction() as transaction:
        transaction.checkpoint()
        transaction.audit("tester", "changed", {})
    return store


class UndoneError(Exception):
    """Ends a transaction that a test does not want to keep."""


@contextmanager
def tampering(store: Store) -> Iterator[Connection]:
    """A connection whose owner can do everything; what it does is undone."""
    try:
        with store.database.writing() as connection:
            for table in ("audit", "checkpoint"):
                if connection.dialect.name == "postgresql":
                    connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER ALL"))
                else:
                    for event in ("update", "delete"):
                        connection.execute(text(f"DROP TRIGGER {table}_{event}"))
            yield connection
            raise UndoneError
    except UndoneError:
        pass


def verify(store: Store, connection: Connection) -> AuditReport:
    return audit.verify(connection, store.chain)


def test_an_honest_trail_is_verified_and_can_be_read(audited: Store) -> None:
    report = audited.verify_audit()
    assert (report.ok, report.records, report.checkpoints, report.broken) == (True, RECORDS, 5, None)
    records = list(audited.audit_trail())
    assert [record.number for record in records] == list(range(1, RECORDS + 1))
    assert records[1].details == '{"key":"a/0","nested":{"b":[1,null]}}'
    assert [record.number for record in audited.audit_trail(after=10)] == [11, 12]


def test_the_same_checkpoint_twice_is_one(audited: Store) -> None:
    before = audited.verify_audit().checkpoints
    for _ in range(2):
        with audited.transaction() as transaction:
            transaction.checkpoint()
    assert audited.verify_audit().checkpoints == before + 1


def altered(value: Any, position: int, bit: int) -> Any:
    """``value`` with one bit of it flipped."""
    match value:
        case int():
            return value ^ 1 << 10 + (position * 8 + bit) % 40  # no other row has such a number
        case bytes():
            at = position % len(value)
            return value[:at] + bytes([value[at] ^ (1 << bit)]) + value[at + 1 :]
        case str():
            at = position % len(value)
            return value[:at] + chr(ord(value[at]) ^ (1 << bit % 5)) + value[at + 1 :]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    table=st.sampled_from(["audit", "checkpoint", "identity"]),
    row=st.integers(0, 100),
    column=st.integers(0, 100),
    position=st.integers(0, 200),
    bit=st.integers(0, 7),
)
def test_any_flipped_bit_is_detected(
    audited: Store, table: str, row: int, column: int, position: int, bit: int
) -> None:
    columns = {
        "audit": ("number", "time", "who", "action", "details", "previous", "hash"),
        "checkpoint": ("number", "hash", "signature"),
        "identity": ("audit_number", "audit_hash", "audit_signature"),
    }[table]
    name, place = columns[column % len(columns)], columns[0]
    with tampering(audited) as connection:
        rows = connection.execute(text(f"SELECT {place}, {name} FROM {table} ORDER BY 1")).all()
        at, value = rows[row % len(rows)]
        connection.execute(
            text(f"UPDATE {table} SET {name} = :new WHERE {place} = :at"),
            {"new": altered(value, position, bit), "at": at},
        )
        report = verify(audited, connection)
    assert not report.ok
    assert report.why
    assert audited.verify_audit().ok


@pytest.mark.parametrize("dropped", range(1, RECORDS))
def test_a_dropped_end_is_detected_even_with_its_checkpoints(audited: Store, dropped: int) -> None:
    with tampering(audited) as connection:
        for table in ("audit", "checkpoint"):
            connection.execute(text(f"DELETE FROM {table} WHERE number > :n"), {"n": RECORDS - dropped})
        report = verify(audited, connection)
    assert (report.ok, report.broken) == (False, RECORDS - dropped + 1)


def test_a_dropped_record_and_swapped_records_are_detected_where_they_stood(audited: Store) -> None:
    with tampering(audited) as connection:
        connection.execute(text("DELETE FROM audit WHERE number = 5"))
        assert verify(audited, connection).broken == 5
    with tampering(audited) as connection:
        for old, new in ((5, 1005), (6, 5), (1005, 6)):
            connection.execute(text(f"UPDATE audit SET number = {new} WHERE number = {old}"))
        assert verify(audited, connection).broken == 5


def test_an_added_record_is_detected(audited: Store) -> None:
    with tampering(audited) as connection:
        last = connection.execute(text("SELECT time, hash FROM audit ORDER BY number DESC LIMIT 1")).one()
        forged = audit.record_hash(last.hash, RECORDS + 1, last.time, "tester", "changed", "{}")
        connection.execute(
            schema.audit.insert().values(
                number=RECORDS + 1,
                time=last.time,
                who="tester",
                action="changed",
                details="{}",
                previous=last.hash,
                hash=forged,
            )
        )
        assert verify(audited, connection).broken == RECORDS + 1


def test_a_chain_that_was_computed_anew_does_not_fit_what_was_signed(audited: Store) -> None:
    with tampering(audited) as connection:
        connection.execute(text("UPDATE audit SET who = 'somebody else' WHERE number = 3"))
        previous = audit.genesis(audited.identity)
        rows = connection.execute(text("SELECT number, time, who, action, details FROM audit ORDER BY 1"))
        for row in rows.all():
            hash = audit.record_hash(previous, *row)
            connection.execute(
                schema.audit.update()
                .where(schema.audit.c.number == row.number)
                .values(previous=previous, hash=hash)
            )
            previous = hash
        report = verify(audited, connection)
    assert (report.ok, report.broken) == (False, 5)
    assert "signed" in report.why


@pytest.mark.parametrize("table", ["version", "entry", "audit", "checkpoint"])
def test_the_database_itself_refuses_to_change_what_was_recorded(audited: Store, table: str) -> None:
    commit(audited, change("a", "1"))
    for statement in (
        f"DELETE FROM {table}",
        f"UPDATE {table} SET {'version' if table == 'entry' else 'number'} = 9",
    ):
        with pytest.raises(StoreError, match="append-only"), audited.database.writing() as connection:
            connection.execute(text(statement))


def test_an_older_copy_of_the_whole_store_is_told_by_its_anchor(tmp_path: Path) -> None:
    anchor, path, copy = tmp_path / "anchor", tmp_path / "store.db", tmp_path / "copy.db"
    with Store.create(f"sqlite:///{path}", fingerprint_key=KEY, anchor=anchor):
        pass
    shutil.copy(path, copy)
    with Store.open(f"sqlite:///{path}", fingerprint_key=KEY, anchor=anchor) as store:
        with store.transaction() as transaction:
            transaction.audit("tester", "changed", {})
            transaction.checkpoint()
        assert store.verify_audit().ok
    shutil.copy(copy, path)
    with Store.open(f"sqlite:///{path}", fingerprint_key=KEY) as unanchored:
        assert unanchored.verify_audit().ok
    with Store.open(f"sqlite:///{path}", fingerprint_key=KEY, anchor=anchor) as restored:
        report = restored.verify_audit()
    assert (report.ok, report.broken) == (False, 2)
    assert "cut short" in report.why


def forget(anchor: Path) -> None:
    anchor.unlink()


def forge(anchor: Path) -> None:
    lines = [json.loads(line) for line in anchor.read_text().splitlines()]
    lines[0]["hash"] = "00" * 32
    anchor.write_text("".join(json.dumps(line) + "\n" for line in lines))


def scribble(anchor: Path) -> None:
    anchor.write_text(anchor.read_text() + "not a line of ours\n")


@pytest.mark.parametrize("damage", [forget, forge, scribble])
def test_a_damaged_anchor_is_not_taken_for_a_good_one(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    anchor = tmp_path / "anchor"
    with Store.create(f"sqlite:///{tmp_path}/store.db", fingerprint_key=KEY, anchor=anchor) as store:
        damage(anchor)
        report = store.verify_audit()
    assert not report.ok
    assert report.why


def test_one_anchor_file_serves_many_stores(tmp_path: Path) -> None:
    anchor = tmp_path / "anchor"
    stores = [
        Store.create(f"sqlite:///{tmp_path}/{name}.db", fingerprint_key=KEY, anchor=anchor) for name in "ab"
    ]
    for store in stores:
        assert store.verify_audit().ok
        store.close()
    assert len(anchor.read_text().splitlines()) == 2
