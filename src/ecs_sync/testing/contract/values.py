"""Bytes in are bytes out, within the limits that were declared; what lies beyond is refused."""

from __future__ import annotations

from ecs_sync.adapter import Delete, Put, Verdict
from ecs_sync.testing.behaviour import always, where
from ecs_sync.testing.subject import Subject, broken, create, eventually, found, listed, look, revision, write

TEXTS = {
    "space": b" ",
    "newline-at-end": b"line\n",
    "only-newline": b"\n",
    "crlf": b"one\r\ntwo\r\n",
    "carriage-return": b"one\rtwo",
    "spaces-around": b"  padded\t ",
    "tab": b"\t",
    "accents": "Grüße, señor".encode(),
    "combining": "e\u0301".encode(),
    "beyond-the-basic-plane": "🔑 𝒳".encode(),
    "byte-order-mark": b"\xef\xbb\xbfmarked",
    "quotes": b"\"'`\\",
    "percent": b"%20%2F%00+",
    "markup": b"<a href='x'>&amp;</a>",
    "template": b"{{ value }} ${HOME} $(id) %(name)s",
    "json": b'{"b": 1, "a": [1.50, null]}',
    "number": b"007.10",
    "word-null": b"null",
    "word-true": b"true",
    "yaml": b"- a: &x 1\n  b: *x\n",
    "pem": b"-----BEGIN KEY-----\nTUlJ\n-----END KEY-----\n",
    "comma-list": b"a,b,,c,",
    "nul": b"a\0b",
    "escape": b"\x1b[31mred\x1b[0m",
    "two-kilobytes": b"0123456789abcdef" * 128,
}
BINARIES = {
    "not-utf8": b"\xff\xfe\xfd",
    "all-bytes": bytes(range(256)),
    "cut-utf8": "é".encode()[:1],
    "gzip": b"\x1f\x8b\x08\x00\x00",
}
_LARGEST = 8 * 1024 * 1024
"""Bytes of the largest value that the suite sends."""


def _is_faithful(subject: Subject, name: str, raw: bytes) -> None:
    """The value is refused where a limit says so, and else comes back to the byte, also after an update."""
    id = subject.id(f"value{name.replace('-', '')}")
    outcome = write(subject, Put(id, raw, None))
    if broken(subject.features.values, raw):
        assert outcome.verdict is Verdict.REFUSED, f"{name} breaks a limit, and was taken"
        assert subject.outside.get(id) is None
        return
    assert outcome.verdict is Verdict.APPLIED, f"{name} breaks no limit, and was {outcome.verdict}"
    assert subject.outside.get(id) == raw, f"{name} is not there as it was written"
    assert found(subject, id).value == raw, f"{name} is not read as it was written"
    subject.outside.set(id, b"between")
    write(subject, Put(id, raw, revision(subject, id)))
    assert found(subject, id).value == raw, f"{name} is not read as an update wrote it"


@always
def text_comes_back_to_the_byte(subject: Subject) -> None:
    for name, raw in TEXTS.items():
        _is_faithful(subject, name, raw)


@where(lambda features: features.values_in_listing, "values_in_listing")
def text_is_listed_to_the_byte(subject: Subject) -> None:
    wanted = {}
    for name, raw in TEXTS.items():
        if not broken(subject.features.values, raw):
            id, _ = create(subject, f"value{name.replace('-', '')}", raw)
            wanted[id] = raw
    assert eventually(subject, lambda: {item.id: item.value for item in listed(subject)} == wanted)


@where(lambda features: not features.text_values, "values are text")
def binary_values_come_back_to_the_byte(subject: Subject) -> None:
    for name, raw in BINARIES.items():
        _is_faithful(subject, name, raw)


@where(lambda features: features.text_values, "values are bytes")
def values_that_are_no_text_are_refused_and_change_nothing(subject: Subject) -> None:
    for name, raw in BINARIES.items():
        if raw.decode("utf-8", "ignore").encode() == raw:
            continue
        id = subject.id(f"value{name.replace('-', '')}")
        assert write(subject, Put(id, raw, None)).verdict is Verdict.REFUSED, name
        assert subject.outside.get(id) is None


@always
def an_empty_value_is_kept_or_refused_as_the_limits_say(subject: Subject) -> None:
    id = subject.id("empty")
    outcome = write(subject, Put(id, b"", None))
    if broken(subject.features.values, b""):
        assert outcome.verdict is Verdict.REFUSED
        assert look(subject, id) is None
    else:
        assert outcome.verdict is Verdict.APPLIED
        assert found(subject, id).value == b""
        assert subject.outside.get(id) == b""


@where(lambda features: features.values.max_bytes is not None, "values have no limit")
def the_largest_value_is_taken_and_one_byte_more_is_refused(subject: Subject) -> None:
    most = subject.features.values.max_bytes or 0
    if most <= _LARGEST:
        id, _ = create(subject, "largest", b"x" * most)
        assert found(subject, id).value == b"x" * most
        outcome = write(subject, Put(subject.id("larger"), b"x" * (most + 1), None))
        assert outcome.verdict is Verdict.REFUSED
        assert outcome.reason, "a refusal says why"
        assert subject.outside.get(subject.id("larger")) is None
        outcome = write(subject, Put(id, b"y" * (most + 1), revision(subject, id)))
        assert outcome.verdict is Verdict.REFUSED
        assert subject.outside.get(id) == b"x" * most


_NAMES = (
    *(
        ".",
        "..",
        "/..",
        "/../x",
        "//x",
        "/",
        "/.",
        "\\x",
        " ",
        " x",
        "x ",
        "%2Fx",
        "%41",
        "?q",
        "#f",
        "+",
        "&a=b",
    ),
    *(
        "é",
        "e\u0301",
        "ÄÖ",
        "日本",
        "🔑",
        "~",
        "~1",
        ":",
        ";",
        ",",
        "*",
        "$x",
        "{x}",
        "'",
        '"',
        "<x>",
        "|",
        "^",
        "@",
    ),
    *(
        "\n",
        "\r\nx",
        "\t",
        "\0",
        "\x1b[0m",
        "\u202e",
        "=",
        "!",
        "(x)",
        "[x]",
        "UPPER",
        "-",
        "_",
        ".x",
        "/x",
        "/x/y",
    ),
)


@always
def a_name_is_taken_as_it_is_or_refused_as_the_limits_say(subject: Subject) -> None:
    limits = subject.features.ids
    taken = set()
    for suffix in _NAMES:
        id = subject.id("name") + suffix
        outcome = write(subject, Put(id, b"x", None))
        if broken(limits, id.encode("utf-8", "surrogateescape")):
            assert outcome.verdict is Verdict.REFUSED, f"{id!r} breaks a limit, and was {outcome.verdict}"
            assert outcome.reason, "a refusal says why"
        else:
            assert outcome.verdict is Verdict.APPLIED, f"{id!r}: {outcome.reason}"
            assert found(subject, id).id == id
            taken.add(id)
            if suffix in ("/x", "/x/y"):
                write(subject, Delete(id, revision(subject, id)))
                taken.discard(id)
    assert eventually(subject, lambda: {item.id for item in listed(subject)} == taken)


@where(lambda features: features.ids.max_bytes is not None, "names have no limit")
def a_name_that_is_too_long_is_refused_and_nothing_is_written(subject: Subject) -> None:
    most = subject.features.ids.max_bytes or 0
    id = subject.id("x" * (most + 1))
    assert write(subject, Put(id, b"x", None)).verdict is Verdict.REFUSED
    assert listed(subject) == []
