"""How puts and deletes reach Secret Manager: two calls make a secret, one adds a version, three delete.

Adding a version is unconditional. What Secret Manager has is used: a creation fails where the secret is;
the number of the new version tells what it replaced; a delete names the secret's etag. A secret without a
version holds nothing, so one that somebody prepared, or that a creation left half-made, is filled.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import google_crc32c

from ecs_sync.adapter import Delete, Outcome, Put, Verdict, Write
from ecs_sync.errors import Unavailable
from ecs_sync_adapters.failure_kind import Kind, reading_error, writing_error
from ecs_sync_adapters.gcp_secrets_errors import Failure
from ecs_sync_adapters.gcp_secrets_read import NAME, Parent, Version, asked, exists
from ecs_sync_adapters.gcp_secrets_session import Wire
from ecs_sync_adapters.gcp_secrets_types import types
from ecs_sync_adapters.numbered import Numbered

Replication = Literal["automatic", "user-managed"]

VALUE_BYTES = 65_536
NAME_REASON = "Secret Manager's names are 1 to 255 letters, digits, '-' and '_'"


@dataclass(frozen=True, slots=True)
class Creation:
    """How a new secret is kept. Regional secrets have no replication, and may have a key.

    ``kms_key`` may hold ``{location}``, which stands for each replica's own.
    """

    replication: Replication = "automatic"
    locations: tuple[str, ...] = ()
    kms_key: str | None = None
    regional: bool = False

    def secret(self, put: Put) -> types.Secret:
        """A new secret, with the labels and annotations that the put knows of."""
        told = {"label": dict[str, str](), "annotation": dict[str, str]()}
        for name, text in put.attributes:
            kind, _, rest = name.partition(":")
            if kind in told and rest:
                told[kind][rest] = text
        made = types.Secret(labels=told["label"], annotations=told["annotation"])
        if self.regional:
            if self.kms_key is not None:
                made.customer_managed_encryption = self._key()
        elif self.replication == "automatic":
            automatic = types.Replication.Automatic()
            if self.kms_key is not None:
                automatic.customer_managed_encryption = self._key()
            made.replication = types.Replication(automatic=automatic)
        else:
            made.replication = types.Replication(user_managed={"replicas": self._replicas()})
        return made

    def _replicas(self) -> list[types.Replication.UserManaged.Replica]:
        replicas = []
        for location in self.locations:
            replica = types.Replication.UserManaged.Replica(location=location)
            if self.kms_key is not None:
                replica.customer_managed_encryption = self._key(location)
            replicas.append(replica)
        return replicas

    def _key(self, location: str = "") -> types.CustomerManagedEncryption:
        name = (self.kms_key or "").replace("{location}", location)
        return types.CustomerManagedEncryption(kms_key_name=name)


def carry_out(wire: Wire, parent: Parent, creation: Creation, write: Write) -> Outcome:
    """What became of one write. Raises where nothing was applied, or where that is not known."""
    if not re.fullmatch(NAME, write.id):
        return _refused(write, NAME_REASON)
    if isinstance(write, Delete):
        return _delete(wire, parent, write)
    if not 1 <= len(write.value) <= VALUE_BYTES:
        return _refused(write, f"Secret Manager holds 1 to {VALUE_BYTES} bytes, not {len(write.value)}")
    if write.expected is None:
        return _create(wire, parent, creation, write)
    expected = Numbered.of(write.expected)
    if expected is None:
        return _raced(write, f"it cannot be at {write.expected!r}, which is no revision of Secret Manager's")
    return _add(wire, parent, write, expected.number)


def _create(wire: Wire, parent: Parent, creation: Creation, put: Put) -> Outcome:
    request = types.CreateSecretRequest(parent=parent.path, secret_id=put.id, secret=creation.secret(put))
    made = wire.ask("CreateSecret", request)
    if isinstance(made, Failure) and made.kind is Kind.EXISTS:
        there = exists(wire, parent, put.id, 1)
        if isinstance(there, Failure):
            return _ended(put, there, f"looking at {put.id}")
        if there:
            return _raced(put, "it exists already")
    elif isinstance(made, Failure):
        # Without an answer there is at most a secret without a version, which holds nothing, and which
        # the next attempt fills.
        return _ended(put, made, f"creating {put.id}")
    return _add(wire, parent, put, 0)


def _add(wire: Wire, parent: Parent, put: Put, expected: int) -> Outcome:
    """Adds a version where version ``expected`` is thought to be the latest; 0 where there is none."""
    payload = types.SecretPayload(data=put.value, data_crc32c=google_crc32c.value(put.value))
    request = types.AddSecretVersionRequest(parent=parent.secret(put.id), payload=payload)
    answer = wire.ask("AddSecretVersion", request)
    if isinstance(answer, Failure):
        if answer.kind is Kind.UNANSWERED:
            raise writing_error(answer, f"adding a version to {put.id}")
        if answer.kind is Kind.MISSING and expected:
            return _raced(put, f"it is gone, not at version {expected}")
        if answer.kind is Kind.MISSING:
            raise Unavailable(f"adding the first version to {put.id}: the new secret is not there yet")
        return _ended(put, answer, f"adding a version to {put.id}")
    added = Version.answered(answer)
    if isinstance(added, Failure):
        raise writing_error(added, f"adding a version to {put.id}")
    replaced = put.expected
    if added.number != expected + 1:
        before = asked(wire, parent, put.id, added.number - 1) if added.number > 1 else None
        replaced = before.revision if isinstance(before, Version) else None
    return Outcome(put.id, Verdict.APPLIED, revision=added.revision, replaced=replaced)


def _delete(wire: Wire, parent: Parent, delete: Delete) -> Outcome:
    """Deletes a secret that is the one of the expected revision, and has no version after that.

    The etag holds the delete to the secret that was looked at; it does not move when a version is added.
    Versions are looked at by number, because what ``latest`` means may lag behind.
    """
    expected = Numbered.of(delete.expected)
    if expected is None:
        return _raced(delete, f"it cannot be at {delete.expected!r}, which is no revision of its")
    secret = wire.ask("GetSecret", types.GetSecretRequest(name=parent.secret(delete.id)))
    if isinstance(secret, Failure):
        return _ended(delete, secret, f"looking at {delete.id}")
    if not secret.etag:
        # An empty one would hold the delete to nothing.
        raise Unavailable(f"deleting {delete.id}: Secret Manager shows it without an etag")
    made = types.Secret.pb(secret).create_time
    if made.seconds * 1_000_000 + made.nanos // 1000 > expected.micros:
        return _raced(delete, "it was deleted and made again")
    newer = exists(wire, parent, delete.id, expected.number + 1)
    if isinstance(newer, Failure):
        return _ended(delete, newer, f"looking at {delete.id}")
    if newer:
        return _raced(delete, f"it has a version after {expected.number}")
    request = types.DeleteSecretRequest(name=parent.secret(delete.id), etag=secret.etag)
    answer = wire.ask("DeleteSecret", request)
    if isinstance(answer, Failure):
        if answer.kind is Kind.UNANSWERED:
            raise writing_error(answer, f"deleting {delete.id}")
        if answer.kind is Kind.STATE:
            return _raced(delete, "it was changed while it was about to be deleted")
        return _ended(delete, answer, f"deleting {delete.id}")
    return Outcome(delete.id, Verdict.APPLIED, replaced=delete.expected)


def _ended(write: Write, failure: Failure, doing: str) -> Outcome:
    """The outcome after a failed call that certainly left the item as it was, or its exception."""
    match failure.kind:
        case Kind.MISSING if isinstance(write, Delete):
            return _raced(write, "it is gone")
        case Kind.MISSING | Kind.EXISTS | Kind.MOVED | Kind.STATE | Kind.REFUSED | Kind.DENIED:
            return _refused(write, failure.reason)
        case Kind.IDENTITY | Kind.THROTTLED | Kind.UNSENT | Kind.UNANSWERED:
            raise reading_error(failure, doing)


def _refused(write: Write, reason: str) -> Outcome:
    return Outcome(write.id, Verdict.REFUSED, reason=reason)


def _raced(write: Write, reason: str) -> Outcome:
    return Outcome(write.id, Verdict.RACED, reason=reason)
