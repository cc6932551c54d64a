"""Alembic's migrations of the store. They ship with the package and run without an alembic.ini."""
