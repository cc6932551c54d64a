"""Many keys in one item: what is not in step in it stays in sight, whatever else is written there."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecs_sync import sync
from ecs_sync.amend import change
from ecs_sync.config import load
from ecs_sync.diff import State
from ecs_sync.drift import drift
from ecs_sync.faults import Point, attach, detach
from ecs_sync.model import HAND_PRIORITY, Entry, Key, Rank, Value
from ecs_sync.plan import Plan
from ecs_sync.policy import Mode
from ecs_sync.registry import Registry
from ecs_sync.report import Report
from ecs_sync.store import FileKeys, Store
from ecs_sync.workbench import Workbench
from tests.sync.house import QUICK, House, LinkSpec, open_house

POINTS = [point for point in Point if point is not Point.RECOVERING]


@contextmanager
def at(point: Point, act: Callable[[], object]) -> Iterator[None]:
    """Acts once, when a run reaches the point."""
    left = [act]

    def reached(found: Point) -> None:
        if found is point and left:
            left.pop()()

    attach(reached)
    try:
        yield
    finally:
        detach(reached)


def drifted(house: House) -> dict[str, State]:
    plan = house.plan()
    assert not plan.unseen, plan.unread
    return {hold.key.text: hold.state for hold in plan.holds} | {
        change.key.text: change.state for change in plan.changes
    }


@pytest.fixture
def exporting(tmp_path: Path) -> House:
    house = open_house(tmp_path, LinkSpec("a", Mode.EXPORT, document=True))
    house.set(x="1", y="1", z="1")
    house.run()
    return house


def test_what_is_held_in_an_item_is_seen_still_after_a_push_of_its_neighbour(exporting: House) -> None:
    exporting.put("a", y="moved")
    exporting.set(x="2")
    exporting.run()
    assert exporting.at("a") == {"x": "2", "y": "moved", "z": "1"}
    assert drifted(exporting) == {"y": State.DRIFTED}
    exporting.run()
    assert drifted(exporting) == {"y": State.DRIFTED}


def test_what_nobody_moved_is_not_said_to_have_moved_while_it_was_looked_at(exporting: House) -> None:
    exporting.put("a", y="moved")
    exporting.set(x="2")
    exporting.run()
    exporting.set(y="2")
    assert drifted(exporting) == {"y": State.CONFLICT}


@pytest.mark.parametrize("point", POINTS)
def test_an_edit_of_a_neighbour_in_the_middle_of_a_run_is_seen_by_the_next_one(
    exporting: House, point: Point
) -> None:
    exporting.set(x="2")
    with at(point, lambda: exporting.put("a", y="moved")):
        exporting.run()
    assert drifted(exporting).get("y") is State.DRIFTED


def test_an_item_that_is_put_back_as_it_was_is_seen_as_it_is(exporting: House) -> None:
    exporting.put("a", y="moved")
    exporting.run()
    before = exporting.at("a")
    exporting.set(x="2")
    exporting.run()
    exporting.put("a", **before)
    assert drifted(exporting) == {"x": State.DRIFTED, "y": State.DRIFTED}


def test_a_key_that_was_set_meanwhile_does_not_hide_what_its_item_shows(tmp_path: Path) -> None:
    house = open_house(tmp_path, LinkSpec("a", Mode.TWO_WAY, document=True, priority=10))
    house.put("a", x="1", y="1")
    house.run()
    house.put("a", x="2", y="2")
    with at(Point.PLANNED, lambda: house.set(y="by hand")):
        house.run()
    assert house.entries == {"x": "2", "y": "by hand"}
    plan = house.plan()
    assert not plan.unseen
    assert drifted(house) == {"y": State.CONFLICT}


@pytest.mark.parametrize("mode", [Mode.EXPORT, Mode.TWO_WAY, Mode.IMPORT])
@pytest.mark.parametrize("known", [False, True])
def test_a_neighbour_that_came_between_a_lagging_listing_and_the_look_is_seen(
    tmp_path: Path, mode: Mode, known: bool
) -> None:
    link = LinkSpec("a", mode, document=True, priority=10, options={"current": False})
    house = open_house(tmp_path, link)
    house.put("a", w="0")
    if known:
        house.run()
    house.put("a", x="1")
    with at(Point.OBSERVED, lambda: house.put("a", y="1")):
        house.run()
    assert "y" in drifted(house)
    house.run()
    assert ("y" in house.entries) is (mode is not Mode.EXPORT)


_OPTIONS: list[dict[str, Any]] = [
    {},
    {"guard": "C", "history": True},
    {"current": False},
    {"values_in_listing": False},
    {"current": False, "values_in_listing": False},
    {"revisions": "restarting", "change_times": True},
]
_edit = st.tuples(
    st.sampled_from(["store", "a", "b"]), st.sampled_from("xyz"), st.none() | st.sampled_from("123")
)
_steps = st.lists(st.tuples(_edit, st.sampled_from(POINTS), _edit), min_size=1, max_size=5)
_sides = st.tuples(st.sampled_from(list(Mode)), st.booleans(), st.sampled_from(_OPTIONS))


def edited(house: House, side: str, key: str, text: str | None) -> None:
    if side != "store":
        house.put(side, **{key: text})
    elif text is not None or key in house.entries:
        house.set(**{key: text})


@given(sides=st.tuples(_sides, _sides), steps=_steps)
@settings(max_examples=60, deadline=None)
def test_nothing_that_differs_is_out_of_sight_whenever_it_is_edited(
    sides: tuple[tuple[Mode, bool, dict[str, Any]], ...],
    steps: list[tuple[tuple[str, str, str | None], Point, tuple[str, str, str | None]]],
) -> None:
    links = [
        LinkSpec(name, mode, rank, document=document, options=options)
        for name, rank, (mode, document, options) in zip("ab", (10, 20), sides, strict=True)
    ]
    with TemporaryDirectory(dir=QUICK) as folder:
        house = open_house(Path(folder), *links)
        for before, point, meanwhile in steps:
            edited(house, *before)
            with at(point, partial(edited, house, *meanwhile)):
                house.sync()
            plan, store = house.plan(), house.entries
            pushed = {change.key.text for change in plan.changes}
            for link, key in itertools.product("ab", "xyz"):
                said = {each.key.text for each in (*plan.holds, *plan.rebases) if each.link == link}
                assert house.at(link).get(key) == store.get(key) or key in said | pushed, (link, key)
            assert not plan.unread, plan.unread
        house.store.close()


# -- files, whose revision is their content: what is put back as it was has its former revision


class Folder:
    """A file and the jobs on it, as a configuration says; ``links`` are the words of each."""

    def __init__(self, folder: Path, *links: dict[str, Any]) -> None:
        self.folder, self.file = folder, folder / "app.json"
        key = FileKeys.beside(folder / "s.db").create()
        Store.create(f"sqlite:///{folder / 's.db'}", fingerprint_key=key).close()
        common = {"connection": "files", "place": "app.json", "mapping": "document"}
        config = {
            "store": {"url": "sqlite:///s.db"},
            "connections": {"files": {"adapter": "files", "root": "."}},
            "jobs": {
                "job": {
                    "scope": {"application": "app"},
                    "conflicts": "hold",
                    "limits": {"changes": "100%", "deletes": "100%"},
                    "links": [{**common, **link} for link in links],
                }
            },
        }
        (folder / "ecs-sync.yaml").write_text(json.dumps(config))
        registry = Registry.from_entry_points()
        self.bench = Workbench.open(load(folder / "ecs-sync.yaml", environ={}, registry=registry), registry)

    def put(self, **values: object) -> None:
        self.file.write_text(json.dumps(values))

    def shown(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.file.read_text())
        return found

    def set(self, **values: str) -> None:
        entries = {
            Key.parse(name): Entry(Key.parse(name), Value.string(text)) for name, text in values.items()
        }
        change(
            self.bench.job("job"),
            self.bench.store,
            sync.Order("tester"),
            Rank(HAND_PRIORITY, "hand"),
            entries,
        )

    def entries(self) -> dict[str, str]:
        found = self.bench.store.at(self.bench.config.jobs["job"].scope, self.bench.store.head())
        return {key: stored.entry.value.text for key, stored in found.items() if stored.entry is not None}

    def run(self) -> Report:
        return sync.run(self.bench.job("job"), self.bench.store, sync.Order("tester"))

    def plan(self) -> Plan:
        return sync.plan(self.bench.job("job"), self.bench.store)

    def drift(self) -> dict[tuple[str, str], State]:
        plan = self.plan()
        assert not plan.unread and not plan.unseen, plan.unread
        return {(each.key.text, each.link): each.state for each in drift(plan, self.bench.store).drifts}


@pytest.mark.parametrize("looked", [False, True])
def test_a_file_that_is_put_back_as_it_was_is_seen_as_it_is(tmp_path: Path, looked: bool) -> None:
    folder = Folder(tmp_path, {"name": "a", "mode": "export"})
    folder.put()
    folder.set(x="1", y="1")
    folder.run()
    folder.put(x="1", y="moved")
    if looked:
        folder.run()
    folder.set(x="2")
    folder.run()
    assert folder.shown() == {"x": "2", "y": "moved"}
    folder.put(x="1", y="moved")
    assert folder.drift() == {("x", "a"): State.DRIFTED, ("y", "a"): State.DRIFTED}
    folder.put(x="1", y="1")
    assert folder.drift() == {("x", "a"): State.DRIFTED}


def test_a_file_that_is_put_back_after_something_of_it_was_adopted_is_seen_as_it_is(tmp_path: Path) -> None:
    folder = Folder(tmp_path, {"name": "a", "mode": "two-way", "priority": 10})
    folder.put(x="1", y="1")
    folder.run()
    folder.set(y="by hand")
    folder.put(x="2", y="theirs")
    folder.run()
    assert folder.drift() == {("y", "a"): State.CONFLICT}
    folder.put(x="1", y="1")
    assert folder.drift()[("x", "a")] is State.DRIFTED


# -- two links of one job on one file


def section(mode: str, root: str, **more: Any) -> dict[str, Any]:
    return {"name": root, "mode": mode, "mapping": {"name": "document", "root": root}, **more}


def part(mode: str, name: str, keys: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "mode": mode, "select": {"include": [keys]}, **more}


PAIRS = {
    "sections, one follows the other": [section("import", "a", priority=10), section("mirror", "b")],
    "sections, both ways": [section("import", "a", priority=10), section("two-way", "b", priority=20)],
    "parts, one exported": [part("import", "a", "a/**", priority=10), part("export", "b", "b/**")],
    "parts, both ways": [
        part("import", "a", "a/**", priority=10),
        part("two-way", "b", "b/**", priority=20),
    ],
}
"""Two links that could both write one file are refused; of these, one only reads it."""

_texts = st.sampled_from(["1", "2", "3"])
_edits = st.one_of(
    st.tuples(st.just("file"), st.sampled_from(["a", "b"]), st.sampled_from(["x", "y"]), st.none() | _texts),
    st.tuples(st.just("store"), st.sampled_from(["a", "b"]), st.sampled_from(["x", "y"]), _texts),
    st.tuples(st.just("run")),
    st.tuples(st.just("put back"), st.integers(0, 3)),
)


class Pair:
    """Two links in one file, edited there and in the store; what drift says is held against both."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.kind, links = kind, PAIRS[kind]
        self.folder = Folder(folder, *links)
        self.folder.put(a={"x": "1", "y": "1"}, b={"x": "1", "y": "1"})
        self.former = [self.folder.file.read_bytes()]

    def key(self, link: str, name: str) -> str:
        return name if "sections" in self.kind else f"{link}/{name}"

    def act(self, edit: tuple[Any, ...]) -> None:
        match edit:
            case ("file", link, name, text):
                shown = self.folder.shown()
                shown[link] = {**shown.get(link, {}), name: text}
                if text is None:
                    del shown[link][name]
                self.folder.put(**shown)
                self.former.append(self.folder.file.read_bytes())
            case ("store", link, name, text):
                self.folder.set(**{self.key(link, name): text})
            case ("run",):
                self.folder.run()
                self.former.append(self.folder.file.read_bytes())
            case ("put back", number):
                self.folder.file.write_bytes(self.former[-1 - number % len(self.former)])
            case _:
                raise AssertionError(edit)

    def check(self) -> None:
        """Who is said to be in step shows what the store has, or what it is about to follow."""
        found, shown, store = self.folder.drift(), self.folder.shown(), self.folder.entries()
        ahead = {change.key.text: change.after for change in self.folder.plan().adoptions}
        for link, name in itertools.product("ab", "xy"):
            key = self.key(link, name)
            place, said = shown.get(link, {}).get(name), found.get((key, link))
            after = ahead.get(key)
            coming = [after.value.text if after else None] if key in ahead else []
            if said in (None, State.CONVERGED):
                assert place in (store.get(key), *coming), (link, key, said)
            else:
                assert place != store.get(key), (link, key, said)


@pytest.mark.parametrize("kind", PAIRS)
@given(edits=st.lists(_edits, max_size=9))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_two_links_in_one_file_see_it_as_it_is(kind: str, edits: list[tuple[Any, ...]]) -> None:
    with TemporaryDirectory(dir=QUICK) as folder:
        pair = Pair(Path(folder), kind)
        for edit in edits:
            pair.act(edit)
            pair.check()
        pair.folder.bench.close()
