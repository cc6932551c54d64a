"""Key Vault references: how App Configuration writes down that a value is kept in a vault.

A setting of a certain content type whose value is ``{"uri": "https://VAULT/secrets/NAME[/VERSION]"}`` (schema
of the type in Azure/AppConfiguration ``docs/ConfigurationTypes``). Clients that know it read the vault.
"""

from __future__ import annotations

import json
import re

from ecs_sync.abilities import Pointer
from ecs_sync.adapter import Item, attributes

_MEDIA_TYPE = "application/vnd.microsoft.appconfig.keyvaultref+json"
_CONTENT_TYPE = f"{_MEDIA_TYPE};charset=utf-8"
_NAME = "[a-zA-Z0-9-]+"
_ADDRESS = re.compile(
    # That of the schema; and a vault on this machine, which is one for tests.
    rf"https://({_NAME}\.vault\.[^/\s@?#]+|127\.0\.0\.1:[0-9]+|localhost:[0-9]+)/secrets/{_NAME}(/{_NAME})?"
)


def is_reference(content_type: str | None) -> bool:
    """Does a content type say so? Its parameters, spaces and case do not matter."""
    return content_type is not None and content_type.partition(";")[0].strip().lower() == _MEDIA_TYPE


def address_of(value: bytes) -> str | None:
    """The address in the value of a reference; None where it is none."""
    try:
        told = json.loads(value)
    except (ValueError, RecursionError):
        return None
    uri = told.get("uri") if isinstance(told, dict) else None
    return uri if isinstance(uri, str) and uri else None


def pointer_to(address: str) -> Pointer | None:
    """The reference to a vault's secret; None for any other address."""
    if not _ADDRESS.fullmatch(address):
        return None
    return Pointer(json.dumps({"uri": address}).encode(), attributes({"content-type": _CONTENT_TYPE}))


def pointed_at(item: Item) -> str | None:
    """The address that a setting points at; None where it is no reference."""
    if item.value is None or not is_reference(dict(item.attributes).get("content-type")):
        return None
    return address_of(item.value)
