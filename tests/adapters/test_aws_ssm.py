"""Parameter Store as the engine meets it, against the sandbox."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_sync.abilities import KeepsHistory
from ecs_sync.adapter import Delete, Put, Verdict, attributes
from ecs_sync.errors import Rejected
from ecs_sync_adapters.aws_ssm import SsmAdapter, SsmOptions, SsmPlace
from ecs_sync_sandbox.aws import AwsServer
from tests.adapters.ssm_sandbox import ROOT, absent, adapter_of, items, listed, one, outside

DOCUMENTATION = Path(__file__).parents[2] / "docs/providers/aws-ssm.md"


@pytest.fixture
def aws() -> Iterator[AwsServer]:
    with AwsServer() as server:
        yield server


@pytest.fixture
def ssm(aws: AwsServer) -> Iterator[SsmAdapter]:
    adapter = adapter_of(aws)
    yield adapter
    adapter.close()


def test_what_is_written_is_listed_and_read_with_the_revision_the_write_returned(ssm: SsmAdapter) -> None:
    [outcome] = ssm.write([Put("/acme/prod/mode", b"on", None)])
    item = listed(ssm)["/acme/prod/mode"]
    read = one(ssm, "/acme/prod/mode")
    assert outcome.verdict is Verdict.APPLIED and outcome.replaced is None
    assert (item.value, read.value) == (None, b"on")
    assert item.revision == read.revision == outcome.revision == "1"
    assert item.changed == read.changed and item.changed is not None


def test_an_update_tells_what_it_replaced(ssm: SsmAdapter) -> None:
    ssm.write([Put("/acme/prod/mode", b"on", None)])
    [update] = ssm.write([Put("/acme/prod/mode", b"off", "1")])
    assert (update.verdict, update.revision, update.replaced) == (Verdict.APPLIED, "2", "1")
    assert one(ssm, "/acme/prod/mode").value == b"off"


@pytest.mark.parametrize("value", [" ", "\n", " a\n", "a\r\nb", "é✓🂡", "\x00", "0", "}}", "{a}", "x" * 4096])
def test_a_text_comes_back_as_it_was_written(ssm: SsmAdapter, value: str) -> None:
    ssm.write([Put("/acme/prod/t", value.encode(), None), Put("/acme/prod/s", value.encode(), None, True)])
    assert [item.value for item in items(ssm.get(["/acme/prod/t", "/acme/prod/s"]))] == [value.encode()] * 2


def test_a_creation_does_not_overwrite_what_somebody_made_meanwhile(aws: AwsServer, ssm: SsmAdapter) -> None:
    outside(aws, "/acme/prod/mode", "theirs")
    [outcome] = ssm.write([Put("/acme/prod/mode", b"ours", None)])
    assert outcome.verdict is Verdict.RACED
    assert one(ssm, "/acme/prod/mode").value == b"theirs"


def test_an_update_of_what_has_moved_since_is_not_sent(aws: AwsServer, ssm: SsmAdapter) -> None:
    outside(aws, "/acme/prod/mode")
    outside(aws, "/acme/prod/mode", "theirs", Overwrite=True)
    [outcome] = ssm.write([Put("/acme/prod/mode", b"ours", "1")])
    assert outcome.verdict is Verdict.RACED and "version 2" in outcome.reason
    assert aws.count("PutParameter") == 2


def test_a_value_that_came_in_between_is_seen_as_a_gap_and_found_in_the_history(
    aws: AwsServer, ssm: SsmAdapter
) -> None:
    outside(aws, "/acme/prod/mode")
    aws.before_next("PutParameter", lambda: outside(aws, "/acme/prod/mode", "theirs", Overwrite=True))
    [outcome] = ssm.write([Put("/acme/prod/mode", b"ours", "1")])
    assert (outcome.verdict, outcome.revision, outcome.replaced) == (Verdict.APPLIED, "3", "2")
    between = items(ssm.history("/acme/prod/mode", "1"))
    assert [(item.revision, item.value) for item in between] == [("2", b"theirs"), ("3", b"ours")]


def test_an_update_does_not_bring_back_what_somebody_deleted(aws: AwsServer, ssm: SsmAdapter) -> None:
    outside(aws, "/acme/prod/mode")
    told = listed(ssm)["/acme/prod/mode"].attributes
    aws.before_next("PutParameter", lambda: aws.client().delete_parameter(Name="/acme/prod/mode"))
    [late] = ssm.write([Put("/acme/prod/mode", b"ours", "1", attributes=told)])
    [later] = ssm.write([Put("/acme/prod/mode", b"ours", "1")])
    assert {late.verdict, later.verdict} == {Verdict.RACED}
    assert absent(ssm.get(["/acme/prod/mode"])) == ["/acme/prod/mode"]


def test_a_secret_under_a_key_that_was_deleted_meanwhile_replaces_nothing(
    aws: AwsServer, ssm: SsmAdapter
) -> None:
    outside(aws, "/acme/prod/key", Type="SecureString", KeyId="alias/acme")
    aws.before_next("PutParameter", lambda: aws.client().delete_parameter(Name="/acme/prod/key"))
    [outcome] = ssm.write([Put("/acme/prod/key", b"ours", "1", secret=True)])
    assert (outcome.verdict, outcome.revision, outcome.replaced) == (Verdict.APPLIED, "1", None)


def test_a_delete_of_what_is_gone_has_lost_a_race_and_stops_no_other(ssm: SsmAdapter) -> None:
    ssm.write([Put("/acme/prod/a", b"1", None)])
    outcomes = ssm.write([Delete("/acme/prod/a", "1"), Delete("/acme/prod/b", "1")])
    assert [outcome.verdict for outcome in outcomes] == [Verdict.APPLIED, Verdict.RACED]
    assert absent(ssm.get(["/acme/prod/a"])) == ["/acme/prod/a"]


def test_only_what_lies_under_the_path_is_listed(aws: AwsServer, ssm: SsmAdapter) -> None:
    for name in (
        "/acme/prod",
        "/acme/prod/a",
        "/acme/prod/a/b",
        "/acme/production/c",
        "/Acme/prod/d",
        "plain",
    ):
        outside(aws, name)
    assert sorted(listed(ssm)) == ["/acme/prod/a", "/acme/prod/a/b"]
    assert items(ssm.list(SsmPlace("/nobody/"), None)) == []


@pytest.mark.parametrize("count", [0, 1, 50, 51, 120])
def test_a_listing_costs_one_call_for_fifty_parameters(aws: AwsServer, ssm: SsmAdapter, count: int) -> None:
    for n in range(count):
        outside(aws, f"/acme/prod/{n:03}")
    assert len(listed(ssm)) == count
    assert aws.count("DescribeParameters") == max(1, -(-count // 50))


def test_reads_and_deletes_cost_one_call_for_ten_and_puts_one_each(aws: AwsServer, ssm: SsmAdapter) -> None:
    names = [f"/acme/prod/{n:02}" for n in range(20)]
    for start in (0, 10):
        ssm.write([Put(name, b"1", None) for name in names[start : start + 10]])
    assert aws.count("PutParameter") == 20
    told = listed(ssm)
    assert len(items(ssm.get(names))) == 20 and aws.count("GetParameters") == 2
    before = len(aws.requests)
    ssm.write([Put(name, b"2", "1", attributes=told[name].attributes) for name in names[:10]])
    assert [request.operation for request in aws.requests[before:]] == ["PutParameter"] * 10
    for start in (0, 10):
        ssm.write([Delete(name, "1") for name in names[start : start + 10]])
    assert aws.count("DeleteParameters") == 2


def test_updates_without_their_listing_cost_one_call_more_for_all_of_them(
    aws: AwsServer, ssm: SsmAdapter
) -> None:
    names = [f"/acme/prod/{n}" for n in range(10)]
    ssm.write([Put(name, b"1", None) for name in names])
    before = len(aws.requests)
    outcomes = ssm.write([Put(name, b"2", "1") for name in names])
    assert {outcome.verdict for outcome in outcomes} == {Verdict.APPLIED}
    operations = [request.operation for request in aws.requests[before:]]
    assert operations == ["DescribeParameters"] + ["PutParameter"] * 10


def test_outcomes_come_in_the_order_of_the_writes(ssm: SsmAdapter) -> None:
    ssm.write([Put("/acme/prod/a", b"1", None), Put("/acme/prod/b", b"1", None)])
    writes = [
        Delete("/acme/prod/a", "1"),
        Put("/acme/prod/c", b"1", None),
        Delete("/acme/prod/none", "1"),
        Put("/acme/prod/b", b"2", "1"),
        Put("/acme/prod/bad", b"\xff", None),
    ]
    outcomes = ssm.write(writes)
    assert [outcome.id for outcome in outcomes] == [write.id for write in writes]
    applied, raced, refused = Verdict.APPLIED, Verdict.RACED, Verdict.REFUSED
    assert [outcome.verdict for outcome in outcomes] == [applied, applied, raced, applied, refused]


def test_more_writes_than_one_call_takes_are_an_error(ssm: SsmAdapter) -> None:
    with pytest.raises(Rejected, match="10 writes"):
        ssm.write([Delete(f"/acme/prod/{n}", "1") for n in range(11)])


@pytest.mark.parametrize("through", ["listing", "point read"])
def test_what_is_not_ours_survives_an_update(aws: AwsServer, ssm: SsmAdapter, through: str) -> None:
    name = "/acme/prod/hook"
    outside(
        aws,
        name,
        Type="SecureString",
        Tier="Advanced",
        KeyId="alias/acme",
        Description="whom to call",
        AllowedPattern="^o",
        DataType="aws:ec2:image",
        Tags=[{"Key": "team", "Value": "pay"}],
    )
    before = listed(ssm)[name]
    item = before if through == "listing" else one(ssm, name)
    [outcome] = ssm.write([Put(name, b"off", "1", secret=True, attributes=item.attributes)])
    after = listed(ssm)[name]
    assert outcome.replaced == "1" and after.secret
    assert after.attributes == before.attributes
    tags = aws.client().list_tags_for_resource(ResourceType="Parameter", ResourceId=name)["TagList"]
    assert tags == [{"Key": "team", "Value": "pay"}]


@pytest.mark.parametrize("look", ["list", "get"])
def test_a_parameter_that_goes_before_its_tags_are_read_is_absent(aws: AwsServer, look: str) -> None:
    tagged, name = adapter_of(aws, tags=True), "/acme/prod/mode"
    outside(aws, name)
    aws.before_next("ListTagsForResource", lambda: aws.client().delete_parameter(Name=name))
    listing = tagged.list(ROOT, None) if look == "list" else tagged.get([name])
    pages = list(listing.pages)
    assert [item for page in pages for item in page.items] == [] and pages[-1].proof is not None
    assert [id for page in pages for id in page.absent] == ([name] if look == "get" else [])
    assert sum(page.calls for page in pages) == 2


def test_a_new_parameter_gets_the_tags_that_are_not_aws_own(aws: AwsServer, ssm: SsmAdapter) -> None:
    told = attributes({"tag:team": "pay", "tag:aws:cloudformation:stack-name": "acme", "tag:AWS:x": "no"})
    [outcome] = ssm.write([Put("/acme/prod/mode", b"on", None, attributes=told)])
    assert (outcome.verdict, outcome.reason) == (Verdict.APPLIED, "")
    tags = aws.client().list_tags_for_resource(ResourceType="Parameter", ResourceId="/acme/prod/mode")
    assert tags["TagList"] == [{"Key": "team", "Value": "pay"}]


def test_a_list_and_a_plain_text_stay_what_they_are(aws: AwsServer, ssm: SsmAdapter) -> None:
    outside(aws, "/acme/prod/zones", "a,b", Type="StringList")
    ssm.write([Put("/acme/prod/zones", b"a,b,c", "1")])
    assert dict(listed(ssm)["/acme/prod/zones"].attributes)["type"] == "StringList"


def test_a_secret_is_created_as_a_secure_string_under_the_configured_key(aws: AwsServer) -> None:
    ssm = adapter_of(aws, kms_key="alias/acme")
    ssm.write([Put("/acme/prod/key", b"s", None, secret=True), Put("/acme/prod/mode", b"on", None)])
    items_ = listed(ssm)
    assert items_["/acme/prod/key"].secret and not items_["/acme/prod/mode"].secret
    assert dict(items_["/acme/prod/key"].attributes)["key-id"] == "alias/acme"
    assert one(ssm, "/acme/prod/key").value == b"s"


def test_everything_new_is_a_secure_string_where_the_connection_says_so(aws: AwsServer) -> None:
    ssm = adapter_of(aws, secure="all")
    ssm.write([Put("/acme/prod/mode", b"on", None)])
    assert listed(ssm)["/acme/prod/mode"].secret


def test_a_secret_never_goes_into_a_plain_parameter(aws: AwsServer, ssm: SsmAdapter) -> None:
    outside(aws, "/acme/prod/key")
    told = listed(ssm)["/acme/prod/key"].attributes
    outcomes = [
        *ssm.write([Put("/acme/prod/key", b"s", "1", secret=True)]),
        *ssm.write([Put("/acme/prod/key", b"s", "1", secret=True, attributes=told)]),
    ]
    assert [outcome.verdict for outcome in outcomes] == [Verdict.REFUSED] * 2
    assert all("cannot change a parameter's type" in outcome.reason for outcome in outcomes)
    assert one(ssm, "/acme/prod/key").revision == "1"


@pytest.mark.parametrize("value", [b"", b"x" * 4097, b"{{ mode }}", b"\xff\xfe"])
def test_what_ssm_does_not_hold_is_refused_by_itself(ssm: SsmAdapter, value: bytes) -> None:
    outcomes = ssm.write([Put("/acme/prod/bad", value, None), Put("/acme/prod/good", b"1", None)])
    assert [outcome.verdict for outcome in outcomes] == [Verdict.REFUSED, Verdict.APPLIED]
    assert outcomes[0].reason


def test_a_large_value_upgrades_a_parameter_only_where_the_connection_allows_it(aws: AwsServer) -> None:
    outside(aws, "/acme/prod/doc")
    [small] = adapter_of(aws).write([Put("/acme/prod/doc", b"x" * 5000, "1")])
    large = adapter_of(aws, tier="Intelligent-Tiering")
    [taken] = large.write([Put("/acme/prod/doc", b"x" * 5000, "1")])
    assert (small.verdict, taken.verdict) == (Verdict.REFUSED, Verdict.APPLIED)
    assert dict(listed(large)["/acme/prod/doc"].attributes)["tier"] == "Advanced"
    assert (adapter_of(aws).features.values.max_bytes, large.features.values.max_bytes) == (4096, 8192)


def test_a_connection_that_makes_advanced_parameters_leaves_standard_ones_alone(aws: AwsServer) -> None:
    outside(aws, "/acme/prod/old")
    ssm = adapter_of(aws, tier="Advanced")
    ssm.write([Put("/acme/prod/old", b"2", "1"), Put("/acme/prod/new", b"1", None)])
    tiers = {id: dict(item.attributes)["tier"] for id, item in listed(ssm).items()}
    assert tiers == {"/acme/prod/old": "Standard", "/acme/prod/new": "Advanced"}


def test_tags_are_read_only_where_the_connection_says_so(aws: AwsServer, ssm: SsmAdapter) -> None:
    outside(aws, "/acme/prod/mode", Tags=[{"Key": "team", "Value": "pay"}])
    assert "tag:team" not in dict(listed(ssm)["/acme/prod/mode"].attributes)
    assert aws.count("ListTagsForResource") == 0
    tagged = adapter_of(aws, tags=True)
    assert dict(listed(tagged)["/acme/prod/mode"].attributes)["tag:team"] == "pay"
    assert dict(one(tagged, "/acme/prod/mode").attributes)["tag:team"] == "pay"


def test_what_is_no_name_is_absent_and_never_read_as_a_version(aws: AwsServer, ssm: SsmAdapter) -> None:
    outside(aws, "/acme/prod/mode")
    ids = ["/acme/prod/mode:1", " /acme/prod/mode", "/acme/prod/mode/", "/acme//mode", "/acme/prod/none"]
    assert sorted(absent(ssm.get(ids))) == sorted(ids)
    assert items(ssm.get([])) == []


def test_a_history_goes_from_the_oldest_to_the_newest_with_values(aws: AwsServer, ssm: SsmAdapter) -> None:
    assert isinstance(ssm, KeepsHistory)
    outside(aws, "/acme/prod/key", "v1", Type="SecureString")
    for n in range(2, 61):
        outside(aws, "/acme/prod/key", f"v{n}", Overwrite=True)
    everything = items(ssm.history("/acme/prod/key", None))
    assert [item.value for item in everything] == [f"v{n}".encode() for n in range(1, 61)]
    assert all(item.secret for item in everything)
    assert [item.revision for item in items(ssm.history("/acme/prod/key", "58"))] == ["59", "60"]
    assert items(ssm.history("/acme/prod/key", "60")) == []


def test_a_history_that_ssm_has_lost_has_no_proof(aws: AwsServer, ssm: SsmAdapter) -> None:
    outside(aws, "/acme/prod/mode", "v1")
    for n in range(2, 106):
        outside(aws, "/acme/prod/mode", f"v{n}", Overwrite=True)
    [lost] = ssm.history("/acme/prod/mode", "2").pages
    assert lost.proof is None and len(lost.items) == 100
    assert len(items(ssm.history("/acme/prod/mode", "5"))) == 100
    aws.client().delete_parameter(Name="/acme/prod/mode")
    [gone] = ssm.history("/acme/prod/mode", "105").pages
    assert gone.proof is None and gone.absent == ("/acme/prod/mode",)
    outside(aws, "/acme/prod/mode", "anew")
    [anew] = ssm.history("/acme/prod/mode", "105").pages
    assert anew.proof is None


def test_the_same_version_of_another_life_is_told_apart_by_its_time(aws: AwsServer, ssm: SsmAdapter) -> None:
    outside(aws, "/acme/prod/mode")
    first = listed(ssm)["/acme/prod/mode"]
    aws.client().delete_parameter(Name="/acme/prod/mode")
    outside(aws, "/acme/prod/mode")
    second = listed(ssm)["/acme/prod/mode"]
    assert first.revision == second.revision and first.changed != second.changed


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("acme/prod", "'/acme/prod/'"),
        ("/acme/prod", "'/acme/prod/'"),
        ("//acme/prod/", "'/acme/prod/'"),
        ("/acme/p d/", "letters"),
        ("/acme/{tenant}/", "letters"),
        ("/aws/x/", "AWS's own"),
        ("/SSMthing/", "AWS's own"),
        ("/a" * 15 + "/", "15 levels"),
    ],
)
def test_a_place_that_cannot_be_is_refused_with_what_to_write(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        SsmPlace.parse(text)


segments = st.lists(st.sampled_from(["a", "ab", "b", "B", "."]), max_size=4)


@given(segments, segments, segments)
def test_two_places_overlap_where_one_item_can_lie_in_both(
    left: list[str], right: list[str], name: list[str]
) -> None:
    one_, other = (SsmPlace("/".join(("", *parts, ""))) for parts in (left, right))
    assert one_.overlaps(other) == other.overlaps(one_)
    assert SsmPlace.parse(str(one_)) == one_ and one_.overlaps(one_)
    if one_.overlaps(other):
        deeper = max(one_.root, other.root, key=len)
        assert deeper.startswith(one_.root) and deeper.startswith(other.root)
    item = "/" + "/".join((*left, *name, "x"))
    assert not item.startswith(other.root) or one_.overlaps(other)


def test_the_declared_limits_are_those_the_server_enforces(aws: AwsServer, ssm: SsmAdapter) -> None:
    longest = ssm.features.ids.max_bytes or 0
    fits, too_long = ("/acme/prod/".ljust(size, "x") for size in (longest, longest + 1))
    [taken, refused] = ssm.write([Put(fits, b"1", None), Put(too_long, b"1", None)])
    assert (taken.verdict, refused.verdict) == (Verdict.APPLIED, Verdict.REFUSED)


def test_versions_rise_with_every_write(ssm: SsmAdapter) -> None:
    [first] = ssm.write([Put("/acme/prod/mode", b"0", None)])
    seen = [first.revision]
    for n in range(12):
        [outcome] = ssm.write([Put("/acme/prod/mode", str(n).encode(), seen[-1])])
        seen.append(outcome.revision)
    assert all(int(a or 0) < int(b or 0) for a, b in pairwise(seen))


def test_a_closed_adapter_can_be_used_again(ssm: SsmAdapter) -> None:
    ssm.write([Put("/acme/prod/mode", b"on", None)])
    ssm.close()
    ssm.close()
    assert items(ssm.list(ROOT, None))


def test_the_example_in_the_documentation_prints_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    text = DOCUMENTATION.read_text(encoding="utf-8")
    code = text.partition("```python\n")[2].partition("```")[0]
    exec(code, {})
    assert code.rstrip().rpartition("# ")[2] == capsys.readouterr().out.strip()


def test_the_documentation_names_every_option_and_grants_what_is_called(aws: AwsServer) -> None:
    text = DOCUMENTATION.read_text(encoding="utf-8")
    assert [f.name for f in fields(SsmOptions) if f"`{f.name}`" not in text] == []
    statements = json.loads(text.partition("```json\n")[2].partition("```")[0])["Statement"]
    actions = {statement["Sid"]: statement["Action"] for statement in statements}
    granted = {actions["List"], *actions["Read"], *actions["Write"]}
    ssm = adapter_of(aws)
    ssm.write([Put("/acme/prod/mode", b"on", None)])
    ssm.write([Put("/acme/prod/mode", b"off", "1")])
    for listing in (ssm.list(ROOT, None), ssm.get(["/acme/prod/mode"]), ssm.history("/acme/prod/mode", None)):
        assert items(listing)
    ssm.write([Delete("/acme/prod/mode", "2")])
    assert {f"ssm:{request.operation}" for request in aws.requests} == granted
