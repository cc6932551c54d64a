"""What goes wrong behind a reference never reaches its copies: none is deleted, blanked or bent."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ecs_sync import sync
from ecs_sync.amend import change
from ecs_sync.errors import Denied, Throttled, Unavailable
from ecs_sync.faults import Point, attach, detach
from ecs_sync.model import Entry, Key
from ecs_sync.policy import First, Mode, Secrets
from ecs_sync.reference import Reference
from ecs_sync.report import Exit
from tests.sync.house import HAND, House, LinkSpec, open_house

VAULT = {"holds_secrets": True, "history": True}
FIELD = "@secret:kv/app/db#password"


def keep(house: House, password: object, name: str = "app/db") -> None:
    house.place("kv").set(name, json.dumps({"password": password}).encode(), secret=True)


def refer(house: House, **texts: str) -> None:
    entries = {
        Key(name): Entry(Key(name), Reference.parse(text).value, secret=True) for name, text in texts.items()
    }
    change(house.job, house.store, sync.Order("tester"), HAND, entries)


def opened(folder: Path, canary: str, *links: LinkSpec) -> House:
    house = open_house(folder, *links)
    house.vaults = ("kv",)
    keep(house, canary)
    return house


def throttle(house: House) -> None:
    for _ in range(20):
        house.place("kv").fail_next_get(Throttled("slow down", 3600.0))


def deny(house: House) -> None:
    for _ in range(20):
        house.place("kv").fail_next_get(Denied("permission denied"))


def hang(house: House) -> None:
    for _ in range(20):
        house.place("kv").fail_next_get(Unavailable("no answer in time"))


BREAKS: dict[str, Callable[[House], object]] = {
    "the secret is deleted": lambda house: house.place("kv").delete("app/db"),
    "the secret may not be read": lambda house: house.place("kv").deny("app/db"),
    "the field is gone": lambda house: house.place("kv").set("app/db", b'{"user": "app"}', secret=True),
    "the field is null": lambda house: keep(house, None),
    "it is no JSON any more": lambda house: house.place("kv").set("app/db", b"plain", secret=True),
    "it is empty": lambda house: house.place("kv").set("app/db", b"", secret=True),
    "it is no text any more": lambda house: house.place("kv").set("app/db", b"\xff\xfe\x00", secret=True),
    "everything is denied": deny,
    "the vault throttles": throttle,
    "the vault hangs": hang,
    "the job may not open it": lambda house: setattr(house, "may_open", lambda _: False),
}


def mend(house: House, value: str) -> None:
    house.may_open = lambda _: True
    house.place("kv").allow("app/db")
    house.place("kv")._read_faults.clear()
    keep(house, value)


@pytest.mark.parametrize("document", [False, True])
@pytest.mark.parametrize("mode", [Mode.MIRROR, Mode.EXPORT, Mode.TWO_WAY])
@pytest.mark.parametrize("breaks", BREAKS)
def test_a_copy_outlives_whatever_befalls_its_secret(
    tmp_path: Path, canary: str, breaks: str, mode: Mode, document: bool
) -> None:
    house = opened(tmp_path, canary, LinkSpec("b", mode, options=VAULT, document=document))
    refer(house, password=FIELD)
    house.set(other="1")
    assert house.run().exit_code is Exit.DONE
    assert house.at("b") == {"password": canary, "other": "1"}
    BREAKS[breaks](house)
    house.set(other="2")
    for _ in range(3):
        report = house.run()
        assert house.at("b") == {"password": canary, "other": "2"}
        assert house.entries == {"password": FIELD, "other": "2"}
    if breaks not in ("the vault hangs", "the vault throttles", "everything is denied"):
        assert report.exit_code in (Exit.ERROR, Exit.PARTLY)
    mend(house, "after")
    assert house.sync().exit_code is Exit.DONE
    assert house.at("b") == {"password": "after", "other": "2"}
    assert house.run().plan.empty


@pytest.mark.parametrize("point", [point for point in Point if point is not Point.RECOVERING])
@pytest.mark.parametrize("breaks", ["the secret is deleted", "everything is denied", "the field is gone"])
def test_a_secret_that_goes_in_the_middle_of_a_run_takes_nothing_along(
    tmp_path: Path, canary: str, breaks: str, point: Point
) -> None:
    house = opened(tmp_path, canary, LinkSpec("b", Mode.MIRROR, options=VAULT))
    refer(house, password=FIELD)
    house.run()
    keep(house, "rotated")
    left = [BREAKS[breaks]]

    def reached(at: Point) -> None:
        if at is point and left:
            left.pop()(house)

    attach(reached)
    try:
        house.run()
    finally:
        detach(reached)
    assert house.at("b")["password"] in (canary, "rotated")
    house.run()
    assert house.at("b")["password"] in (canary, "rotated")
    mend(house, "after")
    assert house.sync().exit_code is Exit.DONE
    assert house.at("b") == {"password": "after"} and house.entries == {"password": FIELD}


@pytest.mark.parametrize("gone", [True, False])
def test_a_pinned_version_that_is_gone_leaves_its_copy(tmp_path: Path, canary: str, gone: bool) -> None:
    house = opened(tmp_path, canary, LinkSpec("b", Mode.MIRROR, options=VAULT))
    pinned = house.place("kv").get("app/db")
    assert pinned is not None
    refer(house, password=f"@secret:kv/app/db?version={pinned.revision}#password")
    house.run()
    keep(house, "newer")
    if gone:
        house.place("kv")._versions["app/db"] = []
    house.place("b").set("app/password", b"edited", secret=True)
    report = house.run()
    assert house.at("b") == {"password": "edited" if gone else canary}
    assert report.exit_code is (Exit.PARTLY if gone else Exit.DONE)


@pytest.mark.parametrize("text", ["@secret:kv/app/other#password", "@secret:kv/app/db#password"])
def test_a_secret_that_spells_a_reference_is_not_opened_a_second_time(
    tmp_path: Path, canary: str, text: str
) -> None:
    house = opened(tmp_path, canary, LinkSpec("b", Mode.MIRROR, options=VAULT))
    keep(house, canary, "app/other")
    keep(house, text)
    refer(house, password=FIELD)
    for _ in range(3):
        house.run()
        assert canary not in house.at("b").get("password", "")
    assert house.entries == {"password": FIELD}
    keep(house, "fine")
    assert house.run().exit_code is Exit.DONE and house.at("b") == {"password": "fine"}


@pytest.mark.parametrize("mode", [Mode.MIRROR, Mode.TWO_WAY])
def test_one_link_copies_and_another_one_refers(tmp_path: Path, canary: str, mode: Mode) -> None:
    house = opened(
        tmp_path,
        canary,
        LinkSpec("copy", mode, 10, options=VAULT),
        LinkSpec("told", mode, 20, secrets=Secrets.REFERENCE),
    )
    keep(house, "second", "app/second")
    refer(house, password=FIELD)
    assert house.run().exit_code is Exit.DONE
    assert (house.at("copy"), house.at("told")) == ({"password": canary}, {"password": FIELD})
    keep(house, "rotated")
    assert house.run().exit_code is Exit.DONE
    assert (house.at("copy"), house.at("told")) == ({"password": "rotated"}, {"password": FIELD})
    BREAKS["the secret is deleted"](house)
    house.run()
    assert (house.at("copy"), house.at("told")) == ({"password": "rotated"}, {"password": FIELD})
    if mode is Mode.TWO_WAY:
        house.put("told", password="@secret:kv/app/second#password")
        house.run()
        assert house.run().exit_code is Exit.DONE
        assert house.at("copy") == {"password": "second"}


def test_a_link_that_refuses_leaves_what_stands_there(tmp_path: Path, canary: str) -> None:
    house = opened(
        tmp_path, canary, LinkSpec("b", Mode.MIRROR, options=VAULT, secrets=Secrets.REFUSE, first=First.STORE)
    )
    house.place("b").set("app/password", b"by hand", secret=True)
    refer(house, password=FIELD)
    for _ in range(2):
        house.run()
        assert house.at("b") == {"password": "by hand"}
    assert house.place("kv").calls["get"] == 0


@pytest.mark.parametrize("mode", [Mode.MIRROR, Mode.EXPORT, Mode.TWO_WAY])
def test_a_link_that_copies_from_now_on_opens_what_it_referred_to(
    tmp_path: Path, canary: str, mode: Mode
) -> None:
    house = opened(tmp_path, canary, LinkSpec("b", mode, options=VAULT, secrets=Secrets.REFERENCE))
    refer(house, password=FIELD)
    house.run()
    assert house.at("b") == {"password": FIELD}
    house.edit("b", secrets=Secrets.COPY)
    assert house.run().exit_code is Exit.DONE
    assert house.at("b") == {"password": canary} and house.entries == {"password": FIELD}
    keep(house, "rotated")
    assert house.run().exit_code is Exit.DONE and house.at("b") == {"password": "rotated"}


def test_a_mirror_opens_a_reference_that_somebody_wrote_over_a_copy(tmp_path: Path, canary: str) -> None:
    house = opened(tmp_path, canary, LinkSpec("b", Mode.MIRROR, options=VAULT))
    refer(house, password=FIELD)
    house.run()
    house.place("b").set("app/password", FIELD.encode(), secret=True)
    assert house.run().exit_code is Exit.DONE
    assert house.at("b") == {"password": canary}
    assert house.run().plan.empty


@pytest.mark.parametrize("options", [VAULT, VAULT | {"refers": True}])
@pytest.mark.parametrize("mode", [Mode.MIRROR, Mode.EXPORT, Mode.TWO_WAY])
def test_a_link_that_refers_from_now_on_keeps_no_copy(
    tmp_path: Path, canary: str, mode: Mode, options: dict[str, object]
) -> None:
    house = opened(tmp_path, canary, LinkSpec("b", mode, options=options))
    refer(house, password=FIELD)
    house.set(other="1")
    house.run()
    house.edit("b", secrets=Secrets.REFERENCE)
    assert [(change.key.text, change.side) for change in house.plan().changes] == [("password", "b")]
    assert house.run().exit_code is Exit.DONE
    assert house.at("b") == {"password": FIELD, "other": "1"}
    assert house.run().plan.empty and house.entries == {"password": FIELD, "other": "1"}
