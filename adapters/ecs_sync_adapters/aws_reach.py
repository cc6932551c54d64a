"""What the options of every AWS connection have in common: where AWS is, as whom, and how patiently."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Protocol

from ecs_sync_adapters.aws_session import Credential, CredentialName, Endpoint

_REGION = r"[a-z]{2,4}(-[a-z]+)+-[0-9]"
_URL = r"https?://[^/\s@]+(/\S*)?"
_ADDRESSES = ("endpoint", "sts_endpoint", "kms_endpoint")
_POSITIVE = ("connect_timeout", "read_timeout", "concurrency")


class Reach(Protocol):
    """The options that each AWS adapter declares, for they are told to people one by one."""

    @property
    def region(self) -> str: ...
    @property
    def credential(self) -> CredentialName: ...
    @property
    def profile(self) -> str | None: ...
    @property
    def role_arn(self) -> str | None: ...
    @property
    def external_id(self) -> str | None: ...
    @property
    def session_name(self) -> str: ...
    @property
    def token_file(self) -> Path | None: ...
    @property
    def access_key_id(self) -> str | None: ...
    @property
    def secret_access_key(self) -> str | None: ...
    @property
    def session_token(self) -> str | None: ...
    @property
    def endpoint(self) -> str | None: ...
    @property
    def sts_endpoint(self) -> str | None: ...
    @property
    def connect_timeout(self) -> float: ...
    @property
    def read_timeout(self) -> float: ...
    @property
    def concurrency(self) -> int: ...


def credential_of(options: Reach) -> Credential:
    """Where the credential comes from."""
    return Credential(
        options.credential,
        options.profile,
        options.role_arn,
        options.external_id,
        options.session_name,
        None if options.token_file is None else str(options.token_file),
        options.access_key_id,
        options.secret_access_key,
        options.session_token,
    )


def endpoint_of(options: Reach) -> Endpoint:
    """Where the service is, and how long to wait for it."""
    return Endpoint(
        options.region,
        options.endpoint,
        options.sts_endpoint,
        options.connect_timeout,
        options.read_timeout,
        options.concurrency,
    )


def reach_problems(options: Reach, service: str) -> list[str]:
    """All that is wrong with these options; ``service`` is the name in the addresses of AWS."""
    problems = credential_of(options).problems()
    if not re.fullmatch(_REGION, options.region):
        problems.append(f"region {options.region!r} is not a region's name, such as eu-west-1")
    for name in _ADDRESSES:
        url = getattr(options, name, None)
        if url is not None and not re.fullmatch(_URL, url):
            example = f"https://vpce-1.{service}.eu-west-1.vpce.amazonaws.com"
            problems.append(f"{name} is not a URL such as {example}")
    problems += [f"{name} must be more than 0" for name in _POSITIVE if getattr(options, name) <= 0]
    return problems


def account_problems(account: str | None) -> list[str]:
    """What is wrong with an account's number."""
    right = account is None or re.fullmatch("[0-9]{12}", account)
    return [] if right else [f"account {account!r} is not an account's number of 12 digits"]
