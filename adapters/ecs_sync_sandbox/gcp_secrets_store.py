"""The secrets of a project as Secret Manager keeps them, in memory: the state behind `gcp_secrets`.

`gcp_secrets` has the rules by number. What a rule refuses raises `Refused` with the status of gRPC.
"""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import google_crc32c
import grpc
from google.cloud.secretmanager_v1 import types

VALUE_LIMIT = 65_536
_State = types.SecretVersion.State


class Refused(Exception):
    """Ends a call with this status and text."""

    def __init__(self, code: grpc.StatusCode, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(slots=True)
class _Version:
    number: int
    micros: int
    data: bytes | None = field(repr=False)
    crc: int
    state: Any = _State.ENABLED
    etag: str = ""
    scheduled: int | None = None


@dataclass(slots=True)
class _Secret:
    name: str
    micros: int
    settings: types.Secret
    etag: str
    versions: list[_Version] = field(default_factory=list)
    behind: int = 0


class Secrets:
    """Safe among threads. ``parent`` is such as ``projects/acme-1`` or ``projects/acme-1/locations/eu``.

    ``get``, ``set`` and ``remove`` are for edits from outside; they know no faults and leave no log.
    """

    def __init__(self, parent: str, number: str) -> None:
        self.parent = parent
        self.shown = re.sub("projects/[^/]+", f"projects/{number}", parent, count=1)
        self._lock = threading.RLock()
        self._secrets: dict[str, _Secret] = {}
        self._last = 0

    # From outside

    def get(self, id: str) -> bytes | None:
        """The latest value, lag or not; None where there is none, or where it may not be had."""
        with self._lock:
            found = self._secrets.get(id)
            latest = found.versions[-1] if found and found.versions else None
            return latest.data if latest and latest.state == _State.ENABLED else None

    def set(
        self, id: str, value: bytes, labels: Mapping[str, str] | None = None, **more: Mapping[str, str]
    ) -> int:
        """Adds a version, to a new secret where there is none; the version's number."""
        with self._lock:
            if id not in self._secrets:
                kept: dict[str, Any] = (
                    {} if "/locations/" in self.parent else {"replication": {"automatic": {}}}
                )
                self.create(id, types.Secret(**kept))
            if labels or more:
                self._secrets[id].settings.labels = dict(labels or {})
                self._secrets[id].settings.annotations = dict(more.get("annotations", {}))
            return int(self.add(id, types.SecretPayload(data=value)).name.rpartition("/")[2])

    def remove(self, id: str) -> None:
        with self._lock:
            self._secrets.pop(id, None)

    def names(self) -> list[str]:
        with self._lock:
            return sorted(self._secrets)

    def lag(self, id: str, versions: int) -> None:
        """``latest`` shows the secret as it was so many versions ago, until told otherwise (G22)."""
        with self._lock:
            self._secrets[id].behind = versions

    # Secrets

    def create(self, id: str, asked: types.Secret) -> types.Secret:
        if not re.fullmatch("[A-Za-z0-9_-]{1,255}", id):
            raise Refused(grpc.StatusCode.INVALID_ARGUMENT, "The provided Secret ID is invalid.")
        regional = "/locations/" in self.parent
        if regional == bool(types.Secret.pb(asked).HasField("replication")):
            word = "must not" if regional else "must"
            raise Refused(grpc.StatusCode.INVALID_ARGUMENT, f"secret.replication {word} be set.")
        _check(asked)
        with self._lock:
            if id in self._secrets:
                raise Refused(
                    grpc.StatusCode.ALREADY_EXISTS, f"Secret [{self.shown}/secrets/{id}] already exists."
                )
            made = _Secret(id, self._now(), asked, _etag())
            self._secrets[id] = made
            return self._shown(made)

    def read(self, id: str) -> types.Secret:
        with self._lock:
            return self._shown(self._there(id))

    def update(self, asked: types.Secret, fields: Iterable[str]) -> types.Secret:
        """Sets the fields of the mask; the etag moves also where they were so already (G12)."""
        _check(asked)
        with self._lock:
            found = self._there(asked.name.rpartition("/")[2])
            _match(asked.etag, found.etag)
            for name in fields:
                if name not in ("labels", "annotations", "version_aliases", "version_destroy_ttl"):
                    raise Refused(grpc.StatusCode.INVALID_ARGUMENT, f"{name} cannot be updated.")
                setattr(found.settings, name, getattr(asked, name))
            found.etag = _etag()
            return self._shown(found)

    def delete(self, id: str, etag: str) -> None:
        with self._lock:
            _match(etag, self._there(id).etag)
            del self._secrets[id]

    def page(self, size: int, token: str) -> tuple[list[types.Secret], str, int]:
        """Newest first; the token names the last secret that was shown, by its time."""
        _token(token)
        with self._lock:
            every = sorted(self._secrets.values(), key=lambda each: each.micros, reverse=True)
            left = [each for each in every if not token or each.micros < int(token)]
            shown = left[:size]
            more = str(shown[-1].micros) if len(left) > size else ""
            return [self._shown(each) for each in shown], more, len(every)

    # Versions

    def add(self, id: str, payload: types.SecretPayload) -> types.SecretVersion:
        told = types.SecretPayload.pb(payload)
        if not told.data:
            raise Refused(grpc.StatusCode.INVALID_ARGUMENT, "Field [payload] is required.")
        if len(told.data) > VALUE_LIMIT:
            raise Refused(
                grpc.StatusCode.INVALID_ARGUMENT, f"The payload is larger than {VALUE_LIMIT} bytes."
            )
        crc = google_crc32c.value(told.data)
        if told.HasField("data_crc32c") and told.data_crc32c != crc:
            raise Refused(grpc.StatusCode.INVALID_ARGUMENT, "The payload does not match its checksum.")
        with self._lock:
            found = self._there(id)
            made = _Version(len(found.versions) + 1, self._now(), told.data, crc, etag=_etag())
            found.versions.append(made)
            return self._version(found, made)

    def find(self, id: str, word: str) -> types.SecretVersion:
        with self._lock:
            found = self._there(id)
            return self._version(found, self._meant(found, word))

    def access(self, id: str, word: str) -> types.AccessSecretVersionResponse:
        with self._lock:
            found = self._there(id)
            version = self._meant(found, word)
            shown = self._version(found, version)
            if version.state != _State.ENABLED:
                state = _State(version.state).name
                raise Refused(
                    grpc.StatusCode.FAILED_PRECONDITION, f"Secret Version [{shown.name}] is in {state} state."
                )
            payload = types.SecretPayload(data=version.data, data_crc32c=version.crc)
            return types.AccessSecretVersionResponse(name=shown.name, payload=payload)

    def versions(self, id: str, size: int, token: str) -> tuple[list[types.SecretVersion], str, int]:
        _token(token)
        with self._lock:
            found = self._there(id)
            left = [each for each in reversed(found.versions) if not token or each.number < int(token)]
            shown = left[:size]
            more = str(shown[-1].number) if len(left) > size else ""
            return [self._version(found, each) for each in shown], more, len(found.versions)

    def become(self, id: str, word: str, state: str, etag: str = "") -> types.SecretVersion:
        """Enables, disables or destroys a version; destroying waits where the secret says so (G17)."""
        with self._lock:
            found = self._there(id)
            version = self._meant(found, word)
            _match(etag, version.etag)
            if version.state == _State.DESTROYED:
                raise Refused(grpc.StatusCode.FAILED_PRECONDITION, "The version is destroyed.")
            wait = types.Secret.pb(found.settings).version_destroy_ttl.seconds
            version.etag, version.scheduled = _etag(), None
            if state == "DESTROYED" and wait:
                version.state, version.scheduled = _State.DISABLED, self._now() + wait * 1_000_000
            else:
                version.state = getattr(_State, state)
                version.data = None if state == "DESTROYED" else version.data
            return self._version(found, version)

    # Within

    def _there(self, id: str) -> _Secret:
        found = self._secrets.get(id)
        if found is None:
            raise Refused(grpc.StatusCode.NOT_FOUND, f"Secret [{self.shown}/secrets/{id}] not found.")
        return found

    def _meant(self, found: _Secret, word: str) -> _Version:
        aliases = dict(found.settings.version_aliases)
        if word == "latest":
            number = len(found.versions) - found.behind
        else:
            number = int(word) if word.isdigit() else int(aliases.get(word, 0))
        if not 1 <= number <= len(found.versions):
            name = f"{self.shown}/secrets/{found.name}/versions/{word}"
            raise Refused(grpc.StatusCode.NOT_FOUND, f"Secret Version [{name}] not found.")
        return found.versions[number - 1]

    def _shown(self, found: _Secret) -> types.Secret:
        shown = types.Secret(found.settings)
        shown.name, shown.etag = f"{self.shown}/secrets/{found.name}", found.etag
        _stamp(types.Secret.pb(shown).create_time, found.micros)
        return shown

    def _version(self, found: _Secret, version: _Version) -> types.SecretVersion:
        shown = types.SecretVersion(
            name=f"{self.shown}/secrets/{found.name}/versions/{version.number}",
            state=version.state,
            etag=version.etag,
            client_specified_payload_checksum=True,
        )
        _stamp(types.SecretVersion.pb(shown).create_time, version.micros)
        if version.scheduled is not None:
            _stamp(types.SecretVersion.pb(shown).scheduled_destroy_time, version.scheduled)
        return shown

    def _now(self) -> int:
        """Microseconds that rise with every call."""
        self._last = max(self._last + 1, time.time_ns() // 1000)
        return self._last


def _check(asked: types.Secret) -> None:
    """The rules for labels and annotations (G20)."""
    letters = r"[^\W\d_A-Z]"
    for name, text in asked.labels.items():
        if not re.fullmatch(rf"{letters}(?:{letters}|[\d_-]){{0,62}}", name):
            raise Refused(grpc.StatusCode.INVALID_ARGUMENT, "A label's key is invalid.")
        if not re.fullmatch(rf"(?:{letters}|[\d_-]){{0,63}}", text):
            raise Refused(grpc.StatusCode.INVALID_ARGUMENT, "A label's value is invalid.")
    size = sum(len(name.encode()) + len(text.encode()) for name, text in asked.annotations.items())
    if len(asked.labels) > 64 or size >= 16 * 1024:
        raise Refused(grpc.StatusCode.INVALID_ARGUMENT, "Too many labels or too large annotations.")


def _match(etag: str, current: str) -> None:
    if etag and etag != current:
        raise Refused(grpc.StatusCode.FAILED_PRECONDITION, "The etag is not the current one.")


def _token(token: str) -> None:
    if token and not token.isdigit():
        raise Refused(grpc.StatusCode.INVALID_ARGUMENT, "The page token is not valid.")


def _etag() -> str:
    return f'"{secrets.token_hex(7)}"'


def _stamp(field: Any, micros: int) -> None:
    field.seconds, field.nanos = micros // 1_000_000, micros % 1_000_000 * 1000
