"""Secrets Manager keeps the contract that every adapter keeps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ecs_sync.adapter import Attributes
from ecs_sync.testing import adapter_contract
from ecs_sync.testing.adapter_contract import Behaviour, Subject
from ecs_sync_adapters.aws_secrets import SecretsAdapter
from ecs_sync_sandbox.aws import AwsServer
from tests.adapters.secrets_sandbox import PLACE, adapter_of, client


@dataclass(frozen=True)
class Hand:
    """Somebody at the console."""

    client: Any

    def set(self, id: str, value: bytes, attributes: Attributes = ()) -> None:
        kind = dict(attributes).get("kind", "string")
        given = {"SecretBinary": value} if kind == "binary" else {"SecretString": value.decode()}
        try:
            self.client.create_secret(Name=id, **given)
        except ClientError as error:
            if error.response["Error"]["Code"] == "InvalidRequestException":
                self.client.restore_secret(SecretId=id)
            self.client.put_secret_value(SecretId=id, **given)

    def delete(self, id: str) -> None:
        try:
            self.client.delete_secret(SecretId=id, RecoveryWindowInDays=7)
        except ClientError:
            return

    def get(self, id: str) -> bytes | None:
        try:
            told = self.client.get_secret_value(SecretId=id)
        except ClientError:
            return None
        value: bytes = told["SecretBinary"] if "SecretBinary" in told else told["SecretString"].encode()
        return value


@pytest.fixture(scope="module")
def shared() -> Iterator[tuple[AwsServer, SecretsAdapter]]:
    """One server and adapter: behaviours that order faults of it would need their own."""
    with AwsServer() as aws:
        adapter = adapter_of(aws, scheduled="restore", account=aws.secrets.account)
        yield aws, adapter
        adapter.close()


@pytest.fixture
def subject(shared: tuple[AwsServer, SecretsAdapter]) -> Subject:
    aws, adapter = shared
    aws.secrets.forget()
    return Subject(
        adapter,
        PLACE,
        Hand(client(aws.url)),
        id=lambda name: f"acme/prod/{name}",
        beside="acme/production",
        foreign=(("kind", "binary"),),
        many=105,
    )


@adapter_contract.behaviours
def test_the_contract_is_kept(behaviour: Behaviour, subject: Subject) -> None:
    behaviour(subject)
