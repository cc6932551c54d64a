"""What an App Configuration connection and a place at it are configured with, and what follows from it.

The id of a setting is its label, a bar, and its key: ``prod|payments/retry``; without a label it begins with
the bar. In a label, and only there, ``%`` is written ``%25`` and ``|`` is written ``%7C``.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

from ecs_sync.adapter import UNREAD, Features, Guard, ItemId, Limits, Price, Prices, Rule, option
from ecs_sync_adapters.azure_identity import CredentialName, Identity, identity_of
from ecs_sync_adapters.azure_route import route_problems
from ecs_sync_adapters.http_proxy import bare_address

LONGEST = 256
"""Characters of the longest key, label, tag name and tag value that the emulator takes."""
ITEM_LIMIT = 10 * 1024
"""Bytes of the largest setting: key, label, value, content type, tags and description together."""
VALUE_LIMIT = 10_000
"""Bytes of the largest value: what surely leaves room for a key."""
READS = 5
"""Keys that one filter names."""
API_VERSION = "2026-04-01"
"""The newest that the SDK knows, and the first with descriptions."""

CONTROL = r"[\x00-\x1f\x7f-\x9f]"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class AppConfigOptions:
    """How to reach a store, and with what: a credential, or the connection string of an access key."""

    takes_unread: ClassVar[bool] = True

    endpoint: str = option("The store, such as https://acme.azconfig.io", where=True)
    credential: CredentialName | None = option(
        "Where the token comes from: default (Azure's own chain), managed-identity, client-secret, "
        "workload-identity, cli; never from elsewhere",
        default=None,
    )
    tenant_id: str | None = option(
        "The Entra tenant, for client-secret, workload-identity, cli", default=None
    )
    client_id: str | None = option(
        "The application, or the user-assigned identity where the credential is managed-identity",
        default=None,
    )
    token_file: Path | None = option("The token file for workload-identity", default=None)
    authority: str | None = option(
        "Another https address of Entra, such as a sovereign cloud's", default=None
    )
    audience: str | None = option(
        "Whom tokens are for, where the endpoint's name does not tell", default=None
    )
    sentinel: str | None = option(
        "A key below each place's prefix that is written once, after all others, when a run has changed "
        "something: what clients watch to refresh once. No other key may end in it",
        default=None,
    )
    api_version: str = option(
        "The version of the REST interface; an emulator knows 2023-11-01", default=API_VERSION
    )
    ca_file: Path | None = option(
        "The authorities to trust for store, Entra and proxy instead of the public ones", default=None
    )
    proxy: str | None = option(
        "The proxy on the way to store and Entra, such as http://proxy.example:3128; never one of the "
        "environment",
        default=None,
    )
    connect_timeout: float = option("Seconds to wait for a connection", default=5.0)
    read_timeout: float = option("Seconds to wait for an answer", default=20.0)
    concurrency: int = option("Calls in flight at once", default=8)
    connection_string: str | None = option(
        "Endpoint, id and secret of an access key, instead of a credential; the endpoint is the one above",
        default=None,
        secret=True,
    )
    client_secret: str | None = option(
        "The application's secret, for client-secret", default=None, secret=True
    )
    proxy_login: str | None = option("user:password for the proxy", default=None, secret=True)

    def __post_init__(self) -> None:
        """Raises ValueError with all that is wrong."""
        if problems := [*_ways(self), *_details(self)]:
            raise ValueError("; ".join(problems))

    def identity(self) -> Identity | None:
        """Whose token is used; None where a connection string is."""
        if self.credential is None:
            return None
        return identity_of(self.credential, self)


@dataclass(frozen=True, slots=True)
class AccessKey:
    """What a connection string says. The secret is base64."""

    endpoint: str
    id: str
    secret: str

    def __repr__(self) -> str:
        return f"<access key of {self.endpoint}>"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Of a connection string, in any order. Raises ValueError, quoting nothing of it."""
        parts = dict(part.strip().partition("=")[::2] for part in text.strip().split(";") if part.strip())
        if parts.keys() != {"Endpoint", "Id", "Secret"} or not all(parts.values()):
            raise ValueError("connection_string: is not Endpoint=https://...;Id=...;Secret=...")
        if not _is_base64(parts["Secret"]):
            raise ValueError("connection_string: its secret is not base64; copy it again")
        if not re.fullmatch(r"[\x21-\x7e]+", parts["Id"]):
            raise ValueError("connection_string: its Id holds a space, or other than ASCII; copy it again")
        # With a slash at its end, the SDK signs another path than it sends.
        return cls(parts["Endpoint"].rstrip("/"), parts["Id"], parts["Secret"])


@dataclass(frozen=True, slots=True)
class AppConfigPlace:
    """The settings of one label, or of none, whose keys begin with a prefix.

    The short spelling is ``LABEL|PREFIX``, and the prefix alone for settings without a label.
    """

    prefix: str = option("What the keys begin with, such as payments/ or Settings:; '' is all of the label")
    label: str | None = option("The label; settings without one where it is left out", default=None)

    def __post_init__(self) -> None:
        for name, text in (("prefix", self.prefix), ("label", self.label or "")):
            if len(text) >= LONGEST or re.search(CONTROL, text):
                raise ValueError(f"the {name} has {LONGEST} characters or more, or a control character")
        if self.label == "":
            raise ValueError("the label is empty; leave it out where settings without a label are meant")
        if self.label is not None and self.label == "*":
            raise ValueError("a place has one label, and '*' would be all of them; use a link for each label")
        if "%" in self.prefix:
            raise ValueError(
                f"the prefix {self.prefix!r} cannot be used: App Configuration's keys hold no '%'"
            )
        if self.prefix and self.prefix[-1].isalnum():
            other = self.prefix + "2/x"
            raise ValueError(
                f"{self.prefix!r} would also mean keys like {other!r}; write {self.prefix + '/'!r}"
                " or whatever divides your keys"
            )

    @classmethod
    def parse(cls, text: str) -> Self:
        """The place of its short spelling. Raises ValueError."""
        label, bar, prefix = text.partition("|")
        if not text:
            raise ValueError("the place is empty; write '|' if all settings without a label are meant")
        if not bar:
            return cls(text)
        return cls(prefix, _unescaped(label) if label else None)

    @property
    def root(self) -> str:
        return id_of(self.prefix, self.label)

    def overlaps(self, other: Self) -> bool:
        if self.label != other.label:
            return False
        return self.prefix.startswith(other.prefix) or other.prefix.startswith(self.prefix)

    def __str__(self) -> str:
        return self.root


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except ValueError:
        return False
    return True


def id_of(key: str, label: str | None) -> ItemId:
    """The absolute id of a setting."""
    return f"{(label or '').replace('%', '%25').replace('|', '%7C')}|{key}"


def named(id: ItemId) -> tuple[str, str | None] | None:
    """Key and label of an id; None where it is no id of a setting."""
    label, bar, key = id.partition("|")
    if not bar or not key:
        return None
    try:
        return key, _unescaped(label) if label else None
    except ValueError:
        return None


def features(options: AppConfigOptions) -> Features:
    """What the store can do. The quota is by the hour or day, and told by throttling; rates bound bursts."""
    return Features(
        guard=Guard.A,
        ids=Limits(
            min_bytes=2,
            pattern=rf"[^|]*\|[^%]{{1,{LONGEST}}}",
            pattern_reason=f"a key of App Configuration has 1 to {LONGEST} characters and no '%'",
            rules=(*_RULES, *_reserved(options)),
        ),
        values=Limits(max_bytes=VALUE_LIMIT),
        text_values=True,
        # Revisions are there for 7 or 30 days only, so nothing is promised to be kept.
        reads=READS,
        # The order of pages is that of the emulator; the service promises none.
        ordered_listing=False,
        # What another client wrote is seen for certain only by who shows that client's Sync-Token.
        current_listing=False,
        current_reads=False,
        change_times=True,
        unchanged=True,
        history=True,
        refers=True,
        finishes=options.sentinel is not None,
        prices=Prices(get=Price(1), create=Price(1), update=Price(1), delete=Price(1), finish=Price(2)),
        managed_attributes=frozenset({"content-type"}),
        concurrency=options.concurrency,
        rate=300.0,
        write_rate=60.0,
    )


_RULES = (
    Rule(CONTROL, "it holds a control character"),
    Rule(r"\|\.{1,2}$", "a key that is '.' or '..' is rewritten on its way"),
    Rule("[\ud800-\udfff]", "it holds a lone surrogate, which is not text"),
)


def _reserved(options: AppConfigOptions) -> tuple[Rule, ...]:
    """The sentinel's name below any prefix: what a run writes when it is through is no value of anybody's."""
    if options.sentinel is None:
        return ()
    reason = "it ends in the name of the sentinel, which is written once after a run"
    return (Rule(rf"[^0-9A-Za-z]{re.escape(options.sentinel)}$", reason),)


def _unescaped(label: str) -> str:
    if re.search("%(?!25|7C)", label):
        raise ValueError(f"label {label!r}: '%' is written '%25', and '|' is written '%7C'")
    return label.replace("%7C", "|").replace("%25", "%")


def _ways(options: AppConfigOptions) -> list[str]:
    """What is wrong with how the store is reached: one of two ways, and nothing of the other."""
    wrong, identity = _address(options), options.identity()
    if options.connection_string is None:
        missing = ["needs credential, or connection_string"] if identity is None else identity.problems()
        return [*wrong, *missing]
    fields = ("credential", "tenant_id", "client_id", "token_file", "authority", "audience", "client_secret")
    given = [name for name in fields if getattr(options, name) is not None]
    wrong += [f"connection_string does not go with {name}" for name in given]
    if options.connection_string == UNREAD:
        return wrong
    try:
        key = AccessKey.parse(options.connection_string)
    except ValueError as error:
        return [*wrong, str(error)]
    if key.endpoint.lower() != options.endpoint.rstrip("/").lower():
        wrong.append("connection_string is that of another store than endpoint names")
    return wrong


def _address(options: AppConfigOptions) -> list[str]:
    parts = bare_address(options.endpoint, "http", "https")
    if parts is None or (parts.scheme == "http" and parts.hostname not in _LOOPBACK):
        return ["endpoint is not an https address such as https://acme.azconfig.io"]
    if parts.scheme == "http" and options.proxy is not None:
        return ["proxy does not go with an endpoint that is on this machine: leave it out"]
    return []


def _details(options: AppConfigOptions) -> list[str]:
    problems = route_problems(options)
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(-preview)?", options.api_version):
        problems.append(f"api_version is not one such as {API_VERSION}")
    sentinel = options.sentinel
    if sentinel is not None and (not sentinel or len(sentinel) > 100 or re.search(f"%|{CONTROL}", sentinel)):
        problems.append("sentinel is not a key: 1 to 100 characters, without '%' and control characters")
    return problems
