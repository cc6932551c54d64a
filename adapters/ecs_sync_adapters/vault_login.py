"""Whose token a connection uses: obtained where the configuration says, renewed in time, obtained again.

A token is renewed when two thirds of its time are over; where that is refused, or where the server gives
less than a third of the time it gave at first (its greatest age is near), a new one is obtained. A 403
may mean that the token is dead or that the path is forbidden: the token's own lookup tells.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from hvac.api.auth_methods import JWT, AppRole, Kubernetes, Token

from ecs_sync_adapters.failure_kind import Kind
from ecs_sync_adapters.vault_errors import failure_of, unsent
from ecs_sync_adapters.vault_options import KUBERNETES_TOKEN, VaultOptions
from ecs_sync_adapters.vault_wire import Answer, Failure, Line, Wire


@dataclass(frozen=True, slots=True)
class Bearer:
    """One token. ``ttl`` is for how many seconds from ``since`` it is good, None where that is not known.

    ``known`` says that it could look itself up once: a lookup that is denied later means that it is dead.
    """

    token: str = field(repr=False)
    since: float
    ttl: float | None = None
    first_ttl: float | None = None
    renewable: bool = False
    known: bool = False

    def is_over(self, now: float) -> bool:
        return self.ttl is not None and now >= self.since + self.ttl

    def is_due(self, now: float) -> bool:
        return self.ttl is not None and now >= self.since + self.ttl * 2 / 3


class Identity:
    """The token of one connection, for all its threads. Connects to nothing before it is asked."""

    def __init__(
        self, options: VaultOptions, line: Line, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._options, self._line, self._clock = options, line, clock
        self._lock = threading.Lock()
        self._bearer: Bearer | None = None
        self._not_before = 0.0
        self._failed: tuple[float, Failure] | None = None

    def current(self) -> Bearer | Failure:
        """The token to use now, obtained, renewed or replaced where its time has come.

        Who waited while another thread could not obtain one is told so, and does not try for as long again.
        """
        came = self._clock()
        with self._lock:
            if (failed := self._failed_since(came)) is not None:
                return failed
            bearer, now = self._bearer, self._clock()
            if bearer is None:
                return self._kept(self._obtain(now))
            if not bearer.is_due(now) or (now < self._not_before and not bearer.is_over(now)):
                return bearer
            return self._prolonged(bearer, now)

    def after_denial(self, bearer: Bearer) -> Bearer | Failure | None:
        """Another token to try once, where this one is dead; None where the denial is meant as it is."""
        came = self._clock()
        with self._lock:
            if (failed := self._failed_since(came)) is not None:
                return failed
            if self._bearer is not None and self._bearer.token != bearer.token:
                return self._bearer
            if self._options.auth == "token" and not bearer.known:
                return None  # It may not look itself up, and there is no other.
            looked = self._lookup(bearer.token)
            if isinstance(looked, Answer) and looked.status == 200:
                return None
            fresh = self._obtain(self._clock())
            if isinstance(fresh, Failure):
                return self._kept(fresh)
            if fresh.token == bearer.token:
                return _DEAD if bearer.known else None
            return self._kept(fresh)

    def _failed_since(self, came: float) -> Failure | None:
        return self._failed[1] if self._failed is not None and came < self._failed[0] else None

    def _prolonged(self, bearer: Bearer, now: float) -> Bearer | Failure:
        """Renewed, else replaced, else the same as long as it lasts."""
        if bearer.renewable and not bearer.is_over(now):
            renewed = self._renewed(bearer, now)
            if renewed is not None:
                return self._kept(renewed)
        fresh = self._obtain(now)
        if isinstance(fresh, Bearer) and (fresh.token != bearer.token or not fresh.is_due(now)):
            return self._kept(fresh)
        if bearer.is_over(now):
            return self._kept(fresh if isinstance(fresh, Failure) else _DEAD)
        self._not_before = now + (bearer.ttl or 0) / 20
        return bearer

    def _renewed(self, bearer: Bearer, now: float) -> Bearer | None:
        about: Any = Token(adapter=Wire(self._line, bearer.token))
        answer = about.renew_self()
        if isinstance(answer, Failure) or answer.status != 200:
            return None
        granted = _bearer_of(answer, now)
        first = bearer.first_ttl or 0
        if granted is None or granted.ttl is None or granted.ttl < first / 3:
            return None
        return Bearer(bearer.token, now, granted.ttl, first, bearer.renewable, bearer.known)

    def _kept(self, bearer: Bearer | Failure) -> Bearer | Failure:
        if isinstance(bearer, Bearer):
            self._bearer, self._not_before, self._failed = bearer, 0.0, None
        else:
            self._failed = (self._clock(), bearer)
        return bearer

    def _obtain(self, now: float) -> Bearer | Failure:
        options = self._options
        match options.auth:
            case "token":
                return self._looked_up(options.token or "", now)
            case "token-file":
                text = _text_of(options.token_file or Path())
                return self._looked_up(text, now) if isinstance(text, str) else text
            case "approle":
                return self._by_approle(now)
            case "jwt":
                return self._by_file(JWT, "jwt_login", "path", options.jwt_file or Path(), now)
            case "kubernetes":
                path = options.jwt_file or KUBERNETES_TOKEN
                return self._by_file(Kubernetes, "login", "mount_point", path, now)
            case "cert":
                return self._by_certificate(now)

    def _by_approle(self, now: float) -> Bearer | Failure:
        mount = self._options.auth_mount or "approle"
        method = AppRole(adapter=Wire(self._line, None))
        role_id, secret_id = self._options.role_id or "", self._options.secret_id
        answer: Any = method.login(role_id, secret_id, use_token=False, mount_point=mount)
        return _logged_in(answer, mount, now)

    def _by_file(self, method: Any, login: str, mounted: str, path: Path, now: float) -> Bearer | Failure:
        """By the JWT in a file. hvac calls this ``login`` and ``jwt_login``, with the mount by two names."""
        mount = self._options.auth_mount or self._options.auth
        jwt = _text_of(path)
        if isinstance(jwt, Failure):
            return jwt
        call = getattr(method(adapter=Wire(self._line, None)), login)
        answer = call(role=self._options.role, jwt=jwt, use_token=False, **{mounted: mount})
        return _logged_in(answer, mount, now)

    def _by_certificate(self, now: float) -> Bearer | Failure:
        """By the certificate of the connection. hvac's own login wants to have the files once more."""
        mount = self._options.auth_mount or "cert"
        asked = {} if self._options.role is None else {"name": self._options.role}
        answer: Any = Wire(self._line, None).post(f"/v1/auth/{quote(mount)}/login", json=asked)
        return _logged_in(answer, mount, now)

    def _lookup(self, token: str) -> Answer | Failure:
        about: Any = Token(adapter=Wire(self._line, token))
        answer: Answer | Failure = about.lookup_self()
        return answer

    def _looked_up(self, token: str, now: float) -> Bearer | Failure:
        """A token that was given, with what it tells of itself; it may be one that cannot."""
        answer = self._lookup(token)
        if isinstance(answer, Failure):
            return unsent(answer)
        if answer.status == 403:
            return Bearer(token, now)
        if answer.status != 200:
            return unsent(failure_of(answer))
        try:
            ttl = float(answer.data["ttl"]) if answer.data.get("expire_time") else None
        except (KeyError, ValueError, TypeError):
            ttl = None
        # The file's own agent renews what is in it.
        renewable = self._options.auth == "token" and answer.data.get("renewable") is True
        return Bearer(token, now, ttl, ttl, renewable, known=True)


def _bearer_of(answer: Answer, now: float) -> Bearer | None:
    """What a login or a renewal gives; None where that is no token."""
    try:
        auth = answer.document["auth"]
        token, ttl = str(auth["client_token"]), float(auth["lease_duration"])
        renewable = auth.get("renewable") is True
    except (KeyError, ValueError, TypeError, AttributeError):
        return None
    if not re.fullmatch(r"[\x21-\x7e]+", token):
        return None
    return Bearer(token, now, ttl or None, ttl or None, renewable)


def _wants_more(answer: Answer) -> bool:
    auth = answer.document.get("auth")
    return isinstance(auth, dict) and bool(auth.get("mfa_requirement"))


def _logged_in(answer: Answer | Failure, mount: str, now: float) -> Bearer | Failure:
    """The token that a login gave, or why it gave none."""
    bearer = _bearer_of(answer, now) if isinstance(answer, Answer) and answer.status == 200 else None
    if bearer is not None:
        return bearer
    if isinstance(answer, Answer) and _wants_more(answer):
        return Failure(
            Kind.IDENTITY, f"the login at auth/{mount} wants a second factor: take one that does not"
        )
    failure = answer if isinstance(answer, Failure) else failure_of(answer)
    if failure.kind in (Kind.DENIED, Kind.REFUSED):
        reason = f"the login at auth/{mount} is refused: check auth_mount, the role and its credential"
        return Failure(Kind.IDENTITY, reason)
    return unsent(replace(failure, reason=f"the login at auth/{mount}: {failure.reason}"))


def _text_of(path: Path) -> str | Failure:
    """The one word in a file, which is read anew whenever it is needed: whoever writes it rotates it."""
    try:
        text = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        return Failure(Kind.IDENTITY, f"no credential: {path} cannot be read ({type(error).__name__})")
    if not re.fullmatch(r"[\x21-\x7e]+", text):
        return Failure(Kind.IDENTITY, f"no credential: {path} does not hold one word of ASCII letters")
    return text


_DEAD = Failure(Kind.IDENTITY, "the token is not accepted: it has expired or was revoked; give a new one")
