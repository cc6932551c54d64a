"""What is wrong in a file is said with its place, what was meant, and what to do: all of it at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecs_sync.config import load
from ecs_sync.errors import ConfigError
from ecs_sync.registry import Registry

from .own import REGISTRY, refused, write
from .test_load import WHOLE, short

FIVE = """\
store: {url: "sqlite:///s.db"}
connections:
  consul:
    adapter: cosul
  trees:
    adapter: consul
    timeout: "5"
jobs:
  payments:
    scope: {tenant: "ac me"}
    evry: 5m
    links:
      - {connection: trees, place: a/, mapping: path, mode: miror}
"""


def test_five_mistakes_in_one_file_are_five_messages_with_their_places(tmp_path: Path) -> None:
    error = refused(tmp_path, FIVE)
    path = tmp_path / "ecs-sync.yaml"
    assert [str(problem) for problem in error.problems] == [
        f"{path}:4:14: connections.consul.adapter: there is no adapter 'cosul'; did you mean 'consul'? "
        "(installed are aws-ssm, azure-appconfig, consul, files)",
        f"{path}:7:14: connections.trees.timeout: must be a number, not text: write it without quotes",
        f"{path}:10:21: jobs.payments.scope.tenant: tenant 'ac me' is not a scope name: use letters, "
        "digits, '.', '_' and '-'",
        f"{path}:11:5: jobs.payments.evry: unknown key 'evry'; did you mean 'every'?",
        f"{path}:13:61: jobs.payments.links[0].mode: must be mirror, export, import, two-way or audit; "
        "did you mean 'mirror'?",
    ]
    assert all(str(problem) in str(error) for problem in error.problems)
    assert "5 problems" in str(error)


TREE = 'store: {url: "sqlite:///s.db"}\n'
TWO = """\
store: {{url: "sqlite:///s.db"}}
connections:
  consul: {{adapter: consul}}
  again: {{adapter: consul, timeout: 3, token: env:OTHER}}
jobs:
  one: {{links: [{{connection: consul, place: a/, mapping: path, {first}}}]}}
  two: {{links: [{{connection: again, place: a/b/, mapping: path, {second}}}]}}
"""

BIG = [f"t{number}" for number in range(101)]

MISTAKES = {
    "no store": ("connections: {}", 1, "'store' is missing"),
    "a store without a URL": ("store: {}", 1, "'url' is missing"),
    "a number for a URL": ("store: {url: 5}", 1, "must be a URL, not a whole number"),
    "half an address": ("store: {url: 'postgresql+psycopg://[::1'}", 1, "is not a URL"),
    "a file without a path": ("store: {url: 'file:'}", 1, "file: wants a path"),
    "an unknown database": ("store: {url: 'mysql://db'}", 1, "sqlite:/// or postgresql+psycopg://"),
    "a password in the URL": ("store: {url: 'postgresql+psycopg://a:b@c/d'}", 1, "holds a password"),
    "a store in memory": ("store: {url: 'sqlite://'}", 1, "must name a file"),
    "a top-level key": (TREE + "conections: {}", 2, "unknown key 'conections'; did you mean 'connections'?"),
    "a list for a map": (TREE + "connections: []", 2, "must be a map of keys, not a list"),
    "a text for a job": (TREE + "jobs: {one: two}", 2, "must be a map of keys, not text"),
    "a connection without adapter": (TREE + "connections: {one: {}}", 2, "'adapter' is missing"),
    "a connection's name": (
        TREE + "connections: {'o ne': {adapter: consul}}",
        2,
        "'o ne' is not a name",
    ),
    "an option's name": (
        TREE + "connections: {one: {adapter: consul, tiemout: 3}}",
        2,
        "unknown key 'tiemout'; did you mean 'timeout'?",
    ),
    "a required option": (
        TREE + "connections: {one: {adapter: aws-ssm}}",
        2,
        "'region' is missing: The region",
    ),
    "text for a whole number": (
        TREE + "connections: {one: {adapter: consul, batch: '5'}}",
        2,
        "must be a whole number, not text: write it without quotes",
    ),
    "a fraction for a whole number": (
        TREE + "connections: {one: {adapter: consul, batch: 5.5}}",
        2,
        "must be a whole number, not a number",
    ),
    "text for a switch": (
        TREE + "connections: {one: {adapter: consul, strict: 'yes'}}",
        2,
        "must be true or false, not text",
    ),
    "a number for a text": (
        TREE + "connections: {one: {adapter: consul, url: 5}}",
        2,
        "must be text, not a whole number",
    ),
    "a text for a list": (
        TREE + "connections: {one: {adapter: consul, tags: a}}",
        2,
        "must be a list of text, not text",
    ),
    "a choice": (
        TREE + "connections: {one: {adapter: consul, consistency: defualt}}",
        2,
        "must be consistent or default; did you mean 'default'?",
    ),
    "what the adapter refuses": (
        TREE + "connections: {one: {adapter: consul, url: ftp}}",
        2,
        "url must begin with http",
    ),
    "no calls at all": (
        TREE + "connections: {one: {adapter: consul, pace: {rate: 0}}}",
        2,
        "must be greater than 0",
    ),
    "a health address": (TREE + "worker: {health: here}", 2, "must be HOST:PORT"),
    "a lease of nothing": (TREE + "worker: {lease: 0s}", 2, "must be longer than nothing"),
    "an interval": (short(job="every: 5"), 5, "must be a duration"),
    "interval and cron": (
        short(job='every: 5m, cron: "* * * * *"').replace(", cron", "\n    cron"),
        6,
        "keep one",
    ),
    "a cron line": (short(job='cron: "61 * * * *"'), 5, "not a cron line"),
    "a cron line of three fields": (short(job='cron: "* * *"'), 5, "of five fields"),
    "a number for a cron line": (short(job="cron: 5"), 5, "must be a cron line in quotes"),
    "a number for a pattern": (short(job="secret: [5]"), 5, "must be patterns in quotes"),
    "a date there is never": (short(job='cron: "0 0 31 2 *"'), 5, "not a cron line"),
    "a percentage": (short(job="limits: {deletes: 0.3}"), 5, "must be a percentage"),
    "too large a percentage": (short(job="limits: {changes: 101%}"), 5, "must be a percentage"),
    "a pattern": (short(job="protected: ['db//x']"), 5, "no empty segment"),
    "a conflict rule": (short(job="conflicts: priorty"), 5, "did you mean 'priority'?"),
    "a scope's part": (short(job="scope: {tennant: a}"), 5, "did you mean 'tenant'?"),
    "a job without links": (TREE + "jobs: {one: {links: []}}", 2, "at least one link"),
    "an unknown connection": (
        short().replace("connection: consul", "connection: konsul"),
        7,
        "there is no connection 'konsul'; did you mean 'consul'?",
    ),
    "an unknown mapping": (
        short().replace("mapping: path", "mapping: paths"),
        7,
        "there is no mapping 'paths'; did you mean 'path'?",
    ),
    "a mapping's option": (
        short().replace("mapping: path", "mapping: {name: path, typs: json}"),
        7,
        "unknown key 'typs'; did you mean 'types'?",
    ),
    "a mapping without a name": (
        short().replace("mapping: path", "mapping: {}"),
        7,
        "must be a mapping's name",
    ),
    "a place that the mapping does not fit": (
        short().replace("{adapter: consul}", "{adapter: files, root: .}"),
        7,
        "a path mapping wants a place with a prefix: use document",
    ),
    "a place": (short().replace("place: one/", "place: one"), 7, "the prefix must end in '/'"),
    "a place as a map": (
        short().replace("place: one/", "place: {prefix: one/, lable: x}"),
        7,
        "unknown key 'lable'; did you mean 'label'?",
    ),
    "a number for a place": (short().replace("place: one/", "place: 5"), 7, "must be a map of keys"),
    "a link called store": (short("name: store, mode: mirror"), 7, "which means the store"),
    "no priority": (short("mode: two-way"), 7, "'priority' is missing"),
    "no priority at first contact": (short("mode: mirror, first: place"), 7, "'priority' is missing"),
    "a priority in quotes": (short("mode: two-way, priority: '5'"), 7, "must be a whole number, not text"),
    "an import that pushes": (
        short("mode: import, priority: 1, pending: push"),
        7,
        "mode import never writes the place",
    ),
    "an import that prunes": (
        short("mode: import, priority: 1, foreign: hold, prune: foreign"),
        7,
        "mode import never writes the place",
    ),
    "an audit that acts": (short("mode: audit, drifted: push"), 7, "mode audit only looks"),
    "adopted and deleted": (
        short("mode: two-way, priority: 1, prune: foreign"),
        7,
        "cannot be adopted and deleted",
    ),
    "deletes that nothing pushes": (short("mode: import, priority: 1, deletes: on"), 7, "pushes nothing"),
    "a word there is not": (short("mode: mirror, pending: adopt"), 7, "must be push or hold"),
    "a way with secrets": (short("mode: mirror, secrets: copies"), 7, "did you mean 'copy'?"),
    "an unknown template name": (
        short().replace("  one:\n", "  'one-{t}':\n    for_each: {t: [a]}\n    scope: {tenant: '{tt}'}\n"),
        6,
        "{tt} is not in for_each; did you mean 't'?",
    ),
    "a template without its variable": (
        short(job="for_each: {tenant: [a, b]}"),
        4,
        "its name must hold {tenant}",
    ),
    "a template that is no map": (short(job="for_each: [a]"), 5, "must be a map of names to lists"),
    "a template's variable": (short(job="for_each: {a-b: [a]}"), 5, "letters, digits and '_'"),
    "a template of too many": (
        short().replace("  one:\n", f"  '{{a}}{{b}}':\n    for_each: {{a: {BIG}, b: {BIG}}}\n"),
        5,
        "makes 10201 jobs",
    ),
    "two jobs of one name": (
        short("mode: audit").replace("links:", "links: &links")
        + "  'on{t}': {for_each: {t: [e]}, links: *links}",
        8,
        "two jobs are called 'one'",
    ),
    "a template of nothing": (short(job="for_each: {tenant: []}"), 5, "at least one text"),
    "a value twice": (short(job="for_each: {tenant: [a, a]}"), 5, "stands here twice"),
    "braces without for_each": (short().replace("  one:", "  'one-{t}':"), 4, "braces need 'for_each'"),
    "a template's mistake at its own line": (
        short("mode: miror").replace("  one:\n", "  'one-{t}':\n    for_each: {t: [a, b, c]}\n"),
        8,
        "did you mean 'mirror'?",
    ),
    "two jobs that write one place": (
        TWO.format(first="mode: mirror", second="mode: export"),
        7,
        "overlaps the place of job 'one', link 'consul' (line 6)",
    ),
    "a secret in a plain option": (
        TREE + "connections: {one: {adapter: consul, url: env:URL}}",
        2,
        "is not a secret",
    ),
    "a number for a secret": (
        TREE + "connections: {one: {adapter: consul, token: 5}}",
        2,
        "env:NAME, file:PATH or @secret:CONNECTION/NAME",
    ),
    "a variable's name": (
        TREE + "connections: {one: {adapter: consul, token: 'env:A B'}}",
        2,
        "letters, digits",
    ),
    "a reference as a secret": (
        TREE + "connections: {one: {adapter: consul, token: '@secret:vault/a'}}",
        2,
        "there is no connection 'vault'",
    ),
    "half a reference as a secret": (
        TREE + "connections: {one: {adapter: consul, token: '@secret:one'}}",
        2,
        "@secret:CONNECTION/NAME",
    ),
    "a tab": (TREE + "jobs:\n\tone: {}", 3, "a tab: YAML is indented with spaces only"),
    "a key twice": (TREE + "jobs: {}\njobs: {}", 3, "the key 'jobs' stands twice in one map"),
    "an open bracket": (TREE + "jobs: [", 2, "not YAML"),
    "a second document": (TREE + "---\njobs: {}", 2, "a second document begins here"),
    "nothing": ("# only a comment", 1, "is empty"),
    "a list as the file": ("- a", 1, "must be a map of keys, not a list"),
    "a tag": (TREE + "jobs: !!python/object:os.system {}", 2, "have no meaning here"),
    "an alias that contains itself": (TREE + "jobs: &a {one: *a}", 2, "an alias that contains itself"),
    "no such alias": (TREE + "jobs: *nothing", 2, "undefined alias"),
    "a list that is merged": (TREE + "jobs: {<<: [a]}", 2, "'<<' merges maps only"),
    "a list as a key": (TREE + "jobs: {[a]: b}", 2, "a key must be text"),
    "infinity": (TREE + "connections: {one: {adapter: consul, timeout: .inf}}", 2, "of no use"),
    "a control character": (TREE + "jobs: \x01", 2, "a character that YAML does not allow"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_each_mistake_is_refused_at_its_line(tmp_path: Path, name: str) -> None:
    text, line, message = MISTAKES[name]
    problems = refused(tmp_path, text).problems
    assert [(problem.line, message in problem.message) for problem in problems] == [(line, True)], problems


def test_two_links_of_one_job_do_not_write_one_place_even_if_it_is_shared(tmp_path: Path) -> None:
    link = "{connection: consul, place: one/a/, mapping: path, mode: mirror, name: second}"
    error = refused(tmp_path, short(job="shared: true") + f"      - {link}\n")
    assert "overlaps the place of link 'consul'" in error.problems[0].message


def test_two_links_of_one_job_have_two_names(tmp_path: Path) -> None:
    link = "{connection: consul, place: two/, mapping: path, mode: mirror}"
    assert "two links of the job are called 'consul'" in str(refused(tmp_path, short() + f"      - {link}\n"))


def test_only_places_that_both_could_write_are_a_problem(tmp_path: Path) -> None:
    text = TWO.format(first="mode: mirror", second="mode: import, priority: 1")
    assert len(load(write(tmp_path, text), environ={}, registry=REGISTRY).jobs) == 2


def test_all_overlaps_of_nested_places_are_found(tmp_path: Path) -> None:
    places = ["a/", "a/b/", "a/b/c/", "a/d/", "b/"]
    jobs = "".join(
        f"  j{i}: {{links: [{{connection: consul, place: {place}, mapping: path, mode: mirror}}]}}\n"
        for i, place in enumerate(places)
    )
    error = refused(tmp_path, TREE + "connections: {consul: {adapter: consul}}\njobs:\n" + jobs)
    pairs = {(p.path, p.message.split("job '")[1][:2]) for p in error.problems}
    assert pairs == {
        ("jobs.j1.links[0].place", "j0"),
        ("jobs.j2.links[0].place", "j0"),
        ("jobs.j2.links[0].place", "j1"),
        ("jobs.j3.links[0].place", "j0"),
    }


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"store: \xff\xfe", "is not UTF-8 text"),
        ("store: {}".encode("utf-16"), "is not UTF-8 text"),
        (b"a: " + b"x" * (1 << 20), "is larger than 1 MiB"),
        (b"a: " + b"[" * 1_000_000, "is nested too deeply"),
        (b"- " * 500_000, "is nested too deeply"),
        (
            b"a: &a [x,x,x,x,x,x,x,x,x]\n"
            + b"".join(b"%c: &%c [%s]\n" % (c, c, b",".join([b"*%c" % (c - 1)] * 9)) for c in range(98, 107)),
            "aliases counted where they are used",
        ),
    ],
)
def test_a_file_made_to_hurt_is_one_clear_problem(tmp_path: Path, raw: bytes, message: str) -> None:
    path = tmp_path / "ecs-sync.yaml"
    path.write_bytes(raw)
    with pytest.raises(ConfigError) as caught:
        load(path, environ={}, registry=REGISTRY)
    assert [message in problem.message for problem in caught.value.problems] == [True]


def test_every_mistake_of_every_part_is_said_at_once(tmp_path: Path) -> None:
    broken = (
        WHOLE.replace("every: 5m", "every: 5x")
        .replace("deletes: 30%", "deletes: 30")
        .replace("conflicts: priority", "conflict: hold")
        .replace("mode: mirror", "mode: mirrr")
        .replace("adapter: files, root: ./config", "adapter: files")
        .replace('url: "sqlite:///ecs-sync.db"', "url: nothing")
    )
    assert [problem.line for problem in refused(tmp_path, broken).problems] == [1, 3, 10, 11, 12, 22]


def test_what_may_be_opened_lies_at_a_connection_that_there_is(tmp_path: Path) -> None:
    listed = 'references: ["*/app", "consl/app/*", "consul/app", "?/x", "db*"]'
    links = "[{connection: consul, place: a/, mapping: path, mode: mirror}]"
    text = f"{TREE}connections:\n  consul: {{adapter: consul}}\njobs:\n  one: {{{listed}, links: {links}}}\n"
    [problem] = refused(tmp_path, text).problems
    assert str(problem).endswith(
        "jobs.one.references[1]: there is no connection 'consl'; did you mean 'consul'?"
    )


@pytest.mark.parametrize(
    ("said", "refused_there"),
    [
        ("mode: mirror", True),
        ("mode: export", True),
        ("mode: two-way, priority: 1", True),
        ("mode: import, priority: 1", False),
        ("mode: audit", False),
    ],
)
@pytest.mark.parametrize("own", [True, False])
def test_a_link_that_would_write_where_its_connection_only_reads_is_a_problem(
    tmp_path: Path, said: str, refused_there: bool, own: bool
) -> None:
    """Else every plan would show what every run is refused."""
    option = "release" if own else "label"
    text = f"""\
{TREE}connections:
  ssm: {{adapter: aws-ssm, region: eu-west-1, {option}: prod}}
jobs:
  one: {{links: [{{connection: ssm, place: {"a/" if own else "/a/"}, mapping: path, {said}}}]}}
"""
    registry = REGISTRY if own else Registry.from_entry_points()
    problems: list[str] = []
    try:
        load(write(tmp_path, text), environ={}, registry=registry)
    except ConfigError as error:
        problems = [str(problem) for problem in error.problems]
    assert len(problems) == refused_there
    for problem in problems:
        assert "jobs.one.links[0].mode: this link could write" in problem
        assert f"has '{option}' and only reads: use mode import or audit" in problem
