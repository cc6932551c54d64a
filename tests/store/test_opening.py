"""A store is made once, and opened only when it can be trusted."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from ecs_sync.errors import StoreError
from ecs_sync.model import Entry, Key, Type, Value
from ecs_sync.store import Cipher, EntryChange, FileKeys, Referred, Store, engine, schema
from ecs_sync_sandbox.postgresql import PostgresqlServer

from .making import HAND, KEY, SCOPE, SEALING_KEY, change, commit, secret


def rewrite(store: Store, statement: str) -> None:
    with store.database.writing() as connection:
        connection.execute(text(statement))


def test_the_migrations_make_the_tables_that_statements_are_written_against(store: Store) -> None:
    with store.database.reading() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "version_table": schema.REVISION_TABLE}
        )
        assert compare_metadata(context, schema.metadata) == []


def test_every_migration_is_known_by_name() -> None:
    config = Config()
    config.set_main_option("script_location", "ecs_sync.store:migrations")
    scripts = ScriptDirectory.from_config(config)
    assert [script.revision for script in scripts.walk_revisions()][::-1] == list(schema.REVISIONS)


def test_a_second_store_at_the_same_place_is_refused(url: str, store: Store) -> None:
    with pytest.raises(StoreError, match="exists already"):
        Store.create(url, fingerprint_key=KEY)
    assert store.verify_audit().ok


def test_a_store_whose_making_was_killed_can_be_made_again(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with sqlite3.connect(path) as half:
        half.execute("PRAGMA journal_mode = WAL")
    half.close()
    with pytest.raises(StoreError, match="ecs-sync init"):
        Store.open(f"sqlite:///{path}", fingerprint_key=KEY)
    with Store.create(f"sqlite:///{path}", fingerprint_key=KEY) as store:
        assert store.verify_audit().ok


def test_a_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE songs (name TEXT)")
    with pytest.raises(StoreError, match=r"not a store's \(songs\)"):
        Store.create(f"sqlite:///{path}", fingerprint_key=KEY)
    assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("songs",)]
    other.close()


def test_a_store_shares_a_server_with_other_programs(postgresql: PostgresqlServer) -> None:
    url = postgresql.create_database(f"shared{uuid.uuid4().hex}")
    shared = engine.connect(engine.parse(url), 5.0)
    with shared.writing() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num TEXT)"))
    shared.close()
    with Store.create(url, fingerprint_key=KEY) as store:
        commit(store, change("a", "1"))
        assert store.head() == 1


def test_a_store_that_is_locked_says_so(url: str, store: Store) -> None:
    with Store.open(url, fingerprint_key=KEY, patience=0.1) as other:
        with store.transaction(), pytest.raises(StoreError, match="locked"), other.transaction():
            pass
        assert commit(other, change("a", "1")) == 1


def test_two_stores_have_two_identities(tmp_path: Path) -> None:
    made = [Store.create(f"sqlite:///{tmp_path}/{name}.db", fingerprint_key=KEY) for name in "ab"]
    assert made[0].identity != made[1].identity
    for store in made:
        store.close()


def test_an_absent_store_says_to_run_init_and_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="ecs-sync init"):
        Store.open(f"sqlite:///{tmp_path}/none.db", fingerprint_key=KEY)
    assert list(tmp_path.iterdir()) == []


def test_a_database_without_a_store_says_to_run_init(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    with pytest.raises(StoreError, match="ecs-sync init"):
        Store.open(f"sqlite:///{tmp_path}/empty.db", fingerprint_key=KEY)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_text("these are my notes, not a database\n" * 100)
    with pytest.raises(StoreError, match="not a database"):
        Store.open(f"sqlite:///{tmp_path}/notes.db", fingerprint_key=KEY)


def test_a_server_that_does_not_answer_is_named_without_its_password() -> None:
    with pytest.raises(StoreError, match="cannot be reached") as refusal:
        Store.open("postgresql://ecs:canary-5e1f@127.0.0.1:1/store", fingerprint_key=KEY)
    assert "canary" not in str(refusal.value)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://localhost/x", "store.db", ""])
def test_a_url_that_no_store_can_be_in_says_what_to_write(url: str) -> None:
    with pytest.raises(StoreError, match="sqlite:///PATH"):
        Store.open(url, fingerprint_key=KEY)


def test_a_newer_store_is_refused_before_anything_is_read(url: str, store: Store) -> None:
    rewrite(store, "UPDATE ecs_sync_schema SET version_num = '9999'")
    with pytest.raises(StoreError, match="upgrade ecs-sync"):
        Store.open(url, fingerprint_key=KEY)
    with pytest.raises(StoreError, match="upgrade ecs-sync"):
        Store.upgrade(url)


def test_an_older_store_says_how_to_upgrade_it(
    url: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "REVISIONS", (*schema.REVISIONS, "one more"))
    with pytest.raises(StoreError, match="ecs-sync store upgrade"):
        Store.open(url, fingerprint_key=KEY)


def test_a_store_of_the_first_schema_is_brought_along_with_what_it_holds(url: str, store: Store) -> None:
    """One made before references: an empty table and an index are what it lacks."""
    reference = Entry(Key("password"), Value.parse(Type.REFERENCE, "@secret:kv/db"), secret=True)
    commit(store, change("a", "1"), EntryChange(reference.key, reference, HAND))
    for undone in (
        "DROP TABLE referred",
        "DROP INDEX entry_reference",
        "UPDATE ecs_sync_schema SET version_num = '0001'",
    ):
        rewrite(store, undone)
    with pytest.raises(StoreError, match="ecs-sync store upgrade"):
        Store.open(url, fingerprint_key=KEY)
    Store.upgrade(url)
    with Store.open(url, fingerprint_key=KEY) as upgraded:
        assert upgraded.stored(SCOPE, ["a"])["a"].present
        assert [each.entry for each in upgraded.references(SCOPE, upgraded.head())] == [reference]
        row = Referred("password", "@secret:kv/db", "7", None, upgraded.fingerprinter.of(reference))
        with upgraded.transaction() as transaction:
            transaction.put_referred(SCOPE, [row])
        assert upgraded.referred(SCOPE) == {"password": row}


def test_upgrading_a_current_store_changes_nothing(url: str, store: Store) -> None:
    commit(store, change("a", "1"))
    Store.upgrade(url)
    assert store.stored(SCOPE, ["a"])["a"].present


def test_a_wrong_fingerprint_key_is_refused(url: str, store: Store) -> None:
    with pytest.raises(StoreError, match="fingerprint key is not the one"):
        Store.open(url, fingerprint_key=b"another key of thirty-two bytes.")


def test_a_wrong_sealing_key_is_refused_when_the_store_is_opened(url: str, store: Store) -> None:
    commit(store, secret("password", "canary-71aa"))
    with pytest.raises(StoreError, match=r"store\.key is not the one") as refusal:
        Store.open(url, fingerprint_key=KEY, cipher=Cipher(b"x" * 32))
    assert "canary" not in str(refusal.value)


def test_a_new_sealing_key_opens_what_older_ones_sealed(url: str, store: Store) -> None:
    commit(store, secret("password", "canary-71aa"))
    with Store.open(url, fingerprint_key=KEY, cipher=Cipher(b"x" * 32, [SEALING_KEY])) as newer:
        assert newer.stored(SCOPE, ["password"])["password"].entry == secret("password", "canary-71aa").entry
        commit(newer, secret("other", "canary-71ab"))
    with pytest.raises(StoreError, match=r"store\.key is not the one"):
        Store.open(url, fingerprint_key=KEY, cipher=Cipher(SEALING_KEY))


def test_a_store_that_cannot_be_made_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="16 to 64"):
        Store.create(f"sqlite:///{tmp_path}/store.db", fingerprint_key=b"short")
    with pytest.raises(StoreError, match="cannot be made"):
        Store.create(f"sqlite:///{tmp_path}/no/such/folder/store.db", fingerprint_key=KEY)
    assert list(tmp_path.iterdir()) == []


def test_the_store_and_its_key_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    keys = FileKeys.beside(tmp_path / "store.db")
    with Store.create(f"sqlite:///{tmp_path}/store.db", fingerprint_key=keys.create()) as store:
        commit(store, change("a", "1"))
        names = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert set(names) >= {"store.db", "store.db.key", "store.db-wal"}
    assert set(names.values()) == {0o600}


def test_a_key_file_is_never_overwritten_and_its_absence_is_explained(tmp_path: Path) -> None:
    keys = FileKeys(tmp_path / "k")
    with pytest.raises(StoreError, match="restore it from a backup"):
        keys.load()
    key = keys.create()
    assert keys.load() == key
    with pytest.raises(StoreError, match="exists already"):
        keys.create()
    keys.path.write_text("canary")
    with pytest.raises(StoreError, match="holds no key") as refusal:
        keys.load()
    assert "canary" not in str(refusal.value)


def test_naming_the_records_loads_no_database_library() -> None:
    program = (
        "import sys, ecs_sync.store, ecs_sync.store.records\n"
        "heavy = {'sqlalchemy', 'alembic', 'cryptography', 'psycopg'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(heavy)) or None)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_opening_a_store_does_not_load_the_migrations(url: str, store: Store) -> None:
    program = (
        "import sys\nfrom ecs_sync.store import Store\n"
        f"Store.open({url!r}, fingerprint_key={KEY!r}).close()\n"
        "sys.exit('alembic' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_store_that_cannot_be_opened_is_not_taken_for_a_server_that_is_away(tmp_path: Path) -> None:
    (tmp_path / "store.db").mkdir()
    with pytest.raises(StoreError, match="cannot be opened: check that it is there"):
        Store.open(f"sqlite:///{tmp_path}/store.db", fingerprint_key=KEY)
