"""The sentinel, Key Vault references, and what is told to people."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks import calls_azure_appconfig

from ecs_sync.abilities import Refers
from ecs_sync.adapter import Put, Verdict
from ecs_sync.errors import Rejected
from ecs_sync_adapters.azure_appconfig import AppConfigAdapter
from ecs_sync_sandbox.azure_appconfig import AzureAppConfigServer
from tests.adapters.appconfig_sandbox import adapter_of, ids, one, place, update, write

APPLIED, REFUSED = Verdict.APPLIED, Verdict.REFUSED
REFERENCE_TYPE = "application/vnd.microsoft.appconfig.keyvaultref+json;charset=utf-8"
URI = "https://acme.vault.azure.net/secrets/db-password"
DOCUMENTATION = Path(__file__).parents[2] / "docs/providers/azure-appconfig.md"


@pytest.fixture
def server() -> Iterator[AzureAppConfigServer]:
    with AzureAppConfigServer() as server:
        yield server


@pytest.fixture
def adapter(server: AzureAppConfigServer) -> Iterator[AppConfigAdapter]:
    adapter = adapter_of(server)
    yield adapter
    adapter.close()


# -- the sentinel


def test_the_sentinel_moves_once_after_a_run_and_is_no_item(server: AzureAppConfigServer) -> None:
    adapter = adapter_of(server, sentinel="sentinel")
    for label in ("prod", "dev"):
        server.settings.set("app/a", "1", label)
    adapter.finished(place("prod|app/"), "run 1")
    created = server.settings.get("app/sentinel", "prod")
    assert created is not None and created.value == "run 1"
    before = len(server.requests)
    server.settings.set("app/sentinel", "by hand", "prod", tags={"owner": "web"}, content_type="text/plain")
    adapter.finished(place("prod|app/"), "run 2")
    moved = server.settings.get("app/sentinel", "prod")
    assert moved is not None and (moved.value, dict(moved.tags)) == ("run 2", {"owner": "web"})
    assert moved.content_type == "text/plain"
    assert len(server.requests) - before == 2
    assert ids(adapter, "prod|app/") == ["prod|app/a"]
    assert server.settings.get("app/sentinel", "dev") is None
    adapter.close()


def test_no_key_can_be_taken_for_the_sentinel(server: AzureAppConfigServer) -> None:
    adapter = adapter_of(server, sentinel="sentinel")
    outcome = write(adapter, Put("prod|app/sentinel", b"1", None))
    assert outcome.verdict is REFUSED and "sentinel" in outcome.reason
    assert write(adapter, Put("prod|app/mysentinel", b"1", None)).verdict is APPLIED
    adapter.close()


def test_a_locked_sentinel_is_an_error_and_one_that_others_move_is_not(
    server: AzureAppConfigServer,
) -> None:
    adapter = adapter_of(server, sentinel="sentinel")
    server.settings.set("app/sentinel", "1", locked=True)
    with pytest.raises(Rejected, match="locked"):
        adapter.finished(place("app/"), "run 1")
    server.settings.set("app/sentinel", "1")
    server.faults.fail_next(412, when=lambda request: request.method == "PUT")
    adapter.finished(place("app/"), "run 1")
    adapter.close()


def test_without_a_sentinel_the_end_of_a_run_costs_nothing(
    server: AzureAppConfigServer, adapter: AppConfigAdapter
) -> None:
    adapter.finished(place("app/"), "run 1")
    assert server.requests == []


# -- Key Vault references


def test_a_vaults_secret_is_pointed_at_in_the_services_own_way(
    server: AzureAppConfigServer, adapter: AppConfigAdapter
) -> None:
    assert isinstance(adapter, Refers)
    for address in (URI, f"{URI}/0123abcd", "https://127.0.0.1:8443/secrets/a"):
        pointer = adapter.pointer(address)
        assert pointer is not None
        assert json.loads(pointer.value) == {"uri": address}
        assert dict(pointer.attributes) == {"content-type": REFERENCE_TYPE}
    assert pointer is not None
    write(adapter, Put("|a", pointer.value, None, attributes=pointer.attributes))
    assert adapter.pointed(one(adapter, "|a")) == "https://127.0.0.1:8443/secrets/a"


@pytest.mark.parametrize(
    "address",
    ["arn:aws:secretsmanager:eu-west-1:1:secret:x", "https://acme.vault.azure.net/keys/x", "http" + URI[5:]],
)
def test_what_is_no_secret_of_a_vault_cannot_be_pointed_at(adapter: AppConfigAdapter, address: str) -> None:
    assert adapter.pointer(address) is None


@pytest.mark.parametrize(
    ("content_type", "value", "address"),
    [
        (REFERENCE_TYPE, f'{{"uri":"{URI}"}}', URI),
        (
            "application/vnd.microsoft.appconfig.keyvaultref+json; charset=utf-8",
            f'{{ "uri": "{URI}", "x": 1 }}',
            URI,
        ),
        ("Application/Vnd.Microsoft.AppConfig.KeyVaultRef+JSON", f'{{"uri":"{URI}"}}', URI),
        ("application/json", f'{{"uri":"{URI}"}}', None),
        (REFERENCE_TYPE, "not json", None),
        (REFERENCE_TYPE, '{"uri": null}', None),
        (REFERENCE_TYPE, "[]", None),
        (None, "x", None),
    ],
)
def test_a_reference_is_known_by_its_media_type_however_it_is_spelled(
    server: AzureAppConfigServer,
    adapter: AppConfigAdapter,
    content_type: str | None,
    value: str,
    address: str | None,
) -> None:
    server.settings.set("a", value, content_type=content_type)
    assert adapter.pointed(one(adapter, "|a")) == address
    assert one(adapter, "|a").value == value.encode()


def test_a_plain_value_never_takes_the_place_of_a_reference_under_its_content_type(
    server: AzureAppConfigServer, adapter: AppConfigAdapter
) -> None:
    server.settings.set("a", f'{{"uri":"{URI}"}}', content_type=REFERENCE_TYPE)
    outcome = update(adapter, "|a", b"plain")
    assert outcome.verdict is REFUSED and "Key Vault reference" in outcome.reason
    item = one(adapter, "|a")
    assert write(adapter, Put("|a", b"plain", item.revision)).verdict is APPLIED
    assert one(adapter, "|a").value == b"plain"


# -- what is told to people


def test_the_example_of_the_documentation_runs_as_shown(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", DOCUMENTATION.read_text(encoding="utf-8"), re.DOTALL)
    exec(compile(example, "docs/providers/azure-appconfig.md", "exec"), {})
    (shown,) = re.findall(r"^# (.*)$", example, re.MULTILINE)
    assert capsys.readouterr().out.strip() == shown


def test_the_calls_of_a_run_are_those_of_the_documentation(capsys: pytest.CaptureFixture[str]) -> None:
    calls_azure_appconfig.measure()
    shown = [line.split() for line in capsys.readouterr().out.splitlines()]
    (table,) = re.findall(
        r"```\n(app configuration.*?)```", DOCUMENTATION.read_text(encoding="utf-8"), re.DOTALL
    )
    assert shown == [line.split() for line in table.splitlines()]
