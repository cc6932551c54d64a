"""Whoever follows a link of the documentation arrives."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .pages import PAGES, ROOT, name, text_of

_LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)")
_TEST = re.compile(r"`(?P<file>tests/[\w/]+\.py)(::(?P<test>\w+))?`")


def anchors(page: Path) -> set[str]:
    """The names of a page's headings, as they are made for links."""
    headings = re.findall(r"^#+ (.*)$", text_of(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_to_a_page_or_a_folder_of_the_repository(page: Path) -> None:
    lost = []
    for link in _LINK.finditer(text_of(page)):
        target, _, anchor = link["target"].partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        file = (page.parent / target).resolve() if target else page
        if not file.exists() or not file.is_relative_to(ROOT) or (anchor and anchor not in anchors(file)):
            lost.append(link["target"])
    assert lost == []


OWN_FILES = ROOT / "docs" / "write-an-adapter.md"
"""It shows a package of its reader's, with tests of its own."""


@pytest.mark.parametrize("page", [page for page in PAGES if page != OWN_FILES], ids=name)
def test_every_test_that_a_page_names_is_there(page: Path) -> None:
    for found in _TEST.finditer(text_of(page)):
        file = ROOT / found["file"]
        assert file.is_file(), found["file"]
        if found["test"]:
            assert f"\ndef {found['test']}(" in file.read_text(encoding="utf-8"), found[0]


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, ahead = set(), [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        if page in reached or not page.exists():
            continue
        if page.is_dir():
            ahead.append(page / "README.md")
            continue
        reached.add(page)
        if page.suffix == ".md":
            targets = (link["target"].partition("#")[0] for link in _LINK.finditer(text_of(page)))
            ahead += [(page.parent / target).resolve() for target in targets if ":" not in target and target]
    assert [name(page) for page in PAGES if page not in reached] == []


def test_the_promises_that_the_page_of_safety_makes_name_the_tests_that_show_them() -> None:
    named = _TEST.findall(text_of(ROOT / "docs" / "safety.md"))
    assert len({test for _, _, test in named if test}) >= 30
