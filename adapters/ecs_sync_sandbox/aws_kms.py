"""What moto's KMS forgets, of what Encrypt and Decrypt refuse.

K1  a disabled key neither encrypts nor decrypts: DisabledException                          E, D
K2  nor does one that is pending deletion: KMSInvalidStateException                          E, D
K3  a key that signs does not encrypt: InvalidKeyUsageException                              E, D
K4  what another key encrypted: IncorrectKeyException                                        D

Sources, all below https://docs.aws.amazon.com/kms/latest/APIReference/: E is API_Encrypt.html and D is
API_Decrypt.html, in both the section on errors.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any

from ecs_sync_sandbox.aws_guard import Fault

SERVICE = "TrentService."
"""How the targets of requests to KMS begin."""

_USING = ("Encrypt", "Decrypt")
_ID_BYTES = 36


def refused(
    operation: str, request: Mapping[str, Any], describe: Callable[[str], Mapping[str, Any] | None]
) -> Fault | None:
    """Why KMS refuses a request that moto carries out. ``describe`` gives a key's metadata, or None."""
    key = describe(str(request.get("KeyId"))) if operation in _USING else None
    if key is None:
        return None
    if key["KeyState"] == "Disabled":
        return Fault("DisabledException", f"{key['Arn']} is disabled.")
    if key["KeyState"] != "Enabled":
        return Fault("KMSInvalidStateException", f"{key['Arn']} is pending deletion.")
    if key.get("KeyUsage") not in (None, "ENCRYPT_DECRYPT"):
        return Fault("InvalidKeyUsageException", f"{key['Arn']} key usage is {key['KeyUsage']}")
    by = _encrypted_by(str(request.get("CiphertextBlob")))
    if operation == "Decrypt" and by not in (None, key["KeyId"]):
        text = "The key ID in the request does not identify a CMK that can perform this operation."
        return Fault("IncorrectKeyException", text)
    return None


def _encrypted_by(blob: str) -> str | None:
    """The id of the key in moto's ciphertext; None where it is none of moto's."""
    try:
        id = base64.b64decode(blob, validate=True)[:_ID_BYTES].decode("ascii")
    except (binascii.Error, ValueError):
        return None
    return id if id.count("-") == 4 else None
