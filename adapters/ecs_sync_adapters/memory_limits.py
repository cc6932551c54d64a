"""What a store in memory refuses, as its features declare."""

from __future__ import annotations

import re

from ecs_sync.adapter import Features, Put


def problem_of(features: Features, put: Put) -> str:
    """Why this store will not take a value or a name; the empty text where it will."""
    ids, values = features.ids, features.values
    size = len(put.value)
    if ids.max_bytes is not None and len(put.id.encode()) > ids.max_bytes:
        return f"its name is longer than {ids.max_bytes} bytes"
    for rule in ids.rules:
        if re.search(rule.forbidden, put.id):
            return rule.reason
    if size < values.min_bytes:
        return f"its value has {size} bytes and must have at least {values.min_bytes}"
    if values.max_bytes is not None and size > values.max_bytes:
        return f"its value has {size} bytes and may have at most {values.max_bytes}"
    if features.text_values and not _is_text(put.value):
        return "its value is not UTF-8, and this store holds text"
    return ""


def _is_text(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
