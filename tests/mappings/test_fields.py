"""A JSON object is one item and its fields are entries: types stay, and so does what is not ours."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from ecs_sync.adapter import Item
from ecs_sync.errors import MappingError
from ecs_sync.mapping import Refusal
from ecs_sync.model import Entry, Key, Scope, Type, Value
from ecs_sync_mappings.fields import FieldsMapping, FieldsOptions

CANARY = "canary-2b8f-secret"


@dataclass(frozen=True)
class Folder:
    root: str


@dataclass(frozen=True)
class One:
    root: str

    @property
    def single_item(self) -> str:
        return self.root


def folder(root: str = "acme/") -> FieldsMapping:
    return FieldsMapping(FieldsOptions(), Folder(root), Scope())


def one(root: str = "acme/db") -> FieldsMapping:
    return FieldsMapping(FieldsOptions(), One(root), Scope())


def entry(key: str, value: Value, secret: bool = False) -> Entry:
    return Entry(Key.parse(key), value, secret)


def written(mapping: FieldsMapping, id: str, entries: list[Entry], before: str | None = None) -> bytes | None:
    existing = None if before is None else Item(id, before.encode(), revision="3")
    item = mapping.write(id, entries, existing)
    return None if item is None else item.value


def test_a_key_lies_in_the_item_before_its_last_segment() -> None:
    assert folder().locate(Key.parse("payments/db/password")) == "acme/payments/db"
    assert folder("").locate(Key.parse("db/password")) == "db"
    assert folder("pay-").locate(Key.parse("db/password")) == "pay-db"


def test_a_key_without_an_item_is_refused_with_its_name() -> None:
    refused = folder().locate(Key.parse("password"))
    assert isinstance(refused, Refusal)
    assert refused.key == Key.parse("password")
    assert "item/field" in refused.reason


def test_at_a_place_of_one_item_a_key_is_a_field_and_no_more() -> None:
    assert one().locate(Key.parse("password")) == "acme/db"
    refused = one().locate(Key.parse("db/password"))
    assert isinstance(refused, Refusal)
    assert refused.key == Key.parse("db/password")


def test_every_field_is_an_entry_of_its_type() -> None:
    text = '{"s":"5","i":5,"f":1.50,"b":true,"n":null,"o":{"y":1,"x":[2.0]},"l":[ 1 ],"empty":""}'
    read = folder().read(Item("acme/db", text.encode(), secret=True))
    assert read == [
        entry("db/s", Value.string("5"), True),
        entry("db/i", Value.integer(5), True),
        entry("db/f", Value.float("1.50"), True),
        entry("db/b", Value.boolean(True), True),
        entry("db/n", Value.null(), True),
        entry("db/o", Value.json('{"x":[2.0],"y":1}'), True),
        entry("db/l", Value.json("[1]"), True),
        entry("db/empty", Value.string(""), True),
    ]


def test_whole_numbers_of_any_size_stay_whole() -> None:
    (found,) = one().read(Item("acme/db", b'{"id":12345678901234567890123}'))
    assert found == entry("id", Value.parse(Type.INTEGER, "12345678901234567890123"))


def test_a_new_item_is_a_canonical_object() -> None:
    entries = [
        entry("db/user", Value.string('a "b"')),
        entry("db/port", Value.integer(5)),
        entry("db/a~1b", Value.null()),
    ]
    assert written(folder(), "acme/db", entries) == b'{"a/b":null,"port":5,"user":"a \\"b\\""}'
    assert written(folder(), "acme/db", []) is None


def test_what_nobody_changed_stays_to_the_byte() -> None:
    before = '{\n  "user": "app",   "rate": 1.50,\n  "theirs": {"b" : 1, "a": 2}\n}\n'
    read = one().read(Item("acme/db", before.encode()))
    entries = [each for each in read if isinstance(each, Entry)]
    assert written(one(), "acme/db", entries, before) == before.encode()
    changed = [entry("user", Value.string("other")), *entries[1:]]
    assert written(one(), "acme/db", changed, before) == before.replace('"app"', '"other"').encode()
    assert written(one(), "acme/db", entries[:2], before) == b'{\n  "user": "app",   "rate": 1.50\n}\n'


def test_a_field_is_added_beside_the_others() -> None:
    entries = [entry("user", Value.string("app")), entry("port", Value.integer(5))]
    assert written(one(), "acme/db", entries, '{"user":"app"}') == b'{"user":"app", "port": 5}'


def test_a_field_may_become_an_object_and_an_object_a_text() -> None:
    swapped = [entry("a", Value.json('{"x":1}')), entry("b", Value.string("x"))]
    assert written(one(), "acme/db", swapped, '{"a":"x","b":{"x":1}}') == b'{"a":{"x":1},"b":"x"}'


def test_an_item_without_a_field_left_is_deleted() -> None:
    assert written(one(), "acme/db", [], '{"user":"app"}') is None


def test_an_empty_object_that_was_there_stays() -> None:
    assert written(one(), "acme/db", [], "{}") == b"{}"


def test_a_field_that_is_no_key_survives_and_is_told() -> None:
    before = '{"user":"app","..":"theirs"}'
    read = one().read(Item("acme/db", before.encode()))
    assert [each for each in read if isinstance(each, Entry)] == [entry("user", Value.string("app"))]
    (refused,) = [each for each in read if isinstance(each, Refusal)]
    assert refused.key is None and refused.item == "acme/db"
    assert written(one(), "acme/db", [], before) == b'{"..":"theirs"}'


def test_a_name_that_stands_twice_is_refused_once_and_never_written() -> None:
    before = '{"a":1,"a":2,"b":3}'
    read = one().read(Item("acme/db", before.encode()))
    assert [each.key for each in read if isinstance(each, Refusal)] == [Key.parse("a")]
    with pytest.raises(MappingError, match="stands twice"):
        one().write("acme/db", [entry("a", Value.integer(4))], Item("acme/db", before.encode()))
    assert written(one(), "acme/db", [entry("b", Value.integer(4))], before) == b'{"a":1,"a":2,"b":4}'


@pytest.mark.parametrize("raw", [b"[1]", b"null", b'"x"', b"5", b"", b"{", b"\xff\xfe", b'{"a":NaN}'])
def test_what_is_no_object_is_refused_by_its_item_and_not_overwritten(raw: bytes) -> None:
    (refused,) = one().read(Item("acme/db", raw))
    assert isinstance(refused, Refusal)
    assert refused.item == "acme/db" and refused.key is None
    with pytest.raises(MappingError, match="acme/db"):
        one().write("acme/db", [entry("a", Value.integer(1))], Item("acme/db", raw))


def test_an_unreadable_item_says_why() -> None:
    (refused,) = folder().read(Item("acme/db", None, unreadable="the token may not"))
    assert refused == Refusal("the token may not", item="acme/db")
    (refused,) = folder().read(Item("acme/db", None))
    assert isinstance(refused, Refusal) and "without its value" in refused.reason


@pytest.mark.parametrize("id", ["acme/", "acme/a//b", "acme/../x", "other/db", "acme/a~b"])
def test_an_item_whose_name_is_no_key_is_refused(id: str) -> None:
    (refused,) = folder().read(Item(id, b'{"a":1}'))
    assert isinstance(refused, Refusal)
    assert refused.item == id


def test_an_item_is_made_anew_where_its_value_is_not_known() -> None:
    before = Item("acme/db", None, unreadable="gone")
    after = one().write("acme/db", [entry("a", Value.integer(1), secret=True)], before)
    assert after == Item("acme/db", b'{"a":1}', secret=True)


def test_a_secret_field_makes_a_secret_item_and_attributes_stay() -> None:
    before = Item("acme/db", b'{"a":1}', attributes=(("metadata:owner", "x"),), revision="3")
    after = one().write("acme/db", [entry("a", Value.integer(2), secret=True)], before)
    assert after == Item("acme/db", b'{"a":2}', secret=True, attributes=(("metadata:owner", "x"),))


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (Value.bytes(CANARY.encode()), "base64"),
        (Value.float("5"), "integer"),
        (Value.json(f'"{CANARY}"'), "plain value"),
        (Value.parse(Type.FLAG, "true"), "plain value"),
    ],
)
def test_what_a_field_cannot_say_is_refused_without_the_value(value: Value, reason: str) -> None:
    with pytest.raises(MappingError, match=reason) as caught:
        one().write("acme/db", [entry("a", value), entry("b/c", Value.null())], None)
    assert "b/c: it is no field of this item" in str(caught.value)
    assert CANARY not in str(caught.value)


def test_references_and_flags_read_back_as_string_and_json() -> None:
    entries = [
        entry("ref", Value.parse(Type.REFERENCE, "@secret:vault/db#password")),
        entry("flag", Value.parse(Type.FLAG, '{"enabled":true}')),
    ]
    raw = written(one(), "acme/db", entries)
    assert raw is not None
    assert one().read(Item("acme/db", raw)) == [
        entry("flag", Value.json('{"enabled":true}')),
        entry("ref", Value.string("@secret:vault/db#password")),
    ]


def test_it_is_neither_single_nor_ordered() -> None:
    assert (folder().single, folder().ordered) == (False, False)
