"""AWS Secrets Manager: the adapter ``aws-secrets``. One secret is one item, of its version in force.

A listing costs one call for a hundred secrets and shows no values; what moved is read twenty a call. Updates
are guarded by a label that only leaves the version it is expected on (class B). A delete schedules, with days
of grace, and never forces. `docs/providers/aws-secrets.md` has the windows that remain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from ecs_sync.adapter import Features, Item, ItemId, Listing, Outcome, Revision, Token, Write
from ecs_sync.errors import Rejected
from ecs_sync_adapters.aws_client import SharedClient
from ecs_sync_adapters.aws_kms import Kms
from ecs_sync_adapters.aws_reach import credential_of, endpoint_of
from ecs_sync_adapters.aws_secrets_line import Line
from ecs_sync_adapters.aws_secrets_options import (
    SecretsOptions,
    SecretsPlace,
    address_of,
    addressed_by,
    features_of,
)
from ecs_sync_adapters.aws_secrets_read import found, history, listed, peeked, pinned
from ecs_sync_adapters.aws_secrets_write import Creation, carry_out


class SecretsAdapter:
    """Secrets Manager in one region of one account, with one client that all threads share."""

    Options: ClassVar[type] = SecretsOptions
    Place: ClassVar[type] = SecretsPlace

    def __init__(self, options: SecretsOptions) -> None:
        """Connects to nothing yet."""
        credential, endpoint = credential_of(options), endpoint_of(options)
        self._options = options
        self._creation = Creation(options.kms_key, options.scheduled, options.recovery_window_days)
        self._features = features_of(options)
        self._kms = Kms(credential, replace(endpoint, url=options.kms_endpoint))
        self._client = SharedClient("secretsmanager", credential, endpoint)

    @property
    def features(self) -> Features:
        return self._features

    def list(self, place: SecretsPlace, since: Token | None) -> Listing:
        """Secrets of the place, without values. Never "unchanged since": there is no such mark."""
        return Listing(listed(self._line(), place.root))

    def get(self, ids: Sequence[ItemId]) -> Listing:
        """Values of the versions in force. What a policy or a KMS key denies is unreadable by itself."""
        return Listing(found(self._line(), ids))

    def peek(self, ids: Sequence[ItemId]) -> Listing:
        """As `get`, without values, and with tags and description: one call an id, and none is read."""
        return Listing(peeked(self._line(), ids))

    def history(self, id: ItemId, after: Revision | None) -> Listing:
        """The versions after ``after``, oldest first; no proof where AWS has lost some."""
        return Listing(history(self._line(), id, after))

    def version(self, id: ItemId, version: str) -> Item | None:
        """A past version, by its id."""
        return pinned(self._line(), id, version)

    def address(self, id: ItemId, version: str | None) -> str | None:
        """The ARN without the characters AWS adds, where ``account`` is given. A version has no ARN."""
        return None if version is not None else address_of(self._options, id)

    def addressed(self, address: str) -> tuple[ItemId, str | None] | None:
        """The secret of an ARN in this region and ``account``, with or without the characters AWS adds."""
        name = addressed_by(self._options, address)
        return None if name is None else (name, None)

    def write(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        """One write. Raises only where nothing was applied, or where that is not known."""
        if len(writes) > 1:
            raise Rejected(f"Secrets Manager takes one write at a time, not {len(writes)}")
        return [carry_out(self._line(), self._creation, write) for write in writes]

    def wrap(self, key: str, plain: bytes) -> bytes:
        """By KMS in the same region: the ability `ecs_sync.abilities.Wraps`."""
        return self._kms.wrap(key, plain)

    def unwrap(self, key: str, wrapped: bytes) -> bytes:
        return self._kms.unwrap(key, wrapped)

    def close(self) -> None:
        """Closes the connections. The adapter connects again when it is used again."""
        self._kms.close()
        self._client.close()

    def _line(self) -> Line:
        return Line(self._client.connected(), self._options.account)
