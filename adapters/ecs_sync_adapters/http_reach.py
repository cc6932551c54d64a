"""How a server is reached through requests: its certificates, a proxy, and what a failure on the way means.

What `requests` takes from the environment (proxies, certificate authorities, ``~/.netrc``) has no effect.
Nothing is sent twice, and a redirect is never followed by itself.
"""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, quote, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

from ecs_sync_adapters.quiet_wire import hush


@dataclass(frozen=True, slots=True)
class Reach:
    """The way to one server. Files are in PEM and are read at each new connection, so they may rotate."""

    ca_file: Path | None = None
    client_cert: Path | None = None
    client_key: Path | None = None
    """Where it is not in the file of the certificate."""
    proxy: str | None = None
    proxy_login: str | None = field(default=None, repr=False)
    """``user:password`` for the proxy."""
    connections: int = 64
    """Connections that may be kept open; they are made as they are needed."""

    def session(self) -> requests.Session:
        """A pool of connections, for all threads. Connects to nothing yet."""
        hush()
        made = requests.Session()
        made.trust_env = False
        made.verify = True if self.ca_file is None else str(self.ca_file)
        if self.client_cert is not None:
            cert = str(self.client_cert)
            made.cert = cert if self.client_key is None else (cert, str(self.client_key))
        if self.proxy is not None:
            made.proxies = dict.fromkeys(("http", "https"), proxy_address(self.proxy, self.proxy_login))
        for scheme in ("http://", "https://"):
            made.mount(scheme, HTTPAdapter(pool_maxsize=self.connections, max_retries=0, pool_block=False))
        return made

    def problems(self, url: str) -> Iterator[str]:
        """All that is wrong with the way to ``url``, each a sentence that names the option first."""
        if self.ca_file is not None:
            try:
                ssl.create_default_context(cafile=self.ca_file)
            except (OSError, ValueError) as error:
                yield f"ca_file {self.ca_file} holds no certificate that can be read ({_why(error)})"
        if self.client_cert is None and self.client_key is not None:
            yield "client_key goes with client_cert"
        if self.client_cert is not None:
            yield from self._wrong_certificate(self.client_cert, url)
        yield from proxy_problems(self.proxy, self.proxy_login)

    def _wrong_certificate(self, client_cert: Path, url: str) -> Iterator[str]:
        if url_parts(url).scheme == "http":
            yield "client_cert is shown to an https server only, and url begins with http"
        files = f"client_cert {client_cert}"
        files += "" if self.client_key is None else f" with client_key {self.client_key}"
        try:
            # With an empty password, an encrypted key is an error and not a question on the terminal.
            ssl.create_default_context().load_cert_chain(client_cert, self.client_key, password="")
        except (OSError, ValueError) as error:
            yield f"{files} holds no certificate and its key, in PEM and not encrypted ({_why(error)})"


def proxy_address(proxy: str, login: str | None) -> str:
    """The proxy with the login in it, and so never to be shown."""
    if login is None:
        return proxy
    word = ":".join(quote(part, safe="") for part in login.split(":", 1))
    return f"http://{word}@{proxy.removeprefix('http://')}"


def proxy_problems(proxy: str | None, login: str | None) -> Iterator[str]:
    """All that is wrong with the options ``proxy`` and ``proxy_login``. Neither is quoted."""
    if login is not None and proxy is None:
        yield "proxy_login goes with proxy"
    if login is not None and not re.fullmatch(r"[ -9;-~]+:[ -~]*", login):
        yield "proxy_login is not user:password, in ASCII"
    if proxy is None:
        return
    parts = url_parts(proxy)
    if parts.username is not None:
        yield "proxy holds a user name: give it with the password as proxy_login"
    elif parts.scheme != "http" or not parts.hostname or re.search(r"[/?#]", proxy[7:-1]):
        yield "proxy is not written like http://proxy.example:3128"


@dataclass(frozen=True, slots=True)
class Unsent:
    """Why a request certainly had no effect. ``turned_away``: it is the credential that is not accepted."""

    reason: str
    turned_away: bool = False


LOGIN = "the proxy asks for another login: check proxy_login"
"""What status 407 means, wherever it comes."""


def unsent(error: Exception) -> Unsent | None:
    """What is known of a request that failed by an exception; None where it may have arrived."""
    causes = tuple(_causes(error))
    told = [str(cause.reason) for cause in causes if isinstance(cause, ssl.SSLError)]
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return Unsent("the server's certificate is not trusted: check ca_file and the name in url")
    if any(map(_REFUSAL.search, told)):
        return Unsent("the server refuses the client's certificate, or wants one: check client_cert", True)
    if any("WRONG_VERSION_NUMBER" in reason for reason in told):
        return Unsent("the server does not speak TLS there: check url")
    if any(map(_is_no_tunnel, causes)):
        wanted = any(" failed: 407" in str(cause) for cause in causes)
        return Unsent(LOGIN, True) if wanted else Unsent("the proxy does not lead to it: check proxy and url")
    if any(isinstance(cause, requests.ConnectTimeout | _NO_CONNECTION) for cause in causes):
        return Unsent("the server, or the proxy before it, is not reachable: check url and proxy")
    # Before it connects, requests raises a plain OSError for a file that is gone.
    if type(error) is OSError or any(map(_is_of_a_file, causes)):
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
    return any(isinstance(cause, ssl.SSLError) for cause in _causes(error))


def _is_no_tunnel(cause: BaseException) -> bool:
    """Did the proxy make no way to the server? urllib3's ProxyError does not tell that: it says the same of
    an answer that was lost. What is waited for longer than allowed has a path, unless it is the proxy.
    """
    if isinstance(cause, urllib3.exceptions.ReadTimeoutError):
        return re.fullmatch(r"http://[^/]+/?", str(cause.url)) is not None
    return type(cause) is OSError and str(cause).startswith("Tunnel connection failed: ")


_NO_CONNECTION = urllib3.exceptions.NewConnectionError
_REFUSAL = re.compile(r"ALERT_(BAD_CERT|UNSUPPORTED_CERT|CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED|HANDSHAKE)")
"""Alerts that end a handshake: the server gives them before it reads a request."""


def _is_of_a_file(cause: BaseException) -> bool:
    if isinstance(cause, ssl.SSLError):
        return cause.library in ("PEM", "X509") or "PEM lib" in str(cause)
    return isinstance(cause, FileNotFoundError | PermissionError)


def url_parts(url: str) -> SplitResult:
    """The parts of a URL; empty ones of what is none, such as one with a blank or a port that cannot be."""
    if not re.fullmatch(r"[\x21-\x7e]+", url):
        return urlsplit("")  # urlsplit leaves out line breaks, and so would speak of another address
    try:
        parts = urlsplit(url)
        possible = parts.port != 0 and re.fullmatch(_HOST, parts.hostname or "")
    except ValueError:
        return urlsplit("")
    return parts if possible else urlsplit("")


_HOST = r"[a-z0-9._-]+|[0-9a-f:.]*:[0-9a-f:.]*"


def body(response: requests.Response, within: float) -> bytes:
    """What a streamed response holds, which has to come within so many seconds in all.

    A timeout of requests is for each piece, and an answer that comes drop by drop would never end. Raises
    `requests.ReadTimeout`, and what requests and urllib3 raise.
    """
    ends = time.monotonic() + within
    with response:
        pieces = []
        while piece := response.raw.read1(_PIECE, decode_content=True):
            pieces.append(piece)
            if time.monotonic() > ends:
                raise requests.ReadTimeout("the answer did not come to its end in time")
    return b"".join(pieces)


_PIECE = 256 * 1024


def seconds(retry_after: str | None) -> float | None:
    """Seconds of a ``Retry-After``; None for a date, and for what is no sensible number."""
    if retry_after is None or not re.fullmatch(r"[0-9]{1,9}", retry_after.strip()):
        return None
    return float(retry_after)


def _why(error: Exception) -> str:
    return type(error).__name__


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error with all that urllib3 and requests wrapped in it."""
    seen: list[BaseException] = []
    waiting: list[Any] = [error]
    while waiting:
        one = waiting.pop()
        if isinstance(one, BaseException) and not any(one is other for other in seen):
            seen.append(one)
            yield one
            waiting += [*one.args, getattr(one, "reason", None), one.__cause__]
