"""Key Vault keeps the contract that every adapter keeps, of secrets that changed just now and long ago."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from ecs_sync.adapter import Attributes
from ecs_sync.testing import adapter_contract
from ecs_sync.testing.adapter_contract import Behaviour, Subject
from ecs_sync_adapters.azure_keyvault import KeyVaultAdapter
from ecs_sync_sandbox.azure_keyvault import KeyVaultServer
from ecs_sync_sandbox.azure_keyvault_state import Answer, Vault
from tests.adapters.keyvault_sandbox import PLACE, adapter_of


@dataclass(frozen=True)
class Hand:
    """Somebody at the portal."""

    vault: Vault

    def set(self, id: str, value: bytes, attributes: Attributes = ()) -> None:
        told = dict(attributes)
        tags = {name.removeprefix("tag:"): text for name, text in told.items() if name.startswith("tag:")}
        body: dict[str, Any] = {"value": value.decode(), "tags": tags}
        if "content-type" in told:
            body["contentType"] = told["content-type"]
        self.vault.set(id, body)

    def delete(self, id: str) -> None:
        try:
            self.vault.delete(id)
        except Answer:
            return

    def get(self, id: str) -> bytes | None:
        try:
            return self.vault.get(id)[1].value.encode()
        except Answer:
            return None


@pytest.fixture(scope="module", params=[-3600, 0], ids=["long ago", "just now"])
def shared(request: pytest.FixtureRequest) -> Iterator[tuple[KeyVaultServer, KeyVaultAdapter]]:
    """A vault in which no two things happen in the same second: an hour ago, or from now on."""
    seconds = itertools.count(int(time.time()) + request.param * 24)
    with KeyVaultServer(clock=lambda: next(seconds)) as server:
        adapter = adapter_of(server, soft_deleted="recover")
        yield server, adapter
        adapter.close()


@pytest.fixture
def subject(shared: tuple[KeyVaultServer, KeyVaultAdapter]) -> Subject:
    server, adapter = shared
    server.vault.clear()
    return Subject(
        adapter,
        PLACE,
        Hand(server.vault),
        id=lambda name: f"acme-{name}",
        beside="acme2-x",
        foreign=(("content-type", "text/plain"), ("tag:team", "payments")),
        many=30,
    )


@adapter_contract.behaviours
def test_the_contract_is_kept(behaviour: Behaviour, subject: Subject) -> None:
    behaviour(subject)
