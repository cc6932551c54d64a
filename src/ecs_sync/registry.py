"""Adapters and mappings, found through entry points and loaded on first use.

The groups are ``ecs_sync.adapters`` and ``ecs_sync.mappings``. An entry point may name an extra of its
distribution (``module:Class [aws]``): it is what a missing SDK answers with.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import importlib.metadata
import re
import types
import typing
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from importlib.metadata import Distribution, EntryPoint
from pathlib import Path
from typing import Any, Protocol, cast

from ecs_sync.adapter import Adapter
from ecs_sync.errors import ConfigError
from ecs_sync.mapping import Mapping
from ecs_sync.model import Scope
from ecs_sync.nearest import nearest

ADAPTERS = "ecs_sync.adapters"
MAPPINGS = "ecs_sync.mappings"


class AdapterType(Protocol):
    """The class of an adapter: call it with an instance of its ``Options``."""

    Options: type
    Place: Any

    def __call__(self, options: Any, /) -> Adapter: ...


class MappingType(Protocol):
    """The class of a mapping: call it with an instance of its ``Options``, a place and a scope."""

    Options: type

    def __call__(self, options: Any, place: Any, scope: Scope, /) -> Mapping: ...


class Registry:
    """The adapters and mappings there are. Names cost no import; a class is imported when asked for.

    Every method that takes a name raises `ConfigError`: for an unknown one naming the nearest known
    one, for a missing SDK with the line that installs it, for a broken package with its name.
    """

    __slots__ = ("_adapters", "_loaded", "_mappings")

    def __init__(self, adapters: Iterable[EntryPoint], mappings: Iterable[EntryPoint]) -> None:
        self._adapters = _by_name(adapters)
        self._mappings = _by_name(mappings)
        self._loaded: dict[tuple[str, str], Any] = {}

    @classmethod
    def from_entry_points(cls) -> Registry:
        """What the installed distributions offer."""
        # All groups come of one search, which opens a file of every distribution.
        points = importlib.metadata.entry_points()
        return cls(points.select(group=ADAPTERS), points.select(group=MAPPINGS))

    @property
    def adapters(self) -> tuple[str, ...]:
        """The names of the adapters, sorted."""
        return tuple(sorted(self._adapters))

    @property
    def mappings(self) -> tuple[str, ...]:
        """The names of the mappings, sorted."""
        return tuple(sorted(self._mappings))

    def adapter(self, name: str) -> AdapterType:
        point = self._point("adapter", name, self._adapters)
        return cast("AdapterType", self._load("adapter", point, ("Options", "Place")))

    def mapping(self, name: str) -> MappingType:
        point = self._point("mapping", name, self._mappings)
        return cast("MappingType", self._load("mapping", point, ("Options",)))

    def has(self, name: str, ability: type) -> bool:
        """Has the adapter of this name an optional ability, one of the protocols of `ecs_sync.abilities`?

        One whose SDK is not installed is not known to have any.
        """
        try:
            return issubclass(cast("type", self.adapter(name)), ability)
        except ConfigError:
            return False

    def origin(self, name: str) -> str:
        """The distribution that offers the adapter of this name, with its version."""
        return _distribution(self._point("adapter", name, self._adapters))

    def _point(self, kind: str, name: str, points: dict[str, list[EntryPoint]]) -> EntryPoint:
        found = points.get(name, [])
        if not found:
            known = f"installed are {', '.join(sorted(points))}" if points else "none is installed"
            raise ConfigError(f"there is no {kind} {name!r}{nearest(name, points)} ({known})")
        if len(found) > 1:
            rivals = " and ".join(sorted(_distribution(point) for point in found))
            raise ConfigError(f"the {kind} {name!r} is offered by {rivals}: uninstall all but one")
        return found[0]

    def _load(self, kind: str, point: EntryPoint, parts: Sequence[str]) -> Any:
        known = (kind, point.name)
        if known not in self._loaded:
            loaded = _imported(kind, point)
            for part in parts:
                if not dataclasses.is_dataclass(getattr(loaded, part, None)):
                    raise ConfigError(f"{_broken(kind, point)}: its {part!r} is not a dataclass")
            self._loaded[known] = loaded
        return self._loaded[known]


def _by_name(points: Iterable[EntryPoint]) -> dict[str, list[EntryPoint]]:
    """One distribution that is found twice on the path offers the same thing twice: that is one."""
    found: dict[str, dict[str, EntryPoint]] = {}
    for point in points:
        found.setdefault(point.name, {}).setdefault(point.value, point)
    return {name: list(values.values()) for name, values in found.items()}


def _imported(kind: str, point: EntryPoint) -> Any:
    try:
        return point.load()
    except ImportError as error:
        extra = _extra(point, error)
        if extra is None:
            raise ConfigError(f"{_broken(kind, point)}: {error}") from error
        raise ConfigError(
            f"the {kind} {point.name!r} needs {error.name}, which is not installed: "
            f"pip install '{point.dist.name if point.dist else 'ecs-sync'}[{extra}]'"
        ) from error
    except Exception as error:
        raise ConfigError(f"{_broken(kind, point)}: {type(error).__name__}: {error}") from error


def _broken(kind: str, point: EntryPoint) -> str:
    return f"the {kind} {point.name!r} of {_distribution(point)} cannot be loaded"


def _distribution(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else f"the module {point.module!r}"


def _extra(point: EntryPoint, error: ImportError) -> str | None:
    """The extra that brings what could not be imported; None where the package itself is broken."""
    own = point.module.partition(".")[0]
    if error.name is None or error.name.partition(".")[0] == own:
        return None
    if point.extras:
        return point.extras[0]
    return _extra_with(point.dist, error.name) if point.dist else None


def _extra_with(distribution: Distribution, module: str) -> str | None:
    """The smallest extra with a requirement spelled like the module, as ``py-consul`` is like ``consul``."""
    wanted = _squashed(module)
    sizes: dict[str, int] = {}
    fitting: set[str] = set()
    for requirement in distribution.requires or ():
        name = re.match(r"[A-Za-z0-9._-]+", requirement)
        extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)['\"]", requirement)
        if name is None or extra is None:
            continue
        sizes[extra[1]] = sizes.get(extra[1], 0) + 1
        if _squashed(name[0]).endswith(wanted) or wanted.startswith(_squashed(name[0])):
            fitting.add(extra[1])
    return min(fitting, key=lambda extra: (sizes[extra], len(extra), extra), default=None)


def _squashed(name: str) -> str:
    return re.sub(r"[._-]", "", name).lower()


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an ``Options`` or ``Place``, as its users read of it.

    ``type`` is in words; ``annotation`` is the Python type; ``default`` means nothing where ``required``.
    """

    name: str
    type: str
    required: bool
    default: Any
    help: str
    secret: bool
    annotation: Any
    where: bool = False
    only_reads: bool = False


@lru_cache(maxsize=1024)
def describe(cls: type) -> tuple[Field, ...]:
    """The fields of a dataclass in their order; help and secrecy come from `ecs_sync.adapter.option`.

    A field whose metadata say ``spelled`` has that name where people write it.
    """
    hints = typing.get_type_hints(cls, include_extras=True)
    return tuple(_field(field, hints[field.name]) for field in dataclasses.fields(cls) if field.init)


def _field(field: dataclasses.Field[Any], annotation: Any) -> Field:
    missing = dataclasses.MISSING
    factory = field.default_factory
    default = factory() if factory is not missing else field.default
    return Field(
        name=field.metadata.get("spelled", field.name),
        type=spell(annotation),
        required=default is missing,
        default=None if default is missing else default,
        help=field.metadata.get("help", ""),
        secret=field.metadata.get("secret", False),
        annotation=annotation,
        where=field.metadata.get("where", False),
        only_reads=field.metadata.get("only_reads", False),
    )


@dataclass(frozen=True, slots=True)
class Spelled:
    """In an ``Annotated`` type: how the type is called in words."""

    text: str


_WORDS: dict[Any, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    Path: "path",
    type(None): "nothing",
    Any: "anything",
}


def spell(annotation: Any) -> str:
    """A Python type in words: ``tuple[str, ...]`` is ``list of text``."""
    if annotation in _WORDS:
        return _WORDS[annotation]
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return " | ".join(f"`{member.value}`" for member in annotation)
    origin, inside = typing.get_origin(annotation), typing.get_args(annotation)
    rules: list[tuple[tuple[Any, ...], Callable[[], str]]] = [
        ((typing.Annotated,), lambda: _spelled(annotation)),
        ((typing.Literal,), lambda: " | ".join(f"`{value}`" for value in inside)),
        ((typing.Union, types.UnionType), lambda: _union(inside)),
        ((tuple, list, Sequence, set, frozenset), lambda: f"list of {spell(inside[0])}"),
        ((dict, collections.abc.Mapping), lambda: f"map of name to {spell(inside[1])}"),
    ]
    for origins, words in rules:
        if origin in origins:
            return words()
    return str(getattr(annotation, "__name__", annotation))


def _spelled(annotation: Any) -> str:
    named = [mark.text for mark in annotation.__metadata__ if isinstance(mark, Spelled)]
    return named[0] if named else spell(annotation.__origin__)


def _union(inside: tuple[Any, ...]) -> str:
    return " or ".join(spell(part) for part in inside if part is not type(None))
