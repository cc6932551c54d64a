"""What was last seen of the secrets that entries refer to."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_SQLITE = {"blob": "BLOB", "key": "TEXT", "clustered": "WITHOUT ROWID"}
_POSTGRESQL = {"blob": "BYTEA", "key": 'TEXT COLLATE "C"', "clustered": ""}

_REFERRED = """referred (
        scope TEXT NOT NULL,
        key {key} NOT NULL,
        reference {blob} NOT NULL,
        revision {blob},
        changed TEXT,
        fingerprint {blob} NOT NULL,
        PRIMARY KEY (scope, key)
    ) {clustered}"""


def upgrade() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    op.execute("CREATE TABLE " + _REFERRED.format_map(_SQLITE if sqlite else _POSTGRESQL))
    # Few entries are references: the index makes finding them cost nothing where there are none.
    op.execute("CREATE INDEX entry_reference ON entry (scope, key) WHERE type = 'reference'")
