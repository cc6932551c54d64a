"""Tries every reference that a configuration and its store hold, and shows none of what is behind them."""

from __future__ import annotations

from collections.abc import Iterator

from ecs_sync.config.secret import From
from ecs_sync.config.wrapped import WrappedSource
from ecs_sync.errors import EcsSyncError
from ecs_sync.reference import Reference
from ecs_sync.render.validated import ReferenceShown
from ecs_sync.resolve import Resolver, Unresolved
from ecs_sync.workbench import Workbench


def tried(bench: Workbench) -> list[ReferenceShown]:
    """Each reference with what it is for, and why it does not resolve, if it does not."""
    return [*_of_store(bench), *_of_connections(bench), *_of_jobs(bench)]


def _of_store(bench: Workbench) -> Iterator[ReferenceShown]:
    """The key, where it lies at a connection: it resolves, for else the store were not open."""
    key = bench.config.store.key
    if isinstance(key, WrappedSource) or (key is not None and key.kind is From.REFERENCE):
        yield ReferenceShown("store.key", str(key), None)


def _of_connections(bench: Workbench) -> Iterator[ReferenceShown]:
    for name, connection in sorted(bench.config.connections.items()):
        for option, source in sorted(connection.secrets.items()):
            if source.kind is From.REFERENCE:
                problem = _problem_of_option(bench, Reference.parse(source.name))
                yield ReferenceShown(f"connections.{name}.{option}", source.name, problem)


def _problem_of_option(bench: Workbench, reference: Reference) -> str | None:
    try:
        bench.secret(reference)
    except EcsSyncError as error:
        return str(error)
    return None


def _of_jobs(bench: Workbench) -> Iterator[ReferenceShown]:
    at = bench.store.head()
    for name, job in sorted(bench.config.jobs.items()):
        found = {
            stored.key.text: Reference.parse(stored.entry.value.text)
            for stored in bench.store.references(job.scope, at)
            if stored.entry is not None
        }
        resolver = bench.resolver(name)
        resolver.read(found.values())
        for key, reference in found.items():
            yield ReferenceShown(f"{name}: {key}", reference.text, _problem(resolver, reference))


def _problem(resolver: Resolver, reference: Reference) -> str | None:
    found = resolver.open(reference)
    return found.reason if isinstance(found, Unresolved) else None
