"""What Key Vault, or whoever stands in its place, may answer: nothing of it ends in anything but an error."""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecs_sync.adapter import Delete, Put
from ecs_sync.errors import AdapterError, Rejected, Unacknowledged, Unavailable
from ecs_sync.testing.subject import pages_of
from ecs_sync_adapters.azure_keyvault import KeyVaultAdapter
from ecs_sync_adapters.azure_keyvault_http import seconds_of
from ecs_sync_sandbox.azure_keyvault import KeyVaultServer, told
from tests.adapters.keyvault_sandbox import PLACE, Clock, adapter_of, listed, outside

REVISION = "1600000000.1600000000.00000000"


@pytest.fixture(scope="module")
def world() -> Iterator[tuple[KeyVaultServer, KeyVaultAdapter]]:
    with KeyVaultServer(clock=Clock(int(time.time()) - 3600)) as server:
        adapter = adapter_of(server)
        listed(adapter)
        yield server, adapter


@pytest.fixture
def server(world: tuple[KeyVaultServer, KeyVaultAdapter]) -> KeyVaultServer:
    return world[0]


@pytest.fixture
def adapter(world: tuple[KeyVaultServer, KeyVaultAdapter]) -> KeyVaultAdapter:
    return world[1]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
_TIMES = st.integers() | st.sampled_from([10**10, 10**15, 10**20, -(10**15), 1e999, -0.5, "1", None])
_ENTRIES = st.fixed_dictionaries(
    {},
    optional={
        "id": st.sampled_from(["https://v/secrets/acme-db", "https://v/secrets/acme-db/" + "a" * 32]) | _JSON,
        "value": st.text(max_size=5) | _JSON,
        "attributes": st.fixed_dictionaries(
            {}, optional=dict.fromkeys(("created", "updated", "nbf", "exp", "enabled"), _TIMES)
        )
        | _JSON,
        "tags": st.dictionaries(st.text(max_size=3), st.text(max_size=3) | _JSON, max_size=2) | _JSON,
        "contentType": _JSON,
        "nextLink": _JSON,
    },
)
_ANSWERS = (
    _JSON
    | _ENTRIES
    | st.fixed_dictionaries({"value": st.lists(_ENTRIES | _JSON, max_size=2)}, optional={"nextLink": _JSON})
    | st.fixed_dictionaries({"error": _JSON | st.fixed_dictionaries({}, optional={"innererror": _JSON})})
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_ANSWERS, st.sampled_from([200, 200, 200, 403, 404, 409, 429, 500]))
def test_no_answer_whatever_it_holds_raises_other_than_an_error_of_the_port(
    server: KeyVaultServer, adapter: KeyVaultAdapter, answer: object, status: int
) -> None:
    for call in (
        lambda: list(pages_of(adapter.list(PLACE, None))),
        lambda: list(adapter.get(["acme-db"]).pages),
        lambda: list(adapter.peek(["acme-db"]).pages),
        lambda: list(adapter.history("acme-db", REVISION).pages),
        lambda: adapter.version("acme-db", "a" * 32),
        lambda: adapter.write([Put("acme-db", b"1", REVISION)]),
        lambda: adapter.write([Put("acme-db", b"1", None)]),
        lambda: adapter.write([Delete("acme-db", REVISION)]),
    ):
        server.faults.fail_next(status, body=json.dumps(answer), when=told())
        with suppress(AdapterError):
            call()


@pytest.mark.parametrize("body", ["[" * 100_000, '{"value":' * 100_000])
def test_an_answer_that_is_too_deep_to_read_is_none(
    server: KeyVaultServer, adapter: KeyVaultAdapter, body: str
) -> None:
    server.faults.fail_next(200, body=body, when=told())
    with pytest.raises(Unavailable):
        listed(adapter)
    server.faults.fail_next(200, body=body, when=told("DELETE"))
    with pytest.raises(Unacknowledged):
        adapter.write([Delete("acme-db", REVISION)])


@pytest.mark.parametrize("seconds", [10**15, 10**20, -(10**15)])
def test_a_time_that_is_none_makes_no_secret_absent_and_is_in_no_traceback(
    server: KeyVaultServer, adapter: KeyVaultAdapter, seconds: int
) -> None:
    at = {"created": seconds, "updated": seconds}
    body = {"id": f"{server.url}/secrets/acme-db/{'a' * 32}", "value": "canary-77d0", "attributes": at}
    server.faults.fail_next(200, body=json.dumps(body), when=told())
    with pytest.raises(Unavailable) as raised:
        list(adapter.get(["acme-db"]).pages)
    assert raised.value.__context__ is None
    trace = raised.value.__traceback__
    below = trace.tb_next if trace else None  # this test has the body itself
    shown = traceback.TracebackException(type(raised.value), raised.value, below, capture_locals=True)
    assert "canary-77d0" not in "".join(shown.format())


@pytest.mark.parametrize("call", ["list", "peek", "history", "create", "delete", "update"])
def test_no_error_about_an_answer_carries_what_it_held(
    server: KeyVaultServer, adapter: KeyVaultAdapter, call: str
) -> None:
    calls = {
        "list": lambda: list(pages_of(adapter.list(PLACE, None))),
        "peek": lambda: list(adapter.peek(["acme-db"]).pages),
        "history": lambda: list(adapter.history("acme-db", None).pages),
        "create": lambda: adapter.write([Put("acme-db", b"canary-77d0", None)]),
        "delete": lambda: adapter.write([Delete("acme-db", REVISION)]),
        "update": lambda: adapter.write([Put("acme-db", b"canary-77d0", REVISION)]),
    }
    body = '{"id": 5, "value": "canary-77d0"}'
    if call in ("list", "peek", "history", "create"):
        body = f'{{"value": [{body}]}}'
    server.faults.fail_next(200, body=body, when=told())
    with pytest.raises(AdapterError) as raised:
        calls[call]()
    trace = raised.value.__traceback__
    below = trace.tb_next.tb_next if trace and trace.tb_next else None  # this test has the body itself
    shown = traceback.TracebackException(type(raised.value), raised.value, below, capture_locals=True)
    assert "azure_keyvault" in (text := "".join(shown.format())) and "canary-77d0" not in text


@pytest.mark.parametrize("date", ["", "x", "Mon, 99 Foo 99999 99:99:99 GMT"])
def test_a_date_that_is_none_tells_no_time(date: str) -> None:
    assert (seconds_of(date) or 0) <= 0


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_a_date_without_a_zone_is_not_one_of_this_machine_s(
    monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        for end in ("GMT", "-0000", "+0000", "-0700"):
            moment = seconds_of(f"Sun, 13 Sep 2020 12:26:40 {end}")
            assert moment == 1_600_000_000 + (7 * 3600 if end == "-0700" else 0)
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("id", ["acme-a/../acme-b", "..", "a/b", "acme b", "", "a?b"])
def test_what_is_no_name_of_a_secret_is_asked_of_nobody(
    server: KeyVaultServer, adapter: KeyVaultAdapter, id: str
) -> None:
    outside(server, "acme-b")
    before = len(server.requests)
    for look in (adapter.get, adapter.peek):
        assert [page.absent for page in look([id]).pages] == [(id,)]
    assert [(page.items, page.absent) for page in adapter.history(id, None).pages] == [((), (id,))]
    assert adapter.version(id, "a" * 32) is None
    adapter.write([Put(id, b"1", None)])
    adapter.write([Delete(id, REVISION)])
    assert len(server.requests) == before


def test_wrapping_quotes_nothing_of_what_shall_be_unwrapped(adapter: KeyVaultAdapter) -> None:
    for wrapped in (b"canary-77d0", b"\xffcanary-77d0 :y"):
        with pytest.raises(Rejected) as caught:
            adapter.unwrap("key", wrapped)
        assert "canary" not in str(caught.value)
