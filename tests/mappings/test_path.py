"""One entry an item: names lead to keys and back, and values stay what they were."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ecs_sync.adapter import Item
from ecs_sync.errors import ConfigError, MappingError
from ecs_sync.mapping import Refusal
from ecs_sync.model import Entry, Key, Scope, Type, Value
from ecs_sync_mappings.path import PathMapping, PathOptions

CANARY = "canary-7f3a-secret"


@dataclass(frozen=True)
class Root:
    root: str


def path(root: str = "app/", **options: str) -> PathMapping:
    return PathMapping(PathOptions(**options), Root(root), Scope())  # type: ignore[arg-type]


def _is_key(segments: list[str]) -> bool:
    try:
        Key.of(*segments)
    except ValueError:
        return False
    return True


SEGMENT = st.text(st.sampled_from("ab01~/.:-_ é#%\\"), min_size=1, max_size=6) | st.text(
    min_size=1, max_size=6
)
KEYS = st.lists(SEGMENT, min_size=1, max_size=4).filter(_is_key).map(lambda s: Key.of(*s))
SEPARATORS = st.sampled_from(["/", ".", ":", "__", "--", "-", "::", "/-"])
TYPES = st.sampled_from(["text", "json"])
RAW = st.binary(max_size=20) | st.text(max_size=20).map(lambda s: s.encode("utf-8", "replace"))
JSON_TEXT = st.sampled_from(
    [b"5", b"-0", b"3.10", b"1e5", b'"x"', b" true", b"null\n", b'{"b": 1, "a": [1.50]}', b'"\\u00e9"', b"[]"]
)
TEXT = st.text().filter(lambda s: not any("\ud800" <= c <= "\udfff" for c in s))
VALUES = st.one_of(
    TEXT.map(Value.string),
    st.integers().map(Value.integer),
    st.sampled_from(["3.10", "1e5", "-0.0"]).map(Value.float),
    st.booleans().map(Value.boolean),
    st.just(Value.null()),
    st.sampled_from(['{"a":1}', "[1,2.50]", "5", '"x"']).map(Value.json),
    st.binary().map(Value.bytes),
    st.just(Value.parse(Type.REFERENCE, "@secret:vault/db#password")),
    st.just(Value.parse(Type.FLAG, '{"enabled":true}')),
)


@given(KEYS, SEPARATORS)
@example(Key.of("a-", "b"), "--")
@example(Key.of("a", "-b"), "--")
@example(Key.of("-", "-b"), "--")
@example(Key.of("~1", "~"), "/")
def test_a_name_leads_back_to_the_key_it_was_made_from(key: Key, separator: str) -> None:
    mapping = path(separator=separator)
    id = mapping.locate(key)
    if isinstance(id, Refusal):
        assert (len(separator), id.key) == (2, key), "one character always leads back"
    else:
        assert mapping.read(Item(id, b"x")) == [Entry(key, Value.string("x"))]


@given(st.text(st.sampled_from("ab01~/.-"), max_size=8) | st.text(max_size=8), SEPARATORS)
def test_a_name_is_read_as_a_key_only_if_that_key_is_written_there(tail: str, separator: str) -> None:
    mapping = path(separator=separator)
    (found,) = mapping.read(Item("app/" + tail, b"x"))
    if isinstance(found, Entry):
        assert mapping.locate(found.key) == "app/" + tail
    else:
        assert found.item == "app/" + tail


@given(KEYS)
def test_with_slashes_every_key_has_a_name_and_the_name_is_its_text(key: Key) -> None:
    assert path().locate(key) == "app/" + key.text


@given(KEYS, KEYS)
def test_names_with_slashes_sort_as_their_keys_do(one: Key, other: Key) -> None:
    mapping = path()
    assert mapping.ordered
    ids = [mapping.locate(one), mapping.locate(other)]
    assert [isinstance(id, str) for id in ids] == [True, True]
    assert (str(ids[0]).encode() < str(ids[1]).encode()) == (one.text.encode() < other.text.encode())


def test_dots_do_not_claim_an_order_that_they_break() -> None:
    mapping = path(separator=".")
    one, other = Key.of("az"), Key.of("a/b")
    assert one < other
    assert str(mapping.locate(one)) > str(mapping.locate(other))
    assert not mapping.ordered


@given(KEYS, RAW | JSON_TEXT, st.booleans(), TYPES)
def test_writing_what_was_read_changes_no_byte(key: Key, raw: bytes, secret: bool, types: str) -> None:
    mapping = path(types=types)
    item = Item("app/" + key.text, raw, secret, (("label", "prod"),), "7")
    (found,) = mapping.read(item)
    if isinstance(found, Entry):
        written = mapping.write(item.id, [found], item)
        assert written is not None
        assert (written.value, written.attributes, written.secret) == (raw, item.attributes, secret)
    else:
        assert types == "json"


@given(KEYS, VALUES, st.booleans(), TYPES, st.none() | RAW)
def test_an_entry_is_the_same_after_its_second_trip(
    key: Key, value: Value, secret: bool, types: str, before: bytes | None
) -> None:
    mapping = path(types=types)
    id = "app/" + key.text
    existing = None if before is None else Item(id, before)
    try:
        written = mapping.write(id, [Entry(key, value, secret)], existing)
    except MappingError:
        assert (types, value.type) in {("text", Type.NULL), ("json", Type.BYTES)}
        return
    assert written is not None
    (image,) = mapping.read(written)
    assert isinstance(image, Entry)
    again = mapping.write(id, [image], written)
    assert again is not None
    assert mapping.read(again) == [image]
    assert (image.key, image.secret) == (key, secret)


@given(st.sampled_from([Type.STRING, Type.INTEGER, Type.FLOAT, Type.BOOLEAN, Type.NULL]), VALUES)
def test_json_literals_keep_the_type(type: Type, value: Value) -> None:
    if value.type is type:
        mapping = path(types="json")
        written = mapping.write("app/k", [Entry(Key.of("k"), value)], None)
        assert written is not None
        assert mapping.read(written) == [Entry(Key.of("k"), value)]


@pytest.mark.parametrize("raw", [b"", b" ", b"x\n", b"x\r\n", "é".encode(), b"\xef\xbb\xbfx", b"5", b"true"])
def test_plain_text_reads_as_a_string_to_the_last_byte(raw: bytes) -> None:
    assert path().read(Item("app/k", raw)) == [Entry(Key.of("k"), Value.string(raw.decode()))]


@pytest.mark.parametrize("raw", [b"\xff", b"a\0b", b"\xed\xa0\x80"])
def test_what_is_no_text_reads_as_bytes(raw: bytes) -> None:
    assert path().read(Item("app/k", raw)) == [Entry(Key.of("k"), Value.bytes(raw))]


@pytest.mark.parametrize("tail", ["", "/", "a/", "/a", "a//b", "a/../b", "a~b", "a\nb", "e\u0301"])
def test_a_name_that_is_no_key_is_refused_by_name(tail: str) -> None:
    (refusal,) = path().read(Item("app/" + tail, b"x"))
    assert isinstance(refusal, Refusal)
    assert (refusal.item, refusal.key) == ("app/" + tail, None)


def test_an_item_of_another_place_is_refused() -> None:
    (refusal,) = path().read(Item("other/k", b"x"))
    assert isinstance(refusal, Refusal)


def test_an_unreadable_item_makes_its_key_unseen_with_the_reason() -> None:
    item = Item("app/k", None, unreadable="the credential may not decrypt it")
    assert path().read(item) == [Refusal("the credential may not decrypt it", Key.of("k"), "app/k")]


def test_null_is_refused_in_plain_text_and_said_in_json() -> None:
    entry = Entry(Key.of("k"), Value.null())
    with pytest.raises(MappingError, match="null cannot be said"):
        path().write("app/k", [entry], None)
    assert path(types="json").write("app/k", [entry], None) == Item("app/k", b"null")


def test_no_entry_deletes_the_item() -> None:
    assert path().write("app/k", [], Item("app/k", b"x")) is None


def test_an_entry_of_another_item_is_refused() -> None:
    with pytest.raises(MappingError, match="one key in one item"):
        path().write("app/k", [Entry(Key.of("other"), Value.string(CANARY))], None)


def test_no_refusal_shows_the_value() -> None:
    mapping = path(types="json")
    (refusal,) = mapping.read(Item("app/k", f"[{CANARY}".encode()))
    assert isinstance(refusal, Refusal)
    assert CANARY not in repr(refusal)
    with pytest.raises(MappingError) as raised:
        mapping.write("app/k", [Entry(Key.of("k"), Value.bytes(CANARY.encode()))], None)
    assert CANARY not in str(raised.value)
    assert Value.bytes(CANARY.encode()).text not in str(raised.value)


@pytest.mark.parametrize("separator", ["", "x", "~", "0", "é", "a."])
def test_a_separator_that_could_be_part_of_a_name_is_a_mistake_in_the_configuration(separator: str) -> None:
    with pytest.raises(ConfigError, match="option separator"):
        path(separator=separator)
