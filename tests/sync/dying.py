"""The command ``ecs-sync`` in a process that is killed at the n-th reach of a point of a run.

``python -m tests.sync.dying POINT N ARGUMENTS...``; ``any 0`` as point dies nowhere.
"""

from __future__ import annotations

import os
import signal
import sys
import threading

from ecs_sync.cli import main
from ecs_sync.faults import Point, attach


def die_at(name: str, reach: int) -> None:
    lock, count = threading.Lock(), 0

    def reached(at: Point) -> None:
        nonlocal count
        with lock:
            count += name in ("any", at)
            if count == reach:
                os.kill(os.getpid(), signal.SIGKILL)

    attach(reached)


if __name__ == "__main__":
    die_at(sys.argv[1], int(sys.argv[2]))
    del sys.argv[1:3]
    main()
