"""A link's policy: its mode's words, those that the link sets itself, and what makes no sense together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ecs_sync.config.document import Findings, Node
from ecs_sync.policy import WORDS, First, LinkPolicy, Mode, Word, Words

_SET = ("pending", "drifted", "conflict", "foreign")


def link_policy(name: str, node: Node, given: Mapping[str, Any], found: Findings) -> LinkPolicy | None:
    """The policy that a link's fields say; None where its mode is not known. Says what contradicts it."""
    if "mode" not in given:
        return None
    mode: Mode = given["mode"]
    words = replace(WORDS[mode], **{word: Word(given[word]) for word in _SET if word in given})
    policy = LinkPolicy(
        link=name,
        mode=mode,
        words=words,
        priority=given.get("priority", 0),
        first=given.get("first", First.HOLD),
        deletes=given.get("deletes", "off" if mode is Mode.EXPORT else "on") == "on",
        prune="prune" in given,
    )
    _check(policy, node, given, found)
    return policy


def writes(policy: LinkPolicy) -> bool:
    """Could this link write its place?"""
    return policy.prune or pushes(policy.words)


def pushes(words: Words) -> bool:
    return Word.PUSH in (words.pending, words.drifted, words.conflict)


def _check(policy: LinkPolicy, node: Node, given: Mapping[str, Any], found: Findings) -> None:
    def refuse(key: str, message: str) -> None:
        found.add(node.map[key].at, message)

    if policy.mode is Mode.AUDIT:
        for key in (*_SET, "first", "deletes", "prune", "hard_deletes"):
            if key in given:
                refuse(key, f"mode audit only looks: leave {key!r} out, or choose another mode")
        return
    if policy.mode is Mode.IMPORT:
        for key in _SET:
            if given.get(key) == Word.PUSH:
                refuse(key, "mode import never writes the place: use mode two-way")
        if "prune" in given:
            refuse("prune", "mode import never writes the place: use mode mirror or two-way")
    if not pushes(policy.words):
        for key in ("deletes", "hard_deletes"):
            if key in given:
                refuse(key, f"{key!r} is about what is pushed, and this link pushes nothing")
    if policy.prune and policy.words.foreign is Word.ADOPT:
        refuse(
            "prune",
            "what is foreign cannot be adopted and deleted: add 'foreign: hold', or leave 'prune' out",
        )
    adopts = policy.adopts or policy.first in (First.PLACE, First.PRIORITY)
    if adopts and "priority" not in node.map:
        found.add(
            node.at,
            "'priority' is missing: this link can change the store, so say how strong it is "
            "(a larger one wins)",
        )
