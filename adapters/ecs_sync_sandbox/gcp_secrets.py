"""A stand-in for GCP Secret Manager: the v1 service over gRPC, by these rules.

Sources: S = the docstrings of google-cloud-secret-manager's ``types/{service,resources}.py``; E = the page
"Optimistic concurrency control with etags"; C = "Resource consistency"; Q = "Quotas and limits"; I =
"Access control with IAM"; T = reports of error texts in hashicorp/terraform-provider-google; U = unverified.
Each rule has a test of its number in ``tests/sandbox/test_gcp_secrets.py``.

====  ====================================================================================  =====
G1    a secret's id is 1 to 255 letters, digits, ``-`` and ``_``, else INVALID_ARGUMENT         S
G2    creating what is there is ALREADY_EXISTS                                                 S
G3    a global secret names its replication, a regional one must not                            S
G4    names in answers hold the project's number, whatever the call said                        S T
G5    versions count from 1, and from 1 again where a secret is deleted and made anew           S
G6    adding a version is unconditional, and moves nothing of the secret, its etag included     E
G7    a payload is of 1 to 65,536 bytes                                                         S T
G8    a payload's CRC32C is verified where given, made where not, and comes with the value      S
G9    ``latest`` is the version created last, whatever its state; NOT_FOUND where none is       S
G10   a disabled or destroyed version is not given out: FAILED_PRECONDITION                     S U
G11   an etag that is not the current one is FAILED_PRECONDITION; an empty one is not checked   E
G12   an update sets the fields of its mask; the etag moves also where nothing else does        E
G13   a delete takes all versions along, and the name is free at once                           S
G14   secrets are listed newest first, at most 25,000 in a page, all with the last token empty  S
G15   so are versions, destroyed ones included                                                  S
G16   an alias means its version in GetSecretVersion and AccessSecretVersion                    S
G17   destroying takes the value; with version_destroy_ttl it disables first, and schedules     S
G18   global and regional secrets are apart: a name can be in both                              S
G19   a call without a known token is UNAUTHENTICATED; what is not allowed PERMISSION_DENIED    I
G20   at most 64 labels of lower-case letters, digits, ``_``, ``-``; annotations under 16 KiB    S
G21   over quota is RESOURCE_EXHAUSTED, with or without google.rpc.RetryInfo                    Q U
G22   a version is had by its number at once; ``latest`` may lag                                C
====  ====================================================================================  =====
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, NoReturn, Self

import grpc
from google.cloud.secretmanager_v1 import types
from google.protobuf.empty_pb2 import Empty

from ecs_sync_sandbox.gcp_secrets_script import Damage, Fail, Hold, LoseAck, Script
from ecs_sync_sandbox.gcp_secrets_store import Refused, Secrets

SERVICE = "google.cloud.secretmanager.v1.SecretManagerService"
NUMBER = "424242424242"
MOST_A_PAGE = 25_000
PERMISSIONS = {
    "ListSecrets": "secrets.list",
    "CreateSecret": "secrets.create",
    "GetSecret": "secrets.get",
    "UpdateSecret": "secrets.update",
    "DeleteSecret": "secrets.delete",
    "AddSecretVersion": "versions.add",
    "GetSecretVersion": "versions.get",
    "ListSecretVersions": "versions.list",
    "AccessSecretVersion": "versions.access",
    "EnableSecretVersion": "versions.enable",
    "DisableSecretVersion": "versions.disable",
    "DestroySecretVersion": "versions.destroy",
}


@dataclass(frozen=True, slots=True)
class Called:
    """One call as it came: the method, and what it named."""

    method: str
    name: str
    metadata: dict[str, str] = field(repr=False)
    request: Any = field(repr=False)


class GcpSecretsServer:
    """The stand-in on a port of 127.0.0.1, for a ``with`` block.

    ``secrets`` is the state of the project, ``regional(location)`` that of a location, for edits from
    outside; ``requests`` is the log of all calls. The ``..._next`` methods plan a fault for the next call of
    a method. With ``tls`` (a private key and a certificate chain, in PEM) it speaks TLS, and with ``tokens``
    takes only these.
    """

    def __init__(
        self,
        *,
        project: str = "sandbox-1",
        port: int = 0,
        tls: tuple[bytes, bytes] | None = None,
        tokens: Iterable[str] | None = None,
    ) -> None:
        self.project = project
        self.requests: list[Called] = []
        self.most_a_page = MOST_A_PAGE
        self.tokens = None if tokens is None else set(tokens)
        self.secrets = Secrets(f"projects/{project}", NUMBER)
        self._regional: dict[str, Secrets] = {}
        self.script = script = Script(frozenset(_METHODS))
        self.fail_next, self.throttle_next = script.fail_next, script.throttle_next
        self.lose_ack_next, self.hold_next = script.lose_ack_next, script.hold_next
        self.damage_next, self.damage_value_next = script.damage_next, script.damage_value_next
        self.pass_next, self.before_next, self.deny = script.pass_next, script.before_next, script.deny
        self._lock = threading.Lock()
        self._server = grpc.server(ThreadPoolExecutor(32), options=(("grpc.so_reuseport", 0),))
        handlers = {name: _handler(name, self._answer) for name in _METHODS}
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
        where = f"127.0.0.1:{port}"
        if tls is None:
            bound = self._server.add_insecure_port(where)
        else:
            bound = self._server.add_secure_port(where, grpc.ssl_server_credentials([tls]))
        self.address = f"127.0.0.1:{bound}"

    def connection(self) -> dict[str, object]:
        """The entry of ``connections:`` that reaches it."""
        return {
            "adapter": "gcp-secrets",
            "project": self.project,
            "endpoint": self.address,
            "plaintext": True,
        }

    @property
    def environment(self) -> dict[str, str]:
        """What the entry takes from the environment: nothing."""
        return {}

    def regional(self, location: str) -> Secrets:
        with self._lock:
            parent = f"projects/{self.project}/locations/{location}"
            return self._regional.setdefault(location, Secrets(parent, NUMBER))

    def count(self, method: str | None = None) -> int:
        """How many calls came, of one method or of all."""
        return sum(method in (None, each.method) for each in self.requests)

    # Answering

    def _answer(self, method: str, request: Any, context: Any) -> Any:
        name = _named(request)
        metadata = {key: value for key, value in context.invocation_metadata() if isinstance(value, str)}
        with self._lock:
            self.requests.append(Called(method, name, metadata, request))
        fault = self.script.fault(method)
        if isinstance(fault, Fail):
            _abort(context, fault)
        if isinstance(fault, Hold):
            fault.released.wait()
        try:
            self._authorize(method, name, metadata)
            answer = _METHODS[method][1](self._state(name), request, self.most_a_page)
        except Refused as refused:
            _abort(context, Fail(refused.code, str(refused)))
        match fault:
            case LoseAck():
                _abort(context, Fail(grpc.StatusCode.UNAVAILABLE, "Socket closed"))
            case Hold():
                fault.done.set()
            case Damage():
                fault.change(answer)
            case None:
                pass
        return answer

    def _authorize(self, method: str, name: str, metadata: dict[str, str]) -> None:
        scheme, _, token = metadata.get("authorization", "").partition(" ")
        if self.tokens is not None and (scheme != "Bearer" or token not in self.tokens):
            raise Refused(grpc.StatusCode.UNAUTHENTICATED, "Request had invalid authentication credentials.")
        permission = f"secretmanager.{PERMISSIONS[method]}"
        secret = re.sub("/versions/.*", "", name).rpartition("/")[2]
        if (method, secret) in self.script.denied:
            text = f"Permission '{permission}' denied for resource '{name}' (or it may not exist)."
            raise Refused(grpc.StatusCode.PERMISSION_DENIED, text)

    def _state(self, name: str) -> Secrets:
        match = re.match("projects/([^/]+)(?:/locations/([^/]+))?", name)
        if match is None or match[1] not in (self.project, NUMBER):
            text = f"Permission denied on resource '{name}' (or it may not exist)."
            raise Refused(grpc.StatusCode.PERMISSION_DENIED, text)
        return self.secrets if match[2] is None else self.regional(match[2])

    def start(self) -> None:
        self._server.start()

    def stop(self) -> None:
        self.script.release()
        self._server.stop(None).wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _handler(method: str, answer: Callable[[str, Any, Any], Any]) -> Any:
    return grpc.unary_unary_rpc_method_handler(
        lambda request, context: answer(method, request, context),
        request_deserializer=_METHODS[method][0].deserialize,
        response_serializer=_serialized,
    )


def _serialized(answer: Any) -> bytes:
    plain = answer if isinstance(answer, Empty) else type(answer).pb(answer)
    return bytes(plain.SerializeToString())


def _abort(context: Any, fail: Fail) -> NoReturn:
    if fail.details is not None:
        context.set_trailing_metadata((("grpc-status-details-bin", fail.details),))
    context.abort(fail.code, fail.text)
    raise AssertionError("abort raises")


def _named(request: Any) -> str:
    """What a call names: a secret, a version, or the parent of those it lists or creates."""
    if isinstance(request, types.UpdateSecretRequest):
        return str(request.secret.name)
    if isinstance(request, types.CreateSecretRequest):
        return f"{request.parent}/secrets/{request.secret_id}"
    return str(getattr(request, "name", "") or request.parent)


def _parts(name: str) -> tuple[str, str]:
    """The secret and the version of a name."""
    match = re.search("/secrets/([^/]+)/versions/([^/]+)$", name)
    if match is None:
        raise Refused(grpc.StatusCode.INVALID_ARGUMENT, "Invalid resource field value in the request.")
    return match[1], match[2]


def _id(name: str) -> str:
    match = re.search("/secrets/([^/]+)$", name)
    if match is None:
        raise Refused(grpc.StatusCode.INVALID_ARGUMENT, "Invalid resource field value in the request.")
    return match[1]


def _size(request: Any, most: int) -> int:
    return min(request.page_size or MOST_A_PAGE, most)


def _list(state: Secrets, request: Any, most: int) -> types.ListSecretsResponse:
    page, token, total = state.page(_size(request, most), request.page_token)
    return types.ListSecretsResponse(secrets=page, next_page_token=token, total_size=total)


def _list_versions(state: Secrets, request: Any, most: int) -> types.ListSecretVersionsResponse:
    page, token, total = state.versions(_id(request.parent), _size(request, most), request.page_token)
    return types.ListSecretVersionsResponse(versions=page, next_page_token=token, total_size=total)


def _delete(state: Secrets, request: Any, _: int) -> Empty:
    state.delete(_id(request.name), request.etag)
    return Empty()


def _becoming(state_name: str) -> Callable[[Secrets, Any, int], types.SecretVersion]:
    return lambda state, request, _: state.become(*_parts(request.name), state_name, request.etag)


_METHODS: dict[str, tuple[Any, Callable[[Secrets, Any, int], Any]]] = {
    "ListSecrets": (types.ListSecretsRequest, _list),
    "CreateSecret": (types.CreateSecretRequest, lambda s, r, _: s.create(r.secret_id, r.secret)),
    "GetSecret": (types.GetSecretRequest, lambda s, r, _: s.read(_id(r.name))),
    "UpdateSecret": (types.UpdateSecretRequest, lambda s, r, _: s.update(r.secret, r.update_mask.paths)),
    "DeleteSecret": (types.DeleteSecretRequest, _delete),
    "AddSecretVersion": (types.AddSecretVersionRequest, lambda s, r, _: s.add(_id(r.parent), r.payload)),
    "GetSecretVersion": (types.GetSecretVersionRequest, lambda s, r, _: s.find(*_parts(r.name))),
    "ListSecretVersions": (types.ListSecretVersionsRequest, _list_versions),
    "AccessSecretVersion": (types.AccessSecretVersionRequest, lambda s, r, _: s.access(*_parts(r.name))),
    "EnableSecretVersion": (types.EnableSecretVersionRequest, _becoming("ENABLED")),
    "DisableSecretVersion": (types.DisableSecretVersionRequest, _becoming("DISABLED")),
    "DestroySecretVersion": (types.DestroySecretVersionRequest, _becoming("DESTROYED")),
}
