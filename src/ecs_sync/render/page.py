"""A page of parts, and its two writers: text for a terminal, Markdown for a pull request."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ecs_sync.render.escape import markdown, markdown_code, printable, width


class Tone(StrEnum):
    PLAIN = "plain"
    GOOD = "green"
    CHANGED = "yellow"
    BAD = "red"
    QUIET = "bright_black"
    LOUD = "bold"


@dataclass(frozen=True, slots=True)
class Code:
    """A key, a value, a place: shown as it is."""

    text: str


@dataclass(frozen=True, slots=True)
class Became:
    """A value before and after."""

    before: str
    after: str


Cell = str | Code | Became


@dataclass(frozen=True, slots=True)
class Title:
    """A heading; ``level`` 1 or 2."""

    text: str
    level: int = 1


@dataclass(frozen=True, slots=True)
class Say:
    """A sentence."""

    text: str
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True, slots=True)
class Command:
    """A command to copy, with what it is for."""

    purpose: str
    text: str


@dataclass(frozen=True, slots=True)
class Row:
    cells: tuple[Cell, ...]
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under columns. ``header`` False leaves the names of the columns out of texts."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    header: bool = True


Part = Title | Say | Command | Table
Page = Sequence[Part]
Paint = Callable[[str, Tone], str]


def plain(text: str, tone: Tone) -> str:
    """No colours."""
    return text


def as_text(page: Page, paint: Paint = plain) -> str:
    """The page for a terminal, aligned; ``paint`` gives a tone its colour."""
    lines: list[str] = []
    for part in page:
        match part:
            case Title(text, 1):
                lines += ([""] if lines else []) + [paint(printable(text), Tone.LOUD)]
            case Title(text, _):
                lines.append(f"  {printable(text)}")
            case Say(text, tone):
                lines.append(paint(printable(text), tone))
            case Command(purpose, text):
                lines.append(f"  {printable(purpose)}: {paint(printable(text), Tone.LOUD)}")
            case Table():
                lines += _text_rows(part, paint)
    return "".join(line.rstrip() + "\n" for line in lines)


def _text_rows(table: Table, paint: Paint) -> Iterator[str]:
    rows = [[printable(_one_line(cell)) for cell in row.cells] for row in table.rows]
    tones = [row.tone for row in table.rows]
    if table.header and rows:
        rows.insert(0, list(table.columns))
        tones.insert(0, Tone.QUIET)
    most = [min(60, max(width(row[i]) for row in rows)) for i in range(len(table.columns))] if rows else []
    for row, tone in zip(rows, tones, strict=True):
        padded = [cell + " " * (most[i] - width(cell)) for i, cell in enumerate(row)]
        yield "    " + paint("  ".join(padded).rstrip(), tone)


def _one_line(cell: Cell) -> str:
    match cell:
        case Code(text):
            return text
        case Became(before, after):
            return f"{before} → {after}"
        case str():
            return cell


def as_markdown(page: Page) -> str:
    """The page in GitHub's Markdown."""
    blocks: list[str] = []
    for part in page:
        match part:
            case Title(text, level):
                blocks.append(f"{'#' * (level + 2)} {markdown(text)}")
            case Say(text, Tone.BAD):
                blocks.append(f"**{markdown(text.strip())}**")
            case Say(text, _):
                blocks.append(markdown(text.strip()))
            case Command(purpose, text):
                blocks.append(f"{markdown(purpose.strip())}: {markdown_code(text)}")
            case Table(_, ()):
                pass
            case Table():
                blocks.append("\n".join(_markdown_rows(part)))
    return "".join(f"{block}\n\n" for block in blocks)[:-1]


def _markdown_rows(table: Table) -> Iterator[str]:
    yield f"| {' | '.join(table.columns)} |"
    yield "|" + " --- |" * len(table.columns)
    for row in table.rows:
        yield f"| {' | '.join(_markdown_cell(cell) for cell in row.cells)} |"


def _markdown_cell(cell: Cell) -> str:
    match cell:
        case Code(text):
            return markdown_code(text)
        case Became(before, after):
            return f"{markdown_code(before)} → {markdown_code(after)}"
        case str():
            return markdown(cell.strip())
