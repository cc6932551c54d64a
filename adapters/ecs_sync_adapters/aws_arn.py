"""ARNs of secrets: names at Secrets Manager with all that is before them.

AWS adds a dash and six characters to the ARN of each secret, which only a call could tell. Where they are
left out AWS finds the secret too, unless its name ends as if it had them (Secrets Manager user guide,
"Secrets Manager secrets", of partial ARNs).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_PARTITIONS = {
    "cn-": "aws-cn",
    "us-gov-": "aws-us-gov",
    "us-iso-": "aws-iso",
    "us-isob-": "aws-iso-b",
    "eu-isoe-": "aws-iso-e",
    "us-isof-": "aws-iso-f",
    "eusc-": "aws-eusc",
}
_SUFFIXED = re.compile(r".+-[A-Za-z0-9]{6}")


@dataclass(frozen=True, slots=True)
class SecretArns:
    """The ARNs of one account's secrets in one region: none where ``account`` is not known."""

    region: str
    account: str | None

    def of(self, name: str) -> str | None:
        """Without the characters that AWS adds; None for a name that would then stand for another."""
        if self.account is None or has_suffix(name):
            return None
        return f"{self._start}{name}"

    def name_in(self, arn: str) -> str | None:
        """What an ARN of here says after the account; None for any other text."""
        if self.account is None or not arn.startswith(self._start):
            return None
        return arn.removeprefix(self._start)

    @property
    def _start(self) -> str:
        return f"arn:{partition_of(self.region)}:secretsmanager:{self.region}:{self.account}:secret:"


def region_and_account(arn: str) -> tuple[str, str]:
    """What an ARN names before the resource; empty texts where it is none."""
    found = re.match(r"arn:[^:]*:[^:]*:([^:]*):([^:]*):", arn)
    return (found[1], found[2]) if found else ("", "")


def has_suffix(name: str) -> bool:
    """Does it end as the ARNs of Secrets Manager do?"""
    return _SUFFIXED.fullmatch(name) is not None


def without_suffix(name: str) -> str:
    """The name of a secret, from what its whole ARN says."""
    return name[:-7] if has_suffix(name) else name


def partition_of(region: str) -> str:
    """The part of AWS that a region belongs to, as ARNs name it."""
    return next((name for start, name in _PARTITIONS.items() if region.startswith(start)), "aws")
