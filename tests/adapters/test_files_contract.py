"""Files keep the contract that every adapter keeps."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from ecs_sync.adapter import Attributes
from ecs_sync.testing import adapter_contract
from ecs_sync.testing.adapter_contract import Behaviour, Subject
from ecs_sync_adapters.files import FilesAdapter, FilesOptions
from ecs_sync_adapters.files_place import FilesPlace


@dataclass(frozen=True)
class Editor:
    """Somebody with an editor."""

    root: Path

    def set(self, id: str, value: bytes, attributes: Attributes = ()) -> None:
        path = self.root / id
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(value)

    def delete(self, id: str) -> None:
        (self.root / id).unlink(missing_ok=True)

    def get(self, id: str) -> bytes | None:
        path = self.root / id
        return path.read_bytes() if path.is_file() else None


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    (tmp_path / "app").mkdir()
    adapter = FilesAdapter(FilesOptions(root=str(tmp_path), max_bytes=100_000))
    place = FilesPlace.parse("app/**")
    return Subject(adapter, place, Editor(tmp_path), id=lambda name: f"app/{name}", beside="app2/x", many=30)


@adapter_contract.behaviours
def test_files(behaviour: Behaviour, subject: Subject) -> None:
    behaviour(subject)
