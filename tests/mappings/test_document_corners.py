"""The rare corners of documents: what cannot be a key, a name or a value, and what is told of it."""

from __future__ import annotations

import configparser
import io
from dataclasses import dataclass

import pytest

from ecs_sync.adapter import Item
from ecs_sync.errors import ConfigError, MappingError
from ecs_sync.mapping import Refusal
from ecs_sync.model import Entry, Key, Scope, Type, Value
from ecs_sync_mappings.document import DocumentMapping, DocumentOptions

CANARY = "canary-7f3a"


@dataclass(frozen=True)
class File:
    root: str


@dataclass(frozen=True)
class Glob:
    """All ``.yml`` files below a folder."""

    root: str = "conf/"
    suffix: str = ".yml"
    single_item: None = None

    def holds(self, id: str) -> bool:
        return id.startswith(self.root) and id.endswith(self.suffix)


def mapping_of(place: File | Glob, **options: object) -> DocumentMapping:
    return DocumentMapping(DocumentOptions(**options), place, Scope())  # type: ignore[arg-type]


def read(id: str, text: str, **options: object) -> tuple[dict[str, Value], list[Refusal]]:
    found = mapping_of(File(id), **options).read(Item(id, text.encode()))
    values = {one.key.text: one.value for one in found if isinstance(one, Entry)}
    return values, [one for one in found if isinstance(one, Refusal)]


def write(id: str, values: dict[str, Value], text: str, **options: object) -> str:
    entries = [Entry(Key.parse(key), value) for key, value in values.items()]
    item = mapping_of(File(id), **options).write(id, entries, Item(id, text.encode()))
    assert item is not None and item.value is not None
    return item.value.decode()


def refused(id: str, text: str) -> str:
    """The sentence of the error that a text meets when it is read."""
    with pytest.raises(MappingError) as caught:
        read(id, text)
    assert CANARY not in str(caught.value)
    return str(caught.value)


# Keys and the names of files


def test_a_root_that_is_no_key_is_refused_before_any_document_is_read() -> None:
    with pytest.raises(ConfigError, match="option root of mapping document: a key has no empty segment"):
        mapping_of(File("app.yml"), root="server//tls")


@pytest.mark.parametrize(
    ("prefix", "id", "reason"),
    [
        ("path", "conf/eu.yml/app.yml", "a folder of it is named like a file; rename it"),
        ("stem", "conf/eu/app.yml", "prefix: stem takes files of one folder; say prefix: path"),
    ],
)
def test_a_file_whose_keys_would_not_lead_back_to_it_is_refused_and_not_read(
    prefix: str, id: str, reason: str
) -> None:
    found = mapping_of(Glob(), prefix=prefix).read(Item(id, f"a: {CANARY}\nb: 2\n".encode()))
    assert found == [Refusal(f"{id}: {reason}", item=id)]


def test_a_key_of_another_file_finds_no_place_in_a_single_one() -> None:
    mapping = mapping_of(File("conf/app.yml"), prefix="stem")
    assert mapping.locate(Key.parse("app/port")) == "conf/app.yml"
    key = Key.parse("web/port")
    reason = "it does not lie beneath 'app', the file's own prefix"
    assert mapping.locate(key) == Refusal(reason, key, "conf/app.yml")


def test_the_name_of_a_file_alone_is_no_key_of_it() -> None:
    assert isinstance(mapping_of(File("app.yml"), prefix="stem").locate(Key.parse("app")), Refusal)


def test_all_keys_of_other_files_are_named_at_once_and_nothing_is_written() -> None:
    values = {key: Value.string(CANARY) for key in ("web/port", "app/port", "db/port")}
    with pytest.raises(MappingError) as caught:
        write("app.yml", values, "port: 1\n", prefix="stem")
    said = str(caught.value)
    assert "web/port: it does not lie beneath 'app'" in said
    assert "db/port: it does not lie beneath 'app'" in said
    assert "app/port:" not in said
    assert CANARY not in said


def test_a_reference_is_written_as_its_text_and_read_back_as_a_string() -> None:
    reference = Value.parse(Type.REFERENCE, "vault:db#password")
    written = write("app.json", {"a": reference}, '{"a": 1}\n')
    assert written == '{"a": "vault:db#password"}\n'
    assert read("app.json", written) == ({"a": Value.string("vault:db#password")}, [])
    assert write("app.json", {"a": reference}, written) == written


# CSV


def test_a_row_of_an_unknown_type_is_refused_by_line_and_its_neighbours_are_read() -> None:
    values, refusals = read("a.csv", f"key,value,type\na,{CANARY},strnig\nb,2,integer\n")
    assert values == {"b": Value.integer(2)}
    [refusal] = refusals
    assert refusal.key == Key.parse("a")
    assert refusal.reason.startswith("a.csv:2: its type is none of string, ")
    assert CANARY not in refusal.reason


def test_a_typed_cell_that_would_read_back_otherwise_is_refused_instead_of_rewritten() -> None:
    text = 'key,value,type\na,-0,integer\nb,2,integer\nc,"{ ""x"": 1 }",json\n'
    values, refusals = read("a.csv", text)
    assert values == {"b": Value.integer(2)}
    assert [refusal.reason for refusal in refusals] == [
        "a.csv:2: its integer is not in canonical form",
        "a.csv:4: its json is not in canonical form",
    ]
    assert write("a.csv", {"b": Value.integer(3)}, text) == text.replace("b,2", "b,3")


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_blank_lines_between_rows_are_no_keys_and_stay(newline: str) -> None:
    text = newline.join(["key,value", "", "a,1", "", "", "b,2", ""])
    assert read("a.csv", text) == ({"a": Value.string("1"), "b": Value.string("2")}, [])
    edited = write("a.csv", {"a": Value.string("1"), "b": Value.string("9")}, text)
    assert edited == text.replace("b,2", "b,9")


# env


def test_a_windows_folder_in_an_env_file_keeps_its_last_backslash() -> None:
    text = "DIR=x\nB=1\n"
    folder = "C:\\Program Files\\"
    edited = write(".env", {"DIR": Value.string(folder), "B": Value.string("1")}, text)
    assert edited == f"DIR={folder}\nB=1\n"
    dotenv = pytest.importorskip("dotenv")
    assert dotenv.dotenv_values(stream=io.StringIO(edited), interpolate=False) == {"DIR": folder, "B": "1"}


@pytest.mark.parametrize(
    ("text", "value"),
    [('A="x"\n', "canary\\"), ("A='x'\n", "canary\\"), ("A=x\n", "canary #1\\"), ("A=x\n", "'canary\\")],
)
def test_a_last_backslash_that_would_swallow_the_closing_quote_of_an_env_value_is_refused(
    text: str, value: str
) -> None:
    with pytest.raises(MappingError) as caught:
        write(".env", {"A": Value.string(value)}, text)
    assert str(caught.value) == ".env: a value that needs quotes cannot end with '\\' in an env file"


def test_a_line_of_an_env_file_without_a_name_is_told_by_its_place() -> None:
    assert refused(".env", f"A=1\n  ={CANARY}\n") == ".env:2:3: expected NAME=value; correct the file there"


# ini


@pytest.mark.parametrize("section", ["a]b", " a", "a "])
def test_a_section_that_an_ini_file_would_read_as_another_is_not_written(section: str) -> None:
    with pytest.raises(MappingError, match=r"a section name has no '\]' and no space around it") as caught:
        write("a.ini", {"x": Value.string("1"), f"{section}/k": Value.string(CANARY)}, "x = 1\n")
    assert CANARY not in str(caught.value)


def test_a_new_ini_line_looks_like_its_neighbours_though_one_has_a_no_break_space() -> None:
    text = "[s]\na: 1\nb =\u00a02\n"
    values = {"s/a": Value.string("1"), "s/b": Value.string("2")}
    assert read("a.ini", text) == (values, [])
    edited = write("a.ini", values | {"s/c": Value.string("3")}, text)
    assert edited == text + "c: 3\n"
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(edited)
    assert dict(parser["s"]) == {"a": "1", "b": "2", "c": "3"}


# JSON


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f'{{"a": "{CANARY}"\n "b": 2}}', "a.json:2:2: expected ',' or '}'; correct the file there"),
        (f'{{"a": [1\n 2], "b": "{CANARY}"}}', "a.json:2:2: expected ',' or ']'; correct the file there"),
        (f'{{\n a: "{CANARY}"}}', "a.json:2:2: expected a name in double quotes; correct the file there"),
    ],
)
def test_a_forgotten_comma_or_quote_in_json_is_told_by_its_place(text: str, said: str) -> None:
    assert refused("a.json", text) == said


# properties


def test_a_properties_name_that_is_not_text_is_told_by_its_line() -> None:
    said = refused("a.properties", f"a=1\nb\\ud83d={CANARY}\n")
    assert said.startswith("a.properties:2:1: a name holds a lone surrogate, which is not text")


def test_what_stands_behind_a_json_document_is_refused_with_its_place() -> None:
    mapping = mapping_of(File("app.json"))
    with pytest.raises(MappingError, match="after the end of the document"):
        mapping.read(Item("app.json", b'{"a": 1}\n{"a": 2}\n'))
