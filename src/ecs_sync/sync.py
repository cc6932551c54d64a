"""The story of a run: recover, observe, diff, plan, check, apply, settle, prove."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from threading import Event

from ecs_sync.adopt import adopt
from ecs_sync.announce import announce, unannounced
from ecs_sync.cost import Cost, cost_of
from ecs_sync.errors import RunTaken
from ecs_sync.faults import Point, reached
from ecs_sync.leased import ended, leased
from ecs_sync.limits import Limits
from ecs_sync.looking import Side
from ecs_sync.model import Scope
from ecs_sync.observe import observe
from ecs_sync.plan import Plan, check
from ecs_sync.policy import JobPolicy
from ecs_sync.push import push
from ecs_sync.reads import Reads
from ecs_sync.recover import recover
from ecs_sync.remember import remember, tell_reads
from ecs_sync.remote import Remote
from ecs_sync.report import Carried, Report
from ecs_sync.resolve import Resolver
from ecs_sync.rotation import follow, record
from ecs_sync.saved import SavedPlan, bind
from ecs_sync.selection import Selection
from ecs_sync.store import Store, new_id
from ecs_sync.task import Running
from ecs_sync.tracks import found_sides, opened_sides
from ecs_sync.weigh import weigh


@dataclass(frozen=True, slots=True)
class Job:
    """A job brought to life: its scope, its rules, and its links."""

    name: str
    scope: Scope
    policy: JobPolicy
    limits: Limits
    protected: tuple[Selection, ...]
    remotes: tuple[Remote, ...]
    resolver: Resolver | None = None
    reads: Reads = field(default_factory=Reads)
    """The secrets that were read from providers, and are not on record yet."""


@dataclass(frozen=True, slots=True)
class Order:
    """Who wants a run, why, and what it may do. ``ttl`` and ``wait`` of the lease are in seconds."""

    who: str
    reason: str = ""
    verb: str = "sync"
    allow: str | None = None
    """The id of a plan that may exceed the limits."""
    saved: SavedPlan | None = None
    """Only what this plan shows is done."""
    run: str | None = None
    """The id of a waiting run that this carries out."""
    ttl: float = 15.0
    wait: float = 0.0
    began: Callable[[], None] = lambda: None
    """Called once the run is this process's own."""
    stop: Event = field(default_factory=Event)
    """Once it is set, the group of writes under way is the last; the rest is left to the next run."""


def plan(job: Job, store: Store) -> Plan:
    """What a run would do now. Writes nothing anywhere."""
    return _planned(job, store)[0]


def priced(job: Job, store: Store) -> tuple[Plan, Cost]:
    """As `plan`, with the calls that the run would make."""
    planned, sides = _planned(job, store)
    meters = job.resolver.meters if job.resolver is not None else {}
    secrets = {connection: meter.calls for connection, meter in sorted(meters.items())}
    return planned, cost_of(planned, sides, secrets)


def _planned(job: Job, store: Store) -> tuple[Plan, Sequence[Side]]:
    at = store.head()
    sides = found_sides(job.name, job.remotes, store)
    followed = follow(job.scope, sides, job.resolver, store, at)
    _observe(sides, store)
    return weigh(job.name, job.scope, job.policy, store, at, sides, followed), sides


def run(job: Job, store: Store, order: Order) -> Report:
    """Carries a job out. Raises LeaseHeld, Fenced, StalePlan and StoreError; the rest is in the report.

    A run that raises is on record as ended, unless it is fenced; what it left open, the next one finishes.

    A waiting run that is claimed, or done, already raises RunTaken, and nothing is done.
    """
    with (
        leased(store, job.name, ttl=order.ttl, wait=order.wait) as (lease, fence),
        _reads_told(job, store, order),
    ):
        run_id = order.run or new_id()
        running = Running(
            store, job.name, job.scope, run_id, order.who, order.reason, lease, fence, order.stop
        )
        _begin(running, order)
        with ended(running):
            return _carried_out(running, job, order)


def _carried_out(running: Running, job: Job, order: Order) -> Report:
    store = running.store
    reached(Point.STARTED)
    owed = unannounced(running, job.remotes)
    recovered = recover(running, job.remotes)
    sides = opened_sides(running, job.remotes)
    followed = record(running, follow(job.scope, sides, job.resolver, store, store.head()))
    at = store.head()
    _observe(sides, store)
    reached(Point.OBSERVED)
    fresh = weigh(job.name, job.scope, job.policy, store, at, sides, followed)
    planned, stale = bind(order.saved, fresh) if order.saved else (fresh, ())
    reached(Point.PLANNED)
    stops = check(planned, job.limits, job.protected)
    allowed = order.allow == planned.id or (order.saved is not None and order.allow == order.saved.id)
    if stops and not allowed:
        report = Report(running.run, planned, tuple(stops), recovered=recovered, stale=stale)
    else:
        report = _apply(running, job, planned, sides)
        report = replace(report, recovered=recovered, stale=stale)
    remember(running, sides, report)
    report = replace(report, unannounced=announce(running, job.remotes, {*owed, *report.written}))
    _finish(running, report)
    return report


def _begin(running: Running, order: Order) -> None:
    epoch = running.lease.epoch
    with running.store.transaction(running.lease) as transaction:
        if order.run is None:
            transaction.start_run(running.run, running.job, order.verb, order.who, order.reason, epoch)
        elif not transaction.claim_run(order.run, epoch):
            raise RunTaken(f"run {order.run} of {running.job} is somebody else's, or is done")
    order.began()


@contextmanager
def _reads_told(job: Job, store: Store, order: Order) -> Iterator[None]:
    """Puts the secrets that were read on record, however the run ends."""
    try:
        yield
    finally:
        tell_reads(store, order.who, job.reads)


def _observe(sides: Sequence[Side], store: Store) -> None:
    """Looks at every place at the same time."""
    with ThreadPoolExecutor(max_workers=max(1, len(sides))) as pool:
        looks = [pool.submit(observe, side.remote, store, side.track) for side in sides]
        for side, look in zip(sides, looks, strict=True):
            side.observation = look.result()


def _apply(running: Running, job: Job, planned: Plan, sides: Sequence[Side]) -> Report:
    versions, overtaken = adopt(running, planned, sides, job.policy.conflicts)
    reached(Point.ADOPTED)
    missed = {change.key for change in overtaken}
    carried = [Carried.of_adoption(change, missed) for change in planned.adoptions]
    report = Report(running.run, planned, (), tuple(carried))
    for side in sides:
        done = push(running, side, planned, versions, missed)
        report = replace(
            report,
            carried=(*report.carried, *done.carried),
            proved=(*report.proved, *done.proved),
            unproved=(*report.unproved, *done.unproved),
            settling=(*report.settling, *done.settling),
        )
    return report


def _finish(running: Running, report: Report) -> None:
    summary = json.dumps(report.counts, sort_keys=True)
    with running.store.transaction(running.lease) as transaction:
        if report.receipt is not None:
            transaction.audit(running.who, "receipt", report.receipt)
        transaction.finish_run(running.run, report.exit_code, summary)
        transaction.checkpoint()
