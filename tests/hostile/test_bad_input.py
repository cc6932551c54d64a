"""Bad input of every kind, one row each: a clear sentence, the right exit code, and nothing lost.

The rows are in `configurations`, `documents`, `places` and `stores`.
"""

from __future__ import annotations

import unicodedata

import pytest

from . import configurations, documents, places, stores
from .cases import Case
from .ground import CANARY, Ground

ROWS = [*configurations.CASES, *documents.CASES, *places.CASES, *stores.CASES]


@pytest.mark.parametrize("case", ROWS, ids=lambda case: str(case.name))
def test_bad_input_is_refused_in_a_sentence_and_nothing_is_lost(ground: Ground, case: Case) -> None:
    case.arrange(ground)
    before = ground.state()
    answer = ground(*case.command.split(), given=case.given)
    assert answer.code == case.code, answer.said
    for phrase in case.says:
        assert phrase in answer.said
    assert CANARY not in answer.said
    assert "Traceback" not in answer.said
    assert "mistake in ecs-sync" not in answer.said
    assert not {c for c in answer.said if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Cs")}
    assert ground.state() == before
