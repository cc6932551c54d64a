"""Providers that wrap a key of the store, each with two keys: what a test configures, and breaks."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from azure.keyvault.keys._shared import http_challenge_cache

from ecs_sync_sandbox.aws import AwsServer
from ecs_sync_sandbox.azure_keyvault import KeyVaultServer
from ecs_sync_sandbox.openbao import ROOT_TOKEN
from tests.adapters import vault_sandbox

FIRST, SECOND = "ecs-sync", "ecs-sync-2"


@dataclass(frozen=True)
class Keeper:
    """``connection`` is an entry of ``connections:``; ``first`` and ``second`` are keys of the provider.

    ``down`` is what to change in the entry so that nobody answers.
    """

    connection: Mapping[str, Any]
    environ: Mapping[str, str]
    scheme: str
    first: str
    second: str
    down: Mapping[str, Any]
    disable: Callable[[str], object]
    deny: Callable[[str], object]
    rotate: Callable[[str], object]

    def entry(self, **more: Any) -> str:
        """The entry as YAML on one line."""
        return json.dumps({**self.connection, "pace": {"retries": 0}, **more})


@contextlib.contextmanager
def vault(adapter: str) -> Iterator[Keeper]:
    with vault_sandbox.server() as bao:
        bao.call("POST", "sys/mounts/transit", {"type": "transit"})
        for name in (FIRST, SECOND):
            bao.call("POST", f"transit/keys/{name}", {})
        allowed = {f"transit/{verb}/{FIRST}*": ["update"] for verb in ("encrypt", "decrypt")}
        bao.policy("store-key", allowed)
        token = bao.token("store-key")
        yield Keeper(
            {"adapter": adapter, "url": bao.url, "token": "env:KEEPER_TOKEN"},
            {"KEEPER_TOKEN": token},
            "vault-transit",
            FIRST,
            SECOND,
            {"url": "http://127.0.0.1:9"},
            lambda name: bao.call("DELETE", f"transit/keys/{name}/soft-delete", token=ROOT_TOKEN),
            lambda name: bao.policy("store-key", {f"transit/encrypt/{name}": ["update"]}),
            lambda name: bao.call("POST", f"transit/keys/{name}/rotate", {}),
        )


@contextlib.contextmanager
def aws(adapter: str) -> Iterator[Keeper]:
    with AwsServer() as server:
        kms = server.client("kms")
        first, second = (kms.create_key()["KeyMetadata"]["Arn"] for _ in range(2))
        kms.create_alias(AliasName=f"alias/{FIRST}", TargetKeyId=first)
        yield Keeper(
            {
                "adapter": adapter,
                "region": "eu-west-1",
                "credential": "explicit",
                "kms_endpoint": server.url,
                "access_key_id": "env:KEEPER_ID",
                "secret_access_key": "env:KEEPER_SECRET",
            },
            {"KEEPER_ID": "AKIDSANDBOX", "KEEPER_SECRET": "word"},
            "aws-kms",
            f"alias/{FIRST}",
            second,
            {"kms_endpoint": "http://127.0.0.1:9"},
            lambda name: kms.disable_key(KeyId=first.rpartition("/")[2]),
            lambda name: server.deny("Decrypt", name),
            lambda name: kms.rotate_key_on_demand(KeyId=first.rpartition("/")[2]),
        )


@contextlib.contextmanager
def azure() -> Iterator[Keeper]:
    http_challenge_cache.clear()
    with KeyVaultServer() as server:
        for name in (FIRST, SECOND):
            server.keys.create(name)
        yield Keeper(
            server.connection(),
            server.environment,
            "azure-rsa-oaep-256",
            FIRST,
            SECOND,
            {"vault": "https://127.0.0.1:9"},
            server.keys.disable,
            lambda name: server.faults.fail_next(
                403, times=9, when=lambda request: request.path.lower().endswith("unwrapkey")
            ),
            server.keys.create,
        )


KEEPERS: dict[str, Callable[[], contextlib.AbstractContextManager[Keeper]]] = {
    "vault-kv2": lambda: vault("vault-kv2"),
    "vault-kv1": lambda: vault("vault-kv1"),
    "aws-ssm": lambda: aws("aws-ssm"),
    "aws-secrets": lambda: aws("aws-secrets"),
    "azure-keyvault": azure,
}
