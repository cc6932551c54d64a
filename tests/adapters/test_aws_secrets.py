"""What Secrets Manager does to secrets, their versions and labels, and what the adapter makes of it."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_sync.adapter import Delete, Item, Put, Verdict, attributes
from ecs_sync.errors import Denied, Rejected, Unavailable
from ecs_sync_adapters.aws_secrets import SecretsAdapter
from ecs_sync_adapters.aws_secrets_options import SecretsOptions, SecretsPlace
from ecs_sync_adapters.aws_secrets_write import version_on
from ecs_sync_adapters.aws_ssm import SsmAdapter, SsmOptions
from ecs_sync_sandbox.aws import AwsServer
from tests.adapters.secrets_sandbox import (
    absent,
    adapter_of,
    client,
    items,
    labels,
    listed,
    one,
    outside,
    revision,
)

APPLIED, REFUSED, RACED = Verdict.APPLIED, Verdict.REFUSED, Verdict.RACED
DB = "acme/prod/db"
ACCOUNT = "111122223333"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def aws() -> Iterator[AwsServer]:
    with AwsServer() as server:
        yield server


@pytest.fixture
def secrets(aws: AwsServer) -> Iterator[SecretsAdapter]:
    adapter = adapter_of(aws)
    yield adapter
    adapter.close()


def create(secrets: SecretsAdapter, value: bytes = b"one", id: str = DB) -> str:
    [outcome] = secrets.write([Put(id, value, None)])
    assert outcome.verdict is APPLIED, outcome.reason
    return outcome.revision or ""


def update(secrets: SecretsAdapter, value: bytes, expected: str | None = None) -> str:
    [outcome] = secrets.write([Put(DB, value, expected or revision(secrets, DB))])
    assert outcome.verdict is APPLIED, outcome.reason
    return outcome.revision or ""


# -- strings and bytes


def test_text_becomes_a_string_and_what_is_no_text_becomes_bytes(
    aws: AwsServer, secrets: SecretsAdapter
) -> None:
    create(secrets, "Grüße".encode())
    create(secrets, b"\xff\x00", "acme/prod/key")
    hand = client(aws.url)
    assert hand.get_secret_value(SecretId=DB)["SecretString"] == "Grüße"
    assert hand.get_secret_value(SecretId="acme/prod/key")["SecretBinary"] == b"\xff\x00"
    assert dict(one(secrets, DB).attributes)["kind"] == "string"
    assert dict(one(secrets, "acme/prod/key").attributes)["kind"] == "binary"


@pytest.mark.parametrize("told", [True, False])
def test_what_is_binary_stays_so_also_where_its_value_is_text(
    aws: AwsServer, secrets: SecretsAdapter, told: bool
) -> None:
    client(aws.url).create_secret(Name=DB, SecretBinary=b"text")
    item = one(secrets, DB)
    attributes = item.attributes if told else ()
    [outcome] = secrets.write([Put(DB, b"more text", item.revision, attributes=attributes)])
    assert outcome.verdict is APPLIED
    assert client(aws.url).get_secret_value(SecretId=DB)["SecretBinary"] == b"more text"


def test_a_new_secret_can_be_made_of_bytes_tags_and_a_description(
    aws: AwsServer, secrets: SecretsAdapter
) -> None:
    told = attributes({"kind": "binary", "tag:team": "payments", "tag:aws:x": "no", "description": "the db"})
    [outcome] = secrets.write([Put(DB, b"text", None, attributes=told)])
    assert outcome.verdict is APPLIED
    seen = client(aws.url).describe_secret(SecretId=DB)
    assert (seen["Tags"], seen["Description"]) == ([{"Key": "team", "Value": "payments"}], "the db")
    assert client(aws.url).get_secret_value(SecretId=DB)["SecretBinary"] == b"text"


def test_tags_key_and_description_survive_every_write(aws: AwsServer) -> None:
    secrets = adapter_of(aws, kms_key="alias/ours")
    tags = [{"Key": "team", "Value": "payments"}]
    outside(aws, DB, Tags=tags, Description="the db", KmsKeyId="alias/theirs")
    for value in (b"two", b"\xff", b"three"):
        update(secrets, value)
    seen = client(aws.url).describe_secret(SecretId=DB)
    assert (seen["Tags"], seen["Description"], seen["KmsKeyId"]) == (tags, "the db", "alias/theirs")
    told = dict(listed(secrets)[DB].attributes)
    assert (told["tag:team"], told["description"], told["key-id"]) == ("payments", "the db", "alias/theirs")
    create(secrets, b"new", "acme/prod/new")
    assert client(aws.url).describe_secret(SecretId="acme/prod/new")["KmsKeyId"] == "alias/ours"


def test_an_empty_value_is_refused_before_anything_is_sent(aws: AwsServer, secrets: SecretsAdapter) -> None:
    [outcome] = secrets.write([Put(DB, b"", None)])
    assert outcome.verdict is REFUSED and "empty" in outcome.reason
    assert aws.requests == []


# -- labels


def test_an_update_moves_the_label_from_the_version_it_replaces(
    aws: AwsServer, secrets: SecretsAdapter
) -> None:
    first = create(secrets)
    second = update(secrets, b"two")
    assert labels(aws, DB) == {first: ["AWSPREVIOUS"], second: ["AWSCURRENT", "ecs-sync"]}
    third = update(secrets, b"three")
    assert labels(aws, DB) == {second: ["AWSPREVIOUS"], third: ["AWSCURRENT", "ecs-sync"]}


def test_an_update_that_somebody_overtook_is_raced_and_nobody_ever_reads_it(
    aws: AwsServer, secrets: SecretsAdapter
) -> None:
    first = create(secrets)
    aws.before_next("UpdateSecretVersionStage", lambda: outside(aws, DB, "theirs"))
    [outcome] = secrets.write([Put(DB, b"ours", first)])
    assert outcome.verdict is RACED
    assert client(aws.url).get_secret_value(SecretId=DB)["SecretString"] == "theirs"
    assert [item.value for item in items(secrets.history(DB, first))] == [b"theirs"]


def test_an_update_of_what_was_deleted_between_look_and_write_is_raced(
    aws: AwsServer, secrets: SecretsAdapter
) -> None:
    def delete() -> None:
        client(aws.url).delete_secret(SecretId=DB, RecoveryWindowInDays=7)
        assert aws.secrets.names() == [DB]

    first = create(secrets)
    for operation in ("DescribeSecret", "PutSecretValue", "UpdateSecretVersionStage"):
        aws.before_next(operation, delete)
        [outcome] = secrets.write([Put(DB, b"ours", first)])
        assert outcome.verdict is RACED
        client(aws.url).restore_secret(SecretId=DB)
    assert one(secrets, DB).revision == first


def test_a_rotation_in_progress_is_not_seen_and_not_touched(aws: AwsServer, secrets: SecretsAdapter) -> None:
    first = create(secrets)
    pending = client(aws.url).put_secret_value(
        SecretId=DB, SecretString="next", VersionStages=["AWSPENDING"]
    )["VersionId"]
    assert one(secrets, DB).value == b"one"
    assert (listed(secrets)[DB].revision, one(secrets, DB).revision) == (first, first)
    assert [item.revision for item in items(secrets.history(DB, None))] == [first]
    update(secrets, b"two")
    assert labels(aws, DB)[pending] == ["AWSPENDING"]
    assert [item.value for item in items(secrets.history(DB, None))] == [b"one", b"two"]


def test_a_version_moved_back_into_force_is_read_with_its_old_revision(
    aws: AwsServer, secrets: SecretsAdapter
) -> None:
    first = create(secrets)
    second = update(secrets, b"two")
    client(aws.url).update_secret_version_stage(
        SecretId=DB, VersionStage="AWSCURRENT", RemoveFromVersionId=second, MoveToVersionId=first
    )
    assert (one(secrets, DB).value, one(secrets, DB).revision) == (b"one", first)
    assert [item.revision for item in items(secrets.history(DB, second))] == [first]
    assert update(secrets, b"two") == second
    assert one(secrets, DB).value == b"two"


def test_a_version_whose_value_was_left_behind_does_not_stand_in_the_way(
    aws: AwsServer, secrets: SecretsAdapter
) -> None:
    first = create(secrets)
    for attempt, value in enumerate((b"a", b"b", b"c")):
        aws.fail_next("UpdateSecretVersionStage", "AccessDeniedException")
        [outcome] = secrets.write([Put(DB, value, first)])
        assert outcome.verdict is REFUSED
        assert version_on(DB, first, attempt) in labels(aws, DB)
    assert update(secrets, b"d") == version_on(DB, first, 3)


def test_versions_left_behind_without_end_are_told_and_not_written_for_ever(
    aws: AwsServer, secrets: SecretsAdapter
) -> None:
    first = create(secrets)
    for number in range(8):
        aws.fail_next("UpdateSecretVersionStage", "AccessDeniedException")
        secrets.write([Put(DB, b"%d" % number, first)])
    [outcome] = secrets.write([Put(DB, b"last", first)])
    assert outcome.verdict is REFUSED and "never put in force" in outcome.reason


# -- what is not ours to write


def test_what_a_service_manages_is_read_and_never_written(aws: AwsServer, secrets: SecretsAdapter) -> None:
    first = outside(aws, DB)
    aws.secrets.own(DB, "rds.amazonaws.com")
    assert one(secrets, DB).value == b"on"
    for write in (Put(DB, b"ours", first), Delete(DB, first), Put(DB, b"ours", None)):
        [outcome] = secrets.write([write])
        assert outcome.verdict is REFUSED and "rds.amazonaws.com manages it" in outcome.reason
    assert labels(aws, DB) == {first: ["AWSCURRENT"]}


def test_what_secrets_manager_rotates_is_read_and_never_written(
    aws: AwsServer, secrets: SecretsAdapter
) -> None:
    outside(aws, DB)
    client(aws.url).rotate_secret(SecretId=DB, RotationRules={"AutomaticallyAfterDays": 9})
    told = listed(secrets)[DB]
    assert dict(told.attributes)["rotation"] == "enabled"
    for write in (Put(DB, b"ours", told.revision), Delete(DB, told.revision or "")):
        [outcome] = secrets.write([write])
        assert outcome.verdict is REFUSED and "rotates it" in outcome.reason


def test_a_replica_is_written_where_it_comes_from_and_a_replicated_secret_is_not_deleted(
    aws: AwsServer, secrets: SecretsAdapter
) -> None:
    first = create(secrets)
    client(aws.url).replicate_secret_to_regions(SecretId=DB, AddReplicaRegions=[{"Region": "eu-west-2"}])
    second = update(secrets, b"two", first)
    [outcome] = secrets.write([Delete(DB, second)])
    assert outcome.verdict is REFUSED and "remove its replicas" in outcome.reason
    replica = adapter_of(aws, region="eu-west-2")
    [outcome] = replica.write([Put(DB, b"three", second)])
    assert outcome.verdict is REFUSED and "replica of the secret in eu-west-1" in outcome.reason


# -- deletes, and what follows


def test_a_delete_is_scheduled_with_the_days_that_were_configured_and_never_forced(aws: AwsServer) -> None:
    for days in (7, 30):
        secrets = adapter_of(aws, recovery_window_days=days)
        name = f"{DB}-{days}"
        at = create(secrets, id=name)
        [outcome] = secrets.write([Delete(name, at)])
        assert outcome.verdict is APPLIED
        assert absent(secrets.get([name])) == [name]
        assert name not in listed(secrets)
    sent = [request.parameters for request in aws.requests if request.operation == "DeleteSecret"]
    assert [each.get("RecoveryWindowInDays") for each in sent] == [7, 30]
    assert not any("ForceDeleteWithoutRecovery" in each for each in sent)


def test_a_delete_of_what_moved_since_is_raced(aws: AwsServer, secrets: SecretsAdapter) -> None:
    first = create(secrets)
    outside(aws, DB, "theirs")
    [outcome] = secrets.write([Delete(DB, first)])
    assert outcome.verdict is RACED and aws.count("DeleteSecret") == 0


def test_a_deleted_secret_is_absent_also_among_others_and_can_be_looked_for_in_its_history(
    aws: AwsServer, secrets: SecretsAdapter
) -> None:
    first = create(secrets)
    outside(aws, "acme/prod/other")
    secrets.write([Delete(DB, first)])
    names = [DB, "acme/prod/other", "acme/prod/none"]
    assert [item.id for item in items(secrets.get(names))] == ["acme/prod/other"]
    assert absent(secrets.get(names)) == [DB, "acme/prod/none"]
    assert absent(secrets.peek(names)) == [DB, "acme/prod/none"]
    assert secrets.version(DB, first) is None
    assert all(page.proof is None for page in secrets.history("acme/prod/none", first).pages)


def test_a_name_that_is_scheduled_for_deletion_is_refused_with_what_to_do(
    aws: AwsServer, secrets: SecretsAdapter
) -> None:
    secrets.write([Delete(DB, create(secrets))])
    [outcome] = secrets.write([Put(DB, b"again", None)])
    assert outcome.verdict is REFUSED
    assert "restore-secret" in outcome.reason and "scheduled to restore" in outcome.reason
    aws.secrets.advance(31 * 86_400)
    assert create(secrets, b"again")


def test_a_name_that_is_scheduled_for_deletion_is_restored_where_the_connection_says_so(
    aws: AwsServer,
) -> None:
    secrets = adapter_of(aws, scheduled="restore")
    outside(aws, DB, Description="the db")
    secrets.write([Delete(DB, revision(secrets, DB))])
    [outcome] = secrets.write([Put(DB, b"again", None)])
    assert (outcome.verdict, outcome.replaced) == (APPLIED, None)
    assert (one(secrets, DB).value, one(secrets, DB).revision) == (b"again", outcome.revision)
    assert client(aws.url).describe_secret(SecretId=DB)["Description"] == "the db"


def test_a_restored_secret_whose_new_version_was_not_taken_says_that_it_is_back(aws: AwsServer) -> None:
    secrets = adapter_of(aws, scheduled="restore")
    secrets.write([Delete(DB, create(secrets))])
    aws.fail_next("PutSecretValue", "ThrottlingException")
    [outcome] = secrets.write([Put(DB, b"again", None)])
    assert outcome.verdict is RACED and "has its old value still" in outcome.reason
    assert one(secrets, DB).value == b"one"


def test_a_restored_secret_whose_label_did_not_move_says_why(aws: AwsServer) -> None:
    secrets = adapter_of(aws, scheduled="restore")
    secrets.write([Delete(DB, create(secrets))])
    aws.fail_next("UpdateSecretVersionStage", "InvalidRequestException")
    [outcome] = secrets.write([Put(DB, b"again", None)])
    assert outcome.verdict is REFUSED
    assert "old value still: the secret's state does not allow it" in outcome.reason
    assert one(secrets, DB).value == b"one"


def test_a_name_still_being_deleted_for_good_may_be_tried_again(
    aws: AwsServer, secrets: SecretsAdapter
) -> None:
    aws.fail_next("CreateSecret", "InvalidRequestException")
    with pytest.raises(Unavailable, match="run again"):
        secrets.write([Put(DB, b"one", None)])


# -- secrets without a value, and unreadable ones


def test_a_secret_made_without_a_value_is_no_item_and_is_filled(
    aws: AwsServer, secrets: SecretsAdapter
) -> None:
    client(aws.url).create_secret(Name=DB, Description="made by somebody's templates")
    assert listed(secrets) == {} and absent(secrets.get([DB])) == [DB] == absent(secrets.peek([DB]))
    at = create(secrets)
    assert (one(secrets, DB).value, one(secrets, DB).revision) == (b"one", at)


def test_of_two_who_fill_a_secret_one_is_raced(aws: AwsServer, secrets: SecretsAdapter) -> None:
    client(aws.url).create_secret(Name=DB)
    aws.before_next("PutSecretValue", lambda: adapter_of(aws).write([Put(DB, b"theirs", None)]))
    [outcome] = secrets.write([Put(DB, b"ours", None)])
    assert outcome.verdict is RACED
    assert one(secrets, DB).value == b"theirs"


def test_a_secret_with_no_version_in_force_is_unreadable_and_never_absent(
    aws: AwsServer, secrets: SecretsAdapter
) -> None:
    create(secrets)
    aws.secrets.withdraw(DB)
    for item in (listed(secrets)[DB], one(secrets, DB), *items(secrets.peek([DB]))):
        assert item.unreadable and item.value is None


def test_one_secret_that_is_denied_hides_no_other(aws: AwsServer, secrets: SecretsAdapter) -> None:
    names = [f"acme/prod/{n}" for n in range(25)]
    for name in names:
        outside(aws, name)
    aws.deny("GetSecretValue", names[3])
    read = {item.id: item for item in items(secrets.get(names))}
    assert sorted(read) == sorted(names)
    assert [id for id, item in read.items() if item.unreadable] == [names[3]]
    assert "AccessDenied" in (read[names[3]].unreadable or "")
    assert one(secrets, names[3]).unreadable


def test_without_the_permission_for_many_secrets_are_read_one_by_one(
    aws: AwsServer, secrets: SecretsAdapter
) -> None:
    for name in (DB, "acme/prod/key"):
        outside(aws, name)
    aws.fail_next("BatchGetSecretValue", "AccessDeniedException")
    assert {item.value for item in items(secrets.get([DB, "acme/prod/key"]))} == {b"on"}
    assert aws.count("GetSecretValue") == 2


# -- history, pins, peeks, addresses


def test_a_version_of_ours_that_others_replaced_twice_still_begins_its_history(
    aws: AwsServer, secrets: SecretsAdapter
) -> None:
    create(secrets)
    ours = update(secrets, b"two")
    theirs = [outside(aws, DB, "x"), outside(aws, DB, "y")]
    assert [item.revision for item in items(secrets.history(DB, ours))] == theirs


def test_a_history_after_a_version_that_is_no_more_has_no_proof(
    aws: AwsServer, secrets: SecretsAdapter
) -> None:
    create(secrets)
    [page] = secrets.history(DB, "0" * 32).pages
    assert page.proof is None


def test_a_history_of_a_hundred_versions_may_have_lost_the_oldest(
    aws: AwsServer, secrets: SecretsAdapter
) -> None:
    first = create(secrets)
    hand = client(aws.url)
    for number in range(99):
        hand.put_secret_value(SecretId=DB, SecretString=str(number))
    aws.short_pages_next("ListSecretVersionIds", [40, 0])
    (*_, last) = secrets.history(DB, None).pages
    assert last.proof is None and len(last.items) == 100
    assert len(items(secrets.history(DB, first))) == 99


def test_a_version_can_be_pinned_by_its_id(aws: AwsServer, secrets: SecretsAdapter) -> None:
    first = create(secrets)
    update(secrets, b"two")
    pinned = secrets.version(DB, first)
    assert pinned is not None and (pinned.value, pinned.revision) == (b"one", first)
    for version in ("0" * 32, "AWSCURRENT", "", "é" * 32):
        assert secrets.version(DB, version) is None
    assert secrets.version("acme/prod/none", first) is None


def test_a_peek_sees_what_a_read_sees_and_reads_no_secret(aws: AwsServer, secrets: SecretsAdapter) -> None:
    create(secrets)
    update(secrets, b"two")
    [seen] = items(secrets.peek([DB]))
    assert aws.count("GetSecretValue") == aws.count("BatchGetSecretValue") + 2
    assert (seen.value, seen.revision) == (None, one(secrets, DB).revision)
    assert absent(secrets.peek(["acme/prod/none", "no name!"])) == ["acme/prod/none", "no name!"]


NAMES = st.text(st.sampled_from("abcXYZ019/_+=.@-"), min_size=1, max_size=30)


@given(NAMES)
def test_an_address_leads_back_to_its_secret_and_to_no_other(name: str) -> None:
    secrets = SecretsAdapter(SecretsOptions("eu-west-1", account=ACCOUNT))
    arn = secrets.address(name, None)
    if arn is None:
        assert re.fullmatch(".+-[A-Za-z0-9]{6}", name)
        arn = f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:{name}"
    else:
        assert secrets.addressed(arn) == (name, None)
    assert secrets.addressed(f"{arn}-AbC12x") == (name, None)


@given(NAMES)
def test_parameter_store_points_at_a_secret_by_the_address_it_has_here(name: str) -> None:
    secrets = SecretsAdapter(SecretsOptions("eu-west-1", account=ACCOUNT))
    ssm = SsmAdapter(SsmOptions("eu-west-1", account=ACCOUNT))
    arn = secrets.address(name, None)
    pointer = ssm.pointer(arn) if arn is not None else None
    if pointer is not None:
        assert pointer.value == f"/aws/reference/secretsmanager/{name}".encode()
        back = ssm.pointed(Item("/acme/db", pointer.value))
        assert back is not None and secrets.addressed(back) == (name, None)
    assert (pointer is None) == (arn is None)


def test_an_address_of_another_region_account_or_service_is_not_ours() -> None:
    secrets = SecretsAdapter(SecretsOptions("eu-west-1", account=ACCOUNT))
    ours = f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:db"
    assert secrets.address("db", None) == ours
    assert secrets.address("db", "0" * 32) is None
    for other in (
        ours.replace("eu-west-1", "eu-west-2"),
        ours.replace(ACCOUNT, "999999999999"),
        ours.replace("secretsmanager", "ssm"),
        f"{ours}:password::",
        "https://acme.vault.azure.net/secrets/db",
    ):
        assert secrets.addressed(other) is None
    unknown = SecretsAdapter(SecretsOptions("eu-west-1"))
    assert unknown.address("db", None) is None and unknown.addressed(ours) is None
    china = SecretsAdapter(SecretsOptions("cn-north-1", account=ACCOUNT))
    assert (china.address("db", None) or "").startswith("arn:aws-cn:")


def test_the_arn_of_a_secret_made_anew_is_another_and_is_shown(
    aws: AwsServer, secrets: SecretsAdapter
) -> None:
    first = create(secrets)
    before = dict(one(secrets, DB).attributes)["arn"]
    secrets.write([Delete(DB, first)])
    aws.secrets.advance(31 * 86_400)
    assert create(secrets) != first
    assert dict(one(secrets, DB).attributes)["arn"] != before == before


def test_secrets_of_another_account_are_neither_read_nor_changed(aws: AwsServer) -> None:
    first = outside(aws, DB)
    secrets = adapter_of(aws, account=ACCOUNT)
    for ask in (
        lambda: listed(secrets),
        lambda: items(secrets.peek([DB])),
        lambda: secrets.write([Put(DB, b"ours", first)]),
        lambda: secrets.write([Delete(DB, first)]),
    ):
        with pytest.raises(Denied, match=f"says account {ACCOUNT}"):
            ask()
    assert one(secrets, DB).value is None and ACCOUNT in (one(secrets, DB).unreadable or "")
    assert one(adapter_of(aws, account=aws.secrets.account), DB).value == b"on"


# -- listings


def test_a_listing_may_be_five_minutes_old_and_a_read_is_not(aws: AwsServer, secrets: SecretsAdapter) -> None:
    aws.secrets.lag = 300
    first = create(secrets)
    assert listed(secrets) == {} and one(secrets, DB).revision == first
    aws.secrets.advance(301)
    second = update(secrets, b"two")
    assert listed(secrets)[DB].revision == first and one(secrets, DB).revision == second
    aws.secrets.advance(301)
    secrets.write([Delete(DB, second)])
    assert listed(secrets)[DB].revision == second and absent(secrets.get([DB])) == [DB]
    assert not secrets.features.current_listing


def test_a_place_holds_what_begins_alike_up_to_a_mark() -> None:
    for text in ("acme/prod", "acme prod/", "acme/é/", "", "x"):
        with pytest.raises(ValueError, match="no beginning of names"):
            SecretsPlace.parse(text)
    whole = SecretsPlace.parse("*")
    assert str(whole) == "*" and whole.overlaps(SecretsPlace("acme/"))
    assert SecretsPlace("acme/").overlaps(SecretsPlace("acme/prod/"))
    assert not SecretsPlace("acme/prod/").overlaps(SecretsPlace("acme/production/"))


def test_the_whole_account_is_listed_with_a_star_names_of_services_included(
    aws: AwsServer, secrets: SecretsAdapter
) -> None:
    outside(aws, "elsewhere")
    outside(aws, DB)
    found = items(secrets.list(SecretsPlace.parse("*"), None))
    assert {item.id for item in found} == {"elsewhere", DB}
    assert absent(secrets.get(["rds!db-1"])) == ["rds!db-1"] and aws.count("GetSecretValue") == 1


def test_more_than_one_write_at_a_time_is_rejected(secrets: SecretsAdapter) -> None:
    with pytest.raises(Rejected):
        secrets.write([Put(DB, b"1", None), Put("acme/prod/x", b"1", None)])
    assert secrets.write([]) == []


def test_the_example_in_the_documentation_prints_what_it_says() -> None:
    text = (ROOT / "docs/providers/aws-secrets.md").read_text()
    [example] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    expected = "".join(line[2:] + "\n" for line in example.splitlines() if line.startswith("# "))
    printed = io.StringIO()
    with redirect_stdout(printed):
        exec(compile(example, "example", "exec"), {})
    assert printed.getvalue() == expected
