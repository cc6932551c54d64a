"""What Parameter Store refuses and moto forgets: pure rules over one request.

Each rule names where it is written down. "model" is botocore's service model of SSM (the reference page of
the operation carries the same words), "guide" the Systems Manager user guide.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

STANDARD_BYTES = 4096
ADVANCED_BYTES = 8192
MAX_DEPTH = 15
MAX_NAME_WITH_ARN = 1011

_MAX_NAMES = {"GetParameters": 10, "DeleteParameters": 10}
_MAX_RESULTS = {"DescribeParameters": 50, "GetParameterHistory": 50, "GetParametersByPath": 10}
_OWN_TAG = re.compile("aws:", re.IGNORECASE)
_NAME = re.compile(r"(/?[A-Za-z0-9_.-]+)(/[A-Za-z0-9_.-]+)*")


@dataclass(frozen=True, slots=True)
class Fault:
    """An error as AWS answers it: its code, the HTTP status, a message, further headers."""

    code: str
    message: str = ""
    status: int = 400
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """What of an existing parameter decides whether a write to it is taken."""

    type: str
    tier: str = "Standard"
    allowed_pattern: str = ""


def refusal(
    operation: str, request: Mapping[str, Any], known: Mapping[str, Known], region: str
) -> Fault | None:
    """The fault with which SSM answers ``request``, or None where moto may have it."""
    if operation == "PutParameter":
        name = str(request.get("Name", ""))
        existing = known.get(name)
        return (
            _name_fault(name, region)
            or _existence_fault(request, existing)
            or _tier_fault(request, existing)
            or _value_fault(request, existing)
            or (_invalid("aws: prefixed tag key names are not allowed.") if has_own_tags(request) else None)
        )
    if operation in ("LabelParameterVersion", "UnlabelParameterVersion"):
        # moto remembers an empty parameter here, and answers 500 to every listing from then on.
        return None if request.get("Name") in known else Fault("ParameterNotFound")
    return _count_fault(operation, request)


def has_own_tags(request: Mapping[str, Any]) -> bool:
    """Does a request set tags that only AWS sets: those that begin with ``aws:``, in any case? (Tagging AWS
    resources user guide, "Tag naming limits and requirements")
    """
    return any(_OWN_TAG.match(str(tag.get("Key", ""))) for tag in request.get("Tags") or ())


def resolved_tier(request: Mapping[str, Any], existing: Known | None) -> str:
    """The tier that a put ends in: Intelligent-Tiering upgrades where the value needs it (guide)."""
    asked = request.get("Tier") or (existing.tier if existing else "Standard")
    if asked != "Intelligent-Tiering":
        return str(asked)
    if existing and existing.tier == "Advanced":
        return "Advanced"
    return "Advanced" if _size(request) > STANDARD_BYTES else "Standard"


def _invalid(message: str) -> Fault:
    return Fault("ValidationException", message)


def _size(request: Mapping[str, Any]) -> int:
    return len(str(request.get("Value", "")).encode("utf-8"))


def _count_fault(operation: str, request: Mapping[str, Any]) -> Fault | None:
    """Ten names a call, and pages of 50 (history, descriptions) or 10 (by path): model."""
    names = request.get("Names")
    if operation in _MAX_NAMES and not 1 <= len(names or ()) <= _MAX_NAMES[operation]:
        return _invalid(f"names: between 1 and {_MAX_NAMES[operation]} members are allowed")
    most = _MAX_RESULTS.get(operation)
    if most is not None and not 1 <= request.get("MaxResults", most) <= most:
        return _invalid(f"maxResults: between 1 and {most} is allowed")
    return None


def _name_fault(name: str, region: str) -> Fault | None:
    """Letters, digits, ``_.-`` and ``/``; no ``aws``/``ssm`` prefix; 15 levels; 1011 with its ARN: model."""
    if not _NAME.fullmatch(name) or ("/" in name and not name.startswith("/")):
        return _invalid("Parameter name: must be a fully qualified name of letters, digits, '.', '-', '_'.")
    if re.match(r"/?(aws|ssm)", name, re.IGNORECASE):
        return _invalid('Parameter name: can\'t be prefixed with "aws" or "ssm" (case-insensitive).')
    if len(name.strip("/").split("/")) > MAX_DEPTH:
        return Fault("HierarchyLevelLimitExceededException", "at most 15 levels")
    prefix = f"arn:aws:ssm:{region}:123456789012:parameter"
    if len(prefix) + len(name) > MAX_NAME_WITH_ARN:
        return _invalid("Parameter name: at most 1011 characters, its ARN included.")
    return None


def _existence_fault(request: Mapping[str, Any], existing: Known | None) -> Fault | None:
    """A new parameter needs a type, an old one keeps it, tags come at creation only: model."""
    if request.get("Overwrite") and request.get("Tags"):
        return _invalid("tags and overwrite can't be used together")
    if existing is None:
        if not request.get("Type"):
            return _invalid("A parameter type is required when you create a parameter.")
        return None
    if not request.get("Overwrite"):
        return Fault("ParameterAlreadyExists", "The parameter already exists.")
    if request.get("Type") not in (None, existing.type):
        return Fault("HierarchyTypeMismatchException", "The type of a parameter can't be changed.")
    return None


def _tier_fault(request: Mapping[str, Any], existing: Known | None) -> Fault | None:
    """An advanced parameter never becomes a standard one: guide."""
    if existing and existing.tier == "Advanced" and request.get("Tier") == "Standard":
        return _invalid("This parameter uses the advanced-parameter tier. You can't downgrade it.")
    return None


def _value_fault(request: Mapping[str, Any], existing: Known | None) -> Fault | None:
    """Not empty, 4 KB or 8 KB by tier, no double brackets, and what AllowedPattern says: model."""
    value = str(request.get("Value", ""))
    if not value:
        return _invalid(f"Value '{value}' at 'value' failed to satisfy constraint: length at least 1")
    if "{{" in value:
        return _invalid(f"Parameter value: can't be nested, or hold double brackets: '{value}'")
    most = ADVANCED_BYTES if resolved_tier(request, existing) == "Advanced" else STANDARD_BYTES
    if _size(request) > most:
        return _invalid(
            f"{resolved_tier(request, existing)} tier parameters support a maximum of {most} bytes"
        )
    pattern = request.get("AllowedPattern") or (existing.allowed_pattern if existing else "")
    if pattern and not re.search(pattern, value):
        return Fault("ParameterPatternMismatchException", f"Parameter value '{value}' failed its pattern")
    return None
