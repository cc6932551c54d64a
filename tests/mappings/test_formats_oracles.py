"""Our reading of a format against the library that most users read it with."""

from __future__ import annotations

import configparser
import csv
import io
import json
import tomllib
from dataclasses import dataclass
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from ecs_sync.adapter import Item
from ecs_sync.errors import MappingError
from ecs_sync.model import Entry, Key, Scope, Type, Value
from ecs_sync_mappings.document import DocumentMapping, DocumentOptions

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=15) | st.sampled_from(
    [
        "a\\",
        "'a",
        'b"',
        "a #b",
        "#",
        "${A}",
        "\\n",
        "x\ny",
        " z ",
        "a\\'b",
        "no",
        "010",
        "2026-01-01",
        "=1",
        "\t",
    ]
)
values = st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), texts, min_size=1, max_size=4)


@dataclass(frozen=True)
class File:
    root: str


def mapping_of(id: str) -> DocumentMapping:
    return DocumentMapping(DocumentOptions(), File(id), Scope())


def written(id: str, wanted: dict[str, str], below: str = "") -> str | None:
    """The new file of some texts; None where the format cannot say one of them."""
    entries = [Entry(Key.parse(below + name), Value.string(text)) for name, text in wanted.items()]
    try:
        item = mapping_of(id).write(id, entries, None)
    except MappingError:
        return None
    assert item is not None
    assert item.value is not None
    return item.value.decode()


def read(id: str, text: str) -> dict[str, str]:
    found = mapping_of(id).read(Item(id, text.encode()))
    return {one.key.text: one.value.text for one in found if isinstance(one, Entry)}


@settings(max_examples=100, deadline=None)
@given(values)
def test_python_dotenv_reads_what_is_written(wanted: dict[str, str]) -> None:
    dotenv = pytest.importorskip("dotenv")
    text = written(".env", wanted)
    if text is not None:
        found = dotenv.dotenv_values(stream=io.StringIO(text, newline=""), interpolate=False)
        assert dict(found) == wanted


@settings(max_examples=100, deadline=None)
@given(values)
def test_configparser_reads_what_is_written(wanted: dict[str, str]) -> None:
    text = written("a.ini", wanted, "section/")
    if text is not None:
        parser = configparser.RawConfigParser()
        parser.read_file(io.StringIO(text, newline="\n"))
        assert dict(parser["section"]) == wanted


@settings(max_examples=100, deadline=None)
@given(values)
def test_the_standard_readers_of_json_toml_xml_csv_and_yaml_read_what_is_written(
    wanted: dict[str, str],
) -> None:
    assert json.loads(written("a.json", wanted) or "") == wanted
    assert tomllib.loads(written("a.toml", wanted) or "") == wanted
    assert YAML(typ="safe", pure=True).load(written("a.yml", wanted)) == wanted
    rows = list(csv.reader(io.StringIO(written("a.csv", wanted) or "", newline="")))
    assert {row[0] for row in rows[1:]} == set(wanted)
    document = written("a.xml", wanted, "root/")
    if document is not None:
        root = ElementTree.fromstring(document)
        assert {child.tag: child.text or "" for child in root} == wanted


ENV = """\
# comment
A=1
export B = 'x y' # c
C="a\\nb\\"c"
D=bare value  # comment
E=
F=a#b
'G'='${A}'
H="multi
line"
"""


def test_awkward_env_files_are_read_as_python_dotenv_reads_them() -> None:
    dotenv = pytest.importorskip("dotenv")
    assert read(".env", ENV) == dict(dotenv.dotenv_values(stream=io.StringIO(ENV), interpolate=False))


INI = """\
[s]
a = 1
b: two ; not a comment
;c = 3
# d = 4
long = one
  two

  three
%(x)s = %(y)s
[other section]
e=
"""


def test_awkward_ini_files_are_read_as_configparser_reads_them() -> None:
    parser = configparser.RawConfigParser()
    parser.read_string(INI)
    expected = {f"{name}/{key}": text for name in parser.sections() for key, text in parser[name].items()}
    assert read("a.ini", INI) == expected


YAML_TYPES = """\
no: no
on: on
octal: 010
modern: 0o17
hex: 0xFF
date: 2026-01-01
time: 12:30:45
grouped: 1_000
float: 1.50
exponent: 1e3
point: .5
plus: +12
none: ~
truth: True
"""


def test_yaml_scalars_have_the_types_of_the_core_schema() -> None:
    found = mapping_of("a.yml").read(Item("a.yml", YAML_TYPES.encode()))
    assert {
        one.key.text: (one.value.type, one.value.text) for one in found if isinstance(one, Entry)
    } == {
        "no": (Type.STRING, "no"),
        "on": (Type.STRING, "on"),
        "octal": (Type.INTEGER, "10"),
        "modern": (Type.INTEGER, "15"),
        "hex": (Type.INTEGER, "255"),
        "date": (Type.STRING, "2026-01-01"),
        "time": (Type.STRING, "12:30:45"),
        "grouped": (Type.STRING, "1_000"),
        "float": (Type.FLOAT, "1.50"),
        "exponent": (Type.FLOAT, "1e3"),
        "point": (Type.FLOAT, "0.5"),
        "plus": (Type.INTEGER, "12"),
        "none": (Type.NULL, ""),
        "truth": (Type.BOOLEAN, "true"),
    }  # fmt: skip
