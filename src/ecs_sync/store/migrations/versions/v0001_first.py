"""The first schema: versioned entries, tracks, runs, leases, and the audit chain."""

from __future__ import annotations

from alembic import op

from ecs_sync.store.schema import metadata

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_APPEND_ONLY = ("version", "audit", "checkpoint")
_FIXED = ("scope", "key", "version", "type", "secret", "fingerprint", "priority", "link", "metadata", "text")


def upgrade() -> None:
    metadata.create_all(op.get_bind())
    if op.get_bind().dialect.name == "sqlite":
        _guard_sqlite()
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
