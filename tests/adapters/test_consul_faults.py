"""What it means for a write to Consul, or a read, that the answer is lost, refused or somebody else's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ecs_sync.adapter import Delete, Put, Verdict
from ecs_sync.errors import Rejected, Throttled, Unacknowledged, Unavailable
from ecs_sync.testing.faultproxy import FaultProxy
from ecs_sync_adapters.consul import ConsulAdapter
from ecs_sync_adapters.consul_options import ConsulOptions
from ecs_sync_sandbox.consul import ConsulServer
from tests.adapters.consul_sandbox import PLACE, connected, create, one, read, verdicts


@pytest.fixture
def server() -> Iterator[ConsulServer]:
    with ConsulServer() as running:
        yield running


@pytest.fixture
def adapter(server: ConsulServer) -> Iterator[ConsulAdapter]:
    yield from connected(server)


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


# ---- answers of somebody else ---------------------------------------------------------------------------


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
