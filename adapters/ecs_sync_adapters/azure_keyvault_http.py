"""One vault over HTTPS: requests of the SDK's pipeline, answers as JSON, failures as values.

The requests are made by hand, because the SDK's typed answers leave out the server's clock, and take any
200 with a JSON body for a complete and empty listing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, Final

from azure.core.rest import HttpRequest
from azure.keyvault.secrets import SecretClient

from ecs_sync_adapters.azure_errors import FAILURES, Failure, answered, failed
from ecs_sync_adapters.azure_identity import Credential, Identity
from ecs_sync_adapters.azure_route import Route, Watched
from ecs_sync_adapters.failure_kind import Kind
from ecs_sync_adapters.http_proxy import bare_address

_sent: ContextVar[int] = ContextVar("keyvault_requests_sent", default=0)


@dataclass(frozen=True, slots=True)
class Reach:
    """Where a vault is, the way to it, and whether it may ask for tokens of its own domain only."""

    vault: str
    verify_challenge: bool
    route: Route


@dataclass(frozen=True, slots=True)
class Answer:
    """What the vault said, and when by its own clock: seconds since 1970, None where it does not say."""

    said: Mapping[str, Any]
    date: float | None

    def __repr__(self) -> str:
        return f"<answer of {len(self.said)} fields>"


class Wire:
    """A connection to one vault; thread-safe, and without retries."""

    def __init__(self, reach: Reach, identity: Identity) -> None:
        """Connects to nothing yet. Raises `FAILURES` where the credential cannot be made."""
        self.vault: Final = reach.vault
        self._route = reach.route
        self._credential = Credential(identity, reach.route)
        self._client = SecretClient(
            reach.vault,
            self._credential,
            transport=transport(reach),
            retry_total=0,
            redirect_max=0,
            permit_redirects=False,
            verify_challenge_resource=reach.verify_challenge,
        )

    def ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Answer | Failure:
        """One request, of a path below the vault; its answer has status 200 and is a JSON object."""
        return self._send(HttpRequest(method, path, params=dict(query or {}), json=body))

    def pages(self, path: str) -> Iterator[Answer | Failure]:
        """Every page of a list. After a failure the next page is the same one, asked for again."""
        link, known = path, {path}
        while True:
            page = self._page(link)
            yield page
            if isinstance(page, Failure):
                continue
            if not page.said.get("nextLink"):
                return
            link = str(page.said["nextLink"])
            while link in known or not self._is_ours(link):
                yield Failure(Kind.UNANSWERED, "the next page lies outside of the vault, or was here before")
            known.add(link)

    def _page(self, link: str) -> Answer | Failure:
        page = self._send(HttpRequest("GET", link))
        if isinstance(page, Answer) and not isinstance(page.said.get("value"), list):
            return Failure(Kind.UNANSWERED, "the answer is no list of a vault: check the address")
        return page

    def close(self) -> None:
        """Ends the connections, those to whoever gives tokens too."""
        self._client.close()
        self._credential.close()

    def _send(self, request: HttpRequest) -> Answer | Failure:
        try:
            response = self._client.send_request(request)
        except FAILURES as error:
            return failed(error, self._route)
        except ValueError:
            # Raised by the SDK before the request itself is sent: only the question for the challenge was.
            return Failure(Kind.DENIED, OTHER_RESOURCE)
        headers = {name.lower(): text for name, text in response.headers.items()}
        said = _object(response.content)
        if response.status_code == 200 and said is not None:
            return Answer(said, seconds_of(headers.get("date", "")))
        return answered(response.status_code, headers, _code(said or {}))

    def _is_ours(self, link: str) -> bool:
        return plain("/".join(link.split("/", 3)[:3])) == self.vault


def plain(vault: str) -> str | None:
    """A vault's address in the one spelling that is compared: lower case, no port 443, no slash behind.

    None where it is no https address.
    """
    parts = bare_address(vault, "https")
    return None if parts is None else f"https://{parts.netloc.lower().removesuffix(':443')}"


def sent() -> int:
    """How many requests this thread has sent to vaults so far; not the questions for the challenge.

    Threads that begin together each ask for it, or one does: there is no telling in advance.
    """
    return _sent.get()


def _count(request: Any) -> None:
    _sent.set(_sent.get() + ("Authorization" in request.headers))


def transport(reach: Reach) -> Any:
    """The connections of one client to a vault, counted."""
    return Watched(reach.route.transport(), _count)


def _object(body: bytes) -> Mapping[str, Any] | None:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None


def _code(said: Mapping[str, Any]) -> str:
    """The error's own code, the inner one where there is one."""
    error = said.get("error")
    if not isinstance(error, dict):
        return ""
    inner = error.get("innererror")
    code = inner.get("code") if isinstance(inner, dict) else None
    return str(code or error.get("code") or "")


def seconds_of(date: str) -> float | None:
    """Seconds since 1970 of a ``Date``; None where it is none. Without a zone it is of UTC."""
    try:
        moment = parsedate_to_datetime(date)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


OTHER_RESOURCE = (
    "the vault asks for a token of a resource that is not its own: check the address. Only for a test server "
    "set verify_challenge to false"
)
