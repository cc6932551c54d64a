"""One errand at AppConfig: its calls, counted, and what goes wrong in them in AppConfig's own terms."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from ecs_sync.adapter import Page, counted
from ecs_sync.errors import AdapterError, Rejected, Unavailable
from ecs_sync_adapters.aws_errors import Failure, Shape, ask, in_terms
from ecs_sync_adapters.failure_kind import Kind, reading_error

_PAGE = 50

MISSING = "ResourceNotFoundException"
CONFLICT = "ConflictException"

T = TypeVar("T")


class Gone(Rejected):
    """What the path of a call names is not there, or no longer."""


@dataclass(slots=True)
class Line:
    """A client for one errand, which is one thread's. ``calls`` counts what was asked of AWS so far."""

    client: Any
    calls: int = 0

    def ask(self, operation: str, **request: Any) -> Any | Failure:
        """The answer of one call, or its failure. ``Content`` in it is bytes."""
        self.calls += 1
        send = getattr(self.client, operation)

        def sent(**given: Any) -> Any:
            answer = send(**given)
            if "Content" in answer:
                # The body comes in a stream of its own, which can break off as the answer itself can.
                answer["Content"] = answer["Content"].read()
            return answer

        sent.__name__ = operation
        return ask(sent, _SHAPES[operation], **request)

    def read(self, operation: str, doing: str, **request: Any) -> Any:
        """The answer of one call that changes nothing. Raises what became of it instead."""
        answer = self.ask(operation, **request)
        if isinstance(answer, Failure):
            raise error_of(answer, doing)
        return answer

    def patiently(self, ask: Callable[[], T]) -> Generator[Page, None, tuple[T, int]]:
        """What ``ask`` gives, and the calls that it took: see `ecs_sync.adapter.counted`."""
        return (yield from counted(ask, lambda: self.calls))

    def pages(self, operation: str, doing: str, **request: Any) -> Iterator[list[Any]]:
        """The items of a listing, fifty a call. Raises where it breaks off, or where it has no end."""
        given: set[str] = set()
        while True:
            answer = self.read(operation, doing, MaxResults=_PAGE, **request)
            yield answer["Items"]
            token = answer.get("NextToken")
            if not token:
                return
            if token in given:
                raise Unavailable(f"{doing}: AppConfig gave a page token twice, so its pages have no end")
            given.add(token)
            request["NextToken"] = token


def error_of(failure: Failure, doing: str) -> AdapterError:
    """The exception for a failed call that changes nothing at the item, whatever else it may have made."""
    if failure.kind is Kind.REFUSED:
        kind = Gone if failure.code == MISSING else Rejected
        return kind(f"{doing}: {reason_of(failure)}")
    return reading_error(failure, doing)


def reason_of(failure: Failure) -> str:
    """Why AppConfig refuses, in a sentence that quotes nothing of the document."""
    if failure.invalid:
        return f"the profile's validator does not take the document: {'; '.join(failure.invalid)}"
    return in_terms(failure, _REFUSED).reason


_NAMED = Shape(("Items",), ("Id", "Name"))
_SHAPES = {
    "create_configuration_profile": Shape(("Id",)),
    "create_hosted_configuration_version": Shape(("VersionNumber",)),
    "get_hosted_configuration_version": Shape(("VersionNumber",)),
    "list_applications": _NAMED,
    "list_configuration_profiles": _NAMED,
    "list_deployment_strategies": _NAMED,
    "list_deployments": Shape(("Items",), ("DeploymentNumber",)),
    "list_environments": _NAMED,
    "list_hosted_configuration_versions": Shape(("Items",), ("VersionNumber",)),
    "start_deployment": Shape(("DeploymentNumber",)),
}
_REFUSED = {
    "BadRequestException": (
        "AppConfig does not take the request: look at the profile's validators, the content type and the "
        "strategy"
    ),
    "ParamValidation": (
        "AppConfig does not take the request: look at names, content type and strategy, and that the "
        "document is not empty"
    ),
    CONFLICT: "something else moved there at the same time",
    "PayloadTooLargeException": "the document is larger than the hosted store takes: raise its quota",
    MISSING: "it is not there: check application, environment, profile and strategy",
    "ServiceQuotaExceededException": (
        "the quota is used up. Of the hosted store, delete versions that are deployed nowhere, or raise it"
    ),
}
