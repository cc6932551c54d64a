"""The main job over the configuration of real projects: taken in, mirrored, edited, and given back.

Each job is imported into the store and carried to Consul and to Parameter Store; then the files are
made a side that is written too, and what somebody edits at Consul must change those bytes and no other.
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ecs_sync.cli.app import run
from ecs_sync_sandbox.aws import AwsServer
from ecs_sync_sandbox.consul import ConsulServer

from .projects import DATA, PROJECTS, Project

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the configuration of real projects is not here")

CONFIG = """\
store: {{url: "sqlite:///store.db", key: "file:secrets.key"}}
connections:
  files: {{adapter: files, root: data/{folder}}}
  consul: {{adapter: consul, url: "{consul}", key_grammar: {grammar}}}
  ssm:
    adapter: aws-ssm
    region: eu-west-1
    endpoint: "{aws}"
    credential: explicit
    access_key_id: "env:REAL_KEY_ID"
    secret_access_key: "env:REAL_KEY"
    pace: {{write_rate: 1000, rate: 1000}}
jobs:
  real:
    scope: {{application: "{name}"}}
    secret: {secret}
    links:
      - {{connection: files, place: "{place}", mapping: {mapping}, mode: {mode}, priority: 10}}
      - {{connection: consul, place: {name}/, mapping: path, mode: two-way, priority: 50}}
      - {{connection: ssm, place: /real/{name}/, mapping: path, mode: mirror, secrets: copy}}
"""


@dataclass(frozen=True)
class World:
    """A folder with a copy of all projects, and the two servers."""

    folder: Path
    consul: ConsulServer
    aws: AwsServer

    def configure(self, project: Project, mode: str) -> None:
        text = CONFIG.format(
            folder=project.folder,
            consul=self.consul.url,
            aws=self.aws.url,
            grammar=project.grammar,
            name=project.name,
            secret=json.dumps(project.secret),
            place=project.place,
            mapping=project.mapping,
            mode=mode,
        )
        (self.folder / "ecs-sync.yaml").write_text(text)

    def ecs(self, *words: str) -> tuple[int, Any]:
        """The exit code of a verb and its document."""
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            code = run([*words, "-o", "json"])
        return code, json.loads(out.getvalue())

    def plan(self) -> Any:
        return self.ecs("plan", "real")[1]["plans"][0]

    def files(self) -> dict[str, bytes]:
        data = self.folder / "data"
        return {str(path.relative_to(data)): path.read_bytes() for path in data.rglob("*") if path.is_file()}

    def at_consul(self, project: Project) -> set[str]:
        prefix = f"{project.name}/"
        return {key.removeprefix(prefix) for key in self.consul.kv.keys(prefix)}

    def at_ssm(self, project: Project) -> dict[str, tuple[str, str]]:
        """The type and the value of each parameter."""
        prefix = f"/real/{project.name}/"
        pages = self.aws.client().get_paginator("get_parameters_by_path")
        found = pages.paginate(Path=prefix, Recursive=True, WithDecryption=True)
        parameters = [each for page in found for each in page["Parameters"]]
        return {each["Name"].removeprefix(prefix): (each["Type"], each["Value"]) for each in parameters}


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[ConsulServer, AwsServer]]:
    with ConsulServer() as consul, AwsServer() as aws:
        yield consul, aws


@contextlib.contextmanager
def opened(folder: Path, servers: tuple[ConsulServer, AwsServer]) -> Iterator[World]:
    """A world in a folder, with nothing at its servers."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(folder)
        monkeypatch.setenv("REAL_KEY_ID", "sandbox")
        monkeypatch.setenv("REAL_KEY", "sandbox")
        shutil.copytree(DATA, folder / "data")
        world = World(folder, *servers)
        world.consul.kv.delete_tree("")
        names = world.aws.names()
        for start in range(0, len(names), 10):
            world.aws.client().delete_parameters(Names=names[start : start + 10])
        assert run(["store", "new-key", "secrets.key"]) == 0
        yield world


@pytest.fixture
def world(tmp_path: Path, servers: tuple[ConsulServer, AwsServer]) -> Iterator[World]:
    with opened(tmp_path, servers) as world:
        yield world


@dataclass(frozen=True)
class Places:
    """All that lies at the places of a job at one moment."""

    files: dict[str, bytes]
    consul: set[str]
    ssm: dict[str, tuple[str, str]]

    @classmethod
    def of(cls, world: World, project: Project) -> Places:
        return cls(world.files(), world.at_consul(project), world.at_ssm(project))


@dataclass(frozen=True)
class Story:
    """One project from its files to both servers, an edit there and its way back, each step on record."""

    project: Project
    planned: Any
    before: Places
    code: int
    keys: set[str]
    mirrored: Places
    at_rest: bytes
    edited: Places
    restored: Places
    second_plans: list[list[Any]]
    """What was planned after each run, where nothing should be."""


@pytest.fixture(scope="module", params=PROJECTS, ids=lambda project: str(project.name))
def story(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    servers: tuple[ConsulServer, AwsServer],
) -> Story:
    with opened(tmp_path_factory.mktemp(request.param.name), servers) as world:
        return told(world, request.param)


def told(world: World, project: Project) -> Story:
    world.configure(project, "import")
    assert run(["init"]) == 0
    planned, before = world.plan(), Places.of(world, project)
    code, _ = world.ecs("sync", "real")
    keys = {entry["key"] for entry in world.ecs("get", "real", "--all")[1]["entries"]}
    mirrored = Places.of(world, project)
    second = [world.plan()["changes"]]
    at_rest = b"".join(path.read_bytes() for path in sorted(world.folder.glob("store.db*")))

    world.configure(project, "two-way")
    second.append(world.plan()["changes"])
    ids = {f"{project.name}/{edit.key}": edit.value.encode() for edit in project.edits}
    was = {id: world.consul.kv.read(id)[1][0].value for id in ids}
    edited = _edit(world, project, ids)
    second.append(world.plan()["changes"])
    restored = _edit(world, project, was)
    second.append(world.plan()["changes"])
    return Story(project, planned, before, code, keys, mirrored, at_rest, edited, restored, second)


def _edit(world: World, project: Project, values: Mapping[str, bytes | None]) -> Places:
    for id, value in values.items():
        world.consul.kv.put(id, value)
    world.ecs("sync", "real")
    return Places.of(world, project)


def refusals(plan: Any) -> dict[str, dict[str, str]]:
    """Of each link, the keys that were held back, and why."""
    links: dict[str, dict[str, str]] = {}
    for hold in plan["held"]:
        links.setdefault(hold["link"], {})[hold["key"]] = hold["reason"]
    return links


def test_what_a_place_cannot_take_is_named_with_its_reason_before_anything_is_written(story: Story) -> None:
    refused = {link: keys for link, keys in story.project.refused.items() if keys}
    found = refusals(story.planned)
    assert {link: set(keys) for link, keys in found.items()} == {
        link: set(keys) for link, keys in refused.items()
    }
    for link, keys in refused.items():
        for key, reason in keys.items():
            assert reason in found[link][key]
    assert story.planned["unseen"] == []
    assert story.before.consul == set()
    assert story.before.ssm == {}


def test_every_entry_is_taken_in_and_those_that_are_secret_are_known_for_it(story: Story) -> None:
    created = {each["key"]: each for each in story.planned["changes"] if each["side"] == "store"}
    assert len(created) == story.project.entries
    assert story.keys == set(created)
    assert {key for key, each in created.items() if each["after"]["secret"]} == story.project.secrets


def test_all_that_a_place_can_take_arrives_and_the_files_are_not_touched(story: Story) -> None:
    refused = {link: set(keys) for link, keys in story.project.refused.items()}
    assert story.code == (4 if any(refused.values()) else 0)
    assert story.mirrored.consul == story.keys - refused.get("consul", set())
    assert set(story.mirrored.ssm) == story.keys - refused.get("ssm", set())
    secure = {key for key, (kind, _) in story.mirrored.ssm.items() if kind == "SecureString"}
    assert secure == story.project.secrets
    assert story.mirrored.files == story.before.files


def test_a_second_run_has_nothing_to_do(story: Story) -> None:
    assert story.second_plans == [[], [], [], []]


def test_an_edit_at_consul_changes_those_bytes_of_that_file_and_no_other(story: Story) -> None:
    expected = dict(story.before.files)
    for edit in story.project.edits:
        assert expected[edit.file].count(edit.before) == 1
        expected[edit.file] = expected[edit.file].replace(edit.before, edit.after)
    assert story.edited.files == expected
    for edit in story.project.edits:
        if edit.key not in story.project.refused.get("ssm", {}):
            assert story.edited.ssm[edit.key][1] == edit.value


def test_taking_the_edit_back_restores_every_byte(story: Story) -> None:
    assert story.restored.files == story.before.files
    assert story.restored.ssm == story.mirrored.ssm


def test_no_secret_of_the_files_is_at_rest_in_clear(story: Story) -> None:
    assert len(story.at_rest) > 4096
    for key in story.project.secrets:
        text = story.mirrored.ssm[key][1]
        # One password is 'petclinic', which is the name of the database as well.
        assert text == "petclinic" or text.encode() not in story.at_rest


def test_values_that_parameter_store_keeps_for_itself_or_cannot_hold_are_refused_and_the_rest_arrives(
    world: World,
) -> None:
    [project] = [project for project in PROJECTS if project.name == "demo"]
    env = world.folder / "data" / "otel-demo" / "demo.env"
    with env.open("a") as file:
        file.write(f"TEMPLATE='{{{{ .Values.host }}}}:80'\nLONG={'x' * 4097}\nLONGEST={'x' * 4096}\n")
    world.configure(project, "import")
    assert run(["init"]) == 0
    found = refusals(world.plan())["ssm"]
    assert set(found) == {"API_KEY", "TEMPLATE", "LONG"}
    assert found["API_KEY"] == "the value is empty"
    assert "{{" in found["TEMPLATE"]
    assert "4097 bytes" in found["LONG"]
    assert world.at_ssm(project) == {}
    assert world.ecs("sync", "real")[0] == 4
    at_ssm = world.at_ssm(project)
    assert len(at_ssm) == project.entries - 1 + 1
    assert not at_ssm.keys() & found.keys()
    assert at_ssm["LONGEST"] == ("String", "x" * 4096)
    assert world.plan()["changes"] == []


def test_one_template_keeps_all_profiles_of_the_same_files_in_step(world: World) -> None:
    world.configure(PROJECTS[0], "two-way")
    config = world.folder / "ecs-sync.yaml"
    connections = config.read_text().partition("jobs:\n")[0]
    config.write_text(
        connections
        + """\
jobs:
  "petclinic-{profile}":
    for_each: {profile: [docker, default, mysql]}
    shared: true
    scope: {application: "{profile}"}
    secret: ["*password*"]
    links:
      - connection: files
        place: "*.yml"
        mapping: {name: document, prefix: stem, profile: "{profile}"}
        mode: two-way
        priority: 10
      - {connection: consul, place: "petclinic-{profile}/", mapping: path, mode: two-way, priority: 50}
"""
    )
    assert run(["init"]) == 0
    world.ecs("sync")
    expected = world.files()
    for project in PROJECTS[1:4]:
        for edit in project.edits:
            world.consul.kv.put(f"{project.name}/{edit.key}", edit.value.encode())
            expected[edit.file] = expected[edit.file].replace(edit.before, edit.after)
    world.ecs("sync")
    assert world.files() == expected
    assert [plan["changes"] for plan in world.ecs("plan")[1]["plans"]] == [[], [], []]
