"""Secret Manager keeps the contract that every adapter keeps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from ecs_sync.adapter import Attributes
from ecs_sync.testing import adapter_contract
from ecs_sync.testing.adapter_contract import Behaviour, Subject
from ecs_sync_adapters.gcp_secrets import GcpSecretsAdapter
from ecs_sync_adapters.gcp_secrets_options import GcpSecretsOptions, GcpSecretsPlace
from ecs_sync_sandbox.gcp_secrets import GcpSecretsServer
from ecs_sync_sandbox.gcp_secrets_store import Secrets


@dataclass(frozen=True)
class Hand:
    """Somebody at the console."""

    secrets: Secrets

    def set(self, id: str, value: bytes, attributes: Attributes = ()) -> None:
        told = [(*name.split(":", 1), text) for name, text in attributes]
        labels = {name: text for kind, name, text in told if kind == "label"}
        annotations = {name: text for kind, name, text in told if kind == "annotation"}
        if attributes:
            self.secrets.set(id, value, labels, annotations=annotations)
        else:
            self.secrets.set(id, value)

    def delete(self, id: str) -> None:
        self.secrets.remove(id)

    def get(self, id: str) -> bytes | None:
        return self.secrets.get(id)


@pytest.fixture(scope="module")
def server() -> Iterator[GcpSecretsServer]:
    with GcpSecretsServer() as server:
        server.most_a_page = 5
        yield server


@pytest.fixture(scope="module", params=["global", "regional"])
def shared(server: GcpSecretsServer, request: pytest.FixtureRequest) -> Iterator[GcpSecretsAdapter]:
    """One server and adapter: behaviours that order faults of it would need their own."""
    adapter = GcpSecretsAdapter(
        GcpSecretsOptions(
            project=server.project,
            location="europe-west3" if request.param == "regional" else None,
            endpoint=server.address,
            plaintext=True,
            labels=True,
        )
    )
    yield adapter
    adapter.close()


@pytest.fixture
def subject(server: GcpSecretsServer, shared: GcpSecretsAdapter, request: pytest.FixtureRequest) -> Subject:
    regional = "regional" in request.node.name
    secrets = server.regional("europe-west3") if regional else server.secrets
    for name in secrets.names():
        secrets.remove(name)
    return Subject(
        shared,
        GcpSecretsPlace("acme-prod-"),
        Hand(secrets),
        id=lambda name: f"acme-prod-{name}",
        beside="acme-product",
        foreign=(("annotation:owner", "Team A"), ("label:team", "a")),
    )


@adapter_contract.behaviours
def test_the_contract_is_kept(behaviour: Behaviour, subject: Subject) -> None:
    behaviour(subject)
