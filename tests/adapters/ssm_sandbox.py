"""What the tests of `aws-ssm` share: an adapter of the sandbox, and listings read to their proof."""

from __future__ import annotations

from functools import cache
from typing import Any

from ecs_sync.adapter import Item, Listing
from ecs_sync.testing.subject import pages_of
from ecs_sync_adapters.aws_ssm import SsmAdapter, SsmOptions, SsmPlace
from ecs_sync_sandbox.aws import AwsServer, client_of

ROOT = SsmPlace("/acme/prod/")


def adapter_of(aws: AwsServer, **more: Any) -> SsmAdapter:
    given: dict[str, Any] = {
        "region": "eu-west-1",
        "credential": "explicit",
        "access_key_id": "AKIDSANDBOX",
        "secret_access_key": "word",
        "endpoint": aws.url,
        **more,
    }
    return SsmAdapter(SsmOptions(**given))


def items(listing: Listing) -> list[Item]:
    """All items of a complete listing."""
    pages = list(pages_of(listing))
    assert [page.proof is not None for page in pages] == [False] * (len(pages) - 1) + [True]
    return [item for page in pages for item in page.items]


def absent(listing: Listing) -> list[str]:
    return [id for page in listing.pages for id in page.absent]


def one(ssm: SsmAdapter, id: str) -> Item:
    [item] = items(ssm.get([id]))
    return item


def listed(ssm: SsmAdapter) -> dict[str, Item]:
    return {item.id: item for item in items(ssm.list(ROOT, None))}


@cache
def _client(url: str) -> Any:
    return client_of(url)


def outside(aws: AwsServer, name: str, value: str = "on", **more: Any) -> None:
    """Somebody else writes."""
    kind = {} if more.get("Overwrite") else {"Type": "String"}
    _client(aws.url).put_parameter(**{"Name": name, "Value": value, **kind, **more})
