"""A connection that could not be opened is told when the file is validated: its option, with file and line.

Nothing is asked of a network, and no secret is read: where a secret only is named, or is nowhere to be had
on this machine, it counts as given.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ecs_sync.adapter import UNREAD
from ecs_sync.cli.app import run
from ecs_sync.config import Config, load
from ecs_sync.errors import ConfigError
from ecs_sync.registry import Registry

LINE = 4
"""Of the connection in question."""
CANARY = "canary-7d1e"
ROLE = "arn:aws:iam::123456789012:role/ecs-sync"
SECRET = "env:NOT_SET_HERE"

RIGHT: dict[str, dict[str, Any]] = {
    "aws-appconfig": {"region": "eu-west-1"},
    "aws-secrets": {"region": "eu-west-1"},
    "aws-ssm": {"region": "eu-west-1"},
    "azure-appconfig": {"endpoint": "https://acme.azconfig.io", "credential": "default"},
    "azure-keyvault": {"vault": "https://acme.vault.azure.net"},
    "consul": {"url": "http://127.0.0.1:8500", "token": SECRET},
    "gcp-secrets": {"project": "acme-prod-1"},
    "vault-kv1": {"url": "https://vault.example:8200", "token": SECRET},
    "vault-kv2": {"url": "https://vault.example:8200", "token": SECRET},
}
"""A connection of each adapter that nothing is wrong with."""

Wrong = tuple[dict[str, Any], str]
"""Options that are changed, those that are None left out; and what is told of them."""

AWS: list[Wrong] = [
    ({"region": "Ireland"}, "region 'Ireland' is not a region's name, such as eu-west-1"),
    ({"credential": "explicit"}, "credential 'explicit' needs access_key_id"),
    ({"credential": "explicit"}, "credential 'explicit' needs secret_access_key"),
    ({"credential": "explicit", "access_key_id": SECRET}, "credential 'explicit' needs secret_access_key"),
    ({"credential": "assume-role"}, "credential 'assume-role' needs role_arn"),
    ({"credential": "assume-role", "role_arn": "ecs-sync"}, "role_arn is not a role's ARN, such as arn:"),
    ({"credential": "profile"}, "credential 'profile' needs profile"),
    ({"secret_access_key": SECRET}, "credential 'default' does not use secret_access_key"),
    ({"external_id": "acme"}, "credential 'default' does not use external_id"),
    ({"session_name": "two words"}, "session_name is not 2 to 64 letters"),
    ({"endpoint": "vpce-1.eu-west-1.vpce.amazonaws.com"}, "endpoint is not a URL such as https://"),
    ({"sts_endpoint": "sts"}, "sts_endpoint is not a URL such as https://"),
    ({"connect_timeout": 0}, "connect_timeout must be more than 0"),
    ({"read_timeout": 0}, "read_timeout must be more than 0"),
    ({"concurrency": 0}, "concurrency must be more than 0"),
]
VAULT: list[Wrong] = [
    ({"token": None}, "auth 'token' needs token"),
    ({"auth": "approle", "token": None}, "auth 'approle' needs role_id"),
    ({"auth": "approle", "role_id": "ecs-sync"}, "auth 'approle' does not use token"),
    ({"auth": "approle", "role_id": "a b", "token": None}, "role_id is empty, or holds a space"),
    ({"auth": "token-file", "token": None}, "auth 'token-file' needs token_file"),
    ({"auth": "jwt", "token": None}, "auth 'jwt' needs jwt_file"),
    ({"auth": "kubernetes", "token": None}, "auth 'kubernetes' needs role"),
    ({"auth": "cert", "token": None}, "auth 'cert' needs client_cert"),
    ({"mount": "/secret/"}, "mount '/secret/' is not written like 'kv' or 'team/kv'"),
    ({"transit": ""}, "transit '' is not written like"),
    ({"namespace": "/admin"}, "namespace '/admin' is not written like"),
    ({"url": "vault.example:8200"}, "url is not written like https://vault.example:8200"),
    ({"url": "https://vault.example:8200/v1"}, "url ends in /v1, which the adapter adds: write it like"),
    ({"url": "https://vault.example:8200/v1/"}, "url ends in /v1, which"),
    ({"client_key": "key.pem"}, "client_key goes with client_cert"),
    ({"url": "http://vault.example", "client_cert": "a.pem"}, "client_cert is shown to an https server only"),
    ({"proxy": "proxy:3128"}, "proxy is not "),
    ({"proxy_login": SECRET}, "proxy_login goes with proxy"),
    ({"connect_timeout": 0}, "connect_timeout must be more than 0"),
    ({"read_timeout": 0}, "read_timeout must be more than 0"),
    ({"concurrency": 0}, "concurrency must be more than 0"),
]
WRONG: dict[str, list[Wrong]] = {
    "aws-appconfig": [
        *AWS,
        ({"max_bytes": 0}, "max_bytes must be more than 0"),
        ({"strategy": ""}, "strategy is empty: name one"),
        ({"content_type": "json"}, "content_type is no media type such as application/json"),
    ],
    "aws-secrets": [
        *AWS,
        ({"recovery_window_days": 3}, "recovery_window_days must be 7 to 30"),
        ({"account": "acme"}, "account 'acme' is not an account's number of 12 digits"),
        ({"kms_endpoint": "kms"}, "kms_endpoint is not a URL such as https://"),
    ],
    "aws-ssm": [
        *AWS,
        ({"account": "acme"}, "account 'acme' is not an account's number of 12 digits"),
        ({"label": "1st"}, "label is 1 to 100 letters"),
        ({"kms_endpoint": "kms"}, "kms_endpoint is not a URL such as https://"),
    ],
    "azure-appconfig": [
        ({"endpoint": "acme"}, "endpoint is not an https address such as https://acme.azconfig.io"),
        ({"credential": None}, "needs credential, or connection_string"),
        ({"connection_string": SECRET}, "connection_string does not go with credential"),
        ({"credential": None, "connection_string": SECRET, "endpoint": "acme"}, "endpoint is not an https"),
        ({"proxy": "proxy:3128"}, "proxy is not "),
    ],
    "azure-keyvault": [
        ({"vault": "acme"}, "vault is not an https address such as https://acme.vault.azure.net"),
        ({"credential": "client-secret"}, "credential 'client-secret' needs client_secret"),
        ({"client_secret": SECRET}, "credential 'default' does not use client_secret"),
        ({"proxy": "proxy:3128"}, "proxy is not "),
    ],
    "consul": [
        ({"url": "127.0.0.1:8500"}, "url: write it like http://127.0.0.1:8500"),
        ({"url": "http://127.0.0.1:8500/v1"}, "url: ends in /v1, which the adapter adds: write it without"),
        ({"url": "http://127.0.0.1:8500/v1/kv"}, "url: ends in /v1/kv, which the adapter adds"),
        ({"url": "https://host/consul//v1/kv/"}, "url: ends in /v1/kv, which the adapter adds"),
        ({"datacenter": "dc 1"}, "datacenter: letters, digits, '-' and '_'"),
        ({"namespace": "-"}, "namespace: 1 to 64 letters"),
        ({"operations": 129}, "operations: Consul takes 64"),
        ({"timeout": 0}, "timeout: must be a number of seconds above 0"),
        ({"client_key": "key.pem"}, "client_key goes with client_cert"),
        ({"client_cert": "both.pem"}, "client_cert is shown to an https server only"),
        ({"proxy": "proxy:3128"}, "proxy is not "),
        ({"proxy_login": SECRET}, "proxy_login goes with proxy"),
    ],
    "gcp-secrets": [
        ({"project": "Acme Prod"}, "project 'Acme Prod' is not a project's id, such as acme-prod-1"),
        ({"location": "Belgium 1"}, "'Belgium 1' is not a location, such as europe-west3"),
        ({"endpoint": "https://secretmanager.example:443"}, "endpoint is not HOST or HOST:PORT"),
        ({"iam_endpoint": "iam", "impersonate": "a@b.example"}, "iam_endpoint is not a URL such as https://"),
        ({"iam_endpoint": "https://iam.example"}, "iam_endpoint is of use with impersonate only"),
        ({"impersonate": "robot"}, "impersonate is not the e-mail of a service account"),
        ({"credential": "service-account"}, "credential 'service-account' needs credential_file"),
        ({"credential_file": "key.json"}, "credential 'default' does not use credential_file"),
        ({"plaintext": True}, "plaintext is for local servers: it needs endpoint"),
        ({"replication": "user-managed"}, "replication 'user-managed' and replica_locations go together"),
        ({"kms_key": "mine"}, "kms_key is not projects/P/locations/L/keyRings/R/cryptoKeys/K"),
        ({"page_size": 0}, "page_size must be from 1 to"),
        ({"proxy": "proxy:3128"}, "proxy is not "),
        ({"proxy_login": SECRET}, "proxy_login goes with proxy"),
        ({"connect_timeout": 0}, "connect_timeout must be more than 0"),
        ({"read_timeout": 0}, "read_timeout must be more than 0"),
        ({"concurrency": 0}, "concurrency must be more than 0"),
    ],
    "vault-kv1": [
        *VAULT,
        ({"deletes": "soft"}, "deletes is not for KV 1, which deletes for good: leave it out"),
    ],
    "vault-kv2": VAULT,
}
ROWS = [(adapter, changed, told) for adapter, rows in WRONG.items() for changed, told in rows]
REGISTRY = Registry.from_entry_points()


def written(path: Path, adapter: str, changed: dict[str, Any], source: str = SECRET) -> Path:
    """A configuration whose connection of this adapter is in line 4; secrets come from ``source``."""
    options = {name: value for name, value in {**RIGHT[adapter], **changed}.items() if value is not None}
    options = {name: source if value == SECRET else value for name, value in options.items()}
    told = json.dumps({"adapter": adapter, **options})
    file = path / "ecs-sync.yaml"
    lines = ['store: {url: "sqlite:///store.db"}', "connections:", "  keys: {adapter: files, root: ./keys}"]
    file.write_text("\n".join([*lines, f"  tried: {told}", "jobs: {}", ""]), encoding="utf-8")
    return file


def loaded(file: Path, **environ: str) -> Config:
    return load(file, environ=environ, registry=REGISTRY)


def test_every_adapter_of_a_provider_is_looked_at() -> None:
    ours = {name for name in REGISTRY.adapters if REGISTRY.origin(name).startswith("ecs-sync ")}
    assert set(RIGHT) == set(WRONG) == ours - {"files", "memory"}


@pytest.mark.parametrize("source", [SECRET, "@secret:keys/one", "file:nowhere"])
@pytest.mark.parametrize("adapter", RIGHT)
def test_what_is_right_is_taken_wherever_its_secrets_are(tmp_path: Path, adapter: str, source: str) -> None:
    config = loaded(written(tmp_path, adapter, {}, source))
    assert UNREAD not in repr(config)


@pytest.mark.parametrize("source", [SECRET, "@secret:keys/one"])
@pytest.mark.parametrize(("adapter", "changed", "told"), ROWS)
def test_each_wrong_option_is_told_with_its_file_and_line(
    tmp_path: Path, adapter: str, changed: dict[str, Any], told: str, source: str
) -> None:
    file = written(tmp_path, adapter, changed, source)
    with pytest.raises(ConfigError) as caught:
        loaded(file)
    [problem] = [each for each in caught.value.problems if told in each.message]
    assert (problem.file, problem.line) == (str(file), LINE) and problem.path.startswith("connections.tried")


def test_all_that_is_wrong_with_all_connections_is_told_at_once(tmp_path: Path) -> None:
    file = written(tmp_path, "vault-kv2", {"url": "http://vault.example/v1", "mount": "", "concurrency": 0})
    lines = file.read_text(encoding="utf-8").splitlines()
    lines.insert(LINE, "  other: {adapter: gcp-secrets, project: A B, page_size: 0}")
    file.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        loaded(file)
    told = {problem.line: problem.message for problem in caught.value.problems}
    assert all(name in told[LINE] for name in ("url ends in /v1", "mount ''", "concurrency must be"))
    assert all(name in told[LINE + 1] for name in ("project 'A B'", "page_size must be"))


@pytest.mark.parametrize(
    ("adapter", "changed"),
    [
        ("azure-appconfig", {"credential": None, "connection_string": SECRET}),
        ("aws-ssm", {"credential": "explicit", "access_key_id": SECRET, "secret_access_key": SECRET}),
        ("aws-secrets", {"credential": "explicit", "access_key_id": SECRET, "secret_access_key": SECRET}),
        ("aws-appconfig", {"credential": "explicit", "access_key_id": SECRET, "secret_access_key": SECRET}),
        ("consul", {"proxy": "http://proxy:3128", "proxy_login": SECRET}),
        ("gcp-secrets", {"proxy": "http://proxy:3128", "proxy_login": SECRET}),
        ("vault-kv1", {}),
        ("vault-kv2", {"auth": "approle", "role_id": "ecs-sync", "token": None, "secret_id": SECRET}),
    ],
)
def test_a_secret_counts_as_given_where_it_is_named_and_is_looked_at_where_it_is_read(
    tmp_path: Path, adapter: str, changed: dict[str, Any]
) -> None:
    file = written(tmp_path, adapter, changed)
    config = loaded(file)
    assert config.connections["tried"].secrets and config.missing_secrets()
    with pytest.raises(ConfigError) as caught:
        loaded(file, NOT_SET_HERE=f"{CANARY} \n")
    assert caught.value.problems[0].line == LINE
    assert CANARY not in str(caught.value)


def test_validate_tells_it_as_a_person_runs_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path, "aws-secrets", {"recovery_window_days": 3, "credential": "assume-role"})
    assert run(["--config", str(file), "validate", "--without-secrets"]) == 78
    said = capsys.readouterr().err
    assert f"{file}:{LINE}:" in said
    assert "recovery_window_days must be 7 to 30" in said and "'assume-role' needs role_arn" in said
    right = written(tmp_path, "aws-secrets", {})
    assert run(["--config", str(right), "validate", "--without-secrets"]) == 0
