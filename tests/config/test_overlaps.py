"""Two connections that lead to one place are found out, whatever they are called and whoever asks."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecs_sync.config import load
from ecs_sync.errors import ConfigError
from ecs_sync.registry import ADAPTERS, MAPPINGS, Registry

from .own import points, write

REGISTRY = Registry(
    points(
        ADAPTERS,
        consul="TreeAdapter",
        files="FilesAdapter",
        mounts="MountAdapter",
        azure_appconfig="LabelAdapter",
    ),
    points(MAPPINGS, path="PathMapping", document="DocumentMapping"),
)

TWO = """\
store: {{url: "sqlite:///s.db"}}
connections:
  one: {{adapter: {adapter}, {one}}}
  two: {{adapter: {adapter}, {two}}}
jobs:
  first: {{links: [{{connection: one, place: a/, mapping: {mapping}, mode: mirror}}]}}
  second: {{links: [{{connection: two, place: a/, mapping: {mapping}, mode: mirror}}]}}
"""


def overlap(folder: Path, adapter: str, one: str, two: str) -> bool:
    mapping = "document" if adapter == "files" else "path"
    path = write(folder, TWO.format(adapter=adapter, one=one, two=two, mapping=mapping))
    try:
        load(path, environ={}, registry=REGISTRY)
    except ConfigError as error:
        assert [(p.line, p.path) for p in error.problems] == [(7, "jobs.second.links[0].place")], error
        assert "overlaps the place of job 'first', link 'one' (line 6)" in error.problems[0].message
        return True
    return False


@pytest.mark.parametrize(
    ("adapter", "one", "two"),
    [
        ("consul", "url: 'http://c:1'", "url: 'http://c:1'"),
        ("consul", "token: env:A", "token: env:B"),
        ("consul", "timeout: 1, batch: 5", "url: 'http://127.0.0.1:8500'"),
        ("consul", "url: 'http://C.example/'", "url: 'http://c.example'"),
        ("consul", "url: 'https://c:443/v'", "url: 'https://c/v'"),
        ("files", "root: ./config", "root: other/../config/"),
        ("mounts", "url: 'http://v', role: a, token: env:A", "url: 'http://v', role: b, token: env:B"),
        ("azure-appconfig", "endpoint: 'https://a'", "endpoint: 'https://a', connection_string: env:A"),
        ("mounts", "token: env:A", "token: env:A, role: b"),
    ],
)
def test_two_names_for_one_place_are_one_place(tmp_path: Path, adapter: str, one: str, two: str) -> None:
    assert overlap(tmp_path, adapter, one, two)


@pytest.mark.parametrize(
    ("adapter", "one", "two"),
    [
        ("consul", "url: 'http://c:1'", "url: 'http://c:2'"),
        ("consul", "url: 'http://c/a'", "url: 'http://c/A'"),
        ("files", "root: ./config", "root: ./config/inner"),
        ("mounts", "url: 'http://v', mount: a", "url: 'http://v', mount: b"),
        ("mounts", "token: env:A", "token: env:B"),
    ],
)
def test_two_places_are_two(tmp_path: Path, adapter: str, one: str, two: str) -> None:
    assert not overlap(tmp_path, adapter, one, two)


def test_a_template_that_leads_all_tenants_to_one_place_is_found_out(tmp_path: Path) -> None:
    text = """\
        store: {url: "sqlite:///s.db"}
        connections:
          "c-{tenant}": {for_each: {tenant: [acme, globex]}, adapter: consul, token: "env:T_{tenant}"}
        jobs:
          "{tenant}":
            for_each: {tenant: [acme, globex]}
            links: [{connection: "c-{tenant}", place: a/, mapping: path, mode: mirror}]
        """
    with pytest.raises(ConfigError, match="overlaps the place of job 'acme', link 'c-acme'"):
        load(write(tmp_path, text), environ={}, registry=REGISTRY)


@pytest.mark.parametrize("one, two", [("Pay-", "pay-a-"), ("pay-a-", "Pay-"), ("PAY-", "pay-")])
def test_places_that_differ_by_case_are_one_where_names_fold_it(tmp_path: Path, one: str, two: str) -> None:
    text = f"""\
        store: {{url: "sqlite:///s.db"}}
        connections:
          vault: {{adapter: azure-keyvault, vault: "https://acme.vault.azure.net"}}
        jobs:
          first: {{links: [{{connection: vault, place: {one}, mapping: path, mode: mirror}}]}}
          between: {{links: [{{connection: vault, place: Other-, mapping: path, mode: mirror}}]}}
          second: {{links: [{{connection: vault, place: {two}, mapping: path, mode: mirror}}]}}
        """
    with pytest.raises(ConfigError, match="overlaps the place of job 'first'") as refused:
        load(write(tmp_path, text), environ={}, registry=Registry.from_entry_points())
    assert [problem.line for problem in refused.value.problems] == [7]


def test_places_that_differ_by_case_are_two_where_names_do_not_fold_it(tmp_path: Path) -> None:
    text = """\
        store: {url: "sqlite:///s.db"}
        connections: {one: {adapter: consul}}
        jobs:
          first: {links: [{connection: one, place: A/, mapping: path, mode: mirror}]}
          second: {links: [{connection: one, place: a/, mapping: path, mode: mirror}]}
        """
    assert load(write(tmp_path, text), environ={}, registry=REGISTRY)
