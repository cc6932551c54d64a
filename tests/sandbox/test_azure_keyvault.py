"""The rules of the Key Vault stand-in, one by one, over plain HTTPS."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests
from azure.core.credentials import AccessToken
from azure.keyvault.keys.crypto import CryptographyClient, KeyWrapAlgorithm

from ecs_sync_sandbox.azure_keyvault import CLIENT_ID, CLIENT_SECRET, TENANT, KeyVaultServer

VERSION = "[0-9a-f]{32}"


@dataclass
class Clock:
    now: float = 1_700_000_000.7

    def __call__(self) -> float:
        return self.now


@dataclass
class Caller:
    """Speaks plain HTTPS to a vault, with a token of its Entra."""

    server: KeyVaultServer
    token: str = ""
    session: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        self.session.verify = self.server.ca_file
        self.session.trust_env = False

    def log_in(self, secret: str = CLIENT_SECRET) -> requests.Response:
        form = {"client_id": CLIENT_ID, "client_secret": secret, "grant_type": "client_credentials"}
        answer = self.session.post(f"{self.server.url}/{TENANT}/oauth2/v2.0/token", data=form, timeout=30)
        self.token = answer.json().get("access_token", "")
        return answer

    def send(self, method: str, path: str, body: Any = None, query: str = "") -> requests.Response:
        url = path if path.startswith("https:") else f"{self.server.url}{path}?api-version=7.4{query}"
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return self.session.request(method, url, json=body, headers=headers, timeout=30)

    def told(self, method: str, path: str, body: Any = None, query: str = "") -> Any:
        answer = self.send(method, path, body, query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def set(self, name: str, value: str = "on", **more: Any) -> Any:
        return self.told("PUT", f"/secrets/{name}", {"value": value, **more})

    def pages(self, path: str, query: str = "") -> list[list[str]]:
        """The names, or ids of versions, of each page."""
        page = self.told("GET", path, query=query)
        pages = [[entry["id"].rpartition("/")[2] for entry in page["value"]]]
        while page["nextLink"]:
            assert page["nextLink"].startswith(self.server.url)
            page = self.told("GET", page["nextLink"])
            pages.append([entry["id"].rpartition("/")[2] for entry in page["value"]])
        return pages

    def refusal(self, method: str, path: str, body: Any = None, query: str = "") -> tuple[int, str, str]:
        """Status, code and inner code of an error."""
        answer = self.send(method, path, body, query)
        error = answer.json()["error"]
        assert error["message"]
        return answer.status_code, error["code"], error.get("innererror", {}).get("code", "")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(clock: Clock) -> Iterator[KeyVaultServer]:
    with KeyVaultServer(clock=clock) as server:
        yield server


@pytest.fixture
def caller(server: KeyVaultServer) -> Caller:
    caller = Caller(server)
    caller.log_in()
    return caller


def lagging(lag: int) -> tuple[KeyVaultServer, Caller]:
    server = KeyVaultServer(lag=lag)
    return server, Caller(server)


def test_v1_without_a_token_it_says_who_gives_tokens(server: KeyVaultServer) -> None:
    answer = Caller(server).send("PUT", "/secrets/a")
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "Unauthorized"
    challenge = answer.headers["WWW-Authenticate"]
    assert challenge.startswith("Bearer authorization=") and 'resource="https://vault.azure.net"' in challenge
    assert TENANT in challenge
    assert server.vault.secrets() == []


def test_v2_an_expired_token_is_challenged_again(server: KeyVaultServer, caller: Caller) -> None:
    caller.set("a")
    server.entra.expire()
    answer = caller.send("GET", "/secrets/a")
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    caller.log_in()
    assert caller.told("GET", "/secrets/a")["value"] == "on"
    server.entra.revoke()
    assert 'claims="' in caller.send("GET", "/secrets/a").headers["WWW-Authenticate"]


def test_v3_every_put_makes_a_version(caller: Caller) -> None:
    ids = {caller.set("a", "same")["id"] for _ in range(3)}
    assert len(ids) == 3
    assert all(re.fullmatch(rf"https://127\.0\.0\.1:\d+/secrets/a/{VERSION}", id) for id in ids)


def test_v4_a_new_version_takes_over_nothing(caller: Caller) -> None:
    caller.set(
        "a",
        tags={"team": "x"},
        contentType="text/plain",
        attributes={"enabled": False, "nbf": 1, "exp": 2_000_000_000},
    )
    fresh = caller.set("a", "two")
    assert "tags" not in fresh and "contentType" not in fresh
    assert fresh["attributes"]["enabled"] is True
    assert not {"nbf", "exp"} & fresh["attributes"].keys()


def test_v5_versions_of_one_second_have_the_same_times(caller: Caller, clock: Clock) -> None:
    one, two = caller.set("a"), caller.set("a", "two")
    assert one["attributes"] == two["attributes"]
    assert one["attributes"]["created"] == one["attributes"]["updated"] == int(clock.now)
    assert caller.told("GET", "/secrets/a")["id"] == two["id"]


def test_v6_names_of_other_case_are_the_same_secret(caller: Caller) -> None:
    caller.set("DbPass", "one")
    caller.set("dbpass", "two")
    assert caller.pages("/secrets") == [["DbPass"]]
    assert caller.told("GET", "/secrets/DBPASS")["value"] == "two"
    assert len(caller.pages("/secrets/dbPass/versions")[0]) == 2


def test_v7_a_version_can_be_named_and_neither_there_is_404(caller: Caller) -> None:
    first = caller.set("a", "one")["id"].rpartition("/")[2]
    caller.set("a", "two")
    assert caller.told("GET", f"/secrets/a/{first}")["value"] == "one"
    assert caller.told("GET", "/secrets/a/")["value"] == "two"
    assert caller.refusal("GET", "/secrets/b") == (404, "SecretNotFound", "")
    assert caller.refusal("GET", f"/secrets/a/{'0' * 32}") == (404, "SecretNotFound", "")


def test_v8_a_disabled_version_is_forbidden(caller: Caller) -> None:
    caller.set("a", attributes={"enabled": False})
    assert caller.refusal("GET", "/secrets/a") == (403, "Forbidden", "SecretDisabled")
    assert caller.pages("/secrets") == [["a"]]


def test_v9_lists_tell_no_values_and_the_list_of_secrets_no_versions(caller: Caller) -> None:
    caller.set("a", tags={"team": "x"}, contentType="text/plain")
    (secret,) = caller.told("GET", "/secrets")["value"]
    (version,) = caller.told("GET", "/secrets/a/versions")["value"]
    assert "value" not in secret and "value" not in version
    assert secret["id"].endswith("/secrets/a")
    assert re.fullmatch(f".*/secrets/a/{VERSION}", version["id"])
    assert (secret["tags"], secret["contentType"]) == ({"team": "x"}, "text/plain")


def test_v10_a_page_holds_25_and_links_to_the_next(caller: Caller, server: KeyVaultServer) -> None:
    for number in range(51):
        server.vault.set(f"n{number:02}", {"value": "on"})
    assert [len(page) for page in caller.pages("/secrets")] == [25, 25, 1]
    assert [len(page) for page in caller.pages("/secrets", "&maxresults=20")] == [20, 20, 11]
    for most in ("0", "26", "many"):
        assert caller.refusal("GET", "/secrets", query=f"&maxresults={most}") == (400, "BadParameter", "")


def test_v10_what_comes_and_goes_meanwhile_moves_no_other(caller: Caller, server: KeyVaultServer) -> None:
    for number in range(30):
        server.vault.set(f"n{number:02}", {"value": "on"})
    page = caller.told("GET", "/secrets")
    server.vault.delete("n00")
    server.vault.set("a", {"value": "on"})
    rest = caller.told("GET", page["nextLink"])
    assert [entry["id"].rpartition("/")[2] for entry in rest["value"]] == [f"n{n}" for n in range(25, 30)]


def test_v11_secrets_are_listed_by_name_in_upper_case_and_versions_by_id(caller: Caller) -> None:
    for name in ("b", "A", "C", "a1"):
        caller.set(name)
    assert caller.pages("/secrets") == [["A", "a1", "b", "C"]]
    for _ in range(5):
        caller.set("b")
    (ids,) = caller.pages("/secrets/b/versions")
    assert ids == sorted(ids)


def test_v12_a_short_or_empty_page_is_not_the_last(caller: Caller, server: KeyVaultServer) -> None:
    for name in "abcd":
        caller.set(name)
    server.short_pages_next([0, 1, 0, 2])
    assert caller.pages("/secrets") == [[], ["a"], [], ["b", "c"], ["d"]]


def test_v13_a_certificate_s_secret_is_managed(caller: Caller, server: KeyVaultServer) -> None:
    server.vault.certificate("web")
    (entry,) = caller.told("GET", "/secrets")["value"]
    assert entry["managed"] is True
    assert caller.told("GET", "/secrets/web")["kid"].startswith(server.url)
    assert caller.refusal("PUT", "/secrets/web", {"value": "on"})[0] == 409


def test_v14_the_versions_of_what_is_not_there_are_an_empty_list(caller: Caller) -> None:
    assert caller.told("GET", "/secrets/a/versions") == {"value": [], "nextLink": None}


def test_v15_a_patch_makes_no_version_and_moves_the_change_time(caller: Caller, clock: Clock) -> None:
    made = caller.set("a", tags={"team": "x"})
    clock.now += 10
    moved = caller.told("PATCH", "/secrets/a/", {"tags": {"team": "y"}, "attributes": {"exp": 2_000_000_000}})
    assert moved["id"] == made["id"] and moved["tags"] == {"team": "y"}
    assert moved["attributes"]["updated"] == made["attributes"]["updated"] + 10
    assert moved["attributes"]["created"] == made["attributes"]["created"]
    assert len(caller.pages("/secrets/a/versions")[0]) == 1


def test_v16_a_delete_takes_all_versions_and_says_until_when(caller: Caller, clock: Clock) -> None:
    caller.set("a")
    caller.set("a", "two")
    gone = caller.told("DELETE", "/secrets/a")
    assert gone["recoveryId"].endswith("/deletedsecrets/a")
    assert gone["deletedDate"] == int(clock.now)
    assert gone["scheduledPurgeDate"] == int(clock.now) + 90 * 86400
    assert caller.refusal("GET", "/secrets/a")[0] == 404
    assert caller.pages("/secrets") == [[]]
    assert caller.told("GET", "/deletedsecrets/a")["id"] == gone["id"]
    assert len(caller.told("GET", "/deletedsecrets")["value"]) == 1
    assert caller.refusal("DELETE", "/secrets/a") == (404, "SecretNotFound", "")


def test_v17_a_deleted_name_is_not_free(caller: Caller) -> None:
    caller.set("Name")
    caller.told("DELETE", "/secrets/Name")
    refusal = caller.refusal("PUT", "/secrets/name", {"value": "on"})
    assert refusal == (409, "Conflict", "ObjectIsDeletedButRecoverable")


def test_v18_deleting_and_recovering_take_a_while(clock: Clock) -> None:
    server, caller = lagging(2)
    with server:
        caller.log_in()
        caller.set("a")
        caller.told("DELETE", "/secrets/a")
        refusal = caller.refusal("PUT", "/secrets/a", {"value": "on"})
        assert refusal == (409, "Conflict", "ObjectIsBeingDeleted")
        assert caller.refusal("GET", "/deletedsecrets/a")[0] == 404
        caller.told("GET", "/deletedsecrets/a")
        caller.told("POST", "/deletedsecrets/a/recover")
        refusal = caller.refusal("PUT", "/secrets/a", {"value": "on"})
        assert refusal == (409, "Conflict", "ObjectIsBeingRecovered")
        assert caller.refusal("GET", "/secrets/a")[0] == 404
        assert caller.told("GET", "/secrets/a")["value"] == "on"


def test_v19_a_recovered_secret_has_its_versions_back(caller: Caller) -> None:
    caller.set("a", "one")
    caller.set("a", "two")
    caller.told("DELETE", "/secrets/a")
    caller.told("POST", "/deletedsecrets/a/recover")
    assert caller.told("GET", "/secrets/a")["value"] == "two"
    assert len(caller.pages("/secrets/a/versions")[0]) == 2
    assert caller.refusal("POST", "/deletedsecrets/a/recover") == (404, "SecretNotFound", "")


def test_v20_purging_frees_the_name(caller: Caller) -> None:
    caller.set("a")
    caller.told("DELETE", "/secrets/a")
    assert caller.send("DELETE", "/deletedsecrets/a").status_code == 204
    assert caller.refusal("DELETE", "/deletedsecrets/a")[0] == 404
    caller.set("a", "new")
    assert len(caller.pages("/secrets/a/versions")[0]) == 1


@pytest.mark.parametrize("name", ["a_b", "a.b", "x" * 128, "%20", "ä", "a%2Fb"])
def test_v21_a_name_is_letters_digits_and_dashes(caller: Caller, name: str) -> None:
    answer = caller.send("PUT", f"/secrets/{name}", {"value": "on"})
    assert answer.status_code in (400, 404)
    assert caller.pages("/secrets") == [[]]


def test_v22_a_value_is_text_of_25600_bytes(caller: Caller) -> None:
    assert caller.set("a", "")["value"] == ""
    assert caller.set("a", "x" * 25_600)["value"] == "x" * 25_600
    for value in ("x" * 25_601, None, 5):
        assert caller.refusal("PUT", "/secrets/a", {"value": value}) == (400, "BadParameter", "")
    assert caller.refusal("PUT", "/secrets/a", []) == (400, "BadParameter", "")


def test_v23_tags_and_content_type_have_limits(caller: Caller) -> None:
    caller.set("a", tags={f"{n:0256}": "y" * 256 for n in range(15)}, contentType="c" * 255)
    wrong: list[dict[str, Any]] = [
        {"tags": {str(n): "y" for n in range(16)}},
        {"tags": {"x" * 257: "y"}},
        {"tags": {"x": "y" * 257}},
        {"contentType": "c" * 256},
        {"attributes": {"exp": "soon"}},
    ]
    for more in wrong:
        refusal = caller.refusal("PUT", "/secrets/a", {"value": "on", **more})
        assert refusal == (400, "BadParameter", "")


def test_v24_it_throttles_on_demand_and_not_its_own_challenge(server: KeyVaultServer, caller: Caller) -> None:
    server.throttle("7", times=2)
    assert Caller(server).send("GET", "/secrets").status_code == 401
    answer = caller.send("PUT", "/secrets/a", {"value": "on"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
    assert caller.refusal("PUT", "/secrets/a", {"value": "on"}) == (429, "Throttled", "")
    caller.set("a")


def test_v25_an_api_version_is_required(caller: Caller) -> None:
    assert caller.refusal("GET", f"{caller.server.url}/secrets") == (400, "BadParameter", "")
    assert caller.refusal("GET", "/elsewhere") == (404, "NotFound", "")
    assert caller.refusal("POST", "/keys/k/elsewhere") == (404, "NotFound", "")


@pytest.mark.parametrize("algorithm", ["RSA-OAEP-256", "RSA-OAEP"])
def test_v26_a_key_wraps_and_unwraps_another(server: KeyVaultServer, caller: Caller, algorithm: str) -> None:
    kid = server.keys.create("store")
    body = {"alg": algorithm, "value": "c2VjcmV0IGtleQ"}
    wrapped = caller.told("POST", "/keys/store//wrapkey", body)
    assert wrapped["kid"] == kid
    newer = server.keys.create("store")
    assert caller.told("GET", "/keys/store")["key"]["kid"] == newer
    version = kid.rpartition("/")[2]
    again = {"alg": algorithm, "value": wrapped["value"]}
    assert caller.told("POST", f"/keys/store/{version}/unwrapkey", again)["value"] == body["value"]
    assert caller.refusal("POST", "/keys/store/unwrapkey", again) == (400, "BadParameter", "")
    assert caller.refusal("POST", "/keys/store/wrapkey", {**body, "alg": "A256KW"})[0] == 400
    assert caller.refusal("GET", "/keys/other") == (404, "KeyNotFound", "")


def test_v26_the_sdk_wraps_and_unwraps_with_it(server: KeyVaultServer) -> None:
    caller = Caller(server)
    caller.log_in()

    class Gives:
        def get_token(self, *scopes: str, **_: Any) -> AccessToken:
            assert scopes == ("https://vault.azure.net/.default",)
            return AccessToken(caller.token, 2_000_000_000 * 2)

    client = CryptographyClient(
        server.keys.create("store"),
        Gives(),
        connection_verify=server.ca_file,
        verify_challenge_resource=False,
    )
    wrapped = client.wrap_key(KeyWrapAlgorithm.rsa_oaep_256, b"a data key of 32 bytes, or nearly")
    unwrapped = client.unwrap_key(KeyWrapAlgorithm.rsa_oaep_256, wrapped.encrypted_key)
    assert unwrapped.key == b"a data key of 32 bytes, or nearly"


def test_v27_tokens_are_given_to_its_own_application_only(server: KeyVaultServer) -> None:
    caller = Caller(server)
    answer = caller.log_in("wrong")
    assert answer.status_code == 401 and "AADSTS7000215" in answer.text
    assert caller.log_in().json()["token_type"] == "Bearer"
    assert caller.pages("/secrets") == [[]]
    assert all(TENANT not in request.path for request in server.requests)


def test_a_lost_answer_has_its_effect(server: KeyVaultServer, caller: Caller) -> None:
    server.faults.drop_next(when=lambda request: request.method == "PUT")
    with pytest.raises(requests.ConnectionError):
        caller.set("a")
    assert caller.told("GET", "/secrets/a")["value"] == "on"


def test_many_threads_set_one_secret_and_every_version_is_kept(caller: Caller) -> None:
    threads = [threading.Thread(target=caller.set, args=("a", f"v{n}")) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(caller.pages("/secrets/a/versions")[0]) == 12
