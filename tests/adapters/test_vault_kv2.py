"""KV version 2 as it really is: versions, soft deletes, metadata, numbers, mounts and namespaces."""

from __future__ import annotations

import itertools
import random
import struct
import urllib.request
from collections.abc import Iterator

import pytest

from ecs_sync.adapter import Delete, Item, Put, Verdict
from ecs_sync.errors import Denied, Rejected
from ecs_sync.testing.subject import pages_of
from ecs_sync_adapters.numbered import Numbered
from ecs_sync_adapters.vault_json import as_go_writes_it, decoded
from ecs_sync_adapters.vault_kv2 import VaultKv2Adapter
from ecs_sync_adapters.vault_options import VaultPlace
from ecs_sync_sandbox.openbao import ROOT_TOKEN, OpenBaoServer, front
from tests.adapters.vault_sandbox import absent, adapter_of, items, options_of, server, value

APPLIED, REFUSED, RACED = Verdict.APPLIED, Verdict.REFUSED, Verdict.RACED


_turn = itertools.count()


@pytest.fixture(scope="module")
def bao() -> Iterator[OpenBaoServer]:
    with server() as running:
        yield running


@pytest.fixture
def mount(bao: OpenBaoServer) -> Iterator[str]:
    """An empty mount of its own."""
    name = f"kv{next(_turn)}"
    bao.mount(name)
    yield name
    bao.unmount(name)


@pytest.fixture
def vault(bao: OpenBaoServer, mount: str) -> Iterator[VaultKv2Adapter]:
    adapter = adapter_of(bao, mount=mount)
    yield adapter
    adapter.close()


ALL = VaultPlace("/")


def listed(vault: VaultKv2Adapter, place: VaultPlace = ALL) -> dict[str, Item]:
    return {item.id: item for item in items(vault.list(place, None))}


def one(vault: VaultKv2Adapter, id: str) -> Item:
    [item] = items(vault.get([id]))
    return item


def put(vault: VaultKv2Adapter, id: str, raw: bytes, version: int | None = None) -> str:
    """The revision after a write over this version; a creation without one."""
    expected = None if version is None else at(vault, id, version)
    [outcome] = vault.write([Put(id, raw, expected, secret=True)])
    assert outcome.verdict is APPLIED, outcome.reason
    assert outcome.revision is not None
    return outcome.revision


def at(vault: VaultKv2Adapter, id: str, version: int) -> str:
    """The revision that a version of this number has."""
    found = vault.version(id, str(version))
    assert found is not None and found.revision is not None
    return found.revision


def number(revision: str | None) -> int:
    """The number of the version that a revision means."""
    found = Numbered.of(revision or "")
    assert found is not None
    return found.number


def verdict(vault: VaultKv2Adapter, write: Put | Delete) -> Verdict:
    [outcome] = vault.write([write])
    return outcome.verdict


# -- versions


def test_a_deleted_secret_is_absent_though_its_metadata_is_still_listed(
    bao: OpenBaoServer, mount: str, vault: VaultKv2Adapter
) -> None:
    revision = put(vault, "app/db", value(user="app"))
    assert verdict(vault, Delete("app/db", revision)) is APPLIED
    assert bao.call("LIST", f"{mount}/metadata/app")["data"]["keys"] == ["db"]
    assert listed(vault) == {}
    assert absent(vault.get(["app/db"])) == ["app/db"]


def test_a_delete_is_soft_and_can_be_undone_with_the_same_revision(
    bao: OpenBaoServer, mount: str, vault: VaultKv2Adapter
) -> None:
    put(vault, "db", value(user="app"))
    before = one(vault, "db")
    assert verdict(vault, Delete("db", at(vault, "db", 1))) is APPLIED
    bao.call("POST", f"{mount}/undelete/db", {"versions": [1]})
    assert one(vault, "db") == before


def test_a_delete_names_its_version_so_what_came_after_it_stays(
    bao: OpenBaoServer, mount: str, vault: VaultKv2Adapter
) -> None:
    put(vault, "db", value(user="app"))
    bao.call("POST", f"{mount}/data/db", {"data": {"user": "theirs"}})
    assert verdict(vault, Delete("db", at(vault, "db", 1))) is APPLIED
    assert one(vault, "db").value == value(user="theirs")


def test_destroy_is_used_only_where_the_connection_says_so(
    bao: OpenBaoServer, mount: str, vault: VaultKv2Adapter
) -> None:
    put(vault, "soft", value(user="app"))
    put(vault, "hard", value(user="app"))
    destroying = adapter_of(bao, mount=mount, deletes="destroy")
    assert (vault.features.keeps_deleted, destroying.features.keeps_deleted) == (True, False)
    verdict(vault, Delete("soft", at(vault, "soft", 1)))
    verdict(destroying, Delete("hard", at(vault, "hard", 1)))
    versions = [
        bao.call("GET", f"{mount}/metadata/{name}")["data"]["versions"]["1"] for name in ("soft", "hard")
    ]
    assert [version["destroyed"] for version in versions] == [False, True]
    assert absent(vault.get(["soft", "hard"])) == ["soft", "hard"]
    assert number(put(vault, "hard", value(user="again"))) == 2


def test_a_secret_is_created_again_over_its_deleted_version(vault: VaultKv2Adapter) -> None:
    put(vault, "db", value(user="one"))
    verdict(vault, Delete("db", at(vault, "db", 1)))
    assert number(put(vault, "db", value(user="two"))) == 2


def test_an_update_does_not_undo_a_delete_though_the_version_is_still_current(
    bao: OpenBaoServer, mount: str, vault: VaultKv2Adapter
) -> None:
    revision = put(vault, "db", value(user="one"))
    bao.call("DELETE", f"{mount}/data/db")
    assert verdict(vault, Put("db", value(user="two"), revision)) is RACED
    assert absent(vault.get(["db"])) == ["db"]


def test_a_secret_made_anew_after_its_metadata_went_has_another_change_time(
    bao: OpenBaoServer, mount: str, vault: VaultKv2Adapter
) -> None:
    put(vault, "db", value(user="one"))
    before = listed(vault)["db"]
    bao.call("DELETE", f"{mount}/metadata/db")
    put(vault, "db", value(user="other"))
    after = listed(vault)["db"]
    assert number(before.revision) == number(after.revision) == 1
    assert before.revision != after.revision
    assert before.changed is not None and after.changed is not None
    assert before.changed < after.changed


def test_neither_an_update_nor_a_pin_nor_an_undo_meets_a_secret_that_was_made_anew(
    bao: OpenBaoServer, mount: str, vault: VaultKv2Adapter
) -> None:
    before = put(vault, "db", value(user="one"))
    bao.call("DELETE", f"{mount}/metadata/db")
    put(vault, "db", value(user="other"))
    [outcome] = vault.write([Put("db", value(user="two"), before)])
    assert (outcome.verdict, "made anew" in outcome.reason) == (RACED, True)
    assert one(vault, "db").value == value(user="other")
    assert vault.version("db", before) is None


def test_metadata_without_a_version_is_no_secret_and_can_become_one(
    bao: OpenBaoServer, mount: str, vault: VaultKv2Adapter
) -> None:
    bao.call("POST", f"{mount}/metadata/db", {"custom_metadata": {"owner": "blue"}})
    assert listed(vault) == {}
    assert absent(vault.get(["db"])) == ["db"]
    assert number(put(vault, "db", value(user="app"))) == 1
    assert one(vault, "db").attributes == (("metadata:owner", "blue"),)


def test_a_version_that_will_be_deleted_later_is_there_until_then(
    bao: OpenBaoServer, mount: str, vault: VaultKv2Adapter
) -> None:
    bao.call("POST", f"{mount}/metadata/db", {"delete_version_after": "1h"})
    put(vault, "db", value(user="app"))
    told = bao.call("GET", f"{mount}/metadata/db")["data"]["versions"]["1"]
    assert told["deletion_time"] != ""
    assert number(listed(vault)["db"].revision) == 1
    assert number(put(vault, "db", value(user="two"), 1)) == 2


def test_custom_metadata_is_shown_and_survives_writes(
    bao: OpenBaoServer, mount: str, vault: VaultKv2Adapter
) -> None:
    put(vault, "db", value(user="app"))
    bao.call("POST", f"{mount}/metadata/db", {"custom_metadata": {"owner": "blue"}, "max_versions": 3})
    put(vault, "db", value(user="two"), 1)
    wanted = (("metadata:owner", "blue"),)
    assert listed(vault)["db"].attributes == one(vault, "db").attributes == wanted
    assert bao.call("GET", f"{mount}/metadata/db")["data"]["max_versions"] == 3


def test_a_mount_that_wants_cas_is_given_it(bao: OpenBaoServer, mount: str, vault: VaultKv2Adapter) -> None:
    bao.call("POST", f"{mount}/config", {"cas_required": True})
    put(vault, "db", value(user="one"))
    assert number(put(vault, "db", value(user="two"), 1)) == 2


# -- history and pins


def test_a_deleted_version_is_unreadable_in_the_history_and_the_others_are_whole(
    bao: OpenBaoServer, mount: str, vault: VaultKv2Adapter
) -> None:
    for version in range(3):
        put(vault, "db", value(n=version), version or None)
    bao.call("POST", f"{mount}/delete/db", {"versions": [2]})
    history = items(vault.history("db", at(vault, "db", 1)))
    assert [(number(item.revision), item.value, item.unreadable) for item in history] == [
        (2, None, "version 2 is deleted"),
        (3, value(n=2), None),
    ]


def test_a_history_that_lost_versions_or_began_anew_proves_nothing(
    bao: OpenBaoServer, mount: str, vault: VaultKv2Adapter
) -> None:
    bao.call("POST", f"{mount}/metadata/db", {"max_versions": 2})
    revisions = [put(vault, "db", value(n=version), version or None) for version in range(4)]
    [lost] = vault.history("db", revisions[0]).pages
    [whole] = vault.history("db", revisions[1]).pages
    [beyond] = vault.history("db", "9" + revisions[3][1:]).pages
    [foreign] = vault.history("db", "3").pages
    bao.call("DELETE", f"{mount}/metadata/db")
    for version in range(4):
        put(vault, "db", value(n=version), version or None)
    [anew] = vault.history("db", revisions[2]).pages
    proven = [page.proof is not None for page in (lost, whole, beyond, foreign, anew)]
    assert proven == [False, True, False, False, False]
    assert [number(item.revision) for item in whole.items] == [3, 4]


def test_a_secret_that_never_was_has_an_empty_history(vault: VaultKv2Adapter) -> None:
    [page] = vault.history("never", None).pages
    assert (page.items, page.absent, page.proof is not None) == ((), ("never",), True)
    [page] = vault.history("never", "31700000000000000").pages
    assert page.proof is None


def test_one_version_can_be_pinned(bao: OpenBaoServer, mount: str, vault: VaultKv2Adapter) -> None:
    put(vault, "db", value(n=1))
    put(vault, "db", value(n=2), 1)
    pinned = vault.version("db", "1")
    assert pinned is not None
    assert (pinned.value, number(pinned.revision), pinned.secret) == (value(n=1), 1, True)
    assert pinned.revision is not None
    assert vault.version("db", pinned.revision) == pinned
    anew = pinned.revision[:-1] + ("1" if pinned.revision.endswith("0") else "0")
    assert [vault.version("db", text) for text in ("3", "0", "", "latest", "-1", anew)] == [None] * 6
    bao.call("POST", f"{mount}/destroy/db", {"versions": [1]})
    assert vault.version("db", "1") is None


def test_a_secret_can_be_looked_at_without_being_read(bao: OpenBaoServer, mount: str) -> None:
    with front(bao.url) as door:
        vault = VaultKv2Adapter(options_of(door.url, mount=mount))
        for id in ("db", "gone"):
            put(vault, id, value(user="app"))
        verdict(vault, Delete("gone", at(vault, "gone", 1)))
        before = len(door.requests)
        pages = list(vault.peek(["db", "gone", "missing"]).pages)
        asked = door.requests[before:]
        [seen] = [item for page in pages for item in page.items]
        read = one(vault, "db")
        assert (seen.id, seen.value, seen.revision, seen.changed) == ("db", None, read.revision, read.changed)
        assert [id for page in pages for id in page.absent] == ["gone", "missing"]
        assert pages[-1].proof is not None
        assert sum(page.calls for page in pages) == len(asked) == 3 * vault.features.prices.peek.of(1)
        assert all("/metadata/" in request.path for request in asked)


# -- values


@pytest.mark.parametrize(
    "number",
    ["9007199254740993", "12345678901234567890123", "1.50", "5.0", "1e30", "0.0000001", "1E5", "1e400"],
)
def test_a_number_that_kv2_would_change_is_refused_before_it_is_sent(
    vault: VaultKv2Adapter, number: str
) -> None:
    raw = b'{"deep":[{"n":' + number.encode() + b"}]}"
    [outcome] = vault.write([Put("db", raw, None)])
    assert outcome.verdict is REFUSED
    assert "as text" in outcome.reason
    assert absent(vault.get(["db"])) == ["db"]


@pytest.mark.parametrize("number", ["9007199254740992", "-5", "0", "1.5", "0.30000000000000004", "1e-7"])
def test_a_number_that_kv2_keeps_comes_back_to_the_digit(vault: VaultKv2Adapter, number: str) -> None:
    raw = b'{"n":' + number.encode() + b"}"
    put(vault, "db", raw)
    assert one(vault, "db").value == raw


def test_numbers_that_others_wrote_can_be_written_back_as_they_are_read(
    bao: OpenBaoServer, mount: str, vault: VaultKv2Adapter
) -> None:
    bao.call("POST", f"{mount}/data/db", {"data": {"a": 1e30, "b": 2.50, "c": 1e-9}})
    raw = one(vault, "db").value
    assert raw == b'{"a":1e+30,"b":2.5,"c":1e-9}'
    put(vault, "db", raw, 1)
    assert one(vault, "db").value == raw


def test_every_number_is_kept_or_changed_as_the_adapter_predicts(bao: OpenBaoServer, mount: str) -> None:
    chance = random.Random(7)
    written = [
        make()
        for _ in range(500)
        for make in (
            lambda: repr(chance.choice((1, -1)) * 10 ** chance.uniform(-12, 25)),
            lambda: str(chance.randint(-(10**25), 10**25)),
            lambda: f"{chance.uniform(-1000, 1000):.{chance.randint(0, 8)}f}",
            lambda: repr(struct.unpack("d", struct.pack("Q", chance.randrange(2047 << 52)))[0]),
        )
    ]
    read: list[str] = []
    for start in range(0, len(written), 400):
        body = '{"data":{"l":[' + ",".join(written[start : start + 400]) + "]}}"
        about = {"X-Vault-Token": ROOT_TOKEN}
        address = f"{bao.url}/v1/{mount}/data/numbers"
        urllib.request.urlopen(
            urllib.request.Request(address, body.encode(), about, method="POST"), timeout=10
        )
        with urllib.request.urlopen(urllib.request.Request(address, headers=about), timeout=10) as answer:
            read += map(str, decoded(answer.read().decode())["data"]["data"]["l"])
    assert [a == b for a, b in zip(written, read, strict=True)] == [as_go_writes_it(a) for a in written]
    assert all(map(as_go_writes_it, read))
    assert 100 < sum(map(as_go_writes_it, written)) < 1900, "both kinds are among them"


def test_types_and_any_text_survive_in_fields(vault: VaultKv2Adapter) -> None:
    raw = '{"":"","b":true,"html":"<a>&","l":[1,{"x":null}],"n":null,"nul":"\\u0000","s":"5","ü":"🔑"}'
    put(vault, "db", raw.encode())
    assert one(vault, "db").value == raw.encode()


def test_an_object_without_a_field_is_a_secret(vault: VaultKv2Adapter) -> None:
    put(vault, "db", b"{}")
    assert one(vault, "db").value == b"{}"


@pytest.mark.parametrize("raw", [b"[1]", b'"text"', b"plain", b"", b"\xff", b'{"a":1,"a":2}'])
def test_what_is_no_object_is_refused(vault: VaultKv2Adapter, raw: bytes) -> None:
    assert verdict(vault, Put("db", raw, None)) is REFUSED


def test_more_fields_than_the_server_takes_are_refused_by_name(vault: VaultKv2Adapter) -> None:
    [outcome] = vault.write([Put("db", value(**{f"k{n}": "v" for n in range(1500)}), None)])
    assert outcome.verdict is REFUSED
    assert "max_request_json_strings" in outcome.reason


# -- listing


def test_a_listing_costs_a_call_a_folder_and_one_a_secret(bao: OpenBaoServer, mount: str) -> None:
    with front(bao.url) as door:
        vault = VaultKv2Adapter(options_of(door.url, mount=mount))
        for id in ("a/one", "a/b/two", "a/b/three", "top"):
            put(vault, id, value(id=id))
        before = len(door.requests)
        pages = list(pages_of(vault.list(ALL, None)))
        asked = [request.method for request in door.requests[before:]]
        assert sorted(asked) == ["GET"] * 4 + ["LIST"] * 3
        assert sum(page.calls for page in pages) == len(asked)
        assert [item.id for page in pages for item in page.items] == ["a/b/three", "a/b/two", "a/one", "top"]
        assert b"id" not in b"".join(request.body for request in door.requests[before:])


def test_pages_count_exactly_the_calls_they_took(bao: OpenBaoServer, mount: str) -> None:
    with front(bao.url) as door:
        vault = VaultKv2Adapter(options_of(door.url, mount=mount))

        def calls(work: object) -> None:
            before = len(door.requests)
            pages = list(work)  # type: ignore[call-overload]
            asked = [each for each in door.requests[before:] if not each.path.startswith("/v1/auth/")]
            assert sum(page.calls for page in pages) == len(asked)

        calls(vault.list(ALL, None).pages)
        put(vault, "db", value(n=1))
        put(vault, "db", value(n=2), 1)
        calls(vault.list(ALL, None).pages)
        calls(vault.list(VaultPlace("db"), None).pages)
        calls(vault.get(["db", "missing", "a/../b"]).pages)
        calls(vault.history("db", None).pages)


def test_writes_cost_what_their_prices_say(bao: OpenBaoServer, mount: str) -> None:
    with front(bao.url) as door:
        vault = VaultKv2Adapter(options_of(door.url, mount=mount))
        absent(vault.get(["warm"]))
        prices = vault.features.prices
        prices_of = {"create": prices.create, "update": prices.update, "delete": prices.delete}
        revision = None
        for name, price in prices_of.items():
            before = len(door.requests)
            raw = value(write=name)
            write = Delete("db", revision or "") if name == "delete" else Put("db", raw, revision)
            [outcome] = vault.write([write])
            assert outcome.verdict is APPLIED
            revision = outcome.revision
            assert len(door.requests) - before == price.of(1)


def test_a_secret_and_a_folder_may_have_one_name_and_the_order_is_that_of_bytes(
    vault: VaultKv2Adapter,
) -> None:
    ids = ["a", "a-b", "a/x", "a/y/z", "a0", "b"]
    for id in ids:
        put(vault, id, value(id=id))
    assert list(listed(vault)) == ids
    assert list(listed(vault, VaultPlace("a/"))) == ["a/x", "a/y/z"]
    assert list(listed(vault, VaultPlace("a"))) == ["a"]
    assert listed(vault, VaultPlace("missing")) == {}


def test_names_that_clients_rewrite_are_told_and_never_touched(vault: VaultKv2Adapter) -> None:
    put(vault, "a/b", value(n=1))
    for id in ("a//b", "a/../b", "./a", "a/", "/a"):
        [outcome] = vault.write([Put(id, value(n=2), None)])
        assert outcome.verdict is REFUSED
        assert items(vault.get([id]))[0].unreadable is not None
    assert verdict(vault, Delete("x/../a/b", at(vault, "a/b", 1))) is REFUSED
    assert one(vault, "a/b").value == value(n=1)


# -- mounts, namespaces, policies


def test_an_empty_mount_is_empty_and_a_mount_that_is_not_there_is_an_error(
    bao: OpenBaoServer, vault: VaultKv2Adapter
) -> None:
    assert listed(vault) == {}
    gone = adapter_of(bao, mount="no-such")
    with pytest.raises(Rejected, match="check mount"):
        items(gone.list(ALL, None))
    with pytest.raises(Rejected, match="check mount"):
        items(gone.get(["db"]))
    [outcome] = gone.write([Put("db", value(n=1), None)])
    assert outcome.verdict is REFUSED


def test_a_mount_of_kv1_never_passes_for_an_empty_one(bao: OpenBaoServer) -> None:
    bao.mount("first", version=1)
    bao.call("PUT", "first/db", {"user": "app"})
    with pytest.raises(Rejected, match="use adapter vault-kv1"):
        items(adapter_of(bao, mount="first").list(ALL, None))
    with pytest.raises(Rejected, match="use adapter vault-kv1"):
        items(adapter_of(bao, mount="first").list(VaultPlace("db"), None))
    with pytest.raises(Rejected, match="no KV"):
        items(adapter_of(bao, mount="cubbyhole").list(ALL, None))


def test_a_namespace_is_a_world_of_its_own(bao: OpenBaoServer) -> None:
    bao.namespace("blue")
    bao.mount("kv", namespace="blue")
    blue = adapter_of(bao, mount="kv", namespace="blue")
    assert listed(blue) == {}
    put(blue, "db", value(team="blue"))
    told = bao.call("GET", "kv/data/db", namespace="blue")["data"]["data"]
    assert told == {"team": "blue"}
    with pytest.raises(Rejected, match="check mount"):
        items(adapter_of(bao, mount="kv").list(ALL, None))
    with pytest.raises(Rejected, match="no such namespace"):
        items(adapter_of(bao, mount="kv", namespace="red").list(ALL, None))


def test_a_mount_may_have_slashes_and_blanks_in_its_name(bao: OpenBaoServer) -> None:
    bao.mount("team blue/kv")
    vault = adapter_of(bao, mount="team blue/kv")
    assert listed(vault) == {}
    put(vault, "a b/c?d#e%", value(n=1))
    assert list(listed(vault)) == ["a b/c?d#e%"]


def test_what_a_policy_denies_is_unreadable_and_a_denied_folder_makes_no_proof(
    bao: OpenBaoServer, mount: str, vault: VaultKv2Adapter
) -> None:
    for id in ("app/open", "app/shut", "dark/db"):
        put(vault, id, value(n=1))
    bao.policy(
        f"part-{mount}",
        {
            f"{mount}/metadata/app/": ["list"],
            f"{mount}/metadata/app/open": ["read"],
            f"{mount}/data/app/open": ["read"],
        },
    )
    part = adapter_of(bao, mount=mount, token=bao.token(f"part-{mount}"))
    shown = listed(part, VaultPlace("app/"))
    assert shown["app/open"].unreadable is None
    assert "policy" in (shown["app/shut"].unreadable or "")
    assert one(part, "app/open").value == value(n=1)
    assert one(part, "app/shut").unreadable is not None
    with pytest.raises(Denied):
        items(part.list(VaultPlace("dark/"), None))
    for write in (
        Put("app/open", value(n=2), at(vault, "app/open", 1)),
        Put("app/new", value(n=2), None),
        Delete("app/open", at(vault, "app/open", 1)),
    ):
        [outcome] = part.write([write])
        assert outcome.verdict is REFUSED
        assert "policy" in outcome.reason


def test_the_policy_of_the_documentation_is_enough(bao: OpenBaoServer, mount: str) -> None:
    bao.policy(
        f"docs-{mount}",
        {
            f"{mount}/metadata/acme/prod/*": ["list", "read"],
            f"{mount}/data/acme/prod/*": ["create", "read", "update"],
            f"{mount}/delete/acme/prod/*": ["update"],
        },
    )
    vault = adapter_of(bao, mount=mount, token=bao.token(f"docs-{mount}"))
    place = VaultPlace("acme/prod/")
    assert listed(vault, place) == {}
    put(vault, "acme/prod/db", value(n=1))
    put(vault, "acme/prod/db", value(n=2), 1)
    assert one(vault, "acme/prod/db").value == value(n=2)
    assert len(items(vault.history("acme/prod/db", None))) == 2
    assert verdict(vault, Delete("acme/prod/db", at(vault, "acme/prod/db", 2))) is APPLIED
    put(vault, "acme/prod/db", value(n=3))


# -- places and options


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "whole mount"),
        ("/a/", "'a/'"),
        ("a//b/", "empty segment"),
        ("a/../b", "'..'"),
        ("a\n/", "printed"),
    ],
)
def test_a_place_that_cannot_be_meant_is_refused_with_the_one_that_could(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        VaultPlace.parse(text)


def test_places_overlap_where_a_secret_could_lie_in_both() -> None:
    folder, inner, single, other = (VaultPlace.parse(t) for t in ("a/", "a/b/", "a/b", "a2/"))
    assert folder.overlaps(inner) and inner.overlaps(folder)
    assert folder.overlaps(single) and single.overlaps(folder)
    assert not inner.overlaps(single) and not single.overlaps(inner)
    assert not folder.overlaps(other) and not other.overlaps(single)
    assert ALL.overlaps(other) and single.overlaps(single) and not single.overlaps(VaultPlace("a/c"))
    assert (folder.single_item, single.single_item) == (None, "a/b")


def test_all_that_is_wrong_with_a_connection_is_said_at_once() -> None:
    with pytest.raises(ValueError) as caught:
        options_of(
            "ftp://me:word@host", mount="/kv/", auth="approle", namespace="é", read_timeout=0.0, token="a b"
        )
    for told in (
        "url is not written",
        "user name",
        "'/kv/'",
        "needs role_id",
        "does not use token",
        "namespace",
        "read_timeout",
        "token is empty, or holds a space",
    ):
        assert told in str(caught.value)
    assert "word" not in str(caught.value) and "a b" not in str(caught.value)


@pytest.mark.parametrize(
    "options",
    [
        {"read_timeout": 1e300},
        {"connect_timeout": 1e300},
        {"concurrency": 10**9},
        {"concurrency": 0},
    ],
)
def test_a_number_that_would_only_fail_later_is_refused_by_name(options: dict[str, float]) -> None:
    [name] = options
    with pytest.raises(ValueError, match=f"{name} must be"):
        options_of("http://127.0.0.1:1", **options)


@pytest.mark.parametrize("below", ["data", "acme/prod"])
def test_a_path_below_a_mount_is_no_mount_and_nothing_is_written_there(
    bao: OpenBaoServer, mount: str, below: str
) -> None:
    vault = adapter_of(bao, mount=f"{mount}/{below}")
    for place in (VaultPlace("app"), VaultPlace("app/"), ALL):
        with pytest.raises(Rejected):
            items(vault.list(place, None))
    with pytest.raises(Rejected, match=f"is mounted at '{mount}': set mount to that"):
        items(vault.list(VaultPlace("app"), None))
