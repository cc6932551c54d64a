"""Where case does not count in names, two keys never become one item."""

from __future__ import annotations

from pathlib import Path

from ecs_sync.policy import Mode, Why
from tests.sync.house import LinkSpec, open_house

FOLDS = {"folds_case": True}


def test_keys_that_differ_only_by_case_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    house = open_house(tmp_path, LinkSpec("a", Mode.MIRROR, options=FOLDS))
    house.set(url="1", URL="2", other="3")
    plan = house.plan()
    refused = {hold.key.text: hold for hold in plan.holds}
    assert refused.keys() == {"url", "URL"} and {h.why for h in refused.values()} == {Why.UNSAYABLE}
    assert "app/URL" in refused["url"].reason and "app/url" in refused["URL"].reason
    house.run()
    assert house.at("a") == {"other": "3"}


def test_a_name_that_is_taken_stays_who_it_is(tmp_path: Path) -> None:
    house = open_house(tmp_path, LinkSpec("a", Mode.MIRROR, options=FOLDS))
    house.set(url="1")
    house.run()
    house.set(URL="2", url="3")
    report = house.run()
    assert [hold.key.text for hold in report.plan.holds] == ["URL"]
    assert house.at("a") == {"url": "3"}


def test_where_case_counts_both_are_written(tmp_path: Path) -> None:
    house = open_house(tmp_path, LinkSpec("a", Mode.MIRROR))
    house.set(url="1", URL="2")
    house.run()
    assert house.at("a") == {"url": "1", "URL": "2"}
