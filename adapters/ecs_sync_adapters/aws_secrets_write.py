"""How secrets are created, get another version, and are scheduled for deletion.

Secrets Manager has no conditional write of a value; but a label leaves only the version that is named as
having it. So a new version is stored under a label of ours, where nobody reads it, and then AWSCURRENT is
moved to it from the version that was expected: whoever comes second is refused.

The new version's id is made from the secret's name and the expected version. A write that is sent again,
after its answer was lost, finds its own version and makes no other. Ids tell nothing of the value.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ecs_sync.adapter import Attributes, Delete, ItemId, Outcome, Put, Revision, Verdict, Write
from ecs_sync.errors import AdapterError, Unacknowledged, Unavailable
from ecs_sync_adapters.aws_errors import Failure
from ecs_sync_adapters.aws_secrets_line import EXISTS, STATE, Line
from ecs_sync_adapters.aws_secrets_read import CURRENT, STAGED, Description, described, pinned
from ecs_sync_adapters.aws_tags import tags_of
from ecs_sync_adapters.failure_kind import Kind, reading_error, writing_error

NAME = "[A-Za-z0-9/_+=.@-]{1,256}"
NAME_REASON = "a secret's name is 1 to 256 letters, digits and '/_+=.@-'"
VALUE_BYTES = 65_536
Scheduled = Literal["refuse", "restore"]

_IDS = uuid.UUID("8f2b7c1e-6d0a-5b3f-9e41-0c5d7a92e6b4")
_ATTEMPTS = 8
_NO_MORE_IDS = (
    f"{_ATTEMPTS} versions with other values were stored on top of this one and never put in force: "
    "put any of them in force, or write it by hand"
)


@dataclass(frozen=True, slots=True)
class Creation:
    """How new secrets are made; what becomes of a name that is scheduled for deletion; the days of grace."""

    kms_key: str | None
    scheduled: Scheduled
    window_days: int


def carry_out(line: Line, creation: Creation, write: Write) -> Outcome:
    """One write: one call to create, three to update, two to delete.

    Raises `Unacknowledged` only where a call that puts a version in force, or restores one, was not answered.
    """
    match write:
        case Delete():
            return _delete(line, creation.window_days, write)
        case Put():
            if reason := _refusal(write):
                return Outcome(write.id, Verdict.REFUSED, reason=reason)
            return _create(line, creation, write) if write.expected is None else _update(line, write)


def version_on(id: ItemId, expected: Revision, attempt: int = 0) -> Revision:
    """The id of the version that replaces ``expected``; of a further one where that has another value."""
    return str(uuid.uuid5(_IDS, f"{attempt}\n{expected}\n{id}"))


def _refusal(put: Put) -> str:
    if not re.fullmatch(NAME, put.id):
        return NAME_REASON
    if not put.value:
        return "Secrets Manager holds no empty value"
    if len(put.value) > VALUE_BYTES:
        return f"the value has {len(put.value)} bytes, over Secrets Manager's {VALUE_BYTES}"
    return ""


# Creating


def _create(line: Line, creation: Creation, put: Put) -> Outcome:
    doing, told = f"creating {put.id}", dict(put.attributes)
    answer = line.ask(
        "create_secret",
        Name=put.id,
        ClientRequestToken=str(uuid.uuid4()),
        **_value(put, told.get("kind")),
        **_born(creation, put.attributes),
    )
    if not isinstance(answer, Failure):
        return Outcome(put.id, Verdict.APPLIED, revision=answer["VersionId"])
    if answer.code in (EXISTS, STATE):
        return _taken(line, creation, put, answer)
    if answer.kind in (Kind.REFUSED, Kind.DENIED):
        return Outcome(put.id, Verdict.REFUSED, reason=answer.reason)
    raise writing_error(answer, doing)


def _born(creation: Creation, told: Attributes) -> dict[str, Any]:
    """What a new secret has besides its value."""
    texts, given = dict(told), tags_of(told)
    if "description" in texts:
        given["Description"] = texts["description"]
    if creation.kms_key:
        given["KmsKeyId"] = creation.kms_key
    return given


def _taken(line: Line, creation: Creation, put: Put, failure: Failure) -> Outcome:
    """What is to be done about a name that cannot be created; nothing was applied so far."""
    seen = described(line, put.id, f"creating {put.id}")
    if seen is None:
        raise Unavailable(f"creating {put.id}: Secrets Manager still has the name it just deleted: run again")
    if seen.kept:
        return Outcome(put.id, Verdict.REFUSED, reason=seen.kept)
    if seen.deleted:
        match creation.scheduled:
            case "refuse":
                return Outcome(put.id, Verdict.REFUSED, reason=_SCHEDULED)
            case "restore":
                return _restore(line, put, seen)
    if seen.empty:
        return _fill(line, put)
    if failure.code == EXISTS:
        return Outcome(put.id, Verdict.RACED, reason="it exists already")
    return Outcome(put.id, Verdict.REFUSED, reason=failure.reason)


def _fill(line: Line, put: Put) -> Outcome:
    """The first version of a secret that was made without any: AWS puts the first one in force by itself."""
    answer = line.ask(
        "put_secret_value",
        SecretId=put.id,
        ClientRequestToken=str(uuid.uuid4()),
        VersionStages=[STAGED],
        **_value(put, dict(put.attributes).get("kind")),
    )
    if isinstance(answer, Failure):
        if answer.gone:
            return Outcome(put.id, Verdict.RACED, reason="it was deleted meanwhile")
        if answer.kind in (Kind.REFUSED, Kind.DENIED):
            return Outcome(put.id, Verdict.REFUSED, reason=answer.reason)
        raise writing_error(answer, f"writing the first version of {put.id}")
    if CURRENT in answer["VersionStages"]:
        return Outcome(put.id, Verdict.APPLIED, revision=answer["VersionId"])
    return Outcome(put.id, Verdict.RACED, reason="somebody else wrote its first version")


def _restore(line: Line, put: Put, seen: Description) -> Outcome:
    answer = line.ask("restore_secret", SecretId=put.id)
    if isinstance(answer, Failure):
        if answer.kind in (Kind.REFUSED, Kind.DENIED):
            return Outcome(put.id, Verdict.REFUSED, reason=f"restoring it: {answer.reason}")
        raise writing_error(answer, f"restoring {put.id}")
    try:
        made = _fill(line, put) if seen.current is None else _swap(line, put, seen.current, seen)
    except Unacknowledged:
        raise
    except AdapterError as error:
        return Outcome(put.id, Verdict.RACED, reason=f"it is restored, and has its old value still: {error}")
    if made.verdict is Verdict.APPLIED:
        return Outcome(put.id, Verdict.APPLIED, revision=made.revision)
    return Outcome(put.id, made.verdict, reason=f"it is restored, and has its old value still: {made.reason}")


# Updating


def _update(line: Line, put: Put) -> Outcome:
    seen = described(line, put.id, f"looking at {put.id} before its update")
    expected = put.expected or ""
    if seen is None or seen.absent:
        return Outcome(put.id, Verdict.RACED, reason=f"it is gone, not at version {expected}")
    if seen.kept:
        return Outcome(put.id, Verdict.REFUSED, reason=seen.kept)
    return _swap(line, put, expected, seen)


def _swap(line: Line, put: Put, expected: Revision, seen: Description) -> Outcome:
    """Stores the new version beside the one in force, and puts it in force instead of ``expected``."""
    ours = [version_on(put.id, expected, attempt) for attempt in range(_ATTEMPTS)]
    if seen.current != expected:
        # An earlier sending of this write, whose answer was lost, is there; or it moved.
        ours = [version for version in ours if version == seen.current]
    if not ours:
        return Outcome(put.id, Verdict.RACED, reason=f"it is at version {seen.current}, not at {expected}")
    stored = _store(line, put, ours, expected)
    if isinstance(stored, Outcome):
        return stored
    if stored == seen.current:
        return Outcome(put.id, Verdict.APPLIED, revision=stored, replaced=expected)
    answer = line.ask(
        "update_secret_version_stage",
        SecretId=put.id,
        VersionStage=CURRENT,
        RemoveFromVersionId=expected,
        MoveToVersionId=stored,
    )
    if not isinstance(answer, Failure):
        return Outcome(put.id, Verdict.APPLIED, revision=stored, replaced=expected)
    return _not_moved(line, put, stored, expected, answer)


def _store(line: Line, put: Put, ours: list[Revision], expected: Revision) -> Revision | Outcome:
    """The id of the version that holds the value, in force or not; or why there is none.

    Until it is in force nothing is applied, so that an answer which is lost here may be asked for again.
    """
    kind = _kind(line, put, expected)
    for version in ours:
        answer = line.ask(
            "put_secret_value",
            SecretId=put.id,
            ClientRequestToken=version,
            VersionStages=[STAGED],
            **_value(put, kind),
        )
        if not isinstance(answer, Failure):
            return version
        if answer.code != EXISTS:
            if answer.gone:
                return Outcome(put.id, Verdict.RACED, reason=f"it is gone, not at version {expected}")
            if answer.kind in (Kind.REFUSED, Kind.DENIED):
                return Outcome(put.id, Verdict.REFUSED, reason=answer.reason)
            raise reading_error(answer, f"storing the new version of {put.id}, which is not in force")
    if len(ours) == 1:
        return Outcome(put.id, Verdict.RACED, reason=f"it is at version {ours[0]}, not at {expected}")
    return Outcome(put.id, Verdict.REFUSED, reason=_NO_MORE_IDS)


def _not_moved(line: Line, put: Put, stored: Revision, expected: Revision, failure: Failure) -> Outcome:
    """What a label that did not move means: AWS does not say whose fault it was, the secret does."""
    if failure.kind is Kind.DENIED:
        return Outcome(put.id, Verdict.REFUSED, reason=failure.reason)
    if failure.kind is not Kind.REFUSED:
        raise writing_error(failure, f"putting the new version of {put.id} in force")
    seen = described(line, put.id, f"looking why the new version of {put.id} was not put in force")
    if seen is None or seen.absent:
        return Outcome(put.id, Verdict.RACED, reason=f"it is gone, not at version {expected}")
    if seen.current == stored:
        return Outcome(put.id, Verdict.APPLIED, revision=stored, replaced=expected)
    if seen.current != expected:
        reason = f"it is at version {seen.current}, not at {expected}"
        return Outcome(put.id, Verdict.RACED, reason=reason)
    return Outcome(put.id, Verdict.REFUSED, reason=seen.kept or failure.reason)


def _kind(line: Line, put: Put, expected: Revision) -> str | None:
    """Whether the value in force is a string or binary; asked for where the write does not tell it."""
    told = dict(put.attributes).get("kind")
    if told is not None or not _is_text(put.value):
        return told
    there = pinned(line, put.id, expected)
    return None if there is None else dict(there.attributes).get("kind")


def _value(put: Put, kind: str | None) -> Mapping[str, Any]:
    """What is binary stays so; what is no text becomes so. Kept by no caller: tracebacks can show locals."""
    if kind == "binary" or not _is_text(put.value):
        return {"SecretBinary": put.value}
    return {"SecretString": put.value.decode()}


def _is_text(value: bytes) -> bool:
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


# Deleting


def _delete(line: Line, window_days: int, delete: Delete) -> Outcome:
    """Scheduled, with days of grace in which a person can restore it. Nothing here ever forces it."""
    seen = described(line, delete.id, f"looking at {delete.id} before its deletion")
    if seen is None or seen.absent:
        return Outcome(delete.id, Verdict.RACED, reason=f"it is gone, not at version {delete.expected}")
    if seen.current != delete.expected:
        reason = f"it is at version {seen.current}, not at {delete.expected}"
        return Outcome(delete.id, Verdict.RACED, reason=reason)
    if seen.kept or seen.replicated:
        return Outcome(delete.id, Verdict.REFUSED, reason=seen.kept or _REPLICATED)
    answer = line.ask("delete_secret", SecretId=delete.id, RecoveryWindowInDays=window_days)
    if not isinstance(answer, Failure):
        return Outcome(delete.id, Verdict.APPLIED, replaced=delete.expected)
    if answer.gone:
        return Outcome(delete.id, Verdict.RACED, reason=f"it is gone, not at version {delete.expected}")
    if answer.kind in (Kind.REFUSED, Kind.DENIED):
        return Outcome(delete.id, Verdict.REFUSED, reason=answer.reason)
    raise writing_error(answer, f"deleting {delete.id}")


_REPLICATED = "it is replicated to other regions: remove its replicas first"
_SCHEDULED = (
    "a secret of this name is scheduled for deletion, and Secrets Manager keeps the name until then: restore "
    "it (aws secretsmanager restore-secret), or set the connection's scheduled to restore, which shows the "
    "old value again for a moment"
)
