"""A secret is read when it is needed, from where the file says, and is never shown."""

from __future__ import annotations

import dataclasses
import traceback
from pathlib import Path

import pytest

from ecs_sync.config import From, load, look
from ecs_sync.config.secret import source
from ecs_sync.errors import ConfigError

from .own import REGISTRY, TreeOptions, loaded, refused, write

CANARY = "canary-7f3a9c51"
KEY = "7f" * 32
TREE = """\
store: {{url: "sqlite:///s.db", key: "{key}"}}
connections:
  one: {{adapter: consul, token: "{token}", url: "{url}"}}
"""


def text(token: str = "env:TOKEN", key: str = "env:KEY", url: str = "http://one") -> str:
    return TREE.format(token=token, key=key, url=url)


def test_a_secret_comes_from_the_environment_or_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(CANARY + "\n", encoding="utf-8")
    from_file = loaded(tmp_path, text(token="file:token")).connections["one"]
    from_env = loaded(tmp_path, text(), {"TOKEN": CANARY}).connections["one"]
    assert from_file.options() == from_env.options() == TreeOptions(url="http://one", token=CANARY)
    assert [c.secrets["token"].kind for c in (from_file, from_env)] == [From.FILE, From.ENV]


def test_a_secret_is_read_anew_each_time_so_that_a_rotated_one_is_seen(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("old", encoding="utf-8")
    connection = loaded(tmp_path, text(token="file:token")).connections["one"]
    assert connection.options().token == "old"
    (tmp_path / "token").write_text("new", encoding="utf-8")
    assert connection.options().token == "new"


def test_a_file_without_its_secrets_still_loads_and_says_which_are_missing(tmp_path: Path) -> None:
    config = loaded(tmp_path, text(token="file:none"))
    path = tmp_path / "ecs-sync.yaml"
    assert [str(problem) for problem in config.missing_secrets()] == [
        f"{path}:1:37: store.key: environment variable KEY is not set",
        f"{path}:3:33: connections.one.token: file {tmp_path}/none: No such file or directory",
    ]
    with pytest.raises(ConfigError, match=r"connections\.one\.token: file"):
        config.connections["one"].options()


def test_an_empty_variable_is_as_good_as_none(tmp_path: Path) -> None:
    config = loaded(tmp_path, text(), {"TOKEN": "", "KEY": KEY})
    assert [problem.message for problem in config.missing_secrets()] == [
        "environment variable TOKEN is empty"
    ]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"\xff\xfe", "not UTF-8"),
        (b"x" * (1 << 21), "larger than 1 MiB"),
    ],
)
def test_a_file_that_can_hold_no_secret_says_why(tmp_path: Path, raw: bytes, message: str) -> None:
    (tmp_path / "token").write_bytes(raw)
    config = loaded(tmp_path, text(token="file:token"), {"KEY": KEY})
    assert [message in problem.message for problem in config.missing_secrets()] == [True]


@pytest.mark.parametrize("place", ["token", "key"])
def test_a_plain_secret_in_the_file_is_refused_without_being_repeated(tmp_path: Path, place: str) -> None:
    error = refused(tmp_path, text(**{place: CANARY}))
    assert len(error.problems) == 1
    assert CANARY not in shown(error)


@pytest.mark.parametrize(
    "mistake",
    [
        "connections: {{one: {{adapter: consul, timeout: {0}}}}}",
        "connections: {{one: {{adapter: consul, consistency: {0}}}}}",
        "connections: {{one: {{adapter: consul, batch: {0}}}}}",
        "connections: {{one: {{adapter: consul, tags: {0}}}}}",
        "connections: {{one: {{adapter: consul, token: [{0}]}}}}",
        "connections: {{one: {{adapter: consul, token: 'env:{0} {0}'}}}}",
        "worker: {{health: {0}}}",
        "jobs: {{one: {{every: {0}, links: [{{place: {0}, mode: {0}}}]}}}}",
        "connections: {{one: {0}}}",
        "connections: !{0} {{}}",
    ],
)
def test_whatever_stands_in_the_wrong_place_is_not_repeated(tmp_path: Path, mistake: str) -> None:
    error = refused(tmp_path, 'store: {url: "sqlite:///s.db"}\n' + mistake.format(CANARY))
    assert CANARY not in shown(error)


def test_a_password_in_the_stores_url_is_not_repeated(tmp_path: Path) -> None:
    assert CANARY not in shown(refused(tmp_path, f"store: {{url: 'postgresql+psycopg://app:{CANARY}@db/x'}}"))


def test_an_adapter_that_quotes_its_secret_is_not_passed_on(tmp_path: Path) -> None:
    environ = {"TOKEN": f"{CANARY} {CANARY}", "KEY": "k"}
    error = refused(tmp_path, text(), environ)
    assert [problem.message for problem in error.problems] == ["its secret options do not fit"]
    assert CANARY not in shown(error)


def test_what_was_loaded_shows_no_secret(tmp_path: Path) -> None:
    environ = {"TOKEN": CANARY, "KEY": CANARY, "OTHER": CANARY}
    config = load(write(tmp_path, text()), environ=environ, registry=REGISTRY)
    assert CANARY not in repr(config)
    assert CANARY not in repr(config.connections["one"].options())
    assert "TOKEN" in repr(config)


def test_a_store_url_from_the_environment_means_the_same_and_is_not_shown(tmp_path: Path) -> None:
    url = f"postgresql+psycopg://app:{CANARY}@db/x"
    config = loaded(tmp_path, "store: {url: env:URL}", {"URL": url})
    assert config.store.address() == url
    assert CANARY not in repr(config)
    file = loaded(tmp_path, "store: {url: env:URL}", {"URL": "sqlite:///a.db?timeout=3"})
    assert file.store.address() == f"sqlite:///{tmp_path}/a.db?timeout=3"


def shown(error: BaseException) -> str:
    """All that a log or a terminal could show of an error, its causes included."""
    problems = repr(getattr(error, "problems", ()))
    return "".join(traceback.format_exception(error)) + repr(error) + problems


@pytest.mark.parametrize("token", ["env:TOKEN", "file:token", "@secret:one/name"])
def test_no_frame_of_an_error_that_is_raised_holds_a_secret(tmp_path: Path, token: str) -> None:
    """What reports errors may show the locals of every frame on their way."""
    (tmp_path / "token").write_text(f"{CANARY} x", encoding="utf-8")
    config = loaded(tmp_path, text(), {"TOKEN": CANARY, "KEY": KEY})
    where = config.connections["one"].secrets["token"].where
    connection = dataclasses.replace(
        config.connections["one"],
        secrets={"token": source(token, where, tmp_path, {"TOKEN": f"{CANARY} x"})},
    )
    with pytest.raises(ConfigError, match="its secret options do not fit") as caught:
        connection.options(lambda _: f"{CANARY} x")
    assert CANARY not in locals_of(caught.value)


@pytest.mark.parametrize("raw", [CANARY.encode() + b"\xff", CANARY.encode() * (1 << 17)])
def test_no_frame_holds_what_a_file_has_that_is_no_secret(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "token").write_bytes(raw)
    config = loaded(tmp_path, text(token="file:token"), {"KEY": KEY})
    with pytest.raises(ConfigError, match=r"connections\.one\.token: file") as caught:
        config.connections["one"].options()
    assert CANARY not in locals_of(caught.value)


def locals_of(error: BaseException | None) -> str:
    """The locals of every frame that an error, and what it came of, leads through; not of the test itself."""
    found = ""
    while error is not None:
        for frame, _ in traceback.walk_tb(error.__traceback__):
            if frame.f_code.co_filename != __file__:
                found += repr(frame.f_locals)
        error = error.__cause__ or error.__context__
    return found


@pytest.mark.parametrize("key", ["nonsense", CANARY, "7f" * 31])
def test_a_key_that_is_none_is_a_problem_with_its_place(tmp_path: Path, key: str) -> None:
    config = loaded(tmp_path, text(), {"TOKEN": "t", "KEY": key})
    (problem,) = config.missing_secrets()
    assert (problem.line, problem.column, problem.path) == (1, 37, "store.key")
    assert problem.message.startswith("env:KEY holds no key: 32 bytes are expected, in base64 or as hex")
    assert loaded(tmp_path, text(), {"TOKEN": "t", "KEY": KEY}).missing_secrets() == ()


@pytest.mark.parametrize("url", ["sqlite:///s.db", "nothing"])
def test_what_is_wrong_and_which_secrets_are_missing_is_told_at_once(tmp_path: Path, url: str) -> None:
    path = write(tmp_path, text(url="nowhere").replace("sqlite:///s.db", url) + "  two: {adapter: consl}\n")
    seen = look(path, environ={"KEY": "nonsense"}, registry=REGISTRY)
    assert [problem.path for problem in seen.missing] == ["store.key", "connections.one.token"]
    wrong = {problem.path for problem in seen.problems}
    assert "connections.two.adapter" in wrong and ("store.url" in wrong) == (url == "nothing")
    assert seen.config is None


def test_what_is_right_is_told_to_be(tmp_path: Path) -> None:
    seen = look(write(tmp_path, text()), environ={"TOKEN": "t", "KEY": KEY}, registry=REGISTRY)
    assert seen.config is not None and seen.problems == () == seen.missing
