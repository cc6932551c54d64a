"""Connections of many tenants: made by a template, and chosen by a rule on the scope of a job."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ecs_sync.config import Config, schema

from .own import REGISTRY, TreeOptions, loaded, refused

EACH = """\
store: {url: "sqlite:///s.db"}
connections:
  "vault-{tenant}":
    for_each: {tenant: [acme, globex]}
    adapter: consul
    url: "https://vault.{tenant}.example"
    token: "env:VAULT_{tenant}"
jobs:
  "payments-{tenant}":
    for_each: {tenant: [acme, globex]}
    scope: {tenant: "{tenant}"}
    links:
      - {connection: "vault-{tenant}", place: payments/, mapping: path, mode: mirror}
"""

RULED = """\
store: {url: "sqlite:///s.db"}
tenants:
  acme: {region: eu}
  globex: {region: us, tier: 1}
environments:
  prod: {kind: live}
connections:
  vault-eu: {adapter: consul, url: "http://eu", group: vault, match: 'tenant.region == "eu"'}
  vault-us:
    adapter: consul
    url: "http://us"
    group: vault
    match: environment in [prod, test] and tenant.region == "us"
jobs:
  "pay-{tenant}":
    for_each: {tenant: [acme, globex]}
    scope: {tenant: "{tenant}", environment: prod}
    links:
      - {connection: vault, place: "{tenant}/", mapping: path, mode: mirror}
"""


def connections(config: Config) -> dict[str, str]:
    """The connection of each job's only link."""
    return {name: job.links[0].connection for name, job in config.jobs.items()}


def test_a_template_makes_a_connection_of_each_value(tmp_path: Path) -> None:
    config = loaded(tmp_path, EACH, {"VAULT_acme": "a", "VAULT_globex": "g"})
    assert connections(config) == {"payments-acme": "vault-acme", "payments-globex": "vault-globex"}
    assert config.connections["vault-acme"].options() == TreeOptions("https://vault.acme.example", token="a")
    assert config.connections["vault-globex"].options().token == "g"


def test_a_tenant_without_a_connection_of_its_own_is_said_once_for_the_job_that_wants_it(
    tmp_path: Path,
) -> None:
    problems = refused(tmp_path, EACH.replace("[acme, globex]}\n    scope", "[acme, initech]}\n    scope"))
    assert [problem.line for problem in problems.problems] == [13]
    assert (
        "there is no connection 'vault-initech'; did you mean 'vault-acme'? (there are vault-acme, "
        in str(problems)
    )


MISTAKES = {
    "a name without its variable": (
        EACH.replace('"vault-{tenant}":', "vault:"),
        3,
        "its name must hold {tenant}, so that each connection has a name of its own",
    ),
    "a variable there is not": (EACH.replace(".{tenant}.", ".{tenat}."), 6, "did you mean 'tenant'?"),
    "a name that is no name": (EACH.replace("{tenant: [acme,", "{tenant: [ac me,", 1), 3, "is not a name"),
    "an option's name": (EACH.replace("    url:", "    ulr:"), 6, "did you mean 'url'?"),
    "braces without for_each": (
        EACH.replace("    for_each: {tenant: [acme, globex]}\n    adapter", "    adapter"),
        3,
        "braces need 'for_each'",
    ),
    "no rule is for a scope": (
        RULED.replace("prod, test", "test"),
        19,
        "no connection of the group 'vault' is for the scope tenant=globex,environment=prod "
        "(there are 'vault-eu' (line 8), 'vault-us' (line 13))",
    ),
    "two rules are for a scope": (
        RULED.replace('== "us"', "!= uk"),
        19,
        "2 connections of the group 'vault' are for the scope tenant=acme,environment=prod, and it must "
        "be one: 'vault-eu' (line 8), 'vault-us' (line 13)",
    ),
    "a property there is not": (
        RULED.replace('tenant.region == "us"', "tenant.regoin == us"),
        13,
        "no tenant has a property 'regoin'; did you mean 'region'?",
    ),
    "a property of nothing that is declared": (
        RULED.replace("environment in [prod, test]", "application.owner == me"),
        13,
        "no application has a property 'owner': declare it under 'applications'",
    ),
    "a tenant without the property": (
        RULED.replace("  acme: {region: eu}\n", "  acme: {}\n"),
        19,
        "the rule of 'vault-eu' (line 8) asks for tenant.region, and tenant 'acme' has none: "
        "say it under tenants.acme",
    ),
    "a scope without the part": (
        RULED.replace(", environment: prod}", "}"),
        19,
        "the rule of 'vault-us' (line 13) asks for environment, and the job's scope has no environment",
    ),
    "a property that is no text": (
        RULED.replace("{region: eu}", "{region: eu, open: true}"),
        3,
        "must be text",
    ),
    "a property's name": (RULED.replace("{region: eu}", "{region: eu, a b: x}"), 3, "not a property's name"),
    "a secret as a property": (
        RULED.replace("{region: eu}", "{region: eu, key: env:K}"),
        3,
        "is not a secret",
    ),
    "a tenant's name": (RULED.replace("  globex:", "  x y: {}\n  globex:"), 4, "is not a scope name"),
    "tenants in a list": (RULED.replace("{kind: live}", "[live]"), 6, "must be a map of keys, not a list"),
    "a group without a rule": (
        RULED.replace("""match: 'tenant.region == "eu"'""", "").replace("vault, }", "vault}"),
        8,
        "'match' is missing: say which scopes of the group this connection is for",
    ),
    "a group that is called as a connection": (
        RULED.replace("group: vault,", "group: vault-us,").replace(
            "connection: vault,", "connection: vault-us,"
        ),
        8,
        "a connection is called 'vault-us' already (line 9)",
    ),
    "a group's name": (
        RULED.replace("group: vault,", "group: 'v t',").replace(" [acme, ", " ["),
        8,
        "is not a name",
    ),
    "a group that is mistyped": (
        RULED.replace("connection: vault,", "connection: valt,"),
        19,
        "there is no connection 'valt'; did you mean 'vault'?",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_each_mistake_with_tenants_is_refused_at_its_line(tmp_path: Path, name: str) -> None:
    text, line, message = MISTAKES[name]
    problems = refused(tmp_path, text).problems
    lines = {problem.line for problem in problems if message in problem.message}
    assert lines == {line}, problems


@pytest.mark.parametrize(
    ("before", "after", "column"),
    [
        ('tenant.region == "us"', "tenant.regoin == us", 44),
        ("match: environment", "match: enviroment", 12),
        ('[prod, test] and tenant.region == "us"', "[prod test]", 33),
        ("""'tenant.region == "eu"'""", """'tenant.region = "eu"'""", 85),
        ("""'tenant.region == "eu"'""", '"tenant.region = eu"', 85),
    ],
)
def test_a_mistake_in_a_rule_is_said_at_its_column(
    tmp_path: Path, before: str, after: str, column: int
) -> None:
    (problem,) = refused(tmp_path, RULED.replace(before, after)).problems
    assert problem.column == column
    line = RULED.replace(before, after).splitlines()[problem.line - 1]
    assert line[column - 1 :].startswith(("tenant.", "enviroment", "test]", "="))


@pytest.mark.parametrize(
    "rule", ['"tenant.region = \\"eu\\""', "'tenant.region = ''eu'''", "&r tenant.region = eu"]
)
def test_a_rule_that_is_escaped_or_anchored_is_said_where_it_begins(tmp_path: Path, rule: str) -> None:
    (problem,) = refused(tmp_path, RULED.replace("""'tenant.region == "eu"'""", rule)).problems
    assert (problem.line, problem.column) == (8, 70)


def test_two_connections_of_one_name_are_both_named(tmp_path: Path) -> None:
    text = EACH.replace("jobs:", '  vault-globex: {adapter: consul, url: "http://other"}\njobs:')
    (problem,) = refused(tmp_path, text).problems
    assert problem.line == 8
    assert problem.message == (
        f"two connections are called 'vault-globex': the other one stands at {tmp_path}/ecs-sync.yaml:3:3"
    )


def test_two_jobs_of_one_name_are_both_named(tmp_path: Path) -> None:
    link = "{connection: vault-acme, place: p/, mapping: path, mode: audit}"
    (problem,) = refused(tmp_path, EACH + f"  payments-acme: {{links: [{link}]}}\n").problems
    assert problem.line == 14
    assert problem.message.endswith(f"the other one stands at {tmp_path}/ecs-sync.yaml:9:3")


def test_a_link_takes_the_only_connection_whose_rule_is_for_its_scope(tmp_path: Path) -> None:
    config = loaded(tmp_path, RULED)
    assert connections(config) == {"pay-acme": "vault-eu", "pay-globex": "vault-us"}
    assert {job.links[0].name for job in config.jobs.values()} == {"vault"}


def test_a_connection_of_a_group_can_still_be_named_itself(tmp_path: Path) -> None:
    config = loaded(tmp_path, RULED.replace("connection: vault,", "connection: vault-us,"))
    assert connections(config) == {"pay-acme": "vault-us", "pay-globex": "vault-us"}


def test_a_template_of_connections_may_have_a_rule_for_each(tmp_path: Path) -> None:
    text = EACH.replace(
        '    token: "env:VAULT_{tenant}"\n', "    group: vault\n    match: tenant == '{tenant}'\n"
    )
    config = loaded(tmp_path, text.replace('connection: "vault-{tenant}"', "connection: vault"))
    assert connections(config) == {"payments-acme": "vault-acme", "payments-globex": "vault-globex"}


def test_a_broken_rule_or_scope_is_one_problem_and_not_one_for_each_job(tmp_path: Path) -> None:
    broken = RULED.replace('tenant.region == "us"', "tenant.region == ")
    assert [problem.line for problem in refused(tmp_path, broken).problems] == [13]
    unscoped = RULED.replace("environment: prod}", "environment: 'p d'}")
    assert [problem.line for problem in refused(tmp_path, unscoped).problems] == [17]


def test_places_overlap_by_the_connection_that_was_chosen(tmp_path: Path) -> None:
    other = "  other: {{links: [{{connection: {0}, place: acme/sub/, mapping: path, mode: mirror}}]}}\n"
    assert "overlaps the place of job 'pay-acme', link 'vault' (line 19)" in str(
        refused(tmp_path, RULED + other.format("vault-eu"))
    )
    assert len(loaded(tmp_path, RULED + other.format("vault-us")).jobs) == 3


@pytest.mark.parametrize("text", [EACH, RULED])
def test_the_schema_for_editors_accepts_templates_groups_and_properties(text: str) -> None:
    from jsonschema import Draft202012Validator
    from ruamel.yaml import YAML

    validator = Draft202012Validator(schema(REGISTRY))
    tree = json.loads(json.dumps(YAML(typ="safe", pure=True).load(text)))
    assert list(validator.iter_errors(tree)) == []
    next(iter(tree["connections"].values()))["groop"] = "x"
    tree["tenants"] = {"acme": {"region": True}}
    tree["connections"]["alone"] = {"adapter": "consul", "group": "alone"}
    assert len(list(validator.iter_errors(tree))) == 3
