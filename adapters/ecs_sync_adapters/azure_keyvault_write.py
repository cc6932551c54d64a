"""How a secret gets a new version, and how it is deleted.

Key Vault compares nothing: a write looks first, sets, and then holds the list of versions against what it
had seen, so that a version that came between is told and can be had from the history.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from ecs_sync.adapter import Attributes, Delete, ItemId, Outcome, Put, Verdict, Write
from ecs_sync.errors import AdapterError, Unacknowledged, Unavailable
from ecs_sync_adapters.azure_errors import Failure
from ecs_sync_adapters.azure_keyvault_http import Answer, Wire
from ecs_sync_adapters.azure_keyvault_read import (
    MANAGED,
    NAME,
    TIMES,
    Entry,
    entry_in,
    fetch,
    is_absent,
    is_fresh,
    point_of,
    revision_of,
    versions,
)
from ecs_sync_adapters.failure_kind import Kind, reading_error, writing_error

VALUE_BYTES = 25_600
SoftDeleted = Literal["refuse", "recover"]
_POLL = 0.25


@dataclass(frozen=True, slots=True)
class Creation:
    """What becomes of a name that is deleted and can be recovered; for how many seconds to wait for that."""

    soft_deleted: SoftDeleted
    patience: float


def carry_out(wire: Wire, creation: Creation, write: Write) -> Outcome:
    """One write: three calls for a put, and one more for every further 25 versions; one for a delete.

    Raises `Unacknowledged` where the vault took it and what it replaced could not be told: the history can.
    """
    match write:
        case Delete():
            return _delete(wire, write)
        case Put():
            if reason := _refusal(write):
                return Outcome(write.id, Verdict.REFUSED, reason=reason)
            return _create(wire, creation, write) if write.expected is None else _update(wire, write)


def _refusal(put: Put) -> str:
    if not re.fullmatch(NAME, put.id):
        return "a secret's name is 1 to 127 letters, digits and dashes"
    if len(put.value) > VALUE_BYTES:
        return f"the value has {len(put.value)} bytes, over Key Vault's {VALUE_BYTES}"
    try:
        put.value.decode("utf-8")
    except UnicodeDecodeError:
        return "Key Vault holds text, and this value is not UTF-8"
    wrong = [word for word, text in put.attributes if word in TIMES and _seconds(text) is None]
    return f"{' and '.join(wrong)} is no time such as 2030-01-31T00:00:00Z" if wrong else ""


def _create(wire: Wire, creation: Creation, put: Put) -> Outcome:
    there, _ = versions(wire, put.id)
    if there:
        return _taken(put.id, there[-1])
    attributes = _body_of(put.attributes)
    answer = _set(wire, put, attributes)
    if isinstance(answer, Failure) and answer.code == "ObjectIsDeletedButRecoverable":
        if creation.soft_deleted == "refuse":
            return Outcome(put.id, Verdict.REFUSED, reason=_SOFT_DELETED)
        there = _recovered(wire, put.id, creation.patience)
        answer = _set(wire, put, attributes)
    return _settled(wire, put, answer, {entry.version for entry in there})


def _taken(id: ItemId, entry: Entry) -> Outcome:
    if entry.managed:
        return Outcome(id, Verdict.REFUSED, reason=MANAGED)
    if entry.name != id and entry.name.lower() == id.lower():
        reason = (
            f"the vault has it as {entry.name!r}, and does not tell upper from lower case: rename the key"
        )
        return Outcome(id, Verdict.REFUSED, reason=reason)
    return Outcome(id, Verdict.RACED, reason="it exists already, perhaps in other upper and lower case")


def _recovered(wire: Wire, id: ItemId, patience: float) -> list[Entry]:
    """The versions of a deleted secret, once it is back. Raises `AdapterError` where that did not come.

    The one place where an adapter waits: until then the vault takes no value under this name.
    """
    answer = wire.ask("POST", f"/deletedsecrets/{id}/recover")
    if isinstance(answer, Failure):
        raise reading_error(answer, f"recovering the deleted {id}")
    end = time.monotonic() + patience
    while not (there := versions(wire, id)[0]):
        if time.monotonic() > end:
            raise Unavailable(f"recovering the deleted {id} takes more than {patience:g} s: run again later")
        threading.Event().wait(_POLL)
    return there


def _update(wire: Wire, put: Put) -> Outcome:
    found = fetch(wire, put.id)
    if found is None:
        return Outcome(put.id, Verdict.RACED, reason="it is gone, or deleted and not yet recovered")
    item, entry = found
    if entry is None or item.unreadable is not None:
        return Outcome(put.id, Verdict.REFUSED, reason=item.unreadable or "")
    point = point_of(put.expected or "")
    if point is None or entry not in point:
        return Outcome(put.id, Verdict.RACED, reason="it has a newer version than was expected")
    answer = _set(wire, put, _body_of(entry.attributes))
    return _settled(wire, put, answer, {entry.version}, entry.created)


def _set(wire: Wire, put: Put, attributes: Mapping[str, Any]) -> Answer | Failure:
    return wire.ask("PUT", f"/secrets/{put.id}", body={"value": put.value.decode(), **attributes})


def _body_of(told: Attributes) -> dict[str, Any]:
    """What a new version takes over, for Key Vault gives it nothing by itself. It is always enabled."""
    texts = dict(told)
    tags = {name.removeprefix("tag:"): text for name, text in told if name.startswith("tag:")}
    times = {field: _seconds(texts[word]) for word, field in TIMES.items() if word in texts}
    body: dict[str, Any] = {"attributes": {"enabled": True, **times}}
    if tags:
        body["tags"] = tags
    if "content-type" in texts:
        body["contentType"] = texts["content-type"]
    return body


def _settled(
    wire: Wire, put: Put, answer: Answer | Failure, known: Collection[str], since: int = 0
) -> Outcome:
    """The outcome of a set, after a look at the versions that are neither ours nor ``known``.

    ``since`` is when the newest known one was made, in seconds: what is older was known too.
    """
    doing = f"writing {put.id}"
    if isinstance(answer, Failure):
        return _unset(put, answer, doing)
    try:
        ours = entry_in(answer.said, doing)
        entries, date = versions(wire, put.id)
    except AdapterError as error:
        raise Unacknowledged(f"{error}; it was set, and what it replaced is not known") from None
    between = [
        entry
        for entry in entries
        if entry.version not in known and entry.version != ours.version and entry.created <= ours.created
        if entry.created > since or (entry.created == since and is_fresh(entry, date))
    ]
    replaced = revision_of(between[-1], date) if between else put.expected
    return Outcome(put.id, Verdict.APPLIED, revision=revision_of(ours, answer.date), replaced=replaced)


def _unset(put: Put, failure: Failure, doing: str) -> Outcome:
    match failure.code:
        case "ObjectIsDeletedButRecoverable":
            return Outcome(put.id, Verdict.RACED, reason="it was deleted meanwhile")
        case "ObjectIsBeingDeleted" | "ObjectIsBeingRecovered":
            raise Unavailable(f"{doing}: the vault is still deleting or recovering this name")
    if failure.kind in (Kind.REFUSED, Kind.STATE):
        return Outcome(
            put.id, Verdict.REFUSED, reason=f"{failure.reason}: look at value, tags and content type"
        )
    raise writing_error(failure, doing)


def _delete(wire: Wire, delete: Delete) -> Outcome:
    """Into the deleted state, from which a person can recover it. Nothing here ever purges."""
    doing = f"deleting {delete.id}"
    if not re.fullmatch(NAME, delete.id):
        return Outcome(delete.id, Verdict.RACED, reason="there is no secret of such a name")
    answer = wire.ask("DELETE", f"/secrets/{delete.id}")
    if isinstance(answer, Failure):
        if is_absent(answer) or answer.code == "ObjectIsBeingDeleted":
            return Outcome(delete.id, Verdict.RACED, reason="it is gone already")
        if answer.kind is Kind.STATE:
            return Outcome(delete.id, Verdict.REFUSED, reason=answer.reason)
        raise writing_error(answer, doing)
    try:
        gone = entry_in(answer.said, doing)
    except AdapterError as error:
        raise Unacknowledged(f"{error}; was it applied?") from None
    point = point_of(delete.expected)
    expected = point is not None and gone in point
    replaced = delete.expected if expected else revision_of(gone, answer.date)
    return Outcome(delete.id, Verdict.APPLIED, replaced=replaced)


def _seconds(text: str) -> int | None:
    """Seconds since 1970 of a time as the attributes show it; None where it is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


_SOFT_DELETED = (
    "a secret of this name is deleted and can be recovered, so Key Vault keeps the name: recover or purge "
    "it, or set the connection's soft_deleted to recover, which shows the old value again for a moment"
)
