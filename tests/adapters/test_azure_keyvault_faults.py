"""What becomes of calls to Key Vault that go wrong: which may be tried again, and which never."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

import pytest
from benchmarks.calls_azure_keyvault import trial

from ecs_sync.adapter import Delete, Listing, Page, Put, Verdict, Write
from ecs_sync.errors import AdapterError, Denied, Rejected, Throttled, Unacknowledged, Unavailable
from ecs_sync.pace import Pace, Paced
from ecs_sync.testing.subject import pages_of
from ecs_sync_adapters.azure_keyvault import KeyVaultAdapter
from ecs_sync_sandbox.azure_keyvault import KeyVaultServer, told
from ecs_sync_sandbox.real_server import free_port
from tests.adapters.keyvault_sandbox import (
    PLACE,
    Clock,
    adapter_of,
    asked,
    items,
    listed,
    one,
    outside,
    values,
)

APPLIED, RACED = Verdict.APPLIED, Verdict.RACED
CREATION = Put("acme-new", b"ours", None)


@pytest.fixture
def server() -> Iterator[KeyVaultServer]:
    with KeyVaultServer(clock=Clock(int(time.time()) - 3600)) as server:
        yield server


@pytest.fixture
def adapter(server: KeyVaultServer) -> KeyVaultAdapter:
    return warm(adapter_of(server))


def warm(adapter: KeyVaultAdapter) -> KeyVaultAdapter:
    """With a token and the vault's challenge, so that a fault meets what it is meant for."""
    items(adapter.list(PLACE, None))
    return adapter


def until_it_fails(pages: Iterable[Page], kind: type[AdapterError]) -> list[Page]:
    """The pages up to the failure."""
    seen: list[Page] = []
    with pytest.raises(kind):
        seen.extend(pages_of(Listing(pages)))
    return seen


def update_of(server: KeyVaultServer, adapter: KeyVaultAdapter) -> Put:
    outside(server, "acme-db", "old")
    return Put("acme-db", b"ours", one(adapter, "acme-db").revision)


def delete_of(server: KeyVaultServer, adapter: KeyVaultAdapter) -> Delete:
    outside(server, "acme-db", "old")
    return Delete("acme-db", one(adapter, "acme-db").revision or "")


# -- lost acknowledgements


def test_a_creation_whose_answer_is_lost_is_sent_once_and_not_told_as_undone(
    server: KeyVaultServer, adapter: KeyVaultAdapter
) -> None:
    server.faults.drop_next(when=told("PUT"))
    with pytest.raises(Unacknowledged):
        adapter.write([CREATION])
    assert values(server, "acme-new") == ["ours"]
    [again] = adapter.write([CREATION])
    assert again.verdict is RACED
    assert values(server, "acme-new") == ["ours"]


def test_an_update_whose_answer_is_lost_is_sent_once_and_found_by_reading(
    server: KeyVaultServer, adapter: KeyVaultAdapter
) -> None:
    put = update_of(server, adapter)
    server.faults.drop_next(when=told("PUT"))
    with pytest.raises(Unacknowledged):
        adapter.write([put])
    assert values(server, "acme-db") == ["old", "ours"]
    assert one(adapter, "acme-db").value == b"ours"


def test_a_delete_whose_answer_is_lost_is_sent_once(server: KeyVaultServer, adapter: KeyVaultAdapter) -> None:
    delete = delete_of(server, adapter)
    server.faults.drop_next(when=told("DELETE"))
    with pytest.raises(Unacknowledged):
        adapter.write([delete])
    assert len([line for line in asked(server) if line.startswith("DELETE")]) == 1
    [again] = adapter.write([delete])
    assert again.verdict is RACED


@pytest.mark.parametrize("of", [update_of, delete_of])
@pytest.mark.parametrize("after", [0, 40])
def test_an_answer_that_breaks_off_is_no_answer(
    server: KeyVaultServer,
    adapter: KeyVaultAdapter,
    of: Callable[[KeyVaultServer, KeyVaultAdapter], Write],
    after: int,
) -> None:
    write = of(server, adapter)
    server.faults.cut_next(after, when=lambda request: request.method in ("PUT", "DELETE"))
    with pytest.raises(Unacknowledged):
        adapter.write([write])


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408])
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_failure_of_the_vault_after_a_write_was_sent_is_never_not_applied(
    server: KeyVaultServer, adapter: KeyVaultAdapter, status: int, method: str
) -> None:
    write: Write = CREATION if method == "PUT" else delete_of(server, adapter)
    server.fail_next(status, method=method)
    with pytest.raises(Unacknowledged):
        adapter.write([write])
    assert len([line for line in asked(server) if line.startswith(method)]) == 1


@pytest.mark.parametrize("status", [500, 429, 403])
def test_a_set_that_landed_is_not_known_where_the_look_after_it_fails(
    server: KeyVaultServer, adapter: KeyVaultAdapter, status: int
) -> None:
    put = update_of(server, adapter)
    reply = server.pass_next(1, "GET")
    server.faults.fail_next(status, when=reply)
    with pytest.raises(Unacknowledged, match="what it replaced is not known"):
        adapter.write([put])
    assert values(server, "acme-db") == ["old", "ours"]


@pytest.mark.parametrize("status", [500, 429])
def test_a_look_before_a_write_that_fails_means_that_nothing_was_applied(
    server: KeyVaultServer, adapter: KeyVaultAdapter, status: int
) -> None:
    put = update_of(server, adapter)
    for write in (put, CREATION):
        server.fail_next(status, method="GET")
        with pytest.raises(Unavailable):
            adapter.write([write])
    assert not [line for line in asked(server) if line.startswith("PUT")]


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_run_whose_write_is_not_acknowledged_does_it_once_and_ends_in_step(method: str) -> None:
    with trial(3, Clock(int(time.time()) - 3600)) as world:
        world.measured("", 0)
        world.clock.now += 60
        if method == "PUT":
            world.held |= {"setting-0001": "new", "setting-0009": "more"}
        else:
            del world.held["setting-0001"]
        world.server.faults.drop_next(times=2, when=told(method))
        world.measured("", 0)
        assert world.measured("", 0).calls == 1
        there = {secret.name: secret.versions for secret in world.server.vault.secrets()}
        assert {
            name.removeprefix("acme-"): versions[-1].value for name, versions in there.items()
        } == world.held
        assert sum(len(versions) for versions in there.values()) == (5 if method == "PUT" else 2)


def test_a_404_that_is_not_the_vault_s_is_not_absence(
    server: KeyVaultServer, adapter: KeyVaultAdapter
) -> None:
    outside(server, "acme-db")
    for look in (adapter.get, adapter.peek):
        server.faults.fail_next(404, body="no such page", when=told("GET"))
        until_it_fails(look(["acme-db"]).pages, Rejected)
    server.faults.fail_next(404, body="no such page", when=told("DELETE"))
    with pytest.raises(Rejected):
        adapter.write([Delete("acme-db", one(adapter, "acme-db").revision or "")])


# -- throttling


@pytest.mark.parametrize(
    ("header", "seconds"), [(None, None), ("7", 7.0), ("3540000", 3_540_000.0), ("x", None)]
)
def test_throttling_is_told_with_what_the_vault_asks_for(
    server: KeyVaultServer, adapter: KeyVaultAdapter, header: str | None, seconds: float | None
) -> None:
    outside(server, "acme-db")
    looks: list[Callable[[], object]] = [
        lambda: adapter.write([CREATION]),
        lambda: items(adapter.get(["acme-db"])),
        lambda: listed(adapter),
        lambda: items(adapter.history("acme-db", None)),
    ]
    for look in looks:
        server.throttle(header)
        with pytest.raises(Throttled) as caught:
            look()
        assert caught.value.retry_after == seconds
    server.throttle(header, method="PUT")
    with pytest.raises(Throttled):
        adapter.write([CREATION])
    assert server.vault.versions("acme-new").versions == ()


def test_an_absurd_wait_is_not_waited_for(server: KeyVaultServer, adapter: KeyVaultAdapter) -> None:
    clock = Clock(0.0)

    def sleep(seconds: float) -> None:
        clock.now += seconds

    paced = Paced(adapter, Pace(max_wait=2.0), clock=clock, sleep=sleep)
    server.throttle("3540000", times=2)
    [outcome] = paced.write([CREATION])
    assert outcome.verdict is APPLIED
    assert 0 < clock.now < 30
    assert values(server, "acme-new") == ["ours"]


# -- listings


def crowd(server: KeyVaultServer) -> None:
    for number in range(60):
        outside(server, f"acme-{number:02}")


@pytest.mark.parametrize("passing", [0, 1, 2])
def test_a_listing_that_fails_on_the_way_has_no_proof(
    server: KeyVaultServer, adapter: KeyVaultAdapter, passing: int
) -> None:
    crowd(server)
    faults: list[tuple[Callable[[], object], type[AdapterError]]] = [
        (lambda: server.faults.fail_next(500, when=server.pass_next(passing)), Unavailable),
        (lambda: server.faults.fail_next(429, when=server.pass_next(passing)), Throttled),
        (lambda: server.faults.fail_next(403, when=server.pass_next(passing)), Denied),
        (lambda: server.faults.fail_next(400, when=server.pass_next(passing)), Rejected),
        (lambda: server.faults.drop_next(when=server.pass_next(passing)), Unavailable),
        (lambda: server.faults.cut_next(30, when=server.pass_next(passing)), Unavailable),
        (
            lambda: server.faults.fail_next(200, body="a captive portal", when=server.pass_next(passing)),
            Unavailable,
        ),
        (lambda: server.faults.fail_next(200, body="{}", when=server.pass_next(passing)), Unavailable),
        (
            lambda: server.faults.fail_next(200, body='{"value": [{}]}', when=server.pass_next(passing)),
            Unavailable,
        ),
    ]
    for fault, kind in faults:
        fault()
        seen = until_it_fails(adapter.list(PLACE, None).pages, kind)
        assert len(seen) == passing and all(page.proof is None for page in seen)
    assert len(listed(adapter)) == 60


@pytest.mark.parametrize("sizes", [[0, 2, 0, 0, 3], [25, 25, 0, 10]])
def test_short_and_empty_pages_are_not_the_end(
    server: KeyVaultServer, adapter: KeyVaultAdapter, sizes: list[int]
) -> None:
    crowd(server)
    server.short_pages_next(sizes)
    assert len(listed(adapter)) == 60


@pytest.mark.parametrize(
    "link", ["https://evil.example/secrets?x=1", "http://127.0.0.1:9/secrets", "/secrets?api-version=7.4&a=1"]
)
def test_a_next_page_that_lies_elsewhere_is_not_asked_for(
    server: KeyVaultServer, adapter: KeyVaultAdapter, link: str
) -> None:
    server.faults.fail_next(200, body=f'{{"value": [], "nextLink": "{link}"}}', when=told("GET"))
    before = len(server.requests)
    until_it_fails(adapter.list(PLACE, None).pages, Unavailable)
    assert len(server.requests) == before + 1


def test_a_next_page_that_was_here_before_ends_the_listing_unproven(
    server: KeyVaultServer, adapter: KeyVaultAdapter
) -> None:
    page = f'{{"value": [], "nextLink": "{server.url}/secrets?api-version=7.4&$skiptoken=A"}}'
    server.faults.fail_next(200, body=page, times=2, when=told("GET"))
    until_it_fails(adapter.list(PLACE, None).pages, Unavailable)


def test_a_secret_that_goes_while_it_is_listed_is_left_out(server: KeyVaultServer) -> None:
    server.vault.clock = time.time
    adapter = warm(adapter_of(server))
    outside(server, "acme-a")
    outside(server, "acme-b")
    pages = iter(adapter.list(PLACE, None).pages)
    server.faults.fail_next(
        404, body='{"error": {"code": "SecretNotFound"}}', when=server.pass_next(1, "GET")
    )
    assert [item.id for page in pages for item in page.items] == ["acme-b"]


# -- silence


def test_a_server_that_hangs_is_waited_for_as_long_as_configured(server: KeyVaultServer) -> None:
    outside(server, "acme-db")
    adapter = warm(adapter_of(server, read_timeout=0.3))
    revision = one(adapter, "acme-db").revision or ""
    looks: list[Callable[[], Listing]] = [
        lambda: adapter.list(PLACE, None),
        lambda: adapter.get(["acme-db"]),
        lambda: adapter.peek(["acme-db"]),
        lambda: adapter.history("acme-db", None),
    ]
    for look in looks:
        server.faults.hang_next(when=told("GET"))
        until_it_fails(look().pages, Unavailable)
    writes: list[Write] = [CREATION, Put("acme-db", b"ours", revision), Delete("acme-db", revision)]
    for write in writes:
        server.faults.hang_next(when=lambda request: request.method in ("PUT", "DELETE"))
        with pytest.raises(Unacknowledged):
            adapter.write([write])


def test_a_server_that_is_not_there_was_sent_nothing(server: KeyVaultServer) -> None:
    adapter = adapter_of(server, vault=f"https://127.0.0.1:{free_port()}")
    with pytest.raises(Unavailable, match="no connection"):
        adapter.write([CREATION])
    until_it_fails(adapter.list(PLACE, None).pages, Unavailable)


def test_a_vault_whose_certificate_nobody_vouches_for_is_sent_nothing(server: KeyVaultServer) -> None:
    with KeyVaultServer() as stranger:
        adapter = adapter_of(server, vault=stranger.url)
        with pytest.raises(Unavailable, match="TLS"):
            adapter.write([CREATION])
        assert stranger.requests == []


def test_a_redirect_takes_no_secret_along(server: KeyVaultServer, adapter: KeyVaultAdapter) -> None:
    with KeyVaultServer() as elsewhere:
        headers = {"Location": f"{elsewhere.url}/secrets/acme-new"}
        server.faults.fail_next(307, headers, when=told("PUT"))
        [outcome] = adapter.write([CREATION])
        assert outcome.verdict is Verdict.REFUSED and "redirect" in outcome.reason
        assert elsewhere.requests == []


# -- who may


def test_an_expired_token_says_what_to_do_and_applied_nothing(
    server: KeyVaultServer, adapter: KeyVaultAdapter
) -> None:
    server.entra.expire()
    with pytest.raises(Denied, match="not accepted"):
        adapter.write([CREATION])
    until_it_fails(adapter.list(PLACE, None).pages, Denied)
    assert server.vault.secrets() == []


def test_a_revoked_token_is_exchanged_for_another(server: KeyVaultServer, adapter: KeyVaultAdapter) -> None:
    server.entra.revoke()
    [outcome] = adapter.write([CREATION])
    assert outcome.verdict is APPLIED
    assert values(server, "acme-new") == ["ours"]


def test_a_wrong_credential_is_denied_before_anything_is_sent(server: KeyVaultServer) -> None:
    adapter = adapter_of(server, client_secret="wrong")
    with pytest.raises(Denied, match="AADSTS7000215"):
        adapter.write([CREATION])
    assert set(asked(server)) == {"?"}


def test_a_write_that_may_not_be_is_denied(server: KeyVaultServer, adapter: KeyVaultAdapter) -> None:
    for write, method in ((CREATION, "PUT"), (delete_of(server, adapter), "DELETE")):
        server.fail_next(403, "Forbidden", method=method)
        with pytest.raises(Denied, match="role"):
            adapter.write([write])
    assert server.vault.versions("acme-new").versions == ()


def test_a_server_that_is_no_key_vault_is_given_no_token(server: KeyVaultServer) -> None:
    adapter = adapter_of(server, verify_challenge=True)
    with pytest.raises(Denied, match="verify_challenge"):
        adapter.write([CREATION])
    assert set(asked(server)) == {"?"}
