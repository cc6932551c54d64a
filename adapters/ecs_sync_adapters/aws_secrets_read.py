"""How secrets are listed, read and looked up among their versions. Every function here only reads.

The revision of a secret is the id of the version that has the label AWSCURRENT, whose value never changes.
A version that is being prepared (AWSPENDING of a rotation, ours before it is put in force) is not seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ecs_sync.adapter import Attributes, Item, ItemId, Page, Proof, Revision, attributes, patiently
from ecs_sync_adapters.aws_arn import region_and_account
from ecs_sync_adapters.aws_errors import Failure, failed_entry
from ecs_sync_adapters.aws_secrets_line import MISSING, STATE, Gone, Line, goes_on, in_its_terms
from ecs_sync_adapters.aws_tags import shown
from ecs_sync_adapters.failure_kind import Kind, reading_error

IDS_A_CALL = 20
CURRENT = "AWSCURRENT"
PREVIOUS = "AWSPREVIOUS"
PENDING = "AWSPENDING"
STAGED = "ecs-sync"
"""The label of a version of ours that is not in force yet. It stays until our next one takes it."""

# Services name their secrets with '!', as in 'rds!db-1'; nobody else can.
_READABLE = re.compile(r"[A-Za-z0-9/_+=.@!-]{1,512}")
_VERSION = re.compile(r"[!-~]{32,64}")
_A_PAGE = 100
_KEPT_VERSIONS = 100
_NO_CURRENT = "none of its versions is in force (AWSCURRENT): finish or undo what prepares one"


@dataclass(frozen=True, slots=True)
class Description:
    """What is known of a secret but its value. ``current`` is the version in force.

    ``empty``: it has no version at all, and is no item for us. ``kept`` says why it is not ours to write.
    """

    name: ItemId
    current: Revision | None
    empty: bool
    deleted: bool
    replicated: bool
    kept: str
    attributes: Attributes

    @property
    def absent(self) -> bool:
        return self.deleted or self.empty

    def item(self) -> Item:
        """It as an item without its value."""
        unreadable = _NO_CURRENT if self.current is None else None
        return Item(self.name, None, True, self.attributes, self.current, unreadable=unreadable)


def listed(line: Line, root: str) -> Iterator[Page]:
    """All secrets whose names begin with ``root``, without values: a hundred a call.

    Secrets Manager leaves out those that are scheduled for deletion, and shows others as they were up to
    five minutes ago. A page after the first that cannot be had is asked for again, if its reader wants.
    """
    request: dict[str, Any] = {"MaxResults": _A_PAGE}
    if root:
        request["Filters"] = [{"Key": "name", "Values": [root]}]
    doing, tokens = f"listing {root or 'all secrets'}", list[str]()
    answer = line.read("list_secrets", doing, **request)
    while True:
        seen = [_description(line, told, "SecretVersionsToStages") for told in answer["SecretList"]]
        items = [each.item() for each in seen if each.name.startswith(root) and not each.absent]
        more = goes_on(answer.get("NextToken"), tokens, doing)
        yield Page(tuple(items), proof=None if more else Proof())
        if not more:
            return
        ask = partial(line.read, "list_secrets", doing, NextToken=tokens[-1], **request)
        answer = yield from patiently(ask)


def described(line: Line, id: ItemId, doing: str) -> Description | None:
    """What there is to know of one secret, deleted or not, in one call; None where there is none."""
    answer = line.ask("describe_secret", SecretId=id)
    if isinstance(answer, Failure):
        if answer.code == MISSING:
            return None
        raise reading_error(answer, doing)
    return _description(line, answer, "VersionIdsToStages")


def found(line: Line, ids: Sequence[ItemId]) -> Iterator[Page]:
    """Point reads with values, twenty a call. What cannot be read by itself is unreadable by itself."""
    names = [id for id in dict.fromkeys(ids) if _READABLE.fullmatch(id)]
    for start in range(0, len(names), IDS_A_CALL):
        yield _read(line, names[start : start + IDS_A_CALL])
    yield Page(absent=tuple(id for id in ids if not _READABLE.fullmatch(id)), proof=Proof(), calls=0)


def peeked(line: Line, ids: Sequence[ItemId]) -> Iterator[Page]:
    """As `found` without values: one call an id, and no secret is read."""
    for id in ids:
        seen, before = None, line.calls
        if _READABLE.fullmatch(id):
            seen = described(line, id, f"looking at {id}")
        if seen is None or seen.absent:
            yield Page(absent=(id,), calls=line.calls - before)
        else:
            yield Page((seen.item(),), calls=line.calls - before)
    yield Page(proof=Proof(), calls=0)


def history(line: Line, id: ItemId, after: Revision | None) -> Iterator[Page]:
    """The versions that came into force after ``after``, oldest first, with values; as far as can be told.

    Without proof where ``after`` is no version any more, or where the oldest may be gone: of more than a
    hundred, Secrets Manager deletes the oldest ones.
    """
    doing, versions = f"reading the versions of {id}", list[Any]()
    try:
        pages = line.pages(
            "list_secret_version_ids",
            doing,
            SecretId=id,
            MaxResults=_A_PAGE,
            IncludeDeprecated=True,
        )
        for answer in pages:
            versions += answer["Versions"]
    except Gone:
        yield Page(absent=(id,), proof=Proof() if after is None else None, calls=line.calls)
        return
    kept = sorted((each for each in versions if _was_in_force(each, after)), key=_age)
    order = [version["VersionId"] for version in kept]
    proven = after in order if after is not None else len(versions) < _KEPT_VERSIONS
    newer = order[order.index(after) + 1 :] if after in order else order
    items = [item for version in newer if (item := pinned(line, id, version)) is not None]
    proven = proven and len(items) == len(newer)
    yield Page(tuple(items), proof=Proof() if proven else None, calls=line.calls)


def pinned(line: Line, id: ItemId, version: str) -> Item | None:
    """One version of a secret, by its id; None where there is no such version."""
    if not (_READABLE.fullmatch(id) and _VERSION.fullmatch(version)):
        return None
    answer = line.ask("get_secret_value", SecretId=id, VersionId=version)
    if not isinstance(answer, Failure):
        return _item(line, answer)
    if answer.gone or answer.code == MISSING:
        return None
    raise reading_error(answer, f"reading version {version} of {id}")


def _read(line: Line, ids: Sequence[ItemId]) -> Page:
    before = line.calls
    read = (_batch(line, ids) if len(ids) > 1 else {}) or {id: _one(line, id) for id in ids}
    items: list[Item] = []
    for id in ids:
        match read.get(id):
            case Item() as item:
                items.append(item)
            case None:
                items.append(Item(id, None, True, unreadable="the answer does not mention it"))
            case Failure() as failure:
                unread = _unread(line, id, failure)
                items += [unread] if unread is not None else []
    there = {item.id for item in items}
    return Page(tuple(items), tuple(id for id in ids if id not in there), calls=line.calls - before)


def _one(line: Line, id: ItemId) -> Item | Failure:
    answer = line.ask("get_secret_value", SecretId=id, VersionStage=CURRENT)
    return answer if isinstance(answer, Failure) else _item(line, answer)


def _batch(line: Line, ids: Sequence[ItemId]) -> dict[ItemId, Item | Failure]:
    """What one call tells of up to twenty secrets; nothing where the credential may not ask so."""
    doing, tokens = f"reading {ids[0]} and {len(ids) - 1} more", list[str]()
    read: dict[ItemId, Item | Failure] = {}
    request: dict[str, Any] = {"SecretIdList": list(ids)}
    while True:
        token = _take(line, request, read)
        if isinstance(token, Failure):
            if token.kind is Kind.DENIED and not read:
                return {}
            raise reading_error(token, doing)
        if not goes_on(token, tokens, doing):
            return read
        request["NextToken"] = tokens[-1]


def _take(line: Line, request: Mapping[str, Any], read: dict[ItemId, Item | Failure]) -> str | Failure | None:
    """Adds to ``read`` what one call tells, and gives the token of the next.

    By itself, so that no frame which raises holds an answer: a traceback may be shown with its locals.
    """
    answer = line.ask("batch_get_secret_value", **request)
    if isinstance(answer, Failure):
        return answer
    for told in answer["SecretValues"]:
        read[told["Name"]] = _item(line, told)
    for error in answer.get("Errors") or ():
        failure = failed_entry(str(error.get("ErrorCode")), str(error.get("Message")))
        read[str(error.get("SecretId"))] = in_its_terms(failure)
    return answer.get("NextToken") or None


def _unread(line: Line, id: ItemId, failure: Failure) -> Item | None:
    """An item that cannot be read, with the reason; None where it is absent. Raises what may pass."""
    if failure.kind not in (Kind.DENIED, Kind.REFUSED):
        raise reading_error(failure, f"reading {id}")
    if failure.gone:
        return None
    if failure.code in (MISSING, STATE):
        seen = described(line, id, f"looking at {id}")
        if seen is None or seen.absent:
            return None
        return Item(id, None, True, seen.attributes, seen.current, unreadable=failure.reason)
    return Item(id, None, True, unreadable=failure.reason)


def _item(line: Line, told: Any) -> Item:
    text = told.get("SecretString")
    value = told.get("SecretBinary") if text is None else text.encode()
    kind = "binary" if text is None else "string"
    about = attributes({"arn": told["ARN"], "kind": kind})
    reason = line.strange(told["ARN"]) or ("its version has no value yet" if value is None else None)
    return Item(
        told["Name"], None if reason else value, True, about, told["VersionId"], unreadable=reason or None
    )


def _description(line: Line, told: Any, stages: str) -> Description:
    versions: Mapping[str, Sequence[str]] = told.get(stages) or {}
    current = next((version for version, labels in versions.items() if CURRENT in labels), None)
    arn = line.own(told["ARN"])
    home, (region, _) = told.get("PrimaryRegion"), region_and_account(arn)
    fields = {"description": "Description", "key-id": "KmsKeyId", "owning-service": "OwningService"}
    about = {"arn": arn} | shown(told.get("Tags"))
    about |= {name: str(told[field]) for name, field in fields.items() if told.get(field)}
    if told.get("RotationEnabled"):
        about["rotation"] = "enabled"
    return Description(
        told["Name"],
        current,
        empty=not versions,
        deleted=told.get("DeletedDate") is not None,
        replicated=bool(told.get("ReplicationStatus")) and home in (None, region),
        kept=_kept(told, region, home),
        attributes=attributes(about),
    )


def _kept(told: Any, region: str, home: str | None) -> str:
    """Why a secret is not ours to write; empty where it is."""
    if told.get("OwningService"):
        return f"{told['OwningService']} manages it: change it there"
    if home is not None and home != region:
        return f"it is a replica of the secret in {home}: write it there"
    if told.get("RotationEnabled"):
        return "Secrets Manager rotates it: leave it out, or turn its rotation off"
    return ""


def _was_in_force(version: Any, known: Revision | None) -> bool:
    """Not those that are being prepared; of those without a label nobody can tell, and most were."""
    labels = version.get("VersionStages") or ()
    if CURRENT in labels or PREVIOUS in labels or version["VersionId"] == known:
        return True
    return STAGED not in labels and PENDING not in labels


def _age(version: Any) -> tuple[int, Any]:
    """The one in force is the newest, whenever it was made, and the one before it the second newest."""
    labels = version.get("VersionStages") or ()
    rank = 2 if CURRENT in labels else 1 if PREVIOUS in labels else 0
    return rank, version["CreatedDate"]
