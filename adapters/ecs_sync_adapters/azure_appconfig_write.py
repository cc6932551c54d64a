"""How a put and a delete reach the store: one conditional request each.

PUT replaces the whole setting, so an update says again what it found: tags, description, and the content
type, which is the one attribute that a write may change. Where a write came without what was found, it is
read first, at the expected revision.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ecs_sync.adapter import Attributes, Delete, Item, ItemId, Outcome, Put, Verdict, Write
from ecs_sync.errors import Rejected, Unacknowledged
from ecs_sync_adapters.azure_appconfig_http import Wire, target
from ecs_sync_adapters.azure_appconfig_options import ITEM_LIMIT, VALUE_LIMIT, named
from ecs_sync_adapters.azure_appconfig_read import CONTENT_TYPE, DESCRIPTION, ETAG, LOCKED, NULL_TAG, TAG, one
from ecs_sync_adapters.azure_appconfig_refer import address_of, is_reference
from ecs_sync_adapters.azure_errors import Failure
from ecs_sync_adapters.failure_kind import Kind, reading_error, writing_error

_STALE = "the setting is not at the expected etag"
_EXISTS = "it exists already"
_LOCKED = (
    "it is locked (read-only): unlock it with 'az appconfig kv unlock', or leave it out of the link; "
    "a lock is never lifted from here"
)


def carried_out(wire: Wire, write: Write) -> Outcome:
    """What became of one write. Raises where the failure is not of this write alone, or nothing is known."""
    place = named(write.id)
    if place is None:
        return Outcome(write.id, Verdict.REFUSED, reason="it is no id of a setting: LABEL|KEY")
    if write.expected is not None and not ETAG.fullmatch(write.expected):
        # Sent as a condition, an empty one or '*' would overwrite whatever is there; others break the header.
        return Outcome(write.id, Verdict.RACED, reason="the expected revision is none that the store gives")
    match write:
        case Put():
            return _put(wire, write, *place)
        case Delete():
            return _delete(wire, write, *place)


def _put(wire: Wire, put: Put, key: str, label: str | None) -> Outcome:
    if put.expected is not None and LOCKED not in dict(put.attributes):
        read = one(wire, put.id)
        if isinstance(read, Failure):
            raise reading_error(read, f"reading {put.id} to update it")
        if read is None or read.revision != put.expected:
            return Outcome(put.id, Verdict.RACED, reason=_STALE)
        put = replace(put, attributes=_found(put, read))
    body = _body(put)
    if isinstance(body, str):
        return Outcome(put.id, Verdict.REFUSED, reason=body)
    if reason := _too_large(key, label, body):
        return Outcome(put.id, Verdict.REFUSED, reason=reason)
    condition = {"If-None-Match": "*"} if put.expected is None else {"If-Match": f'"{put.expected}"'}
    answer = wire.ask("PUT", target("kv", key, label), headers=condition, body=body)
    if isinstance(answer, Failure):
        return _failed(put, answer)
    etag = answer.body.get("etag") if isinstance(answer.body, dict) else None
    if not isinstance(etag, str) or not etag:
        raise Unacknowledged(f"writing {put.id}: the answer is no setting; was it applied?")
    return Outcome(put.id, Verdict.APPLIED, revision=etag, replaced=put.expected)


def _delete(wire: Wire, delete: Delete, key: str, label: str | None) -> Outcome:
    condition = {"If-Match": f'"{delete.expected}"'}
    answer = wire.ask("DELETE", target("kv", key, label), headers=condition)
    if isinstance(answer, Failure):
        return _failed(delete, answer)
    if answer.status == 204:
        return Outcome(delete.id, Verdict.RACED, reason="it is gone already")
    if not isinstance(answer.body, dict) or "etag" not in answer.body:
        raise Unacknowledged(f"deleting {delete.id}: the answer is no setting; was it applied?")
    return Outcome(delete.id, Verdict.APPLIED, replaced=delete.expected)


def _failed(write: Write, failure: Failure) -> Outcome:
    match failure.kind:
        case Kind.MOVED:
            return Outcome(write.id, Verdict.RACED, reason=_EXISTS if write.expected is None else _STALE)
        case Kind.STATE:
            return Outcome(write.id, Verdict.REFUSED, reason=_LOCKED)
        case Kind.REFUSED if failure.status == 413:
            return Outcome(write.id, Verdict.REFUSED, reason=_size())
        case Kind.REFUSED | Kind.EXISTS:
            return Outcome(write.id, Verdict.REFUSED, reason=failure.reason)
        case Kind.MISSING | Kind.DENIED | Kind.IDENTITY | Kind.THROTTLED | Kind.UNSENT | Kind.UNANSWERED:
            raise writing_error(failure, f"writing {write.id}")


def _found(put: Put, read: Item) -> Attributes:
    """What survives the write, and the content type that it says, or says not."""
    kept = [(name, text) for name, text in read.attributes if name != CONTENT_TYPE]
    return tuple(sorted([*kept, *((n, t) for n, t in put.attributes if n == CONTENT_TYPE)]))


def _body(put: Put) -> dict[str, Any] | str:
    """What is sent; or why it cannot be."""
    if len(put.value) > VALUE_LIMIT:
        return f"the value has {len(put.value)} bytes, over {VALUE_LIMIT}"
    try:
        value = put.value.decode("utf-8")
    except UnicodeDecodeError:
        return "App Configuration holds text, and this value is not UTF-8"
    told = dict(put.attributes)
    if is_reference(told.get(CONTENT_TYPE)) and address_of(put.value) is None:
        return (
            "its content type says that it is a Key Vault reference, and the new value is none: its clients "
            "would fail. Delete the setting first, or write a reference"
        )
    tags: dict[str, str | None] = {
        name.removeprefix(TAG): text for name, text in told.items() if name.startswith(TAG)
    }
    tags |= {name.removeprefix(NULL_TAG): None for name in told if name.startswith(NULL_TAG)}
    body: dict[str, Any] = {"value": value, "tags": tags}
    for name, field in ((CONTENT_TYPE, "content_type"), (DESCRIPTION, "description")):
        if name in told:
            body[field] = told[name]
    return body


def _too_large(key: str, label: str | None, body: Mapping[str, Any]) -> str:
    """Why the store would not take so much; the empty text where it would."""
    texts = [key, label or "", *(text for text in body.values() if isinstance(text, str))]
    texts += [text for tag in body["tags"].items() for text in tag if text is not None]
    size = sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
    return _size() if size > ITEM_LIMIT else ""


def _size() -> str:
    return f"a setting has at most {ITEM_LIMIT} bytes: key, label, value, content type, tags and description"


def sentinel_written(wire: Wire, id: ItemId, value: str) -> None:
    """Moves the sentinel, keeping its tags, content type and description. Raises where it did not move.

    Whoever moves it between the two requests does so after all that was written here, which is as good.
    """
    read = one(wire, id)
    if isinstance(read, Failure):
        raise reading_error(read, f"reading the sentinel {id}")
    expected, kept = (None, ()) if read is None else (read.revision, read.attributes)
    outcome = carried_out(wire, Put(id, value.encode(), expected, attributes=kept))
    if outcome.verdict not in (Verdict.APPLIED, Verdict.RACED):
        raise Rejected(f"the sentinel {id} was not written: {outcome.reason}")
