"""The worker's process: begins, listens to signals, and ends clean."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from types import FrameType

from ecs_sync.exits import Exit, first
from ecs_sync.store import RunState
from ecs_sync.workbench import Workbench
from ecs_sync.worker.carrier import Carrier, LocalCarrier
from ecs_sync.worker.desk import VERB, Desk
from ecs_sync.worker.execute import execute
from ecs_sync.worker.health import answering
from ecs_sync.worker.logs import Log
from ecs_sync.worker.planner import Planner, served
from ecs_sync.worker.timetable import local_zone

PERIOD = 1.0
"""Seconds between two ticks, and between two signs of life."""

_LOOK = 0.1

Signals = SimpleQueue[int]
"""Its ``put`` may be called from a signal's handler whatever the thread was doing."""


@dataclass(frozen=True, slots=True)
class Shift:
    """How long a worker works: until it is stopped, or once; ``everything`` makes every job due now.

    ``grace`` is how many seconds runs have to end in after a stop was asked for.
    """

    once: bool
    everything: bool
    grace: float


def work(bench: Workbench, who: str, log: Log, shift: Shift) -> Exit:
    """Works until the shift ends. The exit code of what ran where it works once, else DONE.

    SIGTERM and SIGINT stop it: no run begins, those under way end with their group of writes. Where they
    do not within the grace time, or at a second signal, the process ends at once with INTERRUPTED; what
    was under way is recovered by the next run. Raises ConfigError and StoreError where it cannot begin.
    """
    zone = local_zone()
    desk = Desk.of(bench, who, log, PERIOD)
    carrier = LocalCarrier(lambda run: execute(desk, run), bench.config.worker.threads)
    planner = Planner.of(desk, carrier.submit, zone)
    with _signals() as signals, answering(bench.config.worker.health, desk, carrier):
        log.info(
            "worker_started",
            jobs=len(served(desk)),
            scheduled=len(planner.rhythms),
            zone=str(zone),
            process=bench.store.this_process(),
        )
        if shift.once:
            code = _once(desk, carrier, planner, signals, _called(desk, planner, shift))
        else:
            code = _always(desk, carrier, planner, signals)
        return _end(desk, carrier, shift.grace, code)


def _always(desk: Desk, carrier: Carrier, planner: Planner, signals: Signals) -> Exit:
    carrier.start(planner.tick, PERIOD)
    while not _signalled(signals, PERIOD / 2):
        desk.vitals.beaten()
    return Exit.DONE


def _called(desk: Desk, planner: Planner, shift: Shift) -> Sequence[str]:
    """The runs that wait for a worker that works once. Raises StoreError."""
    if shift.everything:
        return [desk.schedule.enqueue(job, VERB, desk.who, "asked for now") for job in served(desk)]
    planner.slots(datetime.now(UTC))
    return planner.waiting()


def _once(desk: Desk, carrier: Carrier, planner: Planner, signals: Signals, called: Sequence[str]) -> Exit:
    """Sees every run to its end, whoever carries it out."""
    carrier.start(lambda: planner.guarded(planner.send), PERIOD)
    left, codes = set(called), []
    while left:
        if _signalled(signals, _LOOK):
            return Exit.INTERRUPTED
        desk.vitals.beaten()
        for run in [desk.bench.store.run(id) for id in left]:
            if run is not None and run.state in (RunState.DONE, RunState.LOST):
                left.discard(run.id)
                codes.append(Exit.ERROR if run.exit_code is None else Exit(run.exit_code))
    return first(codes)


def _end(desk: Desk, carrier: Carrier, grace: float, code: Exit) -> Exit:
    desk.stopping.set()
    desk.log.info("worker_stopping", grace=grace)
    if not carrier.stop(grace):
        desk.log.warning("worker_stopped", exit=int(Exit.INTERRUPTED), clean=False)
        _leave()
    desk.log.info("worker_stopped", exit=int(code), clean=True)
    return code


@contextmanager
def _signals() -> Iterator[Signals]:
    """The signals that ask for the end, in order. A second one ends the process at once."""
    arrived: Signals = SimpleQueue()

    def arrive(number: int, _: FrameType | None) -> None:
        if seen:
            _leave()
        seen.append(number)
        arrived.put(number)

    seen: list[int] = []
    before = {number: signal.signal(number, arrive) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield arrived
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _signalled(signals: Signals, wait: float) -> bool:
    try:
        signals.get(timeout=wait)
    except Empty:
        return False
    return True


def _leave() -> None:
    """Ends the process without waiting for its threads."""
    sys.stderr.flush()
    os._exit(Exit.INTERRUPTED)
