"""``sandbox``: stand-ins for providers on this machine, to try everything without an account."""

from __future__ import annotations

import signal
import threading
from contextlib import ExitStack
from importlib import import_module
from typing import Any

import click

from ecs_sync.cli.calling import Call, say, verb, warn
from ecs_sync.errors import ConfigError
from ecs_sync.report import Exit

_READY = """\
# Ready to use while the sandbox runs: save it as ecs-sync.yaml; 'ecs-sync init' makes its store.
store: {{url: "sqlite:///ecs-sync.db"}}
connections:
{connections}\
jobs:
  demo:
    scope: {{application: demo}}
    links:
{links}\
"""


@click.group(epilog="Example: ecs-sync sandbox up > ecs-sync.yaml")
def sandbox() -> None:
    """Serve stand-ins for providers on this machine."""


@sandbox.command("up", epilog="Example: ecs-sync sandbox up --consul-port 8500")
@click.option("--consul-port", default=0, metavar="PORT", help="0 takes a free one.")
@click.option("--aws-port", default=0, metavar="PORT", help="0 takes a free one.")
@click.option("--only", type=click.Choice(["consul", "aws"]), help="Serve only this one.")
@verb
def up(call: Call, consul_port: int, aws_port: int, only: str | None) -> int:
    """Serve a Consul and an AWS Parameter Store on this machine, and print a configuration for them.

    They hold what is written until Ctrl-C ends them, and listen on the loopback address only.
    """
    stopped = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    try:
        with ExitStack() as servers:
            connections, links = "", ""
            if only != "aws":
                consul = servers.enter_context(_server("consul", "ConsulServer")(port=consul_port))
                connections += f'  consul: {{adapter: consul, url: "{consul.url}"}}\n'
                links += (
                    "      - {connection: consul, place: demo/, mapping: path, mode: two-way, priority: 50}\n"
                )
            if only != "consul":
                aws = servers.enter_context(_server("aws", "AwsServer")(port=aws_port))
                connections += f'  ssm: {{adapter: aws-ssm, region: {aws.region}, endpoint: "{aws.url}"}}\n'
                links += "      - {connection: ssm, place: /demo/, mapping: path, mode: mirror}\n"
            say(_READY.format(connections=connections, links=links))
            if only != "consul":
                warn("its AWS takes any credential: export AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any")
            warn("the sandbox is up; Ctrl-C ends it")
            stopped.wait()
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)
    return Exit.DONE


def _server(module: str, name: str) -> Any:
    """A stand-in, found by name when it is called for: the engine stands without it."""
    try:
        return getattr(import_module(f"ecs_sync_sandbox.{module}"), name)
    except ImportError as error:
        raise ConfigError(
            f"the sandbox needs {error.name}, which is not installed: pip install 'ecs-sync[sandbox]'"
        ) from None
