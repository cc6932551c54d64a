"""What one row of a table of bad input says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .ground import Ground

Arrangement = Callable[[Ground], object]


@dataclass(frozen=True)
class Case:
    """After ``arrange``, ``command`` ends with ``code``, says all of ``says``, and nothing is lost."""

    name: str
    arrange: Arrangement
    command: str
    code: int
    says: tuple[str, ...]
    given: str = ""


def nothing(ground: Ground) -> None:
    """The ground as it is."""


def edit(*pairs: tuple[str, str]) -> Arrangement:
    """Edits of the configuration, one after the other."""

    def arrange(ground: Ground) -> None:
        for before, after in pairs:
            ground.edit(before, after)

    return arrange


def config(raw: bytes) -> Arrangement:
    """Another configuration."""
    return lambda ground: ground.config.write_bytes(raw)


def appended(raw: bytes) -> Arrangement:
    """The configuration, with something behind its end."""
    return lambda ground: ground.config.write_bytes(ground.config.read_bytes() + raw)


def document(name: str, good: str, bad: bytes, mapping: str = "document") -> Arrangement:
    """A document that was in step, and was then spoilt."""

    def arrange(ground: Ground) -> None:
        ground.edit("place: settings.yaml, mapping: document", f"place: {name}, mapping: {mapping}")
        ground.file(name).write_text(good)
        ground.ok("sync", "documents")
        ground.file(name).write_bytes(bad)

    return arrange
