"""Whoever copies a configuration from the documentation has one that is valid."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from ecs_sync.config import load

from .pages import PAGES, Block, blocks

_CONNECTIONS = {
    "legacy": "{adapter: files, root: ./config}",
    "consul": '{adapter: consul, url: "http://127.0.0.1:8500"}',
    "ssm": "{adapter: aws-ssm, region: eu-west-1}",
}
"""What a fragment means by the names of connections that it does not show."""

_LINK = "links: [{{connection: consul, place: p{}/, mapping: path, mode: mirror}}]"
"""What three dots in a job stand for."""

_SECTIONS = ("store:", "connections:", "jobs:", "links:", "worker:")


def configurations() -> Iterator[Block]:
    for page in PAGES:
        for block in blocks(page):
            if block.language == "yaml" and any(part in f"\n{block.text}" for part in _SECTIONS):
                yield block


def completed(text: str) -> str:
    """A fragment with what it leaves out: the store, the connections it names, the links of a job."""
    if text.startswith("links:"):
        text = f"jobs:\n  example:\n{textwrap.indent(text, '    ')}"
    numbers = count()
    text = re.sub(r"(, )?\.\.\.}", lambda cut: f"{cut[1] or ''}{_LINK.format(next(numbers))}}}", text)
    if not re.search(r"^store:", text, re.MULTILINE):
        text += 'store: {url: "sqlite:///ecs-sync.db"}\n'
    if not re.search(r"^connections:", text, re.MULTILINE):
        named = sorted(set(re.findall(r"connection: (\w+)", text)))
        text += "connections:\n" + "".join(f"  {each}: {_CONNECTIONS[each]}\n" for each in named)
    return text


@pytest.mark.parametrize("block", list(configurations()), ids=str)
def test_every_configuration_of_a_page_is_valid(block: Block, tmp_path: Path) -> None:
    path = tmp_path / "ecs-sync.yaml"
    path.write_text(completed(block.text), encoding="utf-8")
    config = load(path, environ={})
    assert config.connections or config.jobs or "store:" in block.text


def test_the_readme_shows_a_configuration_of_ten_lines() -> None:
    (shown,) = [block for block in configurations() if block.page.name == "README.md"]
    lines = [line for line in shown.text.splitlines() if line and not line.startswith("#")]
    assert len(lines) <= 10
