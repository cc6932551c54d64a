"""When a job is due: intervals and cron lines, as pure functions of the clock and the stored due time.

A *slot* is a moment at which a job is due. The store keeps the next one, so that a restart neither loses
nor doubles any; of the slots that were missed meanwhile only one is made up for.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim

from ecs_sync.config import JobConfig
from ecs_sync.errors import ConfigError

LATE = 3
"""After so many slots without a finished run a job is stale."""

_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Every:
    """Slots at equal distances, counted from the first run."""

    interval: timedelta

    def after(self, moment: datetime) -> datetime | None:
        return moment + self.interval


@dataclass(frozen=True, slots=True)
class Cron:
    """Slots where a cron line says, in a time zone."""

    line: str
    zone: tzinfo

    def after(self, moment: datetime) -> datetime | None:
        """The first slot later than ``moment``, in UTC; None where there is none for fifty years.

        Of the hour that an autumn night has twice, a fixed hour is taken once, the first time; what a
        spring night leaves out is made up for right behind the gap; ``*`` hours go by real time.
        """
        for found in CronSim(self.line, moment.astimezone(self.zone)):
            # In the second of the two hours cronsim goes by the wall and finds a slot of the first.
            if (slot := found.astimezone(UTC)) > moment:
                return slot
        return None


Rhythm = Every | Cron


@dataclass(frozen=True, slots=True)
class Nothing:
    """Not due, and the stored time stands."""


@dataclass(frozen=True, slots=True)
class Move:
    """Not due, and the stored time is of another schedule: it is replaced."""

    to: datetime | None


@dataclass(frozen=True, slots=True)
class Run:
    """Due; ``then`` is the next slot."""

    slot: datetime
    then: datetime | None


Decision = Nothing | Move | Run


def rhythm_of(job: JobConfig, zone: tzinfo) -> Rhythm | None:
    """The rhythm of a job; None where it is run by hand."""
    if job.every is not None:
        return Every(job.every)
    return Cron(job.cron, zone) if job.cron is not None else None


def decide(rhythm: Rhythm, due: datetime | None, now: datetime, offset: timedelta = timedelta(0)) -> Decision:
    """What a job with the stored time ``due`` is to do ``now``. A slot's run starts ``offset`` later."""
    match rhythm:
        case Every(interval):
            return _every(interval, due, now, offset)
        case Cron():
            return _cron(rhythm, due, now, offset)


def _every(interval: timedelta, due: datetime | None, now: datetime, offset: timedelta) -> Decision:
    if due is None:
        return Run(now, now + interval)
    if due > now + interval:
        return Move(now + interval)
    if due + offset > now:
        return Nothing()
    return Run(due, due + ((now - due) // interval + 1) * interval)


def _cron(cron: Cron, due: datetime | None, now: datetime, offset: timedelta) -> Decision:
    following = cron.after(now)
    if due is None:
        return Move(following) if following is not None else Nothing()
    former = cron.after(due - _SECOND) != due
    if former or (following is not None and due > following):
        return Move(following)
    if due + offset > now:
        return Nothing()
    return Run(due, following)


def offset_of(job: str, slot: datetime | None, spread: timedelta) -> timedelta:
    """How much later than its slot a run starts: less than ``spread``, and the same in every worker."""
    if slot is None:
        return timedelta(0)
    digest = hashlib.blake2b(f"{job}\0{slot.isoformat()}".encode(), digest_size=4).digest()
    return spread * (int.from_bytes(digest) / 2**32)


@lru_cache(maxsize=16_384)
def stale_from(rhythm: Rhythm, since: datetime) -> datetime | None:
    """When a job that last finished at ``since`` is stale: at its third slot after that."""
    at: datetime | None = since
    for _ in range(LATE):
        if at is None:
            return None
        at = rhythm.after(at)
    return at


def local_zone(environ: Mapping[str, str] = os.environ, clock: Path = Path("/etc/localtime")) -> tzinfo:
    """The zone that ``TZ`` names, else the machine's, else UTC. Raises ConfigError for an unknown one."""
    name = environ.get("TZ", "").removeprefix(":")
    if name:
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ConfigError(
                "the variable TZ names no time zone that is known here: write one such as UTC or "
                "Europe/Berlin, or install the package tzdata"
            ) from None
    try:
        with clock.open("rb") as file:
            return ZoneInfo.from_file(file, key=_zone_name(clock))
    except (OSError, ValueError):
        return UTC


def _zone_name(clock: Path) -> str:
    return str(clock.resolve()).rpartition("/zoneinfo/")[2]
