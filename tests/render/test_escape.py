"""Laws of the escapes: nothing unsafe passes, and what JSON says stays the same."""

from __future__ import annotations

import html
import json
import re
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from ecs_sync.render.escape import dumps, markdown, markdown_code, printable, width
from ecs_sync.render.page import Became, Code, Row, Say, Table, Title, Tone, as_markdown, as_text
from ecs_sync.render.shown import Shown, display, displays

ANY = st.text(st.characters(), max_size=60)
UNSAFE = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")


@given(ANY)
def test_nothing_printable_moves_a_cursor_or_ends_a_line(text: str) -> None:
    assert not any(unicodedata.category(c) in UNSAFE for c in printable(text))


@given(ANY)
def test_plain_text_stays_as_it_is(text: str) -> None:
    safe = "".join(c for c in text if unicodedata.category(c) not in (*UNSAFE, "Cn"))
    assert printable(safe) == safe


@given(ANY)
def test_json_means_the_same_and_holds_nothing_unsafe(text: str) -> None:
    written = dumps({"text": text})
    assert json.loads(written) == {"text": text}
    assert not any(unicodedata.category(c) in UNSAFE for c in written.replace("\n", ""))


@given(ANY)
def test_markdown_reads_back_as_the_printable_text_and_holds_no_markup(text: str) -> None:
    escaped = markdown(text)
    assert html.unescape(escaped) == printable(text)
    assert not re.search(r"[<>|`*_\[\]~\\@$]", escaped)
    assert "://" not in escaped


@given(st.lists(st.tuples(ANY, ANY, ANY), min_size=1, max_size=5))
def test_a_table_has_as_many_rows_and_columns_as_it_was_given(cells: list[tuple[str, str, str]]) -> None:
    table = Table(("a", "b", "c"), tuple(Row((Code(x), y, Became(z, x))) for x, y, z in cells))
    written = as_markdown([table]).strip("\n").split("\n")
    assert len(written) == len(cells) + 2
    assert {line.count("|") for line in written} == {4}
    assert len(as_text([table]).rstrip("\n").split("\n")) == len(cells) + 1


@given(ANY)
def test_a_sentence_and_a_title_are_one_line(text: str) -> None:
    assert as_text([Say(text, Tone.BAD)]).count("\n") == 1
    assert as_text([Title(text)]).count("\n") == 1
    assert "\n" not in as_markdown([Say(text)]).rstrip("\n")


def test_wide_characters_count_two_columns_and_combining_ones_none() -> None:
    assert width("ab") == 2
    assert width("日本") == 4
    assert width("e\u0301") == 1


def test_code_of_nothing_is_nothing() -> None:
    assert markdown_code("") == ""


@given(st.text(min_size=0, max_size=400), st.text(min_size=0, max_size=400))
def test_a_shown_value_is_short_and_two_that_differ_are_shown_differently(one: str, other: str) -> None:
    first, second = (Shown("string", False, text, None, None, {}) for text in (one, other))
    assert len(display(first)) <= 60 + 30
    if one != other:
        shown = displays(first, second)
        assert shown[0] != shown[1]


def test_a_secret_is_never_its_text() -> None:
    assert (
        display(Shown("string", True, None, 24, "3fa92b1c", {}))
        == "secret, 24 characters, fingerprint 3fa92b1c…"
    )
