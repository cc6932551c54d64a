"""Requests to one store, with the SDK's own pipeline: its signing, tokens and Sync-Token, and nothing else.

The SDK's models are left out on purpose: they rewrite the JSON of feature flags and Key Vault references,
and skip unchanged pages by a recursion that ends at about a thousand of them.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, quote, urlencode

from azure.appconfiguration import AzureAppConfigurationClient
from azure.core.rest import HttpRequest

from ecs_sync_adapters.azure_appconfig_options import AccessKey, AppConfigOptions
from ecs_sync_adapters.azure_errors import FAILURES, Failure, answered, failed
from ecs_sync_adapters.azure_identity import Credential
from ecs_sync_adapters.azure_route import route_of
from ecs_sync_adapters.failure_kind import Kind

_ENTITY = "application/vnd.microsoft.appconfig.kv+json;charset=utf-8"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that is a success, or 304. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def etag(self) -> str:
        """Without its quotes; empty where there is none."""
        return self.headers.get("etag", "").removeprefix("W/").strip('"')

    def __repr__(self) -> str:
        return f"<answer {self.status}>"


class Wire:
    """One store. Thread-safe; connects when it is used, also after it was closed."""

    def __init__(self, options: AppConfigOptions) -> None:
        self._options = options
        self._route = route_of(options)
        self._lock = threading.Lock()
        self._client: AzureAppConfigurationClient | None = None
        self._credential: Credential | None = None
        self.endpoint = options.endpoint.rstrip("/")
        # A token is sent without TLS to this machine only, where the options let it be.
        is_plain = options.credential is not None and self.endpoint.startswith("http:")
        self._sending: dict[str, Any] = {"enforce_https": False} if is_plain else {}

    def ask(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Answer | Failure:
        """The answer to a request of a path with its query, or its failure. Never tried twice."""
        told = {"Accept": "*/*", **(headers or {})}
        content = None
        if body is not None:
            content, told["Content-Type"] = json.dumps(body), _ENTITY
        request = HttpRequest(method, self.endpoint + self._versioned(path), headers=told, content=content)
        try:
            response = self._connected().send_request(request, **self._sending)
            shown = {name.lower(): text for name, text in response.headers.items()}
            text = response.text()
        except ValueError:
            # The SDK's word for it. Its text is not shown, as of all errors.
            return Failure(Kind.UNANSWERED, "the connection was closed meanwhile")
        except FAILURES as error:
            failure = failed(error, self._route)
            # A body that the SDK cannot read is an error to it, whatever the status.
            return _ELSEWHERE if failure.kind is Kind.MISSING else failure
        return _answer(response.status_code, shown, text)

    def sync(self, token: str) -> None:
        """Makes what follows see at least what was seen with this Sync-Token, also by another process."""
        # Where there is no credential to connect with, the request that follows says so.
        with suppress(*FAILURES):
            self._connected().update_sync_token(token)

    def following(self, answer: Answer) -> str | Failure | None:
        """The path of the next page, which a 304 has in its ``Link`` only; None after the last page."""
        link = re.search(r'<([^>]*)>\s*;\s*rel="?next"?', answer.headers.get("link", ""))
        body = answer.body if isinstance(answer.body, dict) else {}
        next_link = body.get("@nextLink") or (link.group(1) if link else None)
        if next_link is None:
            return None
        path = str(next_link).removeprefix(self.endpoint)
        if not re.match(r"/(kv|revisions)\?", path):
            # The credential goes to the store that was configured, whatever a page says.
            return Failure(Kind.UNANSWERED, "a page names a next one elsewhere")
        return path

    def close(self) -> None:
        with self._lock:
            client, self._client = self._client, None
            credential, self._credential = self._credential, None
        if client is not None:
            client.close()
        if credential is not None:
            credential.close()

    def _versioned(self, path: str) -> str:
        if "api-version" in parse_qs(path.partition("?")[2]):
            return path
        return f"{path}{'&' if '?' in path else '?'}api-version={self._options.api_version}"

    def _connected(self) -> AzureAppConfigurationClient:
        with self._lock:
            if self._client is None:
                self._client = self._built()
            return self._client

    def _built(self) -> AzureAppConfigurationClient:
        options, identity = self._options, self._options.identity()
        settings = {"transport": self._route.transport(), "retry_total": 0, "permit_redirects": False}
        if identity is None:
            # Put together anew, for the SDK knows one order of its parts only.
            key = AccessKey.parse(options.connection_string or "")
            text = f"Endpoint={self.endpoint};Id={key.id};Secret={key.secret}"
            return AzureAppConfigurationClient.from_connection_string(text, **settings)
        self._credential = Credential(identity, self._route)
        if options.audience is not None:
            settings["audience"] = options.audience
        return AzureAppConfigurationClient(self.endpoint, self._credential, **settings)


def target(kind: str, key: str, label: str | None) -> str:
    """The path of one setting. Without a label in it, it is the setting that has none."""
    query = "" if label is None else "?" + urlencode({"label": label}, quote_via=quote)
    return f"/{kind}/{quote(key, safe='')}{query}"


def filtered(kind: str, keys: str, labels: str) -> str:
    """The path of a listing. A filter that is empty is left out of it, and selects everything."""
    filters = {name: text for name, text in (("key", keys), ("label", labels)) if text}
    return f"/{kind}?{urlencode(filters, quote_via=quote)}"


def exactly(text: str) -> str:
    """The filter for one text: ``* , \\`` stand for themselves only behind a backslash."""
    return re.sub(r"([*,\\])", r"\\\1", text)


def of_label(label: str | None) -> str:
    """The filter for one label. No filter would be all labels; ``\\0`` is none."""
    return "\\0" if label is None else exactly(label)


def _answer(status: int, headers: Mapping[str, str], text: str) -> Answer | Failure:
    if status in (204, 304):
        return Answer(status, headers, None)
    try:
        body = json.loads(text) if text else None
    except (ValueError, RecursionError):
        body = None
    if status == 200 and isinstance(body, dict):
        return Answer(status, headers, body)
    problem = body if isinstance(body, dict) else {}
    code = str(problem.get("type", "")).rpartition("/")[2]
    if status == 429 and problem.get("policy") == "Storage":
        # Waiting does not help: it is answered to every write until something is deleted.
        return Failure(Kind.REFUSED, "the store is full: delete settings, or raise its tier", status, code)
    if status == 404 and text:
        return _ELSEWHERE
    return answered(status, headers, code)


_ELSEWHERE = Failure(
    Kind.UNANSWERED, "a 404 with a body is no answer of this service: check the endpoint and proxies", 404
)
"""The store's own has none. Whoever stands before it says nothing of a setting."""
