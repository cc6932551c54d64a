"""A line waits for what it needs and no more, and help works in a folder with nothing in it.

What is imported is held here, not how long it takes: that is measured by `benchmarks`.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from ecs_sync.registry import Registry

from .world import World

SDKS = ("azure", "boto3", "botocore", "consul", "google", "grpc", "hvac", "msal", "psycopg", "requests")
"""What talks to providers, and to a database that is not configured here."""

NOT_FOR_FILES = (
    *SDKS,
    "alembic",
    "apscheduler",
    "cronsim",
    "cryptography",
    "ecs_sync.drift",
    "ecs_sync.worker",
    "hypothesis",
    "jsonschema",
    "moto",
    "rich",
    "sqlalchemy.dialects.postgresql",
    "sqlalchemy.orm",
    "structlog",
)
"""What a configuration of files without keys and times needs for nothing."""

HELP = (
    *NOT_FOR_FILES,
    "ecs_sync.config",
    "ecs_sync.plan",
    "ecs_sync.store",
    "pydantic",
    "ruamel",
    "sqlalchemy",
)

_SHOW_MODULES = """
import importlib.metadata, sys
searches, search = [], importlib.metadata.entry_points
importlib.metadata.entry_points = lambda **words: searches.append(words) or search(**words)
from ecs_sync.cli.app import run
code = run(sys.argv[1:])
searches = [words for words in searches if words.get("group") != "pydantic"]
sys.stderr.write("\\n".join([*sorted(sys.modules), f"searches:{len(searches)}"]))
sys.exit(code)
"""
"""Names the modules that a line imported, and how often it searched what is installed.

Beside that pydantic looks for its own plugins.
"""

_FILES = """\
store: {url: "sqlite:///ecs-sync.db"}
connections:
  old: {adapter: files, root: ., pace: {rate: 5, timeout: 2s}}
jobs:
  job:
    protected: ["db/*"]
    limits: {deletes: 10%}
    links:
      - {connection: old, place: old.yaml, mapping: document, mode: import, priority: 10}
"""


def imported(folder: Path, *words: str) -> set[str]:
    """The modules of a process that runs this line."""
    command = [sys.executable, "-c", _SHOW_MODULES, *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 2, 64), done.stderr
    names = set(done.stderr.split("\n"))
    assert "ecs_sync.cli.app" in names
    return names


def under(names: Iterable[str], roots: Iterable[str]) -> set[str]:
    """Those of some modules that are one of the roots, or inside one."""
    return {name for name in names for root in roots if name == root or name.startswith(f"{root}.")}


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with a configuration of one file, and its store."""
    (tmp_path / "ecs-sync.yaml").write_text(_FILES, encoding="utf-8")
    (tmp_path / "old.yaml").write_text("a: 1\n", encoding="utf-8")
    subprocess.run([sys.executable, "-m", "ecs_sync", "init"], cwd=tmp_path, capture_output=True, check=True)
    return tmp_path


@pytest.mark.parametrize("words", [["--help"], ["plan", "--help"], ["set", "--help"], ["nope"]])
def test_help_imports_nothing_heavy(tmp_path: Path, words: list[str]) -> None:
    assert under(imported(tmp_path, *words), HELP) == set()


def test_the_version_is_said_by_the_command_alone_without_a_search(tmp_path: Path) -> None:
    names = imported(tmp_path, "--version")
    assert under(names, ["ecs_sync", "ecs_sync_adapters", "ecs_sync_mappings", "ecs_sync_sandbox"]) == {
        "ecs_sync",
        "ecs_sync.cli",
        "ecs_sync.cli.app",
        "ecs_sync.cli.calling",
        "ecs_sync.cli.failures",
        "ecs_sync.errors",
        "ecs_sync.exits",
        "ecs_sync.render",
        "ecs_sync.render.format",
    }
    assert "searches:0" in names


def test_validating_opens_no_store_and_plans_nothing(files: Path) -> None:
    names = imported(files, "validate")
    unneeded = (*NOT_FOR_FILES, "sqlalchemy", "asyncio", "ecs_sync.plan", "ecs_sync.store", "ecs_sync.sync")
    assert under(names, unneeded) == set()
    assert "searches:1" in names


def test_a_plan_over_files_imports_their_adapter_and_no_other_one(files: Path) -> None:
    names = imported(files, "plan")
    assert under(names, NOT_FOR_FILES) == set()
    adapters = under(names, ["ecs_sync_adapters"]) - {"ecs_sync_adapters"}
    assert {name for name in adapters if not name.startswith("ecs_sync_adapters.files")} == set()
    assert adapters
    assert "searches:1" in names


def test_the_command_is_there_as_a_module_and_names_its_version(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ecs_sync", "--version"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("ecs-sync ")


def test_a_verb_of_another_package_that_is_not_installed_says_so_and_leaves_the_others(bare: World) -> None:
    from importlib.metadata import EntryPoint

    from ecs_sync.cli.app import _loaded

    command = _loaded(EntryPoint("elsewhere", "no_such_package.verb:verb [extra]", "ecs_sync.commands"))
    assert "pip install 'ecs-sync[extra]'" in (command.help or "")
    assert Registry.from_entry_points().adapters


def test_colours_are_for_terminals_only(world: World) -> None:
    world.put("acme/a", "1")
    assert "\x1b" not in world("plan").out
