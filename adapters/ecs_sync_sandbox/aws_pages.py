"""Which parameters a page of descriptions holds: by a cursor, so that what stands still is never skipped.

moto counts an offset, and an item deleted meanwhile would hide another one from a listing that goes on. The
order is one nobody can rely on, since AWS promises none: that of a hash of the name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def chosen(names: Iterable[str], filters: Sequence[Mapping[str, Any]] | None) -> list[str] | None:
    """The names that the filters choose, in the order of pages; None for filters that only moto knows."""
    left = list(names)
    for each in filters or ():
        values = each.get("Values", [])
        match each.get("Key"), each.get("Option"):
            case "Path", "Recursive":
                roots = tuple(value.rstrip("/") + "/" for value in values)
                left = [name for name in left if name.startswith(roots) or "/" in roots]
            case "Name", "Equals":
                left = [name for name in left if name in values]
            case _:
                return None
    return sorted(left, key=_order)


def rest(names: Sequence[str], token: str | None) -> list[str]:
    """What comes after the page that gave ``token``."""
    cursor = (token or "").partition(".")[0]
    return [name for name in names if _order(name) > cursor]


def token_after(name: str | None, token: str | None, serial: int) -> str:
    """A token that goes on after ``name``, or where ``token`` stood after an empty page. Never the same."""
    cursor = (token or "").partition(".")[0] if name is None else _order(name)
    return f"{cursor}.{serial}"


def _order(name: str) -> str:
    return hashlib.blake2b(name.encode(), digest_size=8).hexdigest()
