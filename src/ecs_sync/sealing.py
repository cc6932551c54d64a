"""The key that seals the secrets of a store, from wherever the configuration says; never to a disk."""

from __future__ import annotations

import os

from ecs_sync.config.secret import SecretSource
from ecs_sync.config.wrapped import WrappedSource
from ecs_sync.connections import Connections
from ecs_sync.errors import Denied, EcsSyncError, Rejected, StoreError, Throttled, Unavailable
from ecs_sync.store.crypto import KEY_BYTES, key_id
from ecs_sync.store.keys import decode_key
from ecs_sync.store.wrapped import WrappedKey, already_there


def sealing_key(source: SecretSource | WrappedSource, connections: Connections) -> bytes:
    """The 32 bytes of the key. Raises ConfigError where it cannot be had, Unavailable where that may pass."""
    match source:
        case SecretSource():
            try:
                return decode_key(source.read(connections.secret).encode(), str(source))
            except StoreError as error:
                failed = source.unusable(str(error))
            # Raised out here it leads back to no frame that has what was taken for a key.
            raise failed
        case WrappedSource():
            return _unwrapped(source, connections)


def _unwrapped(source: WrappedSource, connections: Connections) -> bytes:
    try:
        found = WrappedKey.read(source.path)
        plain = connections.wrapping(source.connection).unwrap(source.key, found.wrapped)
    except EcsSyncError as error:
        raise _in_words(source, error) from None
    if not _is_key(plain, found.id):
        raise source.unusable(
            f"what {source.connection!r} unwrapped is not the key that {source.path} was made of"
        )
    return plain


def wrap_new(target: WrappedSource, connections: Connections) -> None:
    """Makes a random key, and the file of its wrapped form. Raises as `wrap` does."""
    wrap(os.urandom(KEY_BYTES), target, connections)


def wrap(plain: bytes, target: WrappedSource, connections: Connections) -> None:
    """Makes the file of a key's wrapped form, once that was seen to unwrap.

    Raises StoreError where the file exists or cannot be made, ConfigError where the connection or its key
    will not do, Unavailable where the provider does not answer.
    """
    if target.path.exists():
        raise already_there(target.path)
    try:
        keeper = connections.wrapping(target.connection)
        wrapped = keeper.wrap(target.key, plain)
        again = keeper.unwrap(target.key, wrapped)
    except EcsSyncError as error:
        raise _in_words(target, error) from None
    if again != plain:
        raise target.unusable(
            f"what {target.connection!r} wrapped unwraps to something else: nothing is made"
        )
    WrappedKey(wrapped, key_id(plain)).write(target.path)


def _is_key(plain: bytes, id: str) -> bool:
    return len(plain) == KEY_BYTES and key_id(plain) == id


def _in_words(source: WrappedSource, error: EcsSyncError) -> EcsSyncError:
    """What is a matter of the configuration becomes one, at its place; what may pass stays what it is."""
    match error:
        case Throttled():
            return Throttled(f"the key of the store: {error}", error.retry_after)
        case Unavailable():
            return Unavailable(f"the key of the store: {error}")
        case StoreError() | Rejected() | Denied():
            return source.unusable(str(error))
        case _:
            return error
