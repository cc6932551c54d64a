"""``ecs-sync.yaml``: read, checked and resolved to values, with every reason at once."""

from __future__ import annotations

from ecs_sync.config.reading import Look, load, look
from ecs_sync.config.schema import schema
from ecs_sync.config.secret import From, SecretSource
from ecs_sync.config.values import (
    Config,
    ConnectionConfig,
    JobConfig,
    LinkConfig,
    PaceConfig,
    StoreConfig,
    WorkerConfig,
)

__all__ = [
    "Config",
    "ConnectionConfig",
    "From",
    "JobConfig",
    "LinkConfig",
    "Look",
    "PaceConfig",
    "SecretSource",
    "StoreConfig",
    "WorkerConfig",
    "load",
    "look",
    "schema",
]
