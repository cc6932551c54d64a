"""What is installed is what is declared, pinned and explained: no more, no less."""

from __future__ import annotations

import ast
import fnmatch
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
PINS = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
PYTHONS = ("3.11", "3.12", "3.13", "3.14")


def needed(requirements: list[str]) -> Iterator[Requirement]:
    """The requirements, with what the project's own extras stand for in their place."""
    for requirement in map(Requirement, requirements):
        if canonicalize_name(requirement.name) == "ecs-sync":
            for extra in requirement.extras:
                yield from needed(EXTRAS[extra])
        else:
            yield requirement


def declared() -> dict[str, Requirement]:
    """What a checkout with all extras and the tools needs, by name."""
    return {
        canonicalize_name(r.name): r
        for r in needed([*PROJECT["dependencies"], "ecs-sync[all]", *EXTRAS["dev"]])
    }


def closure(pythons: tuple[str, ...]) -> set[str]:
    """All that is needed by what is needed, in this environment or one of these versions of Python."""
    found: set[str] = set()
    ahead = [(name, frozenset(r.extras)) for name, r in declared().items()]
    seen = set(ahead)
    while ahead:
        name, extras = ahead.pop()
        try:
            requires = distribution(name).requires or []
        except PackageNotFoundError:
            continue  # Another version of Python needs it, and this one has not installed it.
        found.add(name)
        for requirement in map(Requirement, requires):
            environments = [
                {"extra": extra, "python_version": python, "python_full_version": f"{python}.0"}
                for extra in {"", *extras}
                for python in pythons
            ]
            marker = requirement.marker
            if marker is None or any(marker.evaluate(dict(each)) for each in environments):
                step = (canonicalize_name(requirement.name), frozenset(requirement.extras))
                if step not in seen:
                    seen.add(step)
                    ahead.append(step)
    return found


def pinned() -> dict[str, str]:
    return {canonicalize_name(name): version for name, _, version in (pin.partition("==") for pin in PINS)}


def test_a_pin_is_a_name_and_a_version_and_leads_nowhere_else() -> None:
    assert [pin for pin in PINS if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", pin)] == []
    assert len(pinned()) == len(PINS)


def test_everything_that_is_declared_is_pinned_within_its_bounds() -> None:
    pins = pinned()
    for name, requirement in declared().items():
        assert pins[name] in requirement.specifier, requirement


def test_the_pins_are_what_a_checkout_needs_and_nothing_more() -> None:
    assert closure(PYTHONS) - set(pinned()) == set(), "not pinned"
    assert set(pinned()) - closure(PYTHONS) == set(), "pinned, and needed by nothing"


@cache
def imported(*folders: str) -> frozenset[str]:
    """The top-level names that the modules in some folders import."""
    names: set[str] = set()
    for file in (file for folder in folders for file in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.partition(".")[0])
    return frozenset(names)


@cache
def providers(names: frozenset[str]) -> set[str]:
    """The distributions that modules come from."""
    known = packages_distributions()
    return {canonicalize_name(each) for name in names for each in known.get(name, ())}


SDKS = [requirement for extra in ("aws", "azure", "consul", "gcp", "vault") for requirement in EXTRAS[extra]]


@pytest.mark.parametrize("requirement", [*PROJECT["dependencies"], *SDKS])
def test_what_is_installed_is_used(requirement: str) -> None:
    """A provider is reached through its SDK, and not through a part of that."""
    used = providers(imported("src", "mappings", "adapters/ecs_sync_adapters"))
    assert canonicalize_name(Requirement(requirement).name) in used


UNDER_THEIR_PARENTS = {
    *("botocore", "urllib3", "werkzeug"),
    *("azure-core", "requests"),
    *("google-api-core", "google-auth", "googleapis-common-protos", "grpc-google-iam-v1"),
    *("grpcio", "grpcio-status", "proto-plus", "protobuf"),
}
"""Imported where their parent is a dependency: parts of boto3, of moto's server, and of the SDKs of
Azure, Vault, Consul and Google."""


def test_what_is_imported_is_declared() -> None:
    every = [requirement for extra in EXTRAS.values() for requirement in extra]
    known = set(declared()) | {canonicalize_name(requirement.name) for requirement in needed(every)}
    used = providers(imported("src", "mappings", "adapters")) - {"ecs-sync"}
    assert used - known - UNDER_THEIR_PARENTS == set()


def test_every_dependency_is_explained() -> None:
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("|")]
    words = [word for row in rows for word in re.findall(r"[\w.*-]+", row)]
    every = [*PROJECT["dependencies"], *(r for extra in EXTRAS.values() for r in extra)]
    names = {Requirement(r).name for r in every} - {"ecs-sync"}
    assert {name for name in names if not any(fnmatch.fnmatch(name, word) for word in words)} == set()
