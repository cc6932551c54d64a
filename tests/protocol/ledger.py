"""The transactions of the store, as the engine has to make them: the contract of the explored model.

Every transaction is refused where the lease's epoch moved (*fence*): the worker then stops at once. One
worker at a time can commit, so that base, intents and own writes stand still under it; only a person's
edits do not, and they raise the key's version. RECORD, ADOPT and REBASE therefore also hold the key's
version against the one of the snapshot (*version*).

RECORD   fence, version, no open intent of the item. Writes the intent (expected revision, target
         fingerprint, store version) and archives the value that stands at the expected revision.
SETTLE   fence. Moves the base to (target fingerprint, the *intent's* version), or deletes its row where
         the target is absent, unless the base row's version is newer. Held moves to the revision at which
         the write landed, replaced since or not; where that is not known, held goes. Archives what history
         shows between the expected revision and ours. Drops the intent, the own writes that can never land
         now, and, where the write created although there was a base row, one own delete: it stood for the
         absence that was repaired, and else would excuse every delete of an outsider for ever.
CLOSE    fence. Drops the intent; where the machine says ``keep``, it becomes an own write.
ABSORB   fence. An own write that LANDED is a SETTLE found late: the same records, history included, and
         that own write goes. Own writes are asked newest version first, and of one version those that
         expect a revision first; after one that is explained the item is read again, so that of several
         equal ones each accounts for one landing. GONE archives what history shows
         before it, and drops it. STALE archives likewise, and the own write stays: it is the base that this
         run decides against, and a crash before the repair must not make it somebody's edit. OPEN records
         nothing. At the held revision, or absent without a base row, there is nothing to absorb.
ADOPT    fence, version, no open intent. Commits the place's value with the link's rank and moves base and
         held to it, all at once. Drops the own writes that can never land now.
REBASE   fence, version. Moves base and held to what both sides hold.
SEEN     fence. Records that a value lost against the store's version, where its place is not written.

The ``base_version`` given to `absorb` is the base row's, or without a row the version at which the store
last unset the key (0: never): there is no row that says "absent on both sides".
"""

from __future__ import annotations

from ecs_sync.adapter import Guard
from ecs_sync.protocol import Absorbed, Sight, absorb

from .remote import Digging, dig, sight
from .world import LINK, OUTSIDER, Base, Saw, Setting, Snapshot, Value, Violation, Worker, World, Write


class Refused(Exception):
    """The transaction is refused, and the worker leaves the item: fenced, or the store moved."""


def fence(setting: Setting, world: World, worker: Worker) -> None:
    if worker.epoch != world.epoch and "no_fence" not in setting.wrong:
        raise Refused


def _guard(setting: Setting, world: World, worker: Worker) -> Snapshot:
    fence(setting, world, worker)
    assert worker.snapshot is not None
    moved = len(world.canon) != worker.snapshot.version
    if world.intent is not None or (moved and "no_version_guard" not in setting.wrong):
        raise Refused
    return worker.snapshot


def snapshot(setting: Setting, world: World) -> Snapshot:
    """What a worker reads of the key before it looks at the remote: one page as of one version."""
    unset = (n for n, (value, _) in enumerate(world.canon, start=1) if value is None)
    settled = world.base.version if world.base else max(unset, default=0)
    owns = tuple(sorted(world.owns, key=lambda own: (-own.version, own.creates)))
    if "oldest_first" in setting.wrong:
        owns = owns[::-1]
    return Snapshot(world.canon, world.base, owns, settled, world.lost, world.common)


def move_base(setting: Setting, world: World, value: Value, version: int, revision: int) -> World:
    """The base moves. Raises Violation where it is not true, or goes back."""
    if version > len(world.canon) or world.canon[version - 1][0] != value:
        raise Violation(f"the base is not true: the store did not hold {value!r} at version {version}")
    began_absent = setting.start in ("empty", "store")
    if not any(v == value for v, _ in world.revs) and not (value is None and began_absent):
        raise Violation(f"the base is not true: the remote never held {value!r}")
    if revision and world.revs[revision - 1][0] != value:
        raise Violation(f"held is not true: the remote did not hold {value!r} at revision {revision}")
    if version < world.floor:
        raise Violation(f"the base went back from version {world.floor} to {version}")
    if world.base and 0 < revision < world.base.revision:
        raise Violation(f"held went back from revision {world.base.revision} to {revision}")
    base = Base(value, version, revision) if value is not None else None
    return world._replace(base=base, floor=version)


def record(setting: Setting, world: World, worker: Worker) -> World:
    _guard(setting, world, worker)
    write, saw = worker.write, worker.saw
    assert write is not None and saw is not None
    if saw.value is not None and "no_archive" not in setting.wrong:
        world = world._replace(archive=world.archive | {saw.value})
    if "base_early" in setting.wrong:
        world = move_base(setting, world, write.target, write.version, 0)
    return world if "no_journal" in setting.wrong else world._replace(intent=write)


def settle(setting: Setting, world: World, worker: Worker) -> World:
    fence(setting, world, worker)
    assert worker.write is not None
    world = world._replace(intent=None)
    if "settle_drops_all" in setting.wrong:
        world = world._replace(owns=())
    unexplained = worker.write.creates and world.base is not None
    absence = next((own for own in world.owns if own.deletes and unexplained), None)
    if absence and "no_amends" not in setting.wrong:
        world = _without(world, absence)
    return _landed(setting, world, worker.write, worker.landed, worker.dug)


def _landed(setting: Setting, world: World, write: Write, revision: int, unseen: tuple[Value, ...]) -> World:
    world = _archived(setting, world, unseen)
    if "base_newest" in setting.wrong:
        write = write._replace(version=len(world.canon))
    if world.base is None or write.version >= world.base.version:
        world = move_base(setting, world, write.target, write.version, revision)
    return _drop_impossible(setting, world, revision)


def close(setting: Setting, world: World, worker: Worker, *, keep: bool) -> World:
    fence(setting, world, worker)
    write, saw = worker.write, worker.saw
    assert write is not None
    world = world._replace(intent=None)
    if "base_always" in setting.wrong:
        world = move_base(setting, world, write.target, write.version, 0)
    if "base_readback" in setting.wrong and saw is not None:
        world = move_base(setting, world, saw.value, write.version, saw.revision)
    if keep and "no_own" not in setting.wrong:
        world = world._replace(owns=(*world.owns, write))
    return world


def says(
    setting: Setting, world: World, taken: Snapshot, own: Write, saw: Saw
) -> tuple[Absorbed, Digging | None]:
    """What an observation, and history where it is kept, say of an own write."""
    still = saw.revision == (taken.base.revision if taken.base else 0)
    if still and "absorb_unmoved" not in setting.wrong:
        return Absorbed.OPEN, None
    shown = sight(own, saw)
    digging = None
    wanted = shown is Sight.OTHER or (shown is Sight.TARGET and "absorb_undug" not in setting.wrong)
    if setting.history and wanted and "no_dig" not in setting.wrong:
        digging = dig(world, own, taken.base, saw.revision if shown is Sight.TARGET else 0)
    said = absorb(
        creates=own.creates and "create_gone" not in setting.wrong,
        deletes=own.deletes,
        guard=setting.guard,
        sight=shown,
        dug=digging.dug if digging else None,
        version=own.version,
        base_version=_base_version(setting, taken),
    )
    return said, digging


def _base_version(setting: Setting, taken: Snapshot) -> int:
    forgetful = "no_tombstone" in setting.wrong and taken.base is None
    return 0 if forgetful or "late_is_base" in setting.wrong else taken.settled


def absorb_landed(setting: Setting, world: World, worker: Worker, own: Write) -> World:
    """An own write was seen to have landed."""
    fence(setting, world, worker)
    return _landed(setting, _without(world, own), own, worker.landed, worker.dug)


def absorb_gone(setting: Setting, world: World, worker: Worker, own: Write) -> World:
    """An own write can land no more."""
    fence(setting, world, worker)
    return _archived(setting, _without(world, own), worker.dug)


def absorb_stale(setting: Setting, world: World, worker: Worker, own: Write) -> World:
    """A stale own write may have replaced what nobody saw."""
    fence(setting, world, worker)
    if "stale_dropped" in setting.wrong:
        world = _without(world, own)
    return _archived(setting, world, worker.dug)


def _without(world: World, own: Write) -> World:
    owns = list(world.owns)
    if own in owns:
        owns.remove(own)
    return world._replace(owns=tuple(owns))


def _archived(setting: Setting, world: World, unseen: tuple[Value, ...]) -> World:
    """What history shows between is archived."""
    if "no_repair" in setting.wrong:
        return world
    return world._replace(archive=world.archive | {value for value in unseen if value is not None})


def adopt(setting: Setting, world: World, worker: Worker) -> World:
    taken = _guard(setting, world, worker)
    saw = worker.saw
    assert saw is not None
    _adoption_justified(setting, world, taken, saw)
    version = len(world.canon) + 1
    world = world._replace(canon=(*world.canon, (saw.value, LINK)), lost=None)
    world = world._replace(common=(version, saw.truth))
    return _drop_impossible(
        setting, move_base(setting, world, saw.value, version, saw.revision), saw.revision
    )


def _adoption_justified(setting: Setting, world: World, taken: Snapshot, saw: Saw) -> None:
    """An adoption takes what an outsider did, once, and buries nothing.

    Absence has no author: where deletes are unguarded, one of ours that lands late after an outsider
    deleted as well is taken for his. So is a late write whose very value an outsider wrote before it.
    """
    if taken.version != len(world.canon):
        raise Violation("an adoption buried an edit by hand that it had not seen")
    if saw.truth < 0 or (saw.truth == 0 and saw.value is None):
        raise Violation("a key was unset that nobody deleted")
    outsider_deleted = any(value is None and author == OUTSIDER for value, author in world.revs)
    coincidence = (saw.value is None and setting.guard is not Guard.A and outsider_deleted) or setting.echoes
    if world.revs[saw.truth - 1][1] != OUTSIDER and not coincidence:
        raise Violation("our own write was taken for an outsider's")
    if saw.truth <= taken.common[1] and not setting.echoes:
        raise Violation("an outsider's edit was adopted that had been dealt with before")
    edited = [v for v, author in world.canon[max(taken.common[0], world.common[0]) :] if author == "hand"]
    if saw.value is None and edited and edited[-1] is not None and setting.mode.value == "two-way":
        raise Violation("a delete beat an edit")


def rebase(setting: Setting, world: World, worker: Worker) -> World:
    taken = _guard(setting, world, worker)
    assert worker.saw is not None
    saw = worker.saw
    return _drop_impossible(
        setting, move_base(setting, world, saw.value, taken.version, saw.revision), saw.revision
    )


def lose(setting: Setting, world: World, worker: Worker) -> World:
    fence(setting, world, worker)
    assert worker.saw is not None and worker.snapshot is not None
    return world._replace(lost=(worker.saw.value, worker.snapshot.version))


def _drop_impossible(setting: Setting, world: World, at: int) -> World:
    """A conditional write lands at its expected revision only, and that has gone; absence comes again."""
    if not world.owns:
        return world
    owns = (w for w in world.owns if w.creates or w.expected == at or not setting.conditional(w))
    return world._replace(owns=tuple(owns))
