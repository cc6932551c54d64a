"""Consul's key-value store, through py-consul or python-consul, whichever is installed.

An item is one key; its revision is its ModifyIndex; its one attribute is ``flags``, where they are not
zero. A key that ends in ``/`` and holds nothing is a folder marker of Consul's own interface, and no
item. The provider's facts and their sources stand in ``docs/providers/consul.md``.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, ClassVar

import requests

from ecs_sync.adapter import (
    Delete,
    Item,
    ItemId,
    Listing,
    Outcome,
    Page,
    Proof,
    Put,
    Token,
    Verdict,
    Write,
    attributes,
)
from ecs_sync.errors import ConfigError, Denied, Rejected
from ecs_sync_adapters.consul_errors import FAILURES, STALE, done, outcomes, reading, spoiled, writing
from ecs_sync_adapters.consul_http import (
    CHUNK,
    Answer,
    Client,
    Garbled,
    Transport,
    Wire,
    elements,
    finish,
    installed,
)
from ecs_sync_adapters.consul_options import (
    BATCH_BYTES,
    VALUE_LIMIT,
    ConsulOptions,
    ConsulPlace,
    features,
)

__all__ = ["ConsulAdapter", "ConsulOptions", "ConsulPlace"]

_BODY_LIMIT = 512 * 1024
"""Bytes of the largest transaction, as JSON with values in base64: ``txn_max_req_len``."""
_PAGE = 1000
_Ops = Sequence[dict[str, Any]]


class ConsulAdapter:
    """One agent, and the key-value store of one datacenter behind it."""

    Options: ClassVar[type] = ConsulOptions
    Place: ClassVar[type] = ConsulPlace

    def __init__(self, options: ConsulOptions) -> None:
        """Connects to nothing yet. Raises ConfigError with all that is wrong with the files it needs."""
        if len(installed()) > 1:
            raise ConfigError(
                "py-consul and python-consul are both installed and overwrite each other's files;"
                " uninstall both, then install one of them"
            )
        if wrong := list(options.reach.problems()):
            raise ConfigError("consul: " + "; ".join(wrong))
        self.features = features(options)
        params = [("dc", options.datacenter)] if options.datacenter else []
        params += [("consistent", "1")] if options.consistency == "consistent" else []
        params += [("ns", options.namespace)] if options.namespace else []
        params += [("partition", options.partition)] if options.partition else []
        self._transport = Transport(
            Wire(
                options.url,
                options.timeout,
                tuple(params),
                options.reach,
                options.token,
            )
        )
        self._client = Client(self._transport)
        # A transaction takes them from each of its operations, and from nowhere else.
        tenancy = {"Namespace": options.namespace, "Partition": options.partition}
        self._tenancy = {name: text for name, text in tenancy.items() if text}
        self._has_tenants = not self._tenancy
        self._anonymous = options.token is None
        self._where = f"Consul at {options.url}"

    def list(self, place: ConsulPlace, since: Token | None) -> Listing:
        """One call for all keys of ``place``, read as a stream.

        With ``since``, one call for the names of the keys comes first: where index and names are those
        of the token, nothing moved. The index alone is no proof: it is that of the youngest key or
        tombstone, and about 15 minutes after a delete the tombstone is gone and the index is back.
        """
        if since is None:
            return Listing(self._pages(place))
        if self._unmoved(place, since):
            return Listing(unchanged=True, calls=1)
        return Listing(self._pages(place), calls=1)

    def _unmoved(self, place: ConsulPlace, since: Token) -> bool:
        def look() -> bool:
            names = _Names()
            with self._open(place, ("keys", "")) as response:
                if response.status_code != 404:
                    for name in elements(response.iter_content(CHUNK)):
                        names.add(name)
                return since == names.token(response) or _is_empty(since, names)

        return done(look, reading, f"{self._where}: listing the names below {str(place)!r}")

    def _pages(self, place: ConsulPlace) -> Iterator[Page]:
        names, calls, failed = _Names(), 1, None
        what = f"{self._where}: listing {str(place)!r}"
        try:
            with self._open(place, ("recurse", "")) as response:
                if response.status_code != 404:
                    pairs = (names.checked(pair, place) for pair in elements(response.iter_content(CHUNK)))
                    items = (_item(pair) for pair in pairs if not _is_marker(pair))
                    while page := tuple(itertools.islice(items, _PAGE)):
                        yield Page(page, calls=calls)
                        calls = 0
                token, hidden = names.token(response), self._hidden(response)
        except FAILURES as error:
            failed = reading(error, what)
        if failed is not None:
            raise failed
        if hidden:
            raise Denied(f"{what}: {hidden}")
        yield Page(proof=Proof(token), calls=calls)

    def _hidden(self, response: requests.Response) -> str:
        """Why keys may be missing from a listing: Consul leaves out what may not be read, with status 200.

        It says so to a known token only, so without a token a policy of denial is reason enough.
        """
        if response.headers.get("X-Consul-Results-Filtered-By-ACLs") == "true":
            return "the token may not read some of the keys there; give it key_prefix read"
        if self._anonymous and response.headers.get("X-Consul-Default-ACL-Policy") == "deny":
            return "ACLs deny by default, and leave out unseen what may not be read; set the option 'token'"
        return ""

    def _open(self, place: ConsulPlace, *params: tuple[str, str]) -> requests.Response:
        response = self._transport.open("GET", f"/v1/kv/{place.root}", params)
        self._has_tenants = True
        return response

    def _find_tenants(self, id: ItemId, what: str) -> int:
        """The calls it took to know that a transaction means the configured namespace and partition.

        The community edition refuses both in an address, and overlooks them in a transaction, which
        would then mean its only namespace. So something was read before, or is now. Raises `AdapterError`.
        """
        if self._has_tenants:
            return 0

        def look() -> None:
            with self._transport.open("GET", f"/v1/kv/{id}") as response:
                finish(response)

        done(look, reading, what)
        self._has_tenants = True
        return 1

    def _op(self, **fields: Any) -> dict[str, Any]:
        return {"KV": {**fields, **self._tenancy}}

    def get(self, ids: Sequence[ItemId]) -> Listing:
        """One read-only transaction for each ``features.reads`` ids."""
        return Listing(self._read(tuple(ids)))

    def _read(self, ids: Sequence[ItemId]) -> Iterator[Page]:
        size = self.features.reads
        for start in range(0, len(ids), size):
            asked = ids[start : start + size]
            ops = [self._op(Verb="get-or-empty", Key=id) for id in asked]
            what = f"{self._where}: reading {_some(asked)}"
            calls = 1 + self._find_tenants(asked[0], what)
            yield done(partial(self._looked_at, ops, asked, calls), reading, what)
        yield Page(proof=Proof(), calls=0)

    def _looked_at(self, ops: _Ops, asked: Sequence[ItemId], calls: int) -> Page:
        """What a transaction of reads shows: an absent key has no CreateIndex, a forbidden one no result."""
        found = {pair["Key"]: pair for pair in _results(self._client.txn.put(ops))}
        items, absent = [], []
        for id in asked:
            pair = found.get(id)
            if pair is None:
                items.append(Item(id, None, unreadable="the token may not read this key"))
            elif pair["CreateIndex"] == 0:
                absent.append(id)
            else:
                items.append(_item(pair))
        return Page(tuple(items), tuple(absent), calls=calls)

    def write(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        """One transaction. A single value too large for one goes as a single conditional PUT."""
        if not writes:
            return ()
        if len(writes) > self.features.batch:
            raise Rejected(f"{self._where}: {len(writes)} writes, and a batch takes {self.features.batch}")
        faults = {number: fault for number, write in enumerate(writes) if (fault := self._fault(write))}
        if faults:
            return spoiled(writes, faults)
        ops = [self._op(**_fields(write)) for write in writes]
        what = f"{self._where}: writing {_some([write.id for write in writes])}"
        self._find_tenants(writes[0].id, what)
        # The package makes the body of the same operations in the same way.
        if len(json.dumps(ops)) > _BODY_LIMIT:
            return [self._write_large(writes, what)]
        answer = done(partial(self._carried_out, ops, writes), writing, what)
        return outcomes(answer, writes, what) if isinstance(answer, Answer) else answer

    def _carried_out(
        self, ops: Sequence[dict[str, Any]], writes: Sequence[Write]
    ) -> Sequence[Outcome] | Answer:
        """What became of a transaction, or the answer that refused it. A delete has no result of its own."""
        try:
            results = {pair["Key"]: str(pair["ModifyIndex"]) for pair in _results(self._client.txn.put(ops))}
        except Answer as answer:
            return answer
        if any(isinstance(write, Put) and write.id not in results for write in writes):
            raise Garbled("the answer to a transaction does not tell what it wrote")
        return [_applied(write, results.get(write.id)) for write in writes]

    def _write_large(self, writes: Sequence[Write], what: str) -> Outcome:
        """A PUT tells no new index, so the outcome has no revision."""
        match writes:
            case [Put() as put]:
                return done(partial(self._put, put), writing, what)
            case _:
                raise Rejected(f"{what}: more than {BATCH_BYTES} bytes in one batch")

    def _put(self, put: Put) -> Outcome:
        flags, index = int(dict(put.attributes).get("flags", 0)), int(put.expected or 0)
        match self._client.kv.put(put.id, put.value, cas=index, flags=flags):
            case True:
                return _applied(put, None)
            case False:
                return Outcome(put.id, Verdict.RACED, reason=STALE)
        raise Garbled("the answer to a write is neither true nor false")

    def _fault(self, write: Write) -> tuple[Verdict, str] | None:
        """Why a write need not be sent: what Consul would bend, refuse, or take for something else."""
        ids = self.features.ids
        if ids.pattern is not None and not re.fullmatch(ids.pattern, write.id):
            return Verdict.REFUSED, f"the key {write.id!r} cannot be used: {ids.pattern_reason}"
        for rule in ids.rules:
            if re.search(rule.forbidden, write.id) or not write.id:
                return Verdict.REFUSED, f"the key {write.id!r} cannot be used: {rule.reason}"
        if isinstance(write, Put):
            if len(write.value) > VALUE_LIMIT:
                return (
                    Verdict.REFUSED,
                    f"{len(write.value)} bytes; Consul's values have at most {VALUE_LIMIT}",
                )
            if not _is_unsigned(dict(write.attributes).get("flags", "0")):
                return Verdict.REFUSED, "the attribute 'flags' is not an unsigned number of 64 bits"
        if write.expected is not None and (write.expected == "0" or not _is_unsigned(write.expected)):
            return Verdict.RACED, "the expected revision is none that Consul gives"
        return None

    def watch(self, place: ConsulPlace, since: Token | None, timeout: float) -> bool:
        """A blocking query on the folder's names, folded to one level: a small answer.

        True at once where there is no token. Consul adds up to a sixteenth to the time it waits.
        """
        index = (since or "").partition("-")[0]
        if not index.isdigit():
            return True
        wait = max(1, int(timeout * 1000 * 16 / 17))
        # To the index 0 an agent answers at once, and so it would be asked again and again.
        after = str(max(1, int(index)))
        params = (("keys", ""), ("separator", "/"), ("index", after), ("wait", f"{wait}ms"))

        def look() -> bool:
            with self._transport.open("GET", f"/v1/kv/{place.root}", params, wait=timeout) as response:
                finish(response)
                return response.headers["X-Consul-Index"] not in (index, after)

        return done(look, reading, f"{self._where}: watching {str(place)!r}")

    def close(self) -> None:
        self._transport.close()


class _Names:
    """The names of a listing so far, as a digest; what a token is made of."""

    def __init__(self) -> None:
        self._digest = hashlib.blake2b(digest_size=16)
        self._last: bytes | None = None

    def add(self, name: object) -> None:
        """Raises `Garbled` where the byte order of names is broken: the engine merges by it."""
        if not isinstance(name, str):
            raise Garbled("a name in the listing is not text")
        raw = name.encode("utf-8", "surrogatepass")
        if self._last is not None and raw <= self._last:
            raise Garbled("the listing is not in the byte order of keys")
        self._last = raw
        self._digest.update(b"%d:%b" % (len(raw), raw))

    def checked(self, pair: Any, place: ConsulPlace) -> dict[str, Any]:
        """A pair of the listing, counted. Raises `Garbled` for what is no pair of this place."""
        if not isinstance(pair, dict) or "ModifyIndex" not in pair or "Value" not in pair:
            raise Garbled("an element of the listing is not a key with its value")
        self.add(pair.get("Key"))
        if not pair["Key"].startswith(place.root):
            raise Garbled("the listing has a key of another folder")
        return pair

    def token(self, response: requests.Response) -> Token:
        return f"{response.headers['X-Consul-Index']}-{self._digest.hexdigest()}"

    @property
    def empty(self) -> bool:
        return self._last is None


def _is_empty(since: Token, names: _Names) -> bool:
    """Was nothing there, and is nothing there? The index of an empty folder is that of the whole store."""
    return names.empty and since.partition("-")[2] == hashlib.blake2b(digest_size=16).hexdigest()


def _is_marker(pair: dict[str, Any]) -> bool:
    return pair["Value"] is None and str(pair["Key"]).endswith("/")


def _item(pair: dict[str, Any]) -> Item:
    # Consul does not tell an empty value from none at all.
    value = base64.b64decode(pair["Value"] or "", validate=True)
    flags = {"flags": str(pair["Flags"])} if pair.get("Flags") else {}
    return Item(pair["Key"], value, attributes=attributes(flags), revision=str(pair["ModifyIndex"]))


def _fields(write: Write) -> dict[str, Any]:
    match write:
        case Put(id, value, expected, _, pairs):
            encoded = base64.b64encode(value).decode("ascii")
            flags = int(dict(pairs).get("flags", 0))
            return {
                "Verb": "cas",
                "Key": id,
                "Value": encoded,
                "Flags": flags,
                "Index": int(expected or 0),
            }
        case Delete(id, expected):
            return {"Verb": "delete-cas", "Key": id, "Index": int(expected)}


def _results(answer: Any) -> list[dict[str, Any]]:
    """The pairs of a transaction's answer, which names them also where there are none. Raises `Garbled`."""
    results = answer.get("Results", "") if isinstance(answer, dict) else ""
    results = [] if results is None else results
    if not isinstance(results, list) or not all(isinstance(r, dict) and "KV" in r for r in results):
        raise Garbled("the answer to a transaction is not one")
    return [result["KV"] for result in results]


def _is_unsigned(text: str) -> bool:
    """Is it a number of 64 bits without a sign?"""
    return re.fullmatch(r"0|[1-9][0-9]{0,19}", text) is not None and int(text) < 2**64


def _applied(write: Write, revision: str | None) -> Outcome:
    return Outcome(write.id, Verdict.APPLIED, revision, replaced=write.expected)


def _some(ids: Sequence[ItemId]) -> str:
    return repr(ids[0]) if len(ids) == 1 else f"{ids[0]!r} and {len(ids) - 1} more"
