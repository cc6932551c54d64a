"""Leases: who may run a job. The epoch fences; everything else is only there to save calls."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import ColumnElement, Connection, insert, select, update

from ecs_sync.errors import Fenced, LeaseHeld
from ecs_sync.store.engine import Database
from ecs_sync.store.records import Lease
from ecs_sync.store.schema import lease

_PROC = Path("/proc")
_LOOK_AGAIN = 0.1
"""Seconds between two looks at a lease that somebody else holds."""


def this_process() -> str:
    """``HOST:BOOT:PID:START``: a holder's name that tells a process from any other, ever.

    BOOT is the kernel's boot id with the process id namespace; ``-`` where the system has none.
    """
    pid = os.getpid()
    return f"{socket.gethostname()}:{_boot()}:{pid}:{_started(pid) or '-'}"


def _boot() -> str:
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}.{(_PROC / 'self/ns/pid').stat().st_ino}"
    except OSError:
        return "-"


def _started(pid: int) -> str | None:
    """The process's start in clock ticks since the boot; None where there is no such process."""
    try:
        # The name in parentheses may hold spaces: count the fields from behind it.
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return None


def is_gone(holder: str) -> bool:
    """Did this holder certainly end? Only a process of this host, boot and namespace can be judged."""
    host, boot, pid, started = [*holder.rsplit(":", 3), "", "", ""][:4]
    if host != socket.gethostname() or boot != _boot() or boot == "-" or not pid.isdecimal():
        return False
    return _started(int(pid)) != started


@dataclass(frozen=True, slots=True)
class _Seen:
    epoch: int
    renewals: int
    since: float


@dataclass(slots=True)
class Watch:
    """What one process saw of others' leases, on its own monotonic clock."""

    clock: Callable[[], float] = time.monotonic
    _seen: dict[str, _Seen] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def unmoved(self, job: str, epoch: int, renewals: int) -> float:
        """For how many seconds the lease was not renewed, as far as was looked."""
        with self._lock:
            seen = self._seen.get(job)
            if seen is None or (seen.epoch, seen.renewals) != (epoch, renewals):
                seen = self._seen[job] = _Seen(epoch, renewals, self.clock())
            return self.clock() - seen.since


def holder_of(connection: Connection, job: str) -> str | None:
    return connection.execute(select(lease.c.holder).where(lease.c.job == job)).scalar_one_or_none()


def acquire(
    database: Database,
    lock: Callable[[Connection], None],
    watch: Watch,
    wanted: Lease,
    ttl: float,
    wait: float,
) -> Lease:
    """See `Store.acquire`. ``lock`` keeps all other writers out of the transaction it is called in."""
    until = watch.clock() + wait
    while True:
        with database.writing() as connection:
            lock(connection)
            found = _try(connection, watch, wanted, ttl)
        if isinstance(found, Lease):
            return found
        left = until - watch.clock()
        if left <= 0:
            raise LeaseHeld(
                f"{wanted.job} is being run by {found}: wait for it, or give --wait more than "
                f"{ttl:g} seconds to take over from a holder that is gone",
                found,
            )
        time.sleep(min(_LOOK_AGAIN, left))


def _try(connection: Connection, watch: Watch, wanted: Lease, ttl: float) -> Lease | str:
    """The lease, or the name of its holder."""
    row = connection.execute(select(lease).where(lease.c.job == wanted.job)).one_or_none()
    milliseconds = int(ttl * 1000)
    if row is None:
        connection.execute(
            insert(lease).values(job=wanted.job, holder=wanted.holder, epoch=1, renewals=0, ttl=milliseconds)
        )
        return Lease(wanted.job, wanted.holder, 1)
    if row.holder is not None and not is_gone(row.holder):
        unmoved = watch.unmoved(row.job, row.epoch, row.renewals)
        if unmoved < max(ttl, row.ttl / 1000):
            holder: str = row.holder
            return holder
    epoch = row.epoch + 1
    connection.execute(
        update(lease)
        .where(lease.c.job == wanted.job)
        .values(holder=wanted.holder, epoch=epoch, renewals=0, ttl=milliseconds)
    )
    return Lease(wanted.job, wanted.holder, epoch)


def renew(connection: Connection, held: Lease) -> None:
    """See `Store.renew`."""
    renewed = connection.execute(update(lease).where(*_own(held)).values(renewals=lease.c.renewals + 1))
    if not renewed.rowcount:
        raise _fenced(connection, held)


def release(connection: Connection, held: Lease) -> None:
    """See `Store.release`."""
    connection.execute(update(lease).where(*_own(held)).values(holder=None))


def must_hold(connection: Connection, held: Lease) -> None:
    """Raises Fenced where the lease changed hands."""
    if connection.execute(select(lease.c.epoch).where(*_own(held))).one_or_none() is None:
        raise _fenced(connection, held)


def _own(held: Lease) -> tuple[ColumnElement[bool], ...]:
    return (lease.c.job == held.job, lease.c.epoch == held.epoch, lease.c.holder == held.holder)


def _fenced(connection: Connection, held: Lease) -> Fenced:
    now = holder_of(connection, held.job)
    whose = f"{now} holds it now" if now else "nobody holds it now"
    return Fenced(f"the lease of {held.job} (epoch {held.epoch}) was lost: {whose}. Nothing was recorded")
