"""An item's value on its way to Vault: a JSON object whose numbers survive the trip."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ecs_sync.model import canonical_json
from ecs_sync_adapters.vault_json import decoded, numbers

LARGEST = 1_000_000
"""Bytes of the largest value: an entry of Raft storage has at most 1 MiB, with what Vault adds to it."""


@dataclass(frozen=True, slots=True, repr=False)
class Fields:
    """The fields of one secret, as a tree of `vault_json`."""

    tree: dict[str, Any]


def fields_of(value: bytes, survives: Callable[[str], bool], otherwise: str) -> Fields | str:
    """The fields of a value, or the sentence why they cannot be kept, which holds nothing of it."""
    if len(value) > LARGEST:
        return f"{len(value)} bytes; a secret has at most {LARGEST}"
    try:
        tree = decoded(canonical_json(value.decode("utf-8")))
    except ValueError:
        return "a secret's value is a JSON object of its fields, and this is no JSON; use mapping fields"
    if not isinstance(tree, dict):
        return "a secret's value is a JSON object of its fields, and this is none; use mapping fields"
    if not all(map(survives, numbers(tree))):
        return otherwise
    return Fields(tree)
