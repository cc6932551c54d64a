"""One module a file format: text to leaves, and edits at the spans where values stand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from . import csv, env, ini, json, properties, toml, xml, yaml
from .leaves import Format

FORMATS: Mapping[str, Format] = {
    "csv": csv,
    "env": env,
    "ini": ini,
    "json": json,
    "properties": properties,
    "toml": toml,
    "xml": xml,
    "yaml": yaml,
}

_SUFFIXES = {
    ".cfg": "ini",
    ".config": "xml",
    ".csv": "csv",
    ".env": "env",
    ".ini": "ini",
    ".json": "json",
    ".properties": "properties",
    ".toml": "toml",
    ".xml": "xml",
    ".yaml": "yaml",
    ".yml": "yaml",
}


def format_of(name: str) -> str | None:
    """The format that an item's name tells."""
    last = PurePosixPath(name).name
    if last == ".env" or last.startswith(".env."):
        return "env"
    return _SUFFIXES.get(PurePosixPath(last).suffix.lower())
