"""Counts calls to a provider, from any thread."""

from __future__ import annotations

import threading


class Meter:
    """How many calls were made."""

    def __init__(self) -> None:
        self.calls = 0
        self._gate = threading.Lock()

    def add(self, calls: int) -> None:
        with self._gate:
            self.calls += calls
