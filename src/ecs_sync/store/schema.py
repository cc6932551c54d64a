"""The tables. Migrations make them; this is what statements are written against.

Texts that come from a provider (item ids, revisions, tokens) and the texts of values are bytes: they
may hold what a database's text type refuses. Times are microseconds since 1970 UTC. Key texts compare
by their bytes on every database. Which rows a partial index holds, its migration says: an option of
PostgreSQL's here would bring its dialect into every process.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
)

REVISIONS = ("0001", "0002")
"""Every migration, oldest first. A store at the last one is current."""

REVISION_TABLE = "ecs_sync_schema"
"""Where a database says which migrations it had. Another program's Alembic may share the database."""

metadata = MetaData()

Number = BigInteger().with_variant(Integer, "sqlite")
KeyText = Text().with_variant(Text(collation="C"), "postgresql")

identity = Table(
    "identity",
    metadata,
    Column("one", SmallInteger, primary_key=True, autoincrement=False),
    Column("identity", Text, nullable=False),
    Column("key_check", LargeBinary, nullable=False),
    Column("sealed_with", Text, nullable=False),
    Column("audit_number", BigInteger, nullable=False),
    Column("audit_hash", LargeBinary, nullable=False),
    Column("audit_signature", LargeBinary, nullable=False),
    Column("created", BigInteger, nullable=False),
)

version = Table(
    "version",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=False),
    Column("scope", Text, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("who", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("run", Text),
    Index("version_scope", "scope", "number"),
)

scope = Table(
    "scope",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("text", Text, nullable=False, unique=True),
)

entry = Table(
    "entry",
    metadata,
    Column("scope", Integer, primary_key=True, autoincrement=False),
    Column("key", KeyText, primary_key=True),
    Column("version", Number, primary_key=True, autoincrement=False),
    Column("type", Text),
    Column("secret", Boolean, nullable=False),
    Column("fingerprint", LargeBinary),
    Column("priority", BigInteger, nullable=False),
    Column("link", Text, nullable=False),
    Column("metadata", Text),
    Column("text", LargeBinary),
    Column("sealed", LargeBinary),
    Index("entry_version", "version"),
    Index(
        "entry_reference",
        "scope",
        "key",
        info={"where": "type = 'reference'"},
    ),
    sqlite_with_rowid=False,
)

referred = Table(
    "referred",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("key", KeyText, primary_key=True),
    Column("reference", LargeBinary, nullable=False),
    Column("revision", LargeBinary),
    Column("changed", Text),
    Column("fingerprint", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

track = Table(
    "track",
    metadata,
    Column("id", Number, primary_key=True),
    Column("job", Text, nullable=False),
    Column("link", Text, nullable=False),
    Column("identity", Text, nullable=False),
    Column("established", Boolean, nullable=False),
    Column("token", LargeBinary),
    Column("current", Boolean, nullable=False),
    Column("mark", BigInteger, nullable=False),
    Index(
        "track_current",
        "job",
        "link",
        unique=True,
        info={"where": "current"},
    ),
)

base = Table(
    "base",
    metadata,
    Column("track", Number, primary_key=True, autoincrement=False),
    Column("key", KeyText, primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("item", LargeBinary, nullable=False),
    Index("base_item", "track", "item"),
    sqlite_with_rowid=False,
)

held = Table(
    "held",
    metadata,
    Column("track", Number, primary_key=True, autoincrement=False),
    Column("item", LargeBinary, primary_key=True),
    Column("revision", LargeBinary, nullable=False),
    Column("changed", Text),
    sqlite_with_rowid=False,
)

seen = Table(
    "seen",
    metadata,
    Column("track", Number, primary_key=True, autoincrement=False),
    Column("key", KeyText, primary_key=True),
    Column("item", LargeBinary, nullable=False),
    Column("revision", LargeBinary),
    Column("changed", Text),
    Column("fingerprint", LargeBinary),
    Column("unseen", Text),
    Column("since", BigInteger, nullable=False),
    Column("lost_to", BigInteger),
    Column("met", Boolean, nullable=False),
    Column("mark", BigInteger, nullable=False),
    Index("seen_item", "track", "item"),
    sqlite_with_rowid=False,
)

intent = Table(
    "intent",
    metadata,
    Column("id", Text, primary_key=True),
    Column("track", Number, nullable=False),
    Column("run", Text, nullable=False),
    Column("item", LargeBinary, nullable=False),
    Column("operation", Text, nullable=False),
    Column("expected", LargeBinary),
    Column("expected_changed", Text),
    Column("targets", Text, nullable=False),
    Index("intent_item", "track", "item", unique=True),
)

own_write = Table(
    "own_write",
    metadata,
    Column("id", Text, primary_key=True),
    Column("track", Number, nullable=False),
    Column("item", LargeBinary, nullable=False),
    Column("operation", Text, nullable=False),
    Column("expected", LargeBinary),
    Column("targets", Text, nullable=False),
    Index("own_write_track", "track"),
)

archive = Table(
    "archive",
    metadata,
    Column("id", Number, primary_key=True),
    Column("scope", Text, nullable=False),
    Column("key", KeyText, nullable=False),
    Column("side", Text, nullable=False),
    Column("item", LargeBinary),
    Column("revision", LargeBinary),
    Column("type", Text),
    Column("secret", Boolean, nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("metadata", Text),
    Column("text", LargeBinary),
    Column("sealed", LargeBinary),
    Column("reason", Text, nullable=False),
    Column("run", Text),
    Column("time", BigInteger, nullable=False),
    Index("archive_key", "scope", "key", "id"),
    sqlite_autoincrement=True,
)

conflict = Table(
    "conflict",
    metadata,
    Column("id", Number, primary_key=True),
    Column("scope", Text, nullable=False),
    Column("key", KeyText, nullable=False),
    Column("job", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("candidates", Text, nullable=False),
    Column("winner", Text),
    Column("rule", Text, nullable=False),
    Column("run", Text),
    Column("time", BigInteger, nullable=False),
    Column("resolved", Boolean, nullable=False),
    Index("conflict_digest", "job", "scope", "key", "digest", unique=True),
    sqlite_autoincrement=True,
)

run = Table(
    "run",
    metadata,
    Column("id", Text, primary_key=True),
    Column("job", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("verb", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("started", BigInteger),
    Column("finished", BigInteger),
    Column("exit_code", Integer),
    Column("summary", Text, nullable=False),
    Index("run_job", "job", "id"),
    Index("run_state", "state", "id"),
)

done = Table(
    "done",
    metadata,
    Column("id", Number, primary_key=True),
    Column("run", Text, nullable=False),
    Column("side", Text, nullable=False),
    Column("key", KeyText, nullable=False),
    Column("item", LargeBinary),
    Column("before", BigInteger),
    Column("fingerprint", LargeBinary),
    Column("revision", LargeBinary),
    Column("version", BigInteger),
    Column("outcome", Text, nullable=False),
    Index("done_run", "run", "id"),
    sqlite_autoincrement=True,
)

lease = Table(
    "lease",
    metadata,
    Column("job", Text, primary_key=True),
    Column("holder", Text),
    Column("epoch", BigInteger, nullable=False),
    Column("renewals", BigInteger, nullable=False),
    Column("ttl", BigInteger, nullable=False),
)

schedule = Table(
    "schedule",
    metadata,
    Column("job", Text, primary_key=True),
    Column("due", BigInteger),
)

audit = Table(
    "audit",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=False),
    Column("time", BigInteger, nullable=False),
    Column("who", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("details", Text, nullable=False),
    Column("previous", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)

checkpoint = Table(
    "checkpoint",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("time", BigInteger, nullable=False),
)
