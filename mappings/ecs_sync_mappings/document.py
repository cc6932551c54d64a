"""One item holds many entries: a YAML or JSON file, a JSON secret, an ``.env``, an ``.ini``.

A document is edited at the spans of its values, so what nobody changed stays byte for byte: comments,
order, quotes, newlines, other documents, keys outside ``root``. Every edited text is parsed again, and
one whose values are not exactly the old ones with the change is refused before it leaves here.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, ClassVar, Literal

from ecs_sync.adapter import Item, ItemId, option
from ecs_sync.errors import ConfigError, MappingError
from ecs_sync.mapping import Refusal
from ecs_sync.model import Entry, Key, Scope, Type, Value

from .formats import FORMATS, format_of
from .formats.leaves import Document, Edits, Format, Leaf, Lists, Path, Unparsable, View

_BOM = b"\xef\xbb\xbf"
_WIDE_BOMS = (b"\xff\xfe", b"\xfe\xff")
_SPOILT = "one of these edits would change more than its own value; make it by hand"


@dataclass(frozen=True, slots=True)
class DocumentOptions:
    """How documents are read and written."""

    format: Literal["auto", "json", "yaml", "toml", "env", "properties", "ini", "xml", "csv"] = option(
        "The file format; auto goes by the name of the item.", default="auto"
    )
    lists: Literal["json", "indexed"] = option(
        "json: a list is one JSON value. indexed: its elements are keys named 0, 1, 2.", default="json"
    )
    profile: str | None = option(
        "Which document of a multi-document YAML: the one whose spring.config.activate.on-profile names"
        " this profile. Without it, the first document that is for no profile.",
        default=None,
    )
    prefix: Literal["none", "stem", "path"] = option(
        "What of the file's name goes before each key: nothing, its stem, or all its path.", default="none"
    )
    into: str | None = option(
        "The file, relative to the glob's folder, that takes a new key where prefix is none.", default=None
    )
    root: str | None = option("The key inside the document below which our keys lie.", default=None)
    separator: str | None = option(
        "What divides a name into the segments of a key, in env, properties and ini.", default=None
    )
    max_bytes: int = option("The longest document that is read, in bytes.", default=16 * 1024 * 1024)


class DocumentMapping:
    """Between one document and its entries.

    A place is a glob where it offers ``single_item`` and that is None: then ``place.root`` is the
    folder of the files, ``place.suffix`` the end of their names, and ``place.holds(id)`` tells whether
    an id is one of them. Of any other place, ``single_item`` or else ``root`` is the id of the one item.

    Integers, floats, booleans and lists are written to text-only formats (env, properties, ini, xml)
    as their text and read back as strings: the image of the mapping. A reference reads back as a
    string everywhere. Metadata has no place in a document and is not written.
    """

    Options: ClassVar[type] = DocumentOptions

    def __init__(self, options: DocumentOptions, place: Any, scope: Scope) -> None:
        """Raises `ConfigError` where options contradict each other."""
        del scope
        self._options = options
        self._view = View(Lists(options.lists), options.profile, options.separator)
        self._place_root = str(place.root)
        self._suffix = str(getattr(place, "suffix", ""))
        self._holds: Callable[[ItemId], bool] = getattr(place, "holds", lambda id: True)
        self._single: ItemId | None = getattr(place, "single_item", self._place_root)
        try:
            self._root: Path = Key.parse(options.root).segments if options.root else ()
        except ValueError as error:
            raise ConfigError(f"option root of mapping document: {error}") from None
        if options.profile is not None and options.format not in ("auto", "yaml"):
            raise ConfigError(f"option profile of mapping document is for YAML, not for {options.format}")

    @property
    def single(self) -> bool:
        return False

    @property
    def ordered(self) -> bool:
        return False

    def locate(self, key: Key) -> ItemId | Refusal:
        """The item of this key; a refusal where no file of the place can hold it."""
        if self._single is not None:
            return self._checked(self._single, key)
        if self._options.prefix == "none" and self._options.into is None:
            reason = "no file of the glob is named to take new keys; say into: FILE or prefix: stem"
            return Refusal(reason, key)
        id = self._file_of(key.segments)
        if id is None or not self._holds(id):
            reason = f"its first segments name no file of the place (prefix: {self._options.prefix})"
            return Refusal(reason, key, id)
        return id

    def field(self, key: Key) -> str | None:
        """The way to this key in a single JSON document, for a reference to it; None in all others."""
        if self._single is None or self._view.lists is not Lists.JSON:
            return None
        name = format_of(self._single) if self._options.format == "auto" else self._options.format
        if name != "json":
            return None
        return Key.of(*self._root, *key.segments).text

    def read(self, item: Item) -> Sequence[Entry | Refusal]:
        """Raises `MappingError`, naming file, line and column, where the document cannot be parsed."""
        if item.value is None:
            return [Refusal(item.unreadable or "it came without its value", item=item.id)]
        _, document = self._parsed(item.id, item.value)
        return list(self._entries(item, document))

    def write(self, id: ItemId, entries: Sequence[Entry], existing: Item | None) -> Item | None:
        """The edited item. None where nothing of a document remains, not even a comment.

        Raises `MappingError` with every reason where entries cannot be said in the document.
        """
        secret = any(entry.secret for entry in entries)
        if existing is None or existing.value is None:
            if not entries:
                return None
            empty = self._format(id).EMPTY
            text = self._edited(id, empty, self._document(id, empty), entries)
            return Item(id, text.encode("utf-8"), secret=secret)
        text, document = self._parsed(id, existing.value)
        edited = self._edited(id, text, document, entries)
        if edited == text:
            return existing
        if not entries and edited.strip() == self._format(id).EMPTY.strip():
            return None
        raw = (_BOM if existing.value.startswith(_BOM) else b"") + edited.encode("utf-8")
        return dataclasses.replace(
            existing, value=raw, secret=existing.secret or secret, revision=None, changed=None
        )

    def _format(self, id: ItemId) -> Format:
        name = format_of(id) if self._options.format == "auto" else self._options.format
        if name is None:
            raise MappingError(f"{id}: its name does not tell its format; say format: in the mapping")
        if self._options.profile is not None and name != "yaml":
            raise MappingError(f"{id}: option profile is for YAML, and this is {name}; take it out")
        return FORMATS[name]

    def _parsed(self, id: ItemId, raw: bytes) -> tuple[str, Document]:
        if len(raw) > self._options.max_bytes:
            raise MappingError(f"{id}: {len(raw)} bytes, over max_bytes {self._options.max_bytes}; raise it")
        if raw.startswith(_WIDE_BOMS):
            raise MappingError(f"{id}:1:1: UTF-16 is not read; save the file as UTF-8")
        try:
            text = raw.removeprefix(_BOM).decode("utf-8")
        except UnicodeDecodeError as error:
            line = raw.count(b"\n", 0, error.start) + 1
            raise MappingError(f"{id}:{line}: not UTF-8 at byte {error.start}; save it as UTF-8") from None
        return text, self._document(id, text)

    def _document(self, id: ItemId, text: str) -> Document:
        try:
            return self._format(id).parse(text, self._view)
        except Unparsable as error:
            line, column = error.position(text)
            next_step = "" if ";" in error.reason else "; correct the file there"
            raise MappingError(f"{id}:{line}:{column}: {error.reason}{next_step}") from None

    def _entries(self, item: Item, document: Document) -> Iterator[Entry | Refusal]:
        try:
            self._prefix(item.id)
        except ValueError as error:
            yield Refusal(str(error), item=item.id)
            return
        told: set[Key] = set()
        for leaf in document.leaves:
            if leaf.path[: len(self._root)] != self._root or self._gives_way(leaf):
                continue
            if leaf.path == self._root:
                yield Refusal(f"{item.id}:{leaf.line}: root is one value here, not a map", item=item.id)
                continue
            try:
                key = self._key(item.id, leaf)
            except ValueError as error:
                yield Refusal(f"{item.id}:{leaf.line}: {error}", item=item.id)
                continue
            if leaf.value is not None:
                yield Entry(key, leaf.value, secret=item.secret)
            elif key not in told:
                told.add(key)
                yield Refusal(f"{item.id}:{leaf.line}: {leaf.refusal}", key, item.id)

    def _prefix(self, id: ItemId) -> Path:
        """The segments that this file's name puts before its keys. Raises ValueError."""
        relative = id.removeprefix(self._place_root) if self._single is None else PurePosixPath(id).name
        match self._options.prefix:
            case "none":
                return ()
            case "path":
                names = tuple(relative.split("/"))
                if self._single is None and self._file_depth(names) != len(names):
                    raise ValueError(f"{id}: a folder of it is named like a file; rename it")
                return names
            case "stem":
                if "/" in relative:
                    raise ValueError(f"{id}: prefix: stem takes files of one folder; say prefix: path")
                return (relative.removesuffix(self._suffix or PurePosixPath(relative).suffix),)

    def _file_of(self, names: Path) -> ItemId | None:
        """The file of a glob that the first segments of a key name; None where they name none."""
        match self._options.prefix:
            case "none":
                return self._place_root + str(self._options.into)
            case "stem" if len(names) > 1 and self._suffix and "/" not in names[0]:
                return f"{self._place_root}{names[0]}{self._suffix}"
            case "path" if self._suffix and 0 < (depth := self._file_depth(names)) < len(names):
                return self._place_root + "/".join(names[:depth])
            case _:
                return None

    def _file_depth(self, names: Path) -> int:
        """How many of these names lead to a file; 0 where none does."""
        return next((n for n, name in enumerate(names, 1) if name.endswith(self._suffix)), 0)

    def _checked(self, id: ItemId, key: Key) -> ItemId | Refusal:
        try:
            self._path(id, key)
        except ValueError as error:
            return Refusal(str(error), key, id)
        return id

    def _edited(self, id: ItemId, text: str, document: Document, entries: Sequence[Entry]) -> str:
        """The text with our entries as they shall be. Raises `MappingError`."""
        edits = self._edits(id, document, entries)
        if not (edits.replace or edits.remove or edits.add):
            return text
        try:
            edited = document.edit(edits)
            after = self._format(id).parse(edited, self._view)
        except ValueError as error:
            raise MappingError(f"{id}: {error}") from None
        except Unparsable:
            raise MappingError(f"{id}: {_SPOILT}") from None
        if edited.startswith("\ufeff") or _tally(after.leaves) != _expected(document.leaves, edits):
            raise MappingError(f"{id}: {_SPOILT}")
        return edited

    def _edits(self, id: ItemId, document: Document, entries: Sequence[Entry]) -> Edits:
        """What differs between a document and our entries. Raises `MappingError` with all reasons."""
        ours = {leaf.path: leaf for leaf in document.leaves if self._is_ours(id, leaf)}
        problems: list[str] = []
        wanted: dict[Path, Value] = {}
        for entry in entries:
            try:
                path = self._path(id, entry.key)
                wanted[path] = self._image(id, entry.value, ours.get(path))
            except ValueError as error:
                problems.append(f"{entry.key}: {error}")
        if problems:
            raise MappingError(f"{id}: " + "; ".join(problems))
        add = {path: value for path, value in wanted.items() if path not in ours}
        remove = {path for path, leaf in ours.items() if leaf.value is not None and path not in wanted}
        if add:
            remove |= {leaf.path for leaf in document.leaves if self._gives_way(leaf)}
        replace = {path: value for path, value in wanted.items() if path in ours}
        changed = {path: value for path, value in replace.items() if ours[path].value != value}
        return Edits(changed, frozenset(remove), add)

    def _path(self, id: ItemId, key: Key) -> Path:
        """Where a key lies in the document. Raises ValueError."""
        before, names = self._prefix(id), key.segments
        if names[: len(before)] != before or len(names) == len(before):
            raise ValueError(f"it does not lie beneath {'/'.join(before)!r}, the file's own prefix")
        return (*self._root, *names[len(before) :])

    def _image(self, id: ItemId, value: Value, leaf: Leaf | None) -> Value:
        """The value as it will read back. Raises ValueError where the document cannot say it."""
        if leaf is not None and leaf.value is None:
            raise ValueError(leaf.refusal)
        if leaf is not None and leaf.value == value:
            return value
        if value.type is Type.REFERENCE:
            value = Value(Type.STRING, value.text)
        return self._format(id).image(value, self._view)

    def _is_ours(self, id: ItemId, leaf: Leaf) -> bool:
        """Has it a key? What has none is neither read nor taken out."""
        if leaf.path[: len(self._root)] != self._root or leaf.path == self._root:
            return False
        try:
            self._key(id, leaf)
        except ValueError:
            return False
        return True

    def _key(self, id: ItemId, leaf: Leaf) -> Key:
        """Raises ValueError where its names are no segments of a key."""
        return Key.of(*self._prefix(id), *leaf.path[len(self._root) :])

    def _gives_way(self, leaf: Leaf) -> bool:
        """Is it an empty value above our keys?"""
        empty = leaf.value in (Value.null(), Value(Type.JSON, "{}"))
        return empty and len(leaf.path) <= len(self._root) and self._root[: len(leaf.path)] == leaf.path


Tally = Counter[tuple[Path, Value | None]]


def _tally(leaves: Sequence[Leaf]) -> Tally:
    return Counter((leaf.path, leaf.value) for leaf in leaves)


def _expected(leaves: Sequence[Leaf], edits: Edits) -> Tally:
    kept = [leaf for leaf in leaves if leaf.path not in edits.replace and leaf.path not in edits.remove]
    return _tally(kept) + Counter((*edits.replace.items(), *edits.add.items()))
