"""A place of every provider, those made for secrets and those that are not, and what each was sent."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from ecs_sync_sandbox.aws import AwsServer
from ecs_sync_sandbox.aws_appconfig import AppConfigServer
from ecs_sync_sandbox.azure_appconfig import AzureAppConfigServer
from ecs_sync_sandbox.azure_keyvault import CLIENT_SECRET, KeyVaultServer
from ecs_sync_sandbox.consul import ConsulServer
from ecs_sync_sandbox.gcp_secrets import GcpSecretsServer
from ecs_sync_sandbox.http_server import HttpServer, Request
from ecs_sync_sandbox.openbao import ROOT_TOKEN, OpenBaoServer, front
from ecs_sync_sandbox.real_server import NotReady

_PACE = {"rate": 10_000, "write_rate": 10_000, "retries": 0}
PATIENT = {"connect_timeout": 2, "read_timeout": 1, "pace": _PACE}
READING = ("GET", "HEAD", "LIST")
_ASKING = ("Get", "Describe", "List", "BatchGet")
_GCP_READS = ("AccessSecretVersion", "ListSecrets", "GetSecretVersion")
_GCP_WRITES = ("CreateSecret", "AddSecretVersion")


@dataclass
class Places:
    """The servers. A fault is played at all of them at once: see `faulty`."""

    folder: Path
    bao: OpenBaoServer | None
    bao_door: HttpServer | None
    keyvault: KeyVaultServer
    gcp: GcpSecretsServer
    aws: AwsServer
    aws_door: HttpServer
    consul: ConsulServer
    azure: AzureAppConfigServer
    appconfig: AppConfigServer
    credentials: dict[str, str] = field(default_factory=dict)

    @property
    def doors(self) -> list[HttpServer]:
        """Where faults are played and requests are seen, at every provider that speaks HTTP."""
        doors = [self.keyvault.faults, self.aws_door, self.consul.faults, self.azure.faults]
        return [*doors, self.appconfig.http, *([self.bao_door] if self.bao_door else [])]

    def connections(self, safe: Path) -> dict[str, Any]:
        """The entries under ``connections:``; credentials lie in files beside, none in the environment."""
        aws = {
            "region": self.aws.region,
            "credential": "explicit",
            "access_key_id": self._credential("aws-id", "AKIDSANDBOX"),
            "secret_access_key": self._credential("aws-key", "a-word"),
        }
        door = {"endpoint": self.aws_door.url}
        keyvault = {**self.keyvault.connection(), "client_secret": self._credential("azure", CLIENT_SECRET)}
        azure = self._credential("appconfig", self.azure.connection_string)
        made: dict[str, Any] = {
            "keyvault": {**keyvault, "soft_deleted": "recover", **PATIENT},
            "gcp": {**self.gcp.connection(), **PATIENT},
            "ssm": {"adapter": "aws-ssm", **aws, **door, **PATIENT},
            "secrets": {"adapter": "aws-secrets", "scheduled": "restore", **aws, **door, **PATIENT},
            "consul": {"adapter": "consul", "url": self.consul.url, "timeout": 1, "pace": _PACE},
            "azure": {**self.azure.connection(), "connection_string": azure, **PATIENT},
            "appconfig": {**self.appconfig.connection(), **aws, **PATIENT},
            "safe": {"adapter": "files", "root": str(safe), "secrets": True},
            "plain": {"adapter": "files", "root": "plain"},
        }
        if self.bao is not None and self.bao_door is not None:
            token = self._credential("vault", ROOT_TOKEN)
            vault = {"url": self.bao_door.url, "token": token, **PATIENT}
            made["vault"] = {"adapter": "vault-kv2", **vault}
            made["vault1"] = {"adapter": "vault-kv1", "mount": "old", **vault}
        return made

    def _credential(self, name: str, text: str) -> str:
        path = self.folder / name
        path.write_text(text)
        return f"file:{path}"

    @contextmanager
    def faulty(self, kind: str, echo: str, *, writes: bool = False, key: bool = False) -> Iterator[None]:
        """While the block runs, what is asked meets this fault, and its answer says ``echo`` wherever it can.

        What is asked is reads, or ``writes``, or what leads to the ``key`` of the store.
        """
        on = [True]

        def meets(request: Request) -> bool:
            # Without the key of the store the command would not get as far as the other places.
            about_key = request.path.startswith(("/v1/transit/", "/v1/auth/"))
            return on[0] and about_key == key and (key or is_write(request) == writes)

        for door in self.doors:
            play(door, kind, echo, meets)
        for method in _GCP_WRITES if writes else _GCP_READS:
            play_gcp(self.gcp, kind, echo, method)
        try:
            yield
        finally:
            on[0] = False
            self.gcp.script.release()
            self.gcp.script._faults.clear()
            for door in self.doors:
                for hanging in door._hanging:
                    hanging.set()

    def plain(self) -> list[tuple[str, bytes]]:
        """All that the places that are not made for secrets hold, and all that they were ever sent."""
        sent = [
            (f"sent to {name}: {request.method} {request.path}", _whole(request))
            for name, requests in (
                ("consul", self.consul.requests),
                ("azure", self.azure.requests),
                ("appconfig", self.appconfig.http.requests),
            )
            for request in requests
        ]
        held = [(f"consul {pair.key}", pair.value or b"") for pair in self.consul.kv.tree("")[1]]
        return [*sent, *held]

    def received(self) -> Iterator[tuple[str, bytes]]:
        """What arrived at each secret store."""
        yield "keyvault", _all(self.keyvault.requests)
        yield "gcp", b"".join(repr(called.request).encode() for called in self.gcp.requests)
        for service, name in (("AmazonSSM", "ssm"), ("secretsmanager", "secrets")):
            of = [each for each in self.aws_door.requests if service in each.headers.get("x-amz-target", "")]
            yield name, _all(of)
        if self.bao_door is not None:
            for mount, name in (("/v1/secret/", "vault"), ("/v1/old/", "vault1")):
                yield name, _all([each for each in self.bao_door.requests if each.path.startswith(mount)])


def is_write(request: Request) -> bool:
    """Does it ask for a change? All of AWS is POST: there the operation says it."""
    operation = request.headers.get("x-amz-target", "").rpartition(".")[2]
    if operation:
        return not operation.startswith(_ASKING)
    return request.method not in READING and "oauth2" not in request.path


KINDS = (
    "refused",
    "denied",
    "failed",
    "malformed",
    "shapeless",
    "unacknowledged",
    "cut",
    "hanging",
    "throttled",
)
_STATUS = {"refused": 400, "denied": 403, "failed": 500, "malformed": 200, "shapeless": 200, "throttled": 429}


def play(door: HttpServer, kind: str, echo: str, meets: Any) -> None:
    match kind:
        case "unacknowledged":
            door.drop_next(4, meets)
        case "cut":
            door.cut_next(9, 4, meets)
        case "hanging":
            door.hang_next(1, meets)
        case _:
            body = bodies(echo)["not JSON" if kind == "shapeless" else "JSON"]
            # A header cannot hold any letter.
            told = {
                "Content-Type": "application/json",
                "X-Told": echo[10:],
                "Location": f"http://{echo[10:]}@no/",
            }
            door.fail_next(_STATUS[kind], told, body, 40, meets)


def bodies(echo: str) -> Mapping[str, str]:
    """Answers that repeat what they were sent, in all the fields where SDKs look for a reason."""
    fields = dict.fromkeys(("message", "Message", "title", "detail", "description", "type", "reason"), echo)
    error: dict[str, Any] = {"error": {"code": echo, "message": echo, "innererror": {"code": echo}}}
    return {
        "JSON": json.dumps(
            {"__type": echo, "errors": [echo], "warnings": [echo], **error, **fields, "data": echo}
        ),
        "not JSON": f"<html>{echo} <Code>{echo}</Code> {{",
    }


_CODES = {
    "refused": grpc.StatusCode.INVALID_ARGUMENT,
    "denied": grpc.StatusCode.PERMISSION_DENIED,
    "failed": grpc.StatusCode.INTERNAL,
    "malformed": grpc.StatusCode.UNKNOWN,
    "shapeless": grpc.StatusCode.DATA_LOSS,
    "cut": grpc.StatusCode.UNAVAILABLE,
    "throttled": grpc.StatusCode.RESOURCE_EXHAUSTED,
}


def play_gcp(gcp: GcpSecretsServer, kind: str, echo: str, method: str) -> None:
    match kind:
        case "unacknowledged":
            gcp.lose_ack_next(method, 4)
        case "hanging":
            gcp.hold_next(method)
        case _:
            gcp.fail_next(method, _CODES[kind], echo, 4, echo.encode())


def links(connections: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A link to every place; also those that are not made for secrets are told to copy them, or not to."""
    copy: dict[str, Any] = {"mode": "mirror", "secrets": "copy"}
    two: dict[str, Any] = {"mode": "two-way", "secrets": "copy", "first": "store"}
    names: dict[str, dict[str, Any]] = {
        "safe": {"place": "safe.yaml", "mapping": "document", **two, "priority": 50},
        "vault": {"place": "app/", "mapping": "fields", **two, "priority": 40},
        "vault1": {"place": "app/", "mapping": "fields", **copy},
        "keyvault": {"place": "app-", "mapping": {"name": "path", "separator": "--"}, **copy},
        "gcp": {"place": "app-", "mapping": {"name": "path", "separator": "__"}, **copy},
        "ssm": {"place": "/app/", "mapping": "path", **copy},
        "secrets": {"place": "app/", "mapping": "path", **copy},
        "consul": {"place": "app/", "mapping": "path", "mode": "mirror", "secrets": "copy"},
        "azure": {"place": "|app/", "mapping": "path", "mode": "mirror", "secrets": "refuse"},
        "appconfig": {
            "place": "acme/prod/settings",
            "mapping": {"name": "document", "format": "json"},
            "mode": "mirror",
            "secrets": "copy",
        },
        "plain": {"place": "plain.yaml", "mapping": "document", "mode": "mirror", "secrets": "refuse"},
    }
    return [{"connection": name, **link} for name, link in names.items() if name in connections]


@contextmanager
def opened(folder: Path) -> Iterator[Places]:
    """All servers; without Vault where its program is not installed, unless every server must be there."""
    folder.mkdir()
    with ExitStack() as stack:
        bao, door = _bao(stack)
        aws = stack.enter_context(AwsServer())
        # The first request takes longer than a client here waits.
        aws.client().describe_parameters()
        aws.client("secretsmanager").list_secrets()
        yield Places(
            folder,
            bao,
            door,
            stack.enter_context(KeyVaultServer()),
            stack.enter_context(GcpSecretsServer()),
            aws,
            stack.enter_context(front(aws.url)),
            stack.enter_context(ConsulServer()),
            stack.enter_context(AzureAppConfigServer()),
            stack.enter_context(AppConfigServer()),
        )


def _bao(stack: ExitStack) -> tuple[OpenBaoServer | None, HttpServer | None]:
    try:
        bao = stack.enter_context(OpenBaoServer())
    except NotReady:
        if os.environ.get("ECS_SYNC_REQUIRE_BACKENDS") == "all":
            raise
        return None, None
    bao.mount("old", version=1)
    bao.call("POST", "sys/mounts/transit", {"type": "transit"})
    bao.call("POST", "transit/keys/ecs-sync", {})
    return bao, stack.enter_context(front(bao.url))


def _all(requests: Sequence[Request]) -> bytes:
    return b"\n".join(map(_whole, requests))


def _whole(request: Request) -> bytes:
    return request.target.encode() + repr(request.headers).encode() + b"\n" + request.body
