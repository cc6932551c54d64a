"""What is wrong with the options of a way to a server, where no file needs to be looked at for it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ecs_sync_adapters.http_proxy import proxy_problems, url_parts
from ecs_sync_adapters.http_reach import Reach


def way_problems(reach: Reach, url: str) -> Iterator[str]:
    """What a configuration is told of without the machine it is for. Each begins with an option's name."""
    if reach.client_key is not None and reach.client_cert is None:
        yield "client_key goes with client_cert"
    if reach.client_cert is not None and url_parts(url).scheme == "http":
        yield "client_cert is shown to an https server only, and url begins with http"
    if url_parts(url).scheme == "http" and url_parts(reach.proxy or "").scheme == "https":
        # requests would not look at the proxy's certificate then, and yet give it the login.
        yield "proxy begins with https, which is for a url that does too"
    yield from proxy_problems(reach.proxy, reach.proxy_login, "http", "https")


def api_path(url: str, *ends: str) -> str | None:
    """The one of ``ends``, such as ``/v1``, that a URL ends in: a path of the API, which is added to it."""
    path = re.sub("/+", "/", url_parts(url).path).rstrip("/")
    return next((end for end in ends if path.endswith(end)), None)
