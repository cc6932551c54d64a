"""``get``, ``set``, ``unset``, ``history``: the store by hand."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ecs_sync.cli.amended import answered
from ecs_sync.cli.calling import Call, chosen_job, hand, say_value, verb, version_of
from ecs_sync.errors import EcsSyncError
from ecs_sync.exits import Exit

if TYPE_CHECKING:
    from ecs_sync.model import Entry, Key
    from ecs_sync.workbench import Workbench

TYPES = ("string", "integer", "float", "boolean", "null", "json", "bytes", "reference", "flag")
_MOST_BYTES = 16 * 2**20


def key_of(text: str) -> Key:
    """The key of an argument. Raises UsageError, saying what is wrong."""
    from ecs_sync.model import Key

    try:
        return Key.parse(text)
    except ValueError as error:
        raise click.UsageError(str(error)) from None


@click.command(epilog="Example: ecs-sync get payments retry/maxAttempts")
@click.argument("job")
@click.argument("key", required=False)
@click.option("--all", "every", is_flag=True, help="All keys of the job.")
@click.option("--at", type=int, metavar="VERSION", help="As of this version of the store.")
@verb
def get(call: Call, job: str, key: str | None, every: bool, at: int | None) -> int:
    """Show a value in the store, or all.

    One plain value is printed as it is, for scripts; a secret never is. Exits with 1 where KEY is not set.
    """
    from ecs_sync.render.listed import entries_page, entries_shown
    from ecs_sync.render.listings import Entries

    if every == (key is not None):
        raise click.UsageError("name a KEY, or say --all")
    with call.workbench() as bench:
        scope = chosen_job(bench.config, job).scope
        version = version_of(bench, at)
        if key is None:
            stored = {k: s for k, s in bench.store.at(scope, version).items() if s.present}
        else:
            stored = bench.store.stored(scope, [key_of(key).text], version)
            if not any(each.present for each in stored.values()):
                raise EcsSyncError(f"{key} is not set in {job}: 'ecs-sync get {job} --all' lists its keys")
        one = next(iter(stored.values()), None)
        if key is not None and call.format == "text" and one and one.entry and not one.entry.holds_plaintext:
            say_value(one.entry.value.text)
            return Exit.DONE
        shown = entries_shown(stored.values(), call.showing(bench))
        document = Entries("entries", job, scope.text, version, shown)
        call.answer(document, entries_page(document))
        return Exit.DONE


@click.command("set", epilog="Example: ecs-sync set payments retry/maxAttempts 5 --type integer")
@click.argument("job")
@click.argument("key")
@click.argument("value", required=False)
@click.option("--type", "type_", type=click.Choice(TYPES), help="By default as before, or a string.")
@click.option(
    "--secret", is_flag=True, help="The value is a secret, and comes from --from or standard input."
)
@click.option(
    "--from",
    "source",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Read the value from this file, without its last line end.",
)
@click.option("--reason", default="", metavar="TEXT", help="Why, for the record.")
@verb
def set_(
    call: Call,
    job: str,
    key: str,
    value: str | None,
    type_: str | None,
    secret: bool,
    source: Path | None,
    reason: str,
) -> int:
    """Set a key in the store; the next run carries it to the places.

    A VALUE such as @secret:vault/db#password is a reference to a secret that is kept elsewhere.

    It has the rank of a hand, by default the highest. Without VALUE and --from, the value is read from
    standard input. A secret never comes as VALUE: the command line is seen by every process and kept by
    shells.
    """
    if value is not None and (secret or source is not None):
        raise click.UsageError(
            "a secret is read from --from FILE or from standard input, never from the command line"
            if secret
            else "give VALUE or --from, not both"
        )
    typed = value is not None
    with call.workbench() as bench:
        chosen_job(bench.config, job)
        text = value if value is not None else _read(source)
        name = key_of(key)
        before = bench.store.stored(bench.config.jobs[job].scope, [name.text]).get(name.text)
        entry = _entry(bench, job, name, text, type_, secret, before.entry if before else None)
        if entry.holds_plaintext and typed:
            raise click.UsageError(
                f"{key} is a secret: give its value with --from FILE or on standard input, "
                "never on the command line"
            )
        if before is not None and before.entry == entry:
            return _amended(call, job, "set", bench, {}, reason)
        return _amended(call, job, "set", bench, {name: entry}, reason)


def _read(source: Path | None) -> str:
    """A value from a file or standard input, without its last line end."""
    stream = sys.stdin.buffer if source is None else source.open("rb")
    with stream:
        raw = stream.read(_MOST_BYTES + 1)
    if len(raw) > _MOST_BYTES:
        raise EcsSyncError("the value is larger than 16 MiB")
    try:
        return raw.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise EcsSyncError("the value is not UTF-8 text: encode it in base64, and say --type bytes") from None


def _entry(
    bench: Workbench, job: str, key: Key, text: str, type_: str | None, secret: bool, before: Entry | None
) -> Entry:
    """The entry to set: what it was before lends its type, its metadata, and that it is a secret."""
    from ecs_sync.model import Entry, Type, Value
    from ecs_sync.reference import Reference, reads_as_reference
    from ecs_sync.sensitivity import Sensitivity

    reference = reads_as_reference(text) if type_ in (None, Type.REFERENCE) else None
    if reference is None and type_ is None and text.startswith("@secret:"):
        raise click.UsageError(
            f"{key}: write @secret:CONNECTION/NAME, or say --type string to keep it as a text"
        )
    if reference is not None and (type_ or text.startswith("@")):
        _must_be_there(bench, reference.connection)
        return Entry(key, reference.value, secret=True, metadata=before.metadata if before else ())
    was = before.value.type if before and before.value.type is not Type.REFERENCE else Type.STRING
    chosen = Type(type_) if type_ else was
    try:
        value = Reference.parse(text).value if chosen is Type.REFERENCE else Value.parse(chosen, text)
    except ValueError as error:
        hint = "" if type_ else " (as before; --type says otherwise)"
        raise click.UsageError(f"{key} is of type {chosen}{hint}, and the value cannot be: {error}") from None
    entry = dataclasses.replace(before, value=value) if before else Entry(key, value)
    if secret:
        entry = dataclasses.replace(entry, secret=True)
    return Sensitivity(bench.config.jobs[job].secret).mark(entry)


def _must_be_there(bench: Workbench, name: str) -> None:
    """Raises UsageError for a connection that the configuration does not have."""
    from ecs_sync.nearest import nearest

    known = bench.config.connections
    if name not in known:
        raise click.UsageError(
            f"the reference is to the connection {name!r}, and there is none{nearest(name, known)}"
        )


@click.command(epilog="Example: ecs-sync unset payments old/key --reason 'nobody reads it'")
@click.argument("job")
@click.argument("key")
@click.option("--reason", default="", metavar="TEXT", help="Why, for the record.")
@verb
def unset(call: Call, job: str, key: str, reason: str) -> int:
    """Unset a key in the store.

    The next run deletes it at the places whose links' modes say so.
    """
    with call.workbench() as bench:
        scope = chosen_job(bench.config, job).scope
        name = key_of(key)
        before = bench.store.stored(scope, [name.text]).get(name.text)
        if before is None or not before.present:
            raise EcsSyncError(f"{key} is not set in {job}: 'ecs-sync get {job} --all' lists its keys")
        return _amended(call, job, "unset", bench, {name: None}, reason)


def _amended(
    call: Call, job: str, verb: str, bench: Workbench, entries: Mapping[Key, Entry | None], reason: str
) -> int:
    from ecs_sync.amend import Amended, change

    amended = Amended("")
    if entries:
        order = call.order(verb, reason=reason)
        amended = change(bench.job(job), bench.store, order, hand(bench), entries)
    return answered(call, bench, amended, job, verb)


@click.command(epilog="Example: ecs-sync history payments retry/maxAttempts")
@click.argument("job")
@click.argument("key")
@click.option("--limit", default=50, show_default=True, metavar="N", help="At most so many versions.")
@verb
def history(call: Call, job: str, key: str, limit: int) -> int:
    """Show the versions of a key, newest first.

    When, who, from where, why, and the value.
    """
    from ecs_sync.render.listed import history_page, version_shown
    from ecs_sync.render.listings import History

    with call.workbench() as bench:
        scope = chosen_job(bench.config, job).scope
        name = key_of(key)
        found = bench.store.history(scope, name, limit)
        if not found:
            raise EcsSyncError(f"{key} never was in {job}: 'ecs-sync get {job} --all' lists its keys")
        showing = call.showing(bench).hiding(stored.entry for _, stored in found)
        versions = [version_shown(version, stored, showing) for version, stored in found]
        document = History("history", job, name.text, versions)
        call.answer(document, history_page(document))
        return Exit.DONE
