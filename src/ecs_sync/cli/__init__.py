"""The verbs: read the configuration, call the engine, show what came of it, and say it with an exit code.

Nothing heavy is imported before a verb needs it: ``--help`` costs no SDK, no SQLAlchemy, no pydantic.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from types import FrameType

_INTERRUPTED = 130


def main() -> None:
    """The command ``ecs-sync``: exits with a code of `ecs_sync.report.Exit`.

    The first Ctrl-C lets calls that are under way end, a second leaves at once. Both are safe: what was
    sent is on record, and the next run begins with it.
    """
    from ecs_sync.cli.app import run

    signal.signal(signal.SIGINT, _stop)
    code = run(sys.argv[1:])
    if code == _INTERRUPTED:
        # Threads may still wait for a provider; the interpreter would wait for them.
        os._exit(code)
    # At its end the interpreter looks for cycles in all that was imported, to free what ends anyway.
    gc.freeze()
    sys.exit(code)


def _stop(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGINT, _leave)
    raise KeyboardInterrupt


def _leave(number: int, frame: FrameType | None) -> None:
    os._exit(_INTERRUPTED)
