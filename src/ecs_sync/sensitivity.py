"""What counts as a secret: by its item, by a pattern of the job, or by how its value looks.

The table knows the shapes that issuers give their credentials, so that a plain store never takes one
in by accident. It errs towards secret; a job says ``secret: []`` patterns for what no table can know.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ecs_sync.model import Entry, Type
from ecs_sync.selection import conceals

_SHAPES = re.compile(
    "|".join(
        (
            r"\b(AKIA|ASIA)[A-Z0-9]{16}\b",  # AWS access key id
            r"\bgh[pousr]_[A-Za-z0-9]{36,}",  # GitHub tokens
            r"\bgithub_pat_[A-Za-z0-9_]{40,}",
            r"\bglpat-[A-Za-z0-9_-]{20,}",  # GitLab
            r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}",  # Slack
            r"\bAIza[A-Za-z0-9_-]{35}",  # Google API key
            r"\bya29\.[A-Za-z0-9_-]{20,}",  # Google OAuth
            r"\bhv[sbr]\.[A-Za-z0-9_-]{20,}",  # Vault
            r"\bsk_(live|test)_[A-Za-z0-9]{16,}",  # Stripe
            r"\bsk-[A-Za-z0-9_-]{32,}",
            r"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",  # SendGrid
            r"\bnpm_[A-Za-z0-9]{36}",
            r"\bpypi-[A-Za-z0-9_-]{50,}",
            r"\bdop_v1_[a-f0-9]{64}",  # DigitalOcean
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
            r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",  # JWT
            r"\b(?i:password|pwd)\s*=\s*[^;\s$%{<]{3,}",  # connection strings
            r"\b(?i:AccountKey|SharedAccessKey|SharedSecret)=[A-Za-z0-9+/=]{20,}",
            r"[?&]sig=[A-Za-z0-9%+/=]{20,}",  # shared access signatures
            r"\b[a-z][a-z0-9+.-]*://[^/\s:@]+:[^/\s:@${}]{3,}@",  # credentials in a URL
        )
    )
)


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """A job's globs of secret keys, and whether the table of shapes is asked too."""

    patterns: Sequence[str] = ()
    by_shape: bool = True

    def mark(self, entry: Entry) -> Entry:
        """The entry, secret where anything says so; what is secret stays so."""
        if entry.secret:
            return entry
        if conceals(self.patterns, entry.key.text):
            return replace(entry, secret=True)
        if self.by_shape and entry.value.type in (Type.STRING, Type.JSON) and looks_secret(entry.value.text):
            return replace(entry, secret=True)
        return entry


def looks_secret(text: str) -> bool:
    """Does the text have the shape of a credential?"""
    return _SHAPES.search(text) is not None
