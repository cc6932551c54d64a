"""A local AWS: moto's Parameter Store, Secrets Manager, KMS and STS behind a guard of what moto forgets.

    with AwsServer() as aws:
        aws.client().put_parameter(Name="/acme/mode", Value="on", Type="String")

moto runs in this process, called without a second HTTP hop (measured: 760 puts a second so, 330 through its
own threaded server), each server with an account of its own, so that servers do not see each other.
Whatever goes wrong on the way to AWS can be ordered: an error, a lost acknowledgement, a request held back,
a rate, a denied name, short and empty pages. From a shell: ``python -m ecs_sync_sandbox.aws --port 4566``.
"""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self
from xml.sax.saxutils import escape

import boto3
from botocore.config import Config
from botocore.loaders import create_loader
from botocore.session import Session
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.test import Client

from ecs_sync_sandbox.aws_exchange import Reply, listen
from ecs_sync_sandbox.aws_guard import Fault, Known, refusal, resolved_tier
from ecs_sync_sandbox.aws_kms import SERVICE, refused
from ecs_sync_sandbox.aws_pages import chosen, rest, token_after
from ecs_sync_sandbox.aws_script import Before, Bucket, Hold, LoseAck, SameToken, ShortPage, Step
from ecs_sync_sandbox.aws_secrets import Answer, Secrets

_MODELS = create_loader()
_ACCOUNTS = itertools.count(100_000_000_001)
_PAGED = {"DescribeParameters": 50, "GetParameterHistory": 50, "GetParametersByPath": 10}
_SECRETS = "secretsmanager."
_VALUES = ("Value", "SecretString", "SecretBinary", "Plaintext", "CiphertextBlob")
_PASSED = ("authorization", "content-type", "x-amz-target", "x-amz-date", "x-amz-security-token")
_MOTO_PAGE = 10
_LONGEST_HOLD = 60.0
KEYS = {
    "credential": "explicit",
    "access_key_id": "env:ECS_SYNC_SANDBOX_AWS_KEY_ID",
    "secret_access_key": "env:ECS_SYNC_SANDBOX_AWS_KEY",
}
"""How a connection says which keys it takes: never those that somebody has for AWS itself."""
KEYS_ENVIRONMENT = {"ECS_SYNC_SANDBOX_AWS_KEY_ID": "sandbox", "ECS_SYNC_SANDBOX_AWS_KEY": "sandbox"}


@dataclass(frozen=True, slots=True)
class Request:
    """One request as the server saw it, without the value in it: who asked, and with what status."""

    operation: str
    parameters: Mapping[str, Any]
    status: int
    access_key_id: str = ""


def _faulty(fault: Fault, headers: Mapping[str, str]) -> Reply:
    """An error in the protocol of the request: JSON, or XML for STS, whose requests are forms."""
    if "json" in headers.get("content-type", ""):
        kind = "application/x-amz-json-1.1"
        body = json.dumps({"__type": fault.code, "message": fault.message})
    else:
        kind = "text/xml"
        error = f"<Code>{escape(fault.code)}</Code><Message>{escape(fault.message)}</Message>"
        body = f"<ErrorResponse><Error>{error}</Error></ErrorResponse>"
    return Reply(fault.status, body.encode(), (("Content-Type", kind), *fault.headers))


class AwsServer:
    """A context manager. ``port`` 0 takes a free one; nothing but the loopback address is bound."""

    def __init__(self, port: int = 0, region: str = "eu-west-1") -> None:
        self.region = region
        self.requests: list[Request] = []
        self._account = str(next(_ACCOUNTS))
        self._moto = Client(DomainDispatcherApplication(create_backend_app))
        self._lock = threading.RLock()
        self._known: dict[str, Known] = {}
        self._elsewhere: dict[str, dict[str, Known]] = {}
        self._script: dict[str, deque[Step]] = defaultdict(deque)
        self._denied: set[tuple[str, str]] = set()
        self._limits: dict[str, tuple[Bucket, float]] = {}
        self._holds: list[Hold] = []
        self.secrets = Secrets(self._account, region, self._denied)
        self._serial = itertools.count(1)
        self._http = listen(self._answer, port)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for hold in self._holds:
            hold.released.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def connection(self, adapter: str = "aws-ssm") -> dict[str, Any]:
        """The entry of ``connections:`` that reaches it, with `environment` set: aws-ssm or aws-secrets."""
        return {"adapter": adapter, "region": self.region, "endpoint": self.url, **KEYS}

    @property
    def environment(self) -> dict[str, str]:
        """What the entry takes from the environment."""
        return KEYS_ENVIRONMENT

    def client(self, service: str = "ssm", **config: Any) -> Any:
        """A boto3 client of this server, for edits from outside. It retries nothing."""
        return client_of(self.url, self.region, service, **config)

    def count(self, operation: str) -> int:
        """How many requests of this operation came in so far."""
        return sum(request.operation == operation for request in self.requests)

    def names(self) -> list[str]:
        """The names of all parameters there are."""
        with self._lock:
            return list(self._known)

    # -- what shall go wrong

    def fail_next(
        self,
        operation: str,
        code: str,
        status: int = 400,
        times: int = 1,
        headers: Mapping[str, str] | None = None,
        message: str = "on demand",
    ) -> None:
        """The next requests of this operation are answered with an error and not carried out."""
        fault = Fault(code, message, status, tuple((headers or {}).items()))
        self._script[operation].extend([fault] * times)

    def lose_ack_next(self, operation: str, times: int = 1) -> None:
        """The next requests are carried out, and their connection is reset instead of an answer."""
        self._script[operation].extend([LoseAck()] * times)

    def hold_next(self, operation: str) -> Hold:
        """The next request waits until it is released, and is then carried out."""
        hold = Hold()
        self._holds.append(hold)
        self._script[operation].append(hold)
        return hold

    def before_next(self, operation: str, action: Callable[[], object]) -> None:
        """Runs ``action`` between the arrival of the next request and its carrying out."""
        self._script[operation].append(Before(action))

    def pass_next(self, operation: str, times: int = 1) -> None:
        """Lets requests through, so that what is ordered after meets a later one."""
        self._script[operation].extend([Before(lambda: None)] * times)

    def short_pages_next(self, operation: str, sizes: Sequence[int]) -> None:
        """The next pages of a listing hold at most so many items, zero included, and go on by a token."""
        self._script[operation].extend(ShortPage(size) for size in sizes)

    def same_token_next(self, operation: str, times: int = 1) -> None:
        """The next pages answer with the token they were asked with: a listing that never ends."""
        self._script[operation].extend([SameToken()] * times)

    def deny(self, operation: str, name: str) -> None:
        """From now on the operation is denied for a parameter, as a policy or a KMS key denies it."""
        self._denied.add((operation, name))

    def limit(self, operation: str, rate: float, burst: int) -> None:
        """From now on the operation is throttled over ``rate`` calls a second after ``burst`` calls."""
        self._limits[operation] = (Bucket(rate, burst, time.monotonic()), burst)

    # -- how a request is answered

    def _answer(self, operation: str, body: bytes, headers: Mapping[str, str]) -> Reply | None:
        is_json = "json" in headers.get("content-type", "")
        request: dict[str, Any] = json.loads(body or b"{}") if is_json else {}
        reply, kept = self._scripted(operation, request, body, headers)
        shown = {name: value for name, value in request.items() if name not in _VALUES}
        signer = headers.get("authorization", "").partition("Credential=")[2].partition("/")[0]
        self.requests.append(Request(operation, shown, reply.status, signer))
        return reply if kept else None

    def _scripted(
        self, operation: str, request: dict[str, Any], body: bytes, headers: Mapping[str, str]
    ) -> tuple[Reply, bool]:
        """The reply, and whether the client gets to see it."""
        if fault := self._standing_fault(operation, request):
            return _faulty(fault, headers), True
        with self._lock:
            step = self._script[operation].popleft() if self._script[operation] else None
        size, token = None, None
        match step:
            case Fault():
                return _faulty(step, headers), True
            case Hold():
                step.arrived.set()
                step.released.wait(_LONGEST_HOLD)
            case Before():
                step.action()
            case ShortPage():
                size = step.size
            case SameToken():
                token = request.get("NextToken", "0.0")
            case LoseAck() | None:
                pass
        reply = self._carry_out(operation, request, body, headers, size, token)
        if isinstance(step, Hold):
            step.done.set()
        return reply, not isinstance(step, LoseAck)

    def _standing_fault(self, operation: str, request: Mapping[str, Any]) -> Fault | None:
        names = request.get("Names") or [
            request.get("Name") or request.get("SecretId") or request.get("KeyId")
        ]
        for name in names:
            if (operation, name) in self._denied:
                service = "kms" if "KeyId" in request else "secretsmanager" if "ecret" in operation else "ssm"
                action = f"{service}:{operation}"
                return Fault("AccessDeniedException", f"not authorized to perform {action} on {name}")
        with self._lock:
            if operation in self._limits:
                bucket, burst = self._limits[operation]
                if not bucket.take(burst):
                    return Fault("ThrottlingException", "Rate exceeded")
        return None

    def _carry_out(
        self,
        operation: str,
        request: dict[str, Any],
        body: bytes,
        headers: Mapping[str, str],
        size: int | None,
        token: str | None,
    ) -> Reply:
        with self._lock:
            if headers.get("x-amz-target", "").startswith(_SECRETS):
                return self._secret(operation, request, headers, size, token)
            fault = refused(operation, request, lambda key: self._kms_key(key, headers))
            known = self._known_to(headers)
            if fault := fault or refusal(operation, request, known, self.region):
                return _faulty(fault, headers)
            if operation in _PAGED:
                return self._page(operation, request, headers, size, token)
            if operation == "PutParameter":
                existing = known.get(request["Name"])
                request = {**request, "Tier": resolved_tier(request, existing)}
                body = json.dumps(request).encode()
            reply = self._ask_moto(body, headers)
            if reply.status == 200:
                self._learn(known, operation, request, json.loads(reply.body) if request else {})
            return reply

    def _kms_key(self, key: str, headers: Mapping[str, str]) -> Mapping[str, Any] | None:
        target = {**headers, "x-amz-target": f"{SERVICE}DescribeKey"}
        reply = self._ask_moto(json.dumps({"KeyId": key}).encode(), target)
        found: dict[str, Any] = json.loads(reply.body)
        return found["KeyMetadata"] if reply.status == 200 else None

    def _secret(
        self,
        operation: str,
        request: Mapping[str, Any],
        headers: Mapping[str, str],
        size: int | None,
        token: str | None,
    ) -> Reply:
        def moto(operation: str, request: Mapping[str, Any]) -> Answer | Fault:
            target = {**headers, "x-amz-target": _SECRETS + operation}
            reply = self._ask_moto(json.dumps(request).encode(), target)
            told: dict[str, Any] = json.loads(reply.body)
            return told if reply.status == 200 else Fault(told["__type"], told.get("message", ""))

        answer = self.secrets.carry_out(operation, request, moto, size, token)
        if isinstance(answer, Fault):
            return _faulty(answer, headers)
        kind = ("Content-Type", "application/x-amz-json-1.1")
        return Reply(200, json.dumps(answer).encode(), (kind,))

    def _known_to(self, headers: Mapping[str, str]) -> dict[str, Known]:
        """The parameters of the region that a request is signed for."""
        signed = headers.get("authorization", "").partition("Credential=")[2].split("/")
        region = signed[2] if len(signed) > 2 else self.region
        return self._known if region == self.region else self._elsewhere.setdefault(region, {})

    def _learn(
        self,
        known: dict[str, Known],
        operation: str,
        request: Mapping[str, Any],
        answer: Mapping[str, Any],
    ) -> None:
        if operation == "PutParameter":
            old = known.get(request["Name"])
            known[request["Name"]] = Known(
                request.get("Type") or (old.type if old else ""),
                answer["Tier"],
                request.get("AllowedPattern") or (old.allowed_pattern if old else ""),
            )
        elif operation in ("DeleteParameter", "DeleteParameters"):
            for name in request.get("Names") or [request.get("Name")]:
                known.pop(name, None)

    def _ask_moto(self, body: bytes, headers: Mapping[str, str]) -> Reply:
        passed = {name: headers[name] for name in _PASSED if name in headers}
        passed["x-moto-account-id"] = self._account
        response = self._moto.post("/", data=body, headers=passed)
        kind = response.headers.get("Content-Type", "application/x-amz-json-1.1")
        return Reply(response.status_code, response.get_data(), (("Content-Type", kind),))

    def _page(
        self,
        operation: str,
        request: dict[str, Any],
        headers: Mapping[str, str],
        size: int | None,
        token: str | None,
    ) -> Reply:
        """One page of at most MaxResults items, or of ``size``; moto always answers ten descriptions."""
        wanted = min(
            request.get("MaxResults", _PAGED[operation]), _PAGED[operation] if size is None else size
        )
        first = self._ask_moto(json.dumps({**request, "NextToken": "0"}).encode(), headers)
        if first.status != 200:
            return first
        names = None
        if operation == "DescribeParameters":
            names = chosen(self._known_to(headers), request.get("ParameterFilters"))
        if names is None:
            page = self._page_by_offset(operation, request, headers, wanted)
        else:
            page = self._page_by_name(names, request, headers, wanted)
        if token is not None:
            page["NextToken"] = token
        return Reply(200, json.dumps(page).encode(), (("Content-Type", "application/x-amz-json-1.1"),))

    def _page_by_name(
        self, names: Sequence[str], request: Mapping[str, Any], headers: Mapping[str, str], wanted: int
    ) -> dict[str, Any]:
        given = request.get("NextToken")
        left = rest(names, given)
        shown = left[:wanted]
        found: dict[str, Any] = {}
        for start in range(0, len(shown), _MOTO_PAGE):
            filters = [{"Key": "Name", "Option": "Equals", "Values": shown[start : start + _MOTO_PAGE]}]
            reply = self._ask_moto(json.dumps({"ParameterFilters": filters}).encode(), headers)
            found |= {each["Name"]: each for each in json.loads(reply.body)["Parameters"]}
        page: dict[str, Any] = {"Parameters": [found[name] for name in shown]}
        if len(left) > wanted:
            page["NextToken"] = token_after(shown[-1] if shown else None, given, next(self._serial))
        return page

    def _page_by_offset(
        self, operation: str, request: Mapping[str, Any], headers: Mapping[str, str], wanted: int
    ) -> dict[str, Any]:
        start = int(str(request.get("NextToken") or "0.0").partition(".")[0])
        found: list[Any] = []
        more = True
        while more and len(found) <= wanted:
            asked = {**request, "NextToken": str(start + len(found)), "MaxResults": _PAGED[operation]}
            answer = json.loads(self._ask_moto(json.dumps(asked).encode(), headers).body)
            found += answer["Parameters"]
            more = bool(answer.get("NextToken"))
        page: dict[str, Any] = {"Parameters": found[:wanted]}
        if len(found) > wanted:
            page["NextToken"] = f"{start + wanted}.{next(self._serial)}"
        return page


def client_of(url: str, region: str = "eu-west-1", service: str = "ssm", **config: Any) -> Any:
    """A boto3 client of the sandbox at ``url``, with credentials that only a sandbox takes."""
    retries: Any = {"mode": "standard", "total_max_attempts": 1}
    session = Session()
    # Read once for all clients: that is most of what it costs to make one.
    session.register_component("data_loader", _MODELS)
    made: Any = boto3.Session(botocore_session=session)
    return made.client(
        service,
        endpoint_url=url,
        region_name=region,
        aws_access_key_id="sandbox",
        aws_secret_access_key="sandbox",  # noqa: S106
        config=Config(retries=retries, **config),
    )
