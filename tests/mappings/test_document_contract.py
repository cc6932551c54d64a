"""The document mapping keeps the laws that every mapping keeps, in every format."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import strategies as st

from ecs_sync.adapter import Item, attributes
from ecs_sync.model import Entry, Key, Scope, Value
from ecs_sync.testing import mapping_contract
from ecs_sync.testing.mapping_contract import Law, Lens
from ecs_sync.testing.strategies import NASTY_TEXTS
from ecs_sync_mappings.document import DocumentMapping, DocumentOptions

DOCUMENTS = {
    "app.json": ["{}", '{"a": 1, // one\n "b": {"c": [1, 2.50], "d": null}}', '{"a": 1, "a": 2, "c": "x"}'],
    "app.yml": ["", "a: 1 # one\nb:\n  c: [1, 2]\n  d: |\n    x\n", "a: &x {p: 1}\nb: *x\nc: .inf\nd: 1\n"],
    "app.toml": ["", 'a = 1 # one\n[b]\nc = [1, 2]\nd = "x"\n', "[[a]]\nx = 1\n[b]\nday = 2026-01-01\n"],
    ".env": ["", "a=1\nexport b='x y' # c\nc=\"1\\n2\"\n", "a=1\na=2\nb\nc=3\n"],
    "app.properties": ["", "a=1\na.b : two \\\n  three\n! c\nc\n", "a=\\ud83d\nb=1\n"],
    "app.ini": ["", "x = 1\n[b]\nc = 1\n;d = 2\ne = one\n  two\n", "[s]\nA=1\na=2\nb=3\n"],
    "app.xml": ["", '<a x="1">\n  <b>t</b>\n  <c/>\n</a>\n', "<a><b>1</b><b>2</b><c>3</c></a>"],
    "app.csv": ["key,value,type\n", "key,value\na,1\nb/c,'=x\n", 'key,value,type,note\na,1,integer,"x,y"\n'],
}
KEYS = ["a", "b", "b/c", "b/d", "a/b", "a/@x", "a/c", "s/b", "x"]


@dataclass(frozen=True)
class File:
    root: str


def lens_of(id: str) -> Lens:
    options = DocumentOptions(separator="__" if id == ".env" else None)
    mapping = DocumentMapping(options, File(id), Scope())
    texts = st.sampled_from(NASTY_TEXTS) | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
    values = texts.map(Value.string) | st.integers().map(Value.integer) | st.just(Value.null())
    items = st.builds(
        Item,
        st.just(id),
        st.sampled_from([text.encode() for text in DOCUMENTS[id]]),
        st.booleans(),
        st.just(attributes({"owner": "x"})),
    )
    one = st.builds(Entry, st.sampled_from(KEYS).map(Key.parse), values, st.booleans())
    return Lens(mapping, items, st.lists(one, max_size=3, unique_by=lambda entry: entry.key))


@pytest.mark.parametrize("id", DOCUMENTS)
@mapping_contract.laws
def test_documents(law: Law, id: str) -> None:
    if law.name == "no_refusal_and_no_error_quotes_a_value" and id in ("app.properties", "app.ini"):
        pytest.skip("'canary: [' names a key here, and names are shown")
    law(lens_of(id))
