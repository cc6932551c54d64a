"""What is built is what is installed: the wheel and the sdist, as somebody else gets them."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

import ecs_sync

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.xdist_group("distribution")
PACKAGES = {"ecs_sync", "ecs_sync_adapters", "ecs_sync_mappings", "ecs_sync_sandbox"}


def run(
    *command: str, cwd: Path, path: Path | None = None, code: int = 0
) -> subprocess.CompletedProcess[str]:
    """A command as somebody would run it in their own folder, with ``path`` in front of what is installed."""
    env = {name: text for name, text in os.environ.items() if not name.startswith(("PYTEST", "COV", "ECS_"))}
    if path is not None:
        env["PYTHONPATH"] = str(path)
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel that was built from the sdist alone."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT), cwd=folder)
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Iterator[zipfile.ZipFile]:
    (file,) = built.glob("*.whl")
    with zipfile.ZipFile(file) as opened:
        yield opened


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the wheel is installed into; its dependencies are those of this environment."""
    target = tmp_path_factory.mktemp("target")
    (file,) = built.glob("*.whl")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    run(*pip, "--target", str(target), str(file), cwd=target)
    return target


def test_the_wheel_brings_four_packages_and_nothing_beside_them(wheel: zipfile.ZipFile) -> None:
    tops = {PurePosixPath(name).parts[0] for name in wheel.namelist()}
    assert tops == PACKAGES | {f"ecs_sync-{ecs_sync.__version__}.dist-info"}


def test_the_wheel_holds_every_module_of_the_repository_and_no_test(wheel: zipfile.ZipFile) -> None:
    homes = [
        ROOT / "src" / "ecs_sync",
        *(ROOT / "adapters").glob("ecs_*"),
        *(ROOT / "mappings").glob("ecs_*"),
    ]
    here = {str(file.relative_to(home.parent)) for home in homes for file in home.rglob("*.py")}
    there = {name for name in wheel.namelist() if name.endswith(".py")}
    assert {home.name for home in homes} == PACKAGES
    assert there == here
    assert not [name for name in wheel.namelist() if "test_" in name or "__pycache__" in name]


def test_the_wheel_tells_type_checkers_and_lawyers_what_it_is(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    assert {f"{package}/py.typed" for package in PACKAGES} <= names
    info = f"ecs_sync-{ecs_sync.__version__}.dist-info"
    licence = wheel.read(f"{info}/licenses/LICENSE").decode()
    assert "Apache License\n                           Version 2.0, January 2004" in licence
    assert "END OF TERMS AND CONDITIONS" in licence
    assert "License-Expression: Apache-2.0" in wheel.read(f"{info}/METADATA").decode().splitlines()


def test_the_sdist_holds_all_that_a_checkout_is_tested_with(built: Path) -> None:
    (file,) = built.glob("*.tar.gz")
    with tarfile.open(file) as opened:
        names = {str(PurePosixPath(*PurePosixPath(name).parts[1:])) for name in opened.getnames()}
    folders = ("src", "adapters", "mappings", "tests", "docs", "benchmarks")
    here = {str(file.relative_to(ROOT)) for folder in folders for file in (ROOT / folder).rglob("*.[mp][dy]")}
    assert here - names == set()
    files = {"README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "Makefile", "pyproject.toml"}
    assert files | {"constraints.txt", "docker-compose.yml", ".ci/run"} <= names


def test_the_version_stands_in_one_place_and_the_command_says_it(installed: Path, tmp_path: Path) -> None:
    assert "\nversion =" not in (ROOT / "pyproject.toml").read_text()
    said = run(str(installed / "bin" / "ecs-sync"), "--version", cwd=tmp_path, path=installed)
    assert said.stdout == f"ecs-sync {ecs_sync.__version__}\n"
    assert f"## {ecs_sync.__version__}\n" in (ROOT / "CHANGELOG.md").read_text()


def test_what_is_installed_makes_a_store_and_brings_a_file_into_it(installed: Path, tmp_path: Path) -> None:
    where = "import ecs_sync, ecs_sync_adapters as a; print(ecs_sync.__file__, a.__file__)"
    for file in run(sys.executable, "-c", where, cwd=tmp_path, path=installed).stdout.split():
        assert Path(file).is_relative_to(installed)
    (tmp_path / "old.yaml").write_text("retry: {max: 5}\n")
    (tmp_path / "ecs-sync.yaml").write_text(
        'store: {url: "sqlite:///store.db"}\n'
        'connections: {old: {adapter: files, root: "."}}\n'
        "jobs: {j: {links: [{connection: old, place: old.yaml, mapping: document, mode: import, "
        "priority: 1}]}}\n"
    )
    command = str(installed / "bin" / "ecs-sync")
    for verb in ("init", "sync"):
        run(command, verb, cwd=tmp_path, path=installed)
    assert run(command, "get", "j", "retry/max", cwd=tmp_path, path=installed).stdout == "5\n"


ENTRIES = """
from importlib.metadata import distributions
for distribution in distributions(path=[{target!r}]):
    for entry in distribution.entry_points:
        print(entry.group, entry.name, callable(entry.load()))
"""


def test_every_entry_point_leads_somewhere(installed: Path, tmp_path: Path) -> None:
    script = ENTRIES.format(target=str(installed))
    found = run(sys.executable, "-c", script, cwd=tmp_path, path=installed).stdout.splitlines()
    groups = {line.split()[0] for line in found}
    assert groups == {"console_scripts", "ecs_sync.adapters", "ecs_sync.mappings", "ecs_sync.commands"}
    assert len(found) >= 8
    assert all(line.endswith(" True") for line in found)
