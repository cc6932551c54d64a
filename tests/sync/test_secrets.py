"""Secrets: sealed or refused, nowhere in plain text, and only where they may be."""

from __future__ import annotations

import json
import logging
import tempfile
import traceback
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ecs_sync.drift import drift
from ecs_sync.errors import StoreError, Unacknowledged, Unavailable
from ecs_sync.policy import JobPolicy, Mode, Rule, Why
from ecs_sync.render.drifted import drift_page, drift_shown
from ecs_sync.render.output import Format, write
from ecs_sync.render.planned import Showing, plan_page, plan_shown
from ecs_sync.render.ran import report_page, report_shown
from ecs_sync.report import Exit
from ecs_sync.saved import save
from ecs_sync.store import Cipher
from tests.canary import found_in
from tests.sync.house import CIPHER_KEY, SCOPE, House, LinkSpec, open_house

VAULT = {"holds_secrets": True}


def house_with(tmp_path: Path, *links: LinkSpec, cipher: Cipher | None) -> House:
    house = open_house(tmp_path, *links, cipher=cipher)
    house.secret = ("password",)
    return house


def test_without_a_cipher_a_secret_is_not_taken_in_and_the_next_step_is_said(
    tmp_path: Path, canary: str
) -> None:
    house = house_with(tmp_path, LinkSpec("a", options=VAULT), LinkSpec("b"), cipher=None)
    house.put("a", password=canary, plain="1")
    report = house.run()
    (hold,) = [hold for hold in report.plan.holds if hold.link == "a"]
    assert hold.why is Why.UNSAYABLE and "store: {key: file:PATH}" in hold.reason
    assert house.entries == {"plain": "1"} and house.at("b") == {"plain": "1"}
    assert report.exit_code is Exit.PARTLY
    with pytest.raises(StoreError, match=r"store\.key"):
        house.set_secret(password=canary)
    assert not found_in(canary, *(path.read_bytes() for path in tmp_path.iterdir()))


def test_with_a_cipher_it_is_sealed_and_travels(tmp_path: Path, canary: str) -> None:
    links = (LinkSpec("a", options=VAULT), LinkSpec("b", Mode.MIRROR, options=VAULT))
    house = house_with(tmp_path, *links, cipher=Cipher(CIPHER_KEY))
    house.put("a", password=canary)
    assert house.run().exit_code is Exit.DONE
    assert house.entries == {"password": canary} and house.at("b") == {"password": canary}
    stored = house.store.stored(SCOPE, ["password"])["password"]
    assert stored.entry is not None and stored.entry.secret
    assert house.place("b").get("app/password").secret  # type: ignore[union-attr]
    assert house.run().plan.empty


def test_a_secret_is_nowhere_in_plain_text_whatever_happens_to_it(
    tmp_path: Path, canary: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Adopted, pushed, in conflict, replaced unseen, failed, deleted, saved, reported, and in a traceback."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    options = VAULT | {"guard": "C"}
    links = (LinkSpec("a", options=options), LinkSpec("b", options=options, priority=20))
    house = house_with(tmp_path, *links, cipher=Cipher(CIPHER_KEY))
    said: list[str] = []
    house.put("a", password=canary)
    tell(house, tmp_path, said)
    house.put("a", password=canary + "a")
    house.put("b", password=canary + "b")
    tell(house, tmp_path, said)
    house.set_secret(password=canary + "c")
    house.place("a").before_next_write(lambda: house.put("a", password=canary + "d"))
    house.place("b").fail_next_write(Unacknowledged("reset"), "late")
    tell(house, tmp_path, said)
    house.policy = JobPolicy(conflicts=Rule.HOLD)
    house.set_secret(password=canary + "e")
    house.put("a", password=canary + "f")
    house.place("b").fail_next_write(Unavailable("down"))
    tell(house, tmp_path, said)
    house.put("a", password=None)
    house.put("b", password=None)
    tell(house, tmp_path, said)
    said += [record.getMessage() for record in caplog.records]
    said += [record.details for record in house.store.audit_trail()]
    assert not found_in(canary, *said)
    assert not found_in(canary, *(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()))
    kept = {each.entry.value.text for each in house.store.archive(SCOPE) if each.entry}
    assert canary + "d" in kept and canary + "b" in kept


def tell(house: House, folder: Path, said: list[str]) -> None:
    """Runs, and gathers all that is said on the way."""
    plan = house.plan()
    save(plan, folder / "plan.json", house.store.fingerprinter)
    report = house.run()
    found = drift(report.plan, house.store)
    said += [repr(plan), repr(report), repr(found), str(report.receipt), json.dumps(report.counts)]
    showing = Showing("ecs-sync", house.store.fingerprinter.of)
    pages = (
        (planned := plan_shown(plan, (), showing), tuple(plan_page(planned, showing))),
        (ran := report_shown(report, showing), tuple(report_page(ran, showing))),
        (drifted := drift_shown(found, showing, datetime.now(UTC)), tuple(drift_page(drifted, showing))),
    )
    said += [write(document, page, format) for document, page in pages for format in Format]
    try:
        raise AssertionError(plan, report)
    except AssertionError as error:
        told = traceback.TracebackException.from_exception(error, capture_locals=True)
        said.append("".join(told.format()))


def test_a_secret_never_goes_to_a_place_that_is_not_made_for_it(tmp_path: Path, canary: str) -> None:
    links = (LinkSpec("a", options=VAULT), LinkSpec("b", Mode.MIRROR), LinkSpec("c"))
    house = house_with(tmp_path, *links, cipher=Cipher(CIPHER_KEY))
    house.put("a", password=canary)
    for _ in range(2):
        report = house.run()
        assert {(h.link, h.why) for h in report.plan.holds} == {("b", Why.UNSAYABLE), ("c", Why.UNSAYABLE)}
        assert house.at("b") == {} == house.at("c")


def test_what_was_a_secret_once_stays_one(tmp_path: Path, canary: str) -> None:
    """A place that forgets which values are secret does not make them plain for the others."""
    links = (LinkSpec("a", options=VAULT), LinkSpec("plain", Mode.MIRROR, priority=1))
    house = open_house(tmp_path, *links, cipher=Cipher(CIPHER_KEY))
    house.place("a").set("app/token", canary.encode(), secret=True)
    house.run()
    house.place("a").set("app/token", (canary + "2").encode(), secret=False)
    house.run()
    stored = house.store.stored(SCOPE, ["token"])["token"]
    assert stored.entry is not None and stored.entry.secret and stored.entry.value.text == canary + "2"
    assert house.at("plain") == {}
    assert not found_in(canary, *(path.read_bytes() for path in tmp_path.iterdir()))


@pytest.mark.parametrize("values_in_listing", [True, False])
def test_without_a_cipher_a_secret_that_nothing_keeps_is_not_overwritten(
    tmp_path: Path, canary: str, values_in_listing: bool
) -> None:
    options = VAULT | {"values_in_listing": values_in_listing}
    house = open_house(tmp_path, LinkSpec("a", Mode.MIRROR, options=options), cipher=None)
    house.set(x="1")
    house.run()
    house.place("a").set("app/x", canary.encode(), secret=True)
    report = house.run()
    assert [hold.why for hold in report.plan.holds] == [Why.UNSAYABLE] and house.at("a") == {"x": canary}
    house.set(x=None)
    house.run()
    assert house.at("a") == {"x": canary}


def test_without_a_cipher_it_is_overwritten_where_the_place_keeps_versions(
    tmp_path: Path, canary: str
) -> None:
    options = VAULT | {"guard": "C"}
    house = open_house(tmp_path, LinkSpec("a", Mode.MIRROR, options=options), cipher=None)
    house.set(x="1")
    house.run()
    revision = house.place("a").set("app/x", canary.encode(), secret=True)
    house.run()
    assert house.at("a") == {"x": "1"}
    (kept,) = [each for each in house.store.archive(SCOPE) if each.secret]
    assert kept.entry is None and (kept.item, kept.revision) == ("app/x", revision)
    assert not found_in(canary, *(path.read_bytes() for path in tmp_path.iterdir()))
