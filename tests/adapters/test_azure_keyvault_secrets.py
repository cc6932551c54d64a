"""Secrets stay out of logs and errors, and go to the configured vault only."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from ecs_sync.adapter import Delete, Put
from ecs_sync.errors import AdapterError
from ecs_sync_adapters.azure_keyvault import KeyVaultAdapter, KeyVaultOptions
from ecs_sync_sandbox.azure_keyvault import KeyVaultServer, told
from tests.adapters.keyvault_sandbox import PLACE, adapter_of, asked, items, listed, one, outside

CANARY = "canary-0f83b6e2d1"


@pytest.fixture
def server() -> Iterator[KeyVaultServer]:
    with KeyVaultServer() as server:
        yield server


def quoting_refusal(server: KeyVaultServer, status: int) -> None:
    """The next set is refused in words that quote the value."""
    body = f'{{"error": {{"code": "Odd", "message": "{CANARY} is no good"}}}}'
    server.faults.fail_next(status, body=body, when=told("PUT"))


def everything_that_carries_a_value(server: KeyVaultServer, adapter: KeyVaultAdapter) -> list[AdapterError]:
    """Every call with the canary in its request or answer; the errors that came of it."""
    value = CANARY.encode()
    errors: list[AdapterError] = []

    def attempt(write: Put | Delete) -> None:
        try:
            assert CANARY not in repr(adapter.write([write]))
        except AdapterError as error:
            errors.append(error)

    def attempt_to_read(id: str) -> None:
        try:
            one(adapter, id)
        except AdapterError as error:
            errors.append(error)

    attempt(Put("acme-db", value, None))
    attempt(Put("acme-db", value, None))
    attempt(Put("acme-db", value + b"2", one(adapter, "acme-db").revision))
    attempt(Put("acme-raw", value + b"\xff", None))
    attempt(Put("acme-wide", value * 2000, None))
    for status in (500, 429, 403, 400, 409):
        quoting_refusal(server, status)
        attempt(Put("acme-other", value, None))
    server.faults.fail_next(200, body=f'{{"value": "{CANARY}", "id": 5}}', when=told("PUT"))
    attempt(Put("acme-odd", value, None))
    server.faults.drop_next(when=told("PUT"))
    attempt(Put("acme-lost", value, None))
    server.faults.fail_next(200, body=f'{{"value": "{CANARY}"}}', when=told("GET"))
    attempt_to_read("acme-db")
    assert one(adapter, "acme-db").value == value + b"2"
    assert len(items(adapter.history("acme-db", None))) == 2
    listed(adapter)
    attempt(Delete("acme-db", one(adapter, "acme-db").revision or ""))
    return errors


def test_no_secret_is_in_any_log_or_error_even_at_debug(
    server: KeyVaultServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("azure", "azure.core", "azure.identity", "msal", "urllib3", "requests"):
        caplog.set_level(logging.DEBUG, logger=name)
    adapter = adapter_of(server)
    errors = everything_that_carries_a_value(server, adapter)
    assert caplog.records
    whole = "\n".join(str(vars(record)) for record in caplog.records)
    assert CANARY not in whole
    assert not [token for token in server.entra.tokens if token in whole]
    assert len(errors) == 6
    for error in errors:
        told_ = traceback.TracebackException.from_exception(error, capture_locals=True)
        assert CANARY not in "".join(told_.format())


def test_options_show_no_secret() -> None:
    given = {"tenant_id": "acme", "client_id": "app", "client_secret": CANARY}
    options = KeyVaultOptions("https://acme.vault.azure.net", "client-secret", **given)
    assert CANARY not in repr(options)
    with pytest.raises(ValueError, match="does not use client_secret") as caught:
        KeyVaultOptions("https://acme.vault.azure.net", client_secret=CANARY)
    assert CANARY not in str(caught.value)


def test_neither_proxies_nor_certificates_of_the_environment_are_taken(
    server: KeyVaultServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none.pem"))
    for name in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_AUTHORITY_HOST"):
        monkeypatch.setenv(name, "https://elsewhere.example")
    outside(server, "acme-db")
    assert list(listed(adapter_of(server))) == ["acme-db"]


def test_a_thread_for_each_connection_shares_one_token(server: KeyVaultServer) -> None:
    outside(server, "acme-db")
    adapter = adapter_of(server)
    items(adapter.list(PLACE, None))
    for _ in range(5):
        one(adapter, "acme-db")
    assert len(server.entra.tokens) == 1
    assert asked(server).count("?") == 1
