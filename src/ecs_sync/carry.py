"""Carries out writes: interprets the protocol's phases with a store and an adapter, in groups.

Many items stand in one phase at a time: their intents go into one transaction, their writes into the
batches that the provider takes, their outcomes into one transaction again.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from ecs_sync import protocol
from ecs_sync.adapter import Item, ItemId, Outcome, Verdict
from ecs_sync.batching import batches
from ecs_sync.errors import AdapterError, Unacknowledged
from ecs_sync.faults import Point, reached
from ecs_sync.model import Fingerprint, Key
from ecs_sync.owned import dig, holds, impossible, told_apart
from ecs_sync.policy import STORE
from ecs_sync.protocol import Answered, Guarded, Phase, Result, Sight
from ecs_sync.remote import Remote
from ecs_sync.store import (
    Base,
    Candidate,
    Done,
    Held,
    Operation,
    OwnWrite,
    Target,
    Transaction,
)
from ecs_sync.task import Running, Task

_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 10.0
"""Seconds between two looks at what settles; the first pauses double."""


class Proved(NamedTuple):
    """What reading back shows: the keys that are proved, those that are not, and what settles yet."""

    proved: list[Key]
    unproved: list[Key]
    settling: list[tuple[ItemId, str]]


@dataclass(frozen=True, slots=True)
class Carrier:
    """Drives the tasks of one link."""

    running: Running
    remote: Remote
    track: int

    def drive(self, tasks: Sequence[Task]) -> None:
        """Every task to its end. Raises `Fenced` and `StoreError`; never `AdapterError`."""
        order = list(Phase)
        while waiting := [task for task in tasks if task.machine.phase is not Phase.DONE]:
            phase = min((task.machine.phase for task in waiting), key=order.index)
            self._perform(phase, [task for task in waiting if task.machine.phase is phase])

    def _perform(self, phase: Phase, tasks: list[Task]) -> None:
        match phase:
            case Phase.CONFIRM | Phase.LOOK:
                self._look(tasks)
            case Phase.RECORD:
                self._record(tasks)
            case Phase.SEND:
                self._send(tasks)
            case Phase.DIG:
                self._dig(tasks)
            case Phase.SETTLE | Phase.CLOSE:
                self._note(tasks)
            case Phase.DONE:
                pass

    # Looking

    def _look(self, tasks: Sequence[Task]) -> None:
        seen = self.remote.look([task.item for task in tasks])
        for task in tasks:
            sight = self._sight(task, seen) if task.item in seen else Sight.UNREADABLE
            task.machine = protocol.step(task.machine, sight)
        if any(task.machine.recovering for task in tasks):
            reached(Point.RECOVERING)

    def _sight(self, task: Task, seen: dict[ItemId, Item | None]) -> Sight:
        item = seen[task.item]
        if item is None:
            if task.machine.deletes:
                return Sight.TARGET
            return Sight.EXPECTED if task.expected is None else Sight.OTHER
        if item.unreadable is not None:
            return Sight.UNREADABLE
        changed = item.changed.isoformat() if item.changed else None
        same_time = task.expected_changed in (None, changed)
        if task.expected is not None and item.revision == task.expected and same_time:
            return Sight.EXPECTED
        if not holds(self.remote, item, task.targets):
            return Sight.OTHER
        task.seen = item.revision
        return Sight.TARGET

    def _dig(self, tasks: Sequence[Task]) -> None:
        for task in tasks:
            found = dig(self.remote, task.item, task.operation, task.targets, task.expected, task.landed)
            task.between, task.seen = found.between, found.revision
            task.machine = protocol.step(task.machine, found.dug)

    # Recording and sending

    def _record(self, tasks: Sequence[Task]) -> None:
        running = self.running
        with running.store.transaction(running.lease) as transaction:
            versions = {t.key: t.version for task in tasks for t in task.targets if t.version}
            moved = set(transaction.expect(running.scope, versions))
            standing = [task for task in tasks if not any(t.key in moved for t in task.targets)]
            busy = transaction.open_intents([task.intent(self.track) for task in standing])
            recorded = {task.item: task for task in standing if task.item not in busy}
            for task in recorded.values():
                self._archive_before(transaction, task)
        for task in tasks:
            event = Guarded.RECORDED if task.item in recorded else Guarded.OVERTAKEN
            task.machine = protocol.step(task.machine, event)
        reached(Point.RECORDED)

    def _archive_before(self, transaction: Transaction, task: Task) -> None:
        for change in task.changes:
            if change.expected is None:
                continue
            before = task.before.get(change.key.text)
            task.archived[change.key.text] = transaction.archive(
                self.running.scope,
                change.key,
                self.remote.link,
                before,
                change.expected,
                secret=before is not None and before.secret,
                item=task.item,
                revision=task.expected,
                reason=f"{change.kind}d by a push",
                run=task.run,
            )

    def _send(self, tasks: Sequence[Task]) -> None:
        groups = list(batches(self.remote.features, tasks, lambda task: task.write))
        with ThreadPoolExecutor(max_workers=min(len(groups), self.remote.features.concurrency)) as pool:
            answers = list(pool.map(self._write, groups))
        reached(Point.SENT)
        for batch, outcomes in zip(groups, answers, strict=True):
            for task, outcome in zip(batch, outcomes, strict=True):
                gap = outcome.verdict is Verdict.APPLIED and outcome.replaced != task.expected
                answer = Answered(outcome.verdict, gap, outcome.revision, outcome.reason)
                task.machine = protocol.step(task.machine, answer)

    def _write(self, batch: Sequence[Task]) -> Sequence[Outcome]:
        writes = [task.write for task in batch if task.write is not None]
        self.running.fence()
        try:
            return self.remote.adapter.write(writes)
        except Unacknowledged as error:
            return [Outcome(write.id, Verdict.UNKNOWN, reason=str(error)) for write in writes]
        except AdapterError as error:
            return [Outcome(write.id, Verdict.REFUSED, reason=str(error)) for write in writes]

    # Noting what became of it

    def _note(self, tasks: Sequence[Task]) -> None:
        running = self.running
        with running.store.transaction(running.lease) as transaction:
            landed = [task for task in tasks if task.machine.phase is Phase.SETTLE]
            self._settle(transaction, landed)
            late = [task for task in tasks if task.machine.phase is Phase.CLOSE and task.machine.keep]
            transaction.keep_own_writes([self._own_write(task) for task in late])
            transaction.close_intent([task.id for task in tasks])
            transaction.record_done([done for task in tasks for done in self._done(task)])
            transaction.audit(running.who, "write", self._told(tasks))
        for task in tasks:
            task.machine = protocol.step(task.machine, None)
        reached(Point.SETTLED)

    def _settle(self, transaction: Transaction, landed: Sequence[Task]) -> None:
        if not landed:
            return
        # A write that the store knows nothing of (version 0) moves no base.
        known = [(task, target) for task in landed for target in task.targets if target.version]
        keys = [target.key for _, target in known]
        bases = self.running.store.bases_of(self.track, keys)
        fresh = [(k, t) for k, t in known if t.key not in bases or bases[t.key].version <= t.version]
        transaction.put_bases(
            self.track,
            [Base(t.key, t.fingerprint, t.version, k.item) for k, t in fresh if t.fingerprint is not None],
        )
        transaction.drop_bases(self.track, [t.key for _, t in fresh if t.fingerprint is None])
        transaction.drop_held(self.track, {task.item for task in landed})
        transaction.put_held(self.track, self._known(fresh))
        transaction.drop_seen(self.track, keys)
        open_still = self.running.store.own_writes(self.track)
        for task in landed:
            owned = [own for own in open_still if own.item == task.item]
            others, late = told_apart(self.remote, task.between, owned)
            archive_between(transaction, self.running, self.remote, task.targets, others)
            spent = [*late, *self._accounted(task, owned, bases)]
            transaction.drop_own_writes({own.id for own in spent})

    def _known(self, fresh: Iterable[tuple[Task, Target]]) -> list[Held]:
        """Where reads lag, the revision at which a write landed tells the past from an outsider's edit.

        Elsewhere, and of items of many keys, the proof puts on record what it read.
        """
        features = self.remote.features
        if (features.current_listing and features.current_reads) or not self.remote.mapping.single:
            return []
        return [
            Held(task.item, task.landed, None)
            for task, target in fresh
            if task.landed is not None and target.fingerprint is not None
        ]

    def _accounted(
        self, task: Task, owned: Sequence[OwnWrite], bases: Mapping[str, Base]
    ) -> Iterator[OwnWrite]:
        """The own writes that need not be remembered any more, now that this one landed.

        Besides those that can never land: one delete where the write created what had a base, for that
        stood for the absence; and one whose late landing is what the write replaced.
        """
        yield from impossible(owned, self.remote.features.guard, task.landed)
        if task.expected is None and any(target.key in bases for target in task.targets):
            yield from islice((own for own in owned if own.operation is Operation.DELETE), 1)
        replaced = {
            (change.key.text, change.expected)
            for change in task.changes
            if change.expected and _held_by(bases, change.key) != change.expected
        }
        late = (own for own in owned if any((t.key, t.fingerprint) in replaced for t in own.targets))
        yield from islice((own for own in late if own.expected != task.expected), 1)

    def _own_write(self, task: Task) -> OwnWrite:
        return OwnWrite(task.id, self.track, task.item, task.operation, task.expected, task.targets)

    def _done(self, task: Task) -> Iterator[Done]:
        outcome = Result.APPLIED if task.machine.phase is Phase.SETTLE else task.result
        for target in task.targets:
            yield Done(
                task.run,
                self.remote.link,
                Key(target.key),
                task.item,
                task.archived.get(target.key),
                target.fingerprint,
                task.landed,
                target.version,
                outcome,
            )

    def _told(self, tasks: Sequence[Task]) -> dict[str, object]:
        landed = sorted(task.item for task in tasks if task.machine.phase is Phase.SETTLE)
        other = {task.item: str(task.result) for task in tasks if task.machine.phase is Phase.CLOSE}
        return {
            "run": self.running.run,
            "job": self.running.job,
            "link": self.remote.link,
            "applied": landed,
            "other": other,
        }

    # Proving

    def prove(self, tasks: Sequence[Task]) -> Proved:
        """Reads back what was applied, and waits as long as the link says for what is not in force yet.

        Items that show all of their bases, and nothing else of ours, are put on record with their revision
        and change time.
        """
        applied = [task for task in tasks if task.result is Result.APPLIED and task.machine.current]
        seen = self._settled([task.item for task in applied])
        proved: list[Key] = []
        unproved: list[Key] = []
        held: list[Held] = []
        based = self.running.store.based(self.track, [task.item for task in applied])
        settling = [(i.id, i.settling) for i in seen.values() if i is not None and i.settling]
        for task in applied:
            item = seen.get(task.item)
            there = task.item in seen and (
                task.machine.deletes
                if item is None
                else item.unreadable is None and holds(self.remote, item, task.targets)
            )
            (proved if there else unproved).extend(Key(target.key) for target in task.targets)
            if not there or item is None or item.revision is None:
                continue
            if self._shows(item, based.get(item.id, {})):
                held.append(Held(item.id, item.revision, item.changed.isoformat() if item.changed else None))
        if held:
            with self.running.store.transaction(self.running.lease) as transaction:
                transaction.put_held(self.track, held)
        reached(Point.PROVED)
        return Proved(proved, unproved, settling)

    def _shows(self, item: Item, bases: Mapping[str, Fingerprint]) -> bool:
        """Somebody may have edited other keys of the item since it was listed, or some are held."""
        reading = self.remote.read(item)
        rows = {row.key: row.fingerprint for row in self.remote.rows(item, reading)}
        return rows == bases and not reading.refusals

    def _settled(self, items: Sequence[ItemId]) -> dict[ItemId, Item | None]:
        """The items as they are, read again until none is settling or the link's patience is over."""
        seen = self.remote.look(items)
        end, pause = time.monotonic() + self.remote.settle, _FIRST_PAUSE
        while waiting := [item.id for item in seen.values() if item is not None and item.settling]:
            pause = min(pause * 2, _LONGEST_PAUSE, end - time.monotonic())
            if pause <= 0 or self.running.stop.wait(pause):
                break
            seen.update(self.remote.look(waiting))
        return seen


def archive_between(
    transaction: Transaction,
    running: Running,
    remote: Remote,
    targets: Iterable[Target],
    between: Iterable[Item],
) -> None:
    """What an outsider wrote between our look and our write is a conflict that was lost unseen."""
    keys = {target.key: target for target in targets}
    found = [(item, entry) for item in between for entry in remote.read(item).entries.values()]
    for item, entry in found:
        target = keys.get(entry.key.text)
        fingerprint = remote.fingerprints.of(entry)
        if target is None or fingerprint == target.fingerprint:
            continue
        archived = transaction.archive(
            running.scope,
            entry.key,
            remote.link,
            entry,
            fingerprint,
            secret=entry.secret,
            item=item.id,
            revision=item.revision,
            reason="replaced unseen",
            run=running.run,
        )
        rank = remote.policy.rank
        lost = Candidate(remote.link, fingerprint, rank, archived)
        won = Candidate(STORE, target.fingerprint, rank)
        transaction.record_conflict(
            running.scope, entry.key, running.job, [lost, won], STORE, "unseen", running.run
        )


def _held_by(bases: Mapping[str, Base], key: Key) -> Fingerprint | None:
    return bases[key.text].fingerprint if key.text in bases else None
