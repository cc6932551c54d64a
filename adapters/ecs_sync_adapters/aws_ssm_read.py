"""How parameters are listed, read and looked up in their history. Every function here only reads."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC
from functools import partial
from typing import Any

from ecs_sync.adapter import Item, ItemId, Page, Proof, Revision, attributes, patiently
from ecs_sync.errors import Unavailable
from ecs_sync_adapters.aws_errors import Failure
from ecs_sync_adapters.aws_ssm_errors import PARAMETERS, TAGS, ask
from ecs_sync_adapters.aws_tags import shown
from ecs_sync_adapters.failure_kind import Kind, reading_error

NAMES_A_CALL = 10
_DESCRIPTIONS_A_PAGE = 50
_VERSIONS_A_PAGE = 50

_NAME = re.compile(r"(/[A-Za-z0-9_.-]+)+")
_VERSION = re.compile("[1-9][0-9]*")
_NO_SUCH_VERSION = ("ParameterVersionNotFound", "ParameterNotFound")
_ATTRIBUTES = {
    "type": "Type",
    "tier": "Tier",
    "key-id": "KeyId",
    "data-type": "DataType",
    "description": "Description",
    "allowed-pattern": "AllowedPattern",
    "last-modified-user": "LastModifiedUser",
}


@dataclass(frozen=True, slots=True)
class Sight:
    """What a connection sees of a parameter: the version that carries ``label``, else the newest.

    ``tags`` adds a call for each parameter that is seen.
    """

    client: Any
    label: str | None = None
    tags: bool = False

    def tagged(self, item: Item) -> Item | None:
        """The item with its tags as attributes ``tag:NAME``, where they are wanted: a call of its own.

        None where it went meanwhile. Tags survive every write by themselves.
        """
        if not self.tags:
            return item
        answer = ask(self.client.list_tags_for_resource, TAGS, ResourceType="Parameter", ResourceId=item.id)
        if isinstance(answer, Failure):
            if answer.code == "InvalidResourceId":
                return None
            raise reading_error(answer, f"reading the tags of {item.id}")
        return replace(item, attributes=attributes((*item.attributes, *shown(answer["TagList"]).items())))


def listed(sight: Sight, root: str) -> Iterator[Page]:
    """All parameters under ``root``, without values: fifty a call.

    At a label: those of which a version carries it, with values, for a call more for each ten. A
    description tells of the newest version only, and a label moves without a trace in it.
    """
    path = {"Key": "Path", "Option": "Recursive", "Values": [root.rstrip("/") or "/"]}
    pages = _Pages(
        sight.client.describe_parameters,
        f"listing {root}",
        ParameterFilters=[path],
        MaxResults=_DESCRIPTIONS_A_PAGE,
    )
    proof = None
    while proof is None:
        described, proof = yield from patiently(partial(next, pages))
        mine = [item for item in described if item.id.startswith(root)]
        items: list[Item] = []
        calls = 1
        if sight.label is None:
            for each in mine:
                tagged = yield from patiently(partial(sight.tagged, each))
                items += [tagged] if tagged is not None else []
            calls += len(mine) * sight.tags
        else:
            for ask_ten in _reads(sight, [each.id for each in mine]):
                read = yield from patiently(ask_ten)
                items += read.items
                calls += read.calls
        yield Page(tuple(items), proof=proof, calls=calls)


def described(client: Any, ids: Sequence[ItemId], doing: str) -> dict[ItemId, Item]:
    """What is known of these parameters but their values, in one call; a missing one is not in it."""
    if not ids:
        return {}
    names = {"Key": "Name", "Option": "Equals", "Values": list(ids)}
    pages = _Pages(
        client.describe_parameters,
        doing,
        ParameterFilters=[names],
        MaxResults=_DESCRIPTIONS_A_PAGE,
    )
    return {item.id: item for page, _ in pages for item in page}


def peeked(client: Any, ids: Sequence[ItemId]) -> Iterator[Page]:
    """As `found` without values, from descriptions: nothing is decrypted, and no secret is read."""
    names = [id for id in ids if _NAME.fullmatch(id)]
    for start in range(0, len(names), NAMES_A_CALL):
        asked = names[start : start + NAMES_A_CALL]
        there = described(client, asked, "looking at parameters")
        yield Page(tuple(there.values()), tuple(id for id in asked if id not in there))
    yield Page(absent=tuple(id for id in ids if not _NAME.fullmatch(id)), proof=Proof(), calls=0)


def found(sight: Sight, ids: Sequence[ItemId]) -> Iterator[Page]:
    """Point reads with values decrypted, ten a call. What is denied by itself is unreadable by itself.

    What is no name of a parameter is absent without a question: ``name:3`` would ask for a version.
    """
    for read in _reads(sight, [id for id in ids if _NAME.fullmatch(id)]):
        yield read()
    yield Page(absent=tuple(id for id in ids if not _NAME.fullmatch(id)), proof=Proof(), calls=0)


def pinned(client: Any, id: ItemId, version: str) -> Item | None:
    """One version by its number, decrypted; None where it is none or no longer kept."""
    if not (_NAME.fullmatch(id) and _VERSION.fullmatch(version)):
        return None
    page = _read(Sight(client, label=version), [id])
    return page.items[0] if page.items else None


def versions(client: Any, id: ItemId, after: Revision | None) -> Iterator[Page]:
    """The versions after ``after``, oldest first; without proof where SSM no longer has all of them.

    SSM keeps 100 versions, and none of a parameter that was deleted: a gap, or numbers that begin anew,
    is a history that is lost, and not one in which nothing happened. Labels are the attribute ``labels``
    of the version that carries them.
    """
    kept: list[Item] = []
    calls = 0
    pages = _Pages(
        client.get_parameter_history,
        f"reading the history of {id}",
        Name=id,
        WithDecryption=True,
        MaxResults=_VERSIONS_A_PAGE,
    )
    for page, _ in pages:
        calls += 1
        if page is _MISSING:
            yield Page(absent=(id,), proof=Proof() if after is None else None)
            return
        kept += page
    kept.sort(key=_number)
    last = int(after or 0)
    newer = tuple(item for item in kept if _number(item) > last)
    numbers = [_number(item) for item in kept]
    reaches = bool(numbers) and numbers[0] <= last + 1 and numbers[-1] >= last
    yield Page(newer, proof=Proof() if reaches else None, calls=calls)


def _number(item: Item) -> int:
    return int(item.revision or 0)


_MISSING: list[Item] = []


class _Pages:
    """Pages of a listing, by token alone: a short or empty page that has one is not the last.

    The last one comes with the proof. Gives `_MISSING` and ends where the parameter is not there. Where one
    could not be had, the next is the same one, asked for again.
    """

    def __init__(self, operation: Callable[..., Any], doing: str, **request: Any) -> None:
        self._operation, self._doing, self._request = operation, doing, request
        self._given: set[str] = set()
        self._ended = False

    def __iter__(self) -> _Pages:
        return self

    def __next__(self) -> tuple[list[Item], Proof | None]:
        if self._ended:
            raise StopIteration
        page = self._page()
        if isinstance(page, Failure):
            if page.code != "ParameterNotFound":
                raise reading_error(page, self._doing)
            self._ended = True
            return _MISSING, None
        items, token = page
        if token in self._given:
            raise Unavailable(f"{self._doing}: SSM gave a page token twice, so its pages have no end")
        if token:
            self._given.add(token)
            self._request["NextToken"] = token
        self._ended = not token
        return items, None if token else Proof()

    def _page(self) -> tuple[list[Item], str | None] | Failure:
        """By itself, so that no frame which raises holds an answer: a traceback may be shown with locals."""
        answer = ask(self._operation, PARAMETERS, **self._request)
        if isinstance(answer, Failure):
            return answer
        return [_item(parameter) for parameter in answer["Parameters"]], answer.get("NextToken")


def _reads(sight: Sight, ids: Sequence[ItemId]) -> Iterator[Callable[[], Page]]:
    """What reads these, ten at a time."""
    for start in range(0, len(ids), NAMES_A_CALL):
        yield partial(_read, sight, ids[start : start + NAMES_A_CALL])


def _read(sight: Sight, ids: Sequence[ItemId]) -> Page:
    answer = _valued(sight, ids)
    if isinstance(answer, Failure):
        if answer.code in _NO_SUCH_VERSION and len(ids) == 1:
            return Page(absent=(ids[0],))
        if answer.kind not in (Kind.DENIED, Kind.REFUSED):
            raise reading_error(
                answer, f"reading {ids[0]}" + (f" and {len(ids) - 1} more" if ids[1:] else "")
            )
        if len(ids) == 1:
            return Page((Item(ids[0], None, unreadable=answer.reason),))
        # One denied name or key fails the whole call: asked one by one, only that one is unreadable.
        pages = [_read(sight, [id]) for id in ids]
        return Page(
            tuple(item for page in pages for item in page.items),
            tuple(id for page in pages for id in page.absent),
            calls=1 + sum(page.calls for page in pages),
        )
    there, missing = answer
    items: list[Item] = []
    for id in ids:
        item = sight.tagged(there[id]) if id in there else None
        if item is not None:
            items.append(item)
        elif id in there:
            missing.append(id)
        elif id not in missing:
            items.append(Item(id, None, unreadable="SSM's answer does not mention it"))
    return Page(tuple(items), tuple(missing), calls=1 + len(there) * sight.tags)


def _valued(sight: Sight, ids: Sequence[ItemId]) -> tuple[dict[ItemId, Item], list[ItemId]] | Failure:
    """The items that one call finds, and the ids of which it says that they are not there.

    By itself, so that no frame which raises holds an answer.
    """
    asked = {id: id if sight.label is None else f"{id}:{sight.label}" for id in ids}
    names = list(asked.values())
    answer = ask(sight.client.get_parameters, PARAMETERS, Names=names, WithDecryption=True)
    if isinstance(answer, Failure):
        return answer
    there = {parameter["Name"]: _item(parameter) for parameter in answer["Parameters"]}
    invalid = answer.get("InvalidParameters", ())
    return there, [id for id, name in asked.items() if id not in there and name in invalid]


def _item(parameter: Any) -> Item:
    told = {name: str(parameter[field]) for name, field in _ATTRIBUTES.items() if parameter.get(field)}
    if labels := parameter.get("Labels"):
        told["labels"] = ",".join(sorted(labels))
    value = parameter.get("Value")
    return Item(
        id=parameter["Name"],
        value=None if value is None else value.encode("utf-8"),
        secret=parameter.get("Type") == "SecureString",
        attributes=attributes(told),
        revision=str(parameter["Version"]),
        changed=parameter["LastModifiedDate"].astimezone(UTC),
    )
