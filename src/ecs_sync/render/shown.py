"""The gate: an entry as it may be shown. Behind it there is no secret."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from ecs_sync.model import Entry, Fingerprint, Type
from ecs_sync.reference import reads_as_reference

FingerprintOf = Callable[[Entry], Fingerprint]

_DIGITS = 8
_ROOM = 60
"""How many characters of a value a line shows."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A value. Of a secret ``text`` is null, and ``characters`` and ``fingerprint`` stand for it; of a
    reference to one it says where the secret is.

    Fingerprints are keyed: equal secrets of one installation have equal ones, and they tell no more.
    """

    type: str
    secret: bool
    text: str | None
    characters: int | None
    fingerprint: str | None
    metadata: dict[str, str]


def shown(entry: Entry | None, fingerprint_of: FingerprintOf) -> Shown | None:
    """The entry as it may be shown; None where there is none."""
    if entry is None:
        return None
    if entry.secret and not _refers(entry):
        digits = fingerprint_of(entry).hex()[:_DIGITS]
        return Shown(str(entry.value.type), True, None, len(entry.value.text), digits, {})
    return Shown(str(entry.value.type), entry.secret, entry.value.text, None, None, dict(entry.metadata))


def _refers(entry: Entry) -> bool:
    return not entry.holds_plaintext and reads_as_reference(entry.value.text) is not None


def unopened(fingerprint: Fingerprint) -> Shown:
    """A value that is not at hand: sealed with a key that is not here, or kept at its place only."""
    return Shown("unknown", True, None, None, fingerprint.hex()[:_DIGITS], {})


def display(value: Shown | None, room: int = _ROOM, start: int = 0) -> str:
    """One value on one line, shortened to ``room`` characters that begin at ``start``."""
    if value is None:
        return "(absent)"
    if value.text is None:
        size = "" if value.characters is None else f"{value.characters} characters, "
        return f"secret, {size}fingerprint {value.fingerprint}…"
    match value.type:
        case Type.STRING | Type.REFERENCE:
            text = json.dumps(value.text, ensure_ascii=False)
        case Type.NULL:
            return "null"
        case Type.BYTES:
            text = f"base64 {value.text}"
        case _:
            text = value.text
    if len(text) <= room:
        return text
    start = min(start, len(text) - room)
    front = "…" if start > 0 else ""
    rest = len(text) - start - room
    return f"{front}{text[start : start + room]}" + (f"… ({len(text)} characters)" if rest > 0 else "")


def displays(before: Shown | None, after: Shown | None) -> tuple[str, str]:
    """Two values, each on one line; long ones are cut where they begin to differ."""
    start = 0
    if before and after and before.text is not None and after.text is not None:
        pairs = zip(before.text, after.text, strict=False)
        same = next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(before.text), len(after.text)))
        start = max(0, same - _ROOM // 3)
    return display(before, start=start), display(after, start=start)
