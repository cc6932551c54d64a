"""What went wrong in a call to Secret Manager, as a value: by what it means, never quoting the request.

A failure carries a sentence of ours. Of Google's own text come along, where a permission is missing, the
names of the permission and of the resource: nothing else helps as much.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import grpc
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from ecs_sync_adapters.failure_kind import Kind


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed call. ``reason`` is a sentence fit for people and never holds a value."""

    kind: Kind
    reason: str
    retry_after: float | None = None


def failed(error: object) -> Failure:
    """What an error of gRPC means: a `grpc.RpcError`, which is the call itself, and so knows its status."""
    if not isinstance(error, grpc.Call):
        return Failure(Kind.UNANSWERED, "no usable answer from Secret Manager")
    code, text = error.code(), error.details() or ""
    if code is grpc.StatusCode.UNAVAILABLE and _never_connected(text):
        return Failure(Kind.UNSENT, _UNREACHABLE)
    kind, reason = _TABLE.get(code, _ODD)
    if kind is Kind.DENIED:
        reason = _denial(text)
    if kind is Kind.UNANSWERED:
        reason = f"{reason} ({code.name})"
    return Failure(kind, reason, _retry_after(error) if kind is Kind.THROTTLED else None)


def _denial(text: str) -> str:
    """Which permission is missing on what: names, and nothing else of the text, which may repeat a value."""
    told = re.findall(r"\b(?:secretmanager|cloudkms|iam)\.[A-Za-z]+\.[A-Za-z]+\b|\bprojects/[\w:./-]+", text)
    return "permission denied" + "".join(f", {name}" for name in list(dict.fromkeys(told))[:4])


def _never_connected(text: str) -> bool:
    """Whether gRPC's own words say that there was no connection to send on.

    Every other UNAVAILABLE may be an answer that got lost: gRPC uses the one status for both.
    """
    return text.startswith(
        ("failed to connect to all addresses", "errors resolving", "DNS resolution failed")
    )


def _retry_after(error: grpc.Call) -> float | None:
    """Seconds of ``google.rpc.RetryInfo`` among the details of the status, where there is one."""
    for name, packed in error.trailing_metadata() or ():
        if name != "grpc-status-details-bin" or not isinstance(packed, bytes):
            continue
        try:
            for detail in Status.FromString(packed).details:
                told = RetryInfo()
                if detail.Unpack(told) and told.HasField("retry_delay"):
                    return float(told.retry_delay.seconds + told.retry_delay.nanos / 1e9)
        except DecodeError:
            return None
    return None


_UNREACHABLE = "Secret Manager is not reachable: check endpoint, location, proxy, network and certificates"
_ODD = (Kind.UNANSWERED, "Secret Manager gave no usable answer")
_INVALID = (
    "Secret Manager does not take the request: look at the value's size, the name, the labels, and the "
    "replication that the connection asks for"
)
_TABLE: dict[grpc.StatusCode, tuple[Kind, str]] = {
    grpc.StatusCode.NOT_FOUND: (Kind.MISSING, "there is no such secret, version or project"),
    grpc.StatusCode.ALREADY_EXISTS: (Kind.EXISTS, "it exists already"),
    grpc.StatusCode.FAILED_PRECONDITION: (
        Kind.STATE,
        "its state does not allow that: it moved, is disabled or destroyed, its KMS key is not usable, or a "
        "policy of the organization forbids the replication",
    ),
    grpc.StatusCode.INVALID_ARGUMENT: (Kind.REFUSED, _INVALID),
    grpc.StatusCode.OUT_OF_RANGE: (Kind.REFUSED, _INVALID),
    grpc.StatusCode.UNIMPLEMENTED: (
        Kind.REFUSED,
        "what answers is not Secret Manager: check endpoint and location",
    ),
    grpc.StatusCode.PERMISSION_DENIED: (Kind.DENIED, ""),
    grpc.StatusCode.UNAUTHENTICATED: (
        Kind.IDENTITY,
        "the credential is not accepted: log in again or renew it, and check the machine's clock",
    ),
    grpc.StatusCode.RESOURCE_EXHAUSTED: (Kind.THROTTLED, "Secret Manager asks to slow down"),
    # Two calls for one secret at a time, and this one was given up: it has had no effect.
    grpc.StatusCode.ABORTED: (Kind.UNSENT, "Secret Manager gave it up for another call at the same time"),
    grpc.StatusCode.DEADLINE_EXCEEDED: (Kind.UNANSWERED, "Secret Manager did not answer in time"),
}
