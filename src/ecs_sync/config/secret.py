"""Where a secret comes from. The configuration names the source and never holds the secret."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from ecs_sync.errors import ConfigError, EcsSyncError, Problem, StoreError, Unacknowledged, Unavailable
from ecs_sync.reference import Reference, reads_as_reference

_ENV = re.compile(r"env:(\S*)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MOST_BYTES = 1 << 20


class From(StrEnum):
    ENV = "env"
    FILE = "file"
    REFERENCE = "reference"


Opener = Callable[[Reference], str]
"""Reads a secret at a connection. Raises EcsSyncError saying why it cannot."""


@dataclass(frozen=True, slots=True)
class Where:
    """A place in the configuration file. Lines and columns count from 1."""

    file: str
    line: int
    column: int
    path: str


@dataclass(frozen=True, slots=True)
class SecretSource:
    """A secret that is read when it is needed, and each time anew, so that a rotated one is seen.

    ``name`` is the environment variable, the absolute path or the reference. Two sources are equal where
    they name the same thing.
    """

    kind: From
    name: str
    where: Where = field(compare=False)
    environ: Mapping[str, str] = field(compare=False, repr=False)

    def read(self, opened: Opener | None = None) -> str:
        """The secret; a file's without its trailing line ends. Raises `ConfigError` naming the source.

        Raises Unavailable, naming it as well, where a provider does not answer: no edit mends that.
        """
        match self.kind:
            case From.ENV:
                secret = self.environ.get(self.name)
                if secret is None:
                    raise self.unusable(f"environment variable {self.name} is not set")
                if secret == "":
                    raise self.unusable(f"environment variable {self.name} is empty")
                return secret
            case From.FILE:
                return self._read_file()
            case From.REFERENCE:
                return self._open(opened)

    def _open(self, opened: Opener | None) -> str:
        if opened is None:
            raise self.unusable(f"{self.name} cannot be used here: write env:NAME or file:PATH")
        failed: EcsSyncError
        try:
            return opened(Reference.parse(self.name))
        except (Unavailable, Unacknowledged) as error:
            failed = Unavailable(str(self._problem(str(error))))
        except EcsSyncError as error:
            failed = self.unusable(str(error))
        # Raised out here it leads back to no frame that has the secret.
        raise failed

    def problem(self) -> Problem | None:
        """Why the secret cannot be read now, if it cannot. What lies at a connection is not asked for."""
        if self.kind is From.REFERENCE:
            return None
        try:
            self.read()
        except ConfigError as error:
            return error.problems[0]
        return None

    def _read_file(self) -> str:
        secret, reason = _in_file(Path(self.name))
        if reason:
            raise self.unusable(f"file {self.name}{reason}")
        return secret

    def unusable(self, reason: str) -> ConfigError:
        """The error to raise where what the source gives cannot be used, with the place that names it."""
        problem = self._problem(reason)
        return ConfigError(str(problem), (problem,))

    def _problem(self, reason: str) -> Problem:
        at = self.where
        return Problem(at.file, at.line, at.column, at.path, reason)

    def __str__(self) -> str:
        return self.name if self.kind is From.REFERENCE else f"{self.kind}:{self.name}"


def _in_file(path: Path) -> tuple[str, str]:
    """The secret in a file, and nothing; or nothing, and why it cannot be had."""
    try:
        with path.open("rb") as stream:
            raw = stream.read(_MOST_BYTES + 1)
    except OSError as error:
        return "", f": {error.strerror or 'cannot be read'}"
    if len(raw) > _MOST_BYTES:
        return "", " is larger than 1 MiB: it is hardly a secret"
    try:
        secret = raw.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        return "", " is not UTF-8 text"
    return secret, "" if secret else " is empty"


def no_key(source: SecretSource) -> Problem | None:
    """Why what a source gives is no key of a store, where it can be read now and is none."""
    if source.kind is From.REFERENCE or source.problem() is not None:
        return None
    # A key is the exception, and the store has much else with it.
    from ecs_sync.store.keys import decode_key

    try:
        decode_key(source.read().encode(), str(source))
    except StoreError as error:
        return source.unusable(str(error)).problems[0]
    return None


def looks_like_source(text: str) -> bool:
    """Is this text spelled like a secret's source, wherever it stands?"""
    env = _ENV.fullmatch(text)
    return bool(env and _NAME.fullmatch(env[1])) or text.startswith(("file:", "@secret:"))


def source(text: str, where: Where, folder: Path, environ: Mapping[str, str]) -> SecretSource:
    """The source of this spelling. Raises ValueError, which never quotes what may be the secret itself."""
    if text.startswith("@secret:") or reads_as_reference(text):
        return SecretSource(From.REFERENCE, Reference.parse(text).text, where, environ)
    kind, colon, name = text.partition(":")
    if not colon or kind not in ("env", "file"):
        raise ValueError(
            "a secret never stands in the configuration: write env:NAME, file:PATH or "
            "@secret:CONNECTION/NAME, and if this is a real one, replace it where it was issued"
        )
    if kind == From.FILE:
        if not name:
            raise ValueError("file: wants a path")
        return SecretSource(From.FILE, str(folder / name), where, environ)
    if not _NAME.fullmatch(name):
        raise ValueError("env: wants the name of an environment variable: letters, digits and '_'")
    return SecretSource(From.ENV, name, where, environ)
