"""What becomes of a document on its way: progress, rollback, crashes between the steps, and somebody else."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from ecs_sync.adapter import Delete, Put, Verdict
from ecs_sync.errors import Rejected, Unavailable
from ecs_sync.testing.subject import pages_of
from ecs_sync_adapters.aws_appconfig import AppConfigAdapter
from ecs_sync_sandbox.aws_appconfig import AppConfigServer
from tests.adapters.aws_appconfig_sandbox import (
    ID,
    JSON,
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
START = "StartDeployment"
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


def put(adapter: AppConfigAdapter, value: bytes = b"two") -> Put:
    """An update of what is there now."""
    return Put(ID, value, one(adapter).revision, attributes=JSON)


# -- deployments


def test_what_is_being_deployed_is_the_item_already_and_settles(server: AppConfigServer, hand: Hand) -> None:
    slow = adapter_of(server, **SLOW)
    made = write(slow, Put(ID, b'{"a": 1}', None))
    seen = []
    for minutes in (0, 4, 7, 5):
        server.advance(minutes)
        [item] = listed(slow)
        assert (item.value, item.revision) == (b'{"a": 1}', made.revision)
        seen.append(item.settling)
    assert seen == [
        "deployment 1 of version 1: 0 %",
        "deployment 1 of version 1: 40 %",
        "deployment 1 of version 1: 100 %, baking",
        None,
    ]


def test_a_listing_is_unchanged_only_while_nothing_settles_further(
    server: AppConfigServer, hand: Hand
) -> None:
    slow = adapter_of(server, **SLOW)
    write(slow, Put(ID, b"{}", None))
    proof = list(slow.list(PLACE, None).pages)[-1].proof
    assert proof is not None
    assert slow.list(PLACE, proof.token).unchanged
    server.advance(4)
    assert not slow.list(PLACE, proof.token).unchanged


def test_a_busy_environment_takes_nothing_and_says_until_when(server: AppConfigServer, hand: Hand) -> None:
    slow = adapter_of(server, **SLOW)
    write(slow, Put("acme/prod/other", b"{}", None))
    outcome = write(slow, Put(ID, b"{}", None))
    assert outcome.verdict is REFUSED
    assert "deployment 1 of version 1: 0 %" in outcome.reason
    assert hand.versions(ID) == []
    server.advance(16)
    assert write(slow, Put(ID, b"{}", None)).verdict is APPLIED


def test_two_environments_of_one_profile_do_not_disturb_each_other(
    hand: Hand, adapter: AppConfigAdapter
) -> None:
    other = ID.replace("prod", "staging")
    write(adapter, Put(ID, b"prod 1", None))
    write(adapter, Put(other, b"staging 1", None))
    assert update(adapter, b"prod 2").revision == "3@2"
    assert (one(adapter).value, one(adapter, other).value) == (b"prod 2", b"staging 1")
    assert hand.versions(ID) == [1, 2, 3]


def test_a_strategy_goes_by_name_and_aws_own_as_they_are(server: AppConfigServer, hand: Hand) -> None:
    write(adapter_of(server, strategy="AppConfig.AllAtOnce"), Put(ID, b"{}", None))
    assert server.count("ListDeploymentStrategies") == 0
    with pytest.raises(Rejected, match="none of the strategies named 'unheard'"):
        adapter_of(server, strategy="unheard").write([Put("acme/staging/settings", b"{}", None)])
    assert hand.versions(ID) == [1]


def test_content_type_survives_and_new_documents_get_the_configured_one(
    server: AppConfigServer, hand: Hand
) -> None:
    yaml = adapter_of(server, content_type="application/x-yaml")
    write(yaml, Put(ID, b"a: 1\n", None))
    plain = adapter_of(server)
    for told in (one(plain).attributes, ()):
        outcome = write(plain, Put(ID, b"a: 2\n", one(plain).revision, attributes=told))
        assert outcome.verdict is APPLIED
        assert dict(one(plain).attributes)["content-type"] == "application/x-yaml"


def test_the_deployments_of_many_other_profiles_hide_none(server: AppConfigServer, hand: Hand) -> None:
    with AppConfigServer(page=3) as paged:
        somebody, adapter = Hand(paged.client()), adapter_of(paged)
        write(adapter, Put(ID, b"mine", None))
        for number in range(7):
            somebody.set("acme/prod/other", b"%d" % number)
        [item] = listed(adapter)
        assert (item.value, item.revision) == (b"mine", "1@1")
        assert update(adapter, b"mine too").revision == "2@9"


# -- rolled back


@pytest.mark.parametrize("complete", [False, True])
def test_a_deployment_that_is_undone_makes_the_item_unreadable_until_somebody_looks(
    server: AppConfigServer, hand: Hand, complete: bool
) -> None:
    hand.set(ID, b"good")
    slow = adapter_of(server, **SLOW)
    pushed = update(slow, b"bad")
    server.advance(16 if complete else 12)
    assert one(slow).value == b"bad"
    hand.undo(ID, 2)
    [item] = listed(slow)
    assert item.value is None
    assert (item.unreadable or "").startswith("deployment 2 of version 2 was ")
    assert "version 1 is in force" in (item.unreadable or "")
    again = write(slow, Put(ID, b"bad", pushed.revision, attributes=JSON))
    assert again.verdict is REFUSED and "version 1 is in force" in again.reason
    hand.set(ID, b"better")
    assert one(slow).value == b"better"


def test_with_retry_an_undone_deployment_shows_what_is_in_force_and_is_pushed_again_without_a_new_version(
    server: AppConfigServer, hand: Hand
) -> None:
    hand.set(ID, b"good")
    adapter = adapter_of(server, after_rollback="retry")
    pushed = update(adapter, b"better")
    proof = list(pages_of(adapter.list(PLACE, None)))[-1].proof
    hand.undo(ID, 2)
    assert proof is not None and not adapter.list(PLACE, proof.token).unchanged
    assert (one(adapter).value, one(adapter).revision) == (b"good", "1@1")
    assert update(adapter, b"better").revision != pushed.revision
    assert one(adapter).value == b"better"
    assert hand.versions(ID) == [1, 2] and hand.deployments(ID)[-1] == (3, "2")


def test_with_retry_an_undone_first_deployment_leaves_an_absent_item(
    server: AppConfigServer, hand: Hand
) -> None:
    adapter = adapter_of(server, after_rollback="retry")
    write(adapter, Put(ID, b"first", None))
    hand.undo(ID, 1)
    assert listed(adapter) == []
    assert write(adapter, Put(ID, b"first", None)).verdict is APPLIED
    assert hand.versions(ID) == [1]


def test_history_is_what_was_in_force_and_says_when_some_of_it_is_lost(
    hand: Hand, adapter: AppConfigAdapter
) -> None:
    hand.set(ID, b"one")
    first = one(adapter).revision
    hand.deploy(ID, hand.version(ID, b"never"), "slow")
    hand.undo(ID, 2)
    hand.set(ID, b"three")
    write(adapter, Delete(ID, one(adapter).revision or ""))
    hand.set(ID, b"five")
    told = [(item.revision, item.value) for item in items(adapter.history(ID, first))]
    assert told == [("3@3", b"three"), ("5@5", b"five")]
    assert [page.proof for page in adapter.history(ID, "9@1").pages] == [None]
    hand.client.delete_hosted_configuration_version(**hand.profile("acme", "settings"), VersionNumber=3)
    assert [page.proof for page in adapter.history(ID, first).pages] == [None]
    assert [page.absent for page in adapter.history("acme/prod/none", None).pages] == [("acme/prod/none",)]


# -- what a crash leaves between the steps


def test_a_version_whose_deployment_never_started_is_deployed_by_the_next_attempt(
    server: AppConfigServer, hand: Hand, adapter: AppConfigAdapter
) -> None:
    hand.set(ID, b"one")
    before = one(adapter)
    hand.version(ID, b"two")
    assert one(adapter) == before
    assert update(adapter, b"two").revision == "2@2"
    assert hand.versions(ID) == [1, 2]


def test_a_version_that_somebody_else_made_meanwhile_is_neither_deployed_nor_lost(
    hand: Hand, adapter: AppConfigAdapter
) -> None:
    hand.set(ID, b"one")
    hand.version(ID, b"a draft of theirs")
    assert update(adapter, b"two").revision == "3@2"
    assert hand.versions(ID) == [1, 2, 3]
    assert one(adapter).value == b"two"


def test_a_version_of_the_same_bytes_and_another_type_is_not_taken_for_ours(
    hand: Hand, adapter: AppConfigAdapter
) -> None:
    hand.set(ID, b"one")
    hand.version(ID, b"two", ContentType="text/plain")
    assert update(adapter, b"two").revision == "3@2"


def test_what_is_deployed_need_not_be_the_latest_version(hand: Hand, adapter: AppConfigAdapter) -> None:
    hand.set(ID, b"one")
    hand.set(ID, b"two")
    hand.deploy(ID, 1)
    assert (one(adapter).value, one(adapter).revision) == (b"one", "1@3")
    assert update(adapter, b"three").revision == "3@4"


def test_a_draft_for_a_new_document_is_taken_up_where_it_is_ours(
    hand: Hand, adapter: AppConfigAdapter
) -> None:
    hand.version(ID, b"first")
    assert listed(adapter) == []
    assert write(adapter, Put(ID, b"first", None)).revision == "1@1"
    assert hand.versions(ID) == [1]


def test_somebody_who_makes_a_version_at_the_same_moment_wins(
    server: AppConfigServer, hand: Hand, adapter: AppConfigAdapter
) -> None:
    hand.set(ID, b"one")
    expected = one(adapter).revision
    hand.set(ID, b"theirs")
    outcome = write(adapter, Put(ID, b"ours", expected, attributes=JSON))
    assert outcome.verdict is RACED
    assert hand.versions(ID) == [1, 2]
    assert one(adapter).value == b"theirs"


def test_a_profile_that_was_made_anew_under_its_name_is_found_again(
    hand: Hand, adapter: AppConfigAdapter
) -> None:
    write(adapter, Put(ID, b"old", None))
    hand.delete(ID)
    hand.profile("acme", "settings")
    with pytest.raises(Unavailable, match="made anew"):
        items(adapter.get([ID]))
    assert items(adapter.get([ID])) == []
    hand.set(ID, b"new")
    assert (one(adapter).value, listed(adapter)[0].value) == (b"new", b"new")


def test_a_version_in_force_that_was_deleted_is_said(hand: Hand, adapter: AppConfigAdapter) -> None:
    hand.set(ID, b"one")
    profile = hand.profile("acme", "settings")
    hand.client.delete_hosted_configuration_version(**profile, VersionNumber=1)
    [item] = listed(adapter)
    assert item.value is None and "deleted from the hosted store" in (item.unreadable or "")


def test_an_environment_that_was_made_anew_is_found_by_the_next_look(
    server: AppConfigServer, hand: Hand, adapter: AppConfigAdapter
) -> None:
    hand.set(ID, b"one")
    proof = list(pages_of(adapter.list(PLACE, None)))[-1].proof
    assert proof is not None
    there = hand.environment("acme", "prod")
    hand.client.delete_environment(**there)
    hand.client.create_environment(ApplicationId=there["ApplicationId"], Name="prod")
    assert items(adapter.list(PLACE, proof.token)) == []


def test_another_environment_that_was_given_the_name_is_not_unchanged(
    server: AppConfigServer, hand: Hand, adapter: AppConfigAdapter
) -> None:
    hand.set(ID, b"blue")
    hand.set(ID.replace("prod", "staging"), b"green")
    proof = list(pages_of(adapter.list(PLACE, None)))[-1].proof
    assert proof is not None
    blue, green = hand.environment("acme", "prod"), hand.environment("acme", "staging")
    hand.client.update_environment(**blue, Name="former")
    hand.client.update_environment(**green, Name="prod")
    [item] = items(adapter_of(server).list(PLACE, proof.token))
    assert item.value == b"green"


# -- somebody else at the same moment


def test_a_deployment_of_another_profile_in_between_is_no_conflict(
    server: AppConfigServer, hand: Hand, adapter: AppConfigAdapter
) -> None:
    hand.set(ID, b"one")
    change = put(adapter)
    server.before_next(START, lambda: hand.set("acme/prod/other", b"{}"))
    assert write(adapter, change).revision == "2@3"
    assert hand.versions(ID) == [1, 2]


def test_a_deployment_of_the_same_profile_in_between_is_raced_and_stays(
    server: AppConfigServer, hand: Hand, adapter: AppConfigAdapter
) -> None:
    hand.set(ID, b"one")
    change = put(adapter)
    server.before_next(START, lambda: hand.set(ID, b"theirs"))
    assert write(adapter, change).verdict is RACED
    assert (one(adapter).value, one(adapter).revision) == (b"theirs", "3@2")
    # What was made and not deployed is still there, and no longer the latest: a later write makes its own.
    assert hand.versions(ID) == [1, 2, 3]


def test_a_version_made_between_look_and_lock_is_raced(
    server: AppConfigServer, hand: Hand, adapter: AppConfigAdapter
) -> None:
    hand.set(ID, b"one")
    change = put(adapter)
    hand.version(ID, b"a draft")
    server.before_next("GetHostedConfigurationVersion", lambda: hand.version(ID, b"another"))
    assert write(adapter, change).verdict is RACED
    assert hand.deployments(ID) == [(1, "1")]
    assert write(adapter, change).verdict is APPLIED


def test_a_deployment_that_began_in_between_leaves_the_version_for_the_next_run(
    server: AppConfigServer, hand: Hand, adapter: AppConfigAdapter
) -> None:
    hand.set(ID, b"one")
    change = put(adapter)
    server.before_next(
        START, lambda: hand.deploy("acme/prod/other", hand.version("acme/prod/other", b"{}"), "slow")
    )
    outcome = write(adapter, change)
    assert outcome.verdict is REFUSED
    assert "version 2 is made, and the next run deploys it" in outcome.reason
    server.advance(20)
    assert write(adapter, change).revision == "2@3"
    assert hand.versions(ID) == [1, 2]


def test_threads_that_update_the_same_document_have_one_winner(hand: Hand, adapter: AppConfigAdapter) -> None:
    hand.set(ID, b"one")
    expected = one(adapter).revision
    seen: list[Verdict] = []
    start = threading.Barrier(8)

    def update(number: int) -> None:
        start.wait()
        seen.append(write(adapter, Put(ID, b"%d" % number, expected, attributes=JSON)).verdict)

    threads = [threading.Thread(target=update, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == sorted([APPLIED] + [RACED] * 7)


def test_a_document_that_somebody_creates_in_between_is_raced_and_stays(
    server: AppConfigServer, hand: Hand, adapter: AppConfigAdapter
) -> None:
    hand.set("acme/prod/another", b"{}")
    server.before_next(START, lambda: hand.set(ID, b"theirs"))
    assert write(adapter, Put(ID, b"ours", None)).verdict is RACED
    assert one(adapter).value == b"theirs"
