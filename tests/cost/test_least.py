"""An unchanged place costs the least that its API allows, and what is read is read once."""

from __future__ import annotations

import pytest
from benchmarks.calls import LOOK, READ, counts
from benchmarks.providers import BACKENDS

ITEMS = 21


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("consul", 1),
        ("aws-secrets", 1 + 2),  # the list, and twenty values a call
        ("gcp-secrets", 1 + ITEMS + 2 * ITEMS),  # the list, each one's version, and its value with its time
    ],
)
def test_a_look_costs_the_least_and_a_full_read_reads_each_value_once(name: str, read: int) -> None:
    backend = BACKENDS[name]
    assert backend.least is not None
    found = {count.kind: count for count in counts(backend, backend.least, ITEMS, 3, 2)}
    assert (found[LOOK].calls, found[READ].calls) == (backend.least.look(ITEMS), read)
    assert all(count.calls == count.foretold >= count.least for count in found.values())
