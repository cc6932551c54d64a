"""Whatever stands in the file, the answer is a configuration or its problems, never a crash."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from ecs_sync.config import load
from ecs_sync.errors import ConfigError

from .own import REGISTRY
from .test_load import WHOLE
from .test_tenants import EACH, RULED

SCALARS = st.one_of(
    st.sampled_from([None, True, -1, 10**400, 0.5, "", "5m", "30%", "env:X", "file:/", "a/", "*", "consul"]),
    st.sampled_from(["\ud800", "{x}", "[", "import", "\x00", "sqlite:///", "postgresql+psycopg://[", "::1"]),
    st.sampled_from(["tenant == acme", "tenant.region in [", "{tenant}", "vault", "vault-eu", "{{"]),
    st.text(max_size=5),
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3) | st.just("name"), inner),
    max_leaves=4,
)


def check(path: Path) -> None:
    """Loads, or says where it does not."""
    try:
        load(path, environ={}, registry=REGISTRY)
    except ConfigError as error:
        assert error.problems
        assert all(problem.line > 0 and problem.column > 0 for problem in error.problems)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("any") / "ecs-sync.yaml"


def spots(node: object, above: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    """The ways to all parts of a tree."""
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [above, *(spot for key, child in inner for spot in spots(child, (*above, key)))]


SPOTS = [
    (text, spot)
    for text in (WHOLE, EACH, RULED)
    for spot in spots(YAML(typ="safe", pure=True).load(text))[1:]
]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(SPOTS), TREES)
@example((WHOLE, ("jobs", "payments", "links", 0)), {"name": "a"})
def test_any_part_may_be_anything(path: Path, part: tuple[str, tuple[object, ...]], value: object) -> None:
    import json

    text, spot = part
    tree = YAML(typ="safe", pure=True).load(text)
    inside = tree
    for key in spot[:-1]:
        inside = inside[key]
    inside[spot[-1]] = value
    path.write_text(json.dumps(tree), encoding="utf-8")
    check(path)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from([WHOLE, RULED]),
    st.integers(0, max(len(WHOLE), len(RULED))),
    st.integers(0, 10),
    st.text(st.characters(codec="utf-8"), max_size=3),
)
@example(WHOLE, 0, 0, "\x85")
@example(WHOLE, 0, 0, "%YAML 9.9\n---\n")
@example(WHOLE, 0, 0, "%TAG\n")
def test_any_characters_may_be_others(path: Path, text: str, start: int, length: int, instead: str) -> None:
    path.write_text(text[:start] + instead + text[start + length :], encoding="utf-8")
    check(path)
