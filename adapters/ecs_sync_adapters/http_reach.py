"""How a server is reached through requests: its certificates, a proxy, and how long its answer may take.

What `requests` takes from the environment (proxies, certificate authorities, ``~/.netrc``) has no effect.
Nothing is sent twice, and a redirect is never followed by itself.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import requests
from requests.adapters import HTTPAdapter

from ecs_sync_adapters.http_proxy import authority_problems, proxy_address
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

    def problems(self) -> Iterator[str]:
        """All that is wrong with the files, each a sentence that names the option first."""
        if self.ca_file is not None:
            yield from authority_problems(self.ca_file)
        if self.client_cert is not None:
            yield from self._wrong_certificate(self.client_cert)

    def _wrong_certificate(self, client_cert: Path) -> Iterator[str]:
        files = f"client_cert {client_cert}"
        files += "" if self.client_key is None else f" with client_key {self.client_key}"
        try:
            # With an empty password, an encrypted key is an error and not a question on the terminal.
            ssl.create_default_context().load_cert_chain(client_cert, self.client_key, password="")
        except (OSError, ValueError) as error:
            yield f"{files} holds no certificate and its key, in PEM and not encrypted ({_why(error)})"


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


def _why(error: Exception) -> str:
    return type(error).__name__
