"""A JSON Schema of the configuration file, for editors; built from the declarations that reading uses.

It is a little more lenient than reading: what one part says of another (names, modes, overlaps) and
the braces of templates are beyond it.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from ecs_sync.config.connections import RESERVED
from ecs_sync.config.fields import nested
from ecs_sync.config.sections import (
    ConnectionSection,
    FileSection,
    LinkSection,
    PropertiesSection,
    StoreSection,
)
from ecs_sync.errors import ConfigError
from ecs_sync.registry import Field, Registry, describe

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_SOURCE = {"type": "string", "pattern": r"^(env:[A-Za-z_{][A-Za-z0-9_{}]*|file:.+|@secret:.+|kv://.+)$"}


def schema(registry: Registry | None = None) -> dict[str, Any]:
    """The schema of a file, with the options of every adapter and mapping that can be loaded."""
    build = _Builder(registry or Registry.from_entry_points())
    tree = build.section(FileSection)
    return {"$schema": _DIALECT, "title": "ecs-sync.yaml", **tree, "$defs": build.definitions}


class _Builder:
    __slots__ = ("_registry", "definitions")

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self.definitions: dict[str, Any] = {}

    def section(self, cls: type) -> dict[str, Any]:
        if cls is ConnectionSection:
            return self._connection()
        if cls is PropertiesSection:
            values = {"type": ["string", "integer"]}
            return {"type": "object", "additionalProperties": values, "description": cls.__doc__}
        fields = describe(cls)
        tree = _closed({field.name: self._property(field, cls) for field in fields}, fields)
        return {**tree, "description": cls.__doc__}

    def _property(self, field: Field, owner: type) -> dict[str, Any]:
        if owner is LinkSection and field.name == "place":
            tree = self._place()
        elif owner is LinkSection and field.name == "mapping":
            tree = self._mapping()
        elif owner is StoreSection and field.name == "url":
            tree = {"type": "string"}
        elif field.secret and nested(field.annotation):
            tree = {"anyOf": [dict(_SOURCE), self._nested(field.annotation)]}
        elif field.secret:
            tree = dict(_SOURCE)
        elif nested(field.annotation):
            tree = self._nested(field.annotation)
        else:
            tree = self._scalar(field.annotation)
        tree["description"] = field.help
        shown = plain_default(field)
        if shown is not None:
            tree["default"] = shown
        return tree

    def _nested(self, annotation: Any) -> dict[str, Any]:
        if isinstance(annotation, type):
            return self.section(annotation)
        origin, inside = typing.get_origin(annotation), typing.get_args(annotation)
        if origin is tuple:
            return {"type": "array", "minItems": 1, "items": self._nested(inside[0])}
        if origin is dict:
            return {"type": ["object", "null"], "additionalProperties": self._nested(inside[1])}
        return self._nested(next(part for part in inside if nested(part)))

    def _scalar(self, annotation: Any) -> dict[str, Any]:
        tree = TypeAdapter(annotation).json_schema(ref_template="#/$defs/{model}")
        self.definitions.update(tree.pop("$defs", {}))
        tree.pop("title", None)
        return tree

    def _connection(self) -> dict[str, Any]:
        own = describe(ConnectionSection)
        shared = {field.name: self._property(field, ConnectionSection) for field in own}
        shared["adapter"]["enum"] = list(self._registry.adapters)
        cases = []
        for name, options in self._known(
            self._registry.adapters, lambda n: self._registry.adapter(n).Options
        ):
            case = self._own(options, {}) if options else {}
            if options:
                case["properties"] |= {key: {} for key in RESERVED}
            cases.append({"if": {"properties": {"adapter": {"const": name}}}, "then": case})
        return {
            "type": "object",
            "required": ["adapter"],
            "properties": shared,
            "dependentRequired": {"group": ["match"], "match": ["group"]},
            "allOf": cases,
        }

    def _place(self) -> dict[str, Any]:
        shapes: list[dict[str, Any]] = [{"type": "string"}]
        for _, place in self._known(self._registry.adapters, lambda n: self._registry.adapter(n).Place):
            shapes.append(self._own(place, {}) if place else {"type": "object"})
        return {"anyOf": shapes}

    def _mapping(self) -> dict[str, Any]:
        shapes: list[dict[str, Any]] = [{"enum": list(self._registry.mappings)}]
        for name, options in self._known(
            self._registry.mappings, lambda n: self._registry.mapping(n).Options
        ):
            named = {"name": {"const": name}}
            shapes.append(self._own(options, named) if options else {"type": "object", "properties": named})
        return {"anyOf": shapes}

    def _own(self, cls: type, named: dict[str, Any]) -> dict[str, Any]:
        """A map of the fields of a declared type, behind the keys of ``named``."""
        fields = describe(cls)
        tree = _closed({**named, **{field.name: self._property(field, cls) for field in fields}}, fields)
        return {**tree, "required": [*named, *tree["required"]]}

    def _known(
        self, names: Iterable[str], declared: Callable[[str], type]
    ) -> Iterator[tuple[str, type | None]]:
        """Each name with what it declares; None where its SDK is not installed, so that nothing is known."""
        for name in names:
            try:
                yield name, declared(name)
            except ConfigError:
                yield name, None


def _closed(properties: dict[str, Any], fields: tuple[Field, ...]) -> dict[str, Any]:
    required = [field.name for field in fields if field.required]
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        "required": required,
    }


def plain_default(field: Field) -> Any:
    """A field's default as it would be written in the file; None where it has none."""
    match field.default:
        case timedelta():
            return _seconds(field.default)
        case float() if field.type == "percentage":
            return f"{field.default:g}%"
        case Enum():
            return field.default.value
        case Path():
            return str(field.default)
        case tuple() | frozenset() | list():
            return list(field.default)
        case str() | int() | float() | bool():
            return field.default
        case _:
            return None


def _seconds(time: timedelta) -> str:
    seconds = int(time.total_seconds())
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds and seconds % length == 0:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"
