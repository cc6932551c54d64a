"""Own writes: writes of ours that were not seen to land, and what is seen of them later.

The rules are those of `ecs_sync.protocol.absorb`; here is what they are asked with, for real items.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ecs_sync.adapter import Guard, Item, ItemId, Revision
from ecs_sync.errors import AdapterError
from ecs_sync.model import Fingerprint
from ecs_sync.protocol import Absorbed, Dug, Sight, absorb
from ecs_sync.remote import Remote, Row
from ecs_sync.store import Operation, OwnWrite, Target


class Digging(NamedTuple):
    """What a history shows: what came before our write, unseen, and the revision that ours has."""

    dug: Dug
    between: tuple[Item, ...] = ()
    revision: Revision | None = None


@dataclass(frozen=True, slots=True)
class Explained:
    """What an observation says of one key of an own write; never that it may still land."""

    verdict: Absorbed
    own: OwnWrite
    target: Target
    digging: Digging


def holds(remote: Remote, item: Item, targets: Iterable[Target]) -> bool:
    """Does the item show every target?"""
    shown = {row.key: row.fingerprint for row in remote.rows(item, remote.read(item))}
    return all(shown.get(target.key) == target.fingerprint for target in targets)


def dig(
    remote: Remote,
    item: ItemId,
    operation: Operation,
    targets: Sequence[Target],
    after: Revision | None,
    ours: Revision | None,
) -> Digging:
    """Reads an item's history after a revision. ``ours`` is the revision known to be our write's.

    Where that is not known, the newest version that shows every target counts as ours. A delete leaves
    no version behind, and may take the history along: there is nothing to read.
    """
    if operation is Operation.DELETE:
        return Digging(Dug.NOTHING, (), ours)
    try:
        versions = remote.dig(item, after)
    except AdapterError:
        return Digging(Dug.UNREADABLE, (), ours)
    if ours is not None:
        at = [i for i, version in enumerate(versions) if version.revision == ours]
    else:
        at = [i for i, version in enumerate(versions) if holds(remote, version, targets)]
    if not at:
        return Digging(Dug.NOTHING, (), ours)
    between, found = tuple(versions[: at[-1]]), versions[at[-1]].revision
    if at[-1] < len(versions) - 1:
        return Digging(Dug.LANDED, between, found)
    return Digging(Dug.GAP if between else Dug.NOTHING, between, found)


def told_apart(
    remote: Remote, between: Iterable[Item], owned: Iterable[OwnWrite]
) -> tuple[list[Item], list[OwnWrite]]:
    """The versions that others wrote, and the own writes that landed late as the rest of them."""
    left, late = list(owned), []
    others: list[Item] = []
    for item in between:
        ours = next((own for own in left if holds(remote, item, own.targets)), None)
        if ours is None:
            others.append(item)
        else:
            left.remove(ours)
            late.append(ours)
    return others, late


def explain(
    remote: Remote, own: OwnWrite, target: Target, row: Row | None, settled: int, held: Revision | None
) -> Explained | None:
    """What one key, as observed, says of an own write; None where that may still land.

    ``settled`` is the store's version of the base, or without a base the one that last unset the key;
    ``held`` the revision at which the item was last in step, if it is known.
    """
    sight = _sight(own, target, row)
    digging = Digging(Dug.NOTHING, (), row.revision if row else None)
    dug: Dug | None = None
    if remote.features.history and sight in (Sight.TARGET, Sight.OTHER):
        ours = digging.revision if sight is Sight.TARGET else None
        digging = dig(remote, own.item, own.operation, own.targets, held or own.expected, ours)
        dug = digging.dug
    verdict = absorb(
        creates=own.expected is None,
        deletes=own.operation is Operation.DELETE,
        guard=remote.features.guard,
        sight=sight,
        dug=dug,
        version=target.version,
        base_version=settled,
    )
    return None if verdict is Absorbed.OPEN else Explained(verdict, own, target, digging)


def _sight(own: OwnWrite, target: Target, row: Row | None) -> Sight:
    shown: Fingerprint | None = row.fingerprint if row else None
    if shown == target.fingerprint:
        return Sight.TARGET
    revision = row.revision if row else None
    expected = row is None if own.expected is None else revision == own.expected
    return Sight.EXPECTED if expected else Sight.OTHER


def impossible(owned: Iterable[OwnWrite], guard: Guard, at: Revision | None) -> Iterator[OwnWrite]:
    """The own writes of an item that can never land any more, now that it is at another revision."""
    for own in owned:
        said = absorb(
            creates=own.expected is None,
            deletes=own.operation is Operation.DELETE,
            guard=guard,
            sight=Sight.OTHER,
            dug=None,
            version=0,
            base_version=0,
        )
        if said is Absorbed.GONE and own.expected != at:
            yield own
