"""Reading from the stand-in of Consul: listings, looks for changes, watches, and point reads."""

from __future__ import annotations

import json
import threading
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_sync.abilities import Watches
from ecs_sync.errors import Rejected, Throttled, Unavailable
from ecs_sync_adapters.consul import ConsulAdapter
from ecs_sync_adapters.consul_http import Garbled, elements
from ecs_sync_adapters.consul_options import ConsulPlace
from ecs_sync_sandbox.consul import ConsulServer
from tests.adapters.consul_sandbox import PLACE, connected, create, one, read, token_of


@pytest.fixture
def server() -> Iterator[ConsulServer]:
    with ConsulServer() as running:
        yield running


@pytest.fixture
def adapter(server: ConsulServer) -> Iterator[ConsulAdapter]:
    yield from connected(server)


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


def test_an_index_of_nothing_is_waited_on_and_not_asked_for_over_and_over(
    server: ConsulServer, adapter: ConsulAdapter
) -> None:
    server.fail_next(200, {"X-Consul-Index": "0", "X-Consul-KnownLeader": "true"}, "[]")
    assert not adapter.watch(PLACE, "0-aa", 0.2)
    assert server.requests[-1].query["index"] == "1"
