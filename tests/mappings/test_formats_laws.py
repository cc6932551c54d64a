"""PutGet and GetPut of every file format, on texts that break naive writers."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecs_sync.adapter import Item
from ecs_sync.errors import MappingError
from ecs_sync.mapping import Refusal
from ecs_sync.model import Entry, Key, Scope, Type, Value
from ecs_sync_mappings.document import DocumentMapping, DocumentOptions
from ecs_sync_mappings.formats import FORMATS
from ecs_sync_mappings.formats.leaves import View

FILES = {
    "json": "app.json",
    "yaml": "app.yml",
    "toml": "app.toml",
    "env": ".env",
    "properties": "app.properties",
    "ini": "app.ini",
    "xml": "app.xml",
    "csv": "app.csv",
}
PEM = "-----BEGIN KEY-----\nMIIB+/=\n-----END KEY-----\n"
NASTY = [
    *("", " ", "a", "'", '"', "a'b\"c", "a\nb", "a\r\nb\r", "\t", "#", "a #b", "a: b", ":", "=", "a=b"),
    *(" lead", "trail ", "null", "~", "true", "no", "on", "010", "1e3", "0x10", "1_000", "12:30:45"),
    *(
        "2026-01-01",
        ".inf",
        "- x",
        "? x",
        "{{x}}",
        "{a}",
        "[a]",
        "*a",
        "&a",
        "!a",
        "|",
        ">",
        "%a",
        "@a",
        "`a",
    ),
    *("${A}", "%(x)s", "$(x)", "\\", "\\n", "a\\", "\\'", "c:\\x", "é", "日本", "😀", "\u2028", "\x85"),
    *("\ufeff", "\x07", "\x00", "\x7f", "---", "...", "<<", "a,b", ";x", "a ;x", "//", "/*", "\u200b"),
    *("\U000e0001", PEM, "\n", "\n\n", "a\n\n", "  a\n b", "a\n ", "x" * 300, "ends with # ", "-", "?"),
    *("a:", "'a'", '"a"', "\\u0041", "=1+1", "'=x", "+1", "@x", "<a>", "]]>", "&amp;", "a\n"),
]
NAMES = [
    "a",
    "b",
    "c.d",
    "on",
    "1",
    "null",
    "x y",
    "é",
    "A",
    "a:b",
    "#h",
    "k=v",
    "'q",
    '"',
    "-",
    "~",
    "/",
    "<<",
]
LISTS = ["[]", "{}", '["a",{"b":[1.50,null]}]', '[[],{},"",true]', '[" : #","\\u2028"]']

strings = st.sampled_from(NASTY) | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
scalars = st.one_of(
    strings.map(Value.string),
    st.integers(-(2**62), 2**62).map(Value.integer),
    st.sampled_from(["1.5", "3.10", "1e3", "-0.0", "2E-7", "100.00"]).map(Value.float),
    st.booleans().map(Value.boolean),
    st.just(Value.null()),
    st.binary(max_size=6).map(Value.bytes),
    st.sampled_from(LISTS).map(Value.json),
)
keys = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map(lambda names: Key.of(*names))
documents = st.dictionaries(keys, scalars, max_size=6)


@dataclass(frozen=True)
class File:
    root: str


def mapping_for(format: str, **options: object) -> DocumentMapping:
    separators = {"env": "__", "ini": "|", "properties": None}
    root = "configuration" if format == "xml" else None
    chosen = DocumentOptions(separator=separators.get(format), root=root, **options)  # type: ignore[arg-type]
    return DocumentMapping(chosen, File(FILES[format]), Scope())


def named_for(format: str, values: dict[Key, Value]) -> dict[Key, Value]:
    """The values under plain names, for the formats whose names are no free text."""
    if format not in ("env", "xml"):
        return values
    return {Key.of(*(f"n{NAMES.index(s)}" for s in key.segments)): value for key, value in values.items()}


def entries_of(values: dict[Key, Value]) -> list[Entry]:
    return [Entry(key, value) for key, value in values.items()]


def read(mapping: DocumentMapping, item: Item | None) -> dict[Key, Value]:
    if item is None:
        return {}
    found = mapping.read(item)
    assert not [one for one in found if isinstance(one, Refusal)]
    return {one.key: one.value for one in found if isinstance(one, Entry)}


def imaged(format: str, values: dict[Key, Value]) -> dict[Key, Value]:
    return {key: FORMATS[format].image(value, View()) for key, value in values.items()}


def grown(mapping: DocumentMapping, format: str, values: dict[Key, Value]) -> Item | None:
    """The item of those of the values that the mapping takes, one after the other."""
    item: Item | None = None
    for key, value in values.items():
        with contextlib.suppress(MappingError):
            item = mapping.write(FILES[format], entries_of({**read(mapping, item), key: value}), item)
    return item


@pytest.mark.parametrize("lists", ["json", "indexed"])
@pytest.mark.parametrize("format", FILES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(before=documents, after=documents)
def test_what_is_written_over_a_document_reads_back_equal_and_twice_changes_nothing(
    format: str, lists: str, before: dict[Key, Value], after: dict[Key, Value]
) -> None:
    if format == "toml" and lists == "indexed":
        pytest.skip("TOML has no indexed lists")
    before, after = named_for(format, before), named_for(format, after)
    mapping = mapping_for(format, lists=lists)
    item = grown(mapping, format, before)
    held = read(mapping, item)
    if item is not None:
        assert mapping.write(item.id, entries_of(held), item) is item
    try:
        changed = mapping.write(FILES[format], entries_of(after), item)
    except MappingError:
        return
    if lists == "json":
        moved = {key: value for key, value in after.items() if held.get(key) != value}
        assert read(mapping, changed) == after | imaged(format, moved)
    if changed is not None:
        again = entries_of(read(mapping, changed))
        assert mapping.write(changed.id, again, changed) is changed


ONE_LINE = [text for text in NASTY if text == text.strip() and not set(text) & set("\n\r\0\x85\u2028")]
SAYABLE = [text for text in NASTY if not set(text) & set("\x00\x07")]


@pytest.mark.parametrize(
    ("format", "text"),
    [(format, text) for format in FILES for text in {"ini": ONE_LINE, "xml": SAYABLE}.get(format, NASTY)],
)
def test_a_nasty_string_is_created_and_replaces_another_and_reads_back(format: str, text: str) -> None:
    mapping = mapping_for(format)
    old, new = Value.string("old"), Value.string(text)
    for first, second in ((new, old), (old, new)):
        values = {Key.parse("s/key"): first, Key.parse("s/other"): Value.string("x")}
        item = mapping.write(FILES[format], entries_of(values), None)
        assert read(mapping, item) == values
        values[Key.parse("s/key")] = second
        assert read(mapping, mapping.write(FILES[format], entries_of(values), item)) == values


@pytest.mark.parametrize("format", ["json", "yaml", "toml", "csv"])
@pytest.mark.parametrize("text", ["0", "-7", "9007199254740993"])
def test_a_typed_format_keeps_the_type(format: str, text: str) -> None:
    mapping = mapping_for(format)
    for kind, spelling in ((Type.INTEGER, text), (Type.STRING, text), (Type.FLOAT, f"{text}.10")):
        values = {Key.parse("a/b"): Value.parse(kind, spelling)}
        assert read(mapping, mapping.write(FILES[format], entries_of(values), None)) == values
