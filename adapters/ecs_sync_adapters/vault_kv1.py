"""Vault's or OpenBao's KV version 1 through hvac: the adapter ``vault-kv1``. One secret is one item.

KV 1 keeps no versions, compares nothing and tells no times (class D): an item's revision is a keyed digest
of its value, and each write is a read, a comparison and a write. A delete is final.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Sequence
from typing import ClassVar

from hvac.api.secrets_engines import KvV1

from ecs_sync.adapter import (
    Features,
    Guard,
    Item,
    ItemId,
    Limits,
    Listing,
    Outcome,
    Page,
    Price,
    Prices,
    Proof,
    Put,
    Revision,
    Rule,
    Token,
    Verdict,
    Write,
)
from ecs_sync.errors import Rejected
from ecs_sync_adapters.failure_kind import Kind, reading_error
from ecs_sync_adapters.vault_errors import unsent
from ecs_sync_adapters.vault_json import canonical
from ecs_sync_adapters.vault_options import IDS, VaultKv1Options, VaultOptions, VaultPlace, id_fault
from ecs_sync_adapters.vault_session import Session, carried_out, listed, looked
from ecs_sync_adapters.vault_transit import unwrap, wrap
from ecs_sync_adapters.vault_value import LARGEST, Fields, fields_of
from ecs_sync_adapters.vault_wire import Answer, Failure

_EMPTY = Rule(r"^\s*\{\s*\}\s*$", "KV 1 holds no secret without a field")
_STRANGE = Failure(Kind.UNANSWERED, "the answer is not one of KV 1: check mount, url and proxies")


class VaultKv1Adapter:
    """One mount of KV version 1."""

    Options: ClassVar[type] = VaultKv1Options
    Place: ClassVar[type] = VaultPlace

    def __init__(self, options: VaultOptions) -> None:
        """Connects to nothing yet. Raises ConfigError with all that is wrong with the files it needs."""
        self._session = Session("vault-kv1", options)
        self._transit = options.transit
        self._key: bytes | None = None
        self._asking = threading.Lock()
        self._features = _features(options)

    @property
    def features(self) -> Features:
        return self._features

    def list(self, place: VaultPlace, since: Token | None) -> Listing:
        """Secrets under the place with their values: a call a folder, and one a secret. Never "unchanged
        since". Once a connection, one call more asks what is mounted.
        """
        return Listing(self._listed(place))

    def _listed(self, place: VaultPlace) -> Iterator[Page]:
        _, calls = yield from self._session.patiently(self._check_mount)
        if calls:
            yield Page(calls=calls)
        yield from listed(self._session, self._names, self._looked, place)
        yield Page(proof=Proof(), calls=0)

    def _check_mount(self) -> None:
        """What is another engine must not pass for an empty mount."""
        key = self._keyed()
        if isinstance(key, Failure):
            raise reading_error(key, f"{self._session.where}: looking at the mount")

    def _names(self, folder: str) -> Answer | Failure:
        return self._session.ask(lambda wire: KvV1(adapter=wire).list_secrets(folder, self._session.mount))

    def get(self, ids: Sequence[ItemId]) -> Listing:
        """Point reads, a call each. What the policy denies is unreadable."""
        return Listing(looked(self._session, tuple(ids), self._looked))

    def write(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        """One write: a read, a comparison, and the write right after. Raises only where nothing was
        applied, or nothing is known.
        """
        if len(writes) > 1:
            raise Rejected(f"{self._session.where}: {len(writes)} writes, and a batch takes one")
        return [carried_out(self._session, write, self._written) for write in writes]

    def _written(self, write: Write) -> Outcome | Failure:
        fields = fields_of(write.value, _any, "") if isinstance(write, Put) else None
        if isinstance(fields, str):
            return Outcome(write.id, Verdict.REFUSED, reason=fields)
        if fields is not None and not fields.tree:
            return Outcome(write.id, Verdict.REFUSED, reason=_EMPTY.reason)
        there = self._read(write.id)
        if isinstance(there, Failure):
            return unsent(there)
        if problem := _raced(write, there):
            return Outcome(write.id, Verdict.RACED, reason=problem)
        return self._deleted(write) if fields is None else self._put(write, fields)

    def _put(self, write: Write, fields: Fields) -> Outcome | Failure:
        mount = self._session.mount
        answer = self._session.ask(
            lambda wire: KvV1(adapter=wire).create_or_update_secret(write.id, fields.tree, "PUT", mount)
        )
        key = self._keyed()
        if isinstance(answer, Failure) or isinstance(key, Failure) or answer.status == 404:
            return answer if isinstance(answer, Failure) else _STRANGE
        revision = _revision(write.id, canonical(fields.tree), key)
        return Outcome(write.id, Verdict.APPLIED, revision, replaced=write.expected)

    def _deleted(self, write: Write) -> Outcome | Failure:
        mount = self._session.mount
        answer = self._session.ask(lambda wire: KvV1(adapter=wire).delete_secret(write.id, mount))
        if isinstance(answer, Failure):
            return answer
        return Outcome(write.id, Verdict.APPLIED, replaced=write.expected)

    def wrap(self, key: str, plain: bytes) -> bytes:
        """By the transit engine of the same server: the ability `ecs_sync.abilities.Wraps`."""
        return wrap(self._session, self._transit, key, plain)

    def unwrap(self, key: str, wrapped: bytes) -> bytes:
        return unwrap(self._session, self._transit, key, wrapped)

    def close(self) -> None:
        self._session.close()

    def _looked(self, id: ItemId) -> Item | None:
        """A secret, None where there is none. Raises what a failure means, a denial apart."""
        if problem := id_fault(id):
            return Item(id, None, secret=True, unreadable=f"its path cannot be used: {problem}")
        found = self._read(id)
        if not isinstance(found, Failure):
            return found
        if found.kind is Kind.DENIED:
            return Item(id, None, secret=True, unreadable=found.reason)
        raise reading_error(found, f"{self._session.where}: reading {id}")

    def _read(self, id: ItemId) -> Item | Failure | None:
        key, mount = self._keyed(), self._session.mount
        if isinstance(key, Failure):
            return key
        answer = self._session.ask(lambda wire: KvV1(adapter=wire).read_secret(id, mount))
        if isinstance(answer, Failure):
            return answer
        if answer.status == 404:
            return None
        tree = answer.document.get("data")
        if not isinstance(tree, dict):
            return _STRANGE
        try:
            value = canonical(tree)
        except ValueError:
            reason = "its JSON is nested too deep, or holds what is no text"
            return Item(id, None, secret=True, unreadable=reason)
        return Item(id, value, secret=True, revision=_revision(id, value, key))

    def _keyed(self) -> bytes | Failure:
        """The mount's own id, which is random, stays with the mount, and is told to its users only.

        Threads that begin together ask once.
        """
        with self._asking:
            return self._key or self._asked()

    def _asked(self) -> bytes | Failure:
        answer = self._session.mounted("1")
        if isinstance(answer, Failure):
            return answer
        name = str(answer.data.get("uuid") or answer.data.get("accessor") or self._session.mount)
        self._key = hashlib.blake2b(name.encode(), digest_size=32).digest()
        return self._key


def _revision(id: ItemId, value: bytes, key: bytes) -> Revision:
    """A digest under a key that is not where revisions are kept: a plain one could be guessed at."""
    keyed = hashlib.blake2b(key=key, digest_size=16)
    keyed.update(b"%d:%b%b" % (len(id.encode()), id.encode(), value))
    return keyed.hexdigest()


def _raced(write: Write, there: Item | None) -> str:
    """Why a write is not to be sent; empty where the secret is as it is expected to be."""
    if write.expected is None:
        return "" if there is None else "it exists already"
    if there is None:
        return "it is gone"
    return "" if there.revision == write.expected else "it is not at the expected revision"


def _any(_: str) -> bool:
    """KV 1 keeps every number as it is written."""
    return True


def _features(options: VaultOptions) -> Features:
    return Features(
        guard=Guard.D,
        ids=IDS,
        values=Limits(
            min_bytes=2,
            max_bytes=LARGEST,
            pattern=r"\s*\{[\s\S]*",
            pattern_reason="a secret's value is a JSON object of its fields",
            rules=(_EMPTY,),
        ),
        text_values=True,
        holds_secrets=True,
        ordered_listing=True,
        # A write is preceded by a read.
        prices=Prices(get=Price(), create=Price(2), update=Price(2), delete=Price(2)),
        concurrency=options.concurrency,
    )
