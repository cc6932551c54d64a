"""Follows the secrets that entries refer to: which of them are other ones since the last look.

A link that copies a secret compares plaintexts, and its base stands at a version of the store. So a
secret that was rotated where it is kept becomes a new version of every key that refers to it, and its
copies follow as they follow any other change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ecs_sync.looking import Side
from ecs_sync.model import Entry, Fingerprinter, Scope
from ecs_sync.plan import Unread
from ecs_sync.policy import Secrets, Word
from ecs_sync.reference import Reference
from ecs_sync.remote import Remote
from ecs_sync.resolve import Resolver, Sight, Unresolved
from ecs_sync.store import Base, Desired, EntryChange, Referred, Store, Stored
from ecs_sync.task import Running


@dataclass(frozen=True, slots=True)
class Followed:
    """One look at all secrets that a job copies.

    ``rotated`` has the stored entries whose secret is another one now, by key text; ``fresh`` what is to
    be kept on record; ``unread`` the references that could not be followed.
    """

    rotated: Mapping[str, Stored] = field(default_factory=dict)
    fresh: Sequence[Referred] = ()
    unread: Sequence[Unread] = ()

    def ahead(self, desired: Iterable[Desired], at: int) -> Iterable[Desired]:
        """The store's rows as they will stand once the rotations are committed behind version ``at``."""
        if not self.rotated:
            return desired
        return (row._replace(version=at + 1) if row.key in self.rotated else row for row in desired)

    def stored(self, keys: Iterable[str], at: int) -> dict[str, Stored]:
        """The versions that the rotations of these keys will make behind version ``at``."""
        return {key: replace(self.rotated[key], version=at + 1) for key in keys if key in self.rotated}


def follow(scope: Scope, sides: Sequence[Side], resolver: Resolver | None, store: Store, at: int) -> Followed:
    """Looks at every secret that a link copies. Reads those that moved, and changes nothing.

    Notes at each side that refers to secrets which of them it has copies of still.
    """
    for side in sides:
        side.respelled = _respelled(side, scope, store, at)
    copying = [side for side in sides if side.remote.secrets is Secrets.COPY]
    if resolver is None or not copying:
        return Followed()
    copied = {
        stored.key.text: stored
        for stored in store.references(scope, at)
        if any(side.remote.selection.covers(stored.key.text) for side in copying)
    }
    if not copied:
        return Followed()
    references = {key: _reference(stored) for key, stored in copied.items()}
    sights = resolver.look(references.values())
    known = store.referred(scope)
    moved = {
        key: reference
        for key, reference in references.items()
        if not _unmoved(known.get(key), reference, sights[reference])
    }
    resolver.read(each for each in moved.values() if isinstance(sights[each], Sight))
    followed = _compared(copied, moved, sights, known, resolver, store.fingerprinter)
    unknown = {key: copied[key] for key in moved.keys() - known.keys()}
    return replace(followed, rotated={**_behind(copying, store, unknown), **followed.rotated})


def _respelled(side: Side, scope: Scope, store: Store, at: int) -> frozenset[str]:
    """The keys whose base is another image than the reference: the link was edited since it wrote them."""
    remote = side.remote
    if remote.secrets is not Secrets.REFERENCE or remote.policy.words.pending is not Word.PUSH:
        return frozenset()
    told = {stored.key.text: stored for stored in store.references(scope, at)}
    bases = store.bases_of(side.track.id, told) if side.track is not None and told else {}
    return frozenset(
        key
        for key, base in bases.items()
        if base.version == told[key].version and _is_copy(remote, told[key], base, store.fingerprinter)
    )


def _is_copy(remote: Remote, stored: Stored, base: Base, fingerprints: Fingerprinter) -> bool:
    assert stored.entry is not None
    if base.fingerprint == fingerprints.of(stored.entry):
        return False
    reference = _reference(stored)
    if (reference.connection, reference.name) == (remote.connection, base.item):
        return False
    image = remote.image(stored.entry)
    return isinstance(image, Entry) and fingerprints.of(image) != base.fingerprint


def _reference(stored: Stored) -> Reference:
    assert stored.entry is not None
    return Reference.parse(stored.entry.value.text)


def _unmoved(known: Referred | None, reference: Reference, sight: Sight | Unresolved) -> bool:
    return (
        known is not None
        and isinstance(sight, Sight)
        and sight.revision is not None
        and (known.reference, known.revision, known.changed)
        == (reference.text, sight.revision, sight.changed)
    )


def _compared(
    copied: Mapping[str, Stored],
    moved: Mapping[str, Reference],
    sights: Mapping[Reference, Sight | Unresolved],
    known: Mapping[str, Referred],
    resolver: Resolver,
    fingerprints: Fingerprinter,
) -> Followed:
    rotated: dict[str, Stored] = {}
    fresh: list[Referred] = []
    unread: list[Unread] = []
    for key, reference in moved.items():
        stored, sight = copied[key], sights[reference]
        found = sight if isinstance(sight, Unresolved) else resolver.open(reference)
        if isinstance(found, Unresolved):
            unread.append(Unread(reference.connection, reference.name, stored.key, found.reason))
            continue
        assert isinstance(sight, Sight)
        fingerprint = fingerprints.of(Entry(stored.key, found))
        before = known.get(key)
        if before is not None and before.reference == reference.text and before.fingerprint != fingerprint:
            rotated[key] = stored
        fresh.append(Referred(key, reference.text, sight.revision, sight.changed, fingerprint))
    return Followed(rotated, fresh, unread)


def _behind(sides: Sequence[Side], store: Store, unknown: Mapping[str, Stored]) -> dict[str, Stored]:
    """Of secrets that are not on record yet, those that a link has an older copy of."""
    behind: dict[str, Stored] = {}
    for side in sides:
        bases = store.bases_of(side.track.id, unknown) if side.track is not None else {}
        for key, base in bases.items():
            stored = unknown[key]
            image = (
                side.remote.image(stored.entry) if stored.entry and base.version == stored.version else None
            )
            if isinstance(image, Entry) and store.fingerprinter.of(image) != base.fingerprint:
                behind[key] = stored
    return behind


def record(running: Running, followed: Followed) -> Followed:
    """Commits what was rotated as versions of origin ``rotation``, and keeps what was seen.

    What is left to plan with: a key that was set meanwhile is looked at by the next run.
    """
    if not followed.fresh:
        return followed
    with running.store.transaction(running.lease) as transaction:
        overtaken = set(
            transaction.expect(running.scope, {k: s.version for k, s in followed.rotated.items()})
        )
        rotated = [stored for key, stored in followed.rotated.items() if key not in overtaken]
        transaction.put_referred(running.scope, [row for row in followed.fresh if row.key not in overtaken])
        if rotated:
            number = transaction.commit(
                running.scope,
                [EntryChange(stored.key, stored.entry, stored.rank) for stored in rotated],
                origin="rotation",
                reason="a secret was rotated where it is kept",
                who=running.who,
                run=running.run,
            )
            told = {stored.key.text: _reference(stored).text for stored in rotated}
            details = {"run": running.run, "job": running.job, "version": number, "secrets": told}
            transaction.audit(running.who, "SecretRotated", details)
    return Followed(unread=followed.unread)
