"""Vault's or OpenBao's KV version 2 through hvac: the adapter ``vault-kv2``. One secret is one item.

An item's value is the JSON of the secret's fields. A listing costs a call a folder and one a secret, and
shows no values. Creations and updates are conditional on the current version (class B); a delete names
the version that is meant, softly, so that it can be undeleted. Custom metadata is shown, and survives.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from hvac.api.secrets_engines import KvV2

from ecs_sync.adapter import (
    Delete,
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
    Token,
    Verdict,
    Write,
)
from ecs_sync.errors import Rejected
from ecs_sync_adapters.failure_kind import Kind, reading_error
from ecs_sync_adapters.numbered import Numbered
from ecs_sync_adapters.vault_errors import unsent
from ecs_sync_adapters.vault_json import as_go_writes_it, object_pattern, up_to
from ecs_sync_adapters.vault_kv2_read import Known, Kv2Reader, Standing, made
from ecs_sync_adapters.vault_options import IDS, VaultOptions, VaultPlace
from ecs_sync_adapters.vault_session import Session, carried_out, listed, looked
from ecs_sync_adapters.vault_transit import unwrap, wrap
from ecs_sync_adapters.vault_value import LARGEST, Fields, fields_of
from ecs_sync_adapters.vault_wire import Failure, Wire

_NUMBER = (
    rf"-?(?:0|{up_to(str(2**53))}|(?:0|[1-9][0-9]{{0,20}})\.[0-9]*[1-9]"
    r"|[1-9](?:\.[0-9]*[1-9])?e[+-][1-9][0-9]*)"
)
_ROUNDED = (
    "KV 2 reads numbers as 64-bit floats: keep whole numbers over 2^53, and decimals that end in 0, as text"
)


class VaultKv2Adapter:
    """One mount of KV version 2."""

    Options: ClassVar[type] = VaultOptions
    Place: ClassVar[type] = VaultPlace

    def __init__(self, options: VaultOptions) -> None:
        """Connects to nothing yet. Raises ConfigError with all that is wrong with the files it needs."""
        self._session = Session("vault-kv2", options)
        self._transit = options.transit
        self._reader = Kv2Reader(self._session)
        self._destroys = options.deletes == "destroy"
        self._features = _features(options)

    @property
    def features(self) -> Features:
        return self._features

    def list(self, place: VaultPlace, since: Token | None) -> Listing:
        """Secrets under the place, without values: a call a folder, and one a secret for its version.

        Where nothing is there, one call more asks whether it is KV 2 that is mounted. Never "unchanged
        since": a mount has no such mark.
        """
        return Listing(self._listed(place))

    def _listed(self, place: VaultPlace) -> Iterator[Page]:
        shown, calls = False, 0
        for page in listed(self._session, self._reader.names, self._reader.described, place):
            shown = shown or bool(page.items)
            yield page
        if not shown:
            _, calls = yield from self._session.patiently(self._check_mount)
        yield Page(proof=Proof(), calls=calls)

    def _check_mount(self) -> None:
        """A mount of KV 1 answers questions for KV 2 like an empty one: that must not pass for emptiness."""
        answer = self._session.mounted("2")
        if isinstance(answer, Failure):
            raise reading_error(answer, f"{self._session.where}: looking at the mount")

    def get(self, ids: Sequence[ItemId]) -> Listing:
        """Point reads, a call each. What the policy denies is unreadable; a deleted version is absent."""
        return Listing(looked(self._session, ids, lambda id: self._reader.read(id, None)))

    def peek(self, ids: Sequence[ItemId]) -> Listing:
        """As `get`, by the metadata, which holds no value: a call each."""
        return Listing(looked(self._session, ids, self._reader.described))

    def history(self, id: ItemId, after: Revision | None) -> Listing:
        """The versions after ``after``, oldest first: a call, and one a version. A deleted version comes
        unreadable. No proof where the secret was made anew, or no longer keeps all that came after.
        """
        return Listing(self._reader.versions(id, after))

    def version(self, id: ItemId, version: str) -> Item | None:
        """The secret as its version of this number holds it, or of a revision, which a secret made anew never
        has again; None where it is deleted, or never was.
        """
        known = Numbered.of(version)
        if known is None and not re.fullmatch(r"[1-9][0-9]{0,8}", version):
            return None
        item = self._reader.read(id, int(version) if known is None else known.number)
        if known is not None and item is not None and item.revision not in (None, version):
            return None
        return item

    def write(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        """One write. An update looks at the metadata first: the version of a deleted secret is still its
        current one, and a conditional write would bring the secret back. Raises only where nothing was
        applied, or nothing is known.
        """
        if len(writes) > 1:
            raise Rejected(f"{self._session.where}: {len(writes)} writes, and a batch takes one")
        return [carried_out(self._session, write, self._written) for write in writes]

    def _written(self, write: Write) -> Outcome | Failure:
        if isinstance(write, Put) and write.expected is None:
            return self._put(write, None)
        expected = Numbered.of(write.expected or "")
        if expected is None:
            return Outcome(write.id, Verdict.RACED, reason="the expected revision is none that Vault gives")
        return self._put(write, expected) if isinstance(write, Put) else self._deleted(write, expected)

    def _put(self, put: Put, expected: Numbered | None) -> Outcome | Failure:
        fields = fields_of(put.value, as_go_writes_it, _ROUNDED)
        if isinstance(fields, str):
            return Outcome(put.id, Verdict.REFUSED, reason=fields)
        if expected is None:
            return self._created(put, fields)
        known = self._reader.known(put.id)
        if isinstance(known, Failure):
            return unsent(known)
        if known.standing is not Standing.LIVE or known.current != expected:
            return Outcome(put.id, Verdict.RACED, reason=_elsewhere(known, expected))
        return self._sent(put, fields, expected.number)

    def _created(self, put: Put, fields: Fields) -> Outcome | Failure:
        """At first as if it had never been; where it once was, over the version that was deleted."""
        answer = self._sent(put, fields, 0)
        if isinstance(answer, Failure) or answer.verdict is not Verdict.RACED:
            return answer
        known = self._reader.known(put.id)
        if isinstance(known, Failure):
            return unsent(known)
        if known.standing is not Standing.DELETED:
            return Outcome(put.id, Verdict.RACED, reason="it exists already")
        return self._sent(put, fields, known.current.number)

    def _sent(self, put: Put, fields: Fields, version: int) -> Outcome | Failure:
        mount = self._session.mount
        answer = self._session.ask(
            lambda wire: KvV2(adapter=wire).create_or_update_secret(put.id, fields.tree, version, mount)
        )
        if isinstance(answer, Failure):
            if answer.mismatch:
                return Outcome(put.id, Verdict.RACED, reason="it is not at the expected version")
            return answer
        new = made(answer)
        if answer.status != 200 or new is None:
            return Failure(Kind.UNANSWERED, "the answer has no version: is it KV 2 that is mounted?")
        return Outcome(put.id, Verdict.APPLIED, new.revision, replaced=put.expected)

    def _deleted(self, delete: Delete, expected: Numbered) -> Outcome | Failure:
        """Of the expected version and no other: what somebody wrote meanwhile stays, as if written after."""
        mount, versions = self._session.mount, [expected.number]

        def operation(wire: Wire) -> Any:
            kv = KvV2(adapter=wire)
            call = kv.destroy_secret_versions if self._destroys else kv.delete_secret_versions
            return call(delete.id, versions, mount)

        answer = self._session.ask(operation)
        if isinstance(answer, Failure):
            return answer
        if answer.status == 404:
            return Outcome(delete.id, Verdict.RACED, reason="it is gone")
        return Outcome(delete.id, Verdict.APPLIED, replaced=delete.expected)

    def wrap(self, key: str, plain: bytes) -> bytes:
        """By the transit engine of the same server: the ability `ecs_sync.abilities.Wraps`."""
        return wrap(self._session, self._transit, key, plain)

    def unwrap(self, key: str, wrapped: bytes) -> bytes:
        return unwrap(self._session, self._transit, key, wrapped)

    def close(self) -> None:
        self._session.close()


def _elsewhere(known: Known, expected: Numbered) -> str:
    if known.standing is not Standing.LIVE:
        return f"it is gone, not at version {expected.number}"
    if known.current.number == expected.number:
        return f"its version {expected.number} is one of a secret that was removed and made anew"
    return f"it is at version {known.current.number}, not at version {expected.number}"


def _features(options: VaultOptions) -> Features:
    return Features(
        guard=Guard.B,
        ids=IDS,
        values=Limits(
            min_bytes=2, max_bytes=LARGEST, pattern=object_pattern(_NUMBER), pattern_reason=_ROUNDED
        ),
        text_values=True,
        holds_secrets=True,
        keeps_overwritten=True,
        keeps_deleted=options.deletes != "destroy",
        ordered_listing=True,
        values_in_listing=False,
        ordered_revisions=True,
        change_times=True,
        history=True,
        pins=True,
        peeks=True,
        # An update is preceded by a look at the metadata.
        prices=Prices(get=Price(), peek=Price(), create=Price(), update=Price(2), delete=Price()),
        concurrency=options.concurrency,
    )
