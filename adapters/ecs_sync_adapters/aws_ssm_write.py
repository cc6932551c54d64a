"""How puts and deletes reach Parameter Store: one call a put, one for up to ten deletes.

SSM has no conditional update. What it has is used: ``Overwrite`` off for a creation; no ``Type`` on an
update, so that SSM itself refuses to update what is gone; and the version in the answer, which tells what
was replaced. What a put does not name, SSM may set anew (the tier from the account's default, the key to
the default key), so an update says again what it found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from ecs_sync.adapter import Delete, Item, ItemId, Outcome, Put, Verdict, Write
from ecs_sync.errors import Unacknowledged
from ecs_sync_adapters.aws_errors import Failure
from ecs_sync_adapters.aws_ssm_errors import DELETED, PUT, ask
from ecs_sync_adapters.aws_ssm_read import NAMES_A_CALL, described
from ecs_sync_adapters.aws_tags import tags_of
from ecs_sync_adapters.failure_kind import Kind, writing_error

Tier = Literal["Standard", "Advanced", "Intelligent-Tiering"]
Secure = Literal["secrets", "all"]

STANDARD_BYTES = 4096
ADVANCED_BYTES = 8192
DEFAULT_KEY = "alias/aws/ssm"

_Answer = Outcome | Failure
_ENDING = (Kind.IDENTITY, Kind.THROTTLED, Kind.UNSENT, Kind.UNANSWERED)
_RESENT = {"data-type": "DataType", "description": "Description", "allowed-pattern": "AllowedPattern"}


@dataclass(frozen=True, slots=True)
class Creation:
    """How a new parameter is made: its tier, the key of a SecureString, and what becomes one."""

    tier: Tier = "Standard"
    kms_key: str | None = None
    secure: Secure = "secrets"


def carry_out(client: Any, creation: Creation, writes: Sequence[Write]) -> list[Outcome]:
    """One outcome for each write, in their order; puts go first, one by one, then deletes together.

    A write that is refused, denied or raced stops nothing else. A failure that the next call would meet as
    well ends the batch, and leaves the rest untried. Raises that failure where nothing was applied.
    """
    answers: dict[int, _Answer] = {}
    untold = [write.id for write in writes if _is_untold(write)]
    seen = described(client, untold, "looking at what is to be updated")
    for at, write in enumerate(writes):
        if isinstance(write, Put) and _ending(answers) is None:
            answers[at] = _put(client, creation, write, seen)
    gone = [(at, write) for at, write in enumerate(writes) if isinstance(write, Delete)]
    for start in range(0, len(gone), NAMES_A_CALL):
        if _ending(answers) is None:
            answers |= _delete(client, gone[start : start + NAMES_A_CALL])
    return _outcomes(writes, answers)


def _ending(answers: Mapping[int, _Answer]) -> Failure | None:
    failures = (answer for answer in answers.values() if isinstance(answer, Failure))
    return next((failure for failure in failures if failure.kind in _ENDING), None)


def _is_untold(write: Write) -> bool:
    """An update that came without what only a listing tells: tier, key, description, pattern."""
    if isinstance(write, Delete) or write.expected is None:
        return False
    return "tier" not in dict(write.attributes)


def _put(client: Any, creation: Creation, put: Put, seen: Mapping[ItemId, Item]) -> _Answer:
    try:
        value = put.value.decode("utf-8")
    except UnicodeDecodeError:
        return Outcome(put.id, Verdict.REFUSED, reason="SSM holds text, and this value is not UTF-8")
    if put.expected is None:
        return _sent(client, put, {"Name": put.id, "Value": value, **_creating(creation, put)})
    if _is_untold(put):
        found = seen.get(put.id)
        if found is None or found.revision != put.expected:
            where = f"at version {found.revision}" if found else "gone"
            return Outcome(put.id, Verdict.RACED, reason=f"it is {where}, not at version {put.expected}")
        put = replace(put, attributes=found.attributes)
    type = dict(put.attributes).get("type", "")
    if put.secret and type != "SecureString":
        reason = (
            f"it is a {type or 'plain parameter'} and the value is a secret. SSM cannot change a parameter's "
            "type: delete it, wait 30 seconds, and let it be created again as a SecureString"
        )
        return Outcome(put.id, Verdict.REFUSED, reason=reason)
    return _sent(client, put, {"Name": put.id, "Value": value, **_updating(creation, put)})


def _creating(creation: Creation, put: Put) -> dict[str, Any]:
    told = dict(put.attributes)
    request: dict[str, Any] = {"Overwrite": False, "Tier": creation.tier, "Type": "String"}
    if put.secret or creation.secure == "all":
        request["Type"] = "SecureString"
        if creation.kms_key:
            request["KeyId"] = creation.kms_key
    elif told.get("type") == "StringList":
        request["Type"] = "StringList"
    request |= {field: told[name] for name, field in _RESENT.items() if name in told}
    return request | tags_of(put.attributes)


def _updating(creation: Creation, put: Put) -> dict[str, Any]:
    told = dict(put.attributes)
    request: dict[str, Any] = {"Overwrite": True, "Tier": told["tier"]}
    if told["tier"] != "Advanced" and creation.tier != "Standard" and len(put.value) > STANDARD_BYTES:
        request["Tier"] = creation.tier
    if told.get("type") == "SecureString" and told.get("key-id", DEFAULT_KEY) != DEFAULT_KEY:
        # A key is named together with the type, so this update would create what was deleted meanwhile:
        # version 1 in the answer tells.
        request |= {"Type": "SecureString", "KeyId": told["key-id"]}
    return request | {field: told[name] for name, field in _RESENT.items() if name in told}


def _sent(client: Any, put: Put, request: Mapping[str, Any]) -> _Answer:
    answer = ask(client.put_parameter, PUT, **request)
    if not isinstance(answer, Failure):
        version = int(answer["Version"])
        replaced = str(version - 1) if put.expected is not None and version > 1 else None
        return Outcome(put.id, Verdict.APPLIED, revision=str(version), replaced=replaced)
    if answer.code == "ParameterAlreadyExists":
        return Outcome(put.id, Verdict.RACED, reason="it exists already")
    if put.expected is not None and answer.missing_type:
        return Outcome(put.id, Verdict.RACED, reason=f"it is gone, not at version {put.expected}")
    return answer


def _delete(client: Any, deletes: Sequence[tuple[int, Delete]]) -> dict[int, _Answer]:
    answer = ask(client.delete_parameters, DELETED, Names=[delete.id for _, delete in deletes])
    if isinstance(answer, Failure):
        if answer.kind is not Kind.DENIED or len(deletes) == 1:
            return {at: answer for at, _ in deletes}
        # One denied name fails the whole call: sent one by one, only that one is refused.
        answers: dict[int, _Answer] = {}
        for at, delete in deletes:
            if _ending(answers) is None:
                answers |= _delete(client, [(at, delete)])
        return answers
    return {at: _deleted(delete, answer) for at, delete in deletes}


def _deleted(delete: Delete, answer: Mapping[str, Any]) -> Outcome:
    if delete.id in answer.get("DeletedParameters", ()):
        return Outcome(delete.id, Verdict.APPLIED, replaced=delete.expected)
    if delete.id in answer.get("InvalidParameters", ()):
        return Outcome(delete.id, Verdict.RACED, reason=f"it is gone, not at version {delete.expected}")
    return Outcome(delete.id, Verdict.UNKNOWN, reason="SSM's answer does not mention it")


def _outcomes(writes: Sequence[Write], answers: Mapping[int, _Answer]) -> list[Outcome]:
    ended = _ending(answers)
    outcomes = [_outcome(write, answers.get(at), ended) for at, write in enumerate(writes)]
    doing = f"writing {writes[0].id}" + (f" and {len(writes) - 1} more" if len(writes) > 1 else "")
    verdicts = {outcome.verdict for outcome in outcomes}
    if ended is not None and verdicts == {Verdict.UNTRIED}:
        raise writing_error(ended, doing)
    if verdicts == {Verdict.UNKNOWN}:
        raise Unacknowledged(f"{doing}: {outcomes[0].reason}")
    return outcomes


def _outcome(write: Write, answer: _Answer | None, ended: Failure | None) -> Outcome:
    match answer:
        case Outcome():
            return answer
        case None:
            reason = f"not sent, after another write of this batch failed: {ended.reason if ended else ''}"
            return Outcome(write.id, Verdict.UNTRIED, reason=reason)
        case Failure(kind=Kind.REFUSED | Kind.DENIED):
            return Outcome(write.id, Verdict.REFUSED, reason=answer.reason)
        case Failure(kind=Kind.UNANSWERED):
            return Outcome(write.id, Verdict.UNKNOWN, reason=answer.reason)
        case Failure(kind=Kind.IDENTITY | Kind.THROTTLED | Kind.UNSENT):
            return Outcome(write.id, Verdict.UNTRIED, reason=answer.reason)
        case Failure():
            raise AssertionError(answer.kind)
