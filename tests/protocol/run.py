"""One run of one worker over the item, step by step: what the engine does, done with tuples.

A worker's stage says what it does next; a step gives every outcome that there can be. In the stage
``write`` the machine of `ecs_sync.protocol` says what to do, and what came of it is its event.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from ecs_sync.adapter import Guard, Verdict
from ecs_sync.decide import decide
from ecs_sync.diff import Image
from ecs_sync.model import HAND_PRIORITY, Fingerprint, Rank
from ecs_sync.policy import (
    WORDS,
    Action,
    JobPolicy,
    LinkPolicy,
    Mode,
    Settlement,
    Standing,
    Strength,
    View,
    Why,
)
from ecs_sync.protocol import (
    Absorbed,
    Answered,
    Dug,
    Event,
    Guarded,
    Machine,
    Phase,
    Result,
    Sight,
    begin,
    recover,
    step,
)

from . import ledger
from .ledger import Refused
from .remote import dig, land, listings, now, sight
from .world import (
    HAND,
    IDLE,
    OUTSIDER,
    Flight,
    Saw,
    Setting,
    Snapshot,
    Value,
    Violation,
    Worker,
    World,
    Write,
    safe,
)

Outcome = tuple[str, World, Worker]
Outcomes = list[Outcome]

_MACHINES: list[Machine] = []
_NUMBERS: dict[Machine, int] = {}
_STEPS: dict[tuple[int, Event], int] = {}


def _number(machine: Machine) -> int:
    """Machines are numbered, so that worlds compare fast."""
    if machine not in _NUMBERS:
        _NUMBERS[machine] = len(_MACHINES)
        _MACHINES.append(machine)
    return _NUMBERS[machine]


def _stepped(number: int, event: Event) -> int:
    """`step`, which is pure, remembered."""
    found = _STEPS.get((number, event))
    if found is None:
        found = _STEPS[number, event] = _number(step(_MACHINES[number], event))
    return found


def seen_steps() -> set[tuple[Phase, Event]]:
    """The phases and events that have met so far."""
    return {(_MACHINES[number].phase, event) for number, event in _STEPS}


def seen_results() -> set[Result]:
    """The results that machines have come to so far."""
    return {machine.result for machine in _MACHINES if machine.result is not None}


def machine_of(worker: Worker) -> Machine:
    return _MACHINES[worker.machine]


def steps(setting: Setting, world: World, worker: Worker) -> Outcomes:
    """Every outcome of the worker's next step."""
    try:
        return _STAGES[worker.stage](setting, world, worker)
    except Refused:
        return [(f"{worker.stage}: refused", world, IDLE)]


def begin_run(setting: Setting, world: World) -> tuple[World, Worker]:
    """Takes the lease, and begins with the intent that was left open, if there is one."""
    epoch = world.epoch + 1
    early = now(world) if "remote_first" in setting.wrong else None
    worker = Worker("snapshot", epoch, early=early)
    if world.intent is not None and "no_recovery" not in setting.wrong:
        worker = worker._replace(stage="write", write=world.intent, recovering=True)
        worker = worker._replace(machine=_number(_recover(setting, world.intent)))
    return world._replace(epoch=epoch), worker


def _begin(setting: Setting, write: Write) -> Machine:
    return begin(creates=write.creates, deletes=write.deletes, guard=setting.guard, history=setting.history)


def _recover(setting: Setting, write: Write) -> Machine:
    return recover(creates=write.creates, deletes=write.deletes, guard=setting.guard, history=setting.history)


def _spend(world: World) -> World:
    return world._replace(left=world.left._replace(faults=world.left.faults - 1))


def _snapshot(setting: Setting, world: World, worker: Worker) -> Outcomes:
    return [("snapshot", world, worker._replace(stage="observe", snapshot=ledger.snapshot(setting, world)))]


def _observe(setting: Setting, world: World, worker: Worker) -> Outcomes:
    seen = worker.early or now(world)
    found = [_weigh(setting, world, worker, "lists", seen, trusted=setting.current)]
    if world.left.faults:
        spent = _spend(world)
        found += [
            _weigh(setting, spent, worker, label, lie, trusted=False)
            for label, lie in listings(setting, world)
        ]
        found.append(("sees nothing", spent, IDLE))
    return found


def _point(setting: Setting, world: World, worker: Worker) -> Outcomes:
    found = [_weigh(setting, world, worker, "reads", now(world), trusted=True)]
    if world.left.faults:
        found.append(("cannot read", _spend(world), IDLE))
    return found


def _weigh(setting: Setting, world: World, worker: Worker, label: str, saw: Saw, *, trusted: bool) -> Outcome:
    """What the worker does about what it saw."""
    taken = worker.snapshot
    assert taken is not None
    trusted = trusted or "no_confirm" in setting.wrong
    worker = worker._replace(saw=saw)
    base = taken.base
    if (
        setting.ordered
        and base
        and 0 < saw.revision < base.revision
        and "no_stale_guard" not in setting.wrong
    ):
        return f"{label}: older than the base", world, IDLE
    stale: Write | None = None
    for own in taken.owns:
        said, digging = ledger.says(setting, world, taken, own, saw)
        unseen = digging.unseen if digging else ()
        stale = own if said is Absorbed.STALE and (stale is None or own.version > stale.version) else stale
        kept = said is Absorbed.STALE and "stale_dropped" not in setting.wrong
        if said is Absorbed.OPEN or (kept and all(safe(world, value) for value in unseen)):
            continue
        if not trusted:
            return f"{label}: to be confirmed", world, worker._replace(stage="point")
        landed = digging.ours if digging else saw.revision
        learned = worker._replace(stage="absorb", write=own, dug=unseen, landed=landed, said=said)
        return f"{label}: {said}", world, learned
    settlement = _settle(setting, taken, stale, saw)
    action = settlement.decisions[0].action
    contested = settlement.contest is not None
    unset = action is Action.ADOPT and saw.value is None and "no_confirm" not in setting.wrong
    weighty = contested or stale or action in (Action.ADOPT, Action.REBASE)
    blind = "no_stale_guard" in setting.wrong and base and 0 < saw.revision < base.revision
    trusted = trusted or bool(blind)
    if worker.stage != "point" and (unset or (weighty and not trusted)):
        return f"{label}: to be confirmed", world, worker._replace(stage="point")
    if contested:
        _conflict_is_true(setting, world, taken, saw)
    return _act(setting, world, worker, label, settlement)


def _act(setting: Setting, world: World, worker: Worker, label: str, settlement: Settlement) -> Outcome:
    taken, saw = worker.snapshot, worker.saw
    assert taken is not None and saw is not None
    decision = settlement.decisions[0]
    if "first_delete" in setting.wrong and taken.base is None and saw.value is None and taken.canon:
        return f"{label}, adopts", world, worker._replace(stage="adopt")
    match decision.action:
        case Action.PUSH:
            target = taken.canon[-1][0] if taken.canon else None
            if not settlement.contest:
                _push_is_justified(setting, world, taken, saw)
            write = Write(saw.revision, target, taken.version)
            machine = _number(_begin(setting, write))
            return f"{label}, pushes", world, worker._replace(stage="write", write=write, machine=machine)
        case Action.ADOPT:
            return f"{label}, adopts", world, worker._replace(stage="adopt")
        case Action.REBASE:
            return f"{label}, rebases", world, worker._replace(stage="rebase")
        case Action.HOLD if decision.why is Why.LOST and taken.lost != (saw.value, taken.version):
            return f"{label}, lost", world, worker._replace(stage="lose")
        case Action.HOLD | Action.NOTHING:
            return f"{label}, {decision.state}", world, IDLE


def _settle(setting: Setting, taken: Snapshot, stale: Write | None, saw: Saw) -> Settlement:
    """The decision, by the engine's own policy. A stale own write stands for the base."""
    if stale is not None:
        base: tuple[Value, int] = (stale.target, stale.version)
    else:
        base = (taken.base.value, taken.base.version) if taken.base else (None, 0)
    delete_wins = "del_wins" in setting.wrong
    lost = taken.lost == (saw.value, taken.version)
    return decision(
        setting.mode, setting.strong, delete_wins, taken.canon, *base, taken.settled, saw.value, lost
    )


@cache
def decision(
    mode: Mode,
    strong: bool,
    delete_wins: bool,
    canon: tuple[tuple[Value, str], ...],
    base: Value,
    base_version: int,
    settled: int,
    observed: Value,
    lost: bool,
) -> Settlement:
    """`ecs_sync.decide` for one link."""
    hand = Rank(1 if strong else HAND_PRIORITY, "hand")
    policy = LinkPolicy("link", mode, WORDS[mode], priority=10)
    ranks = {HAND: hand, "link": policy.rank}
    later = tuple(
        Strength(value is not None, ranks[author]) for value, author in canon[(base_version or settled) :]
    )
    fingerprint = Fingerprint(observed) if observed is not None else None
    standing = Standing(len(canon), _fingerprint(canon[-1][0]) if canon else None)
    view = View(policy, _fingerprint(base), base_version, fingerprint, fingerprint, later, lost=lost)
    return decide(JobPolicy(delete_wins=delete_wins), standing, [view], _image)


def _fingerprint(value: Value) -> Fingerprint | None:
    return Fingerprint(value) if value is not None else None


def _image(link: str, value: Fingerprint | None) -> Image:
    return value


def _push_is_justified(setting: Setting, world: World, taken: Snapshot, saw: Saw) -> None:
    """Two-way and without a conflict, a push carries an edit by hand, or repairs a late write of ours.

    Absence has no author: while a write of ours may be late, a delete by an outsider cannot be told from
    ours, nor, without a base, from a write that never landed; the value is written again rather than lost.
    """
    since = taken.base.version if taken.base else max(taken.settled - 1, 0)
    edited = any(author == HAND for _, author in taken.canon[since:])
    repairs = saw.truth > 0 and world.revs[saw.truth - 1][1] != OUTSIDER
    unsure = saw.value is None and (taken.owns or taken.base is None)
    if setting.mode is Mode.TWO_WAY and not (edited or repairs or unsure):
        raise Violation("a push without an edit in the store")


def _conflict_is_true(setting: Setting, world: World, taken: Snapshot, saw: Saw) -> None:
    """With one worker and with history, a conflict is one: both sides moved since they agreed."""
    version, revision = taken.common
    by_hand = any(author == HAND for _, author in taken.canon[version:])
    outside = any(author == OUTSIDER for _, author in world.revs[revision : saw.truth])
    if (by_hand and outside) or not setting.history or setting.workers > 1 or setting.echoes:
        return
    if any(value is None for value, _ in world.revs) or taken.canon[-1][0] is None:
        return
    raise Violation("a conflict was reported that is none")


def _absorb(setting: Setting, world: World, worker: Worker) -> Outcomes:
    own, taken = worker.write, worker.snapshot
    assert own is not None and taken is not None
    match worker.said:
        case Absorbed.LANDED:
            world = ledger.absorb_landed(setting, world, worker, own)
            taken = taken._replace(base=world.base, settled=max(taken.settled, own.version))
        case Absorbed.STALE:
            world = ledger.absorb_stale(setting, world, worker, own)
        case _:
            world = ledger.absorb_gone(setting, world, worker, own)
    taken = taken._replace(owns=world.owns, common=world.common)
    if "no_reread" in setting.wrong and worker.saw:
        on = Worker("point", worker.epoch, taken)
        return [_weigh(setting, world, on, "absorbs", worker.saw, trusted=True)]
    return [(f"absorbs: {worker.said}", world, Worker("point", worker.epoch, taken))]


def _commit(
    record: Callable[[Setting, World, Worker], World],
) -> Callable[[Setting, World, Worker], Outcomes]:
    def committed(setting: Setting, world: World, worker: Worker) -> Outcomes:
        return [(worker.stage, record(setting, world, worker), IDLE)]

    return committed


def _write(setting: Setting, world: World, worker: Worker) -> Outcomes:
    machine = machine_of(worker)
    if machine.phase is Phase.DONE:
        again = worker.recovering and machine.result is not Result.UNKNOWN
        after = Worker("snapshot", worker.epoch, early=worker.early) if again else IDLE
        return [(f"done: {machine.result}", world, after)]
    return _PHASES[machine.phase](setting, world, worker)


def _on(label: str, world: World, worker: Worker, event: Event) -> Outcome:
    """The machine moves on."""
    return label, world, worker._replace(machine=_stepped(worker.machine, event))


def _confirm(setting: Setting, world: World, worker: Worker) -> Outcomes:
    assert worker.write is not None
    shown = Sight.EXPECTED if "no_point_read" in setting.wrong else sight(worker.write, now(world))
    found = [_on(f"confirms: {shown}", world, worker._replace(known=len(world.revs)), shown)]
    if world.left.faults:
        found.append(_on("cannot confirm", _spend(world), worker, Sight.UNREADABLE))
    return found


def _record(setting: Setting, world: World, worker: Worker) -> Outcomes:
    try:
        recorded = ledger.record(setting, world, worker)
    except Refused:
        return [_on("records: overtaken", world, worker, Guarded.OVERTAKEN)]
    return [_on("records", recorded, worker, Guarded.RECORDED)]


def _look(setting: Setting, world: World, worker: Worker) -> Outcomes:
    assert worker.write is not None
    saw = now(world)
    shown = sight(worker.write, saw)
    landed = saw.revision if shown is Sight.TARGET else 0
    found = [_on(f"looks: {shown}", world, worker._replace(saw=saw, landed=landed), shown)]
    if world.left.faults:
        found.append(_on("cannot look", _spend(world), worker, Sight.UNREADABLE))
    return found


def _dig(setting: Setting, world: World, worker: Worker) -> Outcomes:
    assert worker.write is not None
    digging = dig(world, worker.write, None, worker.landed)
    moved = worker._replace(dug=digging.unseen, landed=digging.ours)
    found = [_on(f"digs: {digging.dug}", world, moved, digging.dug)]
    if world.left.faults:
        unread = "unread_settles" in setting.wrong and machine_of(worker).landed
        found.append(_on("cannot dig", _spend(world), worker, Dug.NOTHING if unread else Dug.UNREADABLE))
    return found


def _close(setting: Setting, world: World, worker: Worker) -> Outcomes:
    keep = machine_of(worker).keep
    return [_on("closes", ledger.close(setting, world, worker, keep=keep), worker, None)]


def _settled(setting: Setting, world: World, worker: Worker) -> Outcomes:
    return [_on("settles", ledger.settle(setting, world, worker), worker, None)]


def _send(setting: Setting, world: World, worker: Worker) -> Outcomes:
    write = worker.write
    assert write is not None
    if setting.guard is Guard.D and not worker.compared:
        if world.revision != write.expected and "no_compare" not in setting.wrong:
            return [_on("compares: raced", world, worker, Answered(Verdict.RACED))]
        return [("compares", world, worker._replace(compared=True, known=len(world.revs)))]
    worker = worker._replace(compared=False)
    if "base_before" in setting.wrong:
        world = ledger.move_base(setting, world, write.target, write.version, 0)
    flight = Flight(write, worker.known)
    landing = land(setting, world, flight)
    after = landing.world
    if "base_after" in setting.wrong:
        after = ledger.move_base(setting, after, write.target, write.version, 0)
    found = [_answer(after, worker, landing.applied, landing.gap)]
    flying = world._replace(flights=tuple(sorted((*world.flights, flight), key=repr)))
    if world.left.faults:
        found += [
            _unanswered(setting, "sent, lost", world, worker),
            _unanswered(setting, "sent, late", flying, worker),
            _on("untried", _spend(world), worker, Answered(Verdict.UNTRIED)),
            _on("refused", _spend(world), worker, Answered(Verdict.REFUSED)),
        ]
        if landing.applied:
            found.append(_unanswered(setting, "landed, unanswered", after, worker))
    if world.left.crashes:
        left = world.left._replace(crashes=world.left.crashes - 1)
        found.append(("dies sending", flying._replace(left=left), IDLE))
    return found


def _answer(after: World, worker: Worker, applied: bool, gap: bool) -> Outcome:
    if not applied:
        return _on("sent: raced", after, worker, Answered(Verdict.RACED))
    worker = worker._replace(landed=after.revision)
    return _on("sent: applied", after, worker, Answered(Verdict.APPLIED, gap=gap))


def _unanswered(setting: Setting, label: str, world: World, worker: Worker) -> Outcome:
    spent = _spend(world)
    for wrong, verdict in _MISREAD.items():
        if wrong in setting.wrong:
            return _on(label, spent, worker, Answered(verdict))
    return _on(label, spent, worker, Answered(Verdict.UNKNOWN))


_MISREAD = {
    "timeout_is_ok": Verdict.APPLIED,
    "timeout_is_fail": Verdict.RACED,
    "timeout_is_resent": Verdict.UNTRIED,
}

_PHASES: dict[Phase, Callable[[Setting, World, Worker], Outcomes]] = {
    Phase.CONFIRM: _confirm,
    Phase.RECORD: _record,
    Phase.SEND: _send,
    Phase.LOOK: _look,
    Phase.DIG: _dig,
    Phase.SETTLE: _settled,
    Phase.CLOSE: _close,
}

_STAGES: dict[str, Callable[[Setting, World, Worker], Outcomes]] = {
    "snapshot": _snapshot,
    "observe": _observe,
    "point": _point,
    "absorb": _absorb,
    "adopt": _commit(ledger.adopt),
    "rebase": _commit(ledger.rebase),
    "lose": _commit(ledger.lose),
    "write": _write,
}
