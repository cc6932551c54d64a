"""What carries run ids to threads: a timer and a pool. The only file that knows APScheduler.

Everything that must survive, or be agreed on by several workers, is in the store; a carrier remembers
nothing. One that spans machines would be another file with these methods.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.background import BackgroundScheduler

Execute = Callable[[str], None]
"""Carries out the run of an id. Raises nothing."""


class Carrier(Protocol):
    """Calls ``tick`` every ``period`` seconds, and carries out what is submitted, some at a time."""

    def start(self, tick: Callable[[], None], period: float) -> None: ...

    def submit(self, run: str) -> None:
        """The run of this id is carried out when there is a thread for it."""

    def stop(self, grace: float) -> bool:
        """No more ticks. False where runs are still under way after ``grace`` seconds."""

    @property
    def running(self) -> bool: ...


class LocalCarrier:
    """A carrier inside this process, on APScheduler's timer and thread pool."""

    def __init__(self, execute: Execute, threads: int) -> None:
        self._execute = execute
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            jobstores={"default": MemoryJobStore()},
            executors={"default": ThreadPoolExecutor(1), "runs": ThreadPoolExecutor(threads)},
        )

    def start(self, tick: Callable[[], None], period: float) -> None:
        # Ticks that a busy or frozen process missed are one tick.
        self._scheduler.add_job(
            tick,
            "interval",
            seconds=period,
            next_run_time=datetime.now(UTC),
            coalesce=True,
            max_instances=1,
            misfire_grace_time=None,
        )
        self._scheduler.start()

    def submit(self, run: str) -> None:
        self._scheduler.add_job(self._execute, args=[run], id=run, executor="runs", misfire_grace_time=None)

    def stop(self, grace: float) -> bool:
        ending = threading.Thread(target=self._scheduler.shutdown, name="shutdown", daemon=True)
        ending.start()
        ending.join(grace)
        return not ending.is_alive()

    @property
    def running(self) -> bool:
        return bool(self._scheduler.running)
