"""How Azure's services, and whoever gives tokens for them, are reached: directly or through a proxy.

Nothing of the environment is taken: no ``HTTPS_PROXY``, no ``NO_PROXY``, netrc or certificates.
"""

from __future__ import annotations

import math
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self

from azure.core.exceptions import AzureError
from azure.core.pipeline.transport import RequestsTransport
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from ecs_sync_adapters.http_proxy import authority_problems, proxy_address, proxy_problems
from ecs_sync_adapters.http_reach import Reach
from ecs_sync_adapters.http_trouble import Unsent, causes, is_silent_proxy, tunnel_refusal


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy that passes TLS on to where it is asked to (``CONNECT``). ``login`` is ``user:password``."""

    url: str
    login: str | None = field(default=None, repr=False)


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
            session.proxies = {"https": proxy_address(self.proxy.url, self.proxy.login)}
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
            match cause:
                case OSError() if (status := tunnel_refusal(cause)) == "407":
                    return Unsent(f"{proxy} wants another login (status 407): set proxy_login", True)
                case OSError() if status:
                    return Unsent(f"{proxy} does not let it through (status {status}): ask whoever runs it")
                case _ if is_silent_proxy(cause):
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
    return wrong + list(proxy_problems(options.proxy, options.proxy_login, "http", "https"))


def route_files(options: Reaching) -> str:
    """What is wrong with a file that some options name; the empty text where nothing is.

    It is for where the file is used: a configuration may be looked at where there is none.
    """
    return "" if options.ca_file is None else "; ".join(authority_problems(options.ca_file))
