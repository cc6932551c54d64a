"""A stranger's adapter is a first-class citizen: the one of the documentation is built, installed and held to
the contract, in a process that knows nothing of this repository but the installed ecs-sync."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parent.parent / "docs" / "write-an-adapter.md"
FILE = re.compile(r"^\*\*`(?P<path>[^`]+)`\*\*\n\n```\w+\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
SCRIPT = """
from ecs_sync.registry import Registry
kind = Registry.from_entry_points().adapter("sqlite-table")
print(kind.__module__, kind.Place.parse("app/"))
"""


def run(*arguments: str, cwd: Path, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Python with these arguments, as somebody would run it in their own folder."""
    env = {name: text for name, text in os.environ.items() if not name.startswith(("PYTEST", "COV"))}
    if path is not None:
        env["PYTHONPATH"] = str(path)
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the package that the page shows, file by file."""
    root = tmp_path_factory.mktemp("stranger")
    for found in FILE.finditer(PAGE.read_text(encoding="utf-8")):
        file = root / found["path"]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(found["text"], encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def installed(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the built wheel is installed into."""
    wheels, target = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("target")
    built = run("-m", "build", "--wheel", "--no-isolation", "--outdir", str(wheels), ".", cwd=package)
    assert built.returncode == 0, built.stdout + built.stderr
    (wheel,) = wheels.glob("*.whl")
    put = run(
        "-m", "pip", "install", "--no-deps", "--no-index", "--target", str(target), str(wheel), cwd=package
    )
    assert put.returncode == 0, put.stdout + put.stderr
    return target


def test_the_page_shows_a_whole_package(package: Path) -> None:
    files = {str(path.relative_to(package)) for path in package.rglob("*") if path.is_file()}
    assert files == {"pyproject.toml", "ecs_sync_sqlite_table/__init__.py", "tests/test_table.py"}


def test_an_installed_adapter_is_found_by_its_name(installed: Path, tmp_path: Path) -> None:
    found = run("-c", SCRIPT, cwd=tmp_path, path=installed)
    assert found.stdout == "ecs_sync_sqlite_table app/\n", found.stderr


def test_the_adapter_of_the_page_keeps_the_contract(package: Path, installed: Path, tmp_path: Path) -> None:
    shutil.copytree(package / "tests", tmp_path / "tests")
    ran = run("-m", "pytest", "tests", "-q", "-p", "no:cacheprovider", cwd=tmp_path, path=installed)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    passed = re.search(r"(\d+) passed", ran.stdout)
    assert passed
    assert int(passed[1]) >= 40


def test_the_adapter_of_the_page_is_typed_as_the_port_says(package: Path) -> None:
    (package / "uses.py").write_text(
        "from ecs_sync.adapter import Adapter\n"
        "from ecs_sync_sqlite_table import TableAdapter, TableOptions\n\n"
        'adapter: Adapter = TableAdapter(TableOptions("items.db"))\n'
    )
    checked = run("-m", "mypy", "--strict", "uses.py", cwd=package)
    assert checked.returncode == 0, checked.stdout + checked.stderr
