"""The verb ``demo``: the product's story in a few seconds, told by the product's own command.

Everything happens in a temporary folder, with a SQLite store, the local stand-ins for Consul and AWS, and
a real OpenBao where its package is installed. Each command is printed before it runs, so that it can be
typed again by hand.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import click

from ecs_sync.cli.app import run
from ecs_sync_sandbox.aws import AwsServer
from ecs_sync_sandbox.consul import ConsulServer
from ecs_sync_sandbox.openbao import OpenBaoServer, program

_LEGACY = """\
# Settings of the payments service, as they have lain on the old server for years.
service:
  name: payments
  timeout: 30
  banner: "Now with refunds"
retry:
  maxAttempts: 5
  backoff: 0.50
limits:
  perMinute: 600
features:
  refunds: true
"""

_CONFIG = """\
store: {{url: "sqlite:///ecs-sync.db", key: "file:secrets.key"}}
connections:
  legacy: {{adapter: files, root: ./legacy}}
  consul: {{adapter: consul, url: "{consul}"}}
  ssm:
    adapter: aws-ssm
    region: eu-west-1
    endpoint: "{aws}"
    credential: explicit
    access_key_id: "env:DEMO_KEY_ID"
    secret_access_key: "env:DEMO_KEY"
    pace: {{write_rate: 200, rate: 200}}   # a local server; AWS itself takes 3 writes a second
{vault}\
jobs:
  payments:
    scope: {{tenant: acme, environment: prod, application: payments}}
    every: 1m
    links:
      - {{connection: legacy, place: payments.yaml, mapping: document, mode: import, priority: 10}}
      - {{connection: consul, place: acme/prod/payments/, mapping: path, mode: two-way, priority: 50}}
      - {{connection: ssm, place: /acme/prod/payments/, mapping: path, mode: mirror, hard_deletes: true}}
{secrets}\
"""

_SECRETS = """\
  passwords:
    scope: {tenant: acme, environment: prod, application: payments-db}
    links:
      - connection: vault
        place: acme/prod/payments/
        mapping: fields
        mode: import
        secrets: reference     # the store shall say where the password is, and not have it
        priority: 90
      - connection: ssm
        place: /acme/prod/payments-db/
        mapping: path
        mode: mirror
        secrets: copy
"""

_VAULT = """\
  vault: {{adapter: vault-kv2, url: "{vault}", token: "env:SANDBOX_VAULT_TOKEN"}}
"""

_KILLED = """\
import os, signal, sys
from ecs_sync import faults
from ecs_sync.cli.app import run
def kill(point):
    if point is faults.Point.SENT:
        os.kill(os.getpid(), signal.SIGKILL)
faults.attach(kill)
sys.exit(run(sys.argv[1:]))
"""


_DB = "acme/prod/payments/db"


@click.command(epilog="Example: ecs-sync demo --keep ./demo")
@click.option("--keep", type=click.Path(path_type=Path), help="Leave the demo's folder behind, here.")
def demo(keep: Path | None) -> int:
    """Tell the product's story with local servers, in a few seconds."""
    with ExitStack() as servers:
        servers.enter_context(_folder(keep))
        consul, aws = servers.enter_context(ConsulServer()), servers.enter_context(AwsServer())
        vault = servers.enter_context(OpenBaoServer()) if program() else None
        os.environ.update(DEMO_KEY_ID="demo", DEMO_KEY="demo-key")
        Path("legacy").mkdir()
        Path("legacy/payments.yaml").write_text(_LEGACY, encoding="utf-8")
        Path("ecs-sync.yaml").write_text(_configuration(consul, aws, vault), encoding="utf-8")
        return _tell(Stage(consul, aws, vault))


def _configuration(consul: ConsulServer, aws: AwsServer, vault: OpenBaoServer | None) -> str:
    if vault is None:
        return _CONFIG.format(consul=consul.url, aws=aws.url, vault="", secrets="")
    os.environ.update(vault.environment)
    reached = _VAULT.format(vault=vault.url)
    return _CONFIG.format(consul=consul.url, aws=aws.url, vault=reached, secrets=_SECRETS)


class Stage:
    """What the story needs: servers to edit by hand, and a count of what did not go as told."""

    def __init__(self, consul: ConsulServer, aws: AwsServer, vault: OpenBaoServer | None) -> None:
        self.consul, self.aws, self.vault = consul, aws, vault
        self.surprises: list[str] = []

    def ecs(self, *words: str, code: int = 0) -> None:
        """Runs ``ecs-sync`` with these words, and minds that it exits with ``code``."""
        _command(shlex.join(["ecs-sync", *words]))
        found = run(list(words))
        self._mind(words, found, code)

    def killed(self, *words: str) -> None:
        """Runs ``ecs-sync`` in a process that is killed as soon as the first place has answered."""
        _command(shlex.join(["ecs-sync", *words]) + "     # killed (SIGKILL) in the middle")
        done = subprocess.run([sys.executable, "-c", _KILLED, *words], capture_output=True, check=False)
        self._mind(words, done.returncode, -signal.SIGKILL)

    def by_hand(self, key: str, value: str) -> None:
        _command(f"consul kv put acme/prod/payments/{key} {shlex.quote(value)}     # somebody, by hand")
        self.consul.kv.put(f"acme/prod/payments/{key}", value.encode())

    def in_vault(self, vault: OpenBaoServer, password: str) -> None:
        _command(f"vault kv put secret/acme/prod/payments/db user=app password={password}     # by hand")
        vault.call("POST", f"secret/data/{_DB}", {"data": {"user": "app", "password": password}})

    def copied(self, password: str) -> None:
        """Shows what Parameter Store holds, and minds that it is this."""
        name = "/acme/prod/payments-db/db/password"
        _command(f"aws ssm get-parameter --with-decryption --name {name}     # what is there now")
        found = self.aws.client().get_parameter(Name=name, WithDecryption=True)["Parameter"]
        click.echo(f"{found['Type']}, version {found['Version']}: {found['Value']}")
        if found["Value"] != password:
            self.surprises.append(f"{name} is not what Vault has")

    def _mind(self, words: tuple[str, ...], found: int, wanted: int) -> None:
        if found:
            click.secho(f"exit {found}", dim=True)
        if found != wanted:
            self.surprises.append(f"'{shlex.join(words)}' exited with {found}, not {wanted}")


def _tell(stage: Stage) -> int:
    _chapter("A configuration: an old YAML file, Consul, and Parameter Store")
    click.echo(Path("ecs-sync.yaml").read_text(encoding="utf-8"))
    stage.ecs("store", "new-key", "secrets.key")
    stage.ecs("init")
    stage.ecs("validate")

    _chapter("What would happen? Nothing is written yet")
    stage.ecs("plan", "payments", code=2)

    _chapter("The file is imported, and mirrored to Consul and Parameter Store")
    stage.ecs("sync", "payments")

    _chapter("Somebody edits Consul by hand: drift says who moved, and the next run adopts it")
    stage.by_hand("service/timeout", "45")
    stage.ecs("drift", "payments", code=2)
    stage.ecs("sync", "payments")

    _chapter("Two sides disagree: the higher priority wins, the loser is kept and can be taken back")
    stage.by_hand("retry/maxAttempts", "9")
    _edit("legacy/payments.yaml", "maxAttempts: 5", "maxAttempts: 7")
    stage.ecs("sync", "payments")
    stage.ecs("conflicts", "payments", "--all")
    stage.ecs("resolve", "payments", "retry/maxAttempts", "--take", "legacy")
    stage.ecs("sync", "payments")

    _chapter("A value that Parameter Store cannot hold is refused by name, before the first write")
    stage.ecs("set", "payments", "service/banner", "Hello {{name}}", "--reason", "templated greeting")
    stage.ecs("plan", "payments", code=2)
    stage.ecs("set", "payments", "service/banner", "Hello", "--reason", "a greeting that fits everywhere")
    stage.ecs("sync", "payments")

    _chapter("A run is killed in the middle; the next one finishes it")
    stage.ecs("set", "payments", "limits/perMinute", "900", "--type", "integer")
    stage.killed("sync", "payments")
    stage.ecs("sync", "payments")

    _tell_of_secrets(stage)

    _chapter("The worker runs it on a schedule")
    stage.by_hand("features/refunds", "false")
    stage.ecs("worker", "--once", "--now")

    _chapter("And now nothing is left to do")
    stage.ecs("plan")
    stage.ecs("audit", "verify")
    for surprise in stage.surprises:
        click.secho(f"not as told: {surprise}", fg="red", err=True)
    return 1 if stage.surprises else 0


def _tell_of_secrets(stage: Stage) -> None:
    if stage.vault is None:
        _chapter("A secret that is rotated: left out, because OpenBao is not installed")
        click.echo("pip install 'ecs-sync[sandbox]' (on Linux) brings it.")
        return
    _chapter("A password lives in Vault: the store says where it is, Parameter Store has a copy")
    stage.in_vault(stage.vault, "first-word")
    stage.ecs("sync", "passwords")
    stage.ecs("get", "passwords", "db/password")

    _chapter("It is rotated in Vault, and the next run follows")
    stage.in_vault(stage.vault, "second-word")
    stage.ecs("sync", "passwords")
    stage.copied("second-word")


def _chapter(title: str) -> None:
    click.secho(f"\n── {title} ──", bold=True)


def _command(line: str) -> None:
    click.secho(f"\n$ {line}", fg="cyan", bold=True)


def _edit(path: str, before: str, after: str) -> None:
    _command(f"sed -i {shlex.quote(f's/{before}/{after}/')} {path}     # somebody else, in the old file")
    file = Path(path)
    file.write_text(file.read_text(encoding="utf-8").replace(before, after), encoding="utf-8")


@contextmanager
def _folder(keep: Path | None) -> Iterator[None]:
    """The working directory is the demo's folder inside, and what it was outside."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="ecs-sync-demo-", ignore_cleanup_errors=True) as temporary:
        folder = keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        os.chdir(folder)
        try:
            yield
        finally:
            with suppress(OSError):
                os.chdir(before)
