"""What somebody who keeps a document in AppConfig would miss."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from ecs_sync.adapter import Delete, Put, Verdict
from ecs_sync.errors import AdapterError, Rejected
from ecs_sync.mapping import Mapping
from ecs_sync.model import Entry, Key, Scope, Value
from ecs_sync.testing.subject import pages_of
from ecs_sync_adapters.aws_appconfig import AppConfigAdapter, AppConfigOptions, AppConfigPlace
from ecs_sync_mappings.document import DocumentMapping, DocumentOptions
from ecs_sync_sandbox.aws_appconfig import AppConfigServer, on
from tests.adapters.aws_appconfig_sandbox import (
    ID,
    PLACE,
    Hand,
    adapter_of,
    items,
    listed,
    one,
    update,
    write,
)

APPLIED, REFUSED, RACED = Verdict.APPLIED, Verdict.REFUSED, Verdict.RACED
DOCUMENTATION = Path(__file__).parents[2] / "docs/providers/aws-appconfig.md"
SLOW = {"strategy": "slow"}


@pytest.fixture
def server() -> Iterator[AppConfigServer]:
    with AppConfigServer() as running:
        yield running


@pytest.fixture
def hand(server: AppConfigServer) -> Hand:
    made = Hand(server.client())
    made.strategy("slow", FinalBakeTimeInMinutes=5)
    return made


@pytest.fixture
def adapter(server: AppConfigServer) -> Iterator[AppConfigAdapter]:
    made = adapter_of(server)
    yield made
    made.close()


# -- places


@pytest.mark.parametrize(
    "text", ["", "acme", "acme/prod", "/acme/prod/x", "acme//x", "a/b/c/d", "a/b/c/", "a/b/\n"]
)
def test_a_place_that_is_none_is_refused_with_the_right_spelling(text: str) -> None:
    with pytest.raises(ValueError, match="application/environment/profile"):
        AppConfigPlace.parse(text)


def test_an_environment_overlaps_its_profiles_and_no_others() -> None:
    whole, one, other = (AppConfigPlace(text) for text in ("acme/prod/", "acme/prod/x", "acme/prod2/x"))
    assert whole.overlaps(one) and one.overlaps(whole) and one.overlaps(one)
    assert not whole.overlaps(other) and not other.overlaps(one)


def test_a_place_takes_ids_where_names_are_awkward(hand: Hand, adapter: AppConfigAdapter) -> None:
    made = hand.client.create_configuration_profile(
        ApplicationId=hand.application("acme"), Name="team/settings", LocationUri="hosted"
    )
    id = f"acme/prod/{made['Id']}"
    assert write(adapter, Put(id, b"{}", None)).verdict is APPLIED
    assert [item.id for item in listed(adapter, AppConfigPlace(id))] == [id]
    assert [item.id for item in listed(adapter, AppConfigPlace("acme/prod/"))] == [id]
    assert one(adapter, id).value == b"{}"


@pytest.mark.parametrize("path", ["nobody/prod/settings", "acme/nowhere/settings"])
def test_a_place_that_does_not_exist_is_said_and_not_taken_for_empty(
    adapter: AppConfigAdapter, path: str
) -> None:
    with pytest.raises(Rejected, match=r"nobody|nowhere"):
        adapter.list(AppConfigPlace(path), None)


def test_a_missing_profile_is_an_error_unless_it_may_be_made(server: AppConfigServer, hand: Hand) -> None:
    careful = adapter_of(server, missing_profile="refuse")
    with pytest.raises(Rejected, match="missing_profile: create"):
        careful.list(PLACE, None)
    assert write(careful, Put(ID, b"{}", None)).verdict is REFUSED
    assert "settings" in (one(careful).unreadable or "")
    assert write(adapter_of(server), Put(ID, b"{}", None)).verdict is APPLIED
    assert one(careful).value == b"{}"


def test_a_name_that_two_profiles_bear_asks_for_the_id(hand: Hand, adapter: AppConfigAdapter) -> None:
    application = hand.application("acme")
    ids = [
        hand.client.create_configuration_profile(
            ApplicationId=application, Name="settings", LocationUri="hosted"
        )["Id"]
        for _ in range(2)
    ]
    with pytest.raises(Rejected, match=" or ".join(ids)):
        adapter.list(PLACE, None)
    hand.set("acme/prod/other", b"{}")
    double, other = items(adapter.get([ID, "acme/prod/other"]))
    assert ids[0] in (double.unreadable or "") and other.value == b"{}"
    assert write(adapter, Put(f"acme/prod/{ids[1]}", b"{}", None)).verdict is APPLIED
    shown = [item.id for item in listed(adapter, AppConfigPlace("acme/prod/"))]
    assert sorted(shown) == sorted(["acme/prod/other", f"acme/prod/{ids[1]}"])


def test_a_profile_that_is_kept_elsewhere_is_left_to_its_own_adapter(
    hand: Hand, adapter: AppConfigAdapter
) -> None:
    hand.profile(
        "acme",
        "settings",
        LocationUri="ssm-parameter://acme-settings",
        RetrievalRoleArn="arn:aws:iam::1:role/r",
    )
    with pytest.raises(Rejected, match="kept in ssm-parameter"):
        adapter.list(PLACE, None)
    assert listed(adapter, AppConfigPlace("acme/prod/")) == []
    assert "ssm-parameter" in (one(adapter).unreadable or "")


def test_options_that_contradict_are_all_named_at_once(server: AppConfigServer) -> None:
    with pytest.raises(ValueError) as caught:
        adapter_of(server, region="here", endpoint="nowhere", max_bytes=0, strategy="", content_type="json")
    for word in ("region", "endpoint", "max_bytes", "strategy", "content_type"):
        assert word in str(caught.value)


# -- validators, sizes


SCHEMA = {
    "type": "object",
    "required": ["port"],
    "properties": {"port": {"type": "integer", "minimum": 1024}},
}


def test_a_validator_that_fails_refuses_with_the_constraint_and_never_quotes_the_document(
    server: AppConfigServer, hand: Hand, adapter: AppConfigAdapter
) -> None:
    validators = [{"Type": "JSON_SCHEMA", "Content": json.dumps(SCHEMA)}]
    hand.profile("acme", "settings", Validators=validators)
    outcome = write(adapter, Put(ID, b'{"port": 77}', None))
    assert outcome.verdict is REFUSED
    assert "minimum at $.port" in outcome.reason and "77" not in outcome.reason
    assert hand.versions(ID) == []
    assert write(adapter, Put(ID, b'{"port": 7777}', None)).verdict is APPLIED


def test_a_validator_that_fails_at_the_deployment_leaves_one_version_however_often_it_is_tried(
    server: AppConfigServer, hand: Hand, adapter: AppConfigAdapter
) -> None:
    hand.set(ID, b"{}")
    details = [{"Constraint": "lambda", "Location": "", "Reason": "hush77 is no", "Value": "hush77"}]
    body = json.dumps({"Message": "hush77", "Details": {"InvalidConfiguration": details}})
    headers = {"x-amzn-ErrorType": "BadRequestException"}
    for _ in range(3):
        server.http.fail_next(400, headers, body, when=on("StartDeployment"))
        outcome = update(adapter, b'{"a": 1}')
        assert outcome.verdict is REFUSED
        assert "version 2 is made and not deployed" in outcome.reason
        assert "lambda at its root" in outcome.reason and "hush77" not in outcome.reason
    assert hand.versions(ID) == [1, 2]


def test_a_document_over_the_quota_is_refused_by_appconfig_in_words(hand: Hand) -> None:
    with AppConfigServer(max_bytes=1000) as small:
        outcome = write(adapter_of(small), Put(ID, b"x" * 1001, None))
        assert outcome.verdict is REFUSED and "raise its quota" in outcome.reason


def test_a_used_up_quota_of_versions_is_refused_and_not_tried_again(
    server: AppConfigServer, adapter: AppConfigAdapter
) -> None:
    fault = {"x-amzn-ErrorType": "ServiceQuotaExceededException"}
    server.http.fail_next(402, fault, b"{}", when=on("CreateHostedConfigurationVersion"))
    outcome = write(adapter, Put(ID, b"{}", None))
    assert outcome.verdict is REFUSED and "delete versions" in outcome.reason


# -- deletes


@pytest.mark.parametrize(
    ("content_type", "left"),
    [("application/json", b"{}"), ("application/x-yaml; charset=utf-8", b"{}"), ("text/plain", b"\n")],
)
def test_a_delete_deploys_a_document_that_says_nothing(
    server: AppConfigServer, hand: Hand, content_type: str, left: bytes
) -> None:
    adapter = adapter_of(server, content_type=content_type)
    write(adapter, Put(ID, b"a: 1", None))
    outcome = write(adapter, Delete(ID, one(adapter).revision or ""))
    assert (outcome.verdict, outcome.revision) == (APPLIED, None)
    found = hand.client.get_hosted_configuration_version(**hand.profile("acme", "settings"), VersionNumber=2)
    assert found["Content"].read() == left and found["ContentType"] == content_type
    assert listed(adapter) == []
    assert write(adapter, Put(ID, b"again", None)).revision == "3@3"


def test_an_empty_document_of_somebody_else_is_an_item_and_no_absence(
    hand: Hand, adapter: AppConfigAdapter
) -> None:
    hand.set(ID, b"{}")
    assert one(adapter).value == b"{}"
    assert write(adapter, Put(ID, b"{}", None)).verdict is RACED


def test_a_delete_can_be_refused_by_configuration(server: AppConfigServer, hand: Hand) -> None:
    hand.set(ID, b'{"a": 1}')
    keeping = adapter_of(server, on_delete="refuse")
    outcome = write(keeping, Delete(ID, one(keeping).revision or ""))
    assert outcome.verdict is REFUSED and "on_delete: refuse" in outcome.reason
    assert one(keeping).value == b'{"a": 1}' and hand.versions(ID) == [1]


# -- feature flags


FLAGS = {
    "version": "1",
    "flags": {"beta": {"name": "Beta", "description": 'says "_createdAt": "never", twice'}},
    "values": {"beta": {"enabled": True}},
}


def test_flags_survive_and_the_times_that_appconfig_adds_are_not_ours(
    hand: Hand, adapter: AppConfigAdapter
) -> None:
    hand.profile("acme", "settings", Type="AWS.AppConfig.FeatureFlags")
    write(adapter, Put(ID, json.dumps(FLAGS).encode(), None))
    kept = hand.get(ID) or b""
    assert b'"_updatedAt": "' in kept
    item = one(adapter)
    assert json.loads(item.value or b"") == FLAGS
    assert dict(item.attributes)["profile-type"] == "AWS.AppConfig.FeatureFlags"
    hand.version(ID, json.dumps({**FLAGS, "values": {"beta": {"enabled": False}}}).encode())
    changed = {**FLAGS, "values": {"beta": {"enabled": False}}}
    assert update(adapter, json.dumps(changed, indent=1).encode()).revision == "2@2"
    write(adapter, Delete(ID, one(adapter).revision or ""))
    assert listed(adapter) == []
    assert json.loads(
        hand.client.get_hosted_configuration_version(**hand.profile("acme", "settings"), VersionNumber=3)[
            "Content"
        ].read()
    ) == {"version": "1", "flags": {}, "values": {}}


def test_what_is_no_flag_document_is_refused(hand: Hand, adapter: AppConfigAdapter) -> None:
    hand.profile("acme", "settings", Type="AWS.AppConfig.FeatureFlags")
    assert write(adapter, Put(ID, b'{"beta": {"enabled": true}}', None)).verdict is REFUSED


# -- with the mapping of documents


def mapping_of(place: AppConfigPlace) -> Mapping:
    return DocumentMapping(DocumentOptions(format="json"), place, Scope())


def test_a_document_keeps_what_is_not_ours_through_the_mapping(hand: Hand, adapter: AppConfigAdapter) -> None:
    hand.set(ID, b'{\n  "theirs": [1.50, null],\n  "ours": 1\n}\n')
    mapping = mapping_of(PLACE)
    item = one(adapter)
    entries = [entry for entry in mapping.read(item) if isinstance(entry, Entry)]
    kept = [entry for entry in entries if entry.key != Key("ours")]
    edited = mapping.write(ID, [*kept, Entry(Key("ours"), Value.integer(2))], item)
    assert edited is not None and edited.value is not None
    outcome = write(adapter, Put(ID, edited.value, item.revision, attributes=edited.attributes))
    assert outcome.verdict is APPLIED
    assert one(adapter).value == b'{\n  "theirs": [1.50, null],\n  "ours": 2\n}\n'


def test_a_document_without_keys_left_is_a_delete(hand: Hand, adapter: AppConfigAdapter) -> None:
    mapping = mapping_of(PLACE)
    assert mapping.locate(Key("a")) == ID
    write(adapter, Put(ID, b'{"a": 1}', None))
    assert mapping.write(ID, [], one(adapter)) is None


# -- calls


def test_every_call_is_counted_and_the_prices_hold(server: AppConfigServer, hand: Hand) -> None:
    hand.profile("acme", "settings")
    adapter = adapter_of(server, strategy="AppConfig.AllAtOnce", missing_profile="refuse")
    prices = adapter.features.prices
    log = server.http.requests

    def spent(listing: object = None) -> int:
        count = len(log)
        log.clear()
        return count

    spent()
    for expected in (4, 2):
        listing = adapter.list(PLACE, None)
        pages = list(pages_of(listing))
        assert listing.calls + sum(page.calls for page in pages) == spent() == expected
    made = write(adapter, Put(ID, b"{}", None))
    assert spent() == prices.create.of(1) == 4
    server.advance(20)
    listing = adapter.get([ID])
    pages = list(pages_of(listing))
    assert listing.calls + sum(page.calls for page in pages) == spent() == prices.get.of(1) == 2
    item = pages[0].items[0]
    listing = adapter.list(PLACE, None)
    pages = list(pages_of(listing))
    assert listing.calls + sum(page.calls for page in pages) == spent() == 3
    assert pages[-1].proof is not None
    unchanged = adapter.list(PLACE, pages[-1].proof.token)
    assert unchanged.unchanged and unchanged.calls == spent() == 2
    # The next process looks the names up again: they may have been given to others.
    unchanged = adapter_of(server).list(PLACE, pages[-1].proof.token)
    assert unchanged.unchanged and unchanged.calls == spent() == 4
    made = write(adapter, Put(ID, b'{"a": 1}', made.revision, attributes=item.attributes))
    assert spent() == prices.update.of(1) == 3
    server.advance(20)
    write(adapter, Delete(ID, made.revision or ""))
    assert spent() == prices.delete.of(1) == 4
    server.advance(20)
    write(adapter, Put(ID, b'{"a": 1}', None))
    assert spent() == prices.create.of(1) == 4


def test_more_than_one_write_at_once_is_refused(adapter: AppConfigAdapter) -> None:
    with pytest.raises(AdapterError, match="one write at once"):
        adapter.write([Put(ID, b"1", None), Put("acme/prod/b", b"1", None)])


# -- the documentation


def test_the_example_in_the_documentation_prints_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    text = DOCUMENTATION.read_text(encoding="utf-8")
    code = text.partition("```python\n")[2].partition("```")[0]
    exec(code, {})
    assert code.rstrip().rpartition("# ")[2] == capsys.readouterr().out.strip()


def test_the_documentation_names_every_option_and_grants_what_is_called(
    server: AppConfigServer, adapter: AppConfigAdapter
) -> None:
    text = DOCUMENTATION.read_text(encoding="utf-8")
    assert [each.name for each in fields(AppConfigOptions) if f"`{each.name}`" not in text] == []
    statements = json.loads(text.partition("```json\n")[2].partition("```")[0])["Statement"]
    actions = [each["Action"] for each in statements]
    granted = {name for each in actions for name in ([each] if isinstance(each, str) else each)}
    write(adapter, Put(ID, b"1", None))
    update(adapter, b"2")
    listed(adapter)
    items(adapter.history(ID, None))
    write(adapter, Delete(ID, one(adapter).revision or ""))
    assert {f"appconfig:{operation}" for operation in server.operations()} == granted
