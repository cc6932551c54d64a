"""The fields mapping keeps the laws that every mapping keeps, at a folder and at one item."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import strategies as st

from ecs_sync.adapter import Item, attributes
from ecs_sync.model import Entry, Key, Scope
from ecs_sync.testing import mapping_contract
from ecs_sync.testing.mapping_contract import Law, Lens
from ecs_sync.testing.strategies import segments, values
from ecs_sync_mappings.fields import FieldsMapping, FieldsOptions

OBJECTS = [
    "{}",
    '{"user":"app","password":"x"}',
    '{ "port": 5432, "rate": 1.50,\n  "tls": true, "note": null }\n',
    '{"list":[1, 2.50],"nested":{"a":{"b":1}},"user":"app"}',
    '{"a":1,"a":2,"user":"app"}',
    '{"":1,"..":2,"user":"app","\\u0007":3}',
    '{"user":"\\ud800","nested":{"a":1,"a":2},"port":1}',
    '{"a/b":"x","~":"y"}',
    '{"user":"app"} // mine\n',
    "[1]",
    "null",
    '"text"',
    "not json",
]


@dataclass(frozen=True)
class Folder:
    root: str = "acme/prod/"


@dataclass(frozen=True)
class One:
    root: str = "acme/prod/payments"

    @property
    def single_item(self) -> str:
        return self.root


def lens_of(place: Folder | One) -> Lens:
    mapping = FieldsMapping(FieldsOptions(), place, Scope())
    folder = isinstance(place, Folder)
    ids = [f"{place.root}db", f"{place.root}db/main", f"{place.root}x~1y"] if folder else [place.root]
    items = st.builds(
        Item,
        st.sampled_from([*ids, *([f"{place.root}bad//name", "acme/other"] if folder else [])]),
        st.sampled_from([text.encode() for text in OBJECTS]),
        st.booleans(),
        st.just(attributes({"metadata:owner": "x"})),
    )
    fields = st.sampled_from(["user", "password", "port", "a/b", "nested"]) | segments()
    names = st.tuples(st.just("db"), fields) if folder else st.tuples(fields)
    one = st.builds(Entry, names.map(lambda parts: Key.of(*parts)), values(), st.booleans())
    return Lens(mapping, items, st.lists(one, max_size=4, unique_by=lambda entry: entry.key))


@pytest.mark.parametrize("place", [Folder(), One()], ids=["folder", "one"])
@mapping_contract.laws
def test_fields(law: Law, place: Folder | One) -> None:
    law(lens_of(place))
