"""The secrets of a vault, in memory: versions, attributes, soft delete. Rules as in `azure_keyvault`."""

from __future__ import annotations

import json
import re
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

VALUE_LIMIT = 25_600
_MOST_TAGS, _TAG_LIMIT, _CONTENT_TYPE_LIMIT = 15, 256, 255
_NAME = r"[0-9a-zA-Z-]{1,127}"
_DAY = 86_400


class Answer(Exception):
    """Ends a request with this status and error body."""

    def __init__(self, status: int, code: str, message: str, inner: str = "") -> None:
        super().__init__(message)
        error: dict[str, Any] = {"code": code, "message": message}
        if inner:
            error["innererror"] = {"code": inner}
        self.status, self.body = status, json.dumps({"error": error}).encode()


@dataclass(frozen=True, slots=True)
class Version:
    """One version of one secret. Times are whole seconds since 1970; ``order`` only rises, unseen."""

    id: str
    value: str = field(repr=False)
    created: int
    updated: int
    order: int
    enabled: bool = True
    not_before: int | None = None
    expires: int | None = None
    tags: Mapping[str, str] | None = None
    content_type: str | None = None


@dataclass(frozen=True, slots=True)
class Secret:
    """All versions under one name, which keeps the case it was first given. ``managed``: of a certificate."""

    name: str
    versions: tuple[Version, ...]
    managed: bool = False

    @property
    def latest(self) -> Version:
        return max(self.versions, key=lambda version: version.order)


@dataclass
class _Passing:
    """A state that the next so many requests about the name still find, as the real service takes seconds."""

    code: str
    left: int


class Vault:
    """The state of one vault; thread-safe. ``clock`` is in seconds since 1970.

    ``lag`` is how many requests about a name still meet the state between, after a delete or a recovery.
    """

    def __init__(self, clock: Callable[[], float] = time.time, *, lag: int = 0, days: int = 90) -> None:
        self.clock, self.lag, self.days = clock, lag, days
        self._lock = threading.RLock()
        self._secrets: dict[str, Secret] = {}
        self._deleted: dict[str, tuple[Secret, int]] = {}
        self._passing: dict[str, _Passing] = {}
        self._order = 0

    # What requests do

    def set(self, name: str, body: Mapping[str, Any]) -> tuple[Secret, Version]:
        """A new version, which takes nothing over from the one before."""
        _named(name)
        value = body.get("value")
        if not isinstance(value, str):
            raise Answer(400, "BadParameter", "Property value is required")
        if len(value.encode()) > VALUE_LIMIT:
            text = f"Secret is beyond the maximum permitted length of {VALUE_LIMIT} characters."
            raise Answer(400, "BadParameter", text)
        with self._lock:
            folded = self._settled(name)
            if folded in self._deleted:
                text = (
                    f"Secret {name} is currently in a deleted but recoverable state, and its name cannot be "
                    "reused; in this state, the secret can only be recovered or purged."
                )
                raise Answer(409, "Conflict", text, "ObjectIsDeletedButRecoverable")
            known = self._secrets.get(folded)
            if known is not None and known.managed:
                raise Answer(409, "Conflict", f"The secret {name} is managed by a certificate.")
            now = int(self.clock())
            self._order += 1
            fresh = Version(uuid.uuid4().hex, value, now, now, self._order)
            version = _patched(fresh, body)
            if known is None:
                secret = Secret(name, (version,))
            else:
                secret = replace(known, versions=(*known.versions, version))
            self._secrets[folded] = secret
            return secret, version

    def get(self, name: str, version: str = "") -> tuple[Secret, Version]:
        """One version, the latest by default, that must be enabled."""
        secret, found = self._find(name, version)
        if not found.enabled:
            text = "Operation get is not allowed on a disabled secret."
            raise Answer(403, "Forbidden", text, "SecretDisabled")
        return secret, found

    def patch(self, name: str, version: str, body: Mapping[str, Any]) -> tuple[Secret, Version]:
        """Other attributes, tags or content type for one version, and its change time."""
        with self._lock:
            secret, found = self._find(name, version)
            moved = replace(_patched(found, body), updated=int(self.clock()))
            versions = tuple(moved if each.id == found.id else each for each in secret.versions)
            secret = replace(secret, versions=versions)
            self._secrets[name.lower()] = secret
            return secret, moved

    def delete(self, name: str) -> tuple[Secret, int]:
        """Takes all versions along into the deleted state; the time of it comes back."""
        with self._lock:
            secret, _ = self._find(name)
            if secret.managed:
                raise Answer(403, "Forbidden", f"The secret {name} is managed by a certificate.")
            now = int(self.clock())
            del self._secrets[name.lower()]
            self._deleted[name.lower()] = (secret, now)
            self._pass(name, "ObjectIsBeingDeleted")
            return secret, now

    def deleted(self, name: str) -> tuple[Secret, int]:
        """A deleted secret and when that was."""
        with self._lock:
            if self._is_passing(name) or name.lower() not in self._deleted:
                raise Answer(404, "SecretNotFound", f"Deleted Secret not found: {name}")
            return self._deleted[name.lower()]

    def recover(self, name: str) -> tuple[Secret, Version]:
        """Brings a deleted secret back, with all its versions."""
        with self._lock:
            secret, _ = self.deleted(name)
            del self._deleted[name.lower()]
            self._secrets[name.lower()] = secret
            self._pass(name, "ObjectIsBeingRecovered")
            return secret, secret.latest

    def purge(self, name: str) -> None:
        """Ends a deleted secret for ever."""
        with self._lock:
            self.deleted(name)
            del self._deleted[name.lower()]

    def secrets(self) -> list[Secret]:
        """All of them, managed ones too, by their names in upper case."""
        with self._lock:
            there = [secret for folded, secret in self._secrets.items() if folded not in self._passing]
        return sorted(there, key=lambda secret: secret.name.upper())

    def deleted_secrets(self) -> list[tuple[Secret, int]]:
        """All deleted ones, by their names in upper case."""
        with self._lock:
            return sorted(self._deleted.values(), key=lambda pair: pair[0].name.upper())

    def versions(self, name: str) -> Secret:
        """The secret with its versions in the order of their ids; with none where it is not there."""
        _named(name)
        with self._lock:
            secret = None if self._is_passing(name) else self._secrets.get(name.lower())
        if secret is None:
            return Secret(name, ())
        return replace(secret, versions=tuple(sorted(secret.versions, key=lambda version: version.id)))

    # What somebody else does, behind every client's back

    def certificate(self, name: str, value: str = "a private key") -> None:
        """A secret that backs a certificate."""
        with self._lock:
            self.set(name, {"value": value, "contentType": "application/x-pkcs12"})
            self._secrets[name.lower()] = replace(self._secrets[name.lower()], managed=True)

    def clear(self) -> None:
        """An empty vault, without deleted secrets."""
        with self._lock:
            self._secrets.clear()
            self._deleted.clear()
            self._passing.clear()

    # Inside

    def _find(self, name: str, version: str = "") -> tuple[Secret, Version]:
        _named(name)
        with self._lock:
            secret = None if self._is_passing(name) else self._secrets.get(name.lower())
        if secret is not None:
            if not version:
                return secret, secret.latest
            for each in secret.versions:
                if each.id == version.lower():
                    return secret, each
        text = (
            f"A secret with (name/id) {name}{f'/{version}' if version else ''} was not found in this key "
            "vault. If you recently deleted this secret you may be able to recover it using the correct "
            "recovery command. For help resolving this issue, please see "
            "https://go.microsoft.com/fwlink/?linkid=2125182"
        )
        raise Answer(404, "SecretNotFound", text)

    def _pass(self, name: str, code: str) -> None:
        if self.lag:
            self._passing[name.lower()] = _Passing(code, self.lag)

    def _is_passing(self, name: str) -> str:
        """The state between that a request about this name meets, which brings it nearer to its end."""
        passing = self._passing.get(name.lower())
        if passing is None:
            return ""
        passing.left -= 1
        if passing.left <= 0:
            del self._passing[name.lower()]
        return passing.code

    def _settled(self, name: str) -> str:
        if code := self._is_passing(name):
            doing = "deleted" if code == "ObjectIsBeingDeleted" else "recovered"
            raise Answer(409, "Conflict", f"Secret {name} is currently being {doing}.", code)
        return name.lower()


def _named(name: str) -> None:
    if not re.fullmatch(_NAME, name):
        text = (
            f"The request URI contains an invalid name: {name}. Valid characters are alphanumeric characters "
            "and dashes."
        )
        raise Answer(400, "BadParameter", text)


def _patched(version: Version, body: Mapping[str, Any]) -> Version:
    """The version with what a request says of it; what it does not say stays."""
    attributes: Mapping[str, Any] = body.get("attributes") or {}
    if "enabled" in attributes and attributes["enabled"] is not None:
        version = replace(version, enabled=bool(attributes["enabled"]))
    if attributes.get("nbf") is not None:
        version = replace(version, not_before=_seconds(attributes["nbf"]))
    if attributes.get("exp") is not None:
        version = replace(version, expires=_seconds(attributes["exp"]))
    if body.get("tags") is not None:
        version = replace(version, tags=_tags(body["tags"]))
    if body.get("contentType") is not None:
        if len(body["contentType"]) > _CONTENT_TYPE_LIMIT:
            raise Answer(400, "BadParameter", "Property contentType is too long")
        version = replace(version, content_type=body["contentType"])
    return version


def _seconds(number: Any) -> int:
    if not isinstance(number, int):
        raise Answer(400, "BadParameter", "A time is not a whole number of seconds")
    return number


def _tags(tags: Any) -> dict[str, str]:
    if not isinstance(tags, dict) or len(tags) > _MOST_TAGS:
        raise Answer(400, "BadParameter", f"Property tags has more than {_MOST_TAGS} tags")
    texts: Sequence[Any] = [*tags, *tags.values()]
    if any(not isinstance(text, str) or len(text) > _TAG_LIMIT for text in texts):
        raise Answer(400, "BadParameter", f"A tag is no text, or longer than {_TAG_LIMIT}")
    return dict(tags)


def days_after(seconds: int, days: int) -> int:
    """The time so many days later, in seconds."""
    return seconds + days * _DAY
