"""The key of a store in its wrapped form, in a file: of no use without the provider that wrapped it.

Four lines of text: a header that names the scheme, the public id of the key inside, what the provider
gave, and a checksum of the three lines before, so that a damaged file is noticed without asking anybody.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from ecs_sync.errors import StoreError
from ecs_sync.store.keys import WRAPPED_MARK, sync_folder

_MOST_BYTES = 1 << 16
_LINES = re.compile(
    rf"({WRAPPED_MARK} 1 (?P<scheme>[a-z0-9-]+)\nid (?P<id>[0-9a-f]{{16}})\n"
    r"wrapped (?P<wrapped>[\x21-\x7e]+)\n)sha256 (?P<sum>[0-9a-f]{64})\n"
)
_FORM = re.compile(rb"[a-z0-9-]+:[\x21-\x7e]+")


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """``wrapped`` is what `ecs_sync.abilities.Wraps` gives; ``id`` is `crypto.key_id` of the key inside."""

    wrapped: bytes = field(repr=False)
    id: str

    @property
    def scheme(self) -> str:
        return self.wrapped.partition(b":")[0].decode("ascii")

    @classmethod
    def read(cls, path: Path) -> WrappedKey:
        """The wrapped key in a file. Raises StoreError where the file is absent or none of these."""
        try:
            with path.open("rb") as stream:
                text = stream.read(_MOST_BYTES).decode("latin-1")
        except FileNotFoundError:
            raise StoreError(
                f"the wrapped key {path} is absent: 'ecs-sync store new-key {path} --by CONNECTION "
                "--with KEYNAME' makes one; where a store has one already, restore it from a backup"
            ) from None
        except OSError as error:
            raise StoreError(f"the wrapped key {path} cannot be read: {error.strerror}") from None
        if not text.startswith(f"{WRAPPED_MARK} "):
            raise StoreError(f"{path} is no wrapped key; a key in the clear is configured as file:{path}")
        if not text.startswith(f"{WRAPPED_MARK} 1 "):
            raise StoreError(f"{path} was wrapped by another version of ecs-sync: use that one")
        found = _LINES.fullmatch(text)
        if found is None or hashlib.sha256(found[1].encode()).hexdigest() != found["sum"]:
            raise StoreError(f"the wrapped key {path} is damaged: restore it from a backup")
        return cls(f"{found['scheme']}:{found['wrapped']}".encode(), found["id"])

    def write(self, path: Path) -> None:
        """Makes the file, of mode 0600, whole or not at all. Raises StoreError, also where it exists."""
        if not _FORM.fullmatch(self.wrapped):
            raise StoreError(f"{path} is not made: what the provider gave is no wrapped key")
        draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
        try:
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(self._text())
                    file.flush()
                    os.fsync(file.fileno())
                os.link(draft, path)
            finally:
                draft.unlink(missing_ok=True)
            sync_folder(path.parent)
        except FileExistsError:
            raise already_there(path) from None
        except OSError as error:
            raise StoreError(f"the wrapped key {path} cannot be made: {error.strerror}") from None

    def _text(self) -> bytes:
        scheme, _, rest = self.wrapped.decode("ascii").partition(":")
        lines = f"{WRAPPED_MARK} 1 {scheme}\nid {self.id}\nwrapped {rest}\n".encode()
        return lines + f"sha256 {hashlib.sha256(lines).hexdigest()}\n".encode()


def already_there(path: Path) -> StoreError:
    """The error for a file that would be overwritten."""
    return StoreError(f"{path} exists already; it may belong to a store. Move it away if it does not")
