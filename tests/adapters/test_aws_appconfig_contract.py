"""AppConfig keeps the contract that every adapter keeps."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ecs_sync.testing import adapter_contract
from ecs_sync.testing.adapter_contract import Behaviour, Subject
from ecs_sync_adapters.aws_appconfig import AppConfigPlace
from ecs_sync_sandbox.aws_appconfig import AppConfigServer
from tests.adapters.aws_appconfig_sandbox import Hand, adapter_of


@pytest.fixture
def subject() -> Iterator[Subject]:
    with AppConfigServer() as server:
        hand = Hand(server.client())
        # The number lock of deployments begins with the first one that an environment ever had.
        hand.set("acme/prod/another", b"{}")
        hand.delete("acme/prod/another")
        adapter = adapter_of(server, max_bytes=256 * 1024)
        yield Subject(
            adapter,
            AppConfigPlace("acme/prod/"),
            hand,
            id=lambda name: f"acme/prod/{name}",
            beside="acme/staging/a",
            foreign=(("content-type", "application/x-yaml"),),
        )
        adapter.close()


@adapter_contract.behaviours
def test_the_contract_is_kept(behaviour: Behaviour, subject: Subject) -> None:
    behaviour(subject)
