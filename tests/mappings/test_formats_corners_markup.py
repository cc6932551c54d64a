"""TOML and XML at their corners: what a file cannot say is refused with the reason, and nothing is lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from ecs_sync.adapter import Item
from ecs_sync.errors import MappingError
from ecs_sync.mapping import Refusal
from ecs_sync.model import Entry, Key, Scope, Type, Value
from ecs_sync_mappings.document import DocumentMapping, DocumentOptions

CANARY = "canary-5e1f"


@dataclass
class File:
    root: str


def mapping_of(id: str, lists: str = "json") -> DocumentMapping:
    return DocumentMapping(DocumentOptions(lists=lists), File(id), Scope())  # type: ignore[arg-type]


def read(id: str, text: str) -> tuple[dict[str, Value], dict[str, str]]:
    """The values of a file by key, and the reasons of what is refused by key."""
    told = mapping_of(id).read(Item(id, text.encode()))
    values = {str(one.key): one.value for one in told if isinstance(one, Entry)}
    refused = {str(one.key): one.reason for one in told if isinstance(one, Refusal)}
    return values, refused


def written(id: str, text: str, changes: Mapping[str, Value | None]) -> str | None:
    """The file after changes to what it holds; None takes a key out."""
    item = Item(id, text.encode())
    wanted = {**read(id, text)[0], **changes}
    entries = [Entry(Key.parse(key), value) for key, value in wanted.items() if value is not None]
    after = mapping_of(id).write(id, entries, item)
    return None if after is None or after.value is None else after.value.decode()


def refusal_of(id: str, text: str, changes: Mapping[str, Value | None]) -> str:
    """The reason why a change is refused, which never quotes a value."""
    with pytest.raises(MappingError) as caught:
        written(id, text, changes)
    assert CANARY not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("number", ["inf", "+inf", "-inf", "nan", "-nan", "[1, inf]", "{x = nan}"])
def test_a_toml_number_that_is_not_finite_is_refused_alone_and_its_neighbour_is_read(number: str) -> None:
    values, refused = read("a.toml", f"bad = {number}\ngood = 1\n")
    assert values == {"good": Value.integer(1)}
    assert "infinity and not-a-number" in refused["bad"]
    assert refused["bad"].startswith("a.toml:1: ")


def test_the_digits_of_a_toml_float_inside_of_a_list_stay_as_they_were_written() -> None:
    values, _ = read("a.toml", "prices = [3.10, 1_000.50, {net = +2.00}]\n")
    assert values["prices"].text == '[3.10,1000.50,{"net":2.00}]'


@pytest.mark.parametrize("nest", ["[2026-01-02]", "{day = 2026-01-02}", "[07:30:00, 1]"])
def test_a_date_inside_of_a_toml_list_or_table_is_refused_with_the_way_out(nest: str) -> None:
    values, refused = read("a.toml", f"good = 1\nbad = {nest}\n")
    assert values == {"good": Value.integer(1)}
    assert refused["bad"] == "a.toml:2: a date inside of a list or an inline table; write it as a string"


def test_a_refused_toml_value_is_kept_as_it_is_when_its_neighbour_is_changed() -> None:
    text = "bad = [2026-01-02] # by hand\ngood = 1\n"
    assert written("a.toml", text, {"good": Value.integer(2)}) == "bad = [2026-01-02] # by hand\ngood = 2\n"


def test_toml_under_lists_indexed_is_refused_with_what_to_take_out() -> None:
    with pytest.raises(MappingError, match=r"lists: indexed is not for TOML.*take it out"):
        mapping_of("a.toml", "indexed").read(Item("a.toml", f'a = ["{CANARY}"]\n'.encode()))


def test_every_way_to_write_a_toml_name_leads_to_its_key() -> None:
    text = "\"a.b\" . 'c d' . e = 1\n[ \"t\\u00e9\" ]\n'x' = 2\n"
    assert set(read("a.toml", text)[0]) == {str(Key.of("a.b", "c d", "e")), str(Key.of("té", "x"))}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (Value.float("3"), "reads back as an integer"),
        (Value.json(f'"{CANARY}"'), "reads back as the plain value"),
        (Value.json("12"), "reads back as the plain value"),
        (Value.null(), "TOML cannot say null"),
        (Value.parse(Type.INTEGER, str(2**63)), "more than 64 bits"),
    ],
)
def test_a_value_that_toml_would_read_back_as_another_is_refused(value: Value, reason: str) -> None:
    assert reason in refusal_of("a.toml", "a = 1\n", {"a": value})
    assert reason in refusal_of("a.toml", "a = 1\n", {"b": value})


@pytest.mark.parametrize("number", ["3.0", "3e2", "3E2"])
def test_a_float_that_toml_can_tell_from_an_integer_reads_back_as_it_was(number: str) -> None:
    after = written("a.toml", "a = 1\n", {"a": Value.float(number)})
    assert after == f"a = {number}\n"
    assert read("a.toml", after)[0] == {"a": Value.float(number)}


def test_a_comment_inside_of_the_text_of_an_xml_element_is_not_overwritten() -> None:
    text = f"<r><a>{CANARY}<!-- why -->x</a><b>1</b></r>\n"
    assert read("a.xml", text)[0] == {"r/a": Value.string(f"{CANARY}x"), "r/b": Value.string("1")}
    reason = refusal_of("a.xml", text, {"r/a": Value.string("new")})
    assert "r/a: a comment stands inside of its text; edit it by hand" in reason
    after = written("a.xml", text, {"r/b": Value.string("2")})
    assert after == text.replace("<b>1<", "<b>2<")


def test_an_xml_file_of_comments_loses_its_last_value_only_by_hand() -> None:
    text = f"<!-- {CANARY} -->\n<r><a>1</a></r>\n"
    reason = refusal_of("a.xml", text, {"r/a": None})
    assert "an XML file needs one value at least beside its comments" in reason


def test_an_xml_file_without_comments_goes_with_its_last_value() -> None:
    assert written("a.xml", '<?xml version="1.0"?>\n<r><a>1</a></r>\n', {"r/a": None}) is None


@pytest.mark.parametrize("ending", ["/>", "></add>"])
def test_an_add_element_without_a_value_is_given_one_beside_its_other_attributes(ending: str) -> None:
    text = f'<r>\n  <add key="K" note="n"{ending}\n</r>\n'
    assert read("web.config", text)[0] == {"r/K/@note": Value.string("n")}
    after = written("web.config", text, {"r/K": Value.string('<"v">')})
    assert after == text.replace('"n"', '"n" value="&lt;&quot;v&quot;&gt;"')


def test_an_xml_element_with_attributes_is_not_given_a_text() -> None:
    reason = refusal_of("a.xml", '<r><a x="1"/></r>\n', {"r/a": Value.string(CANARY)})
    assert "an element with attributes or elements gets no text" in reason


@pytest.mark.parametrize("text", ["", '<r><a x="1"/></r>\n'])
@pytest.mark.parametrize("name", ["two words", "1st", "a<b", "@", "@two words", "@1st", '@x="1" y'])
def test_a_key_that_is_no_xml_name_is_refused_and_never_written_as_markup(text: str, name: str) -> None:
    reason = refusal_of("a.xml", text, {str(Key.of("r", "a", name)): Value.string(CANARY)})
    assert reason.endswith(f"{name.removeprefix('@')}: no XML name")


def test_xml_text_between_elements_is_refused_and_the_elements_are_read() -> None:
    text = f"<r>\n  <p>{CANARY} <b>1</b></p>\n  <q>2</q>\n</r>\n"
    values, refused = read("a.xml", text)
    assert values == {"r/p/b": Value.string("1"), "r/q": Value.string("2")}
    assert set(refused) == {"r/p"}
    assert refused["r/p"].startswith("a.xml:2: text stands between its elements")
    assert CANARY not in refused["r/p"]
    assert written("a.xml", text, {"r/p/b": Value.string("3")}) == text.replace("<b>1<", "<b>3<")


@pytest.mark.parametrize("encoding", ["ISO-8859-1", "utf-16", "windows-1252"])
def test_xml_that_declares_another_encoding_is_refused_and_not_misread(encoding: str) -> None:
    with pytest.raises(MappingError, match="another encoding than UTF-8; save it as UTF-8"):
        read("a.xml", f"<?xml version='1.0' encoding='{encoding}'?>\n<r><a>é</a></r>\n")


@pytest.mark.parametrize("encoding", ["UTF-8", "utf8", "US-ASCII"])
def test_xml_that_declares_utf_8_or_a_part_of_it_is_read(encoding: str) -> None:
    text = f"<?xml version='1.0' encoding='{encoding}'?>\n<r><a>e</a></r>\n"
    assert read("a.xml", text)[0] == {"r/a": Value.string("e")}


@pytest.mark.parametrize("text", ["<!-- only a comment -->\n", "<?xml version='1.0'?>\n", "plain words\n"])
def test_an_xml_file_without_an_element_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(MappingError, match=r"a\.xml:\d+:\d+: not XML"):
        read("a.xml", text)
