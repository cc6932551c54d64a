"""What a place cannot take, a server that misbehaves, and words that cannot be meant."""

from __future__ import annotations

import json

from .cases import Arrangement, Case, edit, nothing
from .ground import CANARY, Ground

HTML = f"<html><body>Sign in to the guest network, {CANARY}</body></html>"


def _held(job: str, key: str, value: str) -> Arrangement:
    """A value in the store that its place cannot take, refused by a first run already."""

    def arrange(ground: Ground) -> None:
        ground.ok("set", job, "a/fine", "1")
        ground.ok("set", job, key, given=value)
        assert ground("sync", job).code == 4

    return arrange


def _at_consul(key: str, value: bytes = b"1") -> Arrangement:
    return lambda ground: ground.consul.kv.put(key, value)


def _twins(ground: Ground) -> None:
    ground.edit("timeout: 1,", "timeout: 1, key_grammar: any,")
    ground.consul.kv.put("acme/caf\u00e9", b"1")
    ground.consul.kv.put("acme/cafe\u0301", b"2")
    assert ground("sync", "payments").code == 1


def _gone(ground: Ground) -> None:
    ground.edit(ground.consul.url, "http://127.0.0.1:1")


def _says(body: str) -> Arrangement:
    """Consul answers with this, and that all is well."""
    headers = {"Content-Type": "text/html", "X-Consul-Index": "7", "X-Consul-KnownLeader": "true"}
    return lambda ground: ground.consul.fail_next(200, headers, body)


def _expired(ground: Ground) -> None:
    ground.aws.fail_next("DescribeParameters", "ExpiredTokenException", times=1, message=CANARY)


def _breaks(ground: Ground) -> None:
    client = ground.aws.client()
    for n in range(60):
        client.put_parameter(Name=f"{ground.path}k{n:02}", Value=CANARY, Type="String")
    ground.aws.pass_next("DescribeParameters")
    ground.aws.fail_next("DescribeParameters", "InternalServerError", status=500)


CASES = [
    Case("a server that is not there", _gone, "sync payments", 1, ("payments", "consul", "127.0.0.1:1")),
    Case(
        "a body that is cut",
        lambda g: g.consul.faults.cut_next(5),
        "sync payments",
        1,
        ("not seen", "consul"),
    ),
    Case(
        "an error instead of an answer",
        lambda g: g.consul.fail_next(500, body=CANARY),
        "sync payments",
        1,
        ("500",),
    ),
    Case(
        "a server that says nothing",
        lambda g: g.consul.faults.hang_next(),
        "sync payments",
        1,
        ("consul",),
    ),
    Case("a page of a gateway instead of an answer", _says(HTML), "sync payments", 1, ("JSON",)),
    Case(
        "a token that nobody knows",
        lambda g: g.consul.fail_next(403, body="ACL not found"),
        "sync payments",
        1,
        ("token",),
    ),
    Case(
        "credentials that have expired",
        _expired,
        "sync parameters",
        1,
        ("ssm", "ExpiredTokenException", "log in again"),
    ),
    Case("an error in the middle of a listing", _breaks, "sync parameters", 1, ("parameters",)),
    Case(
        "a secret for Consul",
        nothing,
        "sync payments",
        4,
        ("db/password", "it is a secret, and the link says 'secrets: refuse'"),
    ),
    Case(
        "a name that Parameter Store keeps for itself",
        lambda g: g.edit(f'place: "{g.path}"', "place: /awsome/"),
        "plan parameters",
        78,
        ("jobs.parameters.links[0].place", "aws"),
    ),
    Case(
        "a value of 4,097 bytes",
        _held("parameters", "long", "x" * 4097),
        "sync parameters",
        4,
        ("long", "4097 bytes"),
    ),
    Case(
        "a value that is empty",
        _held("parameters", "blank", ""),
        "sync parameters",
        4,
        ("blank", "the value is empty"),
    ),
    Case("a template", _held("parameters", "t", "{{ x }}"), "sync parameters", 4, ("t", "{{")),
    Case(
        "a name with a space", _held("payments", "a b", "1"), "sync payments", 4, ("a b", "letters, digits")
    ),
    Case("a name with a slash", _held("payments", "a~1b", "1"), "sync payments", 4, ("a~1b", "refused")),
    Case(
        "an answer of a hundred thousand levels",
        _says("[" * 100_000),
        "sync payments",
        1,
        ("the listing breaks off",),
    ),
    Case("two spellings of one name", _twins, "sync payments", 1, ("NFC",)),
    Case("dots in a name", _at_consul("acme/../x"), "plan payments", 1, ("'..'",)),
    Case(
        "a name that paints the terminal",
        _at_consul("acme/\x1b[2J"),
        "plan payments",
        1,
        ("control character",),
    ),
    Case(
        "a value that paints the terminal",
        _at_consul("acme/esc", b"\x1b[2J\xe2\x80\xaegnp.exe"),
        "plan payments",
        2,
        ("esc",),
    ),
    Case("a key with dots", nothing, "set payments a/../b 1", 64, ("'..'",)),
    Case("a key with a NUL", nothing, "set payments a\x00b 1", 64, ("control character",)),
    Case("a key with an empty segment", nothing, "set payments a//b 1", 64, ("empty segment",)),
    Case("a key that paints the terminal", nothing, "set payments a\x1b[2Jb 1", 64, ("control character",)),
    Case(
        "a value of another type", nothing, f"set payments n {CANARY} --type integer", 64, ("not an integer",)
    ),
    Case(
        "JSON that is none",
        nothing,
        "set payments n --type json",
        64,
        ("not JSON",),
        given=f'{{"a": {CANARY}',
    ),
    Case(
        "JSON of a hundred thousand levels",
        nothing,
        "set payments n --type json",
        64,
        ("100 levels",),
        given="[" * 100_000,
    ),
    Case(
        "half a surrogate pair",
        nothing,
        "set payments n --type json",
        64,
        ("surrogate",),
        given=json.dumps("\ud800"),
    ),
    Case(
        "a secret on the command line",
        nothing,
        f"set payments n {CANARY} --secret",
        64,
        ("never from the command line",),
    ),
    Case(
        "a secret by its name on the command line",
        nothing,
        f"set payments api-password {CANARY}",
        64,
        ("never on the command line",),
    ),
    Case(
        "a secret and no key to keep it under",
        edit((', key: "file:secrets.key"', "")),
        "set payments n --secret",
        1,
        ("store.key",),
        given=CANARY,
    ),
    Case("a value's file that is absent", nothing, "set payments n --from no/such", 64, ("no/such",)),
    Case("a key that is not set", nothing, "get payments no/such", 1, ("no/such", "--all")),
    Case("a version that is not there", nothing, "rollback payments 999", 1, ("999",)),
    Case("a version that is no number", nothing, "diff payments@x payments", 64, ("payments@x",)),
    Case("a link that is not there", nothing, "diff payments payments:cosul", 64, ("consul",)),
    Case("a run that is not there", nothing, "undo zzz", 1, ("zzz",)),
    Case("a conflict that is none", nothing, "resolve payments kept --take consul", 1, ("kept",)),
]
