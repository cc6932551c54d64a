"""Writing to the stand-in of Consul: what it holds and refuses, alone and with others."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from ecs_sync.adapter import Delete, Put, Verdict, attributes
from ecs_sync.errors import Rejected
from ecs_sync_adapters.consul import ConsulAdapter
from ecs_sync_adapters.consul_options import VALUE_LIMIT
from ecs_sync_sandbox.consul import ConsulServer
from tests.adapters.consul_sandbox import PLACE, connected, create, one, read, verdicts


@pytest.fixture
def server() -> Iterator[ConsulServer]:
    with ConsulServer() as running:
        yield running


@pytest.fixture
def adapter(server: ConsulServer) -> Iterator[ConsulAdapter]:
    yield from connected(server)


def test_a_write_returns_the_revision_that_the_next_listing_shows(
    server: ConsulServer, adapter: ConsulAdapter
) -> None:
    first = create(adapter, a=b"1")["acme/prod/a"]
    assert read(adapter.list(PLACE, None))[0][0].revision == first
    (second,) = adapter.write([Put("acme/prod/a", b"2", first)])
    assert second.verdict is Verdict.APPLIED
    assert second.replaced == first
    assert read(adapter.list(PLACE, None))[0][0].revision == second.revision
    assert int(str(second.revision)) > int(first)
    (third,) = adapter.write([Delete("acme/prod/a", str(second.revision))])
    assert (third.verdict, third.revision, third.replaced) == (Verdict.APPLIED, None, second.revision)
    assert read(adapter.list(PLACE, None))[0] == []


@pytest.mark.parametrize("value", [b"", b"\x00\xff\xfe", "é\u2028".encode(), b"x" * 300_000])
def test_any_bytes_come_back_as_they_went(adapter: ConsulAdapter, value: bytes) -> None:
    create(adapter, a=value)
    assert read(adapter.list(PLACE, None))[0][0].value == value
    assert read(adapter.get(["acme/prod/a"]))[0][0].value == value


def test_flags_survive_a_write_that_brings_them_along(server: ConsulServer, adapter: ConsulAdapter) -> None:
    server.kv.put("acme/prod/a", b"1", flags=42)
    item = read(adapter.list(PLACE, None))[0][0]
    adapter.write([Put(item.id, b"2", item.revision, attributes=item.attributes)])
    pair = server.kv.get("acme/prod/a")
    assert pair is not None
    assert (pair.value, pair.flags) == (b"2", 42)
    (outcome,) = adapter.write([Put("acme/prod/b", b"1", None, attributes=attributes({"flags": "many"}))])
    assert outcome.verdict is Verdict.REFUSED


def test_a_create_an_update_and_a_delete_of_what_moved_are_raced(
    server: ConsulServer, adapter: ConsulAdapter
) -> None:
    revision = create(adapter, a=b"1")["acme/prod/a"]
    server.kv.put("acme/prod/a", b"edited")
    for write in (
        Put("acme/prod/a", b"2", None),
        Put("acme/prod/a", b"2", revision),
        Put("acme/prod/none", b"2", revision),
        Delete("acme/prod/a", revision),
        Put("acme/prod/a", b"2", "0"),
        Put("acme/prod/a", b"2", "W/etag"),
    ):
        (outcome,) = adapter.write([write])
        assert outcome.verdict is Verdict.RACED
    pair = server.kv.get("acme/prod/a")
    assert pair is not None
    assert pair.value == b"edited"


def test_one_raced_write_leaves_its_whole_batch_unapplied(
    server: ConsulServer, adapter: ConsulAdapter
) -> None:
    server.kv.put("acme/prod/b", b"theirs")
    outcomes = adapter.write([Put(f"acme/prod/{key}", b"ours", None) for key in "abc"])
    assert verdicts(outcomes) == [Verdict.UNTRIED, Verdict.RACED, Verdict.UNTRIED]
    assert server.kv.keys() == ["acme/prod/b"]
    assert verdicts(adapter.write([Put(o.id, b"ours", None) for o in outcomes if o.id[-1] != "b"])) == [
        Verdict.APPLIED,
        Verdict.APPLIED,
    ]


def test_a_batch_of_64_is_one_call_and_65_are_refused_before_sending(
    server: ConsulServer, adapter: ConsulAdapter
) -> None:
    writes = [Put(f"acme/prod/{number:02}", b"1", None) for number in range(65)]
    with pytest.raises(Rejected, match="65 writes, and a batch takes 64"):
        adapter.write(writes)
    assert server.requests == []
    assert set(verdicts(adapter.write(writes[:64]))) == {Verdict.APPLIED}
    assert len(server.requests) == 1
    assert adapter.write([]) == ()


def test_a_batch_as_large_as_declared_fits_into_one_transaction(
    server: ConsulServer, adapter: ConsulAdapter
) -> None:
    assert adapter.features.batch_bytes is not None
    each = adapter.features.batch_bytes // 64
    writes = [Put(f"acme/prod/{number:02}", b"\xff" * (each - 12), None) for number in range(64)]
    assert set(verdicts(adapter.write(writes))) == {Verdict.APPLIED}
    assert len(server.requests) == 1
    larger = [Put(f"acme/prod/x{number}", b"x" * 200_000, None) for number in range(2)]
    with pytest.raises(Rejected, match="more than 380000 bytes"):
        adapter.write(larger)


def test_a_value_up_to_the_limit_is_written_and_one_byte_more_refused(
    server: ConsulServer, adapter: ConsulAdapter
) -> None:
    (outcome,) = adapter.write([Put("acme/prod/a", b"x" * VALUE_LIMIT, None, attributes=(("flags", "3"),))])
    assert (outcome.verdict, outcome.revision) == (Verdict.APPLIED, None)
    item = read(adapter.list(PLACE, None))[0][0]
    assert (item.value, dict(item.attributes)) == (b"x" * VALUE_LIMIT, {"flags": "3"})
    (raced,) = adapter.write([Put("acme/prod/a", b"y" * VALUE_LIMIT, None)])
    assert raced.verdict is Verdict.RACED
    (refused,) = adapter.write([Put("acme/prod/a", b"x" * (VALUE_LIMIT + 1), item.revision)])
    assert refused.verdict is Verdict.REFUSED
    assert "at most 524288" in refused.reason


@pytest.mark.parametrize(
    "key", ["", "/a", "a//b", "a/../b", ".", "a/.", "a/", "a b", "a%2Fb", "é", "a?b", "a#b", "a..b", "a\nb"]
)
def test_a_key_that_consul_would_bend_is_refused_before_sending(
    server: ConsulServer, adapter: ConsulAdapter, key: str
) -> None:
    outcomes = adapter.write([Put(key, b"1", None), Put("acme/prod/a", b"1", None)])
    assert verdicts(outcomes) == [Verdict.REFUSED, Verdict.UNTRIED]
    assert server.requests == []


@pytest.mark.parametrize("key", ["a b", "a%2Fb", "é/ü", "a?b=c&d", "a#b", 'a"b\\c', "a+b:c;d"])
def test_unusual_keys_make_the_trip_where_the_grammar_allows_them(server: ConsulServer, key: str) -> None:
    adapter = one(server, key_grammar="any")
    (outcome,) = adapter.write([Put(f"acme/prod/{key}", b"x" * 10, None)])
    assert outcome.verdict is Verdict.APPLIED
    assert server.kv.keys() == [f"acme/prod/{key}"]
    assert [item.id for item in read(adapter.list(PLACE, None))[0]] == [f"acme/prod/{key}"]
    (large,) = adapter.write([Put(f"acme/prod/{key}", b"x" * VALUE_LIMIT, outcome.revision)])
    assert large.verdict is Verdict.APPLIED
    assert server.kv.keys() == [f"acme/prod/{key}"]


def test_of_two_writers_that_race_one_wins_each_time(server: ConsulServer) -> None:
    adapter = one(server)
    revision = create(adapter, counter=b"0")["acme/prod/counter"]
    wins: list[int] = []

    def count(times: int) -> None:
        won = 0
        while won < times:
            item = read(adapter.get(["acme/prod/counter"]))[0][0]
            assert item.value is not None
            (outcome,) = adapter.write([Put(item.id, b"%d" % (int(item.value) + 1), item.revision)])
            won += outcome.verdict is Verdict.APPLIED
        wins.append(won)

    threads = [threading.Thread(target=count, args=(25,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    item = read(adapter.get(["acme/prod/counter"]))[0][0]
    assert (item.value, wins) == (b"50", [25, 25])
    assert int(str(item.revision)) > int(revision)


def test_numbers_that_no_agent_takes_spoil_their_own_write_only(
    server: ConsulServer, adapter: ConsulAdapter
) -> None:
    most = str(2**64 - 1)
    outcomes = adapter.write(
        [
            Put("acme/prod/a", b"1", None),
            Put("acme/prod/b", b"1", None, attributes=attributes({"flags": str(2**64)})),
            Put("acme/prod/c", b"1", str(2**64)),
            Delete("acme/prod/d", "9" * 40),
        ]
    )
    assert verdicts(outcomes) == [Verdict.UNTRIED, Verdict.REFUSED, Verdict.RACED, Verdict.RACED]
    assert server.requests == []
    [outcome] = adapter.write([Put("acme/prod/a", b"1", None, attributes=attributes({"flags": most}))])
    assert outcome.verdict is Verdict.APPLIED
    assert read(adapter.get(["acme/prod/a"]))[0][0].attributes == (("flags", most),)


def test_a_lone_surrogate_is_never_sent_as_another_key(server: ConsulServer) -> None:
    adapter = one(server, key_grammar="any")
    [outcome] = adapter.write([Put("acme/prod/\ud800", b"1", None)])
    assert outcome.verdict is Verdict.REFUSED
    assert server.requests == []
