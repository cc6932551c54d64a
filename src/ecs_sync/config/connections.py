"""The store, the connections and the worker, read from their nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ecs_sync.adapter import UNREAD
from ecs_sync.config.choosing import Connected, Member, Properties, read_rule
from ecs_sync.config.document import Findings, Node
from ecs_sync.config.fields import read_fields
from ecs_sync.config.secret import From, SecretSource, looks_like_source, no_key, source
from ecs_sync.config.sections import (
    ConnectionSection,
    PaceSection,
    StoreSection,
    WorkerSection,
    WrappedKeySection,
)
from ecs_sync.config.template import check_name, each_named
from ecs_sync.config.values import ConnectionConfig, PaceConfig, StoreConfig, WorkerConfig, anchored
from ecs_sync.config.wrapped import WrappedSource, cannot_wrap
from ecs_sync.errors import ConfigError, Problem
from ecs_sync.nearest import nearest
from ecs_sync.reference import Reference
from ecs_sync.registry import AdapterType, Registry, describe

Check = Callable[[], Problem | None]
"""Why a secret cannot be had now, if it cannot."""

RESERVED = tuple(field.name for field in describe(ConnectionSection))


@dataclass(frozen=True, slots=True)
class Reading:
    """What every part of the reading needs."""

    folder: Path
    environ: Mapping[str, str]
    registry: Registry
    found: Findings
    checks: list[Check] = field(default_factory=list)
    """One for each secret that was read of: asked later, as it opens what is named."""

    def secrets(self, node: Node, names: Iterable[str]) -> dict[str, SecretSource]:
        """The sources that these keys of a map name."""
        sources: dict[str, SecretSource] = {}
        for name in names:
            child = node.map.get(name)
            if child is None:
                continue
            if child.text is None:
                self.found.add(
                    child.at, f"must be env:NAME, file:PATH or @secret:CONNECTION/NAME, not {child.kind}"
                )
                continue
            try:
                sources[name] = source(child.text, child.at, self.folder, self.environ)
            except ValueError as error:
                self.found.add(child.at, str(error))
            else:
                self.checks.append(sources[name].problem)
        return sources


def read_store(node: Node, connected: Connected, reading: Reading) -> StoreConfig | None:
    url = node.map.get("url")
    given = read_fields(StoreSection, node, reading.folder, reading.found)
    plain = url if url is not None and not looks_like_source(url.text or "") else None
    wrapped = _wrapped_key(node.map.get("key"), connected, reading)
    secrets = reading.secrets(node, [*([] if wrapped else ["key"]), *([] if plain else ["url"])])
    _check_references(secrets.values(), connected.names, reading.found)
    address: str | SecretSource | None = _address(plain, reading) if plain else secrets.get("url")
    key = wrapped if isinstance(wrapped, WrappedSource) else secrets.get("key")
    if isinstance(key, SecretSource):
        reading.checks.append(partial(no_key, key))
    if address is None:
        return None
    return StoreConfig(address, key, **given)


def _wrapped_key(node: Node | None, connected: Connected, reading: Reading) -> WrappedSource | Node | None:
    """The wrapped key that a map describes; the map itself where something is wrong with it."""
    if node is None or not isinstance(node.content, Mapping):
        return None
    given = read_fields(WrappedKeySection, node, reading.folder, reading.found)
    if len(given) < len(describe(WrappedKeySection)):
        return node
    by = node.map["by"]
    adapters = {name: each.adapter for name, each in connected.usable.items()}
    if given["by"] in connected.groups:
        reading.found.add(by.at, f"{given['by']!r} is a group of connections: name one of them")
    elif given["by"] in adapters or given["by"] not in connected.names:
        reason = cannot_wrap(given["by"], adapters, reading.registry)
        if reason:
            reading.found.add(by.at, reason)
    wrapped = WrappedSource(given["wrapped"], given["by"], given["with"], node.at)
    reading.checks.append(wrapped.problem)
    return wrapped


def _address(node: Node, reading: Reading) -> str | None:
    """A URL in the file: a known kind of database, without a password; SQLite's path made absolute."""
    text = node.text
    if text is None:
        reading.found.add(node.at, f"must be a URL, not {node.kind}")
        return None
    kind = text.partition(":")[0]
    if kind not in ("sqlite", "postgresql+psycopg"):
        reading.found.add(node.at, "must begin with sqlite:/// or postgresql+psycopg://")
        return None
    if kind == "sqlite":
        return _sqlite(text, node, reading)
    try:
        password = urlsplit(text).password
    except ValueError:
        reading.found.add(node.at, "is not a URL")
        return None
    if password or "password=" in text:
        reading.found.add(node.at, "holds a password: put the whole URL in a variable and write env:NAME")
        return None
    return text


def _sqlite(text: str, node: Node, reading: Reading) -> str | None:
    path = text.removeprefix("sqlite:///").partition("?")[0]
    if not text.startswith("sqlite:///") or path in ("", ":memory:"):
        reading.found.add(node.at, "must name a file: sqlite:///FILE")
        return None
    return anchored(text, reading.folder)


def read_connections(node: Node, properties: Properties, reading: Reading) -> Connected:
    """The connections and groups, templates expanded; those with a problem are left out, and said."""
    nodes = dict(each_named(node, "connection", reading.found))
    usable: dict[str, ConnectionConfig] = {}
    members: dict[str, list[Member | None]] = {}
    for name, child in nodes.items():
        connection = _connection(name, child, reading)
        if connection is not None:
            usable[name] = connection
        group = _group(child, nodes, reading.found)
        if group is not None:
            members.setdefault(group, []).append(_member(name, child, properties, reading.found))
    secrets = [source for connection in usable.values() for source in connection.secrets.values()]
    _check_references(secrets, nodes, reading.found)
    groups = {group: [each for each in found if each] for group, found in members.items()}
    sound = {group: found if len(found) == len(members[group]) else [] for group, found in groups.items()}
    return Connected((*nodes, *groups), usable, sound, properties)


def _check_references(secrets: Iterable[SecretSource], names: Iterable[str], found: Findings) -> None:
    """A secret may lie at a connection, which there must be."""
    known = tuple(names)
    for each in secrets:
        if each.kind is From.REFERENCE and (name := Reference.parse(each.name).connection) not in known:
            found.add(each.where, f"there is no connection {name!r}{nearest(name, known)}")


def _group(node: Node, connections: Mapping[str, Node], found: Findings) -> str | None:
    """The group that a connection belongs to."""
    written, rule = node.map.get("group"), node.map.get("match")
    if written is None:
        if rule is not None:
            found.add(rule.key_at, "'match' chooses among a group: say its name with 'group'")
        return None
    group = written.text
    if group is None:
        return None
    check_name(group, replace(written, key_at=written.at), found)
    if group in connections:
        line = connections[group].key_at.line
        found.add(written.at, f"a connection is called {group!r} already (line {line}): a group is not one")
    return group


def _member(name: str, node: Node, properties: Properties, found: Findings) -> Member | None:
    written = node.map.get("match")
    if written is None:
        found.add(node.at, "'match' is missing: say which scopes of the group this connection is for")
        return None
    rule = read_rule(written, properties, found)
    return None if rule is None else Member(name, rule, written.at)


def _connection(name: str, node: Node, reading: Reading) -> ConnectionConfig | None:
    given = read_fields(
        ConnectionSection, node.only(RESERVED) if node.map else node, reading.folder, reading.found
    )
    pace = _pace(given["pace"], reading) if "pace" in given else PaceConfig()
    if "adapter" not in given:
        return None
    try:
        adapter = reading.registry.adapter(given["adapter"])
    except ConfigError as error:
        reading.found.add(node.map["adapter"].at, str(error))
        return None
    fields = describe(adapter.Options)
    settings = _settings(adapter, node, reading)
    secrets = reading.secrets(node, [field.name for field in fields if field.secret])
    connection = ConnectionConfig(name, given["adapter"], settings, secrets, pace, adapter.Options)
    if all(field.name in {**settings, **secrets} for field in fields if field.required):
        _check_options(connection, node, reading)
    return connection


def _settings(adapter: AdapterType, node: Node, reading: Reading) -> dict[str, Any]:
    """The options that are not secret."""
    options = node.without(RESERVED)
    return read_fields(adapter.Options, options, reading.folder, reading.found, also=RESERVED)


def _check_options(connection: ConnectionConfig, node: Node, reading: Reading) -> None:
    """What an adapter says of its options as a whole; where a secret cannot be read now, only if it can."""
    sources = connection.secrets
    unread = {name for name, each in sources.items() if each.kind is From.REFERENCE or each.problem()}
    if unread and not getattr(connection.options_type, "takes_unread", False):
        return
    try:
        connection.options_with(
            {name: UNREAD if name in unread else each.read() for name, each in sources.items()}
        )
    except ConfigError as error:
        reading.found.add(node.at, str(error).partition(": ")[2])


def _pace(node: Node, reading: Reading) -> PaceConfig:
    given = read_fields(PaceSection, node, reading.folder, reading.found)
    timeout = given.pop("timeout", None)
    return PaceConfig(**given, timeout=timeout.total_seconds() if timeout else None)


def read_worker(node: Node, reading: Reading) -> WorkerConfig:
    given = read_fields(WorkerSection, node, reading.folder, reading.found)
    seconds = {name: given.pop(name).total_seconds() for name in ("lease", "jitter") if name in given}
    return replace(WorkerConfig(), **given, **seconds)
