"""Which secrets were read and which credentials taken up, to be recorded: never what they are."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from ecs_sync.adapter import Item, ItemId


class Reads:
    """Gathers, from any thread, the secret items whose values came from a provider, and new credentials."""

    def __init__(self) -> None:
        self._gate = threading.Lock()
        self._read: dict[str, dict[ItemId, None]] = {}
        self._renewed: list[str] = []

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

    def renewed(self, connection: str) -> None:
        """Takes down that a connection goes on with another credential."""
        with self._gate:
            self._renewed.append(connection)

    def drain_renewed(self) -> list[str]:
        """The connections that took up another credential since the last time, each as often as it did."""
        with self._gate:
            renewed, self._renewed = self._renewed, []
        return renewed
