"""Documents of lines: each names a key and its value, and says nothing of other lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ecs_sync.model import Type, Value

from .leaves import Edits, Leaf, Path, Splice, newline_of, splice


@dataclass(frozen=True, slots=True, repr=False)
class Record:
    """One key and its value: where the value stands, and where all of its lines do."""

    path: Path
    line: int
    start: int
    end: int
    whole_start: int
    whole_end: int
    value: Value | None = None
    refusal: str = ""
    fixed: str = ""


def leaves(records: Sequence[Record], identity: Callable[[Path], Path] = lambda path: path) -> list[Leaf]:
    """The leaves of some records; what stands twice is refused."""
    counts = Counter(identity(record.path) for record in records)
    return [
        Leaf(record.path, record.line, None, "its name stands twice in this file; keep one of them")
        if counts[identity(record.path)] > 1
        else Leaf(record.path, record.line, record.value, record.refusal)
        for record in records
    ]


def edited(
    text: str, records: Sequence[Record], edits: Edits, literal: Callable[[Value, Record], str]
) -> str:
    """The text with values replaced and lines removed; ``literal`` says a value in place of another."""
    by_path = {record.path: record for record in records}
    splices = []
    for path in (*edits.replace, *edits.remove):
        record = by_path[path]
        if record.fixed:
            raise ValueError(f"{'/'.join(path)}: {record.fixed}")
        if path in edits.remove:
            splices.append(Splice(record.whole_start, record.whole_end))
        else:
            splices.append(Splice(record.start, record.end, literal(edits.replace[path], record)))
    return splice(text, splices)


def appended(text: str, lines: Sequence[str]) -> str:
    """The text with lines at its end."""
    newline = newline_of(text)
    if text and not text.endswith("\n"):
        text += newline
    return text + "".join(line + newline for line in lines)


def joined(path: Path, separator: str | None, name: str) -> str:
    """The one name of a path. Raises ValueError where it could be read as another path."""
    if separator is None:
        if len(path) > 1:
            raise ValueError(f"{'/'.join(path)}: {name} has no levels; say separator: in the mapping")
        return path[0]
    if any(separator in segment for segment in path):
        raise ValueError(f"{'/'.join(path)}: a segment holds {separator!r}, which divides segments here")
    return separator.join(path)


def divided(name: str, separator: str | None) -> Path:
    """The path of a name."""
    return tuple(name.split(separator)) if separator else (name,)


def text_image(value: Value, name: str) -> Value:
    """The string that a value is where all values are text. Raises ValueError."""
    match value.type:
        case Type.STRING | Type.REFERENCE | Type.INTEGER | Type.FLOAT | Type.BOOLEAN | Type.JSON:
            return Value(Type.STRING, value.text)
        case Type.NULL:
            raise ValueError(f"{name} cannot say null; unset the key or write an empty string")
        case Type.BYTES:
            raise ValueError(f"{name} cannot say bytes; keep them as a base64 string")
        case Type.FLAG:
            raise ValueError(f"{name} cannot say a feature flag")
