"""``store.key`` as a wrapped data key: where its file is, and which connection unwraps it with what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ecs_sync.abilities import Wraps
from ecs_sync.config.secret import Where
from ecs_sync.errors import ConfigError, Problem, StoreError
from ecs_sync.nearest import nearest
from ecs_sync.registry import Registry


@dataclass(frozen=True, slots=True)
class WrappedSource:
    """A key that lies wrapped in a file, and is unwrapped each time it is needed.

    ``connection`` is the name of the one that unwraps it, with the provider's key ``key``. ``where`` is the
    place that names it; None where that is a command line.
    """

    path: Path
    connection: str
    key: str
    where: Where | None = field(default=None, compare=False)

    def problem(self) -> Problem | None:
        """Why the file is not what it should be, if it is not. The provider is not asked."""
        # Few keys lie wrapped, and the store has much else with it.
        from ecs_sync.store.wrapped import WrappedKey

        try:
            WrappedKey.read(self.path)
        except StoreError as error:
            return self._problem(str(error))
        return None

    def unusable(self, reason: str) -> ConfigError:
        """The error to raise where the key cannot be had, with the place that names it."""
        problem = self._problem(reason)
        return ConfigError(reason) if problem is None else ConfigError(str(problem), (problem,))

    def _problem(self, reason: str) -> Problem | None:
        at = self.where
        return None if at is None else Problem(at.file, at.line, at.column, at.path, reason)

    def __str__(self) -> str:
        return f"{{wrapped: {self.path}, by: {self.connection}, with: {self.key}}}"


def cannot_wrap(name: str, adapters: Mapping[str, str], registry: Registry) -> str:
    """Why this connection wraps no keys, empty where it does. ``adapters`` are those of all connections."""
    if name not in adapters:
        return f"there is no connection {name!r}{nearest(name, adapters)}"
    if registry.has(adapters[name], Wraps):
        return ""
    mine = ", ".join(each for each in sorted(adapters) if registry.has(adapters[each], Wraps))
    able = ", ".join(each for each in registry.adapters if registry.has(each, Wraps)) or "none is installed"
    instead = f"one that does ({mine})" if mine else f"one of an adapter that does ({able})"
    return f"connection {name!r} has the adapter {adapters[name]!r}, which wraps no keys: name {instead}"
