"""The rare corners of YAML: documents that hold nothing yet, lists by index, tags, merge keys, bad names."""

from __future__ import annotations

import pytest

from ecs_sync.model import Type, Value
from ecs_sync_mappings.formats import yaml
from ecs_sync_mappings.formats.leaves import Edits, Leaf, Lists, Path, Unparsable, View

PLAIN = View()
INDEXED = View(lists=Lists.INDEXED)
CANARY = "canary-9f2c"


def leaves(text: str, view: View = PLAIN) -> dict[Path, Leaf]:
    return {leaf.path: leaf for leaf in yaml.parse(text, view).leaves}


def values(text: str, view: View = PLAIN) -> dict[str, Value | None]:
    return {".".join(path): leaf.value for path, leaf in leaves(text, view).items()}


def added(text: str, new: dict[str, str], view: View = PLAIN) -> str:
    """The text with these strings put in; they, and all that was there, must read back."""
    edits = Edits(add={tuple(name.split(".")): Value.string(value) for name, value in new.items()})
    edited = yaml.parse(text, view).edit(edits)
    strings = {name: Value.string(value) for name, value in new.items()}
    assert values(edited, view) == values(text, view) | strings
    return edited


def replaced(text: str, name: str, value: str, view: View = PLAIN) -> str:
    """The text with this string instead of the one at ``name``; all others must read back as they were."""
    edits = Edits(replace={tuple(name.split(".")): Value.string(value)})
    edited = yaml.parse(text, view).edit(edits)
    assert values(edited, view) == values(text, view) | {name: Value.string(value)}
    return edited


def refusal(text: str) -> str:
    """Why the one value of this document cannot be read."""
    (leaf,) = leaves(text).values()
    assert leaf.value is None
    assert CANARY not in leaf.refusal
    return leaf.refusal


def complaint(text: str) -> tuple[str, tuple[int, int]]:
    """Why a document cannot be read, and the line and column where."""
    with pytest.raises(Unparsable) as raised:
        yaml.parse(text, PLAIN)
    assert CANARY not in raised.value.reason
    return raised.value.reason, raised.value.position(text)


@pytest.mark.parametrize(
    ("empty", "filled"),
    [
        ("---\n", "---\na:\n  b: x\n"),
        ("---", "---\na:\n  b: x\n"),
        ("---\r\n", "---\r\na:\r\n  b: x\r\n"),
        ("# head\n---\n# tail\n", "# head\n---\na:\n  b: x\n# tail\n"),
        ("--- # why\n...\n", "--- # why\na:\n  b: x\n...\n"),
        ("# head\nnull # why\n", "# head\na:\n  b: x\n # why\n"),
        ("---\n---\nother: 1\n", "---\na:\n  b: x\n---\nother: 1\n"),
        ("---\nspring.profiles: dev\n---\n", "---\nspring.profiles: dev\n---\na:\n  b: x\n"),
    ],
)
def test_the_first_key_of_an_empty_document_goes_into_it_and_keeps_its_markers_and_comments(
    empty: str, filled: str
) -> None:
    assert added(empty, {"a.b": "x"}) == filled


@pytest.mark.parametrize(
    ("profiles", "all_of_it"),
    [
        ("spring.profiles: dev\n", "a:\n  b: x\n---\nspring.profiles: dev\n"),
        ("---\nspring.profiles: dev\n", "a:\n  b: x\n---\nspring.profiles: dev\n"),
        ("---\r\nspring.profiles: dev\r\n", "a:\r\n  b: x\r\n---\r\nspring.profiles: dev\r\n"),
        ("%YAML 1.2\n---\nspring.profiles: dev\n", "a:\n  b: x\n...\n%YAML 1.2\n---\nspring.profiles: dev\n"),
    ],
)
def test_the_first_key_of_no_profile_stands_before_all_profiles(profiles: str, all_of_it: str) -> None:
    assert added(profiles, {"a.b": "x"}) == all_of_it


@pytest.mark.parametrize(
    "directive", ["%YAML 1.2", "%YAML 1.1", "%TAG !e! tag:example.org,2000:", "%OTHER word"]
)
def test_a_directive_is_kept_and_changes_no_meaning(directive: str) -> None:
    text = f"{directive}\n---\na: no\n"
    assert values(text) == {"a": Value.string("no")}
    assert added(text, {"b": "x"}) == f"{text}b: x\n"
    assert replaced(text, "a", "yes") == f'{directive}\n---\na: "yes"\n'


def test_a_version_of_yaml_that_is_not_known_is_refused() -> None:
    reason, _ = complaint("%YAML 2.0\n---\na: 1\n")
    assert "version 1.* is required" in reason


def test_an_explicit_null_makes_way_for_the_first_key_of_a_document() -> None:
    assert "~" not in added("--- ~\n", {"a.b": "x"})


def test_the_next_element_of_an_indexed_list_goes_below_the_last_one_with_its_indentation() -> None:
    edited = added("a:\n  - one # first\nb: end\n", {"a.1": "two"}, INDEXED)
    assert edited == "a:\n  - one # first\n  - two\nb: end\n"


def test_a_map_can_be_the_next_element_of_an_indexed_list() -> None:
    edited = added("a:\n- one\n", {"a.1.name": "x", "a.1.port": "80"}, INDEXED)
    assert edited == 'a:\n- one\n- {name: x, port: "80"}\n'


def test_the_next_elements_of_a_list_in_brackets_stay_in_the_brackets() -> None:
    assert added("a: [one]\n", {"a.1": "two", "a.2": "three"}, INDEXED) == "a: [one, two, three]\n"


def test_keys_named_by_index_make_a_new_list_in_the_order_of_their_numbers() -> None:
    new = {f"a.{index}": f"v{index}" for index in reversed(range(11))}
    edited = added("b: end\n", new, INDEXED)
    assert edited == "b: end\na:\n" + "".join(f"  - v{index}\n" for index in range(11))


def test_lists_in_a_new_list_are_written_as_lists() -> None:
    edited = added("b: end\n", {"a.0.0": "p", "a.0.1": "q", "a.1.name": "r"}, INDEXED)
    assert edited == "b: end\na:\n  - [p, q]\n  - {name: r}\n"


def test_keys_named_by_index_stay_names_where_lists_are_one_value() -> None:
    assert added("b: end\n", {"a.0": "p"}) == 'b: end\na:\n  "0": p\n'


def test_an_empty_element_of_a_list_can_get_a_value() -> None:
    assert values("a:\n-\n- b\n", INDEXED)["a.0"] == Value.null()
    assert replaced("a:\n-\n- b\n", "a.0", "x", INDEXED) == "a:\n- x\n- b\n"


def test_a_block_text_that_begins_with_a_blank_line_keeps_its_indentation_when_replaced() -> None:
    edited = replaced("a: |\n\n     one\n     two\nb: end\n", "a", "p\nq\n")
    assert edited == "a: |\n     p\n     q\nb: end\n"


@pytest.mark.parametrize("after", ["", "  b: end\n"])
def test_an_empty_block_text_takes_lines_and_leaves_its_neighbour_alone(after: str) -> None:
    edited = replaced(f"k:\n  a: |\n{after}", "k.a", "p\nq\n")
    assert edited == f"k:\n  a: |\n    p\n    q\n{after}"


def test_a_name_too_long_for_yaml_is_refused_instead_of_written_so_that_nobody_can_read_it() -> None:
    longest = "n" * 500
    added("b: end\n", {longest: "x"})
    with pytest.raises(ValueError, match="more than 500 characters; shorten it") as raised:
        added("b: end\n", {longest + "n": CANARY})
    assert CANARY not in str(raised.value)


@pytest.mark.parametrize("text", ["spring: dev\nb: end\n", "spring:\n  config: dev\nb: end\n"])
def test_a_value_on_the_way_to_the_profile_selector_is_an_entry_and_selects_nothing(text: str) -> None:
    assert Value.string("dev") in values(text).values()
    assert values(text, View(profile="dev")) == {}


@pytest.mark.parametrize("name", ["&x a", "!!str a"])
def test_a_name_with_an_anchor_or_a_tag_is_told_with_its_line(name: str) -> None:
    reason, where = complaint(f"first: 1\n{name}: {CANARY}\n")
    assert reason == "a name has an anchor or a tag; only plain names can be keys"
    assert where == (2, 1)


def test_a_merge_of_several_maps_takes_each_name_from_the_first_that_has_it() -> None:
    text = "x: &x {p: 1, q: 2}\ny: &y {q: 3, r: 4}\nz:\n  <<: [*x, *y]\n  p: 5\n"
    merged = {name: value for name, value in values(text).items() if name.startswith("z.")}
    assert merged == {"z.p": Value.integer(5), "z.q": Value.integer(2), "z.r": Value.integer(4)}


@pytest.mark.parametrize("source", [CANARY, "*x", f"[*m, {CANARY}]", "[[*m]]"])
def test_a_merge_of_what_is_no_map_is_told_with_its_line(source: str) -> None:
    reason, where = complaint(f"x: &x {CANARY}\nm: &m {{p: 1}}\nz:\n  <<: {source}\n")
    assert reason == "a merge key takes maps only"
    assert where == (4, 3)


def test_merges_that_blow_a_small_file_up_are_refused_before_they_fill_the_memory() -> None:
    shared = "b: &b {" + ", ".join(f"n{index}: 1" for index in range(1000)) + "}\n"
    merges = [f"m{index}:\n  <<: *b\n" for index in range(101)]
    assert len(leaves(shared + "".join(merges[:100]))) == 101_000
    reason, where = complaint(shared + "".join(merges))
    assert reason == "its aliases stand for more than 100000 values"
    assert where == (203, 3)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("!!int 5", Value.integer(5)),
        ("!!int '5'", Value.integer(5)),
        ("!!float 1.5", Value.float("1.5")),
        ("!!bool 'true'", Value.boolean(True)),
        ("!!null ''", Value.null()),
    ],
)
def test_a_tag_of_the_core_schema_gives_a_value_its_type(text: str, value: Value) -> None:
    assert values(f"a: {text}\n") == {"a": value}


@pytest.mark.parametrize("name", ["int", "float", "bool", "null"])
def test_a_value_that_its_tag_belies_is_refused_without_being_quoted(name: str) -> None:
    assert refusal(f"a: !!{name} {CANARY}\n") == f"its tag says {name}, and it is not"


@pytest.mark.parametrize("text", [f"{CANARY}!", "abc", "'%%%%'"])
def test_bytes_that_are_not_base64_are_refused_without_being_quoted(text: str) -> None:
    assert refusal(f"a: !!binary {text}\n") == "its tag says binary, and it is not base64"


def test_a_tag_of_an_application_is_refused_with_the_way_out() -> None:
    sentence = "it carries a YAML tag that has no meaning here; remove the tag"
    assert refusal(f"a: !secret {CANARY}\n") == sentence
    assert refusal("a: !!timestamp 2001-12-14\n") == sentence


@pytest.mark.parametrize(("prefix", "digit", "most"), [("", "9", 4000), ("0x", "f", 3321), ("0o", "7", 4000)])
def test_an_integer_too_long_to_compute_with_is_refused_in_our_words_and_the_longest_one_read(
    prefix: str, digit: str, most: int
) -> None:
    longest = values(f"a: {prefix}{digit * most}\n")["a"]
    assert longest is not None
    assert longest.type is Type.INTEGER
    sentence = "an integer of more than 4,000 digits; write it as a string"
    assert refusal(f"a: {prefix}{digit * (most + 1)}\n") == sentence


@pytest.mark.parametrize(("empty", "filled"), [("{}\n", "{a: x}\n"), ("# only", "# only\na: x\n")])
def test_a_file_of_braces_or_of_one_comment_takes_its_first_key(empty: str, filled: str) -> None:
    assert added(empty, {"a": "x"}) == filled


def test_a_control_character_is_told_with_its_place() -> None:
    assert complaint(f"b: {CANARY}\na: \x00\n") == ("not YAML: a control character stands here", (2, 4))
