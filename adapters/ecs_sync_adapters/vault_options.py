"""What a Vault connection and a place at it are configured with. The same for both versions of KV."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, Self

from ecs_sync.adapter import ItemId, Limits, Rule, option
from ecs_sync_adapters.http_proxy import url_parts
from ecs_sync_adapters.http_reach import Reach
from ecs_sync_adapters.reach_options import api_path, way_problems

AuthName = Literal["token", "token-file", "approle", "jwt", "kubernetes", "cert"]

KUBERNETES_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
"""Where a cluster puts the token of a pod's service account."""


@dataclass(frozen=True, slots=True)
class VaultOptions:
    """How to reach a Vault or OpenBao server, a mount of it, and as whom."""

    takes_unread: ClassVar[bool] = True

    url: str = option("The server, such as https://vault.example:8200", where=True)
    mount: str = option("Where the secrets engine is mounted", default="secret", where=True)
    namespace: str | None = option("The namespace, such as admin/team", default=None, where=True)
    auth: AuthName = option(
        "Where the token comes from: token, token-file (such as an agent's sink), approle, jwt, kubernetes,"
        " cert (the client_cert); never from elsewhere",
        default="token",
    )
    auth_mount: str | None = option(
        "Where the auth method is mounted; default approle, jwt, kubernetes or cert", default=None
    )
    role: str | None = option("The role for jwt, kubernetes and cert", default=None)
    role_id: str | None = option("The role id for approle", default=None)
    token_file: Path | None = option("The file with the token for token-file", default=None)
    jwt_file: Path | None = option(
        "The file with the JWT for jwt and kubernetes; kubernetes finds that of its pod", default=None
    )
    deletes: Literal["soft", "destroy"] | None = option(
        "KV 2 only. soft (the default): a deleted version can be undeleted. destroy: its data is gone",
        default=None,
    )
    transit: str = option(
        "Where the transit engine is mounted that wraps the key of the store, where it does",
        default="transit",
    )
    ca_file: Path | None = option("The certificate authority of the server's certificate", default=None)
    client_cert: Path | None = option(
        "The certificate to show to a server that asks for one, in PEM; may hold its key", default=None
    )
    client_key: Path | None = option("The key of client_cert, in PEM and not encrypted", default=None)
    proxy: str | None = option(
        "The proxy on the way to the server, such as http://proxy.example:3128", default=None
    )
    connect_timeout: float = option("Seconds to wait for a connection", default=5.0)
    read_timeout: float = option("Seconds to wait for an answer", default=20.0)
    concurrency: int = option("Calls in flight at once", default=8)
    token: str | None = option("The token for token", default=None, secret=True)
    secret_id: str | None = option("The secret id for approle", default=None, secret=True)
    proxy_login: str | None = option("user:password for the proxy", default=None, secret=True)

    def __post_init__(self) -> None:
        """Raises ValueError with all that is wrong, each in one sentence without a secret."""
        if wrong := _problems(self):
            raise ValueError("; ".join(wrong))

    @property
    def reach(self) -> Reach:
        """The way to the server."""
        files = (self.ca_file, self.client_cert, self.client_key)
        return Reach(*files, self.proxy, self.proxy_login, self.concurrency)


@dataclass(frozen=True, slots=True)
class VaultKv1Options(VaultOptions):
    """The same of KV version 1, which knows one way to delete."""

    def __post_init__(self) -> None:
        """Raises ValueError with all that is wrong, each in one sentence without a secret."""
        wrong = _problems(self)
        if self.deletes is not None:
            wrong.append("deletes is not for KV 1, which deletes for good: leave it out")
        if wrong:
            raise ValueError("; ".join(wrong))


_AUTH_FIELDS = ("auth_mount", "role", "role_id", "token_file", "jwt_file", "token", "secret_id")
_NEEDED: dict[AuthName, set[str]] = {
    "token": {"token"},
    "token-file": {"token_file"},
    "approle": {"role_id"},
    "jwt": {"role", "jwt_file"},
    "kubernetes": {"role"},
    "cert": set(),
}
_USABLE: dict[AuthName, set[str]] = {
    "token": set(),
    "token-file": set(),
    "approle": {"auth_mount", "secret_id"},
    "jwt": {"auth_mount"},
    "kubernetes": {"auth_mount", "jwt_file"},
    "cert": {"auth_mount", "role"},
}


def _problems(options: VaultOptions) -> list[str]:
    """All that is wrong with a connection but for files, which are looked at where they are needed."""
    found = [*_wrong_address(options), *way_problems(options.reach, options.url)]
    given = {name for name in _AUTH_FIELDS if getattr(options, name) is not None}
    needed = _NEEDED[options.auth]
    found += [f"auth {options.auth!r} needs {name}" for name in sorted(needed - given)]
    if options.auth == "cert" and options.client_cert is None:
        found.append("auth 'cert' needs client_cert")
    unused = given - needed - _USABLE[options.auth]
    found += [f"auth {options.auth!r} does not use {name}" for name in sorted(unused)]
    for name in ("token", "secret_id", "role_id"):
        text = getattr(options, name)
        if text is not None and not re.fullmatch(r"[\x21-\x7e]+", text):
            found.append(f"{name} is empty, or holds a space, a line break or other than ASCII letters")
    found += [
        f"{name} must be more than 0 and at most {most}"
        for name, most in (("connect_timeout", 3600), ("read_timeout", 3600), ("concurrency", 1000))
        if not 0 < getattr(options, name) <= most
    ]
    return found


def _wrong_address(options: VaultOptions) -> list[str]:
    parts = url_parts(options.url)
    found = []
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        found.append("url is not written like https://vault.example:8200")
    if parts.username is not None or parts.password is not None:
        found.append("url holds a user name: a token belongs into the option 'token'")
    if end := api_path(options.url, "/v1"):
        found.append(f"url ends in {end}, which the adapter adds: write it like https://vault.example:8200")
    for name in ("mount", "namespace", "auth_mount", "transit"):
        path = getattr(options, name)
        if path is not None and (not path or path.startswith("/") or path.endswith("/") or _fault(path)):
            found.append(f"{name} {path!r} is not written like 'kv' or 'team/kv', without '/' at its ends")
    if options.namespace is not None and not options.namespace.isascii():
        found.append("namespace holds other than ASCII letters")
    return found


def _fault(path: str) -> str:
    return next((rule.reason for rule in _RULES if re.search(rule.forbidden, path)), "")


_RULES = (
    Rule(r"^/", "it begins with '/', which clients of Vault strip"),
    Rule(r"//", "it has an empty segment: clients of Vault collapse '//'"),
    Rule(r"(^|/)\.{1,2}(/|$)", "it has a '.' or '..' segment: clients and servers rewrite such paths"),
    Rule(
        r"[\x00-\x1f\x7f-\xa0\xad\u1680\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff\ud800-\udfff]",
        "it holds a character that cannot be printed, which Vault refuses in paths",
    ),
)
IDS = Limits(
    min_bytes=1,
    rules=(*_RULES, Rule(r"/$", "it ends in '/', which is how Vault marks a folder")),
)
"""What the path of a secret below its mount may be."""


def id_fault(id: ItemId) -> str:
    """Why this is no path of a secret; empty where it is one."""
    if not id:
        return "it is empty"
    return next((rule.reason for rule in IDS.rules if re.search(rule.forbidden, id)), "")


def folder_fault(path: str) -> str:
    """Why no folder of this path can be asked for; empty where it can. The mount itself is empty text."""
    return _fault(path)


@dataclass(frozen=True, slots=True)
class VaultPlace:
    """A folder below the mount, which ends in ``/``, or one secret. ``/`` alone is the whole mount."""

    path: str = option("A folder such as acme/prod/, or one secret such as acme/prod/payments")

    def __post_init__(self) -> None:
        if not self.path:
            raise ValueError("the place is empty; write '/' if the whole mount is meant")
        if self.path == "/":
            return
        if self.path.startswith("/"):
            raise ValueError(f"a path below a mount has no leading '/'; write {self.path.lstrip('/')!r}")
        if problem := _fault(self.path):
            raise ValueError(f"the place {self.path!r} cannot be used: {problem}")

    @classmethod
    def parse(cls, text: str) -> Self:
        """The place of its path. Raises ValueError."""
        return cls(text)

    @property
    def single_item(self) -> ItemId | None:
        """The id of the one secret; None of a folder."""
        return None if self.path.endswith("/") else self.path

    @property
    def root(self) -> str:
        return "" if self.path == "/" else self.path

    def overlaps(self, other: Self) -> bool:
        for one, another in ((self, other), (other, self)):
            if one.single_item is None and another.root.startswith(one.root):
                return True
        return self.path == other.path

    def __str__(self) -> str:
        return self.path
