"""Jobs made of a template: one for each combination of the values of ``for_each``."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping

from ecs_sync.config.document import Findings, Node
from ecs_sync.config.secret import Where
from ecs_sync.registry import nearest

_HOLE = re.compile(r"\{\{|\}\}|\{([A-Za-z_][A-Za-z0-9_]*)\}")
_MOST_JOBS = 10_000


def expand(name: str, job: Node, found: Findings) -> Iterator[tuple[str, Node]]:
    """The jobs that a node of ``jobs`` stands for, with their names. ``{{`` and ``}}`` are braces."""
    each = job.map.get("for_each")
    if each is None:
        yield name, job
        return
    values = _values(each, found)
    if not values:
        return
    unused = [variable for variable in values if f"{{{variable}}}" not in name]
    if unused:
        missing = ", ".join(f"{{{variable}}}" for variable in unused)
        found.add(job.key_at, f"its name must hold {missing}, so that each job has a name of its own")
        return
    combinations = 1
    for choices in values.values():
        combinations *= len(choices)
    if combinations > _MOST_JOBS:
        found.add(each.at, f"makes {combinations} jobs: at most {_MOST_JOBS} come from one template")
        return
    rest = job.without(["for_each"])
    for combination in itertools.product(*values.values()):
        given = dict(zip(values, combination, strict=True))

        def filled(text: str, at: Where, given: Mapping[str, str] = given) -> str:
            return _fill(text, at, given, found)

        yield filled(name, job.key_at), rest.rewritten(filled)


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
