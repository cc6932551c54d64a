"""Adapters and mappings of our own, offered through entry points as a stranger's would be."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from ecs_sync.adapter import Features, Guard, Item, ItemId, Listing, Outcome, Token, Write, option
from ecs_sync.config import Config, load
from ecs_sync.errors import ConfigError
from ecs_sync.mapping import Refusal
from ecs_sync.model import Entry, Key, Scope
from ecs_sync.registry import ADAPTERS, MAPPINGS, Registry


@dataclass(frozen=True, slots=True)
class TreePlace:
    prefix: str = option("Ends in '/'")
    label: str | None = option("Such as prod", default=None)

    def __post_init__(self) -> None:
        if not self.prefix.endswith("/"):
            raise ValueError("the prefix must end in '/'")

    @classmethod
    def parse(cls, text: str) -> Self:
        return cls(text)

    @property
    def root(self) -> str:
        return self.prefix

    def overlaps(self, other: Self) -> bool:
        near = self.prefix.startswith(other.prefix) or other.prefix.startswith(self.prefix)
        return near and self.label == other.label

    def __str__(self) -> str:
        return f"{self.prefix}#{self.label}" if self.label else self.prefix


@dataclass(frozen=True, slots=True)
class FilePlace:
    name: str = option("The file")

    @classmethod
    def parse(cls, text: str) -> Self:
        return cls(text)

    @property
    def root(self) -> str:
        return self.name

    def overlaps(self, other: Self) -> bool:
        return self.name == other.name

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class TreeOptions:
    url: str = option("Where it is", default="http://127.0.0.1:8500")
    timeout: float = option("Seconds", default=20.0)
    batch: int = option("Writes at once", default=64)
    consistency: Literal["consistent", "default"] = option("How to read", default="consistent")
    strict: bool = option("Refuse odd keys", default=True)
    tags: tuple[str, ...] = option("Tags of new items", default=())
    token: str | None = option("The token", default=None, secret=True)

    def __post_init__(self) -> None:
        if not self.url.startswith("http"):
            raise ValueError("url must begin with http")
        if self.token is not None and " " in self.token:
            raise ValueError(f"the token {self.token} holds a space")


@dataclass(frozen=True, slots=True)
class FilesOptions:
    root: Path = option("The folder")


@dataclass(frozen=True, slots=True)
class RegionOptions:
    region: str = option("The region")
    release: str | None = option("Read what was released so", default=None, only_reads=True)


@dataclass(frozen=True, slots=True)
class LabelOptions:
    endpoint: str = option("The address")
    credential: Literal["default", "explicit"] = option("Where the credential comes from", default="default")
    connection_string: str | None = option("For explicit", default=None, secret=True)


@dataclass(frozen=True, slots=True)
class MountOptions:
    url: str | None = option("The address", default=None, where=True)
    mount: str | None = option("Where the engine is mounted", default=None, where=True)
    role: str | None = option("Who asks", default=None)
    token: str | None = option("The token", default=None, secret=True)


def _adapter(options_type: type, place_type: type) -> type:
    @dataclass(frozen=True, slots=True)
    class Adapter:
        options: Any

        Options: ClassVar[type] = options_type
        Place: ClassVar[type] = place_type

        @property
        def features(self) -> Features:
            return Features(Guard.A)

        def list(self, place: Any, since: Token | None) -> Listing:
            return Listing()

        def get(self, ids: Sequence[ItemId]) -> Listing:
            return Listing()

        def write(self, writes: Sequence[Write]) -> Sequence[Outcome]:
            return ()

        def close(self) -> None:
            return None

    return Adapter


TreeAdapter = _adapter(TreeOptions, TreePlace)
FilesAdapter = _adapter(FilesOptions, FilePlace)
RegionAdapter = _adapter(RegionOptions, TreePlace)
MountAdapter = _adapter(MountOptions, TreePlace)
LabelAdapter = _adapter(LabelOptions, TreePlace)


@dataclass(frozen=True, slots=True)
class PathOptions:
    separator: str = option("Between segments", default="/")
    types: Literal["text", "json"] = option("How values are spelled", default="text")


@dataclass(frozen=True, slots=True)
class PathMapping:
    options: Any
    place: Any
    scope: Scope

    Options: ClassVar[type] = PathOptions
    single: ClassVar[bool] = True
    ordered: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not isinstance(self.place, TreePlace):
            raise ValueError("a path mapping wants a place with a prefix: use document")

    def locate(self, key: Key) -> ItemId | Refusal:
        return key.text

    def read(self, item: Item) -> Sequence[Entry | Refusal]:
        return ()

    def write(self, id: ItemId, entries: Sequence[Entry], existing: Item | None) -> Item | None:
        return existing


@dataclass(frozen=True, slots=True)
class DocumentOptions:
    lists: Literal["json", "indexed"] = option("How lists are read", default="json")


@dataclass(frozen=True, slots=True)
class DocumentMapping:
    options: Any
    place: Any
    scope: Scope

    Options: ClassVar[type] = DocumentOptions


def points(group: str, **names: str) -> list[EntryPoint]:
    """Entry points to names of this module."""
    return [EntryPoint(name.replace("_", "-"), f"{__name__}:{named}", group) for name, named in names.items()]


REGISTRY = Registry(
    points(
        ADAPTERS,
        consul="TreeAdapter",
        files="FilesAdapter",
        aws_ssm="RegionAdapter",
        azure_appconfig="LabelAdapter",
    ),
    points(MAPPINGS, path="PathMapping", document="DocumentMapping"),
)


def write(folder: Path, text: str) -> Path:
    path = folder / "ecs-sync.yaml"
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return path


def loaded(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> Config:
    return load(write(folder, text), environ=environ or {}, registry=REGISTRY)


def refused(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> ConfigError:
    """The error that loading ends with."""
    try:
        config = loaded(folder, text, environ)
    except ConfigError as error:
        return error
    raise AssertionError(f"loaded: {config}")
