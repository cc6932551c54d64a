"""What is peculiar to Azure App Configuration, as its users would miss it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_sync.adapter import Delete, Item, Listing, Outcome, Put, Refers, Verdict
from ecs_sync.errors import Rejected, Unavailable
from ecs_sync_adapters.azure_appconfig import AppConfigAdapter, AppConfigOptions, AppConfigPlace
from ecs_sync_adapters.azure_appconfig_options import id_of, named
from ecs_sync_sandbox.azure_appconfig import AzureAppConfigServer

APPLIED, REFUSED, RACED = Verdict.APPLIED, Verdict.REFUSED, Verdict.RACED
FLAG = '{"id":"beta","enabled":true,"x":1}'
FLAG_TYPE = "application/vnd.microsoft.appconfig.ff+json;charset=utf-8"
REFERENCE_TYPE = "application/vnd.microsoft.appconfig.keyvaultref+json;charset=utf-8"
URI = "https://acme.vault.azure.net/secrets/db-password"


@pytest.fixture
def server() -> Iterator[AzureAppConfigServer]:
    with AzureAppConfigServer() as server:
        yield server


@pytest.fixture
def adapter(server: AzureAppConfigServer) -> Iterator[AppConfigAdapter]:
    adapter = adapter_of(server)
    yield adapter
    adapter.close()


def adapter_of(server: AzureAppConfigServer, **options: object) -> AppConfigAdapter:
    key = server.connection_string
    return AppConfigAdapter(AppConfigOptions(server.url, connection_string=key, **options))  # type: ignore[arg-type]


def place(text: str) -> AppConfigPlace:
    return AppConfigPlace.parse(text)


def read(listing: Listing) -> tuple[dict[str, Item], str | None, int]:
    """Items by id, the token, and the calls of a listing that must be complete."""
    pages = list(listing.pages)
    assert pages and pages[-1].proof is not None
    calls = listing.calls + sum(page.calls for page in pages)
    return {item.id: item for page in pages for item in page.items}, pages[-1].proof.token, calls


def ids(adapter: AppConfigAdapter, text: str) -> list[str]:
    return sorted(read(adapter.list(place(text), None))[0])


def one(adapter: AppConfigAdapter, id: str) -> Item:
    (item,) = read(adapter.get([id]))[0].values()
    return item


def write(adapter: AppConfigAdapter, write: Put | Delete) -> Outcome:
    (outcome,) = adapter.write([write])
    return outcome


def update(adapter: AppConfigAdapter, id: str, value: bytes) -> Outcome:
    """As the engine updates: with the attributes that were read."""
    item = one(adapter, id)
    return write(adapter, Put(id, value, item.revision, attributes=item.attributes))


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


# -- pages


def fill(server: AzureAppConfigServer, count: int) -> None:
    for number in range(count):
        server.settings.set(f"app/k{number:04}", str(number))


def test_an_unchanged_store_costs_its_conditional_pages_and_nothing_else(
    server: AzureAppConfigServer, adapter: AppConfigAdapter
) -> None:
    fill(server, 250)
    items, token, calls = read(adapter.list(place("app/"), None))
    assert (len(items), calls) == (250, 3)
    before = len(server.requests)
    listing = adapter.list(place("app/"), token)
    assert listing.unchanged and listing.calls == 3
    asked = server.requests[before:]
    assert len(asked) == 3
    assert all("if-none-match" in request.headers for request in asked)


@pytest.mark.parametrize(("changed", "calls"), [("k0000", 3), ("k0150", 4), ("k0249", 5), ("k9999", 5)])
def test_where_some_pages_changed_the_listing_is_whole_and_reads_no_page_needlessly(
    server: AzureAppConfigServer, adapter: AppConfigAdapter, changed: str, calls: int
) -> None:
    fill(server, 250)
    _, token, _ = read(adapter.list(place("app/"), None))
    server.settings.set(f"app/{changed}", "new")
    before = len(server.requests)
    items, renewed, told = read(adapter.list(place("app/"), token))
    assert told == len(server.requests) - before == calls
    assert len(items) == 250 + (changed == "k9999")
    assert items[f"|app/{changed}"].value == b"new"
    assert adapter.list(place("app/"), renewed).unchanged


@pytest.mark.parametrize("gone", ["k0000", "k0099", "k0100", "k0249"])
def test_a_delete_on_any_page_is_noticed(
    server: AzureAppConfigServer, adapter: AppConfigAdapter, gone: str
) -> None:
    fill(server, 250)
    _, token, _ = read(adapter.list(place("app/"), None))
    server.settings.delete(f"app/{gone}")
    listing = adapter.list(place("app/"), token)
    assert not listing.unchanged
    assert len(read(listing)[0]) == 249


def test_a_hundred_settings_cost_a_page_more_and_that_page_counts(
    server: AzureAppConfigServer, adapter: AppConfigAdapter
) -> None:
    fill(server, 100)
    items, token, calls = read(adapter.list(place("app/"), None))
    assert (len(items), calls) == (100, 2)
    assert adapter.list(place("app/"), token).calls == 2


def test_a_thousand_unchanged_pages_are_no_recursion() -> None:
    with AzureAppConfigServer(page=1) as server:
        adapter = adapter_of(server)
        fill(server, 1050)
        _, token, calls = read(adapter.list(place("app/"), None))
        listing = adapter.list(place("app/"), token)
        assert listing.unchanged and listing.calls == calls == 1051
        adapter.close()


def test_a_304_that_does_not_name_the_next_page_proves_nothing(
    server: AzureAppConfigServer, adapter: AppConfigAdapter
) -> None:
    fill(server, 250)
    _, token, _ = read(adapter.list(place("app/"), None))
    server.settings.set("app/k0249", "new")
    server.faults.fail_next(304)
    listing = adapter.list(place("app/"), token)
    assert not listing.unchanged
    items, _, calls = read(listing)
    assert (items["|app/k0249"].value, calls) == (b"new", 4)


@pytest.mark.parametrize("token", ["", "{}", "[2]", "[1]", '[1,"",7]', '[1,"","a b"]', "nonsense"])
def test_a_token_of_another_kind_is_no_proof_of_anything(
    server: AzureAppConfigServer, adapter: AppConfigAdapter, token: str
) -> None:
    fill(server, 1)
    listing = adapter.list(place("app/"), token)
    assert not listing.unchanged and len(read(listing)[0]) == 1


ELSEWHERE = ["https://elsewhere.example/kv?after=x", "//elsewhere.example/kv?after=x", "/locks/x?a"]


@pytest.mark.parametrize("link", ELSEWHERE)
def test_the_credential_follows_no_page_to_another_host(
    server: AzureAppConfigServer, adapter: AppConfigAdapter, link: str
) -> None:
    server.faults.fail_next(200, body=json.dumps({"items": [], "@nextLink": link}))
    with pytest.raises(Unavailable, match="elsewhere"):
        read(adapter.list(place("app/"), None))
    assert len(server.requests) == 1


def test_pages_that_go_round_in_circles_end(server: AzureAppConfigServer, adapter: AppConfigAdapter) -> None:
    body = json.dumps({"items": [], "@nextLink": "/kv?key=app%2F%2A&after=1"})
    server.faults.fail_next(200, body=body, times=10)
    with pytest.raises(Unavailable, match="no end"):
        read(adapter.list(place("app/"), None))


SETTING = {"key": "app/a", "label": "dev", "value": "1", "etag": "e", "tags": {}, "locked": False}


@pytest.mark.parametrize(
    "body",
    ["<html>Log in</html>", "{}", "[]", '{"items": 7}', '{"items": [7]}', json.dumps({"items": [SETTING]})],
)
def test_an_answer_that_is_no_page_of_the_place_is_no_empty_listing(
    server: AzureAppConfigServer, adapter: AppConfigAdapter, body: str
) -> None:
    server.faults.fail_next(200, body=body)
    with pytest.raises(Unavailable):
        read(adapter.list(place("prod|app/"), None))


# -- reads by name, and their cost


def test_point_reads_go_five_a_call_and_the_absence_of_what_must_be_escaped_is_asked_for_twice(
    server: AzureAppConfigServer, adapter: AppConfigAdapter
) -> None:
    fill(server, 12)
    wanted = [f"|app/k{number:04}" for number in range(12)]
    _, _, calls = read(adapter.get(wanted))
    assert calls == len(server.requests) == 3
    for missing, calls in (("|app/missing", 1), ("|app/missing*", 2), ("a,b|app/missing", 2)):
        before = len(server.requests)
        pages = list(adapter.get([wanted[0], missing]).pages)
        assert [page.absent for page in pages] == [(missing,), ()]
        assert sum(page.calls for page in pages) == len(server.requests) - before == calls


def test_long_keys_go_in_requests_of_a_bearable_length(
    server: AzureAppConfigServer, adapter: AppConfigAdapter
) -> None:
    keys = [f"{number}" + "é" * 250 for number in range(5)]
    for key in keys:
        server.settings.set(key, "1")
    items, _, calls = read(adapter.get([f"|{key}" for key in keys]))
    assert len(items) == 5 and calls == len(server.requests)
    assert max(len(request.target) for request in server.requests) < 4500


@pytest.mark.parametrize("id", ["no-bar", "|", "|.", "|..", "|" + "x" * 257, "%zz|a"])
def test_what_is_no_name_of_a_setting_is_absent_and_refused_without_a_call(
    server: AzureAppConfigServer, adapter: AppConfigAdapter, id: str
) -> None:
    (page,) = adapter.get([id]).pages
    assert page.absent == (id,) and page.calls == 0
    assert write(adapter, Put(id, b"1", None)).verdict is REFUSED
    assert server.requests == []


def test_each_write_costs_what_the_features_say(
    server: AzureAppConfigServer, adapter: AppConfigAdapter
) -> None:
    prices = adapter.features.prices
    write(adapter, Put("|a", b"1", None))
    assert len(server.requests) == prices.create.of(1)
    item = one(adapter, "|a")
    assert len(server.requests) == prices.create.of(1) + prices.get.of(1)
    before = len(server.requests)
    updated = write(adapter, Put("|a", b"2", item.revision, attributes=item.attributes))
    assert len(server.requests) - before == prices.update.of(1)
    write(adapter, Delete("|a", str(updated.revision)))
    assert len(server.requests) - before == prices.update.of(1) + prices.delete.of(1)


# -- consistency and history


def test_a_client_sees_its_own_writes_in_a_store_that_lags(
    server: AzureAppConfigServer, adapter: AppConfigAdapter
) -> None:
    server.settings.set("a", "old")
    server.settings.lag()
    assert update(adapter, "|a", b"new").verdict is APPLIED
    assert one(adapter, "|a").value == b"new"
    assert read(adapter.list(place("|"), None))[0]["|a"].value == b"new"


def test_another_process_that_has_the_token_sees_what_was_seen(
    server: AzureAppConfigServer, adapter: AppConfigAdapter
) -> None:
    server.settings.set("a", "old")
    server.settings.lag()
    update(adapter, "|a", b"new")
    _, token, _ = read(adapter.list(place("|"), None))
    other = adapter_of(server)
    assert one(other, "|a").value == b"old"  # which is why reads are declared not to be current
    assert not other.features.current_reads and not other.features.current_listing
    assert other.list(place("|"), token).unchanged
    assert one(other, "|a").value == b"new"
    other.close()


def test_revisions_are_the_history_and_one_that_is_forgotten_proves_nothing(
    server: AzureAppConfigServer, adapter: AppConfigAdapter
) -> None:
    first = server.settings.set("a", "1")
    for number in range(2, 205):
        server.settings.set("a", str(number))
    server.settings.set("a", "other", "prod")
    items, _, calls = read(adapter.history("|a", first.etag))
    assert calls == 3
    pages = list(adapter.history("|a", first.etag).pages)
    assert [item.value for item in pages[0].items] == [b"%d" % n for n in range(2, 205)]
    assert set(items) == {"|a"}
    server.settings.forget_revisions()
    (page,) = adapter.history("|a", first.etag).pages
    assert page.proof is None


# -- the sentinel


def test_the_sentinel_moves_once_after_a_run_and_is_no_item(server: AzureAppConfigServer) -> None:
    adapter = adapter_of(server, sentinel="sentinel")
    for label in ("prod", "dev"):
        server.settings.set("app/a", "1", label)
    adapter.finished(place("prod|app/"), "run 1")
    created = server.settings.get("app/sentinel", "prod")
    assert created is not None and created.value == "run 1"
    before = len(server.requests)
    server.settings.set("app/sentinel", "by hand", "prod", tags={"owner": "web"}, content_type="text/plain")
    adapter.finished(place("prod|app/"), "run 2")
    moved = server.settings.get("app/sentinel", "prod")
    assert moved is not None and (moved.value, dict(moved.tags)) == ("run 2", {"owner": "web"})
    assert moved.content_type == "text/plain"
    assert len(server.requests) - before == 2
    assert ids(adapter, "prod|app/") == ["prod|app/a"]
    assert server.settings.get("app/sentinel", "dev") is None
    adapter.close()


def test_no_key_can_be_taken_for_the_sentinel(server: AzureAppConfigServer) -> None:
    adapter = adapter_of(server, sentinel="sentinel")
    outcome = write(adapter, Put("prod|app/sentinel", b"1", None))
    assert outcome.verdict is REFUSED and "sentinel" in outcome.reason
    assert write(adapter, Put("prod|app/mysentinel", b"1", None)).verdict is APPLIED
    adapter.close()


def test_a_locked_sentinel_is_an_error_and_one_that_others_move_is_not(
    server: AzureAppConfigServer,
) -> None:
    adapter = adapter_of(server, sentinel="sentinel")
    server.settings.set("app/sentinel", "1", locked=True)
    with pytest.raises(Rejected, match="locked"):
        adapter.finished(place("app/"), "run 1")
    server.settings.set("app/sentinel", "1")
    server.faults.fail_next(412, when=lambda request: request.method == "PUT")
    adapter.finished(place("app/"), "run 1")
    adapter.close()


def test_without_a_sentinel_the_end_of_a_run_costs_nothing(
    server: AzureAppConfigServer, adapter: AppConfigAdapter
) -> None:
    adapter.finished(place("app/"), "run 1")
    assert server.requests == []


# -- Key Vault references


def test_a_vaults_secret_is_pointed_at_in_the_services_own_way(
    server: AzureAppConfigServer, adapter: AppConfigAdapter
) -> None:
    assert isinstance(adapter, Refers)
    for address in (URI, f"{URI}/0123abcd", "https://127.0.0.1:8443/secrets/a"):
        pointer = adapter.pointer(address)
        assert pointer is not None
        assert json.loads(pointer.value) == {"uri": address}
        assert dict(pointer.attributes) == {"content-type": REFERENCE_TYPE}
    assert pointer is not None
    write(adapter, Put("|a", pointer.value, None, attributes=pointer.attributes))
    assert adapter.pointed(one(adapter, "|a")) == "https://127.0.0.1:8443/secrets/a"


@pytest.mark.parametrize(
    "address",
    ["arn:aws:secretsmanager:eu-west-1:1:secret:x", "https://acme.vault.azure.net/keys/x", "http" + URI[5:]],
)
def test_what_is_no_secret_of_a_vault_cannot_be_pointed_at(adapter: AppConfigAdapter, address: str) -> None:
    assert adapter.pointer(address) is None


@pytest.mark.parametrize(
    ("content_type", "value", "address"),
    [
        (REFERENCE_TYPE, f'{{"uri":"{URI}"}}', URI),
        (
            "application/vnd.microsoft.appconfig.keyvaultref+json; charset=utf-8",
            f'{{ "uri": "{URI}", "x": 1 }}',
            URI,
        ),
        ("Application/Vnd.Microsoft.AppConfig.KeyVaultRef+JSON", f'{{"uri":"{URI}"}}', URI),
        ("application/json", f'{{"uri":"{URI}"}}', None),
        (REFERENCE_TYPE, "not json", None),
        (REFERENCE_TYPE, '{"uri": null}', None),
        (REFERENCE_TYPE, "[]", None),
        (None, "x", None),
    ],
)
def test_a_reference_is_known_by_its_media_type_however_it_is_spelled(
    server: AzureAppConfigServer,
    adapter: AppConfigAdapter,
    content_type: str | None,
    value: str,
    address: str | None,
) -> None:
    server.settings.set("a", value, content_type=content_type)
    assert adapter.pointed(one(adapter, "|a")) == address
    assert one(adapter, "|a").value == value.encode()


def test_a_plain_value_never_takes_the_place_of_a_reference_under_its_content_type(
    server: AzureAppConfigServer, adapter: AppConfigAdapter
) -> None:
    server.settings.set("a", f'{{"uri":"{URI}"}}', content_type=REFERENCE_TYPE)
    outcome = update(adapter, "|a", b"plain")
    assert outcome.verdict is REFUSED and "Key Vault reference" in outcome.reason
    item = one(adapter, "|a")
    assert write(adapter, Put("|a", b"plain", item.revision)).verdict is APPLIED
    assert one(adapter, "|a").value == b"plain"
