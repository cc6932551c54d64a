"""The verbs: read the configuration, call the engine, show what came of it, and say it with an exit code.

Nothing heavy is imported before a verb needs it: ``--help`` costs no SDK, no SQLAlchemy, no pydantic.
"""

from __future__ import annotations

import sys


def main() -> None:
    """The command ``ecs-sync``: exits with a code of `ecs_sync.report.Exit`."""
    from ecs_sync.cli.app import run

    sys.exit(run(sys.argv[1:]))
