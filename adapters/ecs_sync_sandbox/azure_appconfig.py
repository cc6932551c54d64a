"""A stand-in for Azure App Configuration: ``/kv``, ``/locks`` and ``/revisions`` over HTTP, by these rules.

Sources: E = Azure/AppConfiguration-Emulator; D = the REST documentation (Azure/AppConfiguration
``docs/REST``); S = the Python SDK. Each rule has a test of its number in
``tests/sandbox/test_azure_appconfig.py``.

====  =====================================================================================  ======
A1    a setting is its key and label; no label is null, asked for with no ``label``, an       D E
      empty one or ``%00``, and is a setting of its own
A2    PUT replaces the whole setting: what the body leaves out is cleared                     D E
A3    PUT of what is there already answers the old etag (E); the service may give a new one   E
A4    If-Match fails where nothing is or the etag differs (``*``: any is), If-None-Match       D E
      where it is and is this (``*``: any); a write answers 412 without a body, a read 304
A5    a locked setting refuses PUT and DELETE with 409 and the problem ``key-locked``          D E
A6    DELETE answers 200 with what was there, 204 where nothing was                            D E
A7    PUT and DELETE of ``/locks/KEY`` lock and unlock; 404 where nothing is                   D E
A8    filters: ``* , \\`` are escaped by ``\\``, one trailing ``*``, up to five values, ``\\0``  D E
      is no label; none, an empty one and one that begins with ``*`` select all; order is
      that of keys, then labels, in UTF-16
A9    pages of 100 by a keyset cursor, in ``@nextLink`` and ``Link``; 100 settings are a      E
      page that has a next one, which is empty
A10   a page has an etag over those of its settings and its cursor; If-None-Match of it is    E
      304, which carries ``Link``
A11   HEAD answers the headers of GET                                                          D
A12   ``/revisions`` shows every state that was written, the youngest first, deletes not       D E
A13   names over 256 characters, control characters and ``%`` in a key are 400; more than      D E
      10 KiB in all 413
A14   200 and 304 come with the Sync-Token of what they show; who does not show the newest    D S
      one may be answered from a while ago (on demand: ``settings.lag()``)
A15   HMAC: signed are the method, the raw target, the date, host and the body's hash; a       D E
      wrong signature or a date more than 15 minutes off is 401
A16   a bearer token that nobody knows is 401; one that may only read is 403 to a write        D
A17   without an api-version it is 400; a description is known from 2026-04-01 on              D S
A18   another method is 405                                                                    E
====  =====================================================================================  ======
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import parse_qs, quote

from ecs_sync_sandbox.azure_appconfig_kv import (
    PAGE,
    Answer,
    Condition,
    Setting,
    Settings,
    after,
    cursor,
    page_etag,
)
from ecs_sync_sandbox.http_server import HttpServer, Reply, Request

_VERSIONS = ("1.0", "2023-10-01", "2023-11-01", "2024-09-01", "2026-04-01")
_DESCRIBED = "2026-04-01"
_TOLERANCE = timedelta(minutes=15)
_KEY_ID = "sandbox"
_KEY = base64.b64encode(b"the key of a stand-in is no secret").decode()

Access = Literal["read", "write"]
_Fields = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Store:
    """One store's answers, without a port."""

    settings: Settings = field(default_factory=Settings)
    keys: Mapping[str, str] = field(default_factory=lambda: {_KEY_ID: _KEY})
    """Access keys: id to secret in base64."""
    tokens: Mapping[str, Access] = field(default_factory=dict)
    """Bearer tokens and what their principals may do."""
    page: int = PAGE
    """Settings on a page: fewer than the service's hundred make many pages of few settings."""

    def respond(self, request: Request) -> Reply:
        try:
            reply = self._answered(request)
        except Answer as answer:
            reply = _problem(answer)
        if reply.status not in (200, 304):
            return reply
        return Reply(reply.status, reply.body, (*reply.headers, self._sync_token(request)))

    def _answered(self, request: Request) -> Reply:
        if request.query.get("api-version") not in _VERSIONS:
            raise Answer(400, "invalid-argument", "The api-version is missing or not supported.")
        access = self._authorized(request)
        if request.method not in ("GET", "HEAD") and access == "read":
            raise Answer(403, "forbidden", "The principal may only read.")
        kind, _, key = request.target.partition("?")[0].removeprefix("/").partition("/")
        if kind == "kv" and not key:
            return self._list(request)
        if kind == "revisions":
            return self._revisions(request)
        if kind in ("kv", "locks") and key:
            return self._one(request, kind, _decoded(key))
        raise Answer(404)

    def _one(self, request: Request, kind: str, key: str) -> Reply:
        label, condition = _label(request), _condition(request)
        described = request.query["api-version"] == _DESCRIBED
        match kind, request.method:
            case "kv", "GET" | "HEAD":
                return self._get(request, key, label, described)
            case "kv", "PUT":
                kept = self.settings.put(_setting(request, key, label, described), condition)
                return _shown(kept, described)
            case "kv", "DELETE":
                gone = self.settings.delete(key, label, condition)
                return Reply(204) if gone is None else _shown(gone, described)
            case "locks", "PUT" | "DELETE":
                locked = self.settings.lock(key, label, request.method == "PUT", condition)
                return _shown(locked, described)
        raise Answer(405)

    def _get(self, request: Request, key: str, label: str | None, described: bool) -> Reply:
        found = self.settings.seen(key, label, _since(request))
        if found is None:
            raise Answer(404)
        if not _condition(request).holds(found.etag):
            return Reply(304, b"", (("ETag", f'"{found.etag}"'),))
        return _shown(found, described)

    def _list(self, request: Request) -> Reply:
        if request.method not in ("GET", "HEAD"):
            raise Answer(405)
        asked = parse_qs(request.target.partition("?")[2], keep_blank_values=True)
        found = self.settings.listed(
            asked.get("key", [""])[-1],
            asked.get("label", [""])[-1].replace("\0", "\\0"),
            asked.get("tags", []),
            _since(request),
        )
        left = after(found, request.query.get("after"))
        # A full page always has a next one, which may be empty.
        token = cursor(left[self.page - 1]) if len(left) >= self.page else None
        return _page(request, left[: self.page], token)

    def _revisions(self, request: Request) -> Reply:
        if request.method not in ("GET", "HEAD"):
            raise Answer(405)
        query = request.query
        found = self.settings.revised(
            query.get("key", ""), query.get("label", "").replace("\0", "\\0"), _since(request)
        )
        start = int(query.get("after", "0"))
        page = found[start : start + self.page]
        token = str(start + self.page) if start + self.page < len(found) else None
        return _page(request, page, token)

    def _authorized(self, request: Request) -> Access:
        """What the request's principal may do. Raises 401."""
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme == "HMAC-SHA256" and self._is_signed(request, given):
            return "write"
        if scheme == "Bearer" and given in self.tokens:
            return self.tokens[given]
        raise Answer(401)

    def _is_signed(self, request: Request, given: str) -> bool:
        parts = dict(part.partition("=")[::2] for part in given.split("&"))
        names = parts.get("SignedHeaders", "").split(";")
        headers = request.headers
        date = _date(headers.get("x-ms-date", headers.get("date", "")))
        if not {"host", "x-ms-content-sha256"} <= set(names) or not {"date", "x-ms-date"} & set(names):
            return False
        if date is None or abs(datetime.now(UTC) - date) > _TOLERANCE:
            return False
        digest = base64.b64encode(hashlib.sha256(request.body).digest()).decode()
        if headers.get("x-ms-content-sha256") != digest or parts.get("Credential") not in self.keys:
            return False
        told = ";".join(headers.get(name, "") for name in names)
        text = f"{request.method}\n{request.target}\n{told}"
        try:
            key = base64.b64decode(self.keys[parts["Credential"]])
            sent = base64.b64decode(parts.get("Signature", ""))
        except binascii.Error:
            return False
        return hmac.compare_digest(hmac.new(key, text.encode(), hashlib.sha256).digest(), sent)

    def _sync_token(self, request: Request) -> tuple[str, str]:
        is_read = request.method in ("GET", "HEAD")
        number = self.settings.shown(_since(request)) if is_read else self.settings.changes
        return "Sync-Token", f"store={base64.b64encode(str(number).encode()).decode()};sn={number}"


class AzureAppConfigServer:
    """The stand-in on a port of 127.0.0.1, for a ``with`` block.

    ``settings`` is the state, for edits from outside; ``faults`` plans what goes wrong, and ``requests`` is
    the log of what was asked (`HttpServer`).
    """

    def __init__(
        self,
        *,
        tokens: Mapping[str, Access] | None = None,
        same_write: Literal["keeps", "moves"] = "keeps",
        page: int = PAGE,
        port: int = 0,
    ) -> None:
        self.settings = Settings(same_write)
        store = Store(self.settings, tokens=tokens or {}, page=page)
        self.faults = HttpServer(store.respond, port=port)
        self.url = self.faults.url
        self.connection_string = f"Endpoint={self.url};Id={_KEY_ID};Secret={_KEY}"

    @property
    def requests(self) -> list[Request]:
        return self.faults.requests

    def throttle(self, times: int = 1, headers: Mapping[str, str] | None = None, policy: str = "") -> None:
        """The next requests are too many; ``policy`` is Total Requests, Total Bandwidth or Storage."""
        problem = {
            "type": "https://azconfig.io/errors/too-many-requests",
            "title": "Resource utilization has surpassed the assigned quota",
            "policy": policy or "Total Requests",
            "status": 429,
        }
        told = {"Content-Type": "application/problem+json", **(headers or {})}
        self.faults.fail_next(429, told, json.dumps(problem), times)

    def connection(self) -> dict[str, str]:
        """The entry of ``connections:`` that reaches it, with `environment` set."""
        key = "env:ECS_SYNC_SANDBOX_AZURE_APPCONFIG"
        return {"adapter": "azure-appconfig", "endpoint": self.url, "connection_string": key}

    @property
    def environment(self) -> dict[str, str]:
        """What the entry takes from the environment."""
        return {"ECS_SYNC_SANDBOX_AZURE_APPCONFIG": self.connection_string}

    def __enter__(self) -> Self:
        self.faults.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.faults.close()


_SETTING = "application/vnd.microsoft.appconfig.kv+json; charset=utf-8"
_SET = "application/vnd.microsoft.appconfig.kvset+json; charset=utf-8"


def _problem(answer: Answer) -> Reply:
    if answer.status == 401:
        return Reply(401, b"", (("WWW-Authenticate", "HMAC-SHA256, Bearer"),))
    if not answer.problem:
        return Reply(answer.status)
    body = {
        "type": f"https://azconfig.io/errors/{answer.problem}",
        "title": answer.detail,
        "status": answer.status,
    }
    told = ("Content-Type", "application/problem+json; charset=utf-8")
    return Reply(answer.status, json.dumps(body).encode(), (told,))


def _shown(setting: Setting, described: bool) -> Reply:
    body = json.dumps(setting.json(described)).encode()
    return Reply(200, body, (("Content-Type", _SETTING), ("ETag", f'"{setting.etag}"')))


def _page(request: Request, page: Sequence[Setting], token: str | None) -> Reply:
    etag = page_etag(page, token)
    headers: _Fields = (("Content-Type", _SET), ("ETag", f'"{etag}"'))
    body: dict[str, Any] = {}
    if token is not None:
        following = _following(request.target, token)
        headers += (("Link", f'<{following}>; rel="next"'),)
        body["@nextLink"] = following
    if not _condition(request).holds(etag):
        return Reply(304, b"", headers)
    described = request.query["api-version"] == _DESCRIBED
    body["items"] = [setting.json(described) for setting in page]
    return Reply(200, json.dumps(body).encode(), headers)


def _following(target: str, token: str) -> str:
    """The relative address of the next page: this one's, with the cursor."""
    path, _, query = target.partition("?")
    kept = [part for part in query.split("&") if part and not part.startswith("after=")]
    return f"{path}?{'&'.join([*kept, 'after=' + quote(token, safe='')])}"


def _decoded(raw: str) -> str:
    """A key of the path (A13)."""
    if "%25" in raw:
        raise Answer(400, "invalid-argument", "A key holds no '%'.")
    return Request("GET", raw, {}).path


def _label(request: Request) -> str | None:
    label = request.query.get("label", "")
    return None if label in ("", "\0") else label


def _condition(request: Request) -> Condition:
    match, none_match = request.headers.get("if-match"), request.headers.get("if-none-match")
    return Condition(_etag(match), _etag(none_match))


def _etag(header: str | None) -> str | None:
    return None if header is None else header.strip('"')


def _since(request: Request) -> int:
    """The sequence number that the client's sync token shows: -1 where it has none."""
    found = re.search(r"store=([A-Za-z0-9+/=]+)", request.headers.get("sync-token", ""))
    return int(base64.b64decode(found.group(1))) if found else -1


def _setting(request: Request, key: str, label: str | None, described: bool) -> Setting:
    try:
        body = json.loads(request.body)
        return Setting(
            key,
            label,
            body.get("value"),
            body.get("content_type"),
            dict(body.get("tags") or {}),
            body.get("description") if described else None,
        )
    except (ValueError, AttributeError, TypeError):
        raise Answer(400, "invalid-argument", "The body is not a setting.") from None


def _date(text: str) -> datetime | None:
    """A date of RFC 1123, or as the Python SDK writes it."""
    for form in ("%a, %d %b %Y %H:%M:%S GMT", "%b, %d %Y %H:%M:%S.%f GMT"):
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    return None
