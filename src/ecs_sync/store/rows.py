"""Rows as records, and records as rows."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from ecs_sync.errors import StoreError
from ecs_sync.model import Entry, Fingerprint, Key, Rank, Type, Value
from ecs_sync.store.crypto import NO_CIPHER, Seal
from ecs_sync.store.records import Candidate, Stored, Target

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_TYPES = {type.value: type for type in Type}


def now() -> int:
    """Our own clock in microseconds: for people to read, never to decide on."""
    return (datetime.now(UTC) - _EPOCH) // _MICROSECOND


def microseconds(time: datetime) -> int:
    return (time - _EPOCH) // _MICROSECOND


def moment(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)


def moment_or_none(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else moment(microseconds)


def octets(text: str | None) -> bytes | None:
    """A provider's text as it is kept."""
    return None if text is None else text.encode("utf-8")


def words(raw: bytes | None) -> str | None:
    return None if raw is None else raw.decode("utf-8")


PackedEntry = tuple[str, str, bytes | None, bytes | None]
"""Type, metadata, plain text, sealed text."""


def pack(entry: Entry, seal: Seal, context: bytes) -> PackedEntry:
    """The columns of an entry. Raises StoreError for a secret where there is no cipher."""
    plain = entry.value.text.encode("utf-8")
    described = json.dumps(dict(entry.metadata), separators=(",", ":")) if entry.metadata else ""
    if not entry.holds_plaintext:
        return entry.value.type.value, described, plain, None
    if seal.cipher is None:
        raise StoreError(f"{entry.key.text}: {NO_CIPHER}")
    return entry.value.type.value, described, None, seal.cipher.seal(plain, context)


def unpack(key: str, secret: bool, packed: PackedEntry, seal: Seal, context: bytes) -> Entry | None:
    """The entry of its columns; None where it is sealed and there is no cipher."""
    type_, described, plain, sealed = packed
    if sealed is not None:
        if seal.cipher is None:
            return None
        plain = seal.cipher.open(sealed, context)
    assert plain is not None
    value = Value(_TYPES[type_], plain.decode("utf-8"))
    metadata = tuple(sorted(json.loads(described).items())) if described else ()
    return Entry(Key(key), value, bool(secret), metadata)


def entry_context(seal: Seal, scope: str, key: str, version: int) -> bytes:
    return seal.context("entry", scope, key, version)


def archive_context(seal: Seal, scope: str, key: str, side: str, fingerprint: bytes) -> bytes:
    return seal.context("archive", scope, key, side, fingerprint.hex())


def stored(scope: str, row: Any, seal: Seal) -> Stored:
    """A row of key, version, type, secret, fingerprint, priority, link, metadata, text, sealed."""
    key, version, type_, secret, fingerprint, priority, link, described, plain, sealed = row
    rank = Rank(priority, link)
    if fingerprint is None:
        return Stored(Key(key), version, None, None, rank)
    context = b"" if sealed is None else entry_context(seal, scope, key, version)
    entry = unpack(key, secret, (type_, described, plain, sealed), seal, context)
    return Stored(Key(key), version, entry, Fingerprint(bytes(fingerprint)), rank, sealed=entry is None)


def targets_text(targets: Iterable[Target]) -> str:
    return json.dumps(
        [[t.key, None if t.fingerprint is None else t.fingerprint.hex(), t.version] for t in targets],
        separators=(",", ":"),
    )


def targets(text: str) -> tuple[Target, ...]:
    return tuple(
        Target(key, None if hexed is None else Fingerprint(bytes.fromhex(hexed)), version)
        for key, hexed, version in json.loads(text)
    )


def candidates_text(candidates: Iterable[Candidate]) -> str:
    return json.dumps(
        [
            [
                c.side,
                None if c.fingerprint is None else c.fingerprint.hex(),
                c.rank.priority,
                c.rank.link,
                c.archived,
            ]
            for c in candidates
        ],
        separators=(",", ":"),
    )


def candidates(text: str) -> tuple[Candidate, ...]:
    return tuple(
        Candidate(
            side,
            None if hexed is None else Fingerprint(bytes.fromhex(hexed)),
            Rank(priority, link),
            archived,
        )
        for side, hexed, priority, link, archived in json.loads(text)
    )
