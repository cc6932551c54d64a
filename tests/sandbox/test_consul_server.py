"""The rules of the Consul stand-in, one by one, over plain HTTP.

``ECS_SYNC_CONSUL_URL`` (and ``ECS_SYNC_CONSUL_TOKEN``) runs the same rules against a real agent; what
needs a server of its own making is then skipped.
"""

from __future__ import annotations

import base64
import json
import os
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from ecs_sync_sandbox.consul import BODY_LIMIT, ConsulServer
from ecs_sync_sandbox.consul_words import VALUE_LIMIT

REAL = os.environ.get("ECS_SYNC_CONSUL_URL")


@dataclass
class Caller:
    """Speaks plain HTTP to an agent, below a prefix of its own."""

    url: str
    root: str = ""
    token: str | None = None

    def send(self, method: str, path: str, **options: Any) -> requests.Response:
        headers = {"X-Consul-Token": self.token} if self.token else {}
        return requests.request(method, self.url + path, timeout=30, headers=headers, **options)

    def kv(self, method: str, key: str, query: str = "", body: bytes | None = None) -> requests.Response:
        return self.send(method, f"/v1/kv/{self.root}{key}{'?' + query if query else ''}", data=body)

    def put(self, key: str, value: bytes, query: str = "") -> Any:
        response = self.kv("PUT", key, query, value)
        assert response.status_code == 200, response.text
        return response.json()

    def one(self, key: str) -> dict[str, Any]:
        (pair,) = self.kv("GET", key).json()
        return dict(pair)

    def names(self, key: str, query: str = "keys") -> list[str]:
        return [name.removeprefix(self.root) for name in self.kv("GET", key, query).json()]

    def index(self, key: str, query: str = "recurse") -> int:
        return int(self.kv("GET", key, query).headers["X-Consul-Index"])

    def txn(self, *ops: dict[str, Any]) -> requests.Response:
        rooted = [{"KV": {**op, "Key": self.root + op["Key"]}} for op in ops]
        return self.send("PUT", "/v1/txn", data=json.dumps(rooted))


def b64(value: bytes) -> str:
    return base64.b64encode(value).decode()


@pytest.fixture
def agent() -> Iterator[Caller]:
    if REAL:
        caller = Caller(
            REAL.rstrip("/"), f"ecs-sync-test/{uuid.uuid4().hex}/", os.environ.get("ECS_SYNC_CONSUL_TOKEN")
        )
        yield caller
        caller.kv("DELETE", "", "recurse")
    else:
        with ConsulServer() as server:
            yield Caller(server.url, "root/")


@pytest.fixture
def sandbox() -> Iterator[ConsulServer]:
    if REAL:
        pytest.skip("needs a server of its own making; ECS_SYNC_CONSUL_URL names a real agent")
    with ConsulServer(
        acl={
            "": [("public/", "read")],
            "reader": [("app/", "read")],
            "writer": [("app/", "write"), ("app/hidden/", "deny")],
        },
    ) as server:
        yield server


def test_c1_a_plain_put_answers_true_and_the_value_comes_back_in_base64(agent: Caller) -> None:
    assert agent.put("a", b"\x00\xff") is True
    assert agent.put("a", b"again") is True
    assert base64.b64decode(agent.one("a")["Value"]) == b"again"
    agent.put("empty", b"")
    assert agent.one("empty")["Value"] is None


def test_c2_a_put_with_cas_answers_true_or_false_with_status_200(agent: Caller) -> None:
    assert agent.put("a", b"1", "cas=0") is True
    assert agent.put("a", b"2", "cas=0") is False
    index = agent.one("a")["ModifyIndex"]
    assert agent.put("a", b"3", f"cas={index + 1}") is False
    assert agent.put("a", b"4", f"cas={index}") is True
    assert agent.put("b", b"5", f"cas={index}") is False
    assert base64.b64decode(agent.one("a")["Value"]) == b"4"


def test_c3_a_delete_is_true_where_nothing_was_and_recurse_takes_a_string_prefix(agent: Caller) -> None:
    assert agent.kv("DELETE", "none").json() is True
    for key in ("app/x", "app2/x", "other"):
        agent.put(key, b"1")
    assert agent.kv("DELETE", "app", "recurse").json() is True
    assert agent.names("") == ["other"]


def test_c4_a_delete_with_cas_is_true_where_absent_or_at_the_index(agent: Caller) -> None:
    agent.put("a", b"1")
    index = agent.one("a")["ModifyIndex"]
    assert agent.kv("DELETE", "a", "cas=0").json() is False
    assert agent.kv("DELETE", "a", f"cas={index - 1}").json() is False
    assert agent.kv("DELETE", "a", f"cas={index}").json() is True
    assert agent.kv("GET", "a").status_code == 404
    assert agent.kv("DELETE", "a", f"cas={index}").json() is True


def test_c5_indexes_come_of_one_counter_that_only_rises(agent: Caller) -> None:
    agent.put("a", b"1")
    agent.put("b", b"1")
    first, second = agent.one("a"), agent.one("b")
    assert first["CreateIndex"] == first["ModifyIndex"] < second["ModifyIndex"]
    agent.put("a", b"2")
    moved = agent.one("a")
    assert moved["CreateIndex"] == first["CreateIndex"]
    assert moved["ModifyIndex"] > second["ModifyIndex"]
    agent.kv("DELETE", "a")
    agent.put("a", b"2")
    assert agent.one("a")["CreateIndex"] > moved["ModifyIndex"]


def test_c6_writing_what_is_there_already_moves_nothing(agent: Caller) -> None:
    agent.put("a", b"1", "flags=7")
    before = agent.one("a")
    agent.put("a", b"1", "flags=7")
    assert agent.one("a") == before
    agent.put("a", b"1", "flags=8")
    assert agent.one("a")["ModifyIndex"] > before["ModifyIndex"]


def test_c7_flags_are_an_unsigned_64_bit_number_and_zero_unless_given(agent: Caller) -> None:
    agent.put("a", b"1", f"flags={2**64 - 1}")
    assert agent.one("a")["Flags"] == 2**64 - 1
    agent.put("a", b"2")
    assert agent.one("a")["Flags"] == 0
    assert agent.kv("PUT", "a", "flags=-1", b"3").status_code >= 400


def test_c8_a_missing_key_is_404_with_an_index(agent: Caller) -> None:
    response = agent.kv("GET", "none")
    assert response.status_code == 404
    assert response.content == b""
    assert int(response.headers["X-Consul-Index"]) >= 1
    assert response.headers["X-Consul-KnownLeader"] == "true"
    assert response.headers["X-Consul-LastContact"].isdigit()


def test_c9_recurse_lists_a_string_prefix_in_byte_order(agent: Caller) -> None:
    for key in ("app/b", "app/B", "app/a/z", "app/a-", "app2", "b", "app/a"):
        agent.put(key, key.encode())
    pairs = agent.kv("GET", "app", "recurse").json()
    names = [pair["Key"].removeprefix(agent.root) for pair in pairs]
    assert names == sorted(["app/b", "app/B", "app/a/z", "app/a-", "app2", "app/a"])
    assert base64.b64decode(pairs[0]["Value"]) == b"app/B"
    assert agent.kv("GET", "none/", "recurse").status_code == 404


@pytest.mark.parametrize("spelling", ["separator", "seperator"])
def test_c10_keys_lists_names_folded_at_the_separator(agent: Caller, spelling: str) -> None:
    for key in ("app/a", "app/sub/x", "app/sub/y"):
        agent.put(key, b"1")
    assert agent.names("app/") == ["app/a", "app/sub/x", "app/sub/y"]
    assert agent.names("app/", f"keys&{spelling}=/") == ["app/a", "app/sub/"]
    assert agent.kv("GET", "none/", "keys").status_code == 404


def test_c10_keys_at_the_empty_root_are_an_empty_list() -> None:
    with ConsulServer() as server:
        response = requests.get(f"{server.url}/v1/kv/?keys", timeout=5)
        assert (response.status_code, response.json()) == (200, [])


def test_c11_the_index_of_a_prefix_is_that_of_its_youngest_key_or_tombstone(agent: Caller) -> None:
    agent.put("app/a", b"1")
    agent.put("app/b", b"1")
    before = agent.index("app/")
    assert before == agent.one("app/b")["ModifyIndex"]
    agent.put("other", b"1")
    assert agent.index("app/") == before == agent.index("app/", "keys&separator=/")
    agent.kv("DELETE", "app/a")
    assert agent.index("app/") > before


def test_c11_a_reaped_tombstone_takes_the_index_back() -> None:
    with ConsulServer() as server:
        caller = Caller(server.url, "root/")
        caller.put("app/a", b"1")
        caller.put("app/b", b"1")
        before = caller.index("app/")
        caller.kv("DELETE", "app/a")
        server.kv.reap_tombstones()
        assert caller.index("app/") == before


def test_c12_raw_answers_the_bytes(agent: Caller) -> None:
    agent.put("a", b"\x00\xffraw")
    assert agent.kv("GET", "a", "raw").content == b"\x00\xffraw"


def test_c13_a_blocking_query_wakes_when_the_prefix_moves(agent: Caller) -> None:
    agent.put("app/a", b"1")
    index = agent.index("app/")
    assert agent.kv("GET", "app/", f"recurse&index={index}&wait=10ms").headers["X-Consul-Index"] == str(index)
    assert agent.index("app/", f"recurse&index={index - 1}&wait=10m") == index
    woken: list[int] = []
    waiting = threading.Thread(
        target=lambda: woken.append(agent.index("app/", f"recurse&index={index}&wait=30s"))
    )
    waiting.start()
    agent.put("app/b", b"1")
    waiting.join(20)
    assert woken == [agent.one("app/b")["ModifyIndex"]]


def test_c14_a_value_over_512_kib_is_413(agent: Caller) -> None:
    assert agent.put("a", b"x" * VALUE_LIMIT) is True
    assert agent.kv("PUT", "a", "", b"x" * (VALUE_LIMIT + 1)).status_code == 413


def test_c15_a_transaction_is_all_or_nothing_and_tells_the_new_indexes(agent: Caller) -> None:
    response = agent.txn(
        {"Verb": "cas", "Key": "a", "Value": b64(b"1"), "Index": 0, "Flags": 3},
        {"Verb": "set", "Key": "b", "Value": b64(b"2")},
    )
    assert response.status_code == 200
    results = [result["KV"] for result in response.json()["Results"]]
    assert [(r["Key"].removeprefix(agent.root), r["Value"], r["Flags"]) for r in results] == [
        ("a", None, 3),
        ("b", None, 0),
    ]
    assert results[0]["ModifyIndex"] == agent.one("a")["ModifyIndex"] == agent.one("b")["ModifyIndex"]
    assert not response.json()["Errors"]
    gone = agent.txn(
        {"Verb": "delete", "Key": "a"},
        {"Verb": "delete-cas", "Key": "b", "Index": results[1]["ModifyIndex"]},
    )
    assert gone.status_code == 200
    assert not gone.json()["Results"]
    assert agent.kv("GET", "", "recurse").status_code == 404


def test_c16_a_failed_transaction_names_every_fault_and_changes_nothing(agent: Caller) -> None:
    agent.put("a", b"1")
    index = agent.one("a")["ModifyIndex"]
    before = agent.index("")
    response = agent.txn(
        {"Verb": "cas", "Key": "a", "Value": b64(b"2"), "Index": index},
        {"Verb": "cas", "Key": "a", "Value": b64(b"2"), "Index": index},
        {"Verb": "set", "Key": "new", "Value": b64(b"2")},
        {"Verb": "delete-tree", "Key": ""},
        {"Verb": "delete-cas", "Key": "a", "Index": 1},
        {"Verb": "cas", "Key": "none", "Value": b64(b"2"), "Index": 5},
    )
    assert response.status_code == 409
    assert [error["OpIndex"] for error in response.json()["Errors"]] == [1, 5]
    assert all("index is stale" in error["What"] for error in response.json()["Errors"])
    assert not response.json()["Results"]
    assert agent.names("") == ["a"]
    assert agent.one("a")["ModifyIndex"] == index
    assert agent.index("") == before


def test_c17_too_many_operations_or_too_long_a_body_is_413(agent: Caller) -> None:
    many = [{"Verb": "get-or-empty", "Key": str(number)} for number in range(129)]
    assert agent.txn(*many[:64]).status_code == 200
    assert agent.txn(*many).status_code == 413
    assert agent.txn({"Verb": "set", "Key": "a", "Value": b64(b"x" * BODY_LIMIT)}).status_code == 413


def test_c18_a_transaction_reads_and_checks(agent: Caller) -> None:
    agent.put("t/a", b"1")
    index = agent.one("t/a")["ModifyIndex"]
    found = agent.txn(
        {"Verb": "get", "Key": "t/a"},
        {"Verb": "get-or-empty", "Key": "none"},
        {"Verb": "get-tree", "Key": "t/"},
        {"Verb": "check-index", "Key": "t/a", "Index": index},
        {"Verb": "check-not-exists", "Key": "none"},
    ).json()["Results"]
    assert [result["KV"]["Value"] for result in found] == [b64(b"1"), None, b64(b"1"), None]
    assert [result["KV"]["CreateIndex"] for result in found][1] == 0
    faults = agent.txn(
        {"Verb": "get", "Key": "none"},
        {"Verb": "check-index", "Key": "t/a", "Index": index + 1},
        {"Verb": "check-index", "Key": "none", "Index": 1},
        {"Verb": "check-not-exists", "Key": "t/a"},
        {"Verb": "no-such-verb", "Key": "t/a"},
    )
    assert faults.status_code == 409
    assert [error["OpIndex"] for error in faults.json()["Errors"]] == [0, 1, 2, 3, 4]


def test_c19_a_body_that_is_no_list_of_operations_is_400(agent: Caller) -> None:
    for body in ("{", "7", '[{"KV": {"Verb": "set", "Key": "a", "Value": "%"}}]'):
        assert agent.send("PUT", "/v1/txn", data=body).status_code == 400


def test_c20_without_a_key_or_with_cas_and_recurse_it_is_400(agent: Caller) -> None:
    assert agent.send("GET", "/v1/kv/").status_code == 400
    assert agent.send("PUT", "/v1/kv/", data=b"x").status_code == 400
    assert agent.send("DELETE", "/v1/kv/").status_code == 400
    assert agent.kv("DELETE", "a", "recurse&cas=1").status_code == 400


def test_c21_empty_segments_in_a_path_collapse(agent: Caller) -> None:
    agent.put("a//b", b"1")
    assert agent.names("") == ["a/b"]


def test_c22_version_1_21_5_refuses_unusual_names() -> None:
    with ConsulServer(key_policy="1.21.5") as server:
        caller = Caller(server.url)
        server.kv.put("with space", b"old")
        for method in ("GET", "PUT", "DELETE"):
            response = caller.kv(method, "with%20space", "", b"x")
            assert response.status_code == 500
            assert response.text.startswith("invalid key name")
        assert caller.put("plain/key-1", b"x") is True


def test_c23_a_transaction_refuses_a_leading_slash() -> None:
    with ConsulServer() as server:
        response = Caller(server.url).txn({"Verb": "set", "Key": "/a", "Value": b64(b"1")})
        assert response.status_code == 400
        assert "must not begin with" in response.text


def test_c24_an_unknown_token_or_a_forbidden_key_is_403(sandbox: ConsulServer) -> None:
    sandbox.kv.put("app/a", b"1")
    assert Caller(sandbox.url, token="nobody").kv("GET", "app/a").text == "ACL not found"
    reader, writer = Caller(sandbox.url, token="reader"), Caller(sandbox.url, token="writer")
    assert reader.kv("GET", "app/a").status_code == 200
    assert reader.kv("PUT", "app/a", "", b"2").status_code == 403
    assert reader.kv("GET", "else").status_code == 403
    assert writer.put("app/a", b"2") is True
    assert writer.kv("DELETE", "app/hidden/x").status_code == 403
    sandbox.kv.put("app/hidden/x", b"1")
    assert writer.kv("DELETE", "app/", "recurse").status_code == 403


def test_c25_a_recursive_read_leaves_out_what_is_forbidden_and_tells_a_known_token(
    sandbox: ConsulServer,
) -> None:
    sandbox.kv.put("app/a", b"1")
    sandbox.kv.put("app/hidden/x", b"1")
    response = Caller(sandbox.url, token="writer").kv("GET", "app/", "recurse")
    assert [pair["Key"] for pair in response.json()] == ["app/a"]
    assert response.headers["X-Consul-Results-Filtered-By-ACLs"] == "true"
    anonymous = Caller(sandbox.url).kv("GET", "app/", "recurse")
    assert anonymous.status_code == 404
    assert "X-Consul-Results-Filtered-By-ACLs" not in anonymous.headers
    assert anonymous.headers["X-Consul-Default-ACL-Policy"] == "deny"


def test_c26_a_transaction_reports_forbidden_writes_and_leaves_out_forbidden_gets(
    sandbox: ConsulServer,
) -> None:
    sandbox.kv.put("app/hidden/x", b"1")
    writer = Caller(sandbox.url, token="writer")
    response = writer.txn(
        {"Verb": "set", "Key": "app/a", "Value": b64(b"1")},
        {"Verb": "set", "Key": "app/hidden/x", "Value": b64(b"2")},
    )
    assert response.status_code == 409
    assert [(e["OpIndex"], e["What"]) for e in response.json()["Errors"]] == [(1, "Permission denied")]
    assert sandbox.kv.keys() == ["app/hidden/x"]
    gets = writer.txn(
        {"Verb": "get-or-empty", "Key": "app/hidden/x"}, {"Verb": "get-or-empty", "Key": "app/none"}
    )
    assert [result["KV"]["Key"] for result in gets.json()["Results"]] == ["app/none"]


def test_c27_the_token_is_read_from_query_header_and_bearer(sandbox: ConsulServer) -> None:
    url = f"{sandbox.url}/v1/kv/app/a"
    sandbox.kv.put("app/a", b"1")
    assert requests.get(f"{url}?token=reader", timeout=5).status_code == 200
    assert requests.get(url, headers={"X-Consul-Token": "reader"}, timeout=5).status_code == 200
    assert requests.get(url, headers={"Authorization": "Bearer reader"}, timeout=5).status_code == 200
    assert requests.get(url, timeout=5).status_code == 403


def test_c28_another_datacenter_has_no_path(agent: Caller) -> None:
    response = agent.kv("GET", "a", "dc=no-such-datacenter")
    assert (response.status_code, response.text.strip()) == (500, "No path to datacenter")


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("ns=team", {}),
        ("partition=eu", {}),
        ("", {"X-Consul-Namespace": "team"}),
        ("", {"X-Consul-Partition": "eu"}),
    ],
)
def test_c29_the_community_edition_refuses_namespaces_and_partitions(
    query: str, headers: dict[str, str]
) -> None:
    with ConsulServer() as server:
        for method in ("GET", "PUT", "DELETE"):
            answer = requests.request(method, f"{server.url}/v1/kv/a?{query}", headers=headers, timeout=30)
            assert answer.status_code == 400
            assert "are a Consul Enterprise feature" in answer.text
        assert server.kv.keys() == []


def test_c30_a_transaction_of_the_community_edition_overlooks_them() -> None:
    op = {"Verb": "set", "Key": "a", "Value": "MQ==", "Namespace": "team", "Partition": "eu"}
    with ConsulServer() as server:
        assert Caller(server.url).txn(op).status_code == 200
        assert server.kv.keys() == ["a"]


def test_c31_each_namespace_of_each_partition_has_a_store_of_its_own() -> None:
    with ConsulServer(edition="enterprise") as server:
        for partition, namespace in (("default", "team"), ("eu", "default"), ("eu", "team")):
            server.made(partition, namespace)
        caller = Caller(server.url)
        caller.put("a", b"0")
        caller.put("a", b"1", "ns=team")
        caller.put("a", b"2", "partition=eu")
        caller.put("a", b"3", "partition=eu&ns=team")
        stores = [
            server.kv,
            server.made(namespace="team"),
            server.made("eu"),
            server.made("eu", "team"),
        ]
        assert [store.get("a").value for store in stores] == [b"0", b"1", b"2", b"3"]  # type: ignore[union-attr]
        assert caller.kv("GET", "a", "raw&ns=default&partition=default").content == b"0"


def test_c32_a_transaction_takes_its_namespace_from_its_operations_only() -> None:
    with ConsulServer(edition="enterprise") as server:
        team = server.made(namespace="team")
        op = {"Verb": "set", "Key": "a", "Value": "MQ=="}
        answers = [
            requests.put(f"{server.url}/v1/txn?ns=team", json=[{"KV": each}], timeout=30)
            for each in (op, {**op, "Key": "b", "Namespace": "team"})
        ]
        assert [answer.status_code for answer in answers] == [200, 200]
        assert (server.kv.keys(), team.keys()) == (["a"], ["b"])


def test_c33_a_namespace_that_nobody_made_is_empty_and_takes_no_writes() -> None:
    with ConsulServer(edition="enterprise") as server:
        caller = Caller(server.url)
        assert caller.kv("GET", "", "recurse&ns=nobody").status_code == 404
        assert caller.kv("PUT", "a", "ns=nobody", b"1").status_code == 500
        op = {"Verb": "set", "Key": "a", "Value": "MQ==", "Namespace": "nobody"}
        assert caller.txn(op).status_code == 409
        assert caller.txn({**op, "Verb": "get-or-empty"}).status_code == 200


def test_a_large_tree_is_sent_in_pieces() -> None:
    with ConsulServer() as server:
        for number in range(2000):
            server.kv.put(f"app/{number:05}", b"v" * 100)
        response = requests.get(f"{server.url}/v1/kv/app/?recurse", timeout=10)
        assert response.headers["Transfer-Encoding"] == "chunked"
        assert len(response.json()) == 2000


def test_every_request_is_logged_and_planned_faults_come_once() -> None:
    with ConsulServer() as server:
        caller = Caller(server.url)
        server.lose_leader()
        server.throttle(retry_after="7")
        assert (caller.kv("PUT", "a", "", b"1").status_code, server.kv.keys()) == (500, [])
        refused = caller.kv("PUT", "a", "", b"1")
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "7")
        server.faults.drop_next()
        with pytest.raises(requests.ConnectionError):
            caller.kv("PUT", "a", "", b"1")
        assert server.kv.keys() == ["a"]
        assert [request.method for request in server.requests] == ["PUT"] * 3
        assert caller.put("b", b"2") is True


def test_a_hanging_request_ends_with_the_server() -> None:
    with ConsulServer() as server:
        server.faults.hang_next()
        ended = threading.Event()

        def ask() -> None:
            with pytest.raises(requests.ConnectionError):
                requests.get(f"{server.url}/v1/kv/a", timeout=60)
            ended.set()

        waiting = threading.Thread(target=ask)
        waiting.start()
        server.faults.await_requests(1)
    assert ended.wait(20)
    waiting.join()
