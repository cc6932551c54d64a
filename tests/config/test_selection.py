"""Which keys a pattern means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_sync.selection import Selection, check_glob, conceals, matches

SEGMENTS = st.text("ab.*?[(^$\\n", min_size=1, max_size=4).filter(lambda s: "*" not in s and "?" not in s)
KEYS = st.lists(SEGMENTS, min_size=1, max_size=4).map("/".join)


@pytest.mark.parametrize(
    ("glob", "covered", "left"),
    [
        ("db/*", ["db/url", "db/x"], ["db", "db/pool/size", "a/db/url"]),
        ("db/**", ["db/url", "db/pool/size"], ["db", "dbx/url"]),
        ("**/url", ["url", "db/url", "a/b/url"], ["url/a", "curl"]),
        ("a/**/z", ["a/z", "a/b/z", "a/b/c/z"], ["a", "z", "x/a/z"]),
        ("**", ["a", "a/b/c"], []),
        ("*", ["a", "a/b/c"], []),
        ("*password*", ["password", "db/password", "db/my-password-2"], ["password/hint", "db/Password"]),
        ("/timeout", ["timeout"], ["db/timeout"]),
        ("v?", ["v1", "a/v2"], ["v", "v12"]),
        ("a.b", ["a.b"], ["axb"]),
        ("a~1b", ["a~1b"], ["a/b"]),
    ],
)
def test_a_pattern_covers_what_the_page_says(glob: str, covered: list[str], left: list[str]) -> None:
    assert [key for key in covered if not matches([glob], key)] == []
    assert [key for key in left if matches([glob], key)] == []


@pytest.mark.parametrize("glob", ["", "/", "db/", "db//url", "a**", "**b/c", "a/**/**"])
def test_a_pattern_that_can_cover_nothing_is_refused(glob: str) -> None:
    with pytest.raises(ValueError, match=r"pattern|'\*\*'"):
        check_glob(glob)


def test_a_secret_is_concealed_whatever_its_case() -> None:
    assert conceals(["*password*"], "db/DbPassword")
    assert conceals(["*Token"], "AUTH_TOKEN")
    assert not conceals(["*password*"], "db/passphrase")


@given(KEYS)
def test_without_wildcards_a_bound_pattern_covers_its_key_and_nothing_longer(key: str) -> None:
    assert matches([f"/{key}"], key)
    assert not matches([f"/{key}"], f"{key}/more")
    assert not matches([f"/{key}"], f"more/{key}")


@given(KEYS, st.lists(KEYS, max_size=3), st.lists(KEYS, max_size=3))
def test_a_selection_is_what_is_included_less_what_is_excluded(
    key: str, include: list[str], exclude: list[str]
) -> None:
    selection = Selection(tuple(include), tuple(exclude))
    assert selection.covers(key) == ((not include or matches(include, key)) and not matches(exclude, key))


@given(st.lists(KEYS), st.lists(KEYS))
def test_selections_that_mean_the_same_have_one_text(include: list[str], exclude: list[str]) -> None:
    one = Selection(tuple(include), tuple(exclude))
    other = Selection(tuple(reversed(include + include)), tuple(reversed(exclude)))
    assert one.text == other.text
    assert Selection(tuple(include), (*exclude, "other")).text != one.text
