"""Keys of a vault that wrap and unwrap other keys, RSA only; as much as an envelope around a key needs."""

from __future__ import annotations

import base64
import binascii
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from ecs_sync_sandbox.azure_keyvault_state import Answer

_BITS = 2048
_HASHES: Mapping[str, Callable[[], hashes.HashAlgorithm]] = {
    "RSA-OAEP-256": hashes.SHA256,
    "RSA-OAEP": hashes.SHA1,
}
_OPERATIONS = ["encrypt", "decrypt", "wrapKey", "unwrapKey"]


@dataclass(frozen=True, slots=True)
class _Key:
    version: str
    private: rsa.RSAPrivateKey = field(repr=False)
    created: int


class Keys:
    """The keys of one vault by name, oldest version first; thread-safe. ``url`` is the vault's own."""

    def __init__(self, url: str, clock: Callable[[], float]) -> None:
        self._url, self._clock = url, clock
        self._keys: dict[str, list[_Key]] = {}
        self._lock = threading.Lock()
        self._disabled: set[str] = set()

    def disable(self, name: str) -> None:
        """From now on the key neither wraps nor unwraps, in any version; it can still be looked at."""
        self._disabled.add(name.lower())

    def create(self, name: str) -> str:
        """A new key, or a new version of it; its identifier comes back."""
        private = rsa.generate_private_key(public_exponent=65537, key_size=_BITS)
        key = _Key(uuid.uuid4().hex, private, int(self._clock()))
        with self._lock:
            self._keys.setdefault(name.lower(), []).append(key)
        return self._id(name, key)

    def show(self, name: str, version: str) -> dict[str, Any]:
        """The public half of a key, the latest version by default."""
        key = self._find(name, version)
        numbers = key.private.public_key().public_numbers()
        public = {
            "kid": self._id(name, key),
            "kty": "RSA",
            "key_ops": _OPERATIONS,
            "n": _text(numbers.n.to_bytes(_BITS // 8, "big")),
            "e": _text(numbers.e.to_bytes(3, "big")),
        }
        return {"key": public, "attributes": _attributes(key)}

    def wrap(self, name: str, version: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """A key under this key; ``kid`` names the version that did it, and that must unwrap it."""
        key = self._usable(name, version)
        wrapped = key.private.public_key().encrypt(_bytes(body), _padding(body))
        return {"kid": self._id(name, key), "value": _text(wrapped)}

    def unwrap(self, name: str, version: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The key that was wrapped."""
        key = self._usable(name, version)
        try:
            plain = key.private.decrypt(_bytes(body), _padding(body))
        except ValueError:
            raise Answer(400, "BadParameter", "The operation failed: bad ciphertext.") from None
        return {"kid": self._id(name, key), "value": _text(plain)}

    def _usable(self, name: str, version: str) -> _Key:
        key = self._find(name, version)
        if name.lower() in self._disabled:
            raise Answer(403, "Forbidden", "Operation is not allowed on a disabled key.", "KeyDisabled")
        return key

    def _find(self, name: str, version: str) -> _Key:
        with self._lock:
            keys = list(self._keys.get(name.lower(), ()))
        found = [key for key in keys if version in ("", key.version)]
        if not found:
            raise Answer(404, "KeyNotFound", f"A key with (name/id) {name} was not found in this key vault.")
        return found[-1]

    def _id(self, name: str, key: _Key) -> str:
        return f"{self._url}/keys/{name}/{key.version}"


def _attributes(key: _Key) -> dict[str, Any]:
    return {"enabled": True, "created": key.created, "updated": key.created}


def _padding(body: Mapping[str, Any]) -> padding.OAEP:
    try:
        algorithm = _HASHES[str(body.get("alg"))]
    except KeyError:
        raise Answer(400, "BadParameter", "Property alg is not one of RSA-OAEP and RSA-OAEP-256") from None
    return padding.OAEP(mgf=padding.MGF1(algorithm()), algorithm=algorithm(), label=None)


def _bytes(body: Mapping[str, Any]) -> bytes:
    text = str(body.get("value", ""))
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        raise Answer(400, "BadParameter", "Property value is not base64url") from None


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
