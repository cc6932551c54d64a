"""What a connection to Secret Manager and a place at it are configured with, and what follows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

from ecs_sync.adapter import Features, Guard, Limits, Price, Prices, option
from ecs_sync_adapters.gcp_secrets_read import MOST_A_PAGE, NAME
from ecs_sync_adapters.gcp_secrets_session import CredentialName
from ecs_sync_adapters.gcp_secrets_write import NAME_REASON, VALUE_BYTES, Replication
from ecs_sync_adapters.http_proxy import proxy_problems

_ADDRESS = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?")
_KEY = re.compile(r"projects/[^/\s]+/locations/[^/\s]+/keyRings/[^/\s]+/cryptoKeys/[^/\s]+")


@dataclass(frozen=True, slots=True)
class GcpSecretsOptions:
    """How to reach the secrets of a project."""

    takes_unread: ClassVar[bool] = True

    project: str = option(
        "The project's id, such as acme-prod-1; never taken from the credential", where=True
    )
    location: str | None = option(
        "The location of regional secrets, such as europe-west3; without it, secrets are global",
        default=None,
        where=True,
    )
    credential: CredentialName = option(
        "Where the credential comes from: default (Google's own chain) or service-account (the key in "
        "credential_file); never from elsewhere",
        default="default",
    )
    credential_file: Path | None = option("The key file of credential service-account", default=None)
    impersonate: str | None = option("The e-mail of a service account to act as", default=None)
    iam_endpoint: str | None = option(
        "Another address of the IAM Credentials API, which impersonate asks", default=None
    )
    endpoint: str | None = option(
        "Another address of Secret Manager as HOST:PORT, such as that of a private endpoint",
        default=None,
        where=True,
    )
    plaintext: bool = option(
        "No TLS and no credential, for local servers only: needs an endpoint", default=False
    )
    ca_file: Path | None = option(
        "The certificate authorities to trust, in PEM, instead of the public ones", default=None
    )
    proxy: str | None = option(
        "The proxy on the way to Google, such as http://proxy.example:3128; never one of the environment",
        default=None,
    )
    replication: Replication = option(
        "Where new global secrets are kept: automatic, or user-managed in replica_locations",
        default="automatic",
    )
    replica_locations: tuple[str, ...] = option("The locations of user-managed replication", default=())
    kms_key: str | None = option(
        "The KMS key of new secrets; {location} in it stands for each replica's location", default=None
    )
    labels: bool = option(
        "Read labels and annotations as attributes: costs a call for each point read", default=False
    )
    page_size: int = option("Secrets in one page of a listing, at most 25000", default=MOST_A_PAGE)
    connect_timeout: float = option("Seconds to wait for a connection", default=5.0)
    read_timeout: float = option("Seconds to wait for an answer", default=20.0)
    concurrency: int = option("Calls in flight at once", default=8)
    proxy_login: str | None = option("user:password for the proxy", default=None, secret=True)

    def __post_init__(self) -> None:
        """Raises ValueError with all that is wrong."""
        if wrong := _problems(self):
            raise ValueError("; ".join(wrong))

    @property
    def address(self) -> str:
        """Where calls go: regional secrets are to be had at their location's own endpoint only."""
        if self.endpoint is not None:
            return self.endpoint
        if self.location is None:
            return "secretmanager.googleapis.com"
        return f"secretmanager.{self.location}.rep.googleapis.com"


@dataclass(frozen=True, slots=True)
class GcpSecretsPlace:
    """All secrets whose names begin alike. ``*`` is the whole project, or all of the location."""

    prefix: str = option("What the names begin with, ending in '-' or '_', such as acme-prod-payments-")

    def __post_init__(self) -> None:
        if not self.prefix:
            raise ValueError("the place is empty; write '*' if the whole project is meant")
        if self.prefix == "*":
            return
        if not re.fullmatch(NAME, self.prefix):
            raise ValueError(f"{self.prefix!r} begins no name: {NAME_REASON}, and know no folders")
        if self.prefix[-1] not in "-_":
            other, meant = self.prefix + "2-x", self.prefix + "-"
            raise ValueError(f"{self.prefix!r} would also mean secrets like {other!r}; write {meant!r}")
        if len(self.prefix) == 255:
            raise ValueError(f"{self.prefix!r} leaves no room for a name")

    @classmethod
    def parse(cls, text: str) -> Self:
        """The place of its prefix. Raises ValueError, with the prefix that was probably meant."""
        return cls(text)

    @property
    def root(self) -> str:
        return "" if self.prefix == "*" else self.prefix

    def overlaps(self, other: GcpSecretsPlace) -> bool:
        return self.root.startswith(other.root) or other.root.startswith(self.root)

    def __str__(self) -> str:
        return self.prefix


def _problems(options: GcpSecretsOptions) -> list[str]:
    """All that is wrong with the options, each with its name."""
    wrong = []
    if not re.fullmatch(r"([a-z0-9.-]+:)?[a-z0-9][a-z0-9-]{0,62}", options.project):
        wrong.append(f"project {options.project!r} is not a project's id, such as acme-prod-1")
    for location in (options.location, *options.replica_locations):
        if location is not None and not re.fullmatch(r"[a-z][a-z0-9-]*", location):
            wrong.append(f"{location!r} is not a location, such as europe-west3")
    if options.endpoint is not None and not _ADDRESS.fullmatch(options.endpoint):
        wrong.append("endpoint is not HOST or HOST:PORT, without a scheme or a path")
    if options.iam_endpoint is not None and not re.fullmatch(r"https?://[^/\s@]+/?", options.iam_endpoint):
        wrong.append("iam_endpoint is not a URL such as https://iamcredentials.googleapis.com")
    if not 1 <= options.page_size <= MOST_A_PAGE:
        wrong.append(f"page_size must be from 1 to {MOST_A_PAGE}")
    for name, most in (("connect_timeout", 3600), ("read_timeout", 3600), ("concurrency", 1000)):
        if not 0 < getattr(options, name) <= most:
            wrong.append(f"{name} must be more than 0 and at most {most}")
    wrong += proxy_problems(options.proxy, options.proxy_login)
    return wrong + _of_credential(options) + _of_creation(options)


def _of_credential(options: GcpSecretsOptions) -> list[str]:
    wrong = []
    if options.credential == "service-account" and options.credential_file is None:
        wrong.append("credential 'service-account' needs credential_file")
    if options.credential != "service-account" and options.credential_file is not None:
        wrong.append(f"credential {options.credential!r} does not use credential_file")
    if options.impersonate is None and options.iam_endpoint is not None:
        wrong.append("iam_endpoint is of use with impersonate only")
    if options.impersonate is not None and not re.fullmatch(r"[^@\s/]+@[^@\s/]+", options.impersonate):
        wrong.append("impersonate is not the e-mail of a service account")
    if options.plaintext:
        if options.endpoint is None:
            wrong.append("plaintext is for local servers: it needs endpoint")
        unused = ("credential_file", "impersonate", "ca_file", "proxy")
        wrong += [f"plaintext sends no {name}" for name in unused if getattr(options, name) is not None]
    return wrong


def _of_creation(options: GcpSecretsOptions) -> list[str]:
    wrong = []
    managed = options.replication == "user-managed"
    if options.location is not None and (managed or options.replica_locations):
        wrong.append("a regional secret is in its location only: leave out replication")
    if managed != bool(options.replica_locations):
        wrong.append("replication 'user-managed' and replica_locations go together")
    if options.kms_key is not None:
        if not _KEY.fullmatch(options.kms_key):
            wrong.append("kms_key is not projects/P/locations/L/keyRings/R/cryptoKeys/K")
        if "{location}" in options.kms_key and not managed:
            wrong.append("{location} in kms_key is of use with replication 'user-managed' only")
    return wrong


def features(options: GcpSecretsOptions) -> Features:
    """Limits are those of the API's types. Rates are four fifths of Google's quotas for a project, 600 reads
    of metadata and 600 writes a minute, for others have their part of them, and a listing that is throttled
    on its way is incomplete. A turn of reading makes one of the former (the values have a quota of their
    own, of 90,000); one of writing at most two of the latter, when it creates.
    """
    return Features(
        guard=Guard.C,
        ids=Limits(min_bytes=1, max_bytes=255, pattern=NAME, pattern_reason=NAME_REASON),
        values=Limits(min_bytes=1, max_bytes=VALUE_BYTES),
        holds_secrets=True,
        # What is overwritten can be had back, what is deleted cannot: a delete takes all versions along.
        keeps_overwritten=True,
        values_in_listing=False,
        # Only what was just added is to be had by its number at once; `latest` and listings lag behind.
        current_listing=False,
        current_reads=False,
        ordered_revisions=True,
        change_times=True,
        history=True,
        pins=True,
        peeks=True,
        prices=Prices(
            get=Price(0, 3 if options.labels else 2),
            create=Price(0, 2),
            update=Price(0, 1),
            delete=Price(0, 3),
        ),
        concurrency=options.concurrency,
        rate=8.0,
        write_rate=4.0,
    )
