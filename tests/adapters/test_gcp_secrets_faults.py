"""What becomes of calls to Secret Manager that go wrong: which may be tried again, and which never."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import grpc
import pytest

from ecs_sync.adapter import Delete, Listing, Outcome, Page, Put, Write
from ecs_sync.errors import AdapterError, Denied, Throttled, Unacknowledged, Unavailable
from ecs_sync.pace import Circuit, Pace, Paced
from ecs_sync.testing.faultproxy import FaultProxy
from ecs_sync.testing.subject import pages_of
from ecs_sync_adapters.gcp_secrets import GcpSecretsAdapter
from ecs_sync_sandbox.gcp_secrets import GcpSecretsServer
from ecs_sync_sandbox.real_server import free_port
from tests.adapters.gcp_sandbox import (
    APPLIED,
    MODE,
    PLACE,
    RACED,
    REFUSED,
    absent,
    adapter_of,
    at,
    items,
    one,
    write,
)

Code = grpc.StatusCode


@pytest.fixture
def server() -> Iterator[GcpSecretsServer]:
    with GcpSecretsServer() as server:
        yield server


@pytest.fixture
def gcp(server: GcpSecretsServer) -> Iterator[GcpSecretsAdapter]:
    adapter = adapter_of(server)
    yield adapter
    adapter.close()


def until_it_fails(listing: Callable[[], Listing], kind: type[AdapterError]) -> list[Page]:
    """The pages up to the failure, which is of this kind and no other."""
    seen: list[Page] = []
    with pytest.raises(AdapterError) as caught:
        seen.extend(pages_of(listing()))
    assert type(caught.value) is kind
    return seen


def fails(gcp: GcpSecretsAdapter, attempt: Write, kind: type[AdapterError]) -> AdapterError:
    with pytest.raises(AdapterError) as caught:
        gcp.write([attempt])
    assert type(caught.value) is kind
    return caught.value


def values(gcp: GcpSecretsAdapter) -> list[bytes | None]:
    return [item.value for item in items(gcp.history(MODE, None))]


# -- lost acknowledgements


def test_a_creation_whose_version_is_not_acknowledged_is_unknown_and_sent_once(
    server: GcpSecretsServer, gcp: GcpSecretsAdapter
) -> None:
    server.lose_ack_next("AddSecretVersion")
    fails(gcp, Put(MODE, b"1", None), Unacknowledged)
    assert (server.count("CreateSecret"), server.count("AddSecretVersion")) == (1, 1)
    assert values(gcp) == [b"1"]


def test_a_secret_made_without_an_answer_holds_nothing_and_is_filled_by_the_next_attempt(
    server: GcpSecretsServer, gcp: GcpSecretsAdapter
) -> None:
    server.lose_ack_next("CreateSecret")
    fails(gcp, Put(MODE, b"1", None), Unavailable)
    assert absent(gcp.get([MODE])) == [MODE]
    outcome = write(gcp, Put(MODE, b"1", None))
    assert (outcome.verdict, outcome.replaced) == (APPLIED, None)
    assert values(gcp) == [b"1"]


def test_an_update_whose_answer_is_lost_is_sent_once_only(
    server: GcpSecretsServer, gcp: GcpSecretsAdapter
) -> None:
    server.secrets.set(MODE, b"1")
    revision = at(gcp)
    server.lose_ack_next("AddSecretVersion")
    fails(gcp, Put(MODE, b"2", revision), Unacknowledged)
    assert values(gcp) == [b"1", b"2"]


def test_a_delete_whose_answer_is_lost_is_unknown(server: GcpSecretsServer, gcp: GcpSecretsAdapter) -> None:
    server.secrets.set(MODE, b"1")
    revision = at(gcp)
    server.lose_ack_next("DeleteSecret")
    fails(gcp, Delete(MODE, revision), Unacknowledged)
    assert server.count("DeleteSecret") == 1 and server.secrets.names() == []


def test_a_connection_that_breaks_after_an_update_was_sent_leaves_it_unknown(
    server: GcpSecretsServer,
) -> None:
    server.secrets.set(MODE, b"1")
    host, _, port = server.address.partition(":")
    with FaultProxy(host, int(port)) as proxy:
        gcp = adapter_of(server, endpoint=f"127.0.0.1:{proxy.port}")
        revision = at(gcp)
        proxy.cut_down_after(0)
        fails(gcp, Put(MODE, b"2", revision), Unacknowledged)
        gcp.close()
    assert values(adapter_of(server)) == [b"1", b"2"]
    assert server.count("AddSecretVersion") == 1


@pytest.mark.parametrize(
    "code",
    [Code.INTERNAL, Code.UNKNOWN, Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED, Code.CANCELLED, Code.DATA_LOSS],
)
def test_an_error_of_the_server_on_a_write_is_never_taken_for_not_applied(
    server: GcpSecretsServer, gcp: GcpSecretsAdapter, code: grpc.StatusCode
) -> None:
    server.secrets.set(MODE, b"1")
    revision = at(gcp)
    server.fail_next("AddSecretVersion", code)
    fails(gcp, Put(MODE, b"2", revision), Unacknowledged)
    server.fail_next("DeleteSecret", code)
    fails(gcp, Delete(MODE, revision), Unacknowledged)
    assert (server.count("AddSecretVersion"), server.count("DeleteSecret")) == (1, 1)


@pytest.mark.parametrize("method", ["GetSecret", "AccessSecretVersion"])
def test_a_look_before_a_delete_that_fails_deletes_nothing(
    server: GcpSecretsServer, gcp: GcpSecretsAdapter, method: str
) -> None:
    server.secrets.set(MODE, b"1")
    revision = at(gcp)
    server.fail_next(method, Code.INTERNAL)
    fails(gcp, Delete(MODE, revision), Unavailable)
    assert server.count("DeleteSecret") == 0


def test_what_was_replaced_stays_unknown_where_it_cannot_be_looked_up(
    server: GcpSecretsServer, gcp: GcpSecretsAdapter
) -> None:
    server.secrets.set(MODE, b"1")
    revision = at(gcp)
    server.secrets.set(MODE, b"theirs")
    server.fail_next("GetSecretVersion", Code.INTERNAL)
    outcome = write(gcp, Put(MODE, b"2", revision))
    assert (outcome.verdict, outcome.replaced) == (APPLIED, None)


def test_an_answer_to_a_write_that_names_no_version_is_no_acknowledgement(
    server: GcpSecretsServer, gcp: GcpSecretsAdapter
) -> None:
    def emptied(answer: Any) -> None:
        answer.name = ""

    server.damage_next("AddSecretVersion", emptied)
    fails(gcp, Put(MODE, b"1", None), Unacknowledged)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("failed to connect to all addresses; last error: UNKNOWN: Connection refused", Unavailable),
        ("errors resolving secretmanager.example:443: [Domain name not found]", Unavailable),
        ("DNS resolution failed for secretmanager.example:443", Unavailable),
        ("Socket closed", Unacknowledged),
        ("recvmsg:Connection reset by peer", Unacknowledged),
        ("GOAWAY received", Unacknowledged),
        ("The service is currently unavailable.", Unacknowledged),
        ("", Unacknowledged),
    ],
)
def test_only_where_there_was_no_connection_is_a_write_known_not_to_have_been_sent(
    server: GcpSecretsServer, gcp: GcpSecretsAdapter, text: str, kind: type[AdapterError]
) -> None:
    server.fail_next("AddSecretVersion", Code.UNAVAILABLE, text)
    fails(gcp, Put(MODE, b"1", None), kind)


# -- two at a time


def test_a_write_that_was_given_up_for_another_may_be_tried_again(
    server: GcpSecretsServer, gcp: GcpSecretsAdapter
) -> None:
    server.secrets.set(MODE, b"1")
    revision = at(gcp)
    server.fail_next("AddSecretVersion", Code.ABORTED)
    fails(gcp, Put(MODE, b"2", revision), Unavailable)
    server.fail_next("DeleteSecret", Code.ABORTED)
    fails(gcp, Delete(MODE, revision), Unavailable)
    assert write(gcp, Put(MODE, b"2", revision)).verdict is APPLIED


def test_a_new_secret_that_is_not_there_yet_for_its_version_may_be_tried_again(
    server: GcpSecretsServer, gcp: GcpSecretsAdapter
) -> None:
    server.fail_next("AddSecretVersion", Code.NOT_FOUND)
    fails(gcp, Put(MODE, b"1", None), Unavailable)
    assert write(gcp, Put(MODE, b"1", None)).verdict is APPLIED
    assert values(gcp) == [b"1"]


def test_threads_that_create_the_same_secret_make_no_version_that_nobody_tells_of(
    server: GcpSecretsServer, gcp: GcpSecretsAdapter
) -> None:
    seen: list[Outcome] = []
    start = threading.Barrier(8)

    def create(number: int) -> None:
        start.wait()
        seen.append(write(gcp, Put(MODE, b"%d" % number, None)))

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    made = [item.revision for item in items(gcp.history(MODE, None))]
    applied = [outcome for outcome in seen if outcome.verdict is APPLIED]
    assert sorted(outcome.revision or "" for outcome in applied) == made
    before = dict(zip(made, [None, *made], strict=False))
    assert all(outcome.replaced == before[outcome.revision] for outcome in applied)
    assert all(outcome.verdict in (APPLIED, RACED) for outcome in seen)


# -- throttling


@pytest.mark.parametrize("seconds", [None, 0.0, 1.5, 7.0, 3600.0])
def test_a_throttled_call_may_be_tried_again_and_says_how_long_to_wait(
    server: GcpSecretsServer, gcp: GcpSecretsAdapter, seconds: float | None
) -> None:
    server.secrets.set(MODE, b"1")
    revision = at(gcp)
    attempts: list[tuple[str, Callable[[], object]]] = [
        ("CreateSecret", lambda: gcp.write([Put("acme-prod-new", b"1", None)])),
        ("AddSecretVersion", lambda: gcp.write([Put(MODE, b"2", revision)])),
        ("GetSecret", lambda: gcp.write([Delete(MODE, revision)])),
        ("DeleteSecret", lambda: gcp.write([Delete(MODE, revision)])),
        ("GetSecretVersion", lambda: items(gcp.get([MODE]))),
        ("AccessSecretVersion", lambda: items(gcp.get([MODE]))),
        ("ListSecrets", lambda: items(gcp.list(PLACE, None))),
    ]
    for method, attempt in attempts:
        before = server.count(method)
        server.throttle_next(method, seconds)
        with pytest.raises(Throttled) as caught:
            attempt()
        assert caught.value.retry_after == seconds
        assert server.count(method) == before + 1
    assert values(gcp) == [b"1"]


@pytest.mark.parametrize("details", [b"", b"\xff\xff", b"not a status"])
def test_details_that_are_none_tell_no_time_to_wait(
    server: GcpSecretsServer, gcp: GcpSecretsAdapter, details: bytes
) -> None:
    server.fail_next("ListSecrets", Code.RESOURCE_EXHAUSTED, details=details)
    with pytest.raises(Throttled) as caught:
        items(gcp.list(PLACE, None))
    assert caught.value.retry_after is None


def test_nobody_sleeps_for_an_hour_because_a_server_says_so(
    server: GcpSecretsServer, gcp: GcpSecretsAdapter
) -> None:
    waited: list[float] = []
    now = [0.0]

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        now[0] += seconds

    paced = Paced(gcp, Pace(attempts=3, max_wait=30.0), clock=lambda: now[0], sleep=sleep)
    server.throttle_next("CreateSecret", 3600.0, times=2)
    [outcome] = paced.write([Put(MODE, b"1", None)])
    assert outcome.verdict is APPLIED
    assert max(waited) <= 30.0 and sum(waited) < 120.0
    assert values(gcp) == [b"1"]


# -- listings and reads


@pytest.mark.parametrize("method", ["ListSecrets", "GetSecretVersion"])
@pytest.mark.parametrize("passing", [0, 1, 2])
@pytest.mark.parametrize("code", [Code.INTERNAL, Code.UNAVAILABLE])
def test_a_listing_that_fails_in_the_middle_never_has_a_proof(
    server: GcpSecretsServer, gcp: GcpSecretsAdapter, method: str, passing: int, code: grpc.StatusCode
) -> None:
    server.most_a_page = 2
    for number in range(5):
        server.secrets.set(f"acme-prod-{number}", b"1")
    server.pass_next(method, passing)
    server.fail_next(method, code)
    seen = until_it_fails(lambda: gcp.list(PLACE, None), Unavailable)
    assert all(page.proof is None for page in seen)
    assert len(items(gcp.list(PLACE, None))) == 5


def test_a_page_token_that_comes_twice_is_no_end(server: GcpSecretsServer, gcp: GcpSecretsAdapter) -> None:
    def again(answer: Any) -> None:
        answer.next_page_token = str(2**62)

    for _ in range(2):
        server.damage_next("ListSecrets", again)
    with pytest.raises(Unavailable, match="a page token twice"):
        items(gcp.list(PLACE, None))


def test_a_short_or_empty_page_is_not_the_end(server: GcpSecretsServer, gcp: GcpSecretsAdapter) -> None:
    server.most_a_page = 2
    for number in range(5):
        server.secrets.set(f"acme-prod-{number}", b"1")

    def emptied(answer: Any) -> None:
        del answer.secrets[:]

    server.damage_next("ListSecrets", emptied)
    assert len(items(gcp.list(PLACE, None))) == 3
    assert server.count("ListSecrets") == 3


def test_a_secret_that_goes_while_it_is_listed_is_left_out(
    server: GcpSecretsServer, gcp: GcpSecretsAdapter
) -> None:
    for name in ("a", "b"):
        server.secrets.set(f"acme-prod-{name}", b"1")
    server.damage_next("ListSecrets", lambda _: server.secrets.remove("acme-prod-a"))
    assert [item.id for item in items(gcp.list(PLACE, None))] == ["acme-prod-b"]


# -- servers that hang


@contextmanager
def silent() -> Iterator[str]:
    """A server that takes connections and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield f"127.0.0.1:{listener.getsockname()[1]}"


READS: Sequence[tuple[str, Callable[[GcpSecretsAdapter], Listing]]] = (
    ("ListSecrets", lambda gcp: gcp.list(PLACE, None)),
    ("GetSecretVersion", lambda gcp: gcp.list(PLACE, None)),
    ("GetSecretVersion", lambda gcp: gcp.get([MODE])),
    ("AccessSecretVersion", lambda gcp: gcp.get([MODE])),
    ("AccessSecretVersion", lambda gcp: gcp.history(MODE, None)),
)


@pytest.mark.parametrize(("method", "read"), READS)
def test_a_server_that_hangs_in_a_read_ends_in_unavailable_after_one_attempt(
    server: GcpSecretsServer, method: str, read: Callable[[GcpSecretsAdapter], Listing]
) -> None:
    gcp = adapter_of(server, read_timeout=0.3)
    server.secrets.set(MODE, b"1")
    hold = server.hold_next(method)
    seen = until_it_fails(lambda: read(gcp), Unavailable)
    assert all(page.proof is None for page in seen) and server.count(method) == 1
    hold.released.set()


def test_a_write_that_times_out_may_still_land(server: GcpSecretsServer) -> None:
    gcp = adapter_of(server, read_timeout=0.3)
    hold = server.hold_next("AddSecretVersion")
    fails(gcp, Put(MODE, b"1", None), Unacknowledged)
    assert absent(gcp.get([MODE])) == [MODE]
    hold.released.set()
    assert hold.done.wait(10)
    assert one(adapter_of(server)).value == b"1"


def test_a_creation_that_lands_late_makes_a_secret_that_holds_nothing(server: GcpSecretsServer) -> None:
    gcp = adapter_of(server, read_timeout=0.3)
    hold = server.hold_next("CreateSecret")
    fails(gcp, Put(MODE, b"1", None), Unavailable)
    hold.released.set()
    assert hold.done.wait(10)
    assert items(adapter_of(server).list(PLACE, None)) == []
    assert write(adapter_of(server), Put(MODE, b"1", None)).verdict is APPLIED


def test_a_server_that_never_says_a_word_is_given_up(server: GcpSecretsServer) -> None:
    with silent() as address:
        gcp = adapter_of(server, endpoint=address, connect_timeout=0.3, read_timeout=0.5)
        until_it_fails(lambda: gcp.list(PLACE, None), Unavailable)
        with pytest.raises(AdapterError):
            gcp.write([Put(MODE, b"1", None)])
        gcp.close()


def test_a_server_that_is_not_there_was_sent_nothing(server: GcpSecretsServer) -> None:
    server.secrets.set(MODE, b"1")
    revision = at(adapter_of(server))
    gcp = adapter_of(server, endpoint=f"127.0.0.1:{free_port()}")
    for attempt in (Put(MODE, b"2", revision), Put("acme-prod-new", b"1", None), Delete(MODE, revision)):
        assert "not reachable" in str(fails(gcp, attempt, Unavailable))
    until_it_fails(lambda: gcp.list(PLACE, None), Unavailable)


def test_a_server_that_is_no_grpc_at_all_never_reads_as_an_empty_place(server: GcpSecretsServer) -> None:
    from ecs_sync_sandbox.consul import ConsulServer

    with ConsulServer() as portal:
        gcp = adapter_of(server, endpoint=portal.url.removeprefix("http://"), read_timeout=2.0)
        until_it_fails(lambda: gcp.list(PLACE, None), Unavailable)
        gcp.close()


def test_an_adapter_finds_its_server_again_after_it_was_away(server: GcpSecretsServer) -> None:
    server.secrets.set(MODE, b"1")
    host, _, port = server.address.partition(":")
    with FaultProxy(host, int(port)) as proxy:
        gcp = adapter_of(server, endpoint=f"127.0.0.1:{proxy.port}", connect_timeout=1.0)
        assert one(gcp).value == b"1"
        proxy.refuse()
        until_it_fails(lambda: gcp.get([MODE]), Unavailable)
        proxy.heal()
        patience = Paced(gcp, Pace(attempts=50, max_wait=0.5, circuit=Circuit(failures=100)))
        assert [item.value for item in items(patience.get([MODE]))] == [b"1"]
        patience.close()


def test_an_adapter_that_was_closed_connects_again(server: GcpSecretsServer, gcp: GcpSecretsAdapter) -> None:
    write(gcp, Put(MODE, b"1", None))
    gcp.close()
    assert one(gcp).value == b"1"


# -- denials


def test_one_denied_secret_is_unreadable_and_hides_no_other(
    server: GcpSecretsServer, gcp: GcpSecretsAdapter
) -> None:
    names = [f"acme-prod-{letter}" for letter in "abc"]
    for name in names:
        server.secrets.set(name, b"1")
    server.deny("AccessSecretVersion", names[1])
    assert [item.unreadable for item in items(gcp.list(PLACE, None))] == [None, None, None]
    read = {item.id: item for item in items(gcp.get(names))}
    assert [name for name in names if read[name].value is None] == [names[1]]
    assert "secretmanager.versions.access" in (read[names[1]].unreadable or "")
    server.deny("GetSecretVersion", names[2])
    listed = {item.id: item.unreadable for item in items(gcp.list(PLACE, None))}
    assert listed[names[0]] is None and "secretmanager.versions.get" in (listed[names[2]] or "")
    assert "secretmanager.versions.get" in (one(gcp, names[2]).unreadable or "")


def test_a_secret_whose_labels_are_denied_is_unreadable_and_never_absent(server: GcpSecretsServer) -> None:
    server.secrets.set(MODE, b"1")
    server.deny("GetSecret", MODE)
    assert "secretmanager.secrets.get" in (one(adapter_of(server, labels=True)).unreadable or "")


def test_a_denied_listing_says_so_and_proves_nothing(
    server: GcpSecretsServer, gcp: GcpSecretsAdapter
) -> None:
    server.fail_next("ListSecrets", Code.PERMISSION_DENIED, "Permission 'secretmanager.secrets.list' denied")
    with pytest.raises(Denied, match="secretmanager\\.secrets\\.list"):
        items(gcp.list(PLACE, None))


@pytest.mark.parametrize("method", ["CreateSecret", "AddSecretVersion"])
def test_a_denied_creation_is_refused_by_itself_and_stops_no_other(
    server: GcpSecretsServer, gcp: GcpSecretsAdapter, method: str
) -> None:
    server.deny(method, MODE)
    outcome = write(gcp, Put(MODE, b"1", None))
    assert outcome.verdict is REFUSED and "secretmanager." in outcome.reason
    assert write(gcp, Put("acme-prod-other", b"1", None)).verdict is APPLIED
    assert server.secrets.get(MODE) is None


@pytest.mark.parametrize("method", ["GetSecret", "AccessSecretVersion", "DeleteSecret"])
def test_a_denied_delete_is_refused_by_itself(
    server: GcpSecretsServer, gcp: GcpSecretsAdapter, method: str
) -> None:
    server.secrets.set(MODE, b"1")
    revision = at(gcp)
    server.deny(method, MODE)
    assert write(gcp, Delete(MODE, revision)).verdict is REFUSED
    assert server.secrets.get(MODE) == b"1"


def test_a_denied_look_at_what_exists_already_is_refused(
    server: GcpSecretsServer, gcp: GcpSecretsAdapter
) -> None:
    server.secrets.set(MODE, b"1")
    server.deny("AccessSecretVersion", MODE)
    assert write(gcp, Put(MODE, b"2", None)).verdict is REFUSED
    assert server.secrets.get(MODE) == b"1"


def test_a_policy_that_forbids_a_replication_refuses_the_creation(
    server: GcpSecretsServer, gcp: GcpSecretsAdapter
) -> None:
    server.fail_next("CreateSecret", Code.FAILED_PRECONDITION, "constraints/gcp.resourceLocations")
    outcome = write(gcp, Put(MODE, b"1", None))
    assert outcome.verdict is REFUSED and "policy of the organization" in outcome.reason


@pytest.mark.parametrize("method", ["CreateSecret", "AddSecretVersion", "ListSecrets", "AccessSecretVersion"])
def test_an_expired_token_says_what_to_do_and_applied_nothing(
    server: GcpSecretsServer, gcp: GcpSecretsAdapter, method: str
) -> None:
    server.secrets.set(MODE, b"1")
    revision = at(gcp)
    server.fail_next(method, Code.UNAUTHENTICATED, "Request had invalid authentication credentials")
    attempts: dict[str, Callable[[], object]] = {
        "CreateSecret": lambda: gcp.write([Put("acme-prod-new", b"1", None)]),
        "AddSecretVersion": lambda: gcp.write([Put(MODE, b"2", revision)]),
        "ListSecrets": lambda: items(gcp.list(PLACE, None)),
        "AccessSecretVersion": lambda: items(gcp.get([MODE])),
    }
    with pytest.raises(Denied, match="log in again"):
        attempts[method]()
    assert server.secrets.names() == [MODE] and values(gcp) == [b"1"]


def test_what_answers_and_is_not_secret_manager_is_named(
    server: GcpSecretsServer, gcp: GcpSecretsAdapter
) -> None:
    server.fail_next("ListSecrets", Code.UNIMPLEMENTED, "unknown service")
    with pytest.raises(AdapterError, match="not Secret Manager: check endpoint"):
        items(gcp.list(PLACE, None))
