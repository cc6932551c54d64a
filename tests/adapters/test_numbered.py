"""Revisions of versions that are counted from 1: they lead back, and never come again."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from ecs_sync_adapters.numbered import Numbered

versions = st.builds(Numbered, st.integers(1, 999_999_999), st.integers(0, 9_999_999_999_999_999))


@given(versions)
def test_a_revision_leads_back_to_its_version(version: Numbered) -> None:
    assert Numbered.of(version.revision) == version


@given(versions, versions)
def test_revisions_rise_with_the_number_and_differ_where_anything_does(
    one: Numbered, other: Numbered
) -> None:
    assert (one.revision == other.revision) == (one == other)
    if one.number != other.number:
        assert (int(one.revision) < int(other.revision)) == (one.number < other.number)


@given(st.text())
def test_other_texts_are_no_revisions_or_those_they_look_like(text: str) -> None:
    version = Numbered.of(text)
    assert version is None or version.revision == text


@given(st.integers(1, 9), st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1), timezones=st.just(UTC)))
def test_the_time_of_a_version_is_kept_to_the_microsecond(number: int, changed: datetime) -> None:
    assert Numbered.made(number, changed).changed == changed
