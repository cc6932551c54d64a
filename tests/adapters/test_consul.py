"""The Consul adapter against the stand-in: what it holds and refuses, and what it says of failures."""

from __future__ import annotations

import json
import logging
import threading
import traceback
import tracemalloc
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_sync.abilities import Watches
from ecs_sync.adapter import Delete, Item, Listing, Outcome, Page, Proof, Put, Verdict, attributes
from ecs_sync.errors import (
    AdapterError,
    ConfigError,
    Denied,
    Rejected,
    Throttled,
    Unacknowledged,
    Unavailable,
)
from ecs_sync.testing.faultproxy import FaultProxy
from ecs_sync_adapters.consul import ConsulAdapter
from ecs_sync_adapters.consul_http import Garbled, elements, installed
from ecs_sync_adapters.consul_options import VALUE_LIMIT, ConsulOptions, ConsulPlace
from ecs_sync_sandbox.consul import ConsulServer
from ecs_sync_sandbox.http_server import Request

CANARY = "canary-7f3a9c-token"
PLACE = ConsulPlace.parse("acme/prod/")
ACL: dict[str, Any] = {
    CANARY: [("acme/prod/", "write"), ("acme/prod/hidden/", "deny")],
    "reader": [("acme/", "read")],
}


@pytest.fixture
def server() -> Iterator[ConsulServer]:
    with ConsulServer() as running:
        yield running


@pytest.fixture
def adapter(server: ConsulServer) -> Iterator[ConsulAdapter]:
    yield from connected(server)


def connected(server: ConsulServer, **options: Any) -> Iterator[ConsulAdapter]:
    built = ConsulAdapter(ConsulOptions(url=server.url, **options))
    yield built
    built.close()


def one(server: ConsulServer, **options: Any) -> ConsulAdapter:
    return next(connected(server, **options))


def read(listing: Listing) -> tuple[list[Item], list[str], Proof | None]:
    pages: list[Page] = list(listing.pages)
    items = [item for page in pages for item in page.items]
    return items, [id for page in pages for id in page.absent], pages[-1].proof if pages else None


def create(adapter: ConsulAdapter, **values: bytes) -> dict[str, str]:
    outcomes = adapter.write([Put(f"acme/prod/{key}", value, None) for key, value in values.items()])
    assert {outcome.verdict for outcome in outcomes} == {Verdict.APPLIED}
    return {outcome.id: str(outcome.revision) for outcome in outcomes}


def verdicts(outcomes: Sequence[Outcome]) -> list[Verdict]:
    return [outcome.verdict for outcome in outcomes]


def puts(request: Request) -> bool:
    return request.method == "PUT"


# ---- places and options -------------------------------------------------------------------------------


def test_a_place_without_its_slash_is_refused_with_the_right_spelling() -> None:
    with pytest.raises(ValueError, match="write 'acme/prod/'"):
        ConsulPlace.parse("acme/prod")
    with pytest.raises(ValueError, match="write 'acme/'"):
        ConsulPlace.parse("/acme/")


@pytest.mark.parametrize("text", ["", "a//b/", "a/../b/", "./", "a/\n/", "//"])
def test_a_place_that_clients_and_servers_would_rewrite_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        ConsulPlace.parse(text)


def test_places_overlap_where_one_lies_in_the_other() -> None:
    whole, outer, inner, other = map(ConsulPlace.parse, ("/", "a/", "a/b/", "ab/"))
    assert (whole.root, outer.root, str(whole), str(inner)) == ("", "a/", "/", "a/b/")
    assert whole.overlaps(other)
    assert outer.overlaps(inner)
    assert inner.overlaps(outer)
    assert not outer.overlaps(other)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("url", "consul:8500"),
        ("url", "http://[::1"),
        ("url", "http://user:pass@consul:8500"),
        ("url", "http://consul:8500/?token=x"),
        ("timeout", 0.0),
        ("timeout", float("nan")),
        ("operations", 0),
        ("operations", 129),
        ("token", ""),
        ("token", f"{CANARY}\n"),
    ],
)
def test_an_option_that_cannot_work_is_refused_by_name_and_without_its_value(option: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{option}: ") as caught:
        ConsulOptions(**{option: value})
    assert CANARY not in str(caught.value)
    assert "pass" not in str(caught.value)


def test_the_token_is_in_no_repr() -> None:
    options = ConsulOptions(token=CANARY)
    adapter = ConsulAdapter(options)
    for shown in (options, adapter, *vars(adapter).values()):
        assert CANARY not in repr(shown)


# ---- listing ------------------------------------------------------------------------------------------


def test_a_listing_shows_values_revisions_and_flags_in_byte_order(
    server: ConsulServer, adapter: ConsulAdapter
) -> None:
    server.kv.put("acme/prod/b", b"\x00\xff")
    server.kv.put("acme/prod/a/z", b"1", flags=2**64 - 1)
    server.kv.put("acme/prod/a-", b"")
    server.kv.put("acme/prodigy", b"not ours")
    items, absent, proof = read(adapter.list(PLACE, None))
    assert [(item.id, item.value, dict(item.attributes)) for item in items] == [
        ("acme/prod/a-", b"", {}),
        ("acme/prod/a/z", b"1", {"flags": str(2**64 - 1)}),
        ("acme/prod/b", b"\x00\xff", {}),
    ]
    pair = server.kv.get("acme/prod/b")
    assert pair is not None
    assert items[2].revision == str(pair.modify_index)
    assert (absent, proof is not None and proof.token is not None) == ([], True)
    assert len(server.requests) == 1


def test_folder_markers_are_no_items(server: ConsulServer, adapter: ConsulAdapter) -> None:
    for key in ("acme/prod/", "acme/prod/sub/"):
        server.kv.put(key, None)
    server.kv.put("acme/prod/sub/a", b"1")
    assert [item.id for item in read(adapter.list(PLACE, None))[0]] == ["acme/prod/sub/a"]


def test_nothing_there_is_an_empty_and_complete_listing(adapter: ConsulAdapter) -> None:
    items, _, proof = read(adapter.list(PLACE, None))
    assert (items, proof is not None) == ([], True)


def test_the_whole_store_is_a_place(server: ConsulServer, adapter: ConsulAdapter) -> None:
    assert read(adapter.list(ConsulPlace.parse("/"), None))[0] == []
    server.kv.put("a", b"1")
    server.kv.put("b/c", b"1")
    assert [item.id for item in read(adapter.list(ConsulPlace.parse("/"), None))[0]] == ["a", "b/c"]


def test_a_large_listing_comes_in_pages_from_one_call(server: ConsulServer, adapter: ConsulAdapter) -> None:
    for number in range(2500):
        server.kv.put(f"acme/prod/{number:05}", "né".encode() * 60)
    pages = list(adapter.list(PLACE, None).pages)
    assert [len(page.items) for page in pages] == [1000, 1000, 500, 0]
    assert [page.proof is None for page in pages] == [True, True, True, False]
    assert len(server.requests) == 1


@pytest.mark.parametrize("after", [0, 1, 100, 30_000])
def test_a_listing_that_breaks_off_is_incomplete(
    server: ConsulServer, adapter: ConsulAdapter, after: int
) -> None:
    for number in range(500):
        server.kv.put(f"acme/prod/{number:05}", b"v" * 50)
    server.faults.cut_next(after)
    with pytest.raises(Unavailable):
        read(adapter.list(PLACE, None))


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[",
        "{}",
        "null",
        "[]x",
        "[{}]",
        "<html>",
        '[{"Key": "acme/prod/a", "Value": null, "ModifyIndex": 1}',
        '[{"Key": "acme/prod/a", "Value": "%%%", "ModifyIndex": 1}]',
        '[{"Key": "elsewhere", "Value": null, "ModifyIndex": 1}]',
        '[{"Key": "acme/prod/b", "Value": null, "ModifyIndex": 1},'
        ' {"Key": "acme/prod/a", "Value": null, "ModifyIndex": 1}]',
    ],
)
def test_a_listing_that_is_not_consuls_is_incomplete(
    server: ConsulServer, adapter: ConsulAdapter, body: str
) -> None:
    server.fail_next(200, {"X-Consul-Index": "12"}, body)
    with pytest.raises(Unavailable):
        read(adapter.list(PLACE, None))


ARRAYS = st.lists(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    ),
    max_size=6,
)


@given(ARRAYS, st.integers(1, 40), st.sampled_from([None, 2]), st.booleans())
def test_an_array_in_pieces_of_any_size_has_the_elements_of_the_whole(
    array: list[Any], size: int, indent: int | None, ascii: bool
) -> None:
    body = json.dumps(array, indent=indent, ensure_ascii=ascii).encode() + b"\n"
    assert list(elements(body[at : at + size] for at in range(0, len(body), size))) == array


@given(ARRAYS, st.integers(1, 40), st.data())
def test_an_array_that_breaks_off_anywhere_is_never_taken_for_whole(
    array: list[Any], size: int, data: st.DataObject
) -> None:
    whole = json.dumps(array).encode()
    body = whole[: data.draw(st.integers(0, len(whole) - 1))]
    shown: list[Any] = []
    with pytest.raises(Garbled):
        shown.extend(elements(body[at : at + size] for at in range(0, len(body), size)))


def test_a_listing_of_any_length_takes_the_memory_of_a_few_chunks() -> None:
    piece = b",".join([b'{"Key": "acme/prod/a", "Value": "' + b"x" * 1000 + b'"}'] * 200)

    def chunks() -> Iterator[bytes]:
        yield b"[" + piece
        for _ in range(100):
            yield b"," + piece
        yield b"]"

    tracemalloc.start()
    try:
        assert sum(1 for _ in elements(chunks())) == 101 * 200
        assert tracemalloc.get_traced_memory()[1] < 20 * len(piece)
    finally:
        tracemalloc.stop()


def test_a_404_that_is_not_an_agents_never_passes_for_an_empty_place(
    server: ConsulServer, adapter: ConsulAdapter
) -> None:
    server.fail_next(404, body="not found")
    with pytest.raises(Unavailable, match="not a Consul agent"):
        read(adapter.list(PLACE, None))
    server.fail_next(404, {"X-Consul-Index": "12", "X-Consul-KnownLeader": "false"})
    with pytest.raises(Unavailable, match="no leader"):
        read(adapter.list(PLACE, None))


def test_reads_are_confirmed_by_the_leader_unless_told_otherwise(server: ConsulServer) -> None:
    for consistency in ("consistent", "default"):
        adapter = one(server, consistency=consistency)
        read(adapter.list(PLACE, None))
        read(adapter.get(["acme/prod/a"]))
        for request in server.requests[-2:]:
            assert ("consistent" in request.query) == (consistency == "consistent")
        assert adapter.features.current_listing == (consistency == "consistent")
        assert adapter.features.current_reads == (consistency == "consistent")


def test_another_datacenter_goes_with_every_call(server: ConsulServer) -> None:
    adapter = one(server, datacenter="dc1")
    read(adapter.list(PLACE, None))
    read(adapter.get(["acme/prod/a"]))
    create(adapter, a=b"1")
    assert [request.query.get("dc") for request in server.requests] == ["dc1"] * 3
    with pytest.raises(Rejected, match="no such datacenter"):
        read(one(server, datacenter="elsewhere").list(PLACE, None))


# ---- namespaces and partitions of the enterprise edition ----------------------------------------------


@pytest.fixture
def enterprise() -> Iterator[ConsulServer]:
    with ConsulServer(edition="enterprise") as running:
        yield running


@pytest.mark.parametrize(
    "tenancy",
    [{"namespace": "team"}, {"partition": "eu"}, {"namespace": "team", "partition": "eu"}],
    ids=["namespace", "partition", "both"],
)
def test_a_namespace_or_partition_goes_with_every_call(
    enterprise: ConsulServer, tenancy: dict[str, str]
) -> None:
    own = enterprise.made(tenancy.get("partition", "default"), tenancy.get("namespace", "default"))
    adapter = one(enterprise, **tenancy)
    revisions = create(adapter, a=b"1", b=b"2")
    large = b"x" * 450_000
    [outcome] = adapter.write([Put("acme/prod/large", large, None)])
    assert outcome.verdict is Verdict.APPLIED
    assert own.keys() == ["acme/prod/a", "acme/prod/b", "acme/prod/large"]
    assert [item.value for item in read(adapter.list(PLACE, None))[0]] == [b"1", b"2", large]
    assert [item.value for item in read(adapter.get(["acme/prod/a"]))[0]] == [b"1"]
    assert adapter.list(PLACE, token_of(adapter)).unchanged
    assert not adapter.watch(PLACE, token_of(adapter), 0.01)
    adapter.write([Delete("acme/prod/a", revisions["acme/prod/a"])])
    assert "acme/prod/a" not in own.keys()  # noqa: SIM118  not a mapping
    assert enterprise.kv.keys() == []
    names = {"namespace": "ns", "partition": "partition"}
    for request in enterprise.requests:
        assert {name: request.query.get(names[name]) for name in tenancy} == tenancy


def test_namespaces_do_not_see_each_other(enterprise: ConsulServer) -> None:
    enterprise.made(namespace="team")
    default, team = one(enterprise), one(enterprise, namespace="team")
    create(default, a=b"default")
    create(team, a=b"team")
    assert [item.value for item in read(default.list(PLACE, None))[0]] == [b"default"]
    assert [item.value for item in read(team.list(PLACE, None))[0]] == [b"team"]


@pytest.mark.parametrize("tenancy", [{"namespace": "team"}, {"partition": "eu"}])
def test_the_community_edition_never_takes_what_was_meant_for_a_namespace(
    server: ConsulServer, tenancy: dict[str, str]
) -> None:
    # It overlooks the namespace of a transaction, and would write into its only one.
    attempts: list[Any] = [
        lambda adapter: adapter.write([Put("acme/prod/a", b"1", None)]),
        lambda adapter: read(adapter.get(["acme/prod/a"])),
        lambda adapter: read(adapter.list(PLACE, None)),
    ]
    for attempt in attempts:
        with pytest.raises(Rejected, match="community edition"):
            attempt(one(server, **tenancy))
    assert server.kv.keys() == []


def test_a_write_that_was_not_sent_for_want_of_a_namespace_is_no_unknown_outcome(
    enterprise: ConsulServer,
) -> None:
    enterprise.made(namespace="team")
    adapter = one(enterprise, namespace="team")
    enterprise.fail_next(500, body="internal error")
    with pytest.raises(Unavailable):
        adapter.write([Put("acme/prod/a", b"1", None)])
    [outcome] = adapter.write([Put("acme/prod/a", b"1", None)])
    assert outcome.verdict is Verdict.APPLIED


@pytest.mark.parametrize("text", ["", "-team", "a b", "a/b", "x" * 65, "team-"])
@pytest.mark.parametrize("option", ["namespace", "partition"])
def test_a_name_that_no_namespace_has_is_refused(option: str, text: str) -> None:
    with pytest.raises(ValueError, match=option):
        ConsulOptions(**{option: text})


# ---- what a page cost -----------------------------------------------------------------------------------


def test_every_call_is_told_with_its_page(server: ConsulServer, adapter: ConsulAdapter) -> None:
    def told(ask: Any) -> tuple[int, int]:
        before = len(server.requests)
        listing = ask()
        return listing.calls + sum(page.calls for page in listing.pages), len(server.requests) - before

    for number in range(1001):
        server.kv.put(f"acme/prod/{number:04}", b"1")
    token = token_of(adapter)
    assert told(lambda: adapter.list(PLACE, None)) == (1, 1)
    assert told(lambda: adapter.list(PLACE, token)) == (1, 1)
    assert told(lambda: adapter.list(ConsulPlace("nobody/"), None)) == (1, 1)
    assert told(lambda: adapter.get([f"acme/prod/{number:04}" for number in range(65)])) == (2, 2)
    server.kv.put("acme/prod/new", b"1")
    assert told(lambda: adapter.list(PLACE, token)) == (2, 2)


# ---- unchanged, and watching --------------------------------------------------------------------------


def token_of(adapter: ConsulAdapter, place: ConsulPlace = PLACE) -> str:
    proof = read(adapter.list(place, None))[2]
    assert proof is not None
    assert proof.token is not None
    return proof.token


def test_an_unchanged_place_costs_one_call_and_no_values(
    server: ConsulServer, adapter: ConsulAdapter
) -> None:
    create(adapter, a=b"1", b=b"2")
    token = token_of(adapter)
    server.kv.put("acme/other", b"noise")
    asked = len(server.requests)
    assert adapter.list(PLACE, token).unchanged
    assert [request.query.keys() & {"keys", "recurse"} for request in server.requests[asked:]] == [{"keys"}]


def test_an_empty_place_is_unchanged_whatever_happens_elsewhere(
    server: ConsulServer, adapter: ConsulAdapter
) -> None:
    token = token_of(adapter)
    server.kv.put("acme/other", b"noise")
    assert adapter.list(PLACE, token).unchanged
    whole = ConsulPlace.parse("/")
    server.kv.delete("acme/other")
    assert adapter.list(whole, token_of(adapter, whole)).unchanged


def test_every_kind_of_change_is_seen(server: ConsulServer, adapter: ConsulAdapter) -> None:
    server.kv.put("acme/prod/a", b"1")
    server.kv.put("acme/prod/b", b"1")
    token = token_of(adapter)
    server.kv.put("acme/prod/a", b"2")
    assert not adapter.list(PLACE, token).unchanged
    token = token_of(adapter)
    server.kv.put("acme/prod/c", b"1")
    assert not adapter.list(PLACE, token).unchanged
    token = token_of(adapter)
    server.kv.delete("acme/prod/b")
    assert not adapter.list(PLACE, token).unchanged


def test_a_delete_is_seen_after_its_tombstone_took_the_index_back(
    server: ConsulServer, adapter: ConsulAdapter
) -> None:
    server.kv.put("acme/prod/a", b"1")
    server.kv.put("acme/prod/b", b"1")
    token = token_of(adapter)
    server.kv.delete("acme/prod/a")
    server.kv.reap_tombstones()
    assert token_of(adapter).partition("-")[0] == token.partition("-")[0]
    assert not adapter.list(PLACE, token).unchanged


def test_an_index_that_went_back_with_a_restored_snapshot_is_a_change(
    server: ConsulServer, adapter: ConsulAdapter
) -> None:
    server.kv.put("acme/prod/a", b"1")
    snapshot = server.kv.snapshot()
    server.kv.put("acme/prod/a", b"2")
    token = token_of(adapter)
    server.kv.restore(snapshot)
    assert not adapter.list(PLACE, token).unchanged


def test_a_watch_wakes_when_something_moves_and_not_before(
    server: ConsulServer, adapter: ConsulAdapter
) -> None:
    assert isinstance(adapter, Watches)
    assert adapter.watch(PLACE, None, 60.0)
    server.kv.put("acme/prod/a", b"1")
    token = token_of(adapter)
    assert not adapter.watch(PLACE, token, 0.05)
    woken: list[bool] = []
    waiting = threading.Thread(target=lambda: woken.append(adapter.watch(PLACE, token, 60.0)))
    asked = len(server.requests)
    waiting.start()
    server.faults.await_requests(asked + 1)
    server.kv.put("acme/prod/sub/x", b"1")
    waiting.join(30)
    assert woken == [True]
    assert adapter.watch(PLACE, token, 60.0)


def test_a_look_for_changes_that_fails_is_neither_change_nor_peace(
    server: ConsulServer, adapter: ConsulAdapter
) -> None:
    create(adapter, a=b"1")
    token = token_of(adapter)
    for body in ("[", "[7]", '["acme/prod/b", "acme/prod/a"]'):
        server.fail_next(200, {"X-Consul-Index": "12"}, body)
        with pytest.raises(Unavailable):
            adapter.list(PLACE, token)
    server.throttle(times=2)
    for look in (lambda: adapter.list(PLACE, token), lambda: adapter.watch(PLACE, token, 60.0)):
        with pytest.raises(Throttled):
            look()


# ---- point reads --------------------------------------------------------------------------------------


def test_point_reads_find_what_is_there_and_name_what_is_absent(
    server: ConsulServer, adapter: ConsulAdapter
) -> None:
    revisions = create(adapter, a=b"1", e=b"")
    items, absent, proof = read(adapter.get(["acme/prod/a", "acme/prod/none", "acme/prod/e"]))
    assert {item.id: (item.value, item.revision) for item in items} == {
        "acme/prod/a": (b"1", revisions["acme/prod/a"]),
        "acme/prod/e": (b"", revisions["acme/prod/e"]),
    }
    assert (absent, proof is not None) == (["acme/prod/none"], True)


def test_point_reads_take_one_call_for_each_64(server: ConsulServer, adapter: ConsulAdapter) -> None:
    _, absent, _ = read(adapter.get([f"acme/prod/{number}" for number in range(130)]))
    assert len(absent) == 130
    assert len(server.requests) == 3


# ---- writes -------------------------------------------------------------------------------------------


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


# ---- when the answer is lost --------------------------------------------------------------------------


def test_a_lost_acknowledgement_is_never_taken_for_a_conflict_or_tried_again(
    server: ConsulServer, adapter: ConsulAdapter
) -> None:
    revision = create(adapter, update=b"1", delete=b"1")
    for write, there in (
        (Put("acme/prod/create", b"1", None), b"1"),
        (Put("acme/prod/update", b"2", revision["acme/prod/update"]), b"2"),
        (Delete("acme/prod/delete", revision["acme/prod/delete"]), None),
        (Put("acme/prod/large", b"x" * 500_000, None), b"x" * 500_000),
    ):
        asked = len(server.requests)
        server.faults.drop_next()
        with pytest.raises(Unacknowledged):
            adapter.write([write])
        assert len(server.requests) == asked + 1
        pair = server.kv.get(write.id)
        assert (None if pair is None else pair.value) == there


def test_a_server_that_hangs_is_given_up_after_the_timeout(server: ConsulServer) -> None:
    adapter = one(server, timeout=0.2)
    server.faults.hang_next(times=3)
    with pytest.raises(Unacknowledged):
        adapter.write([Put("acme/prod/a", b"1", None)])
    with pytest.raises(Unavailable):
        read(adapter.list(PLACE, None))
    with pytest.raises(Unavailable):
        read(adapter.get(["acme/prod/a"]))
    assert len(server.requests) == 3


def test_a_network_that_loses_the_answer_to_any_write_is_unacknowledged(server: ConsulServer) -> None:
    port = int(server.url.rpartition(":")[2])
    with FaultProxy("127.0.0.1", port) as proxy:
        adapter = ConsulAdapter(ConsulOptions(url=f"http://127.0.0.1:{proxy.port}"))
        revision = create(adapter, update=b"1", delete=b"1")
        for write in (
            Put("acme/prod/create", b"1", None),
            Put("acme/prod/update", b"2", revision["acme/prod/update"]),
            Delete("acme/prod/delete", revision["acme/prod/delete"]),
        ):
            proxy.cut_down_after(20)
            with pytest.raises(Unacknowledged):
                adapter.write([write])
            proxy.heal()
        assert server.kv.keys() == ["acme/prod/create", "acme/prod/update"]
        proxy.refuse()
        with pytest.raises(Unavailable, match="not reachable"):
            adapter.write([Put("acme/prod/other", b"1", None)])
        with pytest.raises(Unavailable):
            read(adapter.list(PLACE, None))


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_an_error_that_may_come_after_the_effect_is_unacknowledged(
    server: ConsulServer, adapter: ConsulAdapter, status: int
) -> None:
    server.fail_next(status, body="leadership lost while committing log")
    with pytest.raises(Unacknowledged):
        adapter.write([Put("acme/prod/a", b"1", None)])
    server.fail_next(status)
    with pytest.raises(Unavailable):
        read(adapter.list(PLACE, None))


@pytest.mark.parametrize("body", ["", "<html>", "[]", '{"Results": 7}', '{"Results": [7]}'])
def test_an_acknowledgement_that_is_not_consuls_is_none(
    server: ConsulServer, adapter: ConsulAdapter, body: str
) -> None:
    server.fail_next(200, body=body)
    with pytest.raises(Unacknowledged):
        adapter.write([Put("acme/prod/a", b"1", None)])
    server.fail_next(200, body=body)
    with pytest.raises(Unavailable):
        read(adapter.get(["acme/prod/a"]))


@pytest.mark.parametrize(
    "body", ["", "conflict", '{"Errors": null}', '{"Errors": [{"OpIndex": 7, "What": "?"}]}', "[]"]
)
def test_a_conflict_that_is_not_consuls_is_unacknowledged(
    server: ConsulServer, adapter: ConsulAdapter, body: str
) -> None:
    server.fail_next(409, body=body)
    with pytest.raises(Unacknowledged):
        adapter.write([Put("acme/prod/a", b"1", None)])


def test_an_operation_refused_for_another_reason_is_refused_and_its_neighbours_untried(
    server: ConsulServer, adapter: ConsulAdapter
) -> None:
    server.fail_next(409, body='{"Results": null, "Errors": [{"OpIndex": 1, "What": "sentinel says no"}]}')
    outcomes = adapter.write([Put("acme/prod/a", b"1", None), Put("acme/prod/b", b"1", None)])
    assert verdicts(outcomes) == [Verdict.UNTRIED, Verdict.REFUSED]


def test_nothing_is_applied_where_there_is_no_leader_or_no_connection(server: ConsulServer) -> None:
    adapter = one(server)
    server.lose_leader(times=2)
    for attempt in (
        lambda: adapter.write([Put("acme/prod/a", b"1", None)]),
        lambda: read(adapter.list(PLACE, None)),
    ):
        with pytest.raises(Unavailable, match="no leader"):
            attempt()
    with ConsulServer() as gone:
        away = one(gone)
    with pytest.raises(Unavailable, match="not reachable"):
        away.write([Put("acme/prod/a", b"1", None)])


@pytest.mark.parametrize(
    ("header", "seconds"),
    [(None, None), ("3", 3.0), ("-5", None), ("soon", None), ("nan", None), ("9" * 40, None), ("٣", None)],
)
def test_throttling_is_told_with_its_delay_where_that_makes_sense(
    server: ConsulServer, adapter: ConsulAdapter, header: str | None, seconds: float | None
) -> None:
    headers = {} if header is None or not header.isascii() else {"Retry-After": header}
    for status in (429, 503):
        server.fail_next(status, headers, "rate limit exceeded for operation, try again later")
        with pytest.raises(Throttled) as caught:
            adapter.write([Put("acme/prod/a", b"1", None)])
        assert caught.value.retry_after == seconds
    server.throttle(retry_after=headers.get("Retry-After"))
    with pytest.raises(Throttled):
        read(adapter.list(PLACE, None))


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (413, "Request body too large"),
        (400, "Failed to parse body"),
        (500, 'invalid key name, keys should respect the "^[a-z]+$" format.'),
        (405, ""),
        (307, ""),
    ],
)
def test_what_consul_will_not_take_is_refused(
    server: ConsulServer, adapter: ConsulAdapter, status: int, body: str
) -> None:
    server.fail_next(status, {"Location": f"{server.url}/elsewhere"}, body, times=2)
    (outcome,) = adapter.write([Put("acme/prod/a", b"1", None)])
    assert outcome.verdict is Verdict.REFUSED
    with pytest.raises(Rejected):
        adapter.write([Put("acme/prod/a", b"1", None), Put("acme/prod/b", b"1", None)])
    assert len(server.requests) == 2


# ---- credentials --------------------------------------------------------------------------------------


def test_the_token_is_a_header_of_every_request_and_never_in_an_address(server: ConsulServer) -> None:
    adapter = one(server, token=CANARY)
    token = token_of(adapter)
    adapter.list(PLACE, token)
    adapter.watch(PLACE, token, 0.01)
    create(adapter, a=b"1")
    adapter.write([Put("acme/prod/large", b"x" * VALUE_LIMIT, None)])
    read(adapter.get(["acme/prod/a"]))
    assert len(server.requests) == 6
    for request in server.requests:
        assert request.headers["x-consul-token"] == CANARY
        assert CANARY not in request.target


def test_a_redirect_is_not_followed_with_the_token(server: ConsulServer) -> None:
    with ConsulServer() as stranger:
        server.fail_next(307, {"Location": f"{stranger.url}/v1/kv/acme/prod/?recurse"})
        with pytest.raises(Rejected, match="redirect"):
            read(one(server, token=CANARY).list(PLACE, None))
        assert stranger.requests == []


def test_the_environment_is_not_read(server: ConsulServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONSUL_HTTP_TOKEN", "CONSUL_HTTP_ADDR", "CONSUL_HTTP_SSL", "CONSUL_HTTP_SSL_VERIFY"):
        monkeypatch.setenv(name, "nonsense://from::the environment")
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "REQUESTS_CA_BUNDLE"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/nowhere")
    adapter = one(server, token=CANARY)
    create(adapter, a=b"1")
    assert [item.id for item in read(adapter.list(PLACE, None))[0]] == ["acme/prod/a"]
    assert {request.headers["x-consul-token"] for request in server.requests} == {CANARY}


def test_keys_that_a_token_may_not_read_make_a_listing_incomplete() -> None:
    with ConsulServer(acl=ACL) as server:
        adapter = one(server, token=CANARY)
        create(adapter, a=b"1")
        assert len(read(adapter.list(PLACE, None))[0]) == 1
        server.kv.put("acme/prod/hidden/x", b"1")
        with pytest.raises(Denied, match="may not read some of the keys"):
            read(adapter.list(PLACE, None))
        items, absent, _ = read(adapter.get(["acme/prod/hidden/x", "acme/prod/a", "acme/prod/none"]))
        assert {item.id: item.unreadable is not None for item in items} == {
            "acme/prod/hidden/x": True,
            "acme/prod/a": False,
        }
        assert absent == ["acme/prod/none"]


def test_without_a_token_a_policy_of_denial_never_passes_for_an_empty_place() -> None:
    with ConsulServer(acl=ACL) as server:
        server.kv.put("acme/prod/a", b"1")
        with pytest.raises(Denied, match="set the option 'token'"):
            read(one(server).list(PLACE, None))


def test_what_the_token_may_not_write_is_denied_or_refused_by_name() -> None:
    with ConsulServer(acl=ACL) as server:
        reader = one(server, token="reader")
        with pytest.raises(Denied):
            reader.write([Put("acme/prod/a", b"1", None)])
        with pytest.raises(Denied):
            reader.write([Put("acme/prod/a", b"x" * VALUE_LIMIT, None)])
        with pytest.raises(Denied):
            read(one(server, token="nobody").list(PLACE, None))
        outcomes = one(server, token=CANARY).write(
            [Put("acme/prod/a", b"1", None), Put("acme/prod/hidden/x", b"1", None)]
        )
        assert verdicts(outcomes) == [Verdict.UNTRIED, Verdict.REFUSED]
        assert server.kv.keys() == []


def test_neither_token_nor_value_is_in_any_error_or_log(
    server: ConsulServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    value = b"canary-value-51c2"
    adapter = one(server, token=CANARY, timeout=0.2)
    said: list[str] = []
    echo = f"{CANARY} {value.decode()}"
    for status in (200, 302, 400, 401, 403, 404, 409, 413, 418, 429, 500, 503):
        server.fail_next(status, {"X-Consul-Index": "1", "Retry-After": CANARY}, echo, times=6)
        for attempt in (
            lambda: adapter.write([Put("acme/prod/a", value, None)]),
            lambda: read(adapter.list(PLACE, None)),
            lambda: read(adapter.get(["acme/prod/a"])),
            lambda: list(adapter.list(PLACE, "1-x").pages),
            lambda: adapter.watch(PLACE, "1-x", 0.1),
            lambda: adapter.write([Put("acme/prod/a", value * 60_000, None)]),
        ):
            said.append(spoken(attempt))
    for plan in (server.faults.drop_next, server.faults.hang_next):
        plan()
        said.append(spoken(lambda: adapter.write([Put("acme/prod/a", value, None)])))
    assert any("acme/prod" in text for text in said)
    assert any(record.name.startswith("urllib3") for record in caplog.records)
    for text in (*said, caplog.text):
        assert CANARY not in text
        assert value.decode() not in text


def spoken(attempt: Any) -> str:
    """All that an attempt says, with its traceback, and with no exception behind it that holds a request."""
    try:
        return repr(attempt())
    except AdapterError as error:
        assert error.__context__ is None
        return "".join(traceback.format_exception(error))


def test_both_consul_packages_in_one_environment_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (other,) = {"py-consul", "python-consul"} - set(installed())
    record = tmp_path / f"{other.replace('-', '_')}-9.dist-info"
    record.mkdir()
    (record / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {other}\nVersion: 9\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match="uninstall both"):
        ConsulAdapter(ConsulOptions())


def test_exactly_one_of_the_two_consul_packages_is_installed() -> None:
    assert len(installed()) == 1


def test_the_example_in_the_documentation_prints_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    text = (Path(__file__).parents[2] / "docs/providers/consul.md").read_text(encoding="utf-8")
    code = text.partition("```python\n")[2].partition("```")[0]
    exec(code, {})
    assert code.rstrip().rpartition("# ")[2] == capsys.readouterr().out.strip()


# ---- answers of somebody else, and numbers that no agent takes -----------------------------------------


@pytest.mark.parametrize(
    "body", ["{}", "[]", "true", "null", '{"Results": null}', '{"Results": [{"KV": {}}]}']
)
def test_an_answer_that_acknowledges_nothing_is_no_acknowledgement(
    server: ConsulServer, adapter: ConsulAdapter, body: str
) -> None:
    server.fail_next(200, body=body)
    with pytest.raises(Unacknowledged):
        adapter.write([Put("acme/prod/a", b"1", None)])


@pytest.mark.parametrize("body", ["{}", "[]", "null", '"true"', "1", ""])
def test_a_large_value_is_raced_or_applied_only_where_the_agent_says_so(
    server: ConsulServer, adapter: ConsulAdapter, body: str
) -> None:
    server.fail_next(200, body=body)
    with pytest.raises(Unacknowledged):
        adapter.write([Put("acme/prod/a", b"x" * 500_000, None)])


@pytest.mark.parametrize("body", ["{}", "[]", "null", '{"Results": 5}'])
def test_a_read_that_somebody_else_answers_shows_nothing_as_hidden(
    server: ConsulServer, adapter: ConsulAdapter, body: str
) -> None:
    server.fail_next(200, {"X-Consul-Index": "1"}, body)
    with pytest.raises(Unavailable):
        read(adapter.get(["acme/prod/a"]))


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


def test_an_index_of_nothing_is_waited_on_and_not_asked_for_over_and_over(
    server: ConsulServer, adapter: ConsulAdapter
) -> None:
    server.fail_next(200, {"X-Consul-Index": "0", "X-Consul-KnownLeader": "true"}, "[]")
    assert not adapter.watch(PLACE, "0-aa", 0.2)
    assert server.requests[-1].query["index"] == "1"


@pytest.mark.parametrize(
    ("option", "value"),
    [("timeout", 1e300), ("datacenter", ""), ("datacenter", "a/b"), ("url", "http://a:0")],
)
def test_an_option_that_would_only_fail_later_is_refused_by_name(option: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{option}: "):
        ConsulOptions(**{option: value})


def test_all_that_is_wrong_with_the_options_is_said_at_once() -> None:
    with pytest.raises(ValueError) as caught:
        ConsulOptions(url="consul", timeout=0, operations=0, namespace="-")
    assert all(f"{name}: " in str(caught.value) for name in ("url", "timeout", "operations", "namespace"))
