"""Places that two links could both write."""

from __future__ import annotations

import os
import typing
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ecs_sync.config.document import Findings, Node
from ecs_sync.config.jobs import Placed
from ecs_sync.config.values import ConnectionConfig, JobConfig, LinkConfig
from ecs_sync.config.words import writes
from ecs_sync.registry import Field, describe


@dataclass(frozen=True, slots=True)
class Writer:
    """A link that could write its place, with where that place stands in the file."""

    job: JobConfig
    link: LinkConfig
    node: Node
    order: int


def check_overlaps(placed: Sequence[Placed], usable: Mapping[str, ConnectionConfig], found: Findings) -> None:
    """Says which links could write one another's items without having said that they share them."""
    by_endpoint: dict[object, list[Writer]] = defaultdict(list)
    for order, (job, link, node) in enumerate(_links(placed)):
        if writes(link.policy):
            by_endpoint[_endpoint(usable[link.connection])].append(Writer(job, link, node, order))
    for writers in by_endpoint.values():
        for first, second in _overlapping(writers):
            message = _message(first, second)
            if message:
                found.add(second.node.map["place"].at, message)


def _endpoint(connection: ConnectionConfig) -> tuple[object, ...]:
    """What says where a connection leads: its adapter, and the options that are declared to say it.

    Credentials are left out, so that two of them at one address are taken for one place rather than
    for two; only where nothing in the clear says where it leads, the sources of the secrets do.
    """
    fields = [field for field in describe(connection.options_type) if not field.secret]
    leading = [field for field in fields if field.where] or [field for field in fields if _is_free(field)]
    given = {field.name: connection.settings.get(field.name, field.default) for field in leading}
    plain = tuple((name, _spelled(value)) for name, value in given.items() if value is not None)
    sources = tuple(sorted((name, str(source)) for name, source in connection.secrets.items()))
    return (connection.adapter, plain) if plain else (connection.adapter, sources)


def _is_free(field: Field) -> bool:
    """Is this a free text or a path, rather than a number, a switch or a closed choice?"""
    parts = typing.get_args(field.annotation) or (field.annotation,)
    return str in parts or Path in parts


def _spelled(value: object) -> str:
    """One spelling of what leads to one place: of URLs, and of paths."""
    if isinstance(value, Path):
        return os.path.normpath(value)
    text = str(value)
    scheme, found, rest = text.partition("://")
    if not found:
        return text
    host, slash, path = rest.partition("/")
    port = {"http": ":80", "https": ":443"}.get(scheme.lower(), ":")
    return f"{scheme.lower()}://{host.lower().removesuffix(port)}{slash}{path}".rstrip("/")


def _links(placed: Sequence[Placed]) -> Iterator[tuple[JobConfig, LinkConfig, Node]]:
    for each in placed:
        for link, node in zip(each.job.links, each.nodes, strict=True):
            yield each.job, link, node


def _overlapping(writers: list[Writer]) -> Iterator[tuple[Writer, Writer]]:
    """Pairs whose places overlap. Where they do, one root begins with the other, but for their case where
    names fold it: sorted by root, all that may overlap a place stand on the path of prefixes above it."""
    above: list[Writer] = []
    for writer in sorted(writers, key=_folded):
        while above and not _folded(writer).startswith(_folded(above[-1])):
            above.pop()
        for other in above:
            if other.link.place.overlaps(writer.link.place):
                yield (other, writer) if other.order <= writer.order else (writer, other)
        above.append(writer)


def _folded(writer: Writer) -> str:
    root: str = writer.link.place.root
    return root.casefold()


def _message(first: Writer, second: Writer) -> str:
    """What is wrong with this pair; nothing where it was meant."""
    if first.job is second.job:
        return f"overlaps the place of link {first.link.name!r}, and both could write it: narrow one of them"
    if first.job.shared and second.job.shared:
        return ""
    at = first.node.map["place"].at
    return (
        f"overlaps the place of job {first.job.name!r}, link {first.link.name!r} (line {at.line}), and both "
        "could write it: narrow one, or say 'shared: true' in both jobs if that is meant"
    )
