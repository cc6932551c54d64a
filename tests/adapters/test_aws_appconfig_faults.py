"""What becomes of calls to AppConfig that go wrong: no false conflict, no double effect, no endless wait."""

from __future__ import annotations

import base64
import json
import logging
import traceback
from collections.abc import Callable, Iterator
from urllib.parse import quote

import pytest

from ecs_sync.adapter import Delete, Listing, Page, Put, Verdict
from ecs_sync.errors import AdapterError, Denied, Rejected, Throttled, Unacknowledged, Unavailable
from ecs_sync.pace import Pace, Paced
from ecs_sync.testing.subject import pages_of
from ecs_sync_adapters.aws_appconfig import AppConfigAdapter, AppConfigPlace
from ecs_sync_sandbox.aws_appconfig import AppConfigServer, on
from ecs_sync_sandbox.real_server import free_port
from tests.adapters.aws_appconfig_sandbox import ID, JSON, PLACE, Hand, adapter_of, items, one, write

APPLIED, REFUSED, RACED = Verdict.APPLIED, Verdict.REFUSED, Verdict.RACED
LOOK, MAKE, START = "ListDeployments", "CreateHostedConfigurationVersion", "StartDeployment"
CANARY = "canary-8f2c61d0b3"


@pytest.fixture
def server() -> Iterator[AppConfigServer]:
    with AppConfigServer() as running:
        yield running


@pytest.fixture
def hand(server: AppConfigServer) -> Hand:
    made = Hand(server.client())
    made.set(ID, b"one")
    return made


@pytest.fixture
def adapter(server: AppConfigServer) -> Iterator[AppConfigAdapter]:
    made = adapter_of(server)
    yield made
    made.close()


def put(adapter: AppConfigAdapter, value: bytes = b"two") -> Put:
    """An update of what is there now."""
    return Put(ID, value, one(adapter).revision, attributes=JSON)


def answer(server: AppConfigServer, operation: str, status: int, code: str, **headers: str) -> None:
    """The next request of this operation is answered with an error."""
    told = {"x-amzn-ErrorType": code, **{name.replace("_", "-"): text for name, text in headers.items()}}
    server.http.fail_next(status, told, json.dumps({"Message": "on demand"}), when=on(operation))


def until_it_fails(listing: Callable[[], Listing], kind: type[AdapterError]) -> list[Page]:
    """The pages up to the failure."""
    seen: list[Page] = []
    with pytest.raises(kind):
        seen.extend(pages_of(listing()))
    return seen


# -- lost acknowledgements


def test_a_version_whose_answer_is_lost_is_not_made_twice_and_nothing_was_applied(
    server: AppConfigServer, hand: Hand, adapter: AppConfigAdapter
) -> None:
    change = put(adapter)
    server.http.drop_next(when=on(MAKE))
    with pytest.raises(Unavailable):
        write(adapter, change)
    assert (one(adapter).value, hand.versions(ID)) == (b"one", [1, 2])
    assert write(adapter, change).revision == "2@2"
    assert (one(adapter).value, hand.versions(ID)) == (b"two", [1, 2])


def test_a_deployment_whose_answer_is_lost_is_unknown_and_a_point_read_tells(
    server: AppConfigServer, hand: Hand, adapter: AppConfigAdapter
) -> None:
    change = put(adapter)
    server.http.drop_next(when=on(START))
    with pytest.raises(Unacknowledged):
        write(adapter, change)
    assert server.count(START) == 2  # that of the one at the console, and ours: once
    assert (one(adapter).value, one(adapter).revision) == (b"two", "2@2")
    assert write(adapter, change).verdict is RACED
    assert hand.deployments(ID) == [(1, "1"), (2, "2")]


def test_a_creation_whose_answer_is_lost_is_not_made_twice(
    server: AppConfigServer, hand: Hand, adapter: AppConfigAdapter
) -> None:
    new = "acme/prod/new"
    for operation in ("CreateConfigurationProfile", MAKE):
        server.http.drop_next(when=on(operation))
        with pytest.raises(Unavailable):
            write(adapter, Put(new, b"first", None))
    assert items(adapter.get([new])) == []
    assert write(adapter, Put(new, b"first", None)).verdict is APPLIED
    assert hand.versions(new) == [1]
    listed = hand.client.list_configuration_profiles(ApplicationId=hand.application("acme"))["Items"]
    assert sorted(each["Name"] for each in listed) == ["new", "settings"]


def test_a_delete_whose_answer_is_lost_is_unknown_and_happens_once(
    server: AppConfigServer, hand: Hand, adapter: AppConfigAdapter
) -> None:
    gone = Delete(ID, one(adapter).revision or "")
    server.http.drop_next(when=on(START))
    with pytest.raises(Unacknowledged):
        write(adapter, gone)
    assert items(adapter.get([ID])) == []
    assert hand.versions(ID) == [1, 2]


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_error_is_told_apart_by_the_step_it_met(
    server: AppConfigServer, hand: Hand, adapter: AppConfigAdapter, status: int
) -> None:
    change = put(adapter)
    answer(server, MAKE, status, "InternalServerException")
    with pytest.raises(Unavailable):
        write(adapter, change)
    answer(server, START, status, "InternalServerException")
    with pytest.raises(Unacknowledged):
        write(adapter, change)
    assert one(adapter).value == b"one"
    assert write(adapter, change).verdict is APPLIED
    assert hand.versions(ID) == [1, 2]


def test_an_answer_that_is_not_one_of_appconfig_is_no_acknowledgement(
    server: AppConfigServer, hand: Hand, adapter: AppConfigAdapter
) -> None:
    change = put(adapter)
    server.http.fail_next(200, {"Content-Type": "text/html"}, "a captive portal", when=on(MAKE))
    with pytest.raises(Unavailable):
        write(adapter, change)
    server.http.fail_next(200, {"Content-Type": "application/json"}, "{}", when=on(START))
    with pytest.raises(Unacknowledged):
        write(adapter, change)
    assert one(adapter).value == b"one"


# -- throttling


@pytest.mark.parametrize("operation", [LOOK, MAKE, START])
@pytest.mark.parametrize(
    ("code", "status", "headers", "seconds"),
    [
        ("ThrottlingException", 429, {}, None),
        ("TooManyRequestsException", 429, {"Retry_After": "7"}, 7.0),
        ("Odd", 429, {"x_amz_retry_after": "1500"}, 1.5),
        ("ThrottlingException", 400, {"Retry_After": "soon"}, None),
    ],
)
def test_a_throttled_step_applied_nothing_and_can_be_done_again(
    server: AppConfigServer,
    hand: Hand,
    adapter: AppConfigAdapter,
    operation: str,
    code: str,
    status: int,
    headers: dict[str, str],
    seconds: float | None,
) -> None:
    change = put(adapter)
    answer(server, operation, status, code, **headers)
    with pytest.raises(Throttled) as caught:
        write(adapter, change)
    assert caught.value.retry_after == seconds
    assert one(adapter).value == b"one"
    assert write(adapter, change).verdict is APPLIED
    assert hand.versions(ID) == [1, 2]


def test_an_absurd_wait_is_cut_short_by_the_pace(
    server: AppConfigServer, hand: Hand, adapter: AppConfigAdapter
) -> None:
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    change = put(adapter)
    paced = Paced(adapter, Pace(), clock=lambda: now[0], sleep=sleep)
    answer(server, MAKE, 429, "ThrottlingException", Retry_After="3600")
    answer(server, START, 429, "ThrottlingException")
    assert write(paced, change).verdict is APPLIED
    assert 0 < now[0] < 3 * Pace().max_wait
    assert hand.versions(ID) == [1, 2]


# -- listings and reads


@pytest.mark.parametrize(
    "operation",
    [
        "ListApplications",
        "ListEnvironments",
        "ListConfigurationProfiles",
        LOOK,
        "GetHostedConfigurationVersion",
    ],
)
def test_a_listing_that_fails_anywhere_never_has_a_proof(
    server: AppConfigServer, hand: Hand, operation: str
) -> None:
    faults: list[Callable[[], object]] = [
        lambda: answer(server, operation, 500, "InternalServerException"),
        lambda: answer(server, operation, 429, "ThrottlingException"),
        lambda: server.http.drop_next(when=on(operation)),
        lambda: server.http.cut_next(1, when=on(operation)),
        lambda: server.http.fail_next(
            200, {"Content-Type": "text/html"}, "a captive portal", when=on(operation)
        ),
    ]
    hand.set("acme/prod/another", b"{}")
    for fault in faults:
        fresh = adapter_of(server)
        fault()
        seen = until_it_fails(lambda fresh=fresh: fresh.list(AppConfigPlace("acme/prod/"), None), Unavailable)  # type: ignore[misc]
        assert [page.proof for page in seen] == [None] * len(seen)


def test_pages_without_an_end_are_given_up(
    server: AppConfigServer, hand: Hand, adapter: AppConfigAdapter
) -> None:
    endless = json.dumps({"Items": [], "NextToken": "1"})
    server.http.fail_next(200, {"Content-Type": "application/json"}, endless, times=2, when=on(LOOK))
    assert until_it_fails(lambda: adapter.list(PLACE, None), Unavailable) == []


def test_a_hanging_server_ends_in_the_right_class_at_each_step(server: AppConfigServer, hand: Hand) -> None:
    quick = adapter_of(server, read_timeout=0.3)
    change = put(quick)
    for operation, kind in ((LOOK, Unavailable), (MAKE, Unavailable), (START, Unacknowledged)):
        released = server.http.hang_next(when=on(operation))
        with pytest.raises(kind):
            write(quick, change)
        released.set()
    released = server.http.hang_next(when=on("GetHostedConfigurationVersion"))
    assert until_it_fails(lambda: quick.list(PLACE, None), Unavailable) == []
    released.set()
    assert write(quick, change).verdict is APPLIED
    assert hand.versions(ID) == [1, 2]


def test_a_server_that_is_not_there_was_sent_nothing(server: AppConfigServer) -> None:
    nowhere = adapter_of(server, endpoint=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(Unavailable, match="not reachable"):
        nowhere.write([Put(ID, b"1", None)])
    assert until_it_fails(lambda: nowhere.list(PLACE, None), Unavailable) == []


# -- denials


@pytest.mark.parametrize("code", ["ExpiredTokenException", "UnrecognizedClientException"])
@pytest.mark.parametrize("operation", [LOOK, MAKE, START])
def test_an_expired_credential_says_what_to_do_and_applied_nothing(
    server: AppConfigServer, hand: Hand, adapter: AppConfigAdapter, operation: str, code: str
) -> None:
    change = put(adapter)
    answer(server, operation, 403, code)
    with pytest.raises(Denied, match="log in again"):
        write(adapter, change)
    assert one(adapter).value == b"one"


@pytest.mark.parametrize("operation", [MAKE, START])
def test_a_missing_permission_refuses_the_write_in_aws_own_words(
    server: AppConfigServer, hand: Hand, adapter: AppConfigAdapter, operation: str
) -> None:
    change = put(adapter)
    text = json.dumps({"Message": f"not authorized to perform appconfig:{operation}"})
    server.http.fail_next(403, {"x-amzn-ErrorType": "AccessDeniedException"}, text, when=on(operation))
    outcome = write(adapter, change)
    assert outcome.verdict is REFUSED and f"appconfig:{operation}" in outcome.reason


def test_a_denied_listing_says_so_and_proves_nothing(
    server: AppConfigServer, hand: Hand, adapter: AppConfigAdapter
) -> None:
    answer(server, LOOK, 403, "AccessDeniedException")
    assert until_it_fails(lambda: adapter.list(PLACE, None), Denied) == []


def test_a_bad_request_is_refused_without_quoting_it(
    server: AppConfigServer, hand: Hand, adapter: AppConfigAdapter
) -> None:
    answer(server, START, 400, "BadRequestException")
    outcome = write(adapter, put(adapter))
    assert outcome.verdict is REFUSED and "validators" in outcome.reason
    answer(server, LOOK, 400, "BadRequestException")
    with pytest.raises(Rejected):
        items(adapter.get([ID]))


# -- what nobody may see


def spellings(text: str) -> list[str]:
    half = len(text) // 2
    encoded = [base64.b64encode(text.encode()).decode().rstrip("="), text.encode().hex(), quote(text)]
    return [text, *encoded, text[:half], text[half:]]


def test_no_document_is_in_any_log_or_error_even_at_debug(
    server: AppConfigServer, hand: Hand, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("botocore", "boto3", "urllib3"):
        caplog.set_level(logging.DEBUG, logger=name)
    quick = adapter_of(server, read_timeout=0.3)
    caplog.clear()
    told: list[str] = []

    def attempt(act: Callable[[], object]) -> None:
        try:
            told.append(repr(act()))
        except AdapterError as error:
            told.append("".join(traceback.format_exception(error)))

    value = json.dumps({"word": CANARY}).encode()
    change = put(quick, value)
    body = json.dumps(
        {"Message": CANARY, "Details": {"InvalidConfiguration": [{"Value": CANARY, "Reason": CANARY}]}}
    )
    for operation in (LOOK, MAKE, START):
        server.http.drop_next(when=on(operation))
        attempt(lambda: quick.write([change]))
        server.http.fail_next(400, {"x-amzn-ErrorType": "BadRequestException"}, body, when=on(operation))
        attempt(lambda: quick.write([change]))
        released = server.http.hang_next(when=on(operation))
        attempt(lambda: quick.write([change]))
        released.set()
    attempt(lambda: quick.write([change]))
    attempt(lambda: list(quick.list(PLACE, None).pages))
    server.http.cut_next(5, when=on("GetHostedConfigurationVersion"))
    attempt(lambda: list(quick.get([ID]).pages))
    logged = "\n".join(str(vars(record)) for record in caplog.records)
    assert len(told) == 12
    for spelling in spellings(CANARY):
        assert spelling not in logged
        assert spelling not in "\n".join(told)
    assert hand.get(ID) == value
