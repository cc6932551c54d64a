"""What is published names no machine that somebody worked on, and no host that packages come from."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

FORBIDDEN = {
    "a folder of somebody's machine": re.compile(r"(?<![\w.$}])/(root|work|home|Users)/\w"),
    "a host that packages come from": re.compile(
        r"\b(pypi|npmjs|golang)\.(org|io|com)\b|python[h]osted|/simple/\w"
    ),
    "a line that chooses such a host": re.compile(r"--(extra-)?index-url|--trusted[-]host|--find[-]links"),
}
"""Written so that no pattern matches its own text."""


@pytest.fixture(scope="module")
def files() -> list[Path]:
    """All that git keeps."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("this is no git checkout")
    names = listed.stdout.decode().split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_holds(what: str, files: list[Path]) -> None:
    assert len(files) > 100
    found = []
    for file in files:
        text = file.read_text(encoding="utf-8", errors="replace")
        found += [f"{file.relative_to(ROOT)}: {match[0]!r}" for match in FORBIDDEN[what].finditer(text)]
    assert found == []


def test_what_is_forbidden_would_be_found() -> None:
    """Put together here, so that this file may stay in the repository."""
    examples = ("/".join(("", "home", "me", "x")), ".".join(("https://pypi", "org")), "--" + "index-url")
    for (what, pattern), example in zip(FORBIDDEN.items(), examples, strict=True):
        assert pattern.search(f'"{example}"'), what


def test_no_file_is_kept_that_is_made_by_running_something(files: list[Path]) -> None:
    made = re.compile(
        r"(^|/)(__pycache__|dist|build|\.venv[\w-]*|\.hypothesis|\.mypy_cache)/|\.(pyc|db|key|whl)$"
    )
    assert [name for file in files if made.search(name := str(file.relative_to(ROOT)))] == []
