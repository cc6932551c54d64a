"""What all tests share: the same examples at every run, unless somebody searches for new ones.

HYPOTHESIS_PROFILE=search python -m pytest tests/decisions
"""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

from tests.canary import new_canary

settings.register_profile("steady", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("search", deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))


@pytest.fixture
def canary() -> str:
    """A secret of this test alone."""
    return new_canary()
