"""Finishes what an earlier run left open, by looking: nothing is ever sent again blindly."""

from __future__ import annotations

from collections.abc import Sequence

from ecs_sync.carry import Carrier
from ecs_sync.remote import Remote
from ecs_sync.report import Recovered
from ecs_sync.store import RunState
from ecs_sync.task import Running, recalled


def recover(running: Running, remotes: Sequence[Remote]) -> tuple[Recovered, ...]:
    """Closes every open intent of the job, those of former tracks too, by their absolute ids."""
    store, job = running.store, running.job
    by_link = {remote.link: remote for remote in remotes}
    recovered: list[Recovered] = []
    for track in [*store.tracks(job), *store.retired(job)]:
        remote = by_link.get(track.link)
        intents = store.intents(track.id)
        if remote is None or not intents:
            continue
        tasks = [recalled(intent, remote) for intent in intents]
        Carrier(running, remote, track.id).drive(tasks)
        recovered += [Recovered(track.link, task.item, task.result) for task in tasks]
    lost = [run for run in store.runs(job) if run.state is RunState.RUNNING and run.id != running.run]
    if lost:
        with store.transaction(running.lease) as transaction:
            for run in lost:
                transaction.mark_lost(run.id)
            transaction.audit(running.who, "recover", {"job": job, "runs": [run.id for run in lost]})
    return tuple(recovered)
