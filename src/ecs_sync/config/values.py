"""What a configuration says, checked and resolved, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from ecs_sync.config.secret import Opener, SecretSource, no_key
from ecs_sync.config.wrapped import WrappedSource
from ecs_sync.errors import ConfigError, EcsSyncError, Problem
from ecs_sync.limits import Limits
from ecs_sync.model import HAND_PRIORITY, Scope
from ecs_sync.policy import JobPolicy, LinkPolicy, Secrets
from ecs_sync.selection import Selection


@dataclass(frozen=True, slots=True)
class StoreConfig:
    """The canonical store. Paths are absolute; ``url`` is a source where the file only names one."""

    url: str | SecretSource
    key: SecretSource | WrappedSource | None = None
    fingerprint_key: Path | None = None
    anchor: Path | None = None
    priority: int = HAND_PRIORITY

    def address(self) -> str:
        """The URL, read now where it is a source. May hold a password. Raises `ConfigError`."""
        if isinstance(self.url, str):
            return self.url
        return anchored(self.url.read(), Path(self.url.where.file).absolute().parent)


def anchored(url: str, folder: Path) -> str:
    """A URL with the path of a SQLite file taken from ``folder``; others as they are."""
    start = "sqlite:///"
    return start + str(folder / url.removeprefix(start)) if url.startswith(start) else url


@dataclass(frozen=True, slots=True)
class PaceConfig:
    """What the file says of a connection's pace; None leaves it to the adapter. ``timeout`` is in seconds."""

    rate: float | None = None
    write_rate: float | None = None
    concurrency: int | None = None
    retries: int | None = None
    timeout: float | None = None


@dataclass(frozen=True, slots=True)
class ConnectionConfig:
    """A configured provider. ``settings`` are the options that are given and not secret."""

    name: str
    adapter: str
    settings: Mapping[str, Any]
    secrets: Mapping[str, SecretSource]
    pace: PaceConfig
    options_type: type = field(repr=False)

    def options(self, opened: Opener | None = None) -> Any:
        """An instance of the adapter's ``Options``, its secrets read now. Raises as `SecretSource.read` does.

        ``opened`` reads those that are references to a secret at another connection.
        """
        return self.options_with({name: source.read(opened) for name, source in self.secrets.items()})

    def options_with(self, secrets: Mapping[str, str]) -> Any:
        """As `options`, with these for its secrets. Raises `ConfigError`."""
        made = _made(self.options_type, self.settings, secrets)
        # The error leads through here, and no frame on its way holds a secret.
        del secrets
        if isinstance(made, _Refused):
            raise ConfigError(f"connection {self.name!r}: {made.reason}")
        return made


@dataclass(frozen=True, slots=True)
class _Refused:
    reason: str


def _made(options_type: type, settings: Mapping[str, Any], secrets: Mapping[str, str]) -> Any:
    try:
        return options_type(**settings, **secrets)
    except (ValueError, EcsSyncError) as error:
        reason = str(error)
        quoted = any(secret in reason for secret in secrets.values())
        return _Refused("its secret options do not fit" if quoted else reason)


@dataclass(frozen=True, slots=True)
class LinkConfig:
    """One side of a job. ``place`` and ``mapping_options`` are instances of the declared types."""

    name: str
    connection: str
    place: Any
    mapping: str
    mapping_options: Any
    policy: LinkPolicy
    select: Selection = Selection()
    secrets: Secrets = Secrets.REFUSE
    hard_deletes: bool = False
    settle: float = 0.0
    """Seconds."""


@dataclass(frozen=True, slots=True)
class JobConfig:
    """A scope, its links, and when they are brought into step.

    ``secret`` are globs for `ecs_sync.selection.conceals`, ``references`` for what it may open.
    """

    name: str
    scope: Scope
    links: tuple[LinkConfig, ...]
    every: timedelta | None = None
    cron: str | None = None
    policy: JobPolicy = JobPolicy()
    limits: Limits = Limits()
    protected: tuple[Selection, ...] = ()
    secret: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    shared: bool = False
    paused: bool = False


@dataclass(frozen=True, slots=True)
class WorkerConfig:
    """The daemon. ``lease`` and ``jitter`` are in seconds; ``health`` is (host, port)."""

    lease: float = 15.0
    jitter: float = 0.0
    threads: int = 8
    health: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """A whole file."""

    path: Path
    store: StoreConfig
    connections: Mapping[str, ConnectionConfig]
    jobs: Mapping[str, JobConfig]
    worker: WorkerConfig = WorkerConfig()

    def missing_secrets(self) -> tuple[Problem, ...]:
        """Every secret that cannot be read now, with the place in the file that names it."""
        sources: list[object] = [self.store.url, self.store.key]
        for connection in self.connections.values():
            sources.extend(connection.secrets.values())
        known = (source for source in sources if isinstance(source, SecretSource | WrappedSource))
        problems = [source.problem() for source in known]
        if isinstance(self.store.key, SecretSource):
            problems.append(no_key(self.store.key))
        return tuple(sorted(problem for problem in problems if problem is not None))
