"""The story of reading a configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ecs_sync.config.choosing import read_properties
from ecs_sync.config.connections import Reading, read_connections, read_store, read_worker
from ecs_sync.config.document import Findings, Node, read_document
from ecs_sync.config.fields import expect_map, read_fields
from ecs_sync.config.jobs import read_jobs
from ecs_sync.config.overlap import check_overlaps
from ecs_sync.config.sections import FileSection
from ecs_sync.config.values import Config, WorkerConfig
from ecs_sync.errors import Problem
from ecs_sync.registry import Registry


def load(path: Path, *, environ: Mapping[str, str], registry: Registry | None = None) -> Config:
    """The configuration in a file.

    Raises `ConfigError` with every `Problem` at once. Secrets are not read: `ConnectionConfig.options`
    does that when it is called, and `Config.missing_secrets` says which could not be.
    """
    config, reading = _read(path, environ, registry)
    if reading.found or config is None:
        raise reading.found.error(str(path))
    return config


@dataclass(frozen=True, slots=True)
class Look:
    """A configuration, or None where it cannot be used; what is wrong with it, in the order of the file; and
    which of the secrets that it names cannot be had now."""

    config: Config | None
    problems: tuple[Problem, ...]
    missing: tuple[Problem, ...]


def look(path: Path, *, environ: Mapping[str, str], registry: Registry | None = None) -> Look:
    """Reads as `load` does and raises nothing. Secrets are tried, but for those at a connection."""
    config, reading = _read(path, environ, registry)
    missing = {problem for check in reading.checks if (problem := check()) is not None}
    return Look(None if reading.found else config, reading.found.problems, tuple(sorted(missing)))


def _read(path: Path, environ: Mapping[str, str], registry: Registry | None) -> tuple[Config | None, Reading]:
    found = Findings()
    root = read_document(path, found)
    reading = Reading(path.absolute().parent, environ, registry or Registry.from_entry_points(), found)
    return _config(path, root, reading) if root is not None else None, reading


def _config(path: Path, root: Node, reading: Reading) -> Config | None:
    sections: dict[str, Node] = read_fields(FileSection, root, reading.folder, reading.found)
    for name in ("connections", "jobs"):
        if name in sections and sections[name].content is not None:
            expect_map(sections[name], reading.found)
    nothing = Node({}, root.at, root.at)
    properties = read_properties(sections, reading.found)
    connected = read_connections(sections.get("connections", nothing), properties, reading)
    placed = read_jobs(sections.get("jobs", nothing), connected, reading)
    check_overlaps(placed, connected.usable, reading.found)
    store = read_store(sections["store"], connected, reading) if "store" in sections else None
    worker = read_worker(sections["worker"], reading) if "worker" in sections else WorkerConfig()
    if store is None:
        return None
    return Config(path, store, connected.usable, {each.job.name: each.job for each in placed}, worker)
