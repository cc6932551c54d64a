"""The types that the file is made of are read as pydantic reads them, strictly, without waiting for it."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, TypeAdapter, ValidationError

from ecs_sync.config import fitting
from ecs_sync.config.fields import nested
from ecs_sync.config.fitting import Misfit, fitted
from ecs_sync.config.sections import SECTIONS
from ecs_sync.registry import Registry, Spelled, describe


class Colour(StrEnum):
    RED = "red"
    GREEN = "green"


KNOWN: tuple[Any, ...] = (
    str,
    int,
    float,
    bool,
    Path,
    Any,
    Colour,
    Literal["red", "blue"],
    str | None,
    float | None,
    Literal["red"] | None,
    Annotated[str, Spelled("rule")],
    Annotated[int, Spelled("whole number")] | None,
    tuple[str, ...],
    tuple[Colour, ...] | None,
    dict[str, tuple[int, ...]],
    dict[str, bool | None] | None,
)

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["red", "green", "blue", "1", "1.5", "true", "", "null"])
    | st.text(st.characters(codec="utf-8"), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)

REFUSED = object()


def by_pydantic(annotation: Any, plain: Any) -> Any:
    try:
        return TypeAdapter(annotation).validate_json(json.dumps(plain), strict=True)
    except ValidationError:
        return REFUSED


def by_us(annotation: Any, plain: Any) -> Any:
    try:
        return fitted(annotation, plain)
    except Misfit:
        return REFUSED


@given(st.sampled_from(KNOWN), PLAIN)
def test_a_value_is_taken_and_made_as_pydantic_does_it_in_its_strict_way(annotation: Any, plain: Any) -> None:
    expected, made = by_pydantic(annotation, plain), by_us(annotation, plain)
    assert made == expected
    assert type(made) is type(expected)


def test_a_value_of_a_type_that_another_package_declares_is_read_by_pydantic() -> None:
    share = Annotated[int, Field(ge=1, le=9)]
    assert fitted(share, 9) == 9
    assert fitted(int | str, "7") == "7"
    with pytest.raises(Misfit):
        fitted(share, "9")
    with pytest.raises(ValueError, match="must be less than or equal to 9"):
        fitted(tuple[share, ...], [3, 10])


@pytest.mark.parametrize("plain", [float("inf"), 10**400])
def test_a_number_beyond_all_numbers_is_refused_in_a_sentence(plain: Any) -> None:
    with pytest.raises(ValueError, match="must be a finite number"):
        fitted(float, plain)


def test_all_that_the_file_and_what_is_installed_declare_is_known() -> None:
    registry = Registry.from_entry_points()
    adapters = [registry.adapter(name) for name in registry.adapters]
    declared = [
        *SECTIONS,
        *(adapter.Options for adapter in adapters),
        *(adapter.Place for adapter in adapters),
        *(registry.mapping(name).Options for name in registry.mappings),
    ]
    fields = [field for cls in declared for field in describe(cls) if not nested(field.annotation)]
    assert [field.name for field in fields if fitting._maker(field.annotation) is None] == []
