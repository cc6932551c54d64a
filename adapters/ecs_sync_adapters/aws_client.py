"""One client of one AWS service, which all threads of a connection share."""

from __future__ import annotations

import threading
from typing import Any

from ecs_sync_adapters.aws_errors import Failure, call, is_stale
from ecs_sync_adapters.aws_session import Client, Credential, Endpoint, Service, build_client
from ecs_sync_adapters.failure_kind import reading_error

_NAMES: dict[Service, str] = {
    "ssm": "SSM",
    "secretsmanager": "Secrets Manager",
    "appconfig": "AppConfig",
    "kms": "KMS",
}


class SharedClient:
    """Connects to nothing until it is used, and again when it is used after it was closed."""

    def __init__(self, service: Service, credential: Credential, endpoint: Endpoint) -> None:
        self._service, self._credential, self._endpoint = service, credential, endpoint
        self._lock = threading.Lock()
        self._client: Client | None = None

    def connected(self) -> Any:
        """The SDK's client, with a credential that is good for now: what goes wrong with one is no request's
        fate. Raises Denied where there is none, Unavailable where it cannot be had yet.
        """
        with self._lock:
            if self._client is None:
                self._client = self._told(
                    call(
                        build_client,
                        service=self._service,
                        credential=self._credential,
                        endpoint=self._endpoint,
                    )
                )
                self._client.sdk.meta.events.register("after-call", self._answered)
            client = self._client
        self._told(call(client.keys.get_frozen_credentials))
        return client.sdk

    def _told(self, made: Any) -> Any:
        if isinstance(made, Failure):
            raise reading_error(made, f"connecting to {_NAMES[self._service]}")
        return made

    def _answered(self, parsed: Any, **_: Any) -> None:
        """After a credential was not accepted the next use looks for one again: there may be a new login."""
        if is_stale(str(parsed.get("Error", {}).get("Code", ""))):
            with self._lock:
                self._client = None

    def close(self) -> None:
        """Closes the connections."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.sdk.close()
