"""What went wrong in a call to AWS, as a value: by what it means for the caller, never quoting the request.

AWS quotes parameter values in some of its messages, and so do the SDK's own. A failure therefore carries
the error's code and a sentence of ours; AWS's text comes along only where a permission is missing, because
that one names the principal, the action and the resource, and nothing else helps as much.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from botocore import exceptions as sdk
from botocore.parsers import ResponseParserError

from ecs_sync_adapters.aws_session import unlogged
from ecs_sync_adapters.failure_kind import Kind
from ecs_sync_adapters.http_trouble import LOGIN, Unsent, unsent


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed call. ``reason`` is a sentence fit for people and never holds a value."""

    kind: Kind
    code: str
    reason: str
    retry_after: float | None = None
    missing_type: bool = False
    """SSM asked for the type of a new parameter: what was to be updated is not there."""
    invalid: tuple[str, ...] = ()
    """The constraints that AppConfig's validator found broken, each with its location in the schema."""
    gone: bool = False
    """Secrets Manager has no such secret, or one that is scheduled for deletion."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What an answer has: these fields, and in each entry of the first one, a list, these of its own."""

    fields: tuple[str, ...]
    entries: tuple[str, ...] = ()

    def fits(self, answer: Any) -> bool:
        if not isinstance(answer, Mapping) or any(answer.get(name) is None for name in self.fields):
            return False
        if not self.entries:
            return True
        listed = answer[self.fields[0]]
        return isinstance(listed, list) and all(
            isinstance(entry, Mapping) and all(entry.get(name) is not None for name in self.entries)
            for entry in listed
        )


def ask(operation: Callable[..., Any], shape: Shape, **request: Any) -> Any | Failure:
    """The answer of one SDK call, which has this shape, or its failure.

    The SDK takes every 200 for an answer, a proxy's too, which would read as a complete and empty listing.
    """
    answer = call(operation, **request)
    return answer if isinstance(answer, Failure) or shape.fits(answer) else _NOT_AWS


def call(operation: Callable[..., Any], **request: Any) -> Any | Failure:
    """The answer of one SDK call, or its failure. The SDK's exception, which may quote a value, ends here."""
    try:
        with unlogged():
            return operation(**request)
    except sdk.ClientError as error:
        return _answered(error, operation.__name__)
    except (*_IDENTITY,) as error:
        why = _MFA if isinstance(error, sdk.RefreshWithMFAUnsupportedError) else _NO_CREDENTIAL
        return Failure(Kind.IDENTITY, type(error).__name__, f"no usable credential: {why}")
    except (sdk.EndpointConnectionError, sdk.ConnectTimeoutError) as error:
        return Failure(Kind.UNSENT, type(error).__name__, _UNREACHABLE)
    except sdk.SSLError as error:
        return Failure(Kind.UNSENT if _away(error) else Kind.UNANSWERED, "SSLError", _TLS)
    except sdk.ParamValidationError:
        return Failure(Kind.REFUSED, "ParamValidation", "the request is not one that AWS takes")
    except (sdk.BotoCoreError, ResponseParserError) as error:
        return _lost(error)
    except OSError as error:
        # Errors of the network are the SDK's own, and caught above: this is a file of the credential chain.
        return Failure(Kind.IDENTITY, type(error).__name__, f"no usable credential: {_NO_CREDENTIAL}")
    except (AttributeError, LookupError, TypeError, ValueError):
        # The SDK's parsers stumble so over what is JSON and no answer of AWS.
        return _NOT_AWS


def in_terms(failure: Failure, refused: Mapping[str, str]) -> Failure:
    """The failure with the reason that a service has for its code. None of them quotes a value."""
    if failure.kind is not Kind.REFUSED:
        return failure
    return replace(failure, reason=refused.get(failure.code, failure.reason))


def is_stale(code: str) -> bool:
    """Does this error mean that the credential was good once, or never, and another one may be there now?"""
    return code in _STALE_CREDENTIAL


def failed_entry(code: str, text: str) -> Failure:
    """The failure of one of many that a call asked for, as its answer tells it."""
    if code in _UNTOLD:
        return Failure(Kind.UNANSWERED, code, f"AWS failed with {code}")
    told: Any = {"Error": {"Code": code, "Message": text}, "ResponseMetadata": {"HTTPStatusCode": 400}}
    return _answered(sdk.ClientError(told, "entry"), "entry")


def _lost(error: sdk.BotoCoreError | ResponseParserError) -> Failure:
    """What broke on the way. The SDK blames a proxy for an answer that was lost too, as urllib3 does."""
    name, away = type(error).__name__, _away(error)
    if away is None:
        return Failure(Kind.UNANSWERED, name, f"no usable answer from AWS ({name})")
    if away.turned_away:
        return Failure(Kind.IDENTITY, name, away.reason)
    return Failure(Kind.UNSENT, name, _UNREACHABLE)


def _away(error: Exception) -> Unsent | None:
    """Why a request certainly had no effect, by what the SDK wraps; None where that is not known."""
    wrapped = getattr(error, "kwargs", {}).get("error")
    return unsent(wrapped) if isinstance(wrapped, Exception) else None


def _answered(error: sdk.ClientError, operation: str) -> Failure:
    answer: Mapping[str, Any] = error.response
    code = _code(str(answer.get("Error", {}).get("Code", "")))
    text = str(answer.get("Error", {}).get("Message", ""))
    about: Mapping[str, Any] = answer.get("ResponseMetadata", {})
    status = int(about.get("HTTPStatusCode", 0))
    asked = error.operation_name.replace("_", "").lower() == operation.replace("_", "").lower()
    if code in _THROTTLING or status == 429:
        wait = _retry_after(about.get("HTTPHeaders", {}))
        return Failure(Kind.THROTTLED, code, f"AWS asks to slow down ({code})", wait)
    if 0 < status < 400:
        return _NOT_AWS
    if status == 407:
        return Failure(Kind.IDENTITY, code, LOGIN)
    if status >= 500 or status == 408 or code in _UNTOLD:
        # A 5xx of another operation is one of the credential chain: ours was never sent.
        kind = Kind.UNANSWERED if asked else Kind.UNSENT
        failed = f"AWS failed with status {status} in {error.operation_name}"
        return Failure(kind, code, f"{failed} ({code})" if code else failed)
    if code in _STALE_CREDENTIAL or not asked:
        return Failure(Kind.IDENTITY, code, f"the credential is not accepted ({code}): {_STALE}")
    if code in _DENYING or status == 403:
        # A 403 without AWS's code is a proxy's, which may repeat the request.
        return Failure(Kind.DENIED, code, _denial(code, text if code in _DENYING else ""))
    reason = f"AWS refused the request ({code or status})"
    missing = code == "ValidationException" and "type is required" in text
    return Failure(
        Kind.REFUSED, code, reason, missing_type=missing, invalid=_broken(answer), gone=_is_gone(code, text)
    )


def _code(told: str) -> str:
    """The error's name; empty where it is none: an answer that repeats the request may hold a value there."""
    return told if re.fullmatch(r"[A-Z][A-Za-z.]{1,79}", told) else ""


def _denial(code: str, text: str) -> str:
    """Who may not do what with which: names of actions and resources, and nothing else of the text."""
    told = dict.fromkeys(re.findall(r"\b[a-z]+:[A-Z][A-Za-z]+\b|\barn:aws[\w-]*:[\w+=,.@:/*-]+", text))
    names = ", ".join(list(told)[:6])
    return f"{code or 'access denied'}: not authorized" + (f" to perform {names}" if names else "")


def _is_gone(code: str, text: str) -> bool:
    """No secret; and not one without a value, of which the text tells and the code does not."""
    match code:
        case "ResourceNotFoundException":
            return "the specified secret." in text
        case "InvalidRequestException":
            return "marked for deletion" in text or "marked deleted" in text
        case _:
            return False


def _broken(answer: Mapping[str, Any]) -> tuple[str, ...]:
    """Constraint and location of each; never ``Reason`` and ``Value``, which quote the document."""
    details = answer.get("Details")
    told = details.get("InvalidConfiguration") if isinstance(details, Mapping) else None
    return tuple(
        f"{each.get('Constraint') or 'a constraint'} at {each.get('Location') or 'its root'}"
        for each in told or ()
    )


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that AWS asks to wait: ``Retry-After`` in seconds, ``x-amz-retry-after`` in milliseconds."""
    for name, unit in (("retry-after", 1.0), ("x-amz-retry-after", 0.001)):
        try:
            return float(headers[name]) * unit
        except (KeyError, ValueError):
            continue
    return None


_NOT_AWS = Failure(Kind.UNANSWERED, "NotAws", "the answer is not one of AWS: check the endpoint and proxies")
_UNREACHABLE = "AWS is not reachable: check endpoint, region, proxy and ca_file"
_NO_CREDENTIAL = (
    "the chain that 'credential' names gave none. Log in again, or check profile, role and token file"
)
_MFA = (
    "the profile's role wants an MFA code, and nobody is asked for one. Log in with another tool, and name a "
    "profile with the keys of that session"
)
_TLS = (
    "no TLS with AWS: check endpoint and proxies, and that the server's certificate is one of ca_file or a "
    "public one"
)
_STALE = "log in again or renew the keys, and check the machine's clock"

_IDENTITY: tuple[type[Exception], ...] = (
    sdk.NoCredentialsError,
    sdk.PartialCredentialsError,
    sdk.CredentialRetrievalError,
    sdk.TokenRetrievalError,
    sdk.NoAuthTokenError,
    sdk.SSOError,
    sdk.ProfileNotFound,
    sdk.ConfigNotFound,
    sdk.ConfigParseError,
    sdk.InvalidConfigError,
    sdk.UnknownCredentialError,
    sdk.MetadataRetrievalError,
    sdk.RefreshWithMFAUnsupportedError,
)
_THROTTLING = frozenset(
    {
        "ThrottlingException",
        "Throttling",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestLimitExceeded",
        "TooManyRequestsException",
        # Two writers of one parameter at a time; the SDK does not retry it, and nothing was applied.
        "TooManyUpdates",
    }
)
_STALE_CREDENTIAL = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "IncompleteSignature",
        "MissingAuthenticationToken",
        "RequestExpired",
    }
)
# Whatever status they come with, they say nothing of what became of the request.
_UNTOLD = frozenset(
    {
        "InternalFailure",
        "InternalServerError",
        "InternalServerException",
        "InternalServiceError",
        "InternalServiceErrorException",
        "RequestTimeout",
        "RequestTimeoutException",
    }
)
_DENYING = frozenset({"AccessDenied", "AccessDeniedException", "NotAuthorized", "OptInRequired"})
