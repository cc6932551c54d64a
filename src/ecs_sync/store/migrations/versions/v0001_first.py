"""The first schema: versioned entries, tracks, runs, leases, and the audit chain."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_APPEND_ONLY = ("version", "audit", "checkpoint")
_FIXED = ("scope", "key", "version", "type", "secret", "fingerprint", "priority", "link", "metadata", "text")

_SIZES = (
    ("entry", "entry", "1000000 100000 2 1"),
    ("entry", "entry_version", "1000000 10 10 2 1"),
    ("base", "base", "1000000 100000 1"),
    ("base", "base_item", "1000000 100000 1 1"),
    ("held", "held", "1000000 100000 1"),
    ("seen", "seen", "1000000 100000 1"),
    ("seen", "seen_item", "1000000 100000 1 1"),
)
"""Table, index, and rows: in all, and for one value of the index's first column, of its first two, ..."""

_TABLES = (
    """identity (
        one SMALLINT NOT NULL PRIMARY KEY CHECK (one = 1),
        identity TEXT NOT NULL,
        key_check {blob} NOT NULL,
        sealed_with TEXT NOT NULL,
        audit_number BIGINT NOT NULL,
        audit_hash {blob} NOT NULL,
        audit_signature {blob} NOT NULL,
        created BIGINT NOT NULL
    )""",
    """version (
        number {number} NOT NULL PRIMARY KEY,
        scope TEXT NOT NULL,
        time BIGINT NOT NULL,
        who TEXT NOT NULL,
        origin TEXT NOT NULL,
        reason TEXT NOT NULL,
        run TEXT
    )""",
    """scope (
        id {serial},
        text TEXT NOT NULL UNIQUE
    )""",
    """entry (
        scope INTEGER NOT NULL,
        key {key} NOT NULL,
        version {number} NOT NULL,
        type TEXT,
        secret BOOLEAN NOT NULL,
        fingerprint {blob},
        priority BIGINT NOT NULL,
        link TEXT NOT NULL,
        metadata TEXT,
        text {blob},
        sealed {blob},
        PRIMARY KEY (scope, key, version),
        CHECK (fingerprint IS NULL AND type IS NULL AND text IS NULL AND sealed IS NULL
            OR fingerprint IS NOT NULL AND type IS NOT NULL AND (text IS NULL) <> (sealed IS NULL))
    ) {clustered}""",
    """track (
        id {long_serial},
        job TEXT NOT NULL,
        link TEXT NOT NULL,
        identity TEXT NOT NULL,
        established BOOLEAN NOT NULL,
        token {blob},
        current BOOLEAN NOT NULL,
        mark BIGINT NOT NULL
    )""",
    """base (
        track {number} NOT NULL,
        key {key} NOT NULL,
        fingerprint {blob} NOT NULL,
        version BIGINT NOT NULL,
        item {blob} NOT NULL,
        PRIMARY KEY (track, key)
    ) {clustered}""",
    """held (
        track {number} NOT NULL,
        item {blob} NOT NULL,
        revision {blob} NOT NULL,
        changed TEXT,
        PRIMARY KEY (track, item)
    ) {clustered}""",
    """seen (
        track {number} NOT NULL,
        key {key} NOT NULL,
        item {blob} NOT NULL,
        revision {blob},
        changed TEXT,
        fingerprint {blob},
        unseen TEXT,
        since BIGINT NOT NULL,
        lost_to BIGINT,
        met BOOLEAN NOT NULL,
        mark BIGINT NOT NULL,
        PRIMARY KEY (track, key)
    ) {clustered}""",
    """intent (
        id TEXT NOT NULL PRIMARY KEY,
        track {number} NOT NULL,
        run TEXT NOT NULL,
        item {blob} NOT NULL,
        operation TEXT NOT NULL,
        expected {blob},
        expected_changed TEXT,
        targets TEXT NOT NULL
    )""",
    """own_write (
        id TEXT NOT NULL PRIMARY KEY,
        track {number} NOT NULL,
        item {blob} NOT NULL,
        operation TEXT NOT NULL,
        expected {blob},
        targets TEXT NOT NULL
    )""",
    """archive (
        id {long_serial},
        scope TEXT NOT NULL,
        key {key} NOT NULL,
        side TEXT NOT NULL,
        item {blob},
        revision {blob},
        type TEXT,
        secret BOOLEAN NOT NULL,
        fingerprint {blob} NOT NULL,
        metadata TEXT,
        text {blob},
        sealed {blob},
        reason TEXT NOT NULL,
        run TEXT,
        time BIGINT NOT NULL
    )""",
    """conflict (
        id {long_serial},
        scope TEXT NOT NULL,
        key {key} NOT NULL,
        job TEXT NOT NULL,
        digest {blob} NOT NULL,
        candidates TEXT NOT NULL,
        winner TEXT,
        rule TEXT NOT NULL,
        run TEXT,
        time BIGINT NOT NULL,
        resolved BOOLEAN NOT NULL
    )""",
    """run (
        id TEXT NOT NULL PRIMARY KEY,
        job TEXT NOT NULL,
        state TEXT NOT NULL,
        verb TEXT NOT NULL,
        who TEXT NOT NULL,
        reason TEXT NOT NULL,
        epoch BIGINT NOT NULL,
        created BIGINT NOT NULL,
        started BIGINT,
        finished BIGINT,
        exit_code INTEGER,
        summary TEXT NOT NULL
    )""",
    """done (
        id {long_serial},
        run TEXT NOT NULL,
        side TEXT NOT NULL,
        key {key} NOT NULL,
        item {blob},
        before BIGINT,
        fingerprint {blob},
        revision {blob},
        version BIGINT,
        outcome TEXT NOT NULL
    )""",
    """lease (
        job TEXT NOT NULL PRIMARY KEY,
        holder TEXT,
        epoch BIGINT NOT NULL,
        renewals BIGINT NOT NULL,
        ttl BIGINT NOT NULL
    )""",
    """schedule (
        job TEXT NOT NULL PRIMARY KEY,
        due BIGINT
    )""",
    """audit (
        number {number} NOT NULL PRIMARY KEY,
        time BIGINT NOT NULL,
        who TEXT NOT NULL,
        action TEXT NOT NULL,
        details TEXT NOT NULL,
        previous {blob} NOT NULL,
        hash {blob} NOT NULL
    )""",
    """checkpoint (
        number {number} NOT NULL PRIMARY KEY,
        hash {blob} NOT NULL,
        signature {blob} NOT NULL,
        time BIGINT NOT NULL
    )""",
)

_INDEXES = (
    "INDEX version_scope ON version (scope, number)",
    "INDEX entry_version ON entry (version)",
    "UNIQUE INDEX track_current ON track (job, link) WHERE current",
    "INDEX base_item ON base (track, item)",
    "INDEX seen_item ON seen (track, item)",
    "UNIQUE INDEX intent_item ON intent (track, item)",
    "INDEX own_write_track ON own_write (track)",
    "INDEX archive_key ON archive (scope, key, id)",
    "UNIQUE INDEX conflict_digest ON conflict (job, scope, key, digest)",
    "INDEX run_job ON run (job, id)",
    "INDEX run_state ON run (state, id)",
    "INDEX done_run ON done (run, id)",
)

_SQLITE = {
    "blob": "BLOB",
    "number": "INTEGER",
    "serial": "INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL",
    "long_serial": "INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL",
    "key": "TEXT",
    "clustered": "WITHOUT ROWID",
}
_POSTGRESQL = {
    "blob": "BYTEA",
    "number": "BIGINT",
    "serial": "SERIAL PRIMARY KEY",
    "long_serial": "BIGSERIAL PRIMARY KEY",
    "key": 'TEXT COLLATE "C"',
    "clustered": "",
}


def upgrade() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    for table in _TABLES:
        op.execute("CREATE TABLE " + table.format_map(_SQLITE if sqlite else _POSTGRESQL))
    for index in _INDEXES:
        op.execute("CREATE " + index)
    if sqlite:
        _guard_sqlite()
        _describe_sqlite()
    else:
        _guard_postgresql()


def _guard_sqlite() -> None:
    for table in (*_APPEND_ONLY, "entry"):
        _refuse_sqlite(table, "delete", "DELETE", "1")
    for table in _APPEND_ONLY:
        _refuse_sqlite(table, "update", "UPDATE", "1")
    _refuse_sqlite("entry", "update", f"UPDATE OF {', '.join(_FIXED)}", "1")
    # Sealing a secret anew with another key is the one change that a version allows.
    _refuse_sqlite("entry", "unseal", "UPDATE OF sealed", "OLD.sealed IS NULL OR NEW.sealed IS NULL")


def _refuse_sqlite(table: str, name: str, event: str, when: str) -> None:
    op.execute(
        f"CREATE TRIGGER {table}_{name} BEFORE {event} ON {table} WHEN {when} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    )


def _describe_sqlite() -> None:
    """Tells the planner what large tables will be like; untold, it reads a whole track for one item."""
    op.execute("ANALYZE sqlite_schema")
    statistics = sa.table("sqlite_stat1", sa.column("tbl"), sa.column("idx"), sa.column("stat"))
    for table, index, rows in _SIZES:
        op.execute(statistics.insert().values(tbl=table, idx=index, stat=rows))


def _guard_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION ecs_sync_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ "
        "BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
    )
    for table in (*_APPEND_ONLY, "entry"):
        _refuse_postgresql(table, "delete", "DELETE", "ROW", "true")
        _refuse_postgresql(table, "truncate", "TRUNCATE", "STATEMENT", "true")
    for table in _APPEND_ONLY:
        _refuse_postgresql(table, "update", "UPDATE", "ROW", "true")
    _refuse_postgresql("entry", "update", f"UPDATE OF {', '.join(_FIXED)}", "ROW", "true")
    unsealing = "OLD.sealed IS NULL OR NEW.sealed IS NULL"
    _refuse_postgresql("entry", "unseal", "UPDATE OF sealed", "ROW", unsealing)


def _refuse_postgresql(table: str, name: str, event: str, each: str, when: str) -> None:
    op.execute(
        f"CREATE TRIGGER {table}_{name} BEFORE {event} ON {table} FOR EACH {each} WHEN ({when}) "
        "EXECUTE FUNCTION ecs_sync_append_only()"
    )
