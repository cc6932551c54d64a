"""Jobs and their links, read from their nodes and checked against what they name."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from ecs_sync.config.choosing import Connected, chosen
from ecs_sync.config.connections import Reading
from ecs_sync.config.document import Findings, Node
from ecs_sync.config.fields import read_fields
from ecs_sync.config.sections import JobSection, LimitsSection, LinkSection, ScopeSection, SelectSection
from ecs_sync.config.template import check_name, each_named
from ecs_sync.config.values import ConnectionConfig, JobConfig, LinkConfig
from ecs_sync.config.words import link_policy, writes
from ecs_sync.errors import EcsSyncError
from ecs_sync.limits import Limits
from ecs_sync.model import Scope
from ecs_sync.nearest import nearest
from ecs_sync.policy import STORE, JobPolicy, Rule, Secrets
from ecs_sync.registry import describe
from ecs_sync.selection import Selection

_MOST_LISTED = 12


@dataclass(frozen=True, slots=True)
class Placed:
    """A job with the nodes of its links, in their order."""

    job: JobConfig
    nodes: tuple[Node, ...]


def read_jobs(node: Node, connected: Connected, reading: Reading) -> list[Placed]:
    """All jobs, templates expanded. Parts with a problem are left out, and said."""
    named = each_named(node, "job", reading.found)
    return [_job(name, child, connected, reading) for name, child in named]


def _job(name: str, node: Node, connected: Connected, reading: Reading) -> Placed:
    found = reading.found
    given = read_fields(JobSection, node, reading.folder, found)
    if "every" in node.map and "cron" in node.map:
        found.add(node.map["cron"].key_at, "'every' and 'cron' exclude each other: keep one")
    if "references" in given:
        _check_opened(node.map["references"], connected.names, found)
    scope = _scope(given["scope"], reading) if "scope" in given else Scope()
    if scope is None:
        scope, connected = Scope(), connected.undecided()
    placed = _links(given["links"], scope, connected, reading) if "links" in given else []
    job = JobConfig(
        name=name,
        scope=scope,
        links=tuple(link for link, _ in placed),
        every=given.get("every"),
        cron=given.get("cron"),
        policy=JobPolicy(given.get("conflicts", Rule.PRIORITY), given.get("delete_wins", False)),
        limits=_limits(given["limits"], reading) if "limits" in given else Limits(),
        protected=(Selection(given["protected"]),) if given.get("protected") else (),
        secret=given.get("secret", ()),
        references=given.get("references", ()),
        shared=given.get("shared", False),
        paused=given.get("paused", False),
    )
    return Placed(job, tuple(child for _, child in placed))


def _check_opened(node: Node, names: Sequence[str], found: Findings) -> None:
    """Patterns of what may be opened begin with a connection, unless they begin with a wildcard."""
    for child in node.items:
        name, divides, _ = (child.text or "").partition("/")
        if divides and name and name not in names and not set(name) & {"*", "?"}:
            found.add(child.at, f"there is no connection {name!r}{nearest(name, names)}")


def _scope(node: Node, reading: Reading) -> Scope | None:
    """The scope; None where a part of it is not right."""
    given = read_fields(ScopeSection, node, reading.folder, reading.found)
    parts: dict[str, str] = {}
    for name, value in given.items():
        try:
            Scope(**{name: value})
        except ValueError as error:
            reading.found.add(node.map[name].at, str(error))
        else:
            parts[name] = value
    return Scope(**parts) if len(parts) == len(node.map) else None


def _limits(node: Node, reading: Reading) -> Limits:
    return Limits(**read_fields(LimitsSection, node, reading.folder, reading.found))


def _links(node: Node, scope: Scope, connected: Connected, reading: Reading) -> list[tuple[LinkConfig, Node]]:
    if not node.items:
        reading.found.add(node.at, "must be a list of at least one link")
    links: list[tuple[LinkConfig, Node]] = []
    names: set[str] = set()
    for child in node.items:
        given = read_fields(LinkSection, child, reading.folder, reading.found)
        name = given.get("name", given.get("connection", ""))
        if name:
            _check_link_name(name, child, names, reading.found)
        link = _link(name, child, given, scope, connected, reading)
        if link is not None:
            links.append((link, child))
    return links


def _check_link_name(name: str, node: Node, names: set[str], found: Findings) -> None:
    named = node.map["name" if "name" in node.map else "connection"]
    if "name" in node.map:
        check_name(name, named, found)
    if name == STORE:
        found.add(named.at, f"a link is not called {STORE!r}, which means the store: give it another 'name'")
    if name in names:
        found.add(named.at, f"two links of the job are called {name!r}: give one of them another 'name'")
    names.add(name)


def _link(
    name: str, node: Node, given: dict[str, Any], scope: Scope, connected: Connected, reading: Reading
) -> LinkConfig | None:
    policy = link_policy(name, node, given, reading.found)
    select = _select(given["select"], reading) if "select" in given else Selection()
    connection = _connection(node, given, scope, connected, reading.found)
    if policy is not None and connection is not None and writes(policy):
        _check_writable(connection, node, reading.found)
    place = _place(node, connection, reading) if connection and "place" in given else None
    mapping = _mapping(node, reading) if "mapping" in given else None
    if policy is None or connection is None or place is None or mapping is None:
        return None
    mapping_name, options = mapping
    try:
        reading.registry.mapping(mapping_name)(options, place, scope)
    except (ValueError, EcsSyncError) as error:
        reading.found.add(node.map["mapping"].at, str(error))
        return None
    return LinkConfig(
        name=name,
        connection=connection.name,
        place=place,
        mapping=mapping_name,
        mapping_options=options,
        policy=policy,
        select=select,
        secrets=given.get("secrets", Secrets.REFUSE),
        hard_deletes=given.get("hard_deletes", False),
        settle=given.get("settle", timedelta(0)).total_seconds(),
    )


def _check_writable(connection: ConnectionConfig, node: Node, found: Findings) -> None:
    """A connection may have an option with which it only reads."""
    for field in describe(connection.options_type):
        if field.only_reads and connection.settings.get(field.name) is not None:
            found.add(
                node.map["mode"].at,
                f"this link could write, and {connection.name!r} has {field.name!r} and only reads: use "
                f"mode import or audit, or a connection without {field.name!r}",
            )


def _select(node: Node, reading: Reading) -> Selection:
    return Selection(**read_fields(SelectSection, node, reading.folder, reading.found))


def _connection(
    node: Node, given: dict[str, Any], scope: Scope, connected: Connected, found: Findings
) -> ConnectionConfig | None:
    """The connection that is named, or the one of the named group that is for the job's scope."""
    name = given.get("connection")
    if name is None:
        return None
    at = node.map["connection"].at
    if name not in connected.names:
        known = nearest(name, connected.names)
        found.add(at, f"there is no connection {name!r}{known} ({_there_are(connected.names)})")
    members = connected.groups.get(name)
    if members:
        name = chosen(name, members, scope, connected.properties, at, found)
    return None if name is None else connected.usable.get(name)


def _there_are(names: Sequence[str]) -> str:
    more = len(names) - _MOST_LISTED
    listed = ", ".join(names[:_MOST_LISTED]) + (f" and {more} more" if more > 0 else "")
    return f"there are {listed}" if listed else "there is none"


def _place(node: Node, connection: ConnectionConfig, reading: Reading) -> Any:
    written = node.map["place"]
    place_type = reading.registry.adapter(connection.adapter).Place
    try:
        if written.text is not None:
            return place_type.parse(written.text)
        return _built(place_type, written, reading)
    except (ValueError, EcsSyncError) as error:
        reading.found.add(written.at, str(error))
        return None


def _mapping(node: Node, reading: Reading) -> tuple[str, Any] | None:
    """The name of a mapping and an instance of its options."""
    written = node.map["mapping"]
    named = written.map.get("name") if written.map else written
    if named is None or named.text is None:
        reading.found.add(written.at, "must be a mapping's name, or a map with its 'name' and options")
        return None
    try:
        options_type = reading.registry.mapping(named.text).Options
        options = _built(
            options_type, dataclasses.replace(written, content=written.without(["name"]).map), reading
        )
    except (ValueError, EcsSyncError) as error:
        reading.found.add(named.at, str(error))
        return None
    return None if options is None else (named.text, options)


def _built(cls: type, node: Node, reading: Reading) -> Any:
    """An instance of a declared type; None where its fields do not do. Raises ValueError as it does."""
    given = read_fields(cls, node, reading.folder, reading.found, also=["name"] if "name" in node.map else [])
    fields = describe(cls)
    complete = all(field.name in given for field in fields if field.required)
    right = all(field.name in given for field in fields if field.name in node.map)
    return cls(**given) if complete and right else None
