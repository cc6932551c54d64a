"""Whose token a connection to Vault uses: from where the configuration says, renewed in time, got again."""

from __future__ import annotations

import base64
import itertools
import json
import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from ecs_sync.adapter import Put, Verdict
from ecs_sync.errors import Denied, Throttled, Unavailable
from ecs_sync_adapters.failure_kind import Kind
from ecs_sync_adapters.http_reach import Reach
from ecs_sync_adapters.vault_kv2 import VaultKv2Adapter
from ecs_sync_adapters.vault_login import Bearer, Identity
from ecs_sync_adapters.vault_options import VaultOptions, VaultPlace
from ecs_sync_adapters.vault_wire import Failure, Line, Target
from ecs_sync_sandbox.http_server import HttpServer, Reply, Request
from ecs_sync_sandbox.openbao import OpenBaoServer, front
from tests.adapters.vault_sandbox import items, server, value

ALL = VaultPlace("/")
POLICY = {"secret/*": ["create", "read", "update", "list"]}

_turn = itertools.count()


@pytest.fixture(scope="module")
def bao() -> Iterator[OpenBaoServer]:
    with server() as running:
        running.policy("app", POLICY)
        yield running


@pytest.fixture
def door(bao: OpenBaoServer) -> Iterator[HttpServer]:
    with front(bao.url) as running:
        yield running


def adapter(door: HttpServer, **more: Any) -> VaultKv2Adapter:
    return VaultKv2Adapter(VaultOptions(url=door.url, **more))


def logins(door: HttpServer) -> list[str]:
    return [request.target.removeprefix("/v1/") for request in door.requests if "/auth/" in request.target]


def written(vault: VaultKv2Adapter) -> None:
    [outcome] = vault.write([Put(f"db{next(_turn)}", value(n=1), None)])
    assert outcome.verdict is Verdict.APPLIED, outcome.reason


# -- ways to log in, on the real server


def test_an_approle_logs_in_once_for_many_calls(bao: OpenBaoServer, door: HttpServer) -> None:
    role_id, secret_id = bao.approle("app", "app")
    vault = adapter(door, auth="approle", role_id=role_id, secret_id=secret_id)
    for _ in range(3):
        written(vault)
    items(vault.list(ALL, None))
    assert logins(door) == ["auth/approle/login"]


def test_an_approle_that_is_not_accepted_is_denied_and_nothing_is_sent(
    bao: OpenBaoServer, door: HttpServer
) -> None:
    role_id, _ = bao.approle("app", "app")
    vault = adapter(door, auth="approle", role_id=role_id, secret_id="canary-wrong")
    with pytest.raises(Denied, match="auth/approle is refused") as caught:
        vault.write([Put("db", value(n=1), None)])
    assert "canary" not in str(caught.value)
    assert logins(door) == ["auth/approle/login"] and len(door.requests) == 1
    elsewhere = adapter(door, auth="approle", auth_mount="no/such", role_id=role_id, secret_id="x")
    with pytest.raises(Denied, match="auth/no/such"):
        items(elsewhere.list(ALL, None))


def test_a_jwt_of_a_file_logs_in_and_is_read_anew_each_time(
    bao: OpenBaoServer, door: HttpServer, tmp_path: Path
) -> None:
    key = rsa.generate_private_key(65537, 2048)
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    bao.jwt("deploy", public.decode(), "app")
    path = tmp_path / "jwt"
    vault = adapter(door, auth="jwt", role="deploy", jwt_file=path)
    with pytest.raises(Denied, match="cannot be read"):
        written(vault)
    path.write_text("canary.not.signed")
    with pytest.raises(Denied, match="auth/jwt is refused"):
        written(vault)
    path.write_text(jwt(key, {"sub": "deployer", "aud": "ecs-sync", "iat": 1, "exp": 4102444800}) + "\n")
    written(vault)
    assert logins(door) == ["auth/jwt/login"] * 2


def jwt(key: rsa.RSAPrivateKey, claims: dict[str, Any]) -> str:
    def part(raw: bytes) -> str:
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    signed = ".".join(part(json.dumps(each).encode()) for each in ({"alg": "RS256"}, claims))
    return f"{signed}.{part(key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def test_a_service_account_of_kubernetes_logs_in(
    bao: OpenBaoServer, door: HttpServer, tmp_path: Path
) -> None:
    account = {"username": "system:serviceaccount:prod:ecs-sync", "uid": "1", "groups": []}

    def review(request: Request) -> Reply:
        """The cluster's own answer to who a token is of."""
        asked = json.loads(request.body)["spec"]["token"]
        status = {"authenticated": asked == pod_token, "user": account}
        kind = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview"}
        return Reply(201, json.dumps({**kind, "status": status}).encode())

    claims = {"iss": "kubernetes/serviceaccount", "sub": account["username"]}
    names = {"namespace": "prod", "service-account.name": "ecs-sync", "service-account.uid": "1"}
    pod_token = jwt(
        rsa.generate_private_key(65537, 2048),
        {**claims, **{f"kubernetes.io/serviceaccount/{name}": text for name, text in names.items()}},
    )
    path = tmp_path / "token"
    path.write_text(pod_token)
    with HttpServer(review) as cluster:
        bao.call("POST", "sys/auth/k8s/blue", {"type": "kubernetes"})
        config = {
            "kubernetes_host": cluster.url,
            "kubernetes_ca_cert": trustme.CA().cert_pem.bytes().decode(),
            "disable_local_ca_jwt": True,
            "token_reviewer_jwt": "reviewer",
        }
        bao.call("POST", "auth/k8s/blue/config", config)
        role = {"bound_service_account_names": ["ecs-sync"], "bound_service_account_namespaces": ["prod"]}
        bao.call("POST", "auth/k8s/blue/role/app", {**role, "token_policies": ["app"]})
        vault = adapter(door, auth="kubernetes", auth_mount="k8s/blue", role="app", jwt_file=path)
        written(vault)
        assert len(cluster.requests) == 1
    assert logins(door) == ["auth/k8s/blue/login"]


def test_a_token_file_is_read_again_when_its_token_is_dead(
    bao: OpenBaoServer, door: HttpServer, tmp_path: Path
) -> None:
    path = tmp_path / "sink"
    first, second = bao.token("app"), bao.token("app")
    path.write_text(first + "\n")
    vault = adapter(door, auth="token-file", token_file=path)
    written(vault)
    path.write_text(second)
    written(vault)
    assert {request.headers["x-vault-token"] for request in door.requests} == {first}
    bao.revoke(first)
    written(vault)
    assert door.requests[-1].headers["x-vault-token"] == second
    bao.revoke(second)
    with pytest.raises(Denied, match="expired or was revoked"):
        written(vault)


@pytest.mark.parametrize("text", ["", "two words", "one\ntwo", "\u00e9"])
def test_a_token_file_that_holds_no_token_is_not_sent(door: HttpServer, tmp_path: Path, text: str) -> None:
    path = tmp_path / "sink"
    path.write_text(text)
    with pytest.raises(Denied, match="one word") as caught:
        written(adapter(door, auth="token-file", token_file=path))
    assert door.requests == []
    assert "two" not in str(caught.value).removeprefix(str(path))


def test_a_dead_token_of_a_login_is_replaced_and_the_write_happens_once(
    bao: OpenBaoServer, door: HttpServer
) -> None:
    role_id, secret_id = bao.approle("app", "app")
    vault = adapter(door, auth="approle", role_id=role_id, secret_id=secret_id)
    written(vault)
    bao.revoke(door.requests[-1].headers["x-vault-token"])
    [outcome] = vault.write([Put("once", value(n=1), None)])
    assert (outcome.verdict, (outcome.revision or "")[:1]) == (Verdict.APPLIED, "1")
    assert logins(door) == ["auth/approle/login", "auth/token/lookup-self", "auth/approle/login"]


def test_a_token_that_expires_during_a_listing_is_replaced(bao: OpenBaoServer, door: HttpServer) -> None:
    role_id, secret_id = bao.approle("app", "app")
    vault = adapter(door, auth="approle", role_id=role_id, secret_id=secret_id)
    bao.mount("listed")
    bao.policy("listed", {"listed/*": ["read", "list"]})
    role_id, secret_id = bao.approle("listed", "listed")
    for n in range(60):
        bao.call("POST", f"listed/data/{n:02}", {"data": {"n": n}})
    vault = adapter(door, mount="listed", auth="approle", role_id=role_id, secret_id=secret_id)
    pages = iter(vault.list(ALL, None).pages)
    first = next(pages)
    bao.revoke(door.requests[-1].headers["x-vault-token"])
    rest = list(pages)
    assert len(first.items) + sum(len(page.items) for page in rest) == 60
    assert all(item.unreadable is None for page in rest for item in page.items)
    asked = [each for each in door.requests if not each.path.startswith("/v1/auth/")]
    assert sum(page.calls for page in [first, *rest]) == len(asked)


def test_a_denial_that_is_meant_costs_no_login(bao: OpenBaoServer, door: HttpServer) -> None:
    role_id, secret_id = bao.approle("app", "app")
    vault = adapter(door, mount="cubbyhole2", auth="approle", role_id=role_id, secret_id=secret_id)
    [item] = items(vault.get(["db"]))
    assert item.unreadable is not None
    assert logins(door) == ["auth/approle/login", "auth/token/lookup-self"]


def test_a_token_that_may_not_look_itself_up_is_used_as_it_is(bao: OpenBaoServer, door: HttpServer) -> None:
    token = bao.token("app", no_default_policy=True)
    vault = adapter(door, token=token)
    written(vault)
    assert logins(door) == ["auth/token/lookup-self"]
    elsewhere = adapter(door, mount="cubbyhole2", token=token)
    assert [item.unreadable is not None for item in items(elsewhere.get(["a", "b"]))] == [True, True]
    assert logins(door) == ["auth/token/lookup-self"] * 2


def test_threads_that_begin_together_log_in_once(bao: OpenBaoServer, door: HttpServer) -> None:
    role_id, secret_id = bao.approle("app", "app")
    vault = adapter(door, auth="approle", role_id=role_id, secret_id=secret_id)
    start = threading.Barrier(6)

    def work() -> None:
        start.wait()
        written(vault)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert logins(door) == ["auth/approle/login"]


def test_threads_that_waited_for_a_login_that_hangs_do_not_each_wait_for_their_own(
    bao: OpenBaoServer, door: HttpServer
) -> None:
    role_id, secret_id = bao.approle("app", "app")
    vault = adapter(door, auth="approle", role_id=role_id, secret_id=secret_id, read_timeout=1.0)
    door.hang_next(times=6)
    start = threading.Barrier(6)
    failed: list[Unavailable] = []

    def work() -> None:
        start.wait()
        with pytest.raises(Unavailable) as caught:
            written(vault)
        failed.append(caught.value)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(failed), logins(door)) == (6, ["auth/approle/login"])


def test_a_login_that_fails_means_that_nothing_was_sent(bao: OpenBaoServer, door: HttpServer) -> None:
    role_id, secret_id = bao.approle("app", "app")
    vault = adapter(door, auth="approle", role_id=role_id, secret_id=secret_id, read_timeout=0.5)
    for fault in (
        lambda: door.fail_next(500),
        lambda: door.fail_next(503, body='{"errors":["Vault is sealed"]}'),
        lambda: door.fail_next(200, body="<html>"),
        lambda: door.fail_next(200, body='{"auth":{"client_token":"a b","lease_duration":1}}'),
        lambda: door.drop_next(),
        lambda: door.hang_next(),
    ):
        fault()
        with pytest.raises(Unavailable):
            written(vault)
    door.fail_next(429, {"Retry-After": "2"})
    with pytest.raises(Throttled) as caught:
        written(vault)
    assert caught.value.retry_after == 2.0
    assert set(logins(door)) == {"auth/approle/login"} and len(logins(door)) == len(door.requests)
    written(vault)


def test_nothing_of_a_login_is_logged_or_shown(
    bao: OpenBaoServer, door: HttpServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    role_id, secret_id = bao.approle("app", "app")
    vault = adapter(door, auth="approle", role_id=role_id, secret_id=secret_id)
    written(vault)
    token = door.requests[-1].headers["x-vault-token"]
    options = VaultOptions(door.url, auth="approle", role_id=role_id, secret_id=secret_id)
    shown = caplog.text + repr(vault) + repr(vars(vault)) + repr(options)
    for secret in (token, secret_id):
        assert secret not in shown


# -- time, by a clock of our own


@dataclass
class Vault:
    """Answers logins, lookups and renewals as it is told, and counts them."""

    ttl: int = 90
    renews_for: int | None = 90
    renewable: bool = True
    logs_in: bool = True
    asked: list[str] = field(default_factory=list)

    def respond(self, request: Request) -> Reply:
        name = request.path.rpartition("/")[2]
        self.asked.append(name)
        if name == "renew-self" and self.renews_for is None:
            return Reply(403, b'{"errors":["permission denied"]}')
        if name == "lookup-self":
            data = {"ttl": self.ttl, "renewable": self.renewable, "expire_time": "2030-01-01T00:00:00Z"}
            return Reply(200, json.dumps({"data": data}).encode())
        if name == "login" and not self.logs_in:
            return Reply(500, b"{}")
        ttl = self.ttl if name == "login" else self.renews_for
        token = f"s.{len(self.asked)}" if name == "login" else request.headers["x-vault-token"]
        auth = {"client_token": token, "lease_duration": ttl, "renewable": self.renewable}
        return Reply(200, json.dumps({"auth": auth}).encode())


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def vault() -> Vault:
    return Vault()


@pytest.fixture
def line(vault: Vault) -> Iterator[Line]:
    with HttpServer(vault.respond) as stub:
        yield Line(Target(stub.url, None, Reach(), 5.0, 5.0))


def identity(line: Line, clock: Clock, **more: Any) -> Identity:
    given: dict[str, Any] = {"auth": "approle", "role_id": "r", "secret_id": "s", **more}
    return Identity(VaultOptions(line.target.url, **given), line, clock)


def token_of(found: Bearer | Failure) -> str:
    assert isinstance(found, Bearer), found
    return found.token


def test_a_token_is_renewed_when_two_thirds_of_its_time_are_over(
    vault: Vault, line: Line, clock: Clock
) -> None:
    who = identity(line, clock)
    first = token_of(who.current())
    clock.now += 59
    assert token_of(who.current()) == first
    assert vault.asked == ["login"]
    clock.now += 1
    assert token_of(who.current()) == first
    assert vault.asked == ["login", "renew-self"]
    clock.now += 59
    who.current()
    assert vault.asked == ["login", "renew-self"]
    clock.now += 1
    who.current()
    assert vault.asked == ["login", "renew-self", "renew-self"]


@pytest.mark.parametrize("renews_for", [None, 20])
def test_a_token_that_is_not_renewed_for_long_is_replaced(
    vault: Vault, line: Line, clock: Clock, renews_for: int | None
) -> None:
    vault.renews_for = renews_for
    who = identity(line, clock)
    first = token_of(who.current())
    clock.now += 60
    assert token_of(who.current()) != first
    assert vault.asked == ["login", "renew-self", "login"]


def test_a_token_that_cannot_be_renewed_is_replaced_in_time(vault: Vault, line: Line, clock: Clock) -> None:
    vault.renewable = False
    who = identity(line, clock)
    first = token_of(who.current())
    clock.now += 60
    assert token_of(who.current()) != first
    assert vault.asked == ["login", "login"]


def test_a_token_that_is_over_is_not_sent(vault: Vault, line: Line, clock: Clock) -> None:
    who = identity(line, clock)
    first = token_of(who.current())
    clock.now += 91
    assert token_of(who.current()) != first
    assert vault.asked == ["login", "login"]


def test_where_no_renewal_and_no_login_works_the_token_serves_to_its_end(
    vault: Vault, line: Line, clock: Clock
) -> None:
    who = identity(line, clock)
    first = token_of(who.current())
    vault.renews_for, vault.logs_in = None, False
    clock.now += 60
    assert [token_of(who.current()) for _ in range(3)] == [first] * 3
    assert vault.asked == ["login", "renew-self", "login"], "and it is not tried at every call"
    clock.now += 6
    assert token_of(who.current()) == first
    assert vault.asked[3:] == ["renew-self", "login"]
    clock.now += 30
    found = who.current()
    assert isinstance(found, Failure) and found.kind is Kind.UNSENT


def test_a_given_token_is_looked_up_once_and_renewed(vault: Vault, line: Line, clock: Clock) -> None:
    who = identity(line, clock, auth="token", token="s.mine", role_id=None, secret_id=None)
    for _ in range(3):
        assert token_of(who.current()) == "s.mine"
    clock.now += 60
    assert token_of(who.current()) == "s.mine"
    assert vault.asked == ["lookup-self", "renew-self"]


def test_a_given_token_that_is_over_is_said_to_be(vault: Vault, line: Line, clock: Clock) -> None:
    vault.renewable = False
    who = identity(line, clock, auth="token", token="s.mine", role_id=None, secret_id=None)
    who.current()
    vault.ttl = 30
    clock.now += 60
    assert token_of(who.current()) == "s.mine"
    vault.ttl = 0
    clock.now += 60
    found = who.current()
    assert isinstance(found, Failure) and found.kind is Kind.IDENTITY


def test_the_token_of_a_file_is_left_to_its_agent(
    vault: Vault, line: Line, clock: Clock, tmp_path: Path
) -> None:
    path = tmp_path / "sink"
    path.write_text("s.first")
    who = identity(line, clock, auth="token-file", token_file=path, role_id=None, secret_id=None)
    assert token_of(who.current()) == "s.first"
    path.write_text("s.second")
    clock.now += 60
    assert token_of(who.current()) == "s.second"
    assert "renew-self" not in vault.asked


def test_a_login_that_wants_a_second_factor_is_denied_by_name() -> None:
    answer = '{"auth":{"client_token":"","lease_duration":0,"mfa_requirement":{"mfa_request_id":"1"}}}'
    with HttpServer(lambda _: Reply(200, answer.encode())) as stub:
        options = VaultOptions(url=stub.url, auth="approle", role_id="r", secret_id="s")
        with pytest.raises(Denied, match="second factor"):
            VaultKv2Adapter(options).write([Put("db", value(n=1), None)])
        assert len(stub.requests) == 1
