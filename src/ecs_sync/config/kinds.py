"""The kinds of scalar that the configuration is written in: durations, percentages, cron lines, globs."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import Field, PlainValidator, WithJsonSchema

from ecs_sync.registry import Spelled
from ecs_sync.selection import check_glob

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = r"([0-9]{1,6})\s*([smhd])"
_PERCENT = r"([0-9]{1,3}(?:\.[0-9]{1,3})?)\s*%"


def duration(text: Any) -> timedelta:
    """``90s``, ``5m``, ``1h`` or ``2d``. Raises ValueError."""
    written = re.fullmatch(_DURATION, text) if isinstance(text, str) else None
    if written is None:
        raise ValueError("must be a duration: a number and s, m, h or d, such as 90s, 5m, 1h or 2d")
    return timedelta(seconds=int(written[1]) * _UNITS[written[2]])


def _positive(text: Any) -> timedelta:
    time = duration(text)
    if not time:
        raise ValueError("must be longer than nothing")
    return time


def percent(text: Any) -> float:
    """``30%`` as 30.0. Raises ValueError."""
    written = re.fullmatch(_PERCENT, text) if isinstance(text, str) else None
    if written is None or float(written[1]) > 100:
        raise ValueError("must be a percentage from 0% to 100%, such as 30%")
    return float(written[1])


def cron(text: Any) -> str:
    """The five fields of a cron line, as cronsim reads them. Raises ValueError."""
    if not isinstance(text, str):
        raise ValueError('must be a cron line in quotes, such as "*/5 * * * *"')
    if len(text.split()) != 5:
        raise ValueError('must be a cron line of five fields, such as "*/5 * * * *"')
    # Most configurations hold none.
    from cronsim import CronSim, CronSimError

    try:
        next(CronSim(text, datetime(2024, 1, 1, tzinfo=UTC)), None)
    except CronSimError as error:
        raise ValueError(f"not a cron line: {str(error).lower()}") from None
    return text


def glob(text: Any) -> str:
    """A pattern over keys (see `ecs_sync.selection`). Raises ValueError."""
    if not isinstance(text, str):
        raise ValueError('must be patterns in quotes, such as "db/*"')
    return check_glob(text)


def address(text: Any) -> tuple[str, int]:
    """``HOST:PORT``, an IPv6 address in brackets, as (host, port). Raises ValueError."""
    written = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})", str(text))
    if not isinstance(text, str) or written is None or int(written[2]) > 65535:
        raise ValueError("must be HOST:PORT, such as 127.0.0.1:8080")
    return written[1].strip("[]"), int(written[2])


def _text(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^{pattern}$"})


Duration = Annotated[timedelta, PlainValidator(duration), _text(_DURATION), Spelled("duration")]
Interval = Annotated[timedelta, PlainValidator(_positive), _text(_DURATION), Spelled("duration")]
Percent = Annotated[float, PlainValidator(percent), _text(_PERCENT), Spelled("percentage")]
Cron = Annotated[str, PlainValidator(cron), WithJsonSchema({"type": "string"}), Spelled("cron line")]
Glob = Annotated[str, PlainValidator(glob), WithJsonSchema({"type": "string"}), Spelled("pattern")]
Address = Annotated[tuple[str, int], PlainValidator(address), _text(r".+:[0-9]{1,5}"), Spelled("HOST:PORT")]
Count = Annotated[int, Field(ge=0), Spelled("whole number")]
Positive = Annotated[int, Field(ge=1), Spelled("whole number")]
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False), Spelled("number")]
