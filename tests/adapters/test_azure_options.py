"""Options of the Azure adapters that cannot be right are told by name, in words, and quote no secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_sync.adapter import Delete, Put, Verdict
from ecs_sync.config import load
from ecs_sync.errors import ConfigError, Unavailable
from ecs_sync_adapters.azure_appconfig import AppConfigAdapter, AppConfigOptions
from ecs_sync_adapters.azure_keyvault import KeyVaultAdapter, KeyVaultOptions, KeyVaultPlace
from ecs_sync_sandbox.azure_keyvault import KeyVaultServer
from ecs_sync_sandbox.real_server import free_port
from tests.adapters.keyvault_sandbox import adapter_of

CANARY = "canary-2f90"
VAULT, STORE = "https://acme.vault.azure.net", "https://acme.azconfig.io"
NO_ADDRESSES = (
    *("https://[::1", "https://[", "https://]", "https://acme:99999", "https://acme:0", "https://acme:x"),
    *("https://", "acme", "", "ftp://acme", "https://a@b", "https://a/b", "https://a?b", "https://a#b"),
    *("https://a b", "https://acme\n.evil", "https://%61cme", "https://a\u2100b", "https://a\\b"),
    *("https://" + "a" * 64 + ".azconfig.io", "https://a..b"),
)


def vault_options(**given: Any) -> KeyVaultOptions:
    return KeyVaultOptions(**{"vault": VAULT, **given})


def store_options(**given: Any) -> AppConfigOptions:
    return AppConfigOptions(**{"endpoint": STORE, "credential": "default", **given})


BOTH = pytest.mark.parametrize("options", [vault_options, store_options])


@pytest.mark.parametrize("url", NO_ADDRESSES)
def test_what_is_no_address_is_told_by_the_options_name_with_one_that_is(url: str) -> None:
    with pytest.raises(ValueError, match=r"^vault is not an https address such as https://acme"):
        vault_options(vault=url)
    with pytest.raises(ValueError, match=r"^endpoint is not an https address such as https://acme"):
        store_options(endpoint=url)
    if url:
        for options in (vault_options, store_options):
            with pytest.raises(ValueError, match=r"^authority is not an https address such as https://login"):
                options(authority=url)


@pytest.mark.parametrize(
    "url",
    ["https://acme.azconfig.io/", "https://Acme.azconfig.io:443", "https://10.0.0.1:8443", "https://[::1]"],
)
def test_an_address_may_have_a_port_a_slash_and_numbers(url: str) -> None:
    vault_options(vault=url, authority=url, proxy=url)
    store_options(endpoint=url, authority=url, proxy=url)


@given(st.text(st.sampled_from("https:/[]@.%?#1aé℀ \x00"), max_size=24))
def test_no_address_however_odd_ends_in_anything_but_a_sentence(url: str) -> None:
    for options, name in ((vault_options, "vault"), (store_options, "endpoint")):
        try:
            options(**{name: url})
        except ValueError as error:
            assert str(error).startswith(f"{name} is not")


@pytest.mark.parametrize("address", [*NO_ADDRESSES, "https://[::1/secrets/a", "https://a:99999/secrets/a"])
def test_what_is_no_address_of_a_secret_is_no_secret_of_the_vault(address: str) -> None:
    adapter = KeyVaultAdapter(vault_options())
    assert adapter.addressed(address) is None
    assert adapter.addressed(f"{address}/secrets/db") is None


@BOTH
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"proxy": "http://["}, "proxy is not written like http://proxy.example:3128"),
        ({"proxy": "proxy.example:3128"}, "proxy is not written like"),
        ({"proxy": "socks5://proxy.example:1080"}, "proxy is not written like"),
        ({"proxy": f"http://robot:{CANARY}@proxy.example"}, "give it with the password as proxy_login"),
        ({"proxy_login": f"robot:{CANARY}"}, "proxy_login goes with proxy"),
        ({"proxy": "http://p", "proxy_login": CANARY}, "proxy_login is not user:password"),
        ({"proxy": "http://p", "proxy_login": f"robot:{CANARY}€"}, "in ASCII"),
        ({"proxy": "http://p", "proxy_login": f"robot:{CANARY}\r\nHost: evil"}, "in ASCII"),
        ({"read_timeout": float("nan")}, "read_timeout must be more than 0"),
        ({"connect_timeout": float("inf")}, "connect_timeout must be"),
        ({"concurrency": 0}, "concurrency must be"),
    ],
)
def test_a_route_that_leads_nowhere_is_refused_and_no_login_is_quoted(
    options: Any, given: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        options(**given)
    assert CANARY not in str(caught.value)


def test_a_stand_in_on_this_machine_is_not_asked_for_through_a_proxy() -> None:
    with pytest.raises(ValueError, match="proxy does not go with an endpoint that is on this machine"):
        store_options(endpoint="http://127.0.0.1:8483", proxy="http://proxy.example")


@pytest.mark.parametrize("content", [None, "", "no certificate", "-----BEGIN CERTIFICATE-----\nAA\n"])
def test_a_ca_file_without_a_certificate_is_refused_before_anything_is_sent(
    tmp_path: Path, content: str | None
) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"azure-keyvault: ca_file .*ca.pem holds no certificate"):
        KeyVaultAdapter(vault_options(ca_file=file))
    with pytest.raises(ConfigError, match=r"azure-appconfig: ca_file .*ca.pem holds no certificate"):
        AppConfigAdapter(store_options(ca_file=file))


@pytest.mark.parametrize("id", ["a b", "€", "a\r\nHost: evil"])
def test_an_access_key_whose_id_would_break_its_header_is_refused(id: str) -> None:
    text = f"Endpoint={STORE};Id={id};Secret=c2VjcmV0"
    with pytest.raises(ValueError, match="connection_string: its Id"):
        AppConfigOptions(STORE, connection_string=text)


@pytest.mark.parametrize(
    ("connection", "said"),
    [
        ("{adapter: azure-keyvault, vault: 'https://['}", "vault is not an https address"),
        ("{adapter: azure-appconfig, endpoint: 'https://[', credential: cli}", "endpoint is not an https"),
        (f"{{adapter: azure-keyvault, vault: '{VAULT}', proxy: 'http://['}}", "proxy is not written like"),
    ],
)
def test_a_configuration_says_where_an_address_is_wrong(tmp_path: Path, connection: str, said: str) -> None:
    file = tmp_path / "ecs-sync.yaml"
    file.write_text(f"connections:\n  cloud: {connection}\njobs: {{}}\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(file, environ={})
    [problem] = [problem for problem in caught.value.problems if said in problem.message]
    assert problem.line == 2 and "cloud" in problem.path


def test_two_credentials_at_one_vault_lead_to_one_place(tmp_path: Path) -> None:
    file = tmp_path / "ecs-sync.yaml"
    lines = [
        'store: {url: "sqlite:///s.db"}',
        "connections:",
        f"  mine: {{adapter: azure-keyvault, vault: '{VAULT}', credential: managed-identity}}",
        f"  other: {{adapter: azure-keyvault, vault: '{VAULT}/', credential: cli, tenant_id: acme}}",
        "jobs:",
        "  one: {links: [{connection: mine, place: a-, mapping: path, mode: mirror}]}",
        "  two: {links: [{connection: other, place: a-b-, mapping: path, mode: mirror}]}",
    ]
    file.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(file, environ={})
    assert [
        problem for problem in caught.value.problems if "overlaps the place of job 'one'" in problem.message
    ]


def test_a_ca_file_that_goes_while_it_is_used_means_that_nothing_was_sent(tmp_path: Path) -> None:
    with KeyVaultServer() as vault:
        file = tmp_path / "ca.pem"
        file.write_bytes(Path(vault.connection()["ca_file"]).read_bytes())
        adapter = adapter_of(vault, ca_file=file)
        revision = adapter.write([Put("acme-db", b"1", None)])[0].revision or ""
        file.unlink()
        with pytest.raises(Unavailable, match="ca_file cannot be read any more"):
            adapter.write([Delete("acme-db", revision)])
        assert vault.vault.versions("acme-db").versions
        adapter.close()


@pytest.mark.parametrize("word", ["expires", "not-before"])
@pytest.mark.parametrize("text", ["soon", "", "99999-01-01T00:00:00Z"])
def test_a_time_that_is_none_is_refused_by_its_name_and_nothing_is_asked(word: str, text: str) -> None:
    adapter = KeyVaultAdapter(vault_options(vault=f"https://127.0.0.1:{free_port()}"))
    [outcome] = adapter.write([Put("acme-db", b"1", None, attributes=((word, text),))])
    assert outcome.verdict is Verdict.REFUSED and word in outcome.reason


def test_an_empty_place_in_a_vault_says_how_the_whole_vault_is_written() -> None:
    with pytest.raises(ValueError, match=r"^'' is no beginning of names.*'\*' for the whole vault"):
        KeyVaultPlace.parse("")
