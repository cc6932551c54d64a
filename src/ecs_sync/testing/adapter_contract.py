"""The suite that every adapter passes. It reads the adapter's features and nothing else.

To run it, make a `Subject` and take each behaviour as a test of your own::

    import pytest
    from ecs_sync.testing import adapter_contract
    from ecs_sync.testing.adapter_contract import Behaviour, Subject

    @pytest.fixture
    def subject():
        ...
        yield Subject(adapter, place, outside, id=lambda name: f"app/{name}", beside="app2/x")

    @adapter_contract.behaviours
    def test_my_adapter(behaviour: Behaviour, subject: Subject) -> None:
        behaviour(subject)

Each behaviour gets a new subject with an empty place. What the features do not promise is skipped.
"""

from __future__ import annotations

from types import ModuleType

import pytest

from .behaviour import Behaviour
from .contract import batches, conduct, elsewhere, listing, reading, values, writing
from .subject import Outside, Subject

__all__ = ["BEHAVIOURS", "Behaviour", "Outside", "Subject", "behaviours"]


def _of(module: ModuleType) -> list[Behaviour]:
    return [value for value in vars(module).values() if isinstance(value, Behaviour)]


BEHAVIOURS: tuple[Behaviour, ...] = tuple(
    behaviour
    for module in (listing, reading, writing, batches, values, conduct, elsewhere)
    for behaviour in _of(module)
)
"""All of them, by what they look at."""

behaviours = pytest.mark.parametrize("behaviour", BEHAVIOURS, ids=[one.name for one in BEHAVIOURS])
"""Decorates a test function that takes ``behaviour``, once for each of them."""
