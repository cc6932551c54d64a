"""``store``: the store itself, its keys and its archive."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ecs_sync.cli.calling import Call, chosen_job, say, verb
from ecs_sync.cli.editing import key_of
from ecs_sync.errors import ConfigError
from ecs_sync.exits import Exit

if TYPE_CHECKING:
    from ecs_sync.config import Config
    from ecs_sync.config.wrapped import WrappedSource
    from ecs_sync.connections import Connections
    from ecs_sync.store import Cipher, Store


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


_BY = click.option(
    "--by",
    metavar="CONNECTION",
    help="The connection whose provider wraps the key.",
)
_WITH = click.option("--with", "key", metavar="KEYNAME", help="The provider's name of the key it wraps with.")


@store.command("new-key", epilog="Example: ecs-sync store new-key secrets.key --by vault --with ecs-sync")
@click.argument("path", type=click.Path(path_type=Path))
@_BY
@_WITH
@verb
def new_key(call: Call, path: Path, by: str | None, key: str | None) -> int:
    """Make a new random key in a new file that only its owner can read.

    With --by and --with the file holds the key in its wrapped form only, which is of no use without that
    connection; the wrapping key must exist already.
    """
    target = _wrapped(path, by, key)
    if target is None:
        from ecs_sync.store import FileKeys

        FileKeys(path).create()
    else:
        from ecs_sync.connections import Connections
        from ecs_sync.sealing import wrap_new

        with Connections(call.config(), call.registry()) as connections:
            wrap_new(target, connections)
    say(f"made {path}: set '{_setting(path, target)}', and keep a copy in a safe place\n")
    return Exit.DONE


@store.command("rotate-key", epilog="Example: ecs-sync store rotate-key --to new-secrets.key")
@click.option(
    "--to",
    "to",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The file of the new key; 'ecs-sync store new-key' makes one.",
)
@_BY
@_WITH
@click.option(
    "--same-key",
    is_flag=True,
    help="Keep the key and make FILE, its form wrapped anew; no secret is sealed again.",
)
@verb
def rotate_key(call: Call, to: Path, by: str | None, key: str | None, same_key: bool) -> int:
    """Seal every secret of the store anew with another key, from and to any kind of key.

    With --by and --with the file of the new key is a wrapped one. With --same-key besides, only the wrapping
    changes: FILE is made. Stop the worker first, and set 'store.key' to the new file afterwards. May be cut
    short and run again.
    """
    from ecs_sync.connections import Connections
    from ecs_sync.remember import tell_reads
    from ecs_sync.sealing import sealing_key
    from ecs_sync.store import Cipher

    target = _wrapped(to, by, key)
    if same_key and target is None:
        raise click.UsageError("--same-key wraps the key anew: say by what, with --by and --with")
    if not same_key and not to.is_file():
        raise click.UsageError(f"--to: {to} is not there; 'ecs-sync store new-key' makes one")
    config = call.config()
    if config.store.key is None:
        raise ConfigError(f"{config.path}: store.key is not set: there is no key to change")
    with Connections(config, call.registry()) as connections:
        old = sealing_key(config.store.key, connections)
        new = old if same_key else _key_in(to, target, connections)
        with _opened(config, Cipher(old, [new])) as opened:
            tell_reads(opened, call.who, connections.reads)
            if target is not None and same_key:
                done = _wrapped_anew(call, opened, old, target, connections)
            else:
                done = _sealed_anew(call, opened, old, new)
    say(f"{done} with {to}: now set '{_setting(to, target)}'\n")
    return Exit.DONE


def _wrapped(path: Path, by: str | None, key: str | None) -> WrappedSource | None:
    """The wrapped key that the options mean; None where they mean one in the clear. Raises UsageError."""
    if (by is None) != (key is None):
        raise click.UsageError("--by CONNECTION and --with KEYNAME go together")
    if by is None or key is None:
        return None
    from ecs_sync.config.wrapped import WrappedSource

    return WrappedSource(path.absolute(), by, key)


def _setting(path: Path, target: WrappedSource | None) -> str:
    """The line of the configuration that names a key."""
    if target is None:
        return f"store: {{key: file:{path}}}"
    return f"store: {{key: {{wrapped: {path}, by: {target.connection}, with: {target.key}}}}}"


def _key_in(path: Path, target: WrappedSource | None, connections: Connections) -> bytes:
    from ecs_sync.sealing import sealing_key
    from ecs_sync.store.keys import decode_key

    return decode_key(path.read_bytes(), str(path)) if target is None else sealing_key(target, connections)


def _opened(config: Config, cipher: Cipher) -> Store:
    """The store; refuses a cipher that has not its key."""
    from ecs_sync.workbench import fingerprint_key_of, opened_with

    return opened_with(config, fingerprint_key_of(config).load(), cipher)


def _sealed_anew(call: Call, opened: Store, old: bytes, new: bytes) -> str:
    from ecs_sync.store import Cipher

    count = opened.rotate(Cipher(new, [old]))
    with opened.transaction() as transaction:
        transaction.audit(call.who, "key rotated", {"sealed_anew": count})
        transaction.checkpoint()
    return "1 secret is sealed" if count == 1 else f"{count} secrets are sealed"


def _wrapped_anew(
    call: Call, opened: Store, key: bytes, target: WrappedSource, connections: Connections
) -> str:
    from ecs_sync.sealing import wrap

    wrap(key, target, connections)
    with opened.transaction() as transaction:
        transaction.audit(call.who, "key wrapped", {"by": target.connection, "with": target.key})
        transaction.checkpoint()
    return "the key is wrapped"


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
