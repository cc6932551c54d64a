"""Connections brought to life: each adapter is built when it is first needed, once, and closed with all."""

from __future__ import annotations

import dataclasses
import threading
from types import TracebackType
from typing import Any, Self

from ecs_sync.abilities import Wraps
from ecs_sync.adapter import Adapter, Item
from ecs_sync.config import Config, ConnectionConfig
from ecs_sync.config.secret import From
from ecs_sync.config.wrapped import cannot_wrap
from ecs_sync.errors import ConfigError, EcsSyncError
from ecs_sync.model import Type
from ecs_sync.pace import Pace, Paced
from ecs_sync.reads import Reads
from ecs_sync.reference import Reference
from ecs_sync.registry import Registry
from ecs_sync.renewal import Rereading
from ecs_sync.resolve import Resolver, Unresolved, fetched, plaintext
from ecs_sync.selection import matches


class Connections:
    """The paced adapters of a configuration, by connection. Safe to use from many threads."""

    def __init__(self, config: Config, registry: Registry) -> None:
        self.reads = Reads()
        self._config, self._registry = config, registry
        self._adapters: dict[str, Paced] = {}
        # One for each: a connection whose secret lies at another one that is slow keeps nobody else waiting.
        self._gates = {name: threading.Lock() for name in config.connections}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def adapter(self, name: str) -> Paced:
        """The adapter of a connection, which goes on with another credential once its own was rotated.

        Raises ConfigError, also where connections wait for each other, and Unavailable where the provider
        of one of its secrets does not answer.
        """
        if name not in self._gates:
            raise ConfigError(f"there is no connection {name!r} in the configuration")
        self._refuse_circles([name])
        with self._gates[name]:
            if name not in self._adapters:
                self._adapters[name] = self._built(name)
            return self._adapters[name]

    def _refuse_circles(self, way: list[str]) -> None:
        for source in self._config.connections[way[-1]].secrets.values():
            if source.kind is not From.REFERENCE:
                continue
            needed = Reference.parse(source.name).connection
            if needed in way:
                circle = " > ".join([*way[way.index(needed) :], needed])
                raise ConfigError(f"connections need each other's secrets to open their own: {circle}")
            if needed in self._gates:
                self._refuse_circles([*way, needed])

    def _built(self, name: str) -> Paced:
        connection = self._config.connections[name]
        options = self._options(name)
        build = self._registry.adapter(connection.adapter)
        adapter: Adapter = build(options)
        kinds = {source.kind for source in connection.secrets.values()}
        if kinds <= {From.ENV}:
            return Paced(adapter, _pace(adapter, connection), reads=self.reads.of(name))

        def rebuilt(options: Any) -> Adapter:
            adapter: Adapter = build(options)
            self.reads.renewed(name)
            return adapter

        another = Rereading(options, lambda: self._options(name), rebuilt, costs=From.REFERENCE in kinds)
        return Paced(adapter, _pace(adapter, connection), reads=self.reads.of(name), another=another)

    def _options(self, name: str) -> Any:
        """The options of a connection, with its secrets as they are now; fields of one are read together."""
        read: dict[Reference, Item] = {}

        def opened(reference: Reference) -> str:
            if reference.whole not in read:
                read[reference.whole] = self._read(reference)
            return _text(read[reference.whole], reference)

        try:
            return self._config.connections[name].options(opened)
        finally:
            # An error leads through here, and no frame on its way holds a secret.
            read.clear()

    def wrapping(self, name: str) -> Wraps:
        """The paced adapter of a connection that wraps keys. Raises ConfigError."""
        adapters = {each: config.adapter for each, config in self._config.connections.items()}
        reason = cannot_wrap(name, adapters, self._registry)
        if reason:
            raise ConfigError(reason)
        return self.adapter(name)

    def secret(self, reference: Reference) -> str:
        """The secret behind a reference that the configuration itself names. Raises EcsSyncError."""
        return _text(self._read(reference), reference)

    def _read(self, reference: Reference) -> Item:
        item = fetched(self.adapter(reference.connection), reference)
        if isinstance(item, Unresolved):
            raise EcsSyncError(item.reason)
        return item

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


def _text(item: Item, reference: Reference) -> str:
    value = plaintext(item, reference)
    if isinstance(value, Unresolved):
        raise EcsSyncError(value.reason)
    if value.type not in (Type.STRING, Type.INTEGER):
        raise EcsSyncError(f"{reference} is no text: name one of its fields with '#FIELD'")
    return value.text


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
