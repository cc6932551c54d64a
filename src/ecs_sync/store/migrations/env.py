"""Runs the migrations on the connection and in the transaction that the store gives."""

from __future__ import annotations

from alembic import context

from ecs_sync.store.schema import REVISION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=REVISION_TABLE,
    transactional_ddl=True,
    render_as_batch=True,
)
context.run_migrations()
