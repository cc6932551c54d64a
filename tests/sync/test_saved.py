"""A saved plan does what it showed, or less; and shows no secret."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from resource import RLIMIT_FSIZE, getrlimit, setrlimit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_sync.errors import ConfigError, EcsSyncError, StalePlan
from ecs_sync.limits import Limits
from ecs_sync.model import Fingerprinter, Key
from ecs_sync.policy import JobPolicy, Mode, Rule
from ecs_sync.report import Exit, Report
from ecs_sync.saved import SavedPlan, load, save
from ecs_sync.selection import Selection
from ecs_sync.store import Cipher
from tests.sync.examples import some
from tests.sync.house import CIPHER_KEY, House, LinkSpec, open_house, quick_house
from tests.sync.test_promises import Outsiders, edits, places, writes

TWO = (LinkSpec("a"), LinkSpec("b", Mode.MIRROR))


def saved(house: House, folder: Path) -> SavedPlan:
    save(house.plan(), folder / "plan.json", house.store.fingerprinter)
    return load(folder / "plan.json", house.store.fingerprinter)


def test_a_key_that_moved_since_is_left_on_all_links_and_the_others_go_on(tmp_path: Path) -> None:
    house = open_house(tmp_path, *TWO)
    house.set(x="1", y="1")
    house.run()
    house.set(x="2", y="2")
    shown = saved(house, tmp_path)
    house.put("a", x="outside")
    report = house.run(saved=shown)
    assert report.stale == (Key("x"),) and report.exit_code is Exit.PARTLY
    assert house.at("a") == {"x": "outside", "y": "2"} and house.at("b") == {"x": "1", "y": "2"}


def test_a_key_that_the_store_changed_since_is_left(tmp_path: Path) -> None:
    house = open_house(tmp_path, *TWO)
    house.set(x="1", y="1")
    shown = saved(house, tmp_path)
    house.set(x="2", z="1")
    report = house.run(saved=shown)
    assert report.stale == (Key("x"),)
    assert house.at("a") == {"y": "1"} == house.at("b")


def test_what_was_left_is_not_forgotten_by_the_next_run(tmp_path: Path) -> None:
    house = open_house(tmp_path, LinkSpec("a"))
    house.set(x="1", y="1")
    house.run()
    house.put("a", x="outside")
    shown = saved(house, tmp_path)
    house.put("a", x="later", y="outside")
    house.run(saved=shown)
    assert house.entries == {"x": "1", "y": "1"}
    house.run()
    assert house.entries == {"x": "later", "y": "outside"}


def test_other_keys_of_a_document_that_moved_go_on(tmp_path: Path) -> None:
    house = open_house(tmp_path, LinkSpec("a", document=True))
    house.set(x="1", y="1", z="1")
    house.run()
    house.set(x="2", y="2")
    shown = saved(house, tmp_path)
    house.put("a", x="outside")
    report = house.run(saved=shown)
    assert report.stale == (Key("x"),)
    assert house.at("a") == {"x": "outside", "y": "2", "z": "1"}


def test_a_plan_carried_out_again_does_nothing(tmp_path: Path) -> None:
    house = open_house(tmp_path, *TWO)
    house.set(x="1")
    house.put("a", y="1")
    shown = saved(house, tmp_path)
    house.run(saved=shown)
    before = writes(house), house.store.head(), places(house)
    assert places(house) == {"a": {"x": "1", "y": "1"}, "b": {"x": "1", "y": "1"}}
    house.run(saved=shown)
    assert before == (writes(house), house.store.head(), places(house))


@given(
    st.lists(edits, min_size=1, max_size=4),
    st.lists(edits, max_size=3),
    st.sampled_from(Mode),
    st.booleans(),
)
@some
def test_never_more_is_done_than_was_shown(
    tmp_path_factory: pytest.TempPathFactory,
    first: list[tuple[str, str, bool]],
    then: list[tuple[str, str, bool]],
    mode: Mode,
    document: bool,
) -> None:
    links = (LinkSpec("a", mode), LinkSpec("b", priority=30, document=document), LinkSpec("c", priority=10))
    with quick_house(*links) as house:
        outsiders = Outsiders(house)
        house.set(x="0", y="0", z="0")
        house.run()
        outsiders.edit(first)
        plan = house.plan()
        path = tmp_path_factory.mktemp("saved") / "plan.json"
        save(plan, path, house.store.fingerprinter)
        outsiders.edit(then)
        report = house.run(saved=load(path, house.store.fingerprinter))
        assert done(report) <= {(c.key, c.side, c.expected, c.target, c.version) for c in plan.changes}
        house.sync()
        assert house.run().plan.empty


def done(report: Report) -> set[tuple[object, ...]]:
    changes = [each.change for each in report.applied]
    return {(c.key, c.side, c.expected, c.target, c.version) for c in changes}


def test_no_byte_of_a_saved_plan_can_be_changed(tmp_path: Path) -> None:
    house = open_house(tmp_path, *TWO)
    house.set(x="1", y="käse")
    honest = saved(house, tmp_path)
    whole = (tmp_path / "plan.json").read_bytes()
    forged = tmp_path / "forged.json"
    for at in range(0, len(whole), 3):
        for flip in (0x01, 0x02, 0x80):
            forged.write_bytes(whole[:at] + bytes([whole[at] ^ flip]) + whole[at + 1 :])
            try:
                assert load(forged, house.store.fingerprinter) == honest
            except ConfigError as refused:
                assert "plan again" in str(refused) or "not a saved plan" in str(refused)


def test_a_plan_with_another_content_is_refused(tmp_path: Path) -> None:
    house = open_house(tmp_path, *TWO)
    house.set(x="1")
    saved(house, tmp_path)
    envelope = json.loads((tmp_path / "plan.json").read_text())
    for was, now in (('"x"', '"y"'), ('"job": "job"', '"job": "bob"'), ("create", "delete")):
        assert was in envelope["plan"]
        forged = {**envelope, "plan": envelope["plan"].replace(was, now)}
        (tmp_path / "forged.json").write_text(json.dumps(forged))
        with pytest.raises(ConfigError, match="was changed"):
            load(tmp_path / "forged.json", house.store.fingerprinter)


def test_a_plan_of_another_store_is_refused(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    house, other = (open_house(tmp_path / name, *TWO) for name in ("one", "other"))
    house.set(x="1")
    shown = saved(house, tmp_path)
    with pytest.raises(StalePlan, match="another configuration or store"):
        other.run(saved=shown)
    with pytest.raises(ConfigError, match="another store"):
        load(tmp_path / "plan.json", Fingerprinter(b"another key of thirty-two bytes."))


@pytest.mark.parametrize("edited", ["mode", "rule", "place", "selection", "mapping", "priority", "link"])
def test_a_plan_for_another_configuration_is_refused(tmp_path: Path, edited: str) -> None:
    house = open_house(tmp_path, *TWO)
    house.set(x="1")
    shown = saved(house, tmp_path)
    match edited:
        case "mode":
            house.edit("a", mode=Mode.MIRROR)
        case "rule":
            house.policy = JobPolicy(conflicts=Rule.HOLD)
        case "place":
            house.edit("b", prefix="elsewhere/")
        case "selection":
            house.edit("a", select=Selection((), ("y",)))
        case "mapping":
            house.edit("b", types="json")
        case "priority":
            house.edit("a", priority=51)
        case _:
            house.links = house.links[:1]
    with pytest.raises(StalePlan, match="changed since"):
        house.run(saved=shown)
    assert writes(house) == 0


def test_a_saved_plan_is_still_held_to_the_limits(tmp_path: Path) -> None:
    house = open_house(tmp_path, LinkSpec("a", Mode.MIRROR))
    house.set(x="1", y="1")
    house.run()
    house.set(x=None, y=None)
    house.limits = Limits(floor=0, deletes=1)
    shown = saved(house, tmp_path)
    assert house.run(saved=shown).exit_code is Exit.STOPPED
    assert house.at("a") == {"x": "1", "y": "1"}
    house.run(saved=shown, allow=shown.id)
    assert house.at("a") == {}


def test_no_secret_is_in_a_saved_plan_and_it_is_its_owner_s_only(tmp_path: Path) -> None:
    secret = "canary-5f3a9c1e7b"
    house = open_house(tmp_path, cipher=Cipher(CIPHER_KEY))
    house.links = (LinkSpec("a", options={"holds_secrets": True}), LinkSpec("b", Mode.MIRROR))
    house.secret = ("password",)
    house.put("a", password=secret, plain="shown")
    saved(house, tmp_path)
    text = (tmp_path / "plan.json").read_text()
    assert "shown" in text and secret not in text and secret[: len(secret) // 2] not in text
    assert (tmp_path / "plan.json").stat().st_mode & 0o777 == 0o600


def test_an_old_saved_plan_is_replaced_and_not_appended_to(tmp_path: Path) -> None:
    house = open_house(tmp_path, *TWO)
    house.set(x="1")
    first = saved(house, tmp_path)
    house.set(y="1")
    second = saved(house, tmp_path)
    assert first.keys.keys() == {"x"} and second.keys.keys() == {"x", "y"}
    assert replace(first, id=second.id) != second


def test_a_plan_that_cannot_be_kept_leaves_no_file_and_says_where(tmp_path: Path) -> None:
    house = open_house(tmp_path, *TWO)
    plan = house.plan()
    before = getrlimit(RLIMIT_FSIZE)
    setrlimit(RLIMIT_FSIZE, (0, before[1]))
    try:
        with pytest.raises(EcsSyncError, match=r"the plan cannot be kept in .*/p.plan: File too large"):
            save(plan, tmp_path / "p.plan", house.store.fingerprinter)
    finally:
        setrlimit(RLIMIT_FSIZE, before)
    assert not (tmp_path / "p.plan").exists()
