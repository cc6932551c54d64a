"""How secrets are listed, read and looked up among their versions. Every function here only reads.

A list of secrets tells no version, so a revision is made of what it does tell: change time, creation time
and a digest of the attributes. Times are whole seconds, and two writes of one second could look the same:
as long as that second is not surely over by the vault's own clock, the version's id is part of the revision
too, and a listing asks for it. Seen later, the same version has the shorter revision and is read once more.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from ecs_sync.adapter import Attributes, Item, ItemId, Page, Proof, Revision, attributes, counted
from ecs_sync_adapters.azure_errors import Failure
from ecs_sync_adapters.azure_keyvault_http import Answer, Wire, sent
from ecs_sync_adapters.failure_kind import Kind, reading_error

NAME = "[0-9A-Za-z-]{1,127}"
_VERSION = "[0-9A-Fa-f]{32}"
_REVISION = re.compile(rf"(\d+)\.(\d+)\.[0-9a-f]{{8}}(?:~({_VERSION}))?")
_SURELY_OVER = 5.0
"""Seconds after which the vault gives no change time of that second any more, its clocks apart included."""

MANAGED = "it belongs to a certificate or a storage account, and Key Vault manages it: change it there"
NOT_A_VAULT = "the answer is not one of a vault: check the address and proxies"
DISABLED = "it is disabled: enable its newest version, or set a new one"


@dataclass(frozen=True, slots=True)
class Entry:
    """A version of a secret, or in a list of secrets its newest one, whose id is then empty."""

    name: str
    version: str
    updated: int
    created: int
    changed: datetime
    """``updated``, as a time."""
    enabled: bool
    managed: bool
    attributes: Attributes
    mark: str
    """What changes with the attributes, in eight characters."""


def entry_of(said: Mapping[str, Any]) -> Entry:
    """Of one entry of a list, or one secret. Raises where it is not one: `entry_in` does so in words."""
    _, name, *version = str(said["id"]).split("://", 1)[1].split("/")[1:]
    at: Mapping[str, Any] = said["attributes"]
    enabled = bool(at.get("enabled", True))
    shown = {"enabled": "true" if enabled else "false"}
    shown |= {f"tag:{tag}": str(text) for tag, text in (said.get("tags") or {}).items()}
    if said.get("contentType"):
        shown["content-type"] = str(said["contentType"])
    shown |= {word: _iso(int(at[field])) for word, field in TIMES.items() if at.get(field) is not None}
    known = attributes(shown)
    mark = hashlib.blake2b(json.dumps(known).encode(), digest_size=4).hexdigest()
    return Entry(
        name,
        "".join(version),
        int(at["updated"]),
        int(at["created"]),
        datetime.fromtimestamp(int(at["updated"]), UTC),
        enabled,
        bool(said.get("managed") or said.get("kid")),
        known,
        mark,
    )


TIMES: Mapping[str, str] = {"not-before": "nbf", "expires": "exp"}
"""Attributes that are times, and the vault's words for them."""


def is_fresh(entry: Entry, date: float | None) -> bool:
    """May another version still get the same times?"""
    return date is None or date - entry.updated < _SURELY_OVER


def revision_of(entry: Entry, date: float | None) -> Revision:
    """The revision of a version, as seen at ``date`` of the vault's clock."""
    text = f"{entry.updated}.{entry.created}.{entry.mark}"
    return f"{text}~{entry.version}" if is_fresh(entry, date) else text


@dataclass(frozen=True, slots=True)
class Point:
    """What a revision says: when its version was made and, where it was seen fresh, the version's id."""

    created: int
    version: str | None

    def __contains__(self, entry: Entry) -> bool:
        """Is this the version, or one that it came after?"""
        if self.version is None:
            return entry.created <= self.created
        return entry.version == self.version or entry.created < self.created


def point_of(revision: Revision) -> Point | None:
    """The point of a revision that was ours; None of any other text."""
    match = _REVISION.fullmatch(revision)
    return None if match is None else Point(int(match[2]), match[3])


def is_absent(failure: Failure) -> bool:
    """Does the vault itself say so? A 404 of whoever stands before it says nothing of a secret."""
    return failure.kind is Kind.MISSING and failure.code == "SecretNotFound"


def told(failure: Failure) -> str:
    """The sentence for a secret that cannot be read by itself; empty where the fault is not its own."""
    if failure.code == "SecretDisabled":
        return DISABLED
    return failure.reason if failure.status == 403 else ""


def fetch(wire: Wire, id: ItemId, version: str = "") -> tuple[Item, Entry | None] | None:
    """A secret or one version of it, with its value; None where it is not there.

    Where it cannot be read by itself the item says why. Raises `AdapterError` for all else.
    """
    answer = wire.ask("GET", f"/secrets/{id}/{version}")
    if isinstance(answer, Failure):
        if is_absent(answer):
            return None
        if reason := told(answer):
            return Item(id, None, secret=True, unreadable=reason), None
        raise reading_error(answer, f"reading {id}")
    entry = entry_in(answer.said, f"reading {id}")
    value = answer.said.get("value")
    if entry.managed or not isinstance(value, str):
        reason = MANAGED if entry.managed else "its value is no text"
        return item_of(id, entry, answer.date, reason), entry
    return item_of(id, entry, answer.date, "", value.encode()), entry


def item_of(
    id: ItemId, entry: Entry, date: float | None, unreadable: str, value: bytes | None = None
) -> Item:
    """The item of an entry: without a value where it is of a list, and unreadable where a reason is given."""
    reason = unreadable or ("" if entry.enabled else DISABLED)
    return Item(
        id,
        None if reason else value,
        secret=True,
        attributes=entry.attributes,
        revision=revision_of(entry, date),
        changed=entry.changed,
        unreadable=reason or None,
    )


def listed(wire: Wire, root: str) -> Iterator[Page]:
    """All secrets whose names begin with ``root``, in any case, and are not managed; without values.

    The vault has no filter: this reads the list of all secrets, 25 a call, and a call more for each that
    changed just now.
    """
    pages, doing, last = wire.pages("/secrets"), "listing the vault", False
    while not last:
        answer, calls = yield from counted(partial(_next, pages, doing), sent)
        entries = entries_in(answer, doing)
        # The same name to the vault, and one that begins as the place says.
        mine = {
            root + entry.name[len(root) :]: entry
            for entry in entries
            if not entry.managed and entry.name.lower().startswith(root.lower())
        }
        items = [item_of(id, entry, answer.date, "") for id, entry in mine.items() if _is_told(entry, answer)]
        for id in [id for id, entry in mine.items() if not _is_told(entry, answer)]:
            yield Page(tuple(items), calls=calls)
            item, calls = yield from counted(partial(_shown, wire, id, answer.date), sent)
            items = [] if item is None else [item]
        last = not answer.said.get("nextLink")
        yield Page(tuple(items), proof=Proof() if last else None, calls=calls)


def _next(pages: Iterator[Answer | Failure], doing: str) -> Answer:
    answer = next(pages)
    if isinstance(answer, Failure):
        raise reading_error(answer, doing)
    return answer


def _is_told(entry: Entry, answer: Answer) -> bool:
    """Is the revision clear from the list alone?"""
    return not entry.enabled or not is_fresh(entry, answer.date)


def _shown(wire: Wire, id: ItemId, date: float | None) -> Item | None:
    found = fetch(wire, id)
    if found is None:
        return None
    item, newest = found
    return item if newest is None else item_of(id, newest, date, item.unreadable or "")


def found(wire: Wire, ids: Sequence[ItemId]) -> Iterator[Page]:
    """Point reads with values, a call for each. What is no name of a secret is absent without a call."""

    def read(id: ItemId) -> Item | None:
        there = fetch(wire, id)
        return None if there is None else there[0]

    yield from _each(ids, read)


def peeked(wire: Wire, ids: Sequence[ItemId]) -> Iterator[Page]:
    """As `found`, without values: from the list of versions, 25 a call."""

    def peek(id: ItemId) -> Item | None:
        entries, date = versions(wire, id)
        if not entries:
            return None
        newest = [entry for entry in entries if entry.created == entries[-1].created]
        if len(newest) == 1:
            return item_of(id, newest[0], date, MANAGED if newest[0].managed else "")
        # Versions of one second: only a read tells which of them is the newest.
        there = fetch(wire, id)
        if there is None or there[1] is None:
            return None if there is None else there[0]
        return item_of(id, there[1], date, there[0].unreadable or "")

    yield from _each(ids, peek)


def _each(ids: Sequence[ItemId], look: Callable[[ItemId], Item | None]) -> Iterator[Page]:
    names = [id for id in ids if re.fullmatch(NAME, id)]
    for id in names:
        before = sent()
        item = look(id)
        there = () if item is None else (item,)
        yield Page(there, absent=() if there else (id,), calls=sent() - before)
    yield Page(absent=tuple(id for id in ids if id not in names), proof=Proof(), calls=0)


def versions(wire: Wire, id: ItemId) -> tuple[list[Entry], float | None]:
    """All versions of a secret, oldest first, and the vault's time; versions of one second in any order.

    Empty where the secret is not there. Raises `AdapterError`.
    """
    doing = f"listing the versions of {id}"
    entries: list[Entry] = []
    date: float | None = None
    for answer in wire.pages(f"/secrets/{id}/versions"):
        if isinstance(answer, Failure):
            if is_absent(answer):
                return [], None
            raise reading_error(answer, doing)
        entries += entries_in(answer, doing)
        date = answer.date
    entries.sort(key=lambda entry: entry.created)
    return entries, date


def history(wire: Wire, id: ItemId, after: Revision | None) -> Iterator[Page]:
    """The versions after a revision, oldest first, with values; without proof where that revision is gone.

    Of a deleted secret it can be proved that nothing came after, and nothing more.

    Of the second in which a version was made that was seen fresh, all others count as later: none that may
    be is left out.
    """
    if not re.fullmatch(NAME, id):
        yield Page(absent=(id,), proof=Proof(), calls=0)
        return
    before = sent()
    entries, _ = versions(wire, id)
    point = None if after is None else point_of(after)
    known = after is None or (point is not None and (_holds(entries, point) or _was_last(wire, id, point)))
    newer = [entry for entry in entries if point is None or entry not in point]
    items = []
    for entry in newer if known else ():
        there = fetch(wire, id, entry.version)
        if there is None:
            known = False
            continue
        items.append(there[0])
    absent = () if entries else (id,)
    yield Page(tuple(items), absent=absent, proof=Proof() if known else None, calls=sent() - before)


def _was_last(wire: Wire, id: ItemId, point: Point) -> bool:
    """Is it deleted, and this version was its newest?"""
    answer = wire.ask("GET", f"/deletedsecrets/{id}")
    return not isinstance(answer, Failure) and entry_in(answer.said, f"reading the deleted {id}") in point


def _holds(entries: Sequence[Entry], point: Point) -> bool:
    return any(entry.created == point.created and point.version in (None, entry.version) for entry in entries)


def pinned(wire: Wire, id: ItemId, version: str) -> Item | None:
    """One version, by its id or by a revision that it was seen with; None where there is none."""
    if not re.fullmatch(NAME, id):
        return None
    if re.fullmatch(_VERSION, version):
        there = fetch(wire, id, version.lower())
        return None if there is None else there[0]
    point = point_of(version)
    if point is None:
        return None
    if point.version is not None:
        return pinned(wire, id, point.version)
    of_then = [entry for entry in versions(wire, id)[0] if entry.created == point.created]
    # Of several of one second nobody can say which one it was.
    return pinned(wire, id, of_then[0].version) if len(of_then) == 1 else None


def entry_in(said: Any, doing: str) -> Entry:
    """The version that a part of an answer is about. Raises `Unavailable` where it is not one of a vault."""
    try:
        return entry_of(said)
    except _GARBLED:
        said = None  # it may hold a value, and an error carries what its frames hold
    raise reading_error(Failure(Kind.UNANSWERED, NOT_A_VAULT), doing)


def entries_in(answer: Answer, doing: str) -> list[Entry]:
    """The versions or secrets of a page of a list. Raises as `entry_in`."""
    with suppress(*_GARBLED):
        return [entry_of(said) for said in answer.said["value"]]
    raise reading_error(Failure(Kind.UNANSWERED, NOT_A_VAULT), doing)


_GARBLED = (AttributeError, IndexError, KeyError, OSError, OverflowError, TypeError, ValueError)
"""What an answer of another shape than a vault's raises, times that no calendar has among it."""


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
