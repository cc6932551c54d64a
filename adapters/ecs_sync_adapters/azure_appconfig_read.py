"""How settings are read: page by page, a few by name, or back through their revisions.

A listing that is given the token of an earlier one asks for each page with that page's etag. Where all are
unchanged, that is all it costs. Where one is not, the pages before it are read again, because 304 has no
content; the changed page itself is not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from ecs_sync.adapter import (
    Attributes,
    Item,
    ItemId,
    Listing,
    Page,
    Proof,
    Revision,
    Token,
    attributes,
    patiently,
)
from ecs_sync.errors import Unavailable
from ecs_sync_adapters.azure_appconfig_http import Answer, Wire, exactly, filtered, of_label, target
from ecs_sync_adapters.azure_appconfig_options import LONGEST, READS, AppConfigPlace, id_of, named
from ecs_sync_adapters.azure_errors import Failure
from ecs_sync_adapters.failure_kind import Kind, reading_error

CONTENT_TYPE = "content-type"
LOCKED = "locked"
"""Always among the attributes of an item that was read, so that a write can tell those from none."""
DESCRIPTION = "description"
TAG = "tag:"
NULL_TAG = "null-tag:"
ETAG = re.compile(r"[!#-)+-~]+")
"""What can be sent as one, in quotes: no quote in it, and never '*', which is any."""

_FILTERS_LENGTH = 4000
"""Characters of a listing's path: longer ones are refused on their way."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What a listing's token holds: the etag of each page, and the Sync-Token of the last."""

    etags: tuple[str, ...]
    sync: str

    def token(self) -> Token | None:
        """None where the store gave a page no etag: there is no "unchanged since" then."""
        return json.dumps([1, self.sync, *self.etags]) if all(self.etags) else None

    @classmethod
    def parse(cls, token: Token) -> Mark | None:
        """None of what is no such token, as of another version."""
        try:
            version, sync, *etags = json.loads(token)
        except (ValueError, TypeError):
            return None
        texts = all(isinstance(text, str) and ETAG.fullmatch(text) for text in etags)
        return cls(tuple(etags), str(sync)) if version == 1 and etags and texts else None


@dataclass(frozen=True, slots=True)
class _Kept:
    """A page that was found changed, under the path that it was asked by."""

    path: str
    answer: Answer


def listed(wire: Wire, place: AppConfigPlace, since: Token | None, sentinel: str | None) -> Listing:
    """The settings of a place, in pages; or unchanged, by conditional reads of its pages only."""
    first = filtered("kv", f"{exactly(place.prefix)}*" if place.prefix else "", of_label(place.label))
    doing = f"listing {str(place)!r} of {wire.endpoint}"
    mark = None if since is None else Mark.parse(since)
    if mark is None:
        return Listing(_pages(wire, place, first, doing, None, sentinel))
    wire.sync(mark.sync)
    path, asked = first, 0
    for number, etag in enumerate(mark.etags, 1):
        answer = _asked(wire, path, doing, etag)
        asked += 1
        following = _following(wire, answer, doing)
        if answer.status == 200:
            kept = _Kept(path, answer)
            return Listing(_pages(wire, place, first, doing, kept, sentinel), calls=asked)
        if following is None or number == len(mark.etags):
            # As many pages as there were, all unchanged; any other number is a place that moved.
            if following is None and number == len(mark.etags):
                return Listing(unchanged=True, calls=asked)
            break
        path = following
    return Listing(_pages(wire, place, first, doing, None, sentinel), calls=asked)


def _pages(
    wire: Wire, place: AppConfigPlace, first: str, doing: str, kept: _Kept | None, sentinel: str | None
) -> Iterator[Page]:
    path: str | None = first
    etags, given = list[str](), set[str]()
    while path is not None:
        _once(path, given, doing)
        if kept and kept.path == path:
            answer, calls = kept.answer, 0
        else:
            answer, calls = (yield from patiently(partial(_asked, wire, path, doing))), 1
        path = _following(wire, answer, doing)
        etags.append(answer.etag)
        items = tuple(item for item in _items(answer, doing) if item.id != sentinel)
        if not all(item.id.startswith(place.root) for item in items):
            raise Unavailable(
                f"{doing}: a page has settings of another label or prefix; nothing is taken of it"
            )
        mark = Mark(tuple(etags), answer.headers.get("sync-token", ""))
        yield Page(items, proof=None if path else Proof(mark.token()), calls=calls)


def found(wire: Wire, ids: Sequence[ItemId]) -> Iterator[Page]:
    """Point reads, five a call.

    A name that a filter must escape is asked for by itself before it is absent: how a server reads its
    escapes is no ground for a delete.
    """
    known = [id for id in ids if _may_be(id)]
    chunk: list[ItemId] = []
    for id in known:
        if chunk and (len(chunk) == READS or len(_naming([*chunk, id])) > _FILTERS_LENGTH):
            yield _read(wire, chunk)
            chunk = []
        chunk.append(id)
    if chunk:
        yield _read(wire, chunk)
    yield Page(absent=tuple(id for id in ids if not _may_be(id)), proof=Proof(), calls=0)


def one(wire: Wire, id: ItemId) -> Item | Failure | None:
    """One setting by its name; None where it is not there."""
    place = named(id)
    if place is None:
        return None
    answer = wire.ask("GET", target("kv", *place))
    if isinstance(answer, Failure):
        return None if answer.kind is Kind.MISSING else answer
    try:
        return _item(answer.body)
    except _GARBLED:
        return _NOT_A_SETTING


def versions(wire: Wire, id: ItemId, after: Revision | None) -> Iterator[Page]:
    """The revisions after ``after``, oldest first; without proof where ``after`` is no longer among them.

    The store keeps them for 7 days (Free) or 30 (Standard), and shows the youngest first.
    """
    place = named(id) if _may_be(id) else None
    if place is None:
        yield Page(absent=(id,), proof=Proof(), calls=0)
        return
    key, label = place
    doing = f"reading the revisions of {id}"
    path: str | None = filtered("revisions", exactly(key), of_label(label))
    newer, given, reached = list[Item](), set[str](), after is None
    while path is not None:
        _once(path, given, doing)
        answer = _asked(wire, path, doing)
        path = _following(wire, answer, doing)
        for item in _items(answer, doing):
            if item.revision == after:
                reached, path = True, None
                break
            newer.append(item)
    yield Page(tuple(reversed(newer)), proof=Proof() if reached else None, calls=len(given))


def _read(wire: Wire, ids: Sequence[ItemId]) -> Page:
    doing = f"reading {ids[0]}" + (f" and {len(ids) - 1} more" if ids[1:] else "")
    shown: dict[ItemId, Item] = {}
    path: str | None = _naming(ids)
    given = set[str]()
    while path is not None:
        _once(path, given, doing)
        answer = _asked(wire, path, doing)
        path = _following(wire, answer, doing)
        shown |= {item.id: item for item in _items(answer, doing)}
    calls = len(given)
    for id in ids:
        if id not in shown and re.search(r"[*,\\]", id):
            again = one(wire, id)
            calls += 1
            if isinstance(again, Failure):
                raise reading_error(again, f"reading {id}")
            shown |= {} if again is None else {id: again}
    there = tuple(shown[id] for id in ids if id in shown)
    return Page(there, tuple(id for id in ids if id not in shown), calls=calls)


def _naming(ids: Sequence[ItemId]) -> str:
    """The listing of these keys at these labels: a cross product, where labels differ."""
    places = [place for id in ids if (place := named(id)) is not None]
    keys = ",".join(dict.fromkeys(exactly(key) for key, _ in places))
    return filtered("kv", keys, ",".join(dict.fromkeys(of_label(label) for _, label in places)))


def _may_be(id: ItemId) -> bool:
    """Could there be such a setting? Of what is no name of one, nothing is asked."""
    place = named(id)
    odd = re.search("[\ud800-\udfff]", id)
    return place is not None and len(place[0]) <= LONGEST and place[0] not in (".", "..") and not odd


def _once(path: str, given: set[str], doing: str) -> None:
    """Notes the path of a page. Raises `Unavailable` where it was there before."""
    if path in given:
        raise Unavailable(f"{doing}: a page has a next one that was there before, so they have no end")
    given.add(path)


def _asked(wire: Wire, path: str, doing: str, etag: str | None = None) -> Answer:
    answer = wire.ask("GET", path, headers={} if etag is None else {"If-None-Match": f'"{etag}"'})
    if isinstance(answer, Failure):
        raise reading_error(answer, doing)
    if answer.status == 200 or (answer.status == 304 and etag is not None):
        return answer
    raise Unavailable(f"{doing}: status {answer.status} is no answer to it")


def _following(wire: Wire, answer: Answer, doing: str) -> str | None:
    following = wire.following(answer)
    if isinstance(following, Failure):
        raise reading_error(following, doing)
    return following


def _items(answer: Answer, doing: str) -> list[Item]:
    """Those of a page, which must be one: a proxy's answer would read as an empty and complete listing."""
    try:
        return [_item(setting) for setting in answer.body["items"]]
    except _GARBLED:
        # Not raised here: it would carry this error, whose frames hold a setting.
        reason = "the answer is no page of settings; check endpoint and proxies"
    raise Unavailable(f"{doing}: {reason}")


def _item(setting: Any) -> Item:
    """Raises one of `_GARBLED` for what is no setting."""
    key, label, etag, text = setting["key"], setting.get("label"), setting["etag"], setting["value"]
    if not (isinstance(key, str) and isinstance(etag, str) and etag):
        raise TypeError("a setting has a key and an etag")
    if not (isinstance(label, str | None) and isinstance(text, str | None)):
        raise TypeError("label and value are text or null")
    f"{key}{label}".encode()  # a lone surrogate is no text
    value, unreadable = _value(text)
    changed = setting.get("last_modified")
    return Item(
        id_of(key, label),
        value,
        attributes=_attributes(setting),
        revision=etag,
        changed=None if changed is None else datetime.fromisoformat(changed).astimezone(UTC),
        unreadable=unreadable,
    )


def _value(value: str | None) -> tuple[bytes | None, str | None]:
    """The bytes of a value, or why there are none. A null is another thing than an empty text."""
    if value is None:
        return None, "its value is null, which is no text; give it one, be it empty, or delete it"
    try:
        return value.encode("utf-8"), None
    except UnicodeEncodeError:
        return None, "its value holds a lone surrogate, which is not text"


def _attributes(setting: Any) -> Attributes:
    pairs = {LOCKED: "true" if setting.get("locked") else "false"}
    for name, field in ((CONTENT_TYPE, "content_type"), (DESCRIPTION, "description")):
        if setting.get(field) is not None:
            pairs[name] = str(setting[field])
    for name, text in (setting.get("tags") or {}).items():
        pairs |= {NULL_TAG + name: ""} if text is None else {TAG + name: str(text)}
    return attributes(pairs)


_GARBLED: tuple[type[Exception], ...] = (KeyError, TypeError, ValueError, AttributeError, OverflowError)
"""What an answer of another shape than the store's raises."""
_NOT_A_SETTING = Failure(Kind.UNANSWERED, "the answer is no setting; check endpoint and proxies")
