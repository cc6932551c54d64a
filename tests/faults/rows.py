"""The table: one row for each adapter that has a stand-in, and what its calls are there."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from azure.keyvault.secrets._shared import http_challenge_cache

from ecs_sync_sandbox.aws import AwsServer
from ecs_sync_sandbox.aws_appconfig import AppConfigServer, on
from ecs_sync_sandbox.azure_appconfig import AzureAppConfigServer
from ecs_sync_sandbox.azure_keyvault import KeyVaultServer, told
from ecs_sync_sandbox.consul import ConsulServer
from ecs_sync_sandbox.gcp_secrets import GcpSecretsServer
from ecs_sync_sandbox.http_server import Reply, Request, When
from ecs_sync_sandbox.openbao import ROOT_TOKEN, OpenBaoServer, front
from ecs_sync_sandbox.real_server import NotReady
from tests.faults.doors import AwsDoor, Door, GcpDoor, HttpDoor

Timeouts = Mapping[str, float]
_SOON: Timeouts = {"read_timeout": 0.3}


@dataclass(frozen=True)
class Open:
    """A stand-in that serves: its door, and the entry of ``connections:`` that reaches it."""

    door: Door
    connection: Mapping[str, Any]
    environment: Mapping[str, str]
    wait: Callable[[], object] = lambda: None
    """Lets the provider's clock move on between two runs, each of which is a process of its own."""


@dataclass(frozen=True)
class Row:
    """An adapter: its stand-in, and the place of it that a file of texts is held in step with."""

    open: Callable[[], AbstractContextManager[Open]]
    link: Mapping[str, Any]
    timeouts: Timeouts = field(default_factory=lambda: _SOON)
    secret: bool = False
    text: Callable[[str], Any] = str
    """What the file holds for a text: the mapping of some places wants a field below each name."""
    never: Mapping[str, str] = field(default_factory=dict)
    """Calls that there are none of, and why."""


def _json(status: int, document: object, **headers: str) -> Reply:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    pairs = {"Content-Type": "application/json", **named}
    return Reply(status, json.dumps(document).encode(), tuple(pairs.items()))


def _method(*methods: str, path: str = "") -> When:
    return lambda request: request.method in methods and path in request.path


@contextmanager
def _consul() -> Iterator[Open]:

    def write(request: Request) -> bool:
        return request.method in ("PUT", "DELETE") and b"get-or-empty" not in request.body

    calls = {"list": _method("GET", path="/v1/kv/"), "create": write, "update": write, "delete": write}
    with ConsulServer() as server:
        slow_down = Reply(429, b"rate limit exceeded for operation, try again later")
        door = HttpDoor(server.faults, calls, slow_down, Reply(403, b"ACL not found"))
        yield Open(door, server.connection(), server.environment)


def _aws(adapter: str, calls: Mapping[str, str], stale: str) -> Callable[[], AbstractContextManager[Open]]:
    @contextmanager
    def serve() -> Iterator[Open]:
        with AwsServer() as server:
            yield Open(AwsDoor(server, calls, stale), server.connection(adapter), server.environment)

    return serve


@contextmanager
def _aws_appconfig() -> Iterator[Open]:
    deploy = on("StartDeployment")
    calls = {
        "list": on("ListDeployments"),
        "middle": on("GetHostedConfigurationVersion"),
        "create": deploy,
        "update": deploy,
    }
    slow_down = _json(429, {"Message": "slow down"}, x_amzn_ErrorType="TooManyRequestsException")
    expired = _json(403, {"Message": "expired"}, x_amzn_ErrorType="ExpiredTokenException")
    with AppConfigServer() as server:
        door = HttpDoor(server.http, calls, slow_down, expired, lambda: _deploy_again(server))
        yield Open(door, server.connection(), server.environment, lambda: server.advance(20))


def _deploy_again(server: AppConfigServer) -> None:
    """A listing looks into documents only where something moved."""
    client = server.client()
    [application] = client.list_applications()["Items"]
    place = {"ApplicationId": application["Id"]}
    environments = client.list_environments(**place)["Items"]
    place["EnvironmentId"] = next(each["Id"] for each in environments if each["Name"] == "prod")
    last = client.list_deployments(**place)["Items"][0]
    client.start_deployment(
        **place,
        ConfigurationProfileId=last["ConfigurationProfileId"],
        ConfigurationVersion=last["ConfigurationVersion"],
        DeploymentStrategyId=client.list_deployment_strategies()["Items"][0]["Id"],
    )
    client.close()


@contextmanager
def _azure_appconfig() -> Iterator[Open]:
    calls: dict[str, When] = {
        "list": lambda request: request.method == "GET" and "after" not in request.query,
        "middle": lambda request: "after" in request.query,
        "create": _method("PUT"),
        "update": _method("PUT"),
        "delete": _method("DELETE"),
    }
    with AzureAppConfigServer(page=1) as server:
        door = HttpDoor(server.faults, calls, _json(429, {"status": 429}), _json(401, {"status": 401}))
        yield Open(door, server.connection(), server.environment)


@contextmanager
def _azure_keyvault() -> Iterator[Open]:
    ahead = [time.time() - 7200]

    def wait() -> None:
        ahead[0] += 60
        http_challenge_cache.clear()

    def is_next(request: Request) -> bool:
        return told("GET")(request) and "$skiptoken" in request.query

    calls = {"list": told("GET"), "middle": is_next, "delete": told("DELETE")}
    calls |= {"create": told("PUT"), "update": told("PUT")}
    with KeyVaultServer(clock=lambda: ahead[0]) as server:
        slow_down = _json(429, {"error": {"code": "Throttled"}})
        expired = _json(401, {"error": {"code": "Unauthorized"}})
        door = HttpDoor(server.faults, calls, slow_down, expired, lambda: server.short_pages_next([1]))
        yield Open(door, server.connection(), server.environment, wait)


@contextmanager
def _gcp_secrets() -> Iterator[Open]:
    calls = {"list": "ListSecrets", "middle": "GetSecretVersion", "delete": "DeleteSecret"}
    calls |= {"create": "AddSecretVersion", "update": "AddSecretVersion"}
    with GcpSecretsServer() as server:
        yield Open(GcpDoor(server, calls), server.connection(), server.environment)


def _vault(version: int) -> Callable[[], AbstractContextManager[Open]]:
    written = "/data/" if version == 2 else "/faults/"
    deleted = _method("POST", path="/delete/") if version == 2 else _method("DELETE")
    calls = {
        "list": _method("LIST"),
        "middle": lambda request: request.method == "GET" and request.path.endswith("/two"),
        "create": _method("POST", "PUT", path=written),
        "update": _method("POST", "PUT", path=written),
        "delete": deleted,
    }

    @contextmanager
    def serve() -> Iterator[Open]:
        try:
            bao = OpenBaoServer()
        except NotReady as missing:
            if os.environ.get("ECS_SYNC_REQUIRE_BACKENDS") == "all":
                raise
            pytest.skip(str(missing))
        with bao, front(bao.url) as server:
            bao.mount("faults", version=version)
            where = {"url": server.url, "mount": "faults", "token": "env:TOKEN"}
            slow_down = _json(429, {"errors": ["request path: rate limit quota exceeded"]})
            expired = _json(403, {"errors": ["permission denied"]})
            door = HttpDoor(server, calls, slow_down, expired)
            yield Open(door, {"adapter": f"vault-kv{version}", **where}, {"TOKEN": ROOT_TOKEN})

    return serve


_SSM = {"list": "DescribeParameters", "middle": "DescribeParameters", "delete": "DeleteParameters"}
_SSM |= {"create": "PutParameter", "update": "PutParameter"}
_SECRETS = {"list": "ListSecrets", "middle": "ListSecrets", "create": "CreateSecret"}
_SECRETS |= {"update": "UpdateSecretVersionStage", "delete": "DeleteSecret"}
_FOLDERS = {"next page": "Vault answers for a folder in one call, and has no page tokens"}
_FIELDS: Mapping[str, Any] = {"place": "app/", "mapping": "fields"}


def _field(text: str) -> Mapping[str, str]:
    return {"password": text}


ROWS: Mapping[str, Row] = {
    "consul": Row(
        _consul,
        {"place": "acme/", "mapping": "path"},
        timeouts={"timeout": 0.3},
        never={
            "middle": "Consul answers a listing in one call, which has no middle",
            "next page": "Consul answers a listing in one call, and has no page tokens",
        },
    ),
    "aws-ssm": Row(_aws("aws-ssm", _SSM, "InvalidNextToken"), {"place": "/acme/", "mapping": "path"}),
    "aws-secrets": Row(
        _aws("aws-secrets", _SECRETS, "InvalidNextTokenException"),
        {"place": "acme/", "mapping": "path"},
        secret=True,
    ),
    "aws-appconfig": Row(
        _aws_appconfig,
        {"place": "acme/prod/settings", "mapping": {"name": "document", "format": "json"}},
        never={
            "delete": "all entries are one document, which is updated when one of them goes",
            "next page": "what comes behind a listing's first calls are documents, which have no page tokens",
        },
    ),
    "azure-appconfig": Row(_azure_appconfig, {"place": "prod|app/", "mapping": "path"}),
    "azure-keyvault": Row(
        _azure_keyvault, {"place": "acme-", "mapping": {"name": "path", "separator": "--"}}, secret=True
    ),
    "vault-kv2": Row(_vault(2), _FIELDS, secret=True, text=_field, never=_FOLDERS),
    "vault-kv1": Row(_vault(1), _FIELDS, secret=True, text=_field, never=_FOLDERS),
    "gcp-secrets": Row(_gcp_secrets, {"place": "app-", "mapping": "path"}, secret=True),
}
