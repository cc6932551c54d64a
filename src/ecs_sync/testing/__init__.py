"""What an adapter or a mapping, ours or a stranger's, must do to be trusted with somebody's configuration.

`ecs_sync.testing.adapter_contract` and `ecs_sync.testing.mapping_contract` are suites for pytest, and
`ecs_sync.testing.strategies` feeds them; ``pip install 'ecs-sync[testing]'`` brings what they need.
"""

from __future__ import annotations

try:
    import pytest
except ModuleNotFoundError:  # the fault proxy is of use without pytest
    pass
else:
    # So that a failed assertion of a suite shows both sides, as in the tester's own files.
    for _module in ("contract", "mapping_contract", "subject"):
        pytest.register_assert_rewrite(f"{__name__}.{_module}")
