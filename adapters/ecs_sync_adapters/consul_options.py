"""What a Consul connection and a place at it are configured with, and what follows for the engine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, Self

from ecs_sync.adapter import Features, Guard, Limits, Price, Prices, Rule, option
from ecs_sync_adapters.http_proxy import url_parts
from ecs_sync_adapters.http_reach import Reach
from ecs_sync_adapters.reach_options import api_path, way_problems

VALUE_LIMIT = 512 * 1024
"""Bytes of the largest value: ``kv_max_value_size``, unless the operator changed it."""
BATCH_BYTES = 380_000
"""Bytes of keys and values that surely fit into a transaction, whose JSON holds values in base64."""


@dataclass(frozen=True, slots=True)
class ConsulOptions:
    """How to reach an agent, and with what."""

    takes_unread: ClassVar[bool] = True

    url: str = option("the agent, such as http://127.0.0.1:8500", default="http://127.0.0.1:8500", where=True)
    datacenter: str | None = option("another datacenter than the agent's own", default=None, where=True)
    namespace: str | None = option(
        "the namespace, of Consul Enterprise; else the token's own", default=None, where=True
    )
    partition: str | None = option(
        "the admin partition, of Consul Enterprise; else the agent's own", default=None, where=True
    )
    consistency: Literal["consistent", "default"] = option(
        "'consistent' has every read confirmed by the leader's peers; 'default' spares that round trip,"
        " and may for a moment read from a leader that was voted out",
        default="consistent",
    )
    timeout: float = option("seconds without a byte before an answer is given up", default=20.0)
    key_grammar: Literal["strict", "any"] = option(
        "'strict' writes only keys that every Consul version takes: letters, digits and , - _ . /",
        default="strict",
    )
    operations: int = option("writes in one transaction; 64 is what every version takes", default=64)
    ca_file: Path | None = option(
        "the certificate authority that the agent's certificate is of", default=None
    )
    client_cert: Path | None = option(
        "the certificate to show to an agent that asks for one, in PEM; may hold its key", default=None
    )
    client_key: Path | None = option("the key of client_cert, in PEM and not encrypted", default=None)
    proxy: str | None = option(
        "the proxy on the way to the agent, such as http://proxy.example:3128", default=None
    )
    token: str | None = option("the ACL token", default=None, secret=True)
    proxy_login: str | None = option("user:password for the proxy", default=None, secret=True)

    def __post_init__(self) -> None:
        if wrong := list(_problems(self)):
            raise ValueError("; ".join(wrong))

    @property
    def reach(self) -> Reach:
        """The way to the agent."""
        return Reach(self.ca_file, self.client_cert, self.client_key, self.proxy, self.proxy_login)


def _problems(options: ConsulOptions) -> Iterator[str]:
    """All that is wrong with the options but for files, which are looked at where they are needed."""
    parts = url_parts(options.url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        yield "url: write it like http://127.0.0.1:8500 or https://consul.example:8501"
    if parts.username is not None:
        yield "url: holds a user name: a token belongs into the option 'token'"
    if end := api_path(options.url, "/v1", "/v1/kv"):
        yield f"url: ends in {end}, which the adapter adds: write it without, like http://127.0.0.1:8500"
    if options.token is not None and not re.fullmatch(r"[\x21-\x7e]+", options.token):
        yield "token: is empty, or holds a space, a line break or other than ASCII letters"
    if not 0 < options.timeout <= 3600:
        yield "timeout: must be a number of seconds above 0, and an hour at most"
    if options.datacenter is not None and not re.fullmatch(r"[A-Za-z0-9_-]+", options.datacenter):
        yield "datacenter: letters, digits, '-' and '_'"
    if not 1 <= options.operations <= 128:
        yield "operations: Consul takes 64 in one transaction, 128 from version 1.14"
    for name in ("namespace", "partition"):
        text = getattr(options, name)
        if text is not None and not _TENANCY.fullmatch(text):
            yield f"{name}: 1 to 64 letters, digits and dashes, with no dash at either end"
    yield from way_problems(options.reach, options.url)


_TENANCY = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,62}[A-Za-z0-9])?")
_DOTS = Rule(r"(^|/)\.{1,2}(/|$)", "it has a '.' or '..' segment: clients and servers rewrite such paths")
_EMPTY = Rule(r"//", "it has an empty segment: Consul collapses '//' in paths")
_LEADING = Rule(r"^/", "it begins with '/': Consul's keys do not")
_CONTROL = Rule(r"[\x00-\x1f\x7f\ud800-\udfff]", "it holds a control character or a lone surrogate")
_RULES = (_LEADING, _EMPTY, _DOTS, _CONTROL)


@dataclass(frozen=True, slots=True)
class ConsulPlace:
    """All keys below a folder. ``/`` alone is the whole store."""

    prefix: str = option("the folder, ending in '/', such as acme/prod/payments/")

    def __post_init__(self) -> None:
        if not self.prefix:
            raise ValueError("the place is empty; write '/' if the whole store is meant")
        if self.prefix == "/":
            return
        if self.prefix.startswith("/"):
            raise ValueError(f"a Consul key has no leading '/'; write {self.prefix.lstrip('/')!r}")
        if not self.prefix.endswith("/"):
            other, meant = self.prefix + "2/x", self.prefix + "/"
            raise ValueError(f"{self.prefix!r} would also mean keys like {other!r}; write {meant!r}")
        for rule in _RULES:
            if re.search(rule.forbidden, self.prefix):
                raise ValueError(f"the place {self.prefix!r} cannot be used: {rule.reason}")

    @classmethod
    def parse(cls, text: str) -> Self:
        return cls(text)

    @property
    def root(self) -> str:
        return "" if self.prefix == "/" else self.prefix

    def overlaps(self, other: Self) -> bool:
        return self.root.startswith(other.root) or other.root.startswith(self.root)

    def __str__(self) -> str:
        return self.prefix


def features(options: ConsulOptions) -> Features:
    strict = options.key_grammar == "strict"
    return Features(
        guard=Guard.A,
        ids=Limits(
            min_bytes=1,
            pattern=r"[A-Za-z0-9,_./-]+" if strict else None,
            pattern_reason="only letters, digits and , - _ . / are taken by every Consul version",
            rules=(
                *_RULES,
                Rule(r"\.\.", "it holds '..', which newer Consul versions refuse"),
                Rule(r"/$", "it ends in '/', which is how Consul marks a folder"),
                Rule(r"^ | $", "it begins or ends with a space, which newer Consul versions refuse"),
            ),
        ),
        values=Limits(max_bytes=VALUE_LIMIT),
        batch=options.operations,
        batch_bytes=BATCH_BYTES,
        atomic_batch=True,
        reads=options.operations,
        ordered_listing=True,
        current_listing=options.consistency == "consistent",
        current_reads=options.consistency == "consistent",
        ordered_revisions=True,
        unchanged=True,
        watch=True,
        # One transaction each: create, update, delete and read alike.
        prices=Prices(get=Price(1), create=Price(1), update=Price(1), delete=Price(1)),
        managed_attributes=frozenset({"flags"}),
    )
