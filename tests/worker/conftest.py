"""A house for each test; when it is left, no worker of it may have said a value."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ecs_sync_sandbox.consul import ConsulServer
from tests.worker.house import House


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with ConsulServer() as consul:
        house = House(tmp_path, consul)
        yield house
        house.close()


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """A worker takes all logging of its process; one that ran in this process gives it back."""
    root, hook = logging.getLogger(), threading.excepthook
    handlers, level = root.handlers, root.level
    yield
    root.handlers, threading.excepthook = handlers, hook
    root.setLevel(level)
    logging.captureWarnings(False)
