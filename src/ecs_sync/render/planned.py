"""Plans: what would be done, what is held and why, and the commands that take it further."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from ecs_sync.cost import Cost
from ecs_sync.diff import State
from ecs_sync.model import Entry, Key
from ecs_sync.plan import Change, Hold, KeyContest, Kind, Looked, Plan, Stop, Unread
from ecs_sync.policy import STORE, Why
from ecs_sync.render.costing import cost_part, cost_shown
from ecs_sync.render.documents import (
    CandidateShown,
    ChangePlanned,
    ConflictShown,
    KeyHeld,
    Limit,
    LinkLooked,
    NotSeen,
    PlanShown,
    Settling,
)
from ecs_sync.render.page import Became, Cell, Code, Command, Part, Row, Say, Table, Title, Tone
from ecs_sync.render.shown import FingerprintOf, Shown, display, displays, shown

_FEW = 10
"""How many keys that are held by design, or items left behind, a page names."""

_SIGNS = {Kind.CREATE: "+", Kind.UPDATE: "~", Kind.DELETE: "-"}
_TONES = {Kind.CREATE: Tone.GOOD, Kind.UPDATE: Tone.CHANGED, Kind.DELETE: Tone.BAD}
_TO_DECIDE = (Why.CONFLICT, Why.FIRST_CONTACT, Why.BURIED)
_BY_DESIGN = (Why.MODE, Why.FOREIGN, Why.LOST)


@dataclass(frozen=True, slots=True)
class Showing:
    """How to show: the words that begin a command to copy, and the maker of fingerprints.

    ``few`` is the most lines for what is as designed; None shows all of it.
    """

    program: str
    fingerprint_of: FingerprintOf
    few: int | None = _FEW
    secret: frozenset[Key] = frozenset()

    def hiding(self, entries: Iterable[Entry | None]) -> Showing:
        """Shows no value of a key of which any of these entries is secret.

        What is a secret in one place may stand in another that does not know it for one.
        """
        return replace(self, secret=self.secret | {entry.key for entry in entries if entry and entry.secret})

    def value(self, entry: Entry | None) -> Shown | None:
        if entry is not None and entry.key in self.secret:
            entry = replace(entry, secret=True)
        return shown(entry, self.fingerprint_of)

    def command(self, *words: str) -> str:
        return " ".join([self.program, *(shlex.quote(word) for word in words)])


def plan_shown(plan: Plan, stops: Sequence[Stop], showing: Showing, cost: Cost | None = None) -> PlanShown:
    """A plan with the limits that it exceeds, as it may be shown."""
    showing = showing.hiding(entries_of(plan))
    return PlanShown(
        plan.job,
        plan.scope.text,
        plan.id,
        plan.at,
        links_looked(plan),
        [_change(change, showing) for change in plan.changes],
        [_held(hold, showing) for hold in plan.holds if hold.why not in _TO_DECIDE],
        conflicts_shown(plan, showing),
        not_seen(plan),
        [Limit(stop.side, stop.reason) for stop in stops],
        [key.text for key in plan.rotated],
        showing.command("apply", plan.job, "--allow", plan.id) if stops else None,
        cost_shown(cost) if cost is not None else None,
    )


def entries_of(plan: Plan) -> Iterator[Entry | None]:
    """Every entry that a plan holds."""
    for change in (*plan.changes, *plan.raises):
        yield from (change.before, change.after)
    for hold in plan.holds:
        yield from (hold.store, hold.place)
    for contest in plan.contests:
        yield from (entry for _, entry in contest.entries)


def links_looked(plan: Plan) -> list[LinkLooked]:
    """What was looked at on each link, and what is unguarded about what would be written there."""
    written = {(change.side, change.kind) for change in plan.changes}
    return [
        _looked(look, next((said for kind, said in look.windows if (look.link, kind) in written), ""))
        for look in plan.links
    ]


def _looked(look: Looked, window: str) -> LinkLooked:
    return LinkLooked(
        look.link,
        str(look.mode),
        look.place,
        look.items,
        look.base_keys,
        look.established,
        look.unchanged,
        look.complete,
        look.reason,
        window,
        list(look.left_behind),
        [Settling(item, says) for item, says in look.settling],
        list(look.copies),
    )


def not_seen(plan: Plan) -> list[NotSeen]:
    """What could not be read, without the secrets whose keys are held back and say so themselves."""
    said = {(hold.key, hold.reason) for hold in plan.refusals}
    return [_not_seen(unread) for unread in plan.unread if (unread.key, unread.reason) not in said]


def _not_seen(unread: Unread) -> NotSeen:
    return NotSeen(unread.link, unread.item, unread.key.text if unread.key else None, unread.reason)


def _change(change: Change, showing: Showing) -> ChangePlanned:
    return ChangePlanned(
        change.key.text,
        change.side,
        change.source,
        str(change.kind),
        str(change.state),
        who_moved(change),
        change.item,
        showing.value(change.before),
        showing.value(change.after),
    )


def who_moved(change: Change) -> str:
    """Why a change is made, in a few words."""
    adopted = change.side == STORE
    there = change.source if adopted else change.side
    match change.state:
        case State.PENDING if change.kind is Kind.CREATE:
            return "new in the store" if change.source == STORE else f"new at {change.source}"
        case State.PENDING if change.kind is Kind.DELETE:
            return "gone from the store" if change.source == STORE else f"gone from {change.source}"
        case State.PENDING:
            return "the store moved" if change.source == STORE else f"{change.source} moved"
        case State.DRIFTED if adopted:
            return f"gone from {there}" if change.kind is Kind.DELETE else f"{there} moved"
        case State.DRIFTED:
            return f"{there} moved; put back"
        case State.CONFLICT:
            return f"several moved; {change.source} wins"
        case State.FOREIGN if adopted:
            return f"new at {there}"
        case State.FOREIGN:
            return f"foreign at {there}; pruned"
        case State.IN_SYNC | State.CONVERGED | State.UNSEEN:
            return f"follows {change.source}"


def _held(hold: Hold, showing: Showing) -> KeyHeld:
    store, place = showing.value(hold.store), showing.value(hold.place)
    return KeyHeld(
        hold.key.text, hold.link, str(hold.state), str(hold.why), hold.reason, hold.item, store, place
    )


# Conflicts


def conflicts_shown(plan: Plan, showing: Showing) -> list[ConflictShown]:
    """Each key that a person must decide, once, and those that a rule decided."""
    holds: dict[Key, list[Hold]] = {}
    for hold in plan.conflicts:
        holds.setdefault(hold.key, []).append(hold)
    contests = {contest.key: contest for contest in plan.contests}
    return [
        _conflict(plan.job, key, holds.get(key, []), contests.get(key), showing)
        for key in sorted(holds.keys() | contests.keys())
    ]


def _conflict(
    job: str, key: Key, holds: Sequence[Hold], contest: KeyContest | None, showing: Showing
) -> ConflictShown:
    priorities = {side: rank.priority for side, _, rank in contest.contest.candidates} if contest else {}
    entries: dict[str, Entry | None] = dict(contest.entries) if contest else {}
    if holds:
        entries = {STORE: holds[0].store} | entries | {hold.link: hold.place for hold in holds}
    sides = sorted(entries, key=lambda side: (side != STORE, side))
    candidates = [CandidateShown(s, priorities.get(s), showing.value(entries[s])) for s in sides]
    takeable = [STORE, *sorted({hold.link for hold in holds})] if holds else []
    return ConflictShown(
        key.text,
        str(holds[0].why) if holds else "decided by priority",
        candidates,
        None if holds or contest is None else contest.contest.winner,
        [resolve_command(job, key.text, side, showing) for side in takeable],
    )


def resolve_command(job: str, key: str, side: str, showing: Showing) -> str:
    dashes = ["--"] if key.startswith("-") else []
    return showing.command("resolve", "--take", side, *dashes, job, key)


# The page


def plan_page(plan: PlanShown, showing: Showing) -> Iterator[Part]:
    """A plan, from what is looked at to what to do next."""
    yield Title(f"{plan.job}  ({plan.scope})")
    yield from links_part(plan.links)
    yield from changes_part(plan.changes)
    yield from held_part(plan.held, showing)
    yield from conflicts_part(plan.conflicts)
    yield from unseen_part(plan.unseen, plan.links)
    yield from notes_part(plan, showing)
    yield Say(summary(plan), Tone.LOUD)
    yield from limits_part(plan)
    if plan.cost is not None:
        yield from cost_part(plan.cost)


def links_part(links: Sequence[LinkLooked]) -> Iterator[Part]:
    rows = []
    for link in links:
        items = "unchanged" if link.unchanged else f"{link.items} items" if link.items != 1 else "1 item"
        first = "" if link.established else "first contact"
        rows.append(Row((link.link, Code(link.place), link.mode, items, first), Tone.QUIET))
    yield Table(("link", "place", "mode", "seen", ""), tuple(rows), header=False)


def changes_part(changes: Sequence[ChangePlanned]) -> Iterator[Part]:
    """The changes, by what is written: the store first, then each link."""
    for side in written_sides(changes):
        mine = [change for change in changes if change.side == side]
        kinds = Counter(change.kind for change in mine)
        counts = ", ".join(f"{kinds[kind]} to {kind}" for kind in Kind if kinds[kind])
        yield Title(f"{side}: {counts}", 2)
        yield Table(("", "key", "value", "why"), tuple(map(_change_row, mine)), header=False)


def written_sides(changes: Sequence[ChangePlanned]) -> list[str]:
    """What is written, the store first."""
    return sorted({change.side for change in changes}, key=lambda side: (side != STORE, side))


def _change_row(change: ChangePlanned) -> Row:
    kind = Kind(change.kind)
    return Row((_SIGNS[kind], Code(change.key), value_cell(change), change.why), _TONES[kind])


def value_cell(change: ChangePlanned) -> Cell:
    match Kind(change.kind):
        case Kind.CREATE:
            return Code(display(change.after))
        case Kind.DELETE:
            return Code(display(change.before))
        case Kind.UPDATE:
            return Became(*displays(change.before, change.after))


def held_part(held: Sequence[KeyHeld], showing: Showing) -> Iterator[Part]:
    """What is left as it is: refusals in full, what is as designed in short."""
    refused = [hold for hold in held if Why(hold.why) not in _BY_DESIGN]
    designed = [hold for hold in held if Why(hold.why) in _BY_DESIGN]
    if refused:
        yield Title(f"held back: {len(refused)}", 2)
        yield Table(("", "key", "link", "why"), tuple(_held_row(h, "!") for h in refused), header=False)
    if designed:
        few = designed[: showing.few]
        yield Title(f"left alone, as the modes say: {len(designed)}", 2)
        yield Table(("", "key", "link", "why"), tuple(_held_row(h, "·") for h in few), header=False)
        if len(few) < len(designed):
            yield Say(f"    and {len(designed) - len(few)} more; -v shows them all", Tone.QUIET)


def _held_row(hold: KeyHeld, sign: str) -> Row:
    why = f"{hold.why}: {hold.reason}" if hold.reason else hold.why
    state = f" ({hold.state})" if hold.state not in (hold.why, State.IN_SYNC) else ""
    return Row((sign, Code(hold.key), hold.link, why + state), Tone.CHANGED if sign == "!" else Tone.QUIET)


def conflicts_part(conflicts: Sequence[ConflictShown]) -> Iterator[Part]:
    waiting = [conflict for conflict in conflicts if conflict.winner is None]
    decided = [conflict for conflict in conflicts if conflict.winner is not None]
    if waiting:
        yield Title(f"conflicts, to be decided by you: {len(waiting)}", 2)
    for conflict in waiting:
        yield from _conflict_part(conflict)
    if decided:
        yield Title(f"conflicts, decided by priority: {len(decided)}", 2)
    for conflict in decided:
        yield from _conflict_part(conflict)


def _conflict_part(conflict: ConflictShown) -> Iterator[Part]:
    tone = Tone.BAD if conflict.winner is None else Tone.QUIET
    rows = [Row(("!" if conflict.winner is None else "·", Code(conflict.key), conflict.why, ""), tone)]
    for candidate in conflict.candidates:
        wins = " wins" if candidate.side == conflict.winner else ""
        priority = "" if candidate.priority is None else f"priority {candidate.priority}"
        rows.append(Row(("", f"  {candidate.side}{wins}", Code(display(candidate.value)), priority), tone))
    yield Table(("", "key", "value", ""), tuple(rows), header=False)
    yield from decide_part([candidate.side for candidate in conflict.candidates], conflict.resolve)


def decide_part(sides: Sequence[str], commands: Sequence[str]) -> Iterator[Part]:
    """The command that decides a conflict, with the other sides that it could take."""
    if commands:
        yield Command(f"    decide, taking one of {', '.join(sides)}", commands[0])


def unseen_part(unseen: Sequence[NotSeen], links: Sequence[LinkLooked]) -> Iterator[Part]:
    """What could not be seen, so that nothing happens to it."""
    blind = [Row(("?", link.link, link.reason), Tone.BAD) for link in links if not link.complete]
    single = [Row(("?", Code(one.key or one.item or ""), f"{one.link}: {one.reason}")) for one in unseen]
    if blind or single:
        yield Title("not seen; nothing happens to it", 2)
        yield Table(("", "where", "why"), (*blind, *single), header=False)


def notes_part(plan: PlanShown, showing: Showing) -> Iterator[Part]:
    """What remains unguarded where something is written, and what an edited link has left behind."""
    for key in plan.rotated:
        yield Say(f"  note: {key}: its secret was rotated where it is kept", Tone.CHANGED)
    for link in plan.links:
        if link.window:
            yield Say(f"  note: {link.link}: {link.window}", Tone.CHANGED)
        for each in link.settling[: showing.few]:
            yield Say(f"  note: {link.link}: {each.item} is not in force yet: {each.says}", Tone.CHANGED)
        yield from copies_part(link, showing)
        if link.left_behind:
            few = link.left_behind[: showing.few]
            yield Title(f"left behind at the former place of {link.link}: {len(link.left_behind)}", 2)
            yield Table(("", "item"), tuple(Row(("·", Code(item))) for item in few), header=False)
            if len(few) < len(link.left_behind):
                yield Say(f"    and {len(link.left_behind) - len(few)} more; -v shows them all", Tone.QUIET)


def copies_part(link: LinkLooked, showing: Showing) -> Iterator[Part]:
    """Secrets that an edited link has left where it wrote them, and holds on to."""
    if link.copies:
        named = ", ".join(link.copies[: showing.few])
        more = len(link.copies) - len(link.copies[: showing.few])
        yield Say(
            f"  note: {link.link}: takes no secrets ('secrets: refuse'), and these lie there still: {named}"
            f"{f' and {more} more' if more else ''}; delete them there, no run does",
            Tone.CHANGED,
        )


def summary(plan: PlanShown) -> str:
    waiting = sum(conflict.winner is None for conflict in plan.conflicts)
    blind = len(plan.unseen) + sum(not link.complete for link in plan.links)
    unseen = f", {blind} not seen" if blind else ""
    conflicts = "1 conflict" if waiting == 1 else f"{waiting} conflicts"
    if not (plan.changes or plan.held or waiting or blind):
        return f"plan {plan.plan}: in sync, nothing to change"
    return f"plan {plan.plan}: {len(plan.changes)} to change, {len(plan.held)} held, {conflicts}{unseen}"


def limits_part(plan: PlanShown) -> Iterator[Part]:
    """The limits that are exceeded, and the command that lifts them for this plan only."""
    for limit in plan.limits:
        yield Say(f"stopped: {limit.reason}", Tone.BAD)
    if plan.allow is not None:
        yield Command("if that is what you want", plan.allow)
