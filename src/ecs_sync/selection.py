"""Which keys are meant: globs over the canonical text of a key. Pure.

* ``*`` stands for any characters inside one segment, ``?`` for one character.
* ``**`` as a whole segment stands for any number of segments: ``db/**`` is everything beneath ``db``,
  ``**/url`` every key whose last segment is ``url``.
* A pattern with a ``/`` is matched against the whole key: ``db/*`` covers ``db/url``, not ``db/pool/size``.
* A pattern without a ``/`` is matched against the last segment at any depth: ``*password*`` covers
  ``db/password``. A leading ``/`` binds it to the first level: ``/timeout``.

Case counts, except in `conceals`. Segments are written as in keys: ``~0`` for ``~``, ``~1`` for ``/``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache


def check_glob(glob: str) -> str:
    """The glob itself. Raises ValueError where it can match no key, saying why."""
    segments = glob.removeprefix("/").split("/")
    if "" in segments:
        raise ValueError("a pattern has no empty segment; for everything beneath a name write 'name/**'")
    if any("**" in segment and segment != "**" for segment in segments):
        raise ValueError("'**' stands alone between slashes, as in 'db/**'")
    if segments[-1] == "**" and len(segments) > 1 and segments[-2] == "**":
        raise ValueError("'**/**' says no more than '**'")
    return glob


@lru_cache(maxsize=4096)
def _compiled(glob: str) -> re.Pattern[str]:
    anchored = "/" in glob
    segments = glob.removeprefix("/").split("/")
    if not anchored:
        segments = ["**", *segments] if segments != ["**"] else segments
    pattern = ""
    for position, segment in enumerate(segments):
        last = position == len(segments) - 1
        if segment == "**":
            pattern += ".+" if last else "(?:[^/]+/)*"
        else:
            pattern += _segment(segment) + ("" if last else "/")
    return re.compile(pattern, re.DOTALL)


def _segment(text: str) -> str:
    wild = {"*": "[^/]*", "?": "[^/]"}
    return "".join(wild.get(character) or re.escape(character) for character in text)


def matches(globs: Sequence[str], key: str) -> bool:
    """Does any of the globs cover the key of this canonical text?"""
    return any(_compiled(glob).fullmatch(key) for glob in globs)


def conceals(globs: Sequence[str], key: str) -> bool:
    """As `matches`, whatever the case: a secret missed for a capital letter would be shown."""
    folded = key.casefold()
    return any(_compiled(glob.casefold()).fullmatch(folded) for glob in globs)


@dataclass(frozen=True, slots=True)
class Selection:
    """The keys that a link works on: those included (all, where none is named) and not excluded."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def covers(self, key: str) -> bool:
        """Is the key of this canonical text selected?"""
        return (not self.include or matches(self.include, key)) and not matches(self.exclude, key)

    @property
    def text(self) -> str:
        """Canonical text: the order of globs and doubles do not count."""
        sides = [sorted(set(self.include)), sorted(set(self.exclude))]
        return json.dumps(sides, ensure_ascii=False, separators=(",", ":"))
