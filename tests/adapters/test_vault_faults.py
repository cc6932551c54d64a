"""What becomes of calls to Vault that go wrong, at both versions of KV: none is lost, none is done twice."""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from ecs_sync.adapter import Delete, Item, Listing, Page, Put, Verdict
from ecs_sync.errors import AdapterError, Denied, Rejected, Throttled, Unacknowledged, Unavailable
from ecs_sync.pace import Paced
from ecs_sync.testing.subject import pages_of
from ecs_sync_adapters.vault_kv1 import VaultKv1Adapter
from ecs_sync_adapters.vault_kv2 import VaultKv2Adapter
from ecs_sync_adapters.vault_options import VaultPlace
from ecs_sync_sandbox.http_server import HttpServer, Reply, Request
from ecs_sync_sandbox.openbao import ROOT_TOKEN, OpenBaoServer, front
from ecs_sync_sandbox.real_server import free_port
from tests.adapters.vault_sandbox import absent, items, options_of, server, value

APPLIED, REFUSED, RACED = Verdict.APPLIED, Verdict.REFUSED, Verdict.RACED
ALL = VaultPlace("/")

_turn = itertools.count()


@pytest.fixture(scope="module")
def bao() -> Iterator[OpenBaoServer]:
    with server() as running:
        yield running


@dataclass(frozen=True)
class World:
    """A mount of one version behind a door that plays faults."""

    bao: OpenBaoServer
    door: HttpServer
    version: int
    mount: str

    def adapter(self, **more: Any) -> VaultKv1Adapter | VaultKv2Adapter:
        kind = VaultKv2Adapter if self.version == 2 else VaultKv1Adapter
        return kind(options_of(**{"url": self.door.url, "mount": self.mount, **more}))

    def sees(self, id: str) -> Item | None:
        """The secret as another connection reads it."""
        found = items(self.adapter().get([id]))
        return found[0] if found else None

    @property
    def writes(self) -> list[Request]:
        return [request for request in self.door.requests if is_write(request)]

    def made(self, id: str, **fields: Any) -> str:
        [outcome] = self.adapter().write([Put(id, value(**fields), None)])
        assert outcome.verdict is APPLIED and outcome.revision is not None
        return outcome.revision


def is_write(request: Request) -> bool:
    return request.method in ("POST", "PUT", "DELETE") and "/auth/" not in request.target


def is_read(request: Request) -> bool:
    return request.method in ("GET", "LIST") and "/auth/" not in request.target


@pytest.fixture(params=[1, 2], ids=["kv1", "kv2"])
def world(bao: OpenBaoServer, request: pytest.FixtureRequest) -> Iterator[World]:
    mount = f"faulty{next(_turn)}"
    bao.mount(mount, version=request.param)
    with front(bao.url) as door:
        yield World(bao, door, request.param, mount)


def until_it_fails(pages: Any, kind: type[AdapterError]) -> list[Page]:
    """The pages up to the failure."""
    seen: list[Page] = []
    with pytest.raises(kind):
        seen.extend(pages_of(Listing(pages)))
    return seen


# -- lost acknowledgements


def test_a_creation_whose_answer_is_lost_is_sent_once_and_may_have_landed(world: World) -> None:
    world.door.drop_next(when=is_write)
    with pytest.raises(Unacknowledged):
        world.adapter().write([Put("db", value(n=1), None)])
    assert len(world.writes) == 1
    found = world.sees("db")
    assert found is not None and found.value == value(n=1)
    [again] = world.adapter().write([Put("db", value(n=1), None)])
    assert again.verdict is RACED, "it is there: a second creation must not pass for the first"


def test_an_update_whose_answer_is_lost_is_sent_once_and_may_have_landed(world: World) -> None:
    revision = world.made("db", n=1)
    world.door.drop_next(when=is_write)
    with pytest.raises(Unacknowledged):
        world.adapter().write([Put("db", value(n=2), revision)])
    found = world.sees("db")
    assert found is not None and found.value == value(n=2)
    assert len(world.writes) == 2
    if world.version == 2:
        assert (found.revision or "").startswith("2") and found.value == value(n=2)


def test_a_delete_whose_answer_is_lost_is_sent_once_and_may_have_landed(world: World) -> None:
    revision = world.made("db", n=1)
    world.door.drop_next(when=is_write)
    with pytest.raises(Unacknowledged):
        world.adapter().write([Delete("db", revision)])
    assert world.sees("db") is None
    assert len(world.writes) == 2


@pytest.mark.parametrize("status", [500, 502, 504])
def test_a_server_error_on_a_write_is_never_taken_for_not_applied(world: World, status: int) -> None:
    world.door.fail_next(status, body='{"errors":["boom"]}', when=is_write)
    with pytest.raises(Unacknowledged):
        world.adapter().write([Put("db", value(n=1), None)])
    assert len(world.writes) == 1


def test_a_503_of_a_proxy_tells_nothing_of_a_write_and_that_of_vault_tells_it_was_not_applied(
    world: World,
) -> None:
    world.door.fail_next(503, body="<html>upstream</html>", when=is_write)
    with pytest.raises(Unacknowledged):
        world.adapter().write([Put("db", value(n=1), None)])
    world.door.fail_next(503, body='{"errors":["Vault is sealed"]}', when=is_write)
    with pytest.raises(Unavailable, match="sealed"):
        world.adapter().write([Put("db", value(n=1), None)])


def test_a_failed_look_before_a_write_means_that_nothing_was_sent(world: World) -> None:
    revision = world.made("db", n=1)
    sent = len(world.writes)
    for fault in (
        lambda: world.door.fail_next(500, when=is_read),
        lambda: world.door.drop_next(when=is_read),
        lambda: world.door.cut_next(20, when=is_read),
    ):
        fault()
        with pytest.raises(Unavailable):
            world.adapter().write([Put("db", value(n=2), revision)])
    assert len(world.writes) == sent


def test_a_hanging_server_is_given_up_in_the_configured_time(world: World) -> None:
    revision = world.made("db", n=1)
    hasty = world.adapter(read_timeout=0.3)
    items(hasty.list(ALL, None))
    released = world.door.hang_next(when=is_write)
    with pytest.raises(Unacknowledged):
        hasty.write([Put("db", value(n=2), revision)])
    released.set()
    for listing in (hasty.list(ALL, None), hasty.get(["db"])):
        released = world.door.hang_next(when=is_read)
        assert until_it_fails(listing.pages, Unavailable) == []
        released.set()


def test_an_answer_that_comes_drop_by_drop_is_given_up_in_the_configured_time() -> None:
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
                while not ended.wait(0.05):
                    connection.sendall(b" ")

        thread = threading.Thread(target=drip)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        patient = VaultKv2Adapter(options_of(url, read_timeout=0.3))
        with pytest.raises(Unavailable):
            patient.write([Put("db", value(n=1), None)])
        assert thread.is_alive(), "the server would go on"
        ended.set()
        thread.join()


def test_calls_share_their_connections(world: World) -> None:
    vault = world.adapter()
    for number in range(5):
        vault.write([Put(f"db{number}", value(n=number), None)])
    items(vault.list(ALL, None))
    line = vault._session._line
    [pool] = (pool for pool in _pools(line.session) if pool.num_requests)
    assert pool.num_connections == 1 and pool.num_requests > 5


def _pools(session: Any) -> list[Any]:
    manager = session.get_adapter("http://x").poolmanager
    return [manager.pools[key] for key in manager.pools.keys()]  # noqa: SIM118  it is no dict


def test_a_server_that_is_not_there_was_sent_nothing(world: World) -> None:
    vault = world.adapter(url=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(Unavailable, match="not reachable"):
        vault.write([Put("db", value(n=1), None)])
    assert until_it_fails(vault.list(ALL, None).pages, Unavailable) == []


# -- throttling


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "3600"}, 3600.0),
    ],
)
def test_a_throttled_call_says_for_how_long_and_applied_nothing(
    world: World, headers: dict[str, str], seconds: float | None
) -> None:
    body = '{"errors":["request path \\"kv/data/db\\": rate limit quota exceeded"]}'
    world.door.fail_next(429, headers, body, when=is_write)
    with pytest.raises(Throttled) as caught:
        world.adapter().write([Put("db", value(n=1), None)])
    assert caught.value.retry_after == seconds
    assert world.sees("db") is None


def test_an_hour_of_retry_after_is_not_slept(world: World) -> None:
    slept: list[float] = []
    paced = Paced(world.adapter(), clock=lambda: sum(slept), sleep=slept.append)
    world.door.fail_next(429, {"Retry-After": "3600"}, when=is_write)
    with contextlib.suppress(Throttled):
        [outcome] = paced.write([Put("db", value(n=1), None)])
        assert outcome.verdict is APPLIED
    assert sum(slept) < 300


def test_a_rate_limit_quota_of_the_real_server_throttles(bao: OpenBaoServer) -> None:
    bao.mount("narrow")
    bao.call("POST", "sys/quotas/rate-limit/narrow", {"path": "narrow", "rate": 1, "interval": "1h"})
    vault = VaultKv2Adapter(options_of(bao.url, mount="narrow"))
    with pytest.raises(Throttled):
        for _ in range(5):
            absent(vault.get(["db"]))


# -- listings


def test_a_listing_that_fails_in_the_middle_never_has_a_proof(world: World) -> None:
    for n in range(12):
        world.made(f"folder{n % 3}/{n:02}", n=n)
    vault = world.adapter()
    assert len(items(vault.list(ALL, None))) == 12
    faults: list[Callable[[Callable[[Request], bool]], object]] = [
        lambda when: world.door.fail_next(500, body='{"errors":[]}', when=when),
        lambda when: world.door.fail_next(429, when=when),
        lambda when: world.door.fail_next(404, body="<html>not found</html>", when=when),
        lambda when: world.door.fail_next(200, body="<html>log in</html>", when=when),
        lambda when: world.door.fail_next(200, body='{"data":{"keys":"x"}}', when=when),
        lambda when: world.door.fail_next(204, when=when),
        lambda when: world.door.drop_next(when=when),
        lambda when: world.door.cut_next(10, when=when),
    ]
    for fault, where in itertools.product(faults, ("folder1/", "folder2/11")):
        if fault is faults[4] and where == "folder2/11":
            continue  # of KV 1 that is a secret
        fault(lambda request, where=where: request.path.endswith(where))  # type: ignore[misc]
        try:
            pages = list(pages_of(vault.list(ALL, None)))
        except AdapterError:
            continue
        raise AssertionError(f"{where}: {len(pages)} pages and no error")
    assert len(items(vault.list(ALL, None))) == 12


def test_names_of_a_listing_that_lead_elsewhere_are_not_followed() -> None:
    strange = ["../", "./", "/", "ok", "a//b/"]
    metadata = {
        "current_version": 1,
        "versions": {"1": {"created_time": "2026-01-01T00:00:00Z", "deletion_time": "", "destroyed": False}},
    }

    def respond(request: Request) -> Reply:
        data: Any = {"keys": strange} if request.method == "LIST" else metadata
        return Reply(200, json.dumps({"data": data}).encode())

    with HttpServer(respond) as stub:
        vault = VaultKv2Adapter(options_of(stub.url))
        found = {item.id: item.unreadable for item in items(vault.list(VaultPlace("app/"), None))}
    assert [id for id, reason in found.items() if reason is None] == ["app/ok"]
    assert set(found) == {f"app/{name}" for name in strange}


@pytest.mark.parametrize("status", [404, 200, 204])
def test_an_answer_that_is_not_one_of_vault_is_no_absence_and_no_acknowledgement(
    world: World, status: int
) -> None:
    revision = world.made("db", n=1)
    vault = world.adapter()
    items(vault.list(ALL, None))
    world.door.fail_next(status, body="<html>captive portal</html>", when=is_read)
    try:
        assert absent(vault.get(["db"])) == []
        raise AssertionError("a page of a proxy was read as a secret")
    except AdapterError:
        pass
    if status != 204:
        world.door.fail_next(status, body="<html>captive portal</html>", when=is_write)
        try:
            [outcome] = vault.write([Put("db", value(n=2), revision)])
            assert outcome.verdict is not APPLIED
        except AdapterError:
            pass


# -- standbys, replication, seals


@pytest.mark.parametrize(
    ("status", "said"), [(412, "behind"), (472, "recovery"), (473, "standby"), (501, "init")]
)
def test_the_statuses_of_standbys_mean_that_nothing_was_applied(world: World, status: int, said: str) -> None:
    for when, work in (
        (is_write, lambda: world.adapter().write([Put("db", value(n=1), None)])),
        (is_read, lambda: items(world.adapter().list(ALL, None))),
    ):
        world.door.fail_next(status, body='{"errors":["x"]}', when=when)
        with pytest.raises(Unavailable, match=said):
            work()
    assert world.sees("db") is None


def test_a_sealed_server_is_unavailable() -> None:
    with server() as bao:
        vault = VaultKv2Adapter(options_of(bao.url))
        items(vault.list(ALL, None))
        bao.seal()
        with pytest.raises(Unavailable, match="sealed"):
            vault.write([Put("db", value(n=1), None)])
        with pytest.raises(Unavailable, match="sealed"):
            items(vault.list(ALL, None))
        with pytest.raises(Unavailable, match="sealed"):
            items(VaultKv2Adapter(options_of(bao.url)).list(ALL, None))


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed_and_no_token_goes_along(world: World, status: int) -> None:
    with HttpServer(lambda _: Reply(200, b"{}")) as elsewhere:
        to = {"Location": f"{elsewhere.url.replace('//', '//me:word@')}/v1/kv/data/db"}
        for when, work in (
            (is_write, lambda: world.adapter().write([Put("db", value(n=1), None)])),
            (is_read, lambda: items(world.adapter().get(["db"]))),
        ):
            world.door.fail_next(status, to, when=when)
            with pytest.raises(Unavailable, match="set url to") as caught:
                work()
            assert "word" not in str(caught.value)
        assert elsewhere.requests == []
    assert world.sees("db") is None


def test_a_redirect_to_what_is_no_url_is_no_usable_answer(world: World) -> None:
    world.door.fail_next(302, {"Location": "http://[::1"})
    with pytest.raises(Unavailable, match="no usable answer"):
        items(world.adapter().get(["db"]))


def test_too_large_is_refused_and_so_is_what_the_server_does_not_know(world: World) -> None:
    for status, said in ((413, "larger"), (405, "check that it is KV"), (400, "status 400"), (418, "418")):
        world.door.fail_next(status, body='{"errors":["canary-word"]}', when=is_write)
        [outcome] = world.adapter().write([Put("db", value(n=1), None)])
        assert outcome.verdict is REFUSED
        assert said in outcome.reason and "canary" not in outcome.reason


# -- denials


def test_an_expired_token_is_denied_and_says_what_to_do(world: World) -> None:
    token = world.bao.token("root", ttl="1h")
    vault = world.adapter(token=token)
    items(vault.list(ALL, None))
    world.bao.revoke(token)
    for work in (
        lambda: vault.write([Put("db", value(n=1), None)]),
        lambda: items(vault.list(ALL, None)),
        lambda: items(vault.get(["db"])),
    ):
        with pytest.raises(Denied, match="expired or was revoked"):
            work()
    assert world.sees("db") is None


def test_a_token_that_never_was_is_denied(world: World) -> None:
    with pytest.raises(Denied, match="the token is not valid, or may not"):
        items(world.adapter(token="s.never").list(ALL, None))


def test_more_than_one_write_at_once_is_not_taken(world: World) -> None:
    put = Put("db", value(n=1), None)
    with pytest.raises(Rejected):
        world.adapter().write([put, put])
    assert world.adapter().write([]) == []


def test_a_raced_creation_over_a_deleted_secret_overwrites_nobody(bao: OpenBaoServer) -> None:
    bao.mount("raced")
    with front(bao.url) as door:
        vault = VaultKv2Adapter(options_of(door.url, mount="raced"))
        vault.write([Put("db", value(n=1), None)])
        vault.write([Delete("db", items(vault.get(["db"]))[0].revision or "")])

        def somebody_comes(request: Request) -> bool:
            if request.method == "POST" and b'"cas": 1' in request.body.replace(b":1", b": 1"):
                bao.call("POST", "raced/data/db", {"data": {"n": "theirs"}}, token=ROOT_TOKEN)
            return False

        door.fail_next(500, when=somebody_comes)
        [outcome] = vault.write([Put("db", value(n=2), None)])
        assert outcome.verdict is RACED
        assert items(vault.get(["db"]))[0].value == value(n="theirs")


def test_a_mount_that_is_being_upgraded_is_not_there_yet_and_refuses_nothing(world: World) -> None:
    body = '{"errors":["Upgrading from non-versioned to versioned data. This backend will be unavailable"]}'
    vault = world.adapter()
    world.door.fail_next(400, body=body, times=2, when=lambda request: "/auth/" not in request.target)
    with pytest.raises(Unavailable, match="upgraded"):
        vault.write([Put("db", value(n=1), None)])
    with pytest.raises(Unavailable, match="upgraded"):
        items(vault.get(["db"]))
