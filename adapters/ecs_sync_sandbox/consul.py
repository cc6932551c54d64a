"""A stand-in for a Consul agent: ``/v1/kv`` and ``/v1/txn`` over HTTP, by these rules.

Sources: K = hashicorp/consul ``agent/kvs_endpoint.go`` and ``agent/consul/kvs_endpoint.go``; T =
``agent/txn_endpoint.go`` and ``agent/consul/txn_endpoint.go``; S = ``agent/consul/state/{kvs,txn}.go``;
H = ``agent/http.go``; E = ``agent/http_oss.go``; D = the HTTP API documentation; numbers are issues of
hashicorp/consul. The enterprise edition is not public: C33 is a guess.
Each rule has a test of its number in ``tests/sandbox/test_consul_server.py``.

====  =====================================================================================  ======
C1    a plain PUT answers ``true``; the value comes back in base64, an empty one as null      K
C2    PUT with ``cas`` answers true or false with status 200; ``cas=0`` only creates          K S
C3    DELETE answers ``true`` also where nothing was; ``recurse`` takes a string prefix       K S
C4    DELETE with ``cas``: true where absent or at this index, else false                     S
C5    ModifyIndex and CreateIndex come of one counter for the whole store, which only rises   S
C6    writing what is there already changes no ModifyIndex                                    S
C7    flags are an unsigned 64-bit number, 0 unless given, also on an update                  K
C8    a missing key is 404 with an empty body and X-Consul-Index; KnownLeader, LastContact    K H
C9    ``recurse`` lists a string prefix in byte order; nothing there is 404                   K S
C10   ``keys`` lists names, folded at ``separator`` or ``seperator``; [] at the empty root    K
C11   the index of a prefix is that of its youngest pair or tombstone, else of the table      S
C12   ``raw`` answers the bytes of the value                                                  K
C13   ``index`` and ``wait`` block until the index is beyond, at most so long                 D
C14   a value over 512 KiB is 413                                                             K
C15   a transaction is all or nothing; results hold the new indexes and no values             S T
C16   a failed transaction is 409 and names every failed operation in Errors                  S T
C17   more operations than allowed, or a body over 512 KiB, is 413                            T
C18   ``get``, ``get-or-empty``, ``get-tree``, ``check-index``, ``check-not-exists``          S
C19   a body that is not a list of operations, or a value that is not base64, is 400          T
C20   without a key name it is 400; so are ``cas`` and ``recurse`` together                   K
C21   empty segments in a path collapse                                                       15933
C22   1.21.5 refuses unusual key names on ``/v1/kv`` with 500                                 22822
C23   a transaction refuses a key with a leading slash with 400                               23185
C24   an unknown token is 403; so is a read or write of a key that it may not                 K
C25   a recursive read leaves out what may not be read, and says so to a known token only     K H
C26   in a transaction a forbidden write is an error of its operation, a forbidden get        T
      is left out of the results
C27   the token is read from the query, X-Consul-Token or a bearer token                      H
C28   another datacenter than the agent's is 500 "No path to datacenter"                      D
C29   community: ``ns``, ``partition`` and their headers on ``/v1/kv`` are 400                 E
C30   community: a transaction overlooks Namespace and Partition of its operations            T E
C31   enterprise: each partition and namespace has a store of its own; ``default`` is one     D
C32   enterprise: a transaction takes them from its operations, and not from the query        T
C33   enterprise: a namespace nobody made is empty to reads, and an error to writes           (none)
====  =====================================================================================  ======
"""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, Self

from ecs_sync_sandbox.consul_kv import KeyValues, Op, Pair
from ecs_sync_sandbox.consul_words import VALUE_LIMIT, Answer, operations
from ecs_sync_sandbox.http_server import HttpServer, Reply, Request

BODY_LIMIT = 512 * 1024
_STRICT = r"^[a-zA-Z0-9,_./\-?&=]+$"
_READS = frozenset({"get", "get-or-empty", "get-tree"})
_PIECE = 64 * 1024
_UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}

KeyPolicy = Literal["any", "1.21.5"]
Edition = Literal["community", "enterprise"]
_ENTERPRISE_ONLY = {
    "ns": ("X-Consul-Namespace", "Namespaces"),
    "partition": ("X-Consul-Partition", "Partitions"),
}
Rules = Sequence[tuple[str, Literal["read", "write", "deny"]]]
"""Of a token: key prefixes and what they grant. The longest prefix decides; no prefix, no access."""


@dataclass(frozen=True, slots=True)
class Agent:
    """One agent's answers, without a port."""

    kv: KeyValues = field(default_factory=KeyValues)
    acl: Mapping[str, Rules] | None = None
    operations: int = 64
    key_policy: KeyPolicy = "any"
    datacenter: str = "dc1"
    edition: Edition = "community"
    tenants: dict[tuple[str, str], KeyValues] = field(default_factory=dict)
    """The stores of partitions and namespaces, but for the default one's."""

    def store(self, partition: str, namespace: str) -> KeyValues | None:
        """The store of a partition's namespace; None where nobody made it."""
        where = (partition or "default", namespace or "default")
        return self.kv if where == ("default", "default") else self.tenants.get(where)

    def _store(self, request: Request) -> KeyValues | None:
        """The store that a request's address means. Raises 400 where the edition has only one."""
        for name, (header, feature) in _ENTERPRISE_ONLY.items():
            told = f"{feature} are a Consul Enterprise feature"
            if self.edition == "community" and request.headers.get(header.lower()):
                raise Answer(400, f'Invalid header: "{header}" - {told}')
            if self.edition == "community" and request.query.get(name):
                raise Answer(400, f'Invalid query parameter: "{name}" - {told}')
        return self.store(request.query.get("partition", ""), request.query.get("ns", ""))

    def respond(self, request: Request) -> Reply:
        try:
            if request.query.get("dc", self.datacenter) != self.datacenter:
                raise Answer(500, "No path to datacenter")
            path = re.sub("//+", "/", request.path)
            if path == "/v1/txn":
                return self._txn(request)
            if path.startswith("/v1/kv/"):
                return self._kv(request, path.removeprefix("/v1/kv/"))
            raise Answer(404, "Invalid URL path")
        except Answer as answer:
            return answer.reply

    def _kv(self, request: Request, key: str) -> Reply:
        if self.key_policy == "1.21.5" and key and not re.search(_STRICT, key):
            raise Answer(500, f'invalid key name, keys should respect the "{_STRICT}" format.')
        if not key and not (request.method != "PUT" and {"keys", "recurse"} & request.query.keys()):
            raise Answer(400, "Missing key name")
        kv = self._store(request)
        if kv is None and request.method != "GET":
            raise Answer(500, "namespace does not exist")
        kv = KeyValues() if kv is None else kv
        match request.method:
            case "GET":
                return self._get(request, key, kv)
            case "PUT":
                return self._put(request, key, kv)
            case "DELETE":
                return self._delete(request, key, kv)
            case method:
                raise Answer(405, f"method {method} not allowed")

    def _get(self, request: Request, key: str, kv: KeyValues) -> Reply:
        query = request.query
        recursive = "recurse" in query or "keys" in query
        may = self._permissions(request)
        if not recursive and not may(key, "read"):
            raise Answer(403, "Permission denied")

        def show() -> tuple[int, list[Pair]]:
            return kv.tree(key) if recursive else kv.read(key)

        beyond = _number(query.get("index", "0"))
        index, pairs = kv.wait(show, beyond, _duration(query.get("wait", "5m"))) if beyond else show()
        seen = [pair for pair in pairs if may(pair.key, "read")]
        meta = (*_meta(index), ("X-Consul-Default-ACL-Policy", "allow" if self.acl is None else "deny"))
        if len(seen) < len(pairs) and _token(request):
            meta += (("X-Consul-Results-Filtered-By-ACLs", "true"),)
        if "keys" in query:
            names = _folded(seen, key, query.get("separator", query.get("seperator", "")))
            if not names and key:
                return Reply(404, b"", meta)
            return Reply(200, json.dumps(names).encode(), (*meta, _JSON))
        if not seen:
            return Reply(404, b"", meta)
        if "raw" in query and not recursive:
            return Reply(200, seen[0].value or b"", (*meta, ("Content-Type", "text/plain")))
        return Reply(200, _array(seen), (*meta, _JSON))

    def _put(self, request: Request, key: str, kv: KeyValues) -> Reply:
        query = request.query
        if len(request.body) > VALUE_LIMIT:
            raise Answer(
                413, f"Request body({len(request.body)} bytes) too large, max size: {VALUE_LIMIT} bytes."
            )
        if not self._permissions(request)(key, "write"):
            raise Answer(403, "Permission denied")
        flags = _number(query.get("flags", "0"))
        if "cas" in query:
            return _truth(kv.cas(key, request.body, flags, _number(query["cas"])))
        kv.put(key, request.body, flags)
        return _truth(True)

    def _delete(self, request: Request, key: str, kv: KeyValues) -> Reply:
        query = request.query
        if "cas" in query and "recurse" in query:
            raise Answer(400, "Conflicting flags: cas, recurse")
        may = self._permissions(request)
        affected = kv.keys(key) if "recurse" in query else []
        if not all(may(name, "write") for name in [key, *affected]):
            raise Answer(403, "Permission denied")
        if "recurse" in query:
            kv.delete_tree(key)
        elif "cas" in query:
            return _truth(kv.delete_cas(key, _number(query["cas"])))
        else:
            kv.delete(key)
        return _truth(True)

    def _txn(self, request: Request) -> Reply:
        if request.method != "PUT":
            raise Answer(405, f"method {request.method} not allowed")
        if len(request.body) > BODY_LIMIT:
            raise Answer(413, f"Request body too large, max size: {BODY_LIMIT} bytes")
        ops = operations(request.body)
        if len(ops) > self.operations:
            raise Answer(413, f"Transaction contains too many operations ({len(ops)} > {self.operations})")
        may = self._permissions(request)
        errors = [
            (number, "Permission denied")
            for number, op in enumerate(ops)
            if not may(op.key, "read" if op.verb == "check-index" else "write") and op.verb not in _READS
        ]
        results: list[dict[str, Any]] = []
        kv, reads = self._store_of(ops), all(op.verb in _READS for op in ops)
        if kv is None and not reads:
            errors = [(number, "namespace does not exist") for number in range(len(ops))]
        if not errors:
            results, errors = (kv or KeyValues()).transact(ops)
        seen = [{"KV": result} for result in results if may(result["Key"], "read")]
        faults = [{"OpIndex": number, "What": what} for number, what in errors]
        body = json.dumps({"Results": seen or None, "Errors": faults or None}).encode()
        return Reply(409 if errors else 200, body, (_JSON,))

    def _store_of(self, ops: Sequence[Op]) -> KeyValues | None:
        """The store that a transaction's operations mean: one for all of them, as far as is known here."""
        if self.edition == "community" or not ops:
            return self.kv
        places = {(op.partition, op.namespace) for op in ops}
        if len(places) > 1:
            raise Answer(400, "the stand-in has no transactions over several namespaces")
        return self.store(*places.pop())

    def _permissions(self, request: Request) -> Callable[[str, Literal["read", "write"]], bool]:
        """What the request's token may do. Raises 403 for a token that nobody knows."""
        if self.acl is None:
            return lambda key, access: True
        token = _token(request)
        if token and token not in self.acl:
            raise Answer(403, "ACL not found")
        rules = sorted(self.acl.get(token, ()), key=lambda rule: len(rule[0]), reverse=True)

        def may(key: str, access: Literal["read", "write"]) -> bool:
            granted = next((grant for prefix, grant in rules if key.startswith(prefix)), "deny")
            return granted == "write" or granted == access

        return may


class ConsulServer:
    """The stand-in on a port of 127.0.0.1, for a ``with`` block.

    ``kv`` is the state, for edits from outside; ``faults`` plans what goes wrong, and ``requests`` is
    the log of what was asked (`HttpServer`).
    """

    def __init__(
        self,
        *,
        acl: Mapping[str, Rules] | None = None,
        operations: int = 64,
        key_policy: KeyPolicy = "any",
        datacenter: str = "dc1",
        edition: Edition = "community",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.kv = KeyValues()
        self._agent = Agent(self.kv, acl, operations, key_policy, datacenter, edition)
        self.faults = HttpServer(self._agent.respond, port=port, tls=tls)
        self.fail_next = self.faults.fail_next
        self.url = self.faults.url

    @property
    def requests(self) -> list[Request]:
        return self.faults.requests

    def made(self, partition: str = "default", namespace: str = "default") -> KeyValues:
        """The store of a partition's namespace of the enterprise edition; made where it is not there."""
        if (kv := self._agent.store(partition, namespace)) is None:
            kv = self._agent.tenants[partition, namespace] = KeyValues()
        return kv

    def connection(self) -> dict[str, str]:
        """The entry of ``connections:`` that reaches it."""
        return {"adapter": "consul", "url": self.url}

    @property
    def environment(self) -> dict[str, str]:
        """What the entry takes from the environment: nothing."""
        return {}

    def lose_leader(self, times: int = 1) -> None:
        """The next requests find the cluster without a leader."""
        self.fail_next(500, body="No cluster leader", times=times)

    def throttle(self, times: int = 1, retry_after: str | None = None) -> None:
        """The next requests meet a rate limit."""
        headers = {} if retry_after is None else {"Retry-After": retry_after}
        self.fail_next(429, headers, "rate limit exceeded, try again later", times)

    def __enter__(self) -> Self:
        self.faults.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for kv in (self.kv, *self._agent.tenants.values()):
            kv.close()
        self.faults.close()


_JSON = ("Content-Type", "application/json")


def _meta(index: int) -> tuple[tuple[str, str], ...]:
    return (
        ("X-Consul-Index", str(index)),
        ("X-Consul-KnownLeader", "true"),
        ("X-Consul-LastContact", "0"),
    )


def _truth(truth: bool) -> Reply:
    return Reply(200, b"true" if truth else b"false", (_JSON,))


def _array(pairs: list[Pair]) -> Iterator[bytes]:
    """A JSON array of pairs in pieces of about 64 KiB: a large tree is never held as one text."""
    piece = bytearray(b"[")
    for number, pair in enumerate(pairs):
        piece += b"," if number else b""
        piece += json.dumps(pair.json(pair.value)).encode()
        if len(piece) > _PIECE:
            yield bytes(piece)
            piece.clear()
    yield bytes(piece + b"]")


def _folded(pairs: list[Pair], prefix: str, separator: str) -> list[str]:
    names: dict[str, None] = {}
    for pair in pairs:
        cut = pair.key.find(separator, len(prefix)) if separator else -1
        names[pair.key if cut < 0 else pair.key[: cut + len(separator)]] = None
    return list(names)


def _token(request: Request) -> str:
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    token = request.query.get("token") or request.headers.get("x-consul-token")
    return token or (bearer.strip() if scheme.lower() == "bearer" else "")


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) >= 2**64:
        raise Answer(400, f'strconv.ParseUint: parsing "{text}": invalid syntax')
    return int(text)


def _duration(text: str) -> float:
    """Seconds of a duration as Go writes it, such as ``1m30s``; at most ten minutes."""
    if not re.fullmatch(r"([0-9.]+(ns|us|ms|s|m|h))+", text):
        raise Answer(400, "Invalid wait time")
    parts = re.findall(r"([0-9.]+)(ns|us|ms|s|m|h)", text)
    return min(sum(float(number) * _UNITS[unit] for number, unit in parts), 600.0)
