"""One item on its way through the protocol, and the run that it belongs to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event

from ecs_sync import protocol
from ecs_sync.adapter import Delete, Item, ItemId, Revision, Write
from ecs_sync.model import Entry, Scope
from ecs_sync.plan import Change
from ecs_sync.policy import STORE
from ecs_sync.protocol import Machine, Result
from ecs_sync.remote import Remote
from ecs_sync.store import Intent, Lease, Operation, Store, Target


@dataclass(frozen=True, slots=True)
class Running:
    """A run that is being carried out. ``fence`` raises `Fenced` where the lease was lost.

    Once ``stop`` is set, the group of writes under way is the last, and nothing is waited for.
    """

    store: Store
    job: str
    scope: Scope
    run: str
    who: str
    reason: str
    lease: Lease
    fence: Callable[[], None]
    stop: Event = field(default_factory=Event)


@dataclass
class Task:
    """One item on its way through the protocol. ``changes`` are empty where an intent is recovered."""

    id: str
    run: str
    item: ItemId
    targets: tuple[Target, ...]
    expected: Revision | None
    expected_changed: str | None
    machine: Machine
    changes: tuple[Change, ...] = ()
    write: Write | None = None
    before: Mapping[str, Entry] = field(default_factory=dict)
    """What the item held before, by key text: it is archived with the intent."""
    archived: dict[str, int] = field(default_factory=dict)
    seen: Revision | None = None
    """Where the write was found by looking: the revision that it has."""
    between: Sequence[Item] = ()

    @property
    def result(self) -> Result:
        return self.machine.result or Result.UNKNOWN

    @property
    def landed(self) -> Revision | None:
        """The revision at which the write landed, as far as that is known."""
        return self.machine.revision or self.seen

    @property
    def operation(self) -> Operation:
        return Operation.DELETE if self.machine.deletes else Operation.PUT

    def intent(self, track: int) -> Intent:
        return Intent(
            self.id,
            track,
            self.run,
            self.item,
            self.operation,
            self.expected,
            self.expected_changed,
            self.targets,
        )


def recalled(intent: Intent, remote: Remote) -> Task:
    """The task of an intent that was found open."""
    machine = protocol.recover(
        creates=intent.expected is None,
        deletes=intent.operation is Operation.DELETE,
        guard=remote.features.guard,
        history=remote.features.history,
    )
    return Task(
        intent.id, intent.run, intent.item, intent.targets, intent.expected, intent.expected_changed, machine
    )


def target_of(change: Change, versions: dict[str, int]) -> Target:
    """What a push makes of its key, at the store's version that its value has."""
    version = change.version if change.source == STORE else versions.get(change.key.text, change.version)
    return Target(change.key.text, change.target, version)


def task_of(
    id: str,
    run: str,
    remote: Remote,
    write: Write,
    changes: Sequence[Change],
    item: Item | None,
    targets: Sequence[Target],
) -> Task:
    """The task of a write that was planned, from the item as it was observed."""
    machine = protocol.begin(
        creates=write.expected is None,
        deletes=isinstance(write, Delete),
        guard=remote.features.guard,
        history=remote.features.history,
    )
    changed = item.changed.isoformat() if item is not None and item.changed else None
    before = remote.read(item).entries if item is not None else {}
    return Task(
        id, run, write.id, tuple(targets), write.expected, changed, machine, tuple(changes), write, before
    )
