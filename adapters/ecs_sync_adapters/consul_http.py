"""The transport under the Consul packages: one for python-consul and py-consul, with the same traffic.

Both packages install the module ``consul``. Left to themselves they read five environment variables,
of which the token overrides the configured one; they send transactions without token and datacenter;
the old one knows no timeout and puts the token into the query, where logs keep it. What is here takes
their place: the token is a header of every request, every request has a timeout, nothing is retried,
no redirect is followed (it would carry the token elsewhere), and the environment is not read.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import requests
from consul import base

from ecs_sync_adapters.http_reach import Reach

CHUNK = 256 * 1024
"""Bytes of a listing that are read at a time."""
_LONGEST_ELEMENT = 8 * 1024 * 1024
"""Characters of the longest element of a listing: a value of 512 KiB in base64 with room to spare."""


class Answer(Exception):
    """An answer that refuses. The text is what the agent says; it is matched, never shown."""

    def __init__(self, status: int, text: str, retry_after: str | None) -> None:
        super().__init__(f"status {status}")
        self.status, self.text, self.retry_after = status, text, retry_after


class Garbled(Exception):
    """The answer breaks off, or is not one that a Consul agent with a leader gives."""


def installed() -> tuple[str, ...]:
    """Which of the two packages are here: ``py-consul``, ``python-consul`` or, a mistake, both."""
    found = []
    for name in ("py-consul", "python-consul"):
        try:
            version(name)
        except PackageNotFoundError:
            continue
        found.append(name)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Wire:
    """What a connection to an agent needs."""

    url: str
    timeout: float
    params: tuple[tuple[str, str], ...]
    """Sent with every request."""
    reach: Reach
    token: str | None = field(repr=False)


class Transport(base.HTTPClient):  # type: ignore[misc]
    """A pool of connections to one agent, in the place of the packages' own."""

    def __init__(self, wire: Wire) -> None:
        self.base_uri = wire.url.rstrip("/")
        self._wire = wire
        self._session = wire.reach.session()
        if wire.token:
            self._session.headers["X-Consul-Token"] = wire.token

    def get(self, callback: Callable[[Any], Any], path: str, params: Any = None, **_: Any) -> Any:
        with self.open("GET", path, params) as response:
            return callback(_whole(response))

    def put(
        self, callback: Callable[[Any], Any], path: str, params: Any = None, data: Any = "", **_: Any
    ) -> Any:
        with self.open("PUT", path, params, data) as response:
            return callback(_whole(response))

    def delete(self, callback: Callable[[Any], Any], path: str, params: Any = None, **_: Any) -> Any:
        with self.open("DELETE", path, params) as response:
            return callback(_whole(response))

    def post(
        self, callback: Callable[[Any], Any], path: str, params: Any = None, data: Any = "", **_: Any
    ) -> Any:
        with self.open("POST", path, params, data) as response:
            return callback(_whole(response))

    def open(
        self, method: str, path: str, params: Any = None, data: Any = None, wait: float = 0.0
    ) -> requests.Response:
        """A response of 200, or of 404 to a read, whose body is still to be read.

        ``wait`` is how long a blocking query may take on top of the timeout. Raises `Answer` for any
        other status, `Garbled` where it is no agent that answers, and what `requests` raises.
        """
        response = self._session.request(
            method,
            self.uri(path, [*(params or ()), *self._wire.params]),
            data=data,
            timeout=(min(5.0, self._wire.timeout), self._wire.timeout + wait),
            allow_redirects=False,
            stream=True,
        )
        if response.status_code not in ((200, 404) if method == "GET" else (200,)):
            with response:
                raise Answer(response.status_code, response.text, response.headers.get("Retry-After"))
        if method == "GET":
            _check_agent(response)
        if response.status_code == 404:
            finish(response)
        return response

    def close(self) -> None:
        self._session.close()


def finish(response: requests.Response) -> bytes:
    """Reads a response to its end, so that its connection serves again."""
    return response.content


def _check_agent(response: requests.Response) -> None:
    """A 404 of some proxy, or a view from before an election, must never pass for an empty place."""
    if not response.headers.get("X-Consul-Index", "").isdigit():
        response.close()
        raise Garbled("the answer has no X-Consul-Index: this is not a Consul agent")
    if response.headers.get("X-Consul-KnownLeader") == "false":
        response.close()
        raise Garbled("the agent knows no leader")


def _whole(response: requests.Response) -> Any:
    response.encoding = "utf-8"
    return base.Response(response.status_code, response.headers, response.text)


class Client(base.Consul):  # type: ignore[misc]
    """The package's client on `Transport`. Its own constructor reads the environment and is not called."""

    def __init__(self, transport: Transport) -> None:
        self.http = transport
        self.token = None
        self.dc = None
        self.consistency = "default"
        if installed() == ("py-consul",):
            from consul.api.kv import KV
            from consul.api.txn import Txn

            self.kv, self.txn = KV(self), Txn(self)
        else:
            self.kv, self.txn = base.Consul.KV(self), base.Consul.Txn(self)


def elements(chunks: Iterable[bytes]) -> Iterator[Any]:
    """The elements of a JSON array as they come from the socket; one chunk is held at a time.

    Raises `Garbled` where it is no array, or does not end.
    """
    text, at, due = "", 0, "["
    for arrived in _texts(chunks):
        text, at = text[at:] + arrived, 0
        while due:
            start = _skip(text, at)
            if start < len(text) and due == "," and text[start] == "]":
                at, due = start + 1, ""
                break
            if start < len(text) and text[start] != due:
                raise Garbled("the listing is not a JSON array")
            if due == "[" and text.startswith("]", _skip(text, start + 1)):
                at, due = _skip(text, start + 1) + 1, ""
                break
            found = _element(text, start + 1)
            if found is None:
                break
            element, at = found
            due = ","
            yield element
    if due or text[at:].strip(_SPACE):
        raise Garbled("the listing breaks off")


_SPACE = " \t\r\n"


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at


def _element(text: str, at: int) -> tuple[Any, int] | None:
    """One element and where it ends; None while it has not arrived whole.

    An element counts as whole once something follows it: every one is followed by ``,`` or ``]``.
    """
    try:
        element, end = _DECODER.raw_decode(text, _skip(text, at))
    except (json.JSONDecodeError, RecursionError):
        if len(text) - at > _LONGEST_ELEMENT:
            raise Garbled("the listing is not JSON") from None
        return None
    return None if end == len(text) else (element, end)


_DECODER = json.JSONDecoder()


def _texts(chunks: Iterable[bytes]) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for chunk in chunks:
            yield decoder.decode(chunk)
        yield decoder.decode(b"", True)
    except UnicodeDecodeError:
        raise Garbled("the listing is not UTF-8") from None
