"""The document mapping: one file, many entries."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from ecs_sync.adapter import Item
from ecs_sync.errors import ConfigError, MappingError
from ecs_sync.mapping import Refusal
from ecs_sync.model import Entry, Key, Scope, Value
from ecs_sync_mappings.document import DocumentMapping, DocumentOptions


@dataclass(frozen=True)
class File:
    root: str


def mapping_of(id: str, **options: object) -> DocumentMapping:
    return DocumentMapping(DocumentOptions(**options), File(id), Scope())  # type: ignore[arg-type]


def read(mapping: DocumentMapping, id: str, text: str) -> dict[str, Value]:
    found = mapping.read(Item(id, text.encode()))
    assert not [one for one in found if isinstance(one, Refusal)]
    return {entry.key.text: entry.value for entry in found if isinstance(entry, Entry)}


def write(mapping: DocumentMapping, id: str, values: dict[str, Value], text: str | None) -> str | None:
    existing = None if text is None else Item(id, text.encode(), revision="r1")
    item = mapping.write(id, [Entry(Key.parse(key), value) for key, value in values.items()], existing)
    return None if item is None or item.value is None else item.value.decode()


YAML = """\
# the shop
server:
  port: 8080   # of the proxy
  hosts: [a, b]

name: 'shop'
"""


def test_an_edit_of_one_value_leaves_every_other_character_alone() -> None:
    mapping = mapping_of("app.yml")
    values = read(mapping, "app.yml", YAML)
    values["server/port"] = Value.integer(9090)
    assert write(mapping, "app.yml", values, YAML) == YAML.replace("8080", "9090")


def test_an_unedited_item_comes_back_as_it_was() -> None:
    mapping = mapping_of("app.yml")
    item = Item("app.yml", YAML.encode(), revision="r1")
    entries = [one for one in mapping.read(item) if isinstance(one, Entry)]
    assert mapping.write("app.yml", entries, item) is item


def test_a_new_key_goes_below_its_parent_and_a_deleted_one_takes_its_line_along() -> None:
    mapping = mapping_of("app.yml")
    values = read(mapping, "app.yml", YAML)
    del values["name"]
    values["server/tls/on"] = Value.boolean(True)
    assert write(mapping, "app.yml", values, YAML) == YAML.replace("name: 'shop'\n", "").replace(
        "[a, b]\n", '[a, b]\n  tls:\n    "on": true\n'
    )


def test_a_document_that_cannot_be_parsed_names_file_line_and_column_and_no_value() -> None:
    with pytest.raises(MappingError) as raised:
        mapping_of("app.json").read(Item("app.json", b'{\n  "a": canary\n}'))
    assert str(raised.value).startswith("app.json:2:8: ")
    assert "canary" not in str(raised.value)


def test_a_byte_order_mark_windows_newlines_and_a_missing_last_newline_survive_an_edit() -> None:
    raw = b'\xef\xbb\xbf{\r\n  "a": 1,\r\n  "b": 2\r\n}'
    mapping, item = mapping_of("app.json"), Item("app.json", raw)
    entries = [Entry(Key.parse("a"), Value.integer(1)), Entry(Key.parse("b"), Value.integer(3))]
    changed = mapping.write("app.json", entries, item)
    assert changed is not None
    assert changed.value == raw.replace(b"2", b"3")


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"\xff\xfea\x00", "app.yml:1:1: UTF-16 is not read; save the file as UTF-8"),
        (b"a: 1\nb: \xff", "app.yml:2: not UTF-8 at byte 8; save it as UTF-8"),
    ],
)
def test_a_file_in_another_encoding_is_refused_with_the_place(raw: bytes, sentence: str) -> None:
    with pytest.raises(MappingError) as raised:
        mapping_of("app.yml").read(Item("app.yml", raw))
    assert str(raised.value) == sentence


def test_a_file_over_the_size_limit_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(MappingError, match="over max_bytes 10"):
        mapping_of("app.yml", max_bytes=10).read(Item("app.yml", b"a: 12345678"))


PROFILES = """\
server:
  port: 80
---
spring:
  config:
    activate:
      on-profile: docker
server:
  port: 8080
---
spring.profiles: mysql,h2
db: 1
"""


def test_a_placeholder_without_quotes_becomes_another_without_quotes() -> None:
    mapping = mapping_of("app.yml")
    text = "id: ${name}:${random.uuid}\n"
    assert write(mapping, "app.yml", {"id": Value.string("${random.uuid}")}, text) == "id: ${random.uuid}\n"
    assert write(mapping, "app.yml", {"id": Value.string("{a}")}, text) == 'id: "{a}"\n'
    flow = "{id: x, n: [a]}\n"
    assert write(mapping, "app.yml", {"id": Value.string("${a}"), "n": Value.json('["a"]')}, flow) == (
        '{id: "${a}", n: [a]}\n'
    )
    listed = "{id: x, n: [a]}\n"
    assert write(mapping, "app.yml", {"id": Value.string("x"), "n": Value.string("${a}")}, listed) == (
        '{id: x, n: "${a}"}\n'
    )


def test_a_document_for_a_new_profile_takes_keys_beside_its_own_selector() -> None:
    mapping = mapping_of("app.yml", profile="docker")
    values = {"spring/cloud/on": Value.boolean(True), "spring/config/import": Value.string("other.yml")}
    text = write(mapping, "app.yml", values, "spring:\n  main: 1\n")
    assert (
        text
        == """\
spring:
  main: 1
---
spring:
  config:
    activate:
      on-profile: docker
    import: other.yml
  cloud:
    "on": true
"""
    )
    assert read(mapping, "app.yml", text) == values


def test_a_profile_selects_its_document_and_the_others_survive() -> None:
    for profile, held in ((None, "80"), ("docker", "8080")):
        mapping = mapping_of("app.yml", profile=profile)
        assert read(mapping, "app.yml", PROFILES) == {"server/port": Value.integer(int(held))}
        edited = write(mapping, "app.yml", {"server/port": Value.integer(9)}, PROFILES)
        assert edited == PROFILES.replace(f"port: {held}\n", "port: 9\n")
    assert read(mapping_of("app.yml", profile="h2"), "app.yml", PROFILES) == {"db": Value.integer(1)}


def test_a_new_profile_gets_a_document_of_its_own() -> None:
    mapping = mapping_of("app.yml", profile="kubernetes")
    assert read(mapping, "app.yml", PROFILES) == {}
    edited = write(mapping, "app.yml", {"server/port": Value.integer(9)}, PROFILES)
    assert edited is not None
    assert edited.startswith(PROFILES)
    assert read(mapping, "app.yml", edited) == {"server/port": Value.integer(9)}
    assert read(mapping_of("app.yml", profile="docker"), "app.yml", edited) == {
        "server/port": Value.integer(8080)
    }


def test_two_documents_for_one_profile_are_refused() -> None:
    text = PROFILES.replace("mysql,h2", "docker")
    with pytest.raises(MappingError, match=r"app\.yml:10:\d+: two documents"):
        mapping_of("app.yml", profile="docker").read(Item("app.yml", text.encode()))


def test_a_profile_is_for_yaml_only() -> None:
    with pytest.raises(ConfigError, match="profile"):
        mapping_of("app.json", format="json", profile="docker")
    with pytest.raises(MappingError, match="profile is for YAML"):
        mapping_of("app.json", profile="docker").read(Item("app.json", b"{}"))


def test_root_keeps_the_rest_of_the_document_out_of_reach() -> None:
    text = '{\n  "theirs": 1,\n  "ours": {"a": 1, "b": {"c": 2}}\n}\n'
    mapping = mapping_of("app.json", root="ours")
    assert read(mapping, "app.json", text) == {"a": Value.integer(1), "b/c": Value.integer(2)}
    edited = write(mapping, "app.json", {"a": Value.integer(1), "d": Value.null()}, text)
    assert edited == '{\n  "theirs": 1,\n  "ours": {"a": 1, "d": null}\n}\n'
    assert write(mapping, "app.json", {}, text) == '{\n  "theirs": 1\n}\n'
    empty = '{"ours": {}}'
    assert write(mapping, "app.json", {"a": Value.integer(1)}, empty) == '{\n  "ours": {\n    "a": 1\n  }\n}'


def test_a_root_that_became_one_value_is_said_and_nothing_is_overwritten() -> None:
    mapping = mapping_of("app.json", root="ours")
    [refusal] = mapping.read(Item("app.json", b'{"ours": 5}'))
    assert isinstance(refusal, Refusal)
    with pytest.raises(MappingError, match="one name cannot be both"):
        write(mapping, "app.json", {"a": Value.integer(1)}, '{"ours": 5}')


def test_indexed_lists_are_keys_and_grow_and_shrink_at_their_end() -> None:
    text = '{"Urls": ["a", "b"]}'
    mapping = mapping_of("appsettings.json", lists="indexed")
    values = read(mapping, "appsettings.json", text)
    assert values == {"Urls/0": Value.string("a"), "Urls/1": Value.string("b")}
    longer = {**values, "Urls/2": Value.string("c"), "New/0": Value.integer(1)}
    grown = write(mapping, "appsettings.json", longer, text)
    assert grown is not None
    assert json.loads(grown) == {"Urls": ["a", "b", "c"], "New": [1]}
    assert write(mapping, "appsettings.json", {"Urls/0": Value.string("a")}, text) == '{"Urls": ["a"]}'
    with pytest.raises(MappingError, match="only lose its last elements"):
        write(mapping, "appsettings.json", {"Urls/1": Value.string("b")}, text)


ALIASES = """\
base: &base
  timeout: 5
  retry: 3
service:
  <<: *base
  retry: 9
copy: *base
"""


def test_aliases_and_merge_keys_are_read_and_never_edited_through() -> None:
    mapping = mapping_of("app.yml")
    values = read(mapping, "app.yml", ALIASES)
    assert values["service/timeout"] == values["copy/timeout"] == Value.integer(5)
    assert values["service/retry"] == Value.integer(9)
    for shared in ("base/timeout", "service/timeout", "copy/retry"):
        with pytest.raises(MappingError, match="edit it by hand"):
            write(mapping, "app.yml", {**values, shared: Value.integer(7)}, ALIASES)
    own = write(mapping, "app.yml", {**values, "service/retry": Value.integer(7)}, ALIASES)
    assert own == ALIASES.replace("9", "7")


def bomb(collection: str) -> str:
    """A document of a few lines whose aliases stand for a thousand million values."""
    lines = ["a: &a [x]"]
    for above, name in zip("abcdefghi", "bcdefghij", strict=True):
        inner = ", ".join(f"k{n}: *{above}" if collection == "{}" else f"*{above}" for n in range(10))
        lines.append(f"{name}: &{name} {collection[0]}{inner}{collection[1]}")
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("id", "text"),
    [
        ("app.yml", bomb("[]")),
        ("app.yml", bomb("{}")),
        ("app.yml", "a: &a\n  b: *a\n"),
        ("app.yml", "a: " + "[" * 5000 + "]" * 5000),
        ("app.json", '{"a":' * 100_000),
        ("app.json", '{"a": ' + "[" * 101 + "]" * 101 + "}"),
        ("app.toml", "a = " + "[" * 50_000),
        ("app.xml", "<a>" * 5000 + "</a>" * 5000),
        ("app.xml", '<!DOCTYPE x [<!ENTITY a "canary"><!ENTITY b "&a;&a;">]><x>&b;</x>'),
        ("app.xml", '<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>'),
    ],
    ids=lambda value: value[:20],
)
def test_a_bomb_is_refused_quickly_and_as_a_whole(id: str, text: str) -> None:
    with pytest.raises(MappingError, match=f"^{id}:"):
        mapping_of(id).read(Item(id, text.encode()))


@pytest.mark.parametrize(
    ("id", "text"),
    [
        ("app.yml", "a: canary: x"),
        ("app.yml", 'a: "canary\\q"'),
        ("app.yml", "a: [canary"),
        ("app.yml", "a: *canary"),
        ("app.yml", "a: &canary 1\n*canary : 2\n"),
        ("app.json", '{"a": canary}'),
        ("app.json", '{"a": "canary'),
        ("app.json", '{"a" "canary"}'),
        ("app.toml", "a = canary"),
        ("app.toml", 'a = "canary'),
        ("app.toml", "a = 'canary' canary"),
        (".env", "A='canary"),
        (".env", "A='x' canary"),
        ("app.properties", "a=canary\\u12"),
        ("app.ini", "canary"),
        ("app.xml", "<a>canary</b>"),
        ("app.csv", 'key,value\na,"canary'),
        ("app.csv", "key,value\na,canary,canary"),
    ],
)
def test_no_parse_error_quotes_a_value(id: str, text: str) -> None:
    with pytest.raises(MappingError) as raised:
        mapping_of(id).read(Item(id, text.encode()))
    assert "canary" not in str(raised.value)
    assert ";" in str(raised.value)


@pytest.mark.parametrize(
    ("id", "text", "refused", "held"),
    [
        ("app.json", '{"a": {"x": 1}, "a": {"y": 2}, "b": 1}', ["a/x", "a/y"], ["b"]),
        ("app.yml", "a: 1\na: 2\nb: 3\n", ["a"], ["b"]),
        ("app.yml", "a: .inf\nb: !!python/object:os.system x\nc: 1\n", ["a", "b"], ["c"]),
        (".env", "A=1\nA=2\nB\nC=1\n", ["A", "B"], ["C"]),
        ("app.ini", "[s]\nA=1\na=2\nb=3\n", ["s/A", "s/a"], ["s/b"]),
        ("app.json", '{"..": 1, "": 2, "a": "\\ud83d", "b/c": 1}', [None, None, "a"], ["b~1c"]),
        ("app.xml", "<r><a>1</a><a>2</a><b>1</b></r>", ["r/a"], ["r/b"]),
    ],
)
def test_what_cannot_be_read_is_refused_by_key_and_line_and_the_rest_is_read(
    id: str, text: str, refused: list[str | None], held: list[str]
) -> None:
    mapping, item = mapping_of(id), Item(id, text.encode())
    found = mapping.read(item)
    refusals = [one for one in found if isinstance(one, Refusal)]
    entries = [one for one in found if isinstance(one, Entry)]
    assert [one.key and one.key.text for one in refusals] == refused
    assert all(one.reason.startswith(f"{id}:") for one in refusals)
    assert [entry.key.text for entry in entries] == held
    assert mapping.write(id, entries, item) is item
    for key in refused:
        if key:
            with pytest.raises(MappingError, match=id):
                mapping.write(id, [*entries, Entry(Key.parse(key), Value.string("x"))], item)


def test_a_refused_value_survives_the_edit_of_its_neighbour() -> None:
    edited = write(mapping_of("app.yml"), "app.yml", {"c": Value.integer(2)}, "a: .inf\nc: 1\n")
    assert edited == "a: .inf\nc: 2\n"


def test_all_reasons_why_values_cannot_be_said_come_at_once_and_quote_none() -> None:
    wanted = {"a": Value.null(), "b": Value.bytes(b"canary"), "c": Value.string("canary")}
    with pytest.raises(MappingError) as raised:
        write(mapping_of(".env"), ".env", wanted, None)
    assert "a: " in str(raised.value)
    assert "b: " in str(raised.value)
    assert "canary" not in str(raised.value)


def test_a_name_cannot_be_a_value_and_a_branch_at_once() -> None:
    both = {"a": Value.integer(1), "a/b": Value.integer(2)}
    for id in ("app.json", "app.yml", "app.toml"):
        with pytest.raises(MappingError, match="both"):
            write(mapping_of(id), id, both, None)
    assert write(mapping_of("app.properties"), "app.properties", both, None) == "a=1\na.b=2\n"


def test_the_last_key_takes_the_file_along_only_where_nothing_else_is_in_it() -> None:
    assert write(mapping_of("app.yml"), "app.yml", {}, "a: 1\n") is None
    assert write(mapping_of("app.yml"), "app.yml", {}, "# keep\na: 1\n") == "# keep\n"
    assert write(mapping_of("app.json"), "app.json", {}, '{"a": 1}') is None
    assert write(mapping_of("app.json"), "app.json", {}, None) is None
    assert write(mapping_of("app.json"), "app.json", {}, "{}") == "{}"


def test_a_secret_item_yields_secret_entries_and_a_secret_entry_makes_a_secret_item() -> None:
    mapping = mapping_of("app.json")
    [entry] = mapping.read(Item("app.json", b'{"a": "canary"}', secret=True))
    assert isinstance(entry, Entry)
    assert entry.secret
    item = mapping.write("app.json", [entry], None)
    assert item is not None
    assert item.secret


@dataclass(frozen=True)
class Glob:
    """A place of many files, as the files adapter offers it."""

    root: str = "conf/"
    suffix: str = ".yml"
    single_item: None = None

    def holds(self, id: str) -> bool:
        return id.endswith(".yml")


def glob_mapping(**options: object) -> DocumentMapping:
    return DocumentMapping(DocumentOptions(**options), Glob(), Scope())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("prefix", "id", "key"),
    [("stem", "conf/shop.yml", "shop/a"), ("path", "conf/eu/shop.yml", "eu/shop.yml/a")],
)
def test_in_a_glob_the_name_of_the_file_leads_the_key_and_back(prefix: str, id: str, key: str) -> None:
    mapping = glob_mapping(prefix=prefix)
    [entry] = mapping.read(Item(id, b"a: 1\n"))
    assert isinstance(entry, Entry)
    assert entry.key.text == key
    assert mapping.locate(entry.key) == id
    assert mapping.write(id, [entry], None) == Item(id, b"a: 1\n")
    assert isinstance(mapping.locate(Key.parse("alone")), Refusal)


def test_in_a_glob_without_prefix_new_keys_go_into_the_named_file() -> None:
    assert glob_mapping(into="new.yml").locate(Key.parse("a")) == "conf/new.yml"
    assert isinstance(glob_mapping().locate(Key.parse("a")), Refusal)
    assert isinstance(glob_mapping(into="new.json").locate(Key.parse("a")), Refusal)


def test_flat_names_are_divided_by_their_separator() -> None:
    env = mapping_of(".env", separator="__")
    assert read(env, ".env", "Logging__Level=Debug\n") == {"Logging/Level": Value.string("Debug")}
    assert write(env, ".env", {"A/B": Value.integer(1)}, None) == "A__B=1\n"
    with pytest.raises(MappingError, match="separator"):
        write(mapping_of(".env"), ".env", {"A/B": Value.integer(1)}, None)
    properties = mapping_of("app.properties")
    assert read(properties, "app.properties", "key.converter=x\nkey.converter.on=y\n") == {
        "key/converter": Value.string("x"),
        "key/converter/on": Value.string("y"),
    }


def test_a_toml_date_stays_a_date_when_it_is_changed_to_another() -> None:
    mapping = mapping_of("app.toml")
    assert read(mapping, "app.toml", "day = 2026-01-01\n") == {"day": Value.string("2026-01-01")}
    changed = write(mapping, "app.toml", {"day": Value.string("2027-02-03")}, "day = 2026-01-01\n")
    assert changed == "day = 2027-02-03\n"
    assert write(mapping, "app.toml", {"day": Value.string("x")}, "day = 2026-01-01\n") == 'day = "x"\n'


def test_web_config_settings_are_keys_by_their_name() -> None:
    settings = '  <appSettings>\n    <add key="A" value="1" />\n  </appSettings>\n'
    text = f"<configuration>\n{settings}</configuration>\n"
    mapping = mapping_of("web.config", root="configuration/appSettings")
    assert read(mapping, "web.config", text) == {"A": Value.string("1")}
    wanted = {"A": Value.string("2"), "B": Value.string("<&>")}
    assert write(mapping, "web.config", wanted, text) == text.replace(
        '"1" />\n', '"2" />\n    <add key="B" value="&lt;&amp;&gt;"/>\n'
    )


def test_a_spreadsheet_takes_no_cell_of_a_csv_file_for_a_formula() -> None:
    wanted = {"a": Value.string("=cmd|' /C calc'!A0"), "b": Value.string("'+1"), "c": Value.integer(-1)}
    text = write(mapping_of("app.csv"), "app.csv", wanted, None)
    assert text == "key,value,type\na,'=cmd|' /C calc'!A0,string\nb,''+1,string\nc,-1,integer\n"
    assert read(mapping_of("app.csv"), "app.csv", text) == wanted


def test_an_item_of_unknown_format_asks_for_the_option() -> None:
    with pytest.raises(MappingError, match="say format:"):
        mapping_of("secret").read(Item("secret", b"{}"))
    assert read(mapping_of("secret", format="json"), "secret", '{"a": 1}') == {"a": Value.integer(1)}


def test_no_edit_lets_the_first_name_become_a_byte_order_mark() -> None:
    text = "a=1\n\ufeff=2\n"
    mapping = mapping_of("app.properties")
    assert set(read(mapping, "app.properties", text)) == {"a", "\ufeff"}
    with pytest.raises(MappingError, match="make it by hand"):
        write(mapping, "app.properties", {"\ufeff": Value.string("2")}, text)
