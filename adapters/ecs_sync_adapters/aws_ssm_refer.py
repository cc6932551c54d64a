"""SSM's path to a secret in Secrets Manager, ``/aws/reference/secretsmanager/NAME``, and the way back.

A parameter holds that path as its text; whoever reads it asks SSM for the path, and SSM answers with the
secret. It reaches the secrets of its own account and region (Systems Manager user guide, "Referencing AWS
Secrets Manager secrets from Parameter Store parameters").
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ecs_sync.abilities import Pointer
from ecs_sync.adapter import Item
from ecs_sync_adapters.aws_arn import SecretArns, has_suffix

_PATH = "/aws/reference/secretsmanager/"
_NAME = re.compile(r"[A-Za-z0-9/_+=.@-]{1,512}")


@dataclass(frozen=True, slots=True)
class Secrets:
    """The secrets that can be pointed at from here: those of its own account and region."""

    arns: SecretArns

    def pointer(self, address: str) -> Pointer | None:
        """The path to the secret of an ARN without the characters AWS adds; None for any other address."""
        name = self.arns.name_in(address)
        if name is None or not _NAME.fullmatch(name) or has_suffix(name):
            return None
        return Pointer(f"{_PATH}{name}".encode())

    def pointed(self, item: Item) -> str | None:
        """The ARN of the secret whose path an item holds; None where it is no such path.

        A path that names a version or a stage has no ARN, and is a text.
        """
        if item.value is None or not item.value.startswith(_PATH.encode()):
            return None
        name = item.value.removeprefix(_PATH.encode()).decode("utf-8", "replace")
        return self.arns.of(name) if _NAME.fullmatch(name) else None
