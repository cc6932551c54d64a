"""Azure App Configuration keeps the contract that every adapter keeps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from ecs_sync.adapter import Attributes
from ecs_sync.testing import adapter_contract
from ecs_sync.testing.adapter_contract import Behaviour, Subject
from ecs_sync_adapters.azure_appconfig import AppConfigAdapter, AppConfigOptions, AppConfigPlace
from ecs_sync_adapters.azure_appconfig_options import named
from ecs_sync_sandbox.azure_appconfig import AzureAppConfigServer


@dataclass(frozen=True)
class Hand:
    """Somebody at the portal."""

    server: AzureAppConfigServer

    def set(self, id: str, value: bytes, attributes: Attributes = ()) -> None:
        key, label = named(id) or ("", None)
        tags = {name.removeprefix("tag:"): text for name, text in attributes if name.startswith("tag:")}
        description = dict(attributes).get("description")
        self.server.settings.set(key, value.decode(), label, tags=tags, description=description)

    def delete(self, id: str) -> None:
        self.server.settings.delete(*(named(id) or ("", None)))

    def get(self, id: str) -> bytes | None:
        setting = self.server.settings.get(*(named(id) or ("", None)))
        return None if setting is None or setting.value is None else setting.value.encode()


@pytest.fixture(params=[(None, "keeps"), ("prod", "moves")], ids=["no-label", "label"])
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    label, same_write = request.param
    place = AppConfigPlace("app/", label)
    with AzureAppConfigServer(same_write=same_write) as server:
        adapter = AppConfigAdapter(AppConfigOptions(server.url, connection_string=server.connection_string))
        yield Subject(
            adapter,
            place,
            Hand(server),
            id=lambda name: f"{place.root}{name}",
            beside=f"{place.root[:-1]}2/x",
            foreign=(("description", "Asked for by finance."), ("tag:owner", "billing")),
            many=110,
        )
        adapter.close()


@adapter_contract.behaviours
def test_the_contract_is_kept(behaviour: Behaviour, subject: Subject) -> None:
    behaviour(subject)
