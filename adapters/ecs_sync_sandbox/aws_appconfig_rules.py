"""What AppConfig does and ministack forgets: pure rules over requests and answers.

Each rule names where it is written down. "model" is botocore's service model of AppConfig (the reference page
of the operation carries the same words), "guide" the AppConfig user guide.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ecs_sync_sandbox.http_server import Reply

FLAGS = "AWS.AppConfig.FeatureFlags"
_APPLICATION = r"/applications/([^/]+)"
_PROFILE = rf"{_APPLICATION}/configurationprofiles/([^/]+)"
_ENVIRONMENT = rf"{_APPLICATION}/environments/([^/]+)"
_PATHS = {
    "Applications": "/applications",
    "Application": _APPLICATION,
    "Environments": rf"{_APPLICATION}/environments",
    "Environment": _ENVIRONMENT,
    "ConfigurationProfiles": rf"{_APPLICATION}/configurationprofiles",
    "ConfigurationProfile": _PROFILE,
    "HostedConfigurationVersions": rf"{_PROFILE}/hostedconfigurationversions",
    "HostedConfigurationVersion": rf"{_PROFILE}/hostedconfigurationversions/(\d+)",
    "Deployments": rf"{_ENVIRONMENT}/deployments",
    "Deployment": rf"{_ENVIRONMENT}/deployments/(\d+)",
    "DeploymentStrategies": "/deploymentstrategies",
    "DeploymentStrategy": r"/deploye?mentstrategies/([^/]+)",
}
_ON_MANY = {"GET": "List", "POST": "Create"}
_ON_ONE = {"GET": "Get", "PATCH": "Update", "DELETE": "Delete"}
_NAMED = {
    "CreateDeployments": "StartDeployment",
    "DeleteDeployment": "StopDeployment",
    "CreateDeploymentStrategies": "CreateDeploymentStrategy",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """An operation and the ids in its path, from the application down."""

    operation: str
    ids: tuple[str, ...]


def asked(method: str, path: str) -> Asked:
    """The operation of a request; the empty name for one that the model does not have here."""
    for name, pattern in _PATHS.items():
        if found := re.fullmatch(pattern, path):
            verb = (_ON_ONE if not name.endswith("s") else _ON_MANY).get(method, "")
            text = verb + name
            if verb == "Create":
                text = _NAMED.get(text, text.removesuffix("s"))
            return Asked(_NAMED.get(text, text) if verb else "", found.groups())
    return Asked("", ())


def error(status: int, code: str, message: str, **more: Any) -> Reply:
    """An error in the protocol rest-json: its code in a header, everything else in the body."""
    body = json.dumps({"Message": message, **more}).encode()
    return Reply(status, body, (("Content-Type", "application/json"), ("x-amzn-ErrorType", code)))


def lock_fault(given: str | None, latest: int) -> Reply | None:
    """`LatestVersionNumber` is the number of the latest version, or 409: model, where it is described."""
    if given is None or given == str(latest):
        return None
    return error(409, "ConflictException", f"The latest version number is {latest}, not {given}.")


def size_fault(content: bytes, limit: int) -> Reply | None:
    """What is larger than the quota is 413 with the limit: model, PayloadTooLargeException."""
    if not content:
        return error(400, "BadRequestException", "Content must have at least one byte.")
    if len(content) <= limit:
        return None
    sizes = {"Measure": "KILOBYTES", "Limit": limit / 1024, "Size": len(content) / 1024}
    return error(413, "PayloadTooLargeException", "The configuration is too large.", **sizes)


def flags_fault(content: bytes, type: str) -> Reply | None:
    """A profile for feature flags takes nothing else: guide, type reference of AWS.AppConfig.FeatureFlags."""
    if type == FLAGS and stamped(content, "") is None:
        return error(400, "BadRequestException", "The content is no feature flag document.")
    return None


def validator_fault(content: bytes, validators: Sequence[Mapping[str, str]]) -> Reply | None:
    """A document that breaks its schema is 400, with details that quote it: model, BadRequestDetails."""
    schemas = [json.loads(each["Content"]) for each in validators if each.get("Type") == "JSON_SCHEMA"]
    if not schemas:
        return None
    try:
        document = json.loads(content)
    except ValueError:
        return error(400, "BadRequestException", f"The content is not JSON: {content[:80]!r}")
    details = [detail for schema in schemas for detail in _broken(document, schema, "$")]
    if not details:
        return None
    return error(
        400,
        "BadRequestException",
        f"Error invoking extension JSON schema validator: {details[0]['Reason']}",
        Reason="InvalidConfiguration",
        Details={"InvalidConfiguration": details},
    )


_TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "null": type(None),
}


def _broken(value: Any, schema: Mapping[str, Any], where: str) -> Iterator[dict[str, str]]:
    """Part of draft 4: type, required, minimum, maximum, maxLength, enum, properties."""
    kind = schema.get("type")
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    checks = {
        "type": kind is None
        or (
            isinstance(value, _TYPES[kind])
            and not (isinstance(value, bool) and kind in ("integer", "number"))
        ),
        "required": not isinstance(value, dict) or set(schema.get("required", ())) <= set(value),
        "minimum": not is_number or value >= schema.get("minimum", value),
        "maximum": not is_number or value <= schema.get("maximum", value),
        "maxLength": not isinstance(value, str) or len(value) <= schema.get("maxLength", len(value)),
        "enum": value in schema.get("enum", [value]),
    }
    for name, kept in checks.items():
        if not kept:
            reason = f"{json.dumps(value)} breaks {name}"
            yield {"Constraint": name, "Location": where, "Reason": reason, "Value": json.dumps(value)}
    if isinstance(value, dict):
        for name, inner in schema.get("properties", {}).items():
            if name in value:
                yield from _broken(value[name], inner, f"{where}.{name}")


def stamped(content: bytes, now: str) -> bytes | None:
    """A flag document as it is kept, each flag with its times; None where it is no flag document: guide,
    type reference of AWS.AppConfig.FeatureFlags.
    """
    try:
        document = json.loads(content)
        flags = document["flags"]
        if document["version"] != "1" or not isinstance(document["values"], dict):
            return None
        for part in (flags, document["values"]):
            for each in part.values():
                each.setdefault("_createdAt", now)
                each["_updatedAt"] = now
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return json.dumps(document).encode()


def page_of(items: Sequence[Any], query: Mapping[str, str], size: int) -> dict[str, Any]:
    """At most ``size`` items, and a token while there are more: ministack has one page."""
    start = int(query.get("next_token") or 0)
    page: dict[str, Any] = {"Items": items[start : start + size]}
    if start + size < len(items):
        page["NextToken"] = str(start + size)
    return page
