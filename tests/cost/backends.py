"""The providers whose calls are counted: a stand-in that logs what it is asked, and how a job reaches it.

A row is one adapter. Logs are counted without the calls that only authenticate.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from azure.keyvault.secrets._shared import http_challenge_cache

from ecs_sync_sandbox.aws import AwsServer
from ecs_sync_sandbox.aws_appconfig import AppConfigServer
from ecs_sync_sandbox.azure_appconfig import AzureAppConfigServer
from ecs_sync_sandbox.azure_keyvault import KeyVaultServer
from ecs_sync_sandbox.consul import ConsulServer
from ecs_sync_sandbox.gcp_secrets import GcpSecretsServer
from ecs_sync_sandbox.openbao import ROOT_TOKEN, OpenBaoServer, front
from ecs_sync_sandbox.real_server import NotReady


@dataclass(frozen=True)
class Served:
    """A provider that runs: the entry of ``connections:`` that reaches it, and the calls it had so far."""

    connection: Mapping[str, Any]
    calls: Callable[[], int]
    environment: Mapping[str, str] = field(default_factory=dict)
    wait: Callable[[], None] = lambda: None
    """Lets the provider's clock move on, so that what was written is no longer of this very second."""
    renew: Callable[[], None] = lambda: None
    """Makes the next run one of a new process, where the SDK remembers something for all of them."""


@dataclass(frozen=True)
class Backend:
    """One adapter, at a place of which a job's link mirrors a file of texts."""

    serve: Callable[[], AbstractContextManager[Served]]
    link: Mapping[str, Any]
    secret: bool = False
    """The link copies secrets there."""
    told: Callable[[str], Any] = str
    """What the file holds for a text: the mapping of some places wants a field below each name."""


@contextmanager
def _consul() -> Iterator[Served]:
    with ConsulServer() as server:
        yield Served({"adapter": "consul", "url": server.url}, lambda: len(server.requests))


_KEYS = {"credential": "explicit", "access_key_id": "env:KEY_ID", "secret_access_key": "env:KEY"}
_KEYS_ENVIRONMENT = {"KEY_ID": "sandbox", "KEY": "sandbox"}


def _aws(adapter: str, **more: Any) -> Callable[[], AbstractContextManager[Served]]:
    @contextmanager
    def serve() -> Iterator[Served]:
        with AwsServer() as server:
            where = {"adapter": adapter, "region": server.region, "endpoint": server.url}
            yield Served({**where, **_KEYS, **more}, lambda: len(server.requests), _KEYS_ENVIRONMENT)

    return serve


@contextmanager
def _aws_appconfig() -> Iterator[Served]:
    with AppConfigServer() as server:
        yield Served(server.connection(), lambda: len(server.operations()), server.environment)


@contextmanager
def _azure_appconfig() -> Iterator[Served]:
    with AzureAppConfigServer() as server:
        yield Served(server.connection(), lambda: len(server.requests), server.environment)


@contextmanager
def _azure_keyvault() -> Iterator[Served]:
    ahead = [time.time() - 7200]

    def wait() -> None:
        ahead[0] += 60

    with KeyVaultServer(clock=lambda: ahead[0]) as server:
        yield Served(
            server.connection(),
            lambda: sum("authorization" in request.headers for request in server.requests),
            server.environment,
            wait,
            http_challenge_cache.clear,
        )


@contextmanager
def _gcp_secrets() -> Iterator[Served]:
    with GcpSecretsServer() as server:
        yield Served(server.connection(), server.count, server.environment)


def _vault(version: int) -> Callable[[], AbstractContextManager[Served]]:
    @contextmanager
    def serve() -> Iterator[Served]:
        try:
            bao = OpenBaoServer()
        except NotReady as missing:
            if os.environ.get("ECS_SYNC_REQUIRE_BACKENDS") == "all":
                raise
            pytest.skip(str(missing))
        with bao, front(bao.url) as door:
            bao.mount("cost", version=version)
            entry = {"adapter": f"vault-kv{version}", "url": door.url, "mount": "cost", "token": "env:TOKEN"}

            def calls() -> int:
                return sum(not each.path.startswith("/v1/auth/") for each in door.requests)

            yield Served(entry, calls, {"TOKEN": ROOT_TOKEN})

    return serve


_FIELDS: Mapping[str, Any] = {"place": "app/", "mapping": "fields"}


def _field(text: str) -> Mapping[str, str]:
    return {"password": text}


BACKENDS: Mapping[str, Backend] = {
    "consul": Backend(_consul, {"place": "acme/", "mapping": "path"}),
    "aws-ssm": Backend(_aws("aws-ssm"), {"place": "/acme/", "mapping": "path"}),
    "aws-ssm, with tags": Backend(_aws("aws-ssm", tags=True), {"place": "/acme/", "mapping": "path"}),
    "aws-ssm, secrets": Backend(_aws("aws-ssm"), {"place": "/acme/", "mapping": "path"}, secret=True),
    "aws-secrets": Backend(_aws("aws-secrets"), {"place": "acme/", "mapping": "path"}, secret=True),
    "aws-appconfig": Backend(
        _aws_appconfig, {"place": "acme/prod/settings", "mapping": {"name": "document", "format": "json"}}
    ),
    "azure-appconfig": Backend(_azure_appconfig, {"place": "prod|app/", "mapping": "path"}),
    "azure-keyvault": Backend(
        _azure_keyvault,
        {"place": "acme-", "mapping": {"name": "path", "separator": "--"}},
        secret=True,
    ),
    "gcp-secrets": Backend(_gcp_secrets, {"place": "app-", "mapping": "path"}, secret=True),
    "vault-kv1": Backend(_vault(1), _FIELDS, secret=True, told=_field),
    "vault-kv2": Backend(_vault(2), _FIELDS, secret=True, told=_field),
}
