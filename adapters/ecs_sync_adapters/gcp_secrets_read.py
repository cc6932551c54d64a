"""How secrets are listed, read and looked up in their history. Every function here only reads.

What Secret Manager calls a secret is a name with labels; values are its versions, numbered from 1 in the
order they were added. An item is a secret with its latest version. Adding one moves nothing of the secret
itself, its etag included, so that a listing asks once for each secret what its latest version is.

Names in answers hold the project's number, whatever the question said: only their end is looked at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

import google_crc32c

from ecs_sync.adapter import Attributes, Item, ItemId, Page, Proof, Revision, attributes, patiently
from ecs_sync.errors import Unavailable
from ecs_sync_adapters.failure_kind import Kind, reading_error
from ecs_sync_adapters.gcp_secrets_errors import Failure
from ecs_sync_adapters.gcp_secrets_session import Wire
from ecs_sync_adapters.gcp_secrets_types import types
from ecs_sync_adapters.numbered import Numbered

NAME = "[A-Za-z0-9_-]{1,255}"
MOST_A_PAGE = 25_000

_VERSION = re.compile(r"[1-9][0-9]{0,8}|[A-Za-z][A-Za-z0-9_-]{0,62}")
_STATE = types.SecretVersion.State


@dataclass(frozen=True, slots=True)
class Parent:
    """The project whose secrets are meant, or its location where they are regional."""

    path: str
    page_size: int = MOST_A_PAGE
    labels: bool = False
    """Point reads bring labels and annotations as well, which costs a call a secret."""

    def secret(self, id: ItemId) -> str:
        return f"{self.path}/secrets/{id}"

    def version(self, id: ItemId, version: int | str) -> str:
        return f"{self.path}/secrets/{id}/versions/{version}"


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a secret: its number, and when it was made, in microseconds since 1970."""

    number: int
    micros: int
    unusable: str = ""

    @property
    def revision(self) -> Revision:
        return Numbered(self.number, self.micros).revision

    @property
    def changed(self) -> datetime:
        return Numbered(self.number, self.micros).changed

    @classmethod
    def answered(cls, version: Any) -> Version | Failure:
        told = types.SecretVersion.pb(version)
        number = told.name.rpartition("/")[2]
        if not re.fullmatch("[1-9][0-9]{0,8}", number):
            return Failure(Kind.UNANSWERED, "the answer names no version: check the endpoint")
        micros = told.create_time.seconds * 1_000_000 + told.create_time.nanos // 1000
        return cls(int(number), micros, _unusable(told))


def listed(wire: Wire, parent: Parent, root: str) -> Iterator[Page]:
    """All secrets under ``root``, without values. Each page is one call, so that each is paced.

    The whole project is listed, and what is not ours left out here: what Google's ``name:`` filter matches
    is not said to the letter, and a secret that it kept from us would look like one that was deleted.
    """
    token, given = "", set[str]()
    doing = f"listing {parent.path}"
    while True:
        request = types.ListSecretsRequest(parent=parent.path, page_size=parent.page_size, page_token=token)
        answer = yield from patiently(partial(_secrets, wire, request, doing))
        yield Page()
        for secret in answer.secrets:
            if (id := secret.name.rpartition("/")[2]).startswith(root):
                told = _told(secret) if parent.labels else ()
                yield (yield from patiently(partial(_listed, wire, parent, id, told)))
        token = answer.next_page_token
        if not token:
            yield Page(proof=Proof(), calls=0)
            return
        if token in given:
            raise Unavailable(f"{doing}: Secret Manager gave a page token twice, so its pages have no end")
        given.add(token)


def _secrets(wire: Wire, request: Any, doing: str) -> Any:
    answer = wire.ask("ListSecrets", request)
    if isinstance(answer, Failure):
        raise reading_error(answer, doing)
    return answer


def _listed(wire: Wire, parent: Parent, id: ItemId, told: Attributes) -> Page:
    """A secret without its value, by one call; nothing where it has no version yet."""
    version = asked(wire, parent, id, "latest")
    if isinstance(version, Version):
        return Page((_item(id, version, told),))
    if version.kind is Kind.MISSING:
        return Page()
    return _page_of(version, id, 1)


def asked(wire: Wire, parent: Parent, id: ItemId, version: int | str) -> Version | Failure:
    """What is known of one version but its value, by one call."""
    request = types.GetSecretVersionRequest(name=parent.version(id, version))
    answer = wire.ask("GetSecretVersion", request)
    return answer if isinstance(answer, Failure) else Version.answered(answer)


def exists(wire: Wire, parent: Parent, id: ItemId, number: int) -> bool | Failure:
    """Whether a secret has a version of this number, by one call, and the only one that never lags behind.

    Google promises it of reading a value by its number, and of nothing else.
    """
    request = types.AccessSecretVersionRequest(name=parent.version(id, number))
    answer = wire.ask("AccessSecretVersion", request)
    if isinstance(answer, Failure) and answer.kind not in (Kind.MISSING, Kind.STATE):
        return answer
    return not isinstance(answer, Failure) or answer.kind is Kind.STATE


def found(wire: Wire, parent: Parent, ids: Sequence[ItemId]) -> Iterator[Page]:
    """Point reads, a page for each id. What is no name of a secret is absent without a question."""
    return _each(ids, partial(_found, wire, parent))


def peeked(wire: Wire, parent: Parent, ids: Sequence[ItemId]) -> Iterator[Page]:
    """As `found`, without values, labels and annotations: one call for each that is there."""
    return _each(ids, partial(_peeked, wire, parent))


def versions(wire: Wire, parent: Parent, id: ItemId, after: Revision | None) -> Iterator[Page]:
    """The versions after ``after``, oldest first; without proof where that one was of another secret.

    They are asked for one by one, by number, until there is none: a list of versions may lag behind.
    Numbers have no gaps; of a version that is disabled or destroyed at least its place in the row is left.
    """
    number = 0
    if after is not None:
        known = Numbered.of(after)
        there = None if known is None else _must(asked(wire, parent, id, known.number), id)
        yield Page(calls=0 if known is None else 1)
        if known is None or there is None or there.micros != known.micros:
            return
        number = known.number
    while (item := _numbered(wire, parent, id, number + 1)) is not None:
        yield Page((item,), calls=2)
        number += 1
    yield Page(absent=() if number else (id,), proof=Proof())


def pinned(wire: Wire, parent: Parent, id: ItemId, word: str) -> Item | None:
    """One version: by its number, an alias, or a revision of ours, which is of one secret only."""
    known = Numbered.of(word)
    if not re.fullmatch(NAME, id) or (known is None and not _VERSION.fullmatch(word)):
        return None
    version = _must(asked(wire, parent, id, word if known is None else known.number), id)
    if version is None or (known is not None and known.micros != version.micros):
        return None
    return _opened(wire, parent, id, version)


def _must(version: Version | Failure, id: ItemId) -> Version | None:
    if isinstance(version, Version):
        return version
    if version.kind is Kind.MISSING:
        return None
    raise reading_error(version, f"reading {id}")


def _each(ids: Sequence[ItemId], ask: Callable[[ItemId], Page]) -> Iterator[Page]:
    for id in ids:
        yield ask(id) if re.fullmatch(NAME, id) else Page(absent=(id,), calls=0)
    yield Page(proof=Proof(), calls=0)


def _peeked(wire: Wire, parent: Parent, id: ItemId) -> Page:
    seen = _latest(wire, parent, id)
    if isinstance(seen, Version):
        return Page((_item(id, seen, ()),))
    return seen


def _found(wire: Wire, parent: Parent, id: ItemId) -> Page:
    version = _latest(wire, parent, id)
    if not isinstance(version, Version):
        return version
    told: Attributes = ()
    calls = 1
    if parent.labels:
        secret = wire.ask("GetSecret", types.GetSecretRequest(name=parent.secret(id)))
        calls += 1
        if isinstance(secret, Failure):
            return _page_of(secret, id, calls)
        told = _told(secret)
    item = _opened(wire, parent, id, version, told)
    calls += not version.unusable
    return Page(absent=(id,), calls=calls) if item is None else Page((item,), calls=calls)


def _latest(wire: Wire, parent: Parent, id: ItemId) -> Version | Page:
    """The latest version, by one call; or the page that says why there is none to be had.

    What ``latest`` means may lag behind, also behind the first version there is; a number does not.
    """
    version = asked(wire, parent, id, "latest")
    if isinstance(version, Version):
        return version
    if version.kind is not Kind.MISSING:
        return _page_of(version, id, 1)
    there = exists(wire, parent, id, 1)
    if isinstance(there, Failure):
        return _page_of(there, id, 2)
    if not there:
        return Page(absent=(id,), calls=2)
    lags = "it has a version, which Secret Manager does not show as its latest yet"
    return Page((Item(id, None, secret=True, unreadable=lags),), calls=2)


def _page_of(failure: Failure, id: ItemId, calls: int) -> Page:
    """A secret that is gone, or one that is denied by itself. Raises for all else."""
    if failure.kind is Kind.MISSING:
        return Page(absent=(id,), calls=calls)
    if failure.kind is Kind.DENIED:
        return Page((Item(id, None, secret=True, unreadable=failure.reason),), calls=calls)
    raise reading_error(failure, f"reading {id}")


def _numbered(wire: Wire, parent: Parent, id: ItemId, number: int) -> Item | None:
    """A version with its value, by two calls, or by one where there is none of that number."""
    value = _value(wire, parent, id, number)
    if isinstance(value, Failure) and value.kind is Kind.MISSING:
        return None
    version = asked(wire, parent, id, number)
    if isinstance(version, Failure):
        raise reading_error(replace(version, kind=Kind.UNANSWERED), f"reading version {number} of {id}")
    return _with_value(id, version, (), value)


def _opened(wire: Wire, parent: Parent, id: ItemId, version: Version, told: Attributes = ()) -> Item | None:
    """A version with its value, by one call; None where it went in between.

    It is read by its number, so that the value is that of the revision. What cannot be read costs no call.
    """
    if version.unusable:
        return _item(id, version, told)
    value = _value(wire, parent, id, version.number)
    if isinstance(value, Failure) and value.kind is Kind.MISSING:
        return None
    return _with_value(id, version, told, value)


def _value(wire: Wire, parent: Parent, id: ItemId, number: int) -> bytes | Failure:
    """The value of a version, whose checksum is verified: what was damaged on the way is never handed on."""
    request = types.AccessSecretVersionRequest(name=parent.version(id, number))
    answer = wire.ask("AccessSecretVersion", request)
    if isinstance(answer, Failure):
        return answer
    payload = types.SecretPayload.pb(answer.payload)
    if payload.HasField("data_crc32c") and payload.data_crc32c != google_crc32c.value(payload.data):
        return Failure(Kind.STATE, "its value does not match its CRC32C checksum")
    return bytes(payload.data)


def _with_value(id: ItemId, version: Version, told: Attributes, value: bytes | Failure) -> Item:
    if not isinstance(value, Failure):
        return _item(id, version, told, value)
    if value.kind in (Kind.DENIED, Kind.STATE):
        return _item(id, version, told, unreadable=version.unusable or value.reason)
    raise reading_error(value, f"reading {id}")


def _item(
    id: ItemId, version: Version, told: Attributes, value: bytes | None = None, unreadable: str = ""
) -> Item:
    return Item(
        id=id,
        value=value,
        secret=True,
        attributes=told,
        revision=version.revision,
        changed=version.changed,
        unreadable=unreadable or version.unusable or None,
    )


def _unusable(told: Any) -> str:
    number = told.name.rpartition("/")[2]
    match _STATE(told.state):
        case _STATE.ENABLED:
            return ""
        case _STATE.DISABLED if told.HasField("scheduled_destroy_time"):
            return f"version {number} is disabled and will be destroyed: enable it, or add another"
        case _STATE.DISABLED:
            return f"version {number} is disabled: enable it, or add another"
        case _STATE.DESTROYED:
            return f"version {number} is destroyed: add another"
    return f"version {number} is in a state that this version of the adapter does not know"


def _told(secret: Any) -> Attributes:
    """Labels and annotations as attributes ``label:NAME`` and ``annotation:NAME``; ``expires`` where Google
    will delete the secret by itself.
    """
    told = {
        **{f"label:{name}": text for name, text in secret.labels.items()},
        **{f"annotation:{name}": text for name, text in secret.annotations.items()},
    }
    plain = types.Secret.pb(secret)
    if plain.HasField("expire_time"):
        told["expires"] = plain.expire_time.ToJsonString()
    return attributes(told)
