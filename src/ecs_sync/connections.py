"""Connections brought to life: each adapter is built when it is first needed, once, and closed with all."""

from __future__ import annotations

import dataclasses
import threading
from types import TracebackType
from typing import Self

from ecs_sync.abilities import Wraps
from ecs_sync.adapter import Adapter
from ecs_sync.config import Config, ConnectionConfig
from ecs_sync.config.wrapped import cannot_wrap
from ecs_sync.errors import ConfigError, EcsSyncError
from ecs_sync.model import Type
from ecs_sync.pace import Pace, Paced
from ecs_sync.reads import Reads
from ecs_sync.reference import Reference
from ecs_sync.registry import Registry
from ecs_sync.resolve import Resolver, Unresolved
from ecs_sync.selection import matches


class Connections:
    """The paced adapters of a configuration, by connection. Safe to use from many threads."""

    def __init__(self, config: Config, registry: Registry) -> None:
        self.reads = Reads()
        self._config, self._registry = config, registry
        self._adapters: dict[str, Paced] = {}
        self._building: list[str] = []
        self._gate = threading.RLock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def adapter(self, name: str) -> Paced:
        """The adapter of a connection. Raises ConfigError, also where connections wait for each other."""
        with self._gate:
            if name not in self._adapters:
                self._adapters[name] = self._built(name)
            return self._adapters[name]

    def _built(self, name: str) -> Paced:
        if name in self._building:
            circle = " > ".join([*self._building[self._building.index(name) :], name])
            raise ConfigError(f"connections need each other's secrets to open their own: {circle}")
        connection = self._config.connections[name]
        self._building.append(name)
        try:
            options = connection.options(self.secret)
        finally:
            self._building.pop()
        adapter: Adapter = self._registry.adapter(connection.adapter)(options)
        return Paced(adapter, _pace(adapter, connection), reads=self.reads.of(name))

    def wrapping(self, name: str) -> Wraps:
        """The paced adapter of a connection that wraps keys. Raises ConfigError."""
        adapters = {each: config.adapter for each, config in self._config.connections.items()}
        reason = cannot_wrap(name, adapters, self._registry)
        if reason:
            raise ConfigError(reason)
        return self.adapter(name)

    def secret(self, reference: Reference) -> str:
        """The secret behind a reference that the configuration itself names. Raises EcsSyncError."""
        value = Resolver(frozenset(self._config.connections), self.adapter, lambda _: True).open(reference)
        if isinstance(value, Unresolved):
            raise EcsSyncError(value.reason)
        if value.type not in (Type.STRING, Type.INTEGER):
            raise EcsSyncError(f"{reference} is no text: name one of its fields with '#FIELD'")
        return value.text

    def resolver(self, job: str) -> Resolver:
        """Opens references for one job: those it lists, and those to what its own links can read."""
        config = self._config.jobs[job]
        own = [(link.connection, link.place.root) for link in config.links]

        def may(reference: Reference) -> bool:
            named = f"{reference.connection}/{reference.name}"
            return matches(config.references, named) or any(
                connection == reference.connection and _lies_in(reference.name, root)
                for connection, root in own
            )

        return Resolver(frozenset(self._config.connections), self.adapter, may)

    def close(self) -> None:
        for adapter in self._adapters.values():
            adapter.close()


def _lies_in(name: str, root: str) -> bool:
    return name == root or (name.startswith(root) and not root[-1:].isalnum())


def _pace(adapter: Adapter, connection: ConnectionConfig) -> Pace:
    declared, wanted = Pace.of(adapter.features), connection.pace
    return dataclasses.replace(
        declared,
        rate=wanted.rate if wanted.rate is not None else declared.rate,
        write_rate=wanted.write_rate if wanted.write_rate is not None else declared.write_rate,
        concurrency=wanted.concurrency or declared.concurrency,
        attempts=declared.attempts if wanted.retries is None else wanted.retries + 1,
        max_wait=wanted.timeout or declared.max_wait,
    )
