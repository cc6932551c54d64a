"""Whoever offers an adapter is found by name, costs nothing until used, and is named when it breaks."""

from __future__ import annotations

import importlib
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest

from ecs_sync.adapter import option
from ecs_sync.errors import ConfigError
from ecs_sync.nearest import nearest
from ecs_sync.registry import ADAPTERS, MAPPINGS, Registry, Spelled, describe, spell

from .own import REGISTRY, TreeAdapter, TreeOptions, points

METADATA = """\
Metadata-Version: 2.1
Name: strangers
Version: 1.2
Provides-Extra: cloud
Provides-Extra: all
Requires-Dist: ecs-sync
Requires-Dist: py-nosuchsdk<2,>=1; extra == "cloud"
Requires-Dist: py-nosuchsdk<2,>=1; extra == "all"
Requires-Dist: another; extra == "all"
"""
POINTS = """\
[ecs_sync.adapters]
guessed = strangers_needing:Adapter
declared = strangers_needing:Adapter [declared]
broken = strangers_broken:Adapter
lost = strangers_lost:Adapter
nameless = strangers_bare:Missing
bare = strangers_bare:Adapter
"""


@pytest.fixture
def strangers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """What is installed, with a stranger's distribution beside it."""
    folder = tmp_path / "strangers-1.2.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(METADATA, encoding="utf-8")
    (folder / "entry_points.txt").write_text(POINTS, encoding="utf-8")
    (tmp_path / "strangers_needing.py").write_text("import nosuchsdk.client\n", encoding="utf-8")
    (tmp_path / "strangers_broken.py").write_text("1 / 0\n", encoding="utf-8")
    (tmp_path / "strangers_bare.py").write_text("class Adapter: pass\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    yield Registry.from_entry_points()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "guessed",
            "the adapter 'guessed' needs nosuchsdk, which is not installed: pip install 'strangers[cloud]'",
        ),
        (
            "declared",
            "the adapter 'declared' needs nosuchsdk, which is not installed: "
            "pip install 'strangers[declared]'",
        ),
        (
            "broken",
            "the adapter 'broken' of strangers 1.2 cannot be loaded: ZeroDivisionError: division by zero",
        ),
        ("lost", "the adapter 'lost' of strangers 1.2 cannot be loaded: No module named 'strangers_lost'"),
        (
            "nameless",
            "the adapter 'nameless' of strangers 1.2 cannot be loaded: AttributeError: "
            "module 'strangers_bare' has no attribute 'Missing'",
        ),
        ("bare", "the adapter 'bare' of strangers 1.2 cannot be loaded: its 'Options' is not a dataclass"),
    ],
)
def test_what_cannot_be_loaded_says_who_offers_it_and_what_to_do(
    strangers: Registry, name: str, message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        strangers.adapter(name)
    assert str(caught.value) == message
    assert name in strangers.adapters
    assert strangers.origin(name) == "strangers 1.2"


def test_a_missing_sdk_of_ours_answers_with_the_line_that_installs_it() -> None:
    code = """
        import sys
        sys.modules["boto3"] = sys.modules["botocore"] = sys.modules["consul"] = None
        from ecs_sync.errors import ConfigError
        from ecs_sync.registry import Registry
        for name in ("aws-ssm", "consul"):
            try:
                adapter = Registry.from_entry_points().adapter(name)
                adapter(adapter.Options(**({"region": "eu-west-1"} if name == "aws-ssm" else {})))
            except ConfigError as error:
                print(error)
    """
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
    )
    assert "pip install 'ecs-sync[aws]'" in run.stdout
    assert "pip install 'ecs-sync[consul]'" in run.stdout


def test_names_are_known_without_importing_anything() -> None:
    code = """
        import sys
        from ecs_sync.registry import Registry
        registry = Registry.from_entry_points()
        assert {"aws-ssm", "consul", "files", "memory"} <= set(registry.adapters)
        assert {"document", "path"} <= set(registry.mappings)
        assert not {"ecs_sync_adapters", "ecs_sync_mappings", "boto3", "pydantic"} & sys.modules.keys()
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)


def test_an_unknown_name_is_answered_with_the_nearest_known_one() -> None:
    with pytest.raises(ConfigError, match="there is no adapter 'aws_smm'; did you mean 'aws-ssm'\\?"):
        REGISTRY.adapter("aws_smm")
    with pytest.raises(ConfigError, match="there is no mapping 'zzz' \\(installed are document, path\\)"):
        REGISTRY.mapping("zzz")
    with pytest.raises(ConfigError, match="none is installed"):
        Registry([], []).mapping("path")


def test_two_packages_that_offer_one_name_are_both_named() -> None:
    twice = points(ADAPTERS, consul="TreeAdapter") + points(ADAPTERS, consul="FilesAdapter")
    with pytest.raises(ConfigError, match=r"is offered by .* and .*: uninstall all but one"):
        Registry(twice, []).adapter("consul")


def test_one_package_found_twice_on_the_path_is_one() -> None:
    again = Registry(points(ADAPTERS, consul="TreeAdapter") * 2, points(MAPPINGS))
    assert again.adapter("consul") is TreeAdapter


def test_options_describe_themselves() -> None:
    fields = {field.name: field for field in describe(TreeOptions)}
    assert (fields["timeout"].type, fields["timeout"].default) == ("number", 20.0)
    assert (fields["timeout"].help, fields["timeout"].required) == ("Seconds", False)
    assert fields["token"].secret
    assert not fields["url"].secret
    assert fields["consistency"].type == "`consistent` | `default`"


def test_an_option_without_a_default_is_required() -> None:
    @dataclass(frozen=True, slots=True)
    class Options:
        region: str = option("The region")

    assert describe(Options)[0].required


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (int | None, "whole number"),
        (str | int, "text or whole number"),
        (tuple[str, ...], "list of text"),
        (list[int], "list of whole number"),
        (dict[str, Path], "map of name to path"),
        (Colour, "`red` | `blue`"),
        (Literal["a", "b"] | None, "`a` | `b`"),
        (Annotated[float, Spelled("percentage")], "percentage"),
        (Annotated[bool, "nothing known"], "true or false"),
        (Any, "anything"),
    ],
)
def test_types_are_said_in_words(annotation: Any, words: str) -> None:
    assert spell(annotation) == words


@pytest.mark.parametrize(
    ("name", "known", "meant"),
    [
        ("sms", ["ssm-us", "ssm", "ssm-eu"], "ssm"),
        ("ssm-uss", ["ssm-us", "ssm", "ssm-eu"], "ssm-us"),
        ("Consul_eu", ["consul", "consul-eu"], "consul-eu"),
    ],
)
def test_of_names_that_are_as_near_the_shortest_is_meant(name: str, known: list[str], meant: str) -> None:
    assert nearest(name, known) == nearest(name, known[::-1]) == f"; did you mean {meant!r}?"
    assert nearest("zzz", known) == "" == nearest("zzz", [])
