"""What the tests of the Vault adapters share: a server, an adapter of it, listings read to their proof."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from ecs_sync.adapter import Attributes, Features, Item, Limits, Listing, Outcome, Page, Put, Token, Write
from ecs_sync.testing.subject import pages_of
from ecs_sync_adapters.vault_kv1 import VaultKv1Adapter
from ecs_sync_adapters.vault_kv2 import VaultKv2Adapter
from ecs_sync_adapters.vault_options import VaultOptions, VaultPlace
from ecs_sync_sandbox.openbao import ROOT_TOKEN, OpenBaoServer, Refused
from ecs_sync_sandbox.real_server import NotReady

ROOT = VaultPlace("acme/prod/")


def server(*, tls: bool = False, client_ca: Path | None = None) -> OpenBaoServer:
    """Visibly skipped where OpenBao is not installed, unless every server must be there."""
    try:
        return OpenBaoServer(tls=tls, client_ca=client_ca)
    except NotReady as missing:
        if os.environ.get("ECS_SYNC_REQUIRE_BACKENDS") == "all":
            raise
        pytest.skip(str(missing))


def options_of(url: str, **more: Any) -> VaultOptions:
    given: dict[str, Any] = {"url": url, "token": ROOT_TOKEN, **more}
    return VaultOptions(**given)


def adapter_of(bao: OpenBaoServer, **more: Any) -> VaultKv2Adapter:
    return VaultKv2Adapter(options_of(bao.url, **more))


def kv1_of(bao: OpenBaoServer, mount: str, **more: Any) -> VaultKv1Adapter:
    return VaultKv1Adapter(options_of(bao.url, mount=mount, **more))


def items(listing: Listing) -> list[Item]:
    """All items of a complete listing."""
    pages = list(pages_of(listing))
    assert [page.proof is not None for page in pages] == [False] * (len(pages) - 1) + [True]
    return [item for page in pages for item in page.items]


def absent(listing: Listing) -> list[str]:
    return [id for page in listing.pages for id in page.absent]


def value(**fields: Any) -> bytes:
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()


_LEFT, _RIGHT = b'{"value":', b"}"


def boxed(raw: bytes) -> bytes:
    """Any text as the one field of a secret; what is no text as it is, for the adapter to refuse."""
    try:
        return _LEFT + json.dumps(raw.decode(), ensure_ascii=False).encode() + _RIGHT
    except UnicodeDecodeError:
        return raw


def unboxed(value: bytes) -> bytes:
    text: str = json.loads(value)["value"]
    return text.encode()


@dataclass(frozen=True)
class Boxing:
    """A Vault adapter whose values are texts: the contract suite writes texts, and a secret holds fields.

    It translates values and nothing else.
    """

    inner: Any
    Options: ClassVar[type] = VaultOptions
    Place: ClassVar[type] = VaultPlace

    @property
    def features(self) -> Features:
        features: Features = self.inner.features
        most = (features.values.max_bytes or 0) - len(boxed(b""))
        return dataclasses.replace(features, values=Limits(max_bytes=most))

    def list(self, place: VaultPlace, since: Token | None) -> Listing:
        return self._opened(self.inner.list(place, since))

    def get(self, ids: Sequence[str]) -> Listing:
        return self._opened(self.inner.get(ids))

    def peek(self, ids: Sequence[str]) -> Listing:
        return self._opened(self.inner.peek(ids))

    def version(self, id: str, version: str) -> Item | None:
        item: Item | None = self.inner.version(id, version)
        return (
            item
            if item is None or item.value is None
            else dataclasses.replace(item, value=unboxed(item.value))
        )

    def history(self, id: str, after: str | None) -> Listing:
        return self._opened(self.inner.history(id, after))

    def write(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        puts = [
            dataclasses.replace(write, value=boxed(write.value)) if isinstance(write, Put) else write
            for write in writes
        ]
        outcomes: Sequence[Outcome] = self.inner.write(puts)
        return outcomes

    def close(self) -> None:
        self.inner.close()

    def _opened(self, listing: Listing) -> Listing:
        return Listing(map(_opened, listing.pages), listing.unchanged, listing.calls)


def _opened(page: Page) -> Page:
    found = (
        item if item.value is None else dataclasses.replace(item, value=unboxed(item.value))
        for item in page.items
    )
    return dataclasses.replace(page, items=tuple(found))


@dataclass(frozen=True)
class Kv1Hand:
    """Somebody with the command line of Vault, at KV 1."""

    bao: OpenBaoServer
    mount: str

    def set(self, id: str, value: bytes, attributes: Attributes = ()) -> None:
        assert not attributes, "KV 1 has none"
        self.bao.call("PUT", f"{self.mount}/{id}", json.loads(boxed(value)))

    def delete(self, id: str) -> None:
        self.bao.call("DELETE", f"{self.mount}/{id}")

    def get(self, id: str) -> bytes | None:
        try:
            answer = self.bao.call("GET", f"{self.mount}/{id}")
        except Refused:
            return None
        return unboxed(json.dumps(answer["data"], ensure_ascii=False).encode())


@dataclass(frozen=True)
class Kv2Hand:
    """Somebody with the command line of Vault."""

    bao: OpenBaoServer
    mount: str = "secret"

    def set(self, id: str, value: bytes, attributes: Attributes = ()) -> None:
        self.bao.call("POST", f"{self.mount}/data/{id}", {"data": json.loads(boxed(value))})
        if attributes:
            custom = {name.removeprefix("metadata:"): text for name, text in attributes}
            self.bao.call("POST", f"{self.mount}/metadata/{id}", {"custom_metadata": custom})

    def delete(self, id: str) -> None:
        self.bao.call("DELETE", f"{self.mount}/data/{id}")

    def get(self, id: str) -> bytes | None:
        try:
            answer = self.bao.call("GET", f"{self.mount}/data/{id}")
        except Refused:
            return None
        return unboxed(json.dumps(answer["data"]["data"], ensure_ascii=False).encode())
