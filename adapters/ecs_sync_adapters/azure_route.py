"""How Azure's services, and whoever gives tokens for them, are reached: directly or through a proxy.

Nothing of the environment is taken: no ``HTTPS_PROXY``, no ``NO_PROXY``, netrc or certificates.
"""

from __future__ import annotations

import math
import re
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self
from urllib.parse import SplitResult, quote, urlsplit

from azure.core.exceptions import AzureError
from azure.core.pipeline.transport import RequestsTransport
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, ReadTimeoutError

from ecs_sync_adapters.http_reach import Reach, Unsent


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy that passes TLS on to where it is asked to (``CONNECT``). ``login`` is ``user:password``."""

    url: str
    login: str | None = field(default=None, repr=False)

    @property
    def address(self) -> str:
        """With the login in it. Never to be shown: ``url`` is."""
        if self.login is None:
            return self.url
        user, _, password = self.login.partition(":")
        scheme, _, host = self.url.partition("://")
        return f"{scheme}://{quote(user, safe='')}:{quote(password, safe='')}@{host}"


@dataclass(frozen=True, slots=True)
class Route:
    """The way to a service: how long to wait, whom to trust, through what. Times are in seconds."""

    connect: float = 5.0
    read: float = 20.0
    connections: int = 8
    ca_file: str | None = None
    proxy: Proxy | None = None

    def transport(self) -> RequestsTransport:
        """Connections of their own, as many as are used. Without TLS only this machine is asked, directly."""
        session = Reach(connections=self.connections).session()
        if self.proxy is not None:
            session.proxies = {"https": self.proxy.address}
        return RequestsTransport(
            session=session,
            use_env_settings=False,
            connection_timeout=self.connect,
            read_timeout=self.read,
            connection_verify=self.ca_file or True,
        )

    def unsent(self, error: BaseException) -> Unsent | None:
        """Why a request certainly did not get past the proxy; None where it may have.

        urllib3's ProxyError says nothing of that: it is also what a lost answer becomes.
        """
        if self.proxy is None:
            return None
        proxy = f"the proxy {self.proxy.url}"
        for cause in causes(error):
            refused = re.match(r"Tunnel connection failed: ([0-9]{3})", str(cause))
            match cause:
                case OSError() if refused is not None and refused[1] == "407":
                    return Unsent(f"{proxy} wants another login (status 407): set proxy_login", True)
                case OSError() if refused is not None:
                    reason = f"{proxy} does not let it through (status {refused[1]}): ask whoever runs it"
                    return Unsent(reason)
                case ReadTimeoutError() if "://" in str(cause.url):
                    # What was waited for has an address and no path: it is the proxy, asked for a tunnel.
                    return Unsent(f"{proxy} does not answer")
                case NewConnectionError() | ConnectTimeoutError():
                    return Unsent(f"{proxy} cannot be reached: check proxy and its name")
                case ssl.SSLCertVerificationError():
                    return Unsent(f"a certificate on the way through {proxy} is not trusted: check ca_file")
                case _:
                    continue
        return None


class Watched:
    """A transport in azure-core's sense: ``sent`` is told of each request, ``broke`` of each that failed."""

    def __init__(
        self,
        transport: RequestsTransport,
        sent: Callable[[Any], None],
        broke: Callable[[Any, AzureError], None] = lambda *_: None,
    ) -> None:
        self._transport, self._sent, self._broke = transport, sent, broke

    def send(self, request: Any, **told: Any) -> Any:
        self._sent(request)
        try:
            return self._transport.send(request, **told)
        except AzureError as error:
            self._broke(request, error)
            raise

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def __enter__(self) -> Self:
        self._transport.open()
        return self

    def __exit__(self, *_: object) -> None:
        self._transport.close()


class Reaching(Protocol):
    """What the options of an adapter say of its route."""

    @property
    def ca_file(self) -> Path | None: ...
    @property
    def proxy(self) -> str | None: ...
    @property
    def proxy_login(self) -> str | None: ...
    @property
    def connect_timeout(self) -> float: ...
    @property
    def read_timeout(self) -> float: ...
    @property
    def concurrency(self) -> int: ...


def route_of(options: Reaching) -> Route:
    """The route that some options mean, where `route_problems` has none."""
    return Route(
        options.connect_timeout,
        options.read_timeout,
        options.concurrency,
        None if options.ca_file is None else str(options.ca_file),
        None if options.proxy is None else Proxy(options.proxy.rstrip("/"), options.proxy_login),
    )


def route_problems(options: Reaching) -> list[str]:
    """All that is wrong with a route in words. A proxy's address is not quoted: it may hold a login."""
    wrong = []
    for name in ("connect_timeout", "read_timeout", "concurrency"):
        number = getattr(options, name)
        if not (math.isfinite(number) and 0 < number < 3600):
            wrong.append(f"{name} must be more than 0 and less than 3600")
    return wrong + _proxy_problems(options.proxy, options.proxy_login)


def route_files(options: Reaching) -> str:
    """What is wrong with a file that some options name; the empty text where nothing is.

    It is for where the file is used: a configuration may be looked at where there is none.
    """
    if options.ca_file is None:
        return ""
    try:
        ssl.create_default_context(cafile=options.ca_file)
    except (OSError, ValueError) as error:
        reason = type(error).__name__
        return f"ca_file {str(options.ca_file)!r} holds no certificate that can be read ({reason})"
    return ""


def _proxy_problems(proxy: str | None, login: str | None) -> list[str]:
    wrong = []
    if proxy is not None and "@" in proxy:
        wrong.append("proxy holds a login: give it as proxy_login, by env: or file:")
    elif proxy is not None and address(proxy, "http", "https") is None:
        wrong.append("proxy is not an address such as http://proxy.example:3128")
    if login is not None and proxy is None:
        wrong.append("proxy_login is given without a proxy")
    if login is not None and not re.fullmatch(r"[\x20-\x39\x3b-\x7e]+:[\x20-\x7e]*", login):
        wrong.append("proxy_login is not user:password, in ASCII")
    return wrong


def address(url: str, *schemes: str) -> SplitResult | None:
    """The parts of a bare address, scheme and host and perhaps a port; None where it is none of these."""
    if not re.fullmatch(r"[\x21-\x7e]+", url):
        return None  # urlsplit leaves out line breaks, and so would speak of another address
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    bare = parts.path in ("", "/") and not (parts.query or parts.fragment or "@" in parts.netloc)
    named = re.fullmatch(
        r"[\w-]{1,63}(\.[\w-]{1,63})*\.?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*", parts.hostname or ""
    )
    return parts if parts.scheme in schemes and bare and named and port != 0 else None


def causes(error: BaseException) -> Iterator[BaseException]:
    """What an error of the SDK wraps, innermost last: in ``inner_exception``, ``reason`` or ``args``."""
    seen: list[BaseException] = []
    ahead: list[object] = [getattr(error, "inner_exception", None)]
    while ahead:
        cause = ahead.pop(0)
        if isinstance(cause, BaseException) and cause not in seen:
            seen.append(cause)
            yield cause
            ahead += [getattr(cause, "reason", None), *cause.args]
