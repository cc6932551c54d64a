"""What Secrets Manager refuses and moto forgets: pure rules over one request.

Each rule names where it is written down. "model" is botocore's service model of Secrets Manager (the
reference page of the operation carries the same words), "issues" is what its users report, word for word.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ecs_sync_sandbox.aws_guard import Fault, has_own_tags

VALUE_BYTES = 65_536
DELETED = "You can't perform this operation on the secret because it was marked for deletion."
MISSING = "Secrets Manager can't find the specified secret."

_NAME = re.compile(r"[A-Za-z0-9/_+=.@-]{1,512}")
_FILTER = re.compile(r"!?[a-zA-Z0-9 :_@/+=.\-!]*")
_MAX_RESULTS = {"ListSecrets": 100, "BatchGetSecretValue": 20, "ListSecretVersionIds": 100}
_MAX_IDS = 20
_MAX_STAGES = 20
_VALUED = ("CreateSecret", "PutSecretValue", "UpdateSecret")
_NOT_WHILE_DELETED = (
    "GetSecretValue",
    "PutSecretValue",
    "UpdateSecret",
    "UpdateSecretVersionStage",
    "TagResource",
    "UntagResource",
    "RotateSecret",
    "DeleteSecret",
)
_ITS_SERVICE_ONLY = ("PutSecretValue", "UpdateSecret", "UpdateSecretVersionStage", "DeleteSecret")


@dataclass(frozen=True, slots=True)
class Known:
    """What of an existing secret decides whether a request is taken: labels by version, and whose it is."""

    deleted: bool
    owner: str | None
    stages: Mapping[str, tuple[str, ...]]

    def holder(self, stage: str) -> str | None:
        """The version that has a label."""
        return next((version for version, stages in self.stages.items() if stage in stages), None)


def refusal(operation: str, request: Mapping[str, Any], known: Known | None) -> Fault | None:
    """The fault with which Secrets Manager answers ``request``, or None where moto may have it.

    ``known`` is the secret that the request names, None where there is none.
    """
    return (
        _count_fault(operation, request)
        or _filter_fault(request)
        or (_value_fault(operation, request) if operation in _VALUED else None)
        or (_name_fault(request, known) if operation == "CreateSecret" else None)
        or (invalid("aws: prefixed tag key names are not allowed.") if has_own_tags(request) else None)
        or (_state_fault(operation, known) if known is not None else None)
        or (_stage_fault(request, known) if operation == "UpdateSecretVersionStage" and known else None)
    )


def invalid(message: str) -> Fault:
    """An error of a parameter."""
    return Fault("InvalidParameterException", message)


def _count_fault(operation: str, request: Mapping[str, Any]) -> Fault | None:
    """Pages of 100, or 20 with values, and 20 ids or filters but not both; 20 labels a version: model."""
    most = _MAX_RESULTS.get(operation)
    if most is not None and not 1 <= request.get("MaxResults", most) <= most:
        return Fault("ValidationException", f"maxResults: between 1 and {most} is allowed")
    if len(request.get("VersionStages") or ()) > _MAX_STAGES:
        return Fault("ValidationException", f"versionStages: at most {_MAX_STAGES} are allowed")
    if operation != "BatchGetSecretValue":
        return None
    ids, filters = request.get("SecretIdList"), request.get("Filters")
    if bool(ids) == bool(filters):
        return invalid("Either 'SecretIdList' or 'Filters' must be provided, but not both.")
    if len(ids or ()) > _MAX_IDS:
        return Fault("ValidationException", f"secretIdList: at most {_MAX_IDS} are allowed")
    if "MaxResults" in request and not filters:
        return invalid("'Filters' must also be specified when 'MaxResults' is provided.")
    return None


def _filter_fault(request: Mapping[str, Any]) -> Fault | None:
    """The alphabet of filter values: model."""
    for each in request.get("Filters") or ():
        if not all(_FILTER.fullmatch(value) for value in each.get("Values", ())):
            return Fault("ValidationException", "filter values: failed to satisfy the pattern")
    return None


def _value_fault(operation: str, request: Mapping[str, Any]) -> Fault | None:
    """A string or bytes, not both, of 1 to 65,536 bytes; a secret may be created without: model."""
    text, blob = request.get("SecretString"), request.get("SecretBinary")
    if text is not None and blob is not None:
        return invalid("You can't specify both a binary secret value and a string secret value.")
    if text is None and blob is None:
        needed = operation == "PutSecretValue"
        return invalid("You must provide either SecretString or SecretBinary.") if needed else None
    size = len(text.encode()) if text is not None else len(base64.b64decode(blob or ""))
    if not 1 <= size <= VALUE_BYTES:
        return Fault("ValidationException", f"the value '{text}' has {size} bytes, not 1 to {VALUE_BYTES}")
    return None


def _name_fault(request: Mapping[str, Any], known: Known | None) -> Fault | None:
    """Letters, digits and ``/_+=.@-``: model. A name stays taken until its recovery window ends: issues."""
    if not _NAME.fullmatch(str(request.get("Name", ""))):
        return Fault("ValidationException", "Invalid name. Must be a valid name containing alphanumerics.")
    if known is not None and known.deleted:
        return Fault(
            "InvalidRequestException",
            "You can't create this secret because a secret with this name is already scheduled for deletion.",
        )
    return None


def _state_fault(operation: str, known: Known) -> Fault | None:
    """What is scheduled for deletion can be described and restored only; what a service owns, it changes."""
    if known.deleted and operation in _NOT_WHILE_DELETED:
        return Fault("InvalidRequestException", DELETED)
    if known.owner and operation in _ITS_SERVICE_ONLY:
        return Fault("InvalidRequestException", f"This secret is managed by {known.owner}.")
    return None


def _stage_fault(request: Mapping[str, Any], known: Known) -> Fault | None:
    """A label that is attached leaves only the version that is named as having it: model."""
    stage = str(request.get("VersionStage"))
    leaves, goes = request.get("RemoveFromVersionId"), request.get("MoveToVersionId")
    holder = known.holder(stage)
    if goes is not None and goes not in known.stages:
        return invalid(f"Not a valid version: {goes}")
    if holder is not None and holder not in (leaves, goes):
        return invalid(
            f"Staging label {stage} is currently attached to version {holder}, so you must explicitly "
            "reference that version in RemoveFromVersionId."
        )
    if leaves is not None and leaves != holder:
        return invalid(f"Version stage {stage} not found in version {leaves}")
    if stage == "AWSCURRENT" and goes is None:
        return invalid("You can't remove the staging label AWSCURRENT: move it to another version.")
    return None
