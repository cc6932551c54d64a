"""What reads of App Configuration cost, and what they prove."""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Iterator

import pytest

from ecs_sync.adapter import Delete, Put, Verdict
from ecs_sync.errors import Unavailable
from ecs_sync_adapters.azure_appconfig import AppConfigAdapter
from ecs_sync_sandbox.azure_appconfig import AzureAppConfigServer
from tests.adapters.appconfig_sandbox import adapter_of, one, place, read, update, write

APPLIED, REFUSED = Verdict.APPLIED, Verdict.REFUSED


@pytest.fixture
def server() -> Iterator[AzureAppConfigServer]:
    with AzureAppConfigServer() as server:
        yield server


@pytest.fixture
def adapter(server: AzureAppConfigServer) -> Iterator[AppConfigAdapter]:
    adapter = adapter_of(server)
    yield adapter
    adapter.close()


# -- pages


def fill(server: AzureAppConfigServer, count: int) -> None:
    for number in range(count):
        server.settings.set(f"app/k{number:04}", str(number))


def test_an_unchanged_store_costs_its_conditional_pages_and_nothing_else(
    server: AzureAppConfigServer, adapter: AppConfigAdapter
) -> None:
    fill(server, 250)
    items, token, calls = read(adapter.list(place("app/"), None))
    assert (len(items), calls) == (250, 3)
    before = len(server.requests)
    listing = adapter.list(place("app/"), token)
    assert listing.unchanged and listing.calls == 3
    asked = server.requests[before:]
    assert len(asked) == 3
    assert all("if-none-match" in request.headers for request in asked)


@pytest.mark.parametrize(("changed", "calls"), [("k0000", 3), ("k0150", 4), ("k0249", 5), ("k9999", 5)])
def test_where_some_pages_changed_the_listing_is_whole_and_reads_no_page_needlessly(
    server: AzureAppConfigServer, adapter: AppConfigAdapter, changed: str, calls: int
) -> None:
    fill(server, 250)
    _, token, _ = read(adapter.list(place("app/"), None))
    server.settings.set(f"app/{changed}", "new")
    before = len(server.requests)
    items, renewed, told = read(adapter.list(place("app/"), token))
    assert told == len(server.requests) - before == calls
    assert len(items) == 250 + (changed == "k9999")
    assert items[f"|app/{changed}"].value == b"new"
    assert adapter.list(place("app/"), renewed).unchanged


@pytest.mark.parametrize("gone", ["k0000", "k0099", "k0100", "k0249"])
def test_a_delete_on_any_page_is_noticed(
    server: AzureAppConfigServer, adapter: AppConfigAdapter, gone: str
) -> None:
    fill(server, 250)
    _, token, _ = read(adapter.list(place("app/"), None))
    server.settings.delete(f"app/{gone}")
    listing = adapter.list(place("app/"), token)
    assert not listing.unchanged
    assert len(read(listing)[0]) == 249


def test_a_hundred_settings_cost_a_page_more_and_that_page_counts(
    server: AzureAppConfigServer, adapter: AppConfigAdapter
) -> None:
    fill(server, 100)
    items, token, calls = read(adapter.list(place("app/"), None))
    assert (len(items), calls) == (100, 2)
    assert adapter.list(place("app/"), token).calls == 2


def test_more_unchanged_pages_than_calls_can_nest_are_no_recursion() -> None:
    """Microsoft's own pager calls itself for each of them."""
    with AzureAppConfigServer(page=1) as server:
        adapter = adapter_of(server)
        fill(server, 250)
        _, token, calls = read(adapter.list(place("app/"), None))
        usual, depth = sys.getrecursionlimit(), len(inspect.stack(0))
        sys.setrecursionlimit(depth + 200)
        try:
            listing = adapter.list(place("app/"), token)
        finally:
            sys.setrecursionlimit(usual)
        assert listing.unchanged and listing.calls == calls == 251
        adapter.close()


def test_a_304_that_does_not_name_the_next_page_proves_nothing(
    server: AzureAppConfigServer, adapter: AppConfigAdapter
) -> None:
    fill(server, 250)
    _, token, _ = read(adapter.list(place("app/"), None))
    server.settings.set("app/k0249", "new")
    server.faults.fail_next(304)
    listing = adapter.list(place("app/"), token)
    assert not listing.unchanged
    items, _, calls = read(listing)
    assert (items["|app/k0249"].value, calls) == (b"new", 4)


@pytest.mark.parametrize("token", ["", "{}", "[2]", "[1]", '[1,"",7]', '[1,"","a b"]', "nonsense"])
def test_a_token_of_another_kind_is_no_proof_of_anything(
    server: AzureAppConfigServer, adapter: AppConfigAdapter, token: str
) -> None:
    fill(server, 1)
    listing = adapter.list(place("app/"), token)
    assert not listing.unchanged and len(read(listing)[0]) == 1


ELSEWHERE = ["https://elsewhere.example/kv?after=x", "//elsewhere.example/kv?after=x", "/locks/x?a"]


@pytest.mark.parametrize("link", ELSEWHERE)
def test_the_credential_follows_no_page_to_another_host(
    server: AzureAppConfigServer, adapter: AppConfigAdapter, link: str
) -> None:
    server.faults.fail_next(200, body=json.dumps({"items": [], "@nextLink": link}))
    with pytest.raises(Unavailable, match="elsewhere"):
        read(adapter.list(place("app/"), None))
    assert len(server.requests) == 1


def test_pages_that_go_round_in_circles_end(server: AzureAppConfigServer, adapter: AppConfigAdapter) -> None:
    body = json.dumps({"items": [], "@nextLink": "/kv?key=app%2F%2A&after=1"})
    server.faults.fail_next(200, body=body, times=10)
    with pytest.raises(Unavailable, match="no end"):
        read(adapter.list(place("app/"), None))


SETTING = {"key": "app/a", "label": "dev", "value": "1", "etag": "e", "tags": {}, "locked": False}


@pytest.mark.parametrize(
    "body",
    ["<html>Log in</html>", "{}", "[]", '{"items": 7}', '{"items": [7]}', json.dumps({"items": [SETTING]})],
)
def test_an_answer_that_is_no_page_of_the_place_is_no_empty_listing(
    server: AzureAppConfigServer, adapter: AppConfigAdapter, body: str
) -> None:
    server.faults.fail_next(200, body=body)
    with pytest.raises(Unavailable):
        read(adapter.list(place("prod|app/"), None))


# -- reads by name, and their cost


def test_point_reads_go_five_a_call_and_the_absence_of_what_must_be_escaped_is_asked_for_twice(
    server: AzureAppConfigServer, adapter: AppConfigAdapter
) -> None:
    fill(server, 12)
    wanted = [f"|app/k{number:04}" for number in range(12)]
    _, _, calls = read(adapter.get(wanted))
    assert calls == len(server.requests) == 3
    for missing, calls in (("|app/missing", 1), ("|app/missing*", 2), ("a,b|app/missing", 2)):
        before = len(server.requests)
        pages = list(adapter.get([wanted[0], missing]).pages)
        assert [page.absent for page in pages] == [(missing,), ()]
        assert sum(page.calls for page in pages) == len(server.requests) - before == calls


def test_long_keys_go_in_requests_of_a_bearable_length(
    server: AzureAppConfigServer, adapter: AppConfigAdapter
) -> None:
    keys = [f"{number}" + "é" * 250 for number in range(5)]
    for key in keys:
        server.settings.set(key, "1")
    items, _, calls = read(adapter.get([f"|{key}" for key in keys]))
    assert len(items) == 5 and calls == len(server.requests)
    assert max(len(request.target) for request in server.requests) < 4500


@pytest.mark.parametrize("id", ["no-bar", "|", "|.", "|..", "|" + "x" * 257, "%zz|a"])
def test_what_is_no_name_of_a_setting_is_absent_and_refused_without_a_call(
    server: AzureAppConfigServer, adapter: AppConfigAdapter, id: str
) -> None:
    (page,) = adapter.get([id]).pages
    assert page.absent == (id,) and page.calls == 0
    assert write(adapter, Put(id, b"1", None)).verdict is REFUSED
    assert server.requests == []


def test_each_write_costs_what_the_features_say(
    server: AzureAppConfigServer, adapter: AppConfigAdapter
) -> None:
    prices = adapter.features.prices
    write(adapter, Put("|a", b"1", None))
    assert len(server.requests) == prices.create.of(1)
    item = one(adapter, "|a")
    assert len(server.requests) == prices.create.of(1) + prices.get.of(1)
    before = len(server.requests)
    updated = write(adapter, Put("|a", b"2", item.revision, attributes=item.attributes))
    assert len(server.requests) - before == prices.update.of(1)
    write(adapter, Delete("|a", str(updated.revision)))
    assert len(server.requests) - before == prices.update.of(1) + prices.delete.of(1)


# -- consistency and history


def test_a_client_sees_its_own_writes_in_a_store_that_lags(
    server: AzureAppConfigServer, adapter: AppConfigAdapter
) -> None:
    server.settings.set("a", "old")
    server.settings.lag()
    assert update(adapter, "|a", b"new").verdict is APPLIED
    assert one(adapter, "|a").value == b"new"
    assert read(adapter.list(place("|"), None))[0]["|a"].value == b"new"


def test_another_process_that_has_the_token_sees_what_was_seen(
    server: AzureAppConfigServer, adapter: AppConfigAdapter
) -> None:
    server.settings.set("a", "old")
    server.settings.lag()
    update(adapter, "|a", b"new")
    _, token, _ = read(adapter.list(place("|"), None))
    stranger, other = adapter_of(server), adapter_of(server)
    assert one(stranger, "|a").value == b"old"  # which is why reads are declared not to be current
    stranger.close()
    assert not other.features.current_reads and not other.features.current_listing
    assert other.list(place("|"), token).unchanged
    assert one(other, "|a").value == b"new"
    other.close()


def test_revisions_are_the_history_and_one_that_is_forgotten_proves_nothing(
    server: AzureAppConfigServer, adapter: AppConfigAdapter
) -> None:
    first = server.settings.set("a", "1")
    for number in range(2, 205):
        server.settings.set("a", str(number))
    server.settings.set("a", "other", "prod")
    items, _, calls = read(adapter.history("|a", first.etag))
    assert calls == 3
    pages = list(adapter.history("|a", first.etag).pages)
    assert [item.value for item in pages[0].items] == [b"%d" % n for n in range(2, 205)]
    assert set(items) == {"|a"}
    server.settings.forget_revisions()
    (page,) = adapter.history("|a", first.etag).pages
    assert page.proof is None
