"""What the options of every AWS connection have in common: where AWS is, as whom, and how patiently."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from botocore.utils import is_valid_endpoint_url, is_valid_ipv6_endpoint_url

from ecs_sync.errors import ConfigError
from ecs_sync_adapters.aws_session import Credential, CredentialName, Endpoint
from ecs_sync_adapters.http_proxy import authority_problems, proxy_problems

_REGION = r"[a-z]{2,4}(-[a-z]+)+-[0-9]"
_URL = r"https?://[^/\s@]+(/\S*)?"
_SHAPES = {
    "role_arn": (
        r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]+",
        "is not a role's ARN, such as arn:aws:iam::123456789012:role/ecs-sync",
    ),
    "external_id": (r"[\w+=,.@:/-]{2,1224}", "is not 2 to 1,224 letters, digits and '_+=,.@:/-'"),
    "session_name": (r"[\w+=,.@-]{2,64}", "is not 2 to 64 letters, digits and '_+=,.@-'"),
    "access_key_id": ("[!-~]+", "has a space, a line's end or a letter that no key has"),
    "secret_access_key": ("[!-~]+", "has a space, a line's end or a letter that no key has"),
    "session_token": ("[!-~]+", "has a space, a line's end or a letter that no token has"),
}
"""What STS and the headers of requests take, and the end of a sentence that quotes nothing."""
_ADDRESSES = ("endpoint", "sts_endpoint", "kms_endpoint")
_LONGEST = 3600.0


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
    def ca_file(self) -> Path | None: ...
    @property
    def proxy(self) -> str | None: ...
    @property
    def proxy_login(self) -> str | None: ...
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
    """Where the service is, the way to it, and how long to wait. Raises ConfigError for a bad ``ca_file``."""
    if options.ca_file is not None and (wrong := "; ".join(authority_problems(options.ca_file))):
        raise ConfigError(wrong)
    return Endpoint(
        options.region,
        options.endpoint,
        options.sts_endpoint,
        options.connect_timeout,
        options.read_timeout,
        options.concurrency,
        None if options.ca_file is None else str(options.ca_file),
        options.proxy,
        options.proxy_login,
    )


def reach_problems(options: Reach, service: str) -> list[str]:
    """All that is wrong with these options; ``service`` is the name in the addresses of AWS."""
    problems = credential_of(options).problems()
    if not re.fullmatch(_REGION, options.region):
        problems.append(f"region {options.region!r} is not a region's name, such as eu-west-1")
    for name in _ADDRESSES:
        url = getattr(options, name, None)
        if url is not None and not _is_url(url):
            example = f"https://vpce-1.{service}.eu-west-1.vpce.amazonaws.com"
            problems.append(f"{name} is not a URL such as {example}")
    problems += proxy_problems(options.proxy, options.proxy_login, "http", "https")
    urls = [getattr(options, name, None) for name in _ADDRESSES]
    if (options.proxy or "").startswith("https:") and any(url and url.startswith("http:") for url in urls):
        # The SDK would not look at the proxy's certificate then, and yet give it the login.
        problems.append("proxy begins with https, which is for endpoints that do too")
    for name, (shape, told) in _SHAPES.items():
        text = getattr(options, name)
        if text and not re.fullmatch(shape, text, re.ASCII):
            problems.append(f"{name} {told}")
    for name in ("connect_timeout", "read_timeout"):
        if not 0 < getattr(options, name) <= _LONGEST:
            problems.append(f"{name} must be more than 0 seconds, and at most {_LONGEST:g}")
    if options.concurrency <= 0:
        problems.append("concurrency must be more than 0")
    return problems


def _is_url(text: str) -> bool:
    """One that the SDK takes too, which raises where it does not."""
    try:
        taken = is_valid_endpoint_url(text) or is_valid_ipv6_endpoint_url(text)
        return bool(taken and re.fullmatch(_URL, text) and urlsplit(text).port != 0)
    except ValueError:
        return False


def account_problems(account: str | None) -> list[str]:
    """What is wrong with an account's number."""
    right = account is None or re.fullmatch("[0-9]{12}", account)
    return [] if right else [f"account {account!r} is not an account's number of 12 digits"]
