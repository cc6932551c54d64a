"""Every value of many awkward documents edited, taken out, and given new neighbours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from ecs_sync.adapter import Item
from ecs_sync.errors import MappingError
from ecs_sync.model import Entry, Key, Scope, Value
from ecs_sync_mappings.document import DocumentMapping, DocumentOptions

DOCUMENTS = [
    (
        "a.yml",
        r"""# head
a:
  # inner
  b: 1 # one
  c: [x, "y", 'z']   # flow
  d: {p: 1, q: {r: 2}}  # map
  e:
  - one
  - two: 2
    three: 3
  f:
    - - nested
      - 2
    -
      k: v
  text: |
    line one
      indented

    last
  folded: >-
    some
    words

  keep: |+
    kept

empty:
tilde: ~
plain: multi
  line plain
dq: "esc \n \
   folded"
sq: 'it''s'
? explicit
: value
"quoted key": yes
'it': no
8080: port
url: http://x:80/#frag
last: end""",
    ),
    ("a.yml", "{a: 1, b: [1, 2], c: {d: e}}\n"),
    (
        "a.yml",
        """{
  "a": 1,
  "b": {
    "c": [
      1
    ]
  }
}
""",
    ),
    (
        "a.yml",
        """---
a: 1
...
---
b: 2
""",
    ),
    ("a.yml", "a:\n    b:\n        c: 1\n"),
    ("a.yml", "a:\n- 1\n- 2\nb: 3\n"),
    (
        "a.yml",
        """a: # comment
  # more
  b: 1


# tail
""",
    ),
    ("a.yml", "a: &x 1\nb: 2\n"),
    ("a.yml", "a: !!str 5\nb: !!binary aGk=\n"),
    (
        "a.yml",
        """a:\x20\x20\x20
  b: |
    x


c: 1
""",
    ),
    ("a.yml", "a: 'x\n  y'\n"),
    ("a.yml", "a: 1\n\n# trailing comment without newline"),
    (
        "a.yml",
        """list:
  - name: x
    value: 1
  # comment between
  - name: y
""",
    ),
    ("a.json", '{"a":1,"b":{"c":[1,2,{"d":null}],"e":{}},"f":"x"}'),
    (
        "a.json",
        """{
  // comment
  "a": 1, // one
  "b": {
    "c": true,
  },
  /* block */ "d": [ ],
  "e": { "x": 1, "y": 2 }
}
""",
    ),
    ("a.json", '{ "a": 1 }'),
    ("a.json", '{\n\t"a": {\n\t\t"b": 1\n\t}\n}'),
    ("a.json", '{"a": {"b": {"c": 1}}}'),
    ("a.json", '{\r\n  "a": 1,\r\n  "b": 2\r\n}\r\n'),
    ("a.json", '{\n  "a": 1\n  // last\n}\n'),
    (
        "a.toml",
        '''# head
title = "x" # t
"quoted.key" = 'lit'
a.b.c = 1
a.b.d = 0x1F
date = 2026-01-01T10:00:00Z
multi = """
one
two"""
arr = [
  1, # c
  2,
]
inline = { x = 1, y = [1, 2] }

[server]
port = 80
host = "h"

[server.tls]
on = true

[[items]]
name = "x"
[items.sub]
z = 1
[[items]]
name = "y"

[last]
f = 1_000.5
''',
    ),
    ("a.toml", "[a]\n[b]\nx=1"),
    ("a.toml", "x = 1"),
    (
        "a.properties",
        r"""# c
! d
a.b=1
a.c : two\
   more
key with=v
empty
empty2=
\u00e9=\u00e9
  indent = x\x20\x20
path=c:\\x
""",
    ),
    ("a.properties", "a=1"),
    ("a.properties", "a = 1\r\nb = 2\r\n"),
    (
        ".env",
        r"""# c
export A=1
B='x y'
C="a\nb" # c
D=bare # c
E=

F = spaced
G="multi
line"
""",
    ),
    (".env", "A=1"),
    (
        "a.ini",
        """; c
global = 1
[s]
a = 1
b: two
;c = 3
[long]
m = one
  two

  three
# end
[s2]
""",
    ),
    ("a.ini", "[a]\nx=1"),
    (
        "a.xml",
        """<?xml version="1.0"?>
<!-- c -->
<configuration>
  <appSettings>
    <add key="A" value="1" />
    <add key="B" value="x &amp; y"/>
  </appSettings>
  <connectionStrings>
    <add name="Db" connectionString="Server=x" providerName="p"/>
  </connectionStrings>
  <el a="1" b='2'>text</el>
  <empty/>
  <e2></e2>
  <cd><![CDATA[<x>]]></cd>
  <n><m>1</m></n>
</configuration>
""",
    ),
    ("a.csv", 'key,value\na,1\nb/c,"x,y"\n'),
    ("a.csv", "key,value,type,note\na,1,integer,hi\nb,x,string,\n"),
]

NEW = [
    Value.string("edited"),
    Value.string('it\'s "q": # x'),
    Value.string("two\nlines\n"),
    Value.string(""),
    Value.integer(7),
    Value.json('["a",{"b":1}]'),
    Value.null(),
]
SPOILT = "would change more than its own value"
KNOWN = {("explicit", None), ("configuration/el", "")}
"""What is refused only after the fact: taking out an explicit key, emptying an element with attributes."""


@dataclass(frozen=True)
class File:
    root: str


def variants() -> Iterator[Any]:
    for number, (id, text) in enumerate(DOCUMENTS):
        for lists in ("json",) if id.endswith(".toml") else ("json", "indexed"):
            yield pytest.param(id, text, lists, id=f"{number}-{id}-{lists}")
            if "\r" not in text:
                yield pytest.param(id, text.replace("\n", "\r\n"), lists, id=f"{number}-{id}-{lists}-crlf")


def opened(id: str, text: str, lists: str) -> tuple[DocumentMapping, Item, list[Entry]]:
    separator = "__" if id == ".env" else None
    options = DocumentOptions(lists=lists, separator=separator)  # type: ignore[arg-type]
    mapping, item = DocumentMapping(options, File(id), Scope()), Item(id, text.encode())
    return mapping, item, [one for one in mapping.read(item) if isinstance(one, Entry)]


def attempt(mapping: DocumentMapping, item: Item, wanted: list[Entry], edit: tuple[str, str | None]) -> int:
    """1 where the mapping takes the edit, which it then has verified; 0 where it says why not."""
    try:
        changed = mapping.write(item.id, wanted, item)
    except MappingError as error:
        assert SPOILT not in str(error) or edit in KNOWN, edit
        return 0
    if changed is not None and wanted:
        again = [one for one in mapping.read(changed) if isinstance(one, Entry)]
        assert {one.key for one in again} == {one.key for one in wanted}
        assert mapping.write(item.id, again, changed) is changed
    return 1


@pytest.mark.parametrize(("id", "text", "lists"), list(variants()))
def test_every_edit_is_either_made_alone_or_refused_with_its_reason(id: str, text: str, lists: str) -> None:
    mapping, item, entries = opened(id, text, lists)
    assert mapping.write(id, entries, item) is item
    made = 0
    for index, entry in enumerate(entries):
        before, after = entries[:index], entries[index + 1 :]
        for value in NEW:
            edit = (entry.key.text, value.text)
            made += attempt(mapping, item, [*before, replace(entry, value=value), *after], edit)
        made += attempt(mapping, item, [*before, *after], (entry.key.text, None))
        for depth in range(len(entry.key.segments)):
            above = entry.key.segments[:depth]
            one = Entry(Key.of(*above, "newkey"), Value.string("n"))
            two = Entry(Key.of(*above, "newmap", "x"), Value.string("n\nm"))
            three = Entry(Key.of(*above, "newmap", "y"), Value.integer(1))
            made += attempt(mapping, item, [*entries, one], (one.key.text, "n"))
            made += attempt(mapping, item, [*entries, one, two, three], (two.key.text, "n"))
    assert made >= len(entries)
