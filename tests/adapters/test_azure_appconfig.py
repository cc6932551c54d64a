"""What is peculiar to settings of Azure App Configuration, as its users would miss it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_sync.adapter import Delete, Put, Verdict
from ecs_sync_adapters.azure_appconfig import AppConfigAdapter, AppConfigPlace
from ecs_sync_adapters.azure_appconfig_options import id_of, named
from ecs_sync_sandbox.azure_appconfig import AzureAppConfigServer
from tests.adapters.appconfig_sandbox import adapter_of, ids, one, place, read, update, write

APPLIED, REFUSED, RACED = Verdict.APPLIED, Verdict.REFUSED, Verdict.RACED
FLAG = '{"id":"beta","enabled":true,"x":1}'
FLAG_TYPE = "application/vnd.microsoft.appconfig.ff+json;charset=utf-8"


@pytest.fixture
def server() -> Iterator[AzureAppConfigServer]:
    with AzureAppConfigServer() as server:
        yield server


@pytest.fixture
def adapter(server: AzureAppConfigServer) -> Iterator[AppConfigAdapter]:
    adapter = adapter_of(server)
    yield adapter
    adapter.close()


# -- labels


def test_a_place_without_a_label_does_not_show_what_has_one(
    server: AzureAppConfigServer, adapter: AppConfigAdapter
) -> None:
    for label in (None, "prod", "dev"):
        server.settings.set("app/a", str(label), label)
    assert ids(adapter, "app/") == ["|app/a"]
    assert ids(adapter, "prod|app/") == ["prod|app/a"]
    assert one(adapter, "|app/a").value == b"None"
    assert one(adapter, "dev|app/a").value == b"dev"


def test_a_write_at_one_label_leaves_the_others(
    server: AzureAppConfigServer, adapter: AppConfigAdapter
) -> None:
    for label in (None, "prod"):
        server.settings.set("app/a", "1", label)
    assert update(adapter, "|app/a", b"2").verdict is APPLIED
    assert write(adapter, Delete("prod|app/a", str(one(adapter, "prod|app/a").revision))).verdict is APPLIED
    assert ids(adapter, "prod|app/") == []
    assert one(adapter, "|app/a").value == b"2"


@pytest.mark.parametrize(
    "label", ["a,b", "a\\b", "\\0", "star*", "100%", "a|b", "%7C", "Grüße 🔑", "a b&c=d", "?#"]
)
def test_a_label_with_reserved_characters_is_that_label_and_no_filter(
    server: AzureAppConfigServer, adapter: AppConfigAdapter, label: str
) -> None:
    for other in (label, None, "a", "starlight", "100"):
        server.settings.set("app/a", str(other), other)
    mine = AppConfigPlace("app/", label)
    items, _, _ = read(adapter.list(mine, None))
    assert [item.value for item in items.values()] == [label.encode()]
    assert list(items) == [id_of("app/a", label)]
    assert AppConfigPlace.parse(str(mine)) == mine
    assert update(adapter, id_of("app/a", label), b"new").verdict is APPLIED
    setting = server.settings.get("app/a", label)
    assert setting is not None and setting.value == "new"


@pytest.mark.parametrize("prefix", ["a*/", "a,b/", "a\\", "*", ",", "a b+", "é/", "?#&="])
def test_a_prefix_with_reserved_characters_is_no_wildcard(
    server: AzureAppConfigServer, adapter: AppConfigAdapter, prefix: str
) -> None:
    for key in (f"{prefix}x", "ax/x", "b/x", "zzz"):
        server.settings.set(key, "1")
    assert ids(adapter, prefix) == [f"|{prefix}x"]


def test_keys_with_reserved_characters_are_read_and_written_by_name(
    server: AzureAppConfigServer, adapter: AppConfigAdapter
) -> None:
    keys = ["a*", "a,b", "a\\b", "a\\0", "\\0", "a/../b", "a b+c", "q?x=1&y", "a//b", "'\"<>", "."[0] + "x"]
    for key in keys:
        assert write(adapter, Put(f"|{key}", key.encode(), None)).verdict is APPLIED, key
    items, _, calls = read(adapter.get([f"|{key}" for key in keys]))
    assert {item.id: item.value for item in items.values()} == {f"|{key}": key.encode() for key in keys}
    assert calls == 3
    for key in keys:
        assert write(adapter, Delete(f"|{key}", str(items[f"|{key}"].revision))).verdict is APPLIED
    assert ids(adapter, "|") == []


@given(st.text(min_size=1), st.none() | st.text(min_size=1))
def test_every_key_and_label_has_one_id_that_leads_back_to_it(key: str, label: str | None) -> None:
    assert named(id_of(key, label)) == (key, label)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "write '|'"),
        ("payments", "write 'payments/'"),
        ("*|app/", "use a link for each label"),
        ("%41|app/", "'%' is written '%25'"),
        ("app%/", "hold no '%'"),
        ("a\n/", "control character"),
    ],
)
def test_a_place_that_would_mean_something_else_is_refused_with_what_to_write(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        place(text)


def test_an_empty_label_is_refused_and_the_whole_of_a_label_can_be_meant() -> None:
    with pytest.raises(ValueError, match="leave it out"):
        AppConfigPlace("app/", "")
    assert place("prod|") == AppConfigPlace("", "prod")
    assert place("Settings:") == AppConfigPlace("Settings:") == place("|Settings:")


def test_places_overlap_at_one_label_only() -> None:
    assert place("prod|app/").overlaps(place("prod|app/db/"))
    assert not place("prod|app/").overlaps(place("dev|app/"))
    assert not place("app/").overlaps(place("prod|app/"))
    assert not place("app/").overlaps(place("app2/"))


# -- what a setting holds, and what survives


def test_an_update_keeps_tags_description_and_content_type_byte_for_byte(
    server: AzureAppConfigServer, adapter: AppConfigAdapter
) -> None:
    tags = {"owner": "billing", "empty": "", "null": None}
    server.settings.set("a", "1", tags=tags, description="why", content_type="text/plain")
    before = len(server.requests)
    assert update(adapter, "|a", b"2").verdict is APPLIED
    found = server.settings.get("a")
    assert found is not None
    assert (found.value, dict(found.tags), found.description) == ("2", tags, "why")
    assert found.content_type == "text/plain"
    assert len(server.requests) - before == 2  # the point read, and one PUT


def test_an_update_that_does_not_know_the_attributes_reads_them_first_and_at_the_same_revision(
    server: AzureAppConfigServer, adapter: AppConfigAdapter
) -> None:
    first = server.settings.set("a", "1", tags={"owner": "billing"}, description="why")
    outcome = write(adapter, Put("|a", b"2", first.etag))
    assert outcome.verdict is APPLIED
    found = server.settings.get("a")
    assert found is not None and (dict(found.tags), found.description) == ({"owner": "billing"}, "why")
    assert write(adapter, Put("|a", b"3", first.etag)).verdict is RACED
    assert write(adapter, Put("|gone", b"3", first.etag)).verdict is RACED


def test_a_content_type_is_set_and_cleared_by_a_write(
    server: AzureAppConfigServer, adapter: AppConfigAdapter
) -> None:
    outcome = write(adapter, Put("|a", b"{}", None, attributes=(("content-type", "application/json"),)))
    found = server.settings.get("a")
    assert found is not None and found.content_type == "application/json"
    write(adapter, Put("|a", b"1", outcome.revision))
    found = server.settings.get("a")
    assert found is not None and found.content_type is None


@pytest.mark.parametrize("spelling", [FLAG_TYPE, "application/vnd.microsoft.appconfig.ff+json"])
def test_a_feature_flag_is_read_and_written_back_to_the_byte(
    server: AzureAppConfigServer, adapter: AppConfigAdapter, spelling: str
) -> None:
    key = ".appconfig.featureflag/beta"
    server.settings.set(key, FLAG, content_type=spelling, description="the beta")
    item = one(adapter, f"|{key}")
    assert item.value == FLAG.encode()
    assert update(adapter, f"|{key}", FLAG.replace("true", "false").encode()).verdict is APPLIED
    found = server.settings.get(key)
    assert found is not None
    assert (found.value, found.content_type) == (FLAG.replace("true", "false"), spelling)
    assert found.description == "the beta"


def test_a_null_value_is_no_empty_text_and_cannot_be_read(
    server: AzureAppConfigServer, adapter: AppConfigAdapter
) -> None:
    server.settings.set("null", None)
    server.settings.set("empty", "")
    assert one(adapter, "|empty").value == b""
    item = one(adapter, "|null")
    assert item.value is None and "null" in (item.unreadable or "")


def test_a_locked_setting_is_refused_with_the_way_out(
    server: AzureAppConfigServer, adapter: AppConfigAdapter
) -> None:
    server.settings.set("a", "1", locked=True)
    item = one(adapter, "|a")
    assert ("locked", "true") in item.attributes
    for attempt in (
        Put("|a", b"2", item.revision, attributes=item.attributes),
        Delete("|a", str(item.revision)),
        Put("|a", b"2", None),
    ):
        outcome = write(adapter, attempt)
        assert outcome.verdict is REFUSED
        assert "locked" in outcome.reason and "unlock" in outcome.reason
    assert one(adapter, "|a").revision == item.revision


@pytest.mark.parametrize("expected", ["", "*", '"', "a b"])
def test_an_expected_revision_that_would_be_no_condition_overwrites_nothing(
    server: AzureAppConfigServer, adapter: AppConfigAdapter, expected: str
) -> None:
    server.settings.set("a", "theirs")
    before = len(server.requests)
    assert write(adapter, Put("|a", b"ours", expected)).verdict is RACED
    assert write(adapter, Delete("|a", expected)).verdict is RACED
    assert len(server.requests) == before
    assert one(adapter, "|a").value == b"theirs"


def test_every_write_goes_out_with_a_condition(
    server: AzureAppConfigServer, adapter: AppConfigAdapter
) -> None:
    created = write(adapter, Put("|a", b"1", None))
    update(adapter, "|a", b"2")
    write(adapter, Delete("|a", str(one(adapter, "|a").revision)))
    writes = [request for request in server.requests if request.method in ("PUT", "DELETE")]
    assert [r.headers.get("if-none-match") for r in writes] == ["*", None, None]
    assert writes[1].headers["if-match"] == f'"{created.revision}"'
    assert writes[2].headers["if-match"] not in ("", "*")


def test_what_is_too_large_together_is_refused_before_it_is_sent(
    server: AzureAppConfigServer, adapter: AppConfigAdapter
) -> None:
    server.settings.set("a", "1", tags={"note": "x" * 250})
    before = len(server.requests)
    outcome = update(adapter, "|a", b"x" * 10_000)
    assert outcome.verdict is REFUSED and "10240 bytes" in outcome.reason
    assert len(server.requests) - before == 1  # the point read


def test_an_older_emulator_is_spoken_to_in_its_own_version(server: AzureAppConfigServer) -> None:
    adapter = adapter_of(server, api_version="2023-11-01")
    assert write(adapter, Put("|a", b"1", None)).verdict is APPLIED
    assert update(adapter, "|a", b"2").verdict is APPLIED
    assert ids(adapter, "|") == ["|a"]
    assert {request.query["api-version"] for request in server.requests} == {"2023-11-01"}
    adapter.close()
