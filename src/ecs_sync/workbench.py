"""From a configuration to living jobs: opens the store, builds mappings and remotes."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ecs_sync.config import Config, JobConfig, LinkConfig
from ecs_sync.connections import Connections
from ecs_sync.errors import ConfigError, WrongKey
from ecs_sync.pace import Paced
from ecs_sync.reference import Reference
from ecs_sync.registry import Registry
from ecs_sync.remember import tell_reads
from ecs_sync.remote import Remote
from ecs_sync.resolve import Resolver
from ecs_sync.sealing import sealing_key
from ecs_sync.sensitivity import Sensitivity
from ecs_sync.store import Cipher, FileKeys, Store
from ecs_sync.sync import Job
from ecs_sync.tracks import identity_of


class Workbench:
    """One configuration with its store open. Use it as a context manager.

    ``who`` stands in the audit trail for what is read outside of a run.
    """

    def __init__(
        self, config: Config, registry: Registry, store: Store, connections: Connections, who: str
    ) -> None:
        self.config, self.registry, self.store = config, registry, store
        self._connections, self._who = connections, who

    @classmethod
    def open(cls, config: Config, registry: Registry, who: str = "ecs-sync") -> Workbench:
        """Raises StoreError with the next step where the store cannot be used."""
        connections = Connections(config, registry)
        try:
            fingerprint_key, cipher = keys_of(config, connections)
            store = opened_with(config, fingerprint_key, cipher)
        except BaseException:
            connections.close()
            raise
        return cls(config, registry, store, connections, who)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes all. Raises StoreError where what was read cannot be put on record."""
        try:
            tell_reads(self.store, self._who, self._connections.reads)
        finally:
            self._connections.close()
            self.store.close()

    def job(self, name: str) -> Job:
        """The job of this name, alive. Raises ConfigError, naming the jobs there are."""
        if name not in self.config.jobs:
            known = ", ".join(sorted(self.config.jobs)) or "none"
            raise ConfigError(f"there is no job {name!r} in {self.config.path}; there are: {known}")
        job = self.config.jobs[name]
        resolver = self._connections.resolver(name)
        return Job(
            job.name,
            job.scope,
            job.policy,
            job.limits,
            job.protected,
            tuple(self._remote(job, link, resolver) for link in job.links),
            resolver,
            self._connections.reads,
        )

    def adapter(self, name: str) -> Paced:
        """The paced adapter of a connection. Raises ConfigError."""
        return self._connections.adapter(name)

    def resolver(self, job: str) -> Resolver:
        """Opens what a job may open."""
        return self._connections.resolver(job)

    def secret(self, reference: Reference) -> str:
        """The secret behind a reference of the configuration itself. Raises EcsSyncError."""
        return self._connections.secret(reference)

    def _remote(self, job: JobConfig, link: LinkConfig, resolver: Resolver) -> Remote:
        mapping = self.registry.mapping(link.mapping)(link.mapping_options, link.place, job.scope)
        spelled = mapping_identity(link)
        return Remote(
            link.name,
            link.policy,
            self.adapter(link.connection),
            link.place,
            mapping,
            identity_of(f"{link.connection} {link.place}", spelled, link.select.text, str(link.policy.mode)),
            self.store.fingerprinter,
            link.select,
            Sensitivity(job.secret),
            secrets=link.secrets,
            hard_deletes=link.hard_deletes,
            settle=link.settle,
            connection=link.connection,
            resolver=resolver,
        )


def opened_with(config: Config, fingerprint_key: bytes, cipher: Cipher | None) -> Store:
    """The store of a configuration. Raises StoreError; ConfigError where ``store.key`` is not its key."""
    try:
        return Store.open(
            config.store.address(),
            cipher=cipher,
            fingerprint_key=fingerprint_key,
            anchor=config.store.anchor,
        )
    except WrongKey as error:
        if config.store.key is None:
            raise
        raise config.store.key.unusable(str(error)) from None


def mapping_identity(link: LinkConfig) -> str:
    """Canonical text of a link's mapping and its options."""
    options: dict[str, Any] = dataclasses.asdict(link.mapping_options)
    return json.dumps([link.mapping, options], sort_keys=True, default=str)


def keys_of(config: Config, connections: Connections) -> tuple[bytes, Cipher | None]:
    """The key of fingerprints, and the cipher where ``store.key`` is configured.

    Raises StoreError or ConfigError where one cannot be had.
    """
    return fingerprint_key_of(config).load(), cipher_of(config, connections)


def cipher_of(config: Config, connections: Connections) -> Cipher | None:
    """The cipher that seals secrets, or None where the configuration names no key.

    Raises as `ecs_sync.sealing.sealing_key` does.
    """
    source = config.store.key
    return None if source is None else Cipher(sealing_key(source, connections))


def fingerprint_key_of(config: Config) -> FileKeys:
    """The file of the fingerprint key: configured, or beside the SQLite file. Raises ConfigError."""
    if config.store.fingerprint_key is not None:
        return FileKeys(config.store.fingerprint_key)
    scheme, _, path = config.store.address().partition(":///")
    if not scheme.startswith("sqlite") or not path:
        raise ConfigError(
            f"{config.path}: store.fingerprint_key: name a file for the key of fingerprints; "
            "only a SQLite store has a place of its own for it"
        )
    return FileKeys.beside(Path(path))
