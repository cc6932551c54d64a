"""``store``: the store itself, its keys and its archive."""

from __future__ import annotations

from pathlib import Path

import click

from ecs_sync.cli.calling import Call, chosen_job, say, verb
from ecs_sync.cli.editing import key_of
from ecs_sync.errors import ConfigError
from ecs_sync.report import Exit


@click.group(epilog="Example: ecs-sync store info")
def store() -> None:
    """Look after the store, its keys and its archive."""


@store.command("info", epilog="Example: ecs-sync store info -o json")
@verb
def info(call: Call) -> int:
    """Show where the store is, what it holds, and who runs which job now."""
    from ecs_sync.render.listings import StoreShown
    from ecs_sync.render.recorded import store_page

    with call.workbench() as bench:
        opened = bench.store
        document = StoreShown(
            "store",
            opened.database.where,
            opened.identity,
            opened.head(),
            [scope.text for scope in opened.scopes()],
            opened.keeps_secrets,
            len(opened.conflicts()),
            {name: opened.holder(name) for name in sorted(bench.config.jobs)},
        )
        call.answer(document, store_page(document))
        return Exit.DONE


@store.command("upgrade", epilog="Example: ecs-sync store upgrade")
@verb
def upgrade(call: Call) -> int:
    """Bring an older store to this version's schema. Make a backup first; a current one stays as it is."""
    from ecs_sync.store import Store

    Store.upgrade(call.config().store.address())
    say("the store is at the schema of this version\n")
    return Exit.DONE


@store.command("new-key", epilog="Example: ecs-sync store new-key secrets.key")
@click.argument("path", type=click.Path(path_type=Path))
@verb
def new_key(call: Call, path: Path) -> int:
    """Make a new random key in a new file that only its owner can read."""
    from ecs_sync.store import FileKeys

    FileKeys(path).create()
    say(f"made {path}: set 'store: {{key: file:{path}}}', and keep a copy in a safe place\n")
    return Exit.DONE


@store.command("rotate-key", epilog="Example: ecs-sync store rotate-key --to new-secrets.key")
@click.option(
    "--to",
    "to",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The file of the new key; 'ecs-sync store new-key' makes one.",
)
@verb
def rotate_key(call: Call, to: Path) -> int:
    """Seal every secret of the store anew with another key.

    Stop the worker first, and set 'store.key' to the new file afterwards. May be cut short and run again.
    """
    from ecs_sync.store import Cipher, Store
    from ecs_sync.store.keys import decode_key
    from ecs_sync.workbench import fingerprint_key_of

    config = call.config()
    if config.store.key is None:
        raise ConfigError(f"{config.path}: store.key is not set: there is no key to change")
    old = decode_key(config.store.key.read().encode(), "store.key")
    new = decode_key(to.read_bytes(), str(to))
    with Store.open(
        config.store.address(),
        cipher=Cipher(old, [new]),
        fingerprint_key=fingerprint_key_of(config).load(),
        anchor=config.store.anchor,
    ) as opened:
        count = opened.rotate(Cipher(new, [old]))
        with opened.transaction() as transaction:
            transaction.audit(call.who, "key rotated", {"sealed_anew": count})
            transaction.checkpoint()
    secrets = "1 secret is" if count == 1 else f"{count} secrets are"
    say(f"{secrets} sealed with {to}: now set 'store: {{key: file:{to}}}'\n")
    return Exit.DONE


@store.command("archive", epilog="Example: ecs-sync store archive payments db/url")
@click.argument("job")
@click.argument("key", required=False)
@click.option("--limit", default=50, show_default=True, metavar="N", help="At most so many, the newest.")
@verb
def archive(call: Call, job: str, key: str | None, limit: int) -> int:
    """List the values that were overwritten, deleted, or lost a conflict, newest first."""
    from ecs_sync.render.listings import Archive
    from ecs_sync.render.recorded import archive_page, archived_shown

    with call.workbench() as bench:
        scope = chosen_job(bench.config, job).scope
        found = bench.store.archive(scope, key_of(key) if key is not None else None, limit)
        showing = call.showing(bench).hiding(archived.entry for archived in found)
        document = Archive("archive", job, [archived_shown(archived, showing) for archived in found])
        call.answer(document, archive_page(document))
        return Exit.DONE
