"""``providers``: what can be connected, how, and what it can do."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import click

from ecs_sync.cli.calling import Call, verb
from ecs_sync.errors import ConfigError, EcsSyncError
from ecs_sync.exits import Exit

if TYPE_CHECKING:
    from ecs_sync.registry import Registry
    from ecs_sync.render.listings import OptionShown, PieceShown


@click.command(epilog="Example: ecs-sync providers consul")
@click.argument("name", required=False)
@verb
def providers(call: Call, name: str | None) -> int:
    """List the adapters and mappings, or show one.

    With NAME: the options, place and features of one. NAME may also be a connection of the configuration:
    its features are then those that its options give it.
    """
    from ecs_sync.render.listings import Providers
    from ecs_sync.render.provided import provider_page, providers_page

    registry = call.registry()
    if name is None:
        document = Providers(
            "providers",
            [_adapter(registry, each) for each in registry.adapters],
            [_mapping(registry, each) for each in registry.mappings],
        )
        call.answer(document, providers_page(document))
        return Exit.DONE
    adapters = [_adapter(registry, name)] if name in registry.adapters else []
    mappings = [_mapping(registry, name)] if name in registry.mappings else []
    if not (adapters or mappings):
        adapters = [_connected(call, name)]
    document = Providers("providers", adapters, mappings)
    call.answer(document, provider_page(document))
    return Exit.ERROR if any(piece.problem for piece in (*adapters, *mappings)) else Exit.DONE


def _connected(call: Call, name: str) -> PieceShown:
    """The adapter of a connection of the configuration, with the features that its options give it."""
    from ecs_sync.nearest import nearest
    from ecs_sync.workbench import Workbench

    registry = call.registry()
    known = [*registry.adapters, *registry.mappings]
    try:
        connections = call.config().connections
    except ConfigError:
        connections = {}
    if name not in connections:
        words = [*known, *connections]
        raise click.UsageError(
            f"there is no adapter, mapping or connection {name!r}{nearest(name, words)} "
            f"(there are: {', '.join(words)})"
        )
    with Workbench.open(call.config(), registry, call.who) as bench:
        features = _features(bench.adapter(name).features)
    piece = _adapter(registry, connections[name].adapter)
    return dataclasses.replace(piece, name=f"{name} ({piece.name})", features=features)


def _adapter(registry: Registry, name: str) -> PieceShown:
    from ecs_sync.registry import describe
    from ecs_sync.render.listings import PieceShown

    try:
        adapter = registry.adapter(name)
        origin = registry.origin(name)
    except ConfigError as error:
        return PieceShown(name, "adapter", "", "", str(error), {}, [], [])
    fields = describe(adapter.Options)
    features = {} if any(field.required for field in fields) else _by_default(adapter)
    place = _options(describe(adapter.Place))
    return PieceShown(name, "adapter", origin, _summary(adapter), "", features, _options(fields), place)


def _by_default(adapter: Any) -> dict[str, object]:
    """The features of an adapter whose options all have defaults."""
    try:
        built = adapter(adapter.Options())
    except (EcsSyncError, ValueError):
        return {}
    try:
        return _features(built.features)
    finally:
        built.close()


def _mapping(registry: Registry, name: str) -> PieceShown:
    from ecs_sync.registry import describe
    from ecs_sync.render.listings import PieceShown

    try:
        mapping = registry.mapping(name)
    except ConfigError as error:
        return PieceShown(name, "mapping", "", "", str(error), {}, [], [])
    options = _options(describe(mapping.Options))
    return PieceShown(name, "mapping", "", _summary(mapping), "", {}, options, [])


def _summary(piece: Any) -> str:
    """What the declaration of its options says it is, in a line."""
    for declared in (getattr(piece, "Options", None), piece):
        text = (getattr(declared, "__doc__", None) or "").strip().partition("\n")[0]
        if text and not text.startswith(f"{getattr(declared, '__name__', '')}("):
            return text.rstrip(".")
    return ""


def _options(fields: Any) -> list[OptionShown]:
    from ecs_sync.config.schema import plain_default
    from ecs_sync.render.listings import OptionShown

    return [
        OptionShown(f.name, f.type, f.required, f.secret, None if f.required else plain_default(f), f.help)
        for f in fields
    ]


def _features(features: Any) -> dict[str, object]:
    """The features as plain data."""
    plain: dict[str, object] = {}
    for field in dataclasses.fields(features):
        value = getattr(features, field.name)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            value = dataclasses.asdict(value)
        elif isinstance(value, frozenset):
            value = sorted(value)
        plain[field.name] = value
    return plain
