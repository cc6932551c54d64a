"""References to secrets: opened for copies, told to places, followed when the secret is rotated."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ecs_sync import sync
from ecs_sync.adapter import attributes
from ecs_sync.amend import change
from ecs_sync.drift import drift
from ecs_sync.model import Entry, Fingerprinter, Key, Value
from ecs_sync.plan import Kind
from ecs_sync.policy import First, Mode, Secrets, Why
from ecs_sync.reference import Reference
from ecs_sync.render.drifted import drift_page, drift_shown
from ecs_sync.render.output import Format, write
from ecs_sync.render.planned import Showing, plan_page, plan_shown
from ecs_sync.render.ran import report_page, report_shown
from ecs_sync.report import Exit
from ecs_sync.saved import load, save
from ecs_sync.store import Cipher
from tests.canary import found_in
from tests.sync.house import CIPHER_KEY, HAND, House, LinkSpec, open_house

VAULT = {"holds_secrets": True, "history": True}
TEXT = "@secret:kv/app/db"


@pytest.fixture
def house(tmp_path: Path, canary: str) -> House:
    """A link that copies, and a vault that holds the secret."""
    house = open_house(tmp_path, LinkSpec("b", Mode.MIRROR, options=VAULT))
    house.vaults = ("kv",)
    keep(house, canary)
    refer(house, TEXT)
    return house


def keep(house: House, value: str, name: str = "app/db") -> None:
    house.place("kv").set(name, value.encode(), secret=True)


def refer(house: House, text: str, key: str = "password") -> None:
    entry = Entry(Key(key), Reference.parse(text).value, secret=True)
    change(house.job, house.store, sync.Order("tester"), HAND, {entry.key: entry})


def calls(house: House, link: str, name: str) -> int:
    return house.place(link).calls[name]


def test_a_copy_is_the_plaintext_and_the_store_holds_the_reference_only(
    house: House, canary: str, tmp_path: Path
) -> None:
    assert house.run().exit_code is Exit.DONE
    assert house.at("b") == {"password": canary}
    assert house.entries == {"password": TEXT}
    assert house.run().plan.empty
    assert not found_in(canary, *(path.read_bytes() for path in tmp_path.iterdir()))


def test_a_secret_that_did_not_move_is_not_read_again(house: House) -> None:
    house.run()
    read = calls(house, "kv", "get")
    assert read == 1
    assert house.run().plan.empty and house.plan().empty
    assert calls(house, "kv", "get") == read


def test_a_rotation_is_a_version_of_its_own_and_its_copies_follow_in_the_same_run(house: House) -> None:
    house.run()
    keep(house, "rotated")
    planned = house.plan()
    assert [(c.key.text, c.kind) for c in planned.changes] == [("password", Kind.UPDATE)]
    assert [key.text for key in planned.rotated] == ["password"]
    found = drift(planned, house.store)
    assert [each.by for each in found.drifts] == ["a rotation where the secret is kept"]
    assert house.at("b")["password"] != "rotated"
    report = house.run()
    assert report.exit_code is Exit.DONE and house.at("b") == {"password": "rotated"}
    newest, _ = house.store.history(house.job.scope, Key("password"))[0]
    assert newest.origin == "rotation"
    told = [json.loads(r.details) for r in house.store.audit_trail() if r.action == "SecretRotated"]
    assert [each["secrets"] for each in told] == [{"password": TEXT}]
    assert house.run().plan.empty


def test_a_new_version_of_the_same_plaintext_changes_nothing(house: House, canary: str) -> None:
    house.run()
    keep(house, canary)
    head = house.store.head()
    assert house.run().plan.empty and house.store.head() == head
    read = calls(house, "kv", "get")
    house.run()
    assert calls(house, "kv", "get") == read


def test_a_saved_plan_of_a_rotation_is_carried_out(house: House, tmp_path: Path) -> None:
    house.run()
    keep(house, "rotated")
    save(house.plan(), tmp_path / "saved", house.store.fingerprinter)
    saved = load(tmp_path / "saved", house.store.fingerprinter)
    report = house.run(saved=saved)
    assert report.stale == () and house.at("b") == {"password": "rotated"}


def test_a_secret_that_moves_after_the_plan_was_saved_is_left_for_a_new_plan(
    house: House, tmp_path: Path
) -> None:
    save(house.plan(), tmp_path / "saved", house.store.fingerprinter)
    saved = load(tmp_path / "saved", house.store.fingerprinter)
    keep(house, "rotated since")
    report = house.run(saved=saved)
    assert [key.text for key in report.stale] == ["password"] and house.at("b") == {}


def test_a_pinned_version_stays_whatever_comes_after_it(house: House, canary: str) -> None:
    pinned = house.place("kv").get("app/db")
    assert pinned is not None
    refer(house, f"{TEXT}?version={pinned.revision}")
    house.run()
    keep(house, "rotated")
    assert house.run().plan.empty and house.at("b") == {"password": canary}


def test_fields_of_one_secret_keep_their_types_and_are_read_in_one_call(house: House) -> None:
    keep(house, '{"user": "app", "port": 5432, "tls": {"pin": true}}', "app/json")
    for key, field in (("password", "user"), ("port", "port"), ("pin", "tls/pin")):
        refer(house, f"@secret:kv/app/json#{field}", key)
    house.edit("b", types="json")
    house.run()
    assert house.at("b") == {"password": '"app"', "port": "5432", "pin": "true"}
    assert calls(house, "kv", "get") == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("@secret:kv/app/none", "is not there"),
        ("@secret:kv/app/db#user", "has no fields, because it is no JSON object: write '@secret:kv/app/db'"),
        ("@secret:kv/app/json#user", "has no field 'user': add it there, or name another"),
        ("@secret:elsewhere/app/db", "there is no connection 'elsewhere' in the configuration: add it"),
        ("@secret:kvv/app/db", "there is no connection 'kvv' in the configuration; did you mean 'kv'?"),
    ],
)
@pytest.mark.parametrize("may", [True, False])
def test_a_reference_that_leads_nowhere_is_said_and_deletes_no_copy(
    house: House, text: str, reason: str, may: bool
) -> None:
    """Nor is it said to be a matter of permission where no permission helps."""
    house.place("kv").set("app/json", b'{"password": "x"}', secret=True)
    house.run()
    house.may_open = lambda reference: may or reference.connection == "kv"
    before = house.at("b")
    refer(house, text)
    report = house.run()
    assert report.exit_code is Exit.ERROR and house.at("b") == before
    assert any(reason in unread.reason for unread in report.plan.unread)


def test_a_reference_that_cannot_be_opened_is_told_once(house: House) -> None:
    refer(house, "@secret:kv/app/none")
    said = "@secret:kv/app/none is not there: create it, or correct the reference"
    showing = Showing("ecs-sync", house.store.fingerprinter.of)
    planned, report = plan_shown(house.plan(), [], showing), report_shown(house.run(), showing)
    plain = lambda text, _: text  # noqa: E731
    for document in (planned, report):
        assert write(document, [], Format.JSON, plain).count(said) == 1
    told = write(planned, plan_page(planned, showing), Format.TEXT, plain)
    assert told.count(said) == 1 and "held back: 1" in told
    assert write(report, report_page(report, showing), Format.TEXT, plain).count(said) == 1


def test_a_reference_that_cannot_be_opened_any_more_is_told_while_nothing_moves(house: House) -> None:
    house.run()
    house.place("kv").delete("app/db")
    plan = house.plan()
    shown = plan_shown(plan, [], Showing("ecs-sync", house.store.fingerprinter.of))
    assert not plan.refusals and ["is not there" in unseen.reason for unseen in shown.unseen] == [True]


def test_a_job_opens_only_what_it_may(house: House) -> None:
    house.may_open = lambda reference: reference.name != "app/db"
    report = house.run()
    assert house.at("b") == {} and calls(house, "kv", "get") == calls(house, "kv", "peek") == 0
    assert any("'references'" in unread.reason for unread in report.plan.unread)


def test_while_the_vault_is_down_copies_stay_and_a_drifted_one_is_not_deleted(house: House) -> None:
    house.run()
    house.put("b", password="edited by somebody")
    house.may_open = lambda _: False
    report = house.run()
    assert report.exit_code is Exit.ERROR
    assert house.at("b") == {"password": "edited by somebody"}
    (hold,) = [hold for hold in report.plan.holds if hold.link == "b"]
    assert hold.why is Why.UNSAYABLE


def test_a_mirror_repairs_a_copy_that_drifted(house: House, canary: str) -> None:
    house.run()
    house.place("b").set("app/password", b"edited", secret=True)
    assert house.run().exit_code is Exit.DONE
    assert house.at("b") == {"password": canary}


@pytest.mark.parametrize("edited", ["edited", None])
def test_a_two_way_link_never_adopts_what_somebody_made_of_a_copy(house: House, edited: str | None) -> None:
    house.edit("b", mode=Mode.TWO_WAY)
    house.run()
    house.put("b", password=edited)
    report = house.run()
    assert house.entries == {"password": TEXT}
    assert house.at("b") == ({"password": edited} if edited else {})
    assert [hold.why for hold in report.plan.holds] == [Why.UNSAYABLE]


def test_a_copy_that_is_there_already_is_taken_for_what_it_is(house: House, canary: str) -> None:
    house.edit("b", mode=Mode.TWO_WAY)
    house.place("b").set("app/password", canary.encode(), secret=True)
    report = house.run()
    assert report.exit_code is Exit.DONE and report.plan.changes == ()
    assert house.entries == {"password": TEXT}


def test_a_link_of_references_tells_a_place_where_the_secret_is(tmp_path: Path, canary: str) -> None:
    plain = LinkSpec("c", secrets=Secrets.REFERENCE)
    house = open_house(tmp_path, LinkSpec("b", Mode.MIRROR, options=VAULT), plain)
    house.vaults = ("kv",)
    keep(house, canary)
    house.put("c", password=TEXT)
    assert house.run().exit_code is Exit.DONE
    assert house.entries == {"password": TEXT}
    assert house.at("b") == {"password": canary} and house.at("c") == {"password": TEXT}
    keep(house, "rotated")
    assert house.run().exit_code is Exit.DONE
    assert house.at("b") == {"password": "rotated"} and house.at("c") == {"password": TEXT}
    assert house.run().plan.empty


def test_spellings_of_one_reference_are_one(tmp_path: Path) -> None:
    house = open_house(tmp_path, LinkSpec("c", secrets=Secrets.REFERENCE))
    house.vaults = ("kv",)
    keep(house, "x")
    house.put("c", a="kv://app/db", b="@secret:kv://app/db#user", c="other://app/db")
    house.run()
    assert house.entries == {"a": TEXT, "b": f"{TEXT}#user", "c": "other://app/db"}
    assert house.run().plan.empty


def test_a_link_that_refuses_secrets_takes_no_reference_either(house: House) -> None:
    house.edit("b", secrets=Secrets.REFUSE)
    report = house.run()
    assert house.at("b") == {} and [h.why for h in report.plan.holds] == [Why.UNSAYABLE]


@pytest.mark.parametrize("text", [TEXT, None])
def test_copies_at_a_link_that_takes_no_secrets_any_more_are_told(
    house: House, canary: str, tmp_path: Path, text: str | None
) -> None:
    """Of a secret that is kept elsewhere, and of one that the store keeps."""
    if text is None:
        sealed = tmp_path / "sealed"
        sealed.mkdir()
        house = open_house(sealed, LinkSpec("b", Mode.MIRROR, options=VAULT), cipher=Cipher(bytes(range(32))))
        house.set_secret(password=canary)
    house.set(open="1")
    house.run()
    assert house.plan().links[0].copies == ()
    house.edit("b", secrets=Secrets.REFUSE)
    plan, showing = house.plan(), Showing("ecs-sync", house.store.fingerprinter.of)
    assert plan.empty and not plan.holds and plan.links[0].copies == ("password",)
    told = "b: takes no secrets ('secrets: refuse'), and these lie there still: password; delete"
    planned = plan_shown(plan, [], showing)
    drifted = drift_shown(drift(plan, house.store, []), showing, datetime.now(UTC))
    for document, page in (
        (planned, plan_page(planned, showing)),
        (drifted, drift_page(drifted, showing)),
    ):
        assert write(document, page, Format.TEXT, lambda text, _: text).count(told) == 1
    assert house.run().exit_code is Exit.DONE and house.at("b") == {"open": "1", "password": canary}


def test_a_secret_that_came_from_the_place_itself_is_no_copy(tmp_path: Path, canary: str) -> None:
    link = LinkSpec("b", options=VAULT, secrets=Secrets.REFUSE)
    house = open_house(tmp_path, link, cipher=Cipher(bytes(range(32))))
    house.place("b").set("app/password", canary.encode(), secret=True)
    house.run()
    assert house.entries == {"password": canary} and house.plan().links[0].copies == ()


def test_where_the_provider_has_references_of_its_own_they_are_used_both_ways(
    tmp_path: Path, canary: str
) -> None:
    native = LinkSpec("c", secrets=Secrets.REFERENCE, options={"refers": True})
    house = open_house(tmp_path, native, LinkSpec("b", Mode.MIRROR, options=VAULT))
    house.vaults = ("kv",)
    keep(house, canary)
    address = house.job.resolver.address(Reference.parse(TEXT))  # type: ignore[union-attr]
    assert address is not None
    marked = attributes({"content-type": "application/x-reference"})
    house.place("c").set("app/password", address.encode(), attributes=marked)
    assert house.run().exit_code is Exit.DONE
    assert house.entries == {"password": TEXT} and house.at("b") == {"password": canary}
    keep(house, "another", "app/other")
    refer(house, "@secret:kv/app/other")
    assert house.run().exit_code is Exit.DONE
    item = house.place("c").get("app/password")
    assert item is not None and item.attributes == marked and (item.value or b"").endswith(b"/app/other")
    house.set(password="plain from now on")
    house.run()
    item = house.place("c").get("app/password")
    assert item is not None and item.attributes == () and item.value == b"plain from now on"


def test_a_native_reference_to_an_unknown_store_is_unseen_not_bent(tmp_path: Path) -> None:
    house = open_house(tmp_path, LinkSpec("c", secrets=Secrets.REFERENCE, options={"refers": True}))
    marked = attributes({"content-type": "application/x-reference"})
    house.place("c").set("app/password", b"memory://nobody/x", attributes=marked)
    report = house.run()
    assert report.exit_code is Exit.ERROR and house.entries == {}
    assert [unread.key for unread in report.plan.unread] == [Key("password")]


def test_a_secret_store_can_be_the_source_of_references(tmp_path: Path, canary: str) -> None:
    """What lies at a link of references is referred to; nothing of it is kept in the store."""
    home = LinkSpec("v", Mode.IMPORT, options=VAULT, secrets=Secrets.REFERENCE)
    house = open_house(tmp_path, home, LinkSpec("b", Mode.MIRROR, options=VAULT))
    house.place("v").set("app/password", canary.encode(), secret=True)
    assert house.run().exit_code is Exit.DONE
    assert house.entries == {"password": "@secret:v/app/password"}
    assert house.at("b") == {"password": canary}
    assert house.run().plan.empty
    house.place("v").set("app/password", b"rotated", secret=True)
    assert house.run().exit_code is Exit.DONE
    assert house.at("b") == {"password": "rotated"} and house.at("v") == {"password": "rotated"}
    assert house.run().plan.empty
    assert not found_in(canary, *(path.read_bytes() for path in tmp_path.iterdir()))


def test_a_secret_without_a_reference_is_not_written_where_only_references_go(tmp_path: Path) -> None:
    house = open_house(tmp_path, LinkSpec("c", secrets=Secrets.REFERENCE), cipher=Cipher(CIPHER_KEY))
    house.set_secret(password="in the store itself")
    report = house.run()
    assert house.at("c") == {} and [h.why for h in report.plan.holds] == [Why.UNSAYABLE]


def test_the_store_wins_first_contact_with_a_copy_where_the_link_says_so(house: House, canary: str) -> None:
    house.edit("b", mode=Mode.TWO_WAY, first=First.STORE)
    house.place("b").set("app/password", b"older", secret=True)
    house.run()
    assert house.at("b") == {"password": canary}


def test_what_was_read_is_on_record_and_what_it_was_is_not(house: House, canary: str) -> None:
    house.run()
    told = [json.loads(r.details) for r in house.store.audit_trail() if r.action == "secrets read"]
    assert {"connection": "kv", "items": ["app/db"]} in told
    assert not found_in(canary, *(record.details for record in house.store.audit_trail()))


def test_plaintexts_of_one_installation_have_one_fingerprint_and_another_one_elsewhere(
    tmp_path: Path,
) -> None:
    entry = Entry(Key("a"), Value.string("secret"), secret=True)
    (tmp_path / "one").mkdir()
    house = open_house(tmp_path / "one")
    assert house.store.fingerprinter.of(entry) == house.store.fingerprinter.of(entry)
    assert house.store.fingerprinter.of(entry) != Fingerprinter(b"another installation's key......").of(entry)
