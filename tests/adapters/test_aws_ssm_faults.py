"""What becomes of calls to Parameter Store that go wrong: which may be tried again, and which never."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator

import pytest

from ecs_sync.adapter import Delete, Listing, Page, Put, Verdict
from ecs_sync.errors import AdapterError, Denied, Throttled, Unacknowledged, Unavailable
from ecs_sync.testing.subject import pages_of
from ecs_sync_adapters.aws_ssm import SsmAdapter
from ecs_sync_sandbox.aws import AwsServer
from ecs_sync_sandbox.real_server import free_port
from tests.adapters.ssm_sandbox import ROOT, adapter_of, items, listed, one, outside

APPLIED, REFUSED, RACED = Verdict.APPLIED, Verdict.REFUSED, Verdict.RACED
UNKNOWN, UNTRIED = Verdict.UNKNOWN, Verdict.UNTRIED


@pytest.fixture
def aws() -> Iterator[AwsServer]:
    with AwsServer() as server:
        yield server


@pytest.fixture
def ssm(aws: AwsServer) -> Iterator[SsmAdapter]:
    adapter = adapter_of(aws)
    yield adapter
    adapter.close()


def creations(*names: str) -> list[Put]:
    return [Put(f"/acme/prod/{name}", b"1", None) for name in names]


def verdicts(ssm: SsmAdapter, writes: list[Put | Delete]) -> list[Verdict]:
    return [outcome.verdict for outcome in ssm.write(writes)]


def until_it_fails(pages: Iterable[Page], kind: type[AdapterError]) -> list[Page]:
    """The pages up to the failure."""
    seen: list[Page] = []
    with pytest.raises(kind):
        seen.extend(pages_of(Listing(pages)))
    return seen


# -- lost acknowledgements


def test_a_creation_whose_answer_is_lost_is_never_reported_as_not_applied(
    aws: AwsServer, ssm: SsmAdapter
) -> None:
    aws.lose_ack_next("PutParameter")
    with pytest.raises(Unacknowledged):
        ssm.write(creations("mode"))
    assert aws.count("PutParameter") == 1
    assert one(ssm, "/acme/prod/mode").revision == "1"


def test_an_update_whose_answer_is_lost_is_sent_once_only(aws: AwsServer, ssm: SsmAdapter) -> None:
    outside(aws, "/acme/prod/mode")
    aws.lose_ack_next("PutParameter")
    with pytest.raises(Unacknowledged):
        ssm.write([Put("/acme/prod/mode", b"off", "1")])
    assert one(ssm, "/acme/prod/mode").revision == "2"


def test_deletes_whose_answer_is_lost_are_unknown_together(aws: AwsServer, ssm: SsmAdapter) -> None:
    outside(aws, "/acme/prod/a")
    outside(aws, "/acme/prod/b")
    aws.lose_ack_next("DeleteParameters")
    with pytest.raises(Unacknowledged):
        ssm.write([Delete("/acme/prod/a", "1"), Delete("/acme/prod/b", "1")])
    assert aws.count("DeleteParameters") == 1 and listed(ssm) == {}


def test_a_lost_answer_inside_a_batch_leaves_the_rest_untried(aws: AwsServer, ssm: SsmAdapter) -> None:
    outside(aws, "/acme/prod/old")
    aws.pass_next("PutParameter")
    aws.lose_ack_next("PutParameter")
    writes = [*creations("a", "b", "c"), Delete("/acme/prod/old", "1")]
    assert verdicts(ssm, writes) == [APPLIED, UNKNOWN, UNTRIED, UNTRIED]
    assert sorted(listed(ssm)) == ["/acme/prod/a", "/acme/prod/b", "/acme/prod/old"]


def test_puts_stay_applied_where_the_deletes_after_them_get_lost(aws: AwsServer, ssm: SsmAdapter) -> None:
    outside(aws, "/acme/prod/old")
    aws.lose_ack_next("DeleteParameters")
    assert verdicts(ssm, [Delete("/acme/prod/old", "1"), *creations("a")]) == [UNKNOWN, APPLIED]


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_error_on_a_write_is_never_taken_for_not_applied(
    aws: AwsServer, ssm: SsmAdapter, status: int
) -> None:
    aws.fail_next("PutParameter", "InternalServerError", status)
    with pytest.raises(Unacknowledged):
        ssm.write(creations("mode"))
    assert aws.count("PutParameter") == 1


def test_a_write_that_times_out_may_still_land(aws: AwsServer) -> None:
    ssm = adapter_of(aws, read_timeout=0.2)
    hold = aws.hold_next("PutParameter")
    with pytest.raises(Unacknowledged):
        ssm.write(creations("mode"))
    hold.released.set()
    assert hold.done.wait(10)
    assert one(adapter_of(aws), "/acme/prod/mode").value == b"1"


# -- throttling


@pytest.mark.parametrize(
    ("code", "status"),
    [("ThrottlingException", 400), ("TooManyUpdates", 400), ("RequestLimitExceeded", 400), ("Odd", 429)],
)
def test_a_throttled_write_may_be_tried_again(
    aws: AwsServer, ssm: SsmAdapter, code: str, status: int
) -> None:
    aws.fail_next("PutParameter", code, status)
    with pytest.raises(Throttled) as caught:
        ssm.write(creations("mode"))
    assert caught.value.retry_after is None
    assert verdicts(ssm, [*creations("mode")]) == [APPLIED]


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [({"Retry-After": "7"}, 7.0), ({"x-amz-retry-after": "1500"}, 1.5), ({"Retry-After": "soon"}, None)],
)
def test_how_long_to_wait_is_handed_on_in_seconds(
    aws: AwsServer, ssm: SsmAdapter, headers: dict[str, str], seconds: float | None
) -> None:
    aws.fail_next("GetParameters", "ThrottlingException", headers=headers)
    with pytest.raises(Throttled) as caught:
        items(ssm.get(["/acme/prod/mode"]))
    assert caught.value.retry_after == seconds


def test_a_rate_met_inside_a_batch_keeps_what_was_applied(aws: AwsServer, ssm: SsmAdapter) -> None:
    aws.limit("PutParameter", rate=0.0001, burst=2)
    assert verdicts(ssm, [*creations("a", "b", "c", "d")]) == [APPLIED, APPLIED, UNTRIED, UNTRIED]
    assert sorted(listed(ssm)) == ["/acme/prod/a", "/acme/prod/b"]
    assert aws.count("PutParameter") == 3


def test_a_throttled_look_before_an_update_sends_no_update(aws: AwsServer, ssm: SsmAdapter) -> None:
    outside(aws, "/acme/prod/mode")
    aws.fail_next("DescribeParameters", "ThrottlingException")
    with pytest.raises(Throttled):
        ssm.write([Put("/acme/prod/mode", b"off", "1")])
    assert aws.count("PutParameter") == 1


# -- listings and reads


def test_a_listing_that_fails_in_the_middle_never_has_a_proof(aws: AwsServer, ssm: SsmAdapter) -> None:
    for n in range(120):
        outside(aws, f"/acme/prod/{n:03}")
    faults: list[Callable[[], None]] = [
        lambda: aws.fail_next("DescribeParameters", "InternalServerError", 500),
        lambda: aws.fail_next("DescribeParameters", "ThrottlingException"),
        lambda: aws.lose_ack_next("DescribeParameters"),
        lambda: aws.same_token_next("DescribeParameters"),
    ]
    for passing in range(3):
        for fault in faults:
            aws.pass_next("DescribeParameters", passing)
            fault()
            if passing == 0 and fault is faults[3]:
                aws.same_token_next("DescribeParameters")
            seen = until_it_fails(ssm.list(ROOT, None).pages, Unavailable)
            assert all(page.proof is None for page in seen) and len(seen) >= passing
    assert len(listed(ssm)) == 120


def test_short_and_empty_pages_are_not_the_end(aws: AwsServer, ssm: SsmAdapter) -> None:
    for n in range(7):
        outside(aws, f"/acme/prod/{n}")
    aws.short_pages_next("DescribeParameters", [0, 2, 0, 0, 3])
    assert sorted(listed(ssm)) == [f"/acme/prod/{n}" for n in range(7)]
    aws.short_pages_next("DescribeParameters", [0, 0])
    [outcome] = ssm.write([Put("/acme/prod/3", b"2", "1")])
    assert outcome.verdict is APPLIED
    outside(aws, "/acme/prod/3", "3", Overwrite=True)
    aws.short_pages_next("GetParameterHistory", [0, 1, 0])
    assert [item.revision for item in items(ssm.history("/acme/prod/3", None))] == ["1", "2", "3"]


@pytest.mark.parametrize("operation", ["list", "get", "history"])
def test_a_hanging_server_ends_in_unavailable(aws: AwsServer, operation: str) -> None:
    ssm = adapter_of(aws, read_timeout=0.2)
    hold = aws.hold_next(
        {"list": "DescribeParameters", "get": "GetParameters", "history": "GetParameterHistory"}[operation]
    )
    listing = {
        "list": lambda: ssm.list(ROOT, None),
        "get": lambda: ssm.get(["/acme/prod/mode"]),
        "history": lambda: ssm.history("/acme/prod/mode", None),
    }[operation]()
    assert until_it_fails(listing.pages, Unavailable) == []
    hold.released.set()


def test_a_server_that_is_not_there_was_sent_nothing(aws: AwsServer) -> None:
    ssm = adapter_of(aws, endpoint=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(Unavailable, match="not reachable"):
        ssm.write(creations("mode"))
    assert until_it_fails(ssm.list(ROOT, None).pages, Unavailable) == []


@pytest.mark.parametrize("operation", ["DescribeParameters", "GetParameters", "GetParameterHistory"])
def test_an_answer_that_is_not_one_of_ssm_never_reads_as_an_empty_place(
    aws: AwsServer, ssm: SsmAdapter, operation: str
) -> None:
    aws.fail_next(operation, "a captive portal", 200)
    listing = {
        "DescribeParameters": lambda: ssm.list(ROOT, None),
        "GetParameters": lambda: ssm.get(["/acme/prod/mode"]),
        "GetParameterHistory": lambda: ssm.history("/acme/prod/mode", None),
    }[operation]()
    assert until_it_fails(listing.pages, Unavailable) == []


def test_an_answer_that_is_not_one_of_ssm_is_no_acknowledgement(aws: AwsServer, ssm: SsmAdapter) -> None:
    aws.fail_next("PutParameter", "a captive portal", 200)
    aws.fail_next("DeleteParameters", "a captive portal", 200)
    with pytest.raises(Unacknowledged):
        ssm.write(creations("mode"))
    with pytest.raises(Unacknowledged):
        ssm.write([Delete("/acme/prod/mode", "1")])


# -- denials


def test_one_denied_value_is_unreadable_and_hides_no_other(aws: AwsServer, ssm: SsmAdapter) -> None:
    names = [f"/acme/prod/{n}" for n in range(5)]
    ssm.write([Put(name, b"1", None) for name in names])
    aws.deny("GetParameters", names[2])
    read = {item.id: item for item in items(ssm.get([*names, "/acme/prod/none"]))}
    assert sorted(read) == names
    assert [id for id, item in read.items() if item.value is None] == [names[2]]
    assert "AccessDenied" in (read[names[2]].unreadable or "")
    assert all(read[name].unreadable is None for name in names if name != names[2])


def test_a_kms_key_that_is_disabled_makes_its_items_unreadable(aws: AwsServer, ssm: SsmAdapter) -> None:
    outside(aws, "/acme/prod/key", Type="SecureString")
    aws.fail_next("GetParameters", "InvalidKeyId")
    item = one(ssm, "/acme/prod/key")
    assert item.value is None and "KMS key" in (item.unreadable or "")


def test_a_denied_listing_says_so_and_proves_nothing(aws: AwsServer, ssm: SsmAdapter) -> None:
    aws.fail_next("DescribeParameters", "AccessDeniedException", message="no ssm:DescribeParameters")
    with pytest.raises(Denied, match="ssm:DescribeParameters"):
        items(ssm.list(ROOT, None))


def test_a_denied_write_is_refused_by_itself_and_stops_no_other(aws: AwsServer, ssm: SsmAdapter) -> None:
    aws.deny("PutParameter", "/acme/prod/b")
    assert verdicts(ssm, [*creations("a", "b", "c")]) == [APPLIED, REFUSED, APPLIED]
    [alone] = ssm.write(creations("b"))
    assert alone.verdict is REFUSED and "not authorized to perform ssm:PutParameter" in alone.reason


def test_one_denied_delete_stops_no_other(aws: AwsServer, ssm: SsmAdapter) -> None:
    ssm.write(creations("a", "b", "c"))
    aws.deny("DeleteParameters", "/acme/prod/b")
    deletes = [Delete(f"/acme/prod/{name}", "1") for name in "abc"]
    assert verdicts(ssm, [*deletes]) == [APPLIED, REFUSED, APPLIED]
    assert sorted(listed(ssm)) == ["/acme/prod/b"]


@pytest.mark.parametrize("code", ["ExpiredTokenException", "UnrecognizedClientException"])
def test_an_expired_credential_says_what_to_do_and_applied_nothing(
    aws: AwsServer, ssm: SsmAdapter, code: str
) -> None:
    aws.fail_next("PutParameter", code)
    with pytest.raises(Denied, match="log in again"):
        ssm.write(creations("a", "b"))
    aws.pass_next("PutParameter")
    aws.fail_next("PutParameter", code)
    assert verdicts(ssm, [*creations("a", "b", "c")]) == [APPLIED, UNTRIED, UNTRIED]


# -- many threads


def test_threads_that_create_the_same_parameter_have_one_winner(aws: AwsServer, ssm: SsmAdapter) -> None:
    seen: list[Verdict] = []
    start = threading.Barrier(8)

    def create() -> None:
        start.wait()
        seen.extend(verdicts(ssm, [*creations("mode")]))

    threads = [threading.Thread(target=create) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == sorted([APPLIED] + [RACED] * 7)
