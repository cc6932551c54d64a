"""KV version 1 as it really is: no versions, no comparison, and a digest for a revision."""

from __future__ import annotations

import hashlib
import itertools
import threading
from collections.abc import Iterator

import pytest

from ecs_sync.adapter import Delete, Item, Put, Verdict
from ecs_sync.errors import Denied, Rejected
from ecs_sync_adapters.vault_kv1 import VaultKv1Adapter
from ecs_sync_adapters.vault_options import VaultKv1Options, VaultPlace
from ecs_sync_sandbox.http_server import Request
from ecs_sync_sandbox.openbao import OpenBaoServer, front
from tests.adapters.vault_sandbox import absent, items, kv1_of, options_of, server, value

APPLIED, REFUSED, RACED = Verdict.APPLIED, Verdict.REFUSED, Verdict.RACED
ALL = VaultPlace("/")

_turn = itertools.count()


@pytest.fixture(scope="module")
def bao() -> Iterator[OpenBaoServer]:
    with server() as running:
        yield running


@pytest.fixture
def mount(bao: OpenBaoServer) -> str:
    name = f"old{next(_turn)}"
    bao.mount(name, version=1)
    return name


@pytest.fixture
def vault(bao: OpenBaoServer, mount: str) -> Iterator[VaultKv1Adapter]:
    adapter = kv1_of(bao, mount)
    yield adapter
    adapter.close()


def one(vault: VaultKv1Adapter, id: str) -> Item:
    [item] = items(vault.get([id]))
    return item


def put(vault: VaultKv1Adapter, id: str, raw: bytes, expected: str | None = None) -> str:
    [outcome] = vault.write([Put(id, raw, expected, secret=True)])
    assert outcome.verdict is APPLIED, outcome.reason
    assert outcome.revision is not None
    return outcome.revision


def verdict(vault: VaultKv1Adapter, write: Put | Delete) -> Verdict:
    [outcome] = vault.write([write])
    return outcome.verdict


def test_numbers_come_back_as_they_were_written_at_any_size(vault: VaultKv1Adapter) -> None:
    raw = b'{"a":12345678901234567890123,"b":1.50,"c":1E5,"d":-0,"e":5.0}'
    revision = put(vault, "db", raw)
    assert (one(vault, "db").value, one(vault, "db").revision) == (raw, revision)


def test_fields_named_ttl_and_lease_are_fields_like_others(vault: VaultKv1Adapter) -> None:
    raw = value(lease="x", ttl="1h", user="app")
    put(vault, "db", raw)
    assert one(vault, "db").value == raw
    assert [item.value for item in items(vault.list(ALL, None))] == [raw]


def test_a_secret_without_a_field_is_refused_before_the_server_does(vault: VaultKv1Adapter) -> None:
    [outcome] = vault.write([Put("db", b" { } ", None)])
    assert outcome.verdict is REFUSED
    assert "without a field" in outcome.reason
    assert absent(vault.get(["db"])) == ["db"]


def test_a_revision_is_no_digest_that_somebody_without_the_mount_can_try_values_against(
    bao: OpenBaoServer, mount: str, vault: VaultKv1Adapter
) -> None:
    raw = value(pin="1234")
    revision = put(vault, "db", raw)
    plain = {
        hashlib.new(name, text, **size).hexdigest()
        for name, size in (("sha256", {}), ("sha1", {}), ("md5", {}), ("blake2b", {"digest_size": 16}))
        for text in (raw, b"db" + raw, b"2:db" + raw)
    }
    assert revision not in plain
    assert put(vault, "copy", raw) != revision, "equal values at two names do not show"
    assert one(kv1_of(bao, mount), "db").revision == revision, "and it is the same in every process"
    bao.mount(f"{mount}-other", version=1)
    assert put(kv1_of(bao, f"{mount}-other"), "db", raw) != revision


def test_the_same_value_again_has_the_revision_it_had(vault: VaultKv1Adapter) -> None:
    first = put(vault, "db", value(n=1))
    second = put(vault, "db", value(n=2), first)
    assert first != second
    assert put(vault, "db", value(n=1), second) == first


def test_a_put_is_a_plain_put_and_a_read_comes_right_before_it(bao: OpenBaoServer, mount: str) -> None:
    with front(bao.url) as door:
        vault = VaultKv1Adapter(options_of(door.url, mount=mount))
        absent(vault.get(["warm"]))
        prices, revision = vault.features.prices, ""
        for write, price, methods in (
            (lambda _: Put("db", value(n=1), None), prices.create, ["GET", "PUT"]),
            (lambda at: Put("db", value(n=2), at), prices.update, ["GET", "PUT"]),
            (lambda at: Delete("db", at), prices.delete, ["GET", "DELETE"]),
        ):
            before = len(door.requests)
            [outcome] = vault.write([write(revision)])
            revision = outcome.revision or ""
            assert [request.method for request in door.requests[before:]] == methods
            assert price.of(1) == len(methods)


def test_pages_count_exactly_the_calls_they_took_in_each_thread(bao: OpenBaoServer, mount: str) -> None:
    with front(bao.url) as door:
        vault = VaultKv1Adapter(options_of(door.url, mount=mount))
        for n in range(10):
            put(vault, f"folder/{n}", value(n=n))
        before, counted = len(door.requests), []
        start = threading.Barrier(4)

        def look() -> None:
            start.wait()
            counted.append(sum(page.calls for page in vault.list(ALL, None).pages))

        threads = [threading.Thread(target=look) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert counted == [12] * 4
        assert len(door.requests) - before == 48


def test_what_is_written_between_the_read_and_the_write_is_the_window_that_is_declared(
    bao: OpenBaoServer, mount: str
) -> None:
    with front(bao.url) as door:
        vault = VaultKv1Adapter(options_of(door.url, mount=mount))
        revision = put(vault, "db", value(n=1))

        def somebody_comes(request: Request) -> bool:
            if request.method == "PUT":
                bao.call("PUT", f"{mount}/db", {"n": "theirs"})
            return False

        door.fail_next(500, when=somebody_comes)
        assert verdict(vault, Put("db", value(n=2), revision)) is APPLIED
        assert vault.features.guard == "D" and not vault.features.keeps_overwritten


def test_what_cannot_be_read_is_neither_overwritten_nor_deleted(
    bao: OpenBaoServer, mount: str, vault: VaultKv1Adapter
) -> None:
    put(vault, "shut", value(n=1))
    bao.policy(f"write-{mount}", {f"{mount}/*": ["create", "update", "delete", "list"]})
    blind = kv1_of(bao, mount, token=bao.token(f"write-{mount}"))
    assert one(blind, "shut").unreadable is not None
    for write in (Put("shut", value(n=2), None), Delete("shut", "x")):
        assert verdict(blind, write) is REFUSED
    assert one(vault, "shut").value == value(n=1)


def test_a_mount_of_kv2_or_none_is_refused_by_name(bao: OpenBaoServer) -> None:
    for work in (
        lambda: items(kv1_of(bao, "secret").list(ALL, None)),
        lambda: items(kv1_of(bao, "secret").get(["db"])),
    ):
        with pytest.raises(Rejected, match="use adapter vault-kv2"):
            work()
    [outcome] = kv1_of(bao, "secret").write([Put("db", value(n=1), None)])
    assert outcome.verdict is REFUSED and "vault-kv2" in outcome.reason
    with pytest.raises(Denied):
        items(kv1_of(bao, "no-such").list(ALL, None))


def test_the_policy_of_the_documentation_is_enough(
    bao: OpenBaoServer, mount: str, vault: VaultKv1Adapter
) -> None:
    rules = {f"{mount}/acme/prod/*": ["create", "delete", "list", "read", "update"]}
    bao.policy(f"docs-{mount}", rules)
    allowed = kv1_of(bao, mount, token=bao.token(f"docs-{mount}"))
    place = VaultPlace("acme/prod/")
    assert items(allowed.list(place, None)) == []
    first = put(allowed, "acme/prod/db", value(n=1))
    second = put(allowed, "acme/prod/db", value(n=2), first)
    assert verdict(allowed, Delete("acme/prod/db", second)) is APPLIED
    put(vault, "other/db", value(n=1))
    with pytest.raises(Denied):
        items(allowed.list(VaultPlace("other/"), None))


def test_a_choice_of_deletes_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^deletes is not for KV 1, which deletes for good: leave it out$"):
        VaultKv1Options("http://127.0.0.1:1", token="word", deletes="soft")


def test_all_that_is_wrong_with_a_connection_is_said_at_once() -> None:
    with pytest.raises(ValueError, match=r"url is not written like .*; deletes is not for KV 1"):
        VaultKv1Options(url="http://[::1", token="word", deletes="soft")
