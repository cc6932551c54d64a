"""Tags of AWS as attributes of an item: the tag ``team`` is the attribute ``tag:team``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ecs_sync.adapter import Attributes

_MARK = "tag:"
_OWN = re.compile("aws:", re.IGNORECASE)
"""How tags begin that only AWS sets (Tagging AWS resources user guide, "Tag naming limits and
requirements"); it refuses a request that has one.
"""


def shown(tags: Iterable[Mapping[str, str]] | None) -> dict[str, str]:
    """Tags as AWS tells them, AWS's own included, as attributes."""
    return {f"{_MARK}{tag['Key']}": tag.get("Value", "") for tag in tags or ()}


def tags_of(told: Attributes) -> dict[str, Any]:
    """What a request that creates says of the tags among these attributes: nothing where it sets none."""
    named = [(name.removeprefix(_MARK), text) for name, text in told if name.startswith(_MARK)]
    tags = [{"Key": key, "Value": text} for key, text in named if not _OWN.match(key)]
    return {"Tags": tags} if tags else {}
