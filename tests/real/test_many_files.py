"""Keys of one link in many files: each is looked for, and written, in the file that it stands in."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecs_sync.cli.app import run

CONFIG = """\
store: {url: "sqlite:///store.db"}
connections:
  files: {adapter: files, root: conf}
jobs:
  many:
    links:
      - connection: files
        place: "*.yml"
        mapping: {name: document, into: new.yml}
        mode: two-way
        priority: 10
"""


class Folder:
    """Files by name; the job that has them in step is ``many``."""

    def __init__(self, path: Path) -> None:
        self.path = path / "conf"
        self.path.mkdir()
        (path / "ecs-sync.yaml").write_text(CONFIG)

    def __setitem__(self, name: str, text: str) -> None:
        (self.path / name).write_text(text)

    def __getitem__(self, name: str) -> str:
        return (self.path / name).read_text()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    monkeypatch.chdir(tmp_path)
    folder = Folder(tmp_path)
    folder["a.yml"] = "x: 1\n"
    folder["b.yml"] = "y: 2\nz: 3\n"
    assert run(["init"]) == 0
    assert run(["sync"]) == 0
    return folder


def test_a_known_key_is_written_where_it_stands_and_a_new_one_where_the_link_says(folder: Folder) -> None:
    run(["set", "many", "y", "5"])
    run(["set", "many", "fresh", "6"])
    assert run(["sync"]) == 0
    assert (folder["b.yml"], folder["new.yml"]) == ("y: 5\nz: 3\n", 'fresh: "6"\n')
    assert run(["plan"]) == 0


def test_a_key_that_was_moved_to_another_file_is_followed_there(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    folder["a.yml"], folder["b.yml"] = "x: 1\ny: 2\n", "z: 4\n"
    assert run(["sync"]) == 0
    run(["set", "many", "y", "5"])
    assert run(["sync"]) == 0
    assert "stands twice" not in capsys.readouterr().out
    assert (folder["a.yml"], folder["b.yml"]) == ("x: 1\ny: 5\n", "z: 4\n")


def test_a_file_that_comes_back_after_its_keys_were_moved_is_read_again(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    folder["a.yml"], folder["b.yml"] = "x: 1\ny: 2\n", "z: 3\n"
    assert run(["sync"]) == 0
    folder["b.yml"] = "y: 2\nz: 3\n"
    assert run(["sync"]) == 1
    assert "the key stands twice, in 'a.yml' and 'b.yml'" in capsys.readouterr().out
    assert folder["a.yml"] == "x: 1\ny: 2\n"
