"""The corners of nested and flat documents: what is too deep, shared, doubled or cannot be said."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from ecs_sync.adapter import Item
from ecs_sync.errors import MappingError
from ecs_sync.mapping import Refusal
from ecs_sync.model import Entry, Key, Scope, Type, Value
from ecs_sync_mappings.document import DocumentMapping, DocumentOptions
from ecs_sync_mappings.formats.leaves import Splice, splice
from ecs_sync_mappings.formats.tree import scalar_json

CANARY = "canary-5f1c"
FLAG = Value(Type.FLAG, '{"enabled":true}')


@dataclass(frozen=True)
class File:
    root: str


def opened(id: str, text: str, lists: str = "json") -> tuple[DocumentMapping, Item]:
    options = DocumentOptions(lists=lists)  # type: ignore[arg-type]
    return DocumentMapping(options, File(id), Scope()), Item(id, text.encode())


def read(id: str, text: str, lists: str = "json") -> tuple[dict[str, Value], dict[str, str]]:
    """The values and the refusals of a document, by key."""
    mapping, item = opened(id, text, lists)
    found = mapping.read(item)
    values = {one.key.text: one.value for one in found if isinstance(one, Entry)}
    refusals = {one.key.text: one.reason for one in found if isinstance(one, Refusal) and one.key}
    return values, refusals


def changed(id: str, text: str, edits: dict[str, Value | None], lists: str = "json") -> str:
    """The text after values are set, or taken out where an edit is None."""
    mapping, item = opened(id, text, lists)
    wanted: dict[str, Value | None] = {**read(id, text, lists)[0], **edits}
    entries = [Entry(Key.parse(key), value) for key, value in wanted.items() if value is not None]
    written = mapping.write(id, entries, item)
    assert written is not None
    assert written.value is not None
    return written.value.decode()


def deep(opening: str, closing: str, inner: str) -> str:
    """``inner`` below 60 levels; two of these, one inside of the other, pass the limit of 100."""
    return opening * 60 + inner + closing * 60


@pytest.mark.parametrize(("opening", "closing"), [("{a: ", "}"), ("[", "]")], ids=["maps", "lists"])
def test_nesting_that_only_aliases_make_too_deep_is_refused_with_its_place(
    opening: str, closing: str
) -> None:
    text = f"low: &low {deep(opening, closing, CANARY)}\nhigh: {deep(opening, closing, '*low')}\n"
    with pytest.raises(MappingError, match=r"^a\.yml:1:\d+: nested deeper than 100 levels") as caught:
        read("a.yml", text)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    ("element", "reason"),
    [
        (".inf", "infinity and not-a-number have no form"),
        (f"!mine [{CANARY}]", "a YAML tag that has no meaning here"),
        (f"!mine {CANARY}", "a YAML tag that has no meaning here"),
        ("!!binary Y2FuYXJ5LTVmMWM=", "bytes have no form in JSON"),
    ],
)
def test_a_list_with_one_element_that_has_no_json_form_is_refused_and_its_neighbours_are_read(
    element: str, reason: str
) -> None:
    values, refusals = read("a.yml", f"before: 1\nlist: [one, {{two: {element}}}]\nafter: 2\n")
    assert values == {"before": Value.integer(1), "after": Value.integer(2)}
    assert reason in refusals["list"]
    assert CANARY not in refusals["list"]


@pytest.mark.parametrize("empty", ["{}", "[]", "[1]"])
def test_a_tagged_container_is_refused_for_its_tag_and_not_read_as_if_untagged(empty: str) -> None:
    values, refusals = read("a.yml", f"tagged: !mine {empty}\nplain: {empty}\n")
    assert values == {"plain": Value.json(empty)}
    assert "remove the tag" in refusals["tagged"]


@pytest.mark.parametrize(
    ("id", "text", "left"),
    [
        ("a.json", '{"a": 1, "b": 2, "c": 3, "d": 4}', '{"b": 2, "d": 4}'),
        ("a.yml", "a: 1\nb: 2 # kept\nc: 3\nd: 4\n", "b: 2 # kept\nd: 4\n"),
    ],
)
def test_taking_out_values_that_are_no_neighbours_leaves_the_one_between_them(
    id: str, text: str, left: str
) -> None:
    assert changed(id, text, {"a": None, "c": None}) == left


def test_taking_out_what_stands_apart_takes_both_and_all_of_a_run() -> None:
    text = "a: 1\nb: 2\nc: 3\nd: 4\ne: 5\n"
    assert changed("a.yml", text, {"a": None, "b": None, "d": None}) == "c: 3\ne: 5\n"


def test_a_new_name_in_a_map_that_an_alias_shares_is_refused_for_it_would_appear_twice() -> None:
    text = f"one: &both\n  name: {CANARY}\ntwo: *both\n"
    with pytest.raises(MappingError, match="shared by an alias; edit it by hand") as caught:
        changed("a.yml", text, {"one/new": Value.string("x")})
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("id", ["a.json", "a.yml"])
@pytest.mark.parametrize(
    ("value", "lists", "reason"),
    [
        (Value.float("3"), "json", "a float without '.' or exponent reads back as an integer"),
        (Value.json("3"), "json", "a JSON value that is no list reads back as the plain value"),
        (Value.json(f'{{"a":"{CANARY}"}}'), "json", "reads back as one key for each of its names"),
        (Value.json(f'["{CANARY}"]'), "indexed", "reads back as one key for each element"),
        (FLAG, "json", "cannot say a feature flag"),
    ],
    ids=["float", "plain", "object", "list", "flag"],
)
def test_a_value_that_would_come_back_as_another_type_is_refused_before_anything_is_written(
    id: str, value: Value, lists: str, reason: str
) -> None:
    with pytest.raises(MappingError) as caught:
        changed(id, "{}" if id == "a.json" else "", {"key": value}, lists)
    assert reason in str(caught.value)
    assert "key" in str(caught.value)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("text", ["{}", "[]"])
def test_an_empty_list_or_object_is_said_and_comes_back_in_both_ways_of_seeing_lists(text: str) -> None:
    for lists in ("json", "indexed"):
        written = changed("a.json", "{}", {"key": Value.json(text)}, lists)
        assert read("a.json", written, lists)[0] == {"key": Value.json(text)}


@pytest.mark.parametrize("id", [".env", "a.properties", "a.ini"])
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (FLAG, "cannot say a feature flag"),
        (Value.bytes(b"canary"), "cannot say bytes; keep them as a base64 string"),
        (Value.null(), "cannot say null; unset the key or write an empty string"),
    ],
    ids=["flag", "bytes", "null"],
)
def test_a_file_of_plain_text_refuses_what_is_no_text_and_says_what_to_do(
    id: str, value: Value, reason: str
) -> None:
    with pytest.raises(MappingError) as caught:
        changed(id, "", {"KEY": value})
    assert reason in str(caught.value)
    assert "KEY" in str(caught.value)


@pytest.mark.parametrize("value", [FLAG, Value.bytes(CANARY.encode())], ids=["flag", "bytes"])
def test_json_text_is_never_made_of_a_value_that_json_does_not_know(value: Value) -> None:
    with pytest.raises(ValueError, match="no form in JSON") as caught:
        scalar_json(value)
    assert value.text not in str(caught.value)


def test_two_edits_of_the_same_characters_are_refused_and_neighbours_are_both_made() -> None:
    assert splice("abcdef", [Splice(2, 4, "X"), Splice(0, 2, "Y"), Splice(4, 4, "Z")]) == "YXZef"
    with pytest.raises(ValueError, match="two edits meet at one place") as caught:
        splice("abcdef", [Splice(0, 3, CANARY), Splice(2, 4)])
    assert CANARY not in str(caught.value)
