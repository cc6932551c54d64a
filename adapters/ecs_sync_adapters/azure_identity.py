"""A Microsoft Entra credential from options: from where the configuration says, and from nowhere else.

What goes wrong while a token is fetched is `TokenFailure`, and never looks like a failure of the provider
that the token is for: nothing was sent there. No answer of Entra is quoted but its error code.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from azure.core.credentials import AccessToken, TokenCredential
from azure.core.exceptions import AzureError, ClientAuthenticationError
from azure.identity import (
    AzureCliCredential,
    ClientSecretCredential,
    DefaultAzureCredential,
    ManagedIdentityCredential,
    WorkloadIdentityCredential,
)

from ecs_sync_adapters.azure_route import Route, Watched
from ecs_sync_adapters.http_proxy import bare_address
from ecs_sync_adapters.http_trouble import Unsent

CredentialName = Literal["default", "managed-identity", "client-secret", "workload-identity", "cli"]

_Given = TypeVar("_Given")

PUBLIC_AUTHORITY = "https://login.microsoftonline.com"
_KNOWN_AUTHORITIES = frozenset(
    {
        "login.microsoftonline.com",
        "login.microsoftonline.us",
        "login.chinacloudapi.cn",
        "login.microsoft.com",
        "login.partner.microsoftonline.cn",
    }
)


@dataclass(frozen=True, slots=True)
class Identity:
    """Where a token comes from: ``name`` says it, the other fields are what that one needs.

    ``default`` is Azure's own chain (environment, workload identity, managed identity, developer tools).
    ``managed-identity`` is that of the machine, ``client_id`` names a user-assigned one. ``client-secret``
    takes the application given here. ``workload-identity`` exchanges the token in ``token_file``; what is
    not given is what a cluster puts into ``AZURE_TENANT_ID``, ``AZURE_CLIENT_ID`` and
    ``AZURE_FEDERATED_TOKEN_FILE``. ``cli`` asks the Azure CLI of who is logged in. ``authority`` is another
    https address of Entra.
    """

    name: CredentialName = "default"
    tenant_id: str | None = None
    client_id: str | None = None
    token_file: str | None = None
    authority: str | None = None
    client_secret: str | None = field(default=None, repr=False)

    def problems(self) -> list[str]:
        """What is missing, or given and not used by this credential: all of it."""
        application = {"tenant_id", "client_id"}
        needed = {"client-secret": {*application, "client_secret"}}.get(self.name, set())
        usable = needed | {
            "default": {"client_id", "authority"},
            "managed-identity": {"client_id"},
            "client-secret": {"authority"},
            "workload-identity": {*application, "token_file", "authority"},
            "cli": {"tenant_id"},
        }.get(self.name, set())
        fields = {*application, "client_secret", "token_file", "authority"}
        given = {name for name in fields if getattr(self, name)}
        missing = [f"credential {self.name!r} needs {name}" for name in sorted(needed - given)]
        unused = [f"credential {self.name!r} does not use {name}" for name in sorted(given - usable)]
        wrong = []
        if self.authority and bare_address(self.authority, "https") is None:
            wrong.append(f"authority is not an https address such as {PUBLIC_AUTHORITY}")
        if self.tenant_id and not re.fullmatch(r"[A-Za-z0-9.-]+", self.tenant_id):
            wrong.append("tenant_id is not a tenant's id or domain: use letters, digits, '.' and '-'")
        return missing + unused + wrong


class Naming(Protocol):
    """What the options of an adapter say of who it is."""

    @property
    def tenant_id(self) -> str | None: ...
    @property
    def client_id(self) -> str | None: ...
    @property
    def token_file(self) -> Path | None: ...
    @property
    def authority(self) -> str | None: ...
    @property
    def client_secret(self) -> str | None: ...


def identity_of(name: CredentialName, options: Naming) -> Identity:
    """The identity that some options mean."""
    return Identity(
        name,
        options.tenant_id,
        options.client_id,
        None if options.token_file is None else str(options.token_file),
        options.authority,
        options.client_secret,
    )


class Trouble(StrEnum):
    """What a token that cannot be had means."""

    REFUSED = "refused"
    """There is no such identity here, or Entra does not accept it."""
    UNREACHABLE = "unreachable"
    """Whoever gives tokens cannot be reached, or does not work. It may later."""
    THROTTLED = "throttled"
    """Whoever gives tokens asks to slow down."""


class TokenFailure(Exception):
    """No token could be had, so nothing was sent. The text is fit for people and never holds a secret."""

    def __init__(self, trouble: Trouble, reason: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(reason)
        self.trouble = trouble
        self.headers = headers or {}


class Credential:
    """A credential in azure-core's sense (`azure.core.credentials.TokenCredential`); thread-safe.

    Raises `TokenFailure` and nothing else.
    """

    def __init__(self, identity: Identity, route: Route) -> None:
        """Connects to nothing yet."""
        self._name = identity.name
        self._heard = _Heard(identity.name, route)
        self._credential = self._translated(lambda: _chosen(identity, route, self._heard))

    def get_token(self, *scopes: str, **asked: Any) -> AccessToken:
        """A token for these scopes, from memory while it lasts: it is renewed before it expires."""
        return self._translated(lambda: self._credential.get_token(*scopes, **asked))

    def close(self) -> None:
        """Closes the connections to whoever gives tokens."""
        close = getattr(self._credential, "close", None)
        if close is not None:
            close()

    def _translated(self, ask: Callable[[], _Given]) -> _Given:
        """What ``ask`` gives; whatever goes wrong is told in our own words, for Entra's may tell too much."""
        self._heard.clear()
        try:
            with _unlogged():
                return ask()
        except (AzureError, OSError, ValueError, KeyError, TypeError) as error:
            # The others than Azure's own are of a token file or of an environment that is incomplete.
            failure = _failure(self._name, error, self._heard)
        raise failure from None

    def __repr__(self) -> str:
        return f"<credential {self._name}>"


class _Heard:
    """The last answer of whoever gives tokens, in this thread, and what kept one away.

    The SDK's errors do not tell the status, and those of the chain do not tell why it found nobody.
    """

    def __init__(self, name: CredentialName, route: Route) -> None:
        self._name, self._route = name, route
        self._last = threading.local()

    @property
    def status(self) -> int:
        """0 where there was none."""
        return int(getattr(self._last, "status", 0))

    @property
    def headers(self) -> Mapping[str, str]:
        """Names in lower case."""
        return dict(getattr(self._last, "headers", {}))

    @property
    def away(self) -> Unsent | None:
        """Why there was no answer; None where there was one, or nobody was asked."""
        away: Unsent | None = getattr(self._last, "away", None)
        return away

    def clear(self) -> None:
        self._last.status, self._last.headers, self._last.away = 0, {}, None

    def miss(self, request: Any, error: AzureError) -> None:
        # The chain asks for identities of the machine, without TLS, to see whether there are any.
        if self._name != "default" or str(request.url).startswith("https:"):
            self._last.away = self._route.unsent(error) or Unsent(_AWAY)

    def hear(self, response: Any) -> None:
        """A ``raw_response_hook`` of azure-core."""
        answer = response.http_response
        self._last.status = answer.status_code or 0
        self._last.headers = {name.lower(): text for name, text in answer.headers.items()}


def _chosen(identity: Identity, route: Route, heard: _Heard) -> TokenCredential:
    told = _settings(route, heard)
    entra = {**told, **_authority(identity.authority or PUBLIC_AUTHORITY)}
    seconds = max(1, round(route.read))
    match identity.name:
        case "default":
            named = {"managed_identity_client_id": identity.client_id} if identity.client_id else {}
            host = _authority(identity.authority) if identity.authority else {}
            return DefaultAzureCredential(process_timeout=seconds, **told, **named, **host)
        case "managed-identity":
            return ManagedIdentityCredential(client_id=identity.client_id, **told)
        case "client-secret":
            return ClientSecretCredential(
                identity.tenant_id or "", identity.client_id or "", identity.client_secret or "", **entra
            )
        case "workload-identity":
            return WorkloadIdentityCredential(
                tenant_id=identity.tenant_id,
                client_id=identity.client_id,
                token_file_path=identity.token_file,
                **entra,
            )
        case "cli":
            return AzureCliCredential(tenant_id=identity.tenant_id or "", process_timeout=seconds)


def _settings(route: Route, heard: _Heard) -> dict[str, Any]:
    """No retries; ours is the pace."""
    transport = Watched(route.transport(), lambda _: None, heard.miss)
    return {"retry_total": 0, "transport": transport, "raw_response_hook": heard.hear}


def _authority(url: str) -> dict[str, Any]:
    """An authority that Microsoft does not list is one of a private cloud: it is not looked for there."""
    parts = bare_address(url, "https")
    known = parts is not None and parts.hostname in _KNOWN_AUTHORITIES
    return {"authority": url, "disable_instance_discovery": not known}


def _failure(name: str, error: Exception, heard: _Heard) -> TokenFailure:
    """The SDK wraps every failure into one of authentication; what it was, is heard on the way."""
    who = f"credential {name!r}"
    if away := heard.away:
        trouble = Trouble.REFUSED if away.turned_away else Trouble.UNREACHABLE
        return TokenFailure(trouble, f"{who}: {away.reason}")
    if heard.status == 429:
        return TokenFailure(Trouble.THROTTLED, f"{who}: Entra asks to slow down", heard.headers)
    if heard.status >= 500:
        return TokenFailure(Trouble.UNREACHABLE, f"{who}: Entra failed with status {heard.status}")
    code = re.search(r"AADSTS[0-9]+", str(error)) if isinstance(error, ClientAuthenticationError) else None
    if code is not None:
        return TokenFailure(Trouble.REFUSED, f"{who} is not accepted ({code.group()}): {_RENEW}")
    return TokenFailure(Trouble.REFUSED, f"{who}: {_ABSENT[name]}")


@contextmanager
def _unlogged() -> Iterator[None]:
    """Keeps what the SDKs log of tokens out of every log: of an answer they cannot read, it is all of it.

    Their loggers come into being as their modules are used, so the filter is put on each anew.
    """
    before = _quiet.set(True)
    try:
        for name in tuple(logging.root.manager.loggerDict):
            if name.partition(".")[0] == "msal" or name.startswith("azure.identity"):
                logging.getLogger(name).addFilter(_is_to_be_logged)
        yield
    finally:
        _quiet.reset(before)


def _is_to_be_logged(_: logging.LogRecord) -> bool:
    return not _quiet.get()


_quiet: ContextVar[bool] = ContextVar("azure_tokens_quiet", default=False)

_AWAY = "whoever gives its tokens cannot be reached: check authority, network and TLS"
_RENEW = "look at tenant_id and client_id, renew the secret or log in again, and check the machine's clock"
_ABSENT = {
    "default": "no part of Azure's chain has an identity here; name the one that is meant",
    "managed-identity": "this machine has no managed identity, or not the one that client_id names",
    "client-secret": "tenant_id, client_id and client_secret are not those of an application",
    "workload-identity": "tenant, client or token file is missing: set them, or run in a cluster that does",
    "cli": "the Azure CLI is missing or nobody is logged in: run 'az login'",
}
