"""Azure Key Vault's secrets: the adapter ``azure-keyvault``. One secret is one item, of its newest version.

A listing costs a call for 25 secrets of the whole vault and shows no values; what moved is read one by one.
Writes are unconditional (class C): they add versions, and whatever one replaced unseen is still among them.
A delete takes all versions into the vault's deleted secrets; nothing here purges.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

from ecs_sync.adapter import (
    Features,
    Guard,
    Item,
    ItemId,
    Limits,
    Listing,
    Outcome,
    Price,
    Prices,
    Revision,
    Token,
    Write,
    option,
)
from ecs_sync.errors import ConfigError, Rejected
from ecs_sync_adapters.azure_errors import FAILURES, failed
from ecs_sync_adapters.azure_identity import CredentialName, identity_of
from ecs_sync_adapters.azure_keyvault_http import Reach, Wire, plain
from ecs_sync_adapters.azure_keyvault_read import NAME, found, history, listed, peeked, pinned
from ecs_sync_adapters.azure_keyvault_wrap import unwrap, wrap
from ecs_sync_adapters.azure_keyvault_write import VALUE_BYTES, Creation, SoftDeleted, carry_out
from ecs_sync_adapters.azure_route import route_files, route_of, route_problems
from ecs_sync_adapters.failure_kind import reading_error

_WHOLE = "*"


@dataclass(frozen=True, slots=True)
class KeyVaultOptions:
    """How to reach a vault."""

    takes_unread: ClassVar[bool] = True

    vault: str = option("The vault's address, such as https://acme.vault.azure.net", where=True)
    credential: CredentialName = option(
        "Where the credential comes from: default (Azure's own chain), managed-identity, client-secret, "
        "workload-identity, cli; never from elsewhere",
        default="default",
    )
    tenant_id: str | None = option("The tenant of the application, or of the CLI's login", default=None)
    client_id: str | None = option("The application, or a user-assigned managed identity", default=None)
    token_file: Path | None = option("The token file for workload-identity", default=None)
    authority: str | None = option("Another address of Microsoft Entra, of another cloud", default=None)
    soft_deleted: SoftDeleted = option(
        "To create a name that is deleted and recoverable: refuse, or recover it and set a new version, "
        "which shows the old value for a moment",
        default="refuse",
    )
    ca_file: Path | None = option(
        "The authorities to trust for vault, Entra and proxy instead of the public ones", default=None
    )
    proxy: str | None = option(
        "The proxy on the way to vault and Entra, such as http://proxy.example:3128; never one of the "
        "environment",
        default=None,
    )
    verify_challenge: bool = option(
        "Only false for a test server: a real vault asks for tokens of its own domain", default=True
    )
    connect_timeout: float = option("Seconds to wait for a connection", default=5.0)
    read_timeout: float = option("Seconds to wait for an answer", default=20.0)
    concurrency: int = option("Calls in flight at once", default=8)
    client_secret: str | None = option(
        "The application's secret for client-secret", default=None, secret=True
    )
    proxy_login: str | None = option("user:password for the proxy", default=None, secret=True)

    def __post_init__(self) -> None:
        """Raises ValueError with all that is wrong."""
        problems = [*route_problems(self), *identity_of(self.credential, self).problems()]
        if plain(self.vault) is None:
            problems.insert(0, "vault is not an https address such as https://acme.vault.azure.net")
        if problems:
            raise ValueError("; ".join(problems))


@dataclass(frozen=True, slots=True)
class KeyVaultPlace:
    """The secrets whose names begin alike, in any case; or all of the vault."""

    prefix: str = option("Ends in a dash, such as payments-; empty for the whole vault, in short '*'")

    def __post_init__(self) -> None:
        if self.prefix:
            _named(self.prefix)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The place of its prefix; ``*`` is the whole vault. Raises ValueError."""
        return cls("" if text == _WHOLE else _named(text))

    @property
    def root(self) -> str:
        return self.prefix

    def overlaps(self, other: KeyVaultPlace) -> bool:
        mine, theirs = self.prefix.lower(), other.prefix.lower()
        return mine.startswith(theirs) or theirs.startswith(mine)

    def __str__(self) -> str:
        return self.prefix or _WHOLE


class KeyVaultAdapter:
    """One vault, with one client that all threads share."""

    Options: ClassVar[type] = KeyVaultOptions
    Place: ClassVar[type] = KeyVaultPlace

    def __init__(self, options: KeyVaultOptions) -> None:
        """Connects to nothing yet. Raises ConfigError where ``ca_file`` cannot be read."""
        if problems := route_files(options):
            raise ConfigError(f"azure-keyvault: {problems}")
        self._identity = identity_of(options.credential, options)
        self._reach = Reach(plain(options.vault) or "", options.verify_challenge, route_of(options))
        self._creation = Creation(options.soft_deleted, options.read_timeout)
        self._features = _features(options)
        self._lock = threading.Lock()
        self._wire: Wire | None = None

    @property
    def features(self) -> Features:
        return self._features

    def list(self, place: KeyVaultPlace, since: Token | None) -> Listing:
        """Secrets of the place, without values. Never "unchanged since": Key Vault has no such mark."""
        return Listing(listed(self._connected(), place.root))

    def get(self, ids: Sequence[ItemId]) -> Listing:
        """Values. What is disabled, managed or denied by itself is unreadable; the others are read."""
        return Listing(found(self._connected(), ids))

    def peek(self, ids: Sequence[ItemId]) -> Listing:
        """As `get`, without values: no secret is read where no two versions are of one second."""
        return Listing(peeked(self._connected(), ids))

    def history(self, id: ItemId, after: Revision | None) -> Listing:
        """The versions after ``after``, oldest first; no proof where ``after`` is no version any more."""
        return Listing(history(self._connected(), id, after))

    def version(self, id: ItemId, version: str) -> Item | None:
        """A past version, by its id of 32 hex digits or by the revision that it was seen with."""
        return pinned(self._connected(), id, version)

    def address(self, id: ItemId, version: str | None) -> str:
        """The secret's identifier, such as https://acme.vault.azure.net/secrets/db-password."""
        return "/".join((self._reach.vault, "secrets", id, *([version] if version else [])))

    def addressed(self, address: str) -> tuple[ItemId, str | None] | None:
        """The secret of an identifier in this vault."""
        match = re.fullmatch(
            rf"(https://[^/?#]+)/+secrets/({NAME})(?:/([0-9A-Fa-f]{{32}}))?/?", address, re.I
        )
        if match is None or plain(match[1]) != self._reach.vault:
            return None
        return match[2], match[3]

    def write(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        """One write: a look, a set and a look at the versions; or a delete."""
        if len(writes) > 1:
            raise Rejected(f"Key Vault takes one write at a time, not {len(writes)}")
        wire = self._connected()
        return [carry_out(wire, self._creation, write) for write in writes]

    def wrap(self, key: str, plain: bytes) -> bytes:
        """By an RSA key of the vault: the ability `ecs_sync.abilities.Wraps`."""
        return wrap(self._reach, self._identity, key, plain)

    def unwrap(self, key: str, wrapped: bytes) -> bytes:
        return unwrap(self._reach, self._identity, key, wrapped)

    def close(self) -> None:
        """Closes the connections. The adapter connects again when it is used again."""
        with self._lock:
            wire, self._wire = self._wire, None
        if wire is not None:
            wire.close()

    def _connected(self) -> Wire:
        with self._lock:
            if self._wire is None:
                try:
                    self._wire = Wire(self._reach, self._identity)
                except FAILURES as error:
                    raise reading_error(failed(error, self._reach.route), "connecting to Key Vault") from None
            return self._wire


def _named(prefix: str) -> str:
    """The beginning of names that a text is. Raises ValueError."""
    if not re.fullmatch(r"[0-9A-Za-z-]{0,125}-", prefix):
        raise ValueError(
            f"{prefix!r} is no beginning of names: use letters, digits and dashes with a dash at the "
            "end, such as payments-, or '*' for the whole vault"
        )
    return prefix


def _features(options: KeyVaultOptions) -> Features:
    """Limits are those of the documentation; the rates leave the vault's applications half of its quota."""
    return Features(
        guard=Guard.C,
        ids=Limits(
            min_bytes=1,
            max_bytes=127,
            pattern=NAME,
            pattern_reason="a secret's name is 1 to 127 letters, digits and dashes",
        ),
        values=Limits(max_bytes=VALUE_BYTES),
        text_values=True,
        folds_case=True,
        holds_secrets=True,
        keeps_overwritten=True,
        keeps_deleted=True,
        values_in_listing=False,
        change_times=True,
        history=True,
        pins=True,
        peeks=True,
        prices=Prices(create=Price(3), update=Price(3), delete=Price(1)),
        concurrency=options.concurrency,
        rate=200.0,
        write_rate=25.0,
    )
