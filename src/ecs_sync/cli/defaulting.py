"""A group of verbs of which one is meant where none is named: ``runs payments``, ``runs show RUN``."""

from __future__ import annotations

from typing import Any

import click


class Defaulting(click.Group):
    """A group that goes to its verb ``default`` where the first word is no verb of its own."""

    def __init__(self, *words: Any, default: str, **named: Any) -> None:
        named.setdefault("invoke_without_command", True)
        named.setdefault("context_settings", {"ignore_unknown_options": True})
        super().__init__(*words, **named)
        self.default = default

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        first = args[0] if args else ""
        if first not in self.commands and first not in ("-h", "--help"):
            args = [self.default, *args]
        return super().parse_args(ctx, args)
