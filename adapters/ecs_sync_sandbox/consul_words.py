"""What a Consul server reads out of the body of a transaction, and what it says of one it cannot read."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from ecs_sync_sandbox.consul_kv import Op
from ecs_sync_sandbox.http_server import Reply

VALUE_LIMIT = 512 * 1024
"""Bytes of one value; more is answered with 413."""


class Answer(Exception):
    """Ends a request with this status and text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.reply = Reply(status, text.encode())


def operations(body: bytes) -> list[Op]:
    """The operations of a transaction. Raises `Answer` for a body that is none."""
    try:
        ops = [_operation(op["KV"]) for op in json.loads(body)]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Answer(400, f"Failed to parse body: {type(error).__name__}") from None
    if any(op.key.startswith("/") for op in ops):
        raise Answer(400, "Invalid key in transaction: invalid key name, must not begin with a '/'")
    return ops


def _operation(op: dict[str, Any]) -> Op:
    value = op.get("Value")
    try:
        decoded = None if value is None else base64.b64decode(value, validate=True)
    except binascii.Error:
        raise Answer(400, "Failed to parse body: failed to decode value") from None
    if decoded is not None and len(decoded) > VALUE_LIMIT:
        raise Answer(413, f'Value for key "{op["Key"]}" is too large ({len(decoded)} > {VALUE_LIMIT} bytes)')
    numbers = int(op.get("Flags", 0)), int(op.get("Index", 0))
    return Op(
        op["Verb"], op["Key"], decoded, *numbers, str(op.get("Namespace", "")), str(op.get("Partition", ""))
    )
