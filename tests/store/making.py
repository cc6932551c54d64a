"""Short words for what the tests put into a store."""

from __future__ import annotations

from ecs_sync.model import HAND_PRIORITY, Entry, Key, Rank, Scope, Value
from ecs_sync.store import EntryChange, Store

KEY = b"a fingerprint key of the tests.."
SEALING_KEY = b"a sealing key of 32 bytes, 0001."
SCOPE = Scope(tenant="acme", environment="prod")
HAND = Rank(HAND_PRIORITY, "hand")


def change(key: str, text: str | None, rank: Rank = HAND) -> EntryChange:
    entry = None if text is None else Entry(Key(key), Value.string(text))
    return EntryChange(Key(key), entry, rank)


def secret(key: str, text: str) -> EntryChange:
    return EntryChange(Key(key), Entry(Key(key), Value.string(text), secret=True), HAND)


def commit(store: Store, *changes: EntryChange, scope: Scope = SCOPE) -> int:
    with store.transaction() as transaction:
        return transaction.commit(scope, changes, origin="hand", reason="a test", who="tester")
