"""How often Secrets Manager is asked: what pages and prices say is what the server counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from benchmarks.calls_aws_secrets import counts, trial

from ecs_sync.adapter import Delete, Listing, Put, Verdict
from ecs_sync_adapters.aws_secrets import SecretsAdapter
from ecs_sync_sandbox.aws import AwsServer
from tests.adapters.secrets_sandbox import PLACE, adapter_of, client, one, outside, revision

DB = "acme/prod/db"


@pytest.fixture
def aws() -> Iterator[AwsServer]:
    with AwsServer() as server:
        yield server


@pytest.fixture
def secrets(aws: AwsServer) -> Iterator[SecretsAdapter]:
    adapter = adapter_of(aws)
    yield adapter
    adapter.close()


def calls(listing: Listing) -> int:
    return listing.calls + sum(page.calls for page in listing.pages)


@pytest.mark.parametrize(("there", "least"), [(0, 1), (100, 1), (101, 2)])
def test_an_unchanged_place_costs_a_call_for_a_hundred_secrets(
    aws: AwsServer, secrets: SecretsAdapter, there: int, least: int
) -> None:
    for number in range(there):
        outside(aws, f"acme/prod/{number:03}")
    before = len(aws.requests)
    assert calls(secrets.list(PLACE, None)) == least == len(aws.requests) - before


def test_reads_cost_what_their_pages_say(aws: AwsServer, secrets: SecretsAdapter) -> None:
    names = [f"acme/prod/{number:02}" for number in range(41)]
    for name in names:
        outside(aws, name)
    for number in range(3):
        outside(aws, DB, str(number))
    looks: list[tuple[Callable[[], Listing], int]] = [
        (lambda: secrets.get([]), 0),
        (lambda: secrets.get([DB]), 1),
        (lambda: secrets.get([*names, "acme/prod/none", "no name!"]), 3),
        (lambda: secrets.peek([DB, "acme/prod/none", "no name!"]), 2),
        (lambda: secrets.history(DB, None), 4),
        (lambda: secrets.history("acme/prod/none", None), 1),
    ]
    for look, expected in looks:
        before = len(aws.requests)
        assert calls(look()) == expected == len(aws.requests) - before


def test_a_secret_that_cannot_be_read_is_looked_at_and_counted(
    aws: AwsServer, secrets: SecretsAdapter
) -> None:
    client(aws.url).create_secret(Name=DB)
    outside(aws, "acme/prod/other")
    before = len(aws.requests)
    assert calls(secrets.get([DB, "acme/prod/other"])) == 2 == len(aws.requests) - before


def test_writes_cost_what_the_features_say(aws: AwsServer, secrets: SecretsAdapter) -> None:
    prices = secrets.features.prices

    def cost(write: Put | Delete) -> int:
        before = len(aws.requests)
        [outcome] = secrets.write([write])
        assert outcome.verdict is Verdict.APPLIED
        return len(aws.requests) - before

    assert cost(Put(DB, b"one", None)) == prices.create.of(1) == 1
    item = one(secrets, DB)
    assert cost(Put(DB, b"two", item.revision, attributes=item.attributes)) == prices.update.of(1) == 3
    assert cost(Put(DB, b"\xff", revision(secrets, DB))) == prices.update.of(1)
    assert cost(Delete(DB, revision(secrets, DB))) == prices.delete.of(1) == 2
    assert (prices.get.of(20), prices.peek.of(20)) == (1, 20)


def test_whole_runs_cost_what_the_documentation_says_and_what_their_plans_foresaw() -> None:
    counted = counts(30, 4, 2)
    assert [count.foreseen for count in counted] == [count.calls.total() for count in counted]
    assert [(count.calls.total(), count.least) for count in counted] == [
        (1 + 30 + 2, 30),  # a page; the creations; their proof
        (1, 1),
        (1 + 1 + 3 * 4 + 1, 4),  # a page; the values for the archive; look, store, move; the proof
        (1 + 1 + 1 + 2 * 2 + 1, 2),  # a page; the archive; the point reads; look, delete; the proof
    ]


def test_what_is_lost_on_the_way_is_found_out_in_the_same_run_and_written_once() -> None:
    with trial(3) as runs:
        runs.aws.lose_ack_next("CreateSecret")
        assert runs.measured("create", 3).calls["CreateSecret"] == 3
        runs.held["setting-0001"] += "!"
        runs.aws.lose_ack_next("PutSecretValue")
        runs.aws.lose_ack_next("UpdateSecretVersionStage")
        calls = runs.measured("update", 1).calls
        assert (calls["PutSecretValue"], calls["UpdateSecretVersionStage"]) == (2, 1)
        del runs.held["setting-0002"]
        runs.aws.lose_ack_next("DeleteSecret")
        assert runs.measured("delete", 1).calls["DeleteSecret"] == 1
        assert runs.measured("nothing", 1).calls.keys() == {"ListSecrets"}
        secret = client(runs.aws.url).list_secret_version_ids(
            SecretId="acme/setting-0001", IncludeDeprecated=True
        )
        assert len(secret["Versions"]) == 2


def test_a_listing_that_lags_costs_point_reads_and_never_a_write() -> None:
    with trial(5) as runs:
        runs.aws.secrets.lag = 300
        assert runs.measured("create", 5).calls["CreateSecret"] == 5
        for _ in range(2):
            again = runs.measured("listed as if they were not there", 1)
            assert {name for name in again.calls if not name.startswith(("List", "BatchGet"))} == set()
        runs.aws.secrets.advance(301)
        runs.held["setting-0001"] += "!"
        assert runs.measured("update", 1).calls["UpdateSecretVersionStage"] == 1
        assert not any("Put" in name for name in runs.measured("listed as they were", 1).calls)
        del runs.held["setting-0002"]
        assert runs.measured("delete", 1).calls["DeleteSecret"] == 1
        assert runs.measured("listed as if it were there", 1).calls["DeleteSecret"] == 0
        runs.aws.secrets.advance(301)
        assert runs.measured("in step", 1).calls.keys() == {"ListSecrets"}
