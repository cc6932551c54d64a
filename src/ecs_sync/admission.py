"""What may not cross, whatever the mode says: into the store from a place, or over what a place holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ecs_sync.adapter import ItemId
from ecs_sync.diff import Image, Unsayable, Unseen
from ecs_sync.looking import Looking
from ecs_sync.model import Entry, Key, Type
from ecs_sync.plan import Change
from ecs_sync.policy import First, Secrets, Why
from ecs_sync.store import Store, Stored


def kept_out(looking: Looking, stored: Stored | None, store: Store) -> Looking:
    """What the store may not take from a place, and what so decides nothing elsewhere.

    A secret that the store has no key for, and what somebody made of the copy of a secret.
    """
    moved = looking.base is None or looking.observed != looking.base.fingerprint
    if not moved or not looking.side.remote.policy.adopts:
        return looking
    if stored is not None and stored.entry is not None and _is_copy(looking, stored.entry):
        if looking.lifted == stored.entry or _meets_willingly(looking):
            return looking
        reason = "it is a copy of a secret that is kept elsewhere: change it there, or unset the key"
        return replace(looking, kept_out=reason)
    if looking.lifted is None or not looking.lifted.holds_plaintext or store.keeps_secrets:
        return looking
    return replace(
        looking,
        kept_out="it is a secret, and the store has no key to keep it under: set "
        "'store: {key: file:PATH}' ('ecs-sync store new-key PATH' makes one), or exclude the key",
    )


def _is_copy(looking: Looking, entry: Entry) -> bool:
    seen = not isinstance(looking.observed, Unseen)
    return seen and looking.side.remote.secrets is Secrets.COPY and entry.value.type is Type.REFERENCE


def _meets_willingly(looking: Looking) -> bool:
    """Is there nothing of ours yet, and nothing in the way of the copy?"""
    store_counts = looking.side.remote.policy.first is First.STORE
    return looking.base is None and (looking.observed is None or store_counts)


def keeps_back(change: Change, image: Image, looking: Looking, store: Store) -> tuple[Why, str] | None:
    """Why a push may not be carried out, if it may not; ``image`` is of what it pushes."""
    if isinstance(image, Unsayable):
        # A base tells what was said last; what cannot be said now is not a delete.
        return Why.UNSAYABLE, image.reason
    remote = looking.side.remote
    if change.target is None and remote.mapping.single and remote.deletes_held:
        return (
            Why.DELETES_OFF,
            "a delete cannot be taken back here; the link says so with 'hard_deletes: true'",
        )
    secret = change.before is not None and change.before.holds_plaintext
    features = remote.features
    deletes = change.target is None
    there, does = (features.keeps_deleted, "delete") if deletes else (features.keeps_overwritten, "overwrite")
    if secret and not (store.keeps_secrets or there or _copied(change, looking)):
        return Why.UNSAYABLE, f"it would {does} a secret that nothing keeps: configure store.key"
    return None


def one_name(creates: Sequence[Change], taken: Iterable[ItemId]) -> dict[Key, str]:
    """Of items to be created where case does not count: the keys whose names are taken, with reasons."""
    names: dict[str, set[ItemId]] = {}
    for id in (*taken, *(change.item for change in creates if change.item is not None)):
        names.setdefault(id.casefold(), set()).add(id)
    refused: dict[Key, str] = {}
    for change in creates:
        others = names[change.item.casefold()] - {change.item} if change.item is not None else set()
        if others:
            refused[change.key] = f"case does not count here, and {min(others)!r} is the same name"
    return refused


def _copied(change: Change, looking: Looking) -> bool:
    """Is what is replaced our own copy of a secret, which its home still has?"""
    ours = looking.base is not None and looking.observed == looking.base.fingerprint
    return ours and change.after is not None and change.after.value.type is Type.REFERENCE
