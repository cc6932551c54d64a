"""Sealing secret values with AES-256-GCM, bound to where they stand."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ecs_sync.errors import StoreError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
_FORMAT = b"\x01"
_ID_BYTES = 8
_NONCE_BYTES = 12
_HEADER_BYTES = len(_FORMAT) + _ID_BYTES + _NONCE_BYTES

NO_CIPHER = (
    "a secret value cannot be kept: the store has no key to seal it with. Set store.key to "
    "file:PATH ('ecs-sync store new-key PATH' makes one)"
)


def key_id(key: bytes) -> str:
    """The public name of a sealing key: 16 hexadecimal digits that tell nothing of the key."""
    return hashlib.blake2b(b"ecs-sync sealing key", key=key, digest_size=_ID_BYTES).hexdigest()


class Cipher:
    """AES-256-GCM with a current key, and older ones that still open what they sealed.

    A sealed text is one format byte, the 8 bytes of the key's id, a random 96-bit nonce, and the
    ciphertext with its tag. Raises ValueError where a key has not 32 bytes.
    """

    __slots__ = ("_keys", "current")

    def __init__(self, current: bytes, older: Sequence[bytes] = ()) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        if any(len(key) != KEY_BYTES for key in (current, *older)):
            raise ValueError(f"a key of the store has {KEY_BYTES} bytes")
        self.current = key_id(current)
        self._keys: dict[str, AESGCM] = {key_id(key): AESGCM(key) for key in (current, *older)}

    @property
    def ids(self) -> frozenset[str]:
        return frozenset(self._keys)

    def seal(self, text: bytes, context: bytes) -> bytes:
        """``text`` sealed with the current key; it opens with the same ``context`` only."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._keys[self.current].encrypt(nonce, text, context)
        return _FORMAT + bytes.fromhex(self.current) + nonce + sealed

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """The text again. Raises StoreError where the key is not at hand or the bytes were altered."""
        from cryptography.exceptions import InvalidTag

        name = sealed_by(sealed)
        key = self._keys.get(name)
        if key is None:
            raise StoreError(
                f"a secret was sealed with another key ({name}) than store.key: "
                "configure the one that was in use then"
            )
        nonce = sealed[_HEADER_BYTES - _NONCE_BYTES : _HEADER_BYTES]
        try:
            return key.decrypt(nonce, sealed[_HEADER_BYTES:], context)
        except InvalidTag:
            raise StoreError(
                "a sealed secret does not open: its bytes were altered or moved from another row. "
                "Restore the store from a backup, and run 'ecs-sync audit verify'"
            ) from None

    def __repr__(self) -> str:
        return f"<Cipher {self.current}>"


def sealed_by(sealed: bytes) -> str:
    """The id of the key that sealed this text."""
    return sealed[len(_FORMAT) : len(_FORMAT) + _ID_BYTES].hex()


@dataclass(frozen=True, slots=True)
class Seal:
    """A store's identity with its cipher, if it has one."""

    identity: str
    cipher: Cipher | None

    def context(self, *parts: str | int) -> bytes:
        """What a sealed text is bound to: this store and the row it stands in."""
        return "\x1f".join((self.identity, *map(str, parts))).encode("utf-8")


@dataclass(frozen=True, slots=True, repr=False)
class AuditKey:
    """Signs the head of the audit chain. Derived from the fingerprint key, which stays outside."""

    secret: bytes

    @classmethod
    def derive(cls, fingerprint_key: bytes) -> AuditKey:
        return cls(hashlib.blake2b(b"ecs-sync audit 1", key=fingerprint_key, digest_size=32).digest())

    def sign(self, identity: str, number: int, hash: bytes) -> bytes:
        """The signature (32 bytes) of the chain of this store that ends with ``hash`` at ``number``."""
        return hmac.digest(self.secret, f"{identity} {number} ".encode() + hash, "sha256")

    def signed(self, identity: str, number: int, hash: bytes, signature: bytes) -> bool:
        return hmac.compare_digest(self.sign(identity, number, hash), signature)


def key_check(fingerprint_key: bytes, identity: str) -> bytes:
    """What tells the right fingerprint key from a wrong one, and nothing else of it."""
    return hashlib.blake2b(f"ecs-sync key check 1 {identity}".encode(), key=fingerprint_key).digest()
