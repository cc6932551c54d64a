"""The providers whose calls are counted: a stand-in that logs what it is asked, and how a job reaches it.

A row is one adapter. Logs are counted without the calls that only authenticate. What the API asks for at
least is said as data, for a run that looks at N items and writes M, from each provider's documentation.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from azure.keyvault.secrets._shared import http_challenge_cache

from ecs_sync_sandbox.aws import AwsServer
from ecs_sync_sandbox.aws_appconfig import AppConfigServer
from ecs_sync_sandbox.azure_appconfig import AzureAppConfigServer
from ecs_sync_sandbox.azure_keyvault import KeyVaultServer
from ecs_sync_sandbox.consul import ConsulServer
from ecs_sync_sandbox.gcp_secrets import GcpSecretsServer
from ecs_sync_sandbox.openbao import ROOT_TOKEN, OpenBaoServer, front


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
class Least:
    """The fewest calls that the API allows: to look at N items and find nothing new, to read all of them, to
    create N, update M and delete D; and why a run makes more.
    """

    look: Callable[[int], int]
    read: Callable[[int], int]
    create: Callable[[int], int]
    update: Callable[[int], int]
    delete: Callable[[int], int]
    why: str


def _pages(size: int) -> Callable[[int], int]:
    return lambda items: max(1, -(-items // size))


def _each(items: int) -> int:
    return items


@dataclass(frozen=True)
class Backend:
    """One adapter, at a place of which a job's link mirrors a file of texts."""

    serve: Callable[[], AbstractContextManager[Served]]
    link: Mapping[str, Any]
    secret: bool = False
    """The link copies secrets there."""
    told: Callable[[str], Any] = str
    """What the file holds for a text: the mapping of some places wants a field below each name."""
    least: Least | None = None
    """What the API asks for at least; None where another row says it."""


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
        with OpenBaoServer() as bao, front(bao.url) as door:
            bao.mount("cost", version=version)
            entry = {"adapter": f"vault-kv{version}", "url": door.url, "mount": "cost", "token": "env:TOKEN"}

            def calls() -> int:
                return sum(not each.path.startswith("/v1/auth/") for each in door.requests)

            yield Served(entry, calls, {"TOKEN": ROOT_TOKEN})

    return serve


_FIELDS: Mapping[str, Any] = {"place": "app/", "mapping": "fields"}


def _field(text: str) -> Mapping[str, str]:
    return {"password": text}


_APPCONFIG_DOCUMENT = {"place": "acme/prod/settings", "mapping": {"name": "document", "format": "json"}}
_SSM: Mapping[str, Any] = {"place": "/acme/", "mapping": "path"}

BACKENDS: Mapping[str, Backend] = {
    "consul": Backend(
        _consul,
        {"place": "acme/", "mapping": "path"},
        least=Least(
            look=lambda _: 1,
            read=lambda _: 1,
            create=_pages(64),
            update=_pages(64),
            delete=_pages(64),
            why="a place that moved is first asked for its names, then listed; values for the archive and "
            "the proof, 64 a call",
        ),
    ),
    "aws-ssm": Backend(
        _aws("aws-ssm"),
        _SSM,
        least=Least(
            look=_pages(50),
            read=_pages(10),
            create=_each,
            update=_each,
            delete=_pages(10),
            why="descriptions first, so that what stands still is not read; an update asks for the tier, key "
            "and pattern that it must say again; values for the archive and the proof, 10 a call",
        ),
    ),
    "aws-ssm, with tags": Backend(_aws("aws-ssm", tags=True), _SSM),
    "aws-ssm, secrets": Backend(_aws("aws-ssm"), _SSM, secret=True),
    "aws-secrets": Backend(
        _aws("aws-secrets"),
        {"place": "acme/", "mapping": "path"},
        secret=True,
        least=Least(
            look=_pages(100),
            read=_pages(20),
            create=_each,
            update=_each,
            delete=_each,
            why="an update is a look, a version beside the one in force, and the move of its label; a delete "
            "looks once more; values for the archive and the proof, 20 a call",
        ),
    ),
    "aws-appconfig": Backend(
        _aws_appconfig,
        _APPCONFIG_DOCUMENT,
        least=Least(
            look=lambda _: 1,
            read=lambda _: 1,
            create=lambda _: 3,
            update=lambda _: 2,
            delete=lambda _: 2,
            why="names are looked up in each process, profiles and deployments before a write: what is being "
            "deployed by others is not overtaken; the document is read for the archive and the proof",
        ),
    ),
    "azure-appconfig": Backend(
        _azure_appconfig,
        {"place": "prod|app/", "mapping": "path"},
        least=Least(
            look=lambda items: items // 100 + 1,
            read=lambda items: items // 100 + 1,
            create=_each,
            update=_each,
            delete=_each,
            why="a listing may lag, so what is new in it is read by name; values for the archive and the "
            "proof, 5 a call",
        ),
    ),
    "azure-keyvault": Backend(
        _azure_keyvault,
        {"place": "acme-", "mapping": {"name": "path", "separator": "--"}},
        secret=True,
        least=Least(
            look=_pages(25),
            read=lambda items: _pages(25)(items) + items,
            create=_each,
            update=_each,
            delete=_each,
            why="the vault compares nothing: a look before each set and at the versions after it, so that "
            "nothing is lost unseen; a call a value, for the archive and the proof",
        ),
    ),
    "gcp-secrets": Backend(
        _gcp_secrets,
        {"place": "app-", "mapping": "path"},
        secret=True,
        least=Least(
            look=lambda items: 1 + items,
            read=lambda items: 1 + items,
            create=lambda items: 2 * items,
            update=_each,
            delete=_each,
            why="a value's call tells no time, which costs a second one; a delete looks at etag and versions "
            "first; values for the archive and the proof",
        ),
    ),
    "vault-kv1": Backend(
        _vault(1),
        _FIELDS,
        secret=True,
        told=_field,
        least=Least(
            look=lambda items: 1 + items,
            read=lambda items: 1 + items,
            create=_each,
            update=_each,
            delete=_each,
            why="the mount is looked up once; KV 1 compares nothing: a read before each write; a call a "
            "value, for the archive and the proof",
        ),
    ),
    "vault-kv2": Backend(
        _vault(2),
        _FIELDS,
        secret=True,
        told=_field,
        least=Least(
            look=lambda items: 1 + items,
            read=lambda items: 1 + items,
            create=_each,
            update=_each,
            delete=_each,
            why="metadata first, so that what stands still is not read; an update looks at it again, or it "
            "would bring back what was deleted meanwhile; a call a value, for the archive and the proof",
        ),
    ),
}
