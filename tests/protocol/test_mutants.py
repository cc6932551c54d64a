"""Every mistake that this protocol could hide is caught, so that a clean exploration means something."""

from __future__ import annotations

from dataclasses import replace

import pytest

from .explorer import explore
from .settings import MISTAKES
from .world import Setting, Violation


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_caught(mistake: str) -> None:
    wrong = replace(MISTAKES[mistake], wrong=frozenset({mistake}))
    with pytest.raises(Violation) as caught:
        explore(wrong)
    print(f"{mistake}: caught after {caught.value.schedules:,} schedules: {caught.value.args[0]}")
    assert caught.value.trace


@pytest.mark.parametrize(
    "setting",
    dict.fromkeys(MISTAKES.values()),
    ids=lambda setting: f"{setting.guard}-{setting.start}-{'-'.join(map(str, setting.budget))}",
)
def test_without_a_mistake_the_same_schedules_are_clean(setting: Setting) -> None:
    assert explore(setting).schedules
