"""What all tests share: the same examples at every run, unless somebody searches for new ones.

HYPOTHESIS_PROFILE=search python -m pytest tests/decisions
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

from tests.canary import new_canary

SLOW = (
    "adapters/test_aws_appconfig_deployments.py",
    "adapters/test_aws_appconfig_faults.py",
    "adapters/test_aws_ssm_labels.py",
    "adapters/test_vault_runs.py",
    "cli/test_wrapped_keys.py",
    "cost/test_calls.py",
    "decisions/test_order.py",
    "faults/",
    "mappings/test_formats_real.py",
    "real/",
    "sandbox/test_demo.py",
    "sandbox/test_serving.py",
    "testing/test_mapping_contract.py",
)
"""What `make test` leaves to `make test-slow` and to CI, so that it ends within ten minutes on two cores."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.relative_to(here).as_posix().startswith(SLOW):
            item.add_marker(pytest.mark.slow)


settings.register_profile("steady", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("search", deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))


@pytest.fixture
def canary() -> str:
    """A secret of this test alone."""
    return new_canary()
