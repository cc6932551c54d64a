"""Keys wrapped by a key of the vault: RSA-OAEP-256, through azure-keyvault-keys.

The SDK reads the key (``get``) and wraps with its public half at this end; only the vault can unwrap. The
wrapped form names the version of the key, because a rotated key unwraps with that version only.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from typing import TypeVar

from azure.core.exceptions import HttpResponseError
from azure.keyvault.keys.crypto import CryptographyClient, KeyWrapAlgorithm

from ecs_sync.errors import AdapterError, Denied, Rejected
from ecs_sync_adapters.azure_errors import FAILURES, failed
from ecs_sync_adapters.azure_identity import Credential, Identity
from ecs_sync_adapters.azure_keyvault_http import OTHER_RESOURCE, Reach, transport
from ecs_sync_adapters.azure_route import Route
from ecs_sync_adapters.failure_kind import Kind, reading_error
from ecs_sync_adapters.wrapped_text import unmarked

SCHEME = "azure-rsa-oaep-256"

_ALGORITHM = KeyWrapAlgorithm.rsa_oaep_256
_NAME = r"[0-9A-Za-z-]{1,127}"
_WRAPPED = r"(?P<version>[0-9A-Za-z]{1,64})\.(?P<text>[A-Za-z0-9_-]+)"
_Given = TypeVar("_Given")


def wrap(reach: Reach, identity: Identity, key: str, plain: bytes) -> bytes:
    """See `ecs_sync.abilities.Wraps`. Two calls at most: a look at the key, and the wrapping if it must."""
    doing = _doing(reach, "wrapping", key)
    result = _asked(reach, identity, key, doing, lambda client: client.wrap_key(_ALGORITHM, plain))
    named = re.search(r"/keys/[^/]+/([0-9A-Za-z]{1,64})$", result.key_id or "")
    if named is None:
        raise Denied(f"{doing}: the credential may not read the key, so its version is not known: {_ROLE}")
    text = base64.urlsafe_b64encode(result.encrypted_key).rstrip(b"=").decode("ascii")
    return f"{SCHEME}:{named[1]}.{text}".encode("ascii")


def unwrap(reach: Reach, identity: Identity, key: str, wrapped: bytes) -> bytes:
    """See `ecs_sync.abilities.Wraps`. Two calls: the SDK looks at the key first."""
    doing = _doing(reach, "unwrapping", key)
    found = re.fullmatch(_WRAPPED, unmarked(wrapped, SCHEME, doing))
    raw = None if found is None else _decoded(found["text"])
    if found is None or raw is None:
        raise Rejected(f"{doing}: the wrapped key is damaged")
    name = f"{key}/{found['version']}"
    return _asked(reach, identity, name, doing, lambda client: client.unwrap_key(_ALGORITHM, raw)).key


def _doing(reach: Reach, what: str, key: str) -> str:
    doing = f"Key Vault at {reach.vault}: {what} with key {key!r}"
    if not re.fullmatch(_NAME, key):
        raise Rejected(f"{doing}: a key's name is 1 to 127 letters, digits and dashes, without its version")
    return doing


def _asked(
    reach: Reach,
    identity: Identity,
    name: str,
    doing: str,
    operation: Callable[[CryptographyClient], _Given],
) -> _Given:
    """What the operation gives. Its failures are told in our own words."""
    try:
        credential = Credential(identity, reach.route)
        client = CryptographyClient(
            f"{reach.vault}/keys/{name}",
            credential,
            transport=transport(reach),
            retry_total=0,
            redirect_max=0,
            permit_redirects=False,
            verify_challenge_resource=reach.verify_challenge,
        )
        try:
            return operation(client)
        finally:
            client.close()
            credential.close()
    except FAILURES as error:
        problem = _error(error, reach.route, doing)
    except ValueError:
        problem = Denied(f"{doing}: {OTHER_RESOURCE}")
    raise problem


def _error(error: Exception, route: Route, doing: str) -> AdapterError:
    failure = failed(error, route)
    inner = error.error.innererror if isinstance(error, HttpResponseError) and error.error else None
    if isinstance(inner, dict) and inner.get("code") == "KeyDisabled":
        return Rejected(f"{doing}: the key, or this version of it, is disabled: enable it")
    match failure.kind:
        case Kind.MISSING:
            return Rejected(f"{doing}: {_MISSING}")
        case Kind.REFUSED | Kind.STATE | Kind.MOVED | Kind.EXISTS:
            return Rejected(f"{doing}: {_REFUSED}")
        case Kind.DENIED if failure.status == 403:
            return Denied(f"{doing}: the credential may not: {_ROLE}")
        case Kind.DENIED | Kind.IDENTITY | Kind.THROTTLED | Kind.UNSENT | Kind.UNANSWERED:
            return reading_error(failure, doing)


def _decoded(text: str) -> bytes | None:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return None


_ROLE = "give it the role Key Vault Crypto User (get, wrapKey and unwrapKey), see docs/store-key.md"
_MISSING = "there is no such key; or it was wrapped with another key, whose version this one does not have"
_REFUSED = (
    "the vault refuses it: the key is not of type RSA or not for wrapKey and unwrapKey, or what shall be "
    "unwrapped was wrapped with another key, or is damaged"
)
