"""Which secrets were read, to be recorded: who, which and when, never what."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from ecs_sync.adapter import Item, ItemId


class Reads:
    """Gathers, from any thread, the secret items whose values came from a provider."""

    def __init__(self) -> None:
        self._gate = threading.Lock()
        self._read: dict[str, dict[ItemId, None]] = {}

    def of(self, connection: str) -> Callable[[Sequence[Item]], None]:
        """Takes down what was read at one connection."""

        def note(items: Sequence[Item]) -> None:
            secret = [item.id for item in items if item.secret and item.value is not None]
            if secret:
                with self._gate:
                    self._read.setdefault(connection, {}).update(dict.fromkeys(secret))

        return note

    def drain(self) -> dict[str, list[ItemId]]:
        """What was read since the last time, by connection; each item once, sorted."""
        with self._gate:
            read, self._read = self._read, {}
        return {connection: sorted(items) for connection, items in sorted(read.items())}
