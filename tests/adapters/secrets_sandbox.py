"""What the tests of `aws-secrets` share: an adapter of the sandbox, and listings read to their proof."""

from __future__ import annotations

from functools import cache
from typing import Any

from ecs_sync.adapter import Item, Listing
from ecs_sync.testing.subject import pages_of
from ecs_sync_adapters.aws_secrets import SecretsAdapter
from ecs_sync_adapters.aws_secrets_options import SecretsOptions, SecretsPlace
from ecs_sync_sandbox.aws import AwsServer, client_of

PLACE = SecretsPlace("acme/prod/")


def adapter_of(aws: AwsServer, **more: Any) -> SecretsAdapter:
    given: dict[str, Any] = {
        "region": "eu-west-1",
        "credential": "explicit",
        "access_key_id": "AKIDSANDBOX",
        "secret_access_key": "word",
        "endpoint": aws.url,
        **more,
    }
    return SecretsAdapter(SecretsOptions(**given))


def items(listing: Listing) -> list[Item]:
    """All items of a complete listing."""
    pages = list(pages_of(listing))
    assert [page.proof is not None for page in pages] == [False] * (len(pages) - 1) + [True]
    return [item for page in pages for item in page.items]


def absent(listing: Listing) -> list[str]:
    return [id for page in listing.pages for id in page.absent]


def one(secrets: SecretsAdapter, id: str) -> Item:
    [item] = items(secrets.get([id]))
    return item


def revision(secrets: SecretsAdapter, id: str) -> str:
    return one(secrets, id).revision or ""


def listed(secrets: SecretsAdapter) -> dict[str, Item]:
    return {item.id: item for item in items(secrets.list(PLACE, None))}


@cache
def client(url: str) -> Any:
    """Somebody else, at the console."""
    return client_of(url, service="secretsmanager")


def outside(aws: AwsServer, name: str, value: str = "on", **more: Any) -> str:
    """Somebody else creates a secret, or gives it another value. The version's id."""
    if name in aws.secrets.names():
        answer = client(aws.url).put_secret_value(SecretId=name, SecretString=value)
    else:
        answer = client(aws.url).create_secret(Name=name, SecretString=value, **more)
    version: str = answer["VersionId"]
    return version


def labels(aws: AwsServer, name: str) -> dict[str, list[str]]:
    """The labels of each version that has one."""
    told = client(aws.url).describe_secret(SecretId=name)["VersionIdsToStages"]
    return {version: sorted(stages) for version, stages in told.items()}
