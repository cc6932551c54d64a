"""One thing that every adapter does, or every adapter with a certain feature."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from ecs_sync.adapter import Features

from .subject import Subject

_Check = Callable[[Subject], None]


@dataclass(frozen=True, slots=True)
class Behaviour:
    """A check whose name is a sentence. Called with a `Subject`, it raises AssertionError or passes.

    Where the subject's features do not promise the behaviour, it is skipped with the reason.
    """

    check: _Check
    promised: Callable[[Features], bool]
    unless: str

    @property
    def name(self) -> str:
        return self.check.__name__

    def __call__(self, subject: Subject) -> None:
        if not self.promised(subject.features):
            pytest.skip(f"features do not promise it: {self.unless}")
        self.check(subject)


def _always(_: Features) -> bool:
    return True


def where(promised: Callable[[Features], bool], unless: str) -> Callable[[_Check], Behaviour]:
    """A behaviour of adapters whose features promise it; ``unless`` names what they lack."""
    return lambda check: Behaviour(check, promised, unless)


def always(check: _Check) -> Behaviour:
    """A behaviour of every adapter."""
    return Behaviour(check, _always, "")
