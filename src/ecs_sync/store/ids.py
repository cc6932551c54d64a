"""Names of runs and intents: UUIDv7 text, which sorts by the time of making."""

from __future__ import annotations

import os
import threading
import time
import uuid

_lock = threading.Lock()
_last = 0


def new_id() -> str:
    """A new UUIDv7 (RFC 9562) as text. Within one process each sorts after the one before."""
    global _last
    with _lock:
        # Milliseconds and a 12-bit counter: a burst within one millisecond, or a clock set back,
        # counts on from the last.
        _last = max(_last + 1, time.time_ns() // 1_000_000 << 12)
        milliseconds, counter = divmod(_last, 1 << 12)
    random = int.from_bytes(os.urandom(8), "big") & ((1 << 62) - 1)
    return str(uuid.UUID(int=(milliseconds << 80) | (7 << 76) | (counter << 64) | (2 << 62) | random))
