"""Asking for help costs next to nothing, and works in a folder with nothing in it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ecs_sync.registry import Registry

from .world import World

HEAVY = (
    "sqlalchemy",
    "alembic",
    "pydantic",
    "ruamel",
    "boto3",
    "botocore",
    "consul",
    "rich",
    "moto",
    "hypothesis",
)

_SHOW_MODULES = """
import sys
from ecs_sync.cli.app import run
code = run(sys.argv[1:])
sys.stderr.write("\\n".join(sorted(sys.modules)))
sys.exit(code)
"""


@pytest.mark.parametrize(
    "words", [["--help"], ["--version"], ["plan", "--help"], ["set", "--help"], ["nope"]]
)
def test_help_and_version_import_nothing_heavy(tmp_path: Path, words: list[str]) -> None:
    command = [sys.executable, "-c", _SHOW_MODULES, *words]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 64)
    loaded = {name.partition(".")[0] for name in done.stderr.split("\n")}
    assert "ecs_sync" in loaded
    assert loaded & set(HEAVY) == set()


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
