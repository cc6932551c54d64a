"""Maps of the file read into declared fields: unknown keys, wrong types and missing ones, all at once."""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Iterable
from enum import Enum
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ecs_sync.config.document import Findings, Node
from ecs_sync.config.secret import looks_like_source
from ecs_sync.config.sections import SECTIONS
from ecs_sync.nearest import nearest
from ecs_sync.registry import Field, describe


def read_fields(
    cls: type, node: Node, folder: Path, found: Findings, also: Iterable[str] = ()
) -> dict[str, Any]:
    """The given fields of ``cls`` that are right, by name; what is wrong goes to ``found``.

    Fields whose type is a section, or several, come as `Node`: the caller reads on. Secret fields are
    left to the caller altogether. A relative path is taken from ``folder``. ``also`` names keys of the
    same map that somebody else reads.
    """
    if not expect_map(node, found):
        return {}
    declared = {field.name: field for field in describe(cls)}
    refuse_unknown(node, [*declared, *also], found)
    values: dict[str, Any] = {}
    for name, field in declared.items():
        child = node.map.get(name)
        if child is None:
            if field.required:
                found.add(node.at, f"{name!r} is missing" + (f": {field.help}" if field.help else ""))
        elif field.secret:
            continue
        elif nested(field.annotation):
            values[name] = child
        else:
            problem, value = read_value(field, child)
            if problem:
                found.add(child.at, problem)
            else:
                values[name] = folder / value if isinstance(value, Path) else value
    return values


def expect_map(node: Node, found: Findings) -> bool:
    """Is this a map? Says so in ``found`` where it is not."""
    if isinstance(node.content, (str, int, float, tuple)) or node.content is None:
        found.add(node.at, f"must be a map of keys, not {node.kind}")
        return False
    return True


def refuse_unknown(node: Node, known: list[str], found: Findings) -> None:
    for name, child in node.map.items():
        if name not in known:
            hint = nearest(name, known) or f"; known here: {', '.join(sorted(known))}"
            found.add(child.key_at, f"unknown key {name!r}{hint}")


def read_value(field: Field, node: Node) -> tuple[str, Any]:
    """A problem, or the value of a field that is neither a section nor secret."""
    if any(looks_like_source(text.text or "") for text in node.texts()):
        return "is not a secret: env:, file: and @secret: are for options declared secret", None
    plain = node.plain()
    try:
        return "", _validator(field.annotation).validate_json(json.dumps(plain), strict=True)
    except ValidationError as error:
        return _sentence(field, node, error), None


_cached: dict[int, tuple[Any, TypeAdapter[Any]]] = {}


def _validator(annotation: Any) -> TypeAdapter[Any]:
    """Not every annotation can be hashed; kept by identity together with what keeps that identity."""
    known = _cached.get(id(annotation))
    if known is None:
        known = _cached[id(annotation)] = annotation, TypeAdapter(annotation)
    return known[1]


def nested(annotation: Any) -> bool:
    """Is this a section of the file, or a list or map of sections?"""
    if isinstance(annotation, type):
        return annotation in SECTIONS
    if typing.get_origin(annotation) is typing.Annotated:
        return nested(annotation.__origin__)
    return any(nested(part) for part in typing.get_args(annotation))


def _sentence(field: Field, node: Node, error: ValidationError) -> str:
    """What is wrong in the words of the file. Never quotes what stands there: it may be a secret."""
    first = error.errors(include_url=False, include_input=False)[0]
    reason = first.get("ctx", {}).get("error")
    if first["type"] == "value_error" and isinstance(reason, ValueError):
        return str(reason)
    choices = _choices(field.annotation)
    if choices:
        near = nearest(node.text, choices) if node.text else ""
        return f"must be {_list(choices)}{near or f', not {node.kind}' * (node.text is None)}"
    if first["type"].endswith(("_type", "_parsing")) or first["type"] in ("int_from_float", "none_required"):
        quoted = node.text is not None and _reads_as_number(node.text) and "number" in field.type
        hint = ": write it without quotes" if quoted else ""
        return f"must be {_article(field.type)}, not {node.kind}{hint}"
    return first["msg"].removeprefix("Input ").replace("should be", "must be")


def _choices(annotation: Any) -> list[str]:
    """The words that a closed choice allows; empty where it is not one."""
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return [str(member.value) for member in annotation]
    origin, inside = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _choices(annotation.__origin__)
    if origin is typing.Literal:
        return [str(word) for word in inside]
    if origin in (typing.Union, types.UnionType):
        parts = [_choices(part) for part in inside if part is not type(None)]
        return parts[0] if len(parts) == 1 else []
    return []


def _list(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _article(words: str) -> str:
    plural = words.startswith(("text", "true", "nothing", "anything"))
    return words if plural else f"a {words}"


def _reads_as_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
