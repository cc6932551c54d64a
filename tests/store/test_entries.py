"""What was committed is there, as of every version."""

from __future__ import annotations

import pytest

from ecs_sync.errors import StalePlan, StoreError
from ecs_sync.model import Key, Scope
from ecs_sync.store import Desired, Store

from .making import HAND, KEY, SCOPE, change, commit, secret


def test_a_new_store_has_an_identity_and_no_versions(store: Store) -> None:
    assert len(store.identity) == 32
    assert store.head() == 0
    assert list(store.desired(SCOPE, 0)) == []


def test_every_version_stays_readable_after_later_ones(store: Store) -> None:
    first = commit(store, change("a", "1"), change("b", "1"))
    second = commit(store, change("a", "2"))
    third = commit(store, change("b", None))

    assert list(store.desired(SCOPE, first)) == [
        Desired("a", first, present=True, secret=False),
        Desired("b", first, present=True, secret=False),
    ]
    assert list(store.desired(SCOPE, third)) == [
        Desired("a", second, present=True, secret=False),
        Desired("b", third, present=False, secret=False),
    ]
    assert store.at(SCOPE, first)["b"].entry == change("b", "1").entry
    assert store.stored(SCOPE, ["a"], first)["a"].entry == change("a", "1").entry


def test_history_names_who_why_and_whence_newest_first(store: Store) -> None:
    commit(store, change("a", "1"))
    commit(store, change("a", None))
    (unset, gone), (set_, there) = store.history(SCOPE, Key("a"))
    assert (unset.who, unset.reason, unset.origin) == ("tester", "a test", "hand")
    assert not gone.present
    assert there.rank == HAND
    assert set_.number < unset.number


def test_a_commit_on_a_moved_key_is_refused_by_name_and_changes_nothing(store: Store) -> None:
    first = commit(store, change("a", "1"), change("b", "1"))
    second = commit(store, change("a", "2"))
    with pytest.raises(StalePlan, match="a moved"), store.transaction() as transaction:
        transaction.commit(
            SCOPE,
            [change("a", "3")],
            origin="hand",
            reason="",
            who="tester",
            expect={"a": first, "b": first, "new": 0},
        )
    assert store.head() == second


def test_scopes_do_not_see_each_others_keys(store: Store) -> None:
    other = Scope(tenant="globex")
    commit(store, change("a", "1"))
    commit(store, change("a", "2"), scope=other)
    assert store.stored(SCOPE, ["a"])["a"].entry == change("a", "1").entry
    assert store.scopes() == [SCOPE, other]


def test_a_secret_is_sealed_and_opens_again(url: str, store: Store) -> None:
    commit(store, secret("password", "correct horse"))
    assert store.stored(SCOPE, ["password"])["password"].entry == secret("password", "correct horse").entry
    with Store.open(url, fingerprint_key=KEY) as without:
        stored = without.stored(SCOPE, ["password"])["password"]
        assert stored.sealed
        assert stored.entry is None
        assert stored.present
        with pytest.raises(StoreError, match=r"store\.key"):
            commit(without, secret("other", "correct horse"))
