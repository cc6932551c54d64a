"""What can be recorded, all or nothing, in one transaction of the store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from ecs_sync.adapter import ItemId, Revision, Token
from ecs_sync.errors import StoreError
from ecs_sync.model import Entry, Fingerprint, Fingerprinter, Key, Scope
from ecs_sync.store import audit, committing, reading, recording, referring, tracking, writing
from ecs_sync.store.crypto import Seal
from ecs_sync.store.opening import note_sealing_key
from ecs_sync.store.records import (
    Base,
    Candidate,
    Done,
    EntryChange,
    Held,
    Intent,
    OwnWrite,
    Referred,
    Seen,
    Stored,
    Track,
    Version,
)


class Transaction:
    """Given by `Store.transaction`, and used only inside its ``with`` block.

    Every method raises StoreError where the database fails; leaving the block with any exception
    undoes everything.
    """

    __slots__ = ("_chain", "_connection", "_fingerprinter", "_seal", "_sealing_noted", "signed")

    def __init__(
        self, connection: Connection, seal: Seal, fingerprinter: Fingerprinter, chain: audit.Chain
    ) -> None:
        self._connection = connection
        self._seal = seal
        self._fingerprinter = fingerprinter
        self._chain = chain
        self._sealing_noted = False
        self.signed: list[audit.Signature] = []

    def commit(
        self,
        scope: Scope,
        changes: Sequence[EntryChange],
        *,
        origin: str,
        reason: str,
        who: str,
        run: str | None = None,
        expect: Mapping[str, int] | None = None,
    ) -> int:
        """Writes ``changes`` as one new version and returns its number.

        ``expect`` gives the newest version of key texts (0: never existed) that must still hold, else
        StalePlan names the first that do not. Raises StoreError where there are no changes, where a key
        stands twice, and for a secret value where the store has no cipher.
        """
        if not changes:
            raise StoreError("internal error: a commit without changes")
        committing.must_hold(self._connection, scope, expect or {})
        if any(change.entry is not None and change.entry.holds_plaintext for change in changes):
            self._note_sealing()
        number = committing.next_number(self._connection)
        described = Version(number, scope.text, datetime.now(UTC), who, origin, reason, run)
        committing.commit(self._connection, self._seal, self._fingerprinter, scope, changes, described)
        return number

    def stored(self, scope: Scope, keys: Iterable[str]) -> dict[str, Stored]:
        """As `Store.stored`; what it finds stays the newest until the transaction ends."""
        return reading.newest(self._connection, scope, keys, None, self._seal)

    def expect(self, scope: Scope, versions: Mapping[str, int]) -> list[str]:
        """The keys whose newest version is not the given one any more (0: never existed), sorted."""
        return committing.moved(self._connection, scope, versions)

    def put_referred(self, scope: Scope, rows: Iterable[Referred]) -> None:
        """Replaces what was last seen of the secrets that these keys refer to."""
        referring.put(self._connection, scope, rows)

    def open_track(self, job: str, link: str, identity: str) -> Track:
        """The current track of the link, new where the one before has another identity.

        The one before is then retired; its bases and intents stay.
        """
        return tracking.open_track(self._connection, job, link, identity)

    def establish(self, track: int) -> None:
        """The track had its first complete run."""
        tracking.establish(self._connection, track)

    def set_token(self, track: int, token: Token | None) -> None:
        """The listing's token, to be given back as ``since``."""
        tracking.set_token(self._connection, track, token)

    def put_bases(self, track: int, rows: Iterable[Base]) -> None:
        """Moves bases. Raises StoreError, an internal error, where one would go back to an older version.

        What is known of their items as a whole is dropped, as by `drop_bases`.
        """
        tracking.put_bases(self._connection, track, rows)

    def drop_bases(self, track: int, keys: Iterable[str]) -> None:
        tracking.drop_bases(self._connection, track, keys)

    def put_held(self, track: int, rows: Iterable[Held]) -> None:
        """Every key of these items is in step at their revisions."""
        tracking.put_held(self._connection, track, rows)

    def drop_held(self, track: int, items: Iterable[ItemId]) -> None:
        """From now on no revision of these items is known, and each is read when it is listed."""
        tracking.drop_held(self._connection, track, items)

    def put_seen(self, track: int, rows: Iterable[Seen]) -> None:
        """Replaces what was seen of these keys; ``since`` stays where fingerprint and unseen do."""
        tracking.put_seen(self._connection, track, rows)

    def drop_seen(self, track: int, keys: Iterable[str]) -> None:
        tracking.drop_seen(self._connection, track, keys)

    def replace_seen(self, track: int, rows: Iterable[Seen]) -> None:
        """Replaces all that was seen on the track; ``since`` stays where fingerprint and unseen do."""
        tracking.replace_seen(self._connection, track, rows)

    def open_intents(self, rows: Sequence[Intent]) -> set[ItemId]:
        """Records intents; the items that are refused, because one is open for them on that track."""
        return writing.open_intents(self._connection, rows)

    def close_intent(self, ids: Iterable[str]) -> None:
        writing.close_intents(self._connection, ids)

    def keep_own_writes(self, rows: Iterable[OwnWrite]) -> None:
        """Records own writes that may still land; one whose id is kept already stays as it is."""
        writing.keep_own_writes(self._connection, rows)

    def drop_own_writes(self, ids: Iterable[str]) -> None:
        writing.drop_own_writes(self._connection, ids)

    def archive(
        self,
        scope: Scope,
        key: Key,
        side: str,
        entry: Entry | None,
        fingerprint: Fingerprint,
        *,
        secret: bool,
        item: ItemId | None,
        revision: Revision | None,
        reason: str,
        run: str | None,
    ) -> int:
        """Keeps a value that is about to go; the id it can be had back by.

        A secret is sealed; where the store has no cipher it is kept without its value.
        """
        if entry is not None and (secret or entry.secret):
            self._note_sealing()
        return recording.keep(
            self._connection,
            self._seal,
            scope,
            key,
            side,
            entry,
            fingerprint,
            secret=secret,
            item=item,
            revision=revision,
            reason=reason,
            run=run,
        )

    def record_conflict(
        self,
        scope: Scope,
        key: Key,
        job: str,
        candidates: Sequence[Candidate],
        winner: str | None,
        rule: str,
        run: str | None,
    ) -> int:
        """The id of the conflict of this key with this set of sides and fingerprints.

        Recorded once: the same set again updates the winner, and ``resolved`` with it.
        """
        return recording.record_conflict(self._connection, scope, key, job, candidates, winner, rule, run)

    def resolve_conflict(self, id: int) -> None:
        """Raises StoreError where there is no such conflict."""
        recording.resolve_conflict(self._connection, id)

    def start_run(self, id: str, job: str, verb: str, who: str, reason: str, epoch: int) -> None:
        """The run is running, whether it was waiting, was lost, or is new."""
        recording.start_run(self._connection, id, job, verb, who, reason, epoch)

    def claim_run(self, id: str, epoch: int) -> bool:
        """Turns a waiting run into a running one; False where somebody else did, or it is done."""
        return recording.claim_run(self._connection, id, epoch)

    def finish_run(self, id: str, exit_code: int, summary: str) -> None:
        """The run is done. ``summary`` is JSON of counts, or of the ``error`` that ended it."""
        recording.finish_run(self._connection, id, exit_code, summary)

    def mark_lost(self, id: str) -> None:
        """The process of a running run vanished. Any other run stays as it is."""
        recording.mark_lost(self._connection, id)

    def record_done(self, rows: Sequence[Done]) -> None:
        recording.record_done(self._connection, rows)

    def audit(self, who: str, action: str, details: Mapping[str, Any]) -> None:
        """Appends to the audit chain. ``details`` is JSON without values."""
        audit.append(self._connection, who, action, details, self._chain)

    def checkpoint(self) -> None:
        """Signs the head of the audit chain; the anchor file has it once the transaction is committed."""
        head = audit.sign(self._connection, self._chain)
        if head is not None:
            self.signed.append(head)

    def _note_sealing(self) -> None:
        if self._seal.cipher is not None and not self._sealing_noted:
            note_sealing_key(self._connection, self._seal.cipher.current)
            self._sealing_noted = True
