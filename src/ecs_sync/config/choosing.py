"""Which connection of a group a link means: the only one whose rule holds for the scope of its job."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ecs_sync.config.document import Findings, Node
from ecs_sync.config.fields import expect_map
from ecs_sync.config.rule import PARTS, Rule, RuleError, holds, names, parse
from ecs_sync.config.secret import Where, looks_like_source
from ecs_sync.config.values import ConnectionConfig
from ecs_sync.model import Scope
from ecs_sync.nearest import nearest

_MOST_LISTED = 12

Properties = Mapping[str, Mapping[str, Mapping[str, str]]]
"""By part of a scope, what the part says, and the property's name: ``["tenant"]["acme"]["region"]``."""


@dataclass(frozen=True, slots=True)
class Member:
    """A connection of a group, and where its rule stands."""

    name: str
    rule: Rule
    at: Where


@dataclass(frozen=True, slots=True)
class Connected:
    """All names of connections and groups there are, and what could be read of them.

    A group of which nothing can be chosen, because something is wrong already, has no members.
    """

    names: tuple[str, ...]
    usable: Mapping[str, ConnectionConfig]
    groups: Mapping[str, Sequence[Member]]
    properties: Properties

    def undecided(self) -> Connected:
        """The same for a job whose scope is not known, so that no rule can be asked."""
        return replace(self, groups=dict.fromkeys(self.groups, ()))


def read_properties(sections: Mapping[str, Node], found: Findings) -> Properties:
    """What ``tenants``, ``editions``, ``environments`` and ``applications`` say."""
    return {part: _things(part, sections.get(f"{part}s"), found) for part in PARTS}


def _things(part: str, section: Node | None, found: Findings) -> dict[str, dict[str, str]]:
    if section is None or section.content is None or not expect_map(section, found):
        return {}
    things: dict[str, dict[str, str]] = {}
    for name, node in section.map.items():
        try:
            Scope(**{part: name})
        except ValueError as error:
            found.add(node.key_at, str(error))
            continue
        if expect_map(node, found):
            things[name] = _owned(node, found)
    return things


def _owned(node: Node, found: Findings) -> dict[str, str]:
    """The properties of one tenant, edition, environment or application."""
    owned: dict[str, str] = {}
    for name, child in node.map.items():
        value = child.content
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", name):
            found.add(child.key_at, f"{name!r} is not a property's name: use letters, digits, '_' and '-'")
        elif isinstance(value, bool) or not isinstance(value, str | int):
            found.add(child.at, f"must be text or a whole number, not {child.kind}")
        elif looks_like_source(str(value)):
            found.add(child.at, "is not a secret: env:, file: and @secret: are for options declared secret")
        owned[name] = str(value)
    return owned


def read_rule(node: Node, properties: Properties, found: Findings) -> Rule | None:
    """The rule that a text spells, every name in it known; says what is wrong with it."""
    if node.text is None:
        return None
    try:
        rule = parse(node.text)
    except RuleError as error:
        found.add(node.within(error.at), str(error))
        return None
    sound = True
    for name in names(rule):
        known = {each for owned in properties[name.part].values() for each in owned}
        if name.owned is not None and name.owned not in known:
            listed = f"; known here: {', '.join(sorted(known))}" if known else ""
            hint = nearest(name.owned, known) or listed or f": declare it under '{name.part}s'"
            found.add(node.within(name.at), f"no {name.part} has a property {name.owned!r}{hint}")
            sound = False
    return rule if sound else None


def chosen(
    group: str, members: Sequence[Member], scope: Scope, properties: Properties, at: Where, found: Findings
) -> str | None:
    """The name of the one connection whose rule holds for a scope; None where it is not one, and said."""
    values = _values(scope, properties)
    asking = {name: member for member in reversed(members) for name in names(member.rule)}
    unknown = {name: member for name, member in asking.items() if name.text not in values}
    for name, member in unknown.items():
        found.add(at, f"the rule of {_place(member)} asks for {name.text}, and {_lack(name.part, scope)}")
    if unknown:
        return None
    fitting = [member for member in members if holds(member.rule, values)]
    if len(fitting) == 1:
        return fitting[0].name
    about = f"the scope {scope.text}"
    if not fitting:
        found.add(at, f"no connection of the group {group!r} is for {about} (there are {_listed(members)})")
    else:
        found.add(
            at,
            f"{len(fitting)} connections of the group {group!r} are for {about}, and it must be one: "
            f"{_listed(fitting)}",
        )
    return None


def _values(scope: Scope, properties: Properties) -> dict[str, str]:
    """Everything that can be asked for of a scope, by name."""
    values: dict[str, str] = {}
    for part in PARTS:
        said = getattr(scope, part)
        if said is not None:
            values[part] = said
            owned = properties[part].get(said, {})
            values |= {f"{part}.{name}": value for name, value in owned.items()}
    return values


def _lack(part: str, scope: Scope) -> str:
    said = getattr(scope, part)
    if said is None:
        return f"the job's scope has no {part}"
    return f"{part} {said!r} has none: say it under {part}s.{said}"


def _listed(members: Sequence[Member]) -> str:
    listed = ", ".join(_place(member) for member in members[:_MOST_LISTED])
    more = len(members) - _MOST_LISTED
    return f"{listed} and {more} more" if more > 0 else listed


def _place(member: Member) -> str:
    return f"{member.name!r} (line {member.at.line})"
