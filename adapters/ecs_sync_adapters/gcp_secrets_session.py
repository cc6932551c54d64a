"""One gRPC channel to Secret Manager and the credential that goes with each call.

The calls are made on the channel itself, with the messages of Google's package and without its client:
that one tries AccessSecretVersion again for a minute whatever deadline it was given, hands every payload to
its logger at DEBUG, and looks into the environment for endpoints and certificates.

A channel does not survive a fork: it is made at the first call, in the process that makes it.
"""

from __future__ import annotations

import logging
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol
from urllib.parse import quote

import google.auth
import grpc
import requests
from google.auth import exceptions as sdk
from google.auth import impersonated_credentials
from google.auth.credentials import with_scopes_if_required
from google.auth.transport.requests import Request
from google.oauth2 import service_account
from google.protobuf.empty_pb2 import Empty

from ecs_sync_adapters.failure_kind import Kind
from ecs_sync_adapters.gcp_secrets_errors import Failure, failed
from ecs_sync_adapters.gcp_secrets_types import types
from ecs_sync_adapters.quiet_wire import hush

CredentialName = Literal["default", "service-account"]
Method = Literal[
    "ListSecrets",
    "GetSecret",
    "CreateSecret",
    "DeleteSecret",
    "AddSecretVersion",
    "GetSecretVersion",
    "AccessSecretVersion",
]

_SERVICE = "google.cloud.secretmanager.v1.SecretManagerService"
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_METHODS: dict[Method, tuple[Any, Any]] = {
    "ListSecrets": (types.ListSecretsRequest.serialize, types.ListSecretsResponse.deserialize),
    "GetSecret": (types.GetSecretRequest.serialize, types.Secret.deserialize),
    "CreateSecret": (types.CreateSecretRequest.serialize, types.Secret.deserialize),
    "DeleteSecret": (types.DeleteSecretRequest.serialize, Empty.FromString),
    "AddSecretVersion": (types.AddSecretVersionRequest.serialize, types.SecretVersion.deserialize),
    "GetSecretVersion": (types.GetSecretVersionRequest.serialize, types.SecretVersion.deserialize),
    "AccessSecretVersion": (
        types.AccessSecretVersionRequest.serialize,
        types.AccessSecretVersionResponse.deserialize,
    ),
}

_unlogged: ContextVar[bool] = ContextVar("gcp_unlogged", default=False)
_Metadata = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Credential:
    """Where the credential comes from. ``default`` is Google's own chain: the file that
    ``GOOGLE_APPLICATION_CREDENTIALS`` names (workload identity federation included), gcloud's login, the
    metadata server. ``service-account`` is the key in ``file``, and nothing else. ``impersonate`` is a
    service account that either of them acts as.
    """

    name: CredentialName = "default"
    file: Path | None = None
    impersonate: str | None = None
    iam_endpoint: str | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where Secret Manager is, and how long to wait for it. Times are in seconds."""

    address: str
    plaintext: bool = False
    ca_file: Path | None = None
    connect_timeout: float = 5.0
    read_timeout: float = 20.0
    proxy: str | None = field(default=None, repr=False)
    """With its login in it."""


class _Signs(Protocol):
    """What goes with a call to say who calls."""

    def metadata(self) -> _Metadata | Failure: ...

    def forget(self) -> None:
        """The token that was given last is not accepted: the next call gets a new one."""
        ...


class Wire:
    """A channel with its credential. Safe to share between threads."""

    def __init__(self, credential: Credential, endpoint: Endpoint) -> None:
        """Connects to nothing yet. Raises OSError or ValueError where ``ca_file`` holds no certificate."""
        self._timeout = endpoint.read_timeout
        self._signs: _Signs = _Nobody() if endpoint.plaintext else _Bearer(credential, endpoint)
        self._channel = _channel(endpoint)
        self._calls = {
            method: self._channel.unary_unary(f"/{_SERVICE}/{method}", *coders)
            for method, coders in _METHODS.items()
        }

    def ask(self, method: Method, request: Any) -> Any | Failure:
        """The answer of one call, or its failure: within the connection's timeout, and never tried again."""
        signed = self._signs.metadata()
        if isinstance(signed, Failure):
            return signed
        field = "parent" if hasattr(request, "parent") else "name"
        routed = ("x-goog-request-params", f"{field}={quote(getattr(request, field), safe='/')}")
        try:
            return self._calls[method](request, timeout=self._timeout, metadata=(routed, *signed))
        except grpc.RpcError as error:
            failure = failed(error)
        except ValueError:  # gRPC's word for a channel that another thread closed
            failure = Failure(Kind.UNSENT, "the connection was closed")
        if failure.kind is Kind.IDENTITY:
            self._signs.forget()
        return failure

    def close(self) -> None:
        self._channel.close()


def _channel(endpoint: Endpoint) -> grpc.Channel:
    wait = int(endpoint.connect_timeout * 1000)
    options: Sequence[tuple[str, Any]] = (
        # A call that gRPC sends again by itself turns its own lost acknowledgement into a false conflict.
        ("grpc.enable_retries", 0),
        ("grpc.min_reconnect_backoff_ms", wait),
        ("grpc.initial_reconnect_backoff_ms", min(wait, 1000)),
        ("grpc.max_reconnect_backoff_ms", max(wait, 1000)),
        ("grpc.max_send_message_length", -1),
        ("grpc.max_receive_message_length", -1),
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.primary_user_agent", "ecs-sync"),
    )
    # What it finds in the environment, it would use.
    proxy = ("grpc.enable_http_proxy", 0) if endpoint.proxy is None else ("grpc.http_proxy", endpoint.proxy)
    if endpoint.plaintext:
        return grpc.insecure_channel(endpoint.address, (*options, proxy))
    roots = None
    if endpoint.ca_file is not None:
        ssl.create_default_context(cafile=endpoint.ca_file)  # raises where it holds no certificate
        roots = endpoint.ca_file.read_bytes()
    return grpc.secure_channel(endpoint.address, grpc.ssl_channel_credentials(roots), (*options, proxy))


@dataclass(frozen=True, slots=True)
class _Nobody:
    """Local servers ask for no credential, and none is looked for."""

    def metadata(self) -> _Metadata:
        return ()

    def forget(self) -> None:
        return


class _Bearer:
    """A token, fetched before the call that needs it: what goes wrong here was never sent."""

    def __init__(self, credential: Credential, endpoint: Endpoint) -> None:
        self._from = credential
        self._timeout = endpoint.read_timeout
        # The metadata server, which is asked without TLS, is on the machine itself.
        self._proxies = {} if endpoint.proxy is None else {"https": endpoint.proxy}
        self._lock = threading.Lock()
        self._failed: tuple[float, Failure] | None = None
        self._credentials: Any = None
        self._spent = False

    def __repr__(self) -> str:
        return f"<bearer of credential {self._from.name}>"

    def metadata(self) -> _Metadata | Failure:
        """Who waited while another thread could fetch none is told so, and does not wait as long again."""
        came = time.monotonic()
        with self._lock:
            if self._failed is not None and came < self._failed[0]:
                return self._failed[1]
            signed = self._signed()
            self._failed = (time.monotonic(), signed) if isinstance(signed, Failure) else None
            return signed

    def _signed(self) -> _Metadata | Failure:
        headers: dict[str, str] = {}
        try:
            if self._credentials is None or self._spent or not self._credentials.valid:
                self._fetch()
            # Not `before_request`, which asks Google for more in a thread of its own.
            self._credentials.apply(headers)
        except sdk.TransportError:
            return Failure(Kind.UNSENT, "no token could be fetched: what issues it is not reachable")
        except (sdk.GoogleAuthError, OSError, ValueError) as error:
            return Failure(Kind.IDENTITY, _NO_CREDENTIAL.format(type(error).__name__))
        return tuple((name.lower(), text) for name, text in headers.items())

    def forget(self) -> None:
        with self._lock:
            self._spent = True

    def _fetch(self) -> None:
        hush()
        with _silence(), closing(requests.Session()) as session:
            session.trust_env = False
            session.proxies = self._proxies
            request: Any = partial(Request(session), timeout=self._timeout)
            if self._credentials is None:
                self._credentials = _credentials(self._from, request)
            if self._spent or not self._credentials.valid:
                self._credentials.refresh(request)
                self._spent = False


_NO_CREDENTIAL = (
    "no usable credential ({}): what 'credential' names gave none. Log in again, or check the key file"
)


def _credentials(credential: Credential, request: Any) -> Any:
    match credential.name:
        case "default":
            # With a scope, the chain would ask another service for a project's name that nobody needs.
            found, _ = google.auth.default(request=request)
            scoped: Any = with_scopes_if_required
            found = scoped(found, [_SCOPE])
        case "service-account":
            load: Any = service_account.Credentials.from_service_account_file
            key = load(str(credential.file), scopes=[_SCOPE])
            # Signed with the key itself, as Google's clients do: no token is asked of anybody.
            found = key.with_always_use_jwt_access(True)
    if credential.impersonate is None:
        return found
    where = None
    if credential.iam_endpoint is not None:
        path = f"/v1/projects/-/serviceAccounts/{credential.impersonate}:generateAccessToken"
        where = credential.iam_endpoint.rstrip("/") + path
    acting: Any = impersonated_credentials.Credentials
    return acting(
        source_credentials=found,
        target_principal=credential.impersonate,
        target_scopes=[_SCOPE],
        iam_endpoint_override=where,
    )


@contextmanager
def _silence() -> Iterator[None]:
    """Keeps tokens, and the requests for them, out of every log, in this thread only."""
    for name in tuple(logging.root.manager.loggerDict):
        if name.partition(".")[0] in ("google", "urllib3", "requests"):
            logging.getLogger(name).addFilter(_fit_to_log)
    token = _unlogged.set(True)
    try:
        yield
    finally:
        _unlogged.reset(token)


def _fit_to_log(record: logging.LogRecord) -> bool:
    # What goes wrong is told by an exception; a warning here is of projects that the chain does not know.
    return record.levelno >= logging.ERROR or not _unlogged.get()
