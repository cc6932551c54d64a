"""A secret at every provider, while each fails in every way: it is where it may be, and only there."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest

from tests.canary import spellings
from tests.canary_everywhere import abroad as tours
from tests.canary_everywhere.abroad import Abroad
from tests.canary_everywhere.watched import Traces


@pytest.fixture(scope="module")
def abroad(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Abroad]:
    with tours.begun(tmp_path_factory.mktemp("abroad")) as abroad:
        tours.everything(abroad)
        yield abroad


@pytest.fixture
def forms(abroad: Abroad) -> list[bytes]:
    return list(spellings(abroad.tour.canaries[0]))


def test_no_secret_is_found_anywhere(abroad: Abroad) -> None:
    assert abroad.tour.where() == []


def test_places_that_are_not_made_for_secrets_never_see_one(abroad: Abroad, forms: list[bytes]) -> None:
    """By `secrets: copy` or by mistake: neither in what they hold, nor in any request they ever got."""
    plain = abroad.places.plain()
    assert {name.split()[2].rstrip(":") for name, _ in plain if name.startswith("sent")} == {
        "consul",
        "azure",
        "appconfig",
    }
    assert Traces(tuple(plain)).where(forms) == []
    assert any(b"shown" in content for _, content in plain), "they get what is no secret"


def test_every_secret_store_got_the_secrets(abroad: Abroad) -> None:
    """And the search finds them there."""
    for name, sent in abroad.places.received():
        got = [canary for canary in abroad.tour.canaries if canary[10:].encode() in sent]
        assert len(got) >= 3, name
        assert Traces(((name, sent),)).where(spellings(got[0])) == [name]


def test_every_fault_was_met_by_every_provider(abroad: Abroad) -> None:
    said = "\n".join(answer.out + answer.err for _, answer in abroad.tour.watched.answers)
    for sign in (
        "permission denied",
        "asks to slow down",
        "did not answer in time",
        "status 500",
        "not one of Vault" if abroad.has_vault else "",
        "ReadTimeout",
    ):
        assert sign in said, sign


def test_nothing_crashed(abroad: Abroad) -> None:
    answers = abroad.tour.watched.answers
    assert [(words, one.err) for words, one in answers if "mistake in ecs-sync" in one.err] == []


def test_a_credential_is_nowhere_but_on_its_way(abroad: Abroad) -> None:
    """Tokens and keys of connections: neither in output, logs, files nor processes."""
    key = abroad.places.azure.connection_string.rpartition("Secret=")[2]
    tokens = [token.encode() for token in abroad.places.keyvault.entra.tokens]
    assert tokens
    wanted = [key.encode(), *tokens]
    wanted += [b"sandbox-root"] if abroad.has_vault else []
    assert abroad.tour.traces().where(wanted) == []


def test_the_key_of_the_store_is_on_no_disk(abroad: Abroad) -> None:
    """It lies wrapped in a file, and travels between Vault and the memory of the process."""
    if abroad.places.bao is None:
        pytest.skip("OpenBao is not installed: pip install 'ecs-sync[sandbox]' (on Linux)")
    for name in ("secrets.key", "next.key"):
        text = (abroad.tour.home / name).read_text().partition("wrapped ")[2].split("\n")[0]
        plain = abroad.places.bao.call("POST", "transit/decrypt/ecs-sync", {"ciphertext": text})
        spelled: str = plain["data"]["plaintext"]
        key = base64.b64decode(spelled)
        assert len(key) == 32
        forms = (spelled.encode(), key, key[:16], key[16:], key.hex().encode(), repr(key)[2:-1].encode())
        assert abroad.tour.traces().where(forms) == []
