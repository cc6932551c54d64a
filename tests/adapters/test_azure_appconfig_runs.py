"""Whole runs against App Configuration: after whatever went wrong, one more run ends where it should."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from benchmarks.calls_azure_appconfig import ground

from ecs_sync.report import Exit, Report
from ecs_sync.sync import Order, run
from ecs_sync.workbench import Workbench
from ecs_sync_sandbox.azure_appconfig import AzureAppConfigServer
from ecs_sync_sandbox.http_server import Request


@dataclass(frozen=True)
class Story:
    """A folder with a source, a store, and the stand-in that a job mirrors to."""

    folder: Path
    server: AzureAppConfigServer
    bench: Workbench

    def mirror(self, **values: str) -> Report:
        (self.folder / "source.json").write_text(json.dumps(values), encoding="utf-8")
        return run(self.bench.job("job"), self.bench.store, Order("somebody"))

    def held(self) -> dict[str, str | None]:
        listed = self.server.settings.listed("app/*", "prod", (), 2**62)
        return {setting.key.removeprefix("app/"): setting.value for setting in listed}


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    with AzureAppConfigServer() as server, ground(server, tmp_path) as bench:
        yield Story(tmp_path, server, bench)


def is_write(request: Request) -> bool:
    return request.method in ("PUT", "DELETE")


BEFORE = {"kept": "1", "moved": "1", "gone": "1"}
AFTER = {"kept": "1", "moved": "2", "new": "1"}


def test_a_second_run_writes_nothing_and_asks_for_one_page(story: Story) -> None:
    story.mirror(**BEFORE)
    story.mirror(**BEFORE)
    before = len(story.server.requests)
    assert story.mirror(**BEFORE).exit_code is Exit.DONE
    (asked,) = story.server.requests[before:]
    assert "if-none-match" in asked.headers


@pytest.mark.parametrize("fault", ["drop", "cut", "fail"])
def test_after_lost_answers_one_more_run_is_done_without_a_conflict_and_without_a_second_effect(
    story: Story, fault: str
) -> None:
    story.mirror(**BEFORE)
    match fault:
        case "drop":
            story.server.faults.drop_next(times=3, when=is_write)
        case "cut":
            story.server.faults.cut_next(5, times=3, when=is_write)
        case "fail":
            story.server.faults.fail_next(503, times=3, when=is_write)
    before = len(story.server.requests)
    story.mirror(**AFTER)
    last = story.mirror(**AFTER)
    assert story.held() == AFTER
    assert last.exit_code is Exit.DONE and not last.left
    writes = [request for request in story.server.requests[before:] if is_write(request)]
    assert len(writes) == (6 if fault == "fail" else 3)


def test_a_throttled_run_slows_down_and_ends(story: Story) -> None:
    story.server.throttle(times=4, headers={"retry-after-ms": "20"})
    assert story.mirror(**BEFORE).exit_code is Exit.DONE
    assert story.held() == BEFORE


def test_a_listing_that_fails_in_the_middle_deletes_nothing_on_either_side(story: Story) -> None:
    values = {f"k{number:03}": "1" for number in range(150)}
    story.mirror(**values)
    story.server.faults.fail_next(403, times=20, when=lambda request: "after" in request.query)
    report = story.mirror(**values)
    assert report.exit_code is Exit.ERROR
    assert len(story.held()) == 150


def test_a_locked_setting_is_left_with_its_reason_and_the_others_go_on(story: Story) -> None:
    story.mirror(**BEFORE)
    story.server.settings.lock("app/moved", "prod", True)
    report = story.mirror(**AFTER)
    assert report.exit_code is Exit.PARTLY
    assert [(left.change.key.text, "locked" in left.reason) for left in report.left] == [("moved", True)]
    assert story.held() == {**AFTER, "moved": "1"}


def test_tags_and_descriptions_that_people_gave_survive_runs(story: Story) -> None:
    story.mirror(**BEFORE)
    story.server.settings.set("app/moved", "1", "prod", tags={"owner": "billing"}, description="why")
    story.mirror(**AFTER)
    setting = story.server.settings.get("app/moved", "prod")
    assert setting is not None
    assert (setting.value, dict(setting.tags), setting.description) == ("2", {"owner": "billing"}, "why")
