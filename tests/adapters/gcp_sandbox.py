"""What the tests of the GCP adapter share: an adapter of a stand-in, and listings read to their proof."""

from __future__ import annotations

from typing import Any

from ecs_sync.adapter import Item, Listing, Outcome, Verdict, Write
from ecs_sync.testing.subject import pages_of
from ecs_sync_adapters.gcp_secrets import GcpSecretsAdapter, GcpSecretsOptions, GcpSecretsPlace
from ecs_sync_sandbox.gcp_secrets import GcpSecretsServer

PLACE = GcpSecretsPlace("acme-prod-")
MODE = "acme-prod-mode"
RACED, REFUSED, APPLIED = Verdict.RACED, Verdict.REFUSED, Verdict.APPLIED


def adapter_of(server: GcpSecretsServer, **more: Any) -> GcpSecretsAdapter:
    given: dict[str, Any] = {"project": server.project, "endpoint": server.address, "plaintext": True, **more}
    return GcpSecretsAdapter(GcpSecretsOptions(**given))


def items(listing: Listing) -> list[Item]:
    """All items of a complete listing."""
    pages = list(pages_of(listing))
    assert [page.proof is not None for page in pages] == [False] * (len(pages) - 1) + [True]
    return [item for page in pages for item in page.items]


def absent(listing: Listing) -> list[str]:
    return [id for page in listing.pages for id in page.absent]


def one(gcp: GcpSecretsAdapter, id: str = MODE) -> Item:
    [item] = items(gcp.get([id]))
    return item


def at(gcp: GcpSecretsAdapter, id: str = MODE) -> str:
    """The revision of what is there."""
    revision = one(gcp, id).revision
    assert revision is not None
    return revision


def write(gcp: GcpSecretsAdapter, write: Write) -> Outcome:
    [outcome] = gcp.write([write])
    return outcome
