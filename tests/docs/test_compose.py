"""The compose file is of one piece: what it names is there, and what it starts is understood."""

from __future__ import annotations

import re
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from ecs_sync.cli.worker import worker

from .pages import ROOT
from .test_commands import understood

WORDS = {"type": "array", "items": {"type": "string"}, "minItems": 1}
SERVICE = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "image": {"type": "string", "pattern": "^[a-z0-9./-]+:[0-9][a-z0-9.-]*$"},
        "build": {
            "type": "object",
            "additionalProperties": False,
            "required": ["context", "dockerfile_inline"],
            "properties": {"context": {"const": "."}, "dockerfile_inline": {"type": "string"}},
        },
        "command": WORDS,
        "environment": {"type": "object", "additionalProperties": {"type": "string"}},
        "healthcheck": {
            "type": "object",
            "additionalProperties": False,
            "required": ["test"],
            "properties": {
                "test": WORDS,
                "interval": {"type": "string", "pattern": "^[0-9]+s$"},
                "retries": {"type": "integer"},
            },
        },
        "ports": {"type": "array", "items": {"type": "string", "pattern": r"^127\.0\.0\.1:\d+:\d+$"}},
        "volumes": {"type": "array", "items": {"type": "string", "pattern": "^[^:]+:/[^:]+$"}},
        "working_dir": {"type": "string", "pattern": "^/"},
        "stop_grace_period": {"type": "string", "pattern": "^[0-9]+s$"},
        "depends_on": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "additionalProperties": False,
                "required": ["condition"],
                "properties": {"condition": {"enum": ["service_started", "service_healthy"]}},
            },
        },
    },
    "oneOf": [{"required": ["image"]}, {"required": ["build"]}],
}
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["services"],
    "properties": {
        "services": {"type": "object", "additionalProperties": SERVICE},
        "volumes": {"type": "object", "additionalProperties": {"type": "object"}},
    },
}
"""The part of the compose format that the file uses. Ports are those of the loopback address only."""


@pytest.fixture(scope="module")
def compose() -> Any:
    return YAML(typ="safe").load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))


def test_the_file_is_of_the_format_and_opens_nothing_to_the_network(compose: Any) -> None:
    jsonschema.validate(compose, SCHEMA)


def test_what_the_services_name_is_there(compose: Any) -> None:
    services = compose["services"]
    for service in services.values():
        for other, how in service.get("depends_on", {}).items():
            assert how["condition"] != "service_healthy" or "healthcheck" in services[other]
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            assert source == "." or source in compose["volumes"]


def test_the_image_of_the_worker_copies_what_the_wheel_is_built_from(compose: Any) -> None:
    recipe = compose["services"]["worker"]["build"]["dockerfile_inline"]
    copied = {word for line in re.findall(r"^COPY (.*)$", recipe, re.MULTILINE) for word in line.split()[:-1]}
    assert {"pyproject.toml", "README.md", "LICENSE", "src", "adapters", "mappings"} <= copied
    assert [name for name in copied if not (ROOT / name).exists()] == []


def test_the_worker_is_started_as_it_can_be_and_is_given_the_time_it_takes(compose: Any) -> None:
    service = compose["services"]["worker"]
    assert service["command"][0] == "ecs-sync"
    understood(service["command"][1:])
    grace = next(option for option in worker.params if option.name == "grace")
    assert int(service["stop_grace_period"].rstrip("s")) > float(str(grace.default))
