"""What went wrong in a call to an Azure service, as a value: by what it means for the caller.

Azure's texts may quote names and more of the request, so none is shown: a failure carries the status, the
service's own error code and a sentence of ours.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass

from azure.core.exceptions import (
    AzureError,
    HttpResponseError,
    ServiceRequestError,
    ServiceRequestTimeoutError,
    ServiceResponseError,
)
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from ecs_sync_adapters.azure_identity import TokenFailure, Trouble
from ecs_sync_adapters.azure_route import Route
from ecs_sync_adapters.failure_kind import Kind
from ecs_sync_adapters.http_trouble import causes, seconds


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed call. ``status`` is 0 where there was no answer; ``retry_after`` is in seconds."""

    kind: Kind
    reason: str
    status: int = 0
    code: str = ""
    retry_after: float | None = None


FAILURES: tuple[type[Exception], ...] = (AzureError, TokenFailure, OSError, RecursionError)
"""Whatever a call through an Azure SDK can raise; the last where an answer is nested too deep to be read."""


def failed(error: Exception, route: Route) -> Failure:
    """The failure that one of `FAILURES` means. 5xx and what is no HTTP at all are `Kind.UNANSWERED`."""
    if away := route.unsent(error):
        return Failure(Kind.DENIED if away.turned_away else Kind.UNSENT, away.reason)
    match error:
        case TokenFailure():
            return _tokenless(error)
        case HttpResponseError() if error.response is not None:
            given: Mapping[str, str] = getattr(error.response, "headers", {})
            headers = {name.lower(): text for name, text in given.items()}
            code = error.error.code if error.error is not None and error.error.code else ""
            return answered(int(error.response.status_code or 0), headers, str(code))
        case ServiceRequestError() if _unsent(error):
            return Failure(Kind.UNSENT, "no connection came about: check the endpoint, its name and its TLS")
        case OSError() if type(error) is OSError and error.errno is None:
            # What requests raises before it connects, of a file that is gone.
            return Failure(Kind.UNSENT, "ca_file cannot be read any more: put it back")
        case ServiceResponseError():
            return Failure(Kind.UNANSWERED, f"the answer did not come ({type(error).__name__})")
        case _:
            return Failure(Kind.UNANSWERED, f"no usable answer ({type(error).__name__})")


def answered(status: int, headers: Mapping[str, str], code: str = "") -> Failure:
    """The failure of an answer that is no success. Header names are in lower case."""
    match status:
        case 404:
            return Failure(Kind.MISSING, "it is not there", status, code)
        case 412:
            return Failure(Kind.MOVED, "it is not as it was expected to be", status, code)
        case 409:
            return Failure(Kind.STATE, "its state does not allow it", status, code)
        case 401:
            return Failure(Kind.DENIED, f"the credential is not accepted: {_RENEW}", status, code)
        case 403:
            reason = "the credential may not do this: give it the role of docs/providers"
            return Failure(Kind.DENIED, reason, status, code)
        case 429:
            wait = retry_after(headers)
            return Failure(Kind.THROTTLED, "Azure asks to slow down", status, code, wait)
        case _ if status >= 500 or status in (0, 408):
            return Failure(Kind.UNANSWERED, f"Azure failed with status {status}", status, code)
        case _ if 300 <= status < 400:
            reason = f"status {status}, a redirect: set the endpoint to where the service really is"
            return Failure(Kind.REFUSED, reason, status, code)
        case _ if status < 300:
            reason = f"status {status} is no answer of this service: check the endpoint and proxies"
            return Failure(Kind.UNANSWERED, reason, status, code)
    return Failure(Kind.REFUSED, f"Azure refused the request (status {status})", status, code)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that Azure asks to wait; None where it does not say so as a number. Names in lower case."""
    for name, unit in (("retry-after-ms", 0.001), ("x-ms-retry-after-ms", 0.001), ("retry-after", 1.0)):
        told = seconds(headers.get(name))
        if told is not None:
            return told * unit
    return None


def _tokenless(error: TokenFailure) -> Failure:
    match error.trouble:
        case Trouble.REFUSED:
            return Failure(Kind.DENIED, str(error))
        case Trouble.THROTTLED:
            return Failure(Kind.THROTTLED, str(error), retry_after=retry_after(error.headers))
        case Trouble.UNREACHABLE:
            return Failure(Kind.UNSENT, str(error))


def _unsent(error: ServiceRequestError) -> bool:
    """No connection came about. The SDK calls more than that a failure to send, a reset answer among it."""
    if isinstance(error, ServiceRequestTimeoutError):
        return True
    _, *wrapped = causes(error)
    unsent = (NewConnectionError, ConnectTimeoutError, ssl.SSLCertVerificationError)
    return not wrapped or any(isinstance(cause, unsent) for cause in wrapped)


_RENEW = "renew the key, the secret or the login, and check the machine's clock"
