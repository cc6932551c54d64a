"""How secrets of KV 2 are looked at, read and followed through their versions. All of it only reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from hvac.api.secrets_engines import KvV2

from ecs_sync.adapter import Attributes, Item, ItemId, Page, Proof, Revision, attributes
from ecs_sync_adapters.failure_kind import Kind, reading_error
from ecs_sync_adapters.numbered import Numbered
from ecs_sync_adapters.vault_json import canonical
from ecs_sync_adapters.vault_options import id_fault
from ecs_sync_adapters.vault_session import Session
from ecs_sync_adapters.vault_wire import Answer, Failure


class Standing(StrEnum):
    """How a secret stands, by its current version."""

    LIVE = "live"
    DELETED = "deleted"
    """Deleted, destroyed, or its time is over; its version number goes on."""
    ABSENT = "absent"
    """It has no version: there is nothing, or metadata only."""


_NONE = Numbered(0, 0)
"""No version."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the metadata of a secret tells. ``kept`` are all versions, in the order they were made."""

    standing: Standing
    current: Numbered = _NONE
    attributes: Attributes = ()
    kept: tuple[Numbered, ...] = ()


_STRANGE = Failure(Kind.UNANSWERED, "the answer is not one of KV 2: check mount, url and proxies")


class Kv2Reader:
    """Reads at one mount."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def names(self, folder: str) -> Answer | Failure:
        """The names in one folder: one call."""
        mount = self._session.mount
        return self._session.ask(lambda wire: KvV2(adapter=wire).list_secrets(folder, mount))

    def known(self, id: ItemId) -> Known | Failure:
        """What the metadata tells: one call."""
        mount = self._session.mount
        answer = self._session.ask(lambda wire: KvV2(adapter=wire).read_secret_metadata(id, mount))
        if isinstance(answer, Failure):
            return answer
        if answer.status == 404:
            return Known(Standing.ABSENT)
        try:
            return _known(answer)
        except (KeyError, ValueError, TypeError, AttributeError):
            return _STRANGE

    def described(self, id: ItemId) -> Item | None:
        """A secret without its value, in one call; None where it is deleted. Raises what a failure means."""
        if problem := id_fault(id):
            return _unreadable(id, f"its path cannot be used: {problem}")
        known = self.known(id)
        if isinstance(known, Failure):
            return self._denied(id, known)
        if known.standing is not Standing.LIVE:
            return None
        return Item(id, None, True, known.attributes, known.current.revision, known.current.changed)

    def read(self, id: ItemId, version: int | None) -> Item | None:
        """A secret with its value, in one call: as it is, or as a version was. None where that is deleted."""
        if problem := id_fault(id):
            return _unreadable(id, f"its path cannot be used: {problem}")
        mount = self._session.mount
        answer = self._session.ask(
            lambda wire: KvV2(adapter=wire).read_secret_version(
                id, version, mount, raise_on_deleted_version=False
            )
        )
        if isinstance(answer, Failure):
            return self._denied(id, answer)
        if answer.status == 404:
            return None
        found = _item(id, answer)
        if isinstance(found, Failure):
            raise reading_error(found, f"{self._session.where}: reading {id}")
        return found

    def versions(self, id: ItemId, after: Revision | None) -> Iterator[Page]:
        """The versions after one, oldest first; without proof where not all of them are there any more."""
        before = self._session.made
        known = self.known(id)
        if isinstance(known, Failure):
            raise reading_error(known, f"{self._session.where}: reading the versions of {id}")
        last = _NONE if after is None else Numbered.of(after)
        items = []
        for each in known.kept:
            if last is not None and each.number > last.number:
                item = self.read(id, each.number)
                reason = f"version {each.number} is deleted"
                items.append(item or _unreadable(id, reason, each.revision))
        absent = () if known.kept else (id,)
        proof = Proof() if _is_whole(known.kept, last) else None
        yield Page(tuple(items), absent, proof, self._session.made - before)

    def _denied(self, id: ItemId, failure: Failure) -> Item:
        """What is denied by itself is unreadable by itself. Raises what any other failure means."""
        if failure.kind is Kind.DENIED:
            return _unreadable(id, failure.reason)
        raise reading_error(failure, f"{self._session.where}: reading {id}")


def _is_whole(kept: Sequence[Numbered], last: Numbered | None) -> bool:
    """Are these all versions after ``last``, and is it one of the same secret, as far as it is still kept?"""
    if last is None or not kept:
        return last == _NONE
    known = next((each for each in kept if each.number == last.number), last)
    return kept[0].number <= last.number + 1 and kept[-1].number >= last.number and known == last


def _unreadable(id: ItemId, reason: str, revision: Revision | None = None) -> Item:
    return Item(id, None, secret=True, revision=revision, unreadable=reason)


def _known(answer: Answer) -> Known:
    """Raises KeyError, ValueError, TypeError or AttributeError for what is no metadata."""
    told = answer.data
    number = int(told["current_version"])
    versions: Mapping[str, Any] = told["versions"]
    kept = tuple(_made(int(name), versions[name]) for name in sorted(versions, key=int))
    if number == 0:
        return Known(Standing.ABSENT, kept=kept)
    current = versions[str(number)]
    gone = current["destroyed"] or _is_over(current["deletion_time"], answer.now)
    standing = Standing.DELETED if gone else Standing.LIVE
    return Known(standing, _made(number, current), _attributes(told), kept)


def made(answer: Answer) -> Numbered | None:
    """The version that a write made; None where the answer names none."""
    try:
        return _made(int(answer.data["version"]), answer.data)
    except (KeyError, ValueError, TypeError):
        return None


def _made(number: int, told: Mapping[str, Any]) -> Numbered:
    return Numbered.made(number, _time(told["created_time"]))


def _item(id: ItemId, answer: Answer) -> Item | Failure | None:
    """The secret that an answer shows; None of a version whose data is gone."""
    try:
        told, tree = answer.data["metadata"], answer.data["data"]
        version, shown = _made(int(told["version"]), told), _attributes(told)
    except (KeyError, ValueError, TypeError, AttributeError):
        return _STRANGE
    if tree is None:
        return None
    try:
        value = canonical(tree)
    except ValueError:
        return _unreadable(id, "its JSON is nested too deep, or holds what is no text", version.revision)
    return Item(id, value, True, shown, version.revision, version.changed)


def _is_over(deletion_time: str, now: datetime) -> bool:
    """A time to come says that the version will be deleted (``delete_version_after``), not that it is."""
    return deletion_time != "" and _time(deletion_time) <= now


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _attributes(told: Mapping[str, Any]) -> Attributes:
    custom = told.get("custom_metadata") or {}
    return attributes({f"metadata:{name}": str(text) for name, text in custom.items()})
