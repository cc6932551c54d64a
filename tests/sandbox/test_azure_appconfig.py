"""The rules of the App Configuration stand-in, one by one, over plain HTTP."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
import requests

from ecs_sync_sandbox.azure_appconfig import AzureAppConfigServer

NEWEST, OLDER = "2026-04-01", "2023-11-01"


@dataclass
class Caller:
    """Signs and sends requests, as any client of the service does."""

    server: AzureAppConfigServer
    version: str = NEWEST
    headers: dict[str, str] = field(default_factory=dict)
    age: timedelta = timedelta()
    secret: str | None = None

    def send(self, method: str, path: str, body: bytes = b"", **conditions: str) -> requests.Response:
        target = f"{path}{'&' if '?' in path else '?'}api-version={self.version}"
        headers = {**self._signed(method, target, body), **self.headers}
        headers |= {name.replace("_", "-"): text for name, text in conditions.items()}
        request = requests.Request(method, self.server.url, headers=headers, data=body).prepare()
        request.url = self.server.url + target
        return requests.Session().send(request, timeout=30)

    def put(self, key: str, body: dict[str, Any], query: str = "", **conditions: str) -> requests.Response:
        path = f"/kv/{quote(key, safe='')}{query}"
        return self.send("PUT", path, json.dumps(body).encode(), **conditions)

    def keys(self, query: str) -> list[str]:
        response = self.send("GET", f"/kv?{query}")
        assert response.status_code == 200, response.text
        return [item["key"] for item in response.json()["items"]]

    def _signed(self, method: str, target: str, body: bytes) -> dict[str, str]:
        parts = dict(part.partition("=")[::2] for part in self.server.connection_string.split(";"))
        host = self.server.url.removeprefix("http://")
        date = (datetime.now(UTC) - self.age).strftime("%a, %d %b %Y %H:%M:%S GMT")
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        text = f"{method}\n{target}\n{date};{host};{digest}"
        key = base64.b64decode(self.secret or parts["Secret"])
        signature = base64.b64encode(hmac.new(key, text.encode(), hashlib.sha256).digest()).decode()
        signed = "x-ms-date;host;x-ms-content-sha256"
        credential = f"Credential={parts['Id']}&SignedHeaders={signed}&Signature={signature}"
        return {
            "x-ms-date": date,
            "x-ms-content-sha256": digest,
            "Authorization": f"HMAC-SHA256 {credential}",
        }


@pytest.fixture
def server() -> Iterator[AzureAppConfigServer]:
    with AzureAppConfigServer(tokens={"reader": "read", "writer": "write"}) as server:
        yield server


@pytest.fixture
def caller(server: AzureAppConfigServer) -> Caller:
    return Caller(server)


def etag(response: requests.Response) -> str:
    assert response.status_code == 200, response.text
    return str(response.headers["ETag"])


@pytest.mark.parametrize("query", ["", "?label=", "?label=%00"])
def test_a1_a_setting_without_a_label_is_one_of_its_own(caller: Caller, query: str) -> None:
    caller.put("a", {"value": "none"})
    caller.put("a", {"value": "prod"}, "?label=prod")
    found = caller.send("GET", f"/kv/a{query}").json()
    assert (found["value"], found["label"]) == ("none", None)
    assert caller.send("GET", "/kv/a?label=prod").json()["value"] == "prod"
    assert caller.send("GET", "/kv/a?label=dev").status_code == 404


def test_a2_a_put_clears_what_it_leaves_out(caller: Caller) -> None:
    caller.put("a", {"value": "1", "content_type": "text/plain", "tags": {"x": "y"}, "description": "d"})
    caller.put("a", {"value": "2"})
    found = caller.send("GET", "/kv/a").json()
    assert (found["content_type"], found["tags"], found["description"]) == (None, {}, None)


def test_a3_a_put_of_what_is_there_keeps_or_moves_the_etag_as_the_stand_in_is_told() -> None:
    for same_write, kept in (("keeps", True), ("moves", False)):
        with AzureAppConfigServer(same_write=same_write) as server:  # type: ignore[arg-type]
            caller = Caller(server)
            first = etag(caller.put("a", {"value": "1"}))
            assert (etag(caller.put("a", {"value": "1"})) == first) is kept
            assert etag(caller.put("a", {"value": "2"})) != first


def test_a4_conditions_are_held_or_the_answer_is_412_without_a_body(caller: Caller) -> None:
    missing = caller.put("a", {"value": "1"}, If_Match="*")
    assert (missing.status_code, missing.content) == (412, b"")
    first = etag(caller.put("a", {"value": "1"}, If_None_Match="*"))
    assert caller.put("a", {"value": "2"}, If_None_Match="*").status_code == 412
    second = etag(caller.put("a", {"value": "2"}, If_Match=first))
    assert caller.put("a", {"value": "3"}, If_Match=first).status_code == 412
    assert caller.send("DELETE", "/kv/a", If_Match=first).status_code == 412
    same = caller.send("GET", "/kv/a", If_None_Match=second)
    assert (same.status_code, same.headers["ETag"]) == (304, second)
    assert caller.send("DELETE", "/kv/a", If_Match=second).status_code == 200
    assert caller.send("DELETE", "/kv/a", If_Match=second).status_code == 412


def test_a5_a_locked_setting_refuses_to_be_written_and_deleted(caller: Caller) -> None:
    caller.put("a", {"value": "1"})
    caller.send("PUT", "/locks/a")
    for response in (caller.put("a", {"value": "2"}), caller.send("DELETE", "/kv/a")):
        assert response.status_code == 409
        assert response.json()["type"] == "https://azconfig.io/errors/key-locked"


def test_a6_a_delete_tells_what_was_there(caller: Caller) -> None:
    caller.put("a", {"value": "1"})
    assert caller.send("DELETE", "/kv/a").json()["value"] == "1"
    assert caller.send("DELETE", "/kv/a").status_code == 204


def test_a7_locks_are_set_and_lifted_and_there_is_none_of_nothing(caller: Caller) -> None:
    caller.put("a", {"value": "1"})
    assert caller.send("PUT", "/locks/a").json()["locked"] is True
    assert caller.send("DELETE", "/locks/a").json()["locked"] is False
    assert caller.send("PUT", "/locks/b").status_code == 404


def test_a8_filters_select_prefixes_lists_and_no_label_and_escapes_stand_for_themselves(
    server: AzureAppConfigServer, caller: Caller
) -> None:
    for key in ("app/a", "app/b", "app*x", "a,b", "a\\b", "other"):
        server.settings.set(key, "1", "prod" if key == "other" else None)
    assert caller.keys("key=app%2F*") == ["app/a", "app/b"]
    assert caller.keys("key=app%5C*x") == ["app*x"]
    assert caller.keys("key=a%5C%2Cb,a%5C%5Cb,other") == ["a,b", "a\\b", "other"]
    assert caller.keys("label=%5C0") == caller.keys("label=%00") != caller.keys("")
    assert caller.keys("label=prod") == ["other"]
    assert len(caller.keys("")) == len(caller.keys("label=")) == len(caller.keys("key=*foo")) == 6
    for broken in ("key=a,b,c,d,e,f", "key=a*b", "key=a,b*", "label=a*b"):
        assert caller.send("GET", f"/kv?{broken}").status_code == 400, broken


def test_a8_settings_come_in_the_order_of_utf_16(server: AzureAppConfigServer, caller: Caller) -> None:
    for key in ("b", "\uffee", "🔑", "B"):
        server.settings.set(key, "1")
    assert caller.keys("") == ["B", "b", "🔑", "\uffee"]


def test_a8_a_tag_is_matched_exactly(server: AzureAppConfigServer, caller: Caller) -> None:
    server.settings.set("a", "1", tags={"team": "billing"})
    server.settings.set("b", "1", tags={"team": None})
    assert caller.keys("tags=team%3Dbilling") == ["a"]
    assert caller.keys("tags=team%3D%5C0") == ["b"]


def test_a9_pages_are_of_a_hundred_and_a_full_one_always_has_a_next(
    server: AzureAppConfigServer, caller: Caller
) -> None:
    for number in range(200):
        server.settings.set(f"k{number:03}", "1")
    path, sizes = "/kv?key=k*", []
    while path:
        response = caller.send("GET", path)
        sizes.append(len(response.json()["items"]))
        path = response.json().get("@nextLink", "").replace(f"&api-version={NEWEST}", "")
        assert ("Link" in response.headers) == bool(path)
    assert sizes == [100, 100, 0]


def test_a10_a_page_has_an_etag_that_follows_its_settings_and_a_304_tells_the_next_page(
    server: AzureAppConfigServer, caller: Caller
) -> None:
    for number in range(101):
        server.settings.set(f"k{number:03}", "1")
    first = caller.send("GET", "/kv?key=k*")
    same = caller.send("GET", "/kv?key=k*", If_None_Match=etag(first))
    assert (same.status_code, same.headers["Link"]) == (304, first.headers["Link"])
    server.settings.set("k100", "2")
    assert caller.send("GET", "/kv?key=k*", If_None_Match=etag(first)).status_code == 304
    server.settings.set("k050", "2")
    assert caller.send("GET", "/kv?key=k*", If_None_Match=etag(first)).status_code == 200


def test_a11_head_answers_the_headers_of_get(caller: Caller) -> None:
    caller.put("a", {"value": "1"})
    for path in ("/kv/a", "/kv?key=a"):
        head, get = caller.send("HEAD", path), caller.send("GET", path)
        assert (head.status_code, head.content, head.headers["ETag"]) == (200, b"", get.headers["ETag"])


def test_a12_revisions_show_every_state_the_youngest_first(caller: Caller) -> None:
    etags = [etag(caller.put("a", {"value": str(number)})).strip('"') for number in range(3)]
    caller.put("b", {"value": "x"})
    caller.send("DELETE", "/kv/a")
    shown = caller.send("GET", "/revisions?key=a&label=%00").json()["items"]
    assert [(item["etag"], item["value"]) for item in shown] == list(zip(etags, "012", strict=True))[::-1]


@pytest.mark.parametrize(
    ("key", "status"),
    [("x" * 256, 200), ("x" * 257, 400), ("a\tb", 400), ("100%", 400), ("Grüße 🔑,*\\", 200)],
)
def test_a13_a_key_is_taken_or_400(caller: Caller, key: str, status: int) -> None:
    assert caller.put(key, {"value": "1"}).status_code == status


def test_a13_a_setting_has_ten_kibibytes_in_all(caller: Caller) -> None:
    room = 10 * 1024 - len("a") - len("nv")
    assert caller.put("a", {"value": "x" * room, "tags": {"n": "v"}}).status_code == 200
    assert caller.put("a", {"value": "x" * (room + 1), "tags": {"n": "v"}}).status_code == 413


def test_a14_a_store_that_lags_is_current_for_who_shows_the_newest_sync_token(
    server: AzureAppConfigServer, caller: Caller
) -> None:
    caller.put("a", {"value": "old"})
    server.settings.lag()
    token = caller.put("a", {"value": "new"}).headers["Sync-Token"]
    shown = token.partition(";sn=")[0]
    stale = caller.send("GET", "/kv/a")
    assert stale.json()["value"] == "old" and stale.headers["Sync-Token"] != token
    assert caller.send("GET", "/kv/a", Sync_Token=shown).json()["value"] == "new"
    server.settings.catch_up()
    assert caller.send("GET", "/kv/a").json()["value"] == "new"


def test_a15_a_wrong_signature_or_an_old_date_is_401(server: AzureAppConfigServer) -> None:
    assert Caller(server).send("GET", "/kv").status_code == 200
    assert Caller(server, secret=base64.b64encode(b"other").decode()).send("GET", "/kv").status_code == 401
    assert Caller(server, age=timedelta(minutes=20)).send("GET", "/kv").status_code == 401
    assert Caller(server, headers={"Authorization": ""}).send("GET", "/kv").status_code == 401


def test_a16_a_bearer_may_what_it_may(server: AzureAppConfigServer) -> None:
    statuses = {}
    for token in ("reader", "writer", "nobody"):
        bearer = Caller(server, headers={"Authorization": f"Bearer {token}"})
        statuses[token] = (bearer.send("GET", "/kv").status_code, bearer.put("a", {}).status_code)
    assert statuses == {"reader": (200, 403), "writer": (200, 200), "nobody": (401, 401)}


def test_a17_the_api_version_is_asked_for_and_an_older_one_knows_no_description(
    server: AzureAppConfigServer,
) -> None:
    assert Caller(server, version="2099-01-01").send("GET", "/kv").status_code == 400
    assert requests.get(f"{server.url}/kv", timeout=30).status_code == 400
    Caller(server).put("a", {"value": "1", "description": "d"})
    assert "description" not in Caller(server, version=OLDER).send("GET", "/kv/a").json()
    Caller(server, version=OLDER).put("a", {"value": "2", "description": "e"})
    assert Caller(server).send("GET", "/kv/a").json()["description"] is None


@pytest.mark.parametrize(("method", "path"), [("POST", "/kv/a"), ("PATCH", "/kv/a"), ("DELETE", "/kv")])
def test_a18_another_method_is_405(caller: Caller, method: str, path: str) -> None:
    assert caller.send(method, path).status_code == 405


def test_a_throttled_request_says_how_long_and_which_quota(
    server: AzureAppConfigServer, caller: Caller
) -> None:
    server.throttle(headers={"retry-after-ms": "10"}, policy="Total Bandwidth")
    response = caller.send("GET", "/kv")
    assert (response.status_code, response.headers["retry-after-ms"]) == (429, "10")
    assert response.json()["policy"] == "Total Bandwidth"
    assert caller.send("GET", "/kv").status_code == 200
