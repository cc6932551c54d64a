"""Explores the protocol of one item exhaustively: the same `ecs_sync.protocol.step` that the engine uses.

A *schedule* is one order of everything that can happen: each step of each worker with each of its
outcomes, and between any two of them an outsider's edit, an edit by hand, a crash, a takeover of the
lease, the landing of a late request. Schedules that meet in the same world share their future: worlds
are immutable and hold all that the future depends on, the ghosts that the properties need included, so
that exploring it once is exhaustive, and the schedules through it are counted exactly.

What each transaction records is the contract of `ledger`; what a run does is in `run`; the properties
are checked where they could break, in `ledger` and `remote`, and at the end here.
"""

from __future__ import annotations

import random
import sys
from dataclasses import dataclass

from ecs_sync.policy import Mode

from .remote import land, nothing_lost
from .run import begin_run, steps
from .world import IDLE, Setting, Violation, Worker, World, hand_edits, outsider_writes, start

Move = tuple[str, World]


def moves(setting: Setting, world: World) -> list[Move]:
    """Everything that can happen next."""
    found = [move for number in range(len(world.workers)) for move in _worker_moves(setting, world, number)]
    found += outsider_writes(setting, world)
    found += hand_edits(setting, world)
    for number, flight in enumerate(world.flights):
        if flight not in world.flights[:number]:
            rest = world.flights[:number] + world.flights[number + 1 :]
            found.append(("a late request lands", land(setting, world, flight).world._replace(flights=rest)))
    return found


def _worker_moves(setting: Setting, world: World, number: int) -> list[Move]:
    worker, others = world.workers[number], [w for n, w in enumerate(world.workers) if n != number]
    if worker != IDLE:
        found = [
            _placed(label, after, number, moved) for label, after, moved in steps(setting, world, worker)
        ]
        if world.left.crashes:
            left = world.left._replace(crashes=world.left.crashes - 1)
            found.append(_placed("dies", world._replace(left=left), number, IDLE))
        return found
    if not world.left.runs or IDLE in world.workers[:number]:
        return []
    left = world.left._replace(runs=world.left.runs - 1)
    if any(other.epoch == world.epoch and other != IDLE for other in others):
        if not left.takeovers:
            return []
        left = left._replace(takeovers=left.takeovers - 1)
    begun, moved = begin_run(setting, world._replace(left=left))
    return [_placed("begins a run", begun, number, moved)]


def _placed(label: str, world: World, number: int, worker: Worker) -> Move:
    workers = (*world.workers[:number], worker, *world.workers[number + 1 :])
    return f"worker {number + 1} {label}", world._replace(workers=workers)


def ends(world: World) -> bool:
    """May a schedule end here? What has not landed then never does."""
    return not world.left.runs and all(worker == IDLE for worker in world.workers)


def finish(setting: Setting, world: World) -> None:
    """Faults off: three runs at most reach the fixpoint, where both sides are equal and nothing is lost."""
    world = world._replace(
        left=world.left._replace(outside=0, hand=0, crashes=0, faults=0, runs=9), flights=()
    )
    for _ in range(4):
        before = world
        world = _calm_run(setting, world)
        if _records(world) == _records(before):
            break
    else:
        raise Violation("three calm runs did not come to rest")
    _equal(setting, world)
    nothing_lost(setting, world)


def _calm_run(setting: Setting, world: World) -> World:
    world, worker = begin_run(setting, world)
    while worker != IDLE:
        _, world, worker = steps(setting, world, worker)[0]
    return world


def _records(world: World) -> tuple[object, ...]:
    return world.canon, world.revs, world.base, world.intent, world.owns, world.lost, world.archive


def _equal(setting: Setting, world: World) -> None:
    """Where the mode pushes, both sides are equal, unless the policy holds the key."""
    if world.desired == world.held:
        return
    held_by_mode = {Mode.EXPORT: True, Mode.IMPORT: True, Mode.MIRROR: world.desired is None}
    if not held_by_mode.get(setting.mode, False):
        raise Violation(f"both sides differ at the end: {world.desired!r} and {world.held!r}")


@dataclass
class Explored:
    """What an exploration came to: schedules counted, worlds visited."""

    schedules: int = 0
    worlds: int = 0


def explore(setting: Setting) -> Explored:
    """All schedules of ``setting``. Raises Violation with the schedule that breaks a property.

    Its ``schedules`` then say how many had been counted before.
    """
    sys.setrecursionlimit(10_000)
    counts: dict[World, int] = {}
    trace: list[str] = []
    explored = Explored()

    def visit(world: World) -> int:
        total = 0
        if ends(world):
            finish(setting, world)
            total = 1
            explored.schedules += 1
        for label, after in moves(setting, world):
            trace.append(label)
            known = counts.get(after)
            if known is None:
                known = visit(after)
            else:
                explored.schedules += known
            total += known
            trace.pop()
        counts[world] = total
        return total

    try:
        visit(start(setting))
    except Violation as violation:
        violation.trace = tuple(trace)
        violation.schedules = explored.schedules
        raise
    explored.worlds = len(counts)
    return explored


def wander(setting: Setting, seed: int) -> tuple[str, ...]:
    """One schedule at random. Raises Violation, with the schedule of the seed."""
    chance = random.Random(seed)
    world, trace = start(setting), []
    try:
        while True:
            choices = moves(setting, world)
            if ends(world) and (not choices or chance.random() < 0.3):
                break
            label, world = chance.choice(choices)
            trace.append(label)
        finish(setting, world)
    except Violation as violation:
        violation.trace = tuple(trace)
        raise
    return tuple(trace)
