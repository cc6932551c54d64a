"""A key of the store that lies wrapped under a provider's: made, used, changed, and nowhere in clear."""

from __future__ import annotations

import base64
import contextlib
import json
import logging
import os
import stat
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from ecs_sync.config import load, schema
from ecs_sync.connections import Connections
from ecs_sync.errors import EcsSyncError
from ecs_sync.registry import Registry
from ecs_sync.sealing import sealing_key
from ecs_sync.workbench import Workbench
from tests.canary import found_in

from .keepers import KEEPERS, SECOND, Keeper
from .world import Answer, World

PATH = "store.wrapped"


@contextlib.contextmanager
def opened(name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Keeper]:
    with KEEPERS[name]() as keeper:
        for variable, value in keeper.environ.items():
            monkeypatch.setenv(variable, value)
        yield keeper


@pytest.fixture(params=sorted(KEEPERS))
def each_adapter(
    bare: World, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Keeper]:
    with opened(request.param, monkeypatch) as keeper:
        yield keeper


@pytest.fixture(params=["vault-kv2", "aws-ssm", "azure-keyvault"])
def keeper(bare: World, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Keeper]:
    """One adapter of each provider."""
    with opened(request.param, monkeypatch) as keeper:
        yield keeper


@pytest.fixture
def vault(bare: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Keeper]:
    """One keeper, for what does not differ among them."""
    with opened("vault-kv2", monkeypatch) as keeper:
        yield keeper


def configure(home: World, entry: str, key: str) -> None:
    (home.folder / "ecs-sync.yaml").write_text(
        f"""\
store: {{url: "sqlite:///ecs-sync.db", key: {key}}}
connections:
  keeper: {entry}
  consul: {{adapter: consul, url: "{home.consul.url}"}}
  files: {{adapter: files, root: .}}
jobs:
  payments:
    scope: {{application: payments}}
    links:
      - {{connection: consul, place: acme/, mapping: path, mode: mirror}}
"""
    )


def wrapped(path: str, key: str, by: str = "keeper") -> str:
    return f'{{wrapped: {path}, by: {by}, with: "{key}"}}'


def prepared(home: World, keeper: Keeper) -> World:
    """A store whose key lies wrapped."""
    configure(home, keeper.entry(), wrapped(PATH, keeper.first))
    made = home("store", "new-key", PATH, "--by", "keeper", "--with", keeper.first)
    assert (made.code, made.err) == (0, "")
    assert home("init").code == 0
    return home


def key_of(home: World) -> bytes:
    """The key itself, as the configuration has it now."""
    registry = Registry.from_entry_points()
    config = load(home.folder / "ecs-sync.yaml", environ=os.environ, registry=registry)
    assert config.store.key is not None
    with Connections(config, registry) as connections:
        return sealing_key(config.store.key, connections)


def keep(home: World, canary: str) -> None:
    assert home("set", "payments", "pin", "--secret", given=canary).code == 0


def kept(home: World) -> str:
    """The secret as the engine reads it: no command prints one."""
    registry = Registry.from_entry_points()
    config = load(home.folder / "ecs-sync.yaml", environ=os.environ, registry=registry)
    with Workbench.open(config, registry) as bench:
        [stored] = bench.store.stored(config.jobs["payments"].scope, ["pin"]).values()
        assert stored.entry is not None
        return stored.entry.value.text


def leaks(key: bytes, *texts: bytes) -> list[bytes]:
    """The forms of a key, and of its halves, that stand in these texts."""
    forms = [
        *(key, key[:16], key[16:], key.hex().encode(), key.hex().upper().encode(), key[::-1]),
        *(base64.b64encode(key)[:40], base64.urlsafe_b64encode(key)[:40], repr(key)[2:-1].encode()),
        urllib.parse.quote(key).encode(),
    ]
    return [form for form in forms for text in texts if form in text]


def files(home: World) -> list[bytes]:
    return [path.read_bytes() for path in home.folder.rglob("*") if path.is_file()]


# -- made and used


def test_a_wrapped_key_seals_and_opens_what_the_store_keeps(
    bare: World, each_adapter: Keeper, canary: str
) -> None:
    home = prepared(bare, each_adapter)
    keep(home, canary)
    assert kept(home) == canary
    assert home("validate").code == 0
    tried = home("validate", "--references", "-o", "json")
    assert [each["used_by"] for each in tried.json["references"]] == ["store.key"]
    assert tried.json["references"][0]["problem"] is None


def test_its_file_names_its_scheme_and_only_its_owner_reads_it(bare: World, keeper: Keeper) -> None:
    home = prepared(bare, keeper)
    path = home.folder / PATH
    assert path.read_text().splitlines()[0] == f"ecs-sync-wrapped-key 1 {keeper.scheme}"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not [each for each in home.folder.iterdir() if each.name.endswith(".new")]


def test_a_key_that_the_provider_rotated_still_unwraps(bare: World, keeper: Keeper, canary: str) -> None:
    home = prepared(bare, keeper)
    keep(home, canary)
    if keeper.scheme != "aws-kms":  # whose stand-in keeps one key material only
        keeper.rotate(keeper.first)
    assert kept(home) == canary


def test_neither_key_nor_secret_is_in_any_output_log_or_file(
    bare: World, keeper: Keeper, canary: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("azure", "azure.core", "azure.identity", "msal", "botocore", "boto3", "urllib3", "requests"):
        caplog.set_level(logging.DEBUG, logger=name)
    answers: list[Answer] = []
    home = prepared(bare, keeper)
    keep(home, canary)
    keys = [key_of(home)]
    for words in (
        ["store", "info"],
        ["validate", "--references"],
        ["store", "new-key", PATH, "--by", "keeper", "--with", keeper.first],
        ["store", "new-key", "second", "--by", "keeper", "--with", keeper.second],
        ["store", "rotate-key", "--to", "second", "--by", "keeper", "--with", keeper.second],
        ["audit"],
    ):
        answers += [home(*words, "-v", "-o", form) for form in ("text", "json")]
    configure(home, keeper.entry(), wrapped("second", keeper.second))
    keys.append(key_of(home))
    keeper.deny(keeper.second)
    keeper.disable(keeper.second)
    answers += [home("store", "info", "-v"), home("get", "payments", "pin", "-v")]
    assert keys[0] != keys[1]
    shown = "".join(answer.out + answer.err for answer in answers).encode()
    logged = "\n".join(str(vars(record)) for record in caplog.records).encode()
    assert caplog.records
    for key in keys:
        assert leaks(key, shown, logged, *files(home)) == []
    assert found_in(canary, shown, logged, *files(home)) == []


# -- changed


def test_the_key_changes_between_all_kinds_of_file(bare: World, keeper: Keeper, canary: str) -> None:
    """From the clear to wrapped, from wrapped to wrapped, and back."""
    home = bare
    assert home("store", "new-key", "clear.key").code == 0
    configure(home, keeper.entry(), "file:clear.key")
    assert home("init").code == 0
    keep(home, canary)
    by = ["--by", "keeper", "--with"]
    assert home("store", "new-key", PATH, *by, keeper.first).code == 0
    done = home("store", "rotate-key", "--to", PATH, *by, keeper.first)
    assert done.code == 0 and "1 secret is sealed" in done.out and "by: keeper" in done.out
    assert home("store", "info").code == 78  # the old one opens it no more
    configure(home, keeper.entry(), wrapped(PATH, keeper.first))
    assert kept(home) == canary
    assert home("store", "new-key", "second", *by, keeper.second).code == 0
    assert home("store", "rotate-key", "--to", "second", *by, keeper.second).code == 0
    configure(home, keeper.entry(), wrapped("second", keeper.second))
    assert kept(home) == canary
    assert home("store", "new-key", "last.key").code == 0
    assert home("store", "rotate-key", "--to", "last.key").code == 0
    configure(home, keeper.entry(), "file:last.key")
    assert kept(home) == canary


def test_the_same_key_is_wrapped_anew_and_nothing_is_sealed_again(
    bare: World, keeper: Keeper, canary: str
) -> None:
    home = prepared(bare, keeper)
    keep(home, canary)
    before = key_of(home)
    words = ["store", "rotate-key", "--to", "second", "--by", "keeper", "--with", keeper.second, "--same-key"]
    done = home(*words)
    assert (done.code, done.err) == (0, "") and "the key is wrapped" in done.out
    again = home(*words)
    assert again.code == 1 and "exists already" in again.err
    configure(home, keeper.entry(), wrapped("second", keeper.second))
    assert key_of(home) == before and kept(home) == canary
    assert "key wrapped" in home("audit").out


def test_a_key_at_a_connection_is_changed_like_any_other(bare: World, vault: Keeper, canary: str) -> None:
    home = bare
    (home.folder / "kept.json").write_text(json.dumps({"key": base64.b64encode(b"k" * 32).decode()}))
    entry = "{adapter: files, root: ., secrets: true}"
    configure(home, entry, '"@secret:keeper/kept.json#key"')
    assert home("init").code == 0
    keep(home, canary)
    assert kept(home) == canary
    assert home("validate", "--references", "-o", "json").json["references"][0]["problem"] is None
    assert home("store", "new-key", "last.key").code == 0
    assert home("store", "rotate-key", "--to", "last.key").code == 0
    configure(home, entry, "file:last.key")
    assert kept(home) == canary
    assert "kept.json" in home("audit", "-o", "json").out
    configure(home, entry, '"@secret:elsewhere/kept.json#key"')
    refused = home("store", "info")
    assert refused.code == 78 and "there is no connection 'elsewhere'" in refused.err


# -- what goes wrong


def test_a_provider_that_is_down_is_no_mistake_of_the_configuration(bare: World, keeper: Keeper) -> None:
    home = prepared(bare, keeper)
    configure(home, keeper.entry(**keeper.down), wrapped(PATH, keeper.first))
    for words in (["store", "info"], ["validate", "--references"], ["sync"]):
        answer = home(*words)
        assert answer.code == 1 and "the key of the store" in answer.err
    assert home("validate").code == 0


def test_a_key_that_is_disabled_denied_unknown_or_another_is_named_with_its_place(
    bare: World, keeper: Keeper
) -> None:
    home = prepared(bare, keeper)
    for key, reason in (("nothing-here", "no"), (keeper.second, "another key")):
        configure(home, keeper.entry(), wrapped(PATH, key))
        answer = home("store", "info")
        assert answer.code == 78, answer.err
        assert "ecs-sync.yaml:1:" in answer.err and "store.key" in answer.err and key in answer.err
        assert reason in answer.err
    configure(home, keeper.entry(), wrapped(PATH, keeper.first))
    keeper.disable(keeper.first)
    disabled = home("store", "info")
    assert disabled.code == 78 and ("disabled" in disabled.err or "soft-deleted" in disabled.err)
    keeper.deny(keeper.first)
    denied = home("store", "info")
    assert denied.code == 78 and "store.key" in denied.err
    none = home("store", "new-key", "other", "--by", "keeper", "--with", "nothing-here")
    assert none.code == 78 and not (home.folder / "other").exists()


def test_a_wrapping_key_is_never_made_by_the_way(bare: World, vault: Keeper) -> None:
    """Transit makes the key that a request names, where the policy lets it."""
    from ecs_sync_sandbox.openbao import ROOT_TOKEN

    bare.monkeypatch.setenv("KEEPER_TOKEN", ROOT_TOKEN)
    configure(bare, vault.entry(), wrapped(PATH, "mistyped"))
    for _ in range(2):
        refused = bare("store", "new-key", PATH, "--by", "keeper", "--with", "mistyped")
        assert refused.code == 78 and "there is no such key" in refused.err


def _cut(text: str) -> str:
    return text[: len(text) // 2]


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (_cut, "is damaged"),
        (lambda text: text.replace("wrapped vault:v1:", "wrapped vault:v1:A"), "is damaged"),
        (lambda text: text.replace("key 1 ", "key 2 "), "another version of ecs-sync"),
        (lambda _: base64.b64encode(b"k" * 32).decode(), "is no wrapped key"),
        (lambda _: "", "is no wrapped key"),
    ],
)
def test_a_damaged_file_is_noticed_without_asking_the_provider(
    bare: World, vault: Keeper, damage: object, reason: str
) -> None:
    home = prepared(bare, vault)
    path = home.folder / PATH
    path.write_text(damage(path.read_text()))  # type: ignore[operator]
    configure(home, vault.entry(**vault.down), wrapped(PATH, vault.first))
    for words in (["validate"], ["store", "info"]):
        answer = home(*words)
        assert answer.code == 78 and reason in answer.err and "store.key" in answer.err
        assert "a2tra2tr" not in answer.err
    path.unlink()
    assert "is absent" in home("validate").err


def test_a_file_of_another_scheme_is_refused_by_its_name(bare: World, keeper: Keeper) -> None:
    from ecs_sync.store.wrapped import WrappedKey

    home = prepared(bare, keeper)
    (home.folder / PATH).unlink()
    WrappedKey(b"elsewhere-kms:AAAA", "0" * 16).write(home.folder / PATH)
    refused = home("store", "info")
    assert refused.code == 78
    assert f"wrapped with elsewhere-kms, and this connection unwraps {keeper.scheme}" in refused.err


def test_a_file_whose_id_was_exchanged_is_not_taken_for_the_key(bare: World, vault: Keeper) -> None:
    from ecs_sync.store.wrapped import WrappedKey

    home = prepared(bare, vault)
    path = home.folder / PATH
    found = WrappedKey.read(path)
    path.unlink()
    WrappedKey(found.wrapped, "0" * 16).write(path)
    refused = home("store", "info")
    assert refused.code == 78 and "is not the key that" in refused.err


def test_the_configuration_names_a_connection_that_wraps(bare: World, vault: Keeper) -> None:
    for by, reason in (
        ("keepr", "there is no connection 'keepr'; did you mean 'keeper'?"),
        (
            "consul",
            "connection 'consul' has the adapter 'consul', which wraps no keys: name one that does (keeper)",
        ),
    ):
        configure(bare, vault.entry(), wrapped(PATH, vault.first, by))
        answer = bare("validate")
        assert answer.code == 78 and reason in answer.err and "ecs-sync.yaml:1:" in answer.err
        configure(bare, vault.entry(), "file:none.key")
        made = bare("store", "new-key", PATH, "--by", by, "--with", vault.first)
        assert made.code == 78 and reason in made.err
        assert not (bare.folder / PATH).exists()


def test_where_no_connection_wraps_the_adapters_that_do_are_named(bare: World) -> None:
    configure(bare, "{adapter: memory}", wrapped(PATH, "k"))
    answer = bare("validate")
    assert answer.code == 78
    for name in ("aws-secrets", "aws-ssm", "azure-keyvault", "vault-kv1", "vault-kv2"):
        assert name in answer.err


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("{wrapped: a, by: keeper}", "'with' is missing"),
        ("{wrapped: a, by: keeper, with: k, witth: k}", "unknown key 'witth'; did you mean 'with'?"),
        ("[1]", "must be env:NAME, file:PATH or @secret:CONNECTION/NAME, not a list"),
        ("{wrapped: [1], by: keeper, with: k}", "must be a path"),
    ],
)
def test_a_wrapped_key_that_is_not_said_well_is_explained(
    bare: World, vault: Keeper, key: str, reason: str
) -> None:
    configure(bare, vault.entry(), key)
    answer = bare("validate")
    assert answer.code == 78 and reason in answer.err


def test_a_wrapped_key_configured_as_a_file_is_explained(bare: World, vault: Keeper) -> None:
    home = prepared(bare, vault)
    configure(home, vault.entry(), f"file:{PATH}")
    answer = home("store", "info")
    assert answer.code == 78 and "holds a wrapped key" in answer.err


@pytest.mark.parametrize(
    "words",
    [
        ["new-key", "x", "--by", "keeper"],
        ["new-key", "x", "--with", "k"],
        ["rotate-key", "--to", "x", "--by", "keeper"],
        ["rotate-key", "--to", "x", "--same-key"],
        ["rotate-key", "--to", "absent"],
        ["rotate-key", "--to", "absent", "--by", "keeper", "--with", "k"],
    ],
)
def test_options_that_do_not_go_together_are_said(bare: World, vault: Keeper, words: list[str]) -> None:
    home = prepared(bare, vault)
    assert home("store", *words).code == 64
    assert not (home.folder / "x").exists()


def test_a_file_that_is_there_is_not_overwritten(bare: World, vault: Keeper) -> None:
    home = prepared(bare, vault)
    before = (home.folder / PATH).read_bytes()
    again = home("store", "new-key", PATH, "--by", "keeper", "--with", vault.first)
    assert again.code == 1 and "exists already" in again.err
    assert (home.folder / PATH).read_bytes() == before


def test_init_leaves_nothing_behind_where_the_key_does_not_unwrap(bare: World, vault: Keeper) -> None:
    home = prepared(bare, vault)
    (home.folder / "ecs-sync.db").unlink()
    (home.folder / "ecs-sync.db.key").unlink()
    configure(home, vault.entry(**vault.down), wrapped(PATH, vault.first))
    assert home("init").code == 1
    assert not list(home.folder.glob("ecs-sync.db*"))


def test_the_schema_of_the_file_knows_all_spellings_of_the_key(bare: World, vault: Keeper) -> None:
    known = schema()
    for key in (wrapped(PATH, SECOND), "file:a", "env:A", '"@secret:keeper/a#b"'):
        configure(bare, vault.entry(), key)
        tree = YAML(typ="safe").load(Path(bare.folder, "ecs-sync.yaml"))
        jsonschema.validate(tree, known)
    configure(bare, vault.entry(), "{wrapped: a, by: keeper}")
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(YAML(typ="safe").load(Path(bare.folder, "ecs-sync.yaml")), known)


def test_no_error_of_wrapping_holds_the_key(keeper: Keeper, bare: World) -> None:
    configure(bare, keeper.entry(), wrapped(PATH, keeper.first))
    registry = Registry.from_entry_points()
    config = load(bare.folder / "ecs-sync.yaml", environ=os.environ, registry=registry)
    plain = os.urandom(32)
    with Connections(config, registry) as connections:
        adapter = connections.wrapping("keeper")
        assert adapter.unwrap(keeper.first, adapter.wrap(keeper.first, plain)) == plain
        for key in ("nothing-here", "not/a name", ""):
            with pytest.raises(EcsSyncError) as caught:
                adapter.wrap(key, plain)
            assert leaks(plain, str(caught.value).encode(), repr(caught.value).encode()) == []
