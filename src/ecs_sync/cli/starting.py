"""``init`` and ``validate``: a configuration that stands, and every reason why one does not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ecs_sync.cli.calling import Call, say, verb
from ecs_sync.errors import ConfigError
from ecs_sync.exits import Exit

if TYPE_CHECKING:
    from ecs_sync.config import Config
    from ecs_sync.render.validated import ReferenceShown

DEFAULT_STORE = "sqlite:///ecs-sync.db"

TEMPLATE = """\
# The configuration of ecs-sync: where the store is, which providers there are, and what is kept in step.
# 'ecs-sync validate' lists every problem at once; 'ecs-sync providers' lists what can be connected.

store:
  # The one canonical, versioned store.
  url: "{url}"
{fingerprint}\
  # Secrets are kept in the store only under a key of yours; 'ecs-sync store new-key secrets.key' makes one.
  # key: file:secrets.key

# Where configuration lives. Secrets never stand here: write env:NAME, file:PATH or @secret:CONNECTION/NAME.
connections: {{}}
#   legacy: {{adapter: files, root: ./config}}
#   consul: {{adapter: consul, url: "http://127.0.0.1:8500", token: "env:CONSUL_HTTP_TOKEN"}}

# What is kept in step with what. 'ecs-sync plan' shows what a run would do; nothing is written before
# 'ecs-sync sync'.
jobs: {{}}
#   payments:
#     scope: {{tenant: acme, environment: prod, application: payments}}
#     every: 5m                        # or cron: "*/5 * * * *"; without both, only by hand
#     secret: ["*password*", "*token*"]
#     links:
#       - {{connection: legacy, place: payments.yaml, mapping: document, mode: import, priority: 10}}
#       - {{connection: consul, place: acme/prod/payments/, mapping: path, mode: mirror}}
"""


@click.command(epilog="Example: ecs-sync init --store sqlite:///config-store.db")
@click.option(
    "--store",
    "url",
    metavar="URL",
    help="Where the store of a new configuration is: sqlite:///FILE (by default sqlite:///ecs-sync.db), "
    "postgresql+psycopg://HOST/DATABASE, or env:NAME.",
)
@verb
def init(call: Call, url: str | None) -> int:
    """Make a configuration, a store, and the key of its fingerprints.

    A configuration that is there already is kept, and gets the store and the key that it names.
    Nothing that exists is overwritten, and nothing is left behind where one of the three fails.
    """
    path = call.config_path
    if path.exists():
        if url is not None:
            raise click.UsageError(f"{path} exists already, and names its store: leave --store out")
        store, key = _made(call, call.config())
        say(f"kept {path}; made the store {store} and its fingerprint key {key}\n")
        say(f"Keep {key} in a safe place: without it the store cannot be used.\n")
        return Exit.DONE
    url = url or DEFAULT_STORE
    fingerprint = "" if url.startswith("sqlite:") else _FINGERPRINT
    text = TEMPLATE.format(url=_quoted(url), fingerprint=fingerprint)
    draft = path.with_name(f".{path.name}.new")
    try:
        draft.write_text(text, encoding="utf-8")
        store, key = _made(call, _drafted(call, draft))
        draft.rename(path)
    finally:
        draft.unlink(missing_ok=True)
    say(f"made {path}, the store {store} and its fingerprint key {key}\n")
    say(f"Keep {key} in a safe place: without it the store cannot be used. Next: ecs-sync validate\n")
    return Exit.DONE


_FINGERPRINT = """\
  # The key of fingerprints, made with the store and kept outside it.
  fingerprint_key: ecs-sync.key
"""


def _quoted(url: str) -> str:
    return url.replace("\\", "\\\\").replace('"', '\\"')


def _drafted(call: Call, draft: Path) -> Config:
    from ecs_sync.config import load

    try:
        return load(draft, environ=call.environ, registry=call.registry())
    except ConfigError as error:
        raise ConfigError(f"--store: {error.problems[0].message if error.problems else error}") from None


def _made(call: Call, config: Config) -> tuple[str, Path]:
    """Makes key and store of a configuration; where the store cannot be made, the key goes too."""
    from ecs_sync.connections import Connections
    from ecs_sync.store import Store
    from ecs_sync.workbench import cipher_of, fingerprint_key_of

    keys = fingerprint_key_of(config)
    fingerprint_key = keys.create()
    try:
        with Connections(config, call.registry()) as connections:
            cipher = cipher_of(config, connections)
        with Store.create(config.store.address(), cipher=cipher, fingerprint_key=fingerprint_key) as store:
            where = store.database.where.replace("+pysqlite", "")
    except BaseException:
        keys.path.unlink(missing_ok=True)
        raise
    return where, keys.path


@click.command(epilog="Example: ecs-sync validate -o json")
@click.option("--schema", is_flag=True, help="Print the JSON Schema of the file, for editors.")
@click.option("--without-secrets", is_flag=True, help="Secrets that cannot be read here are no problem.")
@click.option("--references", is_flag=True, help="Also open every reference to a secret, and show none.")
@verb
def validate(call: Call, schema: bool, without_secrets: bool, references: bool) -> int:
    """List all problems of the configuration at once.

    Secrets that cannot be read here are problems too. Nothing is opened or connected to, unless
    --references asks whether those of the configuration and of the store resolve: then the secrets are
    read, on record in the audit trail, and not shown. Exits with 1 where one does not resolve.
    """
    from ecs_sync.config import look
    from ecs_sync.config import schema as schema_of
    from ecs_sync.render.escape import dumps
    from ecs_sync.render.validated import Validation, problems_shown, validation_page

    if schema:
        say(dumps(schema_of(call.registry())))
        return Exit.DONE
    looked = look(call.config_path, environ=call.environ, registry=call.registry())
    problems = sorted({*looked.problems, *(() if without_secrets else looked.missing)})
    if problems and call.format == "text":
        raise ConfigError(f"{call.config_path} cannot be used", problems)
    found = _references_tried(call) if references and not problems else None
    broken = found is not None and any(each.problem for each in found)
    config = looked.config
    validation = Validation(
        "validation",
        Exit.CONFIGURATION if problems else Exit.ERROR if broken else Exit.DONE,
        str(call.config_path),
        sorted(config.jobs) if config is not None else [],
        sorted(config.connections) if config is not None else [],
        problems_shown(problems),
        found,
    )
    call.answer(validation, validation_page(validation))
    return validation.exit


def _references_tried(call: Call) -> list[ReferenceShown]:
    from ecs_sync.cli.referring import tried

    with call.workbench() as bench, call.progress("opening references"):
        return tried(bench)
