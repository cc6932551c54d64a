"""A stand-in for an Azure Key Vault: secrets and wrapping keys over HTTPS, by these rules.

Sources: R = traffic of the real service, recorded in Azure/azure-sdk-for-js ``sdk/keyvault/
keyvault-secrets/recordings``; S = azure-rest-api-specs ``keyvault/data-plane``; D = documentation of the
service; P = azure-keyvault-secrets 4.12, which refuses what does not look so; ? = what the service does
here is not known, and no client should depend on it.
Each rule has a test of its number in ``tests/sandbox/test_azure_keyvault.py``.

====  =====================================================================================  ======
V1    without a token: 401, code Unauthorized, and WWW-Authenticate says who gives tokens     R P
V2    a token that expired: 401 and WWW-Authenticate again, with ``error="invalid_token"``;   D P
      one that was revoked has ``claims`` there, with which a client asks for another
V3    PUT makes a new version, also of the same value; its id is 32 hex digits                R
V4    a new version takes over nothing: no tags, content type, times, and it is enabled       S D
V5    times are whole seconds: versions of one second are told apart by their ids alone       R
V6    names differ by more than case; a secret keeps the case that it was first given         D R
V7    GET gives the latest version or the one that is named; neither there is 404,            R
      code SecretNotFound
V8    a disabled version is 403, code Forbidden, inner code SecretDisabled                    R
V9    lists have no values, and the list of secrets no version either                         R S
V10   a page holds 25, or ``maxresults`` of 1 to 25; ``nextLink`` is absolute, with its port  R S
V11   secrets are listed by their name in upper case, versions by their id                    R
V12   a page may be short or empty and not be the last                                        R
V13   a certificate's secret is listed with ``managed`` and has ``kid``; PUT is 409           R ?
V14   the versions of what is not there are an empty list                                     R
V15   PATCH changes attributes, tags and content type of a version, and its change time       S
V16   DELETE takes all versions along; recoveryId, deletedDate, scheduledPurgeDate            R
V17   PUT of a deleted name is 409, inner code ObjectIsDeletedButRecoverable                  D
V18   after a delete and a recovery neither side shows it for a while; PUT then is 409,       R D
      inner code ObjectIsBeingDeleted or ObjectIsBeingRecovered
V19   a recovered secret has all its versions back, the latest value too                      D
V20   purging ends a deleted secret: 204, and the name is free                                R
V21   a name is 1 to 127 letters, digits and dashes, else 400, code BadParameter              D
V22   a value is text of at most 25,600 bytes, also empty; a missing one is 400               R D
V23   at most 15 tags of 256 and 256; a content type of at most 255                           D
V24   429, code Throttled, with or without Retry-After                                        D
V25   an api-version is required                                                              S
V26   /keys: show, create, wrapkey and unwrapkey with RSA-OAEP and RSA-OAEP-256               S
V27   /TENANT/oauth2/v2.0/token gives tokens to the application of the sandbox                P
====  =====================================================================================  ======
"""

from __future__ import annotations

import base64
import json
import ssl
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl

import trustme

from ecs_sync_sandbox.azure_keyvault_keys import Keys
from ecs_sync_sandbox.azure_keyvault_state import Answer, Secret, Vault, Version, days_after
from ecs_sync_sandbox.http_server import HttpServer, Reply, Request, When

TENANT = "00000000-0000-0000-0000-00000000ec55"
CLIENT_ID = "00000000-0000-0000-0000-0000000000c1"
CLIENT_SECRET = "sandbox"  # noqa: S105
_MOST = 25
_CLAIMS = base64.b64encode(b'{"access_token":{"nbf":{"essential":true,"value":"1"}}}').decode()


@dataclass
class Entra:
    """Who gives tokens to the sandbox's one application, and knows which of them have expired."""

    tokens: set[str] = field(default_factory=set)
    revoked: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def expire(self) -> None:
        """No token that was given so far is taken any more."""
        with self.lock:
            self.tokens.clear()

    def revoke(self) -> None:
        """As `expire`, and clients are told to ask for others: what continuous access evaluation does."""
        with self.lock:
            self.revoked |= self.tokens
            self.tokens.clear()

    def respond(self, request: Request, url: str, tenant: str) -> Reply:
        if request.path.endswith("/.well-known/openid-configuration"):
            return _json(
                {
                    "issuer": f"{url}/{tenant}/v2.0",
                    "token_endpoint": f"{url}/{tenant}/oauth2/v2.0/token",
                    "authorization_endpoint": f"{url}/{tenant}/oauth2/v2.0/authorize",
                }
            )
        form = dict(parse_qsl(request.body.decode()))
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            text = "AADSTS7000215: Invalid client secret provided."
            return _json({"error": "invalid_client", "error_description": text}, 401)
        token = uuid.uuid4().hex
        with self.lock:
            self.tokens.add(token)
        return _json({"token_type": "Bearer", "expires_in": 3599, "access_token": token})


@dataclass(frozen=True, slots=True)
class _Service:
    """One vault's answers, without a port. ``pages`` holds the sizes of the next pages, where not full."""

    url: str
    vault: Vault
    keys: Keys
    entra: Entra
    pages: list[int] = field(default_factory=list)

    def respond(self, request: Request) -> Reply:
        first, _, rest = request.path.lstrip("/").partition("/")
        if first == TENANT:
            return self.entra.respond(request, self.url, first)
        if (challenge := self._challenge(request)) is not None:
            return challenge
        try:
            if not request.query.get("api-version"):
                raise Answer(400, "BadParameter", "api-version must be specified")
            return self._routed(request, first, rest.split("/") if rest else [])
        except Answer as answer:
            return Reply(answer.status, answer.body, (_JSON,))

    def _challenge(self, request: Request) -> Reply | None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        where = (
            f'authorization="https://login.microsoftonline.com/{TENANT}", resource="https://vault.azure.net"'
        )
        if scheme.lower() != "bearer" or not token:
            text = "AKV10000: Request is missing a Bearer or PoP token."
        elif token in self.entra.revoked:
            where += f', error="insufficient_claims", claims="{_CLAIMS}"'
            text = "AKV10050: The token was revoked."
        elif token not in self.entra.tokens:
            where += ', error="invalid_token", error_description="The token is expired"'
            text = "AKV10045: The token is expired or not one of this tenant."
        else:
            return None
        body = json.dumps({"error": {"code": "Unauthorized", "message": text}}).encode()
        return Reply(401, body, (_JSON, ("WWW-Authenticate", f"Bearer {where}")))

    def _routed(self, request: Request, kind: str, names: list[str]) -> Reply:
        match (request.method, kind, names):
            case ("GET", "secrets", []):
                return self._listed(request)
            case ("GET", "secrets", [name, "versions"]):
                return self._versions(request, name)
            case ("GET", "secrets", [name, *version]):
                return self._shown(*self.vault.get(name, "".join(version)))
            case ("PUT", "secrets", [name]):
                return self._shown(*self.vault.set(name, _body(request)))
            case ("PATCH", "secrets", [name, *version]):
                secret, found = self.vault.patch(name, "".join(version), _body(request))
                return _json(self._entry(secret, found, f"/{found.id}"))
            case ("DELETE", "secrets", [name]):
                return _json(self._gone(*self.vault.delete(name)))
            case ("GET", "deletedsecrets", []):
                return self._page(request, [self._gone(*pair) for pair in self.vault.deleted_secrets()])
            case ("GET", "deletedsecrets", [name]):
                return _json(self._gone(*self.vault.deleted(name)))
            case ("POST", "deletedsecrets", [name, "recover"]):
                secret, found = self.vault.recover(name)
                return _json(self._entry(secret, found, f"/{found.id}"))
            case ("DELETE", "deletedsecrets", [name]):
                self.vault.purge(name)
                return Reply(204)
            case (_, "keys", [name, *rest]):
                return self._key(request, name, rest)
        raise Answer(404, "NotFound", "The path is not one of this stand-in")

    def _key(self, request: Request, name: str, rest: list[str]) -> Reply:
        match (request.method, rest):
            case ("GET", [] | [_]):
                return _json(self.keys.show(name, "".join(rest)))
            case ("POST", ["create"]):
                self.keys.create(name)
                return _json(self.keys.show(name, ""))
            case ("POST", [*version, "wrapkey"]):
                return _json(self.keys.wrap(name, "".join(version), _body(request)))
            case ("POST", [*version, "unwrapkey"]):
                return _json(self.keys.unwrap(name, "".join(version), _body(request)))
        raise Answer(404, "NotFound", "The path is not one of this stand-in")

    def _listed(self, request: Request) -> Reply:
        return self._page(
            request, [self._entry(secret, secret.latest, "") for secret in self.vault.secrets()]
        )

    def _versions(self, request: Request, name: str) -> Reply:
        secret = self.vault.versions(name)
        return self._page(request, [self._entry(secret, each, f"/{each.id}") for each in secret.versions])

    def _shown(self, secret: Secret, version: Version) -> Reply:
        key = {"kid": f"{self.url}/keys/{secret.name}/{version.id}"} if secret.managed else {}
        return _json({"value": version.value, **self._entry(secret, version, f"/{version.id}"), **key})

    def _gone(self, secret: Secret, when: int) -> dict[str, Any]:
        return {
            "recoveryId": f"{self.url}/deletedsecrets/{secret.name}",
            "deletedDate": when,
            "scheduledPurgeDate": days_after(when, self.vault.days),
            **self._entry(secret, secret.latest, f"/{secret.latest.id}"),
        }

    def _entry(self, secret: Secret, version: Version, tail: str) -> dict[str, Any]:
        attributes = {
            "enabled": version.enabled,
            "nbf": version.not_before,
            "exp": version.expires,
            "created": version.created,
            "updated": version.updated,
            "recoveryLevel": "Recoverable+Purgeable",
            "recoverableDays": self.vault.days,
        }
        entry = {
            "id": f"{self.url}/secrets/{secret.name}{tail}",
            "contentType": version.content_type,
            "tags": None if version.tags is None else dict(version.tags),
            "managed": True if secret.managed else None,
            "attributes": {name: told for name, told in attributes.items() if told is not None},
        }
        return {name: told for name, told in entry.items() if told is not None}

    def _page(self, request: Request, entries: list[dict[str, Any]]) -> Reply:
        """The entries after the marker, which names the last one shown: others may come and go meanwhile."""
        most = request.query.get("maxresults", str(_MOST))
        if not most.isdigit() or not 1 <= int(most) <= _MOST:
            raise Answer(400, "BadParameter", f"maxresults is not between 1 and {_MOST}")
        after = request.query.get("$skiptoken", "")
        ahead = [entry for entry in entries if _marker(entry) > after]
        size = self.pages.pop(0) if self.pages else int(most)
        shown = ahead[:size]
        following = None
        if len(shown) < len(ahead):
            # An empty page leads on as well: '!' sorts before everything that a name can go on with.
            marker = _marker(shown[-1]) if shown else f"{after}!"
            tail = f"api-version={request.query['api-version']}&$skiptoken={marker}&maxresults={most}"
            following = f"{self.url}{request.path}?{tail}"
        return _json({"value": shown, "nextLink": following})


class KeyVaultServer:
    """The stand-in on a port of 127.0.0.1 with a certificate of its own, for a ``with`` block.

    ``vault`` is the state, for edits from outside; ``faults`` plans what goes wrong, ``requests`` is the
    log of what was asked (`HttpServer`), and ``ca_file`` the authority to trust.
    """

    def __init__(
        self, *, clock: Callable[[], float] = time.time, lag: int = 0, days: int = 90, port: int = 0
    ) -> None:
        self._folder = TemporaryDirectory(prefix="keyvault-sandbox-")
        self.ca_file = str(Path(self._folder.name, "ca.pem"))
        self.vault = Vault(clock, lag=lag, days=days)
        self.entra = Entra()
        self.faults = HttpServer(self._respond, port=port, tls=_certified(self.ca_file))
        self.url = self.faults.url
        self.keys = Keys(self.url, clock)
        self._service = _Service(self.url, self.vault, self.keys, self.entra)

    @property
    def requests(self) -> list[Request]:
        """What clients asked of the vault, in order; not what they asked of Entra."""
        return [request for request in self.faults.requests if not request.path.startswith(f"/{TENANT}/")]

    def connection(self) -> dict[str, Any]:
        """What a configuration's ``connections:`` says to reach this vault."""
        return {
            "adapter": "azure-keyvault",
            "vault": self.url,
            "credential": "client-secret",
            "tenant_id": TENANT,
            "client_id": CLIENT_ID,
            "client_secret": "env:ECS_SYNC_SANDBOX_AZURE_SECRET",
            "authority": self.url,
            "ca_file": self.ca_file,
            "verify_challenge": False,
        }

    @property
    def environment(self) -> dict[str, str]:
        """The variables that `connection` speaks of."""
        return {"ECS_SYNC_SANDBOX_AZURE_SECRET": CLIENT_SECRET}

    def short_pages_next(self, sizes: list[int]) -> None:
        """The next pages hold so many and, while there is more, are not the last."""
        self._service.pages.extend(sizes)

    def throttle(self, retry_after: str | None = None, times: int = 1, method: str = "") -> None:
        """The next requests that carry a token meet the vault's limit."""
        headers = {} if retry_after is None else {"Retry-After": retry_after}
        self.fail_next(429, "Throttled", headers, times, method)

    def fail_next(
        self,
        status: int,
        code: str = "InternalServerError",
        headers: dict[str, str] | None = None,
        times: int = 1,
        method: str = "",
    ) -> None:
        """The next requests that carry a token are answered so, and have no effect."""
        body = Answer(status, code, "This request was planned to fail").body
        given = {"Content-Type": "application/json", **(headers or {})}
        self.faults.fail_next(status, given, body, times, told(method))

    def pass_next(self, count: int, method: str = "") -> When:
        """Meets requests that carry a token, from the one after the next ``count`` on."""
        left, meets = [count], told(method)

        def when(request: Request) -> bool:
            if meets(request):
                left[0] -= 1
            return meets(request) and left[0] < 0

        return when

    def _respond(self, request: Request) -> Reply:
        return self._service.respond(request)

    def __enter__(self) -> Self:
        self.faults.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.faults.close()
        self._folder.cleanup()


def told(method: str = "") -> When:
    """Meets requests to the vault that carry a token: the first question of a client has none."""

    def when(request: Request) -> bool:
        return "authorization" in request.headers and method in ("", request.method)

    return when


_JSON = ("Content-Type", "application/json; charset=utf-8")


def _certified(ca_file: str) -> ssl.SSLContext:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    authority.cert_pem.write_to_path(ca_file)
    return context


def _marker(entry: Mapping[str, Any]) -> str:
    return str(entry.get("recoveryId", entry["id"])).rpartition("/")[2].upper()


def _json(answer: Mapping[str, Any], status: int = 200) -> Reply:
    return Reply(status, json.dumps(answer).encode(), (_JSON,))


def _body(request: Request) -> Mapping[str, Any]:
    try:
        body = json.loads(request.body)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Answer(400, "BadParameter", "The body is not a JSON object")
    return body
