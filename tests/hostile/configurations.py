"""A configuration that cannot be used: 78, every mistake at once, each with file, line and column."""

from __future__ import annotations

from .cases import Arrangement, Case, appended, config, edit, nothing
from .ground import CANARY, Ground

FIVE = (
    ("adapter: files", "adapter: fils"),
    ("timeout: 1", 'timeout: "1"'),
    ("mode: mirror", "mode: miror"),
    ("application: payments", 'application: "pay ments"'),
    ("    secret: ", "    sekret: "),
)

BOMB = b"a: &a [x, x, x, x, x, x, x, x, x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (n + 1, n + 1, b", ".join([b"*%c" % n] * 9)) for n in range(97, 107)
)


_SECOND_LINK = """\
      - {name: again, connection: files, place: settings.yaml, mapping: document, mode: two-way, priority: 60}
"""


def _large(ground: Ground) -> None:
    with ground.config.open("r+b") as file:
        file.truncate(200 * 2**20)


def _folder(ground: Ground) -> None:
    ground.config.unlink()
    ground.config.mkdir()


def _key(raw: bytes) -> Arrangement:
    return lambda ground: (ground.folder / "secrets.key").write_bytes(raw)


def _no_key(ground: Ground) -> None:
    (ground.folder / "secrets.key").unlink()


def _unwritten_key(ground: Ground) -> None:
    ground.edit('key: "file:secrets.key"', 'key: "env:HOSTILE_NO_SUCH"')


CASES = [
    Case(
        "five mistakes",
        edit(*FIVE),
        "plan",
        78,
        (
            "ecs-sync.yaml:3:20: connections.files.adapter: there is no adapter 'fils'; "
            "did you mean 'files'?",
            "connections.consul.timeout: must be a number",
            "jobs.payments.scope.application: application 'pay ments' is not a scope name",
            "ecs-sync.yaml:16:5: jobs.payments.sekret: unknown key 'sekret'; did you mean 'secret'?",
            "jobs.parameters.links[0].mode: must be mirror, export, import, two-way or audit; "
            "did you mean 'mirror'?",
        ),
    ),
    Case("no configuration", lambda g: g.config.unlink(), "plan", 78, ("ecs-sync.yaml", "ecs-sync init")),
    Case("a configuration that is empty", config(b""), "plan", 78, ("ecs-sync.yaml", "empty")),
    Case("a configuration that is a folder", _folder, "plan", 78, ("ecs-sync.yaml", "directory")),
    Case("a configuration of 200 MB", _large, "plan", 78, ("ecs-sync.yaml", "1 MiB")),
    Case("a YAML bomb", config(BOMB), "plan", 78, ("ecs-sync.yaml:", "300000 parts, aliases counted")),
    Case(
        "an anchor that holds itself",
        config(b"jobs: &a {x: *a}\n"),
        "plan",
        78,
        ("ecs-sync.yaml:1", "itself"),
    ),
    Case(
        "a hundred thousand brackets",
        config(b"jobs: " + b"[" * 100_000),
        "plan",
        78,
        ("ecs-sync.yaml:1", "deep"),
    ),
    Case(
        "an object of Python",
        appended(b"worker: !!python/object/apply:os.system [id]\n"),
        "plan",
        78,
        ("ecs-sync.yaml:27", "tags such as"),
    ),
    Case(
        "a key that stands twice",
        appended(b"jobs: {}\n"),
        "plan",
        78,
        ("ecs-sync.yaml:27:1", "jobs", "twice"),
    ),
    Case("a quote that is not closed", appended(b'worker: {jitter: "5s\n'), "plan", 78, ("ecs-sync.yaml:",)),
    Case(
        "UTF-16",
        lambda g: g.config.write_bytes(g.config.read_text().encode("utf-16")),
        "plan",
        78,
        ("ecs-sync.yaml", "UTF-8"),
    ),
    Case("bytes that are no text", appended(b"# \xff\xfe\n"), "plan", 78, ("ecs-sync.yaml:27", "UTF-8")),
    Case("a NUL", appended(b"worker: {jitter: 5\x00s}\n"), "plan", 78, ("ecs-sync.yaml:27",)),
    Case(
        "a place that is empty",
        edit(("place: acme/", 'place: ""')),
        "plan",
        78,
        ("jobs.payments.links[0].place",),
    ),
    Case(
        "a prefix without its slash",
        edit(("place: acme/", "place: acme")),
        "plan",
        78,
        ("jobs.payments.links[0].place", "'acme'", "/"),
    ),
    Case(
        "a file outside of the root",
        edit(("place: settings.yaml", "place: ../ecs-sync.yaml")),
        "plan",
        78,
        ("jobs.documents.links[0].place", ".."),
    ),
    Case(
        "a place of Parameter Store without slashes",
        edit(('place: "/hostile', 'place: "hostile')),
        "plan",
        78,
        ("jobs.parameters.links[0].place", "/"),
    ),
    Case(
        "a secret in the file",
        edit(("timeout: 1", f"token: {CANARY}")),
        "plan",
        78,
        ("connections.consul.token", "env:NAME"),
    ),
    Case(
        "a secret that is not set",
        edit(("timeout: 1", "token: env:HOSTILE_NO_SUCH")),
        "plan payments",
        78,
        ("connections.consul.token", "HOSTILE_NO_SUCH is not set"),
    ),
    Case(
        "a secret's file that is absent",
        edit(("timeout: 1", "token: file:no/such")),
        "plan payments",
        78,
        ("connections.consul.token", "no/such"),
    ),
    Case(
        "a store that is nothing known",
        edit(("sqlite:///ecs-sync.db", "mysql://host/db")),
        "plan",
        78,
        ("store.url", "sqlite:///"),
    ),
    Case(
        "a duration without its unit",
        edit(("    secret: ", "    every: 5\n    secret: ")),
        "plan",
        78,
        ("jobs.payments.every", "5m"),
    ),
    Case(
        "a cron line that is none",
        edit(("    secret: ", "    cron: 61 * * * *\n    secret: ")),
        "plan",
        78,
        ("jobs.payments.cron",),
    ),
    Case(
        "two links that write one place",
        edit(("place: settings.yaml", 'place: "*.yaml"'), ("  parameters:", _SECOND_LINK + "  parameters:")),
        "plan",
        78,
        ("jobs.documents.links[1]", "overlaps the place of link 'files'"),
    ),
    Case("a sealing key that is none", _key(CANARY.encode()), "plan", 78, ("secrets.key", "32 bytes")),
    Case("a sealing key of another store", _key(b"x" * 32), "plan", 78, ("store.key", "another key")),
    Case("a sealing key that is absent", _no_key, "plan", 78, ("secrets.key",)),
    Case("a sealing key that is not set", _unwritten_key, "plan", 78, ("HOSTILE_NO_SUCH is not set",)),
    Case("a mistyped verb", nothing, "snyc", 64, ("did you mean 'sync'?",)),
    Case("no verb", nothing, "", 64, ()),
    Case("a mistyped option", nothing, "plan --al", 64, ("--al",)),
    Case("a mistyped job", nothing, "plan payment", 64, ("payment", "did you mean 'payments'?")),
]
