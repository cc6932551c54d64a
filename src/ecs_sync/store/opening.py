"""Making, opening and upgrading a store: what must be true before anything else is done."""

from __future__ import annotations

import uuid
from typing import NamedTuple

from sqlalchemy import URL, Connection, column, insert, inspect, select, table, text, update

from ecs_sync.errors import StoreError, WrongKey
from ecs_sync.model import Fingerprinter
from ecs_sync.store import schema
from ecs_sync.store.audit import genesis
from ecs_sync.store.crypto import AuditKey, Cipher, key_check
from ecs_sync.store.engine import Database, connect, make_sqlite_file, parse, sqlite_path
from ecs_sync.store.rows import now

_PATIENCE = 30.0
_LOCK = 7_305_061_962_001
"""The advisory lock under which a PostgreSQL schema is made or upgraded."""


class Identity(NamedTuple):
    """What a store says of itself."""

    identity: str
    key_check: bytes
    sealed_with: frozenset[str]


def make(url: URL, cipher: Cipher | None, fingerprint_key: bytes) -> None:
    """A new store at the newest schema. Raises StoreError where one exists already."""
    Fingerprinter(fingerprint_key)  # refuses a key of the wrong length before anything is made
    path = sqlite_path(url)
    # A file is there already where an earlier try was killed; it then is an empty database.
    ours = path is not None and make_sqlite_file(path)
    database = connect(url, _PATIENCE)
    try:
        with database.writing() as connection:
            _alone(connection)
            _check_empty(connection, database.where)
            _check_encoding(connection)
            _migrate(connection)
            _introduce(connection, cipher, fingerprint_key)
    except BaseException:
        database.close()
        if ours:
            unmake(url)
        raise
    database.close()


def unmake(url: URL) -> None:
    """Takes away the file of a store that was made just now, and that nobody has used; a server's stays."""
    path = sqlite_path(url)
    if path is not None:
        for ending in ("", "-wal", "-shm"):
            path.with_name(path.name + ending).unlink(missing_ok=True)


def _check_empty(connection: Connection, where: str) -> None:
    if revision(connection) is not None:
        raise StoreError(f"the store {where} exists already: use it, or name another in store.url")
    there = set(inspect(connection).get_table_names())
    # A server's database may be shared, a file may not.
    taken = sorted(there if connection.dialect.name == "sqlite" else there & set(schema.metadata.tables))
    if taken:
        raise StoreError(
            f"the database {where} has tables that are not a store's ({', '.join(taken[:3])}): "
            "name another in store.url"
        )


def _alone(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


def _check_encoding(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        encoding = connection.execute(text("SHOW server_encoding")).scalar_one()
        if encoding != "UTF8":
            raise StoreError(f"the database has the encoding {encoding}: create one with ENCODING 'UTF8'")


def _introduce(connection: Connection, cipher: Cipher | None, fingerprint_key: bytes) -> None:
    name = uuid.uuid4().hex
    first = genesis(name)
    connection.execute(
        insert(schema.identity).values(
            one=1,
            identity=name,
            key_check=key_check(fingerprint_key, name),
            sealed_with="" if cipher is None else cipher.current,
            audit_number=0,
            audit_hash=first,
            audit_signature=AuditKey.derive(fingerprint_key).sign(name, 0, first),
            created=now(),
        )
    )


def revision(connection: Connection) -> str | None:
    """The schema's revision; None where the database holds no store at all."""
    if not inspect(connection).has_table(schema.REVISION_TABLE):
        return None
    revised = table(schema.REVISION_TABLE, column("version_num"))
    return connection.execute(select(revised.c.version_num)).scalar_one_or_none()


def present(url: URL, patience: float) -> Database:
    """A connected database that holds something. Raises StoreError where there is nothing."""
    path = sqlite_path(url)
    if path is not None and not path.exists():
        raise StoreError(f"the store {path} does not exist: run 'ecs-sync init' to make it")
    return connect(url, patience)


def check(database: Database, cipher: Cipher | None, fingerprint_key: bytes) -> Identity:
    """What the store says of itself. Raises StoreError where it cannot be used as it is."""
    with database.reading() as connection:
        found = revision(connection)
        _check_revision(found, database.where)
        columns = (schema.identity.c.identity, schema.identity.c.key_check, schema.identity.c.sealed_with)
        name, verifier, sealed_with = connection.execute(select(*columns)).one()
    if key_check(fingerprint_key, name) != verifier:
        raise StoreError(
            f"the fingerprint key is not the one that the store {database.where} was made with: "
            "restore its key file from a backup, or check store.fingerprint_key"
        )
    sealing = frozenset(sealed_with.split(",")) - {""}
    if cipher is not None and not sealing <= cipher.ids:
        unknown = ", ".join(sorted(sealing - cipher.ids))
        raise WrongKey(
            f"the store {database.where} holds secrets that were sealed with another key ({unknown}): "
            "store.key is not the one that was in use. Configure that one"
        )
    return Identity(name, verifier, sealing)


def _check_revision(found: str | None, where: str) -> None:
    if found is None:
        raise StoreError(f"the database {where} holds no store: run 'ecs-sync init' to make one")
    if found not in schema.REVISIONS:
        raise StoreError(
            f"the store {where} was written by a newer version of ecs-sync (schema {found}, this one knows "
            f"{schema.REVISIONS[-1]}): upgrade ecs-sync"
        )
    if found != schema.REVISIONS[-1]:
        raise StoreError(
            f"the store {where} is older than this version of ecs-sync (schema {found}): "
            "make a backup, then run 'ecs-sync store upgrade'"
        )


def upgrade(url: str) -> None:
    """Brings the schema to this version's, in one transaction. Raises StoreError as `check` does."""
    database = present(parse(url), _PATIENCE)
    try:
        with database.writing() as connection:
            _alone(connection)
            found = revision(connection)
            if found is None or found not in schema.REVISIONS:
                _check_revision(found, database.where)
            _migrate(connection)
    finally:
        database.close()


def _migrate(connection: Connection) -> None:
    # Alembic takes longer to import than most commands run.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "ecs_sync.store:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def note_sealing_key(connection: Connection, key: str) -> None:
    """Records that secrets are sealed with this key as well."""
    column = schema.identity.c.sealed_with
    known = set(connection.execute(select(column)).scalar_one().split(",")) - {""}
    if key not in known:
        connection.execute(update(schema.identity).values(sealed_with=",".join(sorted(known | {key}))))


def lock_identity(connection: Connection) -> None:
    """Keeps all other writers out until this transaction ends.

    On SQLite its beginning did that already.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(schema.identity.c.one).with_for_update())
