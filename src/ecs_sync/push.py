"""Makes the place of one link like the store: builds each item's write, and carries it out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice

from ecs_sync.adapter import Delete, Item, ItemId, Write
from ecs_sync.batching import group_size
from ecs_sync.carry import Carrier
from ecs_sync.looking import Side
from ecs_sync.model import Key
from ecs_sync.plan import Change, Plan
from ecs_sync.policy import STORE
from ecs_sync.protocol import Result
from ecs_sync.report import Carried
from ecs_sync.store import new_id
from ecs_sync.task import Running, Task, target_of, task_of


@dataclass
class Pushed:
    """What became of the pushes to one link."""

    carried: list[Carried] = field(default_factory=list)
    proved: list[Key] = field(default_factory=list)
    unproved: list[Key] = field(default_factory=list)
    settling: list[tuple[str, ItemId, str]] = field(default_factory=list)
    """Link, item, and how far it is: written, and not in force everywhere yet."""


def push(running: Running, side: Side, plan: Plan, versions: dict[str, int], missed: set[Key]) -> Pushed:
    """Carries out the plan's pushes to one link; those whose adoption was overtaken are left."""
    pushed = Pushed()
    assert side.track is not None
    carrier = Carrier(running, side.remote, side.track.id)
    wanted: list[Change] = []
    for change in plan.pushes(side.remote.link):
        if change.source != STORE and change.key in missed:
            pushed.carried.append(Carried(change, Result.OVERTAKEN, "the store moved since the plan"))
        else:
            wanted.append(change)
    size = group_size(side.remote.features)
    items = iter(by_item(wanted).items())
    while not running.stop.is_set() and (group := list(islice(items, size))):
        tasks = _tasks(running, side, group, versions, pushed)
        carrier.drive(tasks)
        for task in tasks:
            reason = task.machine.reason
            pushed.carried += [Carried(change, task.result, reason) for change in task.changes]
        proof = carrier.prove(tasks)
        pushed.proved += proof.proved
        pushed.unproved += proof.unproved
        pushed.settling += [(side.remote.link, item, says) for item, says in proof.settling]
    pushed.carried += [
        Carried(change, Result.UNTRIED, "the process was asked to stop")
        for _, changes in items
        for change in changes
    ]
    return pushed


def by_item(changes: Sequence[Change]) -> dict[ItemId, list[Change]]:
    """Writes before deletes, each in the order of keys."""
    items: dict[ItemId, list[Change]] = {}
    for change in sorted(changes, key=lambda change: (change.target is None, change.key)):
        if change.item is not None:
            items.setdefault(change.item, []).append(change)
    return items


def _tasks(
    running: Running,
    side: Side,
    group: Sequence[tuple[ItemId, list[Change]]],
    versions: dict[str, int],
    pushed: Pushed,
) -> list[Task]:
    existing = _existing(side, group)
    tasks: list[Task] = []
    for id, changes in group:
        item = existing.get(id)
        standing = _still_as_planned(side, changes, item, pushed)
        write, carried = _write(side, id, standing, item, pushed)
        if write is not None:
            targets = [target_of(change, versions) for change in carried]
            tasks.append(task_of(new_id(), running.run, side.remote, write, carried, item, targets))
    return tasks


def _existing(side: Side, group: Sequence[tuple[ItemId, list[Change]]]) -> dict[ItemId, Item | None]:
    """The items as observed, with their values; those that were not kept are read again."""
    observation = side.observation
    there = {
        id
        for id, changes in group
        if side.may_hold(id) or any(change.expected is not None for change in changes)
    }
    kept = {id: observation.kept[id] for id in there if id in observation.kept}
    return {**kept, **side.remote.look(sorted(there - kept.keys()))}


def _still_as_planned(
    side: Side, changes: Sequence[Change], item: Item | None, pushed: Pushed
) -> list[Change]:
    rows = side.remote.rows(item, side.reading(item)) if item is not None else ()
    shown = {row.key: row.fingerprint for row in rows}
    standing = [change for change in changes if shown.get(change.key.text) == change.expected]
    pushed.carried += [
        Carried(change, Result.RACED, "it moved since it was observed")
        for change in changes
        if change not in standing
    ]
    return standing


def _write(
    side: Side, id: ItemId, changes: Sequence[Change], item: Item | None, pushed: Pushed
) -> tuple[Write | None, list[Change]]:
    """The write that makes the changes, without those that spoil it."""
    left = list(changes)
    while left:
        rehearsed = side.remote.rehearse(id, [(change.key, change.after) for change in left], item)
        if isinstance(rehearsed.write, Delete) and side.remote.deletes_held:
            refused = dict.fromkeys((change.key for change in left), "a delete cannot be taken back here")
        elif rehearsed.write is not None:
            return rehearsed.write, left
        else:
            refused = dict(rehearsed.refused)
        pushed.carried += [
            Carried(change, Result.REFUSED, refused[change.key]) for change in left if change.key in refused
        ]
        left = [change for change in left if change.key not in refused]
    return None, []
