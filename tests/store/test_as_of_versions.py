"""Whatever was committed in whatever order, every reading as of a version agrees with a simple model."""

from __future__ import annotations

import uuid

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecs_sync.model import Entry, Key, Rank, Scope, Type, Value, metadata
from ecs_sync.store import EntryChange, Store

segments = st.text(
    st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="~/"), min_size=1, max_size=4
)
texts = st.text(st.characters(codec="utf-8"), max_size=8)


def key_of(segment: str) -> Key:
    try:
        return Key.of(segment)
    except ValueError:
        return Key.of("what was drawn is no key")


keys = st.one_of(
    st.sampled_from(["a", "a/b", "a-b", "A", "ab", "é", "\U0001f511"]).map(Key.parse),
    segments.map(key_of),
)
values = st.one_of(
    texts.map(Value.string),
    st.integers().map(Value.integer),
    st.booleans().map(Value.boolean),
    st.binary(max_size=8).map(Value.bytes),
    st.just(Value.null()),
    st.just(Value.json('{"a": [1.0, null]}')),
    st.just(Value(Type.REFERENCE, "@secret:vault/a#b")),
)
ranks = st.builds(Rank, st.integers(-5, 2**31 - 1), st.sampled_from(["hand", "consul", "ssm"]))


@st.composite
def changes(draw: st.DrawFn, chosen: Key) -> EntryChange:
    if draw(st.booleans()) and draw(st.booleans()):
        return EntryChange(chosen, None, draw(ranks))
    described = metadata(draw(st.dictionaries(texts, texts, max_size=2)))
    entry = Entry(chosen, draw(values), secret=draw(st.booleans()), metadata=described)
    return EntryChange(chosen, entry, draw(ranks))


@st.composite
def commits(draw: st.DrawFn) -> list[list[EntryChange]]:
    pool = draw(st.lists(keys, min_size=1, max_size=5, unique=True))
    chosen = st.lists(st.sampled_from(pool), min_size=1, max_size=len(pool), unique=True)
    return [[draw(changes(key)) for key in draw(chosen)] for _ in range(draw(st.integers(1, 5)))]


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(history=commits())
def test_every_reading_agrees_with_the_list_of_commits(
    store: Store, history: list[list[EntryChange]]
) -> None:
    scope = Scope(tenant=uuid.uuid4().hex)
    newest: dict[str, EntryChange] = {}
    numbers: list[int] = []
    states: list[dict[str, tuple[int, EntryChange]]] = [{}]
    for changed in history:
        expect = {change.key.text: states[-1].get(change.key.text, (0, None))[0] for change in changed}
        with store.transaction() as transaction:
            number = transaction.commit(scope, changed, origin="hand", reason="", who="tester", expect=expect)
            numbers.append(number)
        newest.update({change.key.text: change for change in changed})
        states.append(states[-1] | {change.key.text: (number, change) for change in changed})

    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    for at, state in zip([numbers[0] - 1, *numbers], states, strict=True):
        rows = list(store.desired(scope, at))
        assert [row.key for row in rows] == sorted(state, key=lambda key: key.encode())
        for row in rows:
            number, change = state[row.key]
            secret = change.entry is not None and change.entry.secret
            assert (row.version, row.present, row.secret) == (number, change.entry is not None, secret)
        read = store.at(scope, at)
        assert read == store.stored(scope, [*state, "never there"], at)
        for key, (number, change) in state.items():
            stored = read[key]
            assert (stored.version, stored.entry, stored.rank) == (number, change.entry, change.rank)
            expected = None if change.entry is None else store.fingerprinter.of(change.entry)
            assert (stored.fingerprint, stored.sealed) == (expected, False)
    assert_later_agrees(store, scope, numbers, states)


def assert_later_agrees(
    store: Store, scope: Scope, numbers: list[int], states: list[dict[str, tuple[int, EntryChange]]]
) -> None:
    known = states[-1]
    for at in (numbers[0], numbers[-1]):
        after = {key: numbers[index % len(numbers)] - 1 for index, key in enumerate(sorted(known))}
        later = store.later(scope, after, at)
        assert set(later) == set(known)
        for key, versions in later.items():
            every = [one.version for _, one in store.history(scope, Key(key))][::-1]
            assert [one.version for one in versions] == [v for v in every if after[key] < v <= at]


def test_pages_join_without_a_gap_or_an_overlap(store: Store) -> None:
    scope = Scope(tenant="large")
    names = [f"key{number:06d}" for number in range(20_001)]
    rank = Rank(1, "hand")
    entries = [EntryChange(Key(n), Entry(Key(n), Value.string(n)), rank) for n in reversed(names)]
    with store.transaction() as transaction:
        transaction.commit(scope, entries, origin="hand", reason="", who="tester")
    assert [row.key for row in store.desired(scope, 1)] == names
    assert [row.key.text for row in store.entries(scope, 1)] == names
    assert list(store.stored(scope, names[::7])) == names[::7]


def test_a_reader_is_not_disturbed_by_commits_in_between(store: Store) -> None:
    scope = Scope(tenant="large")
    rank = Rank(1, "hand")
    names = [Key(f"key{number:06d}") for number in range(10_001)]

    def commit(text: str) -> int:
        entries = [EntryChange(name, Entry(name, Value.string(text)), rank) for name in names]
        with store.transaction() as transaction:
            return transaction.commit(scope, entries, origin="hand", reason="", who="tester")

    old = commit("old")
    reading = store.entries(scope, old)
    first = next(reading)
    commit("new")
    rows = [first, *reading]
    assert [row.key for row in rows] == names
    assert {row.version for row in rows} == {old}
