"""What ``sandbox up`` prints: a configuration for the stand-ins that run, and how to use it."""

from __future__ import annotations

import base64
import json
import re
import secrets
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ecs_sync_sandbox.running import Missing, Running
from ecs_sync_sandbox.stand_ins import Seat

STORE_KEY = "ECS_SYNC_SANDBOX_STORE_KEY"
_WIDTH = 110
_PLAIN = re.compile(r"(?!(?:true|false|null|yes|no|on|off)\Z)[A-Za-z/][A-Za-z0-9_./-]*", re.IGNORECASE)

_HEAD = f"""\
# For the stand-ins of 'ecs-sync sandbox up', while they run. Save it as ecs-sync.yaml.
store: {{url: "sqlite:///ecs-sync.db", key: "env:{STORE_KEY}"}}
connections:
"""

_JOB = """\
jobs:
  demo:
    scope: {application: demo}
    links:
"""

_NOTHING_THERE = (
    "put something there: ecs-sync set demo greeting hello; printf 1234 | ecs-sync set demo db/pin --secret; "
    "ecs-sync sync"
)


def configuration(served: Sequence[Running]) -> str:
    """The YAML of a configuration with every connection, and one job with a link to each."""
    seats = [(seat, _reached(one, seat)) for one in served for seat in one.row.seats]
    lines: list[str] = []
    for seat, entry in seats:
        paced = {**entry, "pace": seat.pace} if seat.pace else entry
        lines += _entry(f"  {seat.connection}:", paced, 4)
    links: list[str] = []
    for seat, _ in seats:
        links += _entry("      -", {"connection": seat.connection, **seat.link}, 8)
    return _HEAD + "\n".join(lines) + "\n" + _JOB + "\n".join(links) + "\n"


def _reached(one: Running, seat: Seat) -> dict[str, Any]:
    server: Any = one.server
    also = dict.fromkeys(seat.also, server.url) if seat.also else {}
    return {**server.connection(**seat.words), **also}


def exports(served: Sequence[Running], environ: Mapping[str, str]) -> dict[str, str]:
    """The environment variables of the configuration.

    The store's key is made anew unless ``environ`` has one, so that a store of yesterday can be gone on with.
    """
    key = environ.get(STORE_KEY) or base64.b64encode(secrets.token_bytes(32)).decode()
    return {STORE_KEY: key} | {name: text for one in served for name, text in one.server.environment.items()}


def assignments(variables: Mapping[str, str]) -> str:
    """Lines that a shell reads."""
    return "".join(f"export {name}={shlex.quote(text)}\n" for name, text in variables.items())


def notes(served: Sequence[Running], missing: Sequence[Missing], variables: str) -> str:
    """What to do next, as lines that a shell can read as well: all but ``variables`` are comments."""
    names = ", ".join(one.row.name for one in served)
    ideas = [one.row.idea.format(one.server) for one in served if one.row.idea] or [_NOTHING_THERE]
    return "".join(
        [
            f"# the sandbox is up: {names}\n",
            *(f"# without {one.row.name}: {one.reason}\n" for one in missing),
            "# in another terminal, in the folder of the ecs-sync.yaml that was printed:\n",
            variables,
            "# ecs-sync init && ecs-sync sync\n",
            *(f"# {idea}\n" for idea in ideas),
            "# Ctrl-C ends the sandbox, and what it holds is gone then\n",
        ]
    )


def _entry(head: str, fields: Mapping[str, Any], indent: int) -> Iterator[str]:
    """One line, or one for each field where that would be too long."""
    flow = f"{head} {_flow(fields)}"
    if len(flow) <= _WIDTH:
        yield flow
        return
    lines = [f"{name}: {_flow(value)}" for name, value in fields.items()]
    if head.endswith("-"):
        yield f"{head} {lines.pop(0)}"
    else:
        yield head
    yield from (" " * indent + line for line in lines)


def _flow(value: Any) -> str:
    """A value in YAML on one line. All that is not plainly a word is quoted as JSON does it."""
    match value:
        case str():
            return value if _PLAIN.fullmatch(value) else json.dumps(value)
        case Mapping():
            return "{" + ", ".join(f"{name}: {_flow(inner)}" for name, inner in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(_flow, value)) + "]"
    return json.dumps(value)
