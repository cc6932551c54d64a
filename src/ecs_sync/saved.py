"""A plan that was shown, kept, and is carried out later: exactly what was shown, or less.

The saved form is JSON. It holds values of plain entries for display and only fingerprints of secrets,
what it was made against, and a message authentication code by the store's key.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from hmac import compare_digest
from pathlib import Path
from typing import Any

from ecs_sync.errors import ConfigError, EcsSyncError, StalePlan
from ecs_sync.model import Entry, Fingerprinter, Key
from ecs_sync.plan import Change, Hold, Plan

_FORMAT = 1
_MOST_BYTES = 256 * 2**20


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """A plan read back. ``keys`` holds, for each key, what was to be done and what was seen of it."""

    id: str
    job: str
    ground: Mapping[str, Any]
    keys: Mapping[str, frozenset[str]]


def save(plan: Plan, path: Path, fingerprints: Fingerprinter) -> None:
    """Writes a plan for a later `load`, readable by its owner only. Raises EcsSyncError."""
    body = {
        "format": _FORMAT,
        "id": plan.id,
        "job": plan.job,
        "ground": _ground(plan),
        "keys": {key: sorted(marks) for key, marks in _marks(plan).items()},
        "changes": [_shown(change) for change in plan.changes],
    }
    text = json.dumps(body, sort_keys=True, ensure_ascii=False)
    mac = fingerprints.sign(text.encode()).hex()
    ours = not path.exists()
    try:
        path.touch(mode=0o600)
        path.write_text(json.dumps({"plan": text, "mac": mac}) + "\n", encoding="utf-8")
    except OSError as error:
        if ours:
            path.unlink(missing_ok=True)
        raise EcsSyncError(f"the plan cannot be kept in {path}: {error.strerror}") from None


def load(path: Path, fingerprints: Fingerprinter) -> SavedPlan:
    """Reads a saved plan. Raises ConfigError where it is none, or not one of this store."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ConfigError(f"{path} is too large to be a saved plan")
        envelope = json.loads(path.read_text(encoding="utf-8"))
        text, mac = envelope["plan"], bytes.fromhex(envelope["mac"])
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ConfigError(f"{path} is not a saved plan: make one with 'ecs-sync plan --out FILE'") from None
    if not isinstance(text, str) or not compare_digest(mac, fingerprints.sign(text.encode())):
        raise ConfigError(f"{path} was changed, or was made with another store: plan again")
    body = json.loads(text)
    if body["format"] != _FORMAT:
        raise ConfigError(f"{path} was made by another version of ecs-sync: plan again")
    keys = {key: frozenset(marks) for key, marks in body["keys"].items()}
    return SavedPlan(body["id"], body["job"], body["ground"], keys)


def bind(saved: SavedPlan, fresh: Plan) -> tuple[Plan, tuple[Key, ...]]:
    """The part of ``fresh`` that ``saved`` shows, and the keys that moved since.

    Raises StalePlan where the ground itself is another: store, job, links, places, mappings, rules.
    """
    if saved.ground != _ground(fresh):
        raise StalePlan(
            f"plan {saved.id} was made for another configuration or store: the links, places, mappings "
            f"or rules of {fresh.job} have changed since; plan again"
        )
    marks = _marks(fresh)
    standing = {key for key, was in saved.keys.items() if marks.get(key) == was}
    stale = tuple(Key(key) for key in sorted(saved.keys.keys() - standing))
    bound = replace(
        fresh,
        changes=tuple(change for change in fresh.changes if change.key.text in standing),
        raises=tuple(change for change in fresh.raises if change.key.text in standing),
        contests=tuple(each for each in fresh.contests if each.key.text in standing),
        rebases=tuple(each for each in fresh.rebases if each.version or each.key.text in standing),
    )
    return bound, stale


def _ground(plan: Plan) -> dict[str, Any]:
    return {
        "store": plan.store,
        "job": plan.job,
        "scope": plan.scope.text,
        "rules": plan.rules,
        "links": [[look.link, look.identity] for look in plan.links],
    }


def _marks(plan: Plan) -> dict[str, frozenset[str]]:
    """For each key with a change: what is to be done on each side, and what was seen of it."""
    marks: dict[str, set[str]] = defaultdict(set)
    for change in plan.changes:
        marks[change.key.text].add(_change_mark(change))
    for hold in plan.holds:
        if hold.key.text in marks:
            marks[hold.key.text].add(_hold_mark(hold))
    return {key: frozenset(of_key) for key, of_key in marks.items()}


def _change_mark(change: Change) -> str:
    parts: Iterable[str] = (
        change.side,
        change.source,
        str(change.version),
        change.item or "",
        (change.expected or b"").hex(),
        (change.target or b"").hex(),
        (change.observed or b"").hex(),
    )
    return "\0".join(parts)


def _hold_mark(hold: Hold) -> str:
    return "\0".join(("hold", hold.link, hold.why, (hold.observed or b"").hex(), str(hold.version)))


def _shown(change: Change) -> dict[str, Any]:
    return {
        "key": change.key.text,
        "side": change.side,
        "source": change.source,
        "kind": str(change.kind),
        "before": _entry(change.before, change.secret),
        "after": _entry(change.after, change.secret),
    }


def _entry(entry: Entry | None, secret: bool) -> dict[str, Any] | None:
    """What a reader may see of an entry. Of a secret, neither side of its change is shown."""
    if entry is None:
        return None
    if secret:
        return {"type": str(entry.value.type), "secret": True}
    return {"type": str(entry.value.type), "text": entry.value.text}
