"""The state behind the App Configuration stand-in: settings, their revisions, filters and pages.

Rules are numbered as in `ecs_sync_sandbox.azure_appconfig`.
"""

from __future__ import annotations

import copy
import hashlib
import json
import re
import threading
import uuid
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal

LONGEST = 256
"""Characters of the longest key, label, tag name and tag value."""
LARGEST = 10 * 1024
"""Bytes of the largest setting, all of its texts together."""
PAGE = 100

_NEVER = datetime.min.replace(tzinfo=UTC)

Place = tuple[str, str | None]
"""Key and label: the identity of a setting."""


class Answer(Exception):
    """Ends a request with this status, and a problem of this name where there is one."""

    def __init__(self, status: int, problem: str = "", detail: str = "") -> None:
        super().__init__(problem)
        self.status, self.problem, self.detail = status, problem, detail


@dataclass(frozen=True, slots=True)
class Setting:
    """One key-value as it stands. ``etag`` is without quotes."""

    key: str
    label: str | None
    value: str | None
    content_type: str | None = None
    tags: Mapping[str, str | None] = field(default_factory=dict)
    description: str | None = None
    locked: bool = False
    etag: str = ""
    last_modified: datetime = _NEVER

    @property
    def place(self) -> Place:
        return self.key, self.label

    def json(self, described: bool) -> dict[str, Any]:
        """As the service writes it; the description only in the versions that know one (A17)."""
        shown = {
            "etag": self.etag,
            "key": self.key,
            "label": self.label,
            "content_type": self.content_type,
            "value": self.value,
            "tags": dict(self.tags),
            "locked": self.locked,
            "last_modified": self.last_modified.isoformat(),
        }
        return {**shown, "description": self.description} if described else shown


@dataclass(frozen=True, slots=True)
class Condition:
    """What If-Match and If-None-Match ask of a setting (A4); etags are without quotes."""

    match: str | None = None
    none_match: str | None = None

    def holds(self, etag: str | None) -> bool:
        """Of what has this etag; None is what is not there."""
        if self.match is not None and (etag is None or self.match not in ("*", etag)):
            return False
        return not (self.none_match is not None and etag is not None and self.none_match in ("*", etag))


@dataclass(slots=True)
class _State:
    settings: dict[Place, Setting] = field(default_factory=dict)
    revisions: list[Setting] = field(default_factory=list)
    changes: int = 0


class Settings:
    """All settings of one store. Thread-safe; each change is one step."""

    def __init__(self, same_write: Literal["keeps", "moves"] = "keeps") -> None:
        self._state = _State()
        self._before: _State | None = None
        self._same_write = same_write
        self._last: tuple[object, list[Setting]] | None = None
        self._lock = threading.RLock()

    def lag(self) -> None:
        """From now on, who does not show the newest sync token sees what is there now (A14)."""
        with self._lock:
            self._before = copy.deepcopy(self._state)

    def catch_up(self) -> None:
        """Everybody sees everything again."""
        with self._lock:
            self._before = None

    @property
    def changes(self) -> int:
        """How many changes there were: the sequence number of the sync token."""
        return self._state.changes

    def shown(self, since: int) -> int:
        """How many changes a client sees whose sync token has the number ``since``."""
        with self._lock:
            return self._view(since).changes

    def get(self, key: str, label: str | None = None) -> Setting | None:
        """What is there now."""
        with self._lock:
            return self._state.settings.get((key, label))

    def seen(self, key: str, label: str | None, since: int) -> Setting | None:
        """What a client sees whose sync token has the number ``since``."""
        with self._lock:
            return self._view(since).settings.get((key, label))

    def put(self, setting: Setting, condition: Condition = Condition()) -> Setting:
        """Replaces the whole setting (A2), which keeps no lock and no etag of ``setting``'s own."""
        _check(setting)
        with self._lock:
            before = self._state.settings.get(setting.place)
            self._admit(before, condition)
            if before is not None and self._same_write == "keeps" and _same(before, setting):
                return before
            return self._keep(replace(setting, locked=False))

    def set(self, key: str, value: str | None, label: str | None = None, **rest: Any) -> Setting:
        """A write from outside, whatever is there, with a new etag, even over a lock."""
        with self._lock:
            return self._keep(Setting(key, label, value, **rest))

    def delete(
        self, key: str, label: str | None = None, condition: Condition = Condition()
    ) -> Setting | None:
        """Deletes it; its revisions stay. None where nothing was (A6)."""
        with self._lock:
            before = self._state.settings.get((key, label))
            self._admit(before, condition)
            if before is not None:
                del self._state.settings[key, label]
                self._state.changes += 1
            return before

    def lock(self, key: str, label: str | None, locked: bool, condition: Condition = Condition()) -> Setting:
        """Locks or unlocks (A7)."""
        with self._lock:
            before = self._state.settings.get((key, label))
            if before is None:
                raise Answer(404)
            if not condition.holds(before.etag):
                raise Answer(412)
            return before if before.locked is locked else self._keep(replace(before, locked=locked))

    def listed(self, keys: str, labels: str, tags: Sequence[str], since: int) -> list[Setting]:
        """What the filters select, in the order of keys and then labels (A8)."""
        with self._lock:
            view = self._view(since)
            asked = (keys, labels, tuple(tags), id(view), view.changes)
            if self._last is None or self._last[0] != asked:
                selected = selector(keys, labels, tags)
                found = sorted((s for s in view.settings.values() if selected(s)), key=_ordinal)
                self._last = (asked, found)
            return self._last[1]

    def revised(self, keys: str, labels: str, since: int) -> list[Setting]:
        """The revisions that the filters select, youngest first (A12)."""
        with self._lock:
            everything = list(self._view(since).revisions)
        selected = selector(keys, labels, ())
        return [setting for setting in reversed(everything) if selected(setting)]

    def forget_revisions(self) -> None:
        """As after the days that the service keeps them: what is current stays."""
        with self._lock:
            current = {setting.etag for setting in self._state.settings.values()}
            self._state.revisions = [r for r in self._state.revisions if r.etag in current]

    def _view(self, since: int) -> _State:
        return self._state if self._before is None or since >= self._state.changes else self._before

    def _admit(self, before: Setting | None, condition: Condition) -> None:
        if before is not None and before.locked:
            raise Answer(409, "key-locked", "The key is read-only.")
        if not condition.holds(None if before is None else before.etag):
            raise Answer(412)

    def _keep(self, setting: Setting) -> Setting:
        now = datetime.now(UTC).replace(microsecond=0)
        kept = replace(setting, etag=uuid.uuid4().hex, last_modified=now)
        self._state.settings[kept.place] = kept
        self._state.revisions.append(kept)
        self._state.changes += 1
        return kept


def page_etag(page: Sequence[Setting], token: str | None) -> str:
    """Of a page: that of its items and of where the next one begins (A10)."""
    told = json.dumps([[setting.etag for setting in page], token])
    return hashlib.sha256(told.encode()).hexdigest()[:32]


def cursor(setting: Setting) -> str:
    """Where the page after this setting begins: a keyset cursor (A9)."""
    return json.dumps([setting.key, setting.label])


def after(settings: list[Setting], token: str | None) -> list[Setting]:
    """What comes after a cursor."""
    if token is None:
        return settings
    try:
        key, label = json.loads(token)
    except ValueError:
        raise Answer(400, "invalid-argument", "Invalid continuation token.") from None
    return settings[bisect_right(settings, _ordinal(Setting(key, label, None)), key=_ordinal) :]


def selector(keys: str, labels: str, tags: Sequence[str]) -> Callable[[Setting], bool]:
    """Does a setting match the filters? Raises 400 for what is no filter."""
    is_key, is_label = _filter(keys), _filter(labels)
    wanted = [tag.partition("=")[::2] for tag in tags]
    if len(wanted) > 5:
        raise Answer(400, "invalid-argument", "Too many tags.")

    def matches(setting: Setting) -> bool:
        if not (is_key(setting.key) and is_label(setting.label)):
            return False
        shown = {name: "\\0" if text is None else text for name, text in setting.tags.items()}
        return all(shown.get(name) == text for name, text in wanted)

    return matches


def _filter(text: str) -> Callable[[str | None], bool]:
    """``*`` and what begins with it is none; one trailing ``*``; up to five exact values; ``\\0`` is null."""
    if text == "" or text.startswith("*"):
        return lambda _: True
    parts = list(_parts(text))
    if len(parts) > 5:
        raise Answer(400, "invalid-argument", "A filter has at most five values.")
    if any(star for _, star in parts):
        if len(parts) > 1:
            raise Answer(400, "invalid-argument", "A list of values holds no '*'.")
        prefix = parts[0][0] or ""
        return lambda value: value is not None and value.startswith(prefix)
    exact = {part for part, _ in parts}
    return lambda value: value in exact


def _parts(text: str) -> Iterator[tuple[str | None, bool]]:
    """The values of a comma list, unescaped, each with whether it ends in a ``*``."""
    for raw in re.findall(r"(?:\\.|[^\\,])+", text):
        if raw == "\\0":
            yield None, False
            continue
        star = re.fullmatch(r"(?:\\.|[^\\*])*\*", raw) is not None
        if not star and re.fullmatch(r"(?:\\[*,\\]|[^\\*])*", raw) is None:
            raise Answer(400, "invalid-argument", "A reserved character is not escaped.")
        yield re.sub(r"\\(.)", r"\1", raw[:-1] if star else raw), star


def _ordinal(setting: Setting) -> tuple[bytes, bytes]:
    """The order of .NET's ordinal comparison: that of UTF-16 code units."""
    return setting.key.encode("utf-16-be"), (setting.label or "").encode("utf-16-be")


def _same(before: Setting, setting: Setting) -> bool:
    """A write that changes nothing (A3). The order of tags counts, as in the emulator."""
    fields = ("value", "content_type", "description")
    return list(before.tags.items()) == list(setting.tags.items()) and all(
        getattr(before, name) == getattr(setting, name) for name in fields
    )


def _check(setting: Setting) -> None:
    """Raises 400 or 413 for what the service does not take (A13)."""
    tags = [text for pair in setting.tags.items() for text in pair if text is not None]
    names = [setting.key, setting.label or "", *tags]
    if not setting.key or any(len(name) > LONGEST for name in names):
        raise Answer(400, "invalid-argument", f"Names have 1 to {LONGEST} characters.")
    if any(re.search(r"[\x00-\x1f\x7f-\x9f]", name) for name in (*names, setting.content_type or "")):
        raise Answer(400, "invalid-argument", "A control character is not allowed.")
    texts = [*names, setting.content_type or "", setting.value or "", setting.description or ""]
    if sum(len(text.encode("utf-8", "surrogatepass")) for text in texts) > LARGEST:
        raise Answer(413, "payload-too-large", f"A setting has at most {LARGEST} bytes.")
