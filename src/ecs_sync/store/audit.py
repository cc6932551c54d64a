"""The audit trail: a hash chain whose head is signed, with checkpoints that can leave the database.

Each record's hash covers the hash before it and the record's own canonical text, so an edit, a drop
or a reorder breaks the chain there. The head and every checkpoint are signed with a key derived from
the fingerprint key, which is not in the database: a chain that was cut short, or computed anew, no
longer fits them. An older copy of the whole database fits itself; only the anchor file, a list of
checkpoints kept elsewhere, tells it from the true one.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, select, update

from ecs_sync.errors import StoreError
from ecs_sync.store.crypto import AuditKey
from ecs_sync.store.engine import PAGE, Database
from ecs_sync.store.records import AuditRecord, AuditReport
from ecs_sync.store.rows import moment, now
from ecs_sync.store.schema import audit, checkpoint, identity

_HASH_BYTES = 32


def genesis(of: str) -> bytes:
    """The hash that the first record of a store follows."""
    return hashlib.blake2b(f"ecs-sync audit 1 {of}".encode(), digest_size=_HASH_BYTES).digest()


def record_hash(previous: bytes, number: int, time: int, who: str, action: str, details: str) -> bytes:
    record = json.dumps([number, time, who, action, details], separators=(",", ":"))
    return hashlib.blake2b(previous + record.encode("ascii"), digest_size=_HASH_BYTES).digest()


@dataclass(frozen=True, slots=True)
class Signature:
    """A signed head of the chain, as a checkpoint or as a line of the anchor file."""

    number: int
    hash: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Chain:
    """The chain of one store, with what signs it and where its checkpoints are repeated."""

    identity: str
    key: AuditKey
    anchor: Path | None

    def signed(self, head: Signature) -> bool:
        return self.key.signed(self.identity, head.number, head.hash, head.signature)


def append(connection: Connection, who: str, action: str, details: Mapping[str, Any], chain: Chain) -> None:
    """See `Transaction.audit`."""
    columns = (identity.c.audit_number, identity.c.audit_hash)
    number, previous = connection.execute(select(*columns)).one()
    number += 1
    time = now()
    text = json.dumps(dict(details), sort_keys=True, separators=(",", ":"), allow_nan=False)
    hash = record_hash(previous, number, time, who, action, text)
    connection.execute(
        insert(audit).values(
            number=number, time=time, who=who, action=action, details=text, previous=previous, hash=hash
        )
    )
    connection.execute(
        update(identity).values(
            audit_number=number,
            audit_hash=hash,
            audit_signature=chain.key.sign(chain.identity, number, hash),
        )
    )


def sign(connection: Connection, chain: Chain) -> Signature | None:
    """Records the head as a checkpoint; None where the head is one already or there is no record."""
    columns = (identity.c.audit_number, identity.c.audit_hash, identity.c.audit_signature)
    head = Signature(*connection.execute(select(*columns)).one())
    there = select(checkpoint.c.number).where(checkpoint.c.number == head.number)
    if head.number == 0 or connection.execute(there).one_or_none() is not None:
        return None
    connection.execute(
        insert(checkpoint).values(number=head.number, hash=head.hash, signature=head.signature, time=now())
    )
    return head


def anchor(chain: Chain, heads: list[Signature]) -> None:
    """Appends checkpoints to the anchor file. Raises StoreError where it cannot be written."""
    if chain.anchor is None or not heads:
        return
    lines = "".join(
        json.dumps(
            {
                "store": chain.identity,
                "number": head.number,
                "hash": head.hash.hex(),
                "signature": head.signature.hex(),
            }
        )
        + "\n"
        for head in heads
    )
    try:
        descriptor = os.open(chain.anchor, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "ab") as file:
            file.write(lines.encode("ascii"))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise StoreError(
            f"the anchor file {chain.anchor} of the audit trail cannot be written: {error.strerror}. "
            "What was recorded in the store stands; make the file writable"
        ) from None


_COLUMNS = (
    audit.c.number,
    audit.c.time,
    audit.c.who,
    audit.c.action,
    audit.c.details,
    audit.c.previous,
    audit.c.hash,
)


def _record(row: Any) -> AuditRecord:
    number, time, who, action, details, previous, hash = row
    return AuditRecord(number, moment(time), who, action, details, previous, hash)


def trail(database: Database, after: int) -> Iterator[AuditRecord]:
    """See `Store.audit_trail`."""
    while True:
        statement = select(*_COLUMNS).where(audit.c.number > after).order_by(audit.c.number).limit(PAGE)
        with database.reading() as connection:
            records = [_record(row) for row in connection.execute(statement)]
        yield from records
        if len(records) < PAGE:
            return
        after = records[-1].number


def verify(connection: Connection, chain: Chain) -> AuditReport:
    """See `Store.verify_audit`. The connection sees one snapshot."""
    signatures = select(checkpoint.c.number, checkpoint.c.hash, checkpoint.c.signature)
    checkpoints = [Signature(*row) for row in connection.execute(signatures.order_by(checkpoint.c.number))]
    columns = (identity.c.audit_number, identity.c.audit_hash, identity.c.audit_signature)
    head = Signature(*connection.execute(select(*columns)).one())
    anchors, unreadable = _anchors(chain)
    expected: dict[int, bytes] = {}
    for kind, signed in (("checkpoint", checkpoints), ("anchor", anchors), ("head", [head])):
        for one in signed:
            if not chain.signed(one):
                why = f"the {kind} at record {one.number} is not signed by this store's key"
                return AuditReport(ok=False, records=0, checkpoints=0, broken=one.number, why=why)
            if expected.setdefault(one.number, one.hash) != one.hash:
                why = f"the {kind} at record {one.number} tells of another chain"
                return AuditReport(ok=False, records=0, checkpoints=0, broken=one.number, why=why)
    broken, why, count = _walk(connection, chain, expected, head.number)
    if why == "" and unreadable:
        broken, why = None, unreadable
    passed = sum(one.number <= count for one in (*checkpoints, *anchors))
    return AuditReport(ok=why == "", records=count, checkpoints=passed, broken=broken, why=why)


def _walk(
    connection: Connection, chain: Chain, expected: Mapping[int, bytes], head: int
) -> tuple[int | None, str, int]:
    """The first record that is wrong with the reason, and how many are right before it."""
    previous, count = genesis(chain.identity), 0
    last = max(head, *expected, 0)
    rows = connection.execute(select(*_COLUMNS).order_by(audit.c.number).execution_options(yield_per=PAGE))
    for number, row in zip_longest(range(1, last + 1), rows):
        if row is None:
            return number, f"record {number} is missing: the trail was cut short", count
        if number is None:
            return row.number, f"record {row.number} was added past the signed head", count
        why = _wrong(row, number, previous, expected.get(number))
        if why:
            return number, why, count
        previous, count = row.hash, count + 1
    return None, "", count


def _wrong(row: Any, number: int, previous: bytes, expected: bytes | None) -> str:
    if row.number != number:
        return f"record {number} is missing"
    if row.previous != previous:
        return f"record {number} does not follow record {number - 1}"
    if record_hash(previous, number, row.time, row.who, row.action, row.details) != row.hash:
        return f"record {number} was altered"
    if expected is not None and expected != row.hash:
        return f"record {number} is not the one that was signed"
    return ""


def _anchors(chain: Chain) -> tuple[list[Signature], str]:
    """The checkpoints of this store in the anchor file, and what is wrong with the file."""
    if chain.anchor is None:
        return [], ""
    try:
        lines = chain.anchor.read_text("ascii").splitlines()
    except FileNotFoundError:
        return [], f"the anchor file {chain.anchor} is absent"
    except (OSError, UnicodeDecodeError):
        return [], f"the anchor file {chain.anchor} cannot be read"
    found = []
    for count, line in enumerate(lines, 1):
        try:
            read = json.loads(line)
            if read["store"] == chain.identity:
                hash, signature = bytes.fromhex(read["hash"]), bytes.fromhex(read["signature"])
                found.append(Signature(int(read["number"]), hash, signature))
        except (ValueError, KeyError, TypeError):
            return [], f"line {count} of the anchor file {chain.anchor} cannot be read"
    return found, ""
