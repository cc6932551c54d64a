"""Connecting to the database, and what its errors mean."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Dialect, Engine, Select, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.sql.dml import Insert

from ecs_sync.errors import StoreError

PAGE = 10_000
"""Rows of one page of a listing, and of one batch of writes."""
CHUNK = 500
"""Keys or items that one statement asks for by name."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Database:
    """Two engines on one database: ``writer`` begins with its lock, ``reader`` sees one snapshot."""

    writer: Engine
    reader: Engine
    where: str
    turn: AbstractContextManager[object] = field(default_factory=nullcontext)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that holds the database's write lock, or takes it first. Raises StoreError."""
        with self.turn, explained(self.where), self.writer.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A snapshot that no write disturbs and that disturbs no write. Raises StoreError."""
        with explained(self.where), self.reader.connect() as connection:
            yield connection

    def close(self) -> None:
        self.writer.dispose()
        self.reader.dispose()


def parse(url: str) -> URL:
    """The database that ``url`` names. Raises StoreError where it is none that a store can be in."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        parsed = None
    match parsed.get_backend_name() if parsed is not None else None:
        case "sqlite" if parsed is not None and parsed.database not in (None, "", ":memory:"):
            return parsed.set(drivername="sqlite+pysqlite")
        case "postgresql" if parsed is not None:
            return parsed.set(drivername="postgresql+psycopg")
        case _:
            raise StoreError(
                "store.url names no database that a store can be in: write 'sqlite:///PATH' (a file) "
                "or 'postgresql+psycopg://USER@HOST/DATABASE'"
            )


def sqlite_path(url: URL) -> Path | None:
    """The file of a SQLite database; None for a server's."""
    if url.get_backend_name() != "sqlite" or url.database is None:
        return None
    return Path(url.database)


def connect(url: URL, patience: float) -> Database:
    """Engines on ``url``. ``patience`` is how many seconds a writer waits for another to finish."""
    path = sqlite_path(url)
    where = f"sqlite:///{path}" if path is not None else url.render_as_string(hide_password=True)
    if path is not None:
        writer, reader = _sqlite(path, patience, "IMMEDIATE"), _sqlite(path, patience, "DEFERRED")
        return Database(writer, reader, where, _Turn(where, patience))
    return Database(
        _postgresql(url, patience, "READ COMMITTED"), _postgresql(url, patience, "REPEATABLE READ"), where
    )


@dataclass(frozen=True, slots=True)
class _Turn:
    """Lets the threads of one process write one after the other.

    SQLite would let them in by chance, after ever longer sleeps.
    """

    where: str
    patience: float
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> None:
        if not self.lock.acquire(timeout=self.patience):
            raise StoreError(f"the store {self.where} {_BUSY}")

    def __exit__(self, *_: object) -> None:
        self.lock.release()


def _sqlite(path: Path, patience: float, begin: str) -> Engine:
    # mode=rw: a mistyped path must not make an empty database.
    address = f"{path.absolute().as_uri()}?mode=rw"
    engine = create_engine(
        f"sqlite+pysqlite:///{address}&uri=true",
        connect_args={"timeout": patience, "check_same_thread": False},
        hide_parameters=True,
        pool_size=8,
        max_overflow=32,
    )

    def opened(connection: Any, _: Any) -> None:
        # The driver's own transaction control begins too late to keep read-modify-writes apart.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in ("journal_mode = WAL", "synchronous = FULL"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    def begun(connection: Connection) -> None:
        connection.exec_driver_sql(f"BEGIN {begin}")

    event.listen(engine, "connect", opened)
    event.listen(engine, "begin", begun)
    return engine


def _postgresql(url: URL, patience: float, isolation: str) -> Engine:
    settings = {
        "lock_timeout": int(patience * 1000),
        # A frozen process would keep all others waiting for its lock.
        "idle_in_transaction_session_timeout": 60_000,
        "synchronous_commit": "on",
        "timezone": "UTC",
    }
    given = url.query.get("options", "")
    options = " ".join([str(given), *(f"-c {name}={value}" for name, value in settings.items())])
    try:
        return create_engine(
            url,
            connect_args={"options": options, "connect_timeout": max(2, int(patience))},
            isolation_level=isolation,
            paramstyle="format",
            hide_parameters=True,
            # Two engines a process: six workers fit into a server's usual hundred connections.
            pool_size=5,
            max_overflow=3,
            pool_pre_ping=True,
        )
    except ImportError:
        raise StoreError(
            "a store in PostgreSQL needs its driver: pip install 'ecs-sync[postgresql]'"
        ) from None


def make_sqlite_file(path: Path) -> bool:
    """Makes an empty file of mode 0600; False where there is a file already. Raises StoreError."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        return True
    except FileExistsError:
        return False
    except OSError as error:
        raise StoreError(f"the store {path} cannot be made: {error.strerror}") from None


@contextmanager
def explained(where: str) -> Iterator[None]:
    """Turns the database's errors into StoreError: what happened and what to do, never a value."""
    try:
        yield
    except DBAPIError as error:
        # The cause is left out: a server quotes values in its messages.
        raise StoreError(f"the store {where} {_meaning(error)}") from None
    except SQLAlchemyError as error:
        raise StoreError(f"the store {where} cannot be used: {type(error).__name__}") from None


_FULL = "is full: make room on its disk and try again; nothing was half-written"
_BUSY = "is locked by another process: wait until it has finished and try again"
_DAMAGED = "is damaged or is not a database: restore it from a backup"
_READ_ONLY = "cannot be written: check the permissions of the file and its folder"
_SHUT = "cannot be opened: check that it is there, and that you may write it and its folder"
_AWAY = "cannot be reached: check that it exists, that the server runs, and the credentials"

_SQLITE = (
    ("SQLITE_FULL", _FULL),
    ("SQLITE_IOERR_WRITE", _FULL),
    ("SQLITE_IOERR_FSYNC", _FULL),
    ("SQLITE_IOERR_SHMSIZE", _FULL),
    ("SQLITE_BUSY", _BUSY),
    ("SQLITE_LOCKED", _BUSY),
    ("SQLITE_CORRUPT", _DAMAGED),
    ("SQLITE_NOTADB", _DAMAGED),
    ("SQLITE_READONLY", _READ_ONLY),
    ("SQLITE_CANTOPEN", _SHUT),
    ("SQLITE_CONSTRAINT_TRIGGER", "keeps what was once recorded: it is append-only"),
)
_SQLSTATES = (
    ("53100", _FULL),
    ("55P03", _BUSY),
    ("40", _BUSY),
    ("53", "refuses more connections: raise max_connections, or run fewer workers"),
    ("57", _AWAY),
    ("08", _AWAY),
    ("28", _AWAY),
    ("3D", _AWAY),
    ("25006", _READ_ONLY),
    ("42501", _READ_ONLY),
    ("22021", "cannot hold a text with a NUL character: change that text"),
    ("P0001", "keeps what was once recorded: it is append-only"),
)


def _meaning(error: DBAPIError) -> str:
    name = getattr(error.orig, "sqlite_errorname", None) or ""
    state = getattr(error.orig, "sqlstate", None) or ""
    for known, meaning in _SQLITE if name else _SQLSTATES:
        if (name or state).startswith(known):
            return meaning
    if not name and not state:
        return _AWAY
    return f"answered with the error {name or state} ({type(error.orig).__name__})"


def insert(dialect: Dialect, table: Any) -> Any:
    """An INSERT that knows ON CONFLICT, in the words of the database."""
    # One of the two is in use, and PostgreSQL's takes as long to import as half of SQLAlchemy.
    if dialect.name == "sqlite":
        from sqlalchemy.dialects import sqlite

        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(table)


def many(connection: Connection, statement: Insert, rows: Sequence[tuple[Any, ...]]) -> int:
    """Runs an INSERT for each row through the driver itself; the number of rows that it changed.

    A row has the statement's columns in the order of the table.
    """
    if not rows:
        return 0
    return connection.exec_driver_sql(_driver_text(statement, connection.dialect), list(rows)).rowcount


def rows_of(connection: Connection, statement: Select[Any]) -> list[tuple[Any, ...]]:
    """All rows as the driver gives them: a flag of SQLite is 0 or 1."""
    result = connection.execute(statement)
    # Building a row object of SQLAlchemy's costs more than reading the row.
    cursor = result.cursor
    rows = [] if cursor is None else list(cursor.fetchall())
    result.close()
    return rows


@lru_cache(maxsize=64)
def _driver_text(statement: Insert, dialect: Dialect) -> str:
    return str(statement.compile(dialect=dialect))


def batches(rows: Iterable[T], size: int) -> Iterator[list[T]]:
    """``rows`` in lists of at most ``size``."""
    iterator = iter(rows)
    while batch := list(islice(iterator, size)):
        yield batch


def paged(
    database: Database, page: Callable[[Connection, str], list[T]], key: Callable[[T], str]
) -> Iterator[T]:
    """All rows in the order of their keys. Nothing stays open while the caller works on a page."""
    after = ""
    while True:
        with database.reading() as connection:
            rows = page(connection, after)
        yield from rows
        if len(rows) < PAGE:
            return
        after = key(rows[-1])
