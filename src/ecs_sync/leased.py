"""Holding a job's lease for as long as a run takes, however it ends; and knowing at once when it is lost."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from ecs_sync.errors import ConfigError, EcsSyncError, Fenced, StoreError
from ecs_sync.exits import Exit
from ecs_sync.store import Lease, Store
from ecs_sync.task import Running


class _Heartbeat:
    """Renews a lease at a third of its time. `fence` raises where it may have been lost meanwhile."""

    def __init__(self, store: Store, lease: Lease, ttl: float) -> None:
        self._store, self._lease, self._ttl = store, lease, ttl
        self._renewed = time.monotonic()
        self._lost = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"lease of {lease.job}", daemon=True)
        self._thread.start()

    def _beat(self) -> None:
        while not self._stop.wait(self._ttl / 3):
            asked = time.monotonic()
            try:
                self._store.renew(self._lease)
            except Fenced as error:
                self._lost = str(error)
                return
            except StoreError:
                continue
            self._renewed = asked

    def fence(self) -> None:
        """Raises Fenced where the lease is lost, or was not renewed for its whole time."""
        if self._lost:
            raise Fenced(self._lost)
        if time.monotonic() - self._renewed > self._ttl:
            raise Fenced(
                f"the lease of {self._lease.job} could not be renewed in time: nothing more is written"
            )

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()


@contextmanager
def leased(store: Store, job: str, *, ttl: float, wait: float) -> Iterator[tuple[Lease, Callable[[], None]]]:
    """The job's lease and its fence. Raises LeaseHeld, naming the holder, after ``wait`` seconds."""
    lease = store.acquire(job, store.this_process(), ttl=ttl, wait=wait)
    heartbeat = _Heartbeat(store, lease, ttl)
    try:
        yield lease, heartbeat.fence
    finally:
        heartbeat.stop()
        store.release(lease)


@contextmanager
def ended(running: Running) -> Iterator[None]:
    """Puts on record that a run failed or was interrupted, as long as the lease is its own."""
    try:
        yield
    except Fenced:
        raise
    except (Exception, KeyboardInterrupt) as error:
        code, reason = _ending(error)
        # A store that cannot be written is most likely what is being told of.
        with suppress(StoreError), running.store.transaction(running.lease) as transaction:
            transaction.finish_run(running.run, code, json.dumps({"error": reason}))
        raise


def _ending(error: BaseException) -> tuple[Exit, str]:
    """The exit code and a sentence. The text of an error that is not ours may hold a value."""
    match error:
        case KeyboardInterrupt():
            return Exit.INTERRUPTED, "interrupted"
        case ConfigError():
            return Exit.CONFIGURATION, str(error)
        case EcsSyncError():
            return Exit.ERROR, str(error)
        case _:
            return Exit.ERROR, f"unexpected {type(error).__name__}"
