"""A secret that no other text is like, and a search for all the forms in which it could leak."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterator
from urllib.parse import quote


def new_canary() -> str:
    """With what JSON, URLs and shells must escape in front, and random digits behind it."""
    return 'can"ary/ä ' + secrets.token_hex(16)


def spellings(canary: str) -> Iterator[bytes]:
    """In clear, halves, backwards, hexadecimal, UTF-16, URL-encoded, JSON and base64 at any offset."""
    raw = canary.encode()
    tail = canary[10:]
    yield from (raw, tail.encode(), tail[:16].encode(), tail[16:].encode(), tail[::-1].encode())
    yield from (raw.hex().encode(), raw.hex().upper().encode(), canary.encode("utf-16-le"))
    yield from (quote(canary).encode(), json.dumps(canary).encode(), json.dumps(canary)[1:-1].encode())
    for shift in range(3):
        yield base64.b64encode(b"\0" * shift + raw)[4:-4]


def found_in(canary: str, *texts: bytes | str) -> list[bytes]:
    """The forms of the canary that stand in any of these texts."""
    contents = [text.encode() if isinstance(text, str) else text for text in texts]
    return [one for one in spellings(canary) for content in contents if one in content]
