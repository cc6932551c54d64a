"""Keys wrapped by AWS KMS, with the credential of another AWS adapter.

https://docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html: symmetric keys only. The ciphertext
names the key material that made it, so a key that KMS rotates still unwraps. The encryption context is part
of both calls, is logged by CloudTrail, and may be a condition of the key's policy.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import replace

from ecs_sync.errors import AdapterError, Rejected
from ecs_sync_adapters.aws_client import SharedClient
from ecs_sync_adapters.aws_errors import Failure, Shape, ask, in_terms
from ecs_sync_adapters.aws_session import Credential, Endpoint
from ecs_sync_adapters.failure_kind import Kind, reading_error
from ecs_sync_adapters.wrapped_text import unmarked

SCHEME = "aws-kms"
CONTEXT = {"ecs-sync": "store.key"}
"""What every call is bound to: a wrapped key cannot be passed off as another secret of the same KMS key."""

_KEY = r"[A-Za-z0-9:/_-]{1,2048}"


class Kms:
    """KMS in one region, with one client that all threads share."""

    def __init__(self, credential: Credential, endpoint: Endpoint) -> None:
        """Connects to nothing yet."""
        self._region = endpoint.region
        self._client = SharedClient("kms", credential, endpoint)

    def wrap(self, key: str, plain: bytes) -> bytes:
        """See `ecs_sync.abilities.Wraps`. One call. ``key`` is an id, an ARN, or an alias with ``alias/``."""
        doing = self._doing("wrapping", key)
        request = {"KeyId": key, "Plaintext": plain, "EncryptionContext": CONTEXT}
        answer = ask(self._client.connected().encrypt, Shape(("CiphertextBlob",)), **request)
        if isinstance(answer, Failure):
            raise _error(answer, doing)
        return f"{SCHEME}:{base64.b64encode(answer['CiphertextBlob']).decode('ascii')}".encode("ascii")

    def unwrap(self, key: str, wrapped: bytes) -> bytes:
        """See `ecs_sync.abilities.Wraps`. One call; KMS refuses what another key wrapped."""
        doing = self._doing("unwrapping", key)
        request = {"KeyId": key, "CiphertextBlob": _blob(wrapped, doing), "EncryptionContext": CONTEXT}
        answer = ask(self._client.connected().decrypt, Shape(("Plaintext",)), **request)
        if isinstance(answer, Failure):
            raise _error(answer, doing)
        plain: bytes = answer["Plaintext"]
        return plain

    def close(self) -> None:
        """Closes the connections. They are opened again when they are needed again."""
        self._client.close()

    def _doing(self, what: str, key: str) -> str:
        doing = f"KMS in {self._region}: {what} with key {key!r}"
        if not re.fullmatch(_KEY, key):
            raise Rejected(f"{doing}: a key is named by its id, its ARN, or alias/NAME")
        return doing


def _blob(wrapped: bytes, doing: str) -> bytes:
    text = unmarked(wrapped, SCHEME, doing)
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        damaged = Rejected(f"{doing}: the wrapped key is damaged")
    raise damaged


def _error(failure: Failure, doing: str) -> AdapterError:
    """KMS answers some of what it only cannot do now with a status that says otherwise."""
    if failure.code in _NOT_NOW:
        return reading_error(replace(failure, kind=Kind.UNANSWERED, reason=_NOT_NOW[failure.code]), doing)
    return reading_error(in_terms(failure, _REFUSED), doing)


_NOT_NOW = {
    "DependencyTimeoutException": "KMS is not ready (DependencyTimeoutException)",
    "KeyUnavailableException": "the key is not available now (KeyUnavailableException)",
    "KMSInternalException": "KMS failed (KMSInternalException)",
}
_REFUSED = {
    "DisabledException": "the key is disabled: enable it",
    "IncorrectKeyException": (
        "it was wrapped with another key; where an alias was moved, name the key by its ARN"
    ),
    "InvalidCiphertextException": "it was wrapped elsewhere or for something else, or is damaged",
    "InvalidKeyUsageException": "the key does not encrypt: use a symmetric one, of usage ENCRYPT_DECRYPT",
    "KMSInvalidStateException": "its state does not allow it: it is pending deletion, or has no material",
    "NotFoundException": "there is no such key in this account and region: check the name and the region",
    "ValidationException": "the key is not one that encrypts with a context: use a symmetric one",
    "ParamValidation": "a key is named by its id, its ARN, or alias/NAME",
}
