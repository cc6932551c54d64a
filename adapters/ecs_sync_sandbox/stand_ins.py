"""The stand-ins that ``sandbox up`` serves: one row each, with its sides of the job that is printed.

A row names the class of a server by its module, so that what is not served is not imported. The job takes
its secrets from Vault as references and its settings from Consul; the other places have copies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Protocol

SETTINGS = {"banner": "Hello", "retry/max": "5", "retry/backoff": "0.50"}
"""What lies in Consul at the beginning."""
SECRETS = {"user": "demo", "password": "first-password"}
"""The fields of the secret ``demo/db`` in Vault at the beginning."""
WRAPPING = "ecs-sync"
"""The key that wraps ``store.key`` at Vault's transit, at KMS (as an alias) and at Key Vault."""

_SECRETS_ONLY = {"include": ["db/*"]}
_SETTINGS_ONLY = {"exclude": ["db/*"]}
_COPY = {"mode": "mirror", "secrets": "copy"}


class StandIn(AbstractContextManager[Any], Protocol):
    """A server for a ``with`` block that says how to reach it."""

    def connection(self) -> Mapping[str, Any]:
        """The entry of ``connections:`` that reaches it. Servers of several adapters take which one."""

    @property
    def environment(self) -> Mapping[str, str]:
        """The environment variables that the entry names, with what they must hold."""


@dataclass(frozen=True, slots=True)
class Seat:
    """A connection to a stand-in, with the words that its ``connection`` takes, and its link in the job.

    ``also`` names further options that hold the server's address.
    """

    connection: str
    link: Mapping[str, Any]
    words: Mapping[str, Any] = field(default_factory=dict)
    pace: Mapping[str, Any] = field(default_factory=dict)
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """A stand-in: its name, where its class is and what that is called with, its connections.

    ``filled`` puts there what lies there at the beginning; ``idea`` is something to try, where ``{0}`` is the
    server.
    """

    name: str
    where: str
    seats: tuple[Seat, ...]
    words: Mapping[str, Any] = field(default_factory=dict)
    filled: Callable[[Any], object] = lambda _: None
    idea: str = ""

    def make(self, port: int) -> StandIn:
        """The server, not started yet. Raises ImportError where a package is missing."""
        module, _, name = self.where.partition(":")
        kind = getattr(import_module(f"ecs_sync_sandbox.{module}"), name)
        made: StandIn = kind(port=port, **self.words)
        return made


def _fill_consul(consul: Any) -> None:
    for key, text in SETTINGS.items():
        consul.kv.put(f"demo/{key}", text.encode())


def _fill_vault(bao: Any) -> None:
    bao.call("POST", "secret/data/demo/db", {"data": SECRETS})
    bao.call("POST", "sys/mounts/transit", {"type": "transit"})
    bao.call("POST", f"transit/keys/{WRAPPING}", {})


def _fill_aws(aws: Any) -> None:
    kms = aws.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName=f"alias/{WRAPPING}", TargetKeyId=key)


_LOCAL = {"rate": 200, "write_rate": 200}

ROWS = (
    Row(
        "vault",
        "openbao:OpenBaoServer",
        (
            Seat(
                "vault",
                {
                    "place": "demo/",
                    "mapping": "fields",
                    "mode": "import",
                    "secrets": "reference",
                    "priority": 90,
                    "select": _SECRETS_ONLY,
                },
            ),
            Seat(
                "vault-kv1",
                {"place": "demo/", "mapping": "fields", **_COPY, "select": _SECRETS_ONLY},
                {"mount": "kv1", "version": 1},
            ),
        ),
        {"mounts": {"kv1": 1}},
        _fill_vault,
        "rotate the secret: curl {0.url}/v1/secret/data/demo/db -H X-Vault-Token:$SANDBOX_VAULT_TOKEN "
        """-d '{{"data": {{"user": "demo", "password": "second"}}}}'  and then: ecs-sync sync""",
    ),
    Row(
        "consul",
        "consul:ConsulServer",
        (
            Seat(
                "consul",
                {
                    "place": "demo/",
                    "mapping": "path",
                    "mode": "two-way",
                    "priority": 50,
                    "select": _SETTINGS_ONLY,
                },
            ),
        ),
        filled=_fill_consul,
        idea="change a setting: curl -X PUT {0.url}/v1/kv/demo/retry/max -d 9  and then: ecs-sync drift",
    ),
    Row(
        "aws",
        "aws:AwsServer",
        (
            Seat("ssm", {"place": "/demo/", "mapping": "path", **_COPY}, pace=_LOCAL, also=("kms_endpoint",)),
            Seat(
                "aws-secrets",
                {"place": "demo/", "mapping": "fields", **_COPY, "select": _SECRETS_ONLY},
                {"adapter": "aws-secrets"},
                also=("kms_endpoint",),
            ),
        ),
        filled=_fill_aws,
    ),
    Row(
        "aws-appconfig",
        "aws_appconfig:AppConfigServer",
        (
            Seat(
                "aws-appconfig",
                {
                    "place": "demo/sandbox/settings",
                    "mapping": {"name": "document", "format": "json"},
                    "mode": "mirror",
                    "select": _SETTINGS_ONLY,
                },
            ),
        ),
        {"applications": {"demo": ("sandbox",), "acme": ("prod", "staging")}},
    ),
    Row(
        "azure-appconfig",
        "azure_appconfig:AzureAppConfigServer",
        (
            Seat(
                "azure-appconfig",
                {"place": "sandbox|demo/", "mapping": "path", "mode": "mirror", "secrets": "reference"},
            ),
        ),
    ),
    Row(
        "azure-keyvault",
        "azure_keyvault:KeyVaultServer",
        (
            Seat(
                "keyvault",
                {
                    "place": "demo-",
                    "mapping": {"name": "path", "separator": "--"},
                    **_COPY,
                    "select": _SECRETS_ONLY,
                },
            ),
        ),
        filled=lambda vault: vault.keys.create(WRAPPING),
    ),
    Row(
        "gcp-secrets",
        "gcp_secrets:GcpSecretsServer",
        (
            Seat(
                "gcp-secrets",
                {
                    "place": "demo-",
                    "mapping": {"name": "path", "separator": "__"},
                    **_COPY,
                    "select": _SECRETS_ONLY,
                },
            ),
        ),
    ),
)
"""Every stand-in, in the order of the printed configuration."""
