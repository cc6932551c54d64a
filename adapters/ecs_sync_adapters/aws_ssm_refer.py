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

_PATH = "/aws/reference/secretsmanager/"
_NAME = re.compile(r"[A-Za-z0-9/_+=.@-]{1,512}")
_SUFFIXED = re.compile(r".*-[A-Za-z0-9]{6}")
"""A name that ends as the ARNs of Secrets Manager do: its ARN would name another secret."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """The secrets that can be pointed at from here: none where ``account`` is not known."""

    partition: str
    region: str
    account: str | None

    @property
    def _arn(self) -> str:
        return f"arn:{self.partition}:secretsmanager:{self.region}:{self.account}:secret:"

    def pointer(self, address: str) -> Pointer | None:
        """The path to the secret of an ARN without the characters AWS adds; None for any other address."""
        if self.account is None or not address.startswith(self._arn):
            return None
        name = address.removeprefix(self._arn)
        if not _NAME.fullmatch(name) or _SUFFIXED.fullmatch(name):
            return None
        return Pointer(f"{_PATH}{name}".encode())

    def pointed(self, item: Item) -> str | None:
        """The ARN of the secret whose path an item holds; None where it is no such path.

        A path that names a version or a stage has no ARN, and is a text.
        """
        if self.account is None or item.value is None or not item.value.startswith(_PATH.encode()):
            return None
        name = item.value.removeprefix(_PATH.encode()).decode("utf-8", "replace")
        if not _NAME.fullmatch(name) or _SUFFIXED.fullmatch(name):
            return None
        return f"{self._arn}{name}"
