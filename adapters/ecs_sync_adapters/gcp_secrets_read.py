"""How secrets are listed, read and looked up in their history. Every function here only reads.

What Secret Manager calls a secret is a name with labels; values are its versions, numbered from 1 in the
order they were added. An item is a secret with its latest version. Adding one moves nothing of the secret
itself, its etag included, so that a listing asks once for each secret what its latest version is.

Names in answers hold the project's number, whatever the question said: only their end is looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import google_crc32c

from ecs_sync.adapter import Attributes, Item, ItemId, Page, Proof, Revision, attributes
from ecs_sync.errors import Unavailable
from ecs_sync_adapters.gcp_secrets_errors import Failure, Kind, reading_error
from ecs_sync_adapters.gcp_secrets_session import Wire
from ecs_sync_adapters.gcp_secrets_types import types

NAME = "[A-Za-z0-9_-]{1,255}"
MOST_A_PAGE = 25_000

_REVISION = re.compile(r"([1-9][0-9]{0,8})([0-9]{16})")
_VERSION = re.compile(r"[1-9][0-9]{0,8}|[A-Za-z][A-Za-z0-9_-]{0,62}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
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
        """The number, and 16 digits of the time: rises with each version, and does not come again where a
        secret is deleted and made anew, whose versions begin at 1 again.
        """
        return f"{self.number}{self.micros:016d}"

    @property
    def changed(self) -> datetime:
        return _EPOCH + timedelta(microseconds=self.micros)

    @classmethod
    def of(cls, revision: Revision) -> Version | None:
        """The version that a revision of ours means; None for any other text."""
        match = _REVISION.fullmatch(revision)
        return cls(int(match[1]), int(match[2])) if match else None

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
        answer = wire.ask("ListSecrets", request)
        if isinstance(answer, Failure):
            raise reading_error(answer, doing)
        yield Page()
        for secret in answer.secrets:
            if (id := secret.name.rpartition("/")[2]).startswith(root):
                item = latest(wire, parent, id, _told(secret) if parent.labels else ())
                yield Page(() if item is None else (item,))
        token = answer.next_page_token
        if not token:
            yield Page(proof=Proof(), calls=0)
            return
        if token in given:
            raise Unavailable(f"{doing}: Secret Manager gave a page token twice, so its pages have no end")
        given.add(token)


def latest(wire: Wire, parent: Parent, id: ItemId, told: Attributes) -> Item | None:
    """The item of a secret, without its value, by one call; None where it has no version yet."""
    version = asked(wire, parent, id, "latest")
    if isinstance(version, Version):
        return _item(id, version, told)
    if version.kind is Kind.MISSING:
        return None
    if version.kind is Kind.DENIED:
        return Item(id, None, secret=True, attributes=told, unreadable=version.reason)
    raise reading_error(version, f"reading {id}")


def asked(wire: Wire, parent: Parent, id: ItemId, version: int | str) -> Version | Failure:
    """What is known of one version but its value, by one call."""
    request = types.GetSecretVersionRequest(name=parent.version(id, version))
    answer = wire.ask("GetSecretVersion", request)
    return answer if isinstance(answer, Failure) else Version.answered(answer)


def found(wire: Wire, parent: Parent, ids: Sequence[ItemId]) -> Iterator[Page]:
    """Point reads, a page for each id. What is no name of a secret is absent without a question."""
    for id in ids:
        if re.fullmatch(NAME, id):
            yield _found(wire, parent, id)
        else:
            yield Page(absent=(id,), calls=0)
    yield Page(proof=Proof(), calls=0)


def peeked(wire: Wire, parent: Parent, ids: Sequence[ItemId]) -> Iterator[Page]:
    """As `found`, without values, labels and annotations: one call for each name."""
    for id in ids:
        if re.fullmatch(NAME, id):
            item = latest(wire, parent, id, ())
            yield Page((item,)) if item is not None else Page(absent=(id,))
        else:
            yield Page(absent=(id,), calls=0)
    yield Page(proof=Proof(), calls=0)


def versions(wire: Wire, parent: Parent, id: ItemId, after: Revision | None) -> Iterator[Page]:
    """The versions after ``after``, oldest first; without proof where that one was of another secret.

    They are asked for one by one, by number, until there is none: a list of versions may lag behind, and
    what was added is read by its number at once. Numbers have no gaps; of a version that is disabled or
    destroyed at least its place in the row is left.
    """
    number = 0
    if after is not None:
        known = Version.of(after)
        there = None if known is None else _must(asked(wire, parent, id, known.number), id)
        yield Page(calls=0 if known is None else 1)
        if known is None or there is None or there.micros != known.micros:
            return
        number = known.number
    while (version := _must(asked(wire, parent, id, number + 1), id)) is not None:
        item, calls = _opened(wire, parent, id, version)
        if item is None:
            raise Unavailable(f"reading {id}: its version {version.number} went while it was read")
        yield Page((item,), calls=1 + calls)
        number += 1
    yield Page(absent=() if number else (id,), proof=Proof())


def pinned(wire: Wire, parent: Parent, id: ItemId, word: str) -> Item | None:
    """One version: by its number, an alias, or a revision of ours, which is of one secret only."""
    known = Version.of(word)
    if not re.fullmatch(NAME, id) or (known is None and not _VERSION.fullmatch(word)):
        return None
    version = _must(asked(wire, parent, id, word if known is None else known.number), id)
    if version is None or (known is not None and known.micros != version.micros):
        return None
    return _opened(wire, parent, id, version)[0]


def _must(version: Version | Failure, id: ItemId) -> Version | None:
    if isinstance(version, Version):
        return version
    if version.kind is Kind.MISSING:
        return None
    raise reading_error(version, f"reading {id}")


def _found(wire: Wire, parent: Parent, id: ItemId) -> Page:
    told: Attributes = ()
    calls = 0
    if parent.labels:
        secret = wire.ask("GetSecret", types.GetSecretRequest(name=parent.secret(id)))
        calls = 1
        if isinstance(secret, Failure):
            if secret.kind is Kind.MISSING:
                return Page(absent=(id,))
            if secret.kind is Kind.DENIED:
                return Page((Item(id, None, secret=True, unreadable=secret.reason),))
            raise reading_error(secret, f"reading {id}")
        told = _told(secret)
    version = asked(wire, parent, id, "latest")
    calls += 1
    if isinstance(version, Failure):
        if version.kind is Kind.MISSING:
            return Page(absent=(id,), calls=calls)
        if version.kind is Kind.DENIED:
            return Page((Item(id, None, secret=True, unreadable=version.reason),), calls=calls)
        raise reading_error(version, f"reading {id}")
    item, more = _opened(wire, parent, id, version, told)
    return Page(() if item is None else (item,), () if item else (id,), calls=calls + more)


def _opened(
    wire: Wire, parent: Parent, id: ItemId, version: Version, told: Attributes = ()
) -> tuple[Item | None, int]:
    """A version with its value, and the calls it took; None where it went in between.

    It is read by its number, so that the value is that of the revision, and its checksum is verified: what
    was damaged on the way is unreadable, and so is never written on to another place.
    """
    if version.unusable:
        return _item(id, version, told), 0
    request = types.AccessSecretVersionRequest(name=parent.version(id, version.number))
    answer = wire.ask("AccessSecretVersion", request)
    if isinstance(answer, Failure):
        if answer.kind is Kind.MISSING:
            return None, 1
        if answer.kind in (Kind.DENIED, Kind.STATE):
            return _item(id, version, told, unreadable=answer.reason), 1
        raise reading_error(answer, f"reading {id}")
    payload = types.SecretPayload.pb(answer.payload)
    if payload.HasField("data_crc32c") and payload.data_crc32c != google_crc32c.value(payload.data):
        return _item(id, version, told, unreadable="its value does not match its CRC32C checksum"), 1
    return _item(id, version, told, payload.data), 1


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
