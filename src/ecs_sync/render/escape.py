"""Texts of strangers made harmless where they are shown: terminals, Markdown, JSON."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any

_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_MARKDOWN = re.compile(r"[&<>|`*_\[\]~\\@#$]|:(?=//)|(?<=[wW]{3})\.")


def printable(text: str) -> str:
    """One line that a terminal shows as it is: controls, format characters and line ends are spelled.

    A value can thus not move the cursor, turn the line around, or pretend to be another line.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_spelled, text))


def _spelled(character: str) -> str:
    if character in _NAMED:
        return _NAMED[character]
    if unicodedata.category(character) in _UNSAFE:
        point = ord(character)
        return f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"
    return character


def markdown(text: str) -> str:
    """One line that Markdown shows as it is: no markup, table cell, HTML, link or mention comes of it."""
    return _MARKDOWN.sub(lambda found: f"&#{ord(found[0])};", printable(text))


def markdown_code(text: str) -> str:
    """The same in the typeface of code. A backtick span could not hold every text inside a table."""
    return f"<code>{markdown(text)}</code>" if text else ""


def dumps(document: Any) -> str:
    """JSON in which no character can upset a terminal; inside strings it means the same."""
    text = json.dumps(document, indent=2, ensure_ascii=False)
    return "".join(c if c == "\n" else _json_spelled(c) for c in text) + "\n"


def _json_spelled(character: str) -> str:
    if unicodedata.category(character) not in _UNSAFE:
        return character
    # Astral characters are spelled as two surrogates there.
    return "\\u007f" if character == "\x7f" else json.dumps(character)[1:-1]


def width(text: str) -> int:
    """How many columns a terminal gives to a printable text."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(unicodedata.combining(c) > 0 for c in text)
