"""Stores to test with."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from ecs_sync.store import Cipher, Store

from . import making


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/store.db"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    cipher = Cipher(secrets.token_bytes(32))
    with Store.create(url, fingerprint_key=making.KEY, cipher=cipher) as made:
        yield made
