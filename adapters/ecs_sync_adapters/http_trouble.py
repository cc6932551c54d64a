"""What a failure on the way to a server means, of those that urllib3 tells of: did the request arrive?

requests, botocore and azure-core stand on it, and wrap what it raises in errors of their own.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, ReadTimeoutError


@dataclass(frozen=True, slots=True)
class Unsent:
    """Why a request certainly had no effect. ``turned_away``: it is the credential that is not accepted."""

    reason: str
    turned_away: bool = False


LOGIN = "the proxy asks for another login: check proxy_login"
"""What status 407 means, wherever it comes."""


def unsent(error: BaseException) -> Unsent | None:
    """What is known of a request that failed by an exception; None where it may have arrived."""
    met = tuple(causes(error))
    told = [str(cause.reason) for cause in met if isinstance(cause, ssl.SSLError)]
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in met):
        return Unsent("the server's certificate is not trusted: check ca_file and the name in url")
    if any(map(_REFUSAL.search, told)):
        return Unsent("the server refuses the client's certificate, or wants one: check client_cert", True)
    if any("WRONG_VERSION_NUMBER" in reason for reason in told):
        return Unsent("the server does not speak TLS there: check url")
    if "407" in map(tunnel_refusal, met):
        return Unsent(LOGIN, True)
    if any(tunnel_refusal(cause) or is_silent_proxy(cause) for cause in met):
        return Unsent("the proxy does not lead to it: check proxy and url")
    if any(isinstance(cause, ConnectTimeoutError | NewConnectionError) for cause in met):
        return Unsent("the server, or the proxy before it, is not reachable: check url and proxy")
    # Before it connects, requests raises a plain OSError for a file that is gone.
    if type(error) is OSError or any(map(_is_of_a_file, met)):
        return Unsent("ca_file, client_cert or client_key cannot be read any more")
    return None


def lost(error: Exception) -> str:
    """What is said of a request that may have arrived. It names no more than the kind of the error.

    In TLS 1.3 a client learns only after its first request that its certificate is not accepted, or that
    it should have had one; and not even then, where the connection breaks before the word arrives.
    """
    kind = type(error).__name__
    return f"{kind}; if it asks for a certificate, check client_cert" if _is_secure(error) else kind


def _is_secure(error: Exception) -> bool:
    return any(isinstance(cause, ssl.SSLError) for cause in causes(error))


def tunnel_refusal(cause: BaseException) -> str:
    """The status with which a proxy made no way to the server; empty where it is not that.

    urllib3's ProxyError does not tell: it says the same of an answer that was lost.
    """
    found = re.match("Tunnel connection failed: ([0-9]{3})", str(cause)) if type(cause) is OSError else None
    return found[1] if found else ""


def is_silent_proxy(cause: BaseException) -> bool:
    """What is waited for longer than allowed has a path, unless it is a proxy that is asked for a tunnel."""
    if not isinstance(cause, ReadTimeoutError):
        return False
    return re.fullmatch(r"https?://[^/]+/?", str(cause.url)) is not None


_REFUSAL = re.compile(r"ALERT_(BAD_CERT|UNSUPPORTED_CERT|CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED|HANDSHAKE)")
"""Alerts that end a handshake: the server gives them before it reads a request."""


def _is_of_a_file(cause: BaseException) -> bool:
    if isinstance(cause, ssl.SSLError):
        return cause.library in ("PEM", "X509") or "PEM lib" in str(cause)
    return isinstance(cause, FileNotFoundError | PermissionError)


def seconds(retry_after: str | None) -> float | None:
    """Seconds of a ``Retry-After``; None for a date, and for what is no sensible number."""
    if retry_after is None or not re.fullmatch(r"[0-9]{1,9}", retry_after.strip()):
        return None
    return float(retry_after)


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error with all that is wrapped in it: by urllib3, requests and azure-core."""
    seen: list[BaseException] = []
    waiting: list[Any] = [error]
    while waiting:
        one = waiting.pop()
        if isinstance(one, BaseException) and not any(one is other for other in seen):
            seen.append(one)
            yield one
            waiting += [*one.args, getattr(one, "reason", None), getattr(one, "inner_exception", None)]
            waiting.append(one.__cause__)
