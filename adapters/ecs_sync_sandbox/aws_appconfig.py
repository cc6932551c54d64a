"""A local AppConfig: ministack's, in this process, behind a guard that enforces what it forgets.

    with AppConfigServer() as appconfig:
        appconfig.client().list_applications()

From ministack are resources, deployments that advance with time, their number lock and the rule of one
deployment at a time in an environment. From `aws_appconfig_rules`, with their sources: the version lock,
sizes, validators, descriptions of versions, times inside of feature flags, paging, and deployments newest
first with the ids of their profiles. ministack opens no port: only this server does, on the loopback address.
Time is the server's own: `advance` lets minutes pass. Faults are those of `HttpServer`, with `on` to say
which operation they meet.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from types import SimpleNamespace
from typing import Any, Self

from ministack.core.responses import request_scope
from ministack.services import appconfig as ministack

from ecs_sync_sandbox.aws import KEYS, KEYS_ENVIRONMENT, client_of
from ecs_sync_sandbox.aws_appconfig_rules import (
    FLAGS,
    Asked,
    asked,
    error,
    flags_fault,
    lock_fault,
    page_of,
    size_fault,
    stamped,
    validator_fault,
)
from ecs_sync_sandbox.http_server import HttpServer, Reply, Request, When

INSTANT = "instant"
"""The name of a strategy whose deployments are complete at once."""

_ACCOUNTS = itertools.count(200_000_000_001)
_LOCK = threading.RLock()
_ahead: ContextVar[float] = ContextVar("seconds_ahead", default=0.0)
_MOST = 50

# ministack reads the time from its module's name `time`: so each server has a clock of its own.
vars(ministack)["time"] = SimpleNamespace(
    time=lambda: time.time() + _ahead.get(), strftime=time.strftime, gmtime=time.gmtime
)


class AppConfigServer:
    """A context manager. ``port`` 0 takes a free one. ``applications`` and their environments are there at
    once, and so is the strategy `INSTANT`.
    """

    def __init__(
        self,
        port: int = 0,
        region: str = "eu-west-1",
        applications: Mapping[str, Sequence[str]] = {"acme": ("prod", "staging")},
        max_bytes: int = 2 * 1024 * 1024,
        page: int = _MOST,
    ) -> None:
        self.region = region
        self._account = str(next(_ACCOUNTS))
        self._limit, self._page_size = max_bytes, page
        self._ahead = 0.0
        self._applications = applications
        self._descriptions: dict[tuple[str, ...], str] = {}
        self._meddling: list[tuple[str, Callable[[], object]]] = []
        self.http = HttpServer(self._respond, port=port)
        self.url = self.http.url

    def __enter__(self) -> Self:
        self.http.__enter__()
        client = self.client()
        client.create_deployment_strategy(
            Name=INSTANT,
            DeploymentDurationInMinutes=0,
            GrowthFactor=100.0,
            FinalBakeTimeInMinutes=0,
            ReplicateTo="NONE",
        )
        for name, environments in self._applications.items():
            id = client.create_application(Name=name)["Id"]
            for environment in environments:
                client.create_environment(ApplicationId=id, Name=environment)
        client.close()
        self.http.requests.clear()
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def client(self, **config: Any) -> Any:
        """A boto3 client of this server, for edits from outside. It retries nothing."""
        return client_of(self.url, self.region, "appconfig", **config)

    def connection(self) -> dict[str, Any]:
        """The entry under ``connections:`` that reaches this server, with `environment` set."""
        return {
            "adapter": "aws-appconfig",
            "region": self.region,
            "endpoint": self.url,
            "strategy": INSTANT,
            "missing_profile": "create",
            **KEYS,
        }

    @property
    def environment(self) -> dict[str, str]:
        """What the entry takes from the environment."""
        return KEYS_ENVIRONMENT

    def advance(self, minutes: float) -> None:
        """Lets so much time pass for deployments."""
        self._ahead += minutes * 60

    def before_next(self, operation: str, action: Callable[[], object]) -> None:
        """Runs ``action`` between the arrival of the next request of this operation and its carrying out."""
        self._meddling.append((operation, action))

    def operations(self) -> list[str]:
        """The operations that were asked for so far, in order, faulty ones included."""
        return [asked(request.method, request.path).operation for request in self.http.requests]

    def count(self, operation: str) -> int:
        """How many requests of this operation came in so far."""
        return self.operations().count(operation)

    # -- how a request is answered

    def _respond(self, request: Request) -> Reply:
        what = asked(request.method, request.path)
        for step in self._meddling:
            if step[0] == what.operation:
                self._meddling.remove(step)
                step[1]()
                break
        with _LOCK, request_scope(self._account, self.region):
            token = _ahead.set(self._ahead)
            try:
                return self._refusal(what, request) or self._carried_out(what, request)
            finally:
                _ahead.reset(token)

    def _refusal(self, what: Asked, request: Request) -> Reply | None:
        match what.operation:
            case "":
                return error(404, "UnknownOperationException", "no such operation")
            case "CreateHostedConfigurationVersion":
                profile = self._profile(what)
                if profile is None:
                    return None
                given = request.headers.get("latest-version-number")
                return (
                    lock_fault(given, self._latest(what))
                    or size_fault(request.body, self._limit)
                    or flags_fault(request.body, profile["Type"])
                    or validator_fault(request.body, profile.get("Validators", ()))
                )
            case "StartDeployment":
                body = json.loads(request.body)
                key = (what.ids[0], body["ConfigurationProfileId"], body["ConfigurationVersion"])
                if "/".join(key) not in ministack._hosted_versions:
                    return error(404, "ResourceNotFoundException", f"Version {key[2]} does not exist.")
        return None

    def _carried_out(self, what: Asked, request: Request) -> Reply:
        body = request.body
        if what.operation == "CreateHostedConfigurationVersion":
            profile = self._profile(what)
            if profile is not None and profile["Type"] == FLAGS:
                body = stamped(body, ministack._iso(time.time())) or body
        reply = self._ministack(request, body)
        if reply.status >= 400:
            return reply
        match what.operation:
            case "CreateHostedConfigurationVersion":
                number = dict(reply.headers)["Version-Number"]
                self._descriptions[(*what.ids, number)] = request.headers.get("description", "")
            case "GetHostedConfigurationVersion":
                told = self._descriptions.get(what.ids, "")
                headers = (*reply.headers, ("Description", told)) if told else reply.headers
                return dataclasses.replace(reply, headers=headers)
            case operation if operation.startswith("List"):
                return self._listed(what, request)
        return reply

    def _ministack(self, request: Request, body: bytes, path: str = "") -> Reply:
        query = {name: [value] for name, value in request.query.items()}
        answer = ministack.handle_request(request.method, path or request.path, request.headers, body, query)
        status, headers, content = asyncio.run(answer)
        return Reply(status, content, tuple(headers.items()))

    def _listed(self, what: Asked, request: Request) -> Reply:
        """All items from ministack, in AppConfig's order and pages."""
        everything = dataclasses.replace(
            request, target=request.target.partition("?")[0] + "?max_results=999999"
        )
        reply = self._ministack(everything, b"")
        assert isinstance(reply.body, bytes)
        items = json.loads(reply.body)["Items"]
        if what.operation == "ListDeployments":
            items.sort(key=lambda each: -each["DeploymentNumber"])
            for each in items:
                key = "/".join((*what.ids, str(each["DeploymentNumber"])))
                each["ConfigurationProfileId"] = ministack._deployments[key]["ConfigurationProfileId"]
        if what.operation == "ListHostedConfigurationVersions":
            for each in items:
                each["Description"] = self._descriptions.get((*what.ids, str(each["VersionNumber"])), "")
        size = min(int(request.query.get("max_results", _MOST)), self._page_size)
        body = json.dumps(page_of(items, request.query, size)).encode()
        return Reply(200, body, (("Content-Type", "application/json"),))

    def _profile(self, what: Asked) -> Mapping[str, Any] | None:
        found: Mapping[str, Any] | None = ministack._config_profiles.get("/".join(what.ids[:2]))
        return found

    def _latest(self, what: Asked) -> int:
        return int(ministack._latest_hosted_version_number(*what.ids[:2]))


def on(operation: str) -> When:
    """Requests of this operation."""
    return lambda request: asked(request.method, request.path).operation == operation
