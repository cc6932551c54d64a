"""A boto3 client from options: the credential from where the configuration says, and from nowhere else.

botocore logs request and response bodies at DEBUG, secrets included. Calls made inside `unlogged` keep
every record under WARNING of botocore, boto3 and urllib3 to themselves, and all tracebacks, in this
thread only.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Literal

import boto3
from botocore.config import Config
from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    AssumeRoleWithWebIdentityCredentialFetcher,
    CredentialResolver,
    DeferredRefreshableCredentials,
)
from botocore.exceptions import (
    ConnectionError,
    CredentialRetrievalError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    ParamValidationError,
    RefreshWithMFAUnsupportedError,
)
from botocore.httpsession import URLLib3Session
from botocore.loaders import create_loader
from botocore.parsers import ResponseParserError
from botocore.session import Session
from botocore.utils import FileWebIdentityTokenLoader

from ecs_sync_adapters.http_proxy import proxy_address
from ecs_sync_adapters.quiet_wire import hush

Service = Literal["ssm", "appconfig", "secretsmanager", "kms"]
CredentialName = Literal["default", "profile", "explicit", "assume-role", "web-identity"]

_MODELS = create_loader()
"""The SDK's models of its services. Read for each connection anew they take 11 MiB and 0.15 s of it (ssm)."""

_unlogged: ContextVar[bool] = ContextVar("aws_unlogged", default=False)


@dataclass(frozen=True, slots=True)
class Credential:
    """Where the credential comes from: ``name`` says it, the other fields are what that one needs.

    ``default`` is AWS's own chain (environment, files, container, instance). ``profile`` reads that profile
    and falls back to nothing. ``explicit`` takes the keys given here. ``assume-role`` assumes ``role_arn``
    with the keys, else with the profile, else with the default chain. ``web-identity`` assumes ``role_arn``
    with the token in ``token_file``; where one is not given, with what a cluster puts into
    ``AWS_ROLE_ARN`` and ``AWS_WEB_IDENTITY_TOKEN_FILE``.
    """

    name: CredentialName = "default"
    profile: str | None = None
    role_arn: str | None = None
    external_id: str | None = None
    session_name: str = "ecs-sync"
    token_file: str | None = None
    access_key_id: str | None = None
    secret_access_key: str | None = None
    session_token: str | None = None

    def __repr__(self) -> str:
        return f"<credential {self.name}>"

    def problems(self) -> list[str]:
        """What is missing, or given and not used by this credential: all of it."""
        keys = {"access_key_id", "secret_access_key"}
        needed = {"profile": {"profile"}, "explicit": keys, "assume-role": {"role_arn"}}.get(self.name, set())
        usable = needed | {
            "explicit": {"session_token"},
            "assume-role": {"profile", "external_id", "session_token", *keys},
            "web-identity": {"role_arn", "token_file"},
        }.get(self.name, set())
        fields = {"profile", "role_arn", "external_id", "token_file", "session_token", *keys}
        given = {field for field in fields if getattr(self, field)}
        if given & keys and not keys <= given:
            needed = needed | keys
        missing = [f"credential {self.name!r} needs {field}" for field in sorted(needed - given)]
        unused = [f"credential {self.name!r} does not use {field}" for field in sorted(given - usable)]
        return missing + unused


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where AWS is and how long to wait for it. Times are in seconds; None is AWS's own address."""

    region: str
    url: str | None = None
    sts_url: str | None = None
    connect_timeout: float = 5.0
    read_timeout: float = 20.0
    connections: int = 8
    ca_file: str | None = None
    proxy: str | None = None
    proxy_login: str | None = field(default=None, repr=False)
    """``user:password`` for the proxy."""

    def config(self) -> Config:
        """No retries: a retried write turns its own lost acknowledgement into a false conflict."""
        settings: dict[str, Any] = {
            "retries": {"mode": "standard", "total_max_attempts": 1},
            "connect_timeout": self.connect_timeout,
            "read_timeout": self.read_timeout,
            "max_pool_connections": self.connections,
            # An endpoint in the environment or a profile would send secrets to where nobody configured.
            "ignore_configured_endpoint_urls": True,
            # Without any the SDK takes those of the environment.
            "proxies": {},
        }
        if self.proxy is not None:
            address = proxy_address(self.proxy, self.proxy_login)
            settings["proxies"] = dict.fromkeys(("http", "https"), address)
        return Config(**settings)


@dataclass(frozen=True, slots=True)
class Client:
    """The SDK's client of a service, safe to share between threads, and the credential that it signs with."""

    sdk: Any
    keys: Any


def build_client(service: Service, credential: Credential, endpoint: Endpoint) -> Client:
    """Raises botocore's errors for a profile that is not there, or where there is no credential."""
    hush()
    _muffle()
    with unlogged():
        session = _session(credential, endpoint)
        keys = session.get_credentials()
        if keys is None:
            raise NoCredentialsError
        client = boto3.Session(botocore_session=session, region_name=endpoint.region).client(
            service, endpoint_url=endpoint.url, config=endpoint.config()
        )
    _muffle()
    return Client(client, keys)


@contextmanager
def unlogged() -> Iterator[None]:
    """Keeps what the SDK would log of the calls inside, bodies and credentials, out of every log."""
    token = _unlogged.set(True)
    try:
        yield
    finally:
        _unlogged.reset(token)


def _muffle() -> None:
    """Makes `unlogged` hold for the loggers there are. The SDK makes some only when it is first used."""
    for name in tuple(logging.root.manager.loggerDict):
        if name.partition(".")[0] in ("botocore", "boto3", "urllib3"):
            logging.getLogger(name).addFilter(_fit_to_log)


def _fit_to_log(record: logging.LogRecord) -> bool:
    if not _unlogged.get():
        return True
    # A traceback goes through frames that hold requests and keys, and a logger may show their locals.
    record.exc_info = record.exc_text = None
    return record.levelno >= logging.WARNING


def _session(credential: Credential, endpoint: Endpoint) -> Session:
    match credential.name:
        case "default":
            return _unattended(_session_of(endpoint), endpoint)
        case "profile":
            return _profile_session(credential.profile or "", endpoint)
        case "explicit":
            return _keys_session(credential, endpoint)
        case "assume-role":
            return _role_session(credential, endpoint)
        case "web-identity":
            return _web_identity_session(credential, endpoint)


def _deaf_session(endpoint: Endpoint) -> Session:
    """A session that hears neither the environment nor the files of the home directory, but for TLS trust."""
    deaf: dict[str, Any] = {
        name: (None, None, None if name.endswith("_file") else default, convert)
        for name, (_, _, default, convert) in BOTOCORE_DEFAUT_SESSION_VARIABLES.items()
        if name != "ca_bundle"
    }
    return _session_of(endpoint, session_vars=deaf)


def _session_of(endpoint: Endpoint, **given: Any) -> Session:
    session = Session(**given)
    if endpoint.ca_file is not None:
        session.set_config_variable("ca_bundle", endpoint.ca_file)
    session.register_component("data_loader", _MODELS)
    return session


def _keys_session(credential: Credential, endpoint: Endpoint) -> Session:
    session = _deaf_session(endpoint)
    session.set_credentials(
        credential.access_key_id or "", credential.secret_access_key or "", credential.session_token
    )
    return session


def _unattended(session: Session, endpoint: Endpoint) -> Session:
    """The session of a chain that may assume roles by itself: where and how we would, and asking nobody.

    Its own clients, of STS and SSO, would go by the region, the endpoints and the retries of the environment.
    """
    session.set_config_variable("region", endpoint.region)
    session.set_default_client_config(endpoint.config())
    resolver = session.get_component("credential_provider")
    resolver.get_provider("assume-role")._prompter = _ask_nobody
    # The machine itself is asked past all proxies, also those of the environment.
    machine = resolver.get_provider("iam-role")._role_fetcher
    machine._session = URLLib3Session(timeout=machine._timeout)
    return session


def _ask_nobody(_: str) -> str:
    raise RefreshWithMFAUnsupportedError


def _profile_session(profile: str, endpoint: Endpoint) -> Session:
    # Which leaves out the keys of the environment.
    session = _unattended(_session_of(endpoint, profile=profile), endpoint)
    resolver = session.get_component("credential_provider")
    for elsewhere in ("ec2-credentials-file", "boto-config", "container-role", "iam-role"):
        resolver.remove(elsewhere)
    return session


def _role_session(credential: Credential, endpoint: Endpoint) -> Session:
    if credential.access_key_id:
        source = _keys_session(credential, endpoint)
    elif credential.profile:
        source = _profile_session(credential.profile, endpoint)
    else:
        source = _unattended(_session_of(endpoint), endpoint)
    keys = source.get_credentials()
    if keys is None:
        raise NoCredentialsError
    asked = {"RoleSessionName": credential.session_name}
    if credential.external_id:
        asked["ExternalId"] = credential.external_id
    fetcher = AssumeRoleCredentialFetcher(
        client_creator=_Sts(source, endpoint).create,
        source_credentials=keys,
        role_arn=credential.role_arn or "",
        extra_args=asked,
    )
    return _fetched_session("assume-role", endpoint, fetcher.fetch_credentials)


def _web_identity_session(credential: Credential, endpoint: Endpoint) -> Session:
    token_file = credential.token_file or os.environ.get("AWS_WEB_IDENTITY_TOKEN_FILE", "")
    fetcher = AssumeRoleWithWebIdentityCredentialFetcher(
        client_creator=_Sts(_deaf_session(endpoint), endpoint).create,
        web_identity_token_loader=FileWebIdentityTokenLoader(token_file),
        role_arn=credential.role_arn or os.environ.get("AWS_ROLE_ARN", ""),
        extra_args={"RoleSessionName": credential.session_name},
    )
    return _fetched_session("assume-role-with-web-identity", endpoint, fetcher.fetch_credentials)


@dataclass(frozen=True, slots=True)
class _Sts:
    session: Session
    endpoint: Endpoint

    def create(self, service: str, **given: Any) -> Any:
        config = self.endpoint.config()
        if "config" in given:
            config = config.merge(given.pop("config"))
        return self.session.create_client(
            service,
            region_name=self.endpoint.region,
            endpoint_url=self.endpoint.sts_url,
            config=config,
            **given,
        )


@dataclass(frozen=True, slots=True)
class _Fetched:
    """A credential provider in botocore's sense, with one credential, renewed before it expires."""

    METHOD: str
    fetch: Any
    CANONICAL_NAME: None = None

    def load(self) -> DeferredRefreshableCredentials:
        return DeferredRefreshableCredentials(refresh_using=self._fetched, method=self.METHOD)

    def _fetched(self) -> Any:
        """What STS gives. Whatever goes wrong here, nothing else was sent; no answer of STS is quoted."""
        try:
            return self.fetch()
        except (HTTPClientError, ConnectionError, ResponseParserError):
            problem: Exception = EndpointConnectionError(endpoint_url="of STS")
        except (OSError, UnicodeDecodeError, ParamValidationError) as error:
            why = type(error).__name__
            problem = CredentialRetrievalError(provider=self.METHOD, error_msg=why)
        raise problem


def _fetched_session(method: str, endpoint: Endpoint, fetch: Any) -> Session:
    session = _deaf_session(endpoint)
    provider: Any = _Fetched(method, fetch)
    resolver = CredentialResolver(providers=[provider])
    session.register_component("credential_provider", resolver)
    return session
