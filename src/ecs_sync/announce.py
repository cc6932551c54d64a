"""Tells the readers of a place, once and last, that a run is through with it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import islice, takewhile

from ecs_sync.abilities import Finishes
from ecs_sync.errors import AdapterError
from ecs_sync.policy import STORE
from ecs_sync.protocol import Result
from ecs_sync.remote import Remote
from ecs_sync.store import Run, RunState
from ecs_sync.task import Running


def announce(running: Running, remotes: Sequence[Remote], written: set[str]) -> tuple[tuple[str, str], ...]:
    """Tells the readers of every written link that wants it; the links where that failed, and why."""
    failed: list[tuple[str, str]] = []
    for remote in _telling(remotes):
        if remote.link in written and isinstance(remote.adapter, Finishes):
            try:
                remote.adapter.finished(remote.place, running.run)
            except AdapterError as error:
                failed.append((remote.link, str(error)))
    return tuple(failed)


def unannounced(running: Running, remotes: Sequence[Remote]) -> set[str]:
    """Links that were written by runs which died, or failed, before they told anybody."""
    if not list(_telling(remotes)):
        return set()
    owed: set[str] = set()
    before = [run for run in running.store.runs(running.job) if run.id != running.run]
    for run in takewhile(lambda run: _said(run) is None, before):
        done = running.store.done(run.id)
        owed |= {each.side for each in done if each.outcome == Result.APPLIED} - {STORE}
    return owed.union(*islice((said for said in map(_said, before) if said is not None), 1))


def _telling(remotes: Sequence[Remote]) -> Iterator[Remote]:
    return (remote for remote in remotes if remote.features.finishes)


def _said(run: Run) -> set[str] | None:
    """The links that a run's own record names; None where it came to no such word."""
    if run.state is not RunState.DONE:
        return None
    said = json.loads(run.summary).get("unannounced")
    return None if said is None else set(said)
