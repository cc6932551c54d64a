"""Places that two links could both write."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ecs_sync.config.document import Findings, Node
from ecs_sync.config.jobs import Placed
from ecs_sync.config.values import ConnectionConfig, JobConfig, LinkConfig
from ecs_sync.config.words import writes


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
            endpoint = usable[link.connection].endpoint
            by_endpoint[endpoint].append(Writer(job, link, node, order))
    for writers in by_endpoint.values():
        for first, second in _overlapping(writers):
            message = _message(first, second)
            if message:
                found.add(second.node.map["place"].at, message)


def _links(placed: Sequence[Placed]) -> Iterator[tuple[JobConfig, LinkConfig, Node]]:
    for each in placed:
        for link, node in zip(each.job.links, each.nodes, strict=True):
            yield each.job, link, node


def _overlapping(writers: list[Writer]) -> Iterator[tuple[Writer, Writer]]:
    """Pairs whose places overlap. Where they do, one root begins with the other: sorted by root, all
    that may overlap a place stand on the path of prefixes above it."""
    above: list[Writer] = []
    for writer in sorted(writers, key=lambda writer: writer.link.place.root):
        root = writer.link.place.root
        while above and not root.startswith(above[-1].link.place.root):
            above.pop()
        for other in above:
            if other.link.place.overlaps(writer.link.place):
                yield (other, writer) if other.order <= writer.order else (writer, other)
        above.append(writer)


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
