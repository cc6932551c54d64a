"""``diff``: two sides, two versions, or two scopes, side by side."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

from ecs_sync.cli.calling import Call, chosen_job, verb, version_of
from ecs_sync.exits import Exit, first

if TYPE_CHECKING:
    from ecs_sync.adapter import Item
    from ecs_sync.model import Entry, Fingerprinter
    from ecs_sync.remote import Remote
    from ecs_sync.render.documents import NotSeen
    from ecs_sync.workbench import Workbench


@dataclass
class Compared:
    """One side of a comparison: its entries by key text, and the link they were seen at, if any."""

    name: str
    entries: dict[str, Entry] = field(default_factory=dict)
    remote: Remote | None = None
    unseen: list[NotSeen] = field(default_factory=list)
    hidden: set[str] = field(default_factory=set)
    """Keys that could not be read, or whose value is sealed: nothing is said of them."""

    def covers(self, key: str) -> bool:
        return key not in self.hidden and (self.remote is None or self.remote.selection.covers(key))


@click.command(epilog="Example: ecs-sync diff payments@41 payments:consul")
@click.argument("left", metavar="A")
@click.argument("right", metavar="B")
@verb
def diff(call: Call, left: str, right: str) -> int:
    """Compare two versions, places or scopes.

    A and B are each JOB, JOB@VERSION or JOB:LINK.

    JOB is the store as it is, JOB@VERSION as it was, JOB:LINK what the place of a link holds now. Values
    are compared as the places can show them. Exits with 2 where they differ, 1 where not all was seen.
    """
    from ecs_sync.render.listings import Difference, Differences
    from ecs_sync.render.recorded import differences_page

    with call.workbench() as bench:
        with call.progress("looking at both sides"):
            one, other = _side(bench, left), _side(bench, right)
        showing = call.showing(bench).hiding([*one.entries.values(), *other.entries.values()])
        differing = []
        for key in sorted(one.entries.keys() | other.entries.keys()):
            before, after = one.entries.get(key), other.entries.get(key)
            seen = one.covers(key) and other.covers(key)
            if seen and not _same(one, before, other, after, bench.store.fingerprinter):
                kind = "create" if before is None else "delete" if after is None else "update"
                differing.append(Difference(key, kind, showing.value(before), showing.value(after)))
        unseen = [*one.unseen, *other.unseen]
        code = first([Exit.ERROR if unseen else Exit.DONE, Exit.DIFFERENCES if differing else Exit.DONE])
        document = Differences("diff", code, one.name, other.name, differing, unseen)
        call.answer(document, differences_page(document))
        return code


def _side(bench: Workbench, text: str) -> Compared:
    if ":" in text:
        job, _, link = text.partition(":")
        return _place(bench, text, job, link)
    job, at, version = text.partition("@")
    scope = chosen_job(bench.config, job).scope
    if at and not version.isdigit():
        raise click.UsageError(f"{text!r}: a version is a number, as 'ecs-sync history' shows it")
    compared = Compared(text)
    for key, stored in bench.store.at(scope, version_of(bench, int(version) if at else None)).items():
        if stored.entry is not None:
            compared.entries[key] = stored.entry
        elif stored.sealed:
            compared.hidden.add(key)
            compared.unseen.append(_not_seen("store", None, key, "its value is sealed: store.key is needed"))
    return compared


def _place(bench: Workbench, text: str, job: str, link: str) -> Compared:
    """What the place of a link holds now. What cannot be read is unseen, and compared with nothing."""
    from ecs_sync.errors import AdapterError

    chosen_job(bench.config, job)
    remotes = {remote.link: remote for remote in bench.job(job).remotes}
    if link not in remotes:
        raise click.UsageError(f"{job} has no link {link!r} (there are: {', '.join(sorted(remotes))})")
    remote = remotes[link]
    compared = Compared(text, remote=remote)
    complete = False
    try:
        for page in remote.adapter.list(remote.place, None).pages:
            complete = page.proof is not None
            bare = [item.id for item in page.items if item.value is None and item.unreadable is None]
            read = remote.look(bare)
            for item in page.items:
                full = read.get(item.id) if item.id in bare else item
                if full is not None:
                    _take(compared, remote, full)
    except AdapterError as error:
        compared.unseen.append(_not_seen(link, None, None, str(error)))
        return compared
    if not complete:
        compared.unseen.append(_not_seen(link, None, None, "the listing ended before its end"))
    return compared


def _take(compared: Compared, remote: Remote, item: Item) -> None:
    reading = remote.read(item)
    compared.entries.update(reading.entries)
    for refusal in reading.refusals:
        key = refusal.key.text if refusal.key else None
        compared.unseen.append(_not_seen(remote.link, item.id, key, refusal.reason))
        if key is not None:
            compared.hidden.add(key)


def _not_seen(link: str, item: str | None, key: str | None, reason: str) -> NotSeen:
    from ecs_sync.render.documents import NotSeen

    return NotSeen(link, item, key, reason)


def _same(
    one: Compared, left: Entry | None, other: Compared, right: Entry | None, fingerprints: Fingerprinter
) -> bool:
    """Are both the same, as far as the places that show them can tell?"""
    if left is None or right is None:
        return left is right
    return _shows(one, left, right, fingerprints) or _shows(other, right, left, fingerprints)


def _shows(side: Compared, seen: Entry, wanted: Entry, fingerprints: Fingerprinter) -> bool:
    """Is what ``side`` shows what it would show of ``wanted``, or just the same?"""
    from ecs_sync.model import Entry

    if fingerprints.of(seen) == fingerprints.of(wanted):
        return True
    if side.remote is None:
        return False
    image = side.remote.image(wanted)
    lifted = side.remote.lift(seen, [wanted])
    shown = isinstance(image, Entry) and fingerprints.of(image) == fingerprints.of(seen)
    return shown or fingerprints.of(lifted) == fingerprints.of(wanted)
