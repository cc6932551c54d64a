"""Consul's key-value store keeps the contract that every adapter keeps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from ecs_sync.adapter import Attributes
from ecs_sync.testing import adapter_contract
from ecs_sync.testing.adapter_contract import Behaviour, Subject
from ecs_sync_adapters.consul import ConsulAdapter
from ecs_sync_adapters.consul_options import ConsulOptions, ConsulPlace
from ecs_sync_sandbox.consul import ConsulServer


@dataclass(frozen=True)
class Hand:
    """Somebody at the web interface."""

    server: ConsulServer

    def set(self, id: str, value: bytes, attributes: Attributes = ()) -> None:
        self.server.kv.put(id, value)

    def delete(self, id: str) -> None:
        self.server.kv.delete(id)

    def get(self, id: str) -> bytes | None:
        pair = self.server.kv.get(id)
        return None if pair is None else pair.value or b""


@pytest.fixture(params=["strict", "any"])
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    with ConsulServer() as server:
        adapter = ConsulAdapter(ConsulOptions(url=server.url, key_grammar=request.param))
        yield Subject(
            adapter,
            ConsulPlace("app/"),
            Hand(server),
            id=lambda name: f"app/{name}",
            beside="app2/x",
            many=30,
        )
        adapter.close()


@adapter_contract.behaviours
def test_the_contract_is_kept(behaviour: Behaviour, subject: Subject) -> None:
    behaviour(subject)
