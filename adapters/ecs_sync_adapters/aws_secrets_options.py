"""What a configuration says of Secrets Manager, and what follows from it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

from ecs_sync.adapter import Features, Guard, Limits, Price, Prices, option
from ecs_sync_adapters.aws_arn import SecretArns, without_suffix
from ecs_sync_adapters.aws_reach import account_problems, reach_problems
from ecs_sync_adapters.aws_secrets_read import IDS_A_CALL
from ecs_sync_adapters.aws_secrets_write import NAME, NAME_REASON, VALUE_BYTES, Scheduled
from ecs_sync_adapters.aws_session import CredentialName

_WHOLE = "*"


@dataclass(frozen=True, slots=True)
class SecretsOptions:
    """How to reach a Secrets Manager."""

    takes_unread: ClassVar[bool] = True

    region: str = option("The AWS region, such as eu-west-1", where=True)
    credential: CredentialName = option(
        "Where the credential comes from: default (AWS's own chain), profile, explicit, assume-role, "
        "web-identity; never from elsewhere",
        default="default",
    )
    profile: str | None = option(
        "The profile of ~/.aws/config for profile and assume-role", default=None, where=True
    )
    role_arn: str | None = option("The role for assume-role and web-identity", default=None, where=True)
    external_id: str | None = option("The external id that the role asks for", default=None)
    session_name: str = option("The name of the role's session in CloudTrail", default="ecs-sync")
    token_file: Path | None = option("The token file for web-identity", default=None)
    endpoint: str | None = option(
        "Another address of Secrets Manager, such as that of a VPC endpoint", default=None, where=True
    )
    sts_endpoint: str | None = option("Another address of STS", default=None)
    kms_endpoint: str | None = option(
        "Another address of KMS, for the key of the store where KMS wraps it", default=None
    )
    ca_file: Path | None = option(
        "The authorities to trust for AWS and proxy instead of the public ones", default=None
    )
    proxy: str | None = option(
        "The proxy on the way to AWS, such as http://proxy.example:3128; never one of the environment",
        default=None,
    )
    account: str | None = option(
        "The account's 12 digits. Where given, secrets of any other account are not read, changed or "
        "deleted, and other providers can point at the secrets by their ARN",
        default=None,
        where=True,
    )
    kms_key: str | None = option("The KMS key of new secrets; default aws/secretsmanager", default=None)
    recovery_window_days: int = option(
        "Days in which a deleted secret can be restored, 7 to 30; it is never deleted at once", default=30
    )
    scheduled: Scheduled = option(
        "To create a name that is scheduled for deletion: refuse, or restore it and put a new version in "
        "force, which shows the old value for a moment",
        default="refuse",
    )
    connect_timeout: float = option("Seconds to wait for a connection", default=5.0)
    read_timeout: float = option("Seconds to wait for an answer", default=20.0)
    concurrency: int = option("Calls in flight at once", default=8)
    access_key_id: str | None = option("For explicit and assume-role", default=None, secret=True)
    secret_access_key: str | None = option("For explicit and assume-role", default=None, secret=True)
    session_token: str | None = option("For explicit and assume-role", default=None, secret=True)
    proxy_login: str | None = option("user:password for the proxy", default=None, secret=True)

    def __post_init__(self) -> None:
        """Raises ValueError with all that is wrong."""
        if wrong := _problems(self):
            raise ValueError("; ".join(wrong))


@dataclass(frozen=True, slots=True)
class SecretsPlace:
    """The secrets whose names begin alike; or all of the account's in the region."""

    prefix: str = option(
        "Ends in one of '/_+=.@-', such as acme/prod/payments/; empty for all secrets, in short '*'"
    )

    def __post_init__(self) -> None:
        if not re.fullmatch("([A-Za-z0-9/_+=.@-]{0,254}[/_+=.@-])?", self.prefix):
            raise ValueError(
                f"{self.prefix!r} is no beginning of names: use letters, digits and '/_+=.@-' with one of "
                "these marks at the end, such as acme/prod/, or '*' for all secrets"
            )

    @classmethod
    def parse(cls, text: str) -> Self:
        """The place of its prefix; ``*`` is all secrets. Raises ValueError."""
        return cls("" if text == _WHOLE else text or "?")

    @property
    def root(self) -> str:
        return self.prefix

    def overlaps(self, other: SecretsPlace) -> bool:
        return self.prefix.startswith(other.prefix) or other.prefix.startswith(self.prefix)

    def __str__(self) -> str:
        return self.prefix or _WHOLE


def _problems(options: SecretsOptions) -> list[str]:
    """All that is wrong with the options."""
    problems = [*reach_problems(options, "secretsmanager"), *account_problems(options.account)]
    if not 7 <= options.recovery_window_days <= 30:
        problems.append("recovery_window_days must be 7 to 30")
    return problems


def address_of(options: SecretsOptions, name: str) -> str | None:
    """The ARN of a secret without the six characters that AWS adds, which only a call could tell.

    None without ``account``, and for a name that ends as if it had such characters: it would name another.
    """
    return _arns(options).of(name)


def addressed_by(options: SecretsOptions, arn: str) -> str | None:
    """The name of a secret of this connection, from its ARN with or without the characters AWS adds."""
    told = _arns(options).name_in(arn)
    name = None if told is None else without_suffix(told)
    return name if name is not None and re.fullmatch(NAME, name) else None


def _arns(options: SecretsOptions) -> SecretArns:
    return SecretArns(options.region, options.account)


def features_of(options: SecretsOptions) -> Features:
    """Limits are the model's; the rates leave an account's other users at least half of AWS's quotas.

    Of the three calls of an update two count against the 50 a second of all writing calls, and of the two
    of a delete one.
    """
    return Features(
        guard=Guard.B,
        ids=Limits(min_bytes=1, max_bytes=256, pattern=NAME, pattern_reason=NAME_REASON),
        values=Limits(min_bytes=1, max_bytes=VALUE_BYTES),
        holds_secrets=True,
        keeps_overwritten=True,
        keeps_deleted=True,
        reads=IDS_A_CALL,
        values_in_listing=False,
        current_listing=False,
        current_reads=False,
        history=True,
        pins=True,
        peeks=True,
        prices=Prices(peek=Price(0, 1), create=Price(1), update=Price(3), delete=Price(2)),
        concurrency=options.concurrency,
        rate=50.0,
        write_rate=25.0,
    )
