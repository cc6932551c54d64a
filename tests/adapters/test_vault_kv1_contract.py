"""KV version 1 keeps the contract that every adapter keeps, on a real server."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from ecs_sync.testing import adapter_contract
from ecs_sync.testing.adapter_contract import Behaviour, Subject
from ecs_sync_adapters.vault_options import VaultPlace
from ecs_sync_sandbox.openbao import OpenBaoServer
from tests.adapters.vault_sandbox import Boxing, Kv1Hand, kv1_of, server

_turn = itertools.count()


@pytest.fixture(scope="module")
def bao() -> Iterator[OpenBaoServer]:
    with server() as running:
        running.mount("team/old", version=1)
        yield running


@pytest.fixture
def subject(bao: OpenBaoServer) -> Iterator[Subject]:
    folder = f"turn{next(_turn)}"
    adapter = kv1_of(bao, "team/old")
    yield Subject(
        Boxing(adapter),
        VaultPlace(f"{folder}/app/"),
        Kv1Hand(bao, "team/old"),
        id=lambda name: f"{folder}/app/{name}",
        beside=f"{folder}/app2/x",
        many=55,
    )
    adapter.close()


@adapter_contract.behaviours
def test_the_contract_is_kept(behaviour: Behaviour, subject: Subject) -> None:
    behaviour(subject)
