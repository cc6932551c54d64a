"""How many examples a property is tried on: each is several runs of a job on a store of its own."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

_ASKED = os.environ.get("ECS_SYNC_EXAMPLES")

some = settings(
    deadline=None,
    max_examples=int(_ASKED or 10),
    # The same examples each time, unless more are asked for: then it is a search.
    derandomize=_ASKED is None,
    database=None,
    # Examples are small, and trying smaller ones again takes longer than reading them.
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
