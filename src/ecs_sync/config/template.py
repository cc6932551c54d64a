"""Jobs and connections made of a template: one for each combination of the values of ``for_each``."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Literal

from ecs_sync.config.document import Findings, Node
from ecs_sync.config.fields import expect_map
from ecs_sync.config.secret import Where
from ecs_sync.nearest import nearest

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_HOLE = re.compile(r"\{\{|\}\}|\{([A-Za-z_][A-Za-z0-9_]*)\}")
_MOST = 10_000


def each_named(node: Node, kind: Literal["job", "connection"], found: Findings) -> Iterator[tuple[str, Node]]:
    """What a map of jobs or connections holds, templates expanded. Two of one name are said, and the
    first is kept."""
    seen: dict[str, Node] = {}
    for written, template in node.map.items():
        if not expect_map(template, found):
            continue
        for name, child in _expand(written, template, kind, found):
            check_name(name, child, found)
            if name in seen:
                before = seen[name].key_at
                found.add(
                    child.key_at,
                    f"two {kind}s are called {name!r}: the other one stands at "
                    f"{before.file}:{before.line}:{before.column}",
                )
                continue
            seen[name] = child
            yield name, child


def check_name(name: str, node: Node, found: Findings) -> None:
    """Names of connections, jobs and links go into ids, logs and files, so that they are plain."""
    if not _NAME.fullmatch(name):
        hint = "; braces need 'for_each'" if "{" in name else ""
        found.add(node.key_at, f"{name!r} is not a name: use letters, digits, '.', '_' and '-'{hint}")


def _expand(
    name: str, template: Node, kind: Literal["job", "connection"], found: Findings
) -> Iterator[tuple[str, Node]]:
    """What a node stands for, with the names. ``{{`` and ``}}`` are braces."""
    each = template.map.get("for_each")
    if each is None:
        yield name, template
        return
    values = _values(each, found)
    if not values:
        return
    unused = [variable for variable in values if f"{{{variable}}}" not in name]
    if unused:
        missing = ", ".join(f"{{{variable}}}" for variable in unused)
        found.add(template.key_at, f"its name must hold {missing}, so that each {kind} has a name of its own")
        return
    combinations = 1
    for choices in values.values():
        combinations *= len(choices)
    if combinations > _MOST:
        found.add(each.at, f"makes {combinations} {kind}s: at most {_MOST} come from one template")
        return
    rest = template.without(["for_each"])
    for combination in itertools.product(*values.values()):
        given = dict(zip(values, combination, strict=True))

        def filled(text: str, at: Where, given: Mapping[str, str] = given) -> str:
            return _fill(text, at, given, found)

        yield filled(name, template.key_at), rest.rewritten(filled)


def _values(each: Node, found: Findings) -> dict[str, list[str]]:
    """The choices of each variable; empty where any is wrong."""
    if not each.map:
        found.add(each.at, "must be a map of names to lists, such as {tenant: [acme, globex]}")
        return {}
    values: dict[str, list[str]] = {}
    sound = True
    for variable, node in each.map.items():
        choices = [_choice(item) for item in node.items]
        texts = [choice for choice in choices if choice is not None]
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", variable):
            found.add(node.key_at, "a name here has letters, digits and '_'")
        elif not texts or len(texts) != len(choices):
            found.add(node.at, "must be a list of at least one text")
        elif len(set(texts)) != len(texts):
            found.add(node.at, "a value stands here twice")
        else:
            values[variable] = texts
            continue
        sound = False
    return values if sound else {}


def _choice(node: Node) -> str | None:
    content = node.content
    return str(content) if isinstance(content, str | int) and not isinstance(content, bool) else None


def _fill(text: str, at: Where, given: Mapping[str, str], found: Findings) -> str:
    def value(hole: re.Match[str]) -> str:
        name = hole[1]
        if name is None:
            return hole[0][0]
        if name not in given:
            known = nearest(name, given) or f"; known here: {', '.join(given)}"
            found.spoil(at, f"{{{name}}} is not in for_each{known} (a brace itself is written twice)")
        return given.get(name, hole[0])

    return _HOLE.sub(value, text)
