"""Where files lie: one file, or a glob, relative to the connection's root folder."""

from __future__ import annotations

import functools
import re
import unicodedata
from dataclasses import dataclass
from typing import Self

from ecs_sync.adapter import ItemId, option

_WILD = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class FilesPlace:
    """One file or a glob.

    In a glob ``*`` and ``?`` stand for characters of one name, ``[abc]`` for one of these, and ``**``
    for any folders or none. A name that begins with a dot is matched only by a pattern that does.
    """

    path: str = option("A file, or a glob such as conf/*.yml or **/*.json, relative to the root folder.")

    def __post_init__(self) -> None:
        problem = path_problem(self.path)
        if problem:
            raise ValueError(f"place {self.path!r}: {problem}")

    @classmethod
    def parse(cls, text: str) -> Self:
        """The place of its spelling, a leading ``./`` apart. Raises ValueError."""
        return cls(text.removeprefix("./"))

    @property
    def single_item(self) -> ItemId | None:
        """The id of the one file; None of a glob."""
        return None if _WILD.search(self.path) else self.path

    @property
    def root(self) -> str:
        """The id of the one file, or the folder, ``/`` at its end, that all files of the glob lie in."""
        found = _WILD.search(self.path)
        return self.path[: self.path.rfind("/", 0, found.start()) + 1] if found else self.path

    @property
    def suffix(self) -> str:
        """Of a glob whose last part is ``*SUFFIX``, that suffix; else the empty text."""
        last = self.path.rpartition("/")[2]
        return last[1:] if last[:1] == "*" and not _WILD.search(last[1:]) else ""

    @property
    def parts(self) -> tuple[str, ...]:
        """The names and patterns of the path, one for each level."""
        return tuple(self.path.split("/"))

    def holds(self, id: ItemId) -> bool:
        """Does an item of this id lie here?"""
        return _path_pattern(self.path).fullmatch(id) is not None

    def overlaps(self, other: Self) -> bool:
        """Could an item lie in both? Of two globs, yes unless folders or suffixes exclude each other."""
        if other.single_item is not None:
            return self.holds(other.single_item)
        if self.single_item is not None:
            return other.holds(self.single_item)
        apart = not (self.root.startswith(other.root) or other.root.startswith(self.root))
        differ = not (self.suffix.endswith(other.suffix) or other.suffix.endswith(self.suffix))
        return not (apart or differ)

    def __str__(self) -> str:
        return self.path


def path_problem(path: str) -> str:
    """Why this is no path below a root folder; empty where it is one."""
    if not path or path.startswith("/") or path.endswith("/"):
        return "write a path relative to the root folder, without '/' at its start or end"
    if any(name in ("", ".", "..") for name in path.split("/")):
        return "a path has no empty, '.' or '..' part"
    if any(unicodedata.category(c) in ("Cc", "Cs") for c in path):
        return "a path is UTF-8 without control characters"
    return ""


@functools.lru_cache(maxsize=256)
def _path_pattern(glob: str) -> re.Pattern[str]:
    parts = glob.split("/")
    text = ""
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        if part == "**":
            text += r"[^/]+(?:/[^/]+)*" if last else r"(?:(?!\.)[^/]+/)*"
        else:
            text += _name_text(part) + ("" if last else "/")
    return re.compile(text)


@functools.lru_cache(maxsize=256)
def name_pattern(part: str) -> re.Pattern[str]:
    """The names that one part of a glob stands for."""
    return re.compile(_name_text(part))


def _name_text(part: str) -> str:
    if not _WILD.search(part):
        return re.escape(part)
    text = "" if part.startswith(".") else r"(?!\.)"
    for piece in re.findall(r"\[!?\]?[^\]/]*\]|.", part):
        if piece == "*":
            text += "[^/]*"
        elif piece == "?":
            text += "[^/]"
        elif len(piece) > 1:
            inside = piece[1:-1].replace("\\", "\\\\").replace("[", "\\[")
            text += f"[^/{inside[1:]}]" if inside[0] == "!" else f"[{inside}]"
        else:
            text += re.escape(piece)
    return text
