"""Carries out one run that waits: takes its job's lease, claims it, and records how it ended."""

from __future__ import annotations

import json
import time

from ecs_sync import sync
from ecs_sync.errors import ConfigError, EcsSyncError, Fenced, LeaseHeld, RunTaken
from ecs_sync.exits import Exit
from ecs_sync.protocol import Result
from ecs_sync.report import Report
from ecs_sync.store import Run, RunState
from ecs_sync.worker.desk import VERB, Desk
from ecs_sync.worker.logs import reason_of


def execute(desk: Desk, id: str) -> None:
    """Raises nothing: what goes wrong in one run is logged, recorded with it, and stops no other."""
    try:
        if not desk.stopping.is_set():
            _execute(desk, id)
    except Exception as error:  # noqa: BLE001 - the last one to know; the run waits and is sent again
        desk.hands.put_off(id, desk.bench.config.worker.lease)
        desk.log.error("run_trouble", run=id, reason=reason_of(error))
    finally:
        desk.hands.drop(id)


def _execute(desk: Desk, id: str) -> None:
    waiting = desk.bench.store.run(id)
    if waiting is None or waiting.state is not RunState.WAITING:
        return
    log = desk.log.bind(job=waiting.job, run=id)
    began = time.monotonic()
    try:
        report = _sync(desk, waiting)
    except LeaseHeld as error:
        if desk.hands.put_off(id, desk.bench.config.worker.lease / 3):
            log.info("run_waits", holder=error.holder)
    except RunTaken:
        return
    except Fenced as error:
        log.warning("run_fenced", reason=str(error))
    except Exception as error:  # noqa: BLE001 - an adapter's mistake ends its own run only
        reason = reason_of(error)
        code = Exit.CONFIGURATION if isinstance(error, ConfigError) else Exit.ERROR
        desk.schedule.close(id, code, json.dumps({"error": reason}))
        log.error("run_failed", exit=int(code), reason=reason)
    else:
        log.info(
            "run_finished",
            exit=int(report.exit_code),
            seconds=round(time.monotonic() - began, 3),
            **report.counts,
        )
        _continue(desk, waiting, report)


def _sync(desk: Desk, waiting: Run) -> Report:
    job = desk.bench.job(waiting.job)
    order = sync.Order(
        desk.who,
        waiting.reason,
        VERB,
        run=waiting.id,
        ttl=desk.bench.config.worker.lease,
        began=lambda: desk.log.info("run_started", job=waiting.job, run=waiting.id, reason=waiting.reason),
        stop=desk.stopping,
    )
    return sync.run(job, desk.bench.store, order)


def _continue(desk: Desk, run: Run, report: Report) -> None:
    """What a stop cut short waits for the next worker, not for the next slot."""
    unproved = desk.stopping.is_set() and report.settling
    if unproved or any(each.result is Result.UNTRIED for each in report.carried):
        try:
            desk.schedule.enqueue(run.job, VERB, desk.who, f"continues the run {run.id}")
        except EcsSyncError as error:
            desk.log.error("run_trouble", job=run.job, run=run.id, reason=str(error))
