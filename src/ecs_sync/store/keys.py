"""Keys in files: the fingerprint key of a store, and the key that seals its secrets."""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from ecs_sync.errors import StoreError
from ecs_sync.store.crypto import KEY_BYTES

_FINGERPRINT_BYTES = 32
WRAPPED_MARK = "ecs-sync-wrapped-key"
"""How the file of a wrapped key begins: see `ecs_sync.store.wrapped`."""


@dataclass(frozen=True, slots=True)
class FileKeys:
    """A key file of one line of base64, readable by its owner only."""

    path: Path

    @classmethod
    def beside(cls, database: Path) -> FileKeys:
        """The fingerprint key file of a SQLite file: ``ecs-sync.db`` has ``ecs-sync.db.key``."""
        return cls(database.with_name(database.name + ".key"))

    def create(self) -> bytes:
        """A new random key of 32 bytes in a new file of mode 0600.

        Raises StoreError where the file exists already: overwriting it would orphan a store.
        """
        key = os.urandom(_FINGERPRINT_BYTES)
        try:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise StoreError(
                f"the key file {self.path} exists already; it may belong to a store. "
                "Move it away if it does not, and try again"
            ) from None
        except OSError as error:
            raise _not_made(self.path, error) from None
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(base64.b64encode(key) + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            # Half a key would be in the way of the next try, and nothing was sealed with it yet.
            self.path.unlink(missing_ok=True)
            raise _not_made(self.path, error) from None
        sync_folder(self.path.parent)
        return key

    def load(self) -> bytes:
        """The key. Raises StoreError where the file is absent or holds no key of 32 bytes."""
        try:
            text = self.path.read_bytes()
        except FileNotFoundError:
            raise StoreError(
                f"the key file {self.path} is absent: 'ecs-sync init' makes it with a new store; a store "
                "that is there already cannot be used without its own: restore it from a backup"
            ) from None
        except OSError as error:
            raise StoreError(f"the key file {self.path} cannot be read: {error.strerror}") from None
        return decode_key(text, str(self.path))


def _not_made(path: Path, error: OSError) -> StoreError:
    return StoreError(f"the key file {path} cannot be made: {error.strerror}")


def decode_key(text: bytes, where: str) -> bytes:
    """The 32 bytes that ``text`` spells in base64 or hexadecimal digits, or is.

    Raises StoreError naming ``where``, never the text.
    """
    if text.startswith(WRAPPED_MARK.encode()):
        raise StoreError(
            f"{where} holds a wrapped key: configure it as "
            "'key: {wrapped: PATH, by: CONNECTION, with: KEYNAME}'"
        )
    stripped = text.strip()
    if len(stripped) == KEY_BYTES * 2:
        with contextlib.suppress(ValueError):
            return bytes.fromhex(stripped.decode("ascii"))
    with contextlib.suppress(binascii.Error, ValueError):
        key = base64.b64decode(stripped, validate=True)
        if len(key) == KEY_BYTES:
            return key
    if len(text) == KEY_BYTES:
        return text
    raise StoreError(f"{where} holds no key: 32 bytes are expected, in base64 or as hexadecimal digits")


def sync_folder(folder: Path) -> None:
    """Makes sure that what was made in a folder is found there after a crash."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
