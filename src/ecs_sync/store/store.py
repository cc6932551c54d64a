"""The canonical store, as the engine and the verbs use it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from ecs_sync.adapter import ItemId
from ecs_sync.model import Fingerprint, Fingerprinter, Key, Scope
from ecs_sync.store import (
    audit,
    knowing,
    leases,
    opening,
    reading,
    recording,
    referring,
    rotating,
    tracking,
    writing,
)
from ecs_sync.store.crypto import AuditKey, Cipher, Seal
from ecs_sync.store.engine import Database, parse
from ecs_sync.store.records import (
    Archived,
    AuditRecord,
    AuditReport,
    Base,
    Conflict,
    Desired,
    Done,
    Intent,
    Known,
    Lease,
    OwnWrite,
    Referred,
    Run,
    Seen,
    Stored,
    Track,
    Version,
)
from ecs_sync.store.transaction import Transaction


class Store:
    """One store, in a SQLite file or a PostgreSQL database. Safe to use from many threads.

    Made by `create` or `open`. Every method raises StoreError where the database fails. Nothing
    is locked while a returned iterator is being read: it goes by short pages over rows that stay.
    """

    def __init__(
        self, database: Database, identity: str, cipher: Cipher | None, key: bytes, anchor: Path | None
    ) -> None:
        self.database = database
        self._seal = Seal(identity, cipher)
        self.chain = audit.Chain(identity, AuditKey.derive(key), anchor)
        self.watch = leases.Watch()
        self.fingerprinter = Fingerprinter(key)

    @classmethod
    def create(
        cls, url: str, *, cipher: Cipher | None = None, fingerprint_key: bytes, anchor: Path | None = None
    ) -> Self:
        """Makes a store with a new random identity, and opens it.

        ``anchor`` is a file outside the database that repeats the checkpoints of the audit trail.
        Raises StoreError where the store exists already or cannot be made; nothing is left behind.
        """
        opening.make(parse(url), cipher, fingerprint_key)
        try:
            store = cls.open(url, cipher=cipher, fingerprint_key=fingerprint_key, anchor=anchor)
            try:
                with store.transaction() as transaction:
                    transaction.audit("ecs-sync", "store created", {"identity": store.identity})
                    transaction.checkpoint()
            except BaseException:
                store.close()
                raise
        except BaseException:
            opening.unmake(parse(url))
            raise
        return store

    @classmethod
    def open(
        cls,
        url: str,
        *,
        cipher: Cipher | None = None,
        fingerprint_key: bytes,
        patience: float = 5.0,
        anchor: Path | None = None,
    ) -> Self:
        """Opens a store. ``patience`` is how many seconds a write waits for another to finish.

        Raises StoreError, saying the next step, where the store is absent, older or newer than this
        version of ecs-sync, or where a key is not the one it was made with.
        """
        database = opening.present(parse(url), patience)
        try:
            identity = opening.check(database, cipher, fingerprint_key)
        except BaseException:
            database.close()
            raise
        return cls(database, identity.identity, cipher, fingerprint_key, anchor)

    @staticmethod
    def upgrade(url: str) -> None:
        """Brings an older store to this version's schema. A current one stays as it is."""
        opening.upgrade(url)

    def close(self) -> None:
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Store {self.identity} in {self.database.where}>"

    @property
    def identity(self) -> str:
        return self._seal.identity

    @property
    def keeps_secrets(self) -> bool:
        """Is there a cipher to seal secret values with?"""
        return self._seal.cipher is not None

    def rotate(self, cipher: Cipher) -> int:
        """Seals every secret anew with the current key of ``cipher``; how many there were.

        May be cut short and run again: in between, secrets open with the one or the other key.
        """
        count = rotating.rotate(self.database, self._seal, cipher)
        self._seal = Seal(self.identity, cipher)
        return count

    # Entries and versions

    def head(self) -> int:
        """The newest version's number; 0 where there is none yet."""
        with self.database.reading() as connection:
            return reading.head(connection)

    def scopes(self) -> list[Scope]:
        """Every scope that ever had a version."""
        with self.database.reading() as connection:
            return reading.scopes(connection)

    def desired(self, scope: Scope, at: int) -> Iterator[Desired]:
        """Every key that ever was in the scope as of version ``at``, sorted by key text."""
        return reading.desired(self.database, scope, at)

    def entries(self, scope: Scope, at: int) -> Iterator[Stored]:
        """As `desired`, with the entries."""
        return reading.entries(self.database, scope, at, self._seal)

    def at(self, scope: Scope, version: int) -> dict[str, Stored]:
        """As `entries`, by key text and all at once."""
        return {stored.key.text: stored for stored in self.entries(scope, version)}

    def stored(self, scope: Scope, keys: Iterable[str], at: int | None = None) -> dict[str, Stored]:
        """The newest version of each key, up to ``at``. Keys that never were are missing."""
        with self.database.reading() as connection:
            return reading.newest(connection, scope, keys, at, self._seal)

    def later(self, scope: Scope, after: Mapping[str, int], at: int) -> dict[str, tuple[Stored, ...]]:
        """Of each key all versions later than the given one, up to ``at``, oldest first."""
        with self.database.reading() as connection:
            return reading.later(connection, scope, after, at, self._seal)

    def history(self, scope: Scope, key: Key, limit: int = 50) -> list[tuple[Version, Stored]]:
        """The versions of one key, newest first."""
        with self.database.reading() as connection:
            return reading.history(connection, scope, key, limit, self._seal)

    def versions(self, scope: Scope | None = None, limit: int = 50) -> list[Version]:
        """The newest versions, of one scope or of all, newest first."""
        with self.database.reading() as connection:
            return reading.versions(connection, scope, limit)

    def references(self, scope: Scope, at: int) -> list[Stored]:
        """The newest version up to ``at`` of every key that is a reference to a secret, by key text."""
        with self.database.reading() as connection:
            return referring.references(connection, scope, at, self._seal)

    def referred(self, scope: Scope) -> dict[str, Referred]:
        """What was last seen of the secrets that the scope's keys refer to."""
        with self.database.reading() as connection:
            return referring.known(connection, scope)

    # Tracks

    def track(self, job: str, link: str, identity: str) -> Track | None:
        """The current track of a link, where it has this identity."""
        with self.database.reading() as connection:
            found = tracking.current(connection, job, link)
        return found if found is not None and found.identity == identity else None

    def tracks(self, job: str) -> list[Track]:
        """The current tracks of a job, by link."""
        with self.database.reading() as connection:
            return tracking.tracks(connection, job)

    def retired(self, job: str) -> list[Track]:
        """The former tracks of a job that still have open intents."""
        with self.database.reading() as connection:
            return tracking.retired(connection, job)

    def bases(self, track: int) -> Iterator[Base]:
        """The bases of a track, sorted by key text."""
        return tracking.bases(self.database, track)

    def base_count(self, track: int) -> int:
        with self.database.reading() as connection:
            return tracking.base_count(connection, track)

    def bases_of(self, track: int, keys: Iterable[str]) -> dict[str, Base]:
        """The bases of these keys; keys without one are missing."""
        with self.database.reading() as connection:
            return tracking.bases_of(connection, track, keys)

    def seen(self, track: int) -> Iterator[Seen]:
        """What was seen of the keys that are not in step, sorted by key text."""
        return tracking.seen_rows(self.database, track)

    def known(self, track: int, items: Sequence[ItemId]) -> dict[ItemId, Known]:
        """What is recorded of items as a whole; an item of which no one revision is known is missing.

        A held item has its revision and its bases. Else an item that was seen, readable, at one
        revision has what was seen there, and the bases of its other keys, which were in step.
        """
        with self.database.reading() as connection:
            return knowing.known(connection, track, items)

    def based(self, track: int, items: Sequence[ItemId]) -> dict[ItemId, dict[str, Fingerprint]]:
        """The fingerprints of the bases that lie in each item, by key text; items without one are missing."""
        with self.database.reading() as connection:
            return knowing.based(connection, track, items)

    def intents(self, track: int) -> list[Intent]:
        """The open intents, oldest first."""
        with self.database.reading() as connection:
            return writing.intents(connection, track)

    def own_writes(self, track: int) -> list[OwnWrite]:
        """Our writes that may still land, oldest first."""
        with self.database.reading() as connection:
            return writing.own_writes(connection, track)

    # Archive, conflicts, runs

    def archive(self, scope: Scope, key: Key | None = None, limit: int = 50) -> list[Archived]:
        """Archived values of a scope, or of one key of it, newest first."""
        with self.database.reading() as connection:
            return recording.archive_of(connection, self._seal, scope, key, limit)

    def archived(self, id: int) -> Archived | None:
        with self.database.reading() as connection:
            return recording.archived(connection, self._seal, id)

    def conflicts(self, job: str | None = None) -> list[Conflict]:
        """The open conflicts, of one job or of all, oldest first."""
        with self.database.reading() as connection:
            return recording.open_conflicts(connection, job)

    def all_conflicts(self, job: str | None = None) -> list[Conflict]:
        """As `conflicts`, the resolved ones too."""
        with self.database.reading() as connection:
            return recording.all_conflicts(connection, job)

    def conflict(self, id: int) -> Conflict | None:
        with self.database.reading() as connection:
            return recording.conflict_of(connection, id)

    def runs(self, job: str | None = None, limit: int = 50) -> list[Run]:
        """The newest runs, of one job or of all, newest first."""
        with self.database.reading() as connection:
            return recording.runs(connection, job, limit)

    def run(self, id: str) -> Run | None:
        with self.database.reading() as connection:
            return recording.run_of(connection, id)

    def done(self, run: str) -> list[Done]:
        """What a run changed, in the order in which it did."""
        with self.database.reading() as connection:
            return recording.done_of(connection, run)

    # Audit

    def audit_trail(self, after: int = 0) -> Iterator[AuditRecord]:
        """The records of the audit chain behind number ``after``, oldest first."""
        return audit.trail(self.database, after)

    def verify_audit(self) -> AuditReport:
        """Checks every record, the signed head, the checkpoints and the anchor file."""
        with self.database.reading() as connection:
            return audit.verify(connection, self.chain)

    # Leases

    @staticmethod
    def this_process() -> str:
        """A holder's text that names this process and no other."""
        return leases.this_process()

    def holder(self, job: str) -> str | None:
        """Who holds the job's lease, or held it last without releasing it."""
        with self.database.reading() as connection:
            return leases.holder_of(connection, job)

    def acquire(self, job: str, holder: str, *, ttl: float, wait: float) -> Lease:
        """The job's lease, waiting at most ``wait`` seconds. Raises LeaseHeld naming the holder.

        A lease that was not renewed for ``ttl`` seconds, watched on our own monotonic clock, is taken
        over; so is, at once, that of a process of this host that ended. The fence makes both safe.
        """
        wanted = Lease(job, holder, 0)
        return leases.acquire(self.database, opening.lock_identity, self.watch, wanted, ttl, wait)

    def renew(self, lease: Lease) -> None:
        """Says that the holder lives. Raises Fenced where the lease changed hands."""
        with self.database.writing() as connection:
            leases.renew(connection, lease)

    def release(self, lease: Lease) -> None:
        """Gives the lease back. One that was lost stays with whom it went to."""
        with self.database.writing() as connection:
            leases.release(connection, lease)

    # Writing

    @contextmanager
    def transaction(self, lease: Lease | None = None) -> Iterator[Transaction]:
        """Everything in the block, or nothing. All writers of the store go one after the other.

        With a lease, raises Fenced before anything is done where it changed hands.
        """
        with self.database.writing() as connection:
            opening.lock_identity(connection)
            if lease is not None:
                leases.must_hold(connection, lease)
            transaction = Transaction(connection, self._seal, self.fingerprinter, self.chain)
            yield transaction
        audit.anchor(self.chain, transaction.signed)
