"""How a wrapped key is written: the name of a scheme, a colon, and what only that scheme reads."""

from __future__ import annotations

import re

from ecs_sync.errors import Rejected


def unmarked(wrapped: bytes, scheme: str, doing: str) -> str:
    """What stands behind the colon. Raises Rejected where it is wrapped in another way, or not at all.

    What does not begin as a wrapped key may be one in the clear, and so nothing of it is quoted.
    """
    named, colon, text = wrapped.decode("ascii", "replace").partition(":")
    if not colon or not re.fullmatch("[a-z][a-z0-9-]{1,31}", named):
        raise Rejected(f"{doing}: it is no wrapped key")
    if named != scheme:
        raise Rejected(f"{doing}: it is wrapped with {named}, and this connection unwraps {scheme}")
    return text
