"""What becomes of calls to Secrets Manager that go wrong: which may be tried again, and which never."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from ecs_sync.adapter import Delete, Listing, Page, Put, Verdict
from ecs_sync.errors import AdapterError, Denied, Throttled, Unacknowledged, Unavailable
from ecs_sync.pace import Pace, Paced
from ecs_sync.testing.subject import pages_of
from ecs_sync_adapters.aws_secrets import SecretsAdapter
from ecs_sync_sandbox.aws import AwsServer
from ecs_sync_sandbox.real_server import free_port
from tests.adapters.secrets_sandbox import (
    PLACE,
    absent,
    adapter_of,
    client,
    items,
    labels,
    listed,
    one,
    outside,
)

APPLIED, REFUSED, RACED = Verdict.APPLIED, Verdict.REFUSED, Verdict.RACED
DB = "acme/prod/db"
NEW = Put(DB, b"one", None)


@pytest.fixture
def aws() -> Iterator[AwsServer]:
    with AwsServer() as server:
        yield server


@pytest.fixture
def secrets(aws: AwsServer) -> Iterator[SecretsAdapter]:
    adapter = adapter_of(aws)
    yield adapter
    adapter.close()


def until_it_fails(listing: Listing, kind: type[AdapterError]) -> list[Page]:
    """The pages up to the failure."""
    seen: list[Page] = []
    with pytest.raises(kind):
        seen.extend(pages_of(listing))
    return seen


# -- lost acknowledgements


def test_a_creation_whose_answer_is_lost_is_unknown_and_sent_once(
    aws: AwsServer, secrets: SecretsAdapter
) -> None:
    aws.lose_ack_next("CreateSecret")
    with pytest.raises(Unacknowledged):
        secrets.write([NEW])
    assert aws.count("CreateSecret") == 1 and one(secrets, DB).value == b"one"
    [outcome] = secrets.write([NEW])
    assert outcome.verdict is RACED


def test_a_version_stored_without_an_answer_is_not_in_force_and_is_found_when_sent_again(
    aws: AwsServer, secrets: SecretsAdapter
) -> None:
    first = outside(aws, DB)
    aws.lose_ack_next("PutSecretValue")
    with pytest.raises(Unavailable):
        secrets.write([Put(DB, b"two", first)])
    assert one(secrets, DB).revision == first
    assert [item.revision for item in items(secrets.history(DB, None))] == [first]
    [outcome] = secrets.write([Put(DB, b"two", first)])
    assert (outcome.verdict, outcome.replaced) == (APPLIED, first)
    assert len(client(aws.url).list_secret_version_ids(SecretId=DB, IncludeDeprecated=True)["Versions"]) == 2


def test_an_update_whose_last_answer_is_lost_is_unknown_and_recognised_when_sent_again(
    aws: AwsServer, secrets: SecretsAdapter
) -> None:
    first = outside(aws, DB)
    aws.lose_ack_next("UpdateSecretVersionStage")
    with pytest.raises(Unacknowledged):
        secrets.write([Put(DB, b"two", first)])
    landed = one(secrets, DB)
    assert landed.value == b"two"
    assert [item.value for item in items(secrets.history(DB, first))] == [b"two"]
    [again] = secrets.write([Put(DB, b"two", first)])
    assert (again.verdict, again.revision, again.replaced) == (APPLIED, landed.revision, first)
    [other] = secrets.write([Put(DB, b"three", first)])
    assert other.verdict is RACED and one(secrets, DB).revision == landed.revision


def test_an_update_that_landed_unseen_and_was_replaced_is_in_the_history(
    aws: AwsServer, secrets: SecretsAdapter
) -> None:
    first = outside(aws, DB)
    aws.lose_ack_next("UpdateSecretVersionStage")
    with pytest.raises(Unacknowledged):
        secrets.write([Put(DB, b"ours", first)])
    outside(aws, DB, "theirs")
    assert [item.value for item in items(secrets.history(DB, first))] == [b"ours", b"theirs"]


def test_an_update_that_lands_late_replaces_nothing_newer(aws: AwsServer) -> None:
    secrets = adapter_of(aws, read_timeout=0.3)
    first = outside(aws, DB)
    hold = aws.hold_next("UpdateSecretVersionStage")
    with pytest.raises(Unacknowledged):
        secrets.write([Put(DB, b"ours", first)])
    theirs = outside(aws, DB, "theirs")
    hold.released.set()
    assert hold.done.wait(10)
    assert one(adapter_of(aws), DB).revision == theirs


def test_a_delete_whose_answer_is_lost_is_unknown_and_sent_once(
    aws: AwsServer, secrets: SecretsAdapter
) -> None:
    first = outside(aws, DB)
    aws.lose_ack_next("DeleteSecret")
    with pytest.raises(Unacknowledged):
        secrets.write([Delete(DB, first)])
    assert aws.count("DeleteSecret") == 1 and absent(secrets.get([DB])) == [DB]
    [again] = secrets.write([Delete(DB, first)])
    assert again.verdict is RACED


def test_a_restoration_whose_answer_is_lost_is_unknown(aws: AwsServer) -> None:
    secrets = adapter_of(aws, scheduled="restore")
    secrets.write([Delete(DB, outside(aws, DB))])
    aws.lose_ack_next("RestoreSecret")
    with pytest.raises(Unacknowledged):
        secrets.write([NEW])
    secrets.write([Delete(DB, one(secrets, DB).revision or "")])
    aws.lose_ack_next("UpdateSecretVersionStage")
    with pytest.raises(Unacknowledged):
        secrets.write([NEW])
    assert one(secrets, DB).value == b"one"


@pytest.mark.parametrize("status", [500, 503])
@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ("CreateSecret", Unacknowledged),
        ("DescribeSecret", Unavailable),
        ("PutSecretValue", Unavailable),
        ("UpdateSecretVersionStage", Unacknowledged),
        ("DeleteSecret", Unacknowledged),
    ],
)
def test_a_server_error_is_taken_for_not_applied_only_where_nothing_can_be(
    aws: AwsServer, secrets: SecretsAdapter, operation: str, kind: type[AdapterError], status: int
) -> None:
    first = outside(aws, DB)
    aws.fail_next(operation, "InternalServiceError", status)
    new = Put("acme/prod/new", b"1", None)
    others: dict[str, Put | Delete] = {"CreateSecret": new, "DeleteSecret": Delete(DB, first)}
    write = others.get(operation, Put(DB, b"2", first))
    with pytest.raises(kind) as caught:
        secrets.write([write])
    assert type(caught.value) is kind and aws.count(operation) == (2 if operation == "CreateSecret" else 1)


def test_an_answer_that_is_not_one_of_aws_is_no_acknowledgement(
    aws: AwsServer, secrets: SecretsAdapter
) -> None:
    first = outside(aws, DB)
    writes: dict[str, Put | Delete] = {
        "CreateSecret": Put("acme/prod/new", b"1", None),
        "UpdateSecretVersionStage": Put(DB, b"2", first),
        "DeleteSecret": Delete(DB, first),
    }
    for operation, write in writes.items():
        aws.fail_next(operation, "a captive portal", 200)
        with pytest.raises(Unacknowledged):
            secrets.write([write])
    looks: dict[str, Callable[[], Listing]] = {
        "ListSecrets": lambda: secrets.list(PLACE, None),
        "GetSecretValue": lambda: secrets.get([DB]),
        "BatchGetSecretValue": lambda: secrets.get([DB, "acme/prod/x"]),
        "DescribeSecret": lambda: secrets.peek([DB]),
        "ListSecretVersionIds": lambda: secrets.history(DB, None),
    }
    for operation, ask in looks.items():
        aws.fail_next(operation, "a captive portal", 200)
        assert until_it_fails(ask(), Unavailable) == []


# -- throttling


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [({}, None), ({"Retry-After": "7"}, 7.0), ({"Retry-After": "1e9"}, 1e9), ({"Retry-After": "soon"}, None)],
)
@pytest.mark.parametrize(
    "operation",
    ["CreateSecret", "DescribeSecret", "PutSecretValue", "UpdateSecretVersionStage", "DeleteSecret"],
)
def test_a_throttled_write_applied_nothing_and_says_how_long_to_wait(
    aws: AwsServer, secrets: SecretsAdapter, operation: str, headers: dict[str, str], seconds: float | None
) -> None:
    first = outside(aws, DB)
    new = Put("acme/prod/new", b"1", None)
    others: dict[str, Put | Delete] = {"CreateSecret": new, "DeleteSecret": Delete(DB, first)}
    write = others.get(operation, Put(DB, b"2", first))
    aws.fail_next(operation, "ThrottlingException", headers=headers)
    with pytest.raises(Throttled) as caught:
        secrets.write([write])
    assert caught.value.retry_after == seconds
    assert one(secrets, DB).revision == first
    [outcome] = secrets.write([write])
    assert outcome.verdict is APPLIED


@pytest.mark.parametrize("header", ["1e9", "-1", "nan"])
def test_nobody_sleeps_for_years_because_a_server_says_so(
    aws: AwsServer, secrets: SecretsAdapter, header: str
) -> None:
    waited: list[float] = []
    now = [0.0]

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        now[0] += seconds

    paced = Paced(secrets, Pace(attempts=3, max_wait=30.0), clock=lambda: now[0], sleep=sleep)
    aws.fail_next("CreateSecret", "ThrottlingException", headers={"Retry-After": header}, times=2)
    [outcome] = paced.write([NEW])
    assert outcome.verdict is APPLIED
    assert max(waited) <= 30.0 and sum(waited) < 120.0


def test_a_quota_of_versions_is_refused_and_not_taken_for_throttling(
    aws: AwsServer, secrets: SecretsAdapter
) -> None:
    first = outside(aws, DB)
    aws.fail_next("PutSecretValue", "LimitExceededException")
    [outcome] = secrets.write([Put(DB, b"two", first)])
    assert outcome.verdict is REFUSED and "every ten minutes" in outcome.reason
    assert aws.count("PutSecretValue") == 1


@pytest.mark.parametrize(
    ("code", "kind"), [("ThrottlingException", Throttled), ("InternalServiceError", Unavailable)]
)
def test_what_may_pass_for_one_of_many_is_asked_again_and_never_absent(
    aws: AwsServer, secrets: SecretsAdapter, code: str, kind: type[AdapterError]
) -> None:
    names = [outside_named(aws, name) for name in (DB, "acme/prod/key")]
    aws.secrets.fail_entry_next(DB, code)
    assert until_it_fails(secrets.get(names), kind) == []
    assert len(items(secrets.get(names))) == 2


def test_what_fails_for_one_of_many_by_itself_is_unreadable_and_never_absent(
    aws: AwsServer, secrets: SecretsAdapter
) -> None:
    names = [outside_named(aws, name) for name in (DB, "acme/prod/key")]
    for code in ("DecryptionFailure", "ResourceNotFoundException", "InvalidRequestException", "Odd"):
        aws.secrets.fail_entry_next(DB, code)
        [bad, good] = items(secrets.get(names))
        assert (bad.id, bad.value, good.value) == (DB, None, b"on") and bad.unreadable


def outside_named(aws: AwsServer, name: str) -> str:
    outside(aws, name)
    return name


# -- listings and reads


def test_a_listing_that_fails_in_the_middle_never_has_a_proof(
    aws: AwsServer, secrets: SecretsAdapter
) -> None:
    for n in range(230):
        outside(aws, f"acme/prod/{n:03}")
    faults: list[Callable[[], None]] = [
        lambda: aws.fail_next("ListSecrets", "InternalServiceError", 500),
        lambda: aws.fail_next("ListSecrets", "ThrottlingException"),
        lambda: aws.lose_ack_next("ListSecrets"),
        lambda: aws.same_token_next("ListSecrets"),
    ]
    for passing in range(1, 3):
        for fault in faults:
            aws.pass_next("ListSecrets", passing)
            fault()
            seen = until_it_fails(secrets.list(PLACE, None), Unavailable)
            assert all(page.proof is None for page in seen) and len(seen) >= passing
    aws.short_pages_next("ListSecrets", [0, 2, 0, 0, 3])
    assert len(listed(secrets)) == 230


@pytest.mark.parametrize(
    "operation", ["ListSecrets", "GetSecretValue", "BatchGetSecretValue", "DescribeSecret"]
)
def test_a_hanging_server_ends_in_unavailable(aws: AwsServer, operation: str) -> None:
    secrets = adapter_of(aws, read_timeout=0.2)
    hold = aws.hold_next(operation)
    listing = {
        "ListSecrets": lambda: secrets.list(PLACE, None),
        "GetSecretValue": lambda: secrets.get([DB]),
        "BatchGetSecretValue": lambda: secrets.get([DB, "acme/prod/x"]),
        "DescribeSecret": lambda: secrets.peek([DB]),
    }[operation]()
    assert until_it_fails(listing, Unavailable) == []
    hold.released.set()


def test_a_page_that_was_throttled_is_asked_for_again_and_no_page_twice(
    aws: AwsServer, secrets: SecretsAdapter
) -> None:
    for n in range(230):
        outside(aws, f"acme/prod/{n:03}")
    aws.pass_next("ListSecrets", 2)
    aws.fail_next("ListSecrets", "ThrottlingException", times=2)
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    paced = Paced(secrets, Pace(attempts=4), clock=lambda: now[0], sleep=sleep)
    shown = items(paced.list(PLACE, None))
    assert len({item.id for item in shown}) == len(shown) == 230
    assert aws.count("ListSecrets") == 3 + 2


def test_a_creation_that_times_out_may_still_land(aws: AwsServer) -> None:
    secrets = adapter_of(aws, read_timeout=0.2)
    hold = aws.hold_next("CreateSecret")
    with pytest.raises(Unacknowledged):
        secrets.write([NEW])
    hold.released.set()
    assert hold.done.wait(10)
    assert one(adapter_of(aws), DB).value == b"one"


def test_a_server_that_is_not_there_was_sent_nothing(aws: AwsServer) -> None:
    secrets = adapter_of(aws, endpoint=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(Unavailable, match="not reachable"):
        secrets.write([NEW])
    assert until_it_fails(secrets.list(PLACE, None), Unavailable) == []


def test_a_kms_key_that_is_disabled_makes_its_secrets_unreadable(
    aws: AwsServer, secrets: SecretsAdapter
) -> None:
    outside(aws, DB)
    aws.fail_next("GetSecretValue", "DecryptionFailure")
    item = one(secrets, DB)
    assert item.value is None and "kms:Decrypt" in (item.unreadable or "")


# -- denials


def test_a_denied_listing_says_so_and_proves_nothing(aws: AwsServer, secrets: SecretsAdapter) -> None:
    aws.fail_next("ListSecrets", "AccessDeniedException", message="no secretsmanager:ListSecrets")
    with pytest.raises(Denied, match="secretsmanager:ListSecrets"):
        items(secrets.list(PLACE, None))


@pytest.mark.parametrize("operation", ["PutSecretValue", "UpdateSecretVersionStage", "DeleteSecret"])
def test_a_denied_write_is_refused_with_the_permission_that_lacks(
    aws: AwsServer, secrets: SecretsAdapter, operation: str
) -> None:
    first = outside(aws, DB)
    aws.deny(operation, DB)
    [outcome] = secrets.write([Delete(DB, first) if operation == "DeleteSecret" else Put(DB, b"2", first)])
    assert outcome.verdict is REFUSED and f"secretsmanager:{operation}" in outcome.reason
    assert labels(aws, DB)[first] == ["AWSCURRENT"]


def test_a_denied_creation_is_refused(aws: AwsServer, secrets: SecretsAdapter) -> None:
    aws.deny("CreateSecret", DB)
    [outcome] = secrets.write([NEW])
    assert outcome.verdict is REFUSED and "secretsmanager:CreateSecret" in outcome.reason


@pytest.mark.parametrize("code", ["ExpiredTokenException", "UnrecognizedClientException"])
@pytest.mark.parametrize("operation", ["DescribeSecret", "PutSecretValue", "UpdateSecretVersionStage"])
def test_an_expired_credential_says_what_to_do_and_applied_nothing(
    aws: AwsServer, secrets: SecretsAdapter, operation: str, code: str
) -> None:
    first = outside(aws, DB)
    aws.fail_next(operation, code)
    with pytest.raises(Denied, match="log in again"):
        secrets.write([Put(DB, b"two", first)])
    assert one(secrets, DB).revision == first


def test_a_label_that_did_not_move_though_nothing_moved_is_refused(
    aws: AwsServer, secrets: SecretsAdapter
) -> None:
    first = outside(aws, DB)
    aws.fail_next("UpdateSecretVersionStage", "InvalidParameterException")
    [outcome] = secrets.write([Put(DB, b"two", first)])
    assert outcome.verdict is REFUSED and outcome.reason
