from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .world import ONE, World, opened


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A folder without a configuration."""
    with opened(tmp_path, monkeypatch) as world:
        yield world


@pytest.fixture
def world(bare: World) -> World:
    """A job with one two-way link, its store made."""
    assert bare("store", "new-key", "secrets.key").code == 0
    bare.configure(ONE)
    assert bare("init").code == 0
    return bare
