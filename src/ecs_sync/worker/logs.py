"""The worker's log: one JSON object a line on standard error, an event with keys, never a value."""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from typing import TextIO

import structlog

from ecs_sync.errors import EcsSyncError

Log = structlog.typing.FilteringBoundLogger


def open_log(stream: TextIO | None = None) -> Log:
    """A log to ``stream``. Libraries' own messages may quote values: only who spoke is told."""
    log: Log = structlog.wrap_logger(
        structlog.WriteLogger(stream or sys.stderr),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    root.handlers = [_Libraries(log)]
    root.setLevel(logging.WARNING)
    logging.captureWarnings(True)
    threading.excepthook = lambda died: log.error("thread_died", reason=reason_of(died.exc_value))
    return log


class _Libraries(logging.Handler):
    """Tells that a library had something to say."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        where = f"{record.module}:{record.lineno}"
        self._log.warning("library_spoke", logger=record.name, severity=record.levelname, where=where)


def reason_of(error: BaseException | None) -> str:
    """What went wrong as a sentence. The text of an error that is not ours may hold a value."""
    if isinstance(error, EcsSyncError):
        return str(error)
    if error is None or error.__traceback__ is None:
        return f"unexpected {type(error).__name__}"
    where = traceback.extract_tb(error.__traceback__)[-1]
    file = where.filename.rpartition("/site-packages/")[2].rpartition("/src/")[2]
    return f"unexpected {type(error).__name__} in {file}:{where.lineno}: this is a mistake in ecs-sync"
