"""Parameter Store as the engine meets it, against the sandbox."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ecs_sync.adapter import Delete, Item, Listing, Put, Verdict
from ecs_sync_adapters.aws_ssm import SsmAdapter, SsmOptions, SsmPlace
from ecs_sync_sandbox.aws import AwsServer

ROOT = SsmPlace("/acme/prod/")


@pytest.fixture
def aws() -> Iterator[AwsServer]:
    with AwsServer() as server:
        yield server


def adapter_of(aws: AwsServer, **more: object) -> SsmAdapter:
    given: dict[str, object] = {
        "region": "eu-west-1",
        "credential": "explicit",
        "access_key_id": "key",
        "secret_access_key": "word",
        "endpoint": aws.url,
        **more,
    }
    return SsmAdapter(SsmOptions(**given))  # type: ignore[arg-type]


@pytest.fixture
def ssm(aws: AwsServer) -> Iterator[SsmAdapter]:
    adapter = adapter_of(aws)
    yield adapter
    adapter.close()


def items(listing: Listing) -> list[Item]:
    pages = list(listing.pages)
    assert [page.proof is not None for page in pages] == [False] * (len(pages) - 1) + [True]
    return [item for page in pages for item in page.items]


def one(ssm: SsmAdapter, id: str) -> Item:
    [item] = items(ssm.get([id]))
    return item


def test_what_is_written_is_listed_and_read_with_the_revision_the_write_returned(ssm: SsmAdapter) -> None:
    [outcome] = ssm.write([Put("/acme/prod/mode", b"on", None)])
    [listed] = items(ssm.list(ROOT, None))
    assert outcome.verdict is Verdict.APPLIED
    assert listed.id == "/acme/prod/mode" and listed.value is None
    assert one(ssm, "/acme/prod/mode").value == b"on"
    assert listed.revision == one(ssm, "/acme/prod/mode").revision == outcome.revision == "1"
    assert listed.changed == one(ssm, "/acme/prod/mode").changed


def test_an_update_tells_what_it_replaced_and_a_delete_removes(ssm: SsmAdapter) -> None:
    ssm.write([Put("/acme/prod/mode", b"on", None)])
    [update] = ssm.write([Put("/acme/prod/mode", b"off", "1")])
    assert (update.verdict, update.revision, update.replaced) == (Verdict.APPLIED, "2", "1")
    [gone] = ssm.write([Delete("/acme/prod/mode", "2")])
    assert gone.verdict is Verdict.APPLIED
    [page, _] = ssm.get(["/acme/prod/mode"]).pages
    assert page.absent == ("/acme/prod/mode",)
