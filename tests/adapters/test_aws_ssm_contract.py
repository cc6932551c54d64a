"""Parameter Store keeps the contract that every adapter keeps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from ecs_sync.adapter import Attributes
from ecs_sync.testing import adapter_contract
from ecs_sync.testing.adapter_contract import Behaviour, Subject
from ecs_sync_adapters.aws_ssm import SsmAdapter
from ecs_sync_sandbox.aws import AwsServer
from tests.adapters.ssm_sandbox import ROOT, adapter_of

FIELDS = {"data-type": "DataType", "description": "Description", "key-id": "KeyId", "type": "Type"}


@dataclass(frozen=True)
class Hand:
    """Somebody at the console."""

    client: Any

    def set(self, id: str, value: bytes, attributes: Attributes = ()) -> None:
        given = {FIELDS[name]: text for name, text in attributes}
        if self.get(id) is None:
            given.setdefault("Type", "String")
        self.client.put_parameter(Name=id, Value=value.decode(), Overwrite=True, **given)

    def delete(self, id: str) -> None:
        self.client.delete_parameters(Names=[id])

    def get(self, id: str) -> bytes | None:
        found = self.client.get_parameters(Names=[id], WithDecryption=True)["Parameters"]
        return found[0]["Value"].encode() if found else None


@pytest.fixture(scope="module")
def shared() -> Iterator[tuple[AwsServer, SsmAdapter]]:
    """One server and adapter: behaviours that order faults of it would need their own."""
    with AwsServer() as aws:
        adapter = adapter_of(aws)
        yield aws, adapter
        adapter.close()


@pytest.fixture
def subject(shared: tuple[AwsServer, SsmAdapter]) -> Subject:
    aws, adapter = shared
    client = aws.client()
    names = [name for name in aws.names() if name.startswith("/acme")]
    for start in range(0, len(names), 10):
        client.delete_parameters(Names=names[start : start + 10])
    return Subject(
        adapter,
        ROOT,
        Hand(client),
        id=lambda name: f"/acme/prod/{name}",
        beside="/acme/production",
        foreign=(("data-type", "aws:ec2:image"),),
        many=55,
    )


@adapter_contract.behaviours
def test_the_contract_is_kept(behaviour: Behaviour, subject: Subject) -> None:
    behaviour(subject)
