"""Neither a value nor a credential of App Configuration is ever shown, and what is configured is checked."""

from __future__ import annotations

import base64
import logging
import re
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ecs_sync.adapter import Delete, Put
from ecs_sync.errors import AdapterError, Denied
from ecs_sync.registry import Registry
from ecs_sync.testing.subject import pages_of
from ecs_sync_adapters.azure_appconfig import AppConfigAdapter, AppConfigOptions, AppConfigPlace
from ecs_sync_adapters.azure_appconfig_options import AccessKey
from ecs_sync_sandbox.azure_appconfig import AzureAppConfigServer

CANARY = "canary-7be1d0-value"
TOKEN = "canary-7be1d0-token"
SECRET = base64.b64encode(b"canary-7be1d0-secret").decode()
PLACE = AppConfigPlace("app/")


@pytest.fixture
def server() -> Iterator[AzureAppConfigServer]:
    with AzureAppConfigServer(tokens={TOKEN: "write"}) as server:
        yield server


def cli(folder: Path, monkeypatch: pytest.MonkeyPatch, token: str = TOKEN) -> None:
    """An Azure CLI where somebody is logged in."""
    expires = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%d %H:%M:%S.000000")
    script = folder / "az"
    answer = f'{{"accessToken": "{token}", "expiresOn": "{expires}", "tokenType": "Bearer"}}'
    script.write_text(f"#!/bin/sh\necho '{answer}'\n", encoding="utf-8")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def used(server: AzureAppConfigServer, adapter: AppConfigAdapter) -> list[str]:
    """What every kind of call tells of itself, also of those that go wrong."""
    told = [repr(adapter)]

    def call(work: object) -> None:
        try:
            told.append(repr(work()))  # type: ignore[operator]
        except AdapterError as error:
            told.append("".join(traceback.format_exception(error)))

    value = CANARY.encode()
    for fault in (None, "fail", "drop", "throttle", "garbage"):
        for work in (
            lambda: adapter.write([Put("|app/a", value, None)]),
            lambda: adapter.write([Put("|app/a", value, "stale", attributes=(("locked", "false"),))]),
            lambda: adapter.write([Put("|app/b", value * 2000, None)]),
            lambda: adapter.write([Delete("|app/a", "stale")]),
            lambda: list(adapter.get(["|app/a"]).pages),
            lambda: list(pages_of(adapter.list(PLACE, None))),
            lambda: list(adapter.history("|app/a", None).pages),
        ):
            match fault:
                case "fail":
                    server.faults.fail_next(500, body=CANARY)
                case "drop":
                    server.faults.drop_next()
                case "throttle":
                    server.throttle()
                case "garbage":
                    server.faults.fail_next(200, body=f'{{"value": "{CANARY}"}}')
            call(work)
    return told


@pytest.mark.parametrize("way", ["connection-string", "token"])
def test_nothing_secret_is_in_logs_errors_and_reprs_at_any_level(
    server: AzureAppConfigServer,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    way: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("azure", "azure.core", "azure.identity", "msal", "urllib3"):
        caplog.set_level(logging.DEBUG, logger=name)
    cli(tmp_path, monkeypatch)
    options = (
        AppConfigOptions(server.url, connection_string=server.connection_string)
        if way == "connection-string"
        else AppConfigOptions(endpoint=server.url, credential="cli")
    )
    adapter = AppConfigAdapter(options)
    told = used(server, adapter)
    adapter.close()
    assert caplog.records, "the SDK logs something, or this proves nothing"
    everything = "\n".join([*told, caplog.text, repr(options)])
    key = server.connection_string.rpartition("Secret=")[2]
    for secret in (CANARY, base64.b64encode(CANARY.encode()).decode(), TOKEN, key):
        assert secret not in everything


def test_a_token_is_sent_as_a_bearer_and_fetched_once(
    server: AzureAppConfigServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli(tmp_path, monkeypatch)
    adapter = AppConfigAdapter(AppConfigOptions(endpoint=server.url, credential="cli"))
    adapter.write([Put("|app/a", b"1", None)])
    (tmp_path / "az").write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    assert [item.value for page in adapter.list(PLACE, None).pages for item in page.items] == [b"1"]
    assert {request.headers["authorization"] for request in server.requests} == {f"Bearer {TOKEN}"}
    adapter.close()


def test_a_token_that_expired_is_denied_and_the_next_call_fetches_another(
    server: AzureAppConfigServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli(tmp_path, monkeypatch, "expired")
    adapter = AppConfigAdapter(AppConfigOptions(endpoint=server.url, credential="cli"))
    with pytest.raises(AdapterError, match="not accepted"):
        list(pages_of(adapter.list(PLACE, None)))
    cli(tmp_path, monkeypatch)
    assert list(pages_of(adapter.list(PLACE, None)))
    adapter.close()


def test_a_workload_outside_of_its_cluster_is_denied_in_every_call(
    server: AzureAppConfigServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_FEDERATED_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    adapter = AppConfigAdapter(AppConfigOptions(server.url, credential="workload-identity"))
    for call in (
        lambda: adapter.list(PLACE, '[1,"store=MQ==;sn=1","etag"]'),
        lambda: list(pages_of(adapter.list(PLACE, None))),
        lambda: adapter.write([Put("|app/a", b"1", None)]),
    ):
        with pytest.raises(Denied, match="token file is missing"):
            call()
    assert server.requests == []
    adapter.close()


# -- options


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"endpoint": "https://acme.azconfig.io"}, ["needs credential, or connection_string"]),
        ({"endpoint": "http://acme.azconfig.io", "credential": "cli"}, ["endpoint is not an https address"]),
        ({"endpoint": "https://u@acme.azconfig.io", "credential": "cli"}, ["endpoint is not"]),
        (
            {"endpoint": "https://acme.azconfig.io", "credential": "client-secret", "read_timeout": 0.0},
            ["needs client_id", "needs client_secret", "needs tenant_id", "read_timeout must be"],
        ),
        (
            {"endpoint": "https://acme.azconfig.io", "credential": "managed-identity", "tenant_id": "t"},
            ["'managed-identity' does not use tenant_id"],
        ),
        ({"endpoint": "https://a", "connection_string": SECRET}, ["is not Endpoint="]),
        (
            {"endpoint": "https://a", "connection_string": "Endpoint=https://a;Id=b;Secret=(" + CANARY},
            ["not base64"],
        ),
        (
            {
                "endpoint": "https://b",
                "connection_string": f"Endpoint=https://a;Id=b;Secret={SECRET}",
                "credential": "cli",
            },
            ["connection_string does not go with credential", "another store than endpoint names"],
        ),
        (
            {
                "endpoint": "https://a",
                "credential": "cli",
                "sentinel": "",
                "api_version": "newest",
                "concurrency": 0,
            },
            ["sentinel is not a key", "api_version is not", "concurrency must be"],
        ),
    ],
)
def test_what_is_wrong_with_the_options_is_said_at_once_and_quotes_no_secret(
    options: dict[str, object], said: list[str]
) -> None:
    with pytest.raises(ValueError, match=re.escape(said[0])) as raised:
        AppConfigOptions(**options)  # type: ignore[arg-type]
    assert [part for part in said if part not in str(raised.value)] == []
    assert SECRET not in str(raised.value) and CANARY not in str(raised.value)


def test_a_connection_string_is_read_in_any_order_and_with_a_slash_at_the_end(
    server: AzureAppConfigServer,
) -> None:
    parts = server.connection_string.split(";")
    text = ";".join([*reversed(parts[1:]), f"{parts[0]}/"])
    assert AccessKey.parse(text) == AccessKey.parse(server.connection_string)
    assert repr(AccessKey.parse(text)) == f"<access key of {server.url}>"
    adapter = AppConfigAdapter(AppConfigOptions(server.url, connection_string=text))
    assert list(pages_of(adapter.list(PLACE, None)))
    adapter.close()


def test_the_adapter_is_found_by_its_name() -> None:
    assert Registry.from_entry_points().adapter("azure-appconfig") is AppConfigAdapter


@pytest.mark.parametrize(
    "odd", ['"etag": 5', '"etag": "e", "last_modified": "never"', '"etag": "e", "tags": 5']
)
def test_an_error_about_a_setting_that_is_none_carries_nothing_of_it(
    server: AzureAppConfigServer, odd: str
) -> None:
    adapter = AppConfigAdapter(AppConfigOptions(server.url, connection_string=server.connection_string))
    setting = f'{{"key": "app/a", "value": "{CANARY}", {odd}}}'
    for body, call in (
        (f'{{"items": [{setting}]}}', lambda: list(pages_of(adapter.list(PLACE, None)))),
        (f'{{"items": [{setting}]}}', lambda: list(adapter.get(["|app/a"]).pages)),
        (f'{{"items": [{setting}]}}', lambda: list(adapter.history("|app/a", None).pages)),
        (setting, lambda: adapter.write([Put("|app/a", CANARY.encode(), "stale")])),
    ):
        server.faults.fail_next(200, body=body)
        with pytest.raises(AdapterError) as raised:
            call()
        assert raised.value.__context__ is None
        trace = raised.value.__traceback__
        below = trace.tb_next.tb_next if trace and trace.tb_next else None  # this test has the body itself
        told = traceback.TracebackException(type(raised.value), raised.value, below, capture_locals=True)
        assert "azure_appconfig" in (shown := "".join(told.format())) and CANARY not in shown
    adapter.close()
