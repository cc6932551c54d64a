"""One module a file format: text to leaves, and edits at the spans where values stand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from . import json, yaml
from .leaves import Format

FORMATS: Mapping[str, Format] = {"json": json, "yaml": yaml}

_SUFFIXES = {".json": "json", ".yaml": "yaml", ".yml": "yaml"}


def format_of(name: str) -> str | None:
    """The format that an item's name tells."""
    last = PurePosixPath(name).name
    if last == ".env" or last.startswith(".env."):
        return "env"
    return _SUFFIXES.get(PurePosixPath(last).suffix.lower())
