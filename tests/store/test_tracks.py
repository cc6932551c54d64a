"""What a track remembers of a place: true, never going back, and only what it is asked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ecs_sync.errors import StoreError
from ecs_sync.model import Fingerprint
from ecs_sync.store import Base, Held, Intent, Known, Operation, OwnWrite, Seen, Store, Target, new_id

from .making import KEY

THEN = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def mark(text: str) -> Fingerprint:
    return Fingerprint(text.encode().ljust(32, b"."))


def seen(key: str, fingerprint: str | None, item: str | None = None, **more: Any) -> Seen:
    known = None if fingerprint is None else mark(fingerprint)
    row = Seen(key, item or f"/{key}", "7", None, known, None, THEN)
    return row._replace(**more)


@pytest.fixture
def track(store: Store) -> int:
    with store.transaction() as transaction:
        return transaction.open_track("job", "link", "place and mapping").id


def test_a_track_is_current_until_its_identity_changes(store: Store) -> None:
    with store.transaction() as transaction:
        first = transaction.open_track("job", "link", "one")
        assert transaction.open_track("job", "link", "one") == first
        transaction.establish(first.id)
        transaction.set_token(first.id, "token \0 of bytes")
    kept = store.track("job", "link", "one")
    assert kept is not None
    assert (kept.established, kept.token) == (True, "token \0 of bytes")
    assert store.track("job", "link", "two") is None

    with store.transaction() as transaction:
        second = transaction.open_track("job", "link", "two")
    assert store.track("job", "link", "one") is None
    assert store.tracks("job") == [second]
    assert not second.established


def test_a_retired_track_is_listed_while_it_has_open_intents(store: Store, track: int) -> None:
    intent = Intent(new_id(), track, "run", "/a", Operation.PUT, None, None, ())
    with store.transaction() as transaction:
        transaction.open_intents([intent])
        transaction.open_track("job", "link", "another place")
    assert [retired.id for retired in store.retired("job")] == [track]
    with store.transaction() as transaction:
        transaction.close_intent([intent.id])
    assert store.retired("job") == []


def test_bases_come_back_in_the_byte_order_of_their_keys(store: Store, track: int) -> None:
    keys = ["b", "a", "B", "é", "a/b", "a-b", "\U0001f600", "ﬁ"]
    rows = [Base(key, mark(key), 1, f"/{key}") for key in keys]
    with store.transaction() as transaction:
        transaction.put_bases(track, rows)
    assert list(store.bases(track)) == sorted(rows, key=lambda row: row.key.encode())
    assert store.base_count(track) == len(keys)
    assert store.bases_of(track, ["a", "none"]) == {"a": rows[1]}


def test_a_base_never_goes_back(store: Store, track: int) -> None:
    with store.transaction() as transaction:
        transaction.put_bases(track, [Base("a", mark("5"), 5, "/a"), Base("b", mark("5"), 5, "/b")])
    back = [Base("a", mark("4"), 4, "/a"), Base("b", mark("6"), 6, "/b")]
    with (
        pytest.raises(StoreError, match=r"never goes back.*a from version 5 to 4"),
        store.transaction() as transaction,
    ):
        transaction.put_bases(track, back)
    assert store.bases_of(track, ["a", "b"])["b"].version == 5
    with store.transaction() as transaction:
        transaction.put_bases(track, [Base("a", mark("6"), 6, "/a")])
        transaction.drop_bases(track, ["b"])
    assert [base.version for base in store.bases(track)] == [6]


def test_a_held_item_is_known_with_all_its_keys(store: Store, track: int) -> None:
    with store.transaction() as transaction:
        transaction.put_bases(track, [Base("a", mark("a"), 1, "/doc"), Base("b", mark("b"), 1, "/doc")])
        transaction.put_held(track, [Held("/doc", "7", "2026-01-02T00:00:00+00:00")])
    assert store.known(track, ["/doc", "/other"]) == {
        "/doc": Known("/doc", "7", "2026-01-02T00:00:00+00:00", (("a", mark("a")), ("b", mark("b"))))
    }
    with store.transaction() as transaction:
        transaction.drop_held(track, ["/doc"])
    assert store.known(track, ["/doc"]) == {}


def test_a_seen_item_is_known_with_what_was_seen_over_what_was_in_step(store: Store, track: int) -> None:
    with store.transaction() as transaction:
        transaction.put_bases(track, [Base(key, mark(key), 1, "/doc") for key in "abc"])
        transaction.put_seen(
            track, [seen("a", "moved", "/doc"), seen("b", None, "/doc"), seen("d", "d", "/doc")]
        )
    known = store.known(track, ["/doc"])["/doc"]
    assert known.revision == "7"
    assert known.keys == (("a", mark("moved")), ("c", mark("c")), ("d", mark("d")))


@pytest.mark.parametrize(
    "row",
    [
        seen("b", "b", "/doc", revision="8"),
        seen("b", None, "/doc", unseen="no permission"),
        seen("b", "b", "/doc", changed="2026-01-02T00:00:00+00:00"),
    ],
    ids=["another revision", "unreadable", "another time"],
)
def test_an_item_that_was_not_seen_whole_at_one_revision_is_not_known(
    store: Store, track: int, row: Seen
) -> None:
    with store.transaction() as transaction:
        transaction.put_seen(track, [seen("a", "a", "/doc"), row])
    assert store.known(track, ["/doc"]) == {}


def test_looking_up_items_does_not_read_the_whole_track(tmp_path: Path) -> None:
    with Store.create(f"sqlite:///{tmp_path}/store.db", fingerprint_key=KEY) as store:
        for table in ("base", "seen"):
            items = ", ".join(f"x'{number:04x}'" for number in range(500))
            asked = f"SELECT key FROM {table} WHERE track = 1 AND item IN ({items})"
            with store.database.reading() as connection:
                (plan,) = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked}").all()
            assert f"{table}_item (track=? AND item=?)" in plan[-1]


def test_an_item_without_a_revision_is_not_known(store: Store, track: int) -> None:
    with store.transaction() as transaction:
        transaction.put_seen(track, [seen("a", "a", "/doc", revision=None)])
    assert store.known(track, ["/doc"]) == {}


def test_since_stays_while_the_same_thing_is_seen(store: Store, track: int) -> None:
    later = THEN + timedelta(days=1)
    with store.transaction() as transaction:
        transaction.put_seen(track, [seen("a", "x"), seen("b", "x"), seen("c", None, unseen="denied")])
    with store.transaction() as transaction:
        transaction.put_seen(
            track,
            [
                seen("a", "x", since=later, revision="8"),
                seen("b", "y", since=later),
                seen("c", None, unseen="denied", since=later),
            ],
        )
    kept = {row.key: row for row in store.seen(track)}
    assert {key: row.since for key, row in kept.items()} == {"a": THEN, "b": later, "c": THEN}
    assert kept["a"].revision == "8"


def test_replacing_what_was_seen_leaves_nothing_else(store: Store, track: int) -> None:
    with store.transaction() as transaction:
        transaction.put_seen(track, [seen("a", "x"), seen("b", "x")])
        transaction.replace_seen(track, [seen("b", "x", since=THEN + timedelta(1)), seen("c", "x")])
    assert {row.key: row.since for row in store.seen(track)} == {"b": THEN, "c": THEN}
    with store.transaction() as transaction:
        transaction.drop_seen(track, ["b"])
        transaction.replace_seen(track, [])
    assert list(store.seen(track)) == []


def test_one_item_has_one_open_intent_at_a_time(store: Store, track: int) -> None:
    targets = (Target("a", mark("a"), 3), Target("b", None, 4))
    first = Intent(new_id(), track, "run", "/a", Operation.PUT, "6", "2026-01-02T00:00:00+00:00", targets)
    second = Intent(new_id(), track, "run", "/a", Operation.DELETE, "6", None, ())
    third = Intent(new_id(), track, "run", "/c", Operation.DELETE, "1", None, ())
    with store.transaction() as transaction:
        assert transaction.open_intents([first]) == set()
    with store.transaction() as transaction:
        assert transaction.open_intents([second, third]) == {"/a"}
    assert store.intents(track) == [first, third]
    with store.transaction() as transaction:
        transaction.close_intent([first.id])
        assert transaction.open_intents([second]) == set()


def test_own_writes_are_kept_until_they_are_dropped(store: Store, track: int) -> None:
    write = OwnWrite(new_id(), track, "/a", Operation.PUT, None, (Target("a", mark("a"), 3),))
    with store.transaction() as transaction:
        transaction.keep_own_writes([write])
        transaction.keep_own_writes([write])
    assert store.own_writes(track) == [write]
    with store.transaction() as transaction:
        transaction.drop_own_writes([write.id])
    assert store.own_writes(track) == []


def test_a_failed_transaction_leaves_no_trace(store: Store, track: int) -> None:
    with pytest.raises(ZeroDivisionError), store.transaction() as transaction:
        transaction.put_bases(track, [Base("a", mark("a"), 1, "/a")])
        transaction.audit("tester", "did", {})
        raise ZeroDivisionError
    assert store.base_count(track) == 0
    assert [record.action for record in store.audit_trail()] == ["store created"]
