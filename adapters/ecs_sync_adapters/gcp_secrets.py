"""GCP Secret Manager: the adapter ``gcp-secrets``. One secret is one item, and its latest version the value.

Secret Manager has no hierarchy: a place is a beginning that names have in common. A listing shows no values
and costs a call for each secret, for only its versions tell whether it moved; what moved is read by two.
Adding a version is unconditional (class C): the number it gets tells what was replaced, and the version
before still has it. `docs/providers/gcp-secrets.md` has what remains of a window when a secret is deleted.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from typing import ClassVar

from ecs_sync.adapter import Features, Item, ItemId, Listing, Outcome, Revision, Token, Write
from ecs_sync.errors import Denied, Rejected
from ecs_sync_adapters.gcp_secrets_options import GcpSecretsOptions, GcpSecretsPlace, features
from ecs_sync_adapters.gcp_secrets_read import NAME, Parent, found, listed, peeked, pinned, versions
from ecs_sync_adapters.gcp_secrets_session import Credential, Endpoint, Wire
from ecs_sync_adapters.gcp_secrets_write import Creation, carry_out
from ecs_sync_adapters.http_proxy import proxy_address
from ecs_sync_adapters.numbered import Numbered

_SERVICE = "//secretmanager.googleapis.com/"


class GcpSecretsAdapter:
    """The secrets of one project, or of one of its locations, over one channel that all threads share."""

    Options: ClassVar[type] = GcpSecretsOptions
    Place: ClassVar[type] = GcpSecretsPlace

    def __init__(self, options: GcpSecretsOptions) -> None:
        """Connects to nothing yet."""
        where = "" if options.location is None else f"/locations/{options.location}"
        self._parent = Parent(f"projects/{options.project}{where}", options.page_size, options.labels)
        self._creation = Creation(
            options.replication, options.replica_locations, options.kms_key, options.location is not None
        )
        self._credential = Credential(
            options.credential, options.credential_file, options.impersonate, options.iam_endpoint
        )
        self._endpoint = Endpoint(
            options.address,
            options.plaintext,
            options.ca_file,
            options.connect_timeout,
            options.read_timeout,
            None if options.proxy is None else proxy_address(options.proxy, options.proxy_login),
        )
        self._features = features(options)
        self._lock = threading.Lock()
        self._wire: Wire | None = None

    @property
    def features(self) -> Features:
        return self._features

    def list(self, place: GcpSecretsPlace, since: Token | None) -> Listing:
        """Secrets of the place that have a version, without values; a page is one call, to be paced.

        Never "unchanged since": nothing about a project moves when one of its secrets gets a version.
        """
        return Listing(listed(self._connected(), self._parent, place.root))

    def get(self, ids: Sequence[ItemId]) -> Listing:
        """Latest versions with their values. What is denied, disabled, destroyed or damaged is unreadable;
        a secret without a version is absent, for it holds nothing.
        """
        return Listing(found(self._connected(), self._parent, ids))

    def peek(self, ids: Sequence[ItemId]) -> Listing:
        """Which versions are the latest, without their values, labels and annotations."""
        return Listing(peeked(self._connected(), self._parent, ids))

    def history(self, id: ItemId, after: Revision | None) -> Listing:
        """The versions after ``after``, oldest first; no proof where that was a secret deleted since."""
        return Listing(versions(self._connected(), self._parent, id, after))

    def version(self, id: ItemId, version: str) -> Item | None:
        """One version by its number or alias, or by a revision, which a secret made anew never has again."""
        return pinned(self._connected(), self._parent, id, version)

    def write(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        """Carries out one write. What is denied for one secret is refused by itself."""
        if len(writes) > 1:
            raise Rejected(f"Secret Manager takes one write at once, not {len(writes)}")
        return [carry_out(self._connected(), self._parent, self._creation, write) for write in writes]

    def address(self, id: ItemId, version: str | None) -> str:
        """The full resource name, as IAM, audit logs and Parameter Manager write it."""
        known = None if version is None else Numbered.of(version)
        word = version or "latest" if known is None else str(known.number)
        return f"{_SERVICE}{self._parent.version(id, word)}"

    def addressed(self, address: str) -> tuple[ItemId, str | None] | None:
        """The secret of a full resource name, with or without the service before it and a version."""
        path = address.removeprefix(_SERVICE)
        match = re.fullmatch(
            rf"{re.escape(self._parent.path)}/secrets/({NAME})(/versions/([A-Za-z0-9_-]+))?", path
        )
        if match is None:
            return None
        return match[1], None if match[3] in (None, "latest") else match[3]

    def close(self) -> None:
        """Closes the channel. The adapter connects again when it is used again."""
        with self._lock:
            wire, self._wire = self._wire, None
        if wire is not None:
            wire.close()

    def _connected(self) -> Wire:
        with self._lock:
            if self._wire is None:
                try:
                    self._wire = Wire(self._credential, self._endpoint)
                except (OSError, ValueError) as error:
                    reason = f"holds no certificate that can be read ({type(error).__name__})"
                    raise Denied(f"gcp-secrets: ca_file {self._endpoint.ca_file} {reason}") from None
            return self._wire
