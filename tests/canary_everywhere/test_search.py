"""The search finds a secret in everything that is watched: else the other tests here would prove nothing."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Iterator
from urllib.parse import quote_plus

import pytest

from tests.canary import digests, found_in, new_canary, spellings
from tests.canary_everywhere.process import WAYS
from tests.canary_everywhere.watched import Traces, Watched

FOUND = {
    "log": "told/log",
    "exception in a log": "told/log",
    "extra of a log": "told/log",
    "warning": "told/log",
    "wire": "told/wire",
    "environment of a child": "told/children",
    "argument of a child": "told/children",
    "own environment": "told/children",
    "removed file": "kept/",
    "overwritten file": "kept/",
    "replaced file": "kept/",
    "file without a name": "kept/",
    "file that nobody sees": "open/",
    "file": "home/left",
    "name of a file": "home/",
    "stderr of the process": "told/stderr",
}
"""Where each way to give a secret away shows it."""


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    with Watched(tmp_path_factory.mktemp("search")) as watched:
        yield watched


@pytest.mark.parametrize("way", WAYS)
def test_a_secret_that_is_given_away_is_found(watched: Watched, way: str) -> None:
    canary = new_canary()
    assert Traces.of(watched).where(spellings(canary)) == []
    watched.leak(way, canary)
    if way == "own environment":
        watched.leak("argument of a child", "nothing")
    found = Traces.of(watched).where(spellings(canary))
    assert [place for place in found if place.startswith(FOUND[way])], found


def test_an_output_that_shows_a_value_is_found_in_every_format(watched: Watched) -> None:
    """A text on the line is repeated where it is no job's name: that is no secret, and shows the search."""
    canary = new_canary()
    assert watched("init").code == 0
    for format in ("text", "json", "markdown"):
        watched("get", canary, "--all", "-o", format)
    found = Traces.of(watched).within("output get").where(spellings(canary))
    assert len(found) == 3


def test_every_spelling_is_found_wherever_it_stands() -> None:
    canary = new_canary()
    raw = canary.encode()
    for text in (
        raw,
        canary[:26].encode(),
        canary[26:].encode(),
        canary[::-1].encode(),
        raw.hex().encode(),
        raw[len(raw) // 2 :].hex().upper().encode(),
        quote_plus(canary).encode(),
        json.dumps({"value": canary}).encode(),
        json.dumps(json.dumps(canary)).encode(),
        repr(raw).encode(),
        canary.encode("utf-16"),
        base64.b64encode(b"user:" + raw),
        base64.urlsafe_b64encode(b"?" + raw + b"!"),
        base64.encodebytes(b"x" * 40 + raw + b"y" * 40),
        base64.b64encode(canary.encode("utf-16-le")),
    ):
        assert found_in(canary, b"before " + text + b" behind"), text
    assert not found_in(canary, new_canary(), gzip.compress(b"nothing"))


def test_a_hash_without_a_key_is_found() -> None:
    sums = {hashlib.sha256(b"hunter2").hexdigest(), hashlib.blake2b(b"hunter2", digest_size=16).hexdigest()}
    for told in sums:
        assert any(one in told.encode() for one in digests("hunter2"))
