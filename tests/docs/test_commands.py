"""Whoever copies a command from the documentation is understood by the command line."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from ecs_sync.cli.app import cli

from .pages import PAGES, blocks, code_in_prose, name

_SHELLS = {"", "sh", "bash", "console"}
_ENDS = {"&&", "||", ";", "|", ">", ">>", "2>", "<", "&"}


def lines(page: Path) -> Iterator[str]:
    """Every command of ours on a page: lines of shell blocks, and code in prose."""
    for block in blocks(page):
        if block.language in _SHELLS:
            yield from block.text.replace("\\\n", " ").splitlines()
    yield from code_in_prose(page)


def commands(page: Path) -> Iterator[list[str]]:
    """The words behind ``ecs-sync`` of each command."""
    for line in lines(page):
        if not re.match(r"(\$ )?([A-Z_]+=\S+ )?ecs-sync( |$)", line):
            continue
        for command in parts(shlex.split(line.removeprefix("$ "), comments=True)):
            if "ecs-sync" in command:
                yield command[command.index("ecs-sync") + 1 :]


def parts(words: list[str]) -> Iterator[list[str]]:
    """The commands of a line that holds several."""
    part: list[str] = []
    for word in words:
        if word in _ENDS or word.endswith(";"):
            yield [*part, word.rstrip(";")] if word not in _ENDS else part
            part = []
        else:
            part.append(word)
    yield part


def understood(words: list[str]) -> None:
    """Parses a line as the command does, without acting. Raises click.ClickException."""
    command: click.Command = cli
    parent = None
    while isinstance(command, click.Group):
        context = click.Context(command, parent, info_name=command.name, **command.context_settings)
        _, rest, _ = command.make_parser(context).parse_args(list(words))
        if not rest:
            return  # A page that names the group alone.
        default = getattr(command, "default", None)
        if default is not None and rest[0] not in command.commands:
            rest = [default, *words]
        _, found, words = command.resolve_command(context, rest)
        assert found is not None
        parent, command = context, found
    command.make_context(command.name, list(words), parent)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_command_of_a_page_is_one_that_there_is(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for words in commands(page):
        for word in words:
            if re.fullmatch(r"[\w.-]+\.(key|plan|yaml|txt|pem)", word):
                Path(word).touch()
        numbered = ["1" if word in ("N", "SECONDS") else word for word in words]
        try:
            understood(numbered)
        except (click.ClickException, click.exceptions.Exit) as refused:
            complaint = refused.format_message() if isinstance(refused, click.ClickException) else ""
            named_only = len(words) == 1 and isinstance(refused, click.MissingParameter)
            assert named_only or not complaint, f"ecs-sync {shlex.join(words)}: {complaint}"


def test_the_pages_show_every_verb_and_a_command_that_is_wrong_is_noticed() -> None:
    shown = {words[0] for page in PAGES for words in commands(page) if words}
    context = click.Context(cli)
    assert set(cli.list_commands(context)) - shown == set()
    for wrong in (
        ["pla"],
        ["plan", "--nope"],
        ["store", "rotate"],
        ["resolve", "payments"],
        ["runs", "show"],
    ):
        with pytest.raises(click.ClickException):
            understood(wrong)
