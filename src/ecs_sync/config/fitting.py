"""A value of the file made what a field declares. Strict: a text is no number, and 1 is not true.

The types that configurations are made of are known here. Any other, which an adapter or mapping of another
package may declare, is left to pydantic, and it is imported only for those: it takes longer than the rest
of the reading.
"""

from __future__ import annotations

import json
import math
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecs_sync.registry import Spelled

if TYPE_CHECKING:
    from pydantic import TypeAdapter


class Misfit(ValueError):
    """The value is of another type than the one declared."""


@dataclass(frozen=True, slots=True, eq=False)
class Written:
    """In an ``Annotated`` type: how it is written in the file.

    ``read`` makes the value, and raises `Misfit`, or ValueError with a sentence; ``json`` is the JSON
    Schema of what it takes.
    """

    read: Callable[[Any], Any]
    json: dict[str, Any]

    def __get_pydantic_json_schema__(self, core: Any, make: Any) -> dict[str, Any]:
        return dict(self.json)


def fitted(annotation: Any, plain: Any) -> Any:
    """The value as declared: lists are tuples, texts paths or members of an enumeration where that is meant.

    ``plain`` is made of what JSON has. Raises `Misfit`, and ValueError with a sentence for what is of the
    right type and cannot be used all the same.
    """
    make = _maker(annotation)
    return make(plain) if make is not None else _by_pydantic(annotation, plain)


def _maker(annotation: Any) -> Callable[[Any], Any] | None:
    """What makes a value of a known type; None for the others."""
    if annotation in _SIMPLE:
        return _SIMPLE[annotation]
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return _member(annotation)
    inside = typing.get_args(annotation)
    match typing.get_origin(annotation):
        case typing.Annotated:
            return _annotated(annotation)
        case typing.Literal if all(isinstance(word, str) for word in inside):
            return lambda plain: plain if plain in inside else _misfit()
        case typing.Union | types.UnionType:
            return _optional(inside)
        case origin if origin is tuple and inside[1:] == (...,):
            return lambda plain: tuple(fitted(inside[0], each) for each in _expected(list, plain))
        case origin if origin is dict and inside[0] is str:
            return lambda plain: {k: fitted(inside[1], v) for k, v in _expected(dict, plain).items()}
        case _:
            return None


def _misfit() -> typing.Never:
    raise Misfit


def _expected(kind: type, plain: Any) -> Any:
    """Exactly of this kind: what is true is no number."""
    return plain if type(plain) is kind else _misfit()


def _number(plain: Any) -> float:
    if type(plain) not in (int, float):
        raise Misfit
    try:
        number = float(plain)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError("must be a finite number")
    return number


_SIMPLE: dict[Any, Callable[[Any], Any]] = {
    Any: lambda plain: plain,
    str: lambda plain: _expected(str, plain),
    int: lambda plain: _expected(int, plain),
    float: _number,
    bool: lambda plain: _expected(bool, plain),
    Path: lambda plain: Path(_expected(str, plain)),
}


def _member(kind: type[Enum]) -> Callable[[Any], Any] | None:
    members = {member.value: member for member in kind}
    if not all(isinstance(value, str) for value in members):
        return None
    return lambda plain: members[plain] if type(plain) is str and plain in members else _misfit()


def _optional(inside: tuple[Any, ...]) -> Callable[[Any], Any] | None:
    """A type or nothing. Which of several types is meant, pydantic knows."""
    rest = [part for part in inside if part is not type(None)]
    if len(rest) != 1:
        return None
    return lambda plain: None if plain is None else fitted(rest[0], plain)


def _annotated(annotation: Any) -> Callable[[Any], Any] | None:
    marks = [mark for mark in annotation.__metadata__ if not isinstance(mark, Spelled)]
    match marks:
        case []:
            return lambda plain: fitted(annotation.__origin__, plain)
        case [Written(read, _)]:
            return read
        case _:
            return None


def _by_pydantic(annotation: Any, plain: Any) -> Any:
    from pydantic import ValidationError

    try:
        return _validator(annotation).validate_json(json.dumps(plain), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
    reason = first.get("ctx", {}).get("error")
    if first["type"] == "value_error" and isinstance(reason, ValueError):
        raise ValueError(str(reason))
    if first["type"].endswith(("_type", "_parsing")) or first["type"] in ("int_from_float", "none_required"):
        raise Misfit
    raise ValueError(first["msg"].removeprefix("Input ").replace("should be", "must be"))


_cached: dict[int, tuple[Any, TypeAdapter[Any]]] = {}


def _validator(annotation: Any) -> TypeAdapter[Any]:
    """Not every annotation can be hashed; kept by identity together with what keeps that identity."""
    from pydantic import TypeAdapter

    known = _cached.get(id(annotation))
    if known is None:
        known = _cached[id(annotation)] = annotation, TypeAdapter(annotation)
    return known[1]
