from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from ecs_sync.config import load, schema
from ecs_sync.config.reference import EXAMPLE, reference
from ecs_sync.errors import ConfigError
from ecs_sync.limits import Limits
from ecs_sync.model import HAND_PRIORITY, Scope
from ecs_sync.policy import WORDS, First, JobPolicy, Mode, Rule, Word
from ecs_sync.registry import Registry
from ecs_sync.selection import Selection

from .own import REGISTRY, FilesOptions, TreeOptions, TreePlace, loaded, write

REPOSITORY = Path(__file__).parents[2]

WHOLE = """\
store: {url: "sqlite:///ecs-sync.db"}
connections:
  legacy: {adapter: files, root: ./config}
  consul: {adapter: consul, url: "http://127.0.0.1:8500", token: "env:CONSUL_TOKEN"}
  ssm:    {adapter: aws-ssm, region: eu-west-1}
  azure:  {adapter: azure-appconfig, endpoint: "https://acme.azconfig.io", credential: default}
jobs:
  payments:
    scope: {tenant: acme, environment: prod, application: payments}
    every: 5m
    conflicts: priority
    limits: {deletes: 30%, changes: 50%, floor: 10}
    protected: ["db/*"]
    links:
      - {connection: legacy, place: payments.yaml, mapping: document, mode: import, priority: 10}
      - {connection: consul, place: acme/prod/payments/, mapping: path, mode: two-way, priority: 50}
      - connection: azure
        place: {prefix: "payments/", label: prod}
        mapping: path
        mode: two-way
        priority: 30
      - {connection: ssm, place: /acme/prod/payments/, mapping: path, mode: mirror}
"""

SHORT = """\
store: {{url: "sqlite:///ecs-sync.db"}}
connections: {{consul: {{adapter: consul}}}}
jobs:
  one:
    {job}
    links:
      - {{connection: consul, place: one/, mapping: path, {link}}}
"""


def short(link: str = "mode: mirror", job: str = "paused: false") -> str:
    return SHORT.format(link=link, job=job)


def test_the_example_of_the_design_becomes_values(tmp_path: Path) -> None:
    config = loaded(tmp_path, WHOLE)
    job = config.jobs["payments"]

    assert config.store.address() == f"sqlite:///{tmp_path}/ecs-sync.db"
    assert config.store.priority == HAND_PRIORITY
    assert job.scope == Scope("acme", None, "prod", "payments")
    assert (job.every, job.cron) == (timedelta(minutes=5), None)
    assert (job.policy, job.limits) == (JobPolicy(Rule.PRIORITY, False), Limits(30, 50, 10))
    assert job.protected == (Selection(("db/*",)),)
    assert [link.name for link in job.links] == ["legacy", "consul", "azure", "ssm"]
    assert [link.policy.mode for link in job.links] == [Mode.IMPORT, Mode.TWO_WAY, Mode.TWO_WAY, Mode.MIRROR]
    assert [link.policy.priority for link in job.links] == [10, 50, 30, 0]
    assert job.links[2].place == TreePlace("payments/", "prod")
    assert config.connections["legacy"].options() == FilesOptions(tmp_path / "config")


def test_the_example_of_the_reference_page_loads_with_what_is_installed(tmp_path: Path) -> None:
    config = load(write(tmp_path, EXAMPLE), environ={"CONSUL_TOKEN": "t"})
    assert set(config.jobs) == {"payments"}


def test_a_link_can_set_each_word_of_its_mode(tmp_path: Path) -> None:
    said = "mode: two-way, priority: 1, pending: hold, drifted: push, conflict: hold, foreign: hold"
    words = loaded(tmp_path, short(said)).jobs["one"].links[0].policy.words
    assert (words.pending, words.drifted, words.conflict, words.foreign) == (
        Word.HOLD,
        Word.PUSH,
        Word.HOLD,
        Word.HOLD,
    )


@pytest.mark.parametrize("mode", list(Mode))
def test_without_words_of_its_own_a_link_has_its_modes(tmp_path: Path, mode: Mode) -> None:
    link = loaded(tmp_path, short(f"mode: {mode}, priority: 1")).jobs["one"].links[0]
    assert link.policy.words == WORDS[mode]
    assert link.policy.deletes is (mode is not Mode.EXPORT)
    assert (link.policy.first, link.policy.prune, link.secrets) == (First.HOLD, False, "refuse")


def test_an_export_pushes_deletes_only_where_it_is_told_to(tmp_path: Path) -> None:
    assert loaded(tmp_path, short("mode: export, deletes: on")).jobs["one"].links[0].policy.deletes
    assert not loaded(tmp_path, short("mode: export")).jobs["one"].links[0].policy.deletes
    assert not loaded(tmp_path, short("mode: mirror, deletes: off")).jobs["one"].links[0].policy.deletes


def test_everything_else_that_a_link_can_say(tmp_path: Path) -> None:
    said = (
        "name: main, mode: mirror, priority: 3, first: place, prune: foreign, secrets: copy,"
        " hard_deletes: true, select: {include: ['db/**'], exclude: ['db/tmp']}"
    )
    link = loaded(tmp_path, short(said)).jobs["one"].links[0]
    assert (link.name, link.policy.link, link.connection) == ("main", "main", "consul")
    assert (link.policy.first, link.policy.prune, link.hard_deletes) == (First.PLACE, True, True)
    assert (link.select, link.secrets) == (Selection(("db/**",), ("db/tmp",)), "copy")


def test_a_mapping_takes_its_options_beside_its_name(tmp_path: Path) -> None:
    text = short().replace("mapping: path", "mapping: {name: path, types: json}")
    link = loaded(tmp_path, text).jobs["one"].links[0]
    assert (link.mapping, link.mapping_options.types, link.mapping_options.separator) == ("path", "json", "/")


def test_a_job_runs_by_interval_by_cron_or_by_hand(tmp_path: Path) -> None:
    for written, meant in {"90s": 90, "5m": 300, "1h": 3600, "2d": 172800}.items():
        assert loaded(tmp_path, short(job=f"every: {written}")).jobs["one"].every == timedelta(seconds=meant)
    assert loaded(tmp_path, short(job='cron: "*/5 8-18 * * mon-fri"')).jobs["one"].cron
    by_hand = loaded(tmp_path, short()).jobs["one"]
    assert (by_hand.every, by_hand.cron) == (None, None)


def test_the_worker_the_store_and_the_pace_have_their_settings(tmp_path: Path) -> None:
    text = """\
        store:
          url: env:DATABASE_URL
          key: file:keys/store
          fingerprint_key: keys/fingerprint
          anchor: /var/lib/anchor
          priority: 100
        connections:
          consul: {adapter: consul, pace: {rate: 5, write_rate: 0.5, concurrency: 2, retries: 0, timeout: 2m}}
        worker: {lease: 30s, jitter: 5s, threads: 2, health: "[::1]:8080"}
        """
    config = loaded(tmp_path, text, {"DATABASE_URL": "postgresql+psycopg://app:pw@db/ecs"})
    pace = config.connections["consul"].pace
    assert config.store.address() == "postgresql+psycopg://app:pw@db/ecs"
    assert (config.store.fingerprint_key, config.store.anchor) == (
        tmp_path / "keys/fingerprint",
        Path("/var/lib/anchor"),
    )
    assert (pace.rate, pace.write_rate, pace.concurrency, pace.retries, pace.timeout) == (5, 0.5, 2, 0, 120)
    assert (config.worker.lease, config.worker.jitter, config.worker.threads) == (30, 5, 2)
    assert (config.worker.health, config.store.priority) == (("::1", 8080), 100)


def test_yaml_1_2_is_read_so_that_no_and_on_are_texts(tmp_path: Path) -> None:
    job = loaded(tmp_path, short(job="scope: {tenant: no, environment: on}")).jobs["one"]
    assert job.scope == Scope(tenant="no", environment="on")


def test_anchors_and_merges_save_typing(tmp_path: Path) -> None:
    text = """\
        store: {url: "sqlite:///s.db"}
        connections:
          one: &tree {adapter: consul, timeout: 3, url: "http://one"}
          two: {<<: *tree, url: "http://two"}
        """
    connections = loaded(tmp_path, text).connections
    assert connections["two"].options() == TreeOptions(url="http://two", timeout=3)


def test_sections_that_are_commented_out_whole_are_no_problem(tmp_path: Path) -> None:
    assert loaded(tmp_path, 'store: {url: "sqlite:///s.db"}\nconnections:\njobs:\n').jobs == {}


def test_a_template_makes_a_job_of_every_combination(tmp_path: Path) -> None:
    tenants = [f"tenant-{number}" for number in range(20)]
    text = f"""\
        store: {{url: "sqlite:///s.db"}}
        connections: {{consul: {{adapter: consul}}}}
        jobs:
          "payments-{{tenant}}-{{stage}}":
            for_each: {{tenant: [{", ".join(tenants)}], stage: [test, prod]}}
            scope: {{tenant: "{{tenant}}", environment: "{{stage}}"}}
            links:
              - {{connection: consul, place: "{{stage}}/{{tenant}}/{{{{x}}}}/", mapping: path, mode: mirror}}
        """
    jobs = loaded(tmp_path, text).jobs
    assert len(jobs) == 40
    assert jobs["payments-tenant-7-prod"].scope == Scope(tenant="tenant-7", environment="prod")
    assert str(jobs["payments-tenant-7-prod"].links[0].place) == "prod/tenant-7/{x}/"


def test_jobs_that_both_say_so_may_write_the_same_place(tmp_path: Path) -> None:
    text = """\
        store: {url: "sqlite:///s.db"}
        connections: {consul: {adapter: consul}}
        jobs:
          one: {shared: true, links: [{connection: consul, place: a/, mapping: path, mode: mirror}]}
          two: {shared: true, links: [{connection: consul, place: a/b/, mapping: path, mode: mirror}]}
          audit: {links: [{connection: consul, place: a/, mapping: path, mode: audit}]}
          other: {links: [{connection: consul, place: {prefix: a/, label: x}, mapping: path, mode: mirror}]}
        """
    assert len(loaded(tmp_path, text).jobs) == 4


def test_the_schema_for_editors_accepts_what_loads(tmp_path: Path) -> None:
    from jsonschema import Draft202012Validator
    from ruamel.yaml import YAML

    built = schema(REGISTRY)
    Draft202012Validator.check_schema(built)
    validator = Draft202012Validator(built)
    tree = YAML(typ="safe", pure=True).load(WHOLE)
    assert list(validator.iter_errors(tree)) == []
    tree["jobs"]["payments"]["links"][0]["mod"] = "import"
    tree["connections"]["consul"]["token"] = "a plain secret"
    tree["connections"]["ssm"]["regoin"] = "eu-west-1"
    assert len(list(validator.iter_errors(tree))) == 3


def test_the_schema_of_what_is_installed_accepts_the_example_of_the_reference_page() -> None:
    from jsonschema import Draft202012Validator
    from ruamel.yaml import YAML

    tree = YAML(typ="safe", pure=True).load(EXAMPLE)
    assert list(Draft202012Validator(schema()).iter_errors(tree)) == []


def test_the_reference_page_is_current() -> None:
    page = (REPOSITORY / "docs/configuration.md").read_text(encoding="utf-8")
    assert page == reference(), "run python -m ecs_sync.config reference > docs/configuration.md"


def test_the_reference_page_describes_every_option_of_every_adapter() -> None:
    page = reference(REGISTRY)
    for words in (
        "| `connection_string` | `env:NAME`, `file:PATH` or `@secret:CONNECTION/NAME` |",
        "| `lists` | `json` \\| `indexed` |",
    ):
        assert words in page


def test_schema_and_reference_are_printed_by_a_command() -> None:
    for what, first in {"schema": '{\n  "$schema"', "reference": "# Configuration"}.items():
        run = subprocess.run(
            [sys.executable, "-m", "ecs_sync.config", what], capture_output=True, text=True, check=True
        )
        assert run.stdout.startswith(first)
        assert run.stderr == ""


def test_a_file_that_is_not_there_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="ecs-sync init"):
        load(tmp_path / "none.yaml", environ=os.environ, registry=Registry([], []))
