from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ecs_sync_sandbox.aws import AwsServer

from .ground import Ground, opened, prepare


@pytest.fixture(scope="session")
def aws() -> Iterator[AwsServer]:
    with AwsServer() as server:
        yield server


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prepared")
    prepare(folder)
    return folder


@pytest.fixture
def ground(
    prepared: Path, tmp_path: Path, aws: AwsServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Ground]:
    with opened(prepared, tmp_path, aws, monkeypatch) as ground:
        yield ground
