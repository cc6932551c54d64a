"""What the tests of `consul` share: an adapter of the stand-in, and listings read to their proof."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ecs_sync.adapter import Item, Listing, Outcome, Page, Proof, Put, Verdict
from ecs_sync_adapters.consul import ConsulAdapter
from ecs_sync_adapters.consul_options import ConsulOptions, ConsulPlace
from ecs_sync_sandbox.consul import ConsulServer

CANARY = "canary-7f3a9c-token"
PLACE = ConsulPlace.parse("acme/prod/")
ACL: dict[str, Any] = {
    CANARY: [("acme/prod/", "write"), ("acme/prod/hidden/", "deny")],
    "reader": [("acme/", "read")],
}


def connected(server: ConsulServer, **options: Any) -> Iterator[ConsulAdapter]:
    built = ConsulAdapter(ConsulOptions(url=server.url, **options))
    yield built
    built.close()


def one(server: ConsulServer, **options: Any) -> ConsulAdapter:
    return next(connected(server, **options))


def read(listing: Listing) -> tuple[list[Item], list[str], Proof | None]:
    pages: list[Page] = list(listing.pages)
    items = [item for page in pages for item in page.items]
    return items, [id for page in pages for id in page.absent], pages[-1].proof if pages else None


def create(adapter: ConsulAdapter, **values: bytes) -> dict[str, str]:
    outcomes = adapter.write([Put(f"acme/prod/{key}", value, None) for key, value in values.items()])
    assert {outcome.verdict for outcome in outcomes} == {Verdict.APPLIED}
    return {outcome.id: str(outcome.revision) for outcome in outcomes}


def verdicts(outcomes: Sequence[Outcome]) -> list[Verdict]:
    return [outcome.verdict for outcome in outcomes]


def token_of(adapter: ConsulAdapter, place: ConsulPlace = PLACE) -> str:
    proof = read(adapter.list(place, None))[2]
    assert proof is not None
    assert proof.token is not None
    return proof.token
