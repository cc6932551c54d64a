"""What of App Configuration's reads that go wrong proves nothing, and that they end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecs_sync.adapter import Delete, Listing, Page, Put, Verdict
from ecs_sync.errors import AdapterError, Denied, Rejected, Throttled, Unacknowledged, Unavailable
from ecs_sync.testing.subject import pages_of
from ecs_sync_adapters.azure_appconfig import AppConfigAdapter, AppConfigPlace
from ecs_sync_sandbox.azure_appconfig import AzureAppConfigServer
from ecs_sync_sandbox.http_server import HttpServer, Reply, Request
from tests.adapters.appconfig_sandbox import adapter_of, look, writes_sent

PLACE = AppConfigPlace("app/")
ID = "|app/a"


@pytest.fixture
def server() -> Iterator[AzureAppConfigServer]:
    with AzureAppConfigServer() as server:
        yield server


@pytest.fixture
def adapter(server: AzureAppConfigServer) -> Iterator[AppConfigAdapter]:
    adapter = adapter_of(server)
    yield adapter
    adapter.close()


# -- listings


def until_it_fails(pages: Iterator[Page], kind: type[AdapterError]) -> list[Page]:
    seen: list[Page] = []
    with pytest.raises(kind):
        seen.extend(pages_of(Listing(pages)))
    return seen


def second_page(request: Request) -> bool:
    return "after" in request.query


@pytest.mark.parametrize("status", [500, 503, 429, 403, 404])
def test_a_listing_that_fails_in_the_middle_proves_nothing(
    server: AzureAppConfigServer, adapter: AppConfigAdapter, status: int
) -> None:
    for number in range(250):
        server.settings.set(f"app/{number:03}", "1")
    kind = {429: Throttled, 403: Denied, 404: Rejected}.get(status, Unavailable)
    server.faults.fail_next(status, when=second_page)
    pages = until_it_fails(iter(adapter.list(PLACE, None).pages), kind)
    assert len(pages) == 1 and all(page.proof is None for page in pages)


def test_a_listing_whose_answer_is_cut_short_proves_nothing(
    server: AzureAppConfigServer, adapter: AppConfigAdapter
) -> None:
    for number in range(250):
        server.settings.set(f"app/{number:03}", "1")
    server.faults.cut_next(500, when=second_page)
    assert len(until_it_fails(iter(adapter.list(PLACE, None).pages), Unavailable)) == 1


def test_a_conditional_listing_that_fails_is_not_unchanged(
    server: AzureAppConfigServer, adapter: AppConfigAdapter
) -> None:
    for number in range(250):
        server.settings.set(f"app/{number:03}", "1")
    (*_, last) = adapter.list(PLACE, None).pages
    assert last.proof is not None
    server.faults.fail_next(500, when=second_page)
    with pytest.raises(Unavailable):
        adapter.list(PLACE, last.proof.token)


def test_reads_of_a_server_that_hangs_end_after_the_time_configured(server: AzureAppConfigServer) -> None:
    adapter = adapter_of(server, read_timeout=0.2)
    for call in (
        lambda: list(pages_of(adapter.list(PLACE, None))),
        lambda: list(adapter.get([ID]).pages),
        lambda: list(adapter.history(ID, None).pages),
    ):
        server.faults.hang_next()
        with pytest.raises(Unavailable):
            call()
    adapter.close()


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
_FIELDS = ("key", "label", "value", "etag", "content_type", "tags", "locked", "last_modified", "description")
_SETTINGS = st.fixed_dictionaries({}, optional={name: _JSON | st.just("app/a") for name in _FIELDS})
_ANSWERS = (
    _JSON
    | _SETTINGS
    | st.fixed_dictionaries({"items": st.lists(_SETTINGS | _JSON, max_size=2)}, optional={"@nextLink": _JSON})
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_ANSWERS, st.sampled_from([200, 404, 409, 412, 429, 500]))
def test_no_answer_whatever_it_holds_raises_other_than_an_error_of_the_port(
    server: AzureAppConfigServer, adapter: AppConfigAdapter, answer: object, status: int
) -> None:
    for call in (
        lambda: list(pages_of(adapter.list(PLACE, None))),
        lambda: list(adapter.get([ID]).pages),
        lambda: list(adapter.history(ID, None).pages),
        lambda: adapter.write([Put(ID, b"1", "etag")]),
        lambda: adapter.write([Put(ID, b"1", None)]),
        lambda: adapter.write([Delete(ID, "etag")]),
    ):
        server.faults.fail_next(status, body=json.dumps(answer))
        with suppress(AdapterError):
            call()


@pytest.mark.parametrize("status", [500, 429, 403, 200])
def test_a_point_read_that_fails_makes_nothing_absent(
    server: AzureAppConfigServer, adapter: AppConfigAdapter, status: int
) -> None:
    for id, is_faulty in ((ID, lambda _: True), ("|a*", lambda request: request.path.startswith("/kv/"))):
        server.faults.fail_next(status, when=is_faulty)
        with pytest.raises(AdapterError):
            list(adapter.get([id]).pages)


def test_a_filter_that_takes_an_escape_for_something_else_makes_nothing_absent(
    server: AzureAppConfigServer, adapter: AppConfigAdapter
) -> None:
    server.settings.set("app/a*", "1")
    server.faults.fail_next(200, body=json.dumps({"items": []}))
    (page, _) = adapter.get(["|app/a*"]).pages
    assert [item.value for item in page.items] == [b"1"] and page.absent == ()


@pytest.mark.parametrize("status", [500, 503])
def test_an_update_that_fails_in_the_read_before_it_was_not_applied(
    server: AzureAppConfigServer, adapter: AppConfigAdapter, status: int
) -> None:
    setting = server.settings.set("app/a", "1")
    server.faults.fail_next(status)
    with pytest.raises(Unavailable):
        adapter.write([Put(ID, b"2", setting.etag)])
    assert writes_sent(server) == 0


def test_an_adapter_that_was_closed_connects_again(
    server: AzureAppConfigServer, adapter: AppConfigAdapter
) -> None:
    adapter.write([Put(ID, b"1", None)])
    adapter.close()
    assert look(adapter, ID) is not None


@pytest.mark.parametrize(
    "body", ["<html>no such page</html>", '{"statusCode": 404, "message": "not here"}', "x"]
)
def test_a_404_with_something_to_say_is_not_the_store_s_and_makes_nothing_absent(
    server: AzureAppConfigServer, adapter: AppConfigAdapter, body: str
) -> None:
    """The service's own has no body, as recorded."""
    server.settings.set("app/a*", "1")
    server.faults.fail_next(200, body=json.dumps({"items": []}))
    server.faults.fail_next(404, body=body)
    with pytest.raises(Unavailable, match="a 404 with a body is no answer"):
        list(adapter.get(["|app/a*"]).pages)
    server.faults.fail_next(404, body=body)
    with pytest.raises(Unavailable):
        adapter.write([Put(ID, b"2", "etag")])
    assert writes_sent(server) == 0


@pytest.mark.parametrize("call", ["get", "history"])
def test_a_read_whose_pages_go_round_in_circles_ends(
    server: AzureAppConfigServer, adapter: AppConfigAdapter, call: str
) -> None:
    def turn(request: Request) -> Reply:
        return Reply(200, json.dumps({"items": [], "@nextLink": "/kv?after=x"}).encode())

    with HttpServer(turn) as round_and_round:
        mine = adapter_of(server, round_and_round.url)
        with pytest.raises(Unavailable, match="no end"):
            list((mine.get([ID]) if call == "get" else mine.history(ID, None)).pages)
        assert len(round_and_round.requests) <= 3
        mine.close()


def test_a_tag_that_is_no_text_survives_an_update_and_hides_no_value_in_an_error(
    server: AzureAppConfigServer, adapter: AppConfigAdapter
) -> None:
    setting = {"key": "app/a", "etag": "e", "value": "1", "tags": {"odd": "\ud800"}, "locked": False}
    server.faults.fail_next(200, body=json.dumps({"items": [setting]}))
    item = look(adapter, ID)
    assert item is not None
    with suppress(AdapterError):
        adapter.write([Put(ID, b"2", item.revision, attributes=item.attributes)])
    assert server.requests[-1].body.decode("ascii").count("\\ud800") == 1


def test_a_key_that_is_no_text_is_told_and_never_asked_for(
    server: AzureAppConfigServer, adapter: AppConfigAdapter
) -> None:
    setting = {"key": "app/\ud800", "etag": "e", "value": "1"}
    server.faults.fail_next(200, body=json.dumps({"items": [setting]}))
    with pytest.raises(Unavailable):
        list(pages_of(adapter.list(PLACE, None)))
    before = len(server.requests)
    assert [page.absent for page in adapter.get(["|app/\ud800"]).pages] == [("|app/\ud800",)]
    assert [page.absent for page in adapter.history("|app/\ud800", None).pages] == [("|app/\ud800",)]
    assert len(server.requests) == before


@pytest.mark.parametrize("etag", ["€", "e\x7f", "a b", 'a"b', "*", "é"])
def test_an_etag_that_no_header_can_hold_is_a_revision_that_the_store_does_not_have(
    server: AzureAppConfigServer, adapter: AppConfigAdapter, etag: str
) -> None:
    server.settings.set("app/a", "1")
    for write in (Put(ID, b"2", etag, attributes=(("locked", "false"),)), Delete(ID, etag)):
        [outcome] = adapter.write([write])
        assert outcome.verdict is Verdict.RACED
    assert writes_sent(server) == 0
    assert not adapter.list(PLACE, json.dumps([1, "", etag])).unchanged


def test_a_request_that_meets_the_end_of_the_adapter_ends_in_words(
    server: AzureAppConfigServer, adapter: AppConfigAdapter
) -> None:
    """Between looking for the connection and using it, another thread may have closed it."""
    assert look(adapter, ID) is None
    adapter._wire._connected().close()
    with pytest.raises(Unavailable):
        look(adapter, ID)
    with pytest.raises(Unacknowledged):
        adapter.write([Put(ID, b"1", None)])
    adapter.close()
    assert look(adapter, ID) is None
