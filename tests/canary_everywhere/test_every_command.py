"""Every verb, every format, every file that is left: no secret is in any of it."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from ecs_sync.cli.app import VERBS, Verbs, cli
from tests.canary import digests
from tests.canary_everywhere import at_home
from tests.canary_everywhere.tour import FORMATS, JOB, KEY, Tour


@pytest.fixture(scope="module")
def tour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tour]:
    with at_home.begun(tmp_path_factory.mktemp("home")) as tour:
        at_home.everything(tour)
        yield tour


def leaves(command: click.Command, *words: str) -> Iterator[tuple[str, ...]]:
    """The words of every command there is below one."""
    if not isinstance(command, click.Group):
        yield words
        return
    context = click.Context(command)
    names = VERBS if isinstance(command, Verbs) else command.list_commands(context)
    for name in names:
        found = command.get_command(context, name)
        assert found is not None
        yield from leaves(found, *words, name)


def test_no_verb_is_left_out(tour: Tour) -> None:
    """A new verb fails here until the tour calls it."""
    called = {tuple(word for word in words if not word.startswith("-")) for words, _ in tour.watched.answers}
    left = [leaf for leaf in leaves(cli) if not any(words[: len(leaf)] == leaf for words in called)]
    assert left == []


def test_what_shows_values_was_asked_in_every_format_with_and_without_details(tour: Tour) -> None:
    for verb in ("plan", "sync", "drift", "diff", "get", "history", "conflicts", "runs", "audit", "validate"):
        asked = [words for words, _ in tour.watched.answers if verb in words]
        assert any("-v" not in words for words in asked), verb
        for format in FORMATS:
            assert any(format in words and "-v" in words for words in asked), (verb, format)


def test_no_secret_is_found_anywhere(tour: Tour) -> None:
    assert len(tour.canaries) > 12
    assert tour.where() == []


def test_the_tour_met_secrets_wherever_it_went(tour: Tour) -> None:
    """Else nothing would have been there to be found: sealed, fingerprinted, archived, refused, copied."""
    said = "\n".join(answer.out + answer.err for _, answer in tour.watched.answers)
    assert "secret, 45 characters, fingerprint" in said
    assert "this place is not made for secrets" in said
    assert "SecretRotated" in said and "secrets read" in said
    places = {name.partition("/")[0] for name, _ in tour.traces().found}
    assert places >= {"home", "kept", "told", "health"}
    names = [name for name, _ in tour.traces().found]
    assert {"home/ecs-sync.db", "home/ecs-sync.db-wal", "home/first.plan", "home/second.plan"} <= {*names}
    log = next(content for name, content in tour.traces().found if name == "kept/grown-wal")
    assert b"SecretRotated" in log and log.count(KEY.encode()) > 10
    copies = (tour.watched.safe / "other.yaml").read_text() + (tour.watched.safe / "copies.yaml").read_text()
    assert sum(canary[10:] in copies for canary in tour.canaries) >= 2


def test_nothing_crashed(tour: Tour) -> None:
    """A mistake of ours would be told without values, and would hide what comes after it."""
    assert [(words, one.err) for words, one in tour.watched.answers if "mistake in ecs-sync" in one.err] == []


def test_the_keys_are_where_they_belong_and_nowhere_else(tour: Tour) -> None:
    for name in ("secrets.key", "next.key", "ecs-sync.db.key"):
        text = (tour.home / name).read_bytes().strip()
        key = base64.b64decode(text)
        forms = (text, key, key.hex().encode(), key[:16], key[16:], repr(key)[2:-1].encode())
        assert [place for place in tour.traces().where(forms) if place != f"home/{name}"] == []


def test_no_secret_can_be_found_in_the_store_by_a_dictionary(tour: Tour) -> None:
    """Whoever has the database and not the key of fingerprints can test no guess, however weak the secret."""
    store = tour.traces().within("home/ecs-sync.db", "home/first.plan", "home/second.plan", "output")
    store = type(store)(tuple(each for each in store.found if each[0] != "home/ecs-sync.db.key"))
    guesses = [*tour.canaries, *(f"string\0{canary}" for canary in tour.canaries)]
    assert store.where(digest for guess in guesses for digest in digests(guess)) == []


def test_equal_secrets_look_equal_in_one_installation_and_different_in_another(tmp_path: Path) -> None:
    """With the same weak secret, the same keys of the configuration, even the same key of sealing."""
    seen = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        with at_home.begun(tmp_path / name) as tour:
            for key in (KEY, "db/same"):
                tour.good("set", JOB, key, "--secret", given="hunter2")
            entries = tour.good("get", JOB, "--all", "-o", "json").json["entries"]
            told = {each["key"]: each["value"]["fingerprint"] for each in entries}
            assert told[KEY] and told[KEY] == told["db/same"]
            assert tour.traces().within("home/ecs-sync.db", "output").where(digests("hunter2")) == []
            seen.append(told[KEY])
    assert seen[0] != seen[1]


def test_without_the_key_of_fingerprints_the_store_does_not_open(tmp_path: Path) -> None:
    """So that nobody lets the command itself test guesses against a stolen database."""
    with at_home.begun(tmp_path) as tour:
        tour.good("set", JOB, KEY, "--secret", given="hunter2")
        shutil.move(tour.home / "ecs-sync.db.key", tmp_path / "elsewhere")
        assert tour("get", JOB, "--all").code == 1
        (tour.home / "ecs-sync.db.key").write_bytes(
            base64.b64encode(b"another key, of 32 bytes, or so!") + b"\n"
        )
        assert tour("get", JOB, "--all").code == 1
