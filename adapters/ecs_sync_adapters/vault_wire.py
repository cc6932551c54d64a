"""The transport under hvac's API classes: their paths and bodies, our own connection and answers.

`hvac.Client` reads ``VAULT_ADDR``, ``VAULT_TOKEN``, ``~/.vault-token``, the client certificate and the
certificate authorities of the environment; its session reads proxies and ``~/.netrc``. It follows a
redirect with token and body to whatever host the answer names, makes floats of numbers, and its
exceptions hold the answer's body. So the client is not used: hvac's classes for the parts of the API
stand on `Wire`, which gives an `Answer` for every status and a `Failure` where there is none. Nothing
is raised on the way, so no exception drags a request along.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from hvac.adapters import RawAdapter

from ecs_sync_adapters.failure_kind import Kind
from ecs_sync_adapters.http_reach import Reach, body
from ecs_sync_adapters.http_trouble import lost, seconds, unsent
from ecs_sync_adapters.vault_json import decoded, encoded


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed call. ``reason`` is a sentence fit for people and never holds a value."""

    kind: Kind
    reason: str
    retry_after: float | None = None
    mismatch: bool = False
    """The current version is not the one that a conditional write named."""


@dataclass(frozen=True, slots=True, repr=False)
class Answer:
    """What the server said. ``document`` is empty where it was no JSON object."""

    status: int
    document: Mapping[str, Any]
    headers: Mapping[str, str]

    @property
    def data(self) -> Any:
        """The ``data`` of the answer, an empty map where there is none, and where it is no map."""
        found = self.document.get("data")
        return found if isinstance(found, dict) else {}

    @property
    def errors(self) -> str:
        """All that the server says is wrong, as one text: matched, and never shown."""
        errors = self.document.get("errors")
        return "; ".join(map(str, errors)) if isinstance(errors, list) else ""

    @property
    def of_vault(self) -> bool:
        """Has it the shape of Vault's answers? A proxy's 404 must not pass for an absent secret."""
        return "errors" in self.document or "data" in self.document

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait; None for a date, and for what is no sensible number."""
        return seconds(self.headers.get("Retry-After"))

    @property
    def now(self) -> datetime:
        """The server's time of the answer: its own clock tells what is over, and not ours.

        The header counts whole seconds, so this is the end of that second: what was deleted in it is over.
        """
        try:
            return parsedate_to_datetime(self.headers["Date"]).astimezone(UTC) + timedelta(seconds=1)
        except (KeyError, ValueError, TypeError):
            return datetime.now(UTC)

    @property
    def leads_to(self) -> str:
        """The host that a redirect names, without what may stand before or behind it."""
        parts = urlsplit(self.headers.get("Location", ""))
        return parts.netloc.rpartition("@")[2] or "elsewhere"


@dataclass(frozen=True, slots=True)
class Target:
    """Where the server is. Times are in seconds."""

    url: str
    namespace: str | None
    reach: Reach
    connect_timeout: float
    read_timeout: float


class Tally(threading.local):
    """Calls made in this thread, but for those that only authenticate."""

    made = 0


class Wire(RawAdapter):
    """The adapter, in hvac's sense, of one call with one token, or none. Cheap to make."""

    def __init__(self, line: Line, token: str | None) -> None:
        self._line = line
        super().__init__(
            base_uri=line.target.url.rstrip("/"), token=token, session=line.session, allow_redirects=False
        )

    def __repr__(self) -> str:
        return "<wire>"

    def request(
        self, method: str, url: str, headers: Any = None, raise_exception: bool = True, **given: Any
    ) -> Any:
        """An `Answer` or a `Failure`. ``url`` is the quoted path; ``json`` a tree of `vault_json`."""
        del headers, raise_exception
        return self._line.send(method, self.base_uri + url, self.token, given)


@dataclass(slots=True)
class Line:
    """A pool of connections to one server, shared by all threads."""

    target: Target
    session: requests.Session = field(init=False, repr=False)
    _tally: Tally = field(init=False, default_factory=Tally)

    def __post_init__(self) -> None:
        self.session = self.target.reach.session()

    @property
    def made(self) -> int:
        """Calls made so far in this thread, but for those that log in or look after a token."""
        return self._tally.made

    def send(self, method: str, url: str, token: str | None, given: Mapping[str, Any]) -> Answer | Failure:
        headers = {"X-Vault-Request": "true", "Content-Type": "application/json"}
        if token is not None:
            headers["X-Vault-Token"] = token
        if self.target.namespace is not None:
            headers["X-Vault-Namespace"] = self.target.namespace
        sent = encoded(given["json"]).encode("utf-8") if "json" in given else None
        authenticates = url.startswith(f"{self.target.url.rstrip('/')}/v1/auth/")
        self._tally.made += not authenticates
        try:
            response = self.session.request(
                method.upper(),
                url,
                params=given.get("params"),
                data=sent,
                headers=headers,
                timeout=(self.target.connect_timeout, self.target.read_timeout),
                allow_redirects=False,
                stream=True,
            )
            document = _document(body(response, self.target.read_timeout))
            return Answer(response.status_code, document, response.headers)
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidHeader):
            return Failure(Kind.REFUSED, "the request cannot be made of this path and token")
        except (OSError, urllib3.exceptions.HTTPError, ValueError) as error:
            # requests looks at where a redirect leads also where it does not follow, and that may be no URL.
            return _broken(error)

    def close(self) -> None:
        self.session.close()


def _document(text: bytes) -> Mapping[str, Any]:
    try:
        tree = decoded(text.decode("utf-8"))
    except ValueError:
        return {}
    return tree if isinstance(tree, dict) else {}


def _broken(error: Exception) -> Failure:
    """A failure by whether the request can have arrived."""
    known = unsent(error)
    if known is None:
        return Failure(Kind.UNANSWERED, f"no usable answer ({lost(error)})")
    return Failure(Kind.IDENTITY if known.turned_away else Kind.UNSENT, known.reason)
