"""The command ``ecs-sync`` in a process that stops at a point of a run.

``python -m tests.worker.driver POINT ACTION FILE ARGUMENTS...``: at the first reach of the point, FILE
appears; then, by ACTION, the process waits until FILE is removed (``hold``), freezes as by SIGSTOP
(``freeze``), or meets a mistake whose text is a secret (``break``).
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path

from ecs_sync.cli import main
from ecs_sync.faults import Point, attach
from tests.worker.house import CANARY

_first = threading.Lock()


def stop_at(point: Point, action: str, file: Path) -> None:
    def reached(at: Point) -> None:
        if at is not point or not _first.acquire(blocking=False):
            return
        file.touch()
        match action:
            case "hold":
                while file.exists():
                    time.sleep(0.01)
            case "freeze":
                os.kill(os.getpid(), signal.SIGSTOP)
            case "break":
                logging.getLogger("some.sdk").error("sent %s", CANARY)
                raise RuntimeError(f"could not make sense of {CANARY}")
            case _:
                raise AssertionError(action)

    attach(reached)


if __name__ == "__main__":
    stop_at(Point(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
    del sys.argv[1:4]
    main()
